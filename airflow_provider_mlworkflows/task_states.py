"""A task instance as its own worker or triggerer can ask Airflow about it: its state, and its XComs."""

from __future__ import annotations

import asyncio
import logging
import threading
from dataclasses import asdict, dataclass
from typing import Any

from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance
from airflow.sdk.execution_time.xcom import XCom

log = logging.getLogger(__name__)

ANSWER_TIMEOUT = 2.0
"""Seconds to wait for Airflow's answer. A worker that is being killed has five in all."""

ENDED_BY_SOMEBODY = frozenset({"failed", "success", "skipped", "removed", "restarting", "none", "unknown"})
"""States in which this attempt has no successor that would take up its run."""
MARKED = ENDED_BY_SOMEBODY - {"none", "unknown"}
"""Those that a person or a clear has put the task into; where nobody keeps its state, as in a test, it has none."""
TAKEN_UP = frozenset({"scheduled", "queued", "running", "up_for_retry"})
"""States in which another process has the task instance, or will have it."""


@dataclass(frozen=True, slots=True)
class TaskKey:
    """Which task instance."""

    dag_id: str
    task_id: str
    run_id: str
    map_index: int

    @classmethod
    def of(cls, task_instance: Any) -> TaskKey:
        """The key of a task instance, as workers and triggerers know it."""
        map_index = getattr(task_instance, "map_index", -1)
        return cls(
            task_instance.dag_id,
            task_instance.task_id,
            task_instance.run_id,
            -1 if map_index is None else map_index,
        )

    def state(self) -> str:
        """Its state; ``none`` before it is scheduled again, ``unknown`` if there is no such instance."""
        mapped = self.map_index >= 0
        states = RuntimeTaskInstance.get_task_states(
            dag_id=self.dag_id,
            task_ids=[self.task_id],
            run_ids=[self.run_id],
            map_index=self.map_index if mapped else None,
        )
        name = f"{self.task_id}_{self.map_index}" if mapped else self.task_id
        of_run = states.get(self.run_id) or {}
        if name not in of_run:
            return "unknown"
        return str(of_run[name]) if of_run[name] is not None else "none"

    def state_if_answered(self) -> str | None:
        """Its state, None if Airflow does not answer in two seconds."""
        answers: list[str] = []

        def ask() -> None:
            try:
                answers.append(self.state())
            except Exception:  # whatever keeps Airflow from answering, there is no answer
                log.warning("Airflow did not say what became of the task.", exc_info=True)

        asking = threading.Thread(target=ask, name="ask-task-state", daemon=True)
        asking.start()
        asking.join(ANSWER_TIMEOUT)
        return answers[0] if answers else None

    async def astate(self) -> str:
        """Its state, for event loops."""
        return await asyncio.to_thread(self.state)

    def xcom(self, key: str) -> Any:
        """What it has pushed under a key, None if nothing."""
        return XCom.get_one(key=key, **asdict(self))

    async def axcom(self, key: str) -> Any:
        """What it has pushed under a key, for event loops."""
        return await XCom.aget_one(key=key, **asdict(self))

    async def aset_xcom(self, key: str, value: Any) -> None:
        """Push a value in its name, from an event loop."""
        await XCom.aset(key, value, **asdict(self))
