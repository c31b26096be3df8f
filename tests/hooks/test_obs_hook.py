"""The hook of data workflows against the emulator over real sockets, in its blocking and its async form."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_mlworkflows.clouds.flow import drive
from airflow_provider_mlworkflows.clouds.http import close_clients
from airflow_provider_mlworkflows.emulator.environment import HUAWEI_CONNECTION
from airflow_provider_mlworkflows.emulator.faults import FaultRule
from airflow_provider_mlworkflows.emulator.obs.ready import FAILS_ONCE, PLAIN_CHAIN, TAKES_AN_HOUR, WITH_INPUTS
from airflow_provider_mlworkflows.exceptions import (
    AuthenticationError,
    BadRequestError,
    InvalidInputError,
    NotFoundError,
    StopImpossibleError,
)
from airflow_provider_mlworkflows.hooks.obs import ObsWorkflowHook
from airflow_provider_mlworkflows.runs import Run, RunRef, RunState

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.clouds.operation import BoundOperation
    from tests.support import Bench

READ, LIST, RESTORE = "getWorkflowExecution", "listWorkflowExecution", "restoreFailedWorkflowExecution"
EXCHANGE = "CreateTemporaryAccessKeyByToken"
PLACE = {"bucket": "emulator-data", "object_key": "in/file.csv"}
RULE = {"id": "arrivals", "events": ["ObjectCreated:*"], "prefix": "in/"}

Ask = Callable[..., Any]


@pytest.fixture(params=["blocking", "aio"])
def ask(request: pytest.FixtureRequest) -> Ask:
    """Calls an operation in one of its two forms."""

    def in_a_loop(operation: BoundOperation[Any, Any], *args: Any, **kwargs: Any) -> Any:
        async def live() -> Any:
            try:
                return await operation.aio(*args, **kwargs)
            finally:
                await close_clients()

        return asyncio.run(live())

    return in_a_loop if request.param == "aio" else lambda operation, *args, **kwargs: operation(*args, **kwargs)


@pytest.fixture
def hook(modelarts: Bench, monkeypatch: pytest.MonkeyPatch) -> ObsWorkflowHook:
    return connected(modelarts, monkeypatch)


def connected(bench: Bench, monkeypatch: pytest.MonkeyPatch, **changes: Any) -> ObsWorkflowHook:
    """A hook whose connection has other fields than the emulator's own; those that are None it lacks."""
    connection = bench.connection
    for name, value in changes.items():
        holder = connection if name in ("login", "password") else connection["extra"]
        holder[name] = value
    kept = {name: value for name, value in connection.items() if value is not None}
    monkeypatch.setenv(f"AIRFLOW_CONN_{HUAWEI_CONNECTION.upper()}", json.dumps(kept))
    return ObsWorkflowHook(HUAWEI_CONNECTION, clock=bench.clock)


def begun(bench: Bench, graph: str, *, after: float = 0.0) -> RunRef:
    execution = bench.emulator.obs.start(graph)
    bench.clock.advance(after)
    return RunRef(graph, execution.execution_name)


def asked(bench: Bench, operation: str) -> int:
    return bench.emulator.journal.count(operation)


class TestReading:
    def test_a_run_with_its_states(self, modelarts: Bench, hook: ObsWorkflowHook, ask: Ask) -> None:
        run = ask(hook.get_run, begun(modelarts, PLAIN_CHAIN, after=100))
        assert (run.state, run.status) == (RunState.SUCCEEDED, "SUCCESS")
        assert [(step.name, step.kind) for step in run.steps] == [
            ("read-metadata", "OPERATION"), ("settle", "DELAY"), ("transcode", "OPERATION"),
        ]  # fmt: skip
        assert [step.duration for step in run.steps] == [4, 3, 13]

    def test_a_run_that_is_not_there(self, hook: ObsWorkflowHook, ask: Ask) -> None:
        with pytest.raises(NotFoundError):
            ask(hook.get_run, RunRef(PLAIN_CHAIN, "nobody"))

    def test_many_runs_take_one_list(self, modelarts: Bench, hook: ObsWorkflowHook, ask: Ask) -> None:
        refs = [begun(modelarts, TAKES_AN_HOUR) for _ in range(20)]
        assert hook.batches(refs) == [refs]
        runs = ask(hook.get_runs, refs)
        assert {run.state for run in runs.values()} == {RunState.ACTIVE}
        assert (asked(modelarts, LIST), asked(modelarts, READ)) == (1, 0)

    def test_those_that_a_list_shows_unchanged_are_not_read_again(
        self, modelarts: Bench, hook: ObsWorkflowHook, ask: Ask
    ) -> None:
        refs = [begun(modelarts, TAKES_AN_HOUR) for _ in range(20)]
        first, second = ask(hook.get_runs, refs), ask(hook.get_runs, refs)
        assert all(first[ref] is second[ref] for ref in refs)

    def test_one_run_is_read_by_itself(self, modelarts: Bench, hook: ObsWorkflowHook, ask: Ask) -> None:
        ref = begun(modelarts, TAKES_AN_HOUR)
        assert set(ask(hook.get_runs, [ref])) == {ref}
        assert (asked(modelarts, LIST), asked(modelarts, READ)) == (0, 1)

    def test_a_list_that_grew_longer_than_single_reads_is_given_up(
        self, modelarts: Bench, hook: ObsWorkflowHook
    ) -> None:
        modelarts.emulator.switches.obs_page_cap = 5
        refs = [begun(modelarts, TAKES_AN_HOUR) for _ in range(40)][:3]
        assert set(hook.get_runs(refs)) == set(refs)
        before = asked(modelarts, LIST)
        assert set(hook.get_runs(refs)) == set(refs)
        assert asked(modelarts, LIST) == before
        assert hook.batches(refs) == [[ref] for ref in refs]

    def test_a_missing_run_concerns_nobody_else(self, modelarts: Bench, hook: ObsWorkflowHook, ask: Ask) -> None:
        refs = [begun(modelarts, TAKES_AN_HOUR), RunRef(TAKES_AN_HOUR, "nobody")]
        runs = ask(hook.get_runs, refs)
        assert isinstance(runs[refs[0]], Run)
        assert isinstance(runs[refs[1]], NotFoundError)


