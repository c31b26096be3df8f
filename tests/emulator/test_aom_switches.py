from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_mlworkflows.emulator import Switches, phases
from airflow_provider_mlworkflows.emulator.aom import NodeAttempt, ready
from tests.emulator.aom_calls import SORTED, AomCaller, node, refused, standing

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.emulator import Emulator

FLOW, FLAKY, NODE = ready.PLAIN_CHAIN, ready.FAILS_ONCE, ready.FAILING_NODE
RUNS = f"/workflow/{FLOW}/executions"
RUNNING = SORTED | {"status": "executing"}


def failed(emu: Emulator, aom: AomCaller) -> str:
    """Return an execution that stands at its failed node."""
    key = aom.executed(FLAKY)
    emu.clock.advance(30)
    return key


@pytest.mark.parametrize(
    ("form", "expected"), [("documented", (400, "404")), ("int", (400, 404)), ("str", ("400", "404"))]
)
def test_http_code(emu: Emulator, aom: AomCaller, form: Any, expected: tuple[Any, Any]) -> None:
    emu.switches.aom_http_code = form
    answers = aom.cms("POST", "/workflow", {}), aom.terminate(FLOW, "none")
    assert tuple(answer.json()["http_code"] for answer in answers) == expected


def test_error_key(emu: Emulator, aom: AomCaller) -> None:
    emu.switches.aom_error_key = "error_message"
    body = aom.cms("POST", "/workflow", {}).json()
    assert body == {"error_code": "AOM.31001302", "error_message": "Invalid param", "http_code": 400}


def test_auth_errors(emu: Emulator, aom: AomCaller) -> None:
    emu.switches.aom_auth_errors = "gateway"
    aom.sk = "wrong"
    answer = aom.cms("GET", RUNS)
    assert (answer.status_code, answer.json()["error_code"]) == (401, "APIGW.0301")


def test_the_other_code_of_the_service(emu: Emulator, aom: AomCaller) -> None:
    emu.switches.aom_auth_errors = "sibling"
    aom.sk = "wrong"
    refused(aom.cms("GET", RUNS), 401, "AOM.31009003", "auth failed.")


@pytest.mark.parametrize(
    ("form", "action", "trigger"),
    [
        ("documented", '{"result": "success"}', '{"success"}'),
        ("result", '{"result": "success"}', '{"result": "success"}'),
        ("literal", '{"success"}', '{"success"}'),
        ("string", '"success"', '"success"'),
    ],
)
def test_action_body(emu: Emulator, aom: AomCaller, form: Any, action: str, trigger: str) -> None:
    emu.switches.aom_action_body = form
    emu.switches.unknown_field = False
    key = failed(emu, aom)
    answers = [aom.operate(FLAKY, key, "restart", NODE), aom.terminate(FLAKY, key)]
    timed = {"name": "t", "type": "cron", "input": {}, "task_type": "job", "template_id": ready.TEMPLATE}
    flow = aom.cms("POST", "/workflow", timed).json()["id"]
    answers.append(aom.cms("PUT", f"/workflow/{flow}/trigger/action", params={"action": "enable"}))
    assert [answer.text for answer in answers] == [action, action, trigger]
    assert {answer.headers["Content-Type"] for answer in answers} == {"application/json"}
    assert emu.journal.count(effective=True, status=200) == 5


@pytest.mark.parametrize("literal", ["pausing", "fail"])
def test_failed_node(emu: Emulator, aom: AomCaller, literal: Any) -> None:
    emu.switches.aom_failed_node = literal
    key = failed(emu, aom)
    assert (aom.status(FLAKY, key), aom.results(FLAKY, key)) == (literal, ["success", "fail"])
    assert aom.operate(FLAKY, key, "restart", NODE).is_success
    emu.clock.advance(11)
    assert aom.status(FLAKY, key) == "success"


def test_concurrent(emu: Emulator, aom: AomCaller) -> None:
    first = aom.executed(FLOW)
    second = aom.executed(FLOW)
    emu.switches.aom_concurrent = "reject"
    refused(aom.cms("POST", RUNS))
    emu.switches.wrong_state = (409, "AOM.1")
    answer = aom.cms("POST", RUNS)
    assert (answer.status_code, answer.json()["error_code"]) == (409, "AOM.1")
    emu.switches.wrong_state = (200, "")
    refused(aom.cms("POST", RUNS))
    assert aom.executed(ready.LONG_RUN)
    for key in (first, second):
        aom.terminate(FLOW, key)
    refused(aom.cms("POST", RUNS))
    emu.clock.advance(3)
    assert aom.executed(FLOW)
    assert emu.aom.start_count(FLOW) == 3


@pytest.mark.parametrize("literal", ["skip", "skipped", "fail", "success"])
def test_skipped_node(emu: Emulator, aom: AomCaller, literal: Any) -> None:
    emu.switches.aom_skipped_node = literal
    key = failed(emu, aom)
    aom.operate(FLAKY, key, "skip", NODE)
    assert aom.results(FLAKY, key) == ["success", literal, "executing"]


