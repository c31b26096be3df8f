"""Every row of the table, with every service, every profile of its emulation and every way to wait."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from tests.fifth_service.loom import LoomUnderTest
from tests.permissions.scene import undocumented
from tests.scenarios import (
    rows_actions,
    rows_attempts,
    rows_endings,
    rows_held,
    rows_kills,
    rows_sensors,
    rows_starts,
    rows_troubles,
    rows_unmarked,
    rows_unstoppable,
    rows_waiting,
)
from tests.scenarios.aom import AomTemplateUnderTest, AomUnderTest
from tests.scenarios.modelarts import ModelArtsUnderTest
from tests.scenarios.obs import ObsMarkedUnderTest, ObsUnderTest
from tests.scenarios.paiflow import PaiFlowSuspendingUnderTest, PaiFlowUnderTest
from tests.scenarios.stage import Observation, Stage, reset
from tests.scenarios.table import ROWS, Row

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.emulator import Emulator
    from tests.scenarios.clock import ScriptedClock
    from tests.scenarios.service import ServiceUnderTest

SERVICES: tuple[type[ServiceUnderTest], ...] = (
    ModelArtsUnderTest,
    PaiFlowUnderTest,
    PaiFlowSuspendingUnderTest,
    ObsUnderTest,
    ObsMarkedUnderTest,
    AomUnderTest,
    AomTemplateUnderTest,
    LoomUnderTest,
)
ROW_MODULES = (
    rows_actions,
    rows_attempts,
    rows_endings,
    rows_held,
    rows_kills,
    rows_sensors,
    rows_starts,
    rows_troubles,
    rows_unmarked,
    rows_unstoppable,
    rows_waiting,
)


def _cases() -> Iterator[Any]:
    for service in SERVICES:
        for row in ROWS:
            if missing := sorted(row.needs - service.abilities):
                reason = pytest.mark.skip(reason=f"{service.name}: {service.lacks[missing[0]]}")
                yield pytest.param(service, "none", row, id=f"{service.name}-{row.name}", marks=reason)
                continue
            profiles = [profile for profile in row.profiles if profile in service.profiles]
            assert profiles, f"{service.name} is never emulated in a way that {row.name} is about"
            for profile in profiles:
                yield pytest.param(
                    service, profile, row, id=f"{service.name}-{profile}-{row.name}", marks=_marks(service, profile)
                )


def _marks(service: type[ServiceUnderTest], profile: str) -> tuple[pytest.MarkDecorator, ...]:
    """All rows take minutes: the usual ones of one service run always, its others and their likes with what is slow."""
    if profile == "usual":
        return () if service is SERVICES[0] else (pytest.mark.slow,)
    return (pytest.mark.slow,) if service is SERVICES[0] else (pytest.mark.full,)


@pytest.mark.parametrize(("service", "profile", "row"), list(_cases()))
def test_scenario(
    emulator: Emulator, clock: ScriptedClock, service: type[ServiceUnderTest], profile: str, row: Row
) -> None:
    seen: dict[str, Observation] = {}
    for mode in row.modes:
        reset(emulator, clock, service.profiles[profile])
        stage = Stage(service(emulator), mode, clock)
        try:
            row.scene(stage)
            seen[mode] = stage.observed()
            assert undocumented(emulator, service) == set(), "docs/permissions.md does not know of it"
        except Exception as error:
            error.add_note(f"in mode {mode}; log:\n{stage.log}")
            raise
        finally:
            stage.forget_workflows()
    first, *others = seen
    for other in others:
        assert not (differing := row.same(seen[first], seen[other])), f"{first} / {other} differ in {differing}"
