"""Credentials that a file of Alibaba Cloud's tools describes: their INI file, or the command line's JSON file."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from configparser import Error as IniError
from configparser import RawConfigParser
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_mlworkflows.clouds.alibaba.credentials import AccessKey
from airflow_provider_mlworkflows.clouds.alibaba.issuing import PREFIX, USUAL_WAYS, Given, Ways, variable
from airflow_provider_mlworkflows.clouds.alibaba.metadata import EcsRole
from airflow_provider_mlworkflows.clouds.alibaba.roles import (
    SESSION_NAME,
    SHORTEST_SESSION,
    USUAL_SESSION,
    OidcRole,
    RamRole,
)
from airflow_provider_mlworkflows.clouds.client import FileText
from airflow_provider_mlworkflows.clouds.issued import NONE
from airflow_provider_mlworkflows.exceptions import ConfigurationError, CredentialsMissingError

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.clock import Clock
    from airflow_provider_mlworkflows.clouds.client import Exchange
    from airflow_provider_mlworkflows.clouds.issued import Issued, Issuer

INI_FILE = "~/.alibabacloud/credentials.ini"
JSON_FILE = "~/.aliyun/config.json"
FIRST_PROFILE = "default"
PROFILE_SECONDS = 600.0
"""Seconds after which a profile that holds a key has been read anew."""

_KINDS: Mapping[str, str] = {
    "access_key": "key",
    "AK": "key",
    "StsToken": "temporary key",
    "ram_role_arn": "role",
    "RamRoleArn": "role",
    "oidc_role_arn": "oidc",
    "OIDC": "oidc",
    "ecs_ram_role": "ecs",
    "EcsRamRole": "ecs",
}
_JSON_NAMES: Mapping[str, str] = {
    "sts_token": "security_token",
    "ram_role_arn": "role_arn",
    "ram_session_name": "role_session_name",
    "expired_seconds": "role_session_expiration",
    "ram_role_name": "role_name",
}
_INI_NAMES: Mapping[str, str] = {"oidc_token_file_path": "oidc_token_file"}


@dataclass(frozen=True, slots=True)
class Profile:
    """A profile of one of the files that Alibaba Cloud's tools keep; read anew each time.

    :param name: falls back to ``ALIBABA_CLOUD_PROFILE``, then to the file's own choice, then to ``default``.
    :param file: falls back to ``ALIBABA_CLOUD_CREDENTIALS_FILE``, then to ``~/.alibabacloud/credentials.ini`` and to
        ``~/.aliyun/config.json``, whichever is there.
    :param ways: how to reach whoever the profile refers to.
    """

    name: str | None = None
    file: str | None = None
    ways: Ways = USUAL_WAYS

    def issue(self, clock: Clock) -> Exchange[Issued[AccessKey]]:
        """What the profile holds, or what whoever it refers to issues.

        :raises AuthenticationError: if they refuse.
        :raises CredentialsMissingError: if there is no such file or profile, or it has no credentials of a known kind.
        :raises ConfigurationError: if no sense can be made of it, or whoever it refers to knows nothing of it.
        :raises TransportError: if they do not answer.
        """
        given = self.file or variable("CREDENTIALS_FILE")
        missing = []
        for path in (given,) if given else (INI_FILE, JSON_FILE):
            try:
                text = yield FileText(path, "profile file")
            except ConfigurationError as error:
                missing.append(str(error))
                continue
            described = _Described.of(path, text, self.name or variable("PROFILE"))
            return (yield from described.issuer(self.ways).issue(clock))
        raise CredentialsMissingError(f"{NONE}{' '.join(missing)} Set profile_file or {PREFIX}CREDENTIALS_FILE.")


@dataclass(frozen=True, slots=True)
class _Described:
    """A profile as its file describes it, with the fields named alike for both kinds of file."""

    where: str
    kind: str
    fields: Mapping[str, str] = field(repr=False)

    @classmethod
    def of(cls, path: str, text: str, name: str | None) -> _Described:
        read = _read_json if text.startswith("{") else _read_ini
        return read(f"The profile file {path!r}", text, name)

    def issuer(self, ways: Ways) -> Issuer[AccessKey]:
        """Whoever issues what the profile promises."""
        match _KINDS.get(self.kind):
            case "key":
                return Given(self._key(), PROFILE_SECONDS)
            case "temporary key":
                self._need("security_token")
                return Given(self._key(), PROFILE_SECONDS)
            case "role":
                return RamRole(
                    self._key(),
                    self._need("role_arn"),
                    self.fields.get("role_session_name") or SESSION_NAME,
                    self._seconds(),
                    self.fields.get("policy"),
                    self.fields.get("external_id"),
                    ways,
                )
            case "oidc":
                return OidcRole(
                    self._need("role_arn"),
                    self._need("oidc_provider_arn"),
                    self._need("oidc_token_file"),
                    self.fields.get("role_session_name"),
                    self._seconds(),
                    self.fields.get("policy"),
                    ways,
                )
            case "ecs":
                return EcsRole(self.fields.get("role_name"), endpoint=ways.metadata)
        raise CredentialsMissingError(
            f"{self.where} is of type {self.kind or 'none'!r}, which is not supported. Use another profile; supported "
            f"are {', '.join(_KINDS)}."
        )

    def _key(self) -> AccessKey:
        token = self.fields.get("security_token")
        return AccessKey(self._need("access_key_id"), self._need("access_key_secret"), token)

    def _need(self, name: str) -> str:
        value = self.fields.get(name)
        if value is None:
            raise CredentialsMissingError(
                f"{self.where} is of type {self.kind}, but has no {_spelled(name, self.kind)}."
            )
        return value

    def _seconds(self) -> int:
        text = self.fields.get("role_session_expiration", "0")
        seconds = int(text) if text.isascii() and text.isdigit() else -1
        if seconds == 0:
            return USUAL_SESSION
        if seconds < SHORTEST_SESSION:
            name = _spelled("role_session_expiration", self.kind)
            raise ConfigurationError(f"{self.where}: {name} must be a number of seconds, {SHORTEST_SESSION} at least.")
        return seconds


def _spelled(name: str, kind: str) -> str:
    """A field's name as files spell it in which profiles are of such a kind."""
    names = _INI_NAMES if kind.islower() else _JSON_NAMES
    return next((spelled for spelled, common in names.items() if common == name), name)


