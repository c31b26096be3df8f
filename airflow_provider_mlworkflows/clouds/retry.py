"""When a failed request is sent again, and how long to wait before. Pure functions, no input or output."""

from __future__ import annotations

from airflow_provider_mlworkflows.exceptions import (
    MLWorkflowsError,
    ServerError,
    ThrottledError,
    TransportError,
    is_uncertain,
)

BACKOFF_BASE = 1.0
THROTTLED_BASE = 2.0
BACKOFF_CAP = 20.0
LONGEST_PAUSE = 60.0
"""Seconds. A service that asks for more than this is not waited for inside a call; the caller decides."""


def may_repeat(error: MLWorkflowsError, *, safe_to_repeat: bool) -> bool:
    """Whether sending the request again can neither do harm nor be pointless.

    A write goes out again only if the first one surely had no effect: it never left, or it was turned away as one too
    many, with a 4xx status, which gateways do before they pass a request on.
    """
    if isinstance(error, ThrottledError):
        return safe_to_repeat or not is_uncertain(error)
    if isinstance(error, TransportError):
        return safe_to_repeat or not error.may_have_taken_effect
    return safe_to_repeat and isinstance(error, ServerError)


def backoff(error: MLWorkflowsError, *, attempt: int, jitter: float) -> float:
    """Seconds before the next attempt: exponential with full jitter, and never less than the service asked.

    :param attempt: number of attempts made so far, from 1.
    :param jitter: a random number in [0, 1).
    """
    base = THROTTLED_BASE if isinstance(error, ThrottledError) else BACKOFF_BASE
    ceiling = min(BACKOFF_CAP, base * 2 ** (attempt - 1))
    asked = error.retry_after if isinstance(error, ThrottledError | ServerError) else None
    return jitter * ceiling if asked is None else asked + jitter


def pause_before_retry(
    error: MLWorkflowsError, *, attempt: int, max_attempts: int, safe_to_repeat: bool, jitter: float
) -> float | None:
    """Seconds to wait before sending the request again, None to give up."""
    if attempt >= max_attempts or not may_repeat(error, safe_to_repeat=safe_to_repeat):
        return None
    pause = backoff(error, attempt=attempt, jitter=jitter)
    return pause if pause <= LONGEST_PAUSE else None
