"""Moments at which things happen: while a request hangs, while an earlier run makes way, after an action was sent."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_mlworkflows.clouds.http import Connectivity
from airflow_provider_mlworkflows.operators.handling import RunHandler

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow_provider_mlworkflows.clouds.http import WireReply, WireRequest
    from airflow_provider_mlworkflows.runs import RunRef
    from tests.scenarios.stage import Stage

NOT_FOUND = {"status": 404, "code": "ModelArts.7511"}
"""What ModelArts answers about an execution that it does not have."""


def mark_while_hanging(
    patch: pytest.MonkeyPatch,
    stage: Stage,
    answered: threading.Event,
    is_meant: Callable[[WireRequest], bool],
    *,
    only_once: bool = False,
) -> None:
    """From now on leave requests without an answer; the task is marked failed during the first one.

    Args:
        patch: What undoes it.
        stage: The task.
        answered: What the requests wait for.
        is_meant: Which of them.
        only_once: Answer the others that are meant.
    """
    usual = Connectivity.transmit
    hanging: list[WireRequest] = []

    def transmit(connectivity: Connectivity, request: WireRequest) -> WireReply:
        if not is_meant(request) or (only_once and hanging):
            return usual(connectivity, request)
        hanging.append(request)
        if len(hanging) == 1:
            stage.mark("failed")
        answered.wait()
        raise RuntimeError("nobody waits for this answer any more")

    patch.setattr(Connectivity, "transmit", transmit)


def while_making_way(patch: pytest.MonkeyPatch, stage: Stage, happening: Callable[[], None]) -> None:
    """Let something happen while an earlier run is to be stopped that is not found just then."""
    stop = RunHandler.stop_before_start

    def unseen(handler: RunHandler, ref: RunRef) -> None:
        rule = stage.service.fault("read", times=None, **NOT_FOUND)

        def happen() -> None:
            stage.emulator.faults.remove(rule)
            happening()

        stage.at(10, happen)
        stop(handler, ref)

    patch.setattr(RunHandler, "stop_before_start", unseen)


@contextmanager
def at_the_first_look_after_an_action(act: Callable[[], object]) -> Iterator[None]:
    """Do something when an action has been sent, and before its effect is looked for."""
    settled = RunHandler.settled

    def disturbed(handler: RunHandler, *args: Any, **kwargs: Any) -> Any:
        patch.undo()
        act()
        return settled(handler, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RunHandler, "settled", disturbed)
        yield
