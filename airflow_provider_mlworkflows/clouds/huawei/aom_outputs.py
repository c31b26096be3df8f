"""What the nodes of AOM automation put out, which is also the only place where they say why they failed.

Nothing about its form is documented: it may be an object, JSON inside a text, or plain text. Pure functions.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from airflow_provider_mlworkflows.clouds.huawei.aom_models import decoded

LONGEST_REASON = 1_000
_DEEPEST = 6
_ERROR_KEYS = ("error", "err", "error_msg", "error_message", "errorMsg", "errorMessage", "err_msg", "exception")
_REASON_KEYS = (*_ERROR_KEYS, "reason", "message", "msg")


def plain_output(output: object, depth: int = 0) -> Any:
    """An output without JSON inside of texts."""
    output = decoded(output)
    if depth >= _DEEPEST:
        return output
    if isinstance(output, Mapping):
        return {name: plain_output(value, depth + 1) for name, value in output.items()}
    if isinstance(output, list):
        return [plain_output(value, depth + 1) for value in output]
    return output


def says_error(output: object) -> bool:
    """Whether an output names an error, and not just some message."""
    return bool(_first_text(plain_output(output), _ERROR_KEYS))


def reason_in(output: object) -> str:
    """Why a node failed, as far as its output says so; the whole of it if it names no reason."""
    plain = plain_output(output)
    if plain is None or plain in ("", {}, []):
        return ""
    reason = plain if isinstance(plain, str) else _first_text(plain, _REASON_KEYS)
    text = (reason or json.dumps(plain, ensure_ascii=False, default=str)).strip()
    return text if len(text) <= LONGEST_REASON else f"{text[:LONGEST_REASON]}..."


def log_lines(output: object) -> list[str]:
    """An output as lines of text, for people."""
    return [line.rstrip() for line in _lines(plain_output(output)) if line.strip()]


def _lines(plain: object) -> Iterator[str]:
    if isinstance(plain, str):
        yield from plain.splitlines()
    elif isinstance(plain, Mapping):
        for name, value in plain.items():
            inner = list(_lines(value))
            if len(inner) > 1:
                yield f"{name}:"
                yield from inner
            else:
                yield f"{name}: {''.join(inner)}"
    elif isinstance(plain, list):
        for value in plain:
            yield from _lines(value)
    elif plain is not None:
        yield json.dumps(plain)


def _first_text(plain: object, keys: tuple[str, ...]) -> str:
    """The first text under one of the keys: those of an object come before those inside of it."""
    if isinstance(plain, list):
        return next(filter(None, (_first_text(value, keys) for value in plain)), "")
    if not isinstance(plain, Mapping):
        return ""
    for key in keys:
        if found := _text_of(plain.get(key), keys):
            return found
    return next(filter(None, (_first_text(value, keys) for value in plain.values())), "")


def _text_of(value: object, keys: tuple[str, ...]) -> str:
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, Mapping | list):
        return _first_text(value, keys) or (json.dumps(value, ensure_ascii=False, default=str) if value else "")
    return ""
