"""Credentials that somebody has left in the environment or in a file, and whichever of all kinds there is."""

from __future__ import annotations

import os
from collections.abc import Mapping
from configparser import ConfigParser, Error
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from airflow_provider_mlworkflows.clouds.client import Exchange, FileText
from airflow_provider_mlworkflows.clouds.huawei.agencies import OidcKeys
from airflow_provider_mlworkflows.clouds.huawei.credentials import AccessKey, checked_project
from airflow_provider_mlworkflows.clouds.huawei.machines import METADATA_ENDPOINT, PodKeys, ServerKeys
from airflow_provider_mlworkflows.clouds.huawei.tokens import FederatedTokens
from airflow_provider_mlworkflows.clouds.issued import Issued, is_somebody_there
from airflow_provider_mlworkflows.exceptions import (
    ConfigurationError,
    CredentialsMissingError,
    MLWorkflowsError,
    TransportError,
)

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.clock import Clock
    from airflow_provider_mlworkflows.clouds.http import Connectivity
    from airflow_provider_mlworkflows.clouds.huawei.credentials import HuaweiCredentials, IamToken
    from airflow_provider_mlworkflows.clouds.issued import Issuer

PROFILE_VARIABLE = "HUAWEICLOUD_SDK_CREDENTIALS_FILE"
DEFAULT_PROFILE = "~/.huaweicloud/credentials"
PROFILE_SECTION = "basic"
PROFILE_LIFETIME = 600.0
"""Seconds after which a profile has been read anew."""
KEY_VARIABLE = "HUAWEICLOUD_SDK_AK"
SECRET_VARIABLE = "HUAWEICLOUD_SDK_SK"  # noqa: S105 - the name of a variable


@dataclass(frozen=True, slots=True)
class EnvironmentKeys:
    """Issues the access key that is in the environment, which is good as long as it is there."""

    def issue(self, clock: Clock) -> Exchange[Issued[AccessKey]]:
        """``HUAWEICLOUD_SDK_AK`` and ``_SK``, with ``_SECURITY_TOKEN`` and ``_PROJECT_ID`` if they are set.

        :raises CredentialsMissingError: if there is no key.
        :raises ConfigurationError: if what should be a project is none.
        """
        yield from ()
        names = ("AK", "SK", "SECURITY_TOKEN", "PROJECT_ID")
        found = {name: os.environ.get(f"HUAWEICLOUD_SDK_{name}", "").strip() for name in names}
        if missing := [f"HUAWEICLOUD_SDK_{name}" for name in names[:2] if not found[name]]:
            raise CredentialsMissingError(
                f"There is no access key in the environment, for {' and '.join(missing)} "
                f"{'are' if len(missing) > 1 else 'is'} not set where the task or the triggerer runs."
            )
        project_id = _checked_project(found["PROJECT_ID"], "HUAWEICLOUD_SDK_PROJECT_ID in the environment")
        key = AccessKey(found["AK"], found["SK"], found["SECURITY_TOKEN"] or None, project_id)
        return Issued(key, clock.time())


@dataclass(frozen=True, slots=True)
class ProfileKeys:
    """Issues what a profile file has: an access key, or a token for that of an identity provider.

    :param file: where the profile is; None for ``HUAWEICLOUD_SDK_CREDENTIALS_FILE`` in the environment, or else
        ``~/.huaweicloud/credentials``.
    :param iam_endpoint: of IAM, if the profile names none.
    :param region: whose main project a token is for.
    :param project_id: the project a token is for, if the connection names one.
    :param connectivity: how to reach IAM; None for the way of the client that needs credentials.
    """

    file: str | None
    iam_endpoint: str
    region: str
    project_id: str | None = None
    connectivity: Connectivity | None = None

    def issue(self, clock: Clock) -> Exchange[Issued[AccessKey] | Issued[IamToken]]:
        """Read the section ``[basic]`` of the file.

        :raises CredentialsMissingError: if there is no such file, or it holds no credentials.
        :raises ConfigurationError: if no sense can be made of it.
        :raises AuthenticationError: if IAM does not accept the identity provider's token.
        """
        path = self.file or os.environ.get(PROFILE_VARIABLE, "").strip() or DEFAULT_PROFILE
        try:
            text: str = yield FileText(path, "profile file")
        except ConfigurationError as error:
            raise CredentialsMissingError(str(error)) from None
        profile = _section(text, path)
        where = f"The profile file {path!r}"
        project_id = _checked_project(profile.get("project_id", ""), f"project_id in the profile file {path!r}")
        if profile.get("ak") and profile.get("sk"):
            key = AccessKey(profile["ak"], profile["sk"], profile.get("security_token") or None, project_id)
            now = clock.time()
            return Issued(key, now, now + PROFILE_LIFETIME)
        if profile.get("idp_id") and profile.get("id_token_file"):
            if not (self.project_id or project_id or self.region):
                raise ConfigurationError(f"{where} has an idp_id, which needs a project_id there or a region.")
            tokens = FederatedTokens(
                profile.get("iam_endpoint") or self.iam_endpoint,
                profile["idp_id"],
                profile["id_token_file"],
                self.region,
                self.project_id or project_id,
                self.connectivity,
            )
            return (yield from tokens.issue(clock))
        raise CredentialsMissingError(
            f"{where} has neither ak and sk nor idp_id and id_token_file in its section [{PROFILE_SECTION}]."
        )


