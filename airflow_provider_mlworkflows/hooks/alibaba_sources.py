"""How a connection to Alibaba Cloud signs in: each ``auth_type``, what it needs, and where credentials come from."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Literal, get_args

from pydantic import AfterValidator, Field, field_validator

from airflow_provider_mlworkflows.clouds.alibaba.credentials import AccessKey, BearerToken
from airflow_provider_mlworkflows.clouds.alibaba.environment import Environment
from airflow_provider_mlworkflows.clouds.alibaba.issuing import METADATA, STS, Ways
from airflow_provider_mlworkflows.clouds.alibaba.metadata import CredentialsUri, EcsRole
from airflow_provider_mlworkflows.clouds.alibaba.profiles import Profile
from airflow_provider_mlworkflows.clouds.alibaba.roles import (
    SESSION_NAME,
    SHORTEST_SESSION,
    USUAL_SESSION,
    OidcRole,
    RamRole,
)
from airflow_provider_mlworkflows.clouds.issued import ISSUER, Fixed, renewable
from airflow_provider_mlworkflows.exceptions import ConfigurationError
from airflow_provider_mlworkflows.hooks.connection import Address, ConnectionExtra

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.clock import Clock
    from airflow_provider_mlworkflows.clouds.alibaba.credentials import AlibabaCredentials
    from airflow_provider_mlworkflows.clouds.issued import Issuer, Source
    from airflow_provider_mlworkflows.hooks.base import ConnectionFields

AuthType = Literal[
    "ak", "sts", "bearer", "ram_role_arn", "oidc_role_arn", "ecs_ram_role", "credentials_uri", "profile", "default"
]
LONGEST_SESSION = 43_200
"""Seconds."""

_SPELLINGS: Mapping[str, str] = {
    **{each.replace("_", ""): each for each in get_args(AuthType)},
    "accesskey": "ak",
    "ststoken": "sts",
    "oidc": "oidc_role_arn",
}
_SESSION_NAME = re.compile(r"[A-Za-z0-9.@_-]{2,64}")
_ARN = re.compile(r"acs:ram::\d+:[a-z-]+/.+")


def _checked_arn(value: str) -> str:
    if not _ARN.fullmatch(value):
        raise ValueError("must look like acs:ram::1234567890123456:role/name")
    return value


def _checked_session_name(value: str) -> str:
    if not _SESSION_NAME.fullmatch(value):
        raise ValueError("must be 2 to 64 letters, digits and . @ _ -")
    return value


Arn = Annotated[str, AfterValidator(_checked_arn)]
SessionName = Annotated[str, AfterValidator(_checked_session_name)]


class AlibabaExtra(ConnectionExtra):
    """The extra of a connection to Alibaba Cloud. Without ``auth_type`` the credentials that are there tell it."""

    workspace_id: str | None = None
    auth_type: AuthType | None = None
    access_key_id: str | None = Field(default=None, repr=False)
    access_key_secret: str | None = Field(default=None, repr=False)
    security_token: str | None = Field(default=None, repr=False)
    bearer_token: str | None = Field(default=None, repr=False)
    role_arn: Arn | None = None
    role_session_name: SessionName | None = None
    role_session_expiration: int | None = Field(default=None, ge=SHORTEST_SESSION, le=LONGEST_SESSION)
    policy: str | None = None
    external_id: str | None = Field(default=None, repr=False)
    oidc_provider_arn: Arn | None = None
    oidc_token_file: str | None = None
    role_name: str | None = None
    disable_imds_v1: bool = False
    credentials_uri: str | None = Field(default=None, repr=False)
    profile: str | None = None
    profile_file: str | None = None
    network: Literal["public", "vpc"] = "public"
    paiflow_endpoint: Address | None = None
    sts_endpoint: Address | None = None
    metadata_endpoint: Address | None = None

    @field_validator("network", mode="before")
    @classmethod
    def _in_any_case(cls, value: object) -> object:
        return value.strip().lower() if isinstance(value, str) else value

    @field_validator("policy", mode="before")
    @classmethod
    def _as_text(cls, value: object) -> object:
        # Airflow decodes what looks like JSON in the query of a URI.
        return json.dumps(value) if isinstance(value, Mapping) else value

    @field_validator("auth_type", mode="before")
    @classmethod
    def _in_any_spelling(cls, value: object) -> object:
        return _SPELLINGS.get(re.sub(r"[\s_-]", "", value).lower(), value) if isinstance(value, str) else value


@dataclass(frozen=True)
class _Way:
    """One way to sign in.

    :param source: makes the source of its credentials.
    :param needs: fields of the extra that it cannot do without; those of an access key are looked at elsewhere.
    :param takes: other fields of the extra that it uses.
    :param signs: whether it uses the connection's access key.
    """

    source: Callable[[_SignIn], Source[AlibabaCredentials]]
    needs: tuple[str, ...] = ()
    takes: tuple[str, ...] = ()
    signs: bool = False

    @property
    def uses(self) -> set[str]:
        """All fields of the extra that it uses, those of an access key aside."""
        return {*self.needs, *self.takes}


@dataclass(frozen=True)
class _SignIn:
    """What a way to sign in is made of."""

    fields: ConnectionFields
    extra: AlibabaExtra
    ways: Ways
    clock: Clock

    def access_key(self) -> AccessKey:
        """The connection's access key, from login and password or from the extra."""
        title, extra = self.fields.title, self.extra
        login, password = (self.fields.login or "").strip(), (self.fields.password or "").strip()
        if login and extra.access_key_id and login != extra.access_key_id:
            raise ConfigurationError(f"{title} has one access key in login and another as access_key_id; remove one.")
        if password and extra.access_key_secret and password != extra.access_key_secret:
            raise ConfigurationError(
                f"{title} has one secret in password and another as access_key_secret; remove one."
            )
        key, secret = login or extra.access_key_id, password or extra.access_key_secret
        if not key or not secret:
            raise ConfigurationError(
                f"{title} lacks an access key: put the access key id into login and the secret access key into "
                "password, or access_key_id and access_key_secret into its extra, or set auth_type to another way to "
                "sign in, such as bearer with a bearer_token, oidc_role_arn or ecs_ram_role."
            )
        return AccessKey(key, secret, extra.security_token)

    @property
    def has_key(self) -> bool:
        """Whether there is anything of an access key."""
        own = (self.fields.login, self.fields.password, self.extra.access_key_id, self.extra.access_key_secret)
        return any((each or "").strip() for each in own)

    def issued_by(self, issuer: Issuer[AccessKey]) -> Source[AlibabaCredentials]:
        """The keys that somebody issues, shared by all that have an equal issuer."""
        return renewable(issuer, self.clock)


