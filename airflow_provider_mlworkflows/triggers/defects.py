"""What fails in reading a run although no service has failed: it is that reading's trouble, and nobody else's."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from airflow_provider_mlworkflows.exceptions import UnexpectedReplyError

if TYPE_CHECKING:
    from types import TracebackType

log = logging.getLogger(__name__)


class Defects:
    """The defects that have shown, each of which is logged with its traceback once."""

    def __init__(self) -> None:
        self._known: set[tuple[str, str, int]] = set()

    def confined(self, error: Exception) -> UnexpectedReplyError:
        """A defect as an error that its reading can end with.

        It names the defect's type only: its text may quote anything, and goes into the logs of many tasks.
        """
        kind, (file, line) = type(error).__qualname__, _place(error.__traceback__)
        if (kind, file, line) not in self._known:
            self._known.add((kind, file, line))
            log.error("A defect in dealing with a reply. Only that reading fails; it is tried again.", exc_info=error)
        confined = UnexpectedReplyError(
            f"The reply could not be dealt with, because of a defect: {kind} at {file}, line {line}. The triggerer's "
            "own log has more."
        )
        confined.__cause__ = error
        return confined


def _place(traceback: TracebackType | None) -> tuple[str, int]:
    """File and line where something was raised."""
    place = ("", 0)
    while traceback is not None:
        place = (traceback.tb_frame.f_code.co_filename, traceback.tb_lineno)
        traceback = traceback.tb_next
    return place