def test_statuses_of_the_engine(emu: Emulator, aom: AomCaller) -> None:
    late = NodeAttempt(phases(("executing", 2), "timeout"), {"error": "late"})
    flow, key, stored = standing(emu, node("a"), node("b", late), node("c"))
    assert (aom.status(flow, key), aom.results(flow, key)) == ("pausing", ["success", "timeout"])
    emu.switches.aom_statuses = "engine"
    assert aom.status(flow, key) == "pausing"
    emu.switches.aom_failed_node = "fail"
    other = aom.executed(flow)
    emu.clock.advance(2)
    assert (aom.status(flow, other), aom.results(flow, other)) == ("running", ["running"])
    assert aom.cms("POST", "/workflow-list", RUNNING).json()["elements"][0]["status"] == "running"
    emu.clock.advance(6)
    assert (aom.status(flow, other), aom.results(flow, other)) == ("timeout", ["success", "timeout"])
    assert aom.operate(flow, other, "skip", stored.node_id("b")).is_success
    assert aom.results(flow, other) == ["success", "skip", "running"]


@pytest.mark.parametrize(
    ("flow", "seconds", "seen"),
    [
        (FLOW, 0, ("waitExecute", "executing")),
        (FLOW, 5, ("executing", "executing")),
        (FLOW, 20, ("success", "success")),
        (FLAKY, 20, ("pausing", "executing")),
    ],
)
def test_status_of_a_workflow(emu: Emulator, aom: AomCaller, flow: str, seconds: int, seen: tuple[str, str]) -> None:
    aom.executed(flow)
    emu.clock.advance(seconds)
    forms: list[Any] = ["execution", "coarse"]
    for form, literal in zip(forms, seen, strict=True):
        emu.switches.aom_workflow_status = form
        rows = aom.cms("POST", "/workflow-list", SORTED | {"status": literal}).json()["elements"]
        assert [(row["id"], row["status"]) for row in rows] == [(flow, literal)]


def test_coarse_status_of_what_did_not_succeed(emu: Emulator, aom: AomCaller) -> None:
    emu.switches.aom_workflow_status = "coarse"
    key = aom.executed(ready.WAITS_FOR_APPROVAL)
    emu.aom.refuse(key)
    aom.terminate(FLOW, aom.executed(FLOW))
    assert aom.workflows(status="executing") == ["plain-chain"]
    emu.clock.advance(3)
    assert aom.workflows(status="fail") == ["plain-chain", "waits-for-approval"]


def test_restarted_node(emu: Emulator, aom: AomCaller) -> None:
    key = failed(emu, aom)
    first = aom.detail(FLAKY, key)["execution_result_list"][1]
    aom.operate(FLAKY, key, "restart", NODE)
    assert aom.results(FLAKY, key) == ["success", "executing"]
    emu.switches.aom_restarted_node = "added"
    results = aom.detail(FLAKY, key)["execution_result_list"]
    assert [each["status"] for each in results] == ["success", "fail", "executing"]
    assert results[1] == first
    assert results[2]["node_id"] == NODE
    emu.clock.advance(60)
    assert aom.results(FLAKY, key) == ["success", "fail", "success", "success"]


def test_results_in_lists(emu: Emulator, aom: AomCaller) -> None:
    key = failed(emu, aom)
    assert len(aom.executions(FLAKY)[0]["execution_result_list"]) == 2
    emu.switches.aom_results_in_lists = False
    assert aom.executions(FLAKY)[0]["execution_result_list"] is None
    assert len(aom.detail(FLAKY, key)["execution_result_list"]) == 2


def test_waiting_nodes(emu: Emulator, aom: AomCaller) -> None:
    emu.switches.aom_waiting_nodes = True
    key = aom.executed(FLOW)
    assert aom.results(FLOW, key) == ["waitExecute"] * 3
    result = aom.detail(FLOW, key)["execution_result_list"][0]
    assert (result["begin_time"], result["function_execution_id"]) == (None, None)


@pytest.mark.parametrize(
    ("form", "detail", "brief"),
    [("milliseconds", int, int), ("iso", str, str), ("iso-in-detail", str, int)],
)
def test_update_time(emu: Emulator, aom: AomCaller, form: Any, detail: type, brief: type) -> None:
    emu.switches.aom_update_time = form
    key = aom.executed(FLOW)
    times = aom.detail(FLOW, key)["last_update_time"], aom.executions(FLOW)[0]["last_update_time"]
    assert tuple(map(type, times)) == (detail, brief)
    if detail is str:
        assert times[0] == f"{emu.clock.now():%Y-%m-%dT%H:%M:%SZ}"


