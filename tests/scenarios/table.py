"""The scenario table: rows, and the settings of the emulation that every row runs with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.scenarios.stage import OPERATOR_MODES, SENSOR_MODES, Mode, Observation

if TYPE_CHECKING:
    from tests.scenarios.service import Ability
    from tests.scenarios.stage import Stage

Scene = Callable[["Stage"], None]

PROFILES = ("usual", "prompt", "late")
"""Settings of the emulation: as documented, where documents are silent as is likely; a service that shows everything
at once; one that is late with everything and shouts."""


@dataclass(frozen=True, slots=True)
class Row:
    """A scenario.

    Attributes:
        name: As it shows in test ids.
        scene: Plays it on a stage, and checks what it came to.
        modes: In which ways the task waits; all must look the same from outside.
        needs: What the service must have for it.
        profiles: Names of the settings of the emulation it runs with, see `ServiceUnderTest.profiles`.
        differs: Parts of the observation in which modes may differ, see `Observation`.
    """

    name: str
    scene: Scene
    modes: tuple[Mode, ...]
    needs: frozenset[Ability]
    profiles: tuple[str, ...]
    differs: frozenset[str]

    def same(self, one: Observation, other: Observation) -> list[str]:
        """The parts in which two modes differ though they should not."""
        return [
            f"{part}: {found!r} / {expected!r}"
            for part, found, expected in one.differences(other)
            if part.partition(" ")[0] not in self.differs
        ]


ROWS: list[Row] = []


def operator_row(
    *needs: Ability,
    modes: tuple[Mode, ...] = OPERATOR_MODES,
    profiles: tuple[str, ...] = PROFILES,
    differs: tuple[str, ...] = (),
) -> Callable[[Scene], Scene]:
    """Put a scene for operators into the table."""

    def put(scene: Scene) -> Scene:
        assert scene.__name__ not in {row.name for row in ROWS}, f"two rows are called {scene.__name__}"
        ROWS.append(Row(scene.__name__, scene, modes, frozenset(needs), profiles, frozenset(differs)))
        return scene

    return put


def sensor_row(
    *needs: Ability,
    modes: tuple[Mode, ...] = SENSOR_MODES,
    profiles: tuple[str, ...] = ("usual", "late"),
    differs: tuple[str, ...] = (),
) -> Callable[[Scene], Scene]:
    """Put a scene for sensors into the table."""
    return operator_row(*needs, modes=modes, profiles=profiles, differs=differs)
