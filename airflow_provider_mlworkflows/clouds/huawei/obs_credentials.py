"""Who calls Huawei Cloud object storage: by a key, or by a temporary one that an IAM token is exchanged for."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, Field

from airflow_provider_mlworkflows.clock import SYSTEM_CLOCK, Clock
from airflow_provider_mlworkflows.clouds.client import (
    REFUSAL_REMEMBERED,
    Cell,
    Exchange,
    Identity,
    Lookup,
    Patience,
    exchange,
)
from airflow_provider_mlworkflows.clouds.huawei.credentials import AccessKey, HuaweiIdentity, IamToken
from airflow_provider_mlworkflows.clouds.huawei.errors import read_refusal
from airflow_provider_mlworkflows.clouds.huawei.obs_signing import TEMPORARY_KEY_HEADER, signed_headers
from airflow_provider_mlworkflows.clouds.operation import Request
from airflow_provider_mlworkflows.clouds.replies import Service
from airflow_provider_mlworkflows.clouds.secrecy import without_secrets
from airflow_provider_mlworkflows.clouds.values import time_in
from airflow_provider_mlworkflows.exceptions import MLWorkflowsError, is_transient

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.clouds.http import WireRequest

KEY_LIFETIME = 3600
"""Seconds that a temporary key is asked for."""
RENEWED_BEFORE = 300.0
"""Seconds before its end at which a temporary key is replaced."""

_AUTHORIZATION = re.compile(r"\b(OBS|AWS) [^\s:]+:[A-Za-z0-9+/]+={0,2}")
_KEY_IN_REPLY = re.compile(r"""(["'](?:access|secret|securitytoken)["']\s*:\s*["'])[^"']*""", re.IGNORECASE)
_ECHOED_SIGNATURE = re.compile(r"(<SignatureProvided>)[^<]*")


@dataclass(frozen=True, slots=True)
class ObsIdentity:
    """An access key that signs the way object storage wants it.

    :param key: permanent, or temporary with its token.
    :param host: of the service, with its port; what stands in front of it in an address is a bucket.
    :param hidden: what must not show either: what the key was got for.
    """

    key: AccessKey
    host: str
    hidden: tuple[str, ...] = field(default=(), repr=False)

    @property
    def path_params(self) -> Mapping[str, str]:
        """Nothing: addresses hold no project."""
        return {}

    @property
    def name(self) -> str:
        """What to call the credentials in front of people."""
        return self.key.name

    def sign(self, request: WireRequest, now: float) -> WireRequest:
        """Add security token, date and signature."""
        token = {TEMPORARY_KEY_HEADER: self.key.security_token} if self.key.security_token else {}
        host = urlsplit(request.url).netloc
        signed = signed_headers(
            request.method,
            request.url,
            {**request.headers, **token},
            bucket="" if host == self.host else host.removesuffix(f".{self.host}"),
            access_key=self.key.access_key,
            secret_key=self.key.secret_key,
            now=now,
        )
        return replace(request, headers=signed)

    def redact(self, text: str) -> str:
        """The text without keys, tokens and signatures."""
        text = _AUTHORIZATION.sub(r"\1 ***", text)
        return _ECHOED_SIGNATURE.sub(r"\1***", without_secrets(text, (*self.key.secrets, *self.hidden)))


@dataclass(frozen=True, slots=True)
class _TemporaryKey:
    """A key, when it was got and when it is time for another."""

    key: AccessKey
    got_at: float
    renew_at: float
    ends_at: float


class _TokenIdentity(HuaweiIdentity):
    """A token that is exchanged, which hides also what it is exchanged for, however little of that can be read."""

    __slots__ = ()

    def redact(self, text: str) -> str:
        return _KEY_IN_REPLY.sub(r"\1***", HuaweiIdentity.redact(self, text))


class _Credential(BaseModel):
    access: str = Field(min_length=1, repr=False)
    secret: str = Field(min_length=1, repr=False)
    securitytoken: str = Field(min_length=1, repr=False)
    expires_at: Annotated[float, BeforeValidator(lambda value: _epoch(value))]


