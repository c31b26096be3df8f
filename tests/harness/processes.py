"""Finds and ends the processes of sessions that tests have begun."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Collection

import psutil


class ProcessNotFoundError(LookupError):
    """No process of the session fits."""


def living(sessions: Collection[int]) -> list[psutil.Process]:
    """Return the living processes of these sessions, also those that moved to another process group."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(ProcessLookupError, psutil.Error):
            if os.getsid(process.pid) in sessions and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def find(sessions: Collection[int], fits: Callable[[str], bool]) -> list[int]:
    """Return the ids of the sessions' processes whose command line fits, oldest first."""
    oldest_first = sorted(living(sessions), key=lambda process: process.pid)
    return [process.pid for process in oldest_first if fits(command_line(process))]


def is_gone(process: psutil.Process) -> bool:
    """Return whether a process has ended; who has begun it may not know that yet."""
    try:
        return bool(process.status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def command_line(process: psutil.Process) -> str:
    """Return the command line of a process, "" if it has ended meanwhile."""
    try:
        return " ".join(process.cmdline()).strip()
    except psutil.Error:
        return ""


def end(leaders: Collection[subprocess.Popen[bytes]], patience: float) -> None:
    """Ask all processes of some sessions to end, and kill those that are left.

    Args:
        leaders: the processes that began the sessions.
        patience: seconds between asking and killing.
    """
    sessions = {leader.pid for leader in leaders}
    _signal_all(sessions, signal.SIGTERM)
    deadline = time.monotonic() + patience
    while _remain(sessions, leaders) and time.monotonic() < deadline:
        time.sleep(0.05)
    while _remain(sessions, leaders):
        _signal_all(sessions, signal.SIGKILL)
        time.sleep(0.02)
    for leader in leaders:
        leader.wait()


def _signal_all(sessions: Collection[int], number: signal.Signals) -> None:
    for process in living(sessions):
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(number)


def _remain(sessions: Collection[int], leaders: Collection[subprocess.Popen[bytes]]) -> bool:
    for leader in leaders:
        leader.poll()
    return bool(living(sessions))
