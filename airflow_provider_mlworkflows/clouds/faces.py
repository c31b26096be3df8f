"""How a declaration looks from outside: as the method that it becomes, not as what it yields."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import update_wrapper
from inspect import Parameter, Signature, signature
from typing import Any, TypeVar, cast

M = TypeVar("M")

_DECLARED_RETURN = re.compile(r"(Request|Steps|Pages)\[(.*)\]", re.DOTALL)


class _Words(str):
    """An annotation as it was written, shown without quotes."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


@dataclass(frozen=True, slots=True)
class Faces:
    """The signatures of the methods that a declaration becomes, as ``help()`` shows them."""

    of_class: Signature
    blocking: Signature
    in_loop: Signature

    @classmethod
    def of(cls, declare: Callable[..., Any]) -> Faces:
        """Read them off a declaration, whose first parameter is the session."""
        declared = signature(declare)
        session, *others = (
            each if each.annotation is Parameter.empty else each.replace(annotation=_Words(each.annotation))
            for each in declared.parameters.values()
        )
        kind, gives = _returned(str(declared.return_annotation))
        blocking = _Words(f"Iterator[{gives}]" if kind == "Pages" else gives)
        in_loop = _Words(f"AsyncIterator[{gives}]" if kind == "Pages" else gives)
        itself = session.replace(name="self", annotation=Parameter.empty)
        return cls(
            Signature([itself, *others], return_annotation=blocking),
            Signature(others, return_annotation=blocking),
            Signature(others, return_annotation=in_loop),
        )


def _returned(annotation: str) -> tuple[str, str]:
    found = _DECLARED_RETURN.fullmatch(annotation)
    return (found[1], found[2]) if found else ("", annotation)


def show(method: M, declare: Callable[..., Any], face: Signature) -> M:
    """Give a method the name and the text of its declaration, and this signature."""
    update_wrapper(cast("Callable[..., Any]", method), declare)
    method.__signature__ = face  # type: ignore[attr-defined]  # inspect looks for it
    return method
