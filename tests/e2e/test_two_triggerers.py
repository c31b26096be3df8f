"""Many watched runs, and two triggerers of which one is killed and one stands still for too long.

Airflow gives the triggers of a triggerer without a heartbeat to another one. Once the first goes on, it still
believes to have them, learns that it has not, and is told to cancel them all, in the same words as when a person
ends the tasks. No run may be stopped by that, started twice or judged wrongly.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_mlworkflows.emulator import Emulator, Switches
from airflow_provider_mlworkflows.emulator.environment import connections
from tests.e2e.conftest import FERNET_KEY
from tests.e2e.secrets_search import Search, overheard
from tests.e2e.triggerers import PATIENCE, TaskKey, Triggerer, TriggererPool
from tests.harness.postgres import PostgresServer, required_binaries
from tests.harness.rest_client import FINISHED, TaskAddress
from tests.harness.standalone import StandaloneAirflow
from tests.scenarios.aom import AomUnderTest
from tests.scenarios.modelarts import ModelArtsUnderTest
from tests.scenarios.obs import ObsUnderTest
from tests.scenarios.paiflow import PaiFlowUnderTest
from tests.scenarios.plan import chain, endless
from tests.scenarios.service import Counts

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from tests.e2e.secrets_search import Secrets
    from tests.scenarios.service import ServiceUnderTest

pytestmark = [pytest.mark.e2e, pytest.mark.full]

DAG_ID = "two_triggerers"
STEP = "train"
RUNS = 50
ENDED_MEANWHILE = 10
"""Runs that end while a triggerer stands still; the others end after it has gone on."""
HANDED_OVER = "is watched elsewhere; it goes on"
SEARCHED = (
    "task logs",
    "component logs",
    "xcom",
    "rendered_task_instance_fields",
    "task_state_store",
    "serialized_dag",
)
FIGURES = "reliability/two_triggerers.json"
"""Where the figures are kept, in the test runner's cache."""
CONFIG = {
    "core.parallelism": "6",
    "triggerer.job_heartbeat_sec": "1",
    "triggerer.triggerer_health_check_threshold": "15",
    # Of the triggerer that Airflow begins with: less than all, so that the next one gets some, too.
    "triggerer.capacity": "30",
    "core.fernet_key": FERNET_KEY.decode(),
}
UNDER_TEST = (ModelArtsUnderTest, PaiFlowUnderTest, AomUnderTest, ObsUnderTest)


class Verdict(StrEnum):
    """What comes of a run, and what the task's log then speaks of."""

    SUCCEEDS = ""
    FAILS = "RunFailedError"
    STOPPED = "RunStoppedError"

    @property
    def state(self) -> str:
        """The state of the task."""
        return "success" if self is Verdict.SUCCEEDS else "failed"


def enders(emulator: Emulator) -> Mapping[str, Mapping[Verdict, Callable[[str], object]]]:
    """What ends a run as somebody else does, by service and verdict; nobody can stop a run of OBS."""
    modelarts, paiflow, aom, obs = emulator.modelarts, emulator.paiflow, emulator.aom, emulator.obs
    return {
        "modelarts": {
            Verdict.SUCCEEDS: lambda run: modelarts.force_status(run, "completed", {STEP: "completed"}),
            Verdict.FAILS: lambda run: modelarts.force_status(run, "failed", {STEP: "failed"}),
            Verdict.STOPPED: ModelArtsUnderTest(emulator).stop_elsewhere,
        },
        "paiflow": {
            Verdict.SUCCEEDS: lambda run: paiflow.force_status(run, "Succeeded", {STEP: "Succeeded"}),
            Verdict.FAILS: lambda run: paiflow.force_status(run, "Failed", {STEP: "Failed"}),
            Verdict.STOPPED: PaiFlowUnderTest(emulator).stop_elsewhere,
        },
        "aom": {
            Verdict.SUCCEEDS: aom.finish_node,
            Verdict.FAILS: aom.fail_node,
            Verdict.STOPPED: AomUnderTest(emulator).stop_elsewhere,
        },
        "obs": {
            Verdict.SUCCEEDS: obs.finish_state,
            Verdict.FAILS: lambda run: obs.finish_state(run, "FAILED"),
        },
    }


