"""A PAIFlow session, and a network that answers by what it is asked."""

from __future__ import annotations

import json
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_provider_mlworkflows.clouds.alibaba.paiflow import PaiFlowApi
from airflow_provider_mlworkflows.clouds.http import Connectivity

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_mlworkflows.clouds.http import WireReply, WireRequest
    from airflow_provider_mlworkflows.clouds.operation import Request

T = TypeVar("T")

RUN = "flow-hynm2bv8wqhp5esfxq"
NODE = "node-hynm2bv8wqhp5esfx1"
PIPELINE = "pipeline-hynm2bv8wqhp5e0001"


class RecordingPaiFlow(PaiFlowApi):
    """Keeps each request and answers with the next reply, read as the operation promises."""

    def __init__(self, *replies: Any) -> None:
        self.replies = deque(replies)
        self.requests: list[Request[Any]] = []

    def send(self, request: Request[T]) -> T:
        self.requests.append(request)
        return request.read(json.dumps(self.replies.popleft()).encode())

    async def asend(self, request: Request[T]) -> T:
        return self.send(request)


@dataclass(frozen=True)
class AnsweringNetwork(Connectivity):
    """Answers each request by a function and keeps what was sent."""

    answer: Callable[[WireRequest], WireReply] = field(kw_only=True)
    sent: list[WireRequest] = field(default_factory=list)

    def transmit(self, request: WireRequest) -> WireReply:
        self.sent.append(request)
        return self.answer(request)

    async def atransmit(self, request: WireRequest) -> WireReply:
        return self.transmit(request)

    def operations(self) -> list[str]:
        """The names of the operations asked for."""
        return [request.headers["x-acs-action"] for request in self.sent]


def node(name: str, status: str = "Succeeded", *children: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A node of a run as the service shows it."""
    kind = more.pop("kind", "Dag" if children else "Pod")
    node_id = more.pop("id", f"node-{name}")
    return {
        "ApiVersion": "core/v1",
        "Metadata": {"NodeId": node_id, "Name": name, "NodeType": kind},
        "Spec": {"HasPipelines": bool(children), "Pipelines": list(children)},
        "StatusInfo": {"Status": status, **more},
    }
