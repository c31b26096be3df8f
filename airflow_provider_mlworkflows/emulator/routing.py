"""Calls, answers and the table that leads from one to the other."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import parse_qsl, unquote

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.emulator.limits import Limit


_PROJECT_ID = re.compile("[0-9a-f]{32}")


@dataclass(slots=True)
class Answer:
    """A reply: status, JSON body (``None`` for none) and headers."""

    status: int
    body: Any = None  # any JSON value
    headers: dict[str, str] = field(default_factory=dict)

    def content(self) -> bytes:
        """Return the body as sent."""
        return b"" if self.body is None else json.dumps(self.body, ensure_ascii=False).encode()

    @property
    def code(self) -> str | None:
        """The error code in the body, in whatever dialect."""
        if not isinstance(self.body, dict):
            return None
        inner = self.body.get("error")
        code = self.body.get("error_code") or self.body.get("Code")
        code = code or (inner.get("code") if isinstance(inner, dict) else None)
        return None if code is None else str(code)


class Refusal(Exception):
    """A request that ends with an error answer in the service's dialect."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(f"{answer.status} {answer.code or ''}".strip())
        self.answer = answer


@dataclass(slots=True)
class Call:
    """One request on its way through the emulator.

    Attributes:
        method: HTTP method, upper case.
        raw_path: Path as on the wire, bytes.
        raw_query: Query string as on the wire, bytes.
        raw_headers: Header pairs as on the wire, names in lower case.
        body: Body bytes.
        request_id: Value of the reply's request id header.
        ids: Values of the path template's fields.
        principal: Who calls, once known; never a secret.
        project_id: The project the credentials stand for, if they stand for one.
        action: Name of the action in an action operation.
        effective: Set by handlers that change state.
    """

    method: str
    raw_path: bytes
    raw_query: bytes
    raw_headers: Sequence[tuple[bytes, bytes]]
    body: bytes
    request_id: str
    ids: dict[str, str] = field(default_factory=dict)
    principal: str | None = None
    project_id: str | None = None
    action: str | None = None
    effective: bool = False

    @property
    def path(self) -> str:
        """The decoded path."""
        return unquote(self.raw_path.decode("latin-1"))

    @property
    def query(self) -> list[tuple[str, str]]:
        """Decoded query pairs in wire order."""
        return parse_qsl(self.raw_query.decode("latin-1"), keep_blank_values=True)

    def param(self, name: str) -> str | None:
        """Return the first value of a query parameter; an empty value counts as none."""
        return next((value for key, value in self.query if key == name and value), None)

    def header(self, name: str) -> str | None:
        """Return the first header of that name, stripped."""
        wanted = name.lower().encode()
        for key, value in self.raw_headers:
            if key.lower() == wanted:
                return value.decode("utf-8", "surrogateescape").strip()
        return None

    def json(self) -> Any:  # any JSON value
        """Return the decoded body.

        Raises:
            ValueError: The body is not JSON.
        """
        return json.loads(self.body)

    def json_object(self) -> dict[str, Any] | None:
        """Return the decoded body if it is a JSON object."""
        try:
            decoded = self.json()
        except ValueError:
            return None
        return decoded if isinstance(decoded, dict) else None


Handler = Callable[[Call], Answer]


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation of a service: its reference name, method, path template, handler and permission.

    A field ``{name}`` of the template takes one segment of the path, ``{name*}`` the rest of it, even none. Where two
    operations share method and template, ``when`` tells from the call which of them is meant.
    """

    name: str
    method: str
    template: str
    handler: Handler
    permission: str | None = None
    open_to_all: bool = False
    when: Callable[[Call], bool] | None = None


class Service(Protocol):
    """What the gateway needs to know of an emulated service."""

    name: str

    def operations(self) -> Sequence[Operation]:
        """Return all operations."""

    def authenticate(self, call: Call, operation: Operation) -> None:
        """Set the call's principal or raise :class:`Refusal`."""

    def failure(self, call: Call, status: int, code: str | None) -> Answer:
        """Return an error answer in the service's dialect, with its own code if none is given."""

    def throttled(self, call: Call, limit: Limit) -> Answer:
        """Return the answer to a call beyond its limit."""

    def back_off(self, seconds: float) -> dict[str, str]:
        """Return the headers by which the service asks a caller to wait."""


class Routes:
    """Path templates of all services; where several match, literal segments win over fields."""

    def __init__(self, services: Sequence[Service]) -> None:
        self._table: list[tuple[re.Pattern[str], Service, Operation]] = []
        self._services = tuple(services)
        for service in services:
            for operation in service.operations():
                self._table.append((_pattern(operation.template), service, operation))
        self._table.sort(key=lambda row: _rank(row[2].template))

    def match(self, call: Call) -> tuple[Service, Operation, Mapping[str, str]] | None:
        """Return service, operation and path ids for a call, or ``None``."""
        path = call.raw_path.decode("latin-1")
        for pattern, service, operation in self._table:
            found = pattern.fullmatch(path) if operation.method == call.method else None
            if found and (operation.when is None or operation.when(call)):
                ids = {name: unquote(value) for name, value in found.groupdict().items()}
                return service, operation, ids
        return None

    def nearest(self, call: Call) -> Service:
        """Return the service whose paths begin most like a call's; of equals the one that was named first."""
        segments = call.path.split("/")[1:]

        def shared(service: Service) -> int:
            templates = (row[2].template.split("/")[1:] for row in self._table if row[1] is service)
            alike = (takewhile(_is_alike, zip(template, segments, strict=False)) for template in templates)
            return max((sum(1 for _ in pairs) for pairs in alike), default=0)

        return max(self._services, key=shared)


def _is_alike(pair: tuple[str, str]) -> bool:
    """Whether the segments of a template and of a path are the same, or a project's field and the id of a project."""
    wanted, given = pair
    if wanted == "{project_id}":
        return _PROJECT_ID.fullmatch(given) is not None
    return bool(given) and wanted == given


def _pattern(template: str) -> re.Pattern[str]:
    parts = re.split(r"\{(\w+\*?)\}", template)
    return re.compile("".join(_field(part) if index % 2 else re.escape(part) for index, part in enumerate(parts)))


def _field(name: str) -> str:
    return f"(?P<{name[:-1]}>.*)" if name.endswith("*") else f"(?P<{name}>[^/]+)"


def _rank(template: str) -> tuple[bool, ...]:
    return tuple(segment.startswith("{") for segment in template.split("/"))
