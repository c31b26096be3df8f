"""The throw-away Airflow home, proved in processes of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.harness.environment import REPOSITORY, airflow_home


def _ask(code: str, **environment: str) -> Any:
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        check=False,
        cwd=REPOSITORY,
        env={"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), **environment},
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_users_airflow_is_neither_read_nor_written(tmp_path: Path) -> None:
    own_home = tmp_path / "own"
    own_home.mkdir()
    (own_home / "airflow.cfg").write_text("[core]\nparallelism = 7\n")
    found = _ask(
        "import json, os\n"
        "from tests.harness.environment import prepare_environment\n"
        "home = prepare_environment()\n"
        "from airflow.configuration import conf\n"
        "print(json.dumps([conf.get('core', 'dags_folder') == str(home / 'dags'),"
        " conf.getint('core', 'parallelism'), conf.get('database', 'sql_alchemy_conn'), str(home),"
        " 'AIRFLOW_CONN_MINE' in os.environ]))",
        AIRFLOW_HOME=str(own_home),
        AIRFLOW__CORE__PARALLELISM="9",
        AIRFLOW_CONN_MINE="http://me@host",
    )
    in_home, parallelism, database, home, has_connection = found
    assert in_home
    assert parallelism not in (7, 9)
    assert database == f"sqlite:///{home}/airflow.db"
    assert not has_connection
    assert not Path(home).exists()
    assert [path.name for path in own_home.iterdir()] == ["airflow.cfg"]


def test_too_late_a_call_is_refused(tmp_path: Path) -> None:
    refusal = _ask(
        "import json, airflow\n"
        "from tests.harness.environment import prepare_environment\n"
        "try: prepare_environment()\n"
        "except RuntimeError as error: print(json.dumps(str(error)))",
        AIRFLOW_HOME=str(tmp_path),
    )
    assert "before its test environment" in refusal


def test_harness_package_imports_no_airflow() -> None:
    assert _ask("import json, sys, tests.harness.environment\nprint(json.dumps('airflow' in sys.modules))") is False


def test_this_process_uses_its_own_home() -> None:
    assert os.environ["AIRFLOW_HOME"] == str(airflow_home())
    assert airflow_home().name.startswith("airflow-tests-")
