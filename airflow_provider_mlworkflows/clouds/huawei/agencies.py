"""Temporary keys of an agency, for whoever it trusts: another user, or the token of an identity provider."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_mlworkflows.clouds.client import Exchange, FileText
from airflow_provider_mlworkflows.clouds.huawei.asking import KEY_LIFETIME, Asking, advising, asked
from airflow_provider_mlworkflows.clouds.huawei.credentials import AccessKey, IamToken
from airflow_provider_mlworkflows.clouds.huawei.temporary_keys import TemporaryKey
from airflow_provider_mlworkflows.clouds.issued import Fixed, renewable, used
from airflow_provider_mlworkflows.clouds.operation import Request
from airflow_provider_mlworkflows.clouds.replies import Service
from airflow_provider_mlworkflows.exceptions import ConfigurationError, CredentialsMissingError

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.clock import Clock
    from airflow_provider_mlworkflows.clouds.http import Connectivity
    from airflow_provider_mlworkflows.clouds.huawei.credentials import HuaweiCredentials
    from airflow_provider_mlworkflows.clouds.issued import Issued, Issuer, Source

PROVIDER_URN_VARIABLE = "HUAWEICLOUD_OIDC_PROVIDER_URN"
AGENCY_URN_VARIABLE = "HUAWEICLOUD_OIDC_AGENCY_URN"
SESSION_NAME_VARIABLE = "HUAWEICLOUD_OIDC_SESSION_NAME"
TOKEN_FILE_VARIABLE = "HUAWEICLOUD_OIDC_TOKEN_FILE"  # noqa: S105 - the name of a variable
DEFAULT_SESSION_NAME = "airflow"

_AGENCY_ADVICE = (
    "Check the connection's agency_name, that agency_domain_name is the account that owns the agency, that the agency "
    "trusts the account of the connection's key or token, and that its user has the Agent Operator permission."
)
_OIDC_ADVICE = (
    "Check provider_urn and agency_urn, that the agency trusts this identity provider, and that the token in the token "
    "file is current and meant for it."
)


@dataclass(frozen=True, slots=True)
class AgencyKeys:
    """Issues temporary keys of an agency.

    :param iam_endpoint: of IAM.
    :param base: the key or token of a user that the agency trusts, or whoever issues these.
    :param agency_name: the agency.
    :param agency_domain_name: the account that owns it; None for the user's own.
    :param duration: seconds that a key is good for, 900 to 86400.
    :param connectivity: how to reach IAM; None for the way of the client that needs a key.
    """

    iam_endpoint: str
    base: HuaweiCredentials | Issuer[HuaweiCredentials]
    agency_name: str
    agency_domain_name: str | None = None
    duration: int = KEY_LIFETIME
    connectivity: Connectivity | None = None

    def issue(self, clock: Clock) -> Exchange[Issued[AccessKey]]:
        """CreateTemporaryAccessKeyByAgency.

        :raises AuthenticationError: if the key or token is not accepted.
        :raises PermissionDeniedError: if its user may not act as the agency.
        """
        role: dict[str, str | int] = {"agency_name": self.agency_name, "duration_seconds": self.duration}
        if self.agency_domain_name:
            role["domain_name"] = self.agency_domain_name
        request = Request(
            "CreateTemporaryAccessKeyByAgency",
            "POST",
            "/v3.0/OS-CREDENTIAL/securitytokens",
            TemporaryKey,
            body={"auth": {"identity": {"methods": ["assume_role"], "assume_role": role}}},
            safe_to_repeat=True,
        )
        iam = Service("IAM", self.iam_endpoint, advising(_AGENCY_ADVICE))

        def ask(credentials: HuaweiCredentials) -> Exchange[TemporaryKey]:
            return asked(iam, request, Asking(credentials), clock, self.connectivity)

        answer = yield from used(self._source(clock), ask)
        return answer.issued(clock.time())

    def _source(self, clock: Clock) -> Source[HuaweiCredentials]:
        return Fixed(self.base) if isinstance(self.base, AccessKey | IamToken) else renewable(self.base, clock)


@dataclass(frozen=True, slots=True)
class OidcKeys:
    """Issues temporary keys of an agency for the token of an identity provider, which is read anew each time.

    What is None is looked for in the environment, at each time.

    :param sts_endpoint: of STS; "" if it is not known.
    :param provider_urn: the identity provider, as IAM knows it; ``HUAWEICLOUD_OIDC_PROVIDER_URN``.
    :param agency_urn: the agency; ``HUAWEICLOUD_OIDC_AGENCY_URN``.
    :param session_name: shows in audit logs; ``HUAWEICLOUD_OIDC_SESSION_NAME``, or else ``airflow``.
    :param token_file: where the token is; ``HUAWEICLOUD_OIDC_TOKEN_FILE``.
    :param duration: seconds that a key is good for, 900 to 43200.
    :param connectivity: how to reach STS; None for the way of the client that needs a key.
    """

    sts_endpoint: str
    provider_urn: str | None = None
    agency_urn: str | None = None
    session_name: str | None = None
    token_file: str | None = None
    duration: int = KEY_LIFETIME
    connectivity: Connectivity | None = None

    def issue(self, clock: Clock) -> Exchange[Issued[AccessKey]]:
        """AssumeAgencyWithOIDC, which needs no signature.

        :raises CredentialsMissingError: if something is neither given nor in the environment.
        :raises ConfigurationError: if the file cannot be read.
        :raises AuthenticationError: if STS does not accept what is in it.
        """
        needed = {
            "provider_urn": self.provider_urn or _variable(PROVIDER_URN_VARIABLE),
            "agency_urn": self.agency_urn or _variable(AGENCY_URN_VARIABLE),
            "token_file": self.token_file or _variable(TOKEN_FILE_VARIABLE),
        }
        if missing := [name for name, value in needed.items() if not value]:
            variables = [f"HUAWEICLOUD_OIDC_{name.upper()}" for name in missing]
            raise CredentialsMissingError(
                f"To sign in with OIDC, {', '.join(missing)} must be in the connection's extra, or "
                f"{', '.join(variables)} in the environment of whoever runs the task and of the triggerer."
            )
        if not self.sts_endpoint:
            raise ConfigurationError("To sign in with OIDC, region or sts_endpoint must be in the connection's extra.")
        id_token: str = yield FileText(needed["token_file"], "token file")
        request = Request(
            "AssumeAgencyWithOIDC",
            "POST",
            "/v5/agencies/assume-with-oidc",
            TemporaryKey,
            body={
                "provider_urn": needed["provider_urn"],
                "agency_urn": needed["agency_urn"],
                "agency_session_name": self.session_name or _variable(SESSION_NAME_VARIABLE) or DEFAULT_SESSION_NAME,
                "id_token": id_token,
                "duration_seconds": self.duration,
            },
            safe_to_repeat=True,
        )
        sts = Service("STS", self.sts_endpoint, advising(_OIDC_ADVICE))
        answer = yield from asked(sts, request, Asking(hidden=(id_token,)), clock, self.connectivity)
        return answer.issued(clock.time())


def _variable(name: str) -> str:
    return os.environ.get(name, "").strip()