class _Credentials(BaseModel):
    credential: _Credential


class ObsAccount:
    """Credentials for object storage. A token is exchanged in IAM for a temporary key, which is renewed in time.

    :param credentials: an access key or a token.
    :param endpoint: of the service, whose host tells a bucket's host.
    :param iam_endpoint: where a token is exchanged.
    """

    def __init__(
        self,
        credentials: AccessKey | IamToken,
        *,
        endpoint: str,
        iam_endpoint: str,
        patience: Patience | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self.credentials = credentials
        self._host = urlsplit(endpoint).netloc
        self._iam = Service("IAM", iam_endpoint, read_refusal)
        self._patience = patience or Patience()
        self._clock = clock
        self._swap = threading.Lock()
        self._cell: Cell[_TemporaryKey] = Cell()
        self._spare: _TemporaryKey | None = None

    def identity(self) -> Exchange[Identity]:
        """The key to sign with, got for the token if need be.

        :raises MLWorkflowsError: if IAM does not exchange the token.
        """
        if isinstance(self.credentials, AccessKey):
            return ObsIdentity(self.credentials, self._host)
        cell, known = self._cell, self._cell.value
        if known is not None and known.renew_at <= self._clock.time():
            cell = self._replaced(cell, spare=known)
        try:
            return (yield from self._temporary(self.credentials, cell))
        except MLWorkflowsError as error:
            spare = self._spare
            if spare is None or spare.ends_at <= self._clock.time() or not is_transient(error):
                raise
            # The key before is good for some minutes more, so there is time to try again in.
            return self._identity(self.credentials, spare)

    def renewed(self, refused: Identity) -> Exchange[Identity | None]:
        """Another temporary key for the token; None for a key of one's own, or if one just got was refused."""
        cell, known = self._cell, self._cell.value
        if isinstance(self.credentials, AccessKey):
            return None
        if known is not None and isinstance(refused, ObsIdentity) and refused.key == known.key:
            if self._clock.time() - known.got_at < REFUSAL_REMEMBERED:
                return None
            cell = self._replaced(cell, spare=None)
        return (yield from self._temporary(self.credentials, cell))

    def _replaced(self, cell: Cell[_TemporaryKey], *, spare: _TemporaryKey | None) -> Cell[_TemporaryKey]:
        """An empty cell in place of this one; the same for all who ask at the same time."""
        with self._swap:
            if self._cell is cell:
                self._cell, self._spare = Cell(), spare
            return self._cell

    def _temporary(self, token: IamToken, cell: Cell[_TemporaryKey]) -> Exchange[Identity]:
        known: _TemporaryKey = yield Lookup(cell, self._exchange_token)
        return self._identity(token, known)

    def _identity(self, token: IamToken, known: _TemporaryKey) -> ObsIdentity:
        return ObsIdentity(known.key, self._host, token.secrets)

    def _exchange_token(self) -> Exchange[_TemporaryKey]:
        """CreateTemporaryAccessKeyByToken; the token itself goes along in a header."""
        identity = {"methods": ["token"], "token": {"duration_seconds": KEY_LIFETIME}}
        request = Request(
            "CreateTemporaryAccessKeyByToken",
            "POST",
            "/v3.0/OS-CREDENTIAL/securitytokens",
            _Credentials,
            body={"auth": {"identity": identity}},
            safe_to_repeat=True,
        )
        answer = yield from exchange(self._iam, request, _TokenIdentity(self.credentials), self._patience, self._clock)
        got, now = answer.credential, self._clock.time()
        # A key that ends at once by this machine's clock is used for a minute all the same.
        renew_at = max(got.expires_at - RENEWED_BEFORE, now + REFUSAL_REMEMBERED)
        key = AccessKey(got.access, got.secret, got.securitytoken)
        return _TemporaryKey(key, got_at=now, renew_at=renew_at, ends_at=got.expires_at)


def _epoch(value: object) -> float:
    time = time_in(UTC, value)
    if time is None:
        raise ValueError("it is no time")
    return time.timestamp()
