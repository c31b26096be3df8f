"""Nodes within sub-pipelines and loops of PAIFlow, waited for in three ways."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_mlworkflows.emulator.paiflow.ready import SUB_DAG_AND_LOOP
from airflow_provider_mlworkflows.exceptions import InvalidInputError, RunFailedError
from tests.scenarios.paiflow import PaiFlowUnderTest
from tests.scenarios.stage import SENSOR_MODES, Stage, reset

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.emulator import Emulator
    from tests.scenarios.clock import ScriptedClock

FITS = ("tune/tune-0/fit", "tune/tune-1/fit", "tune/tune-2/fit")


@pytest.fixture(params=SENSOR_MODES)
def stage(
    request: pytest.FixtureRequest,
    emulator: Emulator,
    clock: ScriptedClock,
) -> Iterator[Stage]:
    reset(emulator, clock, PaiFlowUnderTest.profiles["usual"])
    stage = Stage(PaiFlowUnderTest(emulator), request.param, clock)
    stage.workflow = SUB_DAG_AND_LOOP
    yield stage
    for run_id in stage.runs:
        emulator.paiflow.delete_run(run_id, trace=False)


def waited_for(stage: Stage, run_id: str, node: str, **arguments: Any) -> Any:
    """The outcome of a sensor that looks every two seconds, which is quicker than any node."""
    return stage.attempt(stage.sensor(run_id, node, poke_interval=2.0, **arguments))


@pytest.mark.parametrize(
    ("node", "path"),
    [
        ("features/extract", "features/extract"),
        ("extract", "features/extract"),
        ("features", "features"),
        ("tune-1", "tune/tune-1"),
        ("tune/tune-1/fit", "tune/tune-1/fit"),
    ],
)
def test_a_node_is_found_by_its_path_or_by_its_plain_name(stage: Stage, node: str, path: str) -> None:
    run_id = stage.service.start_elsewhere(stage.workflow)
    result = waited_for(stage, run_id, node)
    assert result.state == "success", stage.log
    assert (result.xcoms["step"]["name"], result.xcoms["step"]["state"]) == (path, "succeeded")
    assert stage.service.shown(run_id) == "running"


def test_a_node_is_found_by_its_id(stage: Stage) -> None:
    run_id = stage.service.start_elsewhere(stage.workflow)
    result = waited_for(stage, run_id, stage.service.step_id(run_id, "extract"))
    assert result.state == "success", stage.log
    assert result.xcoms["step"]["name"] == "features/extract"
    assert stage.service.shown(run_id) == "running"


def test_a_node_is_found_by_its_plain_name_after_the_run(stage: Stage) -> None:
    run_id = stage.service.start_elsewhere(stage.workflow)
    stage.clock.advance(300)
    result = waited_for(stage, run_id, "extract", skip_on_missing=True)
    assert result.state == "success", stage.log
    assert result.xcoms["step"]["name"] == "features/extract"


@pytest.mark.parametrize("seconds", [0, 10, 300], ids=["before nodes show", "early", "after the run"])
def test_a_name_that_several_nodes_have_fails_and_names_them(stage: Stage, seconds: float) -> None:
    run_id = stage.service.start_elsewhere(stage.workflow)
    stage.clock.advance(seconds)
    result = waited_for(stage, run_id, "fit", skip_on_missing=True, retries=1)
    assert isinstance(result.error, InvalidInputError), repr(result.error)
    for path in FITS:
        assert path in str(result.error)
    assert (stage.service.shown(run_id) == "running") is (seconds < 300)
    assert stage.deferrals == (stage.mode == "deferrable" and seconds == 0)


def test_a_name_that_several_nodes_have_skips_if_failures_do(stage: Stage) -> None:
    run_id = stage.service.start_elsewhere(stage.workflow)
    assert waited_for(stage, run_id, "fit", soft_fail=True).state == "skipped"
    assert stage.service.shown(run_id) == "running"


def test_part_of_a_name_is_none(stage: Stage) -> None:
    run_id = stage.service.start_elsewhere(stage.workflow)
    result = waited_for(stage, run_id, "tract")
    assert isinstance(result.error, RunFailedError), repr(result.error)
    assert "did not run" in str(result.error)
