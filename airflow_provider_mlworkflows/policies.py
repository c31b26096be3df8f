"""When a failed task is worth another try, for Airflow's ``retry_policy``.

::

    AnyStartOperator(..., retries=3, retry_policy=MLWorkflowsRetryPolicy())
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Self

from airflow.sdk import RetryDecision, RetryPolicy

from airflow_provider_mlworkflows.exceptions import (
    AuthenticationError,
    BadRequestError,
    ConfigurationError,
    InvalidInputError,
    NotFoundError,
    PermissionDeniedError,
    RunFailedError,
    RunInterruptedError,
    RunStoppedError,
    RunWaitingError,
    ServerError,
    StartUncertainError,
    StopImpossibleError,
    ThrottledError,
    TransportError,
    UnknownStatusError,
)

if TYPE_CHECKING:
    from airflow.sdk import Context

_HOPELESS = (
    InvalidInputError,
    ConfigurationError,
    BadRequestError,
    NotFoundError,
    AuthenticationError,
    PermissionDeniedError,
    RunStoppedError,
    RunWaitingError,
    StartUncertainError,
    StopImpossibleError,
    UnknownStatusError,
)
LONGEST_DELAY = 3600.0
"""Seconds. A service that asks for a day means its quota; whoever waits for the task would take it for lost."""


class MLWorkflowsRetryPolicy(RetryPolicy):
    """Tries again what may succeed, and gives up at once on what cannot.

    Throttling waits as long as the service asks, but an hour at most. A server error or a lost connection waits. A
    failed run is tried again after the task's own ``retry_delay``; the operator then repairs it. A wrong argument,
    refused credentials and a run that a person stopped fail at once. Anything else follows the task's own settings.

    :param throttled_delay: seconds to wait after throttling if the service names no time.
    :param server_error_delay: seconds to wait after a server error or a lost connection.
    """

    def __init__(self, *, throttled_delay: float = 60.0, server_error_delay: float = 120.0) -> None:
        self.throttled_delay = throttled_delay
        self.server_error_delay = server_error_delay

    def evaluate(
        self, exception: BaseException, try_number: int, max_tries: int, context: Context | None = None
    ) -> RetryDecision:
        """Decide on an exception; see the class."""
        match exception:
            case ThrottledError():
                asked = min(exception.retry_after or 0.0, LONGEST_DELAY)
                return _retry(asked or self.throttled_delay, "throttled by the service")
            case TransportError() | ServerError():
                return _retry(self.server_error_delay, "the service failed or did not answer")
            case RunFailedError():
                return RetryDecision.retry(reason="the run failed")
            case RunInterruptedError():
                return RetryDecision.retry(reason="the worker was shut down")
            case _ if isinstance(exception, _HOPELESS):
                return RetryDecision.fail(reason=f"{type(exception).__name__}: another try would fail too")
            case _:
                return RetryDecision.default()

    def serialize(self) -> dict[str, Any]:
        """The policy as JSON data."""
        return {"throttled_delay": self.throttled_delay, "server_error_delay": self.server_error_delay}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> Self:
        """The policy from that data."""
        return cls(**data)


def _retry(seconds: float, reason: str) -> RetryDecision:
    return RetryDecision.retry(delay=timedelta(seconds=seconds), reason=reason)
