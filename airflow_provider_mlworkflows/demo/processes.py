"""Ending a process together with all that it has started."""

from __future__ import annotations

import contextlib
import os
import subprocess

import psutil


def end_session(leader: subprocess.Popen[bytes], *, patience: float) -> None:
    """End a process that leads a session, and everything in that session; returns once it is gone.

    Airflow puts each task into a process group of its own, so the group of the leader is not all.

    :param leader: started with ``start_new_session=True``.
    :param patience: seconds that the processes have to end by themselves.
    """
    started = _members_of(leader.pid)
    for process in started:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.terminate()
    _, alive = psutil.wait_procs(started, timeout=patience)
    leader.poll()
    # Some may have been started in the meantime.
    for process in {*alive, *_members_of(leader.pid)}:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    leader.wait()


def _members_of(session: int) -> set[psutil.Process]:
    return {process for process in psutil.process_iter() if _session_of(process.pid) == session}


def _session_of(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except OSError:
        return None
