"""Whatever credentials this process finds around it, looked for in the order in which Alibaba Cloud's tools do."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from airflow_provider_mlworkflows.clouds.alibaba.credentials import AccessKey
from airflow_provider_mlworkflows.clouds.alibaba.issuing import (
    PREFIX,
    USUAL_WAYS,
    Given,
    Ways,
    is_switched_on,
    variable,
)
from airflow_provider_mlworkflows.clouds.alibaba.metadata import CredentialsUri, EcsRole
from airflow_provider_mlworkflows.clouds.alibaba.profiles import INI_FILE, JSON_FILE, Profile
from airflow_provider_mlworkflows.clouds.alibaba.roles import OidcRole
from airflow_provider_mlworkflows.clouds.issued import NONE, is_somebody_there
from airflow_provider_mlworkflows.exceptions import (
    ConfigurationError,
    CredentialsMissingError,
    MLWorkflowsError,
    TransportError,
)

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.clock import Clock
    from airflow_provider_mlworkflows.clouds.client import Exchange
    from airflow_provider_mlworkflows.clouds.issued import Issued, Issuer

log = logging.getLogger(__name__)

ECS = "ECS role"


@dataclass(frozen=True, slots=True)
class EnvironmentKey:
    """The access key in ``ALIBABA_CLOUD_ACCESS_KEY_ID`` and ``_SECRET``, with ``ALIBABA_CLOUD_SECURITY_TOKEN``."""

    def issue(self, clock: Clock) -> Exchange[Issued[AccessKey]]:
        """The key as it is now.

        :raises CredentialsMissingError: if there is none.
        """
        key, secret = variable("ACCESS_KEY_ID"), variable("ACCESS_KEY_SECRET")
        if key is None or secret is None:
            unset = [name for name in ("ACCESS_KEY_ID", "ACCESS_KEY_SECRET") if variable(name) is None]
            raise CredentialsMissingError(f"{' and '.join(PREFIX + name for name in unset)} not set.")
        return (yield from Given(AccessKey(key, secret, variable("SECURITY_TOKEN"))).issue(clock))


@dataclass(frozen=True, slots=True)
class Off:
    """Stands for whoever is not to be asked.

    :param reason: why.
    """

    reason: str

    def issue(self, clock: Clock) -> Exchange[Issued[AccessKey]]:
        """Nothing.

        :raises CredentialsMissingError: always.
        """
        yield from ()
        raise CredentialsMissingError(self.reason)


class _Place(NamedTuple):
    """Somewhere to look for credentials."""

    title: str
    issuer: Issuer[AccessKey]


@dataclass(frozen=True, slots=True)
class Environment:
    """Whatever credentials there are: of the first place that has any, which is asked alone from then on.

    A place that is not set up is passed over. One that is, but is refused or does not answer, is not: otherwise a
    broken connection would make the calls somebody else's. Whether there is an ECS metadata service shows only in
    whether it answers.

    :param ways: how to reach whoever issues credentials.
    """

    ways: Ways = USUAL_WAYS
    _found: list[_Place] = field(default_factory=list, compare=False, repr=False)

    def issue(self, clock: Clock) -> Exchange[Issued[AccessKey]]:
        """Look for credentials.

        :raises AuthenticationError: if a place that is set up is refused.
        :raises ConfigurationError: if there are none anywhere, which says where they were looked for, or if a place
            that is set up cannot be used.
        :raises TransportError: if a place that is set up does not answer, or there are none anywhere and a metadata
            service that fails just now.
        """
        for place in tuple(self._found):
            try:
                return (yield from place.issuer.issue(clock))
            except CredentialsMissingError as error:
                log.info("Credentials do not come from the %s any more: %s", place.title, error)
                self._found.clear()
        passed = []
        may_come = False
        for place in self._places():
            issuer = place.issuer
            try:
                issued = yield from (issuer.ask(clock) if isinstance(issuer, EcsRole) else issuer.issue(clock))
            except MLWorkflowsError as error:
                if place.title != ECS and not isinstance(error, CredentialsMissingError):
                    raise
                may_come = may_come or is_somebody_there(error)
                passed.append(f"{place.title}: {str(error).removeprefix(NONE)}")
            else:
                log.info("Credentials come from the %s.", place.title)
                self._found[:] = [place]
                return issued
        told = "There are no Alibaba Cloud credentials in the environment. Looked for, in this order: " + " ".join(
            f"({number}) {each}" for number, each in enumerate(passed, 1)
        )
        raise TransportError(told, may_have_taken_effect=False) if may_come else ConfigurationError(told)

    def _places(self) -> Iterator[_Place]:
        yield _Place("access key", EnvironmentKey())
        yield _Place("OIDC token", OidcRole(ways=self.ways) if _has_oidc() else Off(_OIDC_UNSET))
        disabled = is_switched_on("CLI_PROFILE_DISABLED")
        command_line = Profile(file=JSON_FILE, ways=self.ways)
        yield _Place(
            "command line's profile", Off(f"{PREFIX}CLI_PROFILE_DISABLED is true.") if disabled else command_line
        )
        yield _Place("profile", Profile(file=variable("CREDENTIALS_FILE") or INI_FILE, ways=self.ways))
        ecs_role = EcsRole(endpoint=self.ways.metadata, attempts=1)
        yield _Place(ECS, _unless("ECS_METADATA_DISABLED", ecs_role))
        yield _Place("credentials URI", CredentialsUri(verify=self.ways.connectivity.verify))


_OIDC_NAMES = ("ROLE_ARN", "OIDC_PROVIDER_ARN", "OIDC_TOKEN_FILE")
_OIDC_UNSET = f"{', '.join(PREFIX + name for name in _OIDC_NAMES)} are not all set."


def _has_oidc() -> bool:
    return all(variable(name) for name in _OIDC_NAMES)


def _unless(name: str, issuer: Issuer[AccessKey]) -> Issuer[AccessKey]:
    """An issuer, unless a variable of the environment switches it off."""
    return Off(f"{PREFIX}{name} is true.") if is_switched_on(name) else issuer
