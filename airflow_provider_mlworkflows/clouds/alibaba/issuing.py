"""What all issuers of temporary access keys have in common: how to reach them, what they answer, what failure means."""

from __future__ import annotations

import math
import os
import re
from dataclasses import dataclass, field
from datetime import UTC
from typing import TYPE_CHECKING, TypeVar

from pydantic import BaseModel, ConfigDict, Field, field_validator

from airflow_provider_mlworkflows.clouds.alibaba.credentials import AccessKey, AlibabaIdentity
from airflow_provider_mlworkflows.clouds.client import Patience
from airflow_provider_mlworkflows.clouds.issued import ISSUER, Issued
from airflow_provider_mlworkflows.clouds.secrecy import without_secrets
from airflow_provider_mlworkflows.clouds.values import time_in

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_mlworkflows.clock import Clock
    from airflow_provider_mlworkflows.clouds.client import Exchange
    from airflow_provider_mlworkflows.clouds.http import Connectivity, WireRequest

T = TypeVar("T")

STS = "https://sts.aliyuncs.com"
METADATA = "http://100.100.100.200"
PATIENCE = Patience(attempts=3)
"""How a failure to get any begins."""
PREFIX = "ALIBABA_CLOUD_"

_NAMED_SECRET = re.compile(
    r"""((?:access_?key_?id|access_?key_?secret|security_?token|sts_?token|oidc_?token)  # its name
    [\\"']{0,6}\s*[:=>]\s*[\\"']{0,6})  # what is between, in JSON, in JSON as text, in XML and in forms
    [^\s"'\\<>&,}]+""",
    re.IGNORECASE | re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Ways:
    """How to reach whoever issues credentials.

    :param sts: scheme and host of STS.
    :param metadata: the same of the metadata service.
    :param connectivity: how to reach STS; the metadata service is always reached directly.
    """

    sts: str = STS
    metadata: str = METADATA
    connectivity: Connectivity = ISSUER


USUAL_WAYS = Ways()


class KeyReply(BaseModel):
    """A temporary access key as issuers answer with it."""

    model_config = ConfigDict(hide_input_in_errors=True)

    access_key_id: str = Field(alias="AccessKeyId", min_length=1, repr=False)
    access_key_secret: str = Field(alias="AccessKeySecret", min_length=1, repr=False)
    security_token: str = Field(alias="SecurityToken", min_length=1, repr=False)
    expiration: float = Field(alias="Expiration")

    @field_validator("expiration", mode="before")
    @classmethod
    def _as_seconds(cls, value: object) -> float:
        """Seconds since the epoch."""
        time = time_in(UTC, value)
        if time is None:
            raise ValueError("it is not a point in time")
        return time.timestamp()

    def issued(self, clock: Clock) -> Issued[AccessKey]:
        """The key and the time it is good for."""
        key = AccessKey(self.access_key_id, self.access_key_secret, self.security_token)
        return Issued(key, clock.time(), self.expiration)


@dataclass(frozen=True, slots=True)
class Anonymous:
    """Whoever asks without a signature, perhaps with a token of another kind.

    :param secrets: what is sent and must not show.
    """

    secrets: tuple[str, ...] = field(default=(), repr=False)

    @property
    def path_params(self) -> Mapping[str, str]:
        """None."""
        return {}

    @property
    def name(self) -> str:
        """What to call it in front of people."""
        return "whoever asks for credentials"

    def sign(self, request: WireRequest, now: float) -> WireRequest:
        """The request as it is."""
        return request

    def redact(self, text: str) -> str:
        """The text without what was sent in secret and without keys and tokens that a reply names."""
        return without_named_secrets(without_secrets(text, self.secrets))


class Holder(AlibabaIdentity):
    """Whoever asks with an access key for another one."""

    def redact(self, text: str) -> str:
        """The text without the key that signs and without keys and tokens that a reply names."""
        return without_named_secrets(super().redact(text))


def without_named_secrets(text: str) -> str:
    """The text with every value masked whose name says that it is part of an access key."""
    return _NAMED_SECRET.sub(r"\1***", text)


def variable(name: str) -> str | None:
    """What ``ALIBABA_CLOUD_<name>`` of the environment is now; None if it is unset or blank."""
    return os.environ.get(PREFIX + name, "").strip() or None


def is_switched_on(name: str) -> bool:
    """Whether ``ALIBABA_CLOUD_<name>`` of the environment is true."""
    return (variable(name) or "").lower() in {"true", "1", "yes"}


@dataclass(frozen=True, slots=True)
class Given:
    """Issues a key that somebody has given once and for all.

    :param key: the key.
    :param seconds: how long it may be used before it is looked for again; for ever if infinite.
    """

    key: AccessKey
    seconds: float = math.inf

    def issue(self, clock: Clock) -> Exchange[Issued[AccessKey]]:
        """The key."""
        yield from ()
        now = clock.time()
        return Issued(self.key, now, now + self.seconds)
