"""After all other end-to-end tests: no secret is anywhere but in the connections."""

from __future__ import annotations

import json
import operator
import shutil
from typing import TYPE_CHECKING

import pytest
from airflow.models.trigger import Trigger
from airflow.models.xcom import XComModel
from sqlalchemy import create_engine, func, select, update
from sqlalchemy.pool import NullPool

from airflow_provider_mlworkflows.emulator import credentials as published
from tests.e2e.conftest import FERNET_KEY
from tests.e2e.dags.kill_rows import REFUSED_CONNECTIONS, SERVICES
from tests.e2e.matrix import Deployment
from tests.e2e.secrets_search import Search

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Connection

    from airflow_provider_mlworkflows.emulator import Emulator
    from tests.e2e.rows import Row
    from tests.e2e.secrets_search import Secrets
    from tests.harness.standalone import StandaloneAirflow

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

# What is to be searched has to be there: logs, trigger rows, XComs, rendered templates, stored state, Dags.
PLACES = (
    *("task logs", "component logs", "xcom", "rendered_task_instance_fields", "trigger", "task_instance"),
    *("task_state_store", "serialized_dag", "dag_run", "log"),
)
WRONG_SECRET = "wrongSecretOfTheSuiteForNobodyToSee00001"


@pytest.fixture(scope="module")
def deployment(airflow: StandaloneAirflow, emulator: Emulator) -> Deployment:
    return Deployment(airflow, emulator)


@pytest.fixture(scope="module")
def deferred(deployment: Deployment) -> list[Row]:
    """A deferred task on each service: its trigger is in the database."""
    rows = [deployment.begin(f"kill_{service}_deferred", service=service) for service in SERVICES]
    for row in rows:
        row.wait_until_watched()
    return rows


@pytest.fixture(scope="module")
def refused(deployment: Deployment, secrets: Secrets) -> list[str]:
    """The logs of tasks whose credentials were refused: services tell in their answers much of what they were sent."""
    key = deployment.emulator.credentials.temporary
    secrets.add("secret key", WRONG_SECRET)
    withdrawn = deployment.emulator.credentials.add_access_key()
    deployment.emulator.credentials.remove(withdrawn)
    deployment.set_key("huawei_wrong_secret", key.ak, WRONG_SECRET, key.security_token)
    deployment.set_key("huawei_withdrawn", withdrawn.ak, withdrawn.sk, None)
    logs = []
    for conn_id in REFUSED_CONNECTIONS:
        row = deployment.begin(f"refused_{conn_id}", published=False)
        row.wait_for_end()
        assert (row.instance["state"], row.runs) == ("failed", [])
        logs.append(row.log)
    return logs


def test_refusals_tell_no_secret(refused: list[str], secrets: Secrets) -> None:
    for log in refused:
        assert "AuthenticationError" in log
        assert not secrets.found_in(log)
    assert "verify aksk signature fail" in refused[0]
    assert "not exist" in refused[1]


def test_no_secret_is_anywhere(
    airflow: StandaloneAirflow, secrets: Secrets, deferred: list[Row], refused: list[str]
) -> None:
    assert {published.ACCESS_KEY, published.TEMPORARY_ACCESS_KEY} <= secrets.fixed["access key"]
    assert len(secrets.signatures) >= 10
    assert len(deferred) == len(SERVICES)
    search = Search(secrets, FERNET_KEY)
    search.airflow(airflow)
    assert not search.hits
    assert not [place for place in PLACES if not search.searched[place]]


@pytest.mark.parametrize("place", ["log", "xcom", "trigger"])
def test_search_can_fail(
    airflow: StandaloneAirflow, secrets: Secrets, deferred: list[Row], tmp_path: Path, place: str
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    shutil.copytree(airflow.home / "logs", home / "logs", symlinks=False, ignore_dangling_symlinks=True)
    if place == "log":
        log = next(home.rglob("attempt=1.log"))
        log.write_text(f"{log.read_text()}\nsigned: {next(iter(secrets.signatures))}\n")
    search = Search(secrets, FERNET_KEY)
    search.files(home)
    with create_engine(airflow.database, poolclass=NullPool).connect() as connection:
        if place in TELLING:
            TELLING[place](connection)
        search.tables(connection)
        connection.rollback()
    assert len(search.hits) == 1


def _tell_in_an_xcom(connection: Connection) -> None:
    table = XComModel.__table__
    key = list(table.primary_key)
    one = connection.execute(select(*key).limit(1)).one()
    told = {"url": f"https://here/?ak={published.ACCESS_KEY}"}
    connection.execute(update(table).where(*map(operator.eq, key, one)).values(value=told))


def _tell_in_a_trigger(connection: Connection) -> None:
    table = Trigger.__table__
    first = select(func.min(table.c.id)).scalar_subquery()
    connection.execute(
        update(table).where(table.c.id == first).values(kwargs=json.dumps({"secret": published.SECRET_KEY}))
    )


TELLING = {"xcom": _tell_in_an_xcom, "trigger": _tell_in_a_trigger}
