"""Agencies: who may act as somebody else for a while, and how each of them shows that it may."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from airflow_provider_mlworkflows.emulator.credentials import DOMAIN_ID, DOMAIN_NAME

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from airflow_provider_mlworkflows.emulator.credentials import AccessKey, Credentials
    from airflow_provider_mlworkflows.emulator.switches import Switches

AGENCY_NAME = "mlworkflows"
OTHER_DOMAIN_NAME = "partner-account"
PROVIDER_URN = f"iam::{DOMAIN_ID}:oidcProvider:emulator"
OIDC_TOKEN = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJlbXVsYXRvciJ9.onlyForTheEmulator0001"  # noqa: S105 - published on purpose
POD_TOKEN = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhLXBvZCJ9.onlyForTheEmulator0002"  # noqa: S105 - published on purpose
MACHINE_KEY_SECONDS = 6 * 3600


@dataclass(slots=True)
class Agency:
    """An agency.

    Attributes:
        name: Its name, unique in its account.
        domain_name: The account it belongs to.
        user: The user that it acts as, whose permissions it has.
        urn: Its name for STS.
    """

    name: str
    domain_name: str
    user: str
    urn: str


@dataclass(slots=True)
class _Trust:
    """What others show: tokens of an identity provider with its URN, tokens of pods, sessions of servers."""

    oidc: dict[str, str] = field(default_factory=dict, repr=False)
    pods: dict[str, Agency] = field(default_factory=dict, repr=False)
    sessions: dict[str, datetime] = field(default_factory=dict, repr=False)


class Agencies:
    """The agencies of the emulator's account and of one that trusts it.

    Args:
        credentials: Users and keys, to which those of agencies are added.
        switches: The open points.
        now: Returns the emulator's time.
        lock: The lock that guards the emulator's state.

    Attributes:
        own: The ready-made agency of the emulator's account.
        other: The one of the same name in the other account.
        of_server: The agency of the server that the metadata service is for; ``None`` if it has none.
    """

    def __init__(
        self, credentials: Credentials, switches: Switches, now: Callable[[], datetime], lock: threading.RLock
    ) -> None:
        self._credentials = credentials
        self._switches = switches
        self._now = now
        self._lock = lock
        self._agencies: list[Agency] = []
        self._trust = _Trust()
        self.own = self.add(AGENCY_NAME)
        self.other = self.add(AGENCY_NAME, OTHER_DOMAIN_NAME)
        self.of_server: Agency | None = self.own
        self.trust_oidc(OIDC_TOKEN)
        self.trust_pod(POD_TOKEN)

    def add(self, name: str, domain_name: str = DOMAIN_NAME) -> Agency:
        """Add an agency with all permissions, in the emulator's account or in one that trusts it."""
        user = f"{domain_name}/{name}"
        agency = Agency(name, domain_name, user, f"iam::{domain_name}:agency:{name}")
        with self._lock:
            self._credentials.add_user(user, secrets.token_hex(16))
            self._agencies.append(agency)
        return agency

    def find(self, name: object, domain_name: object = None) -> Agency | None:
        """Return the agency of an account, of the emulator's if none is given."""
        wanted = domain_name or DOMAIN_NAME
        with self._lock:
            return next((each for each in self._agencies if (each.name, each.domain_name) == (name, wanted)), None)

    def find_urn(self, urn: object) -> Agency | None:
        """Return the agency of a URN."""
        with self._lock:
            return next((each for each in self._agencies if each.urn == urn), None)

    def trust_oidc(self, text: str, provider_urn: str = PROVIDER_URN) -> None:
        """Accept a text as an identity provider's token."""
        with self._lock:
            self._trust.oidc[text] = provider_urn

    def trust_pod(self, text: str, agency: Agency | None = None) -> None:
        """Accept a text as a pod's token."""
        with self._lock:
            self._trust.pods[text] = agency or self.own

    def distrust(self, text: str) -> None:
        """Accept a token no more."""
        with self._lock:
            self._trust.oidc.pop(text, None)
            self._trust.pods.pop(text, None)

    def provider_of(self, text: object) -> str | None:
        """Return the URN of the identity provider that a token is of."""
        with self._lock:
            return self._trust.oidc.get(text) if isinstance(text, str) else None

    def of_pod(self, text: str) -> Agency | None:
        """Return the agency of the pod that a token is of."""
        with self._lock:
            return self._trust.pods.get(text)

    def open_session(self, seconds: int) -> str:
        """Return the token of a new session with the metadata service."""
        text = secrets.token_urlsafe(40)
        with self._lock:
            self._trust.sessions[text] = self._now() + timedelta(seconds=seconds)
        return text

    def close_sessions(self) -> None:
        """End all sessions, as a restarted metadata service does."""
        with self._lock:
            self._trust.sessions.clear()

    def is_session(self, text: str) -> bool:
        """Whether a session with this token has not ended."""
        with self._lock:
            ends = self._trust.sessions.get(text)
        return ends is not None and ends > self._now()

    def lifetime(self, asked: float) -> timedelta:
        """Return how long credentials last that are asked for so many seconds."""
        return timedelta(seconds=self._switches.huawei_credential_lifetime or asked)

    def issue(self, user: str, seconds: float) -> tuple[AccessKey, datetime]:
        """Issue a temporary key of a user; returns it with its end."""
        ends = self._now() + self.lifetime(seconds)
        return self._credentials.add_temporary_key(user, ends), ends
