"""Values as people and services write them, read as what they mean. Each reader raises ValueError otherwise."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from typing import Any

_LARGEST_EPOCH_SECONDS = 2e10


def time_in(zone: tzinfo, value: object) -> datetime | None:
    """A point in time as text, or in seconds or milliseconds since the epoch; None for anything else.

    :param zone: of texts that name none.
    """
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=zone)
    text = str(value).strip()
    try:
        number = float(text)
        return datetime.fromtimestamp(number / 1000 if number > _LARGEST_EPOCH_SECONDS else number, UTC)
    except (ValueError, OverflowError, OSError):
        pass
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return time if time.tzinfo else time.replace(tzinfo=zone)


def as_float(value: object) -> float:
    """A finite number, or the text of one."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError
    try:
        number = float(value)
    except OverflowError as error:
        raise ValueError from error
    if not math.isfinite(number):
        raise ValueError
    return number


def as_bool(value: object) -> bool:
    """A truth value, or the text of one."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().lower() in {"true", "false"}:
        return value.strip().lower() == "true"
    raise ValueError


def without_nulls(fields: Mapping[str, Any]) -> Mapping[str, Any]:
    """The fields that have a value. Most answers hold no null, and are not copied."""
    if None in fields.values():
        return {name: value for name, value in fields.items() if value is not None}
    return fields
