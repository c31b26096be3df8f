"""Temporary keys of the agency that a server or a pod has, from the address that only this machine can reach."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

from airflow_provider_mlworkflows.clouds.client import Exchange, FileText, Patience, exchange
from airflow_provider_mlworkflows.clouds.huawei.asking import Asking, advising
from airflow_provider_mlworkflows.clouds.huawei.temporary_keys import TemporaryKey
from airflow_provider_mlworkflows.clouds.issued import NEIGHBOUR
from airflow_provider_mlworkflows.clouds.operation import Request
from airflow_provider_mlworkflows.clouds.replies import Refusal, Service
from airflow_provider_mlworkflows.exceptions import (
    ApiError,
    AuthenticationError,
    ConfigurationError,
    CredentialsMissingError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_mlworkflows.clock import Clock
    from airflow_provider_mlworkflows.clouds.http import Connectivity, WireReply
    from airflow_provider_mlworkflows.clouds.huawei.credentials import AccessKey
    from airflow_provider_mlworkflows.clouds.issued import Issued

METADATA_ENDPOINT = "http://169.254.169.254"
URI_VARIABLE = "HC_CONTAINER_CREDENTIALS_FULL_URI"
TOKEN_FILE_VARIABLE = "HC_CONTAINER_AUTHORIZATION_TOKEN_FILE"  # noqa: S105 - the name of a variable

MACHINE_ATTEMPTS = 2
_SESSION_SECONDS = "21600"
_NO_SESSIONS = frozenset({400, 404, 405, 503})
"""What metadata services answer that know no sessions: the older ones, and those in front of pods."""
_NO_AGENCY = "configure cloud service agency"
_METADATA_ADVICE = "Give the server an agency in its settings, or set another auth_type in the connection."
_POD_ADVICE = (
    f"Check that the service account of the pod has an agency, and that {TOKEN_FILE_VARIABLE} names the file with its "
    "current token."
)


_advising = advising(_METADATA_ADVICE)


def _read_key(reply: WireReply) -> Refusal | None:
    """How the metadata service says no: some say it in plain text."""
    refusal = _advising(reply)
    if refusal is not None and refusal.unreadable and reply.status == 401:
        text = reply.content.decode("utf-8", "replace").strip()
        return Refusal(AuthenticationError, text=text, advice=_METADATA_ADVICE)
    return refusal


def _read_session(reply: WireReply) -> Refusal | None:
    """A success is an answer, though it is a text and no JSON."""
    return None if 200 <= reply.status < 300 else _read_key(reply)


@dataclass(frozen=True, slots=True)
class _SessionRequest(Request[str]):
    """A request that is answered with a token as plain text."""

    def read(self, content: bytes) -> str:
        """The token; "" if it is nothing that can be sent back. What it is instead is not repeated to anybody."""
        text = content.decode("latin-1").strip()
        return text if text.isascii() and text.isprintable() and " " not in text else ""


@dataclass(frozen=True, slots=True)
class ServerKeys:
    """Issues the temporary keys of the agency of the server this runs on.

    :param endpoint: of the metadata service.
    :param attempts: how often a request is sent at most.
    :param connectivity: how to reach it.
    """

    endpoint: str = METADATA_ENDPOINT
    attempts: int = MACHINE_ATTEMPTS
    connectivity: Connectivity = NEIGHBOUR

    def issue(self, clock: Clock) -> Exchange[Issued[AccessKey]]:
        """Ask in a session of its own, or without one where the metadata service knows none.

        :raises ApiError: if the server has no agency.
        :raises TransportError: if there is no metadata service.
        """
        session = yield from self._session(clock)
        try:
            answer = yield from self._key(session, clock)
        except ApiError as error:
            # The session may have ended: a metadata service forgets them when it starts anew.
            if error.status != 401 or not session or _NO_AGENCY in str(error).lower():
                raise
            session = yield from self._session(clock)
            answer = yield from self._key(session, clock)
        return answer.issued(clock.time())

    def _session(self, clock: Clock) -> Exchange[str]:
        """The token of a session, "" if there are none."""
        request = _SessionRequest(
            "CreateMetadataToken",
            "PUT",
            "/meta-data/latest/api/token",
            str,
            headers={"X-Metadata-Token-Ttl-Seconds": _SESSION_SECONDS},
        )
        # One attempt: a service that says it is unavailable is asked without a session at once.
        try:
            token = yield from exchange(
                self._service(_read_session), request, Asking(), Patience(attempts=1), clock, self.connectivity
            )
        except ApiError as error:
            if error.status not in _NO_SESSIONS:
                raise
            return ""
        if not token:
            raise ConfigurationError(
                f"What answers at {self.endpoint} gave no token, so it is no metadata service. "
                "Check the connection's metadata_endpoint, or set another auth_type."
            )
        return token

    def _key(self, session: str, clock: Clock) -> Exchange[TemporaryKey]:
        request = Request(
            "ShowSecurityKey",
            "GET",
            "/openstack/latest/securitykey",
            TemporaryKey,
            headers={"X-Metadata-Token": session} if session else {},
            safe_to_repeat=True,
        )
        asking = Asking(hidden=(session,) if session else ())
        return exchange(self._service(_read_key), request, asking, Patience(self.attempts), clock, self.connectivity)

    def _service(self, refusal: Callable[[WireReply], Refusal | None]) -> Service:
        return Service("The metadata service", self.endpoint, refusal)


@dataclass(frozen=True, slots=True)
class PodKeys:
    """Issues the temporary keys of the agency of the pod this runs in. Where from is said by the environment.

    :param attempts: how often a request is sent at most.
    :param connectivity: how to reach it.
    """

    attempts: int = MACHINE_ATTEMPTS
    connectivity: Connectivity = NEIGHBOUR

    def issue(self, clock: Clock) -> Exchange[Issued[AccessKey]]:
        """Ask with the token that is in the pod's file by now.

        :raises CredentialsMissingError: if the environment does not say where.
        :raises ConfigurationError: if the file cannot be read.
        :raises AuthenticationError: if the token is not accepted.
        """
        values = {name: os.environ.get(name, "").strip() for name in (URI_VARIABLE, TOKEN_FILE_VARIABLE)}
        if missing := [name for name, value in values.items() if not value]:
            raise CredentialsMissingError(
                f"This is no pod with an identity, for {' and '.join(missing)} "
                f"{'are' if len(missing) > 1 else 'is'} not in the environment."
            )
        service, path, query = _address(values[URI_VARIABLE])
        token: str = yield FileText(values[TOKEN_FILE_VARIABLE], "token file of the pod")
        request = Request(
            "CreatePodSecurityKey",
            "POST",
            path,
            TemporaryKey,
            query=query,
            body={},
            headers={"Authorization": token},
            safe_to_repeat=True,
        )
        asking = Asking(hidden=(token,))
        answer = yield from exchange(service, request, asking, Patience(self.attempts), clock, self.connectivity)
        return answer.issued(clock.time())


def _address(uri: str) -> tuple[Service, str, tuple[tuple[str, str], ...]]:
    """The service behind an address, with path template and query."""
    try:
        parts = urlsplit(uri)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
        raise ConfigurationError(
            f"What {URI_VARIABLE} holds in the environment is no address such as http://host/path."
        )
    path = parts.path.replace("{", "{{").replace("}", "}}") or "/"
    endpoint = f"{parts.scheme}://{parts.netloc}"
    return Service("The pod identity agent", endpoint, advising(_POD_ADVICE)), path, tuple(parse_qsl(parts.query))
