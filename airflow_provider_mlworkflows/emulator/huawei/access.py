"""Who a Huawei Cloud caller is and whether it may call: signatures, tokens, projects, permissions."""

from __future__ import annotations

import hashlib
import hmac
import math
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from airflow_provider_mlworkflows.emulator.credentials import BLOCK_TIME, AccessKey, Credentials
from airflow_provider_mlworkflows.emulator.huawei import signature
from airflow_provider_mlworkflows.emulator.routing import Answer, Call, Refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_mlworkflows.emulator.limits import Limit
    from airflow_provider_mlworkflows.emulator.switches import Switches

CLOCK_SKEW = timedelta(minutes=15)
DATE_FORMAT = "%Y%m%dT%H%M%SZ"
GATEWAY_ERRORS = {
    400: ("APIG.0201", "Bad request"),
    401: ("APIGW.0301", "Incorrect IAM authentication information"),
    404: ("APIG.0101", "The API does not exist or has not been published in the environment"),
    413: ("APIG.0201", "Request entity too large"),
    429: ("APIG.0308", "The throttling threshold has been reached"),
    502: ("APIG.0202", "Backend unavailable"),
    504: ("APIG.0203", "Backend timeout"),
}


def gateway_error(call: Call, status: int, code: str, message: str) -> Answer:
    """Return an answer as the API gateway words it, with the request id in the body."""
    return Answer(status, {"error_msg": message, "error_code": code, "request_id": call.request_id})


def back_off(seconds: float) -> dict[str, str]:
    """Return the header that asks a caller to wait."""
    return {"Retry-After": str(math.ceil(seconds))}


class Access:
    """Checks the credentials of calls to Huawei Cloud services.

    Args:
        credentials: Known users, keys and tokens.
        switches: The open points.
        now: Returns the emulator's time, on which keys and tokens expire.
    """

    def __init__(self, credentials: Credentials, switches: Switches, now: Callable[[], datetime]) -> None:
        self._credentials = credentials
        self._switches = switches
        self._now = now

    def identify(self, call: Call) -> None:
        """Set principal and project of a call.

        Raises:
            Refusal: The credentials are missing or wrong; HTTP 401 in the gateway's words.
        """
        authorization = call.header("authorization")
        token = call.header("x-auth-token")
        if authorization is not None:
            self._check_signature(call, authorization)
        elif token is not None:
            self._check_token(call, token)
        else:
            raise self._refused(call, "x-auth-token not found")

    def user_of(self, call: Call) -> str:
        """Return the name of the user behind an identified call."""
        key = self._credentials.find_key(call.principal or "")
        return key.user if key else call.principal or ""

    def may(self, call: Call, permission: str | None) -> bool:
        """Whether the user behind an identified call has a permission."""
        user = self._credentials.users.get(self.user_of(call))
        return permission is None or (user is not None and permission not in user.denied)

    def in_project(self, call: Call, project_id: str) -> bool:
        """Whether an identified call's credentials stand for a project."""
        if call.project_id is not None and call.project_id != project_id:
            return False
        by_token = call.header("authorization") is None
        return call.project_id is not None if by_token else project_id in self._credentials.projects.values()

    def throttled(self, call: Call, limit: Limit) -> Answer:
        """Return the gateway's answer to a call beyond its quota."""
        per_minute = limit.per_second < 1
        rate = round(limit.per_second * (60 if per_minute else 1))
        message = (
            "The throttling threshold has been reached: policy user over ratelimit,"
            f"limit:{rate},time:1 {'minute' if per_minute else 'second'}"
        )
        answer = gateway_error(call, 429, "APIG.0308", message)
        if self._switches.retry_after is not None:
            answer.headers.update(back_off(self._switches.retry_after))
        return answer

    def _refused(self, call: Call, detail: str) -> Refusal:
        message = f"Incorrect IAM authentication information: {detail}"
        return Refusal(gateway_error(call, 401, "APIGW.0301", message))

    def _check_token(self, call: Call, text: str) -> None:
        token = self._credentials.find_token(text)
        if token is None:
            raise self._refused(call, "decrypt token fail")
        call.principal = token.user
        if token.expires_at <= self._now():
            raise self._refused(call, "token expires")
        call.project_id = token.project_id

    def _check_signature(self, call: Call, text: str) -> None:
        given = signature.parse_authorization(text)
        if given is None:
            raise self._refused(call, "authorization header is malformed or its algorithm is not supported")
        call.principal = given.ak
        key = self._credentials.find_key(given.ak)
        if key is None:
            raise self._refused(call, f"ak {given.ak} not exist")
        if key.blocked_until is not None and key.blocked_until > self._now():
            raise self._refused(call, "AK access failed to reach the limit, forbidden")
        date = self._check_date(call, given)
        canonical = signature.canonical_request(
            call.method, call.raw_path, call.raw_query, call.raw_headers, given.signed_headers, call.body
        )
        if not hmac.compare_digest(signature.sign(key.sk, date, canonical), given.signature):
            self._count_failure(key)
            shown = canonical.replace("\n", "|")
            raise self._refused(call, f"verify aksk signature fail, canonicalRequest:{shown}")
        self._check_announced_hash(call)
        key.failures = 0
        self._check_temporary(call, key)
        call.project_id = call.header("x-project-id")

    def _check_date(self, call: Call, given: signature.Authorization) -> str:
        date = call.header("x-sdk-date")
        if date is None or not {"host", "x-sdk-date"} <= set(given.signed_headers):
            raise self._refused(call, "calc aksk signature fail: host and x-sdk-date must be sent and signed")
        try:
            signed_at = datetime.strptime(date, DATE_FORMAT).replace(tzinfo=UTC)
        except ValueError:
            raise self._refused(call, f"calc aksk signature fail: invalid date {date}") from None
        present = (self._credentials.auth_now or datetime.now(UTC)).astimezone(UTC)
        if abs(present - signed_at) > CLOCK_SKEW:
            shown = present.strftime(DATE_FORMAT)
            raise self._refused(
                call,
                f"calc aksk signature fail: signature expired, signature time:{date}, server time:{shown}",
            )
        return date

    def _check_announced_hash(self, call: Call) -> None:
        announced = call.header("x-sdk-content-sha256")
        if call.body and announced not in (None, "UNSIGNED-PAYLOAD", hashlib.sha256(call.body).hexdigest()):
            raise self._refused(call, "verify aksk signature fail, body does not match x-sdk-content-sha256")

    def _check_temporary(self, call: Call, key: AccessKey) -> None:
        sent = call.header("x-security-token")
        if key.security_token is None:
            if sent is not None:
                raise self._refused(call, "x-security-token does not belong to this ak")
            return
        if sent is None:
            raise self._refused(call, "temporary ak needs x-security-token")
        if not hmac.compare_digest(sent.encode("utf-8", "surrogateescape"), key.security_token.encode()):
            raise self._refused(call, "decrypt security token fail")
        if key.expires_at is not None and key.expires_at <= self._now():
            raise self._refused(call, "security token expires")

    def _count_failure(self, key: AccessKey) -> None:
        key.failures += 1
        if key.failures >= self._switches.max_signature_failures:
            key.failures = 0
            key.blocked_until = self._now() + BLOCK_TIME
