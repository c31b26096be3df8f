"""A made-up service, Loom: all that one more API needs, from its routes in the emulator to its sensor."""

from __future__ import annotations

from typing import Any

from airflow_provider_mlworkflows.clouds.operation import Request, Steps, operation
from airflow_provider_mlworkflows.emulator.environment import HUAWEI_CONNECTION
from airflow_provider_mlworkflows.emulator.huawei.access import Access
from airflow_provider_mlworkflows.emulator.modelarts.lookup import Lookup
from airflow_provider_mlworkflows.emulator.modelarts.service import ModelArtsService
from airflow_provider_mlworkflows.emulator.paiflow.machine import IllegalAction, PipelineRun
from airflow_provider_mlworkflows.emulator.routing import Answer, Call, Operation, Refusal
from airflow_provider_mlworkflows.hooks import base, huawei
from airflow_provider_mlworkflows.operators.starting import StartOperator
from airflow_provider_mlworkflows.runs import Run, RunRef, RunState, Step
from airflow_provider_mlworkflows.sensors.base import RunSensor
from airflow_provider_mlworkflows.services import Service
from airflow_provider_mlworkflows.triggers.run import RunTrigger
from tests.scenarios.paiflow import PaiFlowUnderTest

LOOM = Service("Loom", (), f"{__name__}:LoomHook", f"{__name__}:LoomTrigger")
STATES = {"terminating": "stopping", "terminated": "stopped", "succeeded": "succeeded", "failed": "failed"}
STATES |= {"skipped": "skipped"} | dict.fromkeys(("initialized", "readytoschedule", "starting", "running"), "active")


class LoomHook(base.RunHook):
    conn_type, default_conn_name = huawei.CONN_TYPE, huawei.DEFAULT_CONN_NAME

    def client_for(self, fields: base.ConnectionFields) -> Any:
        return huawei.huawei_client(fields, "loom", "Loom", region=None, project_id=None, **self.client_options)

    @operation
    def ask(self, method: str, path: str, /, **options: Any) -> Steps[list[Run]]:
        request = Request(path, method, f"/loom/{{project_id}}/{path}", list[dict[str, Any]], **options)
        return [run_of(**run) for run in (yield from request)]

    @operation
    def get_run(self, ref: RunRef) -> Steps[Run]:
        return (yield from self.ask.steps("GET", f"runs/{ref.run_id}", safe_to_repeat=True))[0]

    @operation
    def stop_run(self, ref: RunRef, *, force: bool = False) -> Steps[bool]:
        state = (yield from self.get_run.steps(ref)).state
        to_stop = force or not (state.is_terminal or state is RunState.STOPPING)
        return to_stop and bool((yield from self.ask.steps("POST", f"runs/{ref.run_id}/stop")))


def run_of(run_id: str, status: str, steps: list[list[Any]]) -> Run:
    states = {literal: RunState(STATES.get(literal.lower(), "unknown")) for literal in (status, *(s[1] for s in steps))}
    seen = tuple(Step(name, name, states[s], s, duration=took, error=why) for name, s, took, why in steps)
    return Run(RunRef("", run_id), states[status], status, seen, url=f"http://loom/{run_id}")


class LoomTrigger(RunTrigger):
    service = LOOM


class LoomStartOperator(StartOperator):
    service, started_workflow = LOOM, ""
    hook: LoomHook

    def __init__(self, *, pipeline_id: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.started_workflow = pipeline_id

    def start_run(self, marker: str) -> Run:
        return self.hook.ask("POST", "runs", body={"workflow": self.started_workflow, "marker": marker})[0]

    def find_started(self, record: Any) -> Run | None:
        return next(iter(self.hook.ask("GET", "runs", query=(("marker", record.token),), safe_to_repeat=True)), None)

    def repair_run(self, run: Run) -> None:
        self.hook.ask("POST", f"runs/{run.ref.run_id}/retry")


class LoomSensor(RunSensor):
    service, watched_step, ref = LOOM, None, RunRef("", "")

    def __init__(self, *, run_id: str, node: str | None = None, skip_on_missing: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.ref, self.watched_step, self.skip_on_missing = RunRef("", run_id), node, skip_on_missing


class LoomService(ModelArtsService):
    name = "loom"

    def __init__(self, cloud: Any) -> None:
        access = Access(cloud.credentials, cloud.switches, cloud.clock.now)
        super().__init__(access, Lookup(cloud.modelarts, cloud.clock, cloud.switches))
        self.store = cloud.paiflow

    def operations(self) -> list[Operation]:
        runs, run = "/loom/{project_id}/runs", "/loom/{project_id}/runs/{pipeline_run_id}"
        return [
            Operation("CreatePipelineRun", "POST", runs, self.start),
            Operation("FindRuns", "GET", runs, self.find),
            Operation("ShowRun", "GET", run, self.show),
            Operation("TerminatePipelineRun", "POST", f"{run}/stop", lambda call: self.act(call, "terminate", 3.0)),
            Operation("RerunPipelineRun", "POST", f"{run}/retry", lambda call: self.act(call, "rerun")),
        ]

    def start(self, call: Call) -> Answer:
        started = self.store.start(call.json()["workflow"], {"SourceId": call.json()["marker"]})
        call.ids["pipeline_run_id"], call.effective = started.run_id, True
        return self.show(call)

    def find(self, call: Call) -> Answer:
        found = [run for run in self.store.runs.values() if run.fields.get("SourceId") == call.param("marker")]
        return Answer(200, [shown(run) for run in found])

    def show(self, call: Call) -> Answer:
        run = self.store.runs.get(call.ids["pipeline_run_id"])
        if run is None or run.is_deleted:
            raise Refusal(self.failure(call, 404, "Loom.404"))
        return Answer(200, [shown(run)])

    def act(self, call: Call, action: str, *arguments: Any) -> Answer:
        self.show(call)
        try:
            getattr(self.store.run(call.ids["pipeline_run_id"]), action)(*arguments)
        except IllegalAction as refused:
            raise Refusal(self.failure(call, 400, str(refused))) from None
        call.effective = True
        return self.show(call)


def shown(run: PipelineRun) -> dict[str, Any]:
    def took(node: Any) -> float | None:
        return (node.finished_at - node.started_at).total_seconds() if node.finished_at and node.started_at else None

    steps = [(node.name, node.status, took(node), node.message) for node in run.root.children]
    return {"run_id": run.run_id, "status": run.status, "steps": steps}


class LoomUnderTest(PaiFlowUnderTest):
    name, profiles, connection_id, reads = "loom", {"usual": {}}, HUAWEI_CONNECTION, "GET /loom/.*"
    starter, run_watcher, step_watcher = LoomStartOperator, LoomSensor, LoomSensor
    abilities = frozenset({"stop", "marker", "branches", "stopped repair"})
    lacks = PaiFlowUnderTest.lacks | dict.fromkeys(("failure logs", "stop action", "rerun action"), "it has none")