def test_end_time(emu: Emulator, aom: AomCaller) -> None:
    open_key, over = aom.executed(ready.LONG_RUN), aom.executed(FLOW)
    emu.clock.advance(30)

    def shown(flow: str, key: str) -> list[Any]:
        detail = aom.detail(flow, key)
        return [each.get("end_time", "absent") for each in (detail, detail["execution_result_list"][-1])]

    ended = shown(FLOW, over)
    assert all(isinstance(time, int) for time in ended)
    modes: list[tuple[Any, Any]] = [("null", None), ("absent", "absent"), ("zero", 0)]
    for mode, expected in modes:
        emu.switches.aom_end_time = mode
        assert shown(ready.LONG_RUN, open_key) == [expected] * 2
        assert shown(FLOW, over) == ended
    emu.switches.aom_end_time = "never"
    assert shown(ready.LONG_RUN, open_key) == shown(FLOW, over) == ["absent"] * 2


def test_output(emu: Emulator, aom: AomCaller) -> None:
    key = aom.executed(FLOW)
    emu.clock.advance(8)

    def outputs() -> list[Any]:
        return [each["output"] for each in aom.detail(FLOW, key)["execution_result_list"]]

    given, nothing = outputs()
    assert isinstance(given, dict)
    emu.switches.aom_output = "text"
    text, nothing_too = outputs()
    assert (json.loads(text), nothing, nothing_too) == (given, None, None)
    emu.switches.aom_output = "null"
    assert outputs() == [None, None]


def test_casing(emu: Emulator, aom: AomCaller) -> None:
    emu.switches.casing = "upper"
    key = failed(emu, aom)
    assert (aom.status(FLAKY, key), aom.results(FLAKY, key)) == ("PAUSING", ["SUCCESS", "FAIL"])
    assert aom.operate(FLAKY, key, "skip", NODE).is_success
    assert aom.executions(FLAKY)[0]["status"] == "EXECUTING"


def test_visibility_delay(emu: Emulator, aom: AomCaller) -> None:
    emu.switches.visibility_delay = 2
    key = failed(emu, aom)
    before = aom.detail(FLAKY, key)
    aom.operate(FLAKY, key, "restart", NODE)
    assert emu.aom.execution(key).status == "executing"
    assert aom.detail(FLAKY, key) == before
    assert aom.executions(FLAKY)[0]["status"] == "pausing"
    assert aom.status(FLAKY, key) == "executing"
    refused(aom.operate(FLAKY, key, "restart", NODE))
    assert aom.status(FLAKY, key) == "executing"
    aom.terminate(FLAKY, key)
    assert [aom.status(FLAKY, key) for _ in range(3)] == ["executing", "executing", "canceling"]


def test_list_lag(emu: Emulator, aom: AomCaller) -> None:
    emu.switches.list_lag = 10
    key = aom.executed(FLOW)
    assert aom.executions(FLOW) == []
    assert aom.status(FLOW, key) == "waitExecute"
    query = {"sort_field": "create_time", "sort_type": "ASC"}
    assert aom.cms("POST", "/workflow-list", query).json()["elements"][0]["last_execution_id"] is None
    emu.clock.advance(10)
    assert [each["execution_id"] for each in aom.executions(FLOW)] == [key]


@pytest.mark.parametrize("given", [(409, "AOM.31001999"), (500, "")])
def test_wrong_state(emu: Emulator, aom: AomCaller, given: tuple[int, str]) -> None:
    emu.switches.wrong_state = given
    key = failed(emu, aom)
    answer = aom.operate(FLAKY, key, "continue", NODE)
    assert (answer.status_code, answer.json()["error_code"]) == (given[0], given[1] or "AOM.31001405")


def test_wrong_state_may_be_accepted_without_effect(emu: Emulator, aom: AomCaller) -> None:
    emu.switches.wrong_state = (200, "")
    key = failed(emu, aom)
    assert aom.operate(FLAKY, key, "continue", NODE).json()["result"] == "success"
    assert aom.status(FLAKY, key) == "pausing"
    assert emu.journal.count("StartPausingWorkflowExecutions", effective=True) == 0


def test_status_on_create(emu: Emulator, aom: AomCaller) -> None:
    assert "status" not in aom.cms("POST", RUNS).json()
    emu.switches.status_on_create = True
    assert aom.cms("POST", RUNS).json()["status"] == "waitExecute"


def test_unknown_field(emu: Emulator, aom: AomCaller) -> None:
    assert "reserved_info" in aom.cms("POST", RUNS).json()
    emu.switches.unknown_field = False
    answer = aom.cms("POST", RUNS).json()
    assert set(answer) == {"execution_id"}


def test_count_means(emu: Emulator, aom: AomCaller) -> None:
    query = {"sort_field": "create_time", "sort_type": "ASC", "size": 2}
    assert aom.cms("POST", "/workflow-list", query).json()["total_elements"] == 6
    emu.switches.count_means = "page"
    assert aom.cms("POST", "/workflow-list", query).json()["total_elements"] == 2


@pytest.mark.parametrize(("name", "value"), [("aom_first_page", 2), ("aom_output", "json"), ("aom_end_time", None)])
def test_illegal_values(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=name):
        setattr(Switches(), name, value)
