"""Fixtures of the cloud tests."""

from __future__ import annotations

import pytest

from tests.clouds.support import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    """Time that passes only while somebody sleeps."""
    return FakeClock()
