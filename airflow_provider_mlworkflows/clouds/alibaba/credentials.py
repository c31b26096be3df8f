"""Who calls Alibaba Cloud, and in which workspace."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from airflow_provider_mlworkflows.clouds.alibaba.signing import authorization, stamped_headers
from airflow_provider_mlworkflows.clouds.secrecy import beginning_of, without_secrets

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.clouds.client import Exchange, Identity
    from airflow_provider_mlworkflows.clouds.http import WireRequest
    from airflow_provider_mlworkflows.clouds.issued import Source

_SIGNATURE = re.compile(r"Signature=[0-9a-fA-F]+")
_UNSIGNED_HEADERS = frozenset({"accept", "user-agent"})


def random_nonce() -> str:
    """A text that no other attempt of any call has."""
    return uuid.uuid4().hex


@dataclass(frozen=True, slots=True)
class AccessKey:
    """A permanent access key, or a temporary one that STS issued with a security token."""

    access_key: str = field(repr=False)
    secret_key: str = field(repr=False)
    security_token: str | None = field(default=None, repr=False)

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must not show in any text."""
        return tuple(filter(None, (self.secret_key, self.security_token, self.access_key)))

    @property
    def name(self) -> str:
        """What to call it in front of people."""
        kind = "temporary access key" if self.security_token else "access key"
        return f"{kind} {beginning_of(self.access_key)}"

    def sign(self, request: WireRequest, nonce: str, now: float) -> WireRequest:
        """Add date, nonce, security token and signature. Headers that proxies rewrite stay unsigned."""
        unsigned = {k: v for k, v in request.headers.items() if k.lower() in _UNSIGNED_HEADERS}
        to_sign = {k: v for k, v in request.headers.items() if k.lower() not in _UNSIGNED_HEADERS}
        if self.security_token:
            to_sign["x-acs-accesskey-id"] = self.access_key
            to_sign["x-acs-security-token"] = self.security_token
        stamped = stamped_headers(request.url, to_sign, request.content, nonce=nonce, now=now)
        signature = authorization(
            request.method, request.url, stamped, access_key=self.access_key, secret_key=self.secret_key
        )
        return replace(request, headers={**unsigned, **stamped, "Authorization": signature})


@dataclass(frozen=True, slots=True)
class BearerToken:
    """A ready-made bearer token; nothing is signed with it."""

    token: str = field(repr=False)

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must not show in any text."""
        return (self.token,)

    @property
    def name(self) -> str:
        """What to call it in front of people."""
        return "a bearer token"

    def sign(self, request: WireRequest, nonce: str, now: float) -> WireRequest:
        """Add date, nonce and the token."""
        stamped = stamped_headers(request.url, request.headers, request.content, nonce=nonce, now=now)
        token = {"x-acs-bearer-token": self.token, "x-acs-signature-type": "BEARERTOKEN"}
        return replace(request, headers={**stamped, **token})


AlibabaCredentials = AccessKey | BearerToken


@dataclass(frozen=True, slots=True)
class AlibabaIdentity:
    """Credentials and the workspace they act in; None where the calls name it, or none is needed."""

    credentials: AlibabaCredentials
    workspace_id: str | None = None
    nonce: Callable[[], str] = field(default=random_nonce, repr=False)

    @property
    def path_params(self) -> Mapping[str, str]:
        """The workspace, for calls that take it from the account."""
        return {"workspace_id": self.workspace_id} if self.workspace_id else {}

    @property
    def name(self) -> str:
        """What to call the credentials in front of people."""
        return self.credentials.name

    def sign(self, request: WireRequest, now: float) -> WireRequest:
        """The request with the credentials added, under a nonce of its own."""
        return self.credentials.sign(request, self.nonce(), now)

    def redact(self, text: str) -> str:
        """The text without key, token and signature."""
        return _SIGNATURE.sub("Signature=***", without_secrets(text, self.credentials.secrets))


@dataclass(frozen=True, slots=True)
class AlibabaAccount:
    """Credentials of a source, and a workspace.

    :param source: where an access key or a token comes from.
    :param workspace_id: digits; None if every call names its own.
    :param nonce: makes a new text at each call.
    """

    source: Source[AlibabaCredentials]
    workspace_id: str | None = None
    nonce: Callable[[], str] = field(default=random_nonce, repr=False)

    def identity(self) -> Exchange[Identity]:
        """The credentials with their workspace.

        :raises MLWorkflowsError: if there are no credentials to be had.
        """
        return self._acting((yield from self.source.current()))

    def renewed(self, refused: Identity) -> Exchange[Identity | None]:
        """The same with other credentials, None if the source has no others."""
        if not isinstance(refused, AlibabaIdentity):
            return None
        credentials = yield from self.source.another(refused.credentials)
        return None if credentials is None else self._acting(credentials)

    def _acting(self, credentials: AlibabaCredentials) -> AlibabaIdentity:
        return AlibabaIdentity(credentials, self.workspace_id, self.nonce)
