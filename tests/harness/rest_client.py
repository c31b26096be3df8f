"""Airflow's public REST API, as far as tests need it."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx

T = TypeVar("T")

MOST_ATTEMPTS = 5
"""How often a write is sent that the database refuses."""
FINISHED = frozenset({"success", "failed", "skipped", "upstream_failed", "removed"})


class StateNeverReachedError(AssertionError):
    """Something waited for did not come true in time."""


@dataclass(frozen=True)
class TaskAddress:
    """Which task instance a call is about; ``map_index`` is -1 unless the task is mapped."""

    dag_id: str
    run_id: str
    task_id: str
    map_index: int = -1

    @property
    def path(self) -> str:
        """Where the API has it, mapped or not: what is about one of several mapped ones says which."""
        return f"/dags/{self.dag_id}/dagRuns/{self.run_id}/taskInstances/{self.task_id}"


class AirflowRestClient:
    """Calls the REST API of one Airflow.

    Args:
        base_url: address of the API server, without a path.
        poll_interval: seconds between two looks while waiting.
        check: called before each of them; what it raises ends the waiting.

    Attributes:
        address: Address of the API server, without a path.
        check: See above.
        writing: held by whoever changes something. On SQLite, a write makes the API server stand still for five
            seconds if it meets another one; hold this to have no such thing happen.
    """

    def __init__(self, base_url: str, *, poll_interval: float = 0.2, check: Callable[[], None] = lambda: None) -> None:
        self.address = base_url
        self._http = httpx.Client(base_url=base_url, timeout=30.0)
        self._poll_interval = poll_interval
        self.check = check
        self.writing = threading.RLock()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def health(self) -> dict[str, str | None]:
        """Return the status of each component."""
        reply = self._http.get("/api/v2/monitor/health")
        reply.raise_for_status()
        return {name: part["status"] for name, part in reply.json().items() if part is not None}

    def log_in(self) -> None:
        """Get a token; Airflow has to run with all users as administrators."""
        reply = self._http.get("/auth/token")
        reply.raise_for_status()
        self._http.headers["Authorization"] = f"Bearer {reply.json()['access_token']}"

    def call(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        params: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
    ) -> Any:
        """Send a request below ``/api/v2`` and return the decoded answer, None if it is empty.

        Raises:
            httpx.HTTPStatusError: an error answer, with its body as a note.
        """
        reply = self._send(method, path, json, params, headers)
        try:
            reply.raise_for_status()
        except httpx.HTTPStatusError as error:
            error.add_note(reply.text)
            raise
        return reply.json() if reply.content else None

    def _send(
        self, method: str, path: str, json: Any, params: dict[str, Any] | None, headers: dict[str, str] | None
    ) -> httpx.Response:
        with contextlib.nullcontext() if method == "GET" else self.writing:
            for _ in range(MOST_ATTEMPTS - 1):
                reply = self._http.request(method, f"/api/v2{path}", json=json, params=params, headers=headers)
                if reply.status_code != httpx.codes.INTERNAL_SERVER_ERROR or "Database error" not in reply.text:
                    return reply
            return self._http.request(method, f"/api/v2{path}", json=json, params=params, headers=headers)

    def wait_for(self, what: str, look: Callable[[], T | None], patience: float) -> T:
        """Look until there is something to see.

        Args:
            what: for the error message.
            look: returns None until there is something.
            patience: seconds after which to give up.

        Raises:
            StateNeverReachedError: there was nothing to see in time.
        """
        deadline = time.monotonic() + patience
        while (found := self._checked(look)) is None:
            if time.monotonic() > deadline:
                raise StateNeverReachedError(f"{what}: not within {patience} s")
            time.sleep(self._poll_interval)
        return found

    def _checked(self, look: Callable[[], T | None]) -> T | None:
        self.check()
        return look()

    def wait_for_dag(self, dag_id: str, patience: float = 60.0) -> None:
        """Wait until the DAG processor has stored a DAG; an import error fails at once."""

        def look() -> bool | None:
            if errors := self.call("GET", "/importErrors")["import_errors"]:
                raise AssertionError(errors[0]["stack_trace"])
            listed = self.call("GET", "/dags", params={"dag_id_pattern": dag_id, "exclude_stale": True})
            return any(dag["dag_id"] == dag_id for dag in listed["dags"]) or None

        self.wait_for(f"DAG {dag_id}", look, patience)

    def unpause(self, dag_id: str) -> None:
        """Let the scheduler run a DAG."""
        self.call("PATCH", f"/dags/{dag_id}", json={"is_paused": False})

    def trigger(self, dag_id: str, conf: dict[str, Any] | None = None, run_id: str | None = None) -> str:
        """Start a run and return its id, which Airflow makes up if none is given."""
        named = {} if run_id is None else {"dag_run_id": run_id}
        body = {"logical_date": None, "conf": conf or {}, **named}
        return str(self.call("POST", f"/dags/{dag_id}/dagRuns", json=body)["dag_run_id"])

    def dag_run(self, dag_id: str, run_id: str) -> dict[str, Any]:
        """Return a run as the API shows it."""
        return dict(self.call("GET", f"/dags/{dag_id}/dagRuns/{run_id}"))

    def wait_for_dag_run(self, dag_id: str, run_id: str, patience: float = 120.0) -> str:
        """Wait until a run has ended and return its state."""

        def look() -> str | None:
            state = str(self.dag_run(dag_id, run_id)["state"])
            return state if state in FINISHED else None

        return self.wait_for(f"end of {dag_id} {run_id}", look, patience)

    def task_instance(self, at: TaskAddress) -> dict[str, Any]:
        """Return a task instance as the API shows it."""
        index = "" if at.map_index < 0 else f"/{at.map_index}"
        return dict(self.call("GET", f"{at.path}{index}"))

    def wait_for_state(self, at: TaskAddress, *states: str | None, patience: float = 120.0) -> dict[str, Any]:
        """Wait until a task instance is in one of these states and return it.

        Raises:
            StateNeverReachedError: it ended in another state, or time ran out.
        """

        def look() -> dict[str, Any] | None:
            found = self.task_instance(at)
            if found["state"] in states:
                return found
            if found["state"] in FINISHED:
                raise StateNeverReachedError(f"{at} ended as {found['state']}, not as {states}")
            return None

        return self.wait_for(f"{at} {states}", look, patience)

    def mark(self, at: TaskAddress, state: str) -> None:
        """Set the state of a task instance, as a person does."""
        index = "" if at.map_index < 0 else f"/{at.map_index}"
        self.call("PATCH", f"{at.path}{index}", json={"new_state": state})

    def clear(self, at: TaskAddress) -> None:
        """Clear a task instance, as a person does."""
        task: str | list[str | int] = at.task_id if at.map_index < 0 else [at.task_id, at.map_index]
        body = {"dry_run": False, "dag_run_id": at.run_id, "only_failed": False, "task_ids": [task]}
        self.call("POST", f"/dags/{at.dag_id}/clearTaskInstances", json=body)

    def xcoms(self, at: TaskAddress) -> dict[str, Any]:
        """Return the XComs of a task instance, decoded as far as JSON goes."""
        params = {"map_index": at.map_index, "limit": 100}
        listed = self.call("GET", f"{at.path}/xcomEntries", params=params)["xcom_entries"]
        keys = [entry["key"] for entry in listed]
        one = {"map_index": at.map_index, "deserialize": False, "stringify": False}
        return {key: self.call("GET", f"{at.path}/xcomEntries/{key}", params=one)["value"] for key in keys}

    def links(self, at: TaskAddress) -> dict[str, str | None]:
        """Return the extra links of a task instance."""
        reply = self.call("GET", f"{at.path}/links", params={"map_index": at.map_index})
        return dict(reply["extra_links"])

    def state_store(self, at: TaskAddress) -> dict[str, Any]:
        """Return what a task instance keeps in its state store."""
        listed = self.call("GET", f"{at.path}/state-store", params={"map_index": at.map_index})
        return {entry["key"]: entry["value"] for entry in listed["task_state_store"]}

    def task_log(self, at: TaskAddress, try_number: int = 1) -> str:
        """Return the log of one attempt of a task instance, its trigger's lines included; "" if there is none."""
        params = {"full_content": True, "map_index": at.map_index}
        try:
            content = self.call("GET", f"{at.path}/logs/{try_number}", params=params)["content"]
        except httpx.HTTPStatusError as error:
            if error.response.status_code != httpx.codes.NOT_FOUND:
                raise
            return ""
        return content if isinstance(content, str) else "\n".join(_line(entry) for entry in content)


def _line(entry: Any) -> str:
    if isinstance(entry, str):
        return entry
    shown = {name: value for name, value in entry.items() if name not in ("event", "timestamp")}
    return " ".join([str(entry["event"]), *(f"{name}={value}" for name, value in shown.items())])
