"""A made-up service, Loom: all that the provider needs to know of one more API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from airflow_provider_mlworkflows.clouds.client import Client, Exchange
from airflow_provider_mlworkflows.clouds.operation import Request, Steps, operation
from airflow_provider_mlworkflows.clouds.replies import Refusal
from airflow_provider_mlworkflows.clouds.replies import Service as Remote
from airflow_provider_mlworkflows.exceptions import BadRequestError, InvalidInputError, NotFoundError, ServerError
from airflow_provider_mlworkflows.hooks.base import ConnectionFields, RunHook
from airflow_provider_mlworkflows.operators.starting import StartOperator
from airflow_provider_mlworkflows.runs import Run, RunRef, RunState, Step
from airflow_provider_mlworkflows.sensors.base import RunSensor
from airflow_provider_mlworkflows.services import Service
from airflow_provider_mlworkflows.triggers.run import RunTrigger

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.clouds.http import WireReply, WireRequest

LOOM = Service("Loom", ("loom_conn_id",), f"{__name__}:LoomHook", f"{__name__}:LoomTrigger")
STATES = {
    "terminating": RunState.STOPPING,
    "succeeded": RunState.SUCCEEDED,
    "failed": RunState.FAILED,
    "terminated": RunState.STOPPED,
    "skipped": RunState.SKIPPED,
    **dict.fromkeys(("initialized", "readytoschedule", "starting", "running"), RunState.ACTIVE),
}


@dataclass(frozen=True, slots=True)
class Key:
    """An account that is its own identity: one header."""

    key: str = field(repr=False)
    path_params: Mapping[str, str] = field(default_factory=dict)

    def sign(self, request: WireRequest, now: float) -> WireRequest:
        return replace(request, headers={**request.headers, "x-loom-key": self.key})

    def redact(self, text: str) -> str:
        return text.replace(self.key, "***")

    def identity(self) -> Exchange[Key]:
        yield from ()
        return self

    def renewed(self, refused: object) -> Exchange[Key | None]:
        yield from ()
        return None


def refusal(reply: WireReply) -> Refusal | None:
    if reply.status < 300:
        return None
    kinds = {404: NotFoundError} if reply.status < 500 else {reply.status: ServerError}
    return Refusal(kinds.get(reply.status, BadRequestError), text=reply.content.decode())


class LoomHook(RunHook):
    conn_name_attr, default_conn_name, conn_type, hook_name = "loom_conn_id", "loom_default", "loom", "Loom"

    def __init__(self, loom_conn_id: str = "loom_default", **options: Any) -> None:
        super().__init__(loom_conn_id, **options)

    def client_for(self, fields: ConnectionFields) -> Client:
        where = Remote("Loom", fields.extra["endpoint"], refusal)
        return Client(where, Key(fields.password or ""), patience=self.patience, clock=self.clock)

    @operation
    def get_run(self, ref: RunRef) -> Steps[Run]:
        shown = yield from Request("Show", "GET", f"/loom/{ref.run_id}", dict[str, Any], safe_to_repeat=True)
        return _run(ref, shown)

    @operation
    def start_run(self, workflow: str, marker: str) -> Steps[Run]:
        body = {"workflow": workflow, "marker": marker}
        shown = yield from Request("Start", "POST", "/loom", dict[str, Any], body=body)
        return _run(RunRef(workflow, shown["id"]), shown)

    @operation
    def find_run(self, workflow: str, marker: str) -> Steps[Run | None]:
        query = (("marker", marker),)
        found = yield from Request("Find", "GET", "/loom", list[dict[str, Any]], query=query, safe_to_repeat=True)
        return next((_run(RunRef(workflow, shown["id"]), shown) for shown in found), None)

    @operation
    def stop_run(self, ref: RunRef, *, force: bool = False) -> Steps[bool]:
        run = yield from self.get_run.steps(ref)
        if (run.state.is_terminal and not force) or run.state is RunState.STOPPING:
            return False
        yield from Request("Stop", "POST", f"/loom/{ref.run_id}/stop", dict[str, Any], body={})
        return True

    @operation
    def retry_run(self, ref: RunRef) -> Steps[None]:
        yield from Request("Retry", "POST", f"/loom/{ref.run_id}/retry", dict[str, Any], body={})

    @operation
    def continue_step(self, run: Run, step: Step, inputs: Mapping[str, Any]) -> Steps[None]:
        yield from ()
        raise InvalidInputError("Loom's steps wait for nobody.")


def _run(ref: RunRef, shown: Mapping[str, Any]) -> Run:
    steps = tuple(Step(name, name, _state(status), status, error=why) for name, status, why in shown["steps"])
    return Run(ref, _state(shown["status"]), shown["status"], steps, url=f"http://loom/{ref.run_id}")


def _state(status: str) -> RunState:
    return STATES.get(status.lower(), RunState.UNKNOWN)


class LoomTrigger(RunTrigger):
    service = LOOM

    def __init__(self, *, loom_conn_id: str = "loom_default", **watch: Any) -> None:
        super().__init__(**watch)
        self.loom_conn_id = loom_conn_id


class LoomStartOperator(StartOperator):
    service = LOOM
    template_fields: Sequence[str] = ("workflow",)
    hook: LoomHook

    def __init__(self, *, workflow: str, loom_conn_id: str = "loom_default", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.workflow, self.loom_conn_id = workflow, loom_conn_id

    @property
    def started_workflow(self) -> str:
        return self.workflow

    def prepare_start(self) -> None:
        """Loom declares nothing that could be checked."""

    def start_run(self, marker: str) -> Run:
        return self.hook.start_run(self.workflow, marker)

    def find_started(self, marker: str, workflow_id: str) -> Run | None:
        return self.hook.find_run(self.workflow, marker)

    def repair_run(self, run: Run) -> None:
        self.hook.retry_run(run.ref)


class LoomSensor(RunSensor):
    service = LOOM

    def __init__(
        self, *, run_id: str, step: str | None = None, loom_conn_id: str = "loom_default", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.run_id, self.step, self.loom_conn_id = run_id, step, loom_conn_id

    def run_ref(self) -> RunRef:
        return RunRef("", self.run_id)

    @property
    def watched_step(self) -> str | None:
        return self.step
