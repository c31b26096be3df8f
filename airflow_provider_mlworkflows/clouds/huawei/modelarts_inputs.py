"""From what a DAG author writes to what ModelArts wants: names, ids, parameters and data. Pure functions."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

from airflow_provider_mlworkflows.clouds.values import as_bool, as_float
from airflow_provider_mlworkflows.exceptions import InvalidInputError

Inputs = Mapping[str, Any] | Sequence[Mapping[str, Any]]
"""Parameters or data: ``{name: value}``, or the service's ``[{"name": ..., "type": ..., "value": ...}]``."""

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_NAME = re.compile(r"[A-Za-z\u4e00-\u9fff][A-Za-z0-9\u4e00-\u9fff _-]{0,63}")
_INPUT_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
_CANONICAL_TYPES = {
    "str": "str",
    "string": "str",
    "int": "int",
    "integer": "int",
    "bool": "bool",
    "boolean": "bool",
    "float": "float",
    "double": "float",
    "json": "json",
}


class Declared(Protocol):
    """What a workflow says about a parameter or a data requirement."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def type(self) -> str:
        """Its type, in the service's words."""


def checked_uuid(what: str, value: object) -> str:
    """The id, if it is one.

    :raises InvalidInputError: if it is not the canonical text of a UUID; the service refuses such ids.
    """
    if isinstance(value, str) and _UUID.fullmatch(value):
        return value
    raise InvalidInputError(
        f"{what} {value!r} is not an id of ModelArts. "
        "It should look like 4f6a0f1e-5b0e-4f4e-9c57-0d2a7c1b9e10: "
        "32 lower-case hexadecimal digits in groups of 8-4-4-4-12."
    )


def checked_segment(what: str, value: object) -> str:
    """An id without a documented form.

    :raises InvalidInputError: if it is empty or would lead elsewhere in a path.
    """
    if isinstance(value, str) and value.strip() and value not in {".", ".."}:
        return value
    raise InvalidInputError(f"{what} {value!r} is not an id.")


def checked_name(what: str, value: object) -> str:
    """The name of a workflow, step or execution.

    :raises InvalidInputError: if it is not 1 to 64 letters (Chinese included), digits, spaces, ``_`` or
        ``-``, the first of them a letter.
    """
    if isinstance(value, str) and _NAME.fullmatch(value):
        return value
    raise InvalidInputError(
        f"{what} {value!r} is not allowed: 1 to 64 Chinese characters, letters, digits, spaces, '_' and '-', "
        "the first of them a Chinese character or a letter."
    )


def checked_texts(what: str, values: object) -> list[str]:
    """A list of texts, none of them empty.

    :raises InvalidInputError: if it is no list, such as a single text, or one of them is empty.
    """
    if isinstance(values, str):
        raise InvalidInputError(f"{what} should be a list of texts: write [{values!r}] for the text {values!r}.")
    if not isinstance(values, Iterable) or isinstance(values, bytes | Mapping):
        raise InvalidInputError(f"{what} should be a list of texts, not {type(values).__name__}.")
    return [_checked_text(what, value) for value in values]


def _checked_text(what: str, value: object) -> str:
    if isinstance(value, str) and value.strip():
        return value
    raise InvalidInputError(f"{what} contains {value!r}; each entry should be a text that is not empty.")


def checked_labels(values: object) -> list[str]:
    """Labels. Searches join several of them with commas, so none may contain one.

    :raises InvalidInputError: if one is empty or contains a comma.
    """
    labels = checked_texts("labels", values)
    for label in labels:
        if "," in label:
            raise InvalidInputError(f"The label {label!r} contains a comma, which separates labels in searches.")
    return labels


def optional_text(what: str, value: object) -> str | None:
    """A text, or None.

    :raises InvalidInputError: if it is something else.
    """
    if value is None or isinstance(value, str):
        return value
    raise InvalidInputError(f"{what} should be a text, not {value!r}.")


def optional_bool(what: str, value: object) -> bool | None:
    """True, False or None.

    :raises InvalidInputError: if it is something else, such as the text of one.
    """
    if value is None or isinstance(value, bool):
        return value
    raise InvalidInputError(f"{what} should be True or False, not {value!r}.")


