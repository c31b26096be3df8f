"""Requests whose address or answer holds secrets of an app, and a client that does not repeat them to anybody."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from copy import copy
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_provider_mlworkflows.clouds.operation import Request
from airflow_provider_mlworkflows.clouds.secrecy import MASK, without_secrets

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.clouds.client import Account, Client, Exchange, Identity
    from airflow_provider_mlworkflows.clouds.http import WireRequest

T = TypeVar("T")

# Where an answer cannot be read, its beginning is quoted; it may be cut anywhere.
_SECRET_TEXT = re.compile(r'("(?:app_secret|app_key)"\s*:\s*")[^"]*')
_SECRET_VARIABLE = re.compile(r"token|secret|passw|credential|private|(access|api|auth)_?key|_(ak|sk)$", re.IGNORECASE)
SHORTEST = 4
"""Characters of a secret; less would be found in any text."""
_SECRET_LIST = re.compile(r'("app_codes"\s*:\s*\[)[^\]]*')


@dataclass(frozen=True, slots=True, repr=False)
class ConfidentialRequest(Request[T]):
    """A request about an app's secrets.

    :param secrets: those that the request itself holds, such as in its path.
    """

    secrets: tuple[str, ...] = field(default=())

    def __repr__(self) -> str:
        return f"<request {self.operation}>"


def with_environment(request: Request[T], versions: Iterable[Mapping[str, Any]]) -> Request[T]:
    """The request, confidential if the environment of a model holds variables that are secret by their name."""
    variables = (pair for version in versions for pair in (version.get("envs") or {}).items())
    secrets = tuple(value for name, value in variables if _SECRET_VARIABLE.search(name) and len(value) >= SHORTEST)
    if not secrets:
        return request
    given = {each.name: getattr(request, each.name) for each in fields(request)}
    return ConfidentialRequest(**given, secrets=secrets)


def secrets_of(request: Request[Any]) -> tuple[str, ...]:
    """What a request holds that no text may show."""
    return request.secrets if isinstance(request, ConfidentialRequest) else ()


def discreet(client: Client, request: Request[Any]) -> Client:
    """The client to send a request with: one that keeps its secrets out of errors and logs, if it has any."""
    if not isinstance(request, ConfidentialRequest):
        return client
    careful = copy(client)
    careful.account = DiscreetAccount(client.account, request.secrets)
    return careful


@dataclass(frozen=True, slots=True)
class DiscreetIdentity:
    """An identity that masks more than its own secrets."""

    inner: Identity
    secrets: tuple[str, ...] = field(repr=False)

    @property
    def path_params(self) -> Mapping[str, str]:
        """As the identity inside has them."""
        return self.inner.path_params

    @property
    def name(self) -> str:
        """As the identity inside is called."""
        return self.inner.name

    def sign(self, request: WireRequest, now: float) -> WireRequest:
        """As the identity inside does."""
        return self.inner.sign(request, now)

    def redact(self, text: str) -> str:
        """The text without anything secret that either knows, and without the secrets of apps it quotes."""
        text = without_secrets(self.inner.redact(text), self.secrets)
        return _SECRET_LIST.sub(rf"\1{MASK}", _SECRET_TEXT.sub(rf"\1{MASK}", text))


@dataclass(frozen=True, slots=True)
class DiscreetAccount:
    """An account whose identities mask more than their own secrets."""

    inner: Account
    secrets: tuple[str, ...] = field(repr=False)

    def identity(self) -> Exchange[Identity]:
        """The identity to use now."""
        identity = yield from self.inner.identity()
        return DiscreetIdentity(identity, self.secrets)

    def renewed(self, refused: Identity) -> Exchange[Identity | None]:
        """A fresh identity after one was not accepted, None if there can be none."""
        inner = refused.inner if isinstance(refused, DiscreetIdentity) else refused
        renewed = yield from self.inner.renewed(inner)
        return None if renewed is None else DiscreetIdentity(renewed, self.secrets)
