"""PAIFlow in the scenario table."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING, Any

from airflow_provider_mlworkflows.emulator import (
    FaultRule,
    LogLine,
    NodeAttempt,
    NodeDefinition,
    PipelineDefinition,
    phases,
)
from airflow_provider_mlworkflows.emulator.environment import ALIBABA_CONNECTION, connections
from airflow_provider_mlworkflows.operators.paiflow import (
    PaiFlowRerunOperator,
    PaiFlowStartPipelineOperator,
    PaiFlowTerminateOperator,
)
from airflow_provider_mlworkflows.sensors.paiflow import PaiFlowNodeSensor, PaiFlowRunSensor
from tests.scenarios.plan import Ending, PlannedStep, Play
from tests.scenarios.service import COMMON_LACKS, CallKind, Counts, ServiceUnderTest

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.emulator import JournalEntry
    from airflow_provider_mlworkflows.operators.base import RunOperator
    from airflow_provider_mlworkflows.operators.starting import StartOperator
    from airflow_provider_mlworkflows.sensors.base import RunSensor

_CALLS: Mapping[CallKind, str] = {
    "start": "CreatePipelineRun",
    "stop": "TerminatePipelineRun",
    "repair": "RerunPipelineRun",
    "rerun": "RerunPipelineRun",
}
_SHOWN = {"initialized": "init", "readytoschedule": "init", "terminated": "stopped"}
_STOP_SECONDS = 3.0
_numbers = count(1)


class PaiFlowUnderTest(ServiceUnderTest):
    """PAIFlow and its emulation.

    Attributes:
        connection_id: Its default connection.
        reads: Requests that read runs.
        starter, stopper, rerunner, run_watcher, step_watcher: The operators and sensors.
        broken_node: What a node shows that is planned to fail.
    """

    name = "paiflow"
    connection_id = ALIBABA_CONNECTION
    reads = r"(GET|PUT) /api/v1/pipelineruns$|GET /api/v1/pipelineruns/[^/]+(/nodes/[^/]+)?$"
    starter: type[StartOperator] = PaiFlowStartPipelineOperator
    stopper: type[RunOperator] = PaiFlowTerminateOperator
    rerunner: type[RunOperator] = PaiFlowRerunOperator
    run_watcher: type[RunSensor] = PaiFlowRunSensor
    step_watcher: type[RunSensor] = PaiFlowNodeSensor
    abilities = frozenset(
        {"stop", "marker", "branches", "failure logs", "stop action", "rerun action", "stopped repair"}
    )
    lacks = {  # noqa: RUF012
        **COMMON_LACKS,
        "inputs": "nodes take their inputs when the run is created and never wait for any",
        "gates": "no node is ever held by a person",
        "step actions": "the service has no call that acts on a single node",
        "step stop": "the service has no call that acts on a single node",
    }
    profiles = {  # noqa: RUF012
        "usual": {},
        "late": {
            "visibility_delay": 5,
            "list_lag": 20.0,
            "casing": "upper",
            "retry_after": 7,
            "page_cap": 3,
            "default_limit": 2,
            "count_means": "page",
            "stop_seconds": 25.0,
            "root_node_at_once": True,
            "throttled_status": 400,
            "service_codes": "words",
            "batch_replies": "both",
        },
    }
    # Workers read one run, triggers many at once.
    incidental = re.compile(r"(?<=could not be read any more; it may go on\. ).*", re.DOTALL)
    unknown_status = "defragmenting"
    repaired_attempt = 1
    broken_node: str = "Failed"

    def connections(self) -> Mapping[str, Mapping[str, Any]]:
        return {self.connection_id: connections(self.emulator.url)[self.connection_id]}

    def use_unknown_key(self) -> dict[str, Any]:
        return connections(self.emulator.url, access_key="UNKNOWNKEY", secret_key="of-nobody")[self.connection_id]

    def add_workflow(self, steps: Sequence[PlannedStep]) -> str:
        nodes = [_definition(step, broken=self.broken_node) for step in steps]
        definition = PipelineDefinition(f"scenario_{next(_numbers)}", nodes)
        return self.emulator.paiflow.add_pipeline(definition).pipeline_id

    def forget_workflow(self, workflow_id: str) -> None:
        for run_id in self._run_ids(workflow_id):
            self.emulator.paiflow.delete_run(run_id, trace=False)
        self.emulator.paiflow.delete_pipeline(workflow_id)

    def start_operator(self, workflow_id: str, **arguments: Any) -> StartOperator:
        return self.starter(pipeline_id=workflow_id, **arguments)

    def run_sensor(self, workflow_id: str, run_id: str, **arguments: Any) -> RunSensor:
        return self.run_watcher(run_id=run_id, **arguments)

    def step_sensor(self, workflow_id: str, run_id: str, step: str, **arguments: Any) -> RunSensor:
        return self.step_watcher(run_id=run_id, node=step, **arguments)

    def act_operator(self, workflow_id: str, run_id: str, action: str, **arguments: Any) -> RunOperator:
        return {"stop": self.stopper, "rerun": self.rerunner}[action](run_id=run_id, **arguments)

    def runs(self, workflow_id: str) -> list[str]:
        return [run.run_id for run in self.emulator.paiflow.runs_of(workflow_id)]

    def start_elsewhere(self, workflow_id: str) -> str:
        return self.emulator.paiflow.start(workflow_id).run_id

    def stop_elsewhere(self, run_id: str) -> None:
        self.emulator.paiflow.run(run_id).terminate(_STOP_SECONDS)

    def repair_elsewhere(self, run_id: str, step: str) -> None:
        self.emulator.paiflow.run(run_id).rerun()

    def delete(self, run_id: str) -> None:
        self.emulator.paiflow.delete_run(run_id)

    def show_status(self, run_id: str, status: str | None) -> None:
        self.emulator.paiflow.force_status(run_id, status)

    def shown(self, run_id: str) -> str:
        status = self.emulator.paiflow.run(run_id).status.lower()
        return _SHOWN.get(status, status)

    def step_id(self, run_id: str, step: str) -> str:
        return self.emulator.paiflow.run(run_id).node_named(step).node_id

    def fault(self, call: CallKind, **rule: Any) -> FaultRule:
        if call == "read":
            return self.emulator.faults.add(replace(FaultRule(**rule), path=self.reads))
        return self.emulator.faults.add(replace(FaultRule(**rule), operation=_CALLS[call]))

    def order_of(self, workflow_id: str, calls: Sequence[CallKind]) -> list[CallKind]:
        kinds = {_CALLS[call]: call for call in calls}
        return [
            kinds[entry.operation]
            for entry in self._acts_on(workflow_id)
            if entry.effective and entry.operation in kinds
        ]

    def counts(self, workflow_id: str) -> Counts:
        acts = [(entry.operation, entry.effective) for entry in self._acts_on(workflow_id)]
        return Counts(
            starts=acts.count(("CreatePipelineRun", True)),
            stops=acts.count(("TerminatePipelineRun", True)),
            idle_stops=acts.count(("TerminatePipelineRun", False)),
            repairs=acts.count(("RerunPipelineRun", True)),
            continues=acts.count(("StartPipelineRun", True)),
        )

    def _run_ids(self, workflow_id: str) -> list[str]:
        """Ids of all runs, deleted ones too."""
        return [run.run_id for run in self.emulator.paiflow.runs.values() if run.pipeline_id == workflow_id]

    def _acts_on(self, workflow_id: str) -> list[JournalEntry]:
        """Requests that name one of the workflow's runs."""
        runs = set(self._run_ids(workflow_id))
        return [entry for entry in self.emulator.journal.entries if entry.ids.get("pipeline_run_id") in runs]


