"""Roles of the emulated Alibaba Cloud account, the tokens that vouch for their users, and the keys issued for them."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from airflow_provider_mlworkflows.emulator.credentials import ACCOUNT_ID, USER_NAME, AccessKey

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_mlworkflows.emulator.credentials import Credentials
    from airflow_provider_mlworkflows.emulator.switches import Switches

ROLE_NAME = "mlworkflows"
ROLE_ARN = f"acs:ram::{ACCOUNT_ID}:role/{ROLE_NAME}"
PROVIDER_ARN = f"acs:ram::{ACCOUNT_ID}:oidc-provider/mlworkflows"
OIDC_TOKEN = "emulator.oidc-token-for-local-use-only.0001"  # noqa: S105 - published on purpose
USUAL_SECONDS = 3600
OIDC_LIFETIME = timedelta(hours=24)


@dataclass(slots=True)
class Role:
    """A role.

    Attributes:
        name: Its name.
        external_id: What whoever assumes it has to tell; ``None`` for nothing.
        longest: Seconds that a session may last at most.
    """

    name: str
    external_id: str | None = None
    longest: int = USUAL_SECONDS

    @property
    def arn(self) -> str:
        """Its resource name."""
        return f"acs:ram::{ACCOUNT_ID}:role/{self.name}"


@dataclass(slots=True)
class OidcToken:
    """A token of an identity provider."""

    text: str = field(repr=False)
    provider_arn: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Session:
    """A role in use: the key that was issued for it, and its name."""

    role: Role
    name: str
    key: AccessKey

    @property
    def arn(self) -> str:
        """Its resource name."""
        return f"acs:ram::{ACCOUNT_ID}:assumed-role/{self.role.name}/{self.name}"


class Ram:
    """Roles, OIDC tokens and issued keys. Whoever has a key of a role may do what the ready-made user may.

    Args:
        credentials: Where issued keys become known.
        switches: The open points.
        now: Returns the emulator's time.

    Attributes:
        roles: Roles by resource name; one is ready-made.
        tokens: OIDC tokens by their text; one is ready-made.
        ecs_role: The role of the machine that asks the metadata service; ``None`` if it has none.
        sessions: Roles in use by the access key that was issued.
    """

    def __init__(self, credentials: Credentials, switches: Switches, now: Callable[[], datetime]) -> None:
        self._credentials = credentials
        self._switches = switches
        self._now = now
        self._lent: dict[str, Session] = {}
        self.roles: dict[str, Role] = {}
        self.tokens: dict[str, OidcToken] = {}
        self.sessions: dict[str, Session] = {}
        self.ecs_role: Role | None = self.add_role(ROLE_NAME)
        self.add_token(OIDC_TOKEN)

    def add_role(self, name: str, *, external_id: str | None = None, longest: int = USUAL_SECONDS) -> Role:
        """Add a role."""
        role = Role(name, external_id, longest)
        self.roles[role.arn] = role
        return role

    def add_token(
        self, text: str | None = None, *, provider_arn: str = PROVIDER_ARN, lifetime: timedelta = OIDC_LIFETIME
    ) -> OidcToken:
        """Add an OIDC token; its text is made up if not given."""
        token = OidcToken(text or secrets.token_urlsafe(48), provider_arn, self._now() + lifetime)
        self.tokens[token.text] = token
        return token

    def issue(self, role: Role, name: str, seconds: int = USUAL_SECONDS) -> Session:
        """Issue an access key of a role."""
        lasting = self._switches.alibaba_key_seconds or seconds
        key = self._credentials.add_temporary_key(USER_NAME, self._now() + timedelta(seconds=lasting))
        self.sessions[key.ak] = Session(role, name, key)
        return self.sessions[key.ak]

    def lend(self, role: Role, name: str) -> Session:
        """Return the key that all have who ask for a role in this way; another once three quarters of it are over."""
        lasting = timedelta(seconds=self._switches.alibaba_key_seconds or USUAL_SECONDS)
        known = self._lent.get(name)
        ends = known.key.expires_at if known is not None and known.role is role else None
        if known is None or ends is None or ends - self._now() <= lasting / 4:
            known = self._lent[name] = self.issue(role, name)
        return known

    def expire(self) -> None:
        """Let every issued key end now."""
        for session in self.sessions.values():
            self._credentials.expire(session.key)
