"""Two Airflows, say staging and production, whose tasks have equal ids and start the same workflow of one account."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from airflow_provider_mlworkflows.exceptions import StartUncertainError
from tests.scenarios.aom import AomTemplateUnderTest, AomUnderTest
from tests.scenarios.modelarts import ModelArtsUnderTest
from tests.scenarios.obs import ObsMarkedUnderTest, ObsUnderTest
from tests.scenarios.paiflow import PaiFlowUnderTest
from tests.scenarios.plan import chain, completes
from tests.scenarios.rows_attempts import lose_worker
from tests.scenarios.stage import OPERATOR_MODES, Mode, Stage, reset

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.emulator import Emulator
    from tests.scenarios.clock import ScriptedClock
    from tests.scenarios.service import ServiceUnderTest

Twins = tuple[Stage, Stage]

MARKED: tuple[type[ServiceUnderTest], ...] = (
    ModelArtsUnderTest,
    PaiFlowUnderTest,
    ObsMarkedUnderTest,
    AomTemplateUnderTest,
)
UNMARKED: tuple[type[ServiceUnderTest], ...] = (ObsUnderTest, AomUnderTest)


def _named(service: type[ServiceUnderTest]) -> str:
    return service.name


@pytest.fixture(params=OPERATOR_MODES)
def mode(request: pytest.FixtureRequest) -> Mode:
    mode: Mode = request.param
    return mode


@pytest.fixture
def twins(
    request: pytest.FixtureRequest,
    mode: Mode,
    emulator: Emulator,
    clock: ScriptedClock,
) -> Iterator[Twins]:
    reset(emulator, clock, request.param.profiles["usual"])
    service = request.param(emulator)
    first, second = Stage(service, mode, clock), Stage(service, mode, clock)
    second.workflow = first.plan(*chain(("train", completes(900))))
    (one, other) = (stage.airflow.ti for stage in (first, second))
    assert (one.dag_id, one.run_id, one.task_id) == (other.dag_id, other.run_id, other.task_id)
    yield first, second
    first.forget_workflows()


def _both_begin(twins: Twins, *, stored: int | None = None) -> tuple[str, str]:
    """Each starts a run and loses its worker; returns the two runs."""
    runs: list[str] = []
    for stage in twins:
        lose_worker(stage, stage.starter(retries=1), stored=stored)
        (begun,) = set(stage.runs) - set(runs)
        runs.append(begun)
    return runs[0], runs[1]


@pytest.mark.parametrize("twins", [*MARKED, *UNMARKED], ids=_named, indirect=True)
def test_each_takes_up_its_own_run(twins: Twins) -> None:
    own = _both_begin(twins)
    for stage, run in zip(twins, own, strict=True):
        result = stage.attempt(stage.starter(retries=1))
        assert (result.state, result.xcoms["return_value"]) == ("success", run)
    assert (twins[0].counts.starts, twins[0].counts.stops) == (2, 0)


@pytest.mark.parametrize("twins", MARKED, ids=_named, indirect=True)
def test_each_finds_its_own_start(twins: Twins) -> None:
    own = _both_begin(twins, stored=2)
    for stage, run in reversed(list(zip(twins, own, strict=True))):
        result = stage.attempt(stage.starter(retries=1))
        assert (result.state, result.xcoms["return_value"]) == ("success", run)
        assert "by its marker" in stage.log
    assert (twins[0].counts.starts, twins[0].counts.stops) == (2, 0)


@pytest.mark.parametrize("twins", UNMARKED, ids=_named, indirect=True)
def test_start_without_marker_that_may_be_either_is_nobodys(twins: Twins) -> None:
    first, second = twins
    own = _both_begin(twins, stored=2)
    error = first.attempt(first.starter(retries=1)).error
    assert isinstance(error, StartUncertainError)
    assert sorted(error.candidates) == sorted(own)
    # The second one saw the first one's run before it started its own.
    assert second.attempt(second.starter(retries=1)).xcoms["return_value"] == own[1]
    assert (first.counts.starts, first.counts.stops) == (2, 0)


@pytest.mark.parametrize("twins", MARKED, ids=_named, indirect=True)
def test_start_that_came_to_nothing_adopts_nothing(twins: Twins) -> None:
    first, second = twins
    first.service.fault("start", when="before", action="close")
    lose_worker_in_start(first)
    lose_worker(second, second.starter(retries=1))
    (foreign,) = second.runs
    result = first.attempt(first.starter(retries=1))
    assert result.state == "success"
    assert result.xcoms["return_value"] != foreign
    assert second.attempt(second.starter(retries=1)).xcoms["return_value"] == foreign
    assert (first.counts.starts, first.counts.stops) == (2, 0)


def lose_worker_in_start(stage: Stage) -> None:
    """Run an attempt that has written its intent, and whose start comes to nothing before the worker vanishes."""
    stage.outage(0, 60, status=503)
    assert stage.attempt(stage.starter(retries=1)).state == "up_for_retry"
    stage.clock.advance(100)
    assert stage.runs == []


@pytest.mark.parametrize("ending", ["failed", "cleared"])
@pytest.mark.parametrize("twins", [ModelArtsUnderTest, PaiFlowUnderTest, AomUnderTest], ids=_named, indirect=True)
def test_each_stops_its_own_run(twins: Twins, ending: str) -> None:
    first, second = twins
    ours, theirs = _both_begin(twins)
    first.at(100, lambda: first.mark("failed") if ending == "failed" else first.clear())
    first.attempt(first.starter(retries=1))
    assert first.airflow.state == ("failed" if ending == "failed" else None)
    assert first.service.shown(theirs) in ("init", "running")
    result = second.attempt(second.starter(retries=1))
    assert (result.state, result.xcoms["return_value"]) == ("success", theirs)
    assert first.service.shown(ours) == "stopped"
    assert (first.counts.starts, first.counts.stops, first.counts.idle_stops) == (2, 1, 0)
