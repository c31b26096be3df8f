"""A session for data workflows that keeps what it is asked."""

from __future__ import annotations

import json
from collections import deque
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_provider_mlworkflows.clouds.huawei.obs import ObsWorkflowApi

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.clouds.operation import Request

T = TypeVar("T")


class RecordingObs(ObsWorkflowApi):
    """Keeps each request and answers with the next reply as JSON, read as the operation promises."""

    def __init__(self, *replies: Any) -> None:
        self.replies = deque(replies)
        self.requests: list[Request[Any]] = []

    def send(self, request: Request[T]) -> T:
        self.requests.append(request)
        reply = self.replies.popleft()
        return request.read(b"" if reply is None else json.dumps(reply).encode())

    async def asend(self, request: Request[T]) -> T:
        return self.send(request)
