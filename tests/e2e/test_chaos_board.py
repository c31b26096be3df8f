"""The board of a chaos reads many task instances, of which some change their place meanwhile; without any Airflow."""

from __future__ import annotations

from typing import Any

from tests.e2e.chaos.board import PAGE, Board
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


def test_a_task_instance_that_changes_its_place_is_missed_at_most_once() -> None:
    api = _Shifting(PAGE + 7)
    board = Board(api)
    first = board._read()
    assert len(first) == PAGE + 6
    assert len({**first, **board._read()}) == PAGE + 7
    assert board.shown(TaskAddress("chaos", "0", "train"))["state"] is None
