"""The kill matrix: its rows, who plays them, and where their outcomes are kept."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_mlworkflows.emulator import FaultRule
from airflow_provider_mlworkflows.emulator.environment import HUAWEI_CONNECTION, connections
from tests.e2e.rows import Outcome, Row
from tests.e2e.services import STEP, row_services
from tests.harness.rest_client import TaskAddress

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_mlworkflows.emulator import Emulator
    from tests.harness.standalone import StandaloneAirflow

SIDE_BY_SIDE = 4
"""How many rows are played at the same time; a worker that is killed has five seconds, which it must not wait out."""
DELAY = 3.0
"""Seconds that a slow answer takes: less than a worker has that was told to end."""
RESULTS = "kill_matrix.json"
"""Where the outcomes are kept, in the test runner's cache."""


class Deployment:
    """One Airflow and the services that it calls.

    Attributes:
        airflow: Airflow.
        emulator: The emulated services.
        services: They, by name.
    """

    def __init__(self, airflow: StandaloneAirflow, emulator: Emulator) -> None:
        self.airflow = airflow
        self.emulator = emulator
        self.services = row_services(emulator)

    def prepare(self, service: str = "modelarts") -> str:
        """Put a workflow into a service; returns its id."""
        return self.services[service].add_workflow()

    def set_key(self, conn_id: str, access_key: str, secret_key: str, security_token: str | None) -> None:
        """Create a connection to Huawei Cloud in Airflow's database, or put another key into it."""
        usual = connections(self.emulator.url)[HUAWEI_CONNECTION]
        token = {} if security_token is None else {"security_token": security_token}
        body = {
            "connection_id": conn_id,
            "conn_type": usual["conn_type"],
            "login": access_key,
            "password": secret_key,
            "extra": json.dumps({**usual["extra"], **token}),
        }
        known = {each["connection_id"] for each in self.airflow.api.call("GET", "/connections")["connections"]}
        if conn_id in known:
            self.airflow.api.call("PATCH", f"/connections/{conn_id}", json=body)
        else:
            self.airflow.api.call("POST", "/connections", json=body)

    def begin(
        self,
        dag_id: str,
        workflow: str = "",
        *,
        service: str = "modelarts",
        run_id: str | None = None,
        published: bool = True,
    ) -> Row:
        """Begin a row: run a Dag, and wait until its task has started its run.

        Args:
            dag_id: The Dag.
            workflow: What to start; a workflow of its own if "".
            service: Where.
            run_id: What to call the Dag run; Airflow makes up a name if None.
            published: Wait until the task has published its run.
        """
        workflow = workflow or self.prepare(service)
        run_id = self.airflow.start_run(dag_id, {"workflow": workflow}, run_id)
        row = Row(self.airflow, self.services[service], workflow, TaskAddress(dag_id, run_id, STEP))
        if published:
            row.wait_for_start()
        return row

    def begin_with_a_slow_start(self, workflow: str = "", *, run_id: str | None = None) -> tuple[Row, int]:
        """Begin a row on ModelArts whose start has taken effect and is not answered yet; returns it and its worker."""
        workflow = workflow or self.prepare()
        before = len(self.services["modelarts"].under_test.runs(workflow))
        path = rf"^POST .*/workflows/{workflow}/executions$"
        self.emulator.faults.add(FaultRule(path=path, when="after", action="delay", delay=DELAY))
        row = self.begin("kill_modelarts_worker", workflow, run_id=run_id, published=False)
        row.wait_for_task("running")
        worker = self.airflow.worker_of(row.at)
        self.airflow.api.wait_for("the start", lambda: row.runs[before:] or None, 60)
        return row, worker

    def begin_mapped(self, dag_id: str, count: int) -> Sequence[Row]:
        """Begin a row with a mapped task: one row for each of its instances."""
        workflows = [self.prepare() for _ in range(count)]
        run_id = self.airflow.start_run(dag_id, {"workflows": workflows})
        rows = [
            Row(self.airflow, self.services["modelarts"], workflow, TaskAddress(dag_id, run_id, STEP, number))
            for number, workflow in enumerate(workflows)
        ]
        for row in rows:
            row.wait_for_start()
        return rows


