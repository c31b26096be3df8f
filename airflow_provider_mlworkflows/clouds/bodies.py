"""What a body may hold that is sent as JSON. Pure functions."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from airflow_provider_mlworkflows.exceptions import InvalidInputError

_DEEPEST = 100


def checked_extra(extra: object) -> Mapping[str, Any]:
    """Further fields of a body, none if it is None.

    :raises InvalidInputError: if they are no mapping, or one has no text for a name.
    """
    if extra is None:
        return {}
    if not isinstance(extra, Mapping):
        raise InvalidInputError(f"extra should be a mapping of further fields, not {type(extra).__name__}.")
    for name in extra:
        if not isinstance(name, str):
            raise InvalidInputError(f"extra has a field {name!r}; fields are named by texts.")
    return extra


def unwritable(value: object, where: str = "", depth: int = 0) -> str:
    """What in a value cannot be written as JSON, and where; "" if nothing is found.

    Only the kind is told, for what is no JSON may be anything.
    """
    if depth > _DEEPEST:
        return f"{where} is nested too deeply"
    if isinstance(value, dict):
        return next(filter(None, (_unwritable_field(name, each, where, depth) for name, each in value.items())), "")
    if isinstance(value, list | tuple):
        found = (unwritable(each, f"{where}[{number}]", depth + 1) for number, each in enumerate(value))
        return next(filter(None, found), "")
    if isinstance(value, float) and not math.isfinite(value):
        return f"{where} is {value}"
    if value is None or isinstance(value, str | int | float):
        return ""
    return f"{where} is a {type(value).__name__}"


def _unwritable_field(name: object, value: object, where: str, depth: int) -> str:
    if name is not None and not isinstance(name, str | int | float):
        return f"{where} has a {type(name).__name__} for a name"
    return unwritable(value, f"{where}.{name}" if where else str(name), depth + 1)
