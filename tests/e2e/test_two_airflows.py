"""Two whole Airflows, say staging and production, with the same Dags, equal Dag run ids and one account."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from tests.e2e.conftest import FERNET_KEY, whole_airflow
from tests.e2e.matrix import Deployment
from tests.e2e.secrets_search import Search
from tests.scenarios.service import Counts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_mlworkflows.emulator import Emulator
    from tests.e2e.rows import Row
    from tests.e2e.secrets_search import Secrets
    from tests.harness.standalone import StandaloneAirflow

pytestmark = [pytest.mark.e2e, pytest.mark.full]

RUN_ID = "manual__of_either"
STOPPING_SERVICES = ("modelarts", "paiflow", "aom")
Twins = tuple[Deployment, Deployment]


@pytest.fixture(scope="module")
def other(emulator: Emulator) -> Iterator[StandaloneAirflow]:
    """The second Airflow."""
    with whole_airflow(emulator) as running:
        yield running


@pytest.fixture(scope="module")
def twins(airflow: StandaloneAirflow, other: StandaloneAirflow, emulator: Emulator) -> Twins:
    """Both, and what they share."""
    return Deployment(airflow, emulator), Deployment(other, emulator)


@pytest.mark.parametrize("service", STOPPING_SERVICES)
def test_each_stops_its_own_run(twins: Twins, service: str) -> None:
    first, second = _begin(twins, service)
    ours, theirs = first.runs
    for row in (first, second):
        row.wait_until_watched()
    first.mark("failed")
    first.wait_for_run("stopped", 0)
    first.clear()
    first.wait_for_start(3)
    assert first.runs[:2] == [ours, theirs]
    assert [first.run_state(number) for number in range(3)] == ["stopped", "running", "running"]
    second.service.finish(theirs)
    second.wait_for_end()
    first.finish()
    first.wait_for_end()
    assert (first.instance["state"], second.instance["state"]) == ("success", "success")
    assert _counts(first) == Counts(starts=3, stops=1)


def test_each_finds_its_own_start_after_its_worker_was_killed(twins: Twins) -> None:
    workflow = twins[0].prepare()
    first, second = (_lose_worker_in_start(deployment, workflow) for deployment in twins)
    assert first.at == second.at
    for row in (first, second):
        row.wait_for_log("Found run", attempt=2)
    for row, run in zip((first, second), first.runs, strict=True):
        row.wait_for_log(f"/{run} by its marker", attempt=2)
        row.service.finish(run)
        row.wait_for_end()
        assert row.instance["state"] == "success", row.log
    assert _counts(first) == Counts(starts=2)


def test_neither_tells_a_secret(twins: Twins, secrets: Secrets) -> None:
    for deployment in twins:
        search = Search(secrets, FERNET_KEY)
        search.airflow(deployment.airflow)
        assert search.searched["task logs"]
        assert not search.hits


def _begin(twins: Twins, service: str) -> tuple[Row, Row]:
    """Let equal tasks start a run of the same workflow, in the first Airflow first."""
    workflow = twins[0].prepare(service)
    rows = []
    for number, deployment in enumerate(twins, start=1):
        row = deployment.begin(f"kill_{service}_deferred", workflow, service=service, run_id=RUN_ID, published=False)
        row.wait_for_start(number)
        rows.append(row)
    first, second = rows
    assert first.at == second.at
    return first, second


def _lose_worker_in_start(deployment: Deployment, workflow: str) -> Row:
    """Let a task start a run, and kill its worker before it is told which."""
    row, worker = deployment.begin_with_a_slow_start(workflow, run_id=RUN_ID)
    row.airflow.send_signal(worker, signal.SIGKILL)
    return row


def _counts(row: Row) -> Counts:
    """What both Airflows have asked for."""
    return row.service.under_test.counts(row.workflow)
