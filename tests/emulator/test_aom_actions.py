from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from airflow_provider_mlworkflows.emulator import FaultRule, phases
from airflow_provider_mlworkflows.emulator.aom import IllegalAction, NodeAttempt, asks, fails, ready, succeeds
from airflow_provider_mlworkflows.emulator.aom.views import milliseconds
from tests.emulator.aom_calls import AomCaller, add, node, refused, standing

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.emulator import Emulator

FLOW = ready.PLAIN_CHAIN


def test_failed_node_restart(emu: Emulator, aom: AomCaller) -> None:
    flow = ready.FAILS_ONCE
    key = aom.executed(flow)
    emu.clock.advance(11)
    shown = aom.detail(flow, key)
    failed = shown["execution_result_list"][1]
    assert (shown["status"], shown["end_time"], failed["status"]) == ("pausing", None, "fail")
    assert (failed["node_id"], failed["output"]) == (ready.FAILING_NODE, {"error": "service app did not come up"})
    emu.clock.advance(86400)
    assert aom.detail(flow, key) == shown
    assert aom.operate(flow, key, "restart", ready.FAILING_NODE).json()["result"] == "success"
    assert (aom.status(flow, key), aom.results(flow, key)) == ("executing", ["success", "executing"])
    again = aom.detail(flow, key)["execution_result_list"][1]
    assert again["begin_time"] == milliseconds(emu.clock.now())
    assert again["function_execution_id"] != failed["function_execution_id"]
    emu.clock.advance(11)
    assert (aom.status(flow, key), aom.results(flow, key)) == ("success", ["success"] * 3)
    assert emu.aom.start_count() == 1
    entry = emu.journal.find("StartPausingWorkflowExecutions")[-1]
    assert (entry.action, entry.effective, entry.ids["node_id"]) == ("restart", True, ready.FAILING_NODE)


def test_failed_node_skip(emu: Emulator, aom: AomCaller) -> None:
    flow = ready.FAILS_ONCE
    key = aom.executed(flow)
    emu.clock.advance(11)
    assert aom.operate(flow, key, "skip", ready.FAILING_NODE).is_success
    assert (aom.status(flow, key), aom.results(flow, key)) == ("executing", ["success", "skip", "executing"])
    emu.clock.advance(6)
    assert aom.status(flow, key) == "success"


def test_skip_of_the_last_node_ends_the_execution(emu: Emulator, aom: AomCaller) -> None:
    flow, key, stored = standing(emu, node("a", fails(1)))
    aom.operate(flow, key, "skip", stored.node_id("a"))
    assert aom.status(flow, key) == "success"


def test_restart_may_fail_again(emu: Emulator, aom: AomCaller) -> None:
    flow, key, stored = standing(emu, node("a", fails(1)))
    for _ in range(2):
        aom.operate(flow, key, "restart", stored.node_id("a"))
        assert aom.status(flow, key) == "executing"
        emu.clock.advance(1)
        assert aom.status(flow, key) == "pausing"
    assert emu.aom.execution(key).node("a").attempt == 3


def test_failed_execution_is_over_until_it_is_restarted(emu: Emulator, aom: AomCaller) -> None:
    emu.switches.aom_failed_node = "fail"
    flow, key, stored = standing(emu, node("a", fails(9), succeeds(4)))
    shown = aom.detail(flow, key)
    assert (shown["status"], shown["end_time"] - shown["begin_time"]) == ("fail", 10_000)
    refused(aom.terminate(flow, key))
    assert aom.operate(flow, key, "restart", stored.node_id("a")).is_success
    shown = aom.detail(flow, key)
    assert (shown["status"], shown["end_time"]) == ("executing", None)
    emu.clock.advance(4)
    assert aom.status(flow, key) == "success"


def test_ignored_error(emu: Emulator, aom: AomCaller) -> None:
    flow, key, stored = standing(emu, node("a", fails(1), ignore_error=True), node("b"))
    assert (aom.status(flow, key), aom.results(flow, key)) == ("success", ["fail", "success"])
    refused(aom.operate(flow, key, "restart", stored.node_id("a")))


def test_pause_node(emu: Emulator, aom: AomCaller) -> None:
    flow = ready.PAUSES
    key = aom.executed(flow)
    emu.clock.advance(60)
    assert (aom.status(flow, key), aom.results(flow, key)) == ("pausing", ["success", "pausing"])
    for action in ("restart", "skip"):
        refused(aom.operate(flow, key, action, ready.PAUSE_NODE))
    assert aom.operate(flow, key, "continue", ready.PAUSE_NODE).is_success
    assert (aom.status(flow, key), aom.results(flow, key)) == ("executing", ["success", "executing"])
    refused(aom.operate(flow, key, "continue", ready.PAUSE_NODE))
    emu.clock.advance(1 + 8 + 6)
    assert aom.status(flow, key) == "success"


