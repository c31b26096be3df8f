"""Runs issuers of Alibaba Cloud's access keys against answers that a test writes."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from airflow_provider_mlworkflows.clouds.client import FileText, Pause, Through
from airflow_provider_mlworkflows.clouds.flow import adrive, drive
from airflow_provider_mlworkflows.clouds.http import WireReply
from tests.clouds.support import NOON, FakeClock, json_reply

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.clouds.alibaba.credentials import AccessKey
    from airflow_provider_mlworkflows.clouds.client import Exchange
    from airflow_provider_mlworkflows.clouds.http import Connectivity, WireRequest
    from airflow_provider_mlworkflows.clouds.issued import Issued, Issuer
    from airflow_provider_mlworkflows.exceptions import TransportError

KEY, SECRET = "LTAIDISTINCTIVE00000001", "skDistinctive/With+Odd=Characters0000001"
NEW_KEY, NEW_SECRET = "STS.DISTINCTIVENEWKEY0001", "skNewDistinctive00000000000001"
NEW_TOKEN = "CAISnewDistinctiveSecurityToken000001=="
OIDC_TOKEN = "eyJDISTINCTIVE.oidc-token-of-the-pod.000001"
METADATA_TOKEN = "metadataDistinctiveToken000001=="
SECRETS = (KEY, SECRET, NEW_KEY, NEW_SECRET, NEW_TOKEN, OIDC_TOKEN, METADATA_TOKEN)
ENDS = "2026-01-15T13:00:00Z"
ENDS_AT = NOON + 3600
KEY_FIELDS = {
    "AccessKeyId": NEW_KEY,
    "AccessKeySecret": NEW_SECRET,
    "SecurityToken": NEW_TOKEN,
    "Expiration": ENDS,
}
ROLE_ANSWER = {
    "RequestId": "r-1",
    "AssumedRoleUser": {"Arn": "acs:ram::1:assumed-role/ml/airflow", "AssumedRoleId": "3:airflow"},
    "Credentials": KEY_FIELDS,
}


def text_reply(text: str, status: int = 200) -> WireReply:
    """A reply that is not JSON."""
    return WireReply(status, {"content-type": "text/plain"}, text.encode())


def refusal(code: str, status: int, message: str = "no", **more: Any) -> WireReply:
    """A reply of STS that says no."""
    return json_reply({"RequestId": "r-9", "Code": code, "Message": message, **more}, status=status)


@dataclass
class Counter:
    """Does what issuers ask for, and remembers it."""

    script: deque[WireReply | TransportError]
    clock: FakeClock = field(default_factory=FakeClock)
    sent: list[WireRequest] = field(default_factory=list)
    ways: list[Connectivity] = field(default_factory=list)

    def perform(self, effect: Any) -> Any:
        """Do one thing."""
        match effect:
            case Through(request, connectivity):
                self.sent.append(request)
                self.ways.append(connectivity)
                outcome = self.script.popleft()
                if isinstance(outcome, WireReply):
                    return outcome
                raise outcome
            case FileText():
                return effect.read()
            case Pause(seconds):
                self.clock.sleep(seconds)
                return None
        raise AssertionError(f"an issuer wants {effect}")

    def issue(self, issuer: Issuer[AccessKey]) -> Issued[AccessKey]:
        """Ask an issuer."""
        return drive(issuer.issue(self.clock), self.perform)

    async def aissue(self, issuer: Issuer[AccessKey]) -> Issued[AccessKey]:
        """The same in an event loop."""

        async def perform(effect: Any) -> Any:
            await asyncio.sleep(0)
            return self.perform(effect)

        flow: Exchange[Issued[AccessKey]] = issuer.issue(self.clock)
        return await adrive(flow, perform)

    def query(self, number: int = -1) -> dict[str, str]:
        """The query of a request."""
        return {name: values[0] for name, values in parse_qs(urlsplit(self.sent[number].url).query).items()}

    def form(self, number: int = -1) -> dict[str, str]:
        """The form that a request sends."""
        return {name: values[0] for name, values in parse_qs(self.sent[number].content.decode()).items()}

    def asked(self) -> list[str]:
        """Method and path of each request."""
        return [f"{request.method} {urlsplit(request.url).path}" for request in self.sent]


def counter(*script: WireReply | TransportError) -> Counter:
    """A counter with a script."""
    return Counter(deque(script))
