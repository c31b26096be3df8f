"""The ways to sign in to Alibaba Cloud, each set up against the emulator."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_mlworkflows.emulator.alibaba.metadata import URI_PATH
from airflow_provider_mlworkflows.emulator.alibaba.ram import OIDC_TOKEN, PROVIDER_ARN, ROLE_ARN
from airflow_provider_mlworkflows.emulator.credentials import ACCESS_KEY, SECRET_KEY

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from airflow_provider_mlworkflows.emulator import Emulator

KEY: Mapping[str, Any] = {"login": ACCESS_KEY, "password": SECRET_KEY}
NO_KEY: Mapping[str, Any] = {"login": None, "password": None}
ROLE = {"ROLE_ARN": ROLE_ARN, "OIDC_PROVIDER_ARN": PROVIDER_ARN}


@dataclass(frozen=True)
class Surroundings:
    """What a worker finds around it: the emulator, a home directory and environment variables."""

    emulator: Emulator
    home: Path
    patch: pytest.MonkeyPatch

    def set(self, **variables: str) -> None:
        """Set variables of Alibaba Cloud, named without their prefix."""
        for name, value in variables.items():
            self.patch.setenv(f"ALIBABA_CLOUD_{name}", value)

    def file(self, path: str, text: str) -> str:
        """Write a file below the home directory; returns its whole path."""
        file = self.home / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        return str(file)

    @property
    def token_file(self) -> str:
        """A file with the emulator's OIDC token."""
        return self.file("oidc/token", f"{OIDC_TOKEN}\n")

    @property
    def uri(self) -> str:
        """An address at which keys are handed out."""
        return f"{self.emulator.url}{URI_PATH}"


Fields = Mapping[str, Any]
"""Of a connection: login, password, and what the extra has beside region, workspace and addresses."""


@dataclass(frozen=True)
class SignIn:
    """A way to sign in.

    Attributes:
        fields: Sets up what it needs around the worker, and returns the fields of a connection for it.
        issued_by: The operation that issues keys; "" if the connection has its credentials itself.
    """

    fields: Callable[[Surroundings], Fields]
    issued_by: str = ""


def _sts(around: Surroundings) -> Fields:
    ends = around.emulator.clock.now() + timedelta(hours=12)
    key = around.emulator.credentials.add_temporary_key("airflow", ends)
    return {"login": key.ak, "password": key.sk, "auth_type": "STS", "security_token": key.security_token}


def _bearer(around: Surroundings) -> Fields:
    return {**NO_KEY, "auth_type": "bearer", "bearer_token": around.emulator.credentials.add_token().text}


def _ram_role(around: Surroundings) -> Fields:
    return {**KEY, "auth_type": "RAM_ROLE_ARN", "role_arn": ROLE_ARN, "role_session_expiration": 900}


def _oidc(around: Surroundings) -> Fields:
    told = {"role_arn": ROLE_ARN, "oidc_provider_arn": PROVIDER_ARN, "oidc_token_file": around.token_file}
    return {**NO_KEY, "auth_type": "oidc_role_arn", **told}


def _ini_profile(around: Surroundings) -> Fields:
    fields = {"type": "ram_role_arn", "access_key_id": ACCESS_KEY, "access_key_secret": SECRET_KEY}
    fields |= {"role_arn": ROLE_ARN, "role_session_name": "airflow"}
    lines = "\n".join(f"{name} = {value}" for name, value in fields.items())
    file = around.file("profiles.ini", f"[default]\nenable = true\ntype = access_key\n\n[team]\n{lines}\n")
    return {**NO_KEY, "auth_type": "profile", "profile": "team", "profile_file": file}


def _command_line_profile(around: Surroundings) -> Fields:
    profiles = [{"name": "pod", "mode": "EcsRamRole", "ram_role_name": "mlworkflows"}]
    around.file(".aliyun/config.json", json.dumps({"current": "pod", "profiles": profiles}))
    return {**NO_KEY, "auth_type": "profile"}


def _default(**variables: str) -> Callable[[Surroundings], Fields]:
    def found(around: Surroundings) -> Fields:
        around.set(**variables)
        return {**NO_KEY, "auth_type": "default"}

    return found


def _default_oidc(around: Surroundings) -> Fields:
    return _default(**ROLE, OIDC_TOKEN_FILE=around.token_file)(around)


def _default_uri(around: Surroundings) -> Fields:
    return _default(ECS_METADATA_DISABLED="true", CREDENTIALS_URI=around.uri)(around)


ALIBABA: Mapping[str, SignIn] = {
    "ak": SignIn(lambda around: KEY),
    "sts": SignIn(_sts),
    "bearer": SignIn(_bearer),
    "ram_role_arn": SignIn(_ram_role, "AssumeRole"),
    "oidc_role_arn": SignIn(_oidc, "AssumeRoleWithOIDC"),
    "ecs_ram_role": SignIn(lambda around: {**NO_KEY, "auth_type": "ecs_ram_role"}, "GetRoleCredentials"),
    "credentials_uri": SignIn(
        lambda around: {**NO_KEY, "auth_type": "credentials_uri", "credentials_uri": around.uri},
        "GetCredentialsFromUri",
    ),
    "profile, ini": SignIn(_ini_profile, "AssumeRole"),
    "profile, command line": SignIn(_command_line_profile, "GetRoleCredentials"),
    "default, key": SignIn(_default(ACCESS_KEY_ID=ACCESS_KEY, ACCESS_KEY_SECRET=SECRET_KEY)),
    "default, oidc": SignIn(_default_oidc, "AssumeRoleWithOIDC"),
    "default, ecs": SignIn(_default(), "GetRoleCredentials"),
    "default, uri": SignIn(_default_uri, "GetCredentialsFromUri"),
}
ISSUED = {name: way for name, way in ALIBABA.items() if way.issued_by}
