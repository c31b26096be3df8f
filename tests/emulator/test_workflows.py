from __future__ import annotations

import threading
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_mlworkflows.emulator import Clock, Switches
from airflow_provider_mlworkflows.emulator.modelarts import ModelArts, ready
from airflow_provider_mlworkflows.emulator.modelarts.executions import ExecutionRoutes
from airflow_provider_mlworkflows.emulator.modelarts.lookup import Lookup
from airflow_provider_mlworkflows.emulator.modelarts.schedules import ScheduleRoutes
from airflow_provider_mlworkflows.emulator.modelarts.workflows import WorkflowRoutes

if TYPE_CHECKING:
    import httpx

    from airflow_provider_mlworkflows.emulator import Emulator
    from tests.emulator.signing import Caller

FLOW = f"/workflows/{ready.PLAIN_CHAIN}"
NOBODY = "11111111-2222-4333-8444-555555555555"
SCHEDULE = {"type": "time", "content": {"cron": "0 0 12 * * ?"}, "action": "run"}
SUBSCRIPTION = {"topic_urns": ["urn:smn:cn-north-4:x:y"], "events": ["*:wait_inputs,hold"]}
PURCHASE = {
    "pool_id": "p",
    "order": {
        "id": "o",
        "sku": {"code": "c", "period": "day", "queries_limit": 5, "price": 1.5},
        "sku_count": 1,
    },
}


def code_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error_code"]


def test_list(caller: Caller) -> None:
    body = caller.flow("GET", "/workflows").json()
    assert (body["total"], body["count"], body["default_order"]) == (5, 5, "asc")
    names = [item["name"] for item in body["items"]]
    assert names[0] == "plain-chain"
    item = body["items"][0]
    assert item["param_ready"] is True
    assert item["latest_execution"] is None
    assert {step["name"] for step in item["steps"]} == {"prepare", "train", "evaluate", "register"}


@pytest.mark.parametrize(
    ("params", "found"),
    [
        ({"name": "plain"}, 1),
        ({"name": "plain", "search_type": "equal"}, 0),
        ({"name": "plain-chain", "search_type": "equal"}, 1),
        ({"labels": "ready-made"}, 5),
        ({"labels": "ready-made,other"}, 0),
        ({"template_id": "none"}, 0),
        ({"status": "completed"}, 0),
        ({"description": "nothing"}, 0),
    ],
    ids=str,
)
def test_list_filters(caller: Caller, params: dict[str, str], found: int) -> None:
    body = caller.flow("GET", "/workflows", params=params).json()
    assert (body["total"], body["count"], len(body["items"])) == (5, found, found)


def test_list_sorting(caller: Caller) -> None:
    def names(**params: str) -> list[str]:
        items = caller.flow("GET", "/workflows", params=params).json()["items"]
        return [item["name"] for item in items]

    assert names(sort_by="name") == sorted(names())
    assert names(sort_by="name", order="desc") == sorted(names(), reverse=True)


def test_list_by_status_of_the_latest_execution(emu: Emulator, caller: Caller) -> None:
    caller.start(ready.PLAIN_CHAIN)
    emu.clock.advance(5)
    items = caller.flow("GET", "/workflows", params={"status": "running"}).json()["items"]
    assert [item["name"] for item in items] == ["plain-chain"]
    assert items[0]["latest_execution"]["running_steps"] == ["prepare"]
    assert items[0]["run_count"] == 1


@pytest.mark.parametrize(
    "params",
    [
        {"limit": "0"},
        {"limit": "x"},
        {"offset": "-1"},
        {"sort_by": "shoe_size"},
        {"search_type": "fuzzy"},
        {"order": "up"},
    ],
    ids=str,
)
def test_list_refuses_bad_queries(caller: Caller, params: dict[str, str]) -> None:
    assert code_of(caller.flow("GET", "/workflows", params=params)) == (400, "ModelArts.0104")


