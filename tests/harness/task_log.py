"""Catches what a task or a trigger logs, from structlog and from the standard library alike."""

from __future__ import annotations

import contextlib
import logging
import sys
import traceback
from collections.abc import Iterator, MutableMapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

import structlog

# Written by the parts that run outside the task's own process in production.
_NOT_IN_MESSAGE = (
    "timestamp",
    "loc",
    "filename",
    "lineno",
    "func_name",
    "ti_id",
    "dag_id",
    "task_id",
    "run_id",
    "try_number",
    "map_index",
    "trigger_id",
)
_NOT_IN_TASK_LOG = ("airflow.sdk.api.client", "supervisor", "asyncio", "httpx")


@dataclass(frozen=True)
class LogLine:
    """One log line.

    Attributes:
        level: name of the level in lower case.
        logger: name of the logger.
        text: the message with its fields and, on further lines, its traceback.
    """

    level: str
    logger: str
    text: str


@dataclass
class TaskLog:
    """The log of one leg of a task, or of a trigger."""

    lines: list[LogLine] = field(default_factory=list)

    @property
    def unmasked(self) -> str:
        """The text as it was logged, before Airflow masks the secrets it knows."""
        return "\n".join(line.text for line in self.lines)

    @property
    def levels(self) -> set[str]:
        """The levels that occur."""
        return {line.level for line in self.lines}

    def masked(self) -> str:
        """The text as Airflow shows it, with what was registered as a secret replaced."""
        from airflow.sdk._shared.secrets_masker import redact

        return str(redact(self.unmasked))

    def _add(self, level: str, logger: str, text: str) -> None:
        if not logger.startswith(_NOT_IN_TASK_LOG):
            self.lines.append(LogLine(level, logger, text))


class _Handler(logging.Handler):
    def __init__(self, log: TaskLog) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        if record.exc_info:
            text = "\n".join([text, *traceback.format_exception(*record.exc_info)])
        self._log._add(record.levelname.lower(), record.name, text)


@contextlib.contextmanager
def captured() -> Iterator[TaskLog]:
    """Collect all log lines of the block, at the levels Airflow is configured for."""
    log = TaskLog()
    before = structlog.get_config()

    def keep(_: Any, method: str, event: MutableMapping[str, Any]) -> NoReturn:
        log._add(str(event.pop("level", method)), str(event.pop("logger", "task")), _render(event))
        raise structlog.DropEvent

    handler = _Handler(log)
    root = logging.getLogger()
    structlog.configure(processors=[*before["processors"][:-1], keep], cache_logger_on_first_use=False)
    root.addHandler(handler)
    try:
        yield log
    finally:
        root.removeHandler(handler)
        structlog.configure(**before)


def _render(event: MutableMapping[str, Any]) -> str:
    error = _error_of(event.pop("exc_info", None))
    message = str(event.pop("event", ""))
    text = " ".join([message, *(f"{name}={value!r}" for name, value in event.items() if name not in _NOT_IN_MESSAGE)])
    return text if error is None else "\n".join([text, *traceback.format_exception(error)])


def _error_of(exc_info: Any) -> BaseException | None:
    if exc_info is True:
        return sys.exc_info()[1]
    if isinstance(exc_info, tuple):
        exc_info = exc_info[1]
    return exc_info if isinstance(exc_info, BaseException) else None