Scene = Callable[[Deployment], Row]


@dataclass(frozen=True)
class KillRow:
    """A row of the matrix.

    Attributes:
        name: As in test ids and in the document.
        title: What happens.
        scene: Lets it happen; returns the row once it has ended.
        expected: What has to come of it; of requests to stop what is stopping already, there may be fewer.
        in_gate: Part of the shorter selection.
        ends_processes: Ends components of Airflow, so that nothing else may run at the same time.
        most_retries: How many attempts it may take where Airflow decides how many; otherwise just as expected.
    """

    name: str
    title: str
    scene: Scene
    expected: Outcome
    in_gate: bool
    ends_processes: bool
    most_retries: int | None

    def allows(self, outcome: Outcome) -> bool:
        """Whether an outcome is as expected, up to what depends on who comes first."""
        most_retries = self.expected.retries if self.most_retries is None else self.most_retries
        return (
            outcome == replace(self.expected, idle_stops=outcome.idle_stops, retries=outcome.retries)
            and outcome.idle_stops <= self.expected.idle_stops
            and self.expected.retries <= outcome.retries <= most_retries
        )


ROWS: dict[str, KillRow] = {}


def kill_row(
    *,
    task: str,
    run: str,
    starts: int = 1,
    stops: int = 0,
    idle_stops: int = 0,
    retries: int = 0,
    in_gate: bool = False,
    ends_processes: bool = False,
    most_retries: int | None = None,
    on: Collection[str] = (),
) -> Callable[[Callable[..., Row]], Callable[..., Row]]:
    """Put a scene into the matrix, once for each service if it is to be played on several.

    Its docstring says what happens. The arguments are those of `Outcome` and `KillRow`; a scene for several
    services takes the service's name, and only its first row is part of the gate.
    """
    expected = Outcome(starts, stops, idle_stops, retries, task, run)

    def put(scene: Callable[..., Row]) -> Callable[..., Row]:
        title = (scene.__doc__ or "").strip().rstrip(".")
        if not on:
            _add(KillRow(scene.__name__, title, scene, expected, in_gate, ends_processes, most_retries))
        for number, service in enumerate(on):
            name, of_service = f"{scene.__name__}-{service}", partial(scene, service=service)
            gate = in_gate and number == 0
            _add(KillRow(name, f"{title} ({service})", of_service, expected, gate, ends_processes, most_retries))
        return scene

    return put


def _add(row: KillRow) -> None:
    assert row.title, f"row {row.name} does not say what happens"
    assert row.name not in ROWS, f"two rows are called {row.name}"
    ROWS[row.name] = row


@dataclass
class Performance:
    """The rows of one session: quiet ones are played side by side, the others alone and after them.

    Attributes:
        deployment: Where.
        results: File that keeps the outcomes.
        played: The rows that have been played.
    """

    deployment: Deployment
    results: Path
    played: dict[str, Row] = field(default_factory=dict)
    _quiet: dict[str, Future[Row]] = field(default_factory=dict)
    _pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(SIDE_BY_SIDE))

    def begin(self, names: Collection[str]) -> None:
        """Begin to play the quiet ones among some rows."""
        for name in names:
            row = ROWS[name]
            if not row.ends_processes:
                self._quiet[name] = self._pool.submit(row.scene, self.deployment)

    def outcome(self, name: str) -> Outcome:
        """Play a row, or wait for its end, and keep its outcome."""
        if ROWS[name].ends_processes:
            wait(self._quiet.values())
            row = ROWS[name].scene(self.deployment)
        else:
            row = self._quiet[name].result()
        self.played[name] = row
        outcome = row.outcome()
        self._keep(name, outcome)
        return outcome

    def end(self) -> None:
        """Wait for what is still being played."""
        self._pool.shutdown(cancel_futures=True)

    def _keep(self, name: str, outcome: Outcome) -> None:
        kept: dict[str, Any] = json.loads(self.results.read_text()) if self.results.exists() else {}
        kept[name] = asdict(outcome)
        self.results.parent.mkdir(parents=True, exist_ok=True)
        self.results.write_text(json.dumps(kept, indent=2, sort_keys=True) + "\n")
