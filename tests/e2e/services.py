"""The services as the rows of the kill matrix need them: endless runs that a test can end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.scenarios.aom import AomUnderTest
from tests.scenarios.modelarts import ModelArtsUnderTest
from tests.scenarios.obs import ObsUnderTest
from tests.scenarios.paiflow import PaiFlowUnderTest
from tests.scenarios.plan import chain, endless

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.emulator import Emulator
    from tests.scenarios.service import ServiceUnderTest

STEP = "train"
_WORDS = {
    **dict.fromkeys(("completed", "success", "succeeded"), "succeeded"),
    **dict.fromkeys(("stopped", "terminated", "cancel"), "stopped"),
    **dict.fromkeys(
        ("init", "initialized", "readytoschedule", "waitexecute", "starting", "executing", "running"), "running"
    ),
}
"""What the services' words for the states of a run come to; others stand for themselves."""


@dataclass(frozen=True)
class RowService:
    """A service of the scenario table, with what only the kill matrix asks of it.

    Attributes:
        under_test: The service.
        status: The literal that readers of a run see.
        finish: Lets a run succeed.
    """

    under_test: ServiceUnderTest
    status: Callable[[str], str]
    finish: Callable[[str], None]

    def add_workflow(self) -> str:
        """Put a workflow into the emulator whose runs never end by themselves."""
        return self.under_test.add_workflow(chain((STEP, endless())))

    def state(self, run_id: str) -> str:
        """What a run does: ``running``, ``stopping``, ``stopped``, ``succeeded`` or another word."""
        status = self.status(run_id).lower()
        return _WORDS.get(status, status)


def row_services(emulator: Emulator) -> Mapping[str, RowService]:
    """The four services, by name."""
    services = (_modelarts(emulator), _paiflow(emulator), _aom(emulator), _obs(emulator))
    return {service.under_test.name: service for service in services}


def _modelarts(emulator: Emulator) -> RowService:
    store = emulator.modelarts

    def status(run_id: str) -> Any:
        return store.peek(store.execution(run_id))["status"]

    def finish(run_id: str) -> None:
        store.force_status(run_id, "completed", {STEP: "completed"})

    return RowService(ModelArtsUnderTest(emulator), status, finish)


def _paiflow(emulator: Emulator) -> RowService:
    store = emulator.paiflow

    def status(run_id: str) -> str:
        return store.peek(store.run(run_id)).status

    def finish(run_id: str) -> None:
        store.force_status(run_id, "Succeeded", {STEP: "Succeeded"})

    return RowService(PaiFlowUnderTest(emulator), status, finish)


def _aom(emulator: Emulator) -> RowService:
    store = emulator.aom

    def status(run_id: str) -> str:
        return store.peek(store.execution(run_id)).status

    def finish(run_id: str) -> None:
        store.force_status(run_id, "success", {STEP: "success"})

    return RowService(AomUnderTest(emulator), status, finish)


def _obs(emulator: Emulator) -> RowService:
    store = emulator.obs

    def status(run_id: str) -> Any:
        return store.peek(store.execution(run_id))["execution_state"]

    def finish(run_id: str) -> None:
        store.finish_state(run_id)

    return RowService(ObsUnderTest(emulator), status, finish)
