"""Tasks that are to run with another connection, and so in another place, than the one their run was started in."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal

import pytest

from airflow_provider_mlworkflows.emulator import Emulator
from airflow_provider_mlworkflows.emulator.environment import HUAWEI_CONNECTION
from airflow_provider_mlworkflows.exceptions import RunNotFoundError
from airflow_provider_mlworkflows.operators.obs import ObsStartWorkflowOperator
from airflow_provider_mlworkflows.operators.records import RECORD_KEY
from tests.scenarios import obs
from tests.scenarios.modelarts import ModelArtsUnderTest
from tests.scenarios.moments import NOT_FOUND, mark_while_hanging, while_making_way
from tests.scenarios.obs import ObsUnderTest
from tests.scenarios.plan import chain, completes, endless
from tests.scenarios.rows_attempts import lose_worker
from tests.scenarios.service import Counts, ServiceUnderTest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_mlworkflows.operators.starting import StartOperator
    from tests.scenarios.stage import SetStage, Stage

Cause = Literal["clear", "retry"]
CAUSES: tuple[Cause, ...] = ("clear", "retry")


@pytest.fixture
def region(emulator: Emulator) -> Iterator[Emulator]:
    """Another region, with an emulator of its own."""
    with Emulator(clock="manual", start=emulator.clock.now()) as other:
        other.auth_now = emulator.clock.now()
        yield other


@pytest.fixture
def elsewhere(region: Emulator) -> ModelArtsUnderTest:
    return ModelArtsUnderTest(region)


def _move(stage: Stage, elsewhere: ServiceUnderTest, cause: Cause, *, stored: int | None = None) -> StartOperator:
    """Let a task begin here, and then go on elsewhere; returns what it goes on with.

    Args:
        stage: Where it begins.
        elsewhere: Where it goes on.
        cause: Why it begins anew.
        stored: Which record its worker is lost at.
    """
    stage.plan(*chain(("train", (endless(),))))
    first = stage.starter(retries=1, wait_for_completion=cause == "retry" or stored is not None)
    if cause == "retry" or stored is not None:
        lose_worker(stage, first, stored=stored)
    else:
        stage.attempt(first)
    if cause == "clear":
        stage.airflow.clear()
    stage.airflow.set_connection("elsewhere", elsewhere.connections()[HUAWEI_CONNECTION])
    workflow = elsewhere.add_workflow(chain(("train", completes())))
    return stage.starter(workflow_id=workflow, huawei_conn_id="elsewhere", wait_for_completion=False, retries=1)


@pytest.mark.parametrize("cause", CAUSES)
def test_a_run_is_stopped_where_it_was_started(
    set_stage: SetStage, elsewhere: ModelArtsUnderTest, cause: Cause
) -> None:
    stage = set_stage()
    operator = _move(stage, elsewhere, cause)
    assert stage.attempt(operator).state == "success", stage.log
    assert "huawei_conn_id='huawei_mlworkflows_default'" in stage.log
    assert stage.counts == Counts(starts=1, stops=1)
    assert elsewhere.counts(operator.started_workflow) == Counts(starts=1)


@pytest.mark.parametrize("cause", CAUSES)
@pytest.mark.parametrize("status", [400, 403])
def test_also_if_the_new_place_refuses_to_speak_of_it(
    set_stage: SetStage, elsewhere: ModelArtsUnderTest, cause: Cause, status: int
) -> None:
    stage = set_stage()
    operator = _move(stage, elsewhere, cause)
    elsewhere.fault("read", status=status, times=None)
    assert stage.attempt(operator).state == "success", stage.log
    assert stage.counts == Counts(starts=1, stops=1)
    assert elsewhere.counts(operator.started_workflow) == Counts(starts=1)


@pytest.mark.parametrize("cause", CAUSES)
def test_a_start_without_an_answer_is_looked_for_where_it_was_sent(
    set_stage: SetStage, elsewhere: ModelArtsUnderTest, cause: Cause
) -> None:
    stage = set_stage()
    operator = _move(stage, elsewhere, cause, stored=2)
    assert stage.attempt(operator).state == "success", stage.log
    assert stage.counts == Counts(starts=1, stops=1)
    assert elsewhere.counts(operator.started_workflow) == Counts(starts=1)


def test_what_somebody_else_has_started_there_is_left_alone(
    set_stage: SetStage, region: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = set_stage(service=ObsUnderTest)
    stage.plan(*chain(("train", completes(600))))
    region.switches.obs_state_details = True
    there = ObsUnderTest(region)
    monkeypatch.setattr(obs, "uuid4", lambda: stage.workflow)  # workflows of the same name
    assert there.add_workflow(chain(("train", completes(600)))) == stage.workflow
    lose_worker(stage, stage.starter(retries=1), stored=2)
    theirs = there.start_elsewhere(stage.workflow)
    stage.airflow.set_connection("elsewhere", there.connections()[HUAWEI_CONNECTION])
    operator = stage.starter(retries=1, huawei_conn_id="elsewhere", wait_for_completion=False)
    assert isinstance(operator, ObsStartWorkflowOperator)
    assert stage.attempt(operator).state == "success", stage.log
    assert stage.result.xcoms["return_value"] != theirs
    assert "goes on to its own end" in stage.log


@pytest.mark.parametrize(("cause", "starts"), [("clear", 1), ("retry", 0)])
def test_where_a_run_was_started_may_be_out_of_reach(
    set_stage: SetStage, elsewhere: ModelArtsUnderTest, cause: Cause, starts: int
) -> None:
    stage = set_stage()
    operator = _move(stage, elsewhere, cause)
    stage.airflow.set_connection(HUAWEI_CONNECTION, {"conn_type": "huawei_mlworkflows", "extra": {}})
    stage.attempt(operator)
    assert elsewhere.counts(operator.started_workflow) == Counts(starts=starts)
    assert ("still goes on cannot be told" in stage.log) is (cause == "clear"), stage.log


def _move_to_another_name(stage: Stage, cause: Cause, stored: int | None = None) -> StartOperator:
    """Let a task begin with a connection, and go on with another one to the same account."""
    stage.plan(*chain(("train", completes(600))))
    lose_worker(stage, stage.starter(retries=1), stored=stored)
    if cause == "clear":
        stage.airflow.clear()
    stage.airflow.set_connection("another", stage.service.connections()[HUAWEI_CONNECTION])
    return stage.starter(huawei_conn_id="another", retries=1)


@pytest.mark.parametrize("stored", [2, None])
@pytest.mark.parametrize("service", [ModelArtsUnderTest, ObsUnderTest])
def test_the_same_place_by_another_name_is_no_other_place(
    set_stage: SetStage, service: type[ServiceUnderTest], stored: int | None
) -> None:
    stage = set_stage(service=service)
    assert stage.attempt(_move_to_another_name(stage, "retry", stored)).state == "success", stage.log
    assert stage.counts == Counts(starts=1)


@pytest.mark.parametrize("is_gone", [True, False])
def test_a_connection_that_was_renamed_keeps_the_run(set_stage: SetStage, *, is_gone: bool) -> None:
    stage = set_stage()
    operator = _move_to_another_name(stage, "retry")
    if is_gone:
        del stage.airflow.api.connections[HUAWEI_CONNECTION]
    else:
        stage.airflow.set_connection(HUAWEI_CONNECTION, {"conn_type": "huawei_mlworkflows", "extra": {}})
    assert stage.attempt(operator).state == "success", stage.log
    assert stage.counts == Counts(starts=1)


def test_a_run_that_is_gone_in_both_is_gone(set_stage: SetStage) -> None:
    stage = set_stage()
    operator = _move_to_another_name(stage, "retry")
    stage.service.delete(stage.run_id)
    assert isinstance(stage.attempt(operator).error, RunNotFoundError)
    assert stage.counts == Counts(starts=1)


@pytest.mark.parametrize(("cause", "starts"), [("clear", 1), ("retry", 0)])
@pytest.mark.parametrize("status", [400, 403])
def test_a_run_that_is_gone_there_and_was_never_here_is_gone(
    set_stage: SetStage, elsewhere: ModelArtsUnderTest, cause: Cause, starts: int, status: int
) -> None:
    stage = set_stage()
    operator = _move(stage, elsewhere, cause)
    stage.service.delete(stage.run_id)
    # The same workflow in both places, so that only the place has changed.
    record = stage.airflow.state_store[RECORD_KEY]
    stage.airflow.state_store[RECORD_KEY] = {**record, "workflow_id": operator.started_workflow}
    elsewhere.fault("read", status=status, times=None)
    stage.attempt(operator)
    assert elsewhere.counts(operator.started_workflow) == Counts(starts=starts)
    assert isinstance(stage.result.error, RunNotFoundError) is (cause == "retry"), stage.log


@pytest.mark.parametrize("status", [503, 403])
def test_a_stop_that_fails_there_starts_nothing_here(
    set_stage: SetStage, elsewhere: ModelArtsUnderTest, status: int
) -> None:
    stage = set_stage()
    operator = _move(stage, elsewhere, "clear")
    stage.service.fault("stop", status=status, times=None)
    assert stage.attempt(operator).state == "up_for_retry"
    assert elsewhere.counts(operator.started_workflow) == Counts()


@pytest.mark.parametrize("cause", CAUSES)
@pytest.mark.parametrize("what", ["marked", "shut down", "execution_timeout"])
def test_ended_while_it_looks_from_here(
    set_stage: SetStage, elsewhere: ModelArtsUnderTest, cause: Cause, what: str
) -> None:
    stage = set_stage()
    operator = _move(stage, elsewhere, cause)
    operator.retries = 0
    rule = stage.service.fault("read", times=None, **NOT_FOUND)
    end = {
        "marked": lambda: stage.mark("failed"),
        "shut down": stage.shut_down,
        "execution_timeout": stage.use_up_execution_timeout,
    }

    def happen() -> None:
        stage.emulator.faults.remove(rule)
        end[what]()

    operator.execution_timeout = timedelta(hours=1)
    stage.at(30, happen)
    stage.airflow.ti.max_tries = stage.airflow.ti.try_number  # whatever comes is the last attempt
    stage.attempt(operator)
    assert stage.counts == Counts(starts=1, stops=1), stage.log
    assert elsewhere.counts(operator.started_workflow) == Counts()


@pytest.mark.parametrize("cause", CAUSES)
def test_marked_while_the_run_makes_way_there(
    set_stage: SetStage, elsewhere: ModelArtsUnderTest, cause: Cause, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = set_stage()
    operator = _move(stage, elsewhere, cause)
    while_making_way(monkeypatch, stage, lambda: stage.mark("failed"))
    stage.attempt(operator)
    assert stage.airflow.state == "failed"
    assert stage.counts == Counts(starts=1, stops=1)
    assert elsewhere.counts(operator.started_workflow) == Counts()


@pytest.mark.parametrize("cause", CAUSES)
def test_marked_while_a_read_hangs_there(
    set_stage: SetStage, elsewhere: ModelArtsUnderTest, cause: Cause, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = set_stage()
    operator = _move(stage, elsewhere, cause)
    is_over = threading.Event()
    mark_while_hanging(
        monkeypatch,
        stage,
        is_over,
        lambda request: request.method == "GET" and request.url.startswith(stage.emulator.url),
    )
    try:
        stage.attempt(operator)
    finally:
        is_over.set()
    assert stage.airflow.state == "failed"
    assert stage.counts == Counts(starts=1, stops=1)
    assert elsewhere.counts(operator.started_workflow) == Counts()


def test_another_manner_is_no_other_place(set_stage: SetStage) -> None:
    from tests.scenarios.aom import AomUnderTest

    stage = set_stage(service=AomUnderTest)
    stage.plan(*chain(("train", completes(600))))
    lose_worker(stage, stage.starter(retries=1), stored=2)
    later: Any = stage.starter(retries=1, states={"odd": "active"})
    assert stage.attempt(later).state == "success", stage.log
    assert stage.counts == Counts(starts=1)
