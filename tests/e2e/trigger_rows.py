"""Which triggerer has which trigger: Airflow's table of triggers, changed as several triggerers change it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from airflow.jobs.job import Job
from airflow.models.taskinstance import TaskInstance
from airflow.models.trigger import Trigger
from sqlalchemy import and_, create_engine, delete, insert, select, update
from sqlalchemy.pool import NullPool

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection

    from tests.harness.rest_client import TaskAddress

JOBS, TRIGGERS, TASKS = Job.__table__, Trigger.__table__, TaskInstance.__table__


class TriggerTable:
    """The triggers in one Airflow's database.

    Args:
        url: The database, as SQLAlchemy wants it.
    """

    def __init__(self, url: str) -> None:
        self._engine = create_engine(url, poolclass=NullPool)

    @contextmanager
    def moved_away(self, at: TaskAddress) -> Iterator[None]:
        """Give the trigger of a task to a triggerer elsewhere for the length of the block.

        That triggerer is no more than its row in the table of jobs; once it is gone, the real one takes the
        trigger back.
        """
        with self._engine.begin() as connection:
            job = _add_triggerer(connection)
            its_trigger = select(TASKS.c.trigger_id).where(_is(at)).scalar_subquery()
            moved = connection.execute(update(TRIGGERS).where(TRIGGERS.c.id == its_trigger).values(triggerer_id=job))
            assert moved.rowcount == 1, f"{at} has no trigger"
        try:
            yield
        finally:
            with self._engine.begin() as connection:
                connection.execute(delete(JOBS).where(JOBS.c.id == job))

    def overdue(self, at: TaskAddress) -> None:
        """Let the time for which a task was deferred be over."""
        past = datetime.now(UTC) - timedelta(hours=1)
        deferred = _is(at) & (TASKS.c.state == "deferred")
        with self._engine.begin() as connection:
            changed = connection.execute(update(TASKS).where(deferred).values(trigger_timeout=past))
            assert changed.rowcount == 1, f"{at} is not deferred"


def _add_triggerer(connection: Connection) -> int:
    now = datetime.now(UTC)
    added = connection.execute(
        insert(JOBS).values(
            state="running",
            job_type="TriggererJob",
            start_date=now,
            latest_heartbeat=now + timedelta(hours=1),
            hostname="elsewhere",
        )
    )
    assert added.inserted_primary_key is not None
    return int(added.inserted_primary_key[0])


def _is(at: TaskAddress) -> ColumnElement[bool]:
    task = (TASKS.c.dag_id == at.dag_id, TASKS.c.run_id == at.run_id, TASKS.c.task_id == at.task_id)
    return and_(*task, TASKS.c.map_index == at.map_index)
