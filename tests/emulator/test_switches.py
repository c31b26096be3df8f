from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_mlworkflows.emulator import Emulator, Switches
from airflow_provider_mlworkflows.emulator.modelarts import ready

if TYPE_CHECKING:
    from tests.emulator.signing import Caller

FLOW = ready.PLAIN_CHAIN
RUNS = f"/workflows/{FLOW}/executions"


def first(caller: Caller, **params: Any) -> dict[str, Any]:
    item: dict[str, Any] = caller.flow("GET", RUNS, params=params).json()["items"][0]
    return item


def test_visibility_delay(emu: Emulator, caller: Caller) -> None:
    emu.switches.visibility_delay = 2
    key = caller.start(FLOW)
    emu.clock.advance(60)
    assert caller.show(FLOW, key)["status"] == "completed"
    answer = caller.act(FLOW, key, {"action_name": "rerun"})
    assert (answer.status_code, answer.json()["status"]) == (201, "completed")
    assert emu.modelarts.execution(key).status == "running"
    assert caller.show(FLOW, key)["status"] == "completed"
    assert first(caller)["status"] == "completed"
    assert caller.show(FLOW, key)["status"] == "running"


def test_visibility_delay_of_a_step_action(emu: Emulator, caller: Caller) -> None:
    emu.switches.visibility_delay = 1
    flow = ready.HOLDS_FOR_LABELLING
    key = caller.start(flow)
    emu.clock.advance(30)
    assert caller.act_on_step(flow, key, "label", {"action_name": "continue"}).json()["status"] == "hold"
    assert len(caller.flow("GET", "/workflows/todolist").json()["items"]) == 1
    assert caller.flow("GET", "/workflows/todolist").json()["items"] == []
    assert caller.steps(flow, key)["label"] == "running"


def test_refused_actions_delay_nothing(emu: Emulator, caller: Caller) -> None:
    emu.switches.visibility_delay = 5
    key = caller.start(FLOW)
    assert caller.act(FLOW, key, {"action_name": "rerun"}).status_code == 400
    emu.clock.advance(60)
    assert caller.show(FLOW, key)["status"] == "completed"


def test_steps_in_lists(emu: Emulator, caller: Caller) -> None:
    caller.start(FLOW)
    assert first(caller)["steps_execution"] is None
    emu.switches.steps_in_lists = True
    assert len(first(caller)["steps_execution"]) == 4


def test_status_on_create(emu: Emulator, caller: Caller) -> None:
    emu.switches.status_on_create = True
    assert caller.flow("POST", RUNS, {}).json()["status"] == "init"


def test_list_lag(emu: Emulator, caller: Caller) -> None:
    emu.switches.list_lag = 10
    key = caller.start(FLOW)
    assert caller.flow("GET", RUNS).json()["total"] == 0
    assert caller.flow("GET", f"/workflows/{FLOW}/step-executions").json()["total"] == 0
    assert caller.show(FLOW, key)["execution_id"] == key
    emu.clock.advance(10)
    assert first(caller)["execution_id"] == key


@pytest.mark.parametrize("given", [(409, "ModelArts.2796"), (400, "ModelArts.0104")])
def test_wrong_state(emu: Emulator, caller: Caller, given: tuple[int, str]) -> None:
    emu.switches.wrong_state = given
    key = caller.start(FLOW)
    emu.clock.advance(60)
    answer = caller.act(FLOW, key, {"action_name": "stop"})
    assert (answer.status_code, answer.json()["error_code"]) == given
    assert emu.journal.count("CreateWorkflowExecutionsActions", action="stop", effective=False) == 1


def test_wrong_state_may_be_accepted_without_effect(emu: Emulator, caller: Caller) -> None:
    emu.switches.wrong_state = (201, "")
    key = caller.start(FLOW)
    emu.clock.advance(60)
    answer = caller.act(FLOW, key, {"action_name": "stop"})
    assert (answer.status_code, answer.json()["status"]) == (201, "completed")
    assert emu.journal.count("CreateWorkflowExecutionsActions", effective=True) == 0


def test_retry_after(emu: Emulator, caller: Caller) -> None:
    emu.limits.set("ListWorkflows", per_second=0.5)
    caller.flow("GET", "/workflows")
    assert "Retry-After" not in caller.flow("GET", "/workflows").headers
    emu.switches.retry_after = 4
    assert caller.flow("GET", "/workflows").headers["Retry-After"] == "4"


