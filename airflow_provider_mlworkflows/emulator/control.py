"""The emulator's own interface under ``/_emulator/``; needs no signature."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import wraps
from typing import TYPE_CHECKING, Any, Protocol

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from airflow_provider_mlworkflows.emulator.faults import FaultRule

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.emulator.server import Emulator

Endpoint = Callable[[Request], Awaitable[JSONResponse]]
Row = tuple[str, str, Endpoint]


def _reported(endpoint: Endpoint) -> Endpoint:
    """Answer 404 for what is not there and 400 for what is not understood."""

    @wraps(endpoint)
    async def wrapped(request: Request) -> JSONResponse:
        try:
            return await endpoint(request)
        except KeyError as error:
            return JSONResponse({"error": f"not found: {error.args[0]}"}, 404)
        except (ValueError, TypeError) as error:
            return JSONResponse({"error": str(error)}, 400)

    return wrapped


class Part(Protocol):
    """A service's share of the interface."""

    def rows(self) -> Sequence[Row]:
        """Return method, path below ``/_emulator/`` and endpoint of each request it takes."""

    def state(self) -> dict[str, Any]:
        """Return the service's state as JSON-able values."""


def control_application(emulator: Emulator, parts: Mapping[str, Part]) -> Starlette:
    """Return the application that serves paths under ``/_emulator/``.

    Args:
        emulator: The emulator.
        parts: The services' shares, by the name under which ``state`` shows them.
    """
    control = Control(emulator, parts)
    table: list[Row] = [
        ("GET", "health", control.health),
        ("GET", "state", control.state),
        ("GET", "journal", control.journal),
        ("DELETE", "journal", control.clear_journal),
        ("GET", "clock", control.clock),
        ("POST", "clock", control.advance),
        ("GET", "switches", control.switches),
        ("PUT", "switches", control.set_switches),
        ("GET", "faults", control.faults),
        ("POST", "faults", control.add_fault),
        ("DELETE", "faults", control.clear_faults),
        ("PUT", "limits/{operation}", control.set_limit),
        ("DELETE", "limits", control.clear_limits),
    ]
    for part in parts.values():
        table += part.rows()
    return Starlette(
        routes=[Route(f"/_emulator/{path}", _reported(end), methods=[method]) for method, path, end in table]
    )


class Control:
    """Endpoints for tests and tools in other processes."""

    def __init__(self, emulator: Emulator, parts: Mapping[str, Part]) -> None:
        self._emulator = emulator
        self._parts = parts

    async def health(self, request: Request) -> JSONResponse:
        """Answer that the emulator is up."""
        return JSONResponse({"status": "ok", "time": self._emulator.clock.now().isoformat()})

    async def state(self, request: Request) -> JSONResponse:
        """Return the true state of all services, without counting a read."""
        with self._emulator.lock:
            states = {name: part.state() for name, part in self._parts.items()}
        return JSONResponse({"time": self._emulator.clock.now().isoformat(), **states})

    async def journal(self, request: Request) -> JSONResponse:
        """Return journal entries; query: operation, action, status, effective, since, and any id by name."""
        query = dict(request.query_params)
        effective = {None: None, "true": True, "false": False}[query.pop("effective", None)]
        status = query.pop("status", None)
        entries = self._emulator.journal.find(
            query.pop("operation", None),
            action=query.pop("action", None),
            status=None if status is None else int(status),
            effective=effective,
            since=int(query.pop("since", "0")),
            **query,
        )
        return JSONResponse({"count": len(entries), "entries": [entry.to_json() for entry in entries]})

    async def clear_journal(self, request: Request) -> JSONResponse:
        """Forget all entries."""
        self._emulator.journal.clear()
        return JSONResponse({"count": 0})

    async def clock(self, request: Request) -> JSONResponse:
        """Return time, mode and speed."""
        clock = self._emulator.clock
        return JSONResponse({"now": clock.now().isoformat(), "mode": clock.mode, "speed": clock.speed})

    async def advance(self, request: Request) -> JSONResponse:
        """Move time; body ``{"advance": seconds}``."""
        self._emulator.clock.advance(float((await json_object(request))["advance"]))
        return await self.clock(request)

    async def switches(self, request: Request) -> JSONResponse:
        """Return all switches with value, default and meaning."""
        return JSONResponse(self._emulator.switches.describe())

    async def set_switches(self, request: Request) -> JSONResponse:
        """Set switches; body by name."""
        self._emulator.switches.update(await json_object(request), self._emulator.lock)
        return await self.switches(request)

    async def faults(self, request: Request) -> JSONResponse:
        """Return the fault rules in force."""
        return JSONResponse({"faults": [rule.to_json() for rule in self._emulator.faults.rules]})

    async def add_fault(self, request: Request) -> JSONResponse:
        """Put a fault rule in force; body as :class:`FaultRule`."""
        rule = self._emulator.faults.add(FaultRule.from_json(await json_object(request)))
        return JSONResponse(rule.to_json(), 201)

    async def clear_faults(self, request: Request) -> JSONResponse:
        """Take all fault rules out of force."""
        self._emulator.faults.clear()
        return await self.faults(request)

    async def set_limit(self, request: Request) -> JSONResponse:
        """Limit an operation; body ``{"per_second": number, "burst": number}``."""
        body = await json_object(request)
        operation = request.path_params["operation"]
        self._emulator.limits.set(operation, per_second=float(body["per_second"]), burst=body.get("burst"))
        return JSONResponse({"operation": operation, **body})

    async def clear_limits(self, request: Request) -> JSONResponse:
        """Remove all limits."""
        self._emulator.limits.clear()
        return JSONResponse({})


async def json_object(request: Request) -> dict[str, Any]:
    """Return the JSON object in a request's body.

    Raises:
        ValueError: The body is something else.
    """
    body = await request.json()
    if not isinstance(body, dict):
        raise ValueError("the body must be a JSON object")
    return body
