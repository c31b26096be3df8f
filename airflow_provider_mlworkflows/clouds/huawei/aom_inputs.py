"""From what a DAG author writes to what AOM automation wants: ids, names, words and input. Pure functions."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

from airflow_provider_mlworkflows.clouds.bodies import checked_extra
from airflow_provider_mlworkflows.exceptions import InvalidInputError

LONGEST_ID = 64
LONGEST_NAME = 64
LATEST_TIME = 9_999_999_999_999

Extra = Mapping[str, Any] | None
"""Further fields of a body, as the service names them, sent as they are."""

_NAME = re.compile(r"[A-Za-z0-9\u4e00-\u9fff_-]{1,64}")


def checked_id(what: str, value: object) -> str:
    """The id of a workflow, execution, node, job, template or script.

    :raises InvalidInputError: if it is not 1 to 64 characters, has blanks around it, or would lead elsewhere in a path.
    """
    if isinstance(value, str) and 1 <= len(value) <= LONGEST_ID and value == value.strip() and value.strip("."):
        return value
    raise InvalidInputError(
        f"{what} {value!r} is not an id of AOM: those are texts of 1 to {LONGEST_ID} characters without blanks around."
    )


def checked_name(value: object) -> str:
    """The name of a workflow.

    :raises InvalidInputError: if it is not 1 to 64 Chinese characters, letters, digits, ``-`` or ``_``.
    """
    if isinstance(value, str) and _NAME.fullmatch(value):
        return value
    raise InvalidInputError(
        f"The name {value!r} is not allowed: 1 to {LONGEST_NAME} Chinese characters, letters, digits, '-' and '_'."
    )


def checked_text(what: str, value: object, longest: int, shortest: int = 1) -> str | None:
    """A text of so many characters, or None.

    :raises InvalidInputError: if it is something else.
    """
    if value is None or (isinstance(value, str) and shortest <= len(value) <= longest):
        return value
    raise InvalidInputError(f"{what} {value!r} is not a text of {shortest} to {longest} characters.")


def checked_choice(what: str, value: object, choices: Iterable[str]) -> str | None:
    """One of the given words, or None.

    :raises InvalidInputError: if it is another.
    """
    allowed = list(choices)
    if value is None or (isinstance(value, str) and value in allowed):
        return value
    raise InvalidInputError(f"{what} {value!r} is not one of {', '.join(allowed)}.")


def required_choice(what: str, value: object, choices: Iterable[str]) -> str:
    """One of the given words.

    :raises InvalidInputError: if it is another, or None.
    """
    chosen = checked_choice(what, "" if value is None else value, choices)
    return chosen or ""


def checked_number(what: str, value: object, lowest: int, highest: int) -> int | None:
    """A whole number within bounds, or None.

    :raises InvalidInputError: if it is out of bounds.
    """
    if value is None or (isinstance(value, int) and not isinstance(value, bool) and lowest <= value <= highest):
        return value
    raise InvalidInputError(f"{what} {value!r} is not a whole number between {lowest} and {highest}.")


def checked_texts(what: str, values: object, most: int, longest: int) -> list[str] | None:
    """A list of so many texts, or None.

    :raises InvalidInputError: if it is something else, such as a single text.
    """
    if values is None:
        return None
    if isinstance(values, str) or not isinstance(values, list | tuple):
        raise InvalidInputError(f"{what} should be a list of texts, not {values!r}.")
    if not 1 <= len(values) <= most:
        raise InvalidInputError(f"{what} has {len(values)} entries; 1 to {most} are allowed.")
    return [_entry(what, value, longest) for value in values]


def _entry(what: str, value: object, longest: int) -> str:
    text = checked_text(f"An entry of {what},", value, longest)
    if text is None:
        raise InvalidInputError(f"{what} contains None.")
    return text


def checked_tags(tags: object, most: int) -> dict[str, str] | None:
    """So many pairs of texts, or None.

    :raises InvalidInputError: if it is something else.
    """
    if tags is None:
        return None
    if not isinstance(tags, Mapping):
        raise InvalidInputError(f"tags should be a mapping of texts to texts, not {tags!r}.")
    if len(tags) > most:
        raise InvalidInputError(f"tags has {len(tags)} pairs; at most {most} are allowed.")
    for name, value in tags.items():
        if not isinstance(name, str) or not name or not isinstance(value, str):
            raise InvalidInputError(f"The tag {name!r}: {value!r} is no pair of texts.")
    return dict(tags)


def input_groups(groups: object) -> dict[str, Any]:
    """The input of a workflow as the service wants it: every number and truth value is a text.

    :param groups: ``{group: {field: value}}``; what stands outside of any group, such as ``region_id``, too.
    :raises InvalidInputError: if it is no mapping, or a value is nothing or no number.
    """
    if not isinstance(groups, Mapping):
        raise InvalidInputError(
            f"The input should be a mapping such as {{'script': {{'time_out': 7200}}}}, not {type(groups).__name__}."
        )
    return {_field_name(name): _as_texts(f"input.{name}", value) for name, value in groups.items()}


def _field_name(name: object) -> str:
    if isinstance(name, str) and name:
        return name
    raise InvalidInputError(f"The input has a field {name!r}; names are texts that are not empty.")


def _as_texts(where: str, value: object) -> Any:
    if isinstance(value, Mapping):
        return {_field_name(name): _as_texts(f"{where}.{name}", each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_as_texts(f"{where}[{number}]", each) for number, each in enumerate(value)]
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value
    if isinstance(value, int) or (isinstance(value, float) and math.isfinite(value)):
        return str(value)
    raise InvalidInputError(f"{where} is {value!r}, which cannot be sent as a text. Give a text, a number or a bool.")


def body(extra: Extra = None, **fields: Any) -> dict[str, Any]:
    """A JSON object; what is None is left out.

    :param extra: further fields.
    :raises InvalidInputError: if ``extra`` is no mapping, or says something else than an argument.
    """
    given = {name: value for name, value in fields.items() if value is not None}
    for name, value in checked_extra(extra).items():
        if name in given and given[name] != value:
            raise InvalidInputError(f"extra sets {name!r} to {value!r}, but an argument sets it to {given[name]!r}.")
        given[name] = value
    return given
