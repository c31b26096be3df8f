from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from airflow_provider_mlworkflows.emulator.aom import ready
from airflow_provider_mlworkflows.emulator.environment import HUAWEI_CONNECTION, connections
from tests.emulator.aom_calls import CREATE, AomCaller

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.emulator import Emulator


@pytest.fixture
def control(emu: Emulator) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"{emu.url}/_emulator", trust_env=False) as client:
        yield client


def wait(emu: Emulator, aom: AomCaller, flow: str, key: str, status: str) -> int:
    """Advance by seconds until an execution has a status; return how long it took."""
    for second in range(121):
        if aom.status(flow, key) == status:
            return second
        emu.clock.advance(1)
    raise AssertionError(f"never {status}: {aom.detail(flow, key)}")


def test_names(aom: AomCaller) -> None:
    assert aom.workflows() == ["plain-chain", "fails-once", "pauses", "waits-for-approval", "long-run", "asks-midway"]


def test_plain_chain_takes_20_seconds(emu: Emulator, aom: AomCaller) -> None:
    assert wait(emu, aom, ready.PLAIN_CHAIN, aom.executed(ready.PLAIN_CHAIN), "success") == 20


@pytest.mark.parametrize(("action", "seconds"), [("restart", 11), ("skip", 6)])
def test_fails_once(emu: Emulator, aom: AomCaller, action: str, seconds: int) -> None:
    flow = ready.FAILS_ONCE
    key = aom.executed(flow)
    assert wait(emu, aom, flow, key, "pausing") == 11
    assert aom.operate(flow, key, action, ready.FAILING_NODE).is_success
    assert wait(emu, aom, flow, key, "success") == seconds
    assert emu.journal.count("ExecuteWorkflow") == 1


def test_pauses(emu: Emulator, aom: AomCaller) -> None:
    key = aom.executed(ready.PAUSES)
    assert wait(emu, aom, ready.PAUSES, key, "pausing") == 7
    assert aom.operate(ready.PAUSES, key, "continue", ready.PAUSE_NODE).is_success
    assert wait(emu, aom, ready.PAUSES, key, "success") == 15


def test_waits_for_approval(emu: Emulator, aom: AomCaller, control: httpx.Client) -> None:
    flow = ready.WAITS_FOR_APPROVAL
    key, other = aom.executed(flow), aom.executed(flow)
    assert wait(emu, aom, flow, key, "waitApproval") == 0
    assert control.post(f"/aom/executions/{key}/approval", json={"approved": True}).status_code == 200
    assert wait(emu, aom, flow, key, "success") == 20
    assert control.post(f"/aom/executions/{other}/approval", json={"approved": False}).status_code == 200
    assert aom.status(flow, other) == "approvalFailed"
    assert control.post(f"/aom/executions/{key}/approval", json={"approved": True}).status_code == 400
    assert control.post(f"/aom/executions/{key}/approval", json={}).status_code == 400


def test_long_run_takes_an_hour(emu: Emulator, aom: AomCaller) -> None:
    key = aom.executed(ready.LONG_RUN)
    emu.clock.advance(3599)
    assert aom.status(ready.LONG_RUN, key) == "executing"
    emu.clock.advance(1)
    assert aom.status(ready.LONG_RUN, key) == "success"


def test_asks_midway(emu: Emulator, aom: AomCaller, control: httpx.Client) -> None:
    flow = ready.ASKS_MIDWAY
    key = aom.executed(flow)
    assert wait(emu, aom, flow, key, "waitApproval") == 6
    assert control.post(f"/aom/executions/{key}/approval", json={"approved": True}).status_code == 200
    assert wait(emu, aom, flow, key, "success") == 15


@pytest.mark.parametrize(
    ("template", "status", "results"),
    [
        (ready.TEMPLATE, "success", ["success"] * 3),
        (ready.PUBLIC_TEMPLATE, "success", ["success"]),
        (ready.FLAKY_TEMPLATE, "pausing", ["success", "fail"]),
        (ready.PAUSING_TEMPLATE, "pausing", ["success", "pausing"]),
        (ready.GUARDED_TEMPLATE, "waitApproval", []),
        (ready.LONG_TEMPLATE, "executing", ["success", "executing"]),
        (ready.ASKING_TEMPLATE, "waitApproval", ["success", "waitApproval"]),
    ],
)
def test_templates(emu: Emulator, aom: AomCaller, template: str, status: str, results: list[str]) -> None:
    created = aom.cms("POST", "/workflow", CREATE | {"template_id": template}).json()
    key = aom.executed(created["id"])
    emu.clock.advance(60)
    assert (aom.status(created["id"], key), aom.results(created["id"], key)) == (status, results)


def test_each_workflow_has_the_nodes_of_its_template(emu: Emulator) -> None:
    for flow in emu.aom.workflows.values():
        template = emu.aom.templates[flow.body["template_id"]].definition
        assert [node.name for _, node in flow.nodes] == [node.name for node in template.nodes]
        assert flow.body["template_name"] == template.name


