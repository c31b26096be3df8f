"""AOM automation in the scenario table: workflows that exist, and those that are created for one start."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from airflow_provider_mlworkflows.emulator import FaultRule, phases
from airflow_provider_mlworkflows.emulator.aom import (
    NodeAttempt,
    NodeDefinition,
    TemplateDefinition,
    WorkflowDefinition,
    never_ends,
)
from airflow_provider_mlworkflows.emulator.environment import HUAWEI_CONNECTION, connections
from airflow_provider_mlworkflows.operators.aom import (
    AomNodeOperationOperator,
    AomStartWorkflowOperator,
    AomTerminateOperator,
)
from airflow_provider_mlworkflows.sensors.aom import AomExecutionSensor, AomNodeSensor
from tests.scenarios.plan import Ending, PlannedStep, Play
from tests.scenarios.service import COMMON_LACKS, CallKind, Counts, ServiceUnderTest

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.emulator import Emulator
    from airflow_provider_mlworkflows.operators.base import RunOperator
    from airflow_provider_mlworkflows.operators.starting import StartOperator
    from airflow_provider_mlworkflows.sensors.base import RunSensor

START, STOP, ACT = "ExecuteWorkflow", "StopExecution", "StartPausingWorkflowExecutions"
READS = r"GET .*/cms/workflow/[^/]+/executions(/[^/]+/status)?$"

_CALLS: Mapping[CallKind, str] = {"start": START, "stop": STOP, "repair": ACT}
_ACTIONS = {"retry": "restart", "continue": "continue"}
_SHOWN = {"waitexecute": "init", "executing": "running", "cancel": "stopped"}
_STOP_SECONDS = 3.0
_PREPARATION = 2.0
_COMMON = frozenset({"stop", "gates", "failure logs", "stop action", "step actions", "held failures"})
_numbers = count(1)


class AomUnderTest(ServiceUnderTest):
    """AOM automation and its emulation; workflows exist already, and executions carry no marker."""

    name = "aom"
    abilities = _COMMON | {"no marker"}  # type: ignore[assignment]
    lacks = {  # noqa: RUF012
        **COMMON_LACKS,
        "marker": "executions carry no mark of the task that started them, unless their workflow is the task's own",
        "inputs": "nodes take no inputs while an execution goes on",
        "branches": "nodes follow one another",
        "rerun action": "the restart of the failed node takes its place",
        "step stop": "no action stops a single node",
        "stopped repair": "no action takes up an execution that was stopped",
    }
    profiles: Mapping[str, Mapping[str, Any]] = {  # type: ignore[misc]
        # As documented, where documents are silent as is likely.
        "usual": {},
        # A service that shows everything at once, and ends an execution at a failed node.
        "prompt": {
            "visibility_delay": 0,
            "unknown_field": False,
            "aom_failed_node": "fail",
            "aom_waiting_nodes": True,
            "aom_http_code": "int",
            "aom_action_body": "literal",
            "aom_end_time": "absent",
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
            "aom_http_code": "str",
            "aom_error_key": "error_message",
            "aom_action_body": "string",
            "aom_statuses": "engine",
            "aom_workflow_status": "coarse",
            "aom_restarted_node": "added",
            "aom_results_in_lists": False,
            "aom_update_time": "iso-in-detail",
            "aom_end_time": "zero",
            "aom_output": "text",
            "aom_first_page": 0,
        },
    }
    # Workers read one execution, triggers may read a list.
    incidental = re.compile(r"(?<=could not be read any more; it may go on\. ).*", re.DOTALL)
    unknown_status = "defragmenting"
    retry = "restart"

    def __init__(self, emulator: Emulator) -> None:
        super().__init__(emulator)
        self._workflow_of: dict[str, str] = {}

    @property
    def repaired_attempt(self) -> int:
        return 2 if self.emulator.switches.aom_restarted_node == "added" else 1

    @property
    def held(self) -> int:
        return 1 if self.emulator.switches.aom_failed_node == "pausing" else 0

    def connections(self) -> Mapping[str, Mapping[str, Any]]:
        return {HUAWEI_CONNECTION: connections(self.emulator.url)[HUAWEI_CONNECTION]}

    def use_unknown_key(self) -> dict[str, Any]:
        return connections(self.emulator.url, access_key="UNKNOWNKEY", secret_key="of-nobody")[HUAWEI_CONNECTION]

    def add_workflow(self, steps: Sequence[PlannedStep]) -> str:
        return self._add_workflow(self._add_template(steps))

    def _add_template(self, steps: Sequence[PlannedStep]) -> str:
        template = TemplateDefinition(f"flow-{next(_numbers)}", [_node(step) for step in steps], uuid4().hex)
        self.emulator.aom.add_to_library(template)
        return template.template_id

    def _add_workflow(self, template_id: str) -> str:
        definition = WorkflowDefinition(f"flow-{next(_numbers)}", template_id=template_id)
        return self.emulator.aom.add_workflow(definition).workflow_id

    def _workflows(self, workflow_id: str) -> list[str]:
        """Ids of the workflows that one of the scenario stands for."""
        return [workflow_id]

    def forget_workflow(self, workflow_id: str) -> None:
        for each in self._workflows(workflow_id):
            self.emulator.aom.delete_workflow(each)

    def start_operator(self, workflow_id: str, **arguments: Any) -> StartOperator:
        return AomStartWorkflowOperator(workflow_id=workflow_id, **arguments)

    def run_sensor(self, workflow_id: str, run_id: str, **arguments: Any) -> RunSensor:
        return AomExecutionSensor(**self._ids(run_id), **arguments)

    def step_sensor(self, workflow_id: str, run_id: str, step: str, **arguments: Any) -> RunSensor:
        return AomNodeSensor(**self._ids(run_id), node=step, **arguments)

    def act_operator(self, workflow_id: str, run_id: str, action: str, **arguments: Any) -> RunOperator:
        return {"stop": AomTerminateOperator}[action](**self._ids(run_id), **arguments)

    def step_operator(self, workflow_id: str, run_id: str, step: str, action: str, **arguments: Any) -> RunOperator:
        return AomNodeOperationOperator(**self._ids(run_id), node=step, action=_ACTIONS[action], **arguments)

    def _ids(self, run_id: str) -> dict[str, Any]:
        """How operators name a run that this class has started."""
        return {"workflow_id": self._workflow_of[run_id], "execution_id": run_id}

    def inputs(self, values: Mapping[str, Any]) -> Any:
        return dict(values)

    def runs(self, workflow_id: str) -> list[str]:
        aom = self.emulator.aom
        return [run.execution_id for each in self._workflows(workflow_id) for run in aom.executions_of(each)]

    def start_elsewhere(self, workflow_id: str) -> str:
        execution = self.emulator.aom.start(workflow_id)
        self._workflow_of[execution.execution_id] = execution.workflow_id
        return execution.execution_id

    def stop_elsewhere(self, run_id: str) -> None:
        self.emulator.aom.execution(run_id).terminate(_STOP_SECONDS)

    def continue_elsewhere(self, run_id: str, step: str, values: Mapping[str, Any]) -> None:
        self.emulator.aom.execution(run_id).operate("continue", self.step_id(run_id, step))

    def repair_elsewhere(self, run_id: str, step: str) -> None:
        self.emulator.aom.execution(run_id).operate("restart", self.step_id(run_id, step))

    def delete(self, run_id: str) -> None:
        self.emulator.aom.delete_execution(run_id)

    def show_status(self, run_id: str, status: str | None) -> None:
        self.emulator.aom.force_status(run_id, status)

    def shown(self, run_id: str) -> str:
        status = self.emulator.aom.execution(run_id).status.lower()
        return _SHOWN.get(status, status)

    def step_id(self, run_id: str, step: str) -> str:
        return self.emulator.aom.execution(run_id).node(step).node_id

    def fault(self, call: CallKind, **rule: Any) -> FaultRule:
        if call == "read":
            return self.emulator.faults.add(replace(FaultRule(**rule), path=READS))
        return self.emulator.faults.add(replace(FaultRule(**rule), operation=_CALLS[call]))

    def order_of(self, workflow_id: str, calls: Sequence[CallKind]) -> list[CallKind]:
        kinds = {_CALLS[call]: call for call in calls}
        ours = set(self._workflows(workflow_id))
        entries = self.emulator.journal.find(effective=True)
        return [
            kinds[entry.operation]
            for entry in entries
            if entry.operation in kinds and entry.ids.get("workflow_id") in ours
        ]

    def counts(self, workflow_id: str) -> Counts:
        ours = self._workflows(workflow_id)

        def times(operation: str, action: str | None = None, *, effective: bool = True) -> int:
            journal = self.emulator.journal
            return sum(journal.count(operation, action=action, effective=effective, workflow_id=each) for each in ours)

        return Counts(
            starts=times(START),
            stops=times(STOP),
            idle_stops=times(STOP, effective=False),
            repairs=times(ACT, "restart"),
            continues=times(ACT, "continue"),
        )


class AomTemplateUnderTest(AomUnderTest):
    """The same, where each start creates its workflow from a template; the template stands for the workflow."""

    name = "aom-template"
    abilities = _COMMON | {"marker"}
    lacks = AomUnderTest.lacks | {"no marker": "the name of the workflow is the mark of the task"}
    profiles: Mapping[str, Mapping[str, Any]] = {  # type: ignore[misc]
        name: AomUnderTest.profiles[name] for name in ("usual", "late")
    }

    def add_workflow(self, steps: Sequence[PlannedStep]) -> str:
        return self._add_template(steps)

    def _workflows(self, workflow_id: str) -> list[str]:
        known = self.emulator.aom.workflows.values()
        return [each.workflow_id for each in known if each.body["template_id"] == workflow_id]

    def start_operator(self, workflow_id: str, **arguments: Any) -> StartOperator:
        return AomStartWorkflowOperator(template_id=workflow_id, workflow_name="scenario", **arguments)

    def start_elsewhere(self, workflow_id: str) -> str:
        return super().start_elsewhere(self._add_workflow(workflow_id))


def _node(step: PlannedStep) -> NodeDefinition:
    waits = any(play.ending in (Ending.HELD, Ending.HELD_TWICE) for play in step.plays)
    attempts = tuple(_attempt(step.name, play) for play in step.plays)
    return NodeDefinition(step.name, attempts, category="pause" if waits else "service")


def _attempt(name: str, play: Play) -> NodeAttempt:
    work = ("executing", play.seconds)
    match play.ending:
        case Ending.COMPLETES if play.seconds == 0:
            return NodeAttempt(phases("success"))
        case Ending.COMPLETES:
            return NodeAttempt(phases(("executing", _PREPARATION + play.seconds), "success"))
        case Ending.FAILS:
            told = {"error": play.reason, "log": f"{name} step {play.seconds:.0f} done"}
            return NodeAttempt(phases(("executing", _PREPARATION + play.seconds), "fail"), told)
        case Ending.HELD:
            return NodeAttempt(phases(work, "pausing", work, "success"))
        case Ending.HELD_TWICE:
            return NodeAttempt(phases(work, "pausing", work, "pausing", ("executing", 1), "success"))
        case Ending.ENDLESS:
            return never_ends()
