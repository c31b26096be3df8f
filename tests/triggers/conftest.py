"""Fixtures of these tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from airflow_provider_mlworkflows.emulator import Emulator
from tests.scenarios.clock import ScriptedClock
from tests.support import modelarts

__all__ = ["modelarts"]


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    """An emulator whose time passes only while somebody sleeps."""
    with Emulator(clock="manual") as emulator:
        yield emulator


@pytest.fixture
def clock(emulator: Emulator) -> ScriptedClock:
    """The emulator's time."""
    return ScriptedClock(emulator)