def test_connections_lead_to_the_service(emu: Emulator) -> None:
    connection = connections(emu.url)[HUAWEI_CONNECTION]
    extra = connection["extra"]
    with AomCaller(extra["endpoint"], extra["project_id"], connection["login"], connection["password"]) as aom:
        assert aom.executed(ready.PLAIN_CHAIN)


def test_control_state(emu: Emulator, aom: AomCaller, control: httpx.Client) -> None:
    key = aom.executed(ready.FAILS_ONCE)
    emu.clock.advance(11)
    aom.terminate(ready.FAILS_ONCE, key)
    reads = emu.aom.execution(key).clock.reads
    state = control.get("/state").json()["aom"]
    flow = state["workflows"][1]
    assert (flow["id"], flow["name"], flow["starts"]) == (ready.FAILS_ONCE, "fails-once", 1)
    assert flow["nodes"]["restart"] == ready.FAILING_NODE
    (shown,) = state["executions"]
    assert (shown["execution_id"], shown["status"], shown["terminations"]) == (key, "canceling", 1)
    assert emu.aom.execution(key).clock.reads == reads


def test_control_of_executions(emu: Emulator, aom: AomCaller, control: httpx.Client) -> None:
    flow = ready.LONG_RUN
    key = control.post(f"/aom/workflows/{flow}/executions").json()["execution_id"]
    path = f"/aom/executions/{key}"
    emu.clock.advance(2)
    assert control.post(f"{path}/nodes", json={"status": "success", "output": [1]}).status_code == 200
    assert aom.detail(flow, key)["execution_result_list"][0]["output"] == [1]
    assert control.post(f"{path}/nodes", json={"status": "fail", "node": "restart"}).status_code == 200
    assert (aom.status(flow, key), aom.results(flow, key)) == ("pausing", ["success", "fail"])
    assert control.post(f"{path}/nodes", json={"status": "odd"}).status_code == 400
    assert control.post(f"{path}/nodes", json={"status": "fail", "node": "report"}).status_code == 400
    assert control.post(f"{path}/nodes", json={"status": "fail", "node": "none"}).status_code == 404
    assert control.post(f"{path}/status", json={"status": "Odd", "nodes": {"report": "x"}}).status_code == 200
    assert (aom.status(flow, key), aom.results(flow, key)) == ("Odd", ["success", "fail", "x"])
    assert control.post(f"{path}/status", json={"nodes": {"none": "x"}}).status_code == 404
    assert control.delete(path).status_code == 200
    assert control.delete(path).status_code == 404
    assert control.post("/aom/workflows/none/executions").status_code == 404
    assert (emu.aom.executions, emu.aom.start_count(flow)) == ({}, 1)


def test_control_of_workflows(emu: Emulator, aom: AomCaller, control: httpx.Client) -> None:
    attempt = {"script": [["executing", 3], ["fail", None]], "output": {"error": "boom"}}
    body: dict[str, Any] = {
        "name": "scripted",
        "nodes": [{"name": "a", "attempts": [attempt], "ignore_error": True}, {"name": "b", "category": "pause"}],
        "approvers": ["x"],
        "needs_approval": True,
    }
    added = control.post("/aom/workflows", json=body)
    assert added.status_code == 201
    flow = added.json()["id"]
    key = aom.executed(flow)
    assert aom.detail(flow, key)["approve_user_name_list"] == ["x"]
    emu.aom.approve(key)
    emu.clock.advance(10)
    assert (aom.status(flow, key), aom.results(flow, key)) == ("pausing", ["fail", "pausing"])
    assert aom.detail(flow, key)["execution_result_list"][0]["output"] == {"error": "boom"}
    aom.operate(flow, key, "continue", added.json()["nodes"]["b"])
    emu.clock.advance(1)
    assert aom.status(flow, key) == "success"


def test_control_of_scripted_statuses(emu: Emulator, aom: AomCaller, control: httpx.Client) -> None:
    body = {"name": "odd", "status_script": [["executing", 1], ["Odd", None]], "workflow_id": "odd-1"}
    assert control.post("/aom/workflows", json=body).json()["id"] == "odd-1"
    key = aom.executed("odd-1")
    emu.clock.advance(1)
    assert aom.status("odd-1", key) == "Odd"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ({"name": "plain-chain"}, 400),
        ({"name": "a b"}, 400),
        ({"name": "x", "template_id": "none"}, 404),
        ({"name": "x", "nodes": [{"name": "a", "attempts": [{}]}]}, 400),
        ({"name": "x", "nodes": [{"name": "a", "color": "red"}]}, 400),
        ({"name": "x", "nodes": [{}]}, 400),
        ({"name": "x", "nodes": [{"name": "a"}, {"name": "a"}]}, 400),
    ],
    ids=str,
)
def test_control_refuses(emu: Emulator, control: httpx.Client, body: dict[str, Any], status: int) -> None:
    before = emu.aom.workflows
    assert control.post("/aom/workflows", json=body).status_code == status
    assert emu.aom.workflows == before
