"""An AOM session that keeps what it is asked, and executions and workflows as the service shows them."""

from __future__ import annotations

import json
from collections import deque
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_provider_mlworkflows.clouds.huawei.aom import AomWorkflowApi
from airflow_provider_mlworkflows.clouds.huawei.aom_models import Execution, Workflow

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.clouds.operation import Request

T = TypeVar("T")

WORKFLOW = "3f6c1b8e0d2a4759"
EXECUTION = "9b1d7c40a8e34f62"
NODE = "c07e5a2f"
BEGUN = 1_729_843_200_000
"""2024-10-25T08:00:00Z."""


class RecordingAom(AomWorkflowApi):
    """Keeps each request and answers with the next reply, read as the operation promises.

    A reply that is a text is sent as it is, anything else as JSON.
    """

    def __init__(self, *replies: Any) -> None:
        self.replies = deque(replies)
        self.requests: list[Request[Any]] = []

    def send(self, request: Request[T]) -> T:
        self.requests.append(request)
        reply = self.replies.popleft()
        return request.read((reply if isinstance(reply, str) else json.dumps(reply)).encode())

    async def asend(self, request: Request[T]) -> T:
        return self.send(request)


def result(
    node_id: str, status: str = "success", *, begun: int | None = 0, ended: int | None = 5, **more: Any
) -> dict[str, Any]:
    """How a node did; times are seconds after the execution's begin."""
    times = {"begin_time": begun, "end_time": ended}
    shown = {name: None if value is None else BEGUN + 1000 * value for name, value in times.items()}
    return {"node_id": node_id, "status": status, "output": None, **shown, **more}


def execution(status: str, *results: dict[str, Any], **more: Any) -> Execution:
    """An execution with results of its nodes."""
    return Execution.model_validate(
        {
            "workflow_id": WORKFLOW,
            "execution_id": EXECUTION,
            "status": status,
            "begin_time": BEGUN,
            "execution_result_list": list(results),
            **more,
        }
    )


def workflow(*nodes: dict[str, Any], **more: Any) -> Workflow:
    """A workflow with nodes."""
    return Workflow.model_validate({"id": WORKFLOW, "name": "nightly", "nodes": list(nodes), **more})
