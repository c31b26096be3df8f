"""The scenes that the table of permissions is held against."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.permissions.table import NEEDS, NO_TEMPLATE, RERUN, STATUS_CHANGE, STORED, TEMPLATE, UNMARKED
from tests.scenarios.aom import AomTemplateUnderTest, AomUnderTest
from tests.scenarios.modelarts import ModelArtsUnderTest
from tests.scenarios.obs import ObsMarkedUnderTest, ObsUnderTest
from tests.scenarios.paiflow import PaiFlowSuspendingUnderTest, PaiFlowUnderTest

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.emulator import Emulator, JournalEntry
    from tests.scenarios.service import ServiceUnderTest
    from tests.scenarios.stage import Mode, Stage

Play = Callable[["Stage"], None]

SERVICE_OF: dict[type[ServiceUnderTest], str] = {
    ModelArtsUnderTest: "modelarts",
    PaiFlowUnderTest: "paiflow",
    PaiFlowSuspendingUnderTest: "paiflow",
    ObsUnderTest: "obs",
    ObsMarkedUnderTest: "obs",
    AomUnderTest: "aom",
    AomTemplateUnderTest: "aom",
}
"""The section of the table that a service's rows are in."""

GIVEN: dict[tuple[str, type[ServiceUnderTest]], tuple[str, ...]] = {
    ("ModelArtsExecutionActionOperator", ModelArtsUnderTest): (RERUN,),
    ("PaiFlowStartPipelineOperator", PaiFlowUnderTest): (STORED,),
    ("ObsStartWorkflowOperator", ObsUnderTest): (UNMARKED,),
    ("AomStartWorkflowOperator", AomUnderTest): (NO_TEMPLATE,),
    ("AomStartWorkflowOperator", AomTemplateUnderTest): (TEMPLATE,),
}
"""How the scenes of an operator use it, as far as that makes it call more."""

WARNINGS = ("cannot be read", "could not be read", "shown by their ids", "read by itself", "cannot be read together")
"""What logs say if something is missing that a task can do without."""


@dataclass(frozen=True, slots=True)
class Scene:
    """What somebody does with an operator or sensor, to the end that they want.

    Attributes:
        name: The row of the table that it is about.
        when: What of the row: "" for what is called always, else what makes it call more, or something not listed
            because it calls no more.
        play: Plays it, and asserts that it came to what it should.
        under_test: The service.
        mode: How the task waits.
    """

    name: str
    when: str
    play: Play
    under_test: type[ServiceUnderTest]
    mode: Mode = "sync"

    @property
    def given(self) -> tuple[str, ...]:
        """Further parts of the row that hold wherever the operator is used like this."""
        return GIVEN.get((self.name, self.under_test), ()) if self.when else ()

    @property
    def is_plain(self) -> bool:
        """Whether a run goes well, in one of the ways to use the operator."""
        return self.when in ("", *self.given)

    @property
    def service(self) -> str:
        """The section of the table."""
        return SERVICE_OF[self.under_test]

    @property
    def id(self) -> str:
        """As it shows in test ids."""
        return f"{self.under_test.name}-{self.name}-{self.when or 'always'}-{self.play.__name__}"


SCENES: list[Scene] = []


def scene(name: str, under_test: type[ServiceUnderTest], when: str = "", mode: Mode = "sync") -> Callable[[Play], Play]:
    """Put a scene into the list."""

    def put(play: Play) -> Play:
        SCENES.append(Scene(name, when, play, under_test, mode))
        return play

    return put


def operation_of(entry: JournalEntry) -> str | None:
    """The operation that a request was for, as the table calls it."""
    if entry.operation == "UpdateService" and isinstance(entry.body, dict) and "status" in entry.body:
        return STATUS_CHANGE
    return entry.operation


def called(emulator: Emulator) -> set[str]:
    """The operations that were asked for, as the table calls them."""
    return {name for entry in emulator.journal.entries if (name := operation_of(entry)) is not None}


def undocumented(emulator: Emulator, under_test: type[ServiceUnderTest]) -> set[str]:
    """The operations that were asked for, and that the table lists for no operator or sensor of a service."""
    service = SERVICE_OF.get(under_test)
    known = {operation for need in NEEDS.get(service or "", ()) for operation in need.operations}
    return called(emulator) - known if service else set()


def answered(stage: Stage, operation: str) -> int:
    """How many requests for an operation were not refused."""
    return stage.emulator.journal.count(operation, status=200)


def has_gone_well(stage: Stage) -> None:
    """Assert that the last attempt succeeded and nothing was missing on the way."""
    assert stage.result.state == "success", stage.log
    assert [warning for warning in WARNINGS if warning in stage.log] == [], stage.log
