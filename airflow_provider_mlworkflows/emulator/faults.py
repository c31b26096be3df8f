"""Rules that make chosen calls go wrong."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, Literal, get_type_hints

from airflow_provider_mlworkflows.emulator.checks import fits

if TYPE_CHECKING:
    import threading
    from collections.abc import Mapping

FaultAction = Literal["status", "reset", "close", "delay", "truncate", "html", "envelope"]
FaultMoment = Literal["before", "after"]


@dataclass(frozen=True, slots=True)
class FaultRule:
    """One way for calls to go wrong.

    Calls that were refused for their credentials or throttled are not counted.

    Attributes:
        operation: Operation name, or ``"*"`` for any.
        path: Regular expression searched in ``"METHOD /decoded/path"``; must match too if given.
        body: Regular expression searched in the call's body as text; must match too if given.
        nth: The first matching call that is hit, from 1.
        times: How many matching calls in a row are hit; ``None`` for all from then on.
        when: ``before`` the effect (nothing happens in the emulator) or ``after`` it (the effect stays, the
            reply is lost or replaced).
        action: ``status`` answers ``status`` and ``code`` in the service's error dialect. ``reset`` cuts
            the connection with a TCP reset, ``close`` with an orderly end, both without an answer.
            ``delay`` waits ``delay`` seconds of real time and goes on. ``truncate`` ends the body before
            its announced length. ``html`` answers with a proxy's error page and ``status``. ``envelope``
            answers success whose body is an error envelope with ``code``.
        status: HTTP status for ``status`` and ``html``.
        code: Error code for ``status`` and ``envelope``; default is the service's own for that status.
        retry_after: Seconds that ``status`` (in the service's own header) and ``html`` (in ``Retry-After``) ask the
            caller to wait; ``None`` for no header.
        delay: Seconds to wait, for ``delay``.
        cut_json: With ``truncate``: announce the shortened length, so that only the JSON is broken.
    """

    operation: str = "*"
    path: str | None = None
    body: str | None = None
    nth: int = 1
    times: int | None = 1
    when: FaultMoment = "before"
    action: FaultAction = "status"
    status: int = 503
    code: str | None = None
    retry_after: float | None = None
    delay: float = 0.0
    cut_json: bool = False

    def __post_init__(self) -> None:
        for name, hint in get_type_hints(type(self)).items():
            if not fits(getattr(self, name), hint):
                raise ValueError(f"{name} cannot be {getattr(self, name)!r}")
        if self.nth < 1 or (self.times is not None and self.times < 1):
            raise ValueError("nth and times count from 1")
        if not 100 <= self.status <= 599:
            raise ValueError(f"{self.status} is no HTTP status")
        for pattern in (self.path, self.body):
            if pattern is not None:
                re.compile(pattern)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> FaultRule:
        """Build a rule from JSON values.

        Raises:
            ValueError: A field is unknown or has an illegal value.
        """
        unknown = set(values) - {field.name for field in fields(cls)}
        if unknown:
            raise ValueError(f"unknown fault fields: {', '.join(sorted(unknown))}")
        return cls(**values)

    def to_json(self) -> dict[str, Any]:
        """Return the rule as JSON-able values."""
        return asdict(self)

    def matches(self, operation: str | None, request_line: str, body: bytes = b"") -> bool:
        """Whether a call falls under this rule, its number aside."""
        if self.operation not in ("*", operation):
            return False
        if self.path is not None and re.search(self.path, request_line) is None:
            return False
        return self.body is None or re.search(self.body, body.decode(errors="replace")) is not None


class Faults:
    """The rules in force; thread-safe."""

    def __init__(self, lock: threading.RLock) -> None:
        self._lock = lock
        self._rules: list[tuple[FaultRule, list[int]]] = []

    @property
    def rules(self) -> list[FaultRule]:
        """A copy of the rules, oldest first."""
        with self._lock:
            return [rule for rule, _ in self._rules]

    def add(self, rule: FaultRule) -> FaultRule:
        """Put a rule in force and return it; its count of calls starts at zero."""
        with self._lock:
            self._rules.append((rule, [0]))
        return rule

    def remove(self, rule: FaultRule) -> None:
        """Take a rule out of force.

        Raises:
            ValueError: The rule is not in force.
        """
        with self._lock:
            for index, (known, _) in enumerate(self._rules):
                if known is rule:
                    del self._rules[index]
                    return
        raise ValueError("this rule is not in force")

    def clear(self) -> None:
        """Take all rules out of force."""
        with self._lock:
            self._rules.clear()

    def struck(self, rule: FaultRule) -> int:
        """How many calls a rule in force has struck so far.

        Raises:
            ValueError: The rule is not in force.
        """
        with self._lock:
            for known, seen in self._rules:
                if known is rule:
                    struck = max(0, seen[0] - (rule.nth - 1))
                    return struck if rule.times is None else min(struck, rule.times)
        raise ValueError("this rule is not in force")

    def hit(self, operation: str | None, request_line: str, body: bytes = b"") -> list[FaultRule]:
        """Count one call against every rule and return those that strike it."""
        struck = []
        with self._lock:
            for rule, seen in self._rules:
                if not rule.matches(operation, request_line, body):
                    continue
                seen[0] += 1
                beyond = seen[0] - rule.nth
                if beyond >= 0 and (rule.times is None or beyond < rule.times):
                    struck.append(rule)
        return struck
