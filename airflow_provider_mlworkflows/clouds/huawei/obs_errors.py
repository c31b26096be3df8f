"""How object storage and the workflow engine behind it say no: in JSON, in XML or in plain text, whatever they call it.

::

    workflow engine   {"code": "Workflow.0003", "message": "...", "request_id": "..."}
    object storage    <Error><Code>AccessDenied</Code><Message>...</Message><RequestId>...</RequestId>...</Error>
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from xml.parsers import expat

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

LARGEST_DOCUMENT = 64 * 1024
REQUEST_ID_HEADERS = ("x-obs-request-id", "x-request-id")

_NAMES: Mapping[str, tuple[str, ...]] = {
    "code": ("code", "Code", "error_code", "errorCode"),
    "message": ("message", "Message", "error_msg", "errorMsg"),
    "request_id": ("request_id", "RequestId", "requestId"),
    "host_id": ("host_id", "HostId"),
    "resource": ("resource", "Resource"),
    "endpoint": ("endpoint", "Endpoint"),
}

_NOT_ACCEPTED = frozenset(
    {
        "ExpiredToken",
        "InvalidAccessKeyId",
        "InvalidToken",
        "RequestTimeTooSkewed",
        "SignatureDoesNotMatch",
        "SYS.0004",
        "SYS.0008",
        "SYS.0013",
    }
)
_THROTTLED = frozenset({"SlowDown", "SYS.0011"})
_TIMED_OUT = "RequestTimeout"
_ELSEWHERE = frozenset(
    {"PermanentRedirect", "TemporaryRedirect", "SYS.0023", "SYS.0029", "SYS.0030", "VirtualHostDomainRequired"}
)

_REGION_ADVICE = "Correct the connection's region or obs_endpoint: what was asked for is served at another address."
_CODE_ADVICE: Mapping[str, str] = {
    "InvalidAccessKeyId": "The access key does not exist; it may have been deleted or mistyped.",
    "SignatureDoesNotMatch": "The secret key does not fit the access key.",
    "RequestTimeTooSkewed": "The clock of this machine is more than 15 minutes off; set it.",
    "ExpiredToken": "The temporary key has ended; put a new one with its security_token into the connection.",
    "SYS.0008": "The token or temporary key has expired; put a new one into the connection.",
    "SYS.0013": "The token has changed; put the current one into the connection.",
    "SYS.0003": "The endpoint does not offer this operation; check the connection's region and obs_endpoint.",
    "SYS.0021": "The account is restricted; settle that in the console.",
    "SYS.0022": "The account is frozen; settle that in the console.",
    "SYS.0027": "The workflow's agency has no rights; open the authorization of workflows or name another agency.",
    "SYS.0028": "The workflow's agency does not exist; open the authorization of workflows or name another agency.",
    "SYS.0037": "The workflow's agency has too few rights; open the authorization of workflows or name another agency.",
    "MethodNotAllowed": "Data workflows may not be offered in this region; check the connection's region.",
    "NoSuchBucket": "Check the bucket's name and that it is in the connection's region.",
    "NoSuchKey": "Check the object's name.",
    **dict.fromkeys(_ELSEWHERE, _REGION_ADVICE),
}
_ADVICE: Mapping[type[ApiError], str] = {
    BadRequestError: "Correct the argument that the message names.",
    NotFoundError: "Check the name, and that it is of the connection's account and region.",
    AuthenticationError: "Check the connection's access key, secret key, security_token and iam_token.",
    PermissionDeniedError: "Check the permissions of the connection's user and the policy of the bucket.",
    ThrottledError: "Poll less often, or spread the starts over time.",
    ServerError: "The service failed; try again later, and give its support the request id.",
    UnexpectedReplyError: NOT_THE_SERVICE,
}
_BY_STATUS: Mapping[int, type[ApiError]] = {
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    429: ThrottledError,
}


@dataclass(frozen=True, slots=True)
class _Told:
    """What a refusal says, in any of its forms."""

    code: str = ""
    message: str = ""
    request_id: str = ""
    host_id: str = ""
    resource: str = ""
    endpoint: str = ""

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> _Told:
        return cls(**{name: _first(fields, spellings) for name, spellings in _NAMES.items()})


def read_refusal(reply: WireReply) -> Refusal | None:
    """Read a reply as a refusal; None if it is an answer. An error inside a success is a refusal too."""
    succeeded = 200 <= reply.status < 300
    if succeeded and not reply.content.strip():
        return None
    told, unreadable = _told(reply)
    if told is None and 300 <= reply.status < 400:
        told = _Told()
    if told is None:
        is_told = reply.status == 429 or is_server_failure(reply.status)
        kind = _kind(reply.status, "") if is_told else UnexpectedReplyError
        return Refusal(kind, request_id=_request_id(reply), advice=NOT_THE_SERVICE, unreadable=unreadable)
    if succeeded and not (told.code and told.message):
        return None
    kind = _kind(reply.status, told.code)
    text = " ".join(filter(None, (told.message.strip(), _whereabouts(reply, told))))
    return Refusal(kind, told.code, text, told.request_id or _request_id(reply), _advice(kind, reply.status, told.code))


def _told(reply: WireReply) -> tuple[_Told | None, str]:
    """What a reply says, or why it cannot be read. Its Content-Type is not asked: it may be missing or wrong."""
    content = reply.content.strip()
    if not content:
        return _Told(), ""
    try:
        body = reply.json()
    except ValueError:
        pass
    else:
        return _Told.of(_envelope(body)), ""
    if content.startswith((b"<", b"\xef\xbb\xbf<")):
        fields = _xml_fields(content)
        return (None, "it is neither JSON nor an error in XML") if fields is None else (_Told.of(fields), "")
    # A text that does not even name the request may come from anybody on the way.
    if content[:1] in b"{[" or reply.status < 300 or (reply.status == 404 and not _request_id(reply)):
        return None, "it is not JSON"
    return _Told(message=content.decode("utf-8", "replace")), ""


def _envelope(body: object) -> Mapping[str, Any]:
    if not isinstance(body, dict):
        return {}
    nested = body.get("error")
    return {**body, **nested} if isinstance(nested, dict) else body


def _first(fields: Mapping[str, Any], names: tuple[str, ...]) -> str:
    """The first of the fields that is there, as text."""
    value = next((fields[name] for name in names if fields.get(name)), "")
    return value if isinstance(value, str) else json.dumps(value)


class _NotAnError(Exception):
    """A document that is not the service's error, or not one that is read."""


