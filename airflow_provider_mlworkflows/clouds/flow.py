"""Logic that needs input or output, written once for blocking and async callers.

A flow is a generator that yields what it needs done and is sent what came of it, so that it contains
neither ``await`` nor a blocking call. Whoever runs it decides how things get done.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from typing import Any, TypeVar

from airflow_provider_mlworkflows.exceptions import MLWorkflowsError

E = TypeVar("E")
T = TypeVar("T")


def drive(flow: Generator[E, Any, T], perform: Callable[[E], Any]) -> T:
    """Run a flow to its end; an error of ``perform`` is raised inside the flow, which may handle it."""
    try:
        needed = next(flow)
        while True:
            try:
                result = perform(needed)
            except MLWorkflowsError as error:
                needed = flow.throw(error)
            else:
                needed = flow.send(result)
    except StopIteration as done:
        outcome: T = done.value
        return outcome


async def adrive(flow: Generator[E, Any, T], perform: Callable[[E], Awaitable[Any]]) -> T:
    """The same in an event loop."""
    try:
        needed = next(flow)
        while True:
            try:
                result = await perform(needed)
            except MLWorkflowsError as error:
                needed = flow.throw(error)
            else:
                needed = flow.send(result)
    except StopIteration as done:
        outcome: T = done.value
        return outcome
