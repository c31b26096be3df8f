from __future__ import annotations

import pytest

from airflow_provider_mlworkflows.emulator import Emulator, Switches
from airflow_provider_mlworkflows.emulator.aom import ready
from airflow_provider_mlworkflows.emulator.aom.views import milliseconds
from tests.emulator.aom_calls import AomCaller, refused

FLOW = ready.PLAIN_CHAIN


def test_success(emu: Emulator, aom: AomCaller) -> None:
    key = aom.executed(FLOW)
    begin = milliseconds(emu.clock.now())
    assert aom.status(FLOW, key) == "waitExecute"
    assert aom.results(FLOW, key) == []
    emu.clock.advance(1)
    assert (aom.status(FLOW, key), aom.results(FLOW, key)) == ("executing", ["executing"])
    emu.clock.advance(5)
    assert aom.results(FLOW, key) == ["success", "executing"]
    emu.clock.advance(14)
    shown = aom.detail(FLOW, key)
    assert (shown["status"], shown["begin_time"], shown["end_time"]) == ("success", begin, begin + 20_000)
    assert [each["status"] for each in shown["execution_result_list"]] == ["success"] * 3
    emu.clock.advance(3600)
    assert aom.detail(FLOW, key) == shown


def test_detail_has_the_documented_fields(emu: Emulator, aom: AomCaller) -> None:
    key = aom.executed(FLOW)
    emu.clock.advance(8)
    shown = aom.detail(FLOW, key)
    assert set(shown) == {
        "workflow_id",
        "execution_id",
        "status",
        "begin_time",
        "end_time",
        "last_update_time",
        "execution_result_list",
        "approve_user_name_list",
        "project_id",
        "workflow_edit_time",
        "last_record_id_with_snapshot",
        "reserved_info",
    }
    assert (shown["workflow_id"], shown["execution_id"], shown["project_id"]) == (FLOW, key, aom.project_id)
    assert (shown["end_time"], shown["approve_user_name_list"]) == (None, [])
    now = milliseconds(emu.clock.now())
    assert shown["last_update_time"] == now - 2000
    first, second = shown["execution_result_list"]
    assert first == {
        "node_id": emu.aom.workflow(FLOW).node_id("collect"),
        "begin_time": now - 7000,
        "end_time": now - 2000,
        "function_execution_id": first["function_execution_id"],
        "output": {"instances": ["ecs-emulated-1"]},
        "status": "success",
    }
    assert (second["end_time"], second["output"]) == (None, None)
    assert first["function_execution_id"] != second["function_execution_id"]


def test_list_is_a_bare_array_newest_first(emu: Emulator, aom: AomCaller) -> None:
    keys = [aom.executed(FLOW) for _ in range(3)]
    listed = aom.executions(FLOW)
    assert [each["execution_id"] for each in listed] == keys[::-1]
    detail = aom.detail(FLOW, keys[0])
    assert listed[-1] == {key: value for key, value in detail.items() if key != "reserved_info"} | {
        "created_by": "airflow"
    }
    assert set(listed[-1]) - set(detail) == {"created_by"}
    assert aom.executions(ready.LONG_RUN) == []


def test_list_of_an_enterprise_project(emu: Emulator, aom: AomCaller) -> None:
    aom.executed(FLOW)
    assert len(aom.executions(FLOW, x_enterprise_project_id="0")) == 1
    assert aom.executions(FLOW, x_enterprise_project_id="another") == []
    refused(aom.cms("GET", f"/workflow/{FLOW}/executions", params={"x_enterprise_project_id": "x" * 65}))


def test_unknown_ids(emu: Emulator, aom: AomCaller) -> None:
    refused(aom.cms("POST", "/workflow/none/executions"), 404)
    refused(aom.terminate(FLOW, "none"), 404)
    key = aom.executed(FLOW)
    refused(aom.terminate(ready.LONG_RUN, key), 404)
    for missing in (404, 400):
        emu.switches.missing_status = missing
        refused(aom.cms("GET", f"/workflow/{FLOW}/executions/none/status"), missing)
        refused(aom.cms("GET", "/workflow/none/executions"), missing)
        refused(aom.operate(FLOW, "none", "skip", "x"), missing)
    refused(aom.cms("POST", f"/workflow/{'x' * 65}/executions"))
    refused(aom.cms("GET", f"/workflow/{FLOW}/executions/{'x' * 65}/status"))


def test_the_engines_id_of_a_workflow_is_not_taken(emu: Emulator, aom: AomCaller) -> None:
    inner = emu.aom.workflow(FLOW).function_workflow_id
    assert inner != FLOW
    refused(aom.cms("POST", f"/workflow/{inner}/executions"), 404)


def test_a_body_of_an_execute_call_changes_nothing(emu: Emulator, aom: AomCaller) -> None:
    answer = aom.cms("POST", f"/workflow/{FLOW}/executions", {"input": {"x": "y"}})
    assert answer.is_success
    assert "x" not in emu.aom.workflow(FLOW).body["input"]


def test_python_look_ups(emu: Emulator) -> None:
    first, second = (emu.aom.start("plain-chain", created_by="someone") for _ in range(2))
    assert emu.aom.executions_of("plain-chain") == emu.aom.executions_of(FLOW) == [first, second]
    assert (first.created_by, first.node("report").status) == ("someone", "waitExecute")
    assert emu.aom.execution(second.execution_id) is second
    assert (emu.aom.start_count(), emu.aom.start_count(ready.PAUSES)) == (2, 0)
    for look_up in (emu.aom.workflow, emu.aom.execution, emu.aom.start):
        with pytest.raises(KeyError):
            look_up("none")


def test_speed() -> None:
    with Emulator(clock="manual", speed=50, switches=Switches(visibility_delay=0)) as fast, AomCaller.of(fast) as aom:
        key = aom.executed(FLOW)
        fast.clock.advance(0.39)
        assert aom.status(FLOW, key) == "executing"
        fast.clock.advance(0.02)
        assert aom.status(FLOW, key) == "success"


def test_time_per_read() -> None:
    emulator = Emulator(clock="per_read", tick=10, switches=Switches(visibility_delay=0))
    with emulator, AomCaller.of(emulator) as aom:
        key = aom.executed(FLOW)
        assert aom.status(FLOW, key) == "executing"
        assert [each["status"] for each in aom.executions(FLOW)] == ["success"]


def test_real_time() -> None:
    with Emulator(speed=1_000_000, switches=Switches(visibility_delay=0)) as emulator, AomCaller.of(emulator) as aom:
        key = aom.executed(FLOW)
        seen = {aom.status(FLOW, key) for _ in range(50)}
        assert "success" in seen


def test_http_errors_name_no_reason_but_in_a_header(aom: AomCaller) -> None:
    answer = aom.terminate(FLOW, "%C3%BC%0D%0AX-Injected:%20yes")
    refused(answer, 404)
    assert r"\xfc\r\nX-Injected: yes" in answer.headers["X-Emulator-Reason"]
    assert "X-Injected" not in answer.headers
