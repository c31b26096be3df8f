"""A throw-away Airflow home, chosen before Airflow is imported for the first time."""

from __future__ import annotations

import atexit
import base64
import os
import secrets
import shutil
import sys
import tempfile
from functools import cache
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]

_INHERITED_PREFIXES = ("AIRFLOW__", "AIRFLOW_CONN_", "AIRFLOW_VAR_", "AIRFLOW_CTX_", "_AIRFLOW")
_INHERITED_NAMES = ("AIRFLOW_HOME", "AIRFLOW_CONFIG")

_prepared_by_pid: dict[int, Path] = {}


def environment_without_airflow() -> dict[str, str]:
    """Return a copy of this process's environment in which nothing speaks of Airflow."""
    return {
        name: value
        for name, value in os.environ.items()
        if name not in _INHERITED_NAMES and not name.startswith(_INHERITED_PREFIXES)
    }


def settings_for(home: Path) -> dict[str, str]:
    """Return the environment variables that keep one Airflow inside ``home``."""
    return {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW_CONFIG": str(home / "airflow.cfg"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(home / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__FERNET_KEY": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        # The default asks the name servers for the full name of this host, which may take seconds.
        "AIRFLOW__CORE__HOSTNAME_CALLABLE": "socket.gethostname",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home / 'airflow.db'}",
        "AIRFLOW__DATABASE__LOAD_DEFAULT_CONNECTIONS": "False",
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(home / "logs"),
        "AIRFLOW__LOGGING__COLORED_CONSOLE_LOG": "False",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
    }


def make_home(prefix: str) -> Path:
    """Create an empty Airflow home with its ``dags`` and ``plugins`` folders."""
    home = Path(tempfile.mkdtemp(prefix=prefix)).resolve()
    (home / "dags").mkdir()
    (home / "plugins").mkdir()
    return home


def prepare_environment() -> Path:
    """Point this process at an Airflow home of its own, removed when the process ends.

    Variables that configure Airflow in the caller's shell are taken out, so neither a developer's
    settings nor their connections reach a test. A second call in the same process changes nothing.

    Returns:
        The Airflow home.

    Raises:
        RuntimeError: Airflow was imported before, so that it already read other settings.
    """
    if (prepared := _prepared_by_pid.get(os.getpid())) is not None:
        return prepared
    if "airflow" in sys.modules:
        raise RuntimeError("Airflow was imported before its test environment was prepared")
    for name in set(os.environ) - set(environment_without_airflow()):
        del os.environ[name]
    home = make_home("airflow-tests-")
    os.environ.update(settings_for(home))
    _prepared_by_pid[os.getpid()] = home
    atexit.register(_remove, home, os.getpid())
    return home


def airflow_home() -> Path:
    """Return the home that `prepare_environment` chose for this process."""
    return _prepared_by_pid[os.getpid()]


@cache
def initialise_database() -> None:
    """Create the tables of the metadata database, once per process."""
    from airflow.utils.db import initdb

    initdb()


def _remove(home: Path, owner: int) -> None:
    # A child forked by a test inherits the exit handlers; the home is its parent's.
    if os.getpid() == owner:
        shutil.rmtree(home, ignore_errors=True)
