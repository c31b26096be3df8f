from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_provider_mlworkflows.clouds.huawei.modelarts_models import Execution, StepExecution
from airflow_provider_mlworkflows.clouds.huawei.modelarts_states import (
    EXECUTION_STATES,
    STEP_STATES,
    execution_state,
    run_of,
    step_of,
    step_state,
)
from airflow_provider_mlworkflows.runs import RunRef, RunState

STEP_LITERALS = {
    "init": RunState.ACTIVE,
    "pending": RunState.ACTIVE,
    "creating": RunState.ACTIVE,
    "created": RunState.ACTIVE,
    "running": RunState.ACTIVE,
    "stopping": RunState.STOPPING,
    "wait_inputs": RunState.WAITING,
    "hold": RunState.WAITING,
    "completed": RunState.SUCCEEDED,
    "skipped": RunState.SKIPPED,
    "failed": RunState.FAILED,
    "create_failed": RunState.FAILED,
    "timeout": RunState.FAILED,
    "stopped": RunState.STOPPED,
}
EXECUTION_LITERALS = {**STEP_LITERALS, "abnormal": RunState.FAILED}
ZONE = "+08:00"
BEGUN = datetime(2026, 1, 15, 8, 30, tzinfo=UTC)


def _step(name: str, status: str | None, **more: Any) -> dict[str, Any]:
    return {"uuid": f"id-of-{name}", "step_name": name, "status": status, **more}


def _execution(status: str | None, *steps: dict[str, Any], **more: Any) -> Execution:
    return Execution.model_validate(
        {
            "execution_id": "e",
            "workflow_id": "w",
            "status": status,
            "created_at": BEGUN.isoformat(),
            "steps_execution": list(steps),
            **more,
        }
    )


@pytest.mark.parametrize(("status", "state"), STEP_LITERALS.items())
def test_every_documented_step_status(status: str, state: RunState) -> None:
    assert step_state(status) is step_state(status.upper()) is step_state(status.title()) is state


@pytest.mark.parametrize(("status", "state"), EXECUTION_LITERALS.items())
def test_every_documented_execution_status(status: str, state: RunState) -> None:
    assert execution_state(status) is execution_state(status.upper()) is state


def test_the_tables_hold_nothing_else() -> None:
    assert dict(STEP_STATES) == STEP_LITERALS
    assert dict(EXECUTION_STATES) == EXECUTION_LITERALS


@pytest.mark.parametrize("status", ["paused", "abnormal ", "succeeded", "???"])
def test_other_literals_are_unknown(status: str) -> None:
    assert step_state(status) is RunState.UNKNOWN
    assert (execution_state(status) is RunState.UNKNOWN) is (status != "abnormal ")


@pytest.mark.parametrize("status", [None, ""])
def test_an_absent_status_is_the_initial_one(status: str | None) -> None:
    run = run_of(_execution(status))

    assert (run.state, run.status, run.steps) == (RunState.ACTIVE, "init", ())


@pytest.mark.parametrize(
    ("statuses", "state"),
    [
        (["wait_inputs"], RunState.WAITING),
        (["hold"], RunState.WAITING),
        (["completed", "WAIT_INPUTS", "init"], RunState.WAITING),
        (["completed", "hold", "skipped"], RunState.WAITING),
        (["failed", "wait_inputs"], RunState.WAITING),
        (["running", "wait_inputs"], RunState.ACTIVE),
        (["pending", "wait_inputs"], RunState.ACTIVE),
        (["creating", "hold"], RunState.ACTIVE),
        (["created", "hold"], RunState.ACTIVE),
        (["stopping", "hold"], RunState.ACTIVE),
        (["completed", "init"], RunState.ACTIVE),
        ([], RunState.ACTIVE),
    ],
)
def test_a_run_waits_if_a_step_waits_and_none_progresses(statuses: list[str], state: RunState) -> None:
    run = run_of(_execution("running", *(_step(str(n), status) for n, status in enumerate(statuses))))

    assert run.state is state
    assert run.status == "running"
    waiting = [str(n) for n, status in enumerate(statuses) if status.lower() in {"wait_inputs", "hold"}]
    assert [step.name for step in run.waiting_steps] == waiting


@pytest.mark.parametrize("status", ["completed", "stopped", "abnormal", "stopping"])
def test_waiting_steps_do_not_change_a_run_that_is_past_waiting(status: str) -> None:
    run = run_of(_execution(status, _step("a", "wait_inputs")))

    assert run.state is execution_state(status)


def test_a_waiting_run_says_for_what() -> None:
    run = run_of(_execution("running", _step("train", "completed"), _step("label", "hold")))

    assert run.message == "label: hold"


