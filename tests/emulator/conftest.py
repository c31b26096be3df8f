from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from airflow_provider_mlworkflows.emulator import Emulator, Switches
from tests.emulator.acs_signing import PaiCaller
from tests.emulator.aom_calls import AomCaller
from tests.emulator.obs_signing import ObsCaller
from tests.emulator.signing import Caller

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def emu() -> Iterator[Emulator]:
    """An emulator whose time stands still and that shows every change at once."""
    with Emulator(clock="manual", switches=Switches(visibility_delay=0)) as emulator:
        yield emulator


@pytest.fixture
def caller(emu: Emulator) -> Iterator[Caller]:
    with Caller.of(emu) as client:
        yield client


@pytest.fixture
def pai(emu: Emulator) -> Iterator[PaiCaller]:
    with PaiCaller.of(emu) as client:
        yield client


@pytest.fixture
def aom(emu: Emulator) -> Iterator[AomCaller]:
    with AomCaller.of(emu) as client:
        yield client


@pytest.fixture
def obs(emu: Emulator) -> Iterator[ObsCaller]:
    with ObsCaller.of(emu) as client:
        yield client