def _key(given: _SignIn) -> Source[AlibabaCredentials]:
    return Fixed(given.access_key())


def _bearer(given: _SignIn) -> Source[AlibabaCredentials]:
    return Fixed(BearerToken(given.extra.bearer_token or ""))


def _ram_role(given: _SignIn) -> Source[AlibabaCredentials]:
    extra = given.extra
    return given.issued_by(
        RamRole(
            given.access_key(),
            extra.role_arn or "",
            extra.role_session_name or SESSION_NAME,
            extra.role_session_expiration or USUAL_SESSION,
            extra.policy,
            extra.external_id,
            given.ways,
        )
    )


def _oidc_role(given: _SignIn) -> Source[AlibabaCredentials]:
    extra = given.extra
    return given.issued_by(
        OidcRole(
            extra.role_arn,
            extra.oidc_provider_arn,
            extra.oidc_token_file,
            extra.role_session_name,
            extra.role_session_expiration or USUAL_SESSION,
            extra.policy,
            given.ways,
        )
    )


def _ecs_role(given: _SignIn) -> Source[AlibabaCredentials]:
    return given.issued_by(EcsRole(given.extra.role_name, given.extra.disable_imds_v1, given.ways.metadata))


def _uri(given: _SignIn) -> Source[AlibabaCredentials]:
    return given.issued_by(CredentialsUri(given.extra.credentials_uri, given.extra.verify))


