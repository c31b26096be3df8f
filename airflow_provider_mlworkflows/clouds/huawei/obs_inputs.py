"""From what a DAG author writes to what data workflows want: names, places, inputs, definitions. Pure functions."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_mlworkflows.clouds.values import as_bool, as_float
from airflow_provider_mlworkflows.exceptions import InvalidInputError

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.clouds.huawei.obs_models import InputDefinition

Inputs = Mapping[str, Any]
"""Values by the name of a workflow's parameter."""
States = Sequence[Mapping[str, Any]]
"""The states of a workflow, in the service's form."""

LONGEST_OBJECT = 1024

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_EXECUTION_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:~-]{0,255}")
_BUCKET = re.compile(r"[a-z0-9](?:[a-z0-9]|-(?!\.)|\.(?![.-])){1,61}[a-z0-9]")
_IP_ADDRESS = re.compile(r"\d+(\.\d+){3}")


def checked_name(what: str, value: object) -> str:
    """The name of a workflow or template.

    :raises InvalidInputError: if it is not 1 to 64 letters, digits, ``_`` and ``-``, the first a letter or digit.
    """
    if isinstance(value, str) and _NAME.fullmatch(value):
        return value
    raise InvalidInputError(
        f"{what} {value!r} is not allowed: 1 to 64 letters, digits, '_' and '-', the first of them a letter or digit."
    )


def checked_prefix(value: object) -> str:
    """The beginning of a name, "" for that of any.

    :raises InvalidInputError: if no name begins like this.
    """
    return "" if value in ("", None) else checked_name("The prefix", value)


def checked_execution_name(value: object) -> str:
    """The name of an execution, as the service gave it.

    :raises InvalidInputError: if it cannot be one.
    """
    if isinstance(value, str) and _EXECUTION_NAME.fullmatch(value):
        return value
    raise InvalidInputError(f"{value!r} is not the name of an execution, such as the service gives at its start.")


def checked_bucket(value: object) -> str:
    """The name of a bucket.

    :raises InvalidInputError: if no bucket can be called so.
    """
    if isinstance(value, str) and _BUCKET.fullmatch(value) and not _IP_ADDRESS.fullmatch(value):
        return value
    raise InvalidInputError(
        f"The bucket {value!r} is not allowed: 3 to 63 lower-case letters, digits, '-' and '.', a letter or digit at "
        "either end, no '.' next to '.' or '-', and no IP address. Give its name only, without obs:// and path."
    )


def checked_object(value: object) -> str:
    """The name of an object, which is its whole path in the bucket.

    :raises InvalidInputError: if it is not 1 to 1024 characters.
    """
    if isinstance(value, str) and 1 <= len(value) <= LONGEST_OBJECT:
        return value
    raise InvalidInputError(f"The object {value!r} is not allowed: a text of 1 to {LONGEST_OBJECT} characters.")


def checked_inputs(inputs: object, declared: Mapping[str, InputDefinition] | None = None) -> dict[str, Any] | None:
    """Inputs of a start; None, for none, stays None.

    Given what the workflow declares, each is checked against its declaration. Text is taken for the number, truth
    value, list or map it spells, since templates render to text.

    :param declared: the workflow's parameters by name, empty if it declares none; None if unknown.
    :raises InvalidInputError: if they are no mapping, or one is unknown or does not fit.
    """
    if inputs is None:
        return None
    if not isinstance(inputs, Mapping) or not all(isinstance(name, str) and name for name in inputs):
        raise InvalidInputError(
            f"The inputs should be a mapping of the workflow's parameters to values, not {type(inputs).__name__} "
            f"{inputs!r}."
        )
    if declared is None:
        return dict(inputs)
    return {name: _fitting(name, value, declared) for name, value in inputs.items()}


def _fitting(name: str, value: object, declared: Mapping[str, InputDefinition]) -> object:
    """The value as the type its parameter has. A type this provider does not know is left to the service."""
    if name not in declared:
        close = difflib.get_close_matches(name, declared, n=1)
        suggestion = f" Did you mean {close[0]!r}?" if close else ""
        raise InvalidInputError(
            f"The workflow declares no parameter {name!r}.{suggestion} It declares "
            f"{', '.join(sorted(declared)) or 'none'}."
        )
    definition = declared[name]
    read = _READERS.get(definition.type.strip().lower())
    if value is None:
        raise InvalidInputError(f"The parameter {name!r} has no value; leave it out to use its default.")
    try:
        fitting = value if read is None else read(value)
    except (ValueError, OverflowError, RecursionError):
        raise InvalidInputError(
            f"The parameter {name!r} is {value!r} ({type(value).__name__}), but its type is {definition.type}."
        ) from None
    _check_constraints(name, fitting, definition.constraints)
    return fitting