def test_life_of_a_workflow(emu: Emulator, caller: Caller) -> None:
    body = {
        "name": "night run",
        "steps": [{"name": "train", "type": "job"}, {"name": "test", "depend_steps": ["train"]}],
        "parameters": [{"name": "lr", "type": "float"}],
        "labels": ["night"],
    }
    created = caller.flow("POST", "/workflows", body)
    assert created.status_code == 201
    key = created.json()["workflow_id"]
    assert uuid.UUID(key).version == 4
    assert created.json()["param_ready"] is False
    shown = caller.flow("GET", f"/workflows/{key}")
    assert (shown.status_code, shown.json()["name"]) == (200, "night run")
    emu.clock.advance(1)
    updated = caller.flow("PUT", f"/workflows/{key}", {"description": "x", "workspace_id": "7"})
    assert (updated.status_code, updated.json()["description"]) == (200, "x")
    assert updated.json()["workspace_id"] == "0"
    assert updated.json()["last_modified_at"] > updated.json()["created_at"]
    deleted = caller.flow("DELETE", f"/workflows/{key}")
    assert (deleted.status_code, deleted.content) == (204, b"")
    assert "X-Request-Id" in deleted.headers
    assert code_of(caller.flow("DELETE", f"/workflows/{key}")) == (400, "ModelArts.7512")
    assert emu.journal.count("DeleteWorkflow") == 2
    assert emu.journal.count("DeleteWorkflow", effective=True) == 1


def test_copy_of_a_workflow(caller: Caller) -> None:
    body = {"name": "copy", "source_workflow_id": ready.FAILS_AT_STEP_3}
    copied = caller.flow("POST", "/workflows", body).json()
    assert [step["name"] for step in copied["steps"]][2] == "evaluate"
    body["source_workflow_id"] = NOBODY
    assert code_of(caller.flow("POST", "/workflows", body)) == (400, "ModelArts.7512")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": "1st"},
        {"name": "x" * 65},
        {"name": 7},
        {"name": "a", "steps": "train"},
        {"name": "a", "steps": [{"type": "job"}]},
        {"name": "a", "steps": [{"name": "x"}, {"name": "x"}]},
        {"name": "a", "steps": [{"name": "x", "depend_steps": ["y"]}]},
        {"name": "a", "steps": [{"name": "x", "depend_steps": ["y"]}, {"name": "y", "depend_steps": ["x"]}]},
        {"name": "a", "parameters": [{"name": "p", "type": "number"}]},
        {"name": "a", "data_requirements": [{"name": "d"}]},
        {"name": "a", "labels": ["x", 1]},
        [],
    ],
    ids=str,
)
def test_malformed_workflow(emu: Emulator, caller: Caller, body: Any) -> None:
    assert code_of(caller.flow("POST", "/workflows", body)) == (400, "ModelArts.0104")
    assert len(emu.modelarts.workflows) == 5


def test_body_that_is_no_json(caller: Caller) -> None:
    assert code_of(caller.flow("POST", "/workflows", raw=b"{")) == (400, "ModelArts.0104")


def test_labels_overview_and_other_literal_paths(emu: Emulator, caller: Caller) -> None:
    assert caller.flow("GET", "/workflows/labels").json() == ["ready-made"]
    caller.start(ready.PLAIN_CHAIN)
    overview = caller.flow("GET", "/workflows/overview").json()
    assert (overview["total"], overview["stat"]) == (5, {"init": 5})
    emu.clock.advance(2)
    assert caller.flow("GET", "/workflows/overview").json()["stat"] == {"init": 4, "running": 1}
    assert caller.flow("GET", "/workflows/todolist").json()["items"] == []
    auth = caller.flow("POST", "/workflows/service/auth", {"consume": {"period": "day", "value": 100}})
    assert (auth.status_code, auth.json()["result"]) == (201, "available")
    names = (
        "ShowWorkflowLabels",
        "ShowWorkflowsOverview",
        "ShowWorkflowsTodolist",
        "CreateWorkflowServiceAuth",
    )
    assert [emu.journal.count(name) for name in names] == [1, 2, 1, 1]


def test_purchase(caller: Caller) -> None:
    answer = caller.flow("POST", f"{FLOW}/service/packages", PURCHASE)
    assert answer.status_code == 201
    assert answer.json()["package_id"]
    assert answer.json()["workflow_id"] == ready.PLAIN_CHAIN
    assert caller.flow("GET", FLOW).json()["package"]["pool_id"] == "p"
    bad = {"pool_id": "p", "order": {"id": "o", "sku_count": 1}}
    assert code_of(caller.flow("POST", f"{FLOW}/service/packages", bad)) == (400, "ModelArts.0104")