class TestStarting:
    def test_a_run(self, modelarts: Bench, hook: ObsWorkflowHook, ask: Ask) -> None:
        run = ask(hook.start_run, WITH_INPUTS, **PLACE, inputs={"frames": 30})
        assert run.state is RunState.ACTIVE
        assert ask(hook.decoded_input, run.ref)["inputs"] == {"frames": 30}
        assert ask(hook.may_stem_from, run.ref, **PLACE, inputs={"frames": 30})
        assert not ask(hook.may_stem_from, run.ref, **PLACE, inputs={"frames": 31})
        assert not ask(
            hook.may_stem_from, run.ref, bucket="emulator-data", object_key="in/other", inputs={"frames": 30}
        )

    def test_inputs_are_checked_against_the_workflow(self, hook: ObsWorkflowHook, ask: Ask) -> None:
        assert ask(hook.checked_inputs, WITH_INPUTS, {"frames": "30", "sharpen": "true"}) == {
            "frames": 30,
            "sharpen": True,
        }
        with pytest.raises(InvalidInputError, match="frames"):
            ask(hook.checked_inputs, WITH_INPUTS, {"frames": "many"})

    def test_found_by_an_input(self, modelarts: Bench, hook: ObsWorkflowHook, ask: Ask) -> None:
        others = [hook.start_run(WITH_INPUTS, **PLACE, inputs={"started-by": f"other-{n}"}) for n in range(3)]
        ours = hook.start_run(WITH_INPUTS, **PLACE, inputs={"started-by": "airflow-0"})
        found = ask(hook.find_started_with, WITH_INPUTS, "started-by", "airflow-0", since=modelarts.clock.time() - 60)
        assert found.ref == ours.ref
        assert ask(hook.find_started_with, WITH_INPUTS, "started-by", "airflow-1") is None
        assert len(others) == 3

    def test_listed_are_those_that_calls_have_started_since(
        self, modelarts: Bench, hook: ObsWorkflowHook, ask: Ask
    ) -> None:
        modelarts.emulator.switches.obs_page_cap = 2
        begun(modelarts, PLAIN_CHAIN, after=100)
        modelarts.emulator.obs.trigger(PLAIN_CHAIN, "emulator-data", "in/file.csv")
        since = modelarts.clock.time()
        refs = {begun(modelarts, PLAIN_CHAIN, after=1) for _ in range(5)}
        assert {run.ref for run in ask(hook.list_started, PLAIN_CHAIN, since)} == refs


