"""Loom's emulation: its own API over the emulator's engine, and Loom in the scenario table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_mlworkflows.emulator import Emulator, FaultRule
from airflow_provider_mlworkflows.emulator.control import control_application
from airflow_provider_mlworkflows.emulator.gateway import Gateway
from airflow_provider_mlworkflows.emulator.routing import Answer, Call, Operation, Refusal
from tests.fifth_service.loom import LoomSensor, LoomStartOperator
from tests.scenarios.paiflow import PaiFlowUnderTest

if TYPE_CHECKING:
    import asyncio

    from tests.scenarios.service import CallKind


class LoomService:
    name = "loom"

    def __init__(self, emulator: Emulator) -> None:
        self._store = emulator.paiflow

    def operations(self) -> Sequence[Operation]:
        return [
            Operation("CreatePipelineRun", "POST", "/loom", self.start),
            Operation("Find", "GET", "/loom", self.find),
            Operation("Show", "GET", "/loom/{pipeline_run_id}", self.show),
            Operation("TerminatePipelineRun", "POST", "/loom/{pipeline_run_id}/stop", self.stop),
            Operation("RerunPipelineRun", "POST", "/loom/{pipeline_run_id}/retry", self.retry),
        ]

    def authenticate(self, call: Call, operation: Operation) -> None:
        if call.header("x-loom-key") != "loom-key":
            raise Refusal(Answer(401, "no such key"))

    def failure(self, call: Call, status: int, code: str | None) -> Answer:
        return Answer(status, code or "failed")

    def throttled(self, call: Call, limit: object) -> Answer:
        return Answer(429, "slow down")

    def back_off(self, seconds: float) -> dict[str, str]:
        return {"retry-after": str(round(seconds))}

    def start(self, call: Call) -> Answer:
        asked = call.json()
        call.ids["pipeline_run_id"] = self._store.start(asked["workflow"], {"SourceId": asked["marker"]}).run_id
        return self._act(call, lambda: None)

    def find(self, call: Call) -> Answer:
        runs = [run for run in self._store.runs.values() if run.fields.get("SourceId") == call.param("marker")]
        return Answer(200, [self._view(run.run_id) for run in runs])

    def show(self, call: Call) -> Answer:
        try:
            return Answer(200, self._view(call.ids["pipeline_run_id"]))
        except KeyError:
            raise Refusal(Answer(404, "no such run")) from None

    def stop(self, call: Call) -> Answer:
        return self._act(call, lambda: self._store.run(call.ids["pipeline_run_id"]).terminate(3.0))

    def retry(self, call: Call) -> Answer:
        return self._act(call, self._store.run(call.ids["pipeline_run_id"]).rerun)

    def _act(self, call: Call, act: Any) -> Answer:
        act()
        call.effective = True
        return self.show(call)

    def _view(self, run_id: str) -> dict[str, Any]:
        run = self._store.run(run_id)
        if run.is_deleted:
            raise KeyError(run_id)
        steps = [(node.name, node.status, node.message) for node in run.root.children]
        return {"id": run_id, "status": run.status, "steps": steps}


class LoomEmulator(Emulator):
    def _application(self, closing: asyncio.Event) -> Gateway:
        return Gateway(
            (LoomService(self),),
            control_application(self, {}),
            clock=self.clock,
            journal=self.journal,
            faults=self.faults,
            limits=self.limits,
            lock=self.lock,
            closing=closing,
        )


class LoomUnderTest(PaiFlowUnderTest):
    name = "loom"

    def connections(self) -> Mapping[str, Mapping[str, Any]]:
        extra = {"endpoint": self.emulator.url}
        return {"loom_default": {"conn_type": "loom", "password": "loom-key", "extra": extra}}

    def start_operator(self, workflow_id: str, **arguments: Any) -> LoomStartOperator:
        return LoomStartOperator(workflow=workflow_id, **arguments)

    def run_sensor(self, workflow_id: str, run_id: str, **arguments: Any) -> LoomSensor:
        return LoomSensor(run_id=run_id, **arguments)

    def fault(self, call: CallKind, **rule: Any) -> FaultRule:
        if call != "read":
            return super().fault(call, **rule)
        return self.emulator.faults.add(FaultRule(path="GET /loom", **rule))
