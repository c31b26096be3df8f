"""How Huawei Cloud services and the gateway in front of them say no."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from airflow_provider_mlworkflows.clouds.replies import NOT_THE_SERVICE, Refusal, is_server_failure
from airflow_provider_mlworkflows.exceptions import (
    ApiError,
    AuthenticationError,
    BadRequestError,
    NotFoundError,
    PermissionDeniedError,
    ServerError,
    ThrottledError,
    UnexpectedReplyError,
)

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.clouds.http import WireReply

# A bad signature is answered with the whole canonical request, which holds the security token.
_ECHOED_REQUEST = re.compile(r",?\s*canonical_?request.*", re.IGNORECASE | re.DOTALL)
_ENVELOPES = (("error_code", "error_msg"), ("errorCode", "errorMsg"))
_GATEWAY_CODE = re.compile(r"APIGW?\.(\d{4})$")

_NOT_FOUND = frozenset(
    {"ModelArts.7512", "ModelArts.7511", "ModelArts.7525", "ModelArts.7519", "ModelArts.2775", "ModelArts.50015001"}
)
_THROTTLED = frozenset({"ModelArts.2799", "ModelArts.4206", "ModelArts.4395", "ModelArts.6101"})
# Inside a success these say as much as a 5xx: whether a write took effect is not known.
_SERVER_FAILED = frozenset({"ModelArts.0010", "ModelArts.4302", "ModelArts.4503", "ModelArts.4700"})
_BAD_KEY = frozenset({"ModelArts.0206"})
# Inside a success these, and no others that no kind is known of, say that nothing was done.
_BAD_REQUEST = frozenset(
    {
        "ModelArts.0101",
        "ModelArts.0102",
        "ModelArts.0104",
        "ModelArts.0107",
        "ModelArts.2796",
        "ModelArts.5044",
    }
)
_NO_PERMISSION = frozenset({"ModelArts.0108", "ModelArts.0112", "ModelArts.0210"})
_GATEWAY_KINDS: dict[str, type[ApiError]] = {
    "0101": BadRequestError,
    "0301": AuthenticationError,
    "0303": AuthenticationError,
    "0308": ThrottledError,
}
_ADVICE: dict[type[ApiError], str] = {
    BadRequestError: "Correct the argument that the message names.",
    NotFoundError: "Check the id, and that the connection's region and project are the ones it belongs to.",
    AuthenticationError: "Check the connection's access key, secret key and token.",
    PermissionDeniedError: "Check the connection's project_id and the IAM permissions of its user.",
    ThrottledError: "Poll less often, or ask for a higher quota.",
    ServerError: "The service failed; try again later, and give its support the request id.",
    UnexpectedReplyError: NOT_THE_SERVICE,
}
_AUTHENTICATION_ADVICE = (
    ("signature expired", "The clock of this machine is more than 15 minutes off; set it."),
    ("token expire", "The token of the connection has expired; put a new one there."),
    ("decrypt token", "The token of the connection is not one this region's IAM issued."),
    ("not exist", "The access key does not exist; it may have been deleted or mistyped."),
    ("signature fail", "The secret key does not fit the access key."),
    ("reach the limit", "The access key is blocked for a while after too many failures; correct the secret key first."),
    ("security token", "Temporary access keys need their security_token in the connection."),
)


def read_refusal(reply: WireReply) -> Refusal | None:
    """Read a reply as a refusal; None if it is an answer.

    A 2xx reply with an ``error_code`` inside is a refusal too.
    """
    succeeded = 200 <= reply.status < 300
    if succeeded and (not reply.content or _is_plain_answer(reply.content)):
        return None
    try:
        body = reply.json() if reply.content else {}
    except ValueError:
        return _unreadable(reply)
    # In an answer "code" may be a field like any other.
    code, text, request_id = _envelope(body, _ENVELOPES if succeeded else (*_ENVELOPES, ("code", "message")))
    if succeeded and not code and not _has_error(body):
        return None
    request_id = request_id or reply.headers.get("x-request-id", "") or reply.headers.get("x-iam-trace-id", "")
    text = _ECHOED_REQUEST.sub("", text)
    kind = _kind(reply.status, code)
    return Refusal(kind, code, text, request_id, _advice(kind, code, text))


def _is_plain_answer(content: bytes) -> bool:
    """Whether it is to be read as an answer at once: long lists, read every few seconds, are not parsed twice."""
    return content.startswith((b"{", b"[")) and content.endswith((b"}", b"]")) and b'"error' not in content


def _envelope(body: Any, names: Iterable[tuple[str, str]]) -> tuple[str, str, str]:
    """Code, message and request id from any of the shapes in use."""
    if not isinstance(body, dict):
        return "", "", ""
    request_id = str(body.get("request_id") or "")
    nested = body.get("error")
    if isinstance(nested, dict):
        return str(nested.get("code") or ""), str(nested.get("message") or ""), request_id
    for code_name, text_name in names:
        if body.get(code_name):
            return str(body[code_name]), str(body.get(text_name) or ""), request_id
    text = next((str(body[name]) for _, name in names if body.get(name)), "")
    return "", nested if isinstance(nested, str) and nested else text, request_id


def _has_error(body: Any) -> bool:
    return isinstance(body, dict) and bool(body.get("error"))


def _kind(status: int, code: str) -> type[ApiError]:
    gateway = _GATEWAY_CODE.search(code)
    if gateway and gateway[1] in _GATEWAY_KINDS:
        return _GATEWAY_KINDS[gateway[1]]
    if status == 429 or code in _THROTTLED:
        # Inside a success the throttling came after the gateway: a write may have taken effect all the same.
        return ThrottledError if status >= 300 else ServerError
    if code in _NOT_FOUND or status == 404:
        return NotFoundError
    if status == 401 or code in _BAD_KEY:
        return AuthenticationError
    if status == 403:
        return PermissionDeniedError
    if is_server_failure(status) or code in _SERVER_FAILED:
        return ServerError
    if status < 300:
        return _kind_inside_success(code)
    return UnexpectedReplyError if status < 400 else BadRequestError


def _kind_inside_success(code: str) -> type[ApiError]:
    """What an error inside a success is; one that nobody knows may have come after the effect."""
    if code in _NO_PERMISSION:
        return PermissionDeniedError
    return BadRequestError if code in _BAD_REQUEST else UnexpectedReplyError


def _advice(kind: type[ApiError], code: str, text: str) -> str:
    if kind is AuthenticationError:
        for phrase, advice in _AUTHENTICATION_ADVICE:
            if phrase in text.lower():
                return advice
    if code == "ModelArts.0210":
        return "The connection's project_id is not the project of its credentials; correct one of them."
    if kind is BadRequestError and (gateway := _GATEWAY_CODE.search(code)) and gateway[1] == "0101":
        return "The endpoint does not offer this operation; check the connection's region and endpoint."
    return _ADVICE[kind]


def _unreadable(reply: WireReply) -> Refusal:
    is_told = reply.status == 429 or is_server_failure(reply.status)
    kind = _kind(reply.status, "") if is_told else UnexpectedReplyError
    return Refusal(
        kind,
        request_id=reply.headers.get("x-request-id", ""),
        advice=NOT_THE_SERVICE,
        unreadable="it is not JSON",
    )
