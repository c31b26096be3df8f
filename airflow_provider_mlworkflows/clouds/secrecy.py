"""Keeping secrets out of texts that quote what somebody else wrote. Pure functions."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from functools import cache

MASK = "***"
TELLING_LENGTH = 8
"""So many of a secret's first characters give it away, even if the rest was cut off."""
TELLING_TAIL = 4
"""The same at the end of a text, where the cut may have been made."""


def beginning_of(access_key: str) -> str:
    """So much of an access key id that its owner knows which it is, and nobody else."""
    return f"{access_key[:4]}…" if len(access_key) >= 3 * TELLING_TAIL else "…"


def without_secrets(text: str, secrets: Iterable[str]) -> str:
    """The text with each secret masked, as it is or as JSON, URLs, HTML or Python's repr spell it.

    A secret that was cut short is masked too.
    """
    for secret in sorted(secrets, key=len, reverse=True):
        text = _without(text, secret)
    return text


def _without(text: str, secret: str) -> str:
    kept: list[str] = []
    position = 0
    for start in re.finditer("".join(map(_spellings, secret[:TELLING_LENGTH])), text):
        if start.start() < position:
            continue
        kept += text[position : start.start()], MASK
        position = _end_of(secret, text, start.end())
    kept.append(_without_tail(text[position:], secret))
    return "".join(kept)


def _end_of(secret: str, text: str, position: int) -> int:
    """Where the secret that has begun ends in the text, or stops being it."""
    for character in secret[TELLING_LENGTH:]:
        spelled = _pattern(character).match(text, position)
        if spelled is None:
            break
        position = spelled.end()
    return position


def _without_tail(text: str, secret: str) -> str:
    for length in range(min(TELLING_LENGTH, len(secret)) - 1, TELLING_TAIL - 1, -1):
        if text.endswith(secret[:length]):
            return text[:-length] + MASK
    return text


@cache
def _pattern(character: str) -> re.Pattern[str]:
    return re.compile(_spellings(character))


@cache
def _spellings(character: str) -> str:
    number = ord(character)
    percent = "".join(f"%(?:25)*(?i:{byte:02x})" for byte in character.encode("utf-8", "surrogatepass"))
    numbered = rf"&#(?:0*{number}|x0*(?i:{number:x}));"
    # What begins like another spelling comes first: & begins &amp;, % begins %25.
    ways = (percent, rf"\\+u(?i:{number:04x})", numbered, re.escape(html.escape(character)))
    return rf"(?:{'|'.join(ways)}|\\*{re.escape(character)})"
