"""How long it is held still between two reads of a run."""

from __future__ import annotations

import pytest

from airflow_provider_mlworkflows.exceptions import ServerError, ThrottledError
from airflow_provider_mlworkflows.watching import SLOWEST_POLL, Pace


class TestPause:
    @pytest.mark.parametrize(
        ("retry_after", "pause"),
        [
            (None, 60.0),
            (0.0, 60.0),
            (17.0, 60.0),
            (200.0, 200.0),
            (86400.0, SLOWEST_POLL),
            (float("inf"), SLOWEST_POLL),
        ],
    )
    def test_is_what_the_service_asks_for_within_bounds(self, retry_after: float | None, pause: float) -> None:
        assert Pace().after([ThrottledError("429", retry_after=retry_after)], 30.0) == pause

    def test_grows_while_throttling_lasts(self) -> None:
        pace = Pace()
        pauses = [pace.after([ThrottledError("429")], 30.0) for _ in range(5)]
        assert pauses == [60.0, 120.0, 240.0, SLOWEST_POLL, SLOWEST_POLL]
        assert pace.after([ServerError("503")], 30.0) == 30.0

    @pytest.mark.parametrize("retry_after", [None, 17.0, 86400.0])
    def test_is_never_shorter_than_without_throttling(self, retry_after: float | None) -> None:
        assert Pace().after([ThrottledError("429", retry_after=retry_after)], 3600.0) == 3600.0

    def test_of_a_week_of_throttling_can_be_told(self) -> None:
        pace = Pace()
        pauses = {pace.after([ThrottledError("429")], 30.0) for _ in range(2100)}
        assert max(pauses) == SLOWEST_POLL
