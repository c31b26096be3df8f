"""How Alibaba Cloud services and the gateway in front of them say no."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_mlworkflows.clouds.replies import Refusal, is_server_failure
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
    from collections.abc import Mapping

    from airflow_provider_mlworkflows.clouds.http import WireReply

REQUEST_ID_HEADER = "x-acs-request-id"

# A bad signature is answered with the text that was to be signed, which holds the security token.
_ECHOED_REQUEST = re.compile(
    r"[,.;]?\s*(?:the\s+)?(?:server\s+)?(?:string\s*to\s*sign|canonical_?\s*request).*", re.IGNORECASE | re.DOTALL
)
_SUCCESS_CODES = frozenset({"", "0", "200", "ok", "success"})
_NUMERIC = re.compile(r"\d{6,}")
_MISSING = re.compile(
    r"\b(pipeline[ _]?)?(run|node|pipeline|workspace|resource)s?([ _]?id)?\b"
    r".*(\bnot\s+exist|n['\u2019]t\s+exist|\bnot\s+found)",
    re.IGNORECASE,
)
_XML_FIELD = re.compile(r"<(Code|Message|RequestId)>(.*?)</\1>", re.DOTALL)

_NUMERIC_KINDS: Mapping[str, type[ApiError]] = {
    "200200004": NotFoundError,
    "100400008": NotFoundError,
    "100400027": NotFoundError,
    "100700008": NotFoundError,
    "100600017": PermissionDeniedError,
}
# The first pattern that fits decides, before the HTTP status is looked at: the same code comes with several.
_CODE_KINDS: tuple[tuple[re.Pattern[str], type[ApiError]], ...] = tuple(
    (re.compile(pattern), kind)
    for pattern, kind in (
        (r"Throttling", ThrottledError),
        (r"ServiceUnavailable|InternalError|SystemError", ServerError),
        # Whoever sent the nonce first may have had an effect: only reads go out again.
        (r"SignatureNonceUsed", ServerError),
        (r"InvalidTimeStamp|SignatureDoesNotMatch|IncompleteSignature|InvalidAccessKeyId", AuthenticationError),
        (r"InvalidSecurityToken|MissingSecurityToken|InvalidBearerToken|InvalidToken", AuthenticationError),
        (r"NoPermission|Forbidden", PermissionDeniedError),
        (r"AuthenticationFail", AuthenticationError),
        (r"Invalid(Api|Action|Product|Version)\.NotFound|InvalidAction|InvalidProtocol", BadRequestError),
        (r"^(Missing|InvalidParameter|UnsupportedHTTPMethod)", BadRequestError),
        (r"NotFound|NotExist", NotFoundError),
        # Some gateways say so with a 4xx. A word that begins otherwise names an argument.
        (
            r"(?i)^(?!invalid|illegal|missing|unsupported|exceed).*time[-_. ]?d?[-_. ]?out(error|exception)?$",
            ServerError,
        ),
    )
)
_ADVICE: Mapping[type[ApiError], str] = {
    BadRequestError: "Correct the argument that the message names.",
    NotFoundError: "Check the id, and that the connection's region, workspace and account are the ones it belongs to.",
    AuthenticationError: "Check the connection's access key, secret key and token.",
    PermissionDeniedError: "Check the RAM permissions of the connection's user and its role in the workspace.",
    ThrottledError: "Ask less often, or for a higher quota.",
    ServerError: "The service failed; try again later, and give its support the request id.",
    UnexpectedReplyError: "Check that the endpoint is the service itself and not a proxy's page.",
}
_UNKNOWN_ADVICE = "It is not known what that means, nor whether it took effect; ask the service's support."
_CODE_ADVICE: tuple[tuple[str, str], ...] = (
    ("InvalidTimeStamp", "The clock of this machine is more than 15 minutes off; set it."),
    ("InvalidAccessKeyId.Inactive", "The access key is disabled; enable it, or put another into the connection."),
    ("InvalidAccessKeyId", "The access key does not exist; it may have been deleted or mistyped."),
    ("SignatureDoesNotMatch", "The secret key does not fit the access key."),
    ("InvalidSecurityToken.Expired", "The security_token of the connection has expired; put a new key with it there."),
    ("InvalidSecurityToken", "The security_token of the connection is not the one its access key was issued with."),
    ("MissingSecurityToken", "Temporary access keys need their security_token in the connection."),
    ("EntityNotExist.Role", "There is no such role in this account; correct role_arn."),
    ("EntityNotExist.OIDCProvider", "There is no such identity provider in this account; correct oidc_provider_arn."),
    ("AuthenticationFail.NoPermission", "The trust policy of the role does not admit this caller; change it."),
    (
        "AuthenticationFail",
        "The OIDC token is not accepted: it may have expired, or not be for the audience or by the issuer that "
        "oidc_provider_arn names.",
    ),
    ("InvalidProtocol.NeedSsl", "The endpoint takes https only; correct the connection's endpoint."),
    ("InvalidApi", "The endpoint does not offer this operation; check the connection's region and endpoint."),
    ("InvalidAction", "The endpoint does not offer this operation; check the connection's region and endpoint."),
    ("InvalidProduct", "The endpoint is not that of this service; check the connection's region and endpoint."),
    ("InvalidVersion", "The endpoint does not offer this version; check the connection's region and endpoint."),
)


@dataclass(frozen=True, slots=True)
class _Envelope:
    code: str = ""
    text: str = ""
    request_id: str = ""
    denied_action: str = ""


def read_refusal(reply: WireReply) -> Refusal | None:
    """Read a reply as a refusal; None if it is an answer.

    A 2xx reply with a ``Code`` inside is a refusal too.
    """
    succeeded = 200 <= reply.status < 300
    if succeeded and _is_plain_answer(reply.content):
        return None
    envelope = _envelope(reply)
    if envelope is None:
        return _unreadable(reply)
    if succeeded and envelope.code.lower() in _SUCCESS_CODES:
        return None
    kind = _kind(reply.status, envelope)
    return Refusal(
        kind,
        envelope.code,
        _ECHOED_REQUEST.sub("", envelope.text),
        envelope.request_id or reply.headers.get(REQUEST_ID_HEADER, ""),
        _advice(kind, envelope),
        retry_after=_retry_after(reply),
    )


def _is_plain_answer(content: bytes) -> bool:
    """Whether it is to be read as an answer at once: long lists, read every few seconds, are not parsed twice."""
    return content.startswith(b"{") and content.endswith(b"}") and b'"Code"' not in content


def _envelope(reply: WireReply) -> _Envelope | None:
    """Code, message and request id; None if the reply is neither JSON nor the gateway's XML."""
    if not reply.content:
        return _Envelope()
    try:
        body = reply.json()
    except ValueError:
        return _xml_envelope(reply)
    if not isinstance(body, dict):
        return _Envelope()
    denied = _field(body, "AccessDeniedDetail")
    return _Envelope(
        # In an answer lower-case names may be fields like any other.
        code=str(body.get("Code") or "") if reply.status < 300 else str(_field(body, "Code") or ""),
        text=str(_field(body, "Message") or _field(body, "Description") or ""),
        request_id=str(_field(body, "RequestId") or ""),
        denied_action=str(denied.get("AuthAction") or "") if isinstance(denied, dict) else "",
    )


