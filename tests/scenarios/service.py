"""What the scenario table needs to know of a service."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.emulator import Emulator, FaultRule
    from airflow_provider_mlworkflows.operators.base import RunOperator
    from airflow_provider_mlworkflows.operators.starting import StartOperator
    from airflow_provider_mlworkflows.sensors.base import RunSensor
    from tests.scenarios.plan import PlannedStep

Ability = Literal[
    "stop", "no stop", "marker", "no marker", "inputs", "gates", "branches", "failure logs", "stop action",
    "rerun action", "step actions", "step stop", "stopped repair", "held failures",
]  # fmt: skip
COMMON_LACKS: Mapping[Ability, str] = {
    "no stop": "its runs can be stopped",
    "no marker": "its runs carry a mark of the task that started them",
    "held failures": "a failed run is over",
}
"""What most services do not lack."""
CallKind = Literal["start", "read", "stop", "repair", "rerun"]


@dataclass(frozen=True, slots=True)
class Counts:
    """What the service was asked to do to the runs of one workflow.

    Attributes:
        starts: Runs that were started.
        stops: Requests that stopped a run.
        idle_stops: Requests to stop a run that was over or stopping.
        repairs: Requests that made a run go on from where it failed, or again.
        continues: Requests that let a waiting step go on.
    """

    starts: int = 0
    stops: int = 0
    idle_stops: int = 0
    repairs: int = 0
    continues: int = 0


class ServiceUnderTest(ABC):
    """One service: how its operators are built, how its emulation is moved, and what its journal tells.

    Attributes:
        name: As it shows in test ids.
        abilities: What the service has beyond starting, reading and stopping runs.
        lacks: Why it has none of the other abilities.
        profiles: Settings of the emulation that rows run with, by name; rows name others as well.
        incidental: What errors tell besides, depending on which request was the last to fail.
        unknown_status: A literal that nobody documented.
        retry: Its word for making a failed step run again.
    """

    name: str
    abilities: frozenset[Ability]
    lacks: ClassVar[Mapping[Ability, str]] = {}
    profiles: ClassVar[Mapping[str, Mapping[str, Any]]]
    incidental: ClassVar[re.Pattern[str] | None] = None
    unknown_status: str
    retry: str = "retry"

    def __init__(self, emulator: Emulator) -> None:
        self.emulator = emulator

    @property
    def repaired_attempt(self) -> int:
        """The number that the second attempt of a step shows; 1 if the service keeps no count."""
        return 2

    @property
    def held(self) -> int:
        """How many requests it takes to end a run that has failed: 1 if the service keeps it until then."""
        return 0

    @abstractmethod
    def connections(self) -> Mapping[str, Mapping[str, Any]]:
        """The Airflow connections, by id."""

    @abstractmethod
    def use_unknown_key(self) -> dict[str, Any]:
        """The default connection with an access key that the service does not accept."""

    @abstractmethod
    def add_workflow(self, steps: Sequence[PlannedStep]) -> str:
        """Put a workflow into the emulator; returns its id."""

    @abstractmethod
    def forget_workflow(self, workflow_id: str) -> None:
        """Take a workflow and its runs out of the emulator."""

    @abstractmethod
    def start_operator(self, workflow_id: str, **arguments: Any) -> StartOperator:
        """The operator that starts a run."""

    @abstractmethod
    def run_sensor(self, workflow_id: str, run_id: str, **arguments: Any) -> RunSensor:
        """The sensor that waits for a run."""

    @abstractmethod
    def step_sensor(self, workflow_id: str, run_id: str, step: str, **arguments: Any) -> RunSensor:
        """The sensor that waits for a step."""

    def act_operator(self, workflow_id: str, run_id: str, action: str, **arguments: Any) -> RunOperator:
        """The operator that stops a run (``stop``) or runs it again (``rerun``)."""
        raise NotImplementedError

    def step_operator(self, workflow_id: str, run_id: str, step: str, action: str, **arguments: Any) -> RunOperator:
        """The operator that acts on a step: ``retry``, ``stop`` or ``continue``."""
        raise NotImplementedError

    def inputs(self, values: Mapping[str, Any]) -> Any:
        """Values for one waiting step, as the start operator's ``waiting_inputs`` take them."""
        raise NotImplementedError

    @abstractmethod
    def runs(self, workflow_id: str) -> list[str]:
        """Ids of the workflow's runs, oldest first."""

    @abstractmethod
    def start_elsewhere(self, workflow_id: str) -> str:
        """Start a run as somebody else does; returns its id."""

    @abstractmethod
    def stop_elsewhere(self, run_id: str) -> None:
        """Stop a run as somebody else does."""

    def continue_elsewhere(self, run_id: str, step: str, values: Mapping[str, Any]) -> None:
        """Let a waiting step go on as somebody else does."""
        raise NotImplementedError

    @abstractmethod
    def repair_elsewhere(self, run_id: str, step: str) -> None:
        """Make a failed step run again as somebody else does."""

    @abstractmethod
    def delete(self, run_id: str) -> None:
        """Delete a run."""

    @abstractmethod
    def show_status(self, run_id: str, status: str | None) -> None:
        """Show a status whatever the run does; None for its own again."""

    @abstractmethod
    def shown(self, run_id: str) -> str:
        """What the run really does, without counting a read: ``init``, ``running``, ``stopped`` or another word."""

    @abstractmethod
    def step_id(self, run_id: str, step: str) -> str:
        """The id that a step has in a run."""

    @abstractmethod
    def fault(self, call: CallKind, **rule: Any) -> FaultRule:
        """Make calls of a kind go wrong; ``rule`` as `FaultRule` takes it."""

    @abstractmethod
    def counts(self, workflow_id: str) -> Counts:
        """What the service was asked to do to the workflow's runs."""

    @abstractmethod
    def order_of(self, workflow_id: str, calls: Sequence[CallKind]) -> list[CallKind]:
        """The calls of these kinds that took effect on the workflow's runs, in their order."""
