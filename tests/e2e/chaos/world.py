"""The cloud of a chaos: what runs do, what calls go wrong, and what became of the runs."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from airflow_provider_mlworkflows.emulator import Emulator, Switches
from airflow_provider_mlworkflows.emulator.environment import ALIBABA_CONNECTION, HUAWEI_CONNECTION, connections
from tests.e2e.chaos.plan import READ_FAULTS, START_FAULTS, Deed, Outcome, PlannedRun, ServiceTraits
from tests.e2e.dags.chaos import ALIBABA, HUAWEI
from tests.scenarios.aom import AomUnderTest
from tests.scenarios.modelarts import ModelArtsUnderTest
from tests.scenarios.obs import ObsUnderTest
from tests.scenarios.paiflow import PaiFlowUnderTest
from tests.scenarios.plan import Play, chain, completes, endless, fails

if TYPE_CHECKING:
    from tests.scenarios.service import CallKind, Counts, ServiceUnderTest

SPEED = 50.0
STEP = "train"
HELD_SECONDS = 25.0
"""How long the answer to a start is held back whose worker is to be killed: less than callers wait for it."""
SERVICES: Mapping[str, type[ServiceUnderTest]] = {
    each.name: each for each in (ModelArtsUnderTest, PaiFlowUnderTest, AomUnderTest, ObsUnderTest)
}
NAMED_IN_BODY = frozenset({"paiflow"})
"""Services whose starts name the workflow in the body; the others do so in the path."""

Fate = Literal["goes on", "succeeded", "failed", "stopped"]
_FATES: Mapping[str, Fate] = {
    **dict.fromkeys(("completed", "succeeded", "success"), "succeeded"),
    # An execution of AOM stands at its failed node; none of these workflows has a node that waits for a person.
    **dict.fromkeys(("failed", "fail", "abnormal", "pausing"), "failed"),
    "stopped": "stopped",
}


def traits() -> list[ServiceTraits]:
    """What the plan has to know of the services."""
    return [
        ServiceTraits(name, stops="stop" in kind.abilities, marks="marker" in kind.abilities)
        for name, kind in SERVICES.items()
    ]


class World:
    """An emulator fifty times as fast as a clock, with a workflow of its own for every task."""

    def __init__(self) -> None:
        # Nobody reads a run once its task has been killed, so a delay counted in reads would never end.
        self.emulator = Emulator(clock="real", speed=SPEED, switches=Switches(visibility_delay=0))
        self._services = {name: kind(self.emulator) for name, kind in SERVICES.items()}

    def connections(self) -> list[dict[str, Any]]:
        """Bodies with which Airflow's API creates the connections."""
        known = connections(self.emulator.url)
        bodies = ((HUAWEI, known[HUAWEI_CONNECTION]), (ALIBABA, known[ALIBABA_CONNECTION]))
        return [{"connection_id": conn_id, **body, "extra": json.dumps(body["extra"])} for conn_id, body in bodies]

    def prepare(self, planned: PlannedRun) -> str:
        """Add the workflow of a task, and let calls go wrong as planned; returns its id."""
        workflow = self._services[planned.service].add_workflow(chain((STEP, _plays(planned))))
        if planned.deed is Deed.KILL_STARTING:
            self._strike(planned, "start", workflow, {"action": "delay", "delay": HELD_SECONDS, "when": "after"})
        elif rule := START_FAULTS[planned.start_fault]:
            self._strike(planned, "start", workflow, rule)
        if rule := READ_FAULTS[planned.read_fault]:
            self._strike(planned, "read", workflow, {**rule, "times": planned.reads_struck})
        return workflow

    def _strike(self, planned: PlannedRun, call: CallKind, workflow: str, rule: Mapping[str, Any]) -> None:
        with self.emulator.lock:
            fault = self._services[planned.service].fault(call, **rule)
            if call == "start":
                named = re.escape(workflow)
                self.emulator.faults.remove(fault)
                in_body = planned.service in NAMED_IN_BODY
                self.emulator.faults.add(replace(fault, body=named) if in_body else replace(fault, path=named))

    def begin_elsewhere(self, planned: PlannedRun) -> str:
        """Start a run as planned, by nobody's task; returns its id."""
        service = self._services[planned.service]
        return service.start_elsewhere(self.prepare(planned))

    def runs(self, planned: PlannedRun, workflow: str) -> list[str]:
        """Ids of the runs of a task, oldest first."""
        return self._services[planned.service].runs(workflow)

    def fate(self, planned: PlannedRun, run_id: str) -> Fate:
        """What became of a run."""
        return _FATES.get(self._services[planned.service].shown(run_id), "goes on")

    def is_running(self, planned: PlannedRun, run_id: str) -> bool:
        """Whether the step of a run has begun."""
        return self._services[planned.service].shown(run_id) == "running"

    def counts(self, planned: PlannedRun, workflow: str) -> Counts:
        """What the journal has of a task."""
        return self._services[planned.service].counts(workflow)

    def order(self, planned: PlannedRun, workflow: str) -> list[CallKind]:
        """The starts and stops of a task that took effect, in their order."""
        return self._services[planned.service].order_of(workflow, ("start", "stop"))

    def stops(self, planned: PlannedRun) -> bool:
        """Whether the service has a call that stops runs."""
        return "stop" in self._services[planned.service].abilities

    def end(self, planned: PlannedRun, run_id: str) -> None:
        """Let an endless run end as planned, without anybody's call."""
        if planned.outcome is Outcome.STOPPED:
            self._services[planned.service].stop_elsewhere(run_id)
            return
        match planned.service:
            case "modelarts":
                self.emulator.modelarts.force_status(run_id, "completed", {STEP: "completed"})
            case "paiflow":
                self.emulator.paiflow.force_status(run_id, "Succeeded", {STEP: "Succeeded"})
            case "aom":
                self.emulator.aom.finish_node(run_id)
            case "obs":
                self.emulator.obs.finish_state(run_id)


def _plays(planned: PlannedRun) -> tuple[Play, ...]:
    if planned.is_endless:
        return (endless(),)
    match planned.outcome:
        case Outcome.FAILS:
            return (fails(planned.seconds),)
        case Outcome.RECOVERS:
            return (fails(planned.seconds), completes(planned.seconds))
        case _:
            return (completes(planned.seconds),)
