"""The way of a request: route, credentials, quota, faults, effect, journal, reply."""

from __future__ import annotations

import asyncio
import json
import math
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC
from email.utils import format_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from airflow_provider_mlworkflows.emulator import wire
from airflow_provider_mlworkflows.emulator.journal import Journal, JournalEntry
from airflow_provider_mlworkflows.emulator.routing import Answer, Call, Operation, Refusal, Routes, Service

if TYPE_CHECKING:
    import threading

    from airflow_provider_mlworkflows.emulator.clock import Clock
    from airflow_provider_mlworkflows.emulator.faults import FaultRule, Faults
    from airflow_provider_mlworkflows.emulator.limits import Limits

CONTROL_PREFIX = "/_emulator/"
BODY_LIMIT = 12 * 1024 * 1024
SECRET_FIELDS = frozenset({"password", "secret", "security_token", "securitytoken", "id_token"})
SECRET_HOLDERS = frozenset({"token", "id_token"})
PROXY_PAGE = (
    "<html><head><title>{status} {phrase}</title></head>"
    "<body><h1>{phrase}</h1><p>The proxy could not complete the request.</p></body></html>"
)

Application = Callable[[wire.Scope, wire.Receive, wire.Send], Awaitable[None]]


@dataclass(slots=True)
class Exchange:
    """A call that matched an operation, with all that is needed to answer it.

    Attributes:
        sequence: Number of its journal entry, once it has one.
        answer: The true answer, once the call has taken effect.
    """

    call: Call
    service: Service
    operation: Operation
    scope: wire.Scope
    receive: wire.Receive
    send: wire.Send
    sequence: int | None = None
    answer: Answer | None = None