def checked_choice(what: str, value: str, choices: Iterable[str]) -> str:
    """One of the given words.

    :raises InvalidInputError: if it is another.
    """
    allowed = list(choices)
    if value not in allowed:
        raise InvalidInputError(f"{what} {value!r} is not one of {', '.join(allowed)}.")
    return value


def checked_range(what: str, value: object, lowest: int, highest: int) -> int | None:
    """A whole number within bounds, or None.

    :raises InvalidInputError: if it is out of bounds.
    """
    if value is None or (isinstance(value, int) and not isinstance(value, bool) and lowest <= value <= highest):
        return value
    raise InvalidInputError(f"{what} {value!r} is not a whole number between {lowest} and {highest}.")


def whole_number(value: object) -> object:
    """The number that a text spells, since templates render to text; anything else as it is."""
    return int(value) if isinstance(value, str) and re.fullmatch(r"\s*[0-9]{1,18}\s*", value) else value


def parameter_items(parameters: Inputs, declared: Iterable[Declared] | None = None) -> list[dict[str, Any]]:
    """Parameters in the service's form.

    Given what the workflow declares, each value is checked against its declaration and takes its type from
    there. Text is taken for the number or truth value it spells, since templates render to text. Without
    declarations the type follows from the Python value.

    :param parameters: ``{name: value}``, or the service's own list.
    :param declared: the workflow's ``parameters``, empty if it declares none; None if unknown.
    :raises InvalidInputError: if a name is malformed, unknown or given twice, or a value does not fit.
    """
    return [_parameter(item, declaration) for item, declaration in _named_items("parameter", parameters, declared)]


def data_requirement_items(data: Inputs, declared: Iterable[Declared] | None = None) -> list[dict[str, Any]]:
    """Data requirements in the service's form.

    A value is the service's map, such as ``{"obs_url": "/bucket/directory/"}`` or
    ``{"dataset_id": ..., "version_id": ...}``, or for data in OBS the text ``obs://bucket/directory/`` or
    ``/bucket/directory/``.

    :param data: ``{name: value}``, or the service's own list.
    :param declared: the workflow's ``data_requirements``, empty if it declares none; None if unknown.
    :raises InvalidInputError: if a name is malformed, unknown or given twice, or a value does not fit.
    """
    return [
        _data_requirement(item, declaration) for item, declaration in _named_items("data requirement", data, declared)
    ]


def _items(what: str, inputs: object) -> list[dict[str, Any]]:
    if isinstance(inputs, Mapping):
        return [{"name": name, "value": value} for name, value in inputs.items()]
    if isinstance(inputs, list | tuple) and all(isinstance(item, Mapping) and "name" in item for item in inputs):
        return [dict(item) for item in inputs]
    raise InvalidInputError(
        f"The {what}s should be a mapping of names to values, or a list of mappings with a name each, "
        f"not {type(inputs).__name__}."
    )


def _named_items(
    what: str, inputs: Inputs, declared: Iterable[Declared] | None
) -> list[tuple[dict[str, Any], Declared | None]]:
    """Each input with its declaration, None if the declarations are not known."""
    known = None if declared is None else {item.name: item for item in declared}
    items: dict[str, tuple[dict[str, Any], Declared | None]] = {}
    for item in _items(what, inputs):
        name = item["name"]
        _check_input_name(what, name, known)
        if name in items:
            raise InvalidInputError(f"The {what} {name!r} is given twice.")
        declaration = known[name] if known else None
        _check_type(what, item, declaration)
        items[name] = item, declaration
    return list(items.values())


def _check_type(what: str, item: Mapping[str, Any], declaration: Declared | None) -> None:
    given, declared = item.get("type"), declaration.type if declaration else ""
    if given and declared and _canonical(given) != _canonical(declared):
        raise InvalidInputError(
            f"The {what} {item['name']!r} is given as {given!r}, but the workflow declares it as {declared}."
        )


def _canonical(type_: object) -> str:
    name = str(type_).lower()
    return _CANONICAL_TYPES.get(name, name)


