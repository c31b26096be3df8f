"""A temporary Airflow home, and the variables that keep Airflow inside it and on this machine."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import secrets
import shutil
import sysconfig
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from airflow_provider_mlworkflows.emulator.environment import connections

# The example Dags look up real workflows and pipelines in the variables that begin with MODELARTS_ and PAIFLOW_.
_LEFT_OUT_PREFIXES = ("AIRFLOW", "_AIRFLOW", "__AIRFLOW", "MODELARTS_", "PAIFLOW_")
_LEFT_OUT_NAMES = frozenset({"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"})


@contextlib.contextmanager
def temporary_home() -> Iterator[Path]:
    """An Airflow home with the example Dags in its Dags folder; removed at the end."""
    with tempfile.TemporaryDirectory(prefix="mlworkflows-demo-", ignore_cleanup_errors=True) as name:
        home = Path(name).resolve()
        (home / "plugins").mkdir()
        shutil.copytree(example_folder(), home / "dags", ignore=shutil.ignore_patterns("__pycache__"))
        yield home


def example_folder() -> Path:
    """Where the example Dags are: in the package once it is installed, beside it in a checkout.

    :raises FileNotFoundError: if they are in neither place.
    """
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "example_dags", package.parent / "example_dags"):
        if folder.is_dir():
            return folder
    raise FileNotFoundError(f"There are no example_dags in or beside {package}")


def connection_variables(url: str) -> dict[str, str]:
    """Environment variables that define Airflow's default connections of this provider for an emulator.

    :param url: base URL of the emulator.
    """
    return {f"AIRFLOW_CONN_{name.upper()}": json.dumps(fields) for name, fields in connections(url).items()}


def airflow_environment(home: Path, emulator_url: str) -> dict[str, str]:
    """The environment of an Airflow that lives in ``home`` and knows nothing of the caller's.

    :param home: what `temporary_home` made.
    :param emulator_url: base URL of the emulator that its connections lead to.
    """
    return {
        **_without_settings(os.environ),
        **connection_variables(emulator_url),
        "PATH": os.pathsep.join(filter(None, (sysconfig.get_path("scripts"), os.environ.get("PATH")))),
        "AIRFLOW_HOME": str(home),
        "AIRFLOW_CONFIG": str(home / "airflow.cfg"),
        "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_urlsafe(32),
        # A task that fails unexpectedly is tried again at once.
        "AIRFLOW__CORE__DEFAULT_TASK_RETRY_DELAY": "1",
        "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
        "AIRFLOW__CORE__FERNET_KEY": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        # The default asks the name servers for the full name of this machine, which may take seconds.
        "AIRFLOW__CORE__HOSTNAME_CALLABLE": "socket.gethostname",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(home / "plugins"),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home / 'airflow.db'}",
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(home / "logs"),
        "AIRFLOW__LOGGING__COLORED_CONSOLE_LOG": "False",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def _without_settings(environment: Mapping[str, str]) -> dict[str, str]:
    return {
        name: value
        for name, value in environment.items()
        if not name.startswith(_LEFT_OUT_PREFIXES) and name.upper() not in _LEFT_OUT_NAMES
    }
