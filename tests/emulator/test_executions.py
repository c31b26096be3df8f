from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import pytest

from airflow_provider_mlworkflows.emulator import routing
from airflow_provider_mlworkflows.emulator.modelarts import ready
from tests.emulator.test_workflows import NOBODY, code_of

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.emulator import Emulator
    from tests.emulator.signing import Caller

FLOW = ready.PLAIN_CHAIN
RUNS = f"/workflows/{FLOW}/executions"
TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}\+08:00")


def test_start_answers_without_status_and_steps(emu: Emulator, caller: Caller) -> None:
    answer = caller.flow("POST", RUNS, {})
    body = answer.json()
    assert answer.status_code == 201
    assert "status" not in body
    assert body["steps_execution"] is None
    assert body["name"] == "execution-001"
    assert TIMESTAMP.fullmatch(body["created_at"])
    assert body["workflow_name"] == "plain-chain"
    assert body["policies"] == {"use_cache": False}
    assert caller.flow("POST", RUNS, {}).json()["name"] == "execution-002"
    assert emu.journal.count("CreateWorkflowExecution", effective=True, workflow_id=FLOW) == 2
    assert emu.journal.count("CreateWorkflowExecution", execution_id=body["execution_id"]) == 1


def test_start_with_inputs(caller: Caller) -> None:
    body = {
        "name": "dag-run-1",
        "labels": ["airflow", "x"],
        "policies": {"use_cache": True},
        "parameters": [{"name": "learning_rate", "type": "float", "value": 0.5}],
        "data_requirements": [{"name": "training_data", "type": "obs", "value": {"obs_url": "/b/in/"}}],
    }
    shown = caller.show(FLOW, caller.start(FLOW, body))
    assert (shown["name"], shown["labels"], shown["policies"]) == (
        "dag-run-1",
        ["airflow", "x"],
        {"use_cache": True},
    )
    assert {item["name"]: item.get("value") for item in shown["parameters"]}["learning_rate"] == 0.5
    assert shown["data_requirements"][0]["value"] == {"obs_url": "/b/in/"}


@pytest.mark.parametrize(
    "body",
    [
        {"parameters": [{"name": "undeclared", "type": "int", "value": 1}]},
        {"data_requirements": [{"name": "undeclared", "type": "obs"}]},
        {"data_requirements": [{"name": "training_data", "type": "swr"}]},
        {"data_requirements": [{"name": "training_data", "type": "floppy"}]},
        {"data_requirements": [{"name": "training_data"}]},
        {"data_requirements": [{"name": "training_data", "type": "obs", "value": "/b/in/"}]},
        {"parameters": [{"name": "learning_rate", "value": "0.1"}]},
        {"parameters": [{"name": "epochs", "value": 1.5}]},
        {"parameters": [{"name": "epochs", "value": True}]},
        {"parameters": [{"name": "flavor", "value": "not-in-enum"}]},
        {"parameters": [{"value": 1}]},
        {"parameters": {"epochs": 1}},
        {"name": "1-begins-with-a-digit"},
        {"labels": "airflow"},
        {"policies": {"use_cache": "yes"}},
        {"scene_id": "unknown"},
        "text",
    ],
    ids=str,
)
def test_malformed_start(emu: Emulator, caller: Caller, body: Any) -> None:
    assert code_of(caller.flow("POST", RUNS, body)) == (400, "ModelArts.0104")
    assert emu.modelarts.executions == {}
    assert emu.journal.count("CreateWorkflowExecution", effective=True) == 0


def test_start_needs_mandatory_inputs(caller: Caller) -> None:
    body = {"name": "strict", "parameters": [{"name": "lr", "type": "float"}]}
    key = caller.flow("POST", "/workflows", body).json()["workflow_id"]
    assert code_of(caller.flow("POST", f"/workflows/{key}/executions", {})) == (400, "ModelArts.0104")
    caller.start(key, {"parameters": [{"name": "lr", "value": 1}]})


