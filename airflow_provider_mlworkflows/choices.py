"""Arguments that take one of a few words."""

from __future__ import annotations

from collections.abc import Iterable

from airflow_provider_mlworkflows.exceptions import InvalidInputError

ON_WAITING = ("wait", "fail", "continue")
ON_RETRY = ("repair", "restart")
ON_UNREPAIRABLE = ("fail", "restart")
ON_STOPPED = ("fail", "repair", "restart")
ON_CLEAR = ("restart", "repair")


def checked_choice(argument: str, value: str, choices: Iterable[str]) -> str:
    """The value, if it is one of the choices.

    :raises InvalidInputError: if it is not.
    """
    if value not in tuple(choices):
        raise InvalidInputError(f"{argument} is {value!r}, but must be one of {', '.join(map(repr, choices))}.")
    return value
