"""Which triggerer has which trigger: Airflow's table of triggers, changed as several triggerers change it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from tests.harness.rest_client import TaskAddress

FORMAT = "%Y-%m-%d %H:%M:%S.%f"


class TriggerTable:
    """The triggers in one Airflow's database.

    Args:
        database: File of the database.
    """

    def __init__(self, database: Path) -> None:
        self._database = database

    @contextmanager
    def moved_away(self, at: TaskAddress) -> Iterator[None]:
        """Give the trigger of a task to a triggerer elsewhere for the length of the block.

        That triggerer is no more than its row in the table of jobs; once it is gone, the real one takes the
        trigger back.
        """
        with self._changing() as connection:
            job = self._add_triggerer(connection)
            changed = connection.execute(
                "UPDATE trigger SET triggerer_id = ? WHERE id = (SELECT trigger_id FROM task_instance"
                " WHERE dag_id = ? AND run_id = ? AND task_id = ? AND map_index = ?)",
                (job, at.dag_id, at.run_id, at.task_id, at.map_index),
            )
            assert changed.rowcount == 1, f"{at} has no trigger"
        try:
            yield
        finally:
            with self._changing() as connection:
                connection.execute("DELETE FROM job WHERE id = ?", (job,))

    def overdue(self, at: TaskAddress) -> None:
        """Let the time for which a task was deferred be over."""
        past = datetime.now(UTC) - timedelta(hours=1)
        with self._changing() as connection:
            changed = connection.execute(
                "UPDATE task_instance SET trigger_timeout = ?"
                " WHERE dag_id = ? AND run_id = ? AND task_id = ? AND map_index = ? AND state = 'deferred'",
                (past.strftime(FORMAT), at.dag_id, at.run_id, at.task_id, at.map_index),
            )
            assert changed.rowcount == 1, f"{at} is not deferred"

    @staticmethod
    def _add_triggerer(connection: sqlite3.Connection) -> int:
        now = datetime.now(UTC)
        values = (now.strftime(FORMAT), (now + timedelta(hours=1)).strftime(FORMAT))
        added = connection.execute(
            "INSERT INTO job (state, job_type, start_date, latest_heartbeat, hostname)"
            " VALUES ('running', 'TriggererJob', ?, ?, 'elsewhere')",
            values,
        )
        assert added.lastrowid is not None
        return added.lastrowid

    @contextmanager
    def _changing(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self._database, timeout=60.0)) as connection, connection:
            yield connection
