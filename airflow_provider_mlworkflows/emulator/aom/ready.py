"""Ready-made workflows, with the templates, job and script they stem from; their ids never change.

Nobody being waited for, each takes about 20 seconds, except :data:`LONG_RUN`, which takes an hour.
"""

from __future__ import annotations

from airflow_provider_mlworkflows.emulator.aom.definitions import (
    JobDefinition,
    NodeDefinition,
    ScriptDefinition,
    TemplateDefinition,
    WorkflowDefinition,
    asks,
    fails,
    pauses,
    succeeds,
)

PLAIN_CHAIN = "a0c41f7d52e84b6390d1c7e6f3b82a01"
FAILS_ONCE = "a0c41f7d52e84b6390d1c7e6f3b82a02"
PAUSES = "a0c41f7d52e84b6390d1c7e6f3b82a03"
WAITS_FOR_APPROVAL = "a0c41f7d52e84b6390d1c7e6f3b82a04"
LONG_RUN = "a0c41f7d52e84b6390d1c7e6f3b82a05"
ASKS_MIDWAY = "a0c41f7d52e84b6390d1c7e6f3b82a06"
FAILING_NODE = "b7e25d0c94f1463a8e02d9a1c5f47b02"
PAUSE_NODE = "b7e25d0c94f1463a8e02d9a1c5f47b03"
APPROVAL_NODE = "b7e25d0c94f1463a8e02d9a1c5f47b06"
TEMPLATE = "c93f6a18d07b4e52b64e1f80a2d95c01"
PUBLIC_TEMPLATE = "c93f6a18d07b4e52b64e1f80a2d95c02"
FLAKY_TEMPLATE = "c93f6a18d07b4e52b64e1f80a2d95c03"
PAUSING_TEMPLATE = "c93f6a18d07b4e52b64e1f80a2d95c04"
GUARDED_TEMPLATE = "c93f6a18d07b4e52b64e1f80a2d95c05"
LONG_TEMPLATE = "c93f6a18d07b4e52b64e1f80a2d95c06"
ASKING_TEMPLATE = "c93f6a18d07b4e52b64e1f80a2d95c07"
JOB = "d51b80e7f2c34a96b1a7c3e9046df801"
SCRIPT = "e62c91f8a3d45b07c2b8d4fa157e0901"
APPROVER = "operator"

_INPUT = {
    "script": {"group": "script", "cmd_user": "root", "time_out": "7200"},
    "get_instances": {"group": "get_instances", "type": "cmdb_manual", "ecs_id_list": '["ecs-emulated-1"]'},
    "rate_control": {"group": "rate_control", "max": "0", "timeDelay": "0"},
}


def library() -> tuple[JobDefinition | ScriptDefinition | TemplateDefinition, ...]:
    """Return a template for each ready-made workflow, a public one, the job and the script."""
    nodes = _chain()
    parameters = [
        {
            "id": "cmd_user",
            "param_name": "cmd_user",
            "param_type": "string",
            "param_group": "script",
            "default_value": "root",
            "encryption": False,
            "quote_param": False,
            "required": False,
            "hint": "",
            "description": "user that runs the script",
        }
    ]
    versions = {
        "1.0.0": "#!/bin/sh\nsystemctl restart app\n",
        "1.1.0": "#!/bin/sh\nset -e\nsystemctl restart app\nsystemctl is-active app\n",
    }
    return (
        TemplateDefinition("restart-and-check", nodes, TEMPLATE, JOB, parameters=parameters),
        TemplateDefinition("CMS::ECS::BulkyRunScript", nodes[1:2], PUBLIC_TEMPLATE, share_type="public"),
        TemplateDefinition("restart-flaky", _flaky(), FLAKY_TEMPLATE),
        TemplateDefinition("restart-confirmed", _pausing(), PAUSING_TEMPLATE),
        TemplateDefinition("restart-approved", nodes, GUARDED_TEMPLATE, needs_approval=True),
        TemplateDefinition("restart-all", _long(), LONG_TEMPLATE),
        TemplateDefinition("restart-asked", _asking(), ASKING_TEMPLATE),
        JobDefinition("restart-and-check", JOB, nodes, "restart a service and look at it", parameters),
        ScriptDefinition("restart-service", SCRIPT, versions, "SHELL", "restarts a service"),
    )


def ready_made() -> tuple[WorkflowDefinition, ...]:
    """Return the ready-made workflows."""
    return (
        _workflow("plain-chain", PLAIN_CHAIN, TEMPLATE, _chain()),
        _workflow("fails-once", FAILS_ONCE, FLAKY_TEMPLATE, _flaky(FAILING_NODE)),
        _workflow("pauses", PAUSES, PAUSING_TEMPLATE, _pausing(PAUSE_NODE)),
        _workflow("waits-for-approval", WAITS_FOR_APPROVAL, GUARDED_TEMPLATE, _chain()),
        _workflow("long-run", LONG_RUN, LONG_TEMPLATE, _long()),
        _workflow("asks-midway", ASKS_MIDWAY, ASKING_TEMPLATE, _asking(APPROVAL_NODE)),
    )


def _chain() -> tuple[NodeDefinition, NodeDefinition, NodeDefinition]:
    return (
        NodeDefinition("collect", (succeeds(5, {"instances": ["ecs-emulated-1"]}),), step_type="get_instances"),
        NodeDefinition("restart", (succeeds(8, {"exit_code": 0, "stdout": "active"}),)),
        NodeDefinition("report", (succeeds(6),), step_type="notify"),
    )


def _flaky(node_id: str | None = None) -> tuple[NodeDefinition, ...]:
    first, _, last = _chain()
    attempts = (fails(5, "service app did not come up"), succeeds(5))
    return first, NodeDefinition("restart", attempts, node_id=node_id), last


def _pausing(node_id: str | None = None) -> tuple[NodeDefinition, ...]:
    first, work, last = _chain()
    return first, NodeDefinition("confirm", (pauses(1),), "pause", node_id=node_id, step_type="pause"), work, last


def _asking(node_id: str | None = None) -> tuple[NodeDefinition, ...]:
    first, work, last = _chain()
    return first, NodeDefinition("approve", (asks(),), "approval", node_id=node_id, step_type="approve"), work, last


def _long() -> tuple[NodeDefinition, ...]:
    first, _, last = _chain()
    return first, NodeDefinition("restart", (succeeds(3588),)), last


def _workflow(name: str, workflow_id: str, template_id: str, nodes: tuple[NodeDefinition, ...]) -> WorkflowDefinition:
    from_job = {"job_id": JOB} if template_id == TEMPLATE else {}
    return WorkflowDefinition(
        name,
        nodes,
        workflow_id,
        input=_INPUT,
        template_id=template_id,
        approvers=(APPROVER,),
        fields={"description": "ready-made", "tags": {"origin": "ready-made"}, "task_type": "job", **from_job},
    )
