from __future__ import annotations

import html
import json
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest

from airflow_provider_mlworkflows.clouds.secrecy import MASK, without_secrets

SECRET = "Sk/with+odd=chars&\"quotes'\\and-more"

SPELLINGS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "percent": lambda text: quote(text, safe=""),
    "percent, slashes kept": quote,
    "percent in lower case": lambda text: quote(text, safe="").replace("%2F", "%2f").replace("%2B", "%2b"),
    "percent twice": lambda text: quote(quote(text, safe=""), safe=""),
    "form": quote_plus,
    "JSON": lambda text: json.dumps(text)[1:-1],
    "JSON with escaped slashes": lambda text: json.dumps(text)[1:-1].replace("/", "\\/"),
    "JSON in JSON": lambda text: json.dumps(json.dumps(text))[3:-3],
    "JSON with numbers": lambda text: json.dumps(text)[1:-1].replace("+", "\\u002b").replace("=", "\\u003D"),
    "repr": lambda text: repr(text)[1:-1],
    "HTML": html.escape,
    "HTML with numbers": lambda text: text.replace("&", "&#38;").replace('"', "&#x22;"),
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_every_spelling_is_masked_as_a_whole(spelling: str) -> None:
    spelled = SPELLINGS[spelling](SECRET)

    assert without_secrets(f"before {spelled} after {spelled}.", [SECRET]) == f"before {MASK} after {MASK}."


@pytest.mark.parametrize("length", range(4, len(SECRET)))
def test_a_secret_cut_off_at_the_end_is_masked(length: int) -> None:
    assert without_secrets(f"before {SECRET[:length]}", [SECRET]) == f"before {MASK}"


def test_a_secret_cut_off_in_the_middle_is_masked() -> None:
    assert without_secrets(f"before {SECRET[:12]}... after", [SECRET]) == f"before {MASK}... after"


def test_a_secret_that_begins_like_another() -> None:
    assert without_secrets("abcdefgh-long abcdefgh", ["abcdefgh", "abcdefgh-long"]) == f"{MASK} {MASK}"


def test_a_short_secret() -> None:
    assert without_secrets("pw=abc;", ["abc"]) == f"pw={MASK};"


def test_other_text_stays() -> None:
    text = "Sk/, as other keys begin, and 100% of the rest"

    assert without_secrets(text, [SECRET]) == text


def test_a_long_token_in_a_long_text() -> None:
    token = "TOKEN" + "A1b2C3d4E5" * 300

    assert without_secrets(f"{'x' * 100_000}{token}<html>", [token]) == f"{'x' * 100_000}{MASK}<html>"
