"""Tasks around ModelArts beside its workflows, on an emulator whose time passes only while somebody waits."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import airflow.sdk.bases.sensor as airflow_sensor
import httpx
import pytest

from airflow_provider_mlworkflows import task_states
from airflow_provider_mlworkflows.emulator import Emulator, Switches
from airflow_provider_mlworkflows.operators.base import RunOperator
from airflow_provider_mlworkflows.operators.modelarts_calls import ModelArtsCallOperator
from airflow_provider_mlworkflows.operators.modelarts_services import ModelArtsCreateServiceOperator
from airflow_provider_mlworkflows.sensors.base import RunSensor
from airflow_provider_mlworkflows.triggers.run import RunTrigger
from tests.scenarios.clock import ScriptedClock
from tests.scenarios.modelarts import ModelArtsUnderTest
from tests.scenarios.stage import Mode, Stage

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator

    from airflow_provider_mlworkflows.emulator.modelarts.serving import Service
    from tests.harness.execution_api import ApiCall

NAME = "flowers"
MODEL = {"model_id": "0e07b41b", "specification": "modelarts.vm.cpu.2u", "instance_count": 1}
OTHER_MODEL = {**MODEL, "model_id": "5d11c0aa"}
both_modes = pytest.mark.parametrize("mode", ["sync", "deferrable"])
each_mode = pytest.mark.parametrize("mode", ["poke", "reschedule", "deferrable"])

Staging = Callable[[Mode], Stage]
PROFILES: dict[str, dict[str, Any]] = {
    "usual": {},
    "prompt": {"visibility_delay": 0, "unknown_field": False, "service_names": "unique", "name_filter": "exact"},
    "late": {
        "visibility_delay": 5,
        "list_lag": 20.0,
        "casing": "upper",
        "page_cap": 2,
        "offset_counts": "items",
        "stop_seconds": 25.0,
    },
}
"""Settings of the emulation, as the scenario table has them."""
each_profile = pytest.mark.parametrize("profile", PROFILES)


def use_profile(stage: Stage, profile: str) -> None:
    """Set the emulation up."""
    for name, value in PROFILES[profile].items():
        setattr(stage.emulator.switches, name, value)


@pytest.fixture
def staging(monkeypatch: pytest.MonkeyPatch) -> Iterator[Staging]:
    """Set a stage for a task that waits in a mode."""
    random.seed(1)
    with Emulator(clock="manual", switches=Switches(visibility_delay=2)) as emulator:
        clock = ScriptedClock(emulator)
        for owner in (RunOperator, ModelArtsCallOperator, RunSensor, RunTrigger):
            monkeypatch.setattr(owner, "clock", clock)
        monkeypatch.setattr(airflow_sensor, "time", SimpleNamespace(monotonic=clock.time, sleep=clock.sleep))
        monkeypatch.setattr(airflow_sensor, "timezone", SimpleNamespace(utcnow=emulator.clock.now))
        monkeypatch.setattr(task_states, "ANSWER_TIMEOUT", 0.2)
        yield lambda mode: Stage(ModelArtsUnderTest(emulator), mode, clock)


def creator(stage: Stage, **arguments: Any) -> ModelArtsCreateServiceOperator:
    """The operator that deploys `MODEL` as `NAME`."""
    usual: dict[str, Any] = {"task_id": "deploy", "service_name": NAME, "config": [MODEL], "poll_interval": 10.0}
    return ModelArtsCreateServiceOperator(**{**usual, "deferrable": stage.mode == "deferrable", **arguments})


def services(stage: Stage) -> list[Service]:
    """The services that are there, oldest first."""
    return list(stage.emulator.modelarts.services.all.values())


def add_service(stage: Stage, name: str = NAME, **fields: Any) -> Service:
    """Somebody else's service."""
    body = {"service_name": name, "infer_type": "real-time", "config": [MODEL], **fields}
    return stage.emulator.modelarts.services.add(body)


def asked(stage: Stage, operation: str, action: str | None = None) -> int:
    """How often something was asked for with effect."""
    return stage.emulator.journal.count(operation, action=action, effective=True)


def lose_worker(
    stage: Stage, operator: BaseOperator, *, stored: int = 1, at: tuple[str, str] = ("PUT", "/store/ti/")
) -> None:
    """Run an attempt whose worker vanishes when it writes its n-th record, or makes another call to Airflow.

    Of a start the second record names the run.
    """

    def kill(call: ApiCall) -> httpx.Response:
        stage.airflow.kill_worker()
        return httpx.Response(503)

    if stored > 1:
        stage.airflow.on_call(*at, lambda call: None, times=stored - 1)
    stage.airflow.on_call(*at, kill)
    assert stage.attempt(operator, in_process=True).state == "running"
    stage.airflow.lose_worker()
    stage.airflow.api.intercepts.clear()


def later(stage: Stage, seconds: float, happening: Callable[[], object]) -> None:
    """Let something happen so many seconds from now, whatever it returns."""

    def happen() -> None:
        happening()

    stage.at(seconds, happen)
