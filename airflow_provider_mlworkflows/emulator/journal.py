"""What was asked of the emulator, in order."""

from __future__ import annotations

import threading
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import datetime


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """One request and what became of it.

    Attributes:
        sequence: Running number, from 1, in order of effect.
        time: Emulator time at which the request took effect.
        method: HTTP method.
        path: Decoded path.
        query: Query pairs in wire order.
        operation: Name of the operation in the service's API reference, or ``None`` if no operation matched.
        action: Name of the action in the body of an action operation.
        ids: Ids taken from the path, by name.
        principal: Access key id or user name that made the call, never a secret.
        body: Decoded JSON body with secrets masked, ``None`` if there was none or it was not JSON.
        status: HTTP status sent; ``None`` if the connection was cut without one.
        code: The service's error code in the reply, if any.
        effective: Whether the request changed the emulator's state.
        fault: Action of the fault rule that was applied, if any.
        request_id: Value of the reply's request id header.
    """

    sequence: int
    time: datetime
    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    operation: str | None
    action: str | None
    ids: dict[str, str]
    principal: str | None
    body: Any  # whatever JSON the client sent
    status: int | None
    code: str | None
    effective: bool
    fault: str | None
    request_id: str

    def to_json(self) -> dict[str, Any]:
        """Return the entry as JSON-able values."""
        return {**asdict(self), "time": self.time.isoformat(), "query": [list(pair) for pair in self.query]}


@dataclass
class Journal:
    """Every request to an emulated service, oldest first; thread-safe."""

    lock: threading.RLock = field(default_factory=threading.RLock)
    _entries: list[JournalEntry] = field(default_factory=list)
    _next: int = 1

    @property
    def entries(self) -> list[JournalEntry]:
        """A copy of all entries."""
        with self.lock:
            return list(self._entries)

    def next_sequence(self) -> int:
        """Hand out the next running number."""
        with self.lock:
            number = self._next
            self._next += 1
            return number

    def append(self, entry: JournalEntry) -> None:
        """Keep an entry in place of one with the same running number; entries stay sorted by it."""
        with self.lock:
            for index in range(len(self._entries) - 1, -1, -1):
                known = self._entries[index].sequence
                if known == entry.sequence:
                    self._entries[index] = entry
                    return
                if known < entry.sequence:
                    self._entries.insert(index + 1, entry)
                    return
            self._entries.insert(0, entry)

    def find(
        self,
        operation: str | None = None,
        *,
        action: str | None = None,
        status: int | None = None,
        effective: bool | None = None,
        since: int = 0,
        **ids: str,
    ) -> list[JournalEntry]:
        """Return the entries that match every given criterion.

        Args:
            operation: Operation name.
            action: Action name.
            status: HTTP status sent.
            effective: Whether state changed; ``None`` for both.
            since: Only entries with a running number above this one.
            **ids: Path ids by name, such as ``execution_id``.
        """

        def matches(entry: JournalEntry) -> bool:
            return (
                entry.sequence > since
                and operation in (None, entry.operation)
                and action in (None, entry.action)
                and status in (None, entry.status)
                and effective in (None, entry.effective)
                and all(entry.ids.get(name) == value for name, value in ids.items())
            )

        return [entry for entry in self.entries if matches(entry)]

    def count(
        self,
        operation: str | None = None,
        *,
        action: str | None = None,
        status: int | None = None,
        effective: bool | None = None,
        since: int = 0,
        **ids: str,
    ) -> int:
        """Return how many entries :meth:`find` would return."""
        return len(self.find(operation, action=action, status=status, effective=effective, since=since, **ids))

    def clear(self) -> None:
        """Forget all entries; the running number goes on."""
        with self.lock:
            self._entries.clear()
