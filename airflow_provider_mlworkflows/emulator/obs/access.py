"""Who calls OBS and whether it may: the header signature in both its forms, temporary keys, permissions."""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NoReturn

from airflow_provider_mlworkflows.emulator.huawei import obs_signature as signature
from airflow_provider_mlworkflows.emulator.huawei import obs_signature_v4 as newer
from airflow_provider_mlworkflows.emulator.obs import errors
from airflow_provider_mlworkflows.emulator.obs.names import bucket_of_host
from airflow_provider_mlworkflows.emulator.routing import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_mlworkflows.emulator.credentials import AccessKey, Credentials
    from airflow_provider_mlworkflows.emulator.huawei.access import Access
    from airflow_provider_mlworkflows.emulator.routing import Call, Operation
    from airflow_provider_mlworkflows.emulator.switches import Switches

CLOCK_SKEW = timedelta(minutes=15)
DATE_FORMAT = "%a, %d %b %Y %H:%M:%S GMT"


class ObsAccess:
    """Checks the credentials of calls to OBS.

    Args:
        access: Knows users and their permissions.
        credentials: Known users and keys.
        switches: The open points.
        now: Returns the emulator's time, on which keys expire.
    """

    def __init__(
        self, access: Access, credentials: Credentials, switches: Switches, now: Callable[[], datetime]
    ) -> None:
        self._access = access
        self._credentials = credentials
        self._switches = switches
        self._now = now

    def identify(self, call: Call) -> None:
        """Set the principal of a call.

        Raises:
            Refusal: The call is anonymous, or its signature is wrong or of another scheme.
        """
        text = call.header("authorization")
        if text is None:
            self._refuse(call, "AccessDenied", "Anonymous requests are refused; the header Authorization is missing.")
        given = signature.parse_authorization(text) or newer.parse_authorization(text)
        if given is None:
            message = f"The header Authorization is neither OBS AccessKeyId:Signature nor of {newer.ALGORITHM}."
            self._refuse(call, "AccessDenied", message)
        call.principal = given.ak
        key = self._find_key(call, given.ak)
        signed_at = self._check_date(call, given.prefix)
        if isinstance(given, newer.Authorization):
            self._compare_newer(call, given, key, signed_at)
        else:
            self._compare(call, given, key)
        self._check_temporary(call, key, given.prefix)
        self._check_digests(call, given.prefix)

    def check_permission(self, call: Call, operation: Operation) -> None:
        """Check that an identified caller may use an operation.

        Raises:
            Refusal: It may not.
        """
        if not self._access.may(call, operation.permission):
            user = self._access.user_of(call)
            self._refuse(call, "AccessDenied", f"The user {user} lacks the permission {operation.permission}.")

    def _refuse(self, call: Call, code: str, message: str, status: int = 403) -> NoReturn:
        errors.refuse(call, self._switches, status, code, message)

    def _find_key(self, call: Call, ak: str) -> AccessKey:
        key = self._credentials.find_key(ak)
        if key is None:
            self._refuse(call, "InvalidAccessKeyId", f"No user has the access key id {ak}.")
        if key.blocked_until is not None and key.blocked_until > self._now():
            self._refuse(call, "InvalidAccessKeyId", f"The access key id {ak} is disabled.")
        return key

    def _check_date(self, call: Call, prefix: str) -> datetime:
        name = f"{prefix}date"
        own = call.header(name)
        text = call.header("date") or "" if own is None else own
        signed_at = _time_in(text, compact=prefix == "x-amz-")
        if signed_at is None:
            message = f"Date or {name} must be given as in Wed, 19 Jun 2024 08:00:00 GMT, not {text!r}."
            self._refuse(call, "AccessDenied", message)
        present = (self._credentials.auth_now or datetime.now(UTC)).astimezone(UTC)
        if abs(present - signed_at) > CLOCK_SKEW:
            message = f"Signed at {text}, over 15 minutes from the server's time {present.strftime(DATE_FORMAT)}."
            self._refuse(call, "RequestTimeTooSkewed", message)
        return signed_at

    def _compare(self, call: Call, given: signature.Authorization, key: AccessKey) -> None:
        texts = [
            signature.string_to_sign(call.method, call.raw_headers, resource, given.prefix)
            for resource in self._resources(call)
        ]
        # All are computed and compared in full, so that time tells nothing.
        right = [hmac.compare_digest(signature.sign(key.sk, text), given.signature) for text in texts]
        if not any(right):
            self._refuse_signature(call, "StringToSign", texts[0])

    def _compare_newer(self, call: Call, given: newer.Authorization, key: AccessKey, signed_at: datetime) -> None:
        if missing := newer.unsigned_headers(given, call.raw_headers):
            self._refuse(call, "AccessDenied", f"These headers must be signed: {', '.join(sorted(missing))}.")
        if given.day != f"{signed_at:%Y%m%d}":
            message = f"The credential is good for {given.day}, not for the day of the request."
            self._refuse(call, "AuthorizationHeaderMalformed", message, 400)
        canonical = newer.canonical_request(call.method, call.raw_path, call.raw_query, call.raw_headers, given)
        expected = newer.sign(key.sk, given, f"{signed_at:{newer.DATE_FORMAT}}", canonical)
        if not hmac.compare_digest(expected, given.signature):
            self._refuse_signature(call, "CanonicalRequest", canonical)

    def _refuse_signature(self, call: Call, shown: str, text: str) -> NoReturn:
        refused = errors.error(call, self._switches, 403, "SignatureDoesNotMatch")
        refused.body[shown] = text
        raise Refusal(refused)

    def _resources(self, call: Call) -> list[str]:
        """Return the canonical resources that the caller may have signed."""
        path = call.raw_path.decode("latin-1")
        bucket = bucket_of_host(call.header("host")) if path == "/" else None
        full = f"/{bucket}/" if bucket else path
        choices = {"either": (False, True), "yes": (True,), "no": (False,)}[self._switches.obs_signed_create]
        return [signature.canonical_resource(full, call.raw_query, with_create=choice) for choice in choices]

    def _check_temporary(self, call: Call, key: AccessKey, prefix: str) -> None:
        sent = call.header(f"{prefix}security-token")
        if sent is None and key.security_token is None:
            return
        expected = key.security_token or ""
        if sent is None or not hmac.compare_digest(sent.encode("utf-8", "surrogateescape"), expected.encode()):
            message = f"The access key id {key.ak} does not go with the {prefix}security-token, or lacks it."
            self._refuse(call, "InvalidAccessKeyId", message)
        if key.expires_at is not None and key.expires_at <= self._now():
            if self._switches.obs_expired_key == "json":
                self._refuse(call, errors.TOKEN_EXPIRED, "the security token has expired", 500)
            self._refuse(call, "InvalidAccessKeyId", f"The security token of {key.ak} has expired.")

    def _check_digests(self, call: Call, prefix: str) -> None:
        digest = base64.b64encode(hashlib.md5(call.body, usedforsecurity=False).digest()).decode()
        if call.header("content-md5") not in (None, digest):
            self._refuse(call, "BadDigest", "Content-MD5 is not the digest of the body.", 400)
        announced = call.header(newer.DIGEST_HEADER) if prefix == "x-amz-" else None
        if announced not in (None, newer.UNSIGNED, hashlib.sha256(call.body).hexdigest()):
            message = f"{newer.DIGEST_HEADER} is not the digest of the body."
            self._refuse(call, "XAmzContentSHA256Mismatch", message, 400)


def _time_in(text: str, *, compact: bool) -> datetime | None:
    """Return the time in a date header, or ``None`` if it cannot be read."""
    for form in (DATE_FORMAT, newer.DATE_FORMAT)[: 1 + compact]:
        try:
            return datetime.strptime(text, form).replace(tzinfo=UTC)
        except ValueError:
            continue
    return None
