"""Runs a DAG file through ``dag.test()``, tasks and triggers in this process, on a throw-away database.

What ``dag.test()`` leaves out, this leaves out: ``defer(kwargs=...)`` does not come back, a trigger does not
know its task instance, and nobody is killed or timed out. Use `tests.harness.task_runner` for those.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

from tests.harness import task_log
from tests.harness.environment import airflow_home, initialise_database

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun
    from airflow.sdk import DAG
    from sqlalchemy.orm import Session


class DagFileError(Exception):
    """The DAG file cannot be imported, or does not hold the DAG that was asked for."""


@dataclass(frozen=True)
class DagTestResult:
    """What one run of a DAG came to.

    A task instance is named by its task id, a mapped one by ``task_id[map_index]``.

    Attributes:
        state: state of the DAG run.
        run_id: id of the DAG run.
        states: state of each task instance.
        xcoms: XComs of each task instance, decoded, extra links included.
        log: all that was logged during the run, secrets masked.
        unmasked_log: the same before masking.
    """

    state: str
    run_id: str
    states: dict[str, str | None]
    xcoms: dict[str, dict[str, Any]]
    log: str = field(repr=False)
    unmasked_log: str = field(repr=False)


def run_dag_file(
    path: Path,
    *,
    dag_id: str | None = None,
    run_conf: dict[str, Any] | None = None,
    connections: Mapping[str, str] | None = None,
    environment: Mapping[str, str] | None = None,
) -> DagTestResult:
    """Put a DAG file into the DAGs folder and run its DAG once.

    Args:
        path: the file; it is copied, so relative imports next to it do not work, as in a DAGs folder.
        dag_id: which DAG of the file; may be left out if there is only one.
        run_conf: configuration of the run.
        connections: connection id to URI or JSON text.
        environment: further environment variables, also while the file is imported.

    Raises:
        DagFileError: the file does not import, or the DAG is not in it.
    """
    initialise_database()
    variables = dict(environment or {})
    for conn_id, connection in (connections or {}).items():
        variables[f"AIRFLOW_CONN_{conn_id.upper()}"] = connection
    with mock.patch.dict(os.environ, variables), _in_dags_folder(path) as installed:
        dag = load_dag(installed, dag_id)
        with task_log.captured() as log:
            run = dag.test(run_conf=run_conf)
            masked = log.masked()
        return _result_of(run, masked, log.unmasked)


def load_dag(path: Path, dag_id: str | None = None) -> DAG:
    """Import a DAG file as the DAG processor does and return one of its DAGs.

    Raises:
        DagFileError: the file does not import, or the DAG is not in it.
    """
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(dag_folder=str(path), bundle_path=path.parent, bundle_name="dags-folder")
    if bag.import_errors:
        raise DagFileError("\n".join(bag.import_errors.values()))
    if dag_id is None and len(bag.dags) == 1:
        dag_id = next(iter(bag.dags))
    if dag_id not in bag.dags:
        raise DagFileError(f"{path.name} holds {sorted(bag.dags)}, not {dag_id}")
    return bag.dags[dag_id]


@contextlib.contextmanager
def _in_dags_folder(path: Path) -> Iterator[Path]:
    installed = airflow_home() / "dags" / path.name
    shutil.copyfile(path, installed)
    try:
        yield installed
    finally:
        installed.unlink()


def _result_of(run: DagRun, log: str, unmasked_log: str) -> DagTestResult:
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        rows = session.scalars(select(TaskInstance).where(TaskInstance.run_id == run.run_id)).all()
        rows = [row for row in rows if row.dag_id == run.dag_id]
        states = {_name(row.task_id, row.map_index): row.state for row in rows}
        return DagTestResult(
            state=str(run.state),
            run_id=run.run_id,
            states={name: None if state is None else str(state) for name, state in states.items()},
            xcoms=_xcoms_of(run, session),
            log=log,
            unmasked_log=unmasked_log,
        )


def _xcoms_of(run: DagRun, session: Session) -> dict[str, dict[str, Any]]:
    from airflow.models.xcom import XComModel
    from sqlalchemy import select

    rows = session.scalars(select(XComModel).where(XComModel.run_id == run.run_id, XComModel.dag_id == run.dag_id))
    found: dict[str, dict[str, Any]] = {}
    for row in rows:
        found.setdefault(_name(row.task_id, row.map_index), {})[row.key] = XComModel.deserialize_value(row)
    return found


def _name(task_id: str, map_index: int) -> str:
    return task_id if map_index < 0 else f"{task_id}[{map_index}]"
