"""The six fields of a schedule's cron expression, checked before the service sees them. Pure functions."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import chain

from airflow_provider_mlworkflows.exceptions import InvalidInputError

_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_EXAMPLE = "such as '0 0 12 * * ?'"


@dataclass(frozen=True, slots=True)
class _Field:
    """What may stand in one place; ``special`` matches what only days of a month or of a week can be."""

    name: str
    lowest: int
    highest: int
    words: tuple[str, ...] = ()
    special: str = ""

    def allows(self, text: str) -> bool:
        return all(self._allows_item(item) for item in text.upper().split(","))

    def _allows_item(self, item: str) -> bool:
        if self.special and re.fullmatch(self.special, item):
            return True
        values, slash, step = item.partition("/")
        if slash and not (re.fullmatch(r"[0-9]{1,2}", step) and int(step)):
            return False
        if values == "*":
            return True
        first, dash, last = values.partition("-")
        return self._allows_value(first) and (not dash or self._allows_value(last))

    def _allows_value(self, text: str) -> bool:
        if text in self.words:
            return True
        return bool(re.fullmatch(r"[0-9]{1,2}", text)) and self.lowest <= int(text) <= self.highest


_FIELDS = (
    _Field("second", 0, 59),
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day of month", 1, 31, special=r"\?|L|LW|L-[0-9]{1,2}|[0-9]{1,2}W"),
    _Field("month", 1, 12, _MONTHS),
    _Field("day of week", 0, 7, _DAYS, special=rf"\?|L|(?:[0-7]|{'|'.join(_DAYS)})(?:L|#[1-5])"),
)


def checked_cron(cron: object) -> str:
    """A cron expression of six fields: second, minute, hour, day of month, month, day of week.

    :raises InvalidInputError: if it has another number of fields, or one of them cannot be.
    """
    if not isinstance(cron, str) or not cron.strip():
        raise InvalidInputError(f"cron is {cron!r}; it should be a text of six fields, {_EXAMPLE}.")
    given = cron.split()
    if len(given) != len(_FIELDS):
        raise InvalidInputError(
            f"cron is {cron!r}, which has {len(given)} field{'s' * (len(given) != 1)}; it should have six: "
            f"{', '.join(field.name for field in _FIELDS)}, {_EXAMPLE}.{_with_seconds(given)}"
        )
    for field, text in zip(_FIELDS, given, strict=True):
        if not field.allows(text):
            raise InvalidInputError(
                f"cron is {cron!r}, but {text!r} is no {field.name}: {field.lowest} to {field.highest}"
                f"{_words(field)}, '*', ranges with '-', steps with '/', several with ','"
                f"{', or ? L W #' if field.special else ''}."
            )
    return cron


def _with_seconds(given: list[str]) -> str:
    return f" Put the second first: '{' '.join(chain('0', given))}'." if len(given) == len(_FIELDS) - 1 else ""


def _words(field: _Field) -> str:
    return f" or {field.words[0]} to {field.words[-1]}" if field.words else ""