def _profile(given: _SignIn) -> Source[AlibabaCredentials]:
    return given.issued_by(Profile(given.extra.profile, given.extra.profile_file, given.ways))


def _environment(given: _SignIn) -> Source[AlibabaCredentials]:
    return given.issued_by(Environment(given.ways))


_SESSION = ("role_session_name", "role_session_expiration", "policy")
_WAYS: Mapping[AuthType, _Way] = {
    "ak": _Way(_key, signs=True),
    "sts": _Way(_key, ("security_token",), signs=True),
    "bearer": _Way(_bearer, ("bearer_token",)),
    "ram_role_arn": _Way(_ram_role, ("role_arn",), ("security_token", "external_id", *_SESSION), signs=True),
    "oidc_role_arn": _Way(_oidc_role, takes=("role_arn", "oidc_provider_arn", "oidc_token_file", *_SESSION)),
    "ecs_ram_role": _Way(_ecs_role, takes=("role_name", "disable_imds_v1")),
    "credentials_uri": _Way(_uri, takes=("credentials_uri",)),
    "profile": _Way(_profile, takes=("profile", "profile_file")),
    "default": _Way(_environment),
}
_OF_SOME_WAY = tuple(dict.fromkeys(name for way in _WAYS.values() for name in (*way.needs, *way.takes)))


def source_of(
    fields: ConnectionFields, extra: AlibabaExtra, *, region: str | None, clock: Clock
) -> Source[AlibabaCredentials]:
    """Where a connection's credentials come from. Touches neither network nor files.

    :param region: where STS is asked, unless the extra names its address.
    :raises ConfigurationError: if something is missing, or is there that the ``auth_type`` has no use for.
    """
    auth_type = extra.auth_type or _told_by_tokens(extra)
    way = _WAYS[auth_type]
    given = _SignIn(fields, extra, _ways(extra, region), clock)
    idle = [name for name in _OF_SOME_WAY if name not in way.uses and getattr(extra, name)]
    if idle:
        raise ConfigurationError(
            f"{fields.title} has {_listed(idle)}, which auth_type {auth_type} has no use for. {_remedy(idle)}"
        )
    # A bearer token may stand beside the key that it came from.
    if given.has_key and not way.signs and auth_type != "bearer":
        raise ConfigurationError(
            f"{fields.title} has an access key, which auth_type {auth_type} has no use for. Remove login, password, "
            "access_key_id and access_key_secret, or set auth_type to ak, sts or ram_role_arn."
        )
    lacking = [name for name in way.needs if not getattr(extra, name)]
    if lacking:
        raise ConfigurationError(f"{fields.title} has auth_type {auth_type} but no {_listed(lacking)} in its extra.")
    return way.source(given)


def _ways(extra: AlibabaExtra, region: str | None) -> Ways:
    network = "-vpc" if extra.network == "vpc" else ""
    return Ways(
        extra.sts_endpoint or (f"https://sts{network}.{region}.aliyuncs.com" if region else STS),
        extra.metadata_endpoint or METADATA,
        replace(extra.connectivity(), timeout=min(extra.timeout, ISSUER.timeout)),
    )


def _told_by_tokens(extra: AlibabaExtra) -> AuthType:
    if extra.bearer_token:
        return "bearer"
    return "sts" if extra.security_token else "ak"


def _remedy(idle: list[str]) -> str:
    """What to do about fields that are of no use."""
    pronoun = "it" if len(idle) == 1 else "them"
    fitting = [name for name, way in _WAYS.items() if way.uses >= set(idle)]
    if not fitting:
        return f"Remove {pronoun}."
    return f"Set auth_type to {' or '.join(fitting)}, or remove {pronoun}."


def _listed(names: list[str]) -> str:
    return " and ".join(names) if len(names) < 3 else f"{', '.join(names[:-1])} and {names[-1]}"
