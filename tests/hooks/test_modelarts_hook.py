"""The hook against the emulator over real sockets, in its blocking and its async form."""

from __future__ import annotations

import asyncio
import inspect
import json
import pydoc
import socket
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from airflow_provider_mlworkflows.clouds import http
from airflow_provider_mlworkflows.clouds.http import close_clients
from airflow_provider_mlworkflows.clouds.huawei.modelarts_models import ExecutionGlances
from airflow_provider_mlworkflows.emulator import FaultRule, StepDefinition, WorkflowDefinition, fails, never_ends
from airflow_provider_mlworkflows.emulator.environment import HUAWEI_CONNECTION
from airflow_provider_mlworkflows.emulator.modelarts.ready import FAILS_AT_STEP_3, PLAIN_CHAIN
from airflow_provider_mlworkflows.exceptions import (
    BadRequestError,
    ConfigurationError,
    InvalidInputError,
    MLWorkflowsError,
    NotFoundError,
    ServerError,
)
from airflow_provider_mlworkflows.hooks.modelarts import ModelArtsHook
from airflow_provider_mlworkflows.runs import Run, RunRef, RunState
from tests.hooks.both_forms import Ask, in_a_loop
from tests.support import ACT, READ, START, Bench, assert_no_secret

NOBODY = "5a1f7c02-3d64-4b8e-9f10-6c2e8d4b7aff"
LONG = "long-run"


@pytest.fixture
def connect(modelarts: Bench, monkeypatch: pytest.MonkeyPatch) -> Callable[..., ModelArtsHook]:
    """Makes a hook whose connection has other fields than the emulator's own."""

    def make(*, options: dict[str, Any] | None = None, **changes: Any) -> ModelArtsHook:
        connection = modelarts.connection
        for name, value in changes.items():
            holder = connection if name in ("login", "password") else connection["extra"]
            holder[name] = value
        monkeypatch.setenv(f"AIRFLOW_CONN_{HUAWEI_CONNECTION.upper()}", json.dumps(connection))
        return ModelArtsHook(HUAWEI_CONNECTION, clock=modelarts.clock, **(options or {}))

    return make


@pytest.fixture
def hook(connect: Callable[..., ModelArtsHook]) -> ModelArtsHook:
    return connect()


@pytest.fixture
def long(modelarts: Bench) -> str:
    """Id of a workflow whose runs do not end by themselves."""
    definition = WorkflowDefinition(LONG, [StepDefinition("train", attempts=(never_ends(),))])
    return modelarts.emulator.modelarts.add_workflow(definition).workflow_id


def started(modelarts: Bench, workflow: str, **body: Any) -> RunRef:
    """Start an execution behind the service's back, so that the journal stays empty."""
    execution = modelarts.emulator.modelarts.start(workflow, body)
    return RunRef(workflow, execution.execution_id)


