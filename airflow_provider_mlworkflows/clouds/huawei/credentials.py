"""Who calls Huawei Cloud, and in which project."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from pydantic import BaseModel

from airflow_provider_mlworkflows.clock import SYSTEM_CLOCK, Clock
from airflow_provider_mlworkflows.clouds.client import (
    Cell,
    Exchange,
    Identity,
    Lookup,
    Patience,
    exchange,
)
from airflow_provider_mlworkflows.clouds.huawei.errors import read_refusal
from airflow_provider_mlworkflows.clouds.huawei.signing import signed_headers
from airflow_provider_mlworkflows.clouds.issued import FAILURE_REMEMBERED, reported, used
from airflow_provider_mlworkflows.clouds.operation import Request
from airflow_provider_mlworkflows.clouds.replies import Service
from airflow_provider_mlworkflows.clouds.secrecy import beginning_of, without_secrets
from airflow_provider_mlworkflows.exceptions import ConfigurationError, PermissionDeniedError

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.clouds.http import WireRequest
    from airflow_provider_mlworkflows.clouds.issued import Source

_SIGNATURE = re.compile(r"Signature=[0-9a-fA-F]+")
_PROJECT = re.compile(r"[0-9a-fA-F]{32}")
_UNSIGNED_HEADERS = frozenset({"accept", "user-agent"})


def checked_project(value: str) -> str:
    """The id of a project.

    :raises ValueError: if it is none.
    """
    if not _PROJECT.fullmatch(value):
        raise ValueError("must be the id of a project, 32 hexadecimal digits, and not its name")
    return value


@dataclass(frozen=True, slots=True)
class AccessKey:
    """A permanent access key, or a temporary one with its security token.

    :param project_id: the project it was meant for, if whoever gave it said so.
    """

    access_key: str = field(repr=False)
    secret_key: str = field(repr=False)
    security_token: str | None = field(default=None, repr=False)
    project_id: str | None = None

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must not show in any text."""
        return tuple(filter(None, (self.secret_key, self.security_token, self.access_key)))

    @property
    def name(self) -> str:
        """What to call it in front of people."""
        kind = "temporary access key" if self.security_token else "access key"
        return f"{kind} {beginning_of(self.access_key)}"

    def sign(self, request: WireRequest, project_id: str | None, now: float) -> WireRequest:
        """Add project, security token, date and signature. Headers that proxies rewrite stay unsigned."""
        unsigned = {k: v for k, v in request.headers.items() if k.lower() in _UNSIGNED_HEADERS}
        to_sign = {k: v for k, v in request.headers.items() if k.lower() not in _UNSIGNED_HEADERS}
        if project_id:
            to_sign["X-Project-Id"] = project_id
        if self.security_token:
            to_sign["X-Security-Token"] = self.security_token
        signed = signed_headers(
            request.method,
            request.url,
            to_sign,
            request.content,
            access_key=self.access_key,
            secret_key=self.secret_key,
            now=now,
        )
        return replace(request, headers={**unsigned, **signed})


