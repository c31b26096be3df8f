"""Errors as the service and the API gateway before it word them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_mlworkflows.emulator.huawei.access import GATEWAY_ERRORS, gateway_error
from airflow_provider_mlworkflows.emulator.routing import Answer, Refusal

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.emulator.routing import Call
    from airflow_provider_mlworkflows.emulator.switches import Switches

REASON_HEADER = "X-Emulator-Reason"
NOT_PERMITTED = "APIGW.0302"
OTHER_AUTH_FAILED = "AOM.31009003"
_LONGEST_REASON = 500
_SERVICE_ERRORS = {
    400: ("AOM.31001302", "Invalid param"),
    401: ("AOM.31009004", "auth failed."),
    500: ("AOM.31001405", "internal server error."),
}
_GATEWAY_ERRORS = {
    **GATEWAY_ERRORS,
    403: (NOT_PERMITTED, "The IAM user is not authorized to access the API"),
    503: ("APIG.0202", "Backend unavailable"),
}


def service_error(switches: Switches, status: int, code: str | None = None, reason: str = "") -> Answer:
    """Return an error as the service itself words it.

    The service's messages never say what is wrong; a header that the service does not have tells it.

    Args:
        switches: The open points.
        status: HTTP status.
        code: Error code. Default: the service's own for that status, else that of an invalid parameter.
        reason: What is wrong.
    """
    usual, message = _SERVICE_ERRORS.get(status, _SERVICE_ERRORS[400])
    as_number = status == 400 if switches.aom_http_code == "documented" else switches.aom_http_code == "int"
    body = {
        "error_code": code or usual,
        switches.aom_error_key: message,
        "http_code": status if as_number else str(status),
    }
    shown = reason.encode("unicode_escape").decode("ascii")[:_LONGEST_REASON]
    return Answer(status, body, {REASON_HEADER: shown} if shown else {})


def failure(call: Call, switches: Switches, status: int, code: str | None) -> Answer:
    """Return an error in the words of whoever usually answers with this status or code."""
    by_gateway = status not in _SERVICE_ERRORS if code is None else code.startswith("APIG")
    if not by_gateway:
        return service_error(switches, status, code)
    usual, message = _GATEWAY_ERRORS.get(status, _GATEWAY_ERRORS[502])
    return gateway_error(call, status, code or usual, message)


def not_permitted(call: Call, detail: str) -> Refusal:
    """Return the gateway's refusal of a caller it knows."""
    _, message = _GATEWAY_ERRORS[403]
    return Refusal(gateway_error(call, 403, NOT_PERMITTED, f"{message}: {detail}"))
