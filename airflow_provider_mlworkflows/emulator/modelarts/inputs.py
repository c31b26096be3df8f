"""Parameters and data requirements: merging, checking, and which steps use them."""

from __future__ import annotations

import copy
import json
import operator
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

Kind = Literal["parameters", "data_requirements"]
KINDS: tuple[Kind, ...] = ("parameters", "data_requirements")
_TYPES: dict[str, tuple[type, ...]] = {
    "str": (str,),
    "string": (str,),
    "int": (int,),
    "bool": (bool,),
    "float": (int, float),
}

_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}


class InputError(ValueError):
    """A value that the workflow does not declare or that does not suit its declaration."""


def merge(declared: list[dict[str, Any]], given: Iterable[dict[str, Any]], kind: Kind) -> list[dict[str, Any]]:
    """Return the declared inputs with the given values filled in.

    Raises:
        InputError: An input is not declared, or its value is of another type or not among the choices.
    """
    merged = copy.deepcopy(declared)
    by_name = {item["name"]: item for item in merged}
    for item in given:
        target = by_name.get(item["name"])
        if target is None:
            raise InputError(f"{kind}: {item['name']} is not declared by the workflow")
        if kind == "parameters":
            _check_parameter(target, item)
        elif item["type"] != target["type"]:
            raise InputError(f"{kind}: {item['name']} is of type {target['type']}, not {item['type']}")
        if item.get("value") is not None:
            target["value"] = copy.deepcopy(item["value"])
    return merged


def _check_parameter(declared: dict[str, Any], given: dict[str, Any]) -> None:
    value = given.get("value")
    if value is None:
        return
    kind = str(declared.get("type", "json")).lower()
    allowed = _TYPES.get(kind)
    boolean_as_number = isinstance(value, bool) and kind != "bool"
    if allowed is not None and (not isinstance(value, allowed) or boolean_as_number):
        raise InputError(f"parameters: {declared['name']} must be of type {kind}")
    choices = declared.get("enum")
    if choices and value not in choices:
        raise InputError(f"parameters: {declared['name']} must be one of {json.dumps(choices)}")


def value_of(item: dict[str, Any]) -> Any:  # any JSON value
    """Return the value in force: the given one, else the default unless the input is to be given late."""
    if item.get("value") is not None:
        return item["value"]
    return None if item.get("delay") else item.get("default")


def missing(items: list[dict[str, Any]], *, late: bool) -> list[dict[str, Any]]:
    """Return the inputs without value, either those to be given late or the others."""
    return [item for item in items if bool(item.get("delay")) is late and value_of(item) is None]


def used_by(item: dict[str, Any], kind: Kind, step: dict[str, Any]) -> bool:
    """Whether a step uses an input: it is listed there, or the step refers to it."""
    if item.get("used_steps"):
        return step["name"] in item["used_steps"]
    return f'"$ref/{kind}/{item["name"]}"' in json.dumps(step)


def resolve(reference: Any, inputs: dict[Kind, list[dict[str, Any]]]) -> Any:  # any JSON value
    """Return the input that a ``$ref/<kind>/<name>`` text stands for; other values stand for themselves."""
    if not isinstance(reference, str):
        return reference
    for kind in KINDS:
        prefix = f"$ref/{kind}/"
        if reference.startswith(prefix):
            name = reference.removeprefix(prefix)
            return next((value_of(item) for item in inputs[kind] if item["name"] == name), None)
    return reference


def decide(conditions: list[dict[str, Any]], inputs: dict[Kind, list[dict[str, Any]]]) -> bool:
    """Return whether all conditions of a condition step hold; values of unlike types never compare."""
    return all(_holds(condition, inputs) for condition in conditions)


def _holds(condition: dict[str, Any], inputs: dict[Kind, list[dict[str, Any]]]) -> bool:
    left, right = (resolve(condition.get(side), inputs) for side in ("left", "right"))
    kind = condition.get("type")
    if kind in ("==", "!="):
        return (left == right) is (kind == "==")
    if kind == "or":
        return bool(left) or bool(right)
    if kind == "in":
        return isinstance(right, list | str) and left in right
    numbers = isinstance(left, int | float) and isinstance(right, int | float)
    if not (numbers or (isinstance(left, str) and isinstance(right, str))):
        return False
    comparison = _COMPARISONS.get(str(kind))
    return comparison is not None and comparison(left, right)
