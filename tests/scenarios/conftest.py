"""The cloud and the time of all scenarios, and stages to play on."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import TYPE_CHECKING

import airflow.sdk.bases.sensor as airflow_sensor
import pytest

from airflow_provider_mlworkflows import task_states
from airflow_provider_mlworkflows.emulator import Emulator
from airflow_provider_mlworkflows.operators.base import RunOperator
from airflow_provider_mlworkflows.sensors.base import RunSensor
from airflow_provider_mlworkflows.triggers.run import RunTrigger
from tests.fifth_service.loom import LoomService
from tests.scenarios.clock import ScriptedClock
from tests.scenarios.modelarts import ModelArtsUnderTest
from tests.scenarios.stage import Mode, SetStage, Stage, reset

if TYPE_CHECKING:
    from tests.scenarios.service import ServiceUnderTest


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with Emulator(clock="manual", more=(LoomService,)) as emulator:
        yield emulator


@pytest.fixture
def clock(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> ScriptedClock:
    """The emulator's time, for Airflow and for the provider."""
    clock = ScriptedClock(emulator)
    for owner in (RunOperator, RunSensor, RunTrigger):
        monkeypatch.setattr(owner, "clock", clock)
    sensor_time = SimpleNamespace(monotonic=clock.time, sleep=clock.sleep)
    monkeypatch.setattr(airflow_sensor, "time", sensor_time)
    monkeypatch.setattr(airflow_sensor, "timezone", SimpleNamespace(utcnow=emulator.clock.now))
    monkeypatch.setattr(task_states, "ANSWER_TIMEOUT", 0.2)
    return clock


@pytest.fixture
def set_stage(emulator: Emulator, clock: ScriptedClock) -> Iterator[SetStage]:
    stages: list[Stage] = []

    def make(
        mode: Mode = "sync", profile: str = "usual", service: type[ServiceUnderTest] = ModelArtsUnderTest
    ) -> Stage:
        reset(emulator, clock, service.profiles[profile])
        stages.append(Stage(service(emulator), mode, clock))
        return stages[-1]

    yield make
    for stage in stages:
        stage.forget_workflows()
