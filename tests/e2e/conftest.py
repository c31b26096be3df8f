"""One emulator and one Airflow for all end-to-end tests."""

from __future__ import annotations

import json
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cryptography.fernet import Fernet

from airflow_provider_mlworkflows.emulator import Emulator, Switches
from airflow_provider_mlworkflows.emulator import credentials as published
from airflow_provider_mlworkflows.emulator.environment import connections
from tests.e2e.secrets_search import Secrets, overheard
from tests.harness.environment import REPOSITORY
from tests.harness.postgres import database_settings
from tests.harness.standalone import StandaloneAirflow

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

DAG_FILES = [
    Path(__file__).parent / "dags" / "kill_rows.py",
    REPOSITORY / "example_dags" / "example_modelarts_start.py",
]


FERNET_KEY = Fernet.generate_key()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What searches the traces of all other tests comes last."""
    items.sort(key=lambda item: item.path.name == "test_secrets.py")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test that fails shows what Airflow's scheduler had to say."""
    report = yield
    if report.failed and isinstance(item, pytest.Function):
        used = (each for each in item.funcargs.values() if isinstance(each, StandaloneAirflow))
        report.sections.extend(("Airflow's scheduler", airflow.printed_by("scheduler")) for airflow in used)
    return report


@pytest.fixture(scope="session")
def secrets() -> Secrets:
    """All that must not be told, grown by what is heard of each request."""
    secrets = Secrets()
    secrets.add("secret key", published.SECRET_KEY, published.TEMPORARY_SECRET_KEY)
    return secrets


@pytest.fixture(scope="session")
def emulator(secrets: Secrets) -> Iterator[Emulator]:
    """An emulator on the wall clock."""
    # Nobody reads a run once its task has been killed, so a delay counted in reads would never end.
    with overheard(secrets), Emulator(clock="real", switches=Switches(visibility_delay=0)) as running:
        yield running


@pytest.fixture(scope="session")
def airflow(emulator: Emulator) -> Iterator[StandaloneAirflow]:
    """The Airflow of these tests."""
    with whole_airflow(emulator) as running:
        yield running


@contextmanager
def whole_airflow(emulator: Emulator) -> Iterator[StandaloneAirflow]:
    """A whole Airflow with the Dags of these tests, connected to the emulator."""
    with ExitStack() as stack:
        running = StandaloneAirflow(
            DAG_FILES,
            environment={
                f"AIRFLOW_CONN_{conn_id.upper()}": json.dumps(connection)
                for conn_id, connection in connections(emulator.url).items()
            },
            config={
                "core.parallelism": "8",
                "core.fernet_key": FERNET_KEY.decode(),
                "core.test_connection": "Enabled",
                **stack.enter_context(database_settings()),
            },
        )
        stack.callback(running.stop)
        running.start()
        yield running
