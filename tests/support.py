"""An emulated cloud and the Airflow that uses it, in one time that passes only while somebody waits."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from airflow_provider_mlworkflows.clock import Clock
from airflow_provider_mlworkflows.emulator import Emulator, Switches
from airflow_provider_mlworkflows.emulator.environment import HUAWEI_CONNECTION, connections
from airflow_provider_mlworkflows.operators.base import RunOperator
from airflow_provider_mlworkflows.operators.modelarts_calls import ModelArtsCallOperator
from airflow_provider_mlworkflows.sensors.base import RunSensor
from airflow_provider_mlworkflows.triggers import hub
from airflow_provider_mlworkflows.triggers.run import RunTrigger
from tests.harness.task_runner import FakeAirflow

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.clock import Bell
    from airflow_provider_mlworkflows.emulator import JournalEntry

START = "CreateWorkflowExecution"
READ = "ShowWorkflowExecution"
ACT = "CreateWorkflowExecutionsActions"


class EmulatorClock(Clock):
    """The emulator's time, which moves when somebody sleeps and stands still otherwise.

    Whoever sleeps wakes in the order of time, and lets everything else in the event loop take a turn first.

    Args:
        emulator: an emulator with a manual clock; its check of signature dates follows it.
    """

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator
        self._wakings: list[float] = []
        self.slept: list[float] = []
        emulator.auth_now = emulator.clock.now()

    def time(self) -> float:
        return self._emulator.clock.now().timestamp()

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._emulator.auth_now = self._emulator.clock.advance(max(0.0, seconds))

    def sleep(self, seconds: float, bell: Bell | None = None) -> None:
        self.slept.append(seconds)
        if bell is None or not bell.rung:
            self.advance(seconds)

    async def asleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        waking = self.time() + seconds
        self._wakings.append(waking)
        try:
            while True:
                await asyncio.sleep(0)
                if waking <= self.time():
                    return
                if _is_reading_digested() and waking <= min(self._wakings):
                    self.advance(waking - self.time())
                    return
        finally:
            self._wakings.remove(waking)


def _is_reading_digested() -> bool:
    """Whether every watcher in this event loop waits for its next reading.

    What a watcher does with a reading takes no time by this clock, however long the machine takes over it.
    """
    hubs = hub._hubs.get(asyncio.get_running_loop())
    watchers = (watcher for each in (hubs or {}).values() for watcher in each._watchers)
    return all(watcher._waiter is not None for watcher in watchers)


class Bench(NamedTuple):
    """An emulated cloud, an Airflow with a connection to it, and their time."""

    emulator: Emulator
    airflow: FakeAirflow
    clock: EmulatorClock

    @property
    def starts(self) -> int:
        """How many executions were started."""
        return self.emulator.journal.count(START, effective=True)

    @property
    def stops(self) -> int:
        """How many requests to stop an execution were sent, whatever came of them."""
        return self.emulator.journal.count(ACT, action="stop")

    @property
    def requests(self) -> list[JournalEntry]:
        """All requests so far."""
        return self.emulator.journal.entries

    @property
    def connection(self) -> dict[str, Any]:
        """A copy of the connection, to be changed and handed to ``airflow.set_connection``."""
        copied: dict[str, Any] = json.loads(json.dumps(connections(self.emulator.url)[HUAWEI_CONNECTION]))
        return copied

    def use_connection(self, *, login: str | None = None, password: str | None = None, **extra: Any) -> None:
        """Change fields of the default connection; an extra that is None is left out."""
        connection = self.connection
        connection["login"] = login or connection["login"]
        connection["password"] = password or connection["password"]
        fields = {**connection["extra"], **extra}
        connection["extra"] = {name: value for name, value in fields.items() if value is not None}
        self.airflow.set_connection(HUAWEI_CONNECTION, connection)


@contextmanager
def modelarts_bench(**switches: Any) -> Iterator[Bench]:
    """Start a cloud and an Airflow that run on `EmulatorClock`.

    Args:
        **switches: as `Switches` takes them; actions show at once unless told otherwise.
    """
    settings = Switches(**{"visibility_delay": 0, **switches})
    with Emulator(clock="manual", switches=settings) as emulator, pytest.MonkeyPatch.context() as patch:
        clock = EmulatorClock(emulator)
        for owner in (RunOperator, ModelArtsCallOperator, RunSensor, RunTrigger):
            patch.setattr(owner, "clock", clock)
        airflow = FakeAirflow(connections(emulator.url), clock=emulator.clock.now)
        yield Bench(emulator, airflow, clock)


@pytest.fixture
def modelarts() -> Iterator[Bench]:
    """An emulated ModelArts and an Airflow wired to it; see `modelarts_bench`."""
    with modelarts_bench() as bench:
        yield bench


def assert_no_secret(text: str, secrets: Iterable[str]) -> None:
    """Check that a text holds none of the secrets, without showing one if it does."""
    held = [number for number, secret in enumerate(secrets) if secret in text]
    assert not held, f"secrets number {held} are in a text of {len(text)} characters"
