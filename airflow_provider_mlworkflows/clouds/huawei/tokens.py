"""Tokens of IAM, for a user's password or for the token of somebody whom IAM trusts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from airflow_provider_mlworkflows.clouds.client import Exchange, FileText
from airflow_provider_mlworkflows.clouds.huawei.asking import (
    Asking,
    advising,
    asked,
    project_scope,
    token_request,
)
from airflow_provider_mlworkflows.clouds.replies import Service

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.clock import Clock
    from airflow_provider_mlworkflows.clouds.http import Connectivity
    from airflow_provider_mlworkflows.clouds.huawei.credentials import IamToken
    from airflow_provider_mlworkflows.clouds.issued import Issued

_SIGN_IN_ADVICE = (
    "Check the connection's login, password and domain_name, that its region or project_id is one of the account's, "
    "and that the user may sign in by program; too many wrong passwords lock a user out for a while."
)
_FEDERATION_ADVICE = (
    "Check idp_id and id_token_file in the profile, that the token in the file is current and meant for this identity "
    "provider, and that the region or project_id is one that its users may use."
)


@dataclass(frozen=True, slots=True)
class PasswordTokens:
    """Issues tokens for the password of an IAM user.

    :param iam_endpoint: of IAM.
    :param domain_name: the account of the user.
    :param user_name: the user.
    :param password: its password.
    :param region: whose main project a token is for.
    :param project_id: the project a token is for, if it is known.
    :param connectivity: how to reach IAM; None for the way of the client that needs a token.
    """

    iam_endpoint: str
    domain_name: str
    user_name: str
    password: str = field(repr=False)
    region: str
    project_id: str | None = None
    connectivity: Connectivity | None = None

    def issue(self, clock: Clock) -> Exchange[Issued[IamToken]]:
        """KeystoneCreateUserTokenByPassword.

        :raises AuthenticationError: if user or password are wrong.
        """
        user = {"name": self.user_name, "password": self.password, "domain": {"name": self.domain_name}}
        auth = {
            "identity": {"methods": ["password"], "password": {"user": user}},
            "scope": project_scope(self.project_id, self.region),
        }
        request = token_request(
            "KeystoneCreateUserTokenByPassword", "/v3/auth/tokens", auth, query=(("nocatalog", "true"),)
        )
        iam = Service("IAM", self.iam_endpoint, advising(_SIGN_IN_ADVICE))
        answer = yield from asked(iam, request, Asking(hidden=(self.password,)), clock, self.connectivity)
        return answer.issued(clock.time())


@dataclass(frozen=True, slots=True)
class FederatedTokens:
    """Issues tokens for the token of an identity provider, which is read anew each time.

    :param iam_endpoint: of IAM.
    :param idp_id: the identity provider, as IAM knows it.
    :param id_token_file: where its token is.
    :param region: whose main project a token is for.
    :param project_id: the project a token is for, if it is known.
    :param connectivity: how to reach IAM; None for the way of the client that needs a token.
    """

    iam_endpoint: str
    idp_id: str
    id_token_file: str
    region: str
    project_id: str | None = None
    connectivity: Connectivity | None = None

    def issue(self, clock: Clock) -> Exchange[Issued[IamToken]]:
        """CreateTokenWithIdToken.

        :raises ConfigurationError: if the file cannot be read.
        :raises AuthenticationError: if IAM does not accept what is in it.
        """
        id_token: str = yield FileText(self.id_token_file, "id token file")
        auth = {"id_token": {"id": id_token}, "scope": project_scope(self.project_id, self.region)}
        request = token_request(
            "CreateTokenWithIdToken", "/v3.0/OS-AUTH/id-token/tokens", auth, headers={"X-Idp-Id": self.idp_id}
        )
        iam = Service("IAM", self.iam_endpoint, advising(_FEDERATION_ADVICE))
        answer = yield from asked(iam, request, Asking(hidden=(id_token,)), clock, self.connectivity)
        return answer.issued(clock.time())
