"""Plays a plan: starts the tasks, does to them what is planned, and notes what came of it."""

from __future__ import annotations

import contextlib
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import httpx
import psutil

from tests.e2e.chaos.plan import MARKS, Deed
from tests.e2e.chaos.world import SPEED
from tests.e2e.rows import races
from tests.harness.processes import is_gone
from tests.harness.rest_client import FINISHED, StateNeverReachedError, TaskAddress

if TYPE_CHECKING:
    from tests.e2e.chaos.board import Board, Shown
    from tests.e2e.chaos.plan import ChaosPlan, PlannedRun
    from tests.e2e.chaos.world import World
    from tests.harness.standalone import StandaloneAirflow

AT_ONCE = 16
PATIENCE = 300.0
"""Seconds after which something will not happen any more, on a machine that has much to do."""
STOP_SECONDS = 30.0
"""What a component of Airflow has to end by itself."""
LOOK_INTERVAL, ASK_INTERVAL = 0.1, 1.0
"""Seconds between two looks at the cloud, and between two questions to Airflow."""
_WATCHED = re.compile(r"\(ID \d+\)")


@dataclass
class Tale:
    """What was done to a task, and how it ended.

    Attributes:
        planned: What was planned for it.
        at: Where Airflow has it.
        workflow: The workflow that it runs.
        runs_before_clears: How many runs it had started when it was cleared, for every time it was.
        kills: How often its worker was killed.
        too_early: Attempts that ended by themselves before the one was killed that was to be.
        state: In which state it ended.
        tries: How many attempts it took.
        logs: Those of all attempts, if there are several.
        races: How many of them Airflow has lost to its race at deferral, or before they began.
    """

    planned: PlannedRun
    at: TaskAddress
    workflow: str
    runs_before_clears: list[int] = field(default_factory=list)
    kills: int = 0
    too_early: int = 0
    state: str = ""
    tries: int = 0
    logs: list[str] = field(default_factory=list)
    races: int = 0


