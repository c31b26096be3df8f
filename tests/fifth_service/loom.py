"""A made-up service, Loom: all that one more API needs, from its routes in the emulator to its sensor."""

from __future__ import annotations

from typing import Any

from airflow_provider_mlworkflows.clouds.operation import Request, Steps, operation
from airflow_provider_mlworkflows.emulator.huawei.access import Access
from airflow_provider_mlworkflows.emulator.modelarts import lookup, service
from airflow_provider_mlworkflows.emulator.paiflow.machine import IllegalAction, PipelineRun
from airflow_provider_mlworkflows.emulator.routing import Answer, Call, Operation, Refusal
from airflow_provider_mlworkflows.hooks import base, huawei
from airflow_provider_mlworkflows.operators import acting, starting
from airflow_provider_mlworkflows.runs import Run, RunRef, RunState, Step
from airflow_provider_mlworkflows.sensors.base import RunSensor
from airflow_provider_mlworkflows.services import Service
from airflow_provider_mlworkflows.triggers.run import RunTrigger
from tests.scenarios.paiflow import PaiFlowUnderTest

LOOM = Service("Loom", (), f"{__name__}:LoomHook", f"{__name__}:LoomTrigger")
STATES = dict.fromkeys(("initialized", "readytoschedule", "starting", "running"), "active")
STATES |= {"terminating": "stopping", "terminated": "stopped"} | {s: s for s in ("succeeded", "failed", "skipped")}


class LoomHook(base.RunHook):
    conn_type, default_conn_name = huawei.CONN_TYPE, huawei.DEFAULT_CONN_NAME

    def client_for(self, fields: base.ConnectionFields) -> Any:
        return huawei.huawei_client(fields, "loom", "Loom", region=None, project_id=None, **self.client_options)

    @operation
    def ask(self, method: str, path: str, /, **options: Any) -> Steps[list[Run]]:
        answer = yield from Request(path, method, f"/loom/{{project_id}}/{path}", list[dict[str, Any]], **options)
        return [run_of(**run) for run in answer]

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


class LoomStartOperator(starting.StartOperator):
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


class LoomRerunOperator(acting.RerunOperator):
    service, ref, rerun = LOOM, RunRef("", ""), LoomStartOperator.repair_run

    def __init__(self, *, run_id: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.ref = RunRef("", run_id)


class LoomStopOperator(acting.StopOperator):
    service, ref = LOOM, RunRef("", "")

    def __init__(self, *, run_id: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.ref = RunRef("", run_id)


class LoomSensor(RunSensor):
    service, watched_step, ref = LOOM, None, RunRef("", "")

    def __init__(self, *, run_id: str, node: str | None = None, skip_on_missing: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.ref, self.watched_step, self.skip_on_missing = RunRef("", run_id), node, skip_on_missing


class LoomService(service.ModelArtsService):
    name = "loom"

    def __init__(self, cloud: Any) -> None:
        access = Access(cloud.credentials, cloud.switches, cloud.clock.now)
        super().__init__(access, lookup.Lookup(cloud.modelarts, cloud.clock, cloud.switches))
        self.store = cloud.paiflow

    def operations(self) -> list[Operation]:
        runs, run = "/loom/{project_id}/runs", "/loom/{project_id}/runs/{pipeline_run_id}"
        return [
            Operation("CreatePipelineRun", "POST", runs, self.start),
            Operation("FindRuns", "GET", runs, self.find),
            Operation("ShowRun", "GET", run, self.show),
            Operation("TerminatePipelineRun", "POST", f"{run}/stop", lambda call: self.show(call, "terminate", 3.0)),
            Operation("RerunPipelineRun", "POST", f"{run}/retry", lambda call: self.show(call, "rerun")),
        ]

    def start(self, call: Call) -> Answer:
        started = self.store.start(call.json()["workflow"], {"SourceId": call.json()["marker"]})
        call.ids["pipeline_run_id"], call.effective = started.run_id, True
        return self.show(call)

    def find(self, call: Call) -> Answer:
        runs, marker = filter(self.store.is_listed, self.store.runs.values()), call.param("marker")
        return Answer(200, [shown(run) for run in runs if run.fields.get("SourceId") == marker])

    def show(self, call: Call, action: str = "", *arguments: Any) -> Answer:
        run = self.store.runs.get(call.ids["pipeline_run_id"])
        if run is None or run.is_deleted:
            raise Refusal(self.failure(call, 404, "Loom.404"))
        if action:
            try:
                call.effective = getattr(run, action)(*arguments) is None
            except IllegalAction as refused:
                raise Refusal(self.failure(call, 400, str(refused))) from None
        return Answer(200, [shown(run)])


def shown(run: PipelineRun) -> dict[str, Any]:
    nodes: list[Any] = run.root.children
    took = {n.name: (n.finished_at - n.started_at).total_seconds() for n in nodes if n.started_at and n.finished_at}
    steps = [(n.name, n.status, took.get(n.name), n.message) for n in nodes]
    return {"run_id": run.run_id, "status": run.status, "steps": steps}


class LoomUnderTest(PaiFlowUnderTest):
    name, profiles, reads = "loom", {"usual": {}, "late": {"list_lag": 20.0}}, "GET /loom/.*"
    starter, stopper, rerunner = LoomStartOperator, LoomStopOperator, LoomRerunOperator
    run_watcher, step_watcher, connection_id = LoomSensor, LoomSensor, huawei.DEFAULT_CONN_NAME
    abilities = PaiFlowUnderTest.abilities - {"failure logs"}
    lacks = PaiFlowUnderTest.lacks | {"failure logs": "it keeps no logs"}
