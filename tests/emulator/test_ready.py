from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_mlworkflows.emulator.modelarts import ready

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.emulator import Emulator
    from tests.emulator.signing import Caller


def wait(emu: Emulator, caller: Caller, flow: str, key: str, status: str) -> float:
    """Advance by seconds until the execution has a status; return how long it took."""
    for second in range(121):
        if caller.show(flow, key)["status"] == status:
            return second
        emu.clock.advance(1)
    raise AssertionError(f"never {status}: {caller.steps(flow, key)}")


def todo(caller: Caller) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = caller.flow("GET", "/workflows/todolist").json()["items"]
    return items


def test_ids_and_declarations(caller: Caller) -> None:
    items = caller.flow("GET", "/workflows").json()["items"]
    assert {item["workflow_id"]: item["name"] for item in items} == {
        ready.PLAIN_CHAIN: "plain-chain",
        ready.BRANCH_WITH_SKIP: "branch-with-skip",
        ready.WAITS_FOR_INPUTS: "waits-for-inputs",
        ready.FAILS_AT_STEP_3: "fails-at-step-3",
        ready.HOLDS_FOR_LABELLING: "holds-for-labelling",
    }
    for item in items:
        assert len(item["parameters"]) >= 3
        assert item["data_requirements"]
        assert item["param_ready"] is True


def test_plain_chain(emu: Emulator, caller: Caller) -> None:
    key = caller.start(ready.PLAIN_CHAIN)
    assert 20 <= wait(emu, caller, ready.PLAIN_CHAIN, key, "completed") <= 60
    assert set(caller.steps(ready.PLAIN_CHAIN, key).values()) == {"completed"}


@pytest.mark.parametrize(("full", "skipped"), [(True, "fine_tune"), (False, "train")])
def test_branch_with_skip(emu: Emulator, caller: Caller, full: bool, skipped: str) -> None:
    body = {"parameters": [{"name": "full_training", "type": "bool", "value": full}]}
    key = caller.start(ready.BRANCH_WITH_SKIP, body)
    assert 20 <= wait(emu, caller, ready.BRANCH_WITH_SKIP, key, "completed") <= 60
    steps = caller.steps(ready.BRANCH_WITH_SKIP, key)
    assert [name for name, status in steps.items() if status == "skipped"] == [skipped]


def test_waits_for_inputs(emu: Emulator, caller: Caller) -> None:
    flow = ready.WAITS_FOR_INPUTS
    key = caller.start(flow)
    emu.clock.advance(60)
    assert caller.show(flow, key)["status"] == "running"
    assert caller.steps(flow, key)["deploy"] == "wait_inputs"
    item = todo(caller)[0]
    assert (item["execution_id"], item["step_name"], item["status"]) == (key, "deploy", "wait_inputs")
    assert item["duration"] > 0
    refused = caller.act_on_step(flow, key, "deploy", {"action_name": "continue"})
    assert (refused.status_code, refused.json()["error_code"]) == (400, "ModelArts.0104")
    assert "instances, test_data" in refused.json()["error_msg"]
    assert emu.journal.count("CreateWorkflowStepExecutionsActions", effective=True) == 0
    given = {
        "action_name": "continue",
        "parameters": [{"name": "instances", "type": "int", "value": 2}],
        "data_requirements": [{"name": "test_data", "type": "obs", "value": {"obs_url": "/b/test/"}}],
    }
    assert caller.act_on_step(flow, key, "deploy", given).status_code == 201
    assert todo(caller) == []
    wait(emu, caller, flow, key, "completed")
    service = caller.show(flow, key)["steps_execution"][2]["instance_id"]
    assert set(service) == {"type", "service_id", "status", "update_time"}


def test_waiting_execution_updated_first(emu: Emulator, caller: Caller) -> None:
    flow = ready.WAITS_FOR_INPUTS
    key = caller.start(flow, {"parameters": [{"name": "instances", "value": 1}]})
    emu.clock.advance(60)
    data = {"data_requirements": [{"name": "test_data", "type": "obs", "value": {"obs_url": "/b/t/"}}]}
    assert caller.flow("PUT", f"/workflows/{flow}/executions/{key}", data).status_code == 200
    assert caller.act_on_step(flow, key, "deploy", {"action_name": "continue"}).status_code == 201
    wait(emu, caller, flow, key, "completed")


def test_inputs_given_at_the_start(emu: Emulator, caller: Caller) -> None:
    body = {
        "parameters": [{"name": "instances", "value": 1}],
        "data_requirements": [{"name": "test_data", "type": "obs", "value": {"obs_url": "/b/test/"}}],
    }
    key = caller.start(ready.WAITS_FOR_INPUTS, body)
    assert 20 <= wait(emu, caller, ready.WAITS_FOR_INPUTS, key, "completed") <= 60


def test_fails_at_step_3(emu: Emulator, caller: Caller) -> None:
    flow = ready.FAILS_AT_STEP_3
    key = caller.start(flow)
    assert 20 <= wait(emu, caller, flow, key, "abnormal") <= 60
    shown = caller.show(flow, key)
    assert [step["status"] for step in shown["steps_execution"]] == ["completed"] * 2 + ["failed"] + ["init"] * 2
    assert "metric file not found" in shown["steps_execution"][2]["error_info"]["error_message"]
    answer = caller.act_on_step(flow, key, "evaluate", {"action_name": "retry"})
    assert (answer.status_code, answer.json()["status"]) == (201, "creating")
    assert caller.show(flow, key)["status"] == "running"
    wait(emu, caller, flow, key, "completed")
    assert emu.journal.count("CreateWorkflowExecution") == 1


def test_failed_execution_rerun_from_its_failed_step(emu: Emulator, caller: Caller) -> None:
    flow = ready.FAILS_AT_STEP_3
    key = caller.start(flow)
    wait(emu, caller, flow, key, "abnormal")
    body = {"action_name": "rerun", "policies": {"rerun_steps": ["evaluate"]}}
    assert caller.act(flow, key, body).json()["execution_id"] == key
    wait(emu, caller, flow, key, "completed")


def test_holds_for_labelling(emu: Emulator, caller: Caller) -> None:
    flow = ready.HOLDS_FOR_LABELLING
    key = caller.start(flow)
    emu.clock.advance(300)
    assert caller.show(flow, key)["status"] == "running"
    assert [(item["step_name"], item["status"]) for item in todo(caller)] == [("label", "hold")]
    assert caller.act_on_step(flow, key, "label", {"action_name": "continue"}).status_code == 201
    wait(emu, caller, flow, key, "completed")


def test_stop_of_a_held_execution(emu: Emulator, caller: Caller) -> None:
    flow = ready.HOLDS_FOR_LABELLING
    key = caller.start(flow)
    emu.clock.advance(60)
    assert caller.act(flow, key, {"action_name": "stop"}).status_code == 201
    assert caller.show(flow, key)["status"] == "running"
    emu.clock.advance(3)
    assert caller.show(flow, key)["status"] == "stopped"
