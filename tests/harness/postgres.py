"""A PostgreSQL server of a test's own: a fresh one, reached only through a socket in its own folder."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from sqlalchemy import create_engine, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from tests.harness.absent import do_without

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import TracebackType

    from sqlalchemy import Engine

ROLE = "airflow"
DATABASE = "postgres"
# The number is only part of the socket's name: nothing listens on the network.
_PORT = 5432
_DEBIAN = Path("/usr/lib/postgresql")
_UNPRIVILEGED = ("postgres", "nobody")
_SETTINGS = {
    "listen_addresses": "",
    "max_connections": "300",
    # A crash of the machine may cost a test its data.
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
}
REQUIRED = "MLWORKFLOWS_POSTGRES_REQUIRED"
"""Environment variable that makes a missing server a failure; the gate sets it."""
_START_PATIENCE = 60.0
_STOP_PATIENCE = 30.0


class PostgresFailedError(RuntimeError):
    """The server could not be made or has ended by itself."""


def find_binaries() -> Path | None:
    """Return the folder that has ``initdb`` and ``postgres``, of the newest version; None if there is none."""
    on_path = shutil.which("initdb")
    of_versions = sorted(_DEBIAN.glob("*/bin"), key=_version, reverse=True)
    found = [*([Path(on_path).parent] if on_path else []), *of_versions]
    return next((folder for folder in found if all((folder / name).exists() for name in ("initdb", "postgres"))), None)


def required_binaries() -> Path:
    """Return what `find_binaries` finds; where it finds nothing, skip the test, or fail it if `REQUIRED` is set."""
    if (found := find_binaries()) is not None:
        return found
    reason = f"no PostgreSQL server: initdb and postgres are neither on PATH nor in {_DEBIAN}/*/bin"
    do_without(reason, REQUIRED)


@contextmanager
def database_settings() -> Iterator[Mapping[str, str]]:
    """Airflow's settings for a database on a server of its own; none, and so SQLite, where there is no PostgreSQL.

    An Airflow that has much to do, or little time to do it in, ends by itself when it finds SQLite locked. If
    `REQUIRED` is set, a missing server fails the test.
    """
    binaries = required_binaries() if os.environ.get(REQUIRED) else find_binaries()
    if binaries is None:
        yield {}
        return
    with PostgresServer(binaries) as server:
        yield {"database.sql_alchemy_conn": server.url}


class PostgresServer:
    """One running server, as a context manager. Whoever may enter its folder may do everything.

    Args:
        binaries: Folder with ``initdb`` and ``postgres``.

    Attributes:
        home: Its folder, which is gone afterwards.
        url: The database, as SQLAlchemy and Airflow want it.
        engine: Connects to the database.
    """

    def __init__(self, binaries: Path) -> None:
        self._binaries = binaries
        self._owner = _unprivileged_user()
        self.home = Path(tempfile.mkdtemp(prefix="postgres-")).resolve()
        self.url = f"postgresql+psycopg2://{ROLE}@/{DATABASE}?host={self.home}&port={_PORT}"
        self.engine: Engine = create_engine(self.url, poolclass=NullPool)
        self._log = self.home / "server.log"
        self._server: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        try:
            self._initialise()
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """The id of the server's first process."""
        assert self._server is not None, "the server has not been started"
        return self._server.pid

    @property
    def version(self) -> str:
        """The server's version."""
        return str(self.rows("SHOW server_version")[0][0])

    def rows(self, query: str, **values: Any) -> list[tuple[Any, ...]]:
        """Return the rows of a query with ``:named`` values."""
        with self.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(text(query), values)]

    def stop(self) -> None:
        """End the server and remove its folder. Calling it again changes nothing."""
        if self._server is not None:
            _end(self._server)
        shutil.rmtree(self.home, ignore_errors=True)

    def _initialise(self) -> None:
        self.home.chmod(0o700)
        if self._owner is not None:
            os.chown(self.home, self._owner.pw_uid, self._owner.pw_gid)
        command = [
            *(str(self._binaries / "initdb"), "-D", str(self.home / "data"), "-U", ROLE),
            # The folder is closed to others, so that nobody has to know a password.
            *("--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions"),
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False, **self._process())
        if done.returncode != 0:
            raise PostgresFailedError(f"initdb failed:\n{done.stdout}{done.stderr}")

    def _start(self) -> None:
        settings = {**_SETTINGS, "unix_socket_directories": str(self.home), "port": str(_PORT)}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with self._log.open("wb") as log:
            # In a session of its own: Ctrl-C is for the test, which ends the server when it is done with it.
            self._server = subprocess.Popen(
                [str(self._binaries / "postgres"), "-D", str(self.home / "data"), *options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                **self._process(),
            )
        deadline = time.monotonic() + _START_PATIENCE
        while not self._answers():
            if self._server.poll() is not None or time.monotonic() > deadline:
                raise PostgresFailedError(f"postgres does not answer:\n{self._log.read_text(errors='replace')}")
            time.sleep(0.05)

    def _answers(self) -> bool:
        try:
            return bool(self.rows("SELECT 1"))
        except OperationalError:
            return False

    def _process(self) -> dict[str, Any]:
        """How its processes begin: in its folder, as its owner, told nothing by the caller's own settings."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        owner = self._owner
        identity = {} if owner is None else {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}
        return {"cwd": self.home, "env": environment, **identity}


def _version(folder: Path) -> tuple[int, ...]:
    return tuple(int(part) for part in folder.parent.name.split(".") if part.isdigit())


def _unprivileged_user() -> pwd.struct_passwd | None:
    """Who the server runs as, None for the caller: PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return None
    known: Mapping[str, pwd.struct_passwd] = {user.pw_name: user for user in pwd.getpwall()}
    return next(known[name] for name in _UNPRIVILEGED if name in known)


def _end(server: subprocess.Popen[bytes]) -> None:
    # SIGINT ends its sessions and then itself; SIGQUIT does not wait for them.
    for number in (signal.SIGINT, signal.SIGQUIT):
        if server.poll() is None:
            server.send_signal(number)
            try:
                server.wait(_STOP_PATIENCE)
            except subprocess.TimeoutExpired:
                continue
    if server.poll() is None:
        server.kill()
        server.wait()
