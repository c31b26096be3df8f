"""What becomes of the run when its task is killed, on a real Airflow. Rows that end processes come last."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.e2e import kill_scenes, process_scenes
from tests.e2e.matrix import RESULTS, ROWS, Deployment, KillRow, Performance

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.emulator import Emulator
    from tests.harness.standalone import StandaloneAirflow

pytestmark = [pytest.mark.e2e]

SCENES = (kill_scenes, process_scenes)


def _parameters() -> Iterator[object]:
    for row in sorted(ROWS.values(), key=lambda row: row.ends_processes):
        yield pytest.param(row, id=row.name, marks=pytest.mark.slow if row.in_gate else pytest.mark.full)


@pytest.fixture(scope="module")
def performance(
    request: pytest.FixtureRequest, airflow: StandaloneAirflow, emulator: Emulator
) -> Iterator[Performance]:
    """All rows that were asked for; the quiet ones are being played."""
    assert request.config.cache is not None
    performance = Performance(Deployment(airflow, emulator), request.config.cache.mkdir("e2e") / RESULTS)
    asked = (
        item.callspec.params.get("row")
        for item in request.session.items
        if isinstance(item, pytest.Function) and hasattr(item, "callspec")
    )
    performance.begin([row.name for row in asked if isinstance(row, KillRow)])
    yield performance
    performance.end()


@pytest.mark.parametrize("row", _parameters())
def test_kill_row(performance: Performance, row: KillRow) -> None:
    outcome = performance.outcome(row.name)
    assert row.allows(outcome), f"{outcome}, not {row.expected}:\n{performance.played[row.name].log}"


@pytest.mark.slow
def test_nothing_happens_afterwards(performance: Performance) -> None:
    assert performance.played
    later = {name: row.outcome() for name, row in performance.played.items()}
    assert not {name: outcome for name, outcome in later.items() if not ROWS[name].allows(outcome)}
