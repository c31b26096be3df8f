"""What came back for a Request: an answer of the promised type, or an error that says what to do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, get_args, get_origin

from pydantic import ValidationError

from airflow_provider_mlworkflows.clouds.secrecy import without_secrets
from airflow_provider_mlworkflows.exceptions import ApiError, MLWorkflowsError, TransportError, UnexpectedReplyError

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.clouds.http import WireReply
    from airflow_provider_mlworkflows.clouds.operation import Request

T = TypeVar("T")
Redact = Callable[[str], str]
"""Gives a text back without anything secret."""

EXCERPT_LENGTH = 300
LONGEST_TEXT = 2_000
REQUEST_TIMEOUT = 408
NOT_THE_SERVICE = "Check that the endpoint is the service itself and not a proxy's page."


@dataclass(frozen=True, slots=True)
class Refusal:
    """What a service says when it does not do what it was asked.

    :param kind: the error to raise.
    :param code: the service's error code.
    :param text: its message, as it came: secrets are masked and its length is cut later, in this order.
    :param request_id: its id of the request.
    :param advice: what the reader can change.
    :param retry_after: seconds the service asks to wait, where it does not say so in a ``Retry-After`` header.
    :param unreadable: why the reply cannot be read; its body is then quoted in part.
    """

    kind: type[ApiError]
    code: str = ""
    text: str = ""
    request_id: str = ""
    advice: str = ""
    retry_after: float | None = None
    unreadable: str = ""


@dataclass(frozen=True, slots=True)
class Service:
    """Where a service lives, and how to tell its refusals from its answers.

    :param name: as shown in messages.
    :param endpoint: scheme and host, perhaps a port.
    :param refusal: reads a reply as a refusal, None if it is an answer.
    :param request_id_header: where its answers carry its id of the request, in lower case.
    :param labels_in_path: whether what has a host of its own is reached by the beginning of the path instead, as is
        needed where no such names resolve.
    """

    name: str
    endpoint: str
    refusal: Callable[[WireReply], Refusal | None] = field(repr=False)
    request_id_header: str = "x-request-id"
    labels_in_path: bool = False

    def url(self, path: str = "", host_label: str = "") -> str:
        """Where a path is, at the service itself or at a part of it that has a host of its own."""
        if not host_label:
            return self.endpoint + path
        if self.labels_in_path:
            return f"{self.endpoint}/{host_label}{'' if path == '/' else path}"
        scheme, _, host = self.endpoint.partition("://")
        return f"{scheme}://{host_label}.{host}{path}"


def is_server_failure(status: int) -> bool:
    """Whether a status says that the service failed to answer (5xx), or to read the request in time (408).

    Either leaves open whether a write took effect: what answers 408 may stand between the two.
    """
    return status >= 500 or status == REQUEST_TIMEOUT


def read_reply(service: Service, request: Request[T], path: str, reply: WireReply, redact: Redact) -> T:
    """The answer in a reply.

    :param path: as it was sent.
    :raises ApiError: if it is a refusal, or not the promised type.
    """
    refusal = service.refusal(reply)
    if refusal is None:
        try:
            return request.read_reply(reply)
        except ValueError as error:
            refusal = Refusal(
                UnexpectedReplyError,
                request_id=reply.headers.get(service.request_id_header, ""),
                advice=NOT_THE_SERVICE,
                unreadable=f"it is not the promised {_reply_name(request)}: {_complaint(error)}",
            )
    raise _api_error(
        service, request, path, reply, refusal, lambda text: without_secrets(redact(text), reply.hidden)
    ) from None


def explained(
    service: Service, request: Request[Any], error: ApiError | TransportError, redact: Redact
) -> MLWorkflowsError:
    """The error, with what was asked and what to do if it does not say so yet."""
    if isinstance(error, ApiError):
        return error
    effect = "" if request.safe_to_repeat or not error.may_have_taken_effect else " It may have taken effect."
    told = TransportError(
        f"{service.name} did not answer {request.operation}: {redact(str(error))}.{effect} "
        "Check the connection's region or endpoint, the proxy and the network.",
        may_have_taken_effect=error.may_have_taken_effect,
    )
    cause = error.__cause__
    told.__cause__ = cause if cause is not None and redact(repr(cause)) == repr(cause) else None
    return told


def _api_error(
    service: Service, request: Request[Any], path: str, reply: WireReply, refusal: Refusal, redact: Redact
) -> ApiError:
    code, request_id = redact(refusal.code), redact(refusal.request_id)
    what = "gave no readable answer to" if refusal.unreadable else "refused"
    parts = [f"{service.name} {what} {request.operation}: HTTP {reply.status}"]
    if code:
        parts.append(f" {code}")
    if refusal.unreadable:
        parts.append(f", {redact(refusal.unreadable)}; it begins {_excerpt(reply, redact)}")
    elif refusal.text:
        parts.append(f", {_cut(redact(refusal.text), LONGEST_TEXT).rstrip('.')}")
    if request_id:
        parts.append(f" (request id {request_id})")
    parts.append(f". Asked: {request.method} {redact(path)} at {service.url(host_label=request.host_label)}.")
    if refusal.advice:
        parts.append(f" {refusal.advice}")
    return refusal.kind(
        "".join(parts),
        operation=request.operation,
        status=reply.status,
        code=code,
        request_id=request_id,
        retry_after=retry_after_seconds(reply) if refusal.retry_after is None else refusal.retry_after,
    )


def retry_after_seconds(reply: WireReply) -> float | None:
    """Seconds named by a ``Retry-After`` header, as a number or as a date; None if there is none."""
    value = reply.headers.get("retry-after", "").strip()
    if not value:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        pause = http_date(value) - http_date(reply.headers.get("date", ""))
    except ValueError:
        return None
    return max(0.0, pause.total_seconds())


def http_date(text: str) -> datetime:
    """A point in time as HTTP headers have it.

    :raises ValueError: if it is none.
    """
    date = parsedate_to_datetime(text)
    return date if date.tzinfo else date.replace(tzinfo=UTC)


def _reply_name(request: Request[Any]) -> str:
    reply = get_args(request.reply)[0] if get_origin(request.reply) is Annotated else request.reply
    return getattr(reply, "__name__", str(reply))


def _complaint(error: ValueError) -> str:
    """What is wrong, and where, without what was found there."""
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(map(str, first["loc"]))
        message = first["msg"].removeprefix("Value error, ")
        return f"{where}: {message}" if where else message
    return str(error).partition("\n")[0] or type(error).__name__


def _excerpt(reply: WireReply, redact: Redact) -> str:
    # Masked before it is cut: nobody recognises half a secret.
    return repr(_cut(redact(reply.content.decode("utf-8", "replace").strip()), EXCERPT_LENGTH))


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[:length]}..."
