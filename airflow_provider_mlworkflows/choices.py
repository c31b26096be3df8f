"""Arguments that take one of a few words, a list of words, or a number."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from airflow_provider_mlworkflows.exceptions import InvalidInputError

ON_WAITING = ("wait", "fail", "continue")
ON_RETRY = ("repair", "restart")
ON_UNREPAIRABLE = ("fail", "restart")
ON_STOPPED = ("fail", "repair", "restart")
ON_CLEAR = ("restart", "repair")
ON_UNCERTAIN = ("fail", "start")


def checked_choice(argument: str, value: str, choices: Iterable[str]) -> str:
    """The value, if it is one of the choices.

    :raises InvalidInputError: if it is not.
    """
    if value not in tuple(choices):
        raise InvalidInputError(f"{argument} is {value!r}, but must be one of {', '.join(map(repr, choices))}.")
    return value


def checked_list(argument: str, value: Any) -> list[Any]:
    """The value as a list, if it is more than one text.

    A text is a sequence, too, but of letters: nobody means those.

    :raises InvalidInputError: if it is a text or nothing to go through.
    """
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise InvalidInputError(f"{argument} must be a list such as ['nightly'], not {value!r}.")
    return list(value)


def checked_step(argument: str, value: Any) -> str:
    """The name or id of a step. A whole number counts as its digits: templates may render those to one.

    :raises InvalidInputError: if it is none.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, str) and value.strip():
        return value
    raise InvalidInputError(f"{argument} must be the name or the id of a step, not {value!r}.")


def checked_truth(argument: str, value: Any) -> bool | None:
    """The value as a bool, also from the text that a template renders to; None stays None.

    :raises InvalidInputError: if it is neither.
    """
    words = {"true": True, "false": False, "none": None, "": None}
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().lower() in words:
        return words[value.strip().lower()]
    raise InvalidInputError(f"{argument} must be True, False or None, not {value!r}.")


def checked_seconds(argument: str, value: Any) -> float:
    """A number of seconds above 0, also as a timedelta or as the text of a number.

    :raises InvalidInputError: if it is something else, such as a template where none is rendered.
    """
    if isinstance(value, timedelta):
        value = value.total_seconds()
    try:
        seconds = value if isinstance(value, int | float) else float(value)
    except (TypeError, ValueError):
        seconds = math.nan
    if isinstance(value, bool) or not (math.isfinite(seconds) and seconds > 0):
        raise InvalidInputError(
            f"{argument} must be a number of seconds above 0, not {value!r}. Templates are not rendered here."
        )
    return seconds


def checked_count(argument: str, value: Any) -> int:
    """A whole number of 0 or more, also as a text.

    :raises InvalidInputError: if it is something else.
    """
    number = int(value) if isinstance(value, str) and value.strip().isdecimal() else value
    if isinstance(number, int) and not isinstance(number, bool) and number >= 0:
        return number
    raise InvalidInputError(f"{argument} must be a whole number of 0 or more, not {value!r}.")


def states_as_text(states: Mapping[str, str] | str | None) -> str | None:
    """What a user says that statuses mean, as the JSON text that triggers keep; None if nothing."""
    return json.dumps(states, sort_keys=True) if isinstance(states, Mapping) else states or None
