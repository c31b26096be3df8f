"""Settings shared by all tests. Nothing may import Airflow before the first call below."""

from __future__ import annotations

from tests.harness.environment import prepare_environment

AIRFLOW_HOME = prepare_environment()

import pytest  # noqa: E402

from tests.harness.environment import initialise_database  # noqa: E402


@pytest.fixture(scope="session")
def airflow_db() -> None:
    """An initialised metadata database in the tests' own Airflow home."""
    initialise_database()
