"""One emulator and one Airflow for all end-to-end tests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from airflow_provider_mlworkflows.emulator import Emulator, StepDefinition, Switches, WorkflowDefinition, never_ends
from airflow_provider_mlworkflows.emulator.environment import connections
from tests.e2e.dags.kill_rows import ENDLESS
from tests.e2e.rows import Row
from tests.harness.environment import REPOSITORY
from tests.harness.standalone import StandaloneAirflow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DAG_FILES = [
    Path(__file__).parent / "dags" / "kill_rows.py",
    REPOSITORY / "example_dags" / "example_modelarts_start.py",
]


@pytest.fixture(scope="session")
def emulator() -> Iterator[Emulator]:
    """An emulator on the wall clock, with a workflow that never ends by itself."""
    # Nobody reads a run once its task has been killed, so a delay counted in reads would never end.
    with Emulator(clock="real", switches=Switches(visibility_delay=0)) as running:
        running.modelarts.add_workflow(
            WorkflowDefinition("endless", (StepDefinition("train", "job", (), (never_ends(),)),), workflow_id=ENDLESS)
        )
        yield running


@pytest.fixture(scope="session")
def airflow(emulator: Emulator) -> Iterator[StandaloneAirflow]:
    """A whole Airflow with the Dags of these tests, connected to the emulator."""
    running = StandaloneAirflow(
        DAG_FILES,
        environment={
            f"AIRFLOW_CONN_{conn_id.upper()}": json.dumps(connection)
            for conn_id, connection in connections(emulator.url).items()
        },
        config={"core.parallelism": "8"},
    )
    try:
        running.start()
        yield running
    finally:
        running.stop()


@pytest.fixture
def begin(airflow: StandaloneAirflow, emulator: Emulator) -> Callable[[str], Row]:
    """Begin a row: run a Dag, and wait until its task has started its run."""

    def begin_row(dag_id: str) -> Row:
        row = Row(airflow, emulator, dag_id, airflow.start_run(dag_id))
        row.wait_for_start()
        return row

    return begin_row
