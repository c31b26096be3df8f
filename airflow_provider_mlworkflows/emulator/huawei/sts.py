"""Emulated STS: keys of an agency for the token of an identity provider, and who a caller is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from airflow_provider_mlworkflows.emulator.huawei.access import GATEWAY_ERRORS, Access, back_off, gateway_error
from airflow_provider_mlworkflows.emulator.huawei.iam import iam_time, is_lifetime
from airflow_provider_mlworkflows.emulator.routing import Answer, Call, Operation, Refusal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_mlworkflows.emulator.credentials import Credentials
    from airflow_provider_mlworkflows.emulator.huawei.agencies import Agencies
    from airflow_provider_mlworkflows.emulator.limits import Limit

SHORTEST_KEY = 900
LONGEST_KEY = 43200
USUAL_KEY = 3600


def _refuse(status: int, message: str, code: str = "IAM.0001") -> NoReturn:
    raise Refusal(Answer(status, {"error_code": code, "error_msg": message}))


class StsService:
    """Emulated STS.

    Args:
        access: Checks of credentials.
        credentials: Users and keys.
        agencies: The agencies, and whom they trust.
    """

    name = "sts"

    def __init__(self, access: Access, credentials: Credentials, agencies: Agencies) -> None:
        self._access = access
        self._credentials = credentials
        self._agencies = agencies

    def operations(self) -> Sequence[Operation]:
        """Return all operations."""
        assume = "/v5/agencies/assume-with-oidc"
        return [
            Operation("AssumeAgencyWithOIDC", "POST", assume, self.assume_with_oidc, open_to_all=True),
            Operation("GetCallerIdentity", "GET", "/v5/caller-identity", self.caller_identity),
        ]

    def authenticate(self, call: Call, operation: Operation) -> None:
        """Check credentials, except where the body carries them."""
        if not operation.open_to_all:
            self._access.identify(call)

    def failure(self, call: Call, status: int, code: str | None) -> Answer:
        """Return an error in the words of STS or of the gateway."""
        if (code is None and status != 429) or (code is not None and not code.startswith("APIG")):
            return Answer(status, {"error_code": code or "IAM.0001", "error_msg": "request failed"})
        usual, message = GATEWAY_ERRORS.get(status, ("APIG.0202", "Backend unavailable"))
        return gateway_error(call, status, code or usual, message)

    def throttled(self, call: Call, limit: Limit) -> Answer:
        """Return the gateway's answer to a call beyond its quota."""
        return self._access.throttled(call, limit)

    def back_off(self, seconds: float) -> dict[str, str]:
        """Return the header that asks a caller to wait."""
        return back_off(seconds)

    def assume_with_oidc(self, call: Call) -> Answer:
        """Issue a key of an agency for the token of an identity provider."""
        body = _body(call)
        agency = self._agencies.find_urn(body.get("agency_urn"))
        session = body.get("agency_session_name")
        if not isinstance(session, str) or not session:
            _refuse(400, "agency_session_name is required")
        seconds = body.get("duration_seconds", USUAL_KEY)
        if not is_lifetime(seconds, SHORTEST_KEY, LONGEST_KEY):
            _refuse(400, f"duration_seconds must be between {SHORTEST_KEY} and {LONGEST_KEY}")
        provider = self._agencies.provider_of(body.get("id_token"))
        if provider is None or provider != body.get("provider_urn"):
            _refuse(401, "The token is not one that the identity provider has issued, or has expired.")
        if agency is None:
            _refuse(403, "The agency does not exist, or does not trust the identity provider.")
        call.principal = f"{agency.user}/{session}"
        key, ends = self._agencies.issue(agency.user, seconds)
        call.effective = True
        credentials = {
            "access_key_id": key.ak,
            "secret_access_key": key.sk,
            "security_token": key.security_token,
            "expiration": iam_time(ends),
        }
        assumed = {"urn": f"{agency.urn}/{session}", "id": f"{agency.name}:{session}"}
        return Answer(200, {"credentials": credentials, "assumed_agency": assumed})

    def caller_identity(self, call: Call) -> Answer:
        """Return who calls."""
        user = self._credentials.users[self._access.user_of(call)]
        domain_id = self._credentials.domain_id
        urn = f"iam::{domain_id}:user:{user.name}"
        return Answer(200, {"account_id": domain_id, "principal_id": user.user_id, "principal_urn": urn})


def _body(call: Call) -> dict[str, Any]:
    body = call.json_object()
    if body is None:
        _refuse(400, "The request body must be a JSON object.")
    return body
