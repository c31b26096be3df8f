"""Types of the fields in what PAIFlow answers: most are read whatever they hold."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BeforeValidator

from airflow_provider_mlworkflows.clouds.values import time_in

DEEPEST = 200
"""Layers of JSON inside a text, as many as JSON outside of texts may have."""


def read_time(value: object) -> datetime | None:
    """A point in time, to the minute, second or millisecond, or since the epoch; None for anything else.

    Times without a zone are in UTC.
    """
    return time_in(UTC, value)


def decoded(value: object) -> Any:
    """What a JSON text says, also if it was escaped once too often; any other text as it is."""
    if not isinstance(value, str):
        return value
    for text in (value, value.replace('\\"', '"')):
        try:
            data = json.loads(text, parse_constant=_no_constant)
        except (ValueError, RecursionError):  # the latter if it is too deeply nested to be meant
            continue
        if isinstance(data, str) and data != value:
            return decoded(data)
        return value if _is_too_deep(text, data) else data
    return value


def _is_too_deep(text: str, data: object) -> bool:
    """Whether data can be read, but may not be written again: who does that has less room than who read it."""
    if text.count("[") + text.count("{") <= DEEPEST:
        return False
    layer = [data]
    for _ in range(DEEPEST + 1):
        layer = [
            item
            for each in layer
            if isinstance(each, dict | list)
            for item in (each.values() if isinstance(each, dict) else each)
        ]
    return bool(layer)


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def decoded_mapping(value: object) -> object:
    """What the JSON text of a mapping says; an empty one for anything else."""
    data = decoded(value)
    return data if isinstance(data, Mapping) else {}


def _text(value: object) -> object:
    return value if isinstance(value, str | int | float) and not isinstance(value, bool) else ""


def _texts(value: object) -> list[object]:
    return [each for each in value if _text(each) != ""] if isinstance(value, list) else []


def _flag(value: object) -> bool:
    return str(value).strip().lower() in {"true", "1"}


def _mapping(value: object) -> object:
    return value if isinstance(value, Mapping) else {}


def _mappings(value: object) -> list[object]:
    """The mappings in a list; a single one may come without."""
    values = value if isinstance(value, list) else [value]
    return [each for each in values if isinstance(each, Mapping)]


def without_null_items(value: object) -> object:
    """A list without what is null in it."""
    return [each for each in value if each is not None] if isinstance(value, list) else value


def _number(value: object) -> float | None:
    try:
        return float(str(value))
    except ValueError:
        return None


def _whole(value: object) -> int | None:
    number = _number(value)
    return int(number) if number is not None and number.is_integer() else None


Time = Annotated[datetime | None, BeforeValidator(read_time)]
Decoded = Annotated[Any, BeforeValidator(decoded)]
DecodedMapping = Annotated[dict[str, Any], BeforeValidator(decoded_mapping)]
Seconds = Annotated[float | None, BeforeValidator(_number)]
Whole = Annotated[int | None, BeforeValidator(_whole)]

# Garnish: what is of another type counts as absent, since the answer is of use without.
Text = Annotated[str, BeforeValidator(_text)]
Texts = Annotated[list[str], BeforeValidator(_texts)]
Flag = Annotated[bool, BeforeValidator(_flag)]
AnyMapping = Annotated[dict[str, Any], BeforeValidator(_mapping)]
Mappings = Annotated[list[dict[str, Any]], BeforeValidator(_mappings)]