def test_a_failed_run_tells_the_failed_steps_reasons() -> None:
    run = run_of(
        _execution(
            "abnormal",
            _step("ok", "completed"),
            _step("train", "failed", error_info={"error_code": "ModelArts.0010", "error_message": "no GPU"}),
            _step("tune", "timeout"),
        )
    )

    assert run.state is RunState.FAILED
    assert [step.name for step in run.failed_steps] == ["train", "tune"]
    assert run.failed_steps[0].error == "ModelArts.0010: no GPU"
    assert run.message == "train: ModelArts.0010: no GPU; tune: timeout"


def test_an_error_left_over_from_before_a_retry_is_not_told() -> None:
    step = StepExecution.model_validate(_step("train", "running", error_info={"error_code": "X"}))

    assert step_of(step).error == ""


@pytest.mark.parametrize("duration", [90, "90", 90.0])
def test_the_end_is_the_beginning_and_the_duration(duration: float | str) -> None:
    run = run_of(_execution("completed", duration=duration))

    assert run.started_at == BEGUN
    assert run.ended_at == BEGUN + timedelta(seconds=90)


def test_without_a_duration_the_end_is_the_last_change_of_a_step() -> None:
    later = (BEGUN + timedelta(minutes=5)).isoformat()
    earlier = (BEGUN + timedelta(minutes=1)).isoformat()

    run = run_of(
        _execution("completed", _step("a", "completed", updated_at=later), _step("b", "completed", updated_at=earlier))
    )

    assert run.ended_at == BEGUN + timedelta(minutes=5)
    assert run_of(_execution("completed", duration="soon")).ended_at is None


def test_a_run_under_way_has_no_end() -> None:
    assert run_of(_execution("running", duration=90)).ended_at is None


def _event(old: str, new: str, step: str = "") -> str:
    return f"2026-01-15 16:30:05 {f'step {step} ' if step else ''}change status from {old} to {new}"


@pytest.mark.parametrize(
    ("events", "attempt"),
    [
        ([], 1),
        ([_event("init", "creating"), _event("creating", "running"), _event("running", "failed")], 1),
        ([_event("running", "failed"), _event("failed", "creating")], 2),
        ([_event("creating", "create_failed"), _event("create_failed", "creating")], 2),
        ([_event("failed", "init"), _event("timeout", "creating"), _event("stopped", "creating")], 4),
        ([_event("completed", "init")], 2),
        ([_event("wait_inputs", "creating"), _event("hold", "running")], 1),
        (["something else", ""], 1),
    ],
)
def test_attempts_are_counted_by_events(events: list[str], attempt: int) -> None:
    step = _step("train", "running", events=events)

    assert step_of(StepExecution.model_validate(step)).attempt == attempt
    assert run_of(_execution("running", step)).steps[0].attempt == attempt


def test_attempts_are_counted_by_the_executions_events_too() -> None:
    run = run_of(
        _execution(
            "running",
            _step("train", "running"),
            _step("train again", "running"),
            events=[_event("failed", "creating", "train"), _event("failed", "init", "train again")] * 2,
        )
    )

    assert [step.attempt for step in run.steps] == [3, 3]


def test_of_steps_with_the_same_name_the_newest_counts() -> None:
    first = _step("train", "failed", uuid="1", created_at=BEGUN.isoformat())
    other = _step("deploy", "init")
    second = _step("train", "running", uuid="2", created_at=(BEGUN + timedelta(hours=1)).isoformat())

    for steps in ((first, other, second), (second, other, first)):
        run = run_of(_execution("running", *steps))
        assert [(step.name, step.id) for step in run.steps] == [("train", "2"), ("deploy", "id-of-deploy")]
        assert run.steps[0].attempt == 2
        assert run.failed_steps == ()


def test_a_retry_within_the_same_record_changes_the_fingerprint() -> None:
    before = run_of(_execution("running", _step("train", "running", events=[])))
    after = run_of(_execution("running", _step("train", "running", events=[_event("failed", "creating")])))

    assert before.fingerprint != after.fingerprint


def test_the_rest_of_a_run() -> None:
    execution = _execution(
        "completed",
        _step(
            "publish",
            "completed",
            type="model",
            duration="15",
            outputs=[{"name": "model", "type": "model", "config": {"model_id": "m"}}],
        ),
        _step("dropped", "failed", outputs=[{"name": "half", "config": {"a": 1}}]),
        name="execution-012",
    )

    run = run_of(execution, console_url="https://console.example/e")

    assert (run.ref, run.name, run.url) == (RunRef("w", "e"), "execution-012", "https://console.example/e")
    assert (run.steps[0].kind, run.steps[0].duration) == ("model", 15.0)
    assert run.outputs == {"publish": {"model": {"model_id": "m"}}}


def test_a_reply_may_leave_out_its_workflow() -> None:
    execution = Execution.model_validate({"execution_id": "e"})

    assert run_of(execution, workflow_id="w").ref == RunRef("w", "e")