def test_list(emu: Emulator, caller: Caller) -> None:
    keys = []
    for number in range(4):
        keys.append(caller.start(FLOW, {"labels": ["all", f"n{number}"], "scene_name": ""}))
        emu.clock.advance(10)

    def listed(**params: Any) -> list[str]:
        items = caller.flow("GET", RUNS, params=params).json()["items"]
        return [item["execution_id"] for item in items]

    assert listed() == keys
    assert listed(sort_by="create_time") == keys[::-1]
    assert listed(sort_by="create_time", order="asc") == keys
    assert listed(order="desc") == keys
    assert listed(labels="n2") == [keys[2]]
    assert listed(labels="all,n3") == [keys[3]]
    assert listed(labels="n1,n3") == []
    assert listed(status="completed") == keys[:1]
    assert listed(scene_id="none") == []
    assert listed(workspace_id="0") == keys
    assert listed(limit=2, offset=1) == keys[1:3]
    assert listed(offset=9) == []
    assert caller.flow("GET", f"{RUNS}/labels").json() == ["all", "n0", "n1", "n2", "n3"]


def test_list_counts(caller: Caller) -> None:
    for number in range(5):
        caller.start(FLOW, {"labels": ["even" if number % 2 == 0 else "odd"]})
    body = caller.flow("GET", RUNS, params={"labels": "even", "limit": 2}).json()
    assert (body["total"], body["count"], len(body["items"]), body["default_order"]) == (5, 3, 2, "asc")


def test_query_is_not_read_for_each_listed_execution(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[str] = []

    def counted(query: str, **options: Any) -> list[tuple[str, str]]:
        reads.append(query)
        return parse_qsl(query, **options)

    monkeypatch.setattr(routing, "parse_qsl", counted)
    counts = []
    for _ in range(2):
        caller.start(FLOW)
        reads.clear()
        caller.flow("GET", RUNS, params={"status": "init"})
        counts.append(len(reads))
    assert counts[0] == counts[1] > 0


@pytest.mark.parametrize("sort_by", ["user_name", "name"])
def test_list_refuses_unknown_sort_keys(caller: Caller, sort_by: str) -> None:
    assert code_of(caller.flow("GET", RUNS, params={"sort_by": sort_by})) == (400, "ModelArts.0104")


def test_show_has_every_documented_field(emu: Emulator, caller: Caller) -> None:
    key = caller.start(FLOW)
    emu.clock.advance(12)
    shown = caller.show(FLOW, key)
    assert shown["status"] == "running"
    assert shown["duration"] == 12
    assert {"scene_id", "scene_name", "sub_graphs", "workspace_id", "events"} <= set(shown)
    step = shown["steps_execution"][0]
    assert (step["step_name"], step["status"], step["type"]) == ("prepare", "completed", "dataset_import")
    assert step["name"] == "execution-001-prepare"
    assert step["execution_uuid"] == key
    assert step["duration"] == 6
    assert TIMESTAMP.fullmatch(step["updated_at"])
    assert step["uuid"] != step["step_uuid"]
    again = caller.show(FLOW, caller.start(FLOW))["steps_execution"][0]
    assert (again["step_uuid"] == step["step_uuid"], again["uuid"] == step["uuid"]) == (True, False)


def test_events_at_both_levels(emu: Emulator, caller: Caller) -> None:
    key = caller.start(FLOW)
    emu.clock.advance(8)
    shown = caller.show(FLOW, key)
    chain = ["init", "creating", "created", "running", "completed"]
    changes = [f"from {before} to {after}" for before, after in pairwise(chain)]
    step_lines = shown["steps_execution"][0]["events"]
    assert [line[20:] for line in step_lines] == [f"change status {change}" for change in changes]
    assert [line[20:] for line in shown["events"][:4]] == [f"step prepare change status {change}" for change in changes]
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", step_lines[0][:19])


def test_update(emu: Emulator, caller: Caller) -> None:
    key = caller.start(ready.WAITS_FOR_INPUTS)
    path = f"/workflows/{ready.WAITS_FOR_INPUTS}/executions/{key}"
    answer = caller.flow(
        "PUT", path, {"labels": ["new"], "name": "other", "parameters": [{"name": "instances", "value": 2}]}
    )
    assert answer.status_code == 200
    assert (answer.json()["labels"], answer.json()["name"]) == (["new"], "execution-001")
    assert {item["name"]: item.get("value") for item in answer.json()["parameters"]}["instances"] == 2
    bad = {"parameters": [{"name": "instances", "value": "two"}]}
    assert code_of(caller.flow("PUT", path, bad)) == (400, "ModelArts.0104")


def test_delete(emu: Emulator, caller: Caller) -> None:
    key = caller.start(FLOW)
    answer = caller.flow("DELETE", f"{RUNS}/{key}")
    assert (answer.status_code, answer.content) == (204, b"")
    for method, tail, body in (
        ("GET", "", None),
        ("DELETE", "", None),
        ("POST", "/actions", {"action_name": "stop"}),
    ):
        assert code_of(caller.flow(method, f"{RUNS}/{key}{tail}", body)) == (400, "ModelArts.7511")


@pytest.mark.parametrize(
    ("method", "tail"),
    [
        ("GET", ""),
        ("PUT", ""),
        ("DELETE", ""),
        ("POST", "/actions"),
        ("GET", f"/step-executions/{NOBODY}/metrics"),
    ],
)
def test_execution_ids(caller: Caller, method: str, tail: str) -> None:
    body = {"action_name": "stop"} if method in ("PUT", "POST") else None
    assert code_of(caller.flow(method, f"{RUNS}/17{tail}", body)) == (400, "ModelArts.0104")
    assert code_of(caller.flow(method, f"{RUNS}/{NOBODY}{tail}", body)) == (400, "ModelArts.7511")


def test_execution_of_another_workflow_is_not_found(caller: Caller) -> None:
    key = caller.start(FLOW)
    path = f"/workflows/{ready.FAILS_AT_STEP_3}/executions/{key}"
    assert code_of(caller.flow("GET", path)) == (400, "ModelArts.7511")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"action_name": "pause"},
        {"action_name": 1},
        {"action_name": "rerun", "policies": {"rerun_steps": "train"}},
        {"action_name": "rerun", "policies": {"rerun_steps": ["unknown"]}},
        {"action_name": "rerun", "parameters": [{"name": "undeclared", "value": 1}]},
    ],
    ids=str,
)
def test_malformed_action(emu: Emulator, caller: Caller, body: Any) -> None:
    key = caller.start(FLOW)
    emu.clock.advance(60)
    assert code_of(caller.act(FLOW, key, body)) == (400, "ModelArts.0104")
    assert emu.modelarts.execution(key).status == "completed"


