from __future__ import annotations

import pytest

from airflow_provider_mlworkflows.clouds.replies import retry_after_seconds
from airflow_provider_mlworkflows.clouds.retry import (
    BACKOFF_CAP,
    LONGEST_PAUSE,
    backoff,
    may_repeat,
    pause_before_retry,
)
from airflow_provider_mlworkflows.exceptions import (
    AuthenticationError,
    BadRequestError,
    ConfigurationError,
    InvalidInputError,
    MLWorkflowsError,
    NotFoundError,
    PermissionDeniedError,
    ServerError,
    ThrottledError,
    TransportError,
    UnexpectedReplyError,
    is_transient,
    is_uncertain,
)
from tests.clouds.support import json_reply

BEFORE_SENDING = TransportError("refused", may_have_taken_effect=False)
AFTER_SENDING = TransportError("reset", may_have_taken_effect=True)

UNCERTAIN = {"reset", "in a success", "in a server error", "500", "html"}
"""Messages of those that a write may have taken effect in spite of."""

# error, is it transient, is a safe request repeated, is a write repeated
DECISIONS: list[tuple[MLWorkflowsError, bool, bool, bool]] = [
    (BEFORE_SENDING, True, True, True),
    (AFTER_SENDING, True, True, False),
    (ThrottledError("429", status=429), True, True, True),
    (ThrottledError("in a success", status=201), True, True, False),
    (ThrottledError("in a bad request", status=400), True, True, True),
    (ThrottledError("in a server error", status=503), True, True, False),
    (ServerError("500"), True, True, False),
    (UnexpectedReplyError("html"), True, False, False),
    (BadRequestError("400"), False, False, False),
    (NotFoundError("404"), False, False, False),
    (AuthenticationError("401"), False, False, False),
    (PermissionDeniedError("403"), False, False, False),
    (InvalidInputError("bad"), False, False, False),
    (ConfigurationError("bad"), False, False, False),
]


def _name(value: object) -> str | None:
    return f"{type(value).__name__}-{value}" if isinstance(value, MLWorkflowsError) else None


@pytest.mark.parametrize(("error", "transient", "safe", "write"), DECISIONS, ids=_name)
class TestDecision:
    def test_transience(self, error: MLWorkflowsError, transient: bool, safe: bool, write: bool) -> None:
        assert is_transient(error) is transient

    def test_certainty(self, error: MLWorkflowsError, transient: bool, safe: bool, write: bool) -> None:
        assert is_uncertain(error) is (str(error) in UNCERTAIN)

    def test_repetition(self, error: MLWorkflowsError, transient: bool, safe: bool, write: bool) -> None:
        assert may_repeat(error, safe_to_repeat=True) is safe
        assert may_repeat(error, safe_to_repeat=False) is write

    @pytest.mark.parametrize("attempt", [1, 2, 3, 4, 5])
    def test_pause(self, error: MLWorkflowsError, transient: bool, safe: bool, write: bool, attempt: int) -> None:
        for safe_to_repeat, repeated in ((True, safe), (False, write)):
            pause = pause_before_retry(
                error, attempt=attempt, max_attempts=4, safe_to_repeat=safe_to_repeat, jitter=0.5
            )
            assert (pause is not None) is (repeated and attempt < 4)


@pytest.mark.parametrize(
    ("error", "ceilings"),
    [(ServerError("500"), [1, 2, 4, 8, 16, 20, 20]), (ThrottledError("429"), [2, 4, 8, 16, 20, 20])],
)
def test_backoff_grows_to_its_cap_and_jitter_covers_the_whole_range(
    error: MLWorkflowsError, ceilings: list[float]
) -> None:
    for attempt, ceiling in enumerate(ceilings, start=1):
        assert backoff(error, attempt=attempt, jitter=0.0) == 0.0
        assert backoff(error, attempt=attempt, jitter=0.5) == ceiling / 2
        assert backoff(error, attempt=attempt, jitter=0.999999) < ceiling
    assert backoff(error, attempt=1000, jitter=0.999999) < BACKOFF_CAP


@pytest.mark.parametrize("kind", [ThrottledError, ServerError])
@pytest.mark.parametrize("jitter", [0.0, 0.25, 0.99])
def test_never_sooner_than_the_service_asked(kind: type[ThrottledError | ServerError], jitter: float) -> None:
    error = kind("wait", retry_after=7.0)

    assert 7.0 <= backoff(error, attempt=1, jitter=jitter) < 8.0


def test_a_longer_wait_than_a_call_should_take_is_left_to_the_caller() -> None:
    def pause(retry_after: float) -> float | None:
        error = ThrottledError("429", retry_after=retry_after)
        return pause_before_retry(error, attempt=1, max_attempts=4, safe_to_repeat=True, jitter=0.0)

    assert pause(LONGEST_PAUSE) == LONGEST_PAUSE
    assert pause(LONGEST_PAUSE + 1) is None


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": ""}, None),
        ({"Retry-After": "5"}, 5.0),
        ({"Retry-After": " 0.5 "}, 0.5),
        ({"Retry-After": "-3"}, 0.0),
        ({"Retry-After": "soon"}, None),
        (
            {"Retry-After": "Thu, 15 Jan 2026 12:00:30 GMT", "Date": "Thu, 15 Jan 2026 12:00:00 GMT"},
            30.0,
        ),
        (
            {"Retry-After": "Thu, 15 Jan 2026 11:00:00 GMT", "Date": "Thu, 15 Jan 2026 12:00:00 GMT"},
            0.0,
        ),
        (
            {"Retry-After": "Thu, 15 Jan 2026 12:00:30 -0000", "Date": "Thu, 15 Jan 2026 12:00:00 GMT"},
            30.0,
        ),
        ({"Retry-After": "Thu, 15 Jan 2026 12:00:30 GMT"}, None),
    ],
)
def test_retry_after(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after_seconds(json_reply(status=429, headers=headers)) == seconds
