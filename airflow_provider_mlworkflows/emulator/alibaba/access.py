"""Who an Alibaba Cloud caller is and whether it may call: signatures, STS tokens, bearer tokens, permissions."""

from __future__ import annotations

import hashlib
import hmac
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NoReturn

from airflow_provider_mlworkflows.emulator.alibaba import errors, signature
from airflow_provider_mlworkflows.emulator.credentials import ACCOUNT_ID, USER_NAME

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_mlworkflows.emulator.credentials import AccessKey, Credentials
    from airflow_provider_mlworkflows.emulator.limits import Limit
    from airflow_provider_mlworkflows.emulator.routing import Answer, Call, Operation
    from airflow_provider_mlworkflows.emulator.switches import Switches

CLOCK_SKEW = timedelta(minutes=15)
DATE_FORMAT = "%Y-%m-%dT%H:%M:%SZ"
_DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


class Nonces:
    """Nonces of accepted requests, kept until the date check refuses their requests anyway."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str], datetime] = {}
        self._cleared_at = datetime.min.replace(tzinfo=UTC)

    def __contains__(self, nonce: tuple[str, str]) -> bool:
        return nonce in self._seen

    def add(self, nonce: tuple[str, str], at: datetime) -> None:
        """Remember the nonce of an access key, used at a time."""
        if at - self._cleared_at > CLOCK_SKEW:
            self._seen = {known: used_at for known, used_at in self._seen.items() if at - used_at <= 2 * CLOCK_SKEW}
            self._cleared_at = at
        self._seen[nonce] = at


class Access:
    """Checks the credentials of calls to one Alibaba Cloud product.

    Args:
        credentials: Known users, keys and tokens.
        switches: The open points.
        now: Returns the emulator's time, on which STS tokens expire.
        product: Product name in error envelopes.
        version: API version that requests must name.
    """

    def __init__(
        self, credentials: Credentials, switches: Switches, now: Callable[[], datetime], *, product: str, version: str
    ) -> None:
        self._credentials = credentials
        self._switches = switches
        self._now = now
        self._product = product
        self._version = version
        self._nonces = Nonces()

    def identify(self, call: Call) -> None:
        """Set the principal of a call.

        Raises:
            Refusal: The credentials are missing or wrong.
        """
        call.request_id = errors.request_id(call)
        authorization = call.header("authorization")
        if authorization is not None:
            self._check_signature(call, authorization)
        elif call.header("x-acs-bearer-token") is not None:
            self._check_bearer(call)
        else:
            self._refuse(call, 400, "IncompleteSignature", "The request carries neither signature nor bearer token.")

    def check_operation(self, call: Call, operation: Operation) -> None:
        """Check that the headers name the operation of the path, and that the caller may use it.

        Raises:
            Refusal: They do not, or it may not.
        """
        action, version = call.header("x-acs-action"), call.header("x-acs-version")
        if action != operation.name:
            named = action or "none"
            self._refuse(call, 404, "InvalidAction.NotFound", f"x-acs-action names {named}, not {operation.name}.")
        if version != self._version:
            self._refuse(call, 404, "InvalidApi.NotFound", f"There is no version {version}; use {self._version}.")
        user = self._credentials.users.get(self.user_of(call))
        if operation.permission is not None and (user is None or operation.permission in user.denied):
            detail = {
                "AuthAction": operation.permission,
                "AuthPrincipalType": "SubUser",
                "AuthPrincipalDisplayName": self.user_of(call),
                "AuthPrincipalOwnerId": ACCOUNT_ID,
                "NoPermissionType": "ImplicitDeny",
                "PolicyType": "AccountLevelIdentityBasedPolicy",
            }
            message = f"{errors.MESSAGES['NoPermission']} The RAM action {operation.permission} is not allowed."
            self._refuse(call, 403, "NoPermission", message, AccessDeniedDetail=detail)

    def user_of(self, call: Call) -> str:
        """Return the name of the user behind an identified call."""
        key = self._credentials.find_key(call.principal or "")
        return key.user if key else call.principal or ""

    def user_id(self, call: Call) -> str:
        """Return the numeric id of the user behind an identified call."""
        return user_id(self.user_of(call))

    def throttled(self, call: Call, limit: Limit) -> Answer:
        """Return the gateway's answer to a call beyond its quota."""
        answer = errors.error(call, self._product, self._switches.throttled_status, "Throttling.User")
        if self._switches.retry_after is not None:
            answer.headers.update(errors.back_off(self._switches.retry_after))
        return answer

    def _refuse(self, call: Call, status: int, code: str, message: str, **extra: object) -> NoReturn:
        errors.refuse(call, self._product, status, code, message, **extra)

    def _check_signature(self, call: Call, text: str) -> None:
        given = signature.parse_authorization(text)
        if given is None:
            message = f"The request signature does not conform to the standard; only {signature.ALGORITHM} is accepted."
            self._refuse(call, 400, "IncompleteSignature", message)
        call.principal = given.ak
        key = self._find_key(call, given.ak)
        signed_at = self._check_date(call)
        nonce = (given.ak, call.header("x-acs-signature-nonce") or "")
        if not nonce[1]:
            self._refuse(call, 400, "MissingParameter", "The header x-acs-signature-nonce is missing.")
        if nonce in self._nonces:
            self._refuse(call, 400, "SignatureNonceUsed", "The request signature nonce has been used.")
        self._check_security_token(call, key)
        self._check_signed_parts(call, given)
        self._compare(call, given, key)
        self._nonces.add(nonce, signed_at)

    def _find_key(self, call: Call, ak: str) -> AccessKey:
        key = self._credentials.find_key(ak)
        if key is None:
            self._refuse(call, 404, "InvalidAccessKeyId.NotFound", "The specified access key is not found.")
        if key.blocked_until is not None and key.blocked_until > self._now():
            self._refuse(call, 404, "InvalidAccessKeyId.Inactive", "The specified access key is disabled.")
        return key

    def _check_date(self, call: Call) -> datetime:
        text = call.header("x-acs-date") or ""
        try:
            signed_at = datetime.strptime(text, DATE_FORMAT).replace(tzinfo=UTC) if _DATE.fullmatch(text) else None
        except ValueError:
            signed_at = None
        if signed_at is None:
            message = f"The header x-acs-date is missing or not of the form yyyy-MM-ddTHH:mm:ssZ: {text!r}."
            self._refuse(call, 400, "InvalidTimeStamp.Format", message)
        present = (self._credentials.auth_now or datetime.now(UTC)).astimezone(UTC)
        if abs(present - signed_at) > CLOCK_SKEW:
            shown = present.strftime(DATE_FORMAT)
            message = f"The request was signed at {text}, more than 15 minutes from the server's time {shown}."
            self._refuse(call, 400, "InvalidTimeStamp.Expired", message)
        return signed_at

    def _check_security_token(self, call: Call, key: AccessKey) -> None:
        sent = call.header("x-acs-security-token")
        if key.security_token is None and sent is None:
            return
        if sent is None:
            self._refuse(call, 400, "MissingSecurityToken", "An STS access key needs the header x-acs-security-token.")
        expected = key.security_token or ""
        if not hmac.compare_digest(sent.encode("utf-8", "surrogateescape"), expected.encode()):
            message = "The security token does not belong to the access key."
            self._refuse(call, 400, "InvalidSecurityToken.MismatchWithAccessKey", message)
        if key.expires_at is not None and key.expires_at <= self._now():
            self._refuse(call, 403, "InvalidSecurityToken.Expired", "The specified security token has expired.")

    def _check_signed_parts(self, call: Call, given: signature.Authorization) -> None:
        announced = call.header("x-acs-content-sha256")
        if announced != hashlib.sha256(call.body).hexdigest():
            message = "The header x-acs-content-sha256 is missing or not the hash of the request body."
            self._refuse(call, 400, "SignatureDoesNotMatch", message)
        sent = {name.decode("latin-1").lower() for name, _ in call.raw_headers}
        required = {"host", "x-acs-action", "x-acs-version", "x-acs-date", "x-acs-signature-nonce"}
        required |= {name for name in sent if name.startswith("x-acs-")}
        if lacking := sorted(required - set(given.signed_headers)):
            message = f"These headers must be sent and signed: {', '.join(lacking)}."
            self._refuse(call, 400, "IncompleteSignature", message)

    def _compare(self, call: Call, given: signature.Authorization, key: AccessKey) -> None:
        canonical = signature.canonical_request(
            call.method, call.raw_path, call.raw_query, call.raw_headers, given.signed_headers, call.body
        )
        text = signature.string_to_sign(canonical)
        if not hmac.compare_digest(signature.sign(key.sk, text), given.signature):
            message = f"Specified signature does not match our calculation. server string to sign is:{text}"
            self._refuse(call, 400, "SignatureDoesNotMatch", message)

    def _check_bearer(self, call: Call) -> None:
        kind = call.header("x-acs-signature-type")
        if kind != "BEARERTOKEN":
            self._refuse(call, 400, "IncompleteSignature", "A bearer token needs x-acs-signature-type: BEARERTOKEN.")
        token = self._credentials.find_token(call.header("x-acs-bearer-token") or "")
        if token is None:
            self._refuse(call, 403, "InvalidBearerToken.NotFound", "The specified bearer token is not known.")
        call.principal = token.user
        if token.expires_at <= self._now():
            self._refuse(call, 403, "InvalidBearerToken.Expired", "The specified bearer token has expired.")


def user_id(name: str) -> str:
    """Return a user's numeric id; the ready-made user has the account's own."""
    if name == USER_NAME:
        return ACCOUNT_ID
    return "2" + str(int(hashlib.sha256(name.encode()).hexdigest(), 16))[:15]