class _ErrorDocument:
    """Collects the texts right below an ``Error`` element."""

    def __init__(self) -> None:
        self.fields: dict[str, str] = {}
        self._path: list[str] = []

    def start(self, name: str, attributes: object) -> None:
        if not self._path and name != "Error":
            raise _NotAnError
        self._path.append(name)

    def end(self, name: str) -> None:
        self._path.pop()

    def text(self, text: str) -> None:
        if len(self._path) == 2:
            name = self._path[1]
            self.fields[name] = self.fields.get(name, "") + text

    def refuse(self, *declared: object) -> None:
        """No error has a document type, and only those that have one can declare entities."""
        raise _NotAnError


def _xml_fields(content: bytes) -> Mapping[str, str] | None:
    """The fields of an error in XML, None if it is none, is too large, or declares a document type."""
    if len(content) > LARGEST_DOCUMENT:
        return None
    document, parser = _ErrorDocument(), expat.ParserCreate()
    parser.StartElementHandler = document.start
    parser.EndElementHandler = document.end
    parser.CharacterDataHandler = document.text
    parser.StartDoctypeDeclHandler = document.refuse
    try:
        parser.Parse(content, True)
    except (expat.ExpatError, _NotAnError, LookupError, ValueError):
        return None
    return document.fields


def _request_id(reply: WireReply) -> str:
    return next((reply.headers[name] for name in REQUEST_ID_HEADERS if reply.headers.get(name)), "")


def _whereabouts(reply: WireReply, told: _Told) -> str:
    """What else the service tells: its support asks for it, or it is where to go."""
    details = {
        "resource": told.resource,
        "host id": told.host_id or reply.headers.get("x-obs-id-2", ""),
        "indicator": reply.headers.get("x-reserved-indicator", ""),
        "it points to": told.endpoint or reply.headers.get("location", ""),
    }
    named = "; ".join(f"{name} {value}" for name, value in details.items() if value)
    return f"[{named}]" if named else ""


def _kind(status: int, code: str) -> type[ApiError]:
    if code in _THROTTLED:
        # Inside a success it came too late to say that nothing was done.
        return ThrottledError if status >= 300 else ServerError
    if code in _NOT_ACCEPTED:
        return AuthenticationError
    if code in _ELSEWHERE or code == "SYS.0003" or 300 <= status < 400:
        return BadRequestError
    if status < 300:
        return _kind_inside_success(code)
    if is_server_failure(status) or code == _TIMED_OUT:
        return ServerError
    return _BY_STATUS.get(status, BadRequestError)


def _kind_inside_success(code: str) -> type[ApiError]:
    """What an error inside a success is; one that nobody knows may have come after the effect."""
    if code.startswith(("Workflow.", "OEFTrigger.")) or code in {"SYS.0006", "SYS.0010"}:
        return BadRequestError
    if code in {"NoSuchBucket", "NoSuchKey", "SYS.0014", "SYS.0015"}:
        return NotFoundError
    return PermissionDeniedError if code in {"AccessDenied", "SYS.0005"} else ServerError


def _advice(kind: type[ApiError], status: int, code: str) -> str:
    if code in _CODE_ADVICE:
        return _CODE_ADVICE[code]
    if 300 <= status < 400:
        return _REGION_ADVICE
    return _CODE_ADVICE["MethodNotAllowed"] if status == 405 else _ADVICE[kind]
