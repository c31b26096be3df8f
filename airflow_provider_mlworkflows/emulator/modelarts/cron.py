"""The check of a schedule's time: second, minute, hour, day of month, month, day of week."""

from __future__ import annotations

import re
from typing import NamedTuple


class _Part(NamedTuple):
    least: int
    most: int
    names: str = ""
    is_day: bool = False


_PARTS = (
    _Part(0, 59),
    _Part(0, 59),
    _Part(0, 23),
    _Part(1, 31, is_day=True),
    _Part(1, 12, "jan feb mar apr may jun jul aug sep oct nov dec"),
    _Part(0, 7, "sun mon tue wed thu fri sat", is_day=True),
)


def is_cron(text: str) -> bool:
    """Whether a text is six fields that could name a time."""
    given = text.split(" ")
    return len(given) == len(_PARTS) and all(
        all(_is_item(item, part) for item in field.lower().split(","))
        for field, part in zip(given, _PARTS, strict=True)
    )


def _is_item(item: str, part: _Part) -> bool:
    if part.is_day and (item in ("?", "l", "lw") or re.fullmatch(r"l-\d{1,2}", item)):
        return True
    if part.is_day:
        # A day may be the last or the n-th of its kind, or the weekday next to it.
        item = re.sub(r"(l|w|#[1-5])$", "", item)
    base, *steps = item.split("/")
    if len(steps) > 1 or any(not step.isdecimal() or int(step) == 0 for step in steps):
        return False
    return base == "*" or all(_is_value(value, part) for value in base.split("-", 1))


def _is_value(text: str, part: _Part) -> bool:
    if text in part.names.split():
        return True
    return text.isdecimal() and part.least <= int(text) <= part.most