class TestLife:
    def test_start(self, modelarts: Bench, hook: ModelArtsHook, ask: Ask) -> None:
        run: Run = ask(hook.start_execution, PLAIN_CHAIN, labels=["mine"], parameters={"epochs": 4}, name="nightly")
        assert (run.ref.workflow_id, run.state, run.name) == (PLAIN_CHAIN, RunState.ACTIVE, "nightly")
        assert run.ref.run_id in run.url
        assert run.started_at is not None
        assert abs(run.started_at - modelarts.emulator.clock.now()) < timedelta(seconds=1)
        (entry,) = modelarts.emulator.journal.find(START)
        assert entry.body["labels"] == ["mine"]
        assert entry.body["parameters"] == [{"name": "epochs", "type": "int", "value": 4}]

    def test_read(self, modelarts: Bench, hook: ModelArtsHook, ask: Ask) -> None:
        ref = started(modelarts, PLAIN_CHAIN)
        modelarts.clock.advance(100)
        run: Run = ask(hook.get_run, ref)
        assert (run.ref, run.state) == (ref, RunState.SUCCEEDED)
        assert [step.name for step in run.steps] == ["prepare", "train", "evaluate", "register"]

    def test_both_forms_read_the_same(self, modelarts: Bench, hook: ModelArtsHook) -> None:
        ref = started(modelarts, FAILS_AT_STEP_3)
        for _ in range(6):
            modelarts.clock.advance(7)
            assert hook.get_run(ref) == in_a_loop(lambda: hook.get_run.aio(ref))
        assert hook.get_run(ref).state is RunState.FAILED

    def test_of_several_runs_one_error_concerns_one_run(self, modelarts: Bench, hook: ModelArtsHook, ask: Ask) -> None:
        good, other = started(modelarts, PLAIN_CHAIN), started(modelarts, FAILS_AT_STEP_3)
        bad = RunRef(PLAIN_CHAIN, NOBODY)
        runs: dict[RunRef, Any] = {}
        for batch in hook.batches([good, bad, other]):
            runs |= ask(hook.get_runs, batch)
        assert set(runs) == {good, bad, other}
        assert (runs[good].ref, runs[other].ref) == (good, other)
        assert isinstance(runs[bad], NotFoundError)

    def test_where_listing_is_not_allowed_each_is_read_by_itself(
        self, modelarts: Bench, hook: ModelArtsHook, ask: Ask
    ) -> None:
        refs = [started(modelarts, PLAIN_CHAIN) for _ in range(4)]
        modelarts.emulator.credentials.users["airflow"].denied.add("modelarts:workflow:list")
        assert hook.batches(refs) == [refs]
        for _ in range(2):
            runs = ask(hook.get_runs, refs)
            assert [runs[ref].ref for ref in refs] == refs
        lists = [e for e in modelarts.emulator.journal.entries if e.operation == "ListWorkflowExecutions"]
        assert len(lists) == 1
        assert hook.batches(refs) == [[ref] for ref in refs]

    def test_pages_that_show_nothing_new_come_to_an_end(self, hook: ModelArtsHook) -> None:
        refs = [RunRef(PLAIN_CHAIN, f"{number}") for number in range(4)]
        page = ExecutionGlances(items=[{"execution_id": ref.run_id, "status": "running"} for ref in refs[:3]])
        steps = hook.get_runs.steps(refs)
        asked = [next(steps).operation]
        while asked[-1] == "ListWorkflowExecutions":
            asked.append(steps.send(page).operation)
        assert asked == ["ListWorkflowExecutions"] * 2 + ["ShowWorkflowsTodolist"]

    def test_batches_hold_every_ref_once(self, hook: ModelArtsHook) -> None:
        refs = [RunRef(PLAIN_CHAIN, f"{number}") for number in range(450)] + [RunRef(FAILS_AT_STEP_3, "one")]
        held = [ref for batch in hook.batches(refs) for ref in batch]
        assert sorted(held, key=str) == sorted(refs, key=str)
        assert hook.batches([]) == []

    def test_checked_inputs(self, hook: ModelArtsHook, ask: Ask) -> None:
        data = {"training_data": "obs://bucket/data/"}
        parameters, requirements = ask(hook.checked_inputs, PLAIN_CHAIN, {"epochs": "4"}, data)
        assert parameters == [{"name": "epochs", "type": "int", "value": 4}]
        assert requirements == [{"name": "training_data", "type": "obs", "value": {"obs_url": "/bucket/data/"}}]

    def test_inputs_of_a_workflow_that_declares_none(self, modelarts: Bench, hook: ModelArtsHook, ask: Ask) -> None:
        definition = WorkflowDefinition("takes-nothing", [StepDefinition("train")])
        workflow = modelarts.emulator.modelarts.add_workflow(definition).workflow_id
        assert ask(hook.checked_inputs, workflow, {}, {}) == ([], [])
        with pytest.raises(InvalidInputError, match="declares no parameter 'epochs'"):
            ask(hook.checked_inputs, workflow, {"epochs": 4}, {})
        with pytest.raises(InvalidInputError, match="declares no data requirement 'training_data'"):
            ask(hook.checked_inputs, workflow, {}, {"training_data": "obs://bucket/data/"})
        assert modelarts.starts == 0

    def test_inputs_that_do_not_fit(self, modelarts: Bench, hook: ModelArtsHook, ask: Ask) -> None:
        with pytest.raises(InvalidInputError, match="Did you mean 'epochs'"):
            ask(hook.checked_inputs, PLAIN_CHAIN, {"epoch": 4}, {})
        with pytest.raises(InvalidInputError, match="'epochs' is 'four'"):
            ask(hook.checked_inputs, PLAIN_CHAIN, {"epochs": "four"}, {})
        assert modelarts.starts == 0

    def test_find_by_label(self, modelarts: Bench, hook: ModelArtsHook, ask: Ask) -> None:
        started(modelarts, PLAIN_CHAIN, labels=["mark"])
        modelarts.clock.advance(5)
        newest = started(modelarts, PLAIN_CHAIN, labels=["other", "mark"])
        modelarts.clock.advance(5)
        started(modelarts, PLAIN_CHAIN, labels=["marker"])
        assert ask(hook.find_execution, PLAIN_CHAIN, "mark").ref == newest
        assert ask(hook.find_execution, PLAIN_CHAIN, "none") is None
        assert ask(hook.find_execution, FAILS_AT_STEP_3, "mark") is None