@dataclass
class Fleet:
    """The watched runs: tasks of one Dag run, and the runs that they have started.

    Attributes:
        airflow: Airflow.
        emulator: The emulated services.
        verdicts: What is going to come of each task's run.
        runs: The id of each task's run.
        dag_run: The Dag run.
    """

    airflow: StandaloneAirflow
    emulator: Emulator
    verdicts: dict[TaskKey, Verdict] = field(default_factory=dict)
    runs: dict[TaskKey, str] = field(default_factory=dict)
    dag_run: str = ""
    _services: dict[str, ServiceUnderTest] = field(default_factory=dict)
    _workflows: dict[str, str] = field(default_factory=dict)

    def start(self) -> None:
        """Start all runs, and wait until every task is deferred until its own is over."""
        self._services = {kind.name: kind(self.emulator) for kind in UNDER_TEST}
        steps = chain((STEP, endless()))
        self._workflows = {name: service.add_workflow(steps) for name, service in self._services.items()}
        self.dag_run = self.airflow.start_run(DAG_ID, dict(self._workflows))
        self.wait_for_states({"deferred"})
        instances = self.instances()
        assert len(instances) == RUNS, instances.keys()
        self.runs = {key: self.airflow.api.xcoms(self.at(key))["run_id"] for key in instances}
        ends = {name: cycle(of_service) for name, of_service in enders(self.emulator).items()}
        self.verdicts = {key: next(ends[key[0]]) for key in sorted(instances)}

    def end(self, keys: Collection[TaskKey]) -> None:
        """Let the runs of these tasks end as is meant for them, and wait until the tasks have, too."""
        by_service = enders(self.emulator)
        for key in keys:
            by_service[key[0]][self.verdicts[key]](self.runs[key])
        self.wait_for_states(FINISHED, keys)

    def at(self, key: TaskKey) -> TaskAddress:
        """Where a task is."""
        return TaskAddress(DAG_ID, self.dag_run, *key)

    def instances(self) -> dict[TaskKey, dict[str, Any]]:
        """All task instances as Airflow shows them."""
        path = f"/dags/{DAG_ID}/dagRuns/{self.dag_run}/taskInstances"
        listed = self.airflow.api.call("GET", path, params={"limit": 2 * RUNS})["task_instances"]
        return {(each["task_id"], each["map_index"]): each for each in listed}

    def wait_for_states(self, states: Collection[str], keys: Collection[TaskKey] = ()) -> None:
        """Wait until these tasks, or all, are in one of these states."""

        def reached() -> bool | None:
            found = {key: each["state"] for key, each in self.instances().items() if key in keys or not keys}
            ended = {key: state for key, state in found.items() if state in FINISHED - set(states)}
            assert not ended, f"ended instead of {states}: {ended}"
            return all(state in states for state in found.values()) or None

        self.airflow.api.wait_for(f"tasks {states}", reached, PATIENCE)

    def counts(self) -> Counts:
        """What the services were asked to do to all runs."""
        counts = [self._services[name].counts(workflow) for name, workflow in self._workflows.items()]
        return Counts(
            starts=sum(each.starts for each in counts),
            stops=sum(each.stops for each in counts),
            idle_stops=sum(each.idle_stops for each in counts),
            repairs=sum(each.repairs for each in counts),
            continues=sum(each.continues for each in counts),
        )

    def wrong_verdicts(self) -> dict[TaskKey, str]:
        """The tasks that did not come to what their runs did, and why."""
        wrong = {}
        for key, instance in self.instances().items():
            verdict = self.verdicts[key]
            log = self.airflow.api.task_log(self.at(key), instance["try_number"])
            if instance["state"] != verdict.state or verdict not in log:
                wrong[key] = f"{instance['state']} after {verdict.name}:\n{log}"
        return wrong


