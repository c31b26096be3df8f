from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_mlworkflows.emulator.modelarts import ready
from tests.emulator.test_workflows import NOBODY, code_of

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.emulator import Emulator
    from tests.emulator.signing import Caller

FLOW = ready.PLAIN_CHAIN


def job_of(caller: Caller, flow: str, key: str, step: int) -> str:
    instance = caller.show(flow, key)["steps_execution"][step]["instance_id"]
    return f"/training-jobs/{json.loads(instance)['job_id']}"


@pytest.fixture
def job(emu: Emulator, caller: Caller) -> str:
    """A training job that has worked for three seconds of ten."""
    key = caller.start(FLOW)
    emu.clock.advance(12)
    return job_of(caller, FLOW, key, 1)


def read(caller: Caller, path: str, **params: Any) -> dict[str, Any]:
    answer = caller.flow("GET", path, params=params)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def test_show(emu: Emulator, caller: Caller, job: str) -> None:
    status = read(caller, job)["status"]
    assert (status["phase"], status["tasks"], status["duration"]) == ("Running", ["worker-0"], 3000)
    assert status["task_statuses"] == []
    emu.clock.advance(30)
    status = read(caller, job)["status"]
    assert (status["phase"], status["duration"]) == ("Completed", 10000)
    assert status["task_statuses"] == [{"task": "worker-0", "exit_code": 0, "message": ""}]


def test_failed_job(emu: Emulator, caller: Caller) -> None:
    key = caller.start(ready.FAILS_AT_STEP_3)
    emu.clock.advance(60)
    failed = job_of(caller, ready.FAILS_AT_STEP_3, key, 2)
    status = read(caller, failed)["status"]
    assert status["phase"] == "Failed"
    assert status["task_statuses"][0]["exit_code"] == 1
    log = read(caller, f"{failed}/tasks/worker-0/logs/preview")["content"]
    assert "ERROR evaluation failed: metric file not found" in log


def test_preview_grows(emu: Emulator, caller: Caller, job: str) -> None:
    path = f"{job}/tasks/worker-0/logs/preview"
    early = read(caller, path)
    emu.clock.advance(4)
    late = read(caller, path)
    assert early["content"].count("\n") == 3
    assert late["content"].startswith(early["content"])
    assert late["content"].count("\n") == 7
    assert late["full_size"] == late["current_size"] == len(late["content"].encode())


def test_log_lines(emu: Emulator, caller: Caller, job: str) -> None:
    emu.clock.advance(30)
    path = f"{job}/logs/worker-0"
    whole = read(caller, path)
    assert (whole["start_line"], whole["end_line"], whole["lines"]) == (0, 11, 11)
    lines = whole["content"].splitlines()
    assert lines[-1].endswith("train finished")

    def part(**params: Any) -> tuple[int, list[str]]:
        body = read(caller, path, **params)
        return body["start_line"], body["content"].splitlines()

    assert part(lines=2) == (9, lines[-2:])
    assert part(lines=2, base_line=4) == (2, lines[2:4])
    assert part(lines=3, order="asc") == (0, lines[:3])
    assert part(lines=3, base_line=9, order="asc") == (9, lines[9:])
    assert part(base_line=50, order="asc") == (11, [])
    for bad in ({"lines": 0}, {"lines": 501}, {"order": "up"}, {"base_line": "x"}):
        assert code_of(caller.flow("GET", path, params=bad)) == (400, "ModelArts.0104")


def test_tasks_events_stages_metrics_and_url(emu: Emulator, caller: Caller, job: str) -> None:
    assert read(caller, f"{job}/tasks")["tasks"][0]["task"] == "worker-0"
    events = read(caller, f"{job}/events")
    assert [event["message"] for event in events["events"]][-1] == "job changed from created to running"
    assert read(caller, f"{job}/events", offset=1, limit=1)["count"] == 1
    assert code_of(caller.flow("GET", f"{job}/events", params={"limit": 101})) == (400, "ModelArts.0104")
    stages = read(caller, f"{job}/stages")["stages"]
    assert [(stage["stage"], stage["status"]) for stage in stages] == [
        ("Creating", "Finished"),
        ("Pending", "Finished"),
        ("Running", "Running"),
    ]
    assert read(caller, f"{job}/metrics/worker-0")["metrics"][0]["metric"] == "cpuUsage"
    assert read(caller, f"{job}/tasks/worker-0/logs/url")["obs_url"].startswith("https://")


def test_terminate(emu: Emulator, caller: Caller, job: str) -> None:
    assert code_of(caller.flow("POST", f"{job}/actions", {"action_type": "x"})) == (400, "ModelArts.0104")
    answer = caller.flow("POST", f"{job}/actions", {"action_type": "terminate"})
    assert (answer.status_code, answer.json()["status"]["phase"]) == (202, "Terminating")
    emu.clock.advance(3)
    assert read(caller, job)["status"]["phase"] == "Terminated"
    caller.flow("POST", f"{job}/actions", {"action_type": "terminate"})
    assert emu.journal.count("StopTrainingJob", action="terminate") == 2
    assert emu.journal.count("StopTrainingJob", effective=True) == 1


def test_missing_job_and_task(caller: Caller, job: str) -> None:
    assert code_of(caller.flow("GET", f"/training-jobs/{NOBODY}")) == (404, "ModelArts.2775")
    assert code_of(caller.flow("GET", "/training-jobs/7")) == (400, "ModelArts.0104")
    assert code_of(caller.flow("GET", f"{job}/logs/worker-9")) == (404, "ModelArts.2775")


def test_retried_step_has_a_new_job(emu: Emulator, caller: Caller) -> None:
    flow = ready.FAILS_AT_STEP_3
    key = caller.start(flow)
    emu.clock.advance(60)
    first = job_of(caller, flow, key, 2)
    caller.act_on_step(flow, key, "evaluate", {"action_name": "retry"})
    emu.clock.advance(3)
    assert job_of(caller, flow, key, 2) != first