def test_pause_without_a_script_for_what_follows(emu: Emulator, aom: AomCaller) -> None:
    flow, key, stored = standing(emu, node("a", NodeAttempt(phases("pausing"))))
    aom.operate(flow, key, "continue", stored.node_id("a"))
    emu.clock.advance(1)
    assert aom.status(flow, key) == "success"


def test_actions_that_the_state_forbids(emu: Emulator, aom: AomCaller) -> None:
    flow, key, stored = standing(emu, node("a"), node("b", fails(1)), node("c"))
    a, b, c = (stored.node_id(name) for name in "abc")
    before = aom.detail(flow, key)
    for action, node_id in (("continue", b), ("restart", a), ("skip", a), ("skip", c), ("restart", "unknown")):
        refused(aom.operate(flow, key, action, node_id))
    assert aom.detail(flow, key) == before
    aom.operate(flow, key, "skip", b)
    for action in ("restart", "skip"):
        refused(aom.operate(flow, key, action, b))
    assert emu.journal.count("StartPausingWorkflowExecutions", effective=True) == 1
    assert emu.journal.count("StartPausingWorkflowExecutions", status=400) == 7


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"action": "restart"},
        {"node_id": ready.FAILING_NODE},
        {"action": "restart", "node_id": ""},
        {"action": "restart", "node_id": "x" * 65},
        {"action": "pause", "node_id": ready.FAILING_NODE},
        {"action": "RESTART", "node_id": ready.FAILING_NODE},
    ],
    ids=str,
)
def test_illegal_operations(emu: Emulator, aom: AomCaller, params: dict[str, str]) -> None:
    flow = ready.FAILS_ONCE
    key = aom.executed(flow)
    emu.clock.advance(60)
    answer = aom.cms("POST", f"/workflow/{flow}/executions/{key}/operation", params=params)
    refused(answer)
    assert answer.headers["X-Emulator-Reason"]
    assert aom.status(flow, key) == "pausing"


def test_termination(emu: Emulator, aom: AomCaller) -> None:
    key = aom.executed(FLOW)
    emu.clock.advance(3)
    assert aom.terminate(FLOW, key).json()["result"] == "success"
    assert (aom.status(FLOW, key), aom.results(FLOW, key)) == ("canceling", ["canceling"])
    refused(aom.terminate(FLOW, key))
    emu.clock.advance(3)
    shown = aom.detail(FLOW, key)
    assert (shown["status"], aom.results(FLOW, key)) == ("cancel", ["cancel"])
    assert shown["end_time"] == milliseconds(emu.clock.now())
    assert shown["execution_result_list"][0]["output"] is None
    refused(aom.terminate(FLOW, key))
    refused(aom.operate(FLOW, key, "restart", emu.aom.workflow(FLOW).node_id("collect")))
    emu.clock.advance(3600)
    assert aom.status(FLOW, key) == "cancel"
    assert (emu.aom.termination_count(key), emu.aom.termination_count()) == (1, 1)
    assert emu.journal.count("StopExecution", effective=True, execution_id=key) == 1


@pytest.mark.parametrize(
    ("flow", "seconds", "status", "results"),
    [
        (ready.WAITS_FOR_APPROVAL, 60, "waitApproval", []),
        (FLOW, 0, "waitExecute", []),
        (ready.FAILS_ONCE, 60, "pausing", ["success", "fail"]),
        (ready.PAUSES, 60, "pausing", ["success", "cancel"]),
    ],
)
def test_termination_of_what_stands(
    emu: Emulator, aom: AomCaller, flow: str, seconds: int, status: str, results: list[str]
) -> None:
    key = aom.executed(flow)
    emu.clock.advance(seconds)
    assert aom.status(flow, key) == status
    assert aom.terminate(flow, key).is_success
    assert aom.status(flow, key) == "canceling"
    emu.clock.advance(3)
    assert (aom.status(flow, key), aom.results(flow, key)) == ("cancel", results)
    with pytest.raises(IllegalAction):
        emu.aom.approve(key)


def test_approval(emu: Emulator, aom: AomCaller) -> None:
    flow = ready.WAITS_FOR_APPROVAL
    key, other = aom.executed(flow), aom.executed(flow)
    emu.clock.advance(86400)
    shown = aom.detail(flow, key)
    assert (shown["status"], shown["approve_user_name_list"]) == ("waitApproval", [ready.APPROVER])
    emu.aom.approve(key)
    assert aom.status(flow, key) == "waitExecute"
    emu.clock.advance(20)
    assert aom.status(flow, key) == "success"
    emu.aom.refuse(other)
    shown = aom.detail(flow, other)
    assert (shown["status"], shown["end_time"]) == ("approvalFailed", milliseconds(emu.clock.now()))
    refused(aom.terminate(flow, other))
    with pytest.raises(IllegalAction):
        emu.aom.refuse(other)