def _section(text: str, path: str) -> Mapping[str, str]:
    parser = ConfigParser(interpolation=None, default_section="")
    try:
        parser.read_string(text)
    except Error:
        # What it says quotes the line that it does not understand.
        raise ConfigurationError(
            f"The profile file {path!r} is not in the form of an INI file: [section], and below it name = value."
        ) from None
    if not parser.has_section(PROFILE_SECTION):
        raise CredentialsMissingError(f"The profile file {path!r} has no section [{PROFILE_SECTION}].")
    return {name: value.strip() for name, value in parser.items(PROFILE_SECTION)}


def _checked_project(value: str, where: str) -> str | None:
    try:
        return checked_project(value) if value else None
    except ValueError as error:
        raise ConfigurationError(f"The {where} {error}.") from None


@dataclass(frozen=True, slots=True)
class ChainKeys:
    """Issues whatever credentials there are, looked for in the vendor's order.

    What is not there is passed over: variables that are not set, a file that does not exist or holds no credentials,
    an address without a metadata service. What is there and fails is not: another identity in its place would do what
    nobody wanted. The kind that was found is kept to as long as it is there.

    :param iam_endpoint: of IAM.
    :param sts_endpoint: of STS; "" if it is not known.
    :param region: whose main project a token is for; "" if it is not known.
    :param project_id: the project a token is for, if the connection names one.
    :param profile_file: as `ProfileKeys` takes it.
    :param metadata_endpoint: of the metadata service.
    :param connectivity: how to reach IAM and STS; None for the way of the client that needs credentials.
    """

    iam_endpoint: str
    sts_endpoint: str
    region: str
    project_id: str | None = None
    profile_file: str | None = None
    metadata_endpoint: str = METADATA_ENDPOINT
    connectivity: Connectivity | None = None
    _found: list[str] = field(default_factory=list, init=False, repr=False, compare=False)

    @property
    def _kinds(self) -> Mapping[str, Issuer[HuaweiCredentials]]:
        kinds: dict[str, Issuer[HuaweiCredentials]] = {
            "OIDC": OidcKeys(self.sts_endpoint, connectivity=self.connectivity),
            "environment keys": EnvironmentKeys(),
            "profile": ProfileKeys(
                self.profile_file, self.iam_endpoint, self.region, self.project_id, self.connectivity
            ),
            "metadata": ServerKeys(self.metadata_endpoint, attempts=1),
            "pod identity": PodKeys(),
        }
        return kinds

    def issue(self, clock: Clock) -> Exchange[Issued[HuaweiCredentials]]:
        """Ask the kind that was found, or look for one.

        :raises ConfigurationError: if there is none; tells of each why it is not usable.
        :raises TransportError: the same, if there is a metadata service that fails just now.
        :raises MLWorkflowsError: if there is one, and it fails.
        """
        kinds = self._kinds
        for name in self._found:
            try:
                return (yield from kinds[name].issue(clock))
            except CredentialsMissingError:
                self._found.clear()
                break
        reasons: list[str] = []
        may_come = False
        for name, kind in kinds.items():
            try:
                issued = yield from kind.issue(clock)
            except MLWorkflowsError as error:
                if name != "metadata" and not isinstance(error, CredentialsMissingError):
                    raise
                may_come = may_come or is_somebody_there(error)
                reasons.append(f"{name}: {error}")
                continue
            self._found[:] = [name]
            return issued
        told = f"No credentials were found. Looked for: {' '.join(reasons)} Provide one of these, or name a connection."
        raise TransportError(told, may_have_taken_effect=False) if may_come else ConfigurationError(told)
