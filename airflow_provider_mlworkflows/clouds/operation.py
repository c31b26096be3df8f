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
from collections.abc import AsyncIterator, Callable, Coroutine, Generator, Hashable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, Self, TypeVar, cast, overload
from urllib.parse import quote

from pydantic import TypeAdapter

from airflow_provider_mlworkflows.clouds.bodies import unwritable
from airflow_provider_mlworkflows.clouds.faces import Faces, show
from airflow_provider_mlworkflows.clouds.flow import adrive, drive
from airflow_provider_mlworkflows.exceptions import InvalidInputError

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.clouds.http import WireReply

P = ParamSpec("P")
T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Request(Generic[T]):
    """What one API call asks for, before it is addressed and signed.

    :param operation: the service's own name for it, used in messages.
    :param method: HTTP method.
    :param path: template such as ``/v2/{project_id}/workflows/{workflow_id}``.
    :param reply: type of the answer; None if the service answers with an empty body.
    :param path_params: values for the template; the account supplies the rest. Percent-encoded when used.
    :param query: pairs in the order given; a name whose value is None goes out bare, without ``=``.
    :param body: JSON to send, None for no body.
    :param safe_to_repeat: whether sending it twice does what sending it once does.
    :param headers: headers this operation needs beside the usual ones.
    :param account_fields: fields of the body, or of the query if there is no body, that the account supplies if
        the call did not: ``{field: account parameter}``.
    :param account_query: the same for the query of a call that has a body, too.
    :param required: fields that must be there in the end.
    :param host_label: name of a part of the service that has a host of its own, "" for the service's.
    """

    operation: str
    method: str
    path: str
    reply: type[T] | None
    path_params: Mapping[str, str] = field(default_factory=dict)
    query: tuple[tuple[str, str | None], ...] = ()
    body: Mapping[str, Any] | None = None
    safe_to_repeat: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)
    account_fields: Mapping[str, str] = field(default_factory=dict)
    account_query: Mapping[str, str] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    host_label: str = ""

    def __iter__(self) -> Generator[Request[Any], Any, T]:
        answer: T = yield self
        return answer

    def read_as(self, reply: type[R]) -> Request[R]:
        """The same request, with its answer read as something else."""
        return replace(cast("Request[Any]", self), reply=reply)

    def filled(self, account_params: Mapping[str, str]) -> Self:
        """The request with what the account supplies.

        :raises InvalidInputError: if a required field is still missing.
        """
        asked = dict(self.query)
        given = asked if self.body is None else self.body
        supplied = _supplied(self.account_fields, account_params, given)
        for name in self.required:
            value = given.get(name, supplied.get(name))
            if value is None or not str(value).strip():
                raise InvalidInputError(f"{self.operation} needs {name}: give it in the call or in the connection.")
        if self.body is None:
            return replace(self, query=(*self.query, *supplied.items()))
        queried = _supplied(self.account_query, account_params, asked)
        return replace(self, query=(*self.query, *queried.items()), body={**self.body, **supplied})

    def url_path(self, account_params: Mapping[str, str]) -> str:
        """The path with every parameter percent-encoded."""
        params = {**account_params, **self.path_params}
        return self.path.format_map({name: self._quoted(name, value) for name, value in params.items()})

    def url_query(self) -> str:
        """The query, percent-encoded; "" if there is none."""
        return "&".join(self._quoted_pair(name, value) for name, value in self.query)

    def _quoted_pair(self, name: str, value: str | None) -> str:
        bare = quote(name, safe="~")
        return bare if value is None else f"{bare}={self._quoted(name, value)}"

    def _quoted(self, name: str, value: object) -> str:
        try:
            if isinstance(value, str):
                return quote(value, safe="~")
        except UnicodeEncodeError:
            pass  # half of a surrogate pair
        raise InvalidInputError(f"{self.operation} cannot be asked with {name} {value!r}: it is no proper text.")

    def content(self) -> bytes:
        """The body as sent.

        :raises InvalidInputError: if it cannot be written as JSON.
        """
        if self.body is None:
            return b""
        try:
            return json.dumps(self.body, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
        except (TypeError, ValueError, RecursionError) as error:
            raise InvalidInputError(
                f"The inputs of {self.operation} cannot be sent, for they hold something that is no JSON: "
                f"{unwritable(self.body) or error}."
            ) from None

    def read_reply(self, reply: WireReply) -> T:
        """Turn an answer into the promised type: by its body, unless a kind of request looks elsewhere too.

        :raises ValueError: if it is not that.
        """
        return self.read(reply.content)

    def read(self, content: bytes) -> T:
        """Turn an answer's body into the promised type.

        :raises ValueError: if it is not that (pydantic's ValidationError is one).
        """
        if self.reply is None:
            return None  # type: ignore[return-value]  # T is None for such a request
        answer: T = _adapter(cast("Hashable", self.reply)).validate_json(content)
        return answer


def _supplied(wanted: Mapping[str, str], account_params: Mapping[str, str], given: Mapping[str, Any]) -> dict[str, str]:
    return {
        name: account_params[parameter]
        for name, parameter in wanted.items()
        if parameter in account_params and name not in given
    }


Steps = Generator[Request[Any], Any, T]
"""A declaration that needs several requests; its return value is the operation's."""

Pages = Generator["Request[Any] | list[T]", Any, None]
"""A declaration that alternates between a request and the list of items its answer held."""


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
        self._faces = Faces.of(declare)
        show(self, declare, self._faces.of_class)

    @overload
    def __get__(self, session: None, owner: type) -> Self: ...
    @overload
    def __get__(self, session: Session, owner: type) -> BoundOperation[P, T]: ...
    def __get__(self, session: Session | None, owner: type) -> Self | BoundOperation[P, T]:
        return self if session is None else BoundOperation(session, self._declare, self._faces)

    def __call__(self, session: Session, *args: P.args, **kwargs: P.kwargs) -> T:
        """Call it for a session, as functions of a class can be."""
        return self.__get__(session, type(session))(*args, **kwargs)


@overload
def operation(declare: Callable[Concatenate[Any, P], Request[T]]) -> Operation[P, T]: ...
@overload
def operation(declare: Callable[Concatenate[Any, P], Steps[T]]) -> Operation[P, T]: ...
def operation(declare: Callable[Concatenate[Any, P], Any]) -> Operation[P, Any]:
    """Declare an operation; decorates a method that returns a `Request` or yields several."""
    return Operation(declare)


class BoundOperation(Generic[P, T]):
    """An operation of one session: call it, or await its ``aio``."""

    def __init__(
        self, session: Session, declare: Callable[Concatenate[Any, P], Request[T] | Steps[T]], faces: Faces
    ) -> None:
        self._session = session
        self._declare = declare
        self._faces = faces
        show(self, declare, faces.blocking)

    def __repr__(self) -> str:
        return f"<operation {self._declare.__name__}{self._faces.blocking}>"

    def __get__(self, instance: object, owner: type) -> Self:
        """Itself: it is bound already. As a descriptor it is a routine to ``help()``."""
        return self

    def steps(self, *args: P.args, **kwargs: P.kwargs) -> Steps[T]:
        """The requests it consists of, for use inside another declaration (``yield from``)."""
        return iter(self._declare(self._session, *args, **kwargs))

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> T:
        """Call it and wait for the answer."""
        return drive(self.steps(*args, **kwargs), self._session.send)

    @property
    def aio(self) -> Callable[P, Coroutine[Any, Any, T]]:
        """The same from an event loop."""

        async def aio(*args: P.args, **kwargs: P.kwargs) -> T:
            return await adrive(self.steps(*args, **kwargs), self._session.asend)

        return show(aio, self._declare, self._faces.in_loop)


class Listing(Generic[P, T]):
    """Makes a declaration of pages a method to iterate over, ``.aio`` in an event loop."""

    def __init__(self, declare: Callable[Concatenate[Any, P], Pages[T]]) -> None:
        self._declare = declare
        self._faces = Faces.of(declare)
        show(self, declare, self._faces.of_class)

    @overload
    def __get__(self, session: None, owner: type) -> Self: ...
    @overload
    def __get__(self, session: Session, owner: type) -> BoundListing[P, T]: ...
    def __get__(self, session: Session | None, owner: type) -> Self | BoundListing[P, T]:
        return self if session is None else BoundListing(session, self._declare, self._faces)

    def __call__(self, session: Session, *args: P.args, **kwargs: P.kwargs) -> Iterator[T]:
        """Iterate for a session, as functions of a class can be called."""
        return self.__get__(session, type(session))(*args, **kwargs)


def listing(declare: Callable[Concatenate[Any, P], Pages[T]]) -> Listing[P, T]:
    """Declare a read that goes on page after page."""
    return Listing(declare)


class BoundListing(Generic[P, T]):
    """A listing of one session: iterate over its call, or ``async for`` over its ``aio``."""

    def __init__(self, session: Session, declare: Callable[Concatenate[Any, P], Pages[T]], faces: Faces) -> None:
        self._session = session
        self._declare = declare
        self._faces = faces
        show(self, declare, faces.blocking)

    def __repr__(self) -> str:
        return f"<listing {self._declare.__name__}{self._faces.blocking}>"

    def __get__(self, instance: object, owner: type) -> Self:
        """Itself: it is bound already. As a descriptor it is a routine to ``help()``."""
        return self

    def steps(self, *args: P.args, **kwargs: P.kwargs) -> Steps[list[T]]:
        """The requests it consists of, for use inside another declaration (``yield from``): gives all items."""
        items: list[T] = []
        yield from self.steps_into(items, *args, **kwargs)
        return items

    def steps_into(self, items: list[T], /, *args: P.args, **kwargs: P.kwargs) -> Steps[None]:
        """The same, page by page into a list of the caller's: what was read before an error is there."""
        pages = self._declare(self._session, *args, **kwargs)
        answer: Any = None
        while True:
            try:
                yielded = pages.send(answer)
            except StopIteration:
                return
            answer = None
            if isinstance(yielded, Request):
                answer = yield yielded
            else:
                items += yielded

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

    @property
    def aio(self) -> Callable[P, AsyncIterator[T]]:
        """The same from an event loop."""

        async def aio(*args: P.args, **kwargs: P.kwargs) -> AsyncIterator[T]:
            async for item in self._aiter(*args, **kwargs):
                yield item

        return show(aio, self._declare, self._faces.in_loop)

    async def _aiter(self, *args: P.args, **kwargs: P.kwargs) -> AsyncIterator[T]:
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