@dataclass
class Scene:
    """What happens to the triggerers while they watch the runs.

    Attributes:
        fleet: The runs.
        pool: The triggerers.
        figures: What was measured.
    """

    fleet: Fleet
    pool: TriggererPool
    figures: dict[str, Any] = field(default_factory=dict)

    def play(self) -> None:
        """Kill one triggerer, let another stand still, and end all runs."""
        killed = self.pool.first()
        self._time("all runs started", self.fleet.start)
        paused = self.pool.start()
        self._time("triggers shared out", lambda: self._share_out(killed, paused))
        self._time("triggers of the killed one taken over", lambda: self._kill(killed, paused))
        rescuer = self.pool.start()
        self._time("triggers of the paused one taken over", lambda: self._pause(paused, rescuer))
        keys = sorted(self.fleet.runs)
        meanwhile, later = keys[:: RUNS // ENDED_MEANWHILE], set(keys)
        later.difference_update(meanwhile)
        self._time(f"{len(meanwhile)} runs ended meanwhile", lambda: self.fleet.end(meanwhile))
        self.pool.resume(paused)
        self._time("triggers given up after the pause", lambda: self._give_up(paused, later))
        self._time(f"{len(later)} runs ended afterwards", lambda: self.fleet.end(later))

    def _share_out(self, *triggerers: Triggerer) -> None:
        self.pool.wait_until_run_by(triggerers, self.fleet.runs)
        holdings = self.pool.holdings()
        self.figures["triggers of each"] = [holdings[triggerer.job] for triggerer in triggerers]

    def _kill(self, killed: Triggerer, heir: Triggerer) -> None:
        self.pool.kill(killed)
        self.pool.wait_until_run_by([heir], self.fleet.runs)

    def _pause(self, paused: Triggerer, heir: Triggerer) -> None:
        self.pool.pause(paused)
        self.pool.wait_until_run_by([heir], self.fleet.runs)

    def _give_up(self, paused: Triggerer, keys: Collection[TaskKey]) -> None:
        self.pool.wait_until_logged(paused, HANDED_OVER, keys)
        self.figures["hand-overs recognised"] = len(self.pool.logged(paused, HANDED_OVER))

    def _time(self, what: str, act: Callable[[], None]) -> None:
        begin = time.monotonic()
        act()
        self.figures[f"{what} (s)"] = round(time.monotonic() - begin, 1)


@pytest.fixture
def database() -> Iterator[PostgresServer]:
    """A PostgreSQL server."""
    with PostgresServer(required_binaries()) as server:
        yield server


@pytest.fixture
def cloud(secrets: Secrets) -> Iterator[Emulator]:
    """An emulator of its own, so that nobody else's requests are in its journal."""
    # At a failed node an execution of AOM may also stand still until somebody stops it; none shall be stopped here.
    switches = Switches(visibility_delay=0, aom_failed_node="fail")
    with overheard(secrets), Emulator(clock="real", switches=switches) as running:
        yield running


@pytest.fixture
def deployment(database: PostgresServer, cloud: Emulator) -> Iterator[StandaloneAirflow]:
    """An Airflow on that database, connected to that emulator."""
    found = connections(cloud.url).items()
    running = StandaloneAirflow(
        [Path(__file__).parent / "dags" / "two_triggerers.py"],
        environment={f"AIRFLOW_CONN_{name.upper()}": json.dumps(connection) for name, connection in found},
        config={**CONFIG, "database.sql_alchemy_conn": database.url},
    )
    try:
        running.start()
        yield running
    finally:
        running.stop()


def test_killed_and_paused_triggerers_stop_nothing(
    deployment: StandaloneAirflow,
    database: PostgresServer,
    cloud: Emulator,
    secrets: Secrets,
    request: pytest.FixtureRequest,
    capsys: pytest.CaptureFixture[str],
) -> None:
    fleet = Fleet(deployment, cloud)
    scene = Scene(fleet, TriggererPool(deployment, database, DAG_ID), {"PostgreSQL": database.version})
    scene.play()

    wrong, counts, raced = fleet.wrong_verdicts(), fleet.counts(), scene.pool.raced()
    retried = Counter({key: instance["try_number"] - 1 for key, instance in fleet.instances().items()})
    scene.figures |= {
        "verdicts": dict(Counter(verdict.name.lower() for verdict in fleet.verdicts.values())),
        "right verdicts": RUNS - len(wrong),
        "starts": counts.starts,
        "stops": counts.stops + counts.idle_stops,
        "retries": retried.total(),
        "of them by Airflow's race at deferral": (retried & raced).total(),
    }
    with capsys.disabled():
        print(f"\n{DAG_ID}: {json.dumps(scene.figures, indent=2)}")
    assert request.config.cache is not None
    kept = request.config.cache.mkdir("e2e") / FIGURES
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_text(json.dumps(scene.figures, indent=2) + "\n")

    assert not wrong, "\n".join(f"{key}: {why}" for key, why in wrong.items())
    assert counts == Counts(starts=RUNS)
    assert cloud.journal.count(effective=True) == RUNS
    assert len(set(fleet.runs.values())) == RUNS
    assert not retried - raced

    search = Search(secrets, FERNET_KEY)
    search.files(deployment.home)
    search.database(database.url)
    assert not search.hits
    assert not [place for place in SEARCHED if not search.searched[place]]