def test_step_list(emu: Emulator, caller: Caller) -> None:
    first = caller.start(FLOW)
    emu.clock.advance(1)
    second = caller.start(FLOW)
    path = f"/workflows/{FLOW}/step-executions"
    body = caller.flow("GET", path).json()
    assert (body["total"], body["count"], len(body["items"])) == (8, 8, 8)
    assert body["compare_columns"] == {"parameters": [], "metrics": []}
    assert [item["execution_uuid"] for item in body["items"]] == [first] * 4 + [second] * 4
    latest = caller.flow("GET", path, params={"sort_by": "create_time", "order": "desc", "limit": 1}).json()
    assert latest["items"][0]["execution_uuid"] == second


def test_step_ids(caller: Caller) -> None:
    key = caller.start(FLOW)
    body = {"action_name": "stop"}
    path = f"{RUNS}/{key}/step-executions/"
    assert code_of(caller.flow("POST", f"{path}train/actions", body)) == (400, "ModelArts.0104")
    assert code_of(caller.flow("POST", f"{path}{NOBODY}/actions", body)) == (400, "ModelArts.7511")
    definition_id = caller.show(FLOW, key)["steps_execution"][0]["step_uuid"]
    assert code_of(caller.flow("POST", f"{path}{definition_id}/actions", body)) == (400, "ModelArts.7511")


def test_malformed_step_action(caller: Caller) -> None:
    key = caller.start(FLOW)
    for body in (
        {},
        {"action_name": "rerun"},
        {"action_name": "retry", "parameters": [{"name": "no", "value": 1}]},
    ):
        assert code_of(caller.act_on_step(FLOW, key, "train", body)) == (400, "ModelArts.0104")


def test_metrics_grow(emu: Emulator, caller: Caller) -> None:
    key = caller.start(FLOW)
    step = caller.show(FLOW, key)["steps_execution"][1]["uuid"]
    path = f"{RUNS}/{key}/step-executions/{step}/metrics"
    assert caller.flow("GET", path).json() == []
    emu.clock.advance(9)
    few = caller.flow("GET", path).json()
    emu.clock.advance(5)
    more = caller.flow("GET", path).json()
    assert set(few[0]) == {"created_at", "key", "title", "type", "data"}
    assert more[0]["data"]["value"][0][: len(few[0]["data"]["value"][0])] == few[0]["data"]["value"][0]
    assert len(more[0]["data"]["value"][0]) == len(few[0]["data"]["value"][0]) + 5
