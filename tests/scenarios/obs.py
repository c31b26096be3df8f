"""OBS data workflow in the scenario table, with starts that leave a marker and starts that do not."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from airflow_provider_mlworkflows.emulator import FaultRule, phases
from airflow_provider_mlworkflows.emulator.environment import HUAWEI_CONNECTION, connections
from airflow_provider_mlworkflows.emulator.obs import GraphDefinition, StateAttempt, StateDefinition, never_ends
from airflow_provider_mlworkflows.operators.obs import ObsRestoreExecutionOperator, ObsStartWorkflowOperator
from airflow_provider_mlworkflows.sensors.obs import ObsExecutionSensor, ObsStateSensor
from tests.scenarios.plan import Ending, PlannedStep, Play
from tests.scenarios.service import CallKind, Counts, ServiceUnderTest

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.operators.base import RunOperator
    from airflow_provider_mlworkflows.operators.starting import StartOperator
    from airflow_provider_mlworkflows.sensors.base import RunSensor

START, RESTORE = "asyncAPIStartWorkflow", "restoreFailedWorkflowExecution"
READS = r"GET /v2/workflowexecutions(/.*)?$"
BUCKET, OBJECT = "scenario-data", "in/file.csv"
MARK = {"parameter_name": "started-by", "type": "String", "default": ""}

_SHOWN = {"success": "completed"}
_PREPARATION = 2.0


class ObsUnderTest(ServiceUnderTest):
    """OBS data workflow and its emulation; executions carry no marker."""

    name = "obs"
    marker: str | None = None
    abilities = frozenset({"no stop", "no marker", "rerun action"})
    lacks = {  # noqa: RUF012
        "stop": "no call stops an execution",
        "stop action": "no call stops an execution",
        "marker": "executions carry no mark of the task that started them, unless the workflow has a parameter for it",
        "inputs": "states take their inputs when the execution is started and never wait for any",
        "gates": "no state is ever held by a person",
        "branches": "states follow one another",
        "failure logs": "it keeps no logs",
        "step actions": "no call acts on a single state",
        "step stop": "no call acts on a single state",
        "held failures": "a failed execution is over",
    }
    profiles: Mapping[str, Mapping[str, Any]] = {  # type: ignore[misc]
        "usual": {"obs_state_details": True},
        "late": {
            "visibility_delay": 5,
            "list_lag": 20.0,
            "casing": "upper",
            "retry_after": 7,
            "obs_page_cap": 3,
            "obs_input": "event",
            "obs_errors": "xml",
            "obs_state_details": True,
        },
    }
    # Workers read one execution, triggers may read a list; each answer comes from another host.
    incidental = re.compile(r"(?<=could not be read any more; it may go on\. ).*|host id \S+?(?=[;\]])", re.DOTALL)
    unknown_status = "defragmenting"
    repaired_attempt = 1

    def connections(self) -> Mapping[str, Mapping[str, Any]]:
        return {HUAWEI_CONNECTION: connections(self.emulator.url)[HUAWEI_CONNECTION]}

    def use_unknown_key(self) -> dict[str, Any]:
        return connections(self.emulator.url, access_key="UNKNOWNKEY", secret_key="of-nobody")[HUAWEI_CONNECTION]

    def add_workflow(self, steps: Sequence[PlannedStep]) -> str:
        states = [StateDefinition(step.name, attempts=tuple(map(_attempt, step.plays))) for step in steps]
        definition = GraphDefinition(str(uuid4()), states, (MARK,))
        return self.emulator.obs.add_workflow(definition).name

    def forget_workflow(self, workflow_id: str) -> None:
        self.emulator.obs.delete_workflow(workflow_id)

    def start_operator(self, workflow_id: str, **arguments: Any) -> StartOperator:
        return ObsStartWorkflowOperator(
            graph_name=workflow_id, bucket=BUCKET, object_key=OBJECT, marker_input=self.marker, **arguments
        )

    def run_sensor(self, workflow_id: str, run_id: str, **arguments: Any) -> RunSensor:
        return ObsExecutionSensor(graph_name=workflow_id, execution_name=run_id, **arguments)

    def step_sensor(self, workflow_id: str, run_id: str, step: str, **arguments: Any) -> RunSensor:
        return ObsStateSensor(graph_name=workflow_id, execution_name=run_id, state=step, **arguments)

    def act_operator(self, workflow_id: str, run_id: str, action: str, **arguments: Any) -> RunOperator:
        return {"rerun": ObsRestoreExecutionOperator}[action](
            graph_name=workflow_id, execution_name=run_id, **arguments
        )

    def runs(self, workflow_id: str) -> list[str]:
        # Lists are in the order of names; the clock of the scenario tells which came first.
        executions = self.emulator.obs.executions_of(workflow_id)
        return [each.execution_name for each in sorted(executions, key=lambda each: each.started_at)]

    def start_elsewhere(self, workflow_id: str) -> str:
        return self.emulator.obs.start(workflow_id, BUCKET, OBJECT).execution_name

    def stop_elsewhere(self, run_id: str) -> None:
        raise AssertionError("no call stops an execution")

    def repair_elsewhere(self, run_id: str, step: str) -> None:
        self.emulator.obs.execution(run_id).restore()

    def delete(self, run_id: str) -> None:
        self.emulator.obs.delete_execution(run_id)

    def show_status(self, run_id: str, status: str | None) -> None:
        self.emulator.obs.force_state(run_id, status)

    def shown(self, run_id: str) -> str:
        state = self.emulator.obs.execution(run_id).state.lower()
        return _SHOWN.get(state, state)

    def step_id(self, run_id: str, step: str) -> str:
        return step

    def fault(self, call: CallKind, **rule: Any) -> FaultRule:
        if call == "read":
            return self.emulator.faults.add(replace(FaultRule(**rule), path=READS))
        operation = START if call == "start" else RESTORE
        return self.emulator.faults.add(replace(FaultRule(**rule), operation=operation))

    def order_of(self, workflow_id: str, calls: Sequence[CallKind]) -> list[CallKind]:
        kinds: dict[str, CallKind] = {START: "start", RESTORE: "repair"}
        entries = self.emulator.journal.find(effective=True, graph_name=workflow_id)
        found = [kinds[entry.operation] for entry in entries if entry.operation in kinds]
        return [kind for kind in found if kind in calls]

    def counts(self, workflow_id: str) -> Counts:
        journal = self.emulator.journal
        return Counts(
            starts=journal.count(START, effective=True, graph_name=workflow_id),
            repairs=journal.count(RESTORE, effective=True, graph_name=workflow_id),
        )


class ObsMarkedUnderTest(ObsUnderTest):
    """The same, where the workflow has a parameter for the marker."""

    name = "obs-marked"
    marker = "started-by"
    abilities = frozenset({"no stop", "marker", "rerun action"})
    lacks = ObsUnderTest.lacks | {"no marker": "a parameter of the workflow takes a mark of the task"}
    profiles: Mapping[str, Mapping[str, Any]] = ObsUnderTest.profiles  # type: ignore[misc]


def _attempt(play: Play) -> StateAttempt:
    match play.ending:
        case Ending.COMPLETES if play.seconds == 0:
            return StateAttempt(phases("SUCCESS"))
        case Ending.COMPLETES:
            return StateAttempt(phases(("RUNNING", _PREPARATION + play.seconds), "SUCCESS"))
        case Ending.FAILS:
            phased = phases(("RUNNING", _PREPARATION + play.seconds), "FAILED")
            return StateAttempt(phased, "States.ActionFailed", play.reason)
        case Ending.ENDLESS:
            return never_ends()
        case Ending.HELD | Ending.HELD_TWICE:
            raise AssertionError("no state is ever held by a person")
