"""A port in front of the emulation that can be shut: whoever calls then is refused by the operating system."""

from __future__ import annotations

import contextlib
import socket
import threading
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

_CHUNK = 65536


class Door:
    """Passes bytes on to a server, on a port of its own that stays the same however often it is shut.

    Sockets are shut down and not only closed, because a task in a forked process holds copies of them.

    Args:
        url: Base URL of the server.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._behind = (parts.hostname or "", parts.port or 0)
        self._address = ("127.0.0.1", 0)
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._listener: socket.socket | None = None

    @property
    def url(self) -> str:
        """Base URL of the server as it is seen through the door."""
        return f"http://127.0.0.1:{self._address[1]}"

    def open(self) -> None:
        """Let callers in again."""
        if self._listener is not None:
            return
        listener = socket.create_server(self._address)
        self._listener, self._address = listener, listener.getsockname()
        threading.Thread(target=self._admit, args=(listener,), name="door", daemon=True).start()

    def shut(self) -> None:
        """Refuse whoever calls, and hang up on whoever is connected."""
        if self._listener is None:
            return
        listener, self._listener = self._listener, None
        with self._lock:
            leaving = [listener, *self._open]
            self._open.clear()
        for each in leaving:
            _hang_up(each)

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.shut()

    def _admit(self, listener: socket.socket) -> None:
        # A listener that is shut down ends the waiting with an error.
        with contextlib.suppress(OSError):
            while True:
                caller, _ = listener.accept()
                inside = socket.create_connection(self._behind)
                for end in (caller, inside):
                    # Small pieces would otherwise wait 40 ms for each other.
                    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                with self._lock:
                    self._open |= {caller, inside}
                for source, target in ((caller, inside), (inside, caller)):
                    threading.Thread(target=_pass_on, args=(source, target), name="door", daemon=True).start()


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    # An end of either side, also by a reset, is an end for both.
    with contextlib.suppress(OSError):
        while chunk := source.recv(_CHUNK):
            target.sendall(chunk)
    for end in (source, target):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


def _hang_up(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()
