"""An API operation is declared once and called in two ways.

A declaration is a method that returns a `Request`, or a generator that makes several::

    class WorkflowApi(Session):
        @operation
        def show_execution(self, workflow_id: str, execution_id: str) -> Request[Execution]: ...

        @operation
        def find_execution(self, workflow_id: str, label: str) -> Steps[Execution | None]:
            page = yield from self.list_executions.steps(workflow_id, labels=label)
            ...

    api.show_execution(workflow_id, execution_id)              # blocking
    await api.show_execution.aio(workflow_id, execution_id)    # in an event loop

`listing` does the same for reads that go on page after page, as ``for`` and ``async for``.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Generator, Hashable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, update_wrapper
from inspect import signature
from types import MethodType
from typing import Any, Concatenate, Generic, ParamSpec, Self, TypeVar, cast, overload
from urllib.parse import quote

from pydantic import TypeAdapter

from airflow_provider_mlworkflows.clouds.flow import adrive, drive

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Request(Generic[T]):
    """What one API call asks for, before it is addressed and signed.

    :param operation: the service's own name for it, used in messages.
    :param method: HTTP method.
    :param path: template such as ``/v2/{project_id}/workflows/{workflow_id}``.
    :param reply: type of the answer; None if the service answers with an empty body.
    :param path_params: values for the template; the account supplies the rest. Percent-encoded when used.
    :param query: pairs in the order given.
    :param body: JSON to send, None for no body.
    :param safe_to_repeat: whether sending it twice does what sending it once does.
    :param headers: headers this operation needs beside the usual ones.
    """

    operation: str
    method: str
    path: str
    reply: type[T] | None
    path_params: Mapping[str, str] = field(default_factory=dict)
    query: tuple[tuple[str, str], ...] = ()
    body: Mapping[str, Any] | None = None
    safe_to_repeat: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)

    def __iter__(self) -> Generator[Request[Any], Any, T]:
        answer: T = yield self
        return answer

    def url_path(self, account_params: Mapping[str, str]) -> str:
        """The path with every parameter percent-encoded."""
        params = {**account_params, **self.path_params}
        return self.path.format_map({name: quote(value, safe="~") for name, value in params.items()})

    def url_query(self) -> str:
        """The query, percent-encoded; "" if there is none."""
        return "&".join(f"{quote(name, safe='~')}={quote(value, safe='~')}" for name, value in self.query)

    def content(self) -> bytes:
        """The body as sent."""
        if self.body is None:
            return b""
        return json.dumps(self.body, ensure_ascii=False, separators=(",", ":")).encode()

    def read(self, content: bytes) -> T:
        """Turn an answer's body into the promised type.

        :raises ValueError: if it is not that (pydantic's ValidationError is one).
        """
        if self.reply is None:
            return None  # type: ignore[return-value]  # T is None for such a request
        answer: T = _adapter(cast("Hashable", self.reply)).validate_json(content)
        return answer


Steps = Generator[Request[Any], Any, T]
"""A declaration that needs several requests; its return value is the operation's."""

Pages = Generator["Request[Any] | list[T]", Any, None]
"""A declaration that alternates between a request and the list of items its answer held."""


def _heading(bound: Callable[..., Any]) -> str:
    return f"{bound.__name__}{signature(bound)}"


@cache
def _adapter(reply: Any) -> TypeAdapter[Any]:
    return TypeAdapter(reply)


class Session(ABC):
    """Something that can send a Request: the class that operations are declared on."""

    @abstractmethod
    def send(self, request: Request[T]) -> T:
        """Send a request and wait for its answer."""

    @abstractmethod
    async def asend(self, request: Request[T]) -> T:
        """Send a request from an event loop."""


class Operation(Generic[P, T]):
    """Makes a declaration a method with a blocking and an async (``.aio``) form."""

    def __init__(self, declare: Callable[Concatenate[Any, P], Request[T] | Steps[T]]) -> None:
        self._declare = declare
        update_wrapper(self, declare)  # so that help() shows the declaration

    @overload
    def __get__(self, session: None, owner: type) -> Self: ...
    @overload
    def __get__(self, session: Session, owner: type) -> BoundOperation[P, T]: ...
    def __get__(self, session: Session | None, owner: type) -> Self | BoundOperation[P, T]:
        return self if session is None else BoundOperation(session, self._declare)

    def __call__(self, session: Session, *args: P.args, **kwargs: P.kwargs) -> T:
        """Call it for a session, as functions of a class can be."""
        return BoundOperation(session, self._declare)(*args, **kwargs)


@overload
def operation(declare: Callable[Concatenate[Any, P], Request[T]]) -> Operation[P, T]: ...
@overload
def operation(declare: Callable[Concatenate[Any, P], Steps[T]]) -> Operation[P, T]: ...
def operation(declare: Callable[Concatenate[Any, P], Any]) -> Operation[P, Any]:
    """Declare an operation; decorates a method that returns a `Request` or yields several."""
    return Operation(declare)


class BoundOperation(Generic[P, T]):
    """An operation of one session: call it, or await its ``aio``."""

    def __init__(self, session: Session, declare: Callable[Concatenate[Any, P], Request[T] | Steps[T]]) -> None:
        self._session = session
        self._declare = declare
        update_wrapper(self, MethodType(declare, session))  # so that help() shows the declaration

    def __repr__(self) -> str:
        return f"<operation {_heading(self)}>"

    def steps(self, *args: P.args, **kwargs: P.kwargs) -> Steps[T]:
        """The requests it consists of, for use inside another declaration (``yield from``)."""
        return iter(self._declare(self._session, *args, **kwargs))

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> T:
        """Call it and wait for the answer."""
        return drive(self.steps(*args, **kwargs), self._session.send)

    async def aio(self, *args: P.args, **kwargs: P.kwargs) -> T:
        """The same from an event loop."""
        return await adrive(self.steps(*args, **kwargs), self._session.asend)


class Listing(Generic[P, T]):
    """Makes a declaration of pages a method to iterate over, ``.aio`` in an event loop."""

    def __init__(self, declare: Callable[Concatenate[Any, P], Pages[T]]) -> None:
        self._declare = declare
        update_wrapper(self, declare)  # so that help() shows the declaration

    @overload
    def __get__(self, session: None, owner: type) -> Self: ...
    @overload
    def __get__(self, session: Session, owner: type) -> BoundListing[P, T]: ...
    def __get__(self, session: Session | None, owner: type) -> Self | BoundListing[P, T]:
        return self if session is None else BoundListing(session, self._declare)

    def __call__(self, session: Session, *args: P.args, **kwargs: P.kwargs) -> Iterator[T]:
        """Iterate for a session, as functions of a class can be called."""
        return BoundListing(session, self._declare)(*args, **kwargs)


def listing(declare: Callable[Concatenate[Any, P], Pages[T]]) -> Listing[P, T]:
    """Declare a read that goes on page after page."""
    return Listing(declare)


class BoundListing(Generic[P, T]):
    """A listing of one session: iterate over its call, or ``async for`` over its ``aio``."""

    def __init__(self, session: Session, declare: Callable[Concatenate[Any, P], Pages[T]]) -> None:
        self._session = session
        self._declare = declare
        update_wrapper(self, MethodType(declare, session))  # so that help() shows the declaration

    def __repr__(self) -> str:
        return f"<listing {_heading(self)}>"

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Iterator[T]:
        """Iterate over all items."""
        pages = self._declare(self._session, *args, **kwargs)
        answer: Any = None
        while True:
            try:
                yielded = pages.send(answer)
            except StopIteration:
                return
            answer = None
            if isinstance(yielded, Request):
                answer = self._session.send(yielded)
            else:
                yield from yielded

    async def aio(self, *args: P.args, **kwargs: P.kwargs) -> AsyncIterator[T]:
        """The same from an event loop."""
        pages = self._declare(self._session, *args, **kwargs)
        answer: Any = None
        while True:
            try:
                yielded = pages.send(answer)
            except StopIteration:
                return
            answer = None
            if isinstance(yielded, Request):
                answer = await self._session.asend(yielded)
            else:
                for item in yielded:
                    yield item
