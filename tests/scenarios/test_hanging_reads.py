"""A service that does not answer must not keep a killed task from stopping its run: a worker has five seconds."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from airflow_provider_mlworkflows.clouds.http import Connectivity
from airflow_provider_mlworkflows.exceptions import RunInterruptedError
from tests.scenarios.modelarts import ModelArtsUnderTest
from tests.scenarios.paiflow import PaiFlowUnderTest
from tests.scenarios.plan import chain, endless
from tests.scenarios.service import Counts
from tests.scenarios.stage import Stage
from tests.scenarios.test_scenarios import _reset, clock, emulator  # noqa: F401 - fixtures

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.clouds.http import WireReply, WireRequest
    from airflow_provider_mlworkflows.emulator import Emulator
    from tests.scenarios.clock import ScriptedClock
    from tests.scenarios.service import ServiceUnderTest


@pytest.fixture
def answered() -> Iterator[threading.Event]:
    """When the service answers at last."""
    event = threading.Event()
    yield event
    event.set()


@pytest.mark.parametrize("service", [ModelArtsUnderTest, PaiFlowUnderTest], ids=lambda service: service.name)
def test_marked_failed_while_a_read_hangs(
    service: type[ServiceUnderTest],
    emulator: Emulator,  # noqa: F811
    clock: ScriptedClock,  # noqa: F811
    answered: threading.Event,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _reset(emulator, clock, service.profiles["usual"])
    stage = Stage(service(emulator), "sync", clock)
    stage.plan(*chain(("train", endless())))
    real = Connectivity.transmit
    hung: list[WireRequest] = []

    def hang(connectivity: Connectivity, request: WireRequest) -> WireReply:
        if not hung:
            hung.append(request)
            stage.mark("failed")
            answered.wait()
            raise RuntimeError("nobody waits for this answer any more")
        return real(connectivity, request)

    stage.at(100, lambda: monkeypatch.setattr(Connectivity, "transmit", hang))
    result = stage.attempt(stage.starter(retries=1))
    assert not answered.is_set()
    assert hung[0].method == "GET"
    assert stage.airflow.state == "failed"
    assert isinstance(result.error, RunInterruptedError)
    assert stage.counts == Counts(starts=1, stops=1)