class Shift:
    """The triggerer's times of work: it is not restarted while somebody relies on it.

    Attributes:
        since: Beginning of the present one.
        restarts: How often the triggerer was restarted.
    """

    def __init__(self) -> None:
        self.since = datetime.min.replace(tzinfo=UTC)
        self.restarts = 0
        self._reliant = 0
        self._change = threading.Condition()

    @contextmanager
    def relied_on(self) -> Iterator[None]:
        """Keep the triggerer from being restarted."""
        with self._change:
            self._reliant += 1
        try:
            yield
        finally:
            with self._change:
                self._reliant -= 1
                self._change.notify_all()

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Let nobody rely on the triggerer, and begin a new shift."""
        with self._change:
            self._change.wait_for(lambda: self._reliant == 0)
            yield
            self.since = datetime.now(UTC)
            self.restarts += 1


class Driver:
    """Plays a plan on one Airflow.

    Args:
        airflow: Airflow, with the Dags of the chaos and its connections.
        world: The cloud.
        board: What Airflow says.
    """

    def __init__(self, airflow: StandaloneAirflow, world: World, board: Board) -> None:
        self.shift = Shift()
        self._airflow = airflow
        self._world = world
        self._board = board
        self._ended = threading.Semaphore(0)
        self._is_given_up = False

    def play(self, plan: ChaosPlan) -> list[Tale]:
        """Play all of it, many tasks at once; returns what happened to each."""
        with ThreadPoolExecutor(AT_ONCE + 1, thread_name_prefix="chaos") as pool:
            restarting = pool.submit(self._restart_triggerers, plan)
            playing = [pool.submit(self._play_run, run) for run in plan.runs]
            works: list[Future[Any]] = [restarting, *playing]
            # What fails first is told, and not what comes of it.
            for done in wait(works, return_when=FIRST_EXCEPTION).done:
                if done.exception() is not None:
                    self._give_up(len(plan.runs))
                    pool.shutdown(wait=False, cancel_futures=True)
                    done.result()
        tales = [each.result() for each in playing]
        output = self._airflow.output
        for tale in tales:
            if tale.tries > 1:
                tale.logs = [self._airflow.api.task_log(tale.at, number) for number in range(1, tale.tries + 1)]
                unbegun = tale.logs.count("") - len(tale.runs_before_clears)  # a clear may use up a number
                tale.races = races(output, tale.at, tale.logs) + max(0, unbegun)
        return tales

    def _give_up(self, runs: int) -> None:
        """Let nobody wait for the end of runs that are not played any more."""
        self._is_given_up = True
        self._ended.release(runs)

    def _restart_triggerers(self, plan: ChaosPlan) -> None:
        ended = 0
        for after in plan.restarts:
            while ended < after:
                self._ended.acquire()
                ended += 1
            if self._is_given_up:
                return
            self._restart_triggerer()

    def _restart_triggerer(self) -> None:
        with self.shift.changing():
            self._end(_outermost(psutil.Process(self._airflow.triggerer())))
            self._airflow.start_component("triggerer")

    def _end(self, component: psutil.Process) -> None:
        """End a component as a service manager does: it is asked first, and killed with its children later."""
        family = [component, *component.children(recursive=True)]
        self._airflow.send_signal(component.pid, signal.SIGTERM)
        give_up = time.monotonic() + STOP_SECONDS
        while not is_gone(component) and time.monotonic() < give_up:
            time.sleep(LOOK_INTERVAL)
        for process in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()

    def _play_run(self, planned: PlannedRun) -> Tale:
        try:
            return self._play_in_time(planned)
        except Exception as error:
            error.add_note(f"while playing {planned}")
            raise
        finally:
            self._ended.release()

    def _play_in_time(self, planned: PlannedRun) -> Tale:
        tale = self._begin(planned)
        if planned.is_endless:
            self._do(tale)
        shown = self._board.wait(tale.at, "end", _has_ended, PATIENCE)
        tale.state, tale.tries = shown["state"], shown["try_number"]
        return tale

    def _begin(self, planned: PlannedRun) -> Tale:
        workflow = self._world.prepare(planned)
        at = TaskAddress(planned.dag_id, f"chaos-{planned.number}", "train")
        body = {"dag_run_id": at.run_id, "logical_date": None, "conf": {"workflow": workflow}}
        self._airflow.api.call("POST", f"/dags/{at.dag_id}/dagRuns", json=body)
        return Tale(planned, at, workflow)

    def _do(self, tale: Tale) -> None:
        """Do to a task with an endless run what is planned, and end the run if nobody else does."""
        match tale.planned.deed:
            case Deed.KILL_STARTING:
                self._wait_for_runs(tale, 1)
                self._kill_worker(tale)
            case Deed.KILL_WAITING:
                self._wait_until_published(tale)
                time.sleep(tale.planned.seconds / SPEED)
                self._kill_worker(tale)
            case Deed.CLEAR:
                self._wait_until_published(tale)
                self._clear(tale)
                self._wait_for_runs(tale, 2)
            case Deed.MARK_FAILED | Deed.MARK_SUCCESS:
                self._mark(tale)
                return
            case Deed.NOTHING:
                self._wait_until_published(tale)
        time.sleep(tale.planned.seconds / SPEED)
        self._end_run(tale)

    def _kill_worker(self, tale: Tale) -> None:
        worker = self._airflow.worker_of(tale.at, PATIENCE)
        number = self._airflow.api.task_instance(tale.at)["try_number"]
        self._airflow.send_signal(worker, signal.SIGKILL)
        tale.kills += 1
        tale.too_early = number - 1
        # The next attempt may begin between two looks.
        self._board.wait(
            tale.at,
            "loss of the worker",
            lambda shown: shown["state"] != "running" or shown["try_number"] > number,
            PATIENCE,
        )

    def _clear(self, tale: Tale) -> None:
        tale.runs_before_clears.append(len(self._world.runs(tale.planned, tale.workflow)))
        self._airflow.api.clear(tale.at)

    def _mark(self, tale: Tale) -> None:
        """Mark the task as a person does, at a moment when Airflow tells somebody about it."""
        self._wait_until_published(tale)
        if tale.planned.mode == "sync":
            # The worker has two seconds to ask Airflow why it is to end: nothing else may keep that from answering.
            with self._airflow.api.writing:
                self._mark_and_see_stopped(tale)
            return
        with self.shift.relied_on():
            self._wait_until_watched(tale)
            self._mark_and_see_stopped(tale)

    def _mark_and_see_stopped(self, tale: Tale) -> None:
        self._airflow.api.mark(tale.at, MARKS[tale.planned.deed])
        if self._world.stops(tale.planned):
            self._wait(f"a stop of {tale.at}", lambda: self._is_stopped(tale))

    def _is_stopped(self, tale: Tale) -> bool:
        return self._world.counts(tale.planned, tale.workflow).stops > 0

    def _end_run(self, tale: Tale) -> None:
        newest = self._world.runs(tale.planned, tale.workflow)[-1]
        self._wait(f"{newest} at work", lambda: self._world.is_running(tale.planned, newest))
        self._world.end(tale.planned, newest)

    def _wait_for_runs(self, tale: Tale, count: int) -> None:
        self._wait(f"{count} runs of {tale.at}", lambda: len(self._world.runs(tale.planned, tale.workflow)) >= count)

    def _wait_until_published(self, tale: Tale) -> None:
        """Wait until the task has told Airflow which run it has: from then on it is neither starting nor looking."""
        self._wait_for_runs(tale, 1)
        if tale.planned.mode == "deferrable":
            self._wait_until_deferred(tale)
            return
        path = f"{tale.at.path}/xcomEntries/run_id"

        def is_published() -> bool:
            reply = self._told(path, deserialize=False, stringify=False)
            return bool(reply.get("value") == self._world.runs(tale.planned, tale.workflow)[-1])

        self._wait(f"a published run of {tale.at}", is_published, ASK_INTERVAL)

    def _wait_until_watched(self, tale: Tale) -> None:
        """Wait until a triggerer of this shift has the task: before that, Airflow calls nobody when it is killed."""
        self._wait_until_deferred(tale)

        def is_watched() -> bool:
            number = self._board.shown(tale.at)["try_number"]
            reply = self._told(f"{tale.at.path}/logs/{number}", full_content=True)
            return any(_begins_watch(line, self.shift.since) for line in reply.get("content", ()))

        self._wait(f"a trigger for {tale.at}", is_watched, ASK_INTERVAL)

    def _told(self, path: str, **params: bool) -> Any:
        """What Airflow says; nothing while it does not, or does not know."""
        try:
            return self._airflow.api.call("GET", path, params=params)
        except httpx.TransportError:
            return {}
        except httpx.HTTPStatusError as error:
            if error.response.status_code == httpx.codes.NOT_FOUND or error.response.is_server_error:
                return {}
            raise

    def _wait_until_deferred(self, tale: Tale) -> None:
        self._board.wait(tale.at, "deferral", lambda shown: shown["state"] == "deferred", PATIENCE)

    def _wait(self, what: str, fits: Callable[[], bool], interval: float = LOOK_INTERVAL) -> None:
        give_up = time.monotonic() + PATIENCE
        while not fits():
            self._airflow.check()
            if time.monotonic() > give_up:
                raise StateNeverReachedError(f"{what}: not within {PATIENCE} s")
            time.sleep(interval)


def _outermost(process: psutil.Process) -> psutil.Process:
    """The process that has forked others under its own name."""
    while (parent := process.parent()) is not None and parent.cmdline() == process.cmdline():
        process = parent
    return process


def _has_ended(shown: Shown) -> bool:
    return shown["state"] in FINISHED


def _begins_watch(line: object, since: datetime) -> bool:
    """Whether a line of a log tells that a triggerer has begun to watch, later than a time."""
    if not isinstance(line, dict) or _WATCHED.search(str(line["event"])) is None or not line.get("timestamp"):
        return False
    return datetime.fromisoformat(line["timestamp"]).astimezone(UTC) >= since
