"""Access keys that this machine's surroundings hand out: the metadata service of an instance, or a local address."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import SplitResult, parse_qsl, quote, urlsplit

from airflow_provider_mlworkflows.clouds.alibaba.errors import read_refusal
from airflow_provider_mlworkflows.clouds.alibaba.issuing import (
    METADATA,
    PREFIX,
    Anonymous,
    KeyReply,
    is_switched_on,
    variable,
)
from airflow_provider_mlworkflows.clouds.client import Patience, exchange
from airflow_provider_mlworkflows.clouds.issued import NEIGHBOUR, reported
from airflow_provider_mlworkflows.clouds.operation import Request
from airflow_provider_mlworkflows.clouds.replies import Refusal, Service, is_server_failure
from airflow_provider_mlworkflows.exceptions import (
    ApiError,
    BadRequestError,
    ConfigurationError,
    CredentialsMissingError,
    NotFoundError,
    PermissionDeniedError,
    ServerError,
    ThrottledError,
    TransportError,
    UnexpectedReplyError,
)

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.clock import Clock
    from airflow_provider_mlworkflows.clouds.alibaba.credentials import AccessKey
    from airflow_provider_mlworkflows.clouds.client import Exchange
    from airflow_provider_mlworkflows.clouds.http import WireReply
    from airflow_provider_mlworkflows.clouds.issued import Issued

T = TypeVar("T")

ATTEMPTS = 2
TOKEN_PATH = "/latest/api/token"  # noqa: S105 - a path
ROLES_PATH = "/latest/meta-data/ram/security-credentials/"
TOKEN_SECONDS = 300
"""How long a token of the metadata service is asked for; it is used at once."""

_HEADER_TEXT = re.compile(r"[!-~]+")
_ROLE_NAME = re.compile(r"[\w.@-]{1,64}", re.ASCII)
_STATUS_KINDS: Mapping[int, type[ApiError]] = {
    401: PermissionDeniedError,
    403: PermissionDeniedError,
    404: NotFoundError,
    429: ThrottledError,
}
_ADVICE = "Check that this machine has a RAM role, and that role_name is its name."
_URI_ADVICE = "Check the credentials URI and what answers there."


class _Text(Request[str]):
    """A request that is answered with a plain text."""

    def read(self, content: bytes) -> str:
        """The text, without the blanks around it."""
        return content.decode("utf-8", "replace").strip()


def _read_neighbour(reply: WireReply, advice: str) -> Refusal | None:
    """Read a reply as a refusal; None if it is an answer. Those of a metadata service may be texts or pages."""
    if reply.status < 300:
        refusal = read_refusal(reply) if reply.content.lstrip().startswith(b"{") else None
        if refusal is None:
            return None
        # "Failed" is all it may say: there are no keys. It only reads, so there is no effect to be unsure of.
        kind = BadRequestError if refusal.kind is UnexpectedReplyError and refusal.code else refusal.kind
        return replace(refusal, kind=kind, advice=advice)
    kind = _STATUS_KINDS.get(reply.status, ServerError if is_server_failure(reply.status) else BadRequestError)
    return Refusal(kind, advice=advice)


@dataclass(frozen=True, slots=True)
class EcsRole:
    """The RAM role of the ECS instance that this process runs on.

    :param role_name: falls back to ``ALIBABA_CLOUD_ECS_METADATA``; asked for if that is not set either.
    :param hardened: ask only with a token (version 2 of the service), never without; also if
        ``ALIBABA_CLOUD_IMDSV1_DISABLED`` is true.
    :param endpoint: scheme and host of the metadata service.
    :param attempts: how often each request is sent at most.
    """

    role_name: str | None = None
    hardened: bool = False
    endpoint: str = METADATA
    attempts: int = ATTEMPTS

    def issue(self, clock: Clock) -> Exchange[Issued[AccessKey]]:
        """Ask the metadata service for the role's present key.

        :raises AuthenticationError: if the service refuses to tell it.
        :raises ConfigurationError: if the instance has no such role.
        :raises TransportError: if no metadata service answers.
        """
        return reported(self.ask(clock))

    def ask(self, clock: Clock) -> Exchange[Issued[AccessKey]]:
        """The same, with the errors of the metadata service as they are."""
        token = yield from self._token(clock)
        role = self.role_name or variable("ECS_METADATA")
        if role is None:
            asked = _Text("ListRoleNames", "GET", ROLES_PATH, str, safe_to_repeat=True, headers=_with(token))
            role = yield from self._exchange(asked, token, clock)
        if not _ROLE_NAME.fullmatch(role):
            raise ConfigurationError(
                f"The name of this machine's RAM role cannot be {role[:80]!r}. Set role_name to the role's name."
            )
        request = Request(
            "GetRoleCredentials",
            "GET",
            ROLES_PATH + "{role}",
            KeyReply,
            path_params={"role": role},
            safe_to_repeat=True,
            headers=_with(token),
        )
        return (yield from self._exchange(request, token, clock)).issued(clock)

    def _token(self, clock: Clock) -> Exchange[str | None]:
        """A token to ask with; None to ask without."""
        hardened = self.hardened or is_switched_on("IMDSV1_DISABLED")
        headers = {"X-aliyun-ecs-metadata-token-ttl-seconds": str(TOKEN_SECONDS)}
        request = _Text("CreateMetadataToken", "PUT", TOKEN_PATH, str, safe_to_repeat=True, headers=headers)
        try:
            token = yield from self._exchange(request, None, clock)
        except (ApiError, TransportError) as error:
            # What could not even be reached would not answer without a token either.
            if hardened or (isinstance(error, TransportError) and not error.may_have_taken_effect):
                raise
            return None
        if _HEADER_TEXT.fullmatch(token):
            return token
        if hardened:
            raise ConfigurationError(
                f"{self.endpoint} answered CreateMetadataToken with something that is no token. {_ADVICE}"
            )
        return None

    def _exchange(self, request: Request[T], token: str | None, clock: Clock) -> Exchange[T]:
        service = Service("The ECS metadata service", self.endpoint, lambda reply: _read_neighbour(reply, _ADVICE))
        asking = Anonymous((token,) if token else ())
        return exchange(service, request, asking, Patience(self.attempts), clock, NEIGHBOUR)


def _with(token: str | None) -> Mapping[str, str]:
    return {"X-aliyun-ecs-metadata-token": token} if token else {}


@dataclass(frozen=True, slots=True)
class CredentialsUri:
    """Whatever hands out keys at an address.

    :param uri: the address; falls back to ``ALIBABA_CLOUD_CREDENTIALS_URI``. Its query may hold a secret.
    :param verify: as `Connectivity` takes it.
    """

    uri: str | None = field(default=None, repr=False)
    verify: bool | str = True

    def issue(self, clock: Clock) -> Exchange[Issued[AccessKey]]:
        """Ask for the present key.

        :raises AuthenticationError: if asking is refused.
        :raises ConfigurationError: if there is no such address, or no key at it.
        :raises TransportError: if nobody answers.
        """
        return reported(self._issued(clock))

    def _issued(self, clock: Clock) -> Exchange[Issued[AccessKey]]:
        uri = self.uri or variable("CREDENTIALS_URI")
        if uri is None:
            raise CredentialsMissingError(f"Neither credentials_uri nor {PREFIX}CREDENTIALS_URI is set.")
        parts = _parsed(uri)
        query = tuple(parse_qsl(parts.query, keep_blank_values=True))
        path = quote(parts.path, safe="/%~") or "/"
        request = Request("GetCredentials", "GET", path, KeyReply, query=query, safe_to_repeat=True)
        where = f"{parts.scheme}://{parts.netloc}"
        service = Service("The credentials URI", where, lambda reply: _read_neighbour(reply, _URI_ADVICE))
        asking = Anonymous(tuple(value for _, value in query if value))
        connectivity = replace(NEIGHBOUR, verify=self.verify)
        answer = yield from exchange(service, request, asking, Patience(ATTEMPTS), clock, connectivity)
        return answer.issued(clock)


def _parsed(uri: str) -> SplitResult:
    """The parts of an address.

    :raises ConfigurationError: if it is none; does not repeat it.
    """
    try:
        parts = urlsplit(uri)
        if parts.scheme in ("http", "https") and parts.hostname and parts.port != 0 and "@" not in parts.netloc:
            return parts
    except ValueError:  # its message may quote a secret
        pass
    raise ConfigurationError(
        "The credentials URI is not an address. It should look like http://127.0.0.1:8080/credentials, without user "
        "name and password."
    ) from None