def _check_constraints(name: str, value: object, constraints: Mapping[str, Any]) -> None:
    valid, invalid = constraints.get("valid_values"), constraints.get("invalid_values")
    if isinstance(valid, list) and valid and value not in valid:
        raise InvalidInputError(
            f"The parameter {name!r} is {value!r}, but has to be one of {', '.join(map(repr, valid))}."
        )
    if isinstance(invalid, list) and value in invalid:
        raise InvalidInputError(
            f"The parameter {name!r} is {value!r}, but may be none of {', '.join(map(repr, invalid))}."
        )


def _as_text(value: object) -> str:
    if isinstance(value, str):
        return value
    raise ValueError


def _as_int(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    return int(_as_text(value))


def _as_list(value: object) -> list[Any]:
    found = json.loads(value) if isinstance(value, str) else value
    if isinstance(found, list | tuple):
        return list(found)
    raise ValueError


def _as_map(value: object) -> dict[str, Any]:
    found = json.loads(value) if isinstance(value, str) else value
    if isinstance(found, Mapping):
        return dict(found)
    raise ValueError


_READERS: Mapping[str, Callable[[object], object]] = {
    "string": _as_text,
    "integer": _as_int,
    "float": as_float,
    "boolean": as_bool,
    "list": _as_list,
    "map": _as_map,
}


def checked_parameters(parameters: object) -> dict[str, Any] | list[dict[str, Any]] | None:
    """Values for the parameters of a template or workflow, by name or as the service's list; None stays None.

    :raises InvalidInputError: if they are neither.
    """
    return (
        checked_inputs(parameters)
        if parameters is None or isinstance(parameters, Mapping)
        else _items("parameters", parameters)
    )


def checked_states(states: object) -> list[dict[str, Any]]:
    """The states of a workflow to be created: one where it starts, an end, and no way that leads nowhere.

    :raises InvalidInputError: if they are not that.
    """
    items = _items("states", states)
    names = [str(state.get("state_name") or "") for state in items]
    if not all(names):
        raise InvalidInputError(f"State number {names.index('') + 1} has no state_name.")
    for name in names:
        if names.count(name) > 1:
            raise InvalidInputError(f"There are {names.count(name)} states with the state_name {name!r}.")
    starts = [name for name, state in zip(names, items, strict=True) if state.get("start") is True]
    if len(starts) != 1:
        raise InvalidInputError(
            f"Exactly one state has to have start: True, but {', '.join(map(repr, starts)) or 'none'} has."
        )
    if not any(state.get("type") == "END" for state in items):
        raise InvalidInputError("No state is of type END, so that an execution could not come to an end.")
    for name, state in zip(names, items, strict=True):
        _check_ways(name, state, names)
    return items


def _check_ways(name: str, state: Mapping[str, Any], names: Sequence[str]) -> None:
    if state.get("type") != "END" and not state.get("next_state"):
        raise InvalidInputError(f"The state {name!r} has no next_state; only one of type END needs none.")
    actions = [action for action in state.get("actions") or () if isinstance(action, Mapping)]
    results = [result for action in actions for result in action.get("results") or () if isinstance(result, Mapping)]
    for target in (each.get("next_state") for each in (state, *results)):
        if target and target not in names:
            close = difflib.get_close_matches(str(target), names, n=1)
            suggestion = f" Did you mean {close[0]!r}?" if close else ""
            raise InvalidInputError(f"The state {name!r} leads to {target!r}, which there is not.{suggestion}")


def checked_definitions(inputs: object) -> list[dict[str, Any]] | None:
    """The parameters that a workflow declares, None for none.

    :raises InvalidInputError: if one has no name, or two have the same.
    """
    if inputs is None:
        return None
    items = _items("inputs", inputs)
    names: set[str] = set()
    for number, item in enumerate(items, 1):
        name = item.get("parameter_name")
        if not isinstance(name, str) or not name:
            raise InvalidInputError(f"Input number {number} has no parameter_name.")
        if name in names:
            raise InvalidInputError(f"There are two inputs with the parameter_name {name!r}.")
        names.add(name)
    return items


def _items(what: str, values: object) -> list[dict[str, Any]]:
    if not isinstance(values, list | tuple) or not all(isinstance(each, Mapping) for each in values):
        raise InvalidInputError(f"{what} should be a list of mappings, not {type(values).__name__}.")
    return [dict(each) for each in values]