def _check_input_name(what: str, name: object, known: Mapping[str, Declared] | None) -> None:
    if not isinstance(name, str) or not _INPUT_NAME.fullmatch(name):
        raise InvalidInputError(
            f"{name!r} cannot be the name of a {what}: "
            "1 to 64 letters, digits, '_' and '-', the first of them a letter."
        )
    if known is not None and name not in known:
        close = difflib.get_close_matches(name, known, n=1)
        suggestion = f" Did you mean {close[0]!r}?" if close else ""
        raise InvalidInputError(
            f"The workflow declares no {what} {name!r}.{suggestion} It declares {', '.join(sorted(known)) or 'none'}."
        )


def _parameter(item: dict[str, Any], declaration: Declared | None) -> dict[str, Any]:
    name = item["name"]
    if "type" not in item and item.get("value") is None:
        raise InvalidInputError(f"The parameter {name!r} has no value; leave it out to use its default.")
    declared_type = item.get("type") or (declaration.type if declaration else "")
    if not declared_type:
        return {**item, "type": _type_of(name, item["value"])}
    if item.get("value") is None:
        return {**item, "type": declared_type}
    value = _fitting(name, item["value"], declared_type)
    allowed = getattr(declaration, "enum", None) or item.get("enum")
    if allowed and value not in allowed:
        raise InvalidInputError(
            f"The parameter {name!r} is {value!r}, but has to be one of {', '.join(map(repr, allowed))}."
        )
    return {**item, "type": declared_type, "value": value}


def _type_of(name: str, value: object) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return "int"
    if isinstance(value, float) and math.isfinite(value):
        return "float"
    if isinstance(value, str):
        return "str"
    if isinstance(value, list | tuple | Mapping):
        return "json"
    raise InvalidInputError(f"The parameter {name!r} is {value!r}, which is no text, number, truth value or JSON.")


def _fitting(name: str, value: object, declared_type: str) -> object:
    """The value as its declared type. A type this provider does not know is left to the service."""
    read = _READERS.get(_canonical(declared_type))
    if read is None:
        return value
    try:
        return read(value)
    except (ValueError, OverflowError):
        raise InvalidInputError(
            f"The parameter {name!r} is {value!r} ({type(value).__name__}), but its type is {declared_type}."
        ) from None


def _as_text(value: object) -> str:
    if isinstance(value, str):
        return value
    raise ValueError


def _as_int(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str):
        return int(value)
    raise ValueError


_READERS: Mapping[str, Callable[[object], object]] = {
    "str": _as_text,
    "int": _as_int,
    "float": as_float,
    "bool": as_bool,
}


def _data_requirement(item: dict[str, Any], declaration: Declared | None) -> dict[str, Any]:
    name, value = item["name"], item.get("value")
    declared_type = item.get("type") or (declaration.type if declaration else "")
    if value is None:
        if "type" not in item:
            raise InvalidInputError(f"The data requirement {name!r} has no value; leave it out to use its default.")
        return item
    if isinstance(value, str):
        if declared_type not in {"", "obs"}:
            raise InvalidInputError(
                f"The data requirement {name!r} is of type {declared_type}, "
                f"for which the text {value!r} says too little; "
                f"give a mapping{_EXAMPLES.get(declared_type, '')}."
            )
        value = {"obs_url": _obs_url(name, value)}
    elif not isinstance(value, Mapping):
        raise InvalidInputError(f"The data requirement {name!r} is {value!r}; give a mapping or an obs:// address.")
    return {**item, "type": declared_type or _data_type_of(name, value), "value": dict(value)}


_EXAMPLES = {"dataset": ' such as {"dataset_id": "...", "version_id": "..."}'}


def _obs_url(name: str, address: str) -> str:
    if address.startswith("obs://") and address.removeprefix("obs://").strip("/"):
        return "/" + address.removeprefix("obs://")
    if re.match(r"/[^/]", address):
        return address
    raise InvalidInputError(
        f"The data requirement {name!r} is {address!r}; an address in OBS looks like obs://bucket/directory/."
    )


def _data_type_of(name: str, value: Mapping[str, Any]) -> str:
    if "obs_url" in value:
        return "obs"
    if "dataset_id" in value:
        return "dataset"
    raise InvalidInputError(
        f"The type of the data requirement {name!r} cannot be told from {sorted(value)}; "
        'give it in the list form, [{"name": ..., "type": ..., "value": ...}].'
    )
