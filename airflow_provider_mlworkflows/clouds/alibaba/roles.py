"""Access keys of RAM roles, issued by STS (2015-04-01) to the holder of another key or of an OIDC token."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlencode

from pydantic import BaseModel, ConfigDict, Field

from airflow_provider_mlworkflows.clouds.alibaba.credentials import random_nonce
from airflow_provider_mlworkflows.clouds.alibaba.errors import REQUEST_ID_HEADER, read_refusal
from airflow_provider_mlworkflows.clouds.alibaba.issuing import (
    PATIENCE,
    PREFIX,
    USUAL_WAYS,
    Anonymous,
    Holder,
    KeyReply,
    Ways,
    variable,
)
from airflow_provider_mlworkflows.clouds.client import FileText, exchange
from airflow_provider_mlworkflows.clouds.issued import reported
from airflow_provider_mlworkflows.clouds.operation import Request
from airflow_provider_mlworkflows.clouds.replies import Service
from airflow_provider_mlworkflows.exceptions import ConfigurationError

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.clock import Clock
    from airflow_provider_mlworkflows.clouds.alibaba.credentials import AccessKey
    from airflow_provider_mlworkflows.clouds.client import Exchange
    from airflow_provider_mlworkflows.clouds.http import WireRequest
    from airflow_provider_mlworkflows.clouds.issued import Issued

T = TypeVar("T")

VERSION = "2015-04-01"
SESSION_NAME = "airflow-mlworkflows"
SHORTEST_SESSION = 900
USUAL_SESSION = 3600
"""Seconds."""
FORM = "application/x-www-form-urlencoded"


class AssumedRole(BaseModel):
    """Answer of AssumeRole and AssumeRoleWithOIDC."""

    model_config = ConfigDict(hide_input_in_errors=True)

    credentials: KeyReply = Field(alias="Credentials")


class FormRequest(Request[T]):
    """A request whose body goes out as the fields of a form."""

    def content(self) -> bytes:
        """The body as sent."""
        return urlencode(self.body or {}).encode()


class _Bearer(Anonymous):
    """Whoever asks with an OIDC token: unsigned, but dated, and with a nonce for each attempt."""

    def sign(self, request: WireRequest, now: float) -> WireRequest:
        """The request with date and nonce."""
        time = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        stamp = urlencode({"Timestamp": time, "SignatureNonce": random_nonce()})
        return replace(request, url=f"{request.url}&{stamp}")


def _sts(ways: Ways) -> Service:
    return Service("STS", ways.sts, read_refusal, request_id_header=REQUEST_ID_HEADER)


@dataclass(frozen=True, slots=True)
class RamRole:
    """A RAM role that the holder of an access key may assume (AssumeRole).

    :param key: the key; permanent, or temporary with its security token.
    :param role_arn: e.g. ``acs:ram::1234567890123456:role/ml``.
    :param session_name: as it shows in the cloud's audit log.
    :param seconds: how long an issued key is good for; 900 at least, and as long as the role allows at most.
    :param policy: JSON that leaves the session less than the role may do.
    :param external_id: what the role's trust policy wants to be told.
    :param ways: how to reach STS.
    """

    key: AccessKey
    role_arn: str
    session_name: str = SESSION_NAME
    seconds: int = USUAL_SESSION
    policy: str | None = None
    external_id: str | None = field(default=None, repr=False)
    ways: Ways = USUAL_WAYS

    def issue(self, clock: Clock) -> Exchange[Issued[AccessKey]]:
        """Ask STS for a key of the role.

        :raises AuthenticationError: if the key is not accepted or may not assume the role.
        :raises ConfigurationError: if there is no such role.
        :raises TransportError: if STS does not answer.
        """
        return reported(self._issued(clock))

    def _issued(self, clock: Clock) -> Exchange[Issued[AccessKey]]:
        query = {
            "RoleArn": self.role_arn,
            "RoleSessionName": self.session_name,
            "DurationSeconds": str(self.seconds),
            "Policy": self.policy,
            "ExternalId": self.external_id,
        }
        request = Request(
            "AssumeRole",
            "POST",
            "/",
            AssumedRole,
            query=tuple((name, value) for name, value in query.items() if value is not None),
            safe_to_repeat=True,
            headers={"x-acs-action": "AssumeRole", "x-acs-version": VERSION},
        )
        holder = Holder(self.key)
        answer = yield from exchange(_sts(self.ways), request, holder, PATIENCE, clock, self.ways.connectivity)
        return answer.credentials.issued(clock)


@dataclass(frozen=True, slots=True)
class OidcRole:
    """A RAM role that the holder of an OIDC token may assume (AssumeRoleWithOIDC), as pods with RRSA do.

    What is None is taken from the environment each time.

    :param role_arn: falls back to ``ALIBABA_CLOUD_ROLE_ARN``.
    :param provider_arn: identity provider in RAM; falls back to ``ALIBABA_CLOUD_OIDC_PROVIDER_ARN``.
    :param token_file: read anew each time; falls back to ``ALIBABA_CLOUD_OIDC_TOKEN_FILE``.
    :param session_name: falls back to ``ALIBABA_CLOUD_ROLE_SESSION_NAME``, and then to a usual one.
    :param seconds: how long an issued key is good for; 900 at least, and as long as the role allows at most.
    :param policy: JSON that leaves the session less than the role may do.
    :param ways: how to reach STS.
    """

    role_arn: str | None = None
    provider_arn: str | None = None
    token_file: str | None = None
    session_name: str | None = None
    seconds: int = USUAL_SESSION
    policy: str | None = None
    ways: Ways = USUAL_WAYS

    def issue(self, clock: Clock) -> Exchange[Issued[AccessKey]]:
        """Ask STS for a key of the role.

        :raises AuthenticationError: if the token is not accepted or may not assume the role.
        :raises ConfigurationError: if it is not told what to ask for, or there is no such role.
        :raises TransportError: if STS does not answer.
        """
        return reported(self._issued(clock))

    def _issued(self, clock: Clock) -> Exchange[Issued[AccessKey]]:
        role_arn = _told("role_arn", self.role_arn, "ROLE_ARN")
        provider_arn = _told("oidc_provider_arn", self.provider_arn, "OIDC_PROVIDER_ARN")
        path = _told("oidc_token_file", self.token_file, "OIDC_TOKEN_FILE")
        token = yield FileText(path, "OIDC token file")
        form = {
            "RoleArn": role_arn,
            "OIDCProviderArn": provider_arn,
            "OIDCToken": token,
            "RoleSessionName": self.session_name or variable("ROLE_SESSION_NAME") or SESSION_NAME,
            "DurationSeconds": str(self.seconds),
            "Policy": self.policy,
        }
        action = "AssumeRoleWithOIDC"
        request = FormRequest(
            action,
            "POST",
            "/",
            AssumedRole,
            query=(("Action", action), ("Format", "JSON"), ("Version", VERSION)),
            body={name: value for name, value in form.items() if value is not None},
            safe_to_repeat=True,
            headers={"Content-Type": FORM},
        )
        holder = _Bearer((token,))
        answer = yield from exchange(_sts(self.ways), request, holder, PATIENCE, clock, self.ways.connectivity)
        return answer.credentials.issued(clock)


def _told(extra: str, value: str | None, name: str) -> str:
    found = value or variable(name)
    if found is None:
        raise ConfigurationError(
            f"A role is assumed with an OIDC token, but neither {extra} nor {PREFIX}{name} is set."
        )
    return found