def test_approval_node(emu: Emulator, aom: AomCaller) -> None:
    flow = ready.ASKS_MIDWAY
    key = aom.executed(flow)
    emu.clock.advance(86400)
    shown = aom.detail(flow, key)
    assert (shown["status"], shown["approve_user_name_list"]) == ("waitApproval", [ready.APPROVER])
    assert (aom.results(flow, key), shown["end_time"]) == (["success", "waitApproval"], None)
    for action in ("restart", "skip", "continue"):
        refused(aom.operate(flow, key, action, ready.APPROVAL_NODE))
    emu.aom.approve(key)
    assert (aom.status(flow, key), aom.results(flow, key)) == ("executing", ["success", "executing"])
    with pytest.raises(IllegalAction):
        emu.aom.approve(key)
    emu.clock.advance(1 + 8 + 6)
    assert (aom.status(flow, key), aom.results(flow, key)) == ("success", ["success"] * 4)


def test_refused_approval_node(emu: Emulator, aom: AomCaller) -> None:
    flow, key, stored = standing(emu, node("a", category="approval"), node("b"))
    emu.aom.refuse(key)
    shown = aom.detail(flow, key)
    now = milliseconds(emu.clock.now())
    assert (shown["status"], shown["end_time"]) == ("approvalFailed", now)
    (result,) = shown["execution_result_list"]
    assert (result["status"], result["end_time"]) == ("approvalFailed", now)
    refused(aom.operate(flow, key, "skip", stored.node_id("a")))
    refused(aom.terminate(flow, key))


def test_two_approvals(emu: Emulator, aom: AomCaller) -> None:
    flow, key, _ = standing(emu, node("a", asks()), needs_approval=True)
    assert (aom.status(flow, key), aom.results(flow, key)) == ("waitApproval", [])
    emu.aom.approve(key)
    emu.clock.advance(60)
    assert (aom.status(flow, key), aom.results(flow, key)) == ("waitApproval", ["waitApproval"])
    emu.aom.approve(key)
    emu.clock.advance(1)
    assert aom.status(flow, key) == "success"


def test_pause_and_failure_of_one_node(emu: Emulator, aom: AomCaller) -> None:
    """A node may fail after its pause; what is taken then is what a failed node takes."""
    attempt = NodeAttempt(phases("pausing", ("executing", 2), "fail"), {"error": "no"})
    flow, key, stored = standing(emu, node("a", attempt, succeeds(1)))
    assert aom.operate(flow, key, "continue", stored.node_id("a")).is_success
    emu.clock.advance(2)
    assert (aom.status(flow, key), aom.results(flow, key)) == ("pausing", ["fail"])
    refused(aom.operate(flow, key, "continue", stored.node_id("a")))
    assert aom.operate(flow, key, "restart", stored.node_id("a")).is_success
    emu.clock.advance(1)
    assert aom.status(flow, key) == "success"


def test_pause_that_ends_by_itself(emu: Emulator, aom: AomCaller) -> None:
    flow = add(emu, node("a", NodeAttempt(phases(("pausing", 5), ("executing", 2), "success"))), node("b"))
    key = aom.executed(flow.workflow_id)
    seen = []
    for _ in range(4):
        emu.clock.advance(2.5)
        seen.append((aom.status(flow.workflow_id, key), aom.results(flow.workflow_id, key)))
    assert seen == [
        ("pausing", ["pausing"]),
        ("pausing", ["pausing"]),
        ("executing", ["executing"]),
        ("executing", ["success", "executing"]),
    ]


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(
    ("operation", "reached"), [("StartPausingWorkflowExecutions", "executing"), ("StopExecution", "canceling")]
)
def test_lost_answers(emu: Emulator, aom: AomCaller, operation: str, reached: str, when: str) -> None:
    """What the caller does not hear of has happened, or has not."""
    flow = ready.FAILS_ONCE
    key = aom.executed(flow)
    emu.clock.advance(60)
    emu.faults.add(FaultRule.from_json({"operation": operation, "when": when, "action": "reset"}))

    def act() -> httpx.Response:
        if operation == "StopExecution":
            return aom.terminate(flow, key)
        return aom.operate(flow, key, "restart", ready.FAILING_NODE)

    with pytest.raises(httpx.ReadError):
        act()
    assert aom.status(flow, key) == (reached if when == "after" else "pausing")
    if when == "after":
        refused(act())
    else:
        assert act().is_success
    assert emu.journal.count(operation, effective=True, execution_id=key) == 1
