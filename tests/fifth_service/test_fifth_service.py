"""One more service: rows of the table pass with no change to any base."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

from tests.fifth_service.loom_cloud import LoomEmulator, LoomUnderTest
from tests.scenarios import rows_attempts, rows_kills, rows_sensors, rows_starts
from tests.scenarios.stage import Mode, Stage
from tests.scenarios.test_scenarios import clock  # noqa: F401 - a fixture

if TYPE_CHECKING:
    from tests.scenarios.clock import ScriptedClock

SCENES = (
    rows_attempts.retry_repairs,
    rows_attempts.clear_of_a_finished_task,
    rows_attempts.lost_worker_between_start_and_record,
    rows_starts.lost_start_found_by_the_next_attempt,
    rows_kills.marked_failed,
    rows_kills.redeployed,
    rows_sensors.run_success,
)


@pytest.fixture
def emulator() -> Iterator[LoomEmulator]:
    with LoomEmulator(clock="manual") as emulator:
        yield emulator


@pytest.mark.parametrize("mode", ["sync", "deferrable"])
@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.__name__)
def test_row(scene: Callable[[Stage], None], mode: Mode, emulator: LoomEmulator, clock: ScriptedClock) -> None:  # noqa: F811
    scene(Stage(LoomUnderTest(emulator), mode, clock))
