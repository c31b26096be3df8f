"""How a connection to Huawei Cloud signs in: what its extra may hold, and where its credentials come from then."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, Field, field_validator

from airflow_provider_mlworkflows.clouds.huawei.agencies import AgencyKeys, OidcKeys
from airflow_provider_mlworkflows.clouds.huawei.asking import KEY_LIFETIME
from airflow_provider_mlworkflows.clouds.huawei.credentials import AccessKey, IamToken, checked_project
from airflow_provider_mlworkflows.clouds.huawei.machines import METADATA_ENDPOINT, PodKeys, ServerKeys
from airflow_provider_mlworkflows.clouds.huawei.surroundings import ChainKeys, EnvironmentKeys, ProfileKeys
from airflow_provider_mlworkflows.clouds.huawei.tokens import PasswordTokens
from airflow_provider_mlworkflows.clouds.issued import Fixed, renewable
from airflow_provider_mlworkflows.exceptions import ConfigurationError
from airflow_provider_mlworkflows.hooks.connection import Address, ConnectionExtra

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.clock import Clock
    from airflow_provider_mlworkflows.clouds.http import Connectivity
    from airflow_provider_mlworkflows.clouds.huawei.credentials import HuaweiCredentials
    from airflow_provider_mlworkflows.clouds.issued import Issuer, Source
    from airflow_provider_mlworkflows.hooks.base import ConnectionFields

AuthType = Literal[
    "aksk", "token", "password", "agency", "metadata", "oidc_sts", "pod_identity", "env", "profile", "default"
]

SIGN_IN_TIMEOUT = 10.0
"""Seconds that IAM and STS are waited for at most, however long the connection waits for the service."""

_SHORT_ID = re.compile(r"[0-9A-Za-z_-]{1,64}")
_SHORTEST_SESSION = 900
_LONGEST_SESSIONS = {"agency": 86400, "oidc_sts": 43200}
_USES: Mapping[str, frozenset[str]] = {
    "aksk": frozenset({"security_token"}),
    "token": frozenset({"iam_token"}),
    "password": frozenset({"domain_name"}),
    "agency": frozenset({"security_token", "iam_token", "agency_name", "agency_domain_name", "session_duration"}),
    "metadata": frozenset(),
    "oidc_sts": frozenset({"provider_urn", "agency_urn", "session_name", "token_file", "session_duration"}),
    "pod_identity": frozenset(),
    "env": frozenset(),
    "profile": frozenset({"profile_file"}),
    "default": frozenset({"profile_file"}),
}
"""What each way to sign in takes from the extra, beside region, project and endpoints, which any may need."""
_LOGIN_USERS = frozenset({"aksk", "password", "agency", "token"})
"""A token has always been taken also where a key stands beside it."""


def _checked_id(value: str) -> str:
    if not _SHORT_ID.fullmatch(value):
        raise ValueError("must be an id: 1 to 64 letters, digits, '-' and '_'")
    return value


ProjectId = Annotated[str, AfterValidator(checked_project)]
ShortId = Annotated[str, AfterValidator(_checked_id)]


class HuaweiExtra(ConnectionExtra):
    """The extra of a connection to Huawei Cloud."""

    project_id: ProjectId | None = None
    auth_type: AuthType = "aksk"
    security_token: str | None = Field(default=None, repr=False)
    iam_token: str | None = Field(default=None, repr=False)
    domain_name: str | None = None
    agency_name: str | None = None
    agency_domain_name: str | None = None
    session_duration: int | None = Field(default=None, ge=_SHORTEST_SESSION)
    provider_urn: str | None = None
    agency_urn: str | None = None
    session_name: str | None = None
    token_file: str | None = None
    profile_file: str | None = None
    enterprise_project_id: ShortId | None = None
    workspace_id: ShortId | None = None
    modelarts_endpoint: Address | None = None
    obs_endpoint: Address | None = None
    obs_path_style: bool = False
    aom_endpoint: Address | None = None
    iam_endpoint: Address | None = None
    sts_endpoint: Address | None = None
    metadata_endpoint: Address = METADATA_ENDPOINT

    @field_validator("auth_type", mode="before")
    @classmethod
    def _in_any_case(cls, value: object) -> object:
        return value.strip().lower() if isinstance(value, str) else value

    @property
    def defaults(self) -> Mapping[str, str]:
        """What calls that do not say otherwise are for."""
        given = {"workspace_id": self.workspace_id, "enterprise_project_id": self.enterprise_project_id}
        return {name: value for name, value in given.items() if value}


@dataclass(frozen=True, slots=True)
class SignIn:
    """What is needed to make a source of credentials from a connection.

    :param fields: of the connection.
    :param extra: its extra, read.
    :param region: "" if it is not known.
    :param project_id: None if it is not known.
    :param iam_endpoint: of IAM.
    """

    fields: ConnectionFields
    extra: HuaweiExtra
    region: str
    project_id: str | None
    iam_endpoint: str

    def source(self, clock: Clock, *, lenient: bool = False) -> Source[HuaweiCredentials]:
        """Where the credentials of the connection come from.

        :param lenient: leave alone what another provider may have put there.
        :raises ConfigurationError: if something is missing, or contradicts the way to sign in.
        """
        if not lenient:
            self._check_extra()
        found = _SOURCES[self.extra.auth_type](self)
        if not lenient:
            self._check_login()
        return Fixed(found) if isinstance(found, AccessKey | IamToken) else renewable(found, clock)

    def _check_extra(self) -> None:
        auth_type = self.extra.auth_type
        known = frozenset().union(*_USES.values())
        for name in sorted(known - _USES[auth_type]):
            if getattr(self.extra, name) is not None:
                users = " or ".join(each for each, uses in _USES.items() if name in uses)
                raise self._wrong(
                    f"has {name} but auth_type {auth_type}, which does not use it. "
                    f"Set auth_type to {users}, or remove {name} from the extra."
                )
        longest = _LONGEST_SESSIONS.get(auth_type)
        if longest and (self.extra.session_duration or 0) > longest:
            raise self._wrong(f"has a session_duration of more than {longest} seconds, the most for {auth_type}.")

    def _check_login(self) -> None:
        auth_type = self.extra.auth_type
        if auth_type not in _LOGIN_USERS and any(self._login):
            raise self._wrong(
                f"has login or password but auth_type {auth_type}, which uses neither. Remove them, or set "
                "auth_type to aksk to sign with them."
            )

    def _wrong(self, what: str) -> ConfigurationError:
        return ConfigurationError(f"{self.fields.title} {what}")

    @property
    def _login(self) -> tuple[str, str]:
        return (self.fields.login or "").strip(), (self.fields.password or "").strip()

    @property
    def _connectivity(self) -> Connectivity:
        usual = self.extra.connectivity()
        return replace(usual, timeout=min(usual.timeout, SIGN_IN_TIMEOUT))

    @property
    def _sts_endpoint(self) -> str:
        named = f"https://sts.{self.region}.myhuaweicloud.com" if self.region else ""
        return self.extra.sts_endpoint or named

    def access_key(self) -> AccessKey:
        """The access key in login and password."""
        login, password = self._login
        if not login or not password:
            raise self._wrong(
                "lacks an access key: put the access key id into login and the secret access key into password, or "
                "set auth_type to token and give an iam_token, or to another way to sign in."
            )
        return AccessKey(login, password, self.extra.security_token)

    def token(self) -> IamToken:
        """The token in the extra."""
        if not self.extra.iam_token:
            raise self._wrong("has auth_type token but no iam_token in its extra.")
        return IamToken(self.extra.iam_token)

    def password(self) -> PasswordTokens:
        """Tokens for the user in login and password."""
        login, password = self._login
        if not login or not password:
            raise self._wrong(
                "has auth_type password but lacks login or password: put the name of an IAM user into login and its "
                "password into password."
            )
        if not self.extra.domain_name:
            raise self._wrong(
                "has auth_type password but no domain_name in its extra: the name of the account that the user in "
                "login belongs to."
            )
        if not (self.region or self.project_id):
            raise self._wrong(
                "has auth_type password, whose tokens are for one project. Set region or project_id in its extra."
            )
        return PasswordTokens(
            self.iam_endpoint,
            self.extra.domain_name,
            login,
            password,
            self.region,
            self.project_id,
            self._connectivity,
        )

    def agency(self) -> AgencyKeys:
        """Temporary keys of an agency that trusts the connection's key or token, or the environment's."""
        extra = self.extra
        if not extra.agency_name:
            raise self._wrong("has auth_type agency but no agency_name in its extra.")
        base: HuaweiCredentials | Issuer[HuaweiCredentials]
        if extra.iam_token:
            if any(self._login) or extra.security_token:
                raise self._wrong(
                    "has both an access key and an iam_token to become the agency with. Remove the iam_token, or "
                    "login, password and security_token."
                )
            base = IamToken(extra.iam_token)
        elif any(self._login) or extra.security_token:
            base = self.access_key()
        else:
            base = self.chain()
        return AgencyKeys(
            self.iam_endpoint,
            base,
            extra.agency_name,
            extra.agency_domain_name,
            extra.session_duration or KEY_LIFETIME,
            self._connectivity,
        )

    def oidc(self) -> OidcKeys:
        """Temporary keys of an agency that trusts an identity provider."""
        extra = self.extra
        if not self._sts_endpoint:
            raise self._wrong("has auth_type oidc_sts, which needs region or sts_endpoint in its extra.")
        return OidcKeys(
            self._sts_endpoint,
            extra.provider_urn,
            extra.agency_urn,
            extra.session_name,
            extra.token_file,
            extra.session_duration or KEY_LIFETIME,
            self._connectivity,
        )

    def server(self) -> ServerKeys:
        """Temporary keys of the server's agency."""
        return ServerKeys(self.extra.metadata_endpoint)

    def pod(self) -> PodKeys:
        """Temporary keys of the pod's agency."""
        return PodKeys()

    def environment(self) -> EnvironmentKeys:
        """The key in the environment."""
        return EnvironmentKeys()

    def profile(self) -> ProfileKeys:
        """What a profile file has."""
        return ProfileKeys(self.extra.profile_file, self.iam_endpoint, self.region, self.project_id, self._connectivity)

    def chain(self) -> ChainKeys:
        """Whatever there is."""
        return ChainKeys(
            self.iam_endpoint,
            self._sts_endpoint,
            self.region,
            self.project_id,
            self.extra.profile_file,
            self.extra.metadata_endpoint,
            self._connectivity,
        )


_SOURCES: Mapping[str, Callable[[SignIn], HuaweiCredentials | Issuer[HuaweiCredentials]]] = {
    "aksk": SignIn.access_key,
    "token": SignIn.token,
    "password": SignIn.password,
    "agency": SignIn.agency,
    "metadata": SignIn.server,
    "oidc_sts": SignIn.oidc,
    "pod_identity": SignIn.pod,
    "env": SignIn.environment,
    "profile": SignIn.profile,
    "default": SignIn.chain,
}
