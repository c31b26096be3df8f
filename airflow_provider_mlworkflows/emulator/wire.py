"""Replies below HTTP: connections cut short and bodies that end too early."""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Awaitable, Callable, MutableMapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    import asyncio

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

TRANSPORT = "emulator.transport"


class TransportInScope(H11Protocol):
    """HTTP protocol that hands the application its connection, so that faults can break it."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Remember the connection in the scope of each of its requests."""
        super().connection_made(transport)
        application = self.app

        async def with_transport(scope: Scope, receive: Receive, send: Send) -> None:
            scope[TRANSPORT] = transport
            await application(scope, receive, send)

        self.app = with_transport


async def reset(scope: Scope, receive: Receive) -> None:
    """Cut the connection with a TCP reset."""
    transport: asyncio.Transport = scope[TRANSPORT]
    connection: socket.socket | None = transport.get_extra_info("socket")
    if connection is not None:
        with contextlib.suppress(OSError):  # the client may have gone already
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
    await _gone(receive)


async def close(scope: Scope, receive: Receive) -> None:
    """End the connection in order, without an answer."""
    transport: asyncio.Transport = scope[TRANSPORT]
    transport.close()
    await _gone(receive)


async def truncate(scope: Scope, receive: Receive, status: int, headers: dict[str, str], body: bytes) -> None:
    """Send the headers of a whole reply and half of its body, then end the connection."""
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", f"content-length: {max(len(body), 2)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    transport: asyncio.Transport = scope[TRANSPORT]
    transport.write("\r\n".join([*lines, "", ""]).encode("latin-1") + body[: len(body) // 2])
    transport.close()
    await _gone(receive)


async def _gone(receive: Receive) -> None:
    """Wait until the server has noticed the end of the connection, lest it answers on it."""
    while (await receive())["type"] != "http.disconnect":
        continue
