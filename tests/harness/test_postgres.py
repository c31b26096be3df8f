"""The PostgreSQL server of the tests' own."""

from __future__ import annotations

import stat
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
import pytest

from tests.harness import postgres
from tests.harness.postgres import (
    REQUIRED,
    PostgresFailedError,
    PostgresServer,
    database_settings,
    required_binaries,
)


@pytest.mark.slow
def test_server_is_fresh_private_and_gone_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPORT", "1")
    with PostgresServer(required_binaries()) as first, PostgresServer(required_binaries()) as second:
        for server in (first, second):
            assert server.rows("SELECT count(*) FROM pg_tables WHERE schemaname = :schema", schema="public") == [(0,)]
            process = psutil.Process(server.pid)
            assert process.uids().real != 0
            assert not process.net_connections("inet")
            assert stat.S_IMODE(server.home.stat().st_mode) == 0o700
            assert ":" not in server.url.partition("://")[2].partition("?")[0]
        assert first.version.split(".")[0].isdigit()
        pids, homes = {first.pid, second.pid}, {first.home, second.home}
    assert len(pids) == len(homes) == 2
    assert not any(psutil.pid_exists(pid) for pid in pids)
    assert not any(home.exists() for home in homes)


@pytest.mark.slow
def test_server_with_an_open_session_ends() -> None:
    with PostgresServer(required_binaries()) as server:
        connection = server.engine.connect()
        assert connection.exec_driver_sql("SELECT 1").scalar_one() == 1
    assert not psutil.pid_exists(server.pid)
    connection.invalidate()


def test_server_that_cannot_be_made_says_why() -> None:
    with TemporaryDirectory() as folder:
        binaries = Path(folder)
        # The server's own user has to get in.
        binaries.chmod(0o755)
        for name in ("initdb", "postgres"):
            (binaries / name).write_text("#!/bin/sh\necho no room left >&2\nexit 3\n")
            (binaries / name).chmod(0o755)
        server = PostgresServer(binaries)
        with pytest.raises(PostgresFailedError, match="no room left"), server:
            raise AssertionError("it has been entered")
    assert not server.home.exists()


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine without any server, on which none is required."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(postgres, "_DEBIAN", tmp_path)
    monkeypatch.delenv(REQUIRED, raising=False)


@pytest.mark.usefixtures("bare")
def test_where_there_is_no_server_the_test_is_skipped() -> None:
    with pytest.raises(pytest.skip.Exception, match="no PostgreSQL server"):
        required_binaries()


@pytest.mark.usefixtures("bare")
def test_where_there_is_no_server_airflow_keeps_to_sqlite() -> None:
    with database_settings() as settings:
        assert settings == {}


@pytest.mark.usefixtures("bare")
def test_where_there_has_to_be_a_server_the_test_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(REQUIRED, "1")
    with pytest.raises(pytest.fail.Exception, match="no PostgreSQL server"):
        required_binaries()
    with pytest.raises(pytest.fail.Exception, match="no PostgreSQL server"), database_settings():
        raise AssertionError("it has begun")


@pytest.mark.usefixtures("bare")
def test_newest_version_of_debian_is_taken(tmp_path: Path) -> None:
    for version, names in (("9.6", ("initdb", "postgres")), ("15", ("initdb", "postgres")), ("17", ("psql",))):
        (tmp_path / version / "bin").mkdir(parents=True)
        for name in names:
            (tmp_path / version / "bin" / name).touch()
    assert required_binaries() == tmp_path / "15" / "bin"
