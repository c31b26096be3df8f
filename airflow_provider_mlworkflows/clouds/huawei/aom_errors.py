"""How AOM automation says no: in several envelopes, behind the gateway of all Huawei Cloud services."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow_provider_mlworkflows.clouds.http import WireReply
from airflow_provider_mlworkflows.clouds.huawei import errors
from airflow_provider_mlworkflows.exceptions import (
    ApiError,
    BadRequestError,
    NotFoundError,
    PermissionDeniedError,
    ServerError,
    ThrottledError,
    UnexpectedReplyError,
)

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.clouds.replies import Refusal

REGIONS = ("cn-north-4", "cn-east-3", "cn-east-2", "cn-south-1")
"""Where automation is said to be open."""

_OPEN_IN = (
    f"AOM automation is open only in {', '.join(REGIONS)}, and is being retired: check that the connection's region is "
    "one of them and that the account still has it."
)
_STATUSES: Mapping[str, int] = {
    "AOM.31001302": 400,
    "AOM.31009003": 401,
    "AOM.31009004": 401,
    "AOM.31001405": 500,
}
"""The HTTP status that belongs to a code, for envelopes inside of a success."""
_UNKNOWN = 500
_ADVICE: Mapping[type[ApiError], str] = {
    BadRequestError: "Correct the argument that the message names. An action on a node must fit its state: restart and "
    "skip a failed one, continue a pausing one; an execution that is over can no longer be stopped.",
    NotFoundError: "Check the ids of workflow and execution, and that the connection's region and project are theirs.",
}
_NO_SUCH_ROUTE = "0101"
_DEEPEST = 4
_CODES = ("error_code", "errorCode", "code")
_TEXTS = ("error_msg", "error_message", "errorMsg", "errorMessage", "message", "msg")
_REQUEST_IDS = ("request_id", "requestId")

_Envelope = tuple[str, str, str, int]
"""Code, text, request id and HTTP status, each of them empty if it is not there."""


def read_refusal(reply: WireReply) -> Refusal | None:
    """Read a reply as a refusal; None if it is an answer, or may be one that is no JSON.

    A 2xx reply with an error inside is a refusal too.
    """
    succeeded = 200 <= reply.status < 300
    if succeeded and reply.content[:1] == b"[":
        return None  # an error is no list, and a long list is not read twice
    try:
        body = reply.json() if reply.content else None
    except ValueError:
        # Whether a success may look like that, only the operation knows.
        return None if succeeded else _advised(errors.read_refusal(reply), _OPEN_IN)
    found = _envelope_in_answer(body) if succeeded else _envelope(body)
    if found is None:
        return None if succeeded else _advised(errors.read_refusal(reply))
    code, text, request_id, status = found
    # An error that nobody knows, inside a success, may have come after the effect.
    known = status or _STATUSES.get(code, 0)
    status = (known or _UNKNOWN) if succeeded else reply.status
    plain = {"error_code": code, "error_msg": text, "request_id": request_id or _first(body or {}, _REQUEST_IDS)}
    refusal = errors.read_refusal(WireReply(status, reply.headers, json.dumps(plain).encode()))
    if succeeded and refusal is not None and refusal.kind is ThrottledError:
        # It came after the gateway: a write may have taken effect all the same.
        refusal = replace(refusal, kind=ServerError)
    if succeeded and refusal is not None and not known:
        refusal = replace(refusal, kind=UnexpectedReplyError)
    return _advised(refusal)


def _envelope_in_answer(body: Any) -> _Envelope | None:
    """The error in an answer, by names that nothing else has: ``code`` or ``message`` may be fields like any other.

    How nodes failed is quoted further inside; that is no error of the answer.
    """
    if not isinstance(body, dict):
        return None
    if isinstance(error := body.get("error"), str) and error:
        return "", error, "", 0
    found = _named(body, ("error_code", "errorCode"), _TEXTS[:4]) or _envelope(body.get("error"))
    # Other parts of AOM put the envelope around what they answer, too.
    return None if found is not None and found[1].strip(" .").lower() == "success" else found


def _envelope(body: Any, depth: int = 0) -> _Envelope | None:
    """The error in the body of a refusal, however deep it is."""
    if not isinstance(body, dict) or depth > _DEEPEST:
        return None
    found = _named(body, _CODES, _TEXTS)
    if found is None:
        inner = (_envelope(value, depth + 1) for value in body.values())
        found = next(filter(None, inner), None)
    if found is None and isinstance(error := body.get("error"), str) and error:
        found = "", error, "", 0
    return found


def _named(body: Mapping[str, Any], codes: tuple[str, ...], texts: tuple[str, ...]) -> _Envelope | None:
    code, text = _first(body, codes), _first(body, texts)
    if not code and not text:
        return None
    return code, text, _first(body, _REQUEST_IDS), _status(body.get("http_code"))


def _first(body: Mapping[str, Any], names: tuple[str, ...]) -> str:
    values = (body.get(name) for name in names)
    return next((str(value) for value in values if value and isinstance(value, str | int)), "")


def _status(value: object) -> int:
    """The status that an envelope names, as a number or a text; 0 if it is none of an error."""
    text = str(value)
    return int(text) if text.isascii() and text.isdigit() and 400 <= int(text) <= 599 else 0


def _advised(refusal: Refusal | None, more: str = "") -> Refusal | None:
    """The refusal, with advice that fits this service."""
    if refusal is None:
        return None
    no_route = refusal.code.endswith(f".{_NO_SUCH_ROUTE}") and refusal.code.startswith("API")
    if refusal.kind is PermissionDeniedError or no_route or (refusal.kind is NotFoundError and not refusal.code):
        more = _OPEN_IN
    advice = refusal.advice if no_route or refusal.unreadable else _ADVICE.get(refusal.kind, refusal.advice)
    return replace(refusal, advice=f"{advice} {more}".strip())
