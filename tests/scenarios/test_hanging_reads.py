"""A service that does not answer must not keep a killed task from stopping its run: a worker has five seconds."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

from airflow_provider_mlworkflows.exceptions import RunInterruptedError
from tests.scenarios.modelarts import ModelArtsUnderTest
from tests.scenarios.moments import mark_while_hanging
from tests.scenarios.paiflow import PaiFlowUnderTest
from tests.scenarios.plan import chain, endless
from tests.scenarios.rows_attempts import lose_worker
from tests.scenarios.service import Counts
from tests.scenarios.stage import Stage, reset

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.emulator import Emulator
    from tests.scenarios.clock import ScriptedClock


@pytest.fixture
def answered() -> Iterator[threading.Event]:
    """When the service answers at last."""
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture(params=[ModelArtsUnderTest, PaiFlowUnderTest], ids=lambda service: service.name)
def stage(
    request: pytest.FixtureRequest,
    emulator: Emulator,
    clock: ScriptedClock,
) -> Stage:
    reset(emulator, clock, request.param.profiles["usual"])
    stage = Stage(request.param(emulator), "sync", clock)
    stage.plan(*chain(("train", endless())))
    return stage


@pytest.fixture
def hang(stage: Stage, answered: threading.Event, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From then on no read is answered; the task is marked failed during the first one."""
    return lambda: mark_while_hanging(monkeypatch, stage, answered, lambda request: request.method == "GET")


def _is_stopped(stage: Stage, answered: threading.Event) -> bool:
    assert not answered.is_set()
    assert stage.airflow.state == "failed"
    assert isinstance(stage.result.error, RunInterruptedError)
    return stage.counts == Counts(starts=1, stops=1)


def test_marked_failed_while_reads_hang(stage: Stage, answered: threading.Event, hang: Callable[[], None]) -> None:
    stage.at(100, hang)
    stage.attempt(stage.starter(retries=1))
    assert _is_stopped(stage, answered)


def test_marked_failed_while_the_run_of_an_earlier_attempt_is_read(
    stage: Stage, answered: threading.Event, hang: Callable[[], None]
) -> None:
    lose_worker(stage, stage.starter(retries=1))
    hang()
    stage.attempt(stage.starter(retries=1))
    assert _is_stopped(stage, answered)
