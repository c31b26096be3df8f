"""ModelArts in the scenario table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow_provider_mlworkflows.emulator import (
    Attempt,
    FaultRule,
    StepDefinition,
    WorkflowDefinition,
    holds,
    never_ends,
    phases,
    succeeds,
)
from airflow_provider_mlworkflows.emulator import fails as fails_after
from airflow_provider_mlworkflows.emulator.environment import HUAWEI_CONNECTION, connections
from airflow_provider_mlworkflows.operators.modelarts import (
    ModelArtsExecutionActionOperator,
    ModelArtsStartWorkflowOperator,
    ModelArtsStepActionOperator,
)
from airflow_provider_mlworkflows.sensors.modelarts import ModelArtsExecutionSensor, ModelArtsStepSensor
from tests.scenarios.plan import Ending, PlannedStep, Play
from tests.scenarios.service import COMMON_LACKS, CallKind, Counts, ServiceUnderTest

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.operators.base import RunOperator
    from airflow_provider_mlworkflows.operators.starting import StartOperator
    from airflow_provider_mlworkflows.sensors.base import RunSensor

_EXECUTIONS = r"/workflows/[^/]+/executions"
_CALLS: Mapping[CallKind, tuple[str, str]] = {
    "start": ("CreateWorkflowExecution", ""),
    "read": ("*", rf"GET .*{_EXECUTIONS}(/[^/]+)?$"),
    "stop": ("CreateWorkflowExecutionsActions", ""),
    "repair": ("CreateWorkflowStepExecutionsActions", ""),
    "rerun": ("CreateWorkflowExecutionsActions", ""),
}
_STOP_SECONDS = 3.0
_PROFILES: Mapping[str, Mapping[str, Any]] = {
    # As documented, where documents are silent as is likely.
    "usual": {},
    # A service that shows everything at once.
    "prompt": {
        "visibility_delay": 0,
        "steps_in_lists": True,
        "status_on_create": True,
        "job_instance_id": "object",
        "unknown_field": False,
        "wrong_state": (409, "ModelArts.0104"),
    },
    # A service that is late with everything and shouts.
    "late": {
        "visibility_delay": 5,
        "list_lag": 20.0,
        "casing": "upper",
        "retry_after": 7,
        "page_cap": 3,
        "default_limit": 2,
        "count_means": "page",
        "stop_seconds": 25.0,
    },
}


class ModelArtsUnderTest(ServiceUnderTest):
    """ModelArts and its emulation."""

    name = "modelarts"
    abilities = frozenset(
        {
            *("stop", "marker", "inputs", "gates", "branches", "failure logs"),
            *("stop action", "rerun action", "step actions", "step stop", "stopped repair"),
        }
    )
    lacks = COMMON_LACKS
    profiles = _PROFILES
    unknown_status = "defragmenting"

    def connections(self) -> Mapping[str, Mapping[str, Any]]:
        return connections(self.emulator.url)

    def use_unknown_key(self) -> dict[str, Any]:
        return connections(self.emulator.url, access_key="UNKNOWNKEY", secret_key="of-nobody")[HUAWEI_CONNECTION]

    def add_workflow(self, steps: Sequence[PlannedStep]) -> str:
        definitions = [_definition(step) for step in steps]
        if off_branch := [step.name for step in steps if step.off_branch]:
            never = {"type": "==", "left": 1, "right": 2}
            fields = {"conditions": [never], "if_then_steps": off_branch, "else_then_steps": []}
            definitions.insert(0, StepDefinition("choose", "condition", fields=fields))
        late = [
            {"name": step.needs, "type": "int", "delay": True, "used_steps": [step.name]}
            for step in steps
            if step.needs
        ]
        return self.emulator.modelarts.add_workflow(WorkflowDefinition("scenario", definitions, late)).workflow_id

    def forget_workflow(self, workflow_id: str) -> None:
        self.emulator.modelarts.delete_workflow(workflow_id)

    def start_operator(self, workflow_id: str, **arguments: Any) -> StartOperator:
        return ModelArtsStartWorkflowOperator(workflow_id=workflow_id, **arguments)

    def run_sensor(self, workflow_id: str, run_id: str, **arguments: Any) -> RunSensor:
        return ModelArtsExecutionSensor(workflow_id=workflow_id, execution_id=run_id, **arguments)

    def step_sensor(self, workflow_id: str, run_id: str, step: str, **arguments: Any) -> RunSensor:
        return ModelArtsStepSensor(workflow_id=workflow_id, execution_id=run_id, step_name=step, **arguments)

    def act_operator(self, workflow_id: str, run_id: str, action: str, **arguments: Any) -> RunOperator:
        return ModelArtsExecutionActionOperator(
            workflow_id=workflow_id, execution_id=run_id, action=action, **arguments
        )

    def step_operator(self, workflow_id: str, run_id: str, step: str, action: str, **arguments: Any) -> RunOperator:
        return ModelArtsStepActionOperator(
            workflow_id=workflow_id, execution_id=run_id, step=step, action=action, **arguments
        )

    def inputs(self, values: Mapping[str, Any]) -> Any:
        return {"parameters": dict(values)}

    def runs(self, workflow_id: str) -> list[str]:
        return list(self.emulator.modelarts.workflow(workflow_id).executions)

    def start_elsewhere(self, workflow_id: str) -> str:
        return self.emulator.modelarts.start(workflow_id).execution_id

    def stop_elsewhere(self, run_id: str) -> None:
        self.emulator.modelarts.execution(run_id).stop(_STOP_SECONDS)

    def continue_elsewhere(self, run_id: str, step: str, values: Mapping[str, Any]) -> None:
        execution = self.emulator.modelarts.execution(run_id)
        for parameter in execution.values["parameters"]:
            if parameter["name"] in values:
                parameter["value"] = values[parameter["name"]]
        execution.continue_step(execution.step_named(step))

    def repair_elsewhere(self, run_id: str, step: str) -> None:
        execution = self.emulator.modelarts.execution(run_id)
        execution.retry_step(execution.step_named(step))

    def delete(self, run_id: str) -> None:
        self.emulator.modelarts.delete_execution(run_id)

    def show_status(self, run_id: str, status: str | None) -> None:
        self.emulator.modelarts.force_status(run_id, status)

    def shown(self, run_id: str) -> str:
        return self.emulator.modelarts.executions[run_id].status

    def step_id(self, run_id: str, step: str) -> str:
        return self.emulator.modelarts.execution(run_id).step_named(step).uuid

    def fault(self, call: CallKind, **rule: Any) -> FaultRule:
        operation, path = _CALLS[call]
        return self.emulator.faults.add(replace(FaultRule(**rule), operation=operation, path=path or None))

    def order_of(self, workflow_id: str, calls: Sequence[CallKind]) -> list[CallKind]:
        kinds = {_CALLS[call][0]: call for call in calls}
        entries = self.emulator.journal.find(effective=True, workflow_id=workflow_id)
        return [kinds[entry.operation] for entry in entries if entry.operation in kinds]

    def counts(self, workflow_id: str) -> Counts:
        def count(operation: str, action: str | None = None, *, effective: bool = True) -> int:
            return self.emulator.journal.count(operation, action=action, effective=effective, workflow_id=workflow_id)

        act, act_on_step = "CreateWorkflowExecutionsActions", "CreateWorkflowStepExecutionsActions"
        return Counts(
            starts=count("CreateWorkflowExecution"),
            stops=count(act, "stop"),
            idle_stops=count(act, "stop", effective=False),
            repairs=count(act, "rerun") + count(act_on_step, "retry"),
            continues=count(act_on_step, "continue"),
        )


def _definition(step: PlannedStep) -> StepDefinition:
    before = "choose" if step.off_branch else step.after
    attempts = tuple(_attempt(play) for play in step.plays)
    return StepDefinition(step.name, "job", (before,) if before else (), attempts)


def _attempt(play: Play) -> Attempt:
    match play.ending:
        case Ending.COMPLETES if play.seconds == 0:
            return Attempt(phases("completed"))
        case Ending.COMPLETES:
            return succeeds(play.seconds)
        case Ending.FAILS:
            return fails_after(play.seconds, "ModelArts.2999", play.reason)
        case Ending.HELD:
            return holds(seconds_before=play.seconds, seconds_after=play.seconds)
        case Ending.HELD_TWICE:
            return Attempt(
                phases(
                    ("running", play.seconds), "hold", ("running", play.seconds), "hold", ("running", 1), "completed"
                )
            )
        case Ending.ENDLESS:
            return never_ends()
