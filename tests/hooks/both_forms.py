"""Operations in their blocking and their async form."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from airflow_provider_mlworkflows.clouds.http import close_clients

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.clouds.operation import BoundOperation


class Ask(Protocol):
    """Calls an operation in one of its two forms."""

    def __call__(self, operation: BoundOperation[Any, Any], *args: Any, **kwargs: Any) -> Any: ...


def in_a_loop(work: Callable[[], Awaitable[Any]]) -> Any:
    """Run something in an event loop of its own and close what it opened."""

    async def live() -> Any:
        try:
            return await work()
        finally:
            await close_clients()

    return asyncio.run(live())


@pytest.fixture(params=["blocking", "aio"])
def ask(request: pytest.FixtureRequest) -> Ask:
    if request.param == "blocking":
        return lambda operation, *args, **kwargs: operation(*args, **kwargs)
    return lambda operation, *args, **kwargs: in_a_loop(lambda: operation.aio(*args, **kwargs))