class Gateway:
    """ASGI application in front of all emulated services.

    Args:
        services: The services; a call that matches no operation is answered by the one with the most similar paths.
        control: Application for paths under ``/_emulator/``.
        clock, journal, faults, limits: The parts shared with the Python API.
        lock: The lock that guards the emulator's state; held while an operation takes effect.
        closing: Set once the server is asked to stop; ends calls that wait.
    """

    def __init__(
        self,
        services: Sequence[Service],
        control: Application,
        *,
        clock: Clock,
        journal: Journal,
        faults: Faults,
        limits: Limits,
        lock: threading.RLock,
        closing: asyncio.Event,
    ) -> None:
        self._closing = closing
        self._routes = Routes(services)
        self._control = control
        self._clock = clock
        self._journal = journal
        self._faults = faults
        self._limits = limits
        self._lock = lock

    async def __call__(self, scope: wire.Scope, receive: wire.Receive, send: wire.Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            raise NotImplementedError(f"{scope['type']} connections are not served")
        if scope["path"].startswith(CONTROL_PREFIX):
            await self._control(scope, receive, send)
            return
        body = await _read_body(receive)
        if body is None:
            return
        call = Call(
            method=scope["method"],
            raw_path=scope["raw_path"].split(b"?")[0],
            raw_query=scope["query_string"],
            raw_headers=scope["headers"],
            body=body,
            request_id=uuid.uuid4().hex,
        )
        found = self._routes.match(call)
        if found is None:
            await self._reply_unknown(call, send)
            return
        service, operation, ids = found
        call.ids = dict(ids)
        await self._serve(Exchange(call, service, operation, scope, receive, send))

    async def _reply_unknown(self, call: Call, send: wire.Send) -> None:
        """Answer a call that matches no operation."""
        answer = self._routes.nearest(call).failure(call, 404, None)
        self._journal.append(self._entry(call, None, self._journal.next_sequence(), answer, None))
        await self._send(call, answer, send)

    async def _serve(self, exchange: Exchange) -> None:
        refused = self._admit(exchange)
        if refused is not None:
            await self._reply(exchange, refused)
            return
        call, operation = exchange.call, exchange.operation
        struck = self._faults.hit(operation.name, f"{call.method} {call.path}", call.body)
        if await self._strike(exchange, [rule for rule in struck if rule.when == "before"]):
            return
        answer = self._take_effect(exchange)
        if await self._strike(exchange, [rule for rule in struck if rule.when == "after"]):
            return
        await self._reply(exchange, answer, fault=struck[-1].action if struck else None)

    def _admit(self, exchange: Exchange) -> Answer | None:
        """Check credentials and quota; return what refuses the call, if anything does."""
        call, service, operation = exchange.call, exchange.service, exchange.operation
        with self._lock:
            if len(call.body) > BODY_LIMIT:
                return service.failure(call, 413, None)
            try:
                service.authenticate(call, operation)
            except Refusal as refusal:
                return refusal.answer
            limit = self._limits.exceeded(operation.name, call.principal or "")
            return service.throttled(call, limit) if limit else None

    def _take_effect(self, exchange: Exchange) -> Answer:
        with self._lock:
            exchange.sequence = self._journal.next_sequence()
            try:
                exchange.answer = exchange.operation.handler(exchange.call)
            except Refusal as refusal:
                exchange.answer = refusal.answer
            self._record(exchange, exchange.answer, None)
            return exchange.answer

    async def _strike(self, exchange: Exchange, rules: list[FaultRule]) -> bool:
        """Apply fault rules; return whether the call has had its answer."""
        for rule in rules:
            if rule.action != "delay":
                await self._break(exchange, rule)
                return True
            if await self._closes_within(rule.delay):
                self._record(exchange, None, "delay")
                await wire.close(exchange.scope, exchange.receive)
                return True
        return False

    async def _closes_within(self, seconds: float) -> bool:
        """Wait; return early, and true, if the server is asked to stop."""
        try:
            async with asyncio.timeout(seconds):
                await self._closing.wait()
        except TimeoutError:
            return False
        return True

    async def _break(self, exchange: Exchange, rule: FaultRule) -> None:
        call, service, answer = exchange.call, exchange.service, exchange.answer
        if rule.action in ("reset", "close"):
            self._record(exchange, None, rule.action)
            await (wire.reset if rule.action == "reset" else wire.close)(exchange.scope, exchange.receive)
        elif rule.action == "html":
            page = PROXY_PAGE.format(status=rule.status, phrase=HTTPStatus(rule.status).phrase)
            spoiled = Answer(rule.status, headers={"Content-Type": "text/html", **_retry_after(rule)})
            await self._reply(exchange, spoiled, fault="html", content=page.encode())
        elif rule.action == "status":
            spoiled = service.failure(call, rule.status, rule.code)
            if rule.retry_after is not None:
                spoiled.headers.update(service.back_off(rule.retry_after))
            await self._reply(exchange, spoiled, fault="status")
        elif rule.action == "envelope":
            spoiled = service.failure(call, 500, rule.code)
            spoiled.status = answer.status if answer is not None and answer.status != 204 else 200
            await self._reply(exchange, spoiled, fault="envelope")
        else:
            whole = answer or service.failure(call, rule.status, rule.code)
            await self._truncate(exchange, whole, cut_json=rule.cut_json)

    async def _truncate(self, exchange: Exchange, whole: Answer, *, cut_json: bool) -> None:
        content = whole.content()
        if cut_json:
            await self._reply(exchange, whole, fault="truncate", content=content[: len(content) // 2])
            return
        self._record(exchange, whole, "truncate")
        headers = self._headers(exchange.call, whole)
        await wire.truncate(exchange.scope, exchange.receive, whole.status, headers, content)

    async def _reply(
        self, exchange: Exchange, answer: Answer, *, fault: str | None = None, content: bytes | None = None
    ) -> None:
        self._record(exchange, answer, fault)
        await self._send(exchange.call, answer, exchange.send, content)

    async def _send(self, call: Call, answer: Answer, send: wire.Send, content: bytes | None = None) -> None:
        body = answer.content() if content is None else content
        headers = self._headers(call, answer)
        if answer.status != 204:
            headers["Content-Length"] = str(len(body))
        pairs = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": answer.status, "headers": pairs})
        await send({"type": "http.response.body", "body": b"" if answer.status == 204 else body})

    def _headers(self, call: Call, answer: Answer) -> dict[str, str]:
        date = format_datetime(self._clock.now().astimezone(UTC), usegmt=True)
        headers = {"Date": date, "Server": "api-gateway", "X-Request-Id": call.request_id}
        if answer.status != 204:
            headers["Content-Type"] = "application/json"
        headers.update(answer.headers)
        # An answer drops a usual header by giving it no value.
        return {name: value for name, value in headers.items() if value}

    def _record(self, exchange: Exchange, answer: Answer | None, fault: str | None) -> None:
        with self._lock:
            if exchange.sequence is None:
                exchange.sequence = self._journal.next_sequence()
            name = exchange.operation.name
            self._journal.append(self._entry(exchange.call, name, exchange.sequence, answer, fault))

    def _entry(
        self, call: Call, operation: str | None, sequence: int, answer: Answer | None, fault: str | None
    ) -> JournalEntry:
        return JournalEntry(
            sequence=sequence,
            time=self._clock.now(),
            method=call.method,
            path=call.path,
            query=tuple(call.query),
            operation=operation,
            action=call.action,
            ids=dict(call.ids),
            principal=call.principal,
            body=_journal_body(call),
            status=answer.status if answer else None,
            code=answer.code if answer else None,
            effective=call.effective,
            fault=fault,
            request_id=call.request_id,
        )


def _retry_after(rule: FaultRule) -> dict[str, str]:
    return {} if rule.retry_after is None else {"Retry-After": str(math.ceil(rule.retry_after))}


async def _read_body(receive: wire.Receive) -> bytes | None:
    """Return the whole body, or ``None`` if the client went away."""
    chunks = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        chunks.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(chunks)


def _journal_body(call: Call) -> Any:  # any JSON value
    try:
        return masked(json.loads(call.body)) if call.body else None
    except ValueError:
        return None


def masked(value: Any, holder: str | None = None) -> Any:  # any JSON value
    """Return a JSON value with passwords, keys and tokens replaced."""
    if isinstance(value, dict):
        return {
            key: "***"
            if isinstance(item, str) and (key.lower() in SECRET_FIELDS or (key == "id" and holder in SECRET_HOLDERS))
            else masked(item, key)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [masked(item, holder) for item in value]
    return value
