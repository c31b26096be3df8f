"""A small check of values against type hints."""

from __future__ import annotations

import types
from typing import Any, Literal, Union, get_args, get_origin


def fits(value: Any, hint: Any) -> bool:  # checks anything against anything
    """Whether ``value`` is of the type ``hint``; integers pass as floats, booleans never pass as numbers."""
    origin = get_origin(hint)
    if origin is Literal:
        return value in get_args(hint)
    if origin in (Union, types.UnionType):
        return any(fits(value, each) for each in get_args(hint))
    if origin is tuple:
        hints = get_args(hint)
        return (
            isinstance(value, tuple)
            and len(value) == len(hints)
            and all(fits(item, each) for item, each in zip(value, hints, strict=True))
        )
    if hint is type(None):
        return value is None
    if hint in (int, float) and isinstance(value, bool):
        return False
    if hint is float:
        return isinstance(value, int | float)
    return isinstance(value, hint)
