"""Who calls Huawei Cloud object storage: by a key, or by a temporary one that an IAM token is exchanged for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from airflow_provider_mlworkflows.clock import SYSTEM_CLOCK, Clock
from airflow_provider_mlworkflows.clouds.client import Exchange, Identity, Patience, exchange
from airflow_provider_mlworkflows.clouds.huawei.asking import KEY_LIFETIME, Asking
from airflow_provider_mlworkflows.clouds.huawei.credentials import AccessKey
from airflow_provider_mlworkflows.clouds.huawei.errors import read_refusal
from airflow_provider_mlworkflows.clouds.huawei.obs_signing import TEMPORARY_KEY_HEADER, signed_headers
from airflow_provider_mlworkflows.clouds.huawei.temporary_keys import TemporaryKey
from airflow_provider_mlworkflows.clouds.issued import Issued, Renewable, used
from airflow_provider_mlworkflows.clouds.operation import Request
from airflow_provider_mlworkflows.clouds.replies import Service
from airflow_provider_mlworkflows.clouds.secrecy import without_secrets

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.clouds.http import WireRequest
    from airflow_provider_mlworkflows.clouds.huawei.credentials import HuaweiCredentials
    from airflow_provider_mlworkflows.clouds.issued import Source

_AUTHORIZATION = re.compile(r"\b(OBS|AWS) [^\s:]+:[A-Za-z0-9+/]+={0,2}")
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


class ObsAccount:
    """Credentials for object storage. A token is exchanged in IAM for a temporary key, which is renewed in time.

    :param source: where an access key or a token comes from.
    :param endpoint: of the service, whose host tells a bucket's host.
    :param iam_endpoint: where a token is exchanged.
    """

    def __init__(
        self,
        source: Source[HuaweiCredentials],
        *,
        endpoint: str,
        iam_endpoint: str,
        patience: Patience | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self.source = source
        self._host = urlsplit(endpoint).netloc
        self._iam = Service("IAM", iam_endpoint, read_refusal)
        self._patience = patience or Patience()
        self._clock = clock
        self._keys = Renewable(self._exchange_token, clock)

    def identity(self) -> Exchange[Identity]:
        """The key to sign with, got for the token if need be.

        :raises MLWorkflowsError: if there are no credentials to be had, or IAM does not exchange the token.
        """
        credentials = yield from self.source.current()
        if isinstance(credentials, AccessKey):
            return ObsIdentity(credentials, self._host)
        return ObsIdentity((yield from self._keys.current()), self._host, credentials.secrets)

    def renewed(self, refused: Identity) -> Exchange[Identity | None]:
        """The same with another key, None if the source has none or one just got was refused."""
        if not isinstance(refused, ObsIdentity):
            return None
        if not refused.hidden:
            credentials = yield from self.source.another(refused.key)
            return ObsIdentity(credentials, self._host) if isinstance(credentials, AccessKey) else None
        key = yield from self._keys.another(refused.key)
        return None if key is None else ObsIdentity(key, self._host, refused.hidden)

    def _exchange_token(self) -> Exchange[Issued[AccessKey]]:
        """CreateTemporaryAccessKeyByToken; the token itself goes along in a header."""
        identity = {"methods": ["token"], "token": {"duration_seconds": KEY_LIFETIME}}
        request = Request(
            "CreateTemporaryAccessKeyByToken",
            "POST",
            "/v3.0/OS-CREDENTIAL/securitytokens",
            TemporaryKey,
            body={"auth": {"identity": identity}},
            safe_to_repeat=True,
        )

        def ask(token: HuaweiCredentials) -> Exchange[TemporaryKey]:
            return exchange(self._iam, request, Asking(token), self._patience, self._clock)

        answer = yield from used(self.source, ask)
        return answer.issued(self._clock.time())
