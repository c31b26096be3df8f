"""What a chaos asks Airflow's API and tells it; without any Airflow."""

from __future__ import annotations

from typing import Any

import pytest

from tests.e2e.chaos.board import PAGE, Board
from tests.e2e.chaos.run import end_dag_runs
from tests.harness.rest_client import AirflowRestClient, TaskAddress


class _Shifting(AirflowRestClient):
    """An API whose first task instance goes to the end while the first page is read."""

    def __init__(self, count: int) -> None:
        super().__init__("http://127.0.0.1:1")
        self.rows = [
            {"dag_id": "chaos", "dag_run_id": str(n), "state": "running", "try_number": 1} for n in range(count)
        ]
        self.calls = 0

    def call(self, method: str, path: str, **options: Any) -> Any:
        self.calls += 1
        assert self.calls < 10, "it reads for ever"
        offset = options["params"]["offset"]
        page = self.rows[offset : offset + PAGE]
        if not offset:
            self.rows.append(self.rows.pop(0))
        return {"task_instances": page, "total_entries": len(self.rows)}


class _Listing(AirflowRestClient):
    """An API that has one run of each Dag, and takes note of those that are marked failed."""

    def __init__(self) -> None:
        super().__init__("http://127.0.0.1:1")
        self.ended: list[str] = []

    def call(self, method: str, path: str, **options: Any) -> Any:
        if method == "GET":
            assert options["params"] == {"state": ["queued", "running"]}
            return {"dag_runs": [{"dag_run_id": "chaos-1"}]}
        assert (method, options["json"]) == ("PATCH", {"state": "failed"})
        self.ended.append(path)
        return None


def test_a_task_instance_that_changes_its_place_is_missed_at_most_once() -> None:
    api = _Shifting(PAGE + 7)
    board = Board(api)
    first = board._read()
    assert len(first) == PAGE + 6
    assert len({**first, **board._read()}) == PAGE + 7
    assert board.shown(TaskAddress("chaos", "0", "train"))["state"] is None


def test_a_chaos_that_is_given_up_ends_what_it_began() -> None:
    api = _Listing()
    end_dag_runs(api, ["first", "second"])
    assert api.ended == ["/dags/first/dagRuns/chaos-1", "/dags/second/dagRuns/chaos-1"]


def test_an_airflow_that_answers_nobody_is_left_alone() -> None:
    end_dag_runs(AirflowRestClient("http://127.0.0.1:1"), ["first"])


def test_whoever_waits_is_told_that_airflow_has_ended() -> None:
    def check() -> None:
        raise ChildProcessError("the scheduler has ended")

    with (
        Board(AirflowRestClient("http://127.0.0.1:1", check=check)) as board,
        pytest.raises(ChildProcessError, match="has ended"),
    ):
        board.wait(TaskAddress("chaos", "0", "train"), "end", lambda shown: False, 3600)
