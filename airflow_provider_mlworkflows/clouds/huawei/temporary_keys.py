"""Temporary access keys, in the two ways that Huawei Cloud writes them."""

from __future__ import annotations

from datetime import UTC
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, Field, model_validator

from airflow_provider_mlworkflows.clouds.huawei.credentials import AccessKey
from airflow_provider_mlworkflows.clouds.issued import Issued
from airflow_provider_mlworkflows.clouds.values import time_in


def _epoch(value: object) -> float:
    time = time_in(UTC, value)
    if time is None:
        raise ValueError("it is no time")
    return time.timestamp()


Epoch = Annotated[float, BeforeValidator(_epoch)]
"""Seconds since the epoch, from any of the services' ways to write a time."""


_STS_NAMES = {
    "access_key_id": "access",
    "secret_access_key": "secret",
    "security_token": "securitytoken",
    "expiration": "expires_at",
    "credentials": "credential",
}


def _renamed(value: object) -> object:
    return {_STS_NAMES.get(name, name): each for name, each in value.items()} if isinstance(value, dict) else value


class Key(BaseModel):
    """A temporary key, by IAM's names or by those of STS."""

    access: str = Field(min_length=1, repr=False)
    secret: str = Field(min_length=1, repr=False)
    securitytoken: str = Field(min_length=1, repr=False)
    expires_at: Epoch

    _by_one_name = model_validator(mode="before")(_renamed)


def _in_place(value: object) -> object:
    renamed = _renamed(value)
    if isinstance(renamed, dict) and "credential" not in renamed and "access" in renamed:
        return {"credential": renamed}
    return renamed


class TemporaryKey(BaseModel):
    """An answer with a temporary key, which may stand in it by itself."""

    credential: Key

    _by_one_name = model_validator(mode="before")(_in_place)

    def issued(self, now: float) -> Issued[AccessKey]:
        """The key, as got now."""
        got = self.credential
        return Issued(AccessKey(got.access, got.secret, got.securitytoken), now, got.expires_at)
