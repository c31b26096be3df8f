"""What all ways to be issued credentials by Huawei Cloud have in common: who asks, and what must not show."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, Field

from airflow_provider_mlworkflows.clouds.client import Exchange, Patience, exchange
from airflow_provider_mlworkflows.clouds.huawei.credentials import HuaweiIdentity, IamToken
from airflow_provider_mlworkflows.clouds.huawei.errors import read_refusal
from airflow_provider_mlworkflows.clouds.huawei.temporary_keys import Epoch
from airflow_provider_mlworkflows.clouds.issued import Issued
from airflow_provider_mlworkflows.clouds.operation import Request
from airflow_provider_mlworkflows.clouds.secrecy import without_secrets
from airflow_provider_mlworkflows.exceptions import (
    AuthenticationError,
    BadRequestError,
    NotFoundError,
    PermissionDeniedError,
)

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.clock import Clock
    from airflow_provider_mlworkflows.clouds.http import Connectivity, WireReply, WireRequest
    from airflow_provider_mlworkflows.clouds.huawei.credentials import HuaweiCredentials
    from airflow_provider_mlworkflows.clouds.replies import Refusal, Service

T = TypeVar("T")

ISSUER_PATIENCE = Patience(attempts=3)
"""How hard IAM and STS are tried."""
KEY_LIFETIME = 3600
"""Seconds that a temporary key is asked for, if nobody says otherwise."""

_KEY_IN_REPLY = re.compile(
    r"""(["'](?:access|secret|securitytoken|access_key_id|secret_access_key|security_token)["']\s*:\s*["'])[^"']*""",
    re.IGNORECASE,
)
_REFUSED = (AuthenticationError, BadRequestError, NotFoundError, PermissionDeniedError)


@dataclass(frozen=True, slots=True)
class Asking:
    """Whoever asks for credentials: hides what is sent for them, and what comes, however little of it can be read.

    :param credentials: to sign with; None if the request itself says who asks.
    :param hidden: further secrets that are sent.
    """

    credentials: HuaweiCredentials | None = None
    hidden: tuple[str, ...] = field(default=(), repr=False)

    @property
    def path_params(self) -> Mapping[str, str]:
        """Nothing: credentials are issued outside of projects."""
        return {}

    @property
    def name(self) -> str:
        """What to call the credentials in front of people."""
        return "whoever asks for credentials" if self.credentials is None else self.credentials.name

    def sign(self, request: WireRequest, now: float) -> WireRequest:
        """The request with the credentials added, if there are any."""
        return request if self.credentials is None else self.credentials.sign(request, None, now)

    def redact(self, text: str) -> str:
        """The text without what was sent, and without keys."""
        if self.credentials is not None:
            text = HuaweiIdentity(self.credentials).redact(text)
        return _KEY_IN_REPLY.sub(r"\1***", without_secrets(text, self.hidden))


def advising(advice: str) -> Callable[[WireReply], Refusal | None]:
    """How an issuer says no, with advice of its own to those whose credentials or words it does not accept."""

    def read(reply: WireReply) -> Refusal | None:
        refusal = read_refusal(reply)
        if refusal is None or refusal.kind not in _REFUSED:
            return refusal
        return replace(refusal, advice=advice)

    return read


def asked(
    service: Service, request: Request[T], asking: Asking, clock: Clock, connectivity: Connectivity | None
) -> Exchange[T]:
    """The answer of IAM or STS to a request for credentials."""
    return exchange(service, request, asking, ISSUER_PATIENCE, clock, connectivity)


class _Project(BaseModel):
    id: str = Field(min_length=1)


class _Token(BaseModel):
    expires_at: Epoch
    project: _Project | None = None


class _TokenReply(BaseModel):
    token: _Token


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """A token as IAM issued it.

    :param expires_at: seconds since the epoch.
    """

    credentials: IamToken
    expires_at: float

    def issued(self, now: float) -> Issued[IamToken]:
        """The token, as got now."""
        return Issued(self.credentials, now, self.expires_at)


@dataclass(frozen=True, slots=True)
class TokenRequest(Request[IssuedToken]):
    """A request that is answered with a token in a header, and with what it is good for in the body."""

    def read_reply(self, reply: WireReply) -> IssuedToken:
        """The token.

        :raises ValueError: if there is none, or not for how long it is good.
        """
        about = _TokenReply.model_validate_json(reply.content).token
        token = reply.headers.get("x-subject-token", "").strip()
        if not token:
            raise ValueError("it has no header X-Subject-Token")
        return IssuedToken(IamToken(token, about.project.id if about.project else None), about.expires_at)


def token_request(operation: str, path: str, auth: Mapping[str, Any], **details: Any) -> TokenRequest:
    """A request for a token.

    :param auth: what the body says about who asks, and for what.
    """
    return TokenRequest(operation, "POST", path, IssuedToken, body={"auth": auth}, safe_to_repeat=True, **details)


def project_scope(project_id: str | None, region: str) -> dict[str, Any]:
    """What a token is to be good for: a project by its id, or by its name, which is the region's."""
    return {"project": {"id": project_id} if project_id else {"name": region}}