class TestStop:
    def test_a_running_one(self, modelarts: Bench, hook: ModelArtsHook, long: str, ask: Ask) -> None:
        ref = started(modelarts, long)
        modelarts.clock.advance(10)
        assert ask(hook.stop_run, ref) is True
        assert modelarts.stops == 1
        modelarts.clock.advance(10)
        assert hook.get_run(ref).state is RunState.STOPPED

    def test_one_that_is_over_is_left_alone(self, modelarts: Bench, hook: ModelArtsHook, ask: Ask) -> None:
        ref = started(modelarts, PLAIN_CHAIN)
        modelarts.clock.advance(100)
        assert ask(hook.stop_run, ref) is False
        assert modelarts.stops == 0

    def test_twice_sends_one_request(self, modelarts: Bench, hook: ModelArtsHook, long: str, ask: Ask) -> None:
        ref = started(modelarts, long)
        modelarts.clock.advance(10)
        assert ask(hook.stop_run, ref) is True
        modelarts.clock.advance(10)
        assert ask(hook.stop_run, ref) is False
        assert modelarts.stops == 1

    def test_one_that_ends_in_between(
        self, modelarts: Bench, hook: ModelArtsHook, ask: Ask, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ref = started(modelarts, PLAIN_CHAIN)
        modelarts.clock.advance(2)
        end_before_each(modelarts, monkeypatch, "CreateWorkflowExecutionsActions")
        assert ask(hook.stop_run, ref) is False
        (refused,) = modelarts.emulator.journal.find(ACT, action="stop")
        assert (refused.status, refused.effective) == (400, False)

    def test_a_refusal_for_another_reason_is_told(self, modelarts: Bench, hook: ModelArtsHook, ask: Ask) -> None:
        ref = started(modelarts, PLAIN_CHAIN)
        modelarts.clock.advance(2)
        modelarts.emulator.faults.add(FaultRule(operation=ACT, action="status", status=400, code="ModelArts.0104"))
        with pytest.raises(BadRequestError, match=r"ModelArts\.0104"):
            ask(hook.stop_run, ref)

    def test_one_that_never_was(self, modelarts: Bench, hook: ModelArtsHook, ask: Ask) -> None:
        with pytest.raises(NotFoundError):
            ask(hook.stop_run, RunRef(PLAIN_CHAIN, NOBODY))
        assert modelarts.stops == 0


def end_before_each(modelarts: Bench, monkeypatch: pytest.MonkeyPatch, operation: str) -> None:
    """Let so much time pass before an operation that every run is over by then."""
    send, asend = ModelArtsHook.send, ModelArtsHook.asend

    def late(request: Any) -> None:
        if request.operation == operation:
            modelarts.clock.advance(200)

    def late_send(hook: ModelArtsHook, request: Any) -> Any:
        late(request)
        return send(hook, request)

    async def late_asend(hook: ModelArtsHook, request: Any) -> Any:
        late(request)
        return await asend(hook, request)

    monkeypatch.setattr(ModelArtsHook, "send", late_send)
    monkeypatch.setattr(ModelArtsHook, "asend", late_asend)


class TestRepair:
    def test_a_failed_step_is_retried(self, modelarts: Bench, hook: ModelArtsHook, ask: Ask) -> None:
        ref = started(modelarts, FAILS_AT_STEP_3)
        modelarts.clock.advance(60)
        failed = hook.get_run(ref)
        assert [step.name for step in failed.failed_steps] == ["evaluate"]
        ask(hook.repair_execution, failed)
        (retry,) = modelarts.emulator.journal.find("CreateWorkflowStepExecutionsActions", effective=True)
        assert (retry.action, retry.ids["step_execution_id"]) == ("retry", failed.failed_steps[0].id)
        modelarts.clock.advance(100)
        repaired = hook.get_run(ref)
        assert repaired.state is RunState.SUCCEEDED
        assert (evaluated := repaired.step("evaluate")) is not None
        assert evaluated.attempt == 2

    def test_every_failed_step_is(self, modelarts: Bench, hook: ModelArtsHook, ask: Ask) -> None:
        steps = [StepDefinition(name, attempts=(fails(3),)) for name in ("left", "right")]
        workflow = modelarts.emulator.modelarts.add_workflow(WorkflowDefinition("two", steps)).workflow_id
        ref = started(modelarts, workflow)
        modelarts.clock.advance(30)
        ask(hook.repair_execution, hook.get_run(ref))
        assert modelarts.emulator.journal.count("CreateWorkflowStepExecutionsActions", effective=True) == 2

    def test_a_stopped_run_goes_on_where_it_was_stopped(
        self, modelarts: Bench, hook: ModelArtsHook, long: str, ask: Ask
    ) -> None:
        ref = started(modelarts, long)
        modelarts.clock.advance(10)
        hook.stop_run(ref)
        modelarts.clock.advance(10)
        ask(hook.repair_execution, hook.get_run(ref))
        assert hook.get_run(ref).state is RunState.ACTIVE

    def test_without_a_step_to_blame_all_is_run_again(self, modelarts: Bench, hook: ModelArtsHook, ask: Ask) -> None:
        ref = started(modelarts, PLAIN_CHAIN)
        modelarts.clock.advance(100)
        modelarts.emulator.modelarts.force_status(ref.run_id, "abnormal")
        ask(hook.repair_execution, hook.get_run(ref))
        assert modelarts.emulator.journal.count(ACT, action="rerun", effective=True) == 1

    def test_changed_inputs_go_along(self, modelarts: Bench, hook: ModelArtsHook, ask: Ask) -> None:
        ref = started(modelarts, FAILS_AT_STEP_3)
        modelarts.clock.advance(60)
        ask(hook.repair_execution, hook.get_run(ref), parameters={"epochs": 9})
        (retry,) = modelarts.emulator.journal.find("CreateWorkflowStepExecutionsActions", effective=True)
        assert retry.body["parameters"] == [{"name": "epochs", "type": "int", "value": 9}]


Connect = Callable[..., ModelArtsHook]


class TestTestConnection:
    def test_success_names_the_place(self, modelarts: Bench, connect: Connect) -> None:
        good, text = connect().test_connection()
        assert good, text
        key, project = modelarts.connection["login"], modelarts.connection["extra"]["project_id"]
        there = f"at {modelarts.emulator.url} in region cn-north-4, project {project};"
        assert text.startswith(f"ModelArts answers access key {key[:4]}… {there}")
        assert len(modelarts.requests) == 1
        good, text = connect(region=None).test_connection()
        assert good, text
        assert f"{modelarts.emulator.url} in project {project};" in text

    def test_success_names_a_project_that_was_looked_up(self, modelarts: Bench, connect: Connect) -> None:
        good, text = connect(project_id=None).test_connection()
        assert good, text
        assert f"project {modelarts.connection['extra']['project_id']};" in text
        assert len(modelarts.requests) == 2

    def test_of_a_short_key_nothing_is_told(self, modelarts: Bench, connect: Connect) -> None:
        key = modelarts.emulator.credentials.add_access_key("SHORT000001")
        good, text = connect(login=key.ak, password=key.sk).test_connection()
        assert good, text
        assert "answers access key … at" in text

    def test_success_with_a_token(self, modelarts: Bench, connect: Connect) -> None:
        token = modelarts.emulator.credentials.token.text
        good, text = connect(login=None, password=None, auth_type="token", iam_token=token).test_connection()
        assert good, text
        assert "answers an IAM token at" in text
        assert_no_secret(text, [token[:16]])
        assert modelarts.emulator.journal.entries[-1].principal == "airflow"

    def test_success_with_a_temporary_key(self, modelarts: Bench, connect: Connect) -> None:
        key = modelarts.emulator.credentials.temporary
        good, text = connect(login=key.ak, password=key.sk, security_token=key.security_token).test_connection()
        assert good, text
        assert f"answers temporary access key {key.ak[:4]}… at" in text
        assert_no_secret(text, [key.ak, key.sk])

    @pytest.mark.parametrize(
        ("changes", "words"),
        [
            ({"login": "NOSUCHACCESSKEY00001"}, ["401", "APIGW.0301", "access key does not exist"]),
            ({"password": "wrongSecretKeyOfNobody"}, ["401", "secret key does not fit"]),
            ({"project_id": "f" * 32}, ["403", "project_id"]),
            ({"project_id": None, "region": "cn-south-1"}, ["'cn-south-1'", "project", "mistyped", "project_id"]),
            ({"region": None, "endpoint": None}, ["region"]),
            ({"security_token": "tokenThatBelongsToNoKey"}, ["401", "security"]),
            ({"unknown_field": "x"}, ["'unknown_field'", "project_id"]),
            ({"verify": "/no/such/file.pem"}, ["/no/such/file.pem", "verify"]),
        ],
    )
    def test_a_wrong_field_is_named(
        self, modelarts: Bench, connect: Connect, changes: dict[str, Any], words: list[str]
    ) -> None:
        good, text = connect(**changes).test_connection()
        assert not good
        assert [word for word in words if word not in text] == []
        secrets = [modelarts.connection["password"], modelarts.connection["login"]]
        assert_no_secret(
            text, [*secrets, *(str(changes[n]) for n in ("login", "password", "security_token") if n in changes)]
        )

    def test_wrong_keys_are_tried_once_for_the_service_blocks_them(self, modelarts: Bench, connect: Connect) -> None:
        connect(password="wrongSecretKeyOfNobody").test_connection()
        assert len(modelarts.requests) == 1

    def test_a_failing_service_is_asked_once_and_not_for_long(
        self, modelarts: Bench, connect: Connect, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        modelarts.emulator.faults.add(FaultRule(operation="ListWorkflows", action="status", status=503, times=None))
        timeouts: list[float] = []
        original = http.Connectivity.transmit

        def transmit(connectivity: http.Connectivity, request: http.WireRequest) -> http.WireReply:
            timeouts.append(connectivity.timeout)
            return original(connectivity, request)

        monkeypatch.setattr(http.Connectivity, "transmit", transmit)
        good, _ = connect(timeout=300).test_connection()
        assert not good
        assert timeouts == [10.0]

    def test_an_expired_token(self, modelarts: Bench, connect: Connect) -> None:
        token = modelarts.emulator.credentials.add_token(lifetime=timedelta(hours=1))
        modelarts.clock.advance(3601)
        hook = connect(login=None, password=None, auth_type="token", iam_token=token.text)
        good, text = hook.test_connection()
        assert not good
        assert "expired" in text
        assert_no_secret(text, [token.text])

    def test_a_missing_permission_is_named(self, modelarts: Bench, connect: Connect) -> None:
        modelarts.emulator.credentials.revoke("modelarts:workflow:list")
        good, text = connect().test_connection()
        assert not good
        assert [word for word in ("403", "modelarts:workflow:list") if word not in text] == []

    def test_a_missing_permission_to_look_up_the_project(self, modelarts: Bench, connect: Connect) -> None:
        modelarts.emulator.credentials.revoke("iam:projects:listProjects")
        good, text = connect(project_id=None).test_connection()
        assert not good
        assert [word for word in ("iam:projects:listProjects", "project_id") if word not in text] == []
        assert "modelarts:workflow:list" not in text

    def test_nobody_there(self, connect: Connect) -> None:
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            address = f"127.0.0.1:{closed.getsockname()[1]}"
            good, text = connect(modelarts_endpoint=f"http://{address}").test_connection()
        assert not good
        assert [word for word in (address, "could not be sent", "region", "proxy") if word not in text] == []

    @pytest.mark.parametrize("status", [200, 403, 502])
    def test_a_page_of_a_proxy(self, modelarts: Bench, connect: Connect, status: int) -> None:
        modelarts.emulator.faults.add(FaultRule(action="html", status=status, times=None))
        good, text = connect().test_connection()
        assert not good
        assert [word for word in (f"HTTP {status}", "<html>", "proxy") if word not in text] == []

    def test_no_such_connection(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv(f"AIRFLOW_CONN_{HUAWEI_CONNECTION.upper()}", raising=False)
        monkeypatch.setattr(ModelArtsHook, "get_connection", not_there)
        good, text = ModelArtsHook("nowhere").test_connection()
        assert not good
        assert [word for word in ("'nowhere'", "huawei_mlworkflows", "huawei_conn_id") if word not in text] == []


def not_there(hook: ModelArtsHook, conn_id: str) -> Any:
    from airflow.sdk.exceptions import AirflowNotFoundException

    raise AirflowNotFoundException(f"The conn_id `{conn_id}` isn't defined")


async def until_pending(number: int) -> None:
    """Wait until so many requests of this event loop are under way."""
    async with asyncio.timeout(10):
        while len(getattr(http._loop_clients.get(asyncio.get_running_loop()), "pending", ())) < number:  # noqa: ASYNC110
            await asyncio.sleep(0)


class TestConnecting:
    def test_nothing_happens_before_the_first_call(self, modelarts: Bench) -> None:
        ModelArtsHook("no such connection", region="nowhere!")
        assert modelarts.requests == []

    def test_fifty_callers_share_one_look(
        self, modelarts: Bench, connect: Connect, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        looked: list[str] = []
        original = ModelArtsHook.aget_connection

        async def counted(conn_id: str) -> Any:
            looked.append(conn_id)
            await asyncio.sleep(0)
            return await original(conn_id)

        monkeypatch.setattr(ModelArtsHook, "aget_connection", staticmethod(counted))
        hook = connect(project_id=None)
        ref = started(modelarts, PLAIN_CHAIN)

        async def all_at_once() -> list[Run]:
            return await asyncio.gather(*(hook.get_run.aio(ref) for _ in range(50)))

        runs = in_a_loop(all_at_once)
        assert {run.ref for run in runs} == {ref}
        assert looked == [HUAWEI_CONNECTION]
        assert modelarts.emulator.journal.count("KeystoneListProjects") == 1
        assert modelarts.emulator.journal.count(READ) == 50

    def test_a_region_is_looked_up_once(self, modelarts: Bench, connect: Connect) -> None:
        hook = connect(project_id=None)
        for _ in range(3):
            hook.list_workflows(limit=1)
        in_a_loop(lambda: hook.list_workflows.aio(limit=1))
        (lookup,) = modelarts.emulator.journal.find("KeystoneListProjects")
        assert lookup.query == (("name", "cn-north-4"),)

    def test_a_region_given_to_the_hook_has_its_own_project(self, modelarts: Bench, connect: Connect) -> None:
        hook = connect(project_id=None, region=None, options={"region": "ap-southeast-3"})
        hook.list_workflows(limit=1)
        other = modelarts.emulator.credentials.projects["ap-southeast-3"]
        assert modelarts.requests[-1].path.startswith(f"/v2/{other}/")

    @pytest.mark.parametrize("conn_type", ["huaweicloud", "huawei-mlworkflows"])
    def test_a_connection_of_another_provider_serves_unchanged(
        self, modelarts: Bench, monkeypatch: pytest.MonkeyPatch, conn_type: str
    ) -> None:
        connection = {**modelarts.connection, "conn_type": conn_type}
        if conn_type == "huaweicloud":
            there = {"modelarts_endpoint": modelarts.emulator.url, "endpoint": "obs.example.com"}
            connection["extra"] = {**connection["extra"], **there, "obs_bucket": "somewhere"}
        monkeypatch.setenv(f"AIRFLOW_CONN_{HUAWEI_CONNECTION.upper()}", json.dumps(connection))
        ModelArtsHook(HUAWEI_CONNECTION, clock=modelarts.clock).list_workflows(limit=1)
        assert modelarts.requests[-1].operation == "ListWorkflows"

    @pytest.mark.parametrize(
        ("changes", "words"),
        [
            ({"conn_type": "aws"}, ["aws", "huawei_mlworkflows", "huaweicloud", "huawei_conn_id"]),
            ({"conn_type": "generic"}, ["generic", "huawei_mlworkflows"]),
            ({"host": "modelarts.example.com"}, ["host", "endpoint"]),
        ],
    )
    def test_a_connection_that_means_something_else_is_refused(
        self, modelarts: Bench, monkeypatch: pytest.MonkeyPatch, ask: Ask, changes: dict[str, str], words: list[str]
    ) -> None:
        connection = {**modelarts.connection, **changes}
        monkeypatch.setenv(f"AIRFLOW_CONN_{HUAWEI_CONNECTION.upper()}", json.dumps(connection))
        with pytest.raises(ConfigurationError) as caught:
            ask(ModelArtsHook(HUAWEI_CONNECTION).list_workflows, limit=1)
        assert [word for word in words if word not in str(caught.value)] == []
        assert modelarts.requests == []

    def test_a_bad_connection_fails_in_the_same_words_in_a_loop(self, connect: Connect) -> None:
        hook = connect(timeout="never")
        with pytest.raises(ConfigurationError) as blocking:
            hook.list_workflows(limit=1)
        with pytest.raises(ConfigurationError) as aio:
            in_a_loop(lambda: hook.list_workflows.aio(limit=1))
        assert str(blocking.value) == str(aio.value)

    @pytest.mark.parametrize("action", ["close", "reset"])
    def test_a_read_survives_a_lost_answer_and_a_start_is_not_sent_again(
        self, modelarts: Bench, hook: ModelArtsHook, ask: Ask, action: Any
    ) -> None:
        for operation in (READ, START):
            modelarts.emulator.faults.add(FaultRule(operation=operation, action=action, when="after"))
        assert ask(hook.get_run, started(modelarts, PLAIN_CHAIN)).state is RunState.ACTIVE
        with pytest.raises(MLWorkflowsError, match="It may have taken effect"):
            ask(hook.start_execution, PLAIN_CHAIN)
        assert modelarts.emulator.journal.count(READ) == 2
        assert modelarts.emulator.journal.count(START) == 1

    def test_closing_waits_for_requests_that_begin_meanwhile(self, modelarts: Bench, connect: Connect) -> None:
        hook = connect(options={"attempts": 1})
        for nth, delay in ((1, 0.05), (2, 0.5)):
            rule = FaultRule(operation="ListWorkflows", action="delay", nth=nth, delay=delay)
            modelarts.emulator.faults.add(rule)

        async def close_in_between() -> tuple[Any, ...]:
            first = asyncio.create_task(hook.list_workflows.aio(limit=1))
            await until_pending(1)
            closing = asyncio.create_task(close_clients())
            await asyncio.sleep(0)
            second = asyncio.create_task(hook.list_workflows.aio(limit=1))
            return await asyncio.gather(first, second, closing)

        assert [page.total for page in in_a_loop(close_in_between)[:2]] == [5, 5]

    def test_attempts_are_what_they_were_said_to_be(self, modelarts: Bench, connect: Connect) -> None:
        modelarts.emulator.faults.add(FaultRule(status=503, times=None))
        with pytest.raises(ServerError):
            connect(options={"attempts": 1}).list_workflows(limit=1)
        assert len(modelarts.requests) == 1


class TestHelp:
    @pytest.mark.parametrize(
        ("operation", "parameters"),
        [
            (ModelArtsHook("x").show_execution, ["workflow_id", "execution_id"]),
            (ModelArtsHook("x").get_run, ["ref"]),
            (ModelArtsHook("x").checked_inputs, ["workflow_id", "parameters", "data_requirements"]),
        ],
    )
    def test_a_hook_shows_what_an_operation_takes(self, operation: Any, parameters: list[str]) -> None:
        assert list(inspect.signature(operation).parameters) == parameters
        shown = pydoc.plain(pydoc.render_doc(operation))
        assert f"{operation.__name__}({parameters[0]}: " in shown
        assert inspect.getdoc(operation).splitlines()[0] in shown  # type: ignore[union-attr]

    @pytest.mark.parametrize(
        ("operation", "heading"),
        [
            (ModelArtsHook("x").show_execution, "show_execution(workflow_id: str, execution_id: str) -> Execution"),
            (
                ModelArtsHook("x").show_execution.aio,
                "async show_execution(workflow_id: str, execution_id: str) -> Execution",
            ),
            (ModelArtsHook("x").get_run, "get_run(ref: RunRef) -> Run"),
            (ModelArtsHook("x").get_run.aio, "async get_run(ref: RunRef) -> Run"),
            (
                ModelArtsHook("x").iter_step_executions,
                "iter_step_executions(workflow_id: str, *, order: str | None = None, sort_by: str | None = None) "
                "-> Iterator[StepExecution]",
            ),
            (
                ModelArtsHook("x").iter_step_executions.aio,
                "async iter_step_executions(workflow_id: str, *, order: str | None = None, "
                "sort_by: str | None = None) -> AsyncIterator[StepExecution]",
            ),
        ],
    )
    def test_help_shows_the_call_and_what_it_is_for(self, operation: Any, heading: str) -> None:
        lines = pydoc.plain(pydoc.render_doc(operation)).splitlines()
        assert heading in lines
        assert f"    {inspect.getdoc(operation).splitlines()[0]}" in lines  # type: ignore[union-attr]

    def test_so_does_the_class(self) -> None:
        shown = pydoc.plain(pydoc.render_doc(ModelArtsHook.show_execution))
        assert "show_execution(self, workflow_id: str, execution_id: str) -> Execution\n" in shown
        assert "Session" not in shown
        assert "execution_id" in inspect.signature(ModelArtsHook.show_execution).parameters
        assert "workflow_id" in inspect.signature(ModelArtsHook.iter_executions).parameters

    def test_an_operation_of_the_class_can_be_called_with_a_hook(self, modelarts: Bench, hook: ModelArtsHook) -> None:
        ref = started(modelarts, PLAIN_CHAIN)
        assert ModelArtsHook.get_run(hook, ref) == hook.get_run(ref)
        assert list(ModelArtsHook.iter_executions(hook, PLAIN_CHAIN)) == list(hook.iter_executions(PLAIN_CHAIN))
