"""The ``dag.test()`` harness, proved on a dummy DAG."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.harness.dag_test import DagFileError, run_dag_file

DAG_FILE = Path(__file__).parent / "dags" / "dummy_pipeline.py"
PASSWORD = "correct-horse-battery"
CONNECTIONS = {"cloud": f"generic://ak:{PASSWORD}@cloud.invalid"}

pytestmark = pytest.mark.usefixtures("airflow_db")


def test_dag_runs_tasks_and_triggers() -> None:
    result = run_dag_file(DAG_FILE, connections=CONNECTIONS)
    assert result.state == "success"
    assert set(result.states.values()) == {"success"}
    assert set(result.states) == {"start", "double[0]", "double[1]", "double[2]", "check"}
    assert result.xcoms["check"]["return_value"] == 12
    assert result.xcoms["start"]["_link_RunLink"] == "cloud.invalid/run-1"
    assert "signing with ***" in result.log
    assert PASSWORD not in result.log


def test_second_run_of_the_same_file_starts_afresh() -> None:
    run_ids = {run_dag_file(DAG_FILE, connections=CONNECTIONS).run_id for _ in range(2)}
    assert len(run_ids) == 2


def test_failing_dag_is_seen_to_fail() -> None:
    result = run_dag_file(DAG_FILE, connections=CONNECTIONS, run_conf={"fail": True})
    assert result.state == "failed"
    assert result.states["check"] == "failed"
    assert "asked to fail" in result.log


def test_file_that_does_not_import_is_an_error(tmp_path: Path) -> None:
    broken = tmp_path / "broken.py"
    broken.write_text("from airflow.sdk import DAG\nfrom nowhere import nothing\n")
    with pytest.raises(DagFileError, match="nowhere"):
        run_dag_file(broken)


def test_unknown_dag_is_an_error() -> None:
    with pytest.raises(DagFileError, match="dummy_pipeline"):
        run_dag_file(DAG_FILE, dag_id="other")


def test_connections_are_gone_afterwards() -> None:
    run_dag_file(DAG_FILE, connections=CONNECTIONS)
    assert "AIRFLOW_CONN_CLOUD" not in os.environ
