"""A chaos from the drawing of its plan to its audit."""

from __future__ import annotations

import contextlib
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from tests.e2e.chaos.audit import Findings, audit, figures, going_on
from tests.e2e.chaos.board import Board
from tests.e2e.chaos.driver import Driver
from tests.e2e.chaos.plan import draw
from tests.e2e.chaos.world import World, traits
from tests.harness.rest_client import StateNeverReachedError

if TYPE_CHECKING:
    from tests.harness.rest_client import AirflowRestClient
    from tests.harness.standalone import StandaloneAirflow

DAG_FILE = Path(__file__).parents[1] / "dags" / "chaos.py"
STOP_PATIENCE = 30.0


@dataclass(frozen=True, slots=True)
class Report:
    """What a chaos came to: findings, and all figures in one line."""

    findings: Findings
    figures: str


def run_chaos(airflow: StandaloneAirflow, *, runs: int, seed: int) -> Report:
    """Play so many tasks on an Airflow that runs already."""
    plan = draw(seed, runs, traits())
    world = World()
    dag_ids = sorted({run.dag_id for run in plan.runs})
    with world.emulator:
        _introduce(airflow, world, dag_ids)
        began = time.monotonic()
        with Board(airflow.api) as board:
            driver = Driver(airflow, world, board)
            try:
                tales = driver.play(plan)
            except BaseException:
                end_dag_runs(airflow.api, dag_ids)
                raise
        # The audit names those that go on even so.
        with contextlib.suppress(StateNeverReachedError):
            airflow.api.wait_for("the end of all runs", lambda: not going_on(world, tales) or None, STOP_PATIENCE)
        findings = audit(world, tales)
        seconds = time.monotonic() - began
    line = figures(findings, tales, seed=seed, restarts=driver.shift.restarts, seconds=seconds)
    return Report(findings, line)


def end_dag_runs(api: AirflowRestClient, dag_ids: list[str]) -> None:
    """End the tasks of a chaos that is given up: those that wait on workers keep places that others need."""
    with contextlib.suppress(httpx.HTTPError):  # an Airflow that answers nobody has no place to give
        for dag_id in dag_ids:
            going_on = api.call("GET", f"/dags/{dag_id}/dagRuns", params={"state": ["queued", "running"]})
            for run in going_on["dag_runs"]:
                api.call("PATCH", f"/dags/{dag_id}/dagRuns/{run['dag_run_id']}", json={"state": "failed"})


def _introduce(airflow: StandaloneAirflow, world: World, dag_ids: list[str]) -> None:
    """Tell Airflow of the Dags and of the way to the cloud."""
    shutil.copyfile(DAG_FILE, airflow.home / "dags" / DAG_FILE.name)
    for body in world.connections():
        airflow.api.call("POST", "/connections", json=body)
    for dag_id in dag_ids:
        airflow.api.wait_for_dag(dag_id, patience=120)
        airflow.api.unpause(dag_id)
