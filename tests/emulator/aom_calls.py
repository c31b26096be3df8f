"""Calls of AOM automation, signed by code that shares nothing with the emulator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_mlworkflows.emulator.aom import NodeAttempt, NodeDefinition, WorkflowDefinition
from tests.emulator.signing import Caller

if TYPE_CHECKING:
    import httpx

    from airflow_provider_mlworkflows.emulator import Emulator
    from airflow_provider_mlworkflows.emulator.aom import Workflow

CREATE = {"name": "nightly", "type": "manual", "input": {}, "task_type": "customize"}
SORTED = {"sort_field": "create_time", "sort_type": "ASC"}


class AomCaller(Caller):
    """A client with an access key."""

    def cms(self, method: str, path: str, body: Any = None, **rest: Any) -> httpx.Response:
        """Send a request below ``/v1/{project_id}/cms``."""
        return self.call(method, f"/v1/{self.project_id}/cms{path}", body, **rest)

    def executed(self, workflow_id: str) -> str:
        """Execute a workflow and return the id of the execution."""
        answer = self.cms("POST", f"/workflow/{workflow_id}/executions")
        assert answer.status_code == 200, answer.text
        return str(answer.json()["execution_id"])

    def detail(self, workflow_id: str, execution_id: str) -> dict[str, Any]:
        """Read an execution."""
        answer = self.cms("GET", f"/workflow/{workflow_id}/executions/{execution_id}/status")
        assert answer.status_code == 200, answer.text
        shown: dict[str, Any] = answer.json()
        return shown

    def status(self, workflow_id: str, execution_id: str) -> str:
        """Read an execution's status."""
        return str(self.detail(workflow_id, execution_id)["status"])

    def results(self, workflow_id: str, execution_id: str) -> list[str]:
        """Read the statuses of an execution's nodes, in order."""
        return [each["status"] for each in self.detail(workflow_id, execution_id)["execution_result_list"]]

    def executions(self, workflow_id: str, **params: Any) -> list[dict[str, Any]]:
        """Read a workflow's list of executions."""
        answer = self.cms("GET", f"/workflow/{workflow_id}/executions", params=params)
        assert answer.status_code == 200, answer.text
        listed: list[dict[str, Any]] = answer.json()
        return listed

    def operate(self, workflow_id: str, execution_id: str, action: str, node_id: str) -> httpx.Response:
        """Act on a node."""
        path = f"/workflow/{workflow_id}/executions/{execution_id}/operation"
        return self.cms("POST", path, params={"action": action, "node_id": node_id})

    def terminate(self, workflow_id: str, execution_id: str) -> httpx.Response:
        """Terminate an execution."""
        return self.cms("POST", f"/workflow/{workflow_id}/executions/{execution_id}/terminate")

    def workflows(self, **query: Any) -> list[str]:
        """Return the names of the workflows that a query finds."""
        answer = self.cms("POST", "/workflow-list", SORTED | query)
        assert answer.status_code == 200, answer.text
        return [each["name"] for each in answer.json()["elements"]]


def node(name: str, *attempts: NodeAttempt, **rest: Any) -> NodeDefinition:
    """Return a node."""
    return NodeDefinition(name, attempts, **rest)


def add(emu: Emulator, *nodes: NodeDefinition, **rest: Any) -> Workflow:
    """Put a workflow into the emulator."""
    return emu.aom.add_workflow(WorkflowDefinition("scripted", nodes, **rest))


def standing(emu: Emulator, *nodes: NodeDefinition, **rest: Any) -> tuple[str, str, Workflow]:
    """Start a workflow and wait; return its id, that of the execution, and itself."""
    flow = add(emu, *nodes, **rest)
    key = emu.aom.start(flow.workflow_id).execution_id
    emu.clock.advance(60)
    return flow.workflow_id, key, flow


def refused(
    answer: httpx.Response, status: int = 400, code: str = "AOM.31001302", message: str = "Invalid param"
) -> None:
    """Check an error in the words of the service."""
    body = answer.json()
    number = status if status == 400 else str(status)
    assert body == {"error_code": code, "error_msg": message, "http_code": number}, answer.text
    assert answer.status_code == status


def unauthorized(answer: httpx.Response, reason: str) -> None:
    """Check the service's answer to credentials it does not take, and the reason only the emulator gives."""
    refused(answer, 401, "AOM.31009004", "auth failed.")
    assert reason in answer.headers["X-Emulator-Reason"]
