"""Arguments that take one of a few words, or a list of words."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
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


def states_as_text(states: Mapping[str, str] | str | None) -> str | None:
    """What a user says that statuses mean, as the JSON text that triggers keep; None if nothing."""
    return json.dumps(states, sort_keys=True) if isinstance(states, Mapping) else states or None
