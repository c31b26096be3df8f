"""How workflows, executions and the library look in replies."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_mlworkflows.emulator.aom.library import made_id, node_id
from airflow_provider_mlworkflows.emulator.aom.noderun import APPROVAL_FAILED, CANCEL, EXECUTING, FAIL, SUCCESS, TIMEOUT
from airflow_provider_mlworkflows.emulator.credentials import USER_NAME
from airflow_provider_mlworkflows.emulator.modelarts.views import cased

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_provider_mlworkflows.emulator.aom.definitions import (
        JobDefinition,
        NodeDefinition,
        ScriptDefinition,
        TemplateDefinition,
    )
    from airflow_provider_mlworkflows.emulator.aom.library import Stored
    from airflow_provider_mlworkflows.emulator.aom.machine import Execution, ExecutionState
    from airflow_provider_mlworkflows.emulator.aom.noderun import NodeState
    from airflow_provider_mlworkflows.emulator.aom.store import Workflow
    from airflow_provider_mlworkflows.emulator.switches import Switches

ENTERPRISE_PROJECT = "0"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_RUNNING = "running"
_COARSE = {SUCCESS: SUCCESS, **dict.fromkeys((FAIL, TIMEOUT, CANCEL, APPROVAL_FAILED), FAIL)}


def milliseconds(time: datetime) -> int:
    """Return a time as the service writes it."""
    return (time - _EPOCH) // timedelta(milliseconds=1)


def execution_view(execution: Execution, state: ExecutionState, switches: Switches, *, brief: bool) -> dict[str, Any]:
    """Return an execution as a list (``brief``) or the read of a single one shows it."""
    as_text = switches.aom_update_time == "iso" or (switches.aom_update_time == "iso-in-detail" and not brief)
    updated = state.updated_at
    view = {
        "workflow_id": execution.workflow_id,
        "execution_id": execution.execution_id,
        "status": status_view(state, switches),
        "begin_time": milliseconds(execution.created_at),
        **_end_time(state.ended_at, switches),
        "last_update_time": f"{updated.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" if as_text else milliseconds(updated),
        "execution_result_list": _results(state, switches) if switches.aom_results_in_lists or not brief else None,
        "approve_user_name_list": list(execution.approvers),
        "project_id": execution.project_id,
        "workflow_edit_time": milliseconds(execution.edited_at),
        "last_record_id_with_snapshot": execution.record_id,
    }
    return {**view, "created_by": execution.created_by} if brief else view


def result_view(node: NodeState, switches: Switches) -> dict[str, Any]:
    """Return the result of a node."""
    status = switches.aom_skipped_node if node.skipped else node.status
    return {
        "node_id": node.node_id,
        "begin_time": None if node.begun_at is None else milliseconds(node.begun_at),
        **_end_time(node.ended_at, switches),
        "function_execution_id": node.function_execution_id,
        "output": _output(node.output, switches),
        "status": _literal(status, switches),
    }


def status_view(state: ExecutionState, switches: Switches) -> str:
    """Return an execution's status as replies show it."""
    nodes = [node for node in state.nodes if node.begun_at is not None]
    timed_out = state.status == FAIL and bool(nodes) and nodes[-1].status == TIMEOUT
    return _literal(TIMEOUT if timed_out and switches.aom_statuses == "engine" else state.status, switches)


def workflow_status(state: ExecutionState, switches: Switches) -> str:
    """Return the literal by which a workflow tells how its latest execution is."""
    return state.status if switches.aom_workflow_status == "execution" else _COARSE.get(state.status, EXECUTING)


def workflow_view(
    workflow: Workflow, latest: tuple[Execution, ExecutionState] | None, switches: Switches
) -> dict[str, Any]:
    """Return a workflow with what its latest execution says."""
    body = copy.deepcopy(workflow.body)
    last, state = latest or (None, None)
    timed = workflow.trigger_on is not None
    return {
        "id": workflow.workflow_id,
        "name": body["name"],
        "type": body["type"],
        "description": body.get("description") or "",
        "tags": body.get("tags") or {},
        "create_time": milliseconds(workflow.created_at),
        "create_by": workflow.created_by,
        "update_time": milliseconds(workflow.updated_at),
        "update_by": workflow.created_by,
        "edit_time": milliseconds(workflow.updated_at),
        "last_execute_by": last.created_by if last else None,
        **{name: body.get(name) for name in ("template_name", "template_id", "job_name", "job_id")},
        "input": body["input"],
        "last_execution_id": last.execution_id if last else None,
        "last_execution_start_time": milliseconds(last.created_at) if last else None,
        "last_execution_end_time": milliseconds(state.ended_at) if state and state.ended_at else None,
        "status": _literal(workflow_status(state, switches), switches) if state else None,
        "task_status": None,
        "trigger_id": made_id("trigger", workflow.workflow_id) if timed else None,
        "trigger_status": ("enable" if workflow.trigger_on else "disable") if timed else None,
        "approve_id": made_id("approve", workflow.workflow_id) if workflow.approvers else None,
        "citation_urns": [],
        "quote": body.get("quote") or [],
        "execution_action_rules": [],
        "execution_permission": [],
        **{name: body.get(name) for name in ("service_scenario", "service_name", "task_type")},
        "enterprise_project_id": ENTERPRISE_PROJECT,
        "output": None,
        "project_id": workflow.project_id,
        "workflow_id": workflow.function_workflow_id,
        "nodes": _nodes(workflow.nodes),
        "steps": _steps(workflow.nodes),
        "global_parameters": [],
        "is_delete": False,
        "template_i18n": {"en-us": {}, "zh-cn": {}},
    }