def _field(body: Mapping[str, Any], name: str) -> Any:
    value = body.get(name)
    return body.get(name[0].lower() + name[1:]) if value is None else value


def _xml_envelope(reply: WireReply) -> _Envelope | None:
    found = dict(_XML_FIELD.findall(reply.content.decode("utf-8", "replace")))
    if "Code" not in found:
        return None
    return _Envelope(found["Code"], found.get("Message", ""), found.get("RequestId", ""))


def _kind(status: int, envelope: _Envelope) -> type[ApiError]:
    code = envelope.code
    if _NUMERIC.fullmatch(code):
        return _numeric_kind(status, envelope)
    for pattern, kind in _CODE_KINDS:
        if pattern.search(code):
            return kind
    return _status_kind(status)


def _numeric_kind(status: int, envelope: _Envelope) -> type[ApiError]:
    """The kind of one of the service's own codes, few of which are published."""
    known = _NUMERIC_KINDS.get(envelope.code)
    if known is not None:
        return known
    if status in (200, 400) and _MISSING.search(envelope.text):
        return NotFoundError
    return _status_kind(status)


def _status_kind(status: int) -> type[ApiError]:
    if status == 429:
        return ThrottledError
    if is_server_failure(status):
        return ServerError
    if status < 400:
        # An error that nobody knows, inside a success, may have come after the effect.
        return UnexpectedReplyError
    named: Mapping[int, type[ApiError]] = {
        401: AuthenticationError,
        403: PermissionDeniedError,
        404: NotFoundError,
    }
    return named.get(status, BadRequestError)


def _advice(kind: type[ApiError], envelope: _Envelope) -> str:
    if envelope.denied_action:
        return f"The connection's user lacks the RAM action {envelope.denied_action}; grant it."
    for start, advice in _CODE_ADVICE:
        if envelope.code.startswith(start):
            return advice
    return _UNKNOWN_ADVICE if kind is UnexpectedReplyError and envelope.code else _ADVICE[kind]


def _retry_after(reply: WireReply) -> float | None:
    """Seconds that the service asks to wait; it says so in milliseconds."""
    try:
        pause = int(reply.headers.get("x-acs-retry-after", "")) / 1000
    except ValueError:
        return None
    return pause if pause > 0 else None


def _unreadable(reply: WireReply) -> Refusal:
    kind = _status_kind(reply.status)
    if kind not in (ThrottledError, ServerError):
        kind = UnexpectedReplyError
    return Refusal(
        kind,
        request_id=reply.headers.get(REQUEST_ID_HEADER, ""),
        advice=_ADVICE[UnexpectedReplyError],
        retry_after=_retry_after(reply),
        unreadable="it is not JSON",
    )