def _read_ini(file: str, text: str, name: str | None) -> _Described:
    parser = RawConfigParser(default_section="", strict=False)
    try:
        parser.read_string(text)
    except IniError:
        # What it says quotes the line it stumbled over.
        raise ConfigurationError(f"{file} cannot be read: it is neither INI nor JSON.") from None
    name = name or FIRST_PROFILE
    if not parser.has_section(name):
        raise _no_profile(file, name, parser.sections())
    section = dict(parser.items(name))
    if section.get("enable", "").strip().lower() == "false":
        raise CredentialsMissingError(f"{file} has a profile {name!r}, but it is not enabled.")
    return _described(file, name, section.pop("type", ""), section, _INI_NAMES)


def _read_json(file: str, text: str, name: str | None) -> _Described:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        raise ConfigurationError(f"{file} cannot be read: it is not JSON.") from None
    profiles = {str(each.get("name")): each for each in _objects(content.get("profiles"))}
    name = name or str(content.get("current") or FIRST_PROFILE)
    if name not in profiles:
        raise _no_profile(file, name, list(profiles))
    return _described(file, name, str(profiles[name].get("mode") or ""), profiles[name], _JSON_NAMES)


def _objects(value: Any) -> Iterator[Mapping[str, Any]]:
    return (each for each in value if isinstance(each, dict)) if isinstance(value, list) else iter(())


def _described(file: str, name: str, kind: str, fields: Mapping[str, Any], names: Mapping[str, str]) -> _Described:
    texts = {names.get(key, key): str(value).strip() for key, value in fields.items() if value is not None}
    kept = {key: text for key, text in texts.items() if text}
    return _Described(f"{file}, profile {name!r},", kind.strip(), kept)


def _no_profile(file: str, name: str, others: list[str]) -> CredentialsMissingError:
    there = f"it has {', '.join(others)}" if others else "it has none"
    return CredentialsMissingError(f"{file} has no profile {name!r}; {there}. Set profile or {PREFIX}PROFILE.")
