"""What Airflow says of all the tasks, asked for once for everybody who waits."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import httpx

from tests.harness.rest_client import StateNeverReachedError

if TYPE_CHECKING:
    from tests.harness.rest_client import AirflowRestClient, TaskAddress

DAGS = "chaos_"
LOOK_INTERVAL = 0.7
PAGE = 100

Shown = dict[str, Any]


class Board:
    """The task instances of the chaos as Airflow's API shows them.

    Args:
        api: The API.
    """

    def __init__(self, api: AirflowRestClient) -> None:
        self._api = api
        self._shown: dict[tuple[str, str], Shown] = {}
        self._news = threading.Condition()
        self._closing = threading.Event()
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._look, name="chaos-board", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._closing.set()
        self._thread.join()

    def shown(self, at: TaskAddress) -> Shown:
        """The task instance as it was a moment ago."""
        with self._news:
            return self._shown.get((at.dag_id, at.run_id), {"state": None, "try_number": 0})

    def wait(self, at: TaskAddress, what: str, fits: Callable[[Shown], bool], patience: float) -> Shown:
        """Wait until a task instance is as it should be.

        Raises:
            StateNeverReachedError: It was not in time.
        """
        with self._news:
            if not self._news.wait_for(lambda: self._failure is not None or fits(self.shown(at)), patience):
                raise StateNeverReachedError(f"{at}: no {what} within {patience} s, but {self.shown(at)}")
            if self._failure is not None:
                raise self._failure
            return self.shown(at)

    def _look(self) -> None:
        while not self._closing.wait(LOOK_INTERVAL):
            try:
                found = self._read()
            except (httpx.TransportError, httpx.HTTPStatusError):
                continue  # a busy API server is asked again; whoever waits loses patience some time
            except Exception as error:  # told to everybody who waits
                self._failure = error
                found = {}
            with self._news:
                self._shown.update(found)
                self._news.notify_all()

    def _read(self) -> dict[tuple[str, str], Shown]:
        """All of them, but for one or another that has got a new id, and so another place, in the meantime."""
        self._api.check()
        found: dict[tuple[str, str], Shown] = {}
        offset = 0
        while True:
            params = {"dag_id_prefix_pattern": DAGS, "limit": PAGE, "offset": offset, "order_by": "id"}
            reply = self._api.call("GET", "/dags/~/dagRuns/~/taskInstances", params=params)
            for each in reply["task_instances"]:
                found[each["dag_id"], each["dag_run_id"]] = each
            offset += len(reply["task_instances"])
            if not reply["task_instances"] or offset >= reply["total_entries"]:
                return found
