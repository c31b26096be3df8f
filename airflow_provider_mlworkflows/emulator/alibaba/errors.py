"""The error dialect of Alibaba Cloud's gateway."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import quote

from airflow_provider_mlworkflows.emulator.routing import Answer, Refusal

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.emulator.routing import Call

USUAL_CODES = {
    400: "InvalidParameter",
    401: "InvalidAccessKeyId.Inactive",
    403: "NoPermission",
    404: "InvalidAction.NotFound",
    413: "RequestEntityTooLarge",
    429: "Throttling.User",
    500: "InternalError",
    503: "ServiceUnavailable",
}
MESSAGES = {
    "InvalidParameter": "A parameter of the request is invalid.",
    "InvalidAccessKeyId.Inactive": "The specified access key is disabled.",
    "NoPermission": "You are not authorized to perform this operation.",
    "InvalidAction.NotFound": "The operation that the request names does not exist.",
    "RequestEntityTooLarge": "The request body is too large.",
    "Throttling.User": "The request was denied because of the flow control of your account.",
    "InternalError": "The request failed because of an unknown error.",
    "ServiceUnavailable": "The service is unavailable for the moment.",
}


def request_id(call: Call) -> str:
    """Return a call's request id as Alibaba Cloud writes it: a UUID in upper case."""
    return str(uuid.UUID(call.request_id)).upper()


def answer(call: Call, status: int, body: dict[str, Any]) -> Answer:
    """Return a reply with the request id in body and header."""
    known = request_id(call)
    return Answer(status, {"RequestId": known, **body}, {"x-acs-request-id": known})


def error(call: Call, product: str, status: int, code: str, message: str | None = None, **extra: Any) -> Answer:
    """Return an error envelope.

    Args:
        call: The call that fails.
        product: Product name, as the link to the help page has it.
        status: HTTP status.
        code: Error code.
        message: What went wrong. Default: the usual text for the code.
        **extra: Further fields of the envelope.
    """
    known = request_id(call)
    body = {
        "HostId": call.header("host") or "",
        "Code": code,
        "Message": message or MESSAGES.get(code, "The request failed."),
        "Recommend": f"https://api.aliyun.com/troubleshoot?q={quote(code)}&product={product}&requestId={known}",
        **extra,
    }
    return answer(call, status, body)


def refuse(call: Call, product: str, status: int, code: str, message: str | None = None, **extra: Any) -> NoReturn:
    """Refuse a call with an error envelope.

    Raises:
        Refusal: Always.
    """
    raise Refusal(error(call, product, status, code, message, **extra))


def failure(call: Call, product: str, status: int, code: str | None) -> Answer:
    """Return an error with the usual code and text for its status, unless a code is given."""
    return error(call, product, status, code or USUAL_CODES.get(status, "ServiceUnavailable"))


def back_off(seconds: float) -> dict[str, str]:
    """Return the header that asks a caller to wait; its value is in milliseconds."""
    return {"x-acs-retry-after": str(round(seconds * 1000))}