class TestActing:
    def test_restoring_a_failed_run(self, modelarts: Bench, hook: ObsWorkflowHook, ask: Ask) -> None:
        ref = begun(modelarts, FAILS_ONCE, after=60)
        run = hook.get_run(ref)
        assert run.state is RunState.FAILED
        ask(hook.repair_run, run)
        modelarts.clock.advance(60)
        assert hook.get_run(ref).state is RunState.SUCCEEDED

    def test_restoring_a_run_that_has_not_failed(self, modelarts: Bench, hook: ObsWorkflowHook, ask: Ask) -> None:
        run = hook.get_run(begun(modelarts, TAKES_AN_HOUR))
        with pytest.raises(BadRequestError):
            ask(hook.repair_run, run)

    def test_nothing_stops_a_run(self, modelarts: Bench, hook: ObsWorkflowHook, ask: Ask) -> None:
        with pytest.raises(StopImpossibleError, match="cannot be stopped"):
            ask(hook.stop_run, begun(modelarts, TAKES_AN_HOUR))
        assert ask(hook.stop_run, begun(modelarts, PLAIN_CHAIN, after=100)) is False

    @pytest.mark.parametrize("path_style", [True, False])
    def test_trigger_policies(
        self, modelarts: Bench, monkeypatch: pytest.MonkeyPatch, ask: Ask, path_style: bool
    ) -> None:
        hook = connected(modelarts, monkeypatch, obs_path_style=path_style)
        rule = {**RULE, "graph_urn": hook.show_workflow(PLAIN_CHAIN).graph_urn}
        ask(hook.put_trigger_policy, "emulator-data", [rule])
        (kept,) = ask(hook.show_trigger_policy, "emulator-data").rules
        assert (kept.id, kept.prefix) == ("arrivals", "in/")
        ask(hook.delete_trigger_policy, "emulator-data")
        assert ask(hook.show_trigger_policy, "emulator-data").rules == []


class TestTokens:
    def by_token(self, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> ObsWorkflowHook:
        token = bench.emulator.credentials.token
        return connected(bench, monkeypatch, login=None, password=None, auth_type="token", iam_token=token.text)

    def test_is_exchanged_once(self, modelarts: Bench, monkeypatch: pytest.MonkeyPatch, ask: Ask) -> None:
        hook = self.by_token(modelarts, monkeypatch)
        for _ in range(3):
            ask(hook.list_workflows)
        assert asked(modelarts, EXCHANGE) == 1

    def test_many_who_wait_share_one_exchange(self, modelarts: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
        hook = self.by_token(modelarts, monkeypatch)

        async def crowd() -> None:
            await asyncio.gather(*(hook.list_workflows.aio() for _ in range(20)))
            await close_clients()

        asyncio.run(crowd())
        assert asked(modelarts, EXCHANGE) == 1

    def test_is_exchanged_again_before_the_key_expires(self, modelarts: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
        hook = self.by_token(modelarts, monkeypatch)
        hook.list_workflows()
        modelarts.clock.advance(3400)
        hook.list_workflows()
        assert asked(modelarts, EXCHANGE) == 2

    def test_shows_no_more_once_its_key_has_been_refused(
        self, modelarts: Bench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        client = self.by_token(modelarts, monkeypatch).client
        first = client.identity()
        modelarts.clock.advance(61)
        second = drive(client.account.renewed(first), client._perform)
        assert second is not None
        assert second.name != first.name
        token = modelarts.emulator.credentials.token.text
        assert token not in second.redact(f"what was sent: {token}")

    def test_a_token_that_iam_does_not_know(self, modelarts: Bench, monkeypatch: pytest.MonkeyPatch, ask: Ask) -> None:
        hook = connected(
            modelarts, monkeypatch, login=None, password=None, auth_type="token", iam_token="tokenOfNobody00001"
        )
        with pytest.raises(AuthenticationError) as refused:
            ask(hook.list_workflows)
        assert "tokenOfNobody00001" not in str(refused.value)


class TestTestConnection:
    def test_works(self, modelarts: Bench, hook: ObsWorkflowHook) -> None:
        good, text = hook.test_connection()
        assert good, text
        url, key = modelarts.emulator.url, modelarts.connection["login"]
        there = f"access key {key[:4]}… at {url} in region cn-north-4"
        assert text == f"OBS data workflow answers {there}; workflows are visible."
        assert asked(modelarts, "listWorkflow") == len(modelarts.requests) == 1

    def test_works_with_a_token(self, modelarts: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
        token = modelarts.emulator.credentials.token.text
        hook = connected(modelarts, monkeypatch, login=None, password=None, auth_type="token", iam_token=token)
        good, text = hook.test_connection()
        assert good, text
        assert "answers temporary access key " in text

    def test_says_what_the_user_lacks(self, modelarts: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
        hook = connected(modelarts, monkeypatch)
        modelarts.emulator.credentials.revoke("obs:workflow:listWorkflow")
        good, text = hook.test_connection()
        assert not good
        assert "needs the right to use OBS data workflows in this region" in text

    def test_asks_once(self, modelarts: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
        hook = connected(modelarts, monkeypatch)
        modelarts.emulator.faults.add(FaultRule(operation="listWorkflow", action="status", status=503, times=None))
        good, text = hook.test_connection()
        assert not good
        assert "503" in text
        assert len(modelarts.requests) == 1

    def test_tells_what_is_wrong(self, modelarts: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
        good, text = connected(modelarts, monkeypatch, password="wrongSecretKeyOfNobody").test_connection()
        assert not good
        assert "wrongSecretKeyOfNobody" not in text
        assert "403" in text
