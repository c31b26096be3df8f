"""The error dialects of OBS: XML at its front, JSON from the workflow service behind it, plain text in between."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NoReturn
from xml.sax.saxutils import escape

from airflow_provider_mlworkflows.emulator.routing import Answer, Refusal

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.emulator.routing import Call
    from airflow_provider_mlworkflows.emulator.switches import Switches

BAD_FORMAT = "SYS.0006"
ILLEGAL = "SYS.0010"
BUCKET_ABSENT = "SYS.0014"
OBJECT_ABSENT = "SYS.0015"
AGENCY_ABSENT = "SYS.0028"
TOKEN_EXPIRED = "SYS.0008"  # noqa: S105 - the code of an error
UNKNOWN_FIELD = "reserved_info"
_BEHIND = ("SYS.", "Workflow.", "OEFTrigger.")
_TYPES = {
    "json": "application/json",
    "json-charset": "application/json;charset=UTF-8",
    "text": "text/plain;charset=UTF-8",
}
_USUAL_CODES = {
    307: "TemporaryRedirect",
    400: ILLEGAL,
    401: "SYS.0004",
    403: "AccessDenied",
    404: "SYS.0003",
    405: "MethodNotAllowed",
    409: "OperationAborted",
    413: "SYS.0012",
    429: "SYS.0011",
    431: "SYS.0009",
    500: "SYS.0001",
    503: "ServiceUnavailable",
    504: "SYS.0042",
}
_MESSAGES = {
    "AccessDenied": "Access denied.",
    "InvalidAccessKeyId": "No user has this access key id.",
    "MethodNotAllowed": "The method is not allowed on this resource.",
    "OperationAborted": "Another operation on this resource is in progress.",
    "RequestTimeTooSkewed": "The request's time is too far from the server's.",
    "ServiceUnavailable": "The service cannot answer for the moment.",
    "SignatureDoesNotMatch": "The signature is not the one computed from the request.",
    "SlowDown": "Send fewer requests.",
    "SYS.0001": "internal error",
    "SYS.0003": "the API does not exist",
    "SYS.0004": "not authenticated",
    "SYS.0005": "no access",
    TOKEN_EXPIRED: "the token has expired",
    "SYS.0009": "the request headers are too large",
    ILLEGAL: "illegal parameter",
    "SYS.0011": "too many requests",
    "SYS.0012": "the request body is too large",
    "SYS.0042": "the request timed out",
    "TemporaryRedirect": "The resource is elsewhere for the moment; the header Location names the place.",
}


class Invalid(ValueError):
    """What a caller gave breaks a rule of the service.

    Args:
        code: Error code.
        message: What is wrong.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(slots=True)
class ObsAnswer(Answer):
    """A reply whose body is written as JSON, as XML or as a line of text."""

    form: Literal["json", "xml", "text"] = "json"

    def content(self) -> bytes:
        """Return the body as sent."""
        if self.form == "json":
            # Written out because a dataclass with slots is not the class that a bare super() would look for.
            return Answer.content(self)
        if self.form == "text":
            return "{code}: {message}\n".format_map(self.body).encode(errors="replace")
        elements = "".join(f"<{name}>{escape(str(value))}</{name}>" for name, value in self.body.items())
        text = f'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n<Error>{elements}</Error>'
        # What a caller sent may not be text at all.
        return text.encode(errors="replace")

    @property
    def code(self) -> str | None:
        """The error code in the body."""
        if not isinstance(self.body, dict):
            return None
        return self.body.get("Code") or self.body.get("code")


def success(call: Call, switches: Switches, status: int, body: dict[str, Any] | None) -> ObsAnswer:
    """Return a reply that reports success; objects get a field nobody documented, if that is switched on."""
    extra = {UNKNOWN_FIELD: {"shard": 0}} if switches.unknown_field and body else {}
    shape = "application/json" if body is not None and switches.obs_content_type else ""
    return ObsAnswer(status, body and {**body, **extra}, {**_common(call, switches), "Content-Type": shape})


def error(
    call: Call, switches: Switches, status: int, code: str | None = None, message: str | None = None
) -> ObsAnswer:
    """Return an error in the dialect that its code belongs to.

    Args:
        call: The call that fails.
        switches: The open points.
        status: HTTP status.
        code: Error code. Default: the usual one for the status.
        message: What went wrong. Default: the usual text for the code.
    """
    code = code or _USUAL_CODES.get(status, "ServiceUnavailable")
    text = message or _MESSAGES.get(code, "The request failed.")
    is_behind = code.startswith(_BEHIND)
    if is_behind and switches.obs_errors != "xml":
        headers = {**_common(call, switches), "Content-Type": _TYPES[switches.obs_errors]}
        body = {"code": code, "message": text, "request_id": call.request_id}
        return ObsAnswer(status, body, headers, "text" if switches.obs_errors == "text" else "json")
    host_id = f"{call.request_id[::-1]}AAAB"
    body = {
        "Code": code,
        "Message": text,
        "RequestId": call.request_id,
        "HostId": host_id,
        "Resource": call.raw_path.decode("latin-1"),
    }
    # The front answers under its own header, whatever the service behind it uses.
    names = {} if is_behind else {"x-obs-request-id": call.request_id}
    common = {**_common(call, switches), **names, "x-obs-id-2": host_id, "x-reserved-indicator": "Emulated"}
    return ObsAnswer(status, body, {**common, "Content-Type": "application/xml"}, "xml")


def redirect(call: Call, switches: Switches, base: str) -> ObsAnswer:
    """Return the answer that sends a call on to another host."""
    target = call.raw_path.decode("latin-1") + ("?" + call.raw_query.decode("latin-1") if call.raw_query else "")
    answer = error(call, switches, 307)
    answer.headers["Location"] = base.rstrip("/") + target
    return answer


def refuse(
    call: Call, switches: Switches, status: int, code: str | None = None, message: str | None = None
) -> NoReturn:
    """Refuse a call; arguments as for :func:`error`.

    Raises:
        Refusal: Always.
    """
    raise Refusal(error(call, switches, status, code, message))


def back_off(seconds: float) -> dict[str, str]:
    """Return the header that asks a caller to wait."""
    return {"Retry-After": str(math.ceil(seconds))}


def _common(call: Call, switches: Switches) -> dict[str, str]:
    is_own = switches.obs_request_id == "x-obs-request-id"
    names = {"x-obs-request-id": call.request_id, "X-Request-Id": ""} if is_own else {}
    return {"Server": "OBS", **names}