class PaiFlowSuspendingUnderTest(PaiFlowUnderTest):
    """The same, where the service suspends what cannot go on, and keeps it until somebody acts."""

    name = "paiflow-suspending"
    abilities = PaiFlowUnderTest.abilities | {"held failures"}
    held = 1
    broken_node = "Suspended"


def _definition(step: PlannedStep, *, broken: str) -> NodeDefinition:
    attempts = tuple(_attempt(play, broken) for play in step.plays)
    when = "1 == 2" if step.off_branch else ""
    return NodeDefinition(step.name, (step.after,) if step.after else (), attempts, when=when)


def _attempt(play: Play, broken: str) -> NodeAttempt:
    log = (LogLine(play.seconds, f"{{node}} step {play.seconds:.0f} done"),)
    match play.ending:
        case Ending.COMPLETES if play.seconds == 0:
            return NodeAttempt(phases("Succeeded"))
        case Ending.COMPLETES:
            return NodeAttempt(phases(("Starting", 2), ("Running", play.seconds), "Succeeded"), log)
        case Ending.FAILS:
            return NodeAttempt(phases(("Starting", 2), ("Running", play.seconds), broken), log, play.reason)
        case Ending.ENDLESS:
            return NodeAttempt(phases(("Starting", 2), "Running"))
        case Ending.HELD | Ending.HELD_TWICE:
            raise AssertionError("no node is ever held by a person")