@dataclass(frozen=True, slots=True)
class IamToken:
    """An IAM token, scoped to a project.

    :param token: as IAM issued it.
    :param project_id: the project, if it is known.
    """

    token: str = field(repr=False)
    project_id: str | None = None

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must not show in any text."""
        return (self.token,)

    @property
    def name(self) -> str:
        """What to call it in front of people."""
        return "an IAM token"

    def sign(self, request: WireRequest, project_id: str | None, now: float) -> WireRequest:
        """Add the token; it names its project itself."""
        return replace(request, headers={**request.headers, "X-Auth-Token": self.token})


HuaweiCredentials = AccessKey | IamToken


@dataclass(frozen=True, slots=True)
class HuaweiIdentity:
    """Credentials and the project they act in; no project while it is being looked up.

    :param defaults: what calls that do not say otherwise are for: pairs of an account parameter and its value.
    """

    credentials: HuaweiCredentials
    project_id: str | None = None
    defaults: tuple[tuple[str, str], ...] = ()

    @property
    def path_params(self) -> Mapping[str, str]:
        """The project, for paths that contain it, and the defaults."""
        project = {"project_id": self.project_id} if self.project_id else {}
        return {**dict(self.defaults), **project}

    @property
    def name(self) -> str:
        """What to call the credentials in front of people."""
        return self.credentials.name

    def sign(self, request: WireRequest, now: float) -> WireRequest:
        """The request with the credentials added."""
        return self.credentials.sign(request, self.project_id, now)

    def redact(self, text: str) -> str:
        """The text without key, token and signature."""
        return _SIGNATURE.sub("Signature=***", without_secrets(text, self.credentials.secrets))


class _Project(BaseModel):
    id: str
    name: str


class _Projects(BaseModel):
    projects: list[_Project]


class HuaweiAccount:
    """Credentials, and the project of a region: given, told with the credentials, or looked up in IAM once.

    :param source: where an access key or a token comes from.
    :param region: e.g. ``cn-north-4``; the project is looked up by it.
    :param project_id: 32 hexadecimal digits; None to look it up.
    :param iam_endpoint: where to look it up.
    :param defaults: what calls that do not say otherwise are for, such as a ``workspace_id``.
    """

    def __init__(
        self,
        source: Source[HuaweiCredentials],
        *,
        region: str,
        project_id: str | None,
        iam_endpoint: str,
        defaults: Mapping[str, str] | None = None,
        patience: Patience | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self.source = source
        self.region = region
        self.defaults = tuple((defaults or {}).items())
        self._iam = Service("IAM", iam_endpoint, read_refusal)
        self._patience = patience or Patience()
        self._clock = clock
        self._project: Cell[str] = Cell(failure_remembered=FAILURE_REMEMBERED)
        self._project.value = project_id

    def identity(self) -> Exchange[Identity]:
        """The credentials with their project.

        :raises ConfigurationError: if the project cannot be found out.
        :raises MLWorkflowsError: if there are no credentials to be had.
        """
        return (yield from self._acting((yield from self.source.current())))

    def renewed(self, refused: Identity) -> Exchange[Identity | None]:
        """The same with other credentials, None if the source has no others."""
        if not isinstance(refused, HuaweiIdentity):
            return None
        credentials = yield from self.source.another(refused.credentials)
        return None if credentials is None else (yield from self._acting(credentials))

    def _acting(self, credentials: HuaweiCredentials) -> Exchange[HuaweiIdentity]:
        project_id: str | None = self._project.value or credentials.project_id
        if project_id is None:
            project_id = yield Lookup(self._project, self._looked_up_project)
            credentials = yield from self.source.current()
        return HuaweiIdentity(credentials, project_id, self.defaults)

    def _looked_up_project(self) -> Exchange[str]:
        return reported(used(self.source, self._look_up_project), lack="The project is not known. ")

    def _look_up_project(self, credentials: HuaweiCredentials) -> Exchange[str]:
        """KeystoneListProjects, by the region's name."""
        request = Request(
            "KeystoneListProjects",
            "GET",
            "/v3/projects",
            _Projects,
            query=(("name", self.region),),
            safe_to_repeat=True,
        )
        try:
            found = yield from exchange(self._iam, request, HuaweiIdentity(credentials), self._patience, self._clock)
        except PermissionDeniedError as error:
            raise _project_unknown(self.region, f"the lookup was refused: {error}") from error
        if len(found.projects) == 1:
            return found.projects[0].id
        if not found.projects:
            raise _project_unknown(
                self.region, "IAM lists no project for it; the region may be mistyped, or never opened by this account"
            )
        raise _project_unknown(self.region, f"{len(found.projects)} projects match")


def _project_unknown(region: str, reason: str) -> ConfigurationError:
    return ConfigurationError(
        f"The project of region {region!r} could not be looked up: {reason}. "
        "Set project_id in the connection's extra, or grant iam:projects:listProjects."
    )
