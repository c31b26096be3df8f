"""Which errors are worth another try, and after how long."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk import DAG, RetryAction

from airflow_provider_mlworkflows import exceptions
from airflow_provider_mlworkflows.emulator import FaultRule
from airflow_provider_mlworkflows.emulator.modelarts.ready import FAILS_AT_STEP_3, PLAIN_CHAIN
from airflow_provider_mlworkflows.exceptions import (
    ApiError,
    AuthenticationError,
    BadRequestError,
    ConfigurationError,
    CredentialsMissingError,
    InvalidInputError,
    MLWorkflowsError,
    NotFoundError,
    PermissionDeniedError,
    RunError,
    RunFailedError,
    RunInterruptedError,
    RunNotFoundError,
    RunStoppedError,
    RunTimeoutError,
    RunWaitingError,
    ServerError,
    StartUncertainError,
    StopImpossibleError,
    ThrottledError,
    TransportError,
    UnexpectedReplyError,
    UnknownStatusError,
    UnusableEventError,
)
from airflow_provider_mlworkflows.operators.modelarts import ModelArtsStartWorkflowOperator
from airflow_provider_mlworkflows.policies import LONGEST_DELAY, MLWorkflowsRetryPolicy
from tests.support import START, modelarts

if TYPE_CHECKING:
    from tests.support import Bench

__all__ = ["modelarts"]

# The exception, what to do, and the seconds to wait if the policy and not the task decides.
DECISIONS: list[tuple[BaseException, RetryAction, float | None]] = [
    (ThrottledError("429", retry_after=17.0), RetryAction.RETRY, 17.0),
    (ThrottledError("429"), RetryAction.RETRY, 60.0),
    (ThrottledError("429", retry_after=86400.0), RetryAction.RETRY, LONGEST_DELAY),
    (ThrottledError("429", retry_after=float("inf")), RetryAction.RETRY, LONGEST_DELAY),
    (ServerError("503"), RetryAction.RETRY, 120.0),
    (TransportError("reset"), RetryAction.RETRY, 120.0),
    (TransportError("no route", may_have_taken_effect=False), RetryAction.RETRY, 120.0),
    (RunFailedError("step failed"), RetryAction.RETRY, None),
    (RunInterruptedError("redeploy"), RetryAction.RETRY, None),
    (InvalidInputError("no such parameter"), RetryAction.FAIL, None),
    (ConfigurationError("no region"), RetryAction.FAIL, None),
    (CredentialsMissingError("none set up"), RetryAction.FAIL, None),
    (BadRequestError("400"), RetryAction.FAIL, None),
    (NotFoundError("no such workflow"), RetryAction.FAIL, None),
    (AuthenticationError("401"), RetryAction.FAIL, None),
    (PermissionDeniedError("403"), RetryAction.FAIL, None),
    (RunStoppedError("by a person"), RetryAction.FAIL, None),
    (RunWaitingError("for a person"), RetryAction.FAIL, None),
    (StartUncertainError("two candidates"), RetryAction.FAIL, None),
    (StopImpossibleError("no such call"), RetryAction.FAIL, None),
    (UnknownStatusError("for an hour"), RetryAction.FAIL, None),
    (UnexpectedReplyError("HTML"), RetryAction.DEFAULT, None),
    (RunTimeoutError("too long"), RetryAction.DEFAULT, None),
    (RunNotFoundError("deleted"), RetryAction.DEFAULT, None),
    (RunError("anything"), RetryAction.DEFAULT, None),
    (ApiError("anything"), RetryAction.DEFAULT, None),
    (UnusableEventError("of another version"), RetryAction.DEFAULT, None),
    (MLWorkflowsError("anything"), RetryAction.DEFAULT, None),
    (ValueError("not ours"), RetryAction.DEFAULT, None),
]


@pytest.mark.parametrize(("error", "action", "seconds"), DECISIONS, ids=lambda value: getattr(value, "args", [""])[0])
def test_decision(error: BaseException, action: RetryAction, seconds: float | None) -> None:
    decision = MLWorkflowsRetryPolicy().evaluate(error, try_number=1, max_tries=3)
    assert decision.action is action
    assert decision.retry_delay == (None if seconds is None else timedelta(seconds=seconds))
    assert bool(decision.reason) is (action is not RetryAction.DEFAULT)


def test_every_error_has_a_decision() -> None:
    defined = {
        kind for kind in vars(exceptions).values() if isinstance(kind, type) and issubclass(kind, MLWorkflowsError)
    }
    assert defined == {type(error) for error, _, _ in DECISIONS if isinstance(error, MLWorkflowsError)}


def test_delays_are_the_users_choice() -> None:
    policy = MLWorkflowsRetryPolicy(throttled_delay=5, server_error_delay=7)
    assert policy.evaluate(ThrottledError("429"), 1, 3).retry_delay == timedelta(seconds=5)
    assert policy.evaluate(ServerError("503"), 1, 3).retry_delay == timedelta(seconds=7)


def test_delay_of_the_users_choice_is_as_long_as_they_like() -> None:
    policy = MLWorkflowsRetryPolicy(throttled_delay=7200)
    assert policy.evaluate(ThrottledError("429"), 1, 3).retry_delay == timedelta(hours=2)


def test_policy_survives_as_json() -> None:
    policy = MLWorkflowsRetryPolicy(throttled_delay=5, server_error_delay=7)
    copy = MLWorkflowsRetryPolicy.deserialize(json.loads(json.dumps(policy.serialize())))
    assert vars(copy) == vars(policy)


def test_dag_with_the_policy_survives_serialization() -> None:
    from airflow.serialization.serialized_objects import DagSerialization

    with DAG("with-policy", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC)) as dag:
        ModelArtsStartWorkflowOperator(
            task_id="train", workflow_id=PLAIN_CHAIN, retries=3, retry_policy=MLWorkflowsRetryPolicy()
        )
        ModelArtsStartWorkflowOperator(task_id="without", workflow_id=PLAIN_CHAIN, retries=3)
    stored = json.loads(json.dumps(DagSerialization.to_dict(dag)))
    restored = DagSerialization.from_dict(stored)
    tasks: dict[str, Any] = {task.task_id: task for task in restored.tasks}
    assert tasks["train"].has_retry_policy
    assert not tasks["without"].has_retry_policy
    assert "MLWorkflowsRetryPolicy" not in json.dumps(stored)


def operator(workflow_id: str) -> ModelArtsStartWorkflowOperator:
    return ModelArtsStartWorkflowOperator(
        task_id="train",
        workflow_id=workflow_id,
        retries=3,
        retry_delay=timedelta(seconds=1),
        retry_policy=MLWorkflowsRetryPolicy(),
    )


def test_airflow_waits_as_long_as_the_service_asks(modelarts: Bench) -> None:
    modelarts.emulator.faults.add(FaultRule(START, status=429, retry_after=300, times=None))
    result = modelarts.airflow.run_to_end(operator(PLAIN_CHAIN))
    assert (result.state, result.retry_delay) == ("up_for_retry", timedelta(seconds=300))


def test_airflow_tries_a_failed_run_again_after_the_tasks_own_delay(modelarts: Bench) -> None:
    result = modelarts.airflow.run_to_end(operator(FAILS_AT_STEP_3))
    assert (result.state, result.retry_delay) == ("up_for_retry", None)


def test_airflow_gives_up_at_once_on_what_cannot_succeed(modelarts: Bench) -> None:
    result = modelarts.airflow.run_to_end(operator("5a1f7c02-3d64-4b8e-9f10-000000000000"))
    assert result.state == "failed"
    assert isinstance(result.error, NotFoundError)
