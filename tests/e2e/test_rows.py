"""A row tells the attempts that Airflow loses to its race at deferral from those that were killed."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from tests.e2e.rows import Row, is_left_by_worker
from tests.harness.rest_client import TaskAddress

AT = TaskAddress("dag", "run-1", "train")
DEFERRED = "Pausing task as DEFERRED. "


def _mismatch(state: str = "running", run: str = "run-1", outcome: str = "success") -> str:
    return (
        f"Executor reported that the task instance <TaskInstance: dag.train {run} [{state}] ti_id=7> finished with "
        f"state {outcome}, but the task instance's state attribute is {state}."
    )


def _row(output: list[str], logs: list[str]) -> Row:
    api: Any = SimpleNamespace(
        task_instance=lambda at: {"try_number": len(logs)}, task_log=lambda at, number: logs[number - 1]
    )
    airflow: Any = SimpleNamespace(output="\n".join(output), api=api)
    return Row(airflow, service=None, workflow="", at=AT)  # type: ignore[arg-type]


@pytest.mark.parametrize("state", ["queued", "running"])
def test_deferred_attempt_that_goes_on_was_lost_to_the_race(state: str) -> None:
    assert _row([_mismatch(state)], [DEFERRED, "Reattached"]).raced == 1


def test_attempt_whose_worker_was_killed_was_not() -> None:
    assert _row([_mismatch()], ["ModelArts run is init", "Reattached"]).raced == 0


@pytest.mark.parametrize(
    "other",
    [
        _mismatch("failed"),
        _mismatch(run="run-2"),
        _mismatch(run="run-1 map_index=1"),
        _mismatch(outcome="failed"),
    ],
)
def test_other_mismatches_do_not_count(other: str) -> None:
    assert _row([other], [DEFERRED, "Reattached"]).raced == 0


def test_attempt_that_never_began_has_no_log() -> None:
    row = _row([_mismatch()], [DEFERRED, "", "Reattached"])
    assert row.raced == 1
    assert row.log == f"{DEFERRED}\n\nReattached"


HEARD = (
    "scheduler  | Received executor event with state success for task instance TaskInstanceKey(dag_id='dag', "
    "task_id='train', run_id='run-1', try_number=1, map_index=-1) [airflow.jobs]"
)


def test_worker_has_left_once_the_scheduler_has_heard_of_it() -> None:
    assert is_left_by_worker(f"triggerer  | started\n{HEARD}\n", AT, attempt=1)


@pytest.mark.parametrize(
    "other",
    [
        "",
        HEARD.replace("try_number=1", "try_number=2"),
        HEARD.replace("map_index=-1", "map_index=0"),
        HEARD.replace("run-1", "run-2"),
        HEARD.replace("success", "queued"),
    ],
)
def test_worker_is_not_taken_for_another(other: str) -> None:
    assert not is_left_by_worker(other, AT, attempt=1)