def test_life_of_a_schedule(caller: Caller) -> None:
    created = caller.flow("POST", f"{FLOW}/schedules", SCHEDULE)
    assert created.status_code == 201
    body = created.json()
    assert body["enable"] is True
    assert body["policies"] == {"on_failure": "retry", "on_running": "cancel"}
    assert body["content"]["method"] == "fixed"
    assert code_of(caller.flow("POST", f"{FLOW}/schedules", SCHEDULE)) == (400, "ModelArts.0104")
    one = f"{FLOW}/schedules/{body['uuid']}"
    assert caller.flow("GET", one).json()["uuid"] == body["uuid"]
    assert len(caller.flow("GET", f"{FLOW}/schedules").json()["schedules"]) == 1
    assert caller.flow("PUT", one, {"enable": False}).json()["enable"] is False
    assert caller.flow("DELETE", one).status_code == 204
    for method, rest in (("GET", None), ("PUT", {"enable": True}), ("DELETE", None)):
        assert code_of(caller.flow(method, one, rest)) == (400, "ModelArts.7525")
    assert caller.flow("GET", f"{FLOW}/schedules").json()["schedules"] == []


@pytest.mark.parametrize(
    "change",
    [
        {"type": "event"},
        {"action": "stop"},
        {"content": {"cron": "0 12 * * ?"}},
        {"content": {"cron": "0 0 25 * * ?"}},
        {"content": {"cron": 5}},
        {"content": {"method": "fixed"}},
        {"content": None},
    ],
    ids=str,
)
def test_malformed_schedule(caller: Caller, change: dict[str, Any]) -> None:
    assert code_of(caller.flow("POST", f"{FLOW}/schedules", {**SCHEDULE, **change})) == (
        400,
        "ModelArts.0104",
    )


def test_life_of_a_subscription(caller: Caller) -> None:
    created = caller.flow("POST", f"{FLOW}/subscriptions", SUBSCRIPTION)
    assert created.status_code == 201
    one = f"{FLOW}/subscriptions/{created.json()['subscription_id']}"
    assert caller.flow("GET", one).json()["events"] == ["*:wait_inputs,hold"]
    assert caller.flow("PUT", one, {**SUBSCRIPTION, "events": []}).json()["events"] == []
    assert caller.flow("DELETE", one).status_code == 204
    assert code_of(caller.flow("GET", one)) == (400, "ModelArts.7519")
    changes: list[tuple[str, list[str]]] = [
        ("topic_urns", []),
        ("topic_urns", ["topic"]),
        ("events", ["hold"]),
        ("events", ["*:"]),
    ]
    for field, value in changes:
        bad = {**SUBSCRIPTION, field: value}
        assert code_of(caller.flow("POST", f"{FLOW}/subscriptions", bad)) == (400, "ModelArts.0104")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/workflows/{}"),
        ("PUT", "/workflows/{}"),
        ("DELETE", "/workflows/{}"),
        ("GET", "/workflows/{}/executions"),
        ("POST", "/workflows/{}/executions"),
        ("GET", "/workflows/{}/executions/labels"),
        ("GET", "/workflows/{}/step-executions"),
        ("GET", "/workflows/{}/schedules"),
        ("POST", "/workflows/{}/subscriptions"),
        ("POST", "/workflows/{}/service/packages"),
    ],
)
def test_workflow_ids(caller: Caller, method: str, path: str) -> None:
    body: dict[str, Any] | None = {} if method in ("PUT", "POST") else None
    malformed = caller.flow(method, path.format("not-a-uuid"), body)
    assert code_of(malformed) == (400, "ModelArts.0104")
    assert "'uuid4' tag" in malformed.json()["error_msg"]
    assert "request_id" not in malformed.json()
    assert code_of(caller.flow(method, path.format(NOBODY), body)) == (400, "ModelArts.7512")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v2/{p}/nothing"),
        ("PATCH", "/v2/{p}/workflows"),
        ("GET", "/v1/{p}/workflows"),
        ("GET", "/v2/{p}/workflows/"),
        ("POST", "/v2/{p}/workflows/{w}/executions/{x}/step_executions/{x}/actions"),
    ],
)
def test_unknown_paths_end_at_the_gateway(caller: Caller, method: str, path: str) -> None:
    filled = path.format(p=caller.project_id, w=ready.PLAIN_CHAIN, x=NOBODY)
    answer = caller.call(method, filled, {"action_name": "stop"} if method == "POST" else None)
    assert code_of(answer) == (404, "APIG.0101")
    assert answer.json()["request_id"] == answer.headers["X-Request-Id"]


def test_every_documented_operation_is_there() -> None:

    clock, switches = Clock(), Switches()
    lookup = Lookup(ModelArts(clock, switches, threading.RLock()), clock, switches)
    parts = (WorkflowRoutes(lookup), ExecutionRoutes(lookup), ScheduleRoutes(lookup))
    operations = [operation for part in parts for operation in part.operations()]
    assert len({operation.name for operation in operations}) == 29
    assert len({operation.template for operation in operations}) == 18