def template_view(stored: Stored[TemplateDefinition]) -> dict[str, Any]:
    """Return a template."""
    template = stored.definition
    nodes = [(node_id(template.template_id, each), each) for each in template.nodes]
    return {
        "id": template.template_id,
        "name": template.name,
        **_written(stored.created_at),
        "version": "1.0.0",
        "job_id": template.job_id,
        "job_version": 1 if template.job_id else None,
        "share_type": template.share_type,
        "is_collect": False,
        "is_publish": template.share_type == "public",
        "need_synchronize": False,
        "project_id": template.project_id,
        "quote": [],
        "nodes": _nodes(nodes),
        "steps": _steps(nodes),
        **_run_rules(needs_approval=template.needs_approval),
        "parameters": copy.deepcopy(list(template.parameters)),
    }


def job_view(stored: Stored[JobDefinition]) -> dict[str, Any]:
    """Return a job."""
    job = stored.definition
    return {
        "id": job.job_id,
        "name": job.name,
        **_written(stored.created_at),
        "description": job.description,
        "project_id": job.project_id,
        "steps": _steps([(node_id(job.job_id, each), each) for each in job.nodes]),
        "parameters": copy.deepcopy(list(job.parameters)),
        **_run_rules(needs_approval=False),
        "is_latest_version": True,
        "version_number": 1,
    }


def script_view(stored: Stored[ScriptDefinition]) -> dict[str, Any]:
    """Return a script."""
    script = stored.definition
    return {
        "id": script.script_id,
        "name": script.name,
        **_written(stored.created_at),
        "description": script.description,
        "project_id": script.project_id,
        "script_language": script.language,
        "online_exist_status": bool(script.versions),
        "online_id": made_id(script.script_id, list(script.versions)[-1]) if script.versions else None,
        **_run_rules(needs_approval=False),
    }


def version_views(stored: Stored[ScriptDefinition]) -> list[dict[str, Any]]:
    """Return the versions of a script, oldest first."""
    script = stored.definition
    last = list(script.versions)[-1:]
    return [
        {
            "version_id": made_id(script.script_id, number),
            "version_number": number,
            "script_id": script.script_id,
            "name": script.name,
            "content": content,
            **_written(stored.created_at),
            "project_id": script.project_id,
            "script_language": script.language,
            "status_desc": 1 if number in last else 2,
            "job_reference_number": 0,
            "job_reference_name": [],
        }
        for number, content in script.versions.items()
    ]


def _literal(status: str, switches: Switches) -> str:
    engine = switches.aom_statuses == "engine" and status == EXECUTING
    return cased(_RUNNING if engine else status, switches)


def _results(state: ExecutionState, switches: Switches) -> list[dict[str, Any]]:
    return [
        result_view(node, switches)
        for node in state.nodes
        if (node.begun_at is not None or switches.aom_waiting_nodes)
        and (not node.superseded or switches.aom_restarted_node == "added")
    ]


def _end_time(time: datetime | None, switches: Switches) -> dict[str, int | None]:
    mode = switches.aom_end_time
    if mode == "never":
        return {}
    if time is not None:
        return {"end_time": milliseconds(time)}
    return {} if mode == "absent" else {"end_time": 0 if mode == "zero" else None}


def _output(output: Any, switches: Switches) -> Any:  # any JSON value
    if output is None or switches.aom_output == "null":
        return None
    return json.dumps(output, ensure_ascii=False) if switches.aom_output == "text" else copy.deepcopy(output)


def _nodes(nodes: Iterable[tuple[str, NodeDefinition]]) -> list[dict[str, Any]]:
    views: list[dict[str, Any]] = []
    parent = ""
    for key, node in nodes:
        configuration = {
            "func_urn": f"urn:fss:emulator:function:default:{node.name}:latest",
            "func_app": "default",
            "dataInputPath": "$",
            "dataOutputPath": "$",
        }
        views.append(
            {
                "id": key,
                "name": node.name,
                "parent_node": parent,
                "category": node.category,
                "description": node.description,
                "ignore_error": node.ignore_error,
                "metadata": {"type": node.step_type, "configuration": configuration},
                "task_name": node.name,
            }
        )
        parent = key
    return views


def _steps(nodes: Iterable[tuple[str, NodeDefinition]]) -> list[dict[str, Any]]:
    return [
        {
            "id": made_id("step", key),
            "name": node.name,
            "type": node.step_type,
            "input": dict(node.step_input),
            "ignore_error": node.ignore_error,
            "description": node.description,
        }
        for key, node in nodes
    ]


def _written(at: datetime) -> dict[str, Any]:
    time = milliseconds(at)
    return {
        "create_by": USER_NAME,
        "create_time": time,
        "update_by": USER_NAME,
        "update_time": time,
        "enterprise_project_id": ENTERPRISE_PROJECT,
    }


def _run_rules(*, needs_approval: bool) -> dict[str, Any]:
    return {
        "approve_info": {"topic_selected": "", "need_approve": needs_approval, "smn_urn_list": ""},
        "rate_control": {"have_rate_control": False, "time_delay": 0, "max": 0},
    }