def test_casing(emu: Emulator, caller: Caller) -> None:
    emu.switches.casing = "upper"
    key = caller.start(ready.HOLDS_FOR_LABELLING)
    emu.clock.advance(30)
    shown = caller.show(ready.HOLDS_FOR_LABELLING, key)
    assert shown["status"] == "RUNNING"
    assert shown["steps_execution"][1]["status"] == "HOLD"
    assert caller.flow("GET", "/workflows/todolist").json()["items"][0]["status"] == "HOLD"


def test_page_cap_and_default_limit(emu: Emulator, caller: Caller) -> None:
    for _ in range(12):
        caller.start(FLOW)
    assert len(caller.flow("GET", RUNS).json()["items"]) == 10
    assert len(caller.flow("GET", RUNS, params={"limit": 100}).json()["items"]) == 12
    emu.switches.page_cap = 3
    emu.switches.default_limit = 2
    assert len(caller.flow("GET", RUNS).json()["items"]) == 2
    seen = [
        item["execution_id"]
        for offset in range(0, 12, 3)
        for item in caller.flow("GET", RUNS, params={"limit": 100, "offset": offset}).json()["items"]
    ]
    assert seen == list(emu.modelarts.executions)


def test_count_means(emu: Emulator, caller: Caller) -> None:
    for _ in range(3):
        caller.start(FLOW)
    assert caller.flow("GET", RUNS, params={"limit": 2}).json()["count"] == 3
    emu.switches.count_means = "page"
    assert caller.flow("GET", RUNS, params={"limit": 2}).json()["count"] == 2


def test_job_instance_id(emu: Emulator, caller: Caller) -> None:
    key = caller.start(FLOW)
    emu.clock.advance(60)

    def shown() -> Any:
        return caller.show(FLOW, key)["steps_execution"][1]["instance_id"]

    job = json.loads(shown())["job_id"]
    emu.switches.job_id_key = "training_job_id"
    emu.switches.job_instance_id = "object"
    assert shown() == {"training_job_id": job}
    emu.switches.job_instance_id = "bare"
    assert shown() == job


def test_unknown_field(emu: Emulator, caller: Caller) -> None:
    assert "reserved_info" in caller.flow("GET", "/workflows").json()
    assert "reserved_info" in caller.flow("GET", f"/workflows/{FLOW}").json()
    emu.switches.unknown_field = False
    assert "reserved_info" not in caller.flow("GET", "/workflows").json()


def test_stop_seconds(emu: Emulator, caller: Caller) -> None:
    emu.switches.stop_seconds = 10
    key = caller.start(FLOW)
    emu.clock.advance(5)
    caller.act(FLOW, key, {"action_name": "stop"})
    emu.clock.advance(9)
    assert caller.steps(FLOW, key)["prepare"] == "stopping"
    emu.clock.advance(1)
    assert caller.show(FLOW, key)["status"] == "stopped"


def test_max_signature_failures(emu: Emulator, caller: Caller) -> None:
    emu.switches.max_signature_failures = 1
    caller.sk, right = "wrong", caller.sk
    caller.flow("GET", "/workflows")
    caller.sk = right
    assert "limit, forbidden" in caller.flow("GET", "/workflows").json()["error_msg"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("visibility_delay", "2"),
        ("visibility_delay", True),
        ("steps_in_lists", 1),
        ("casing", "lower"),
        ("wrong_state", (400,)),
        ("wrong_state", "400"),
        ("retry_after", 1.5),
        ("list_lag", None),
        ("no_such_switch", 1),
    ],
)
def test_illegal_values(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=name):
        setattr(Switches(), name, value)


def test_every_switch_is_described() -> None:
    described = Switches(list_lag=3).describe()
    assert described["list_lag"]["value"] == 3
    assert described["list_lag"]["default"] == 0
    assert all(entry["meaning"] for entry in described.values())


def test_update_is_all_or_nothing() -> None:
    switches = Switches()
    with pytest.raises(ValueError, match="page_cap"):
        switches.update({"list_lag": 1, "page_cap": "many"}, threading.RLock())
    assert switches.list_lag == 0
    switches.update({"list_lag": 1, "wrong_state": [409, "x"]}, threading.RLock())
    assert (switches.list_lag, switches.wrong_state) == (1, (409, "x"))
