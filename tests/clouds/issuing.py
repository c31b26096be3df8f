"""Issuers on a network with a script: what they send, what they make of the answers, what they say of failures."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_mlworkflows.clouds.client import Client, Exchange
from airflow_provider_mlworkflows.clouds.flow import adrive, drive
from airflow_provider_mlworkflows.clouds.http import Connectivity, WireReply, WireRequest
from airflow_provider_mlworkflows.clouds.replies import Service
from airflow_provider_mlworkflows.exceptions import MLWorkflowsError, TransportError
from tests.clouds.support import FakeClock, ScriptedNetwork, json_reply

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.clouds.issued import Issued

KEY_ID, SECRET, SESSION = "AKISSUEDkey000000001", "skIssuedSecret000000001", "stIssuedSecurityToken01"
ISSUED = (KEY_ID, SECRET, SESSION)
ENDS = "2026-01-15T13:00:00.123456Z"
ENDS_AT = 1_768_482_000.123456
USUAL_HEADERS = {"Accept", "User-Agent", "Content-Type"}
UNREACHABLE = TransportError("the request to there could not be sent", may_have_taken_effect=False)


def key_reply(status: int = 201, **fields: Any) -> WireReply:
    """A temporary key in IAM's words."""
    credential = {"access": KEY_ID, "secret": SECRET, "securitytoken": SESSION, "expires_at": ENDS, **fields}
    return json_reply({"credential": credential}, status=status)


def sts_reply() -> WireReply:
    """The same in the words of STS."""
    credentials = {
        "access_key_id": KEY_ID,
        "secret_access_key": SECRET,
        "security_token": SESSION,
        "expiration": ENDS,
    }
    return json_reply({"credentials": credentials, "assumed_agency": {}})


def iam_refusal(status: int, message: str = "no") -> WireReply:
    """A refusal in IAM's words."""
    return json_reply({"error": {"code": status, "message": message, "title": "Refused"}}, status=status)


@dataclass(frozen=True, eq=False)
class OwnNetwork(ScriptedNetwork):
    """A network that equals no other, so that issuers with it do not either."""

    __eq__ = object.__eq__
    __hash__ = object.__hash__


def network(*script: WireReply | TransportError) -> OwnNetwork:
    """A network with a script."""
    return OwnNetwork(script=deque(script))


class _Nobody:
    def identity(self) -> Exchange[Any]:
        raise NotImplementedError

    def renewed(self, refused: Any) -> Exchange[Any]:
        raise NotImplementedError


@dataclass
class Office:
    """Runs issuers: blocking, or in an event loop."""

    clock: FakeClock
    blocking: bool = True

    def run(self, flow: Exchange[Any], connectivity: Connectivity | None = None) -> Any:
        """What comes of a flow, whose requests go through ``connectivity`` if they name no way of their own."""
        nowhere = Service("Any", "https://any.example.com", lambda reply: None)
        client = Client(nowhere, _Nobody(), connectivity=connectivity or Connectivity(), clock=self.clock)

        async def driven() -> Any:
            return await adrive(flow, client._aperform)

        return drive(flow, client._perform) if self.blocking else asyncio.run(driven())

    def issue(self, issuer: Any) -> Issued[Any]:
        """What an issuer issues."""
        issued: Issued[Any] = self.run(issuer.issue(self.clock))
        return issued


def lines(request: WireRequest) -> str:
    """A request's first line."""
    return f"{request.method} {request.url}"


def own_headers(request: WireRequest) -> dict[str, str]:
    """The headers of a request beside those of every one."""
    return {name: value for name, value in request.headers.items() if name not in USUAL_HEADERS}


def body(request: WireRequest) -> Any:
    """The JSON that a request holds, which is written without blanks."""
    decoded = json.loads(request.content)
    assert request.content == json.dumps(decoded, separators=(",", ":"), ensure_ascii=False).encode()
    assert request.headers["Content-Type"] == "application/json"
    return decoded


def leaky_answers(*sent: str) -> list[Callable[[], WireReply | TransportError]]:
    """Answers that repeat what was sent, and that hold keys but cannot be read."""
    told = " ".join(sent)
    cut = json.dumps({"credentials": {"secret_access_key": SECRET, "access_key_id": KEY_ID, "security_token": SESSION}})
    whole = json.dumps({"credential": {"access": KEY_ID, "secret": SECRET, "securitytoken": SESSION}})
    return [
        lambda: iam_refusal(401, told),
        lambda: iam_refusal(400, told),
        lambda: iam_refusal(403, told),
        lambda: json_reply({"error_code": "IAM.0001", "error_msg": told}, status=401),
        lambda: WireReply(200, {}, cut[:-3].encode()),
        lambda: WireReply(201, {}, whole.encode()),
        lambda: WireReply(500, {}, f"{told} {whole}".encode()),
        lambda: TransportError(f"the request was not sent ({told})", may_have_taken_effect=False),
    ]


def errors_of(office: Office, make: Callable[[ScriptedNetwork], Any], *sent: str) -> Iterator[str]:
    """What an issuer says of each of the leaky answers, with what it has sent in them."""
    for answer in leaky_answers(*sent):
        try:
            found = office.issue(make(network(*(answer() for _ in range(9)))))
        except MLWorkflowsError as error:
            yield f"{error} {error!r} {error.__cause__!r} {error.__cause__}"
        else:
            raise AssertionError(f"taken for an answer: {found!r}")
