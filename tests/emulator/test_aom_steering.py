from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from airflow_provider_mlworkflows.emulator import phases
from airflow_provider_mlworkflows.emulator.aom import IllegalAction, NodeAttempt, never_ends, pauses, ready
from airflow_provider_mlworkflows.emulator.aom.views import milliseconds
from tests.emulator.aom_calls import AomCaller, add, node, refused, standing

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.emulator import Emulator

FLOW = ready.PLAIN_CHAIN


def test_nodes_are_ended_from_outside(emu: Emulator, aom: AomCaller) -> None:
    flow, key, _ = standing(emu, node("a", never_ends()), node("b", never_ends()), node("c", pauses(1)))
    with pytest.raises(IllegalAction, match="not the current one"):
        emu.aom.finish_node(key, "b")
    emu.aom.finish_node(key, "a", {"answer": 42})
    assert aom.results(flow, key) == ["success", "executing"]
    assert aom.detail(flow, key)["execution_result_list"][0]["output"] == {"answer": 42}
    emu.aom.fail_node(key, output={"error": "no"})
    assert (aom.status(flow, key), aom.results(flow, key)) == ("pausing", ["success", "fail"])
    emu.aom.finish_node(key)
    emu.clock.advance(1)
    assert (aom.status(flow, key), aom.results(flow, key)) == ("pausing", ["success", "success", "pausing"])
    emu.aom.finish_node(key, "c")
    assert aom.status(flow, key) == "success"
    with pytest.raises(IllegalAction, match="no node at work"):
        emu.aom.fail_node(key)
    with pytest.raises(KeyError):
        emu.aom.fail_node(key, "d")


def test_forced_statuses(emu: Emulator, aom: AomCaller) -> None:
    key = aom.executed(FLOW)
    emu.clock.advance(2)
    emu.aom.force_status(key, "Mystery", {"restart": "odd"})
    assert (aom.status(FLOW, key), aom.results(FLOW, key)) == ("Mystery", ["executing", "odd"])
    emu.aom.force_status(key, None)
    assert aom.status(FLOW, key) == "executing"
    emu.aom.force_status(key, None, {"collect": "success", "restart": "timeout"})
    assert (aom.status(FLOW, key), aom.results(FLOW, key)) == ("pausing", ["success", "timeout"])
    emu.aom.force_status(key, None, {"restart": "success"})
    assert aom.status(FLOW, key) == "executing"
    emu.aom.force_status(key, "Mystery")
    assert aom.terminate(FLOW, key).is_success
    assert aom.status(FLOW, key) == "canceling"
    with pytest.raises(KeyError):
        emu.aom.force_status(key, None, {"none": "success"})


def test_scripted_statuses(emu: Emulator, aom: AomCaller) -> None:
    script = phases(("executing", 2), ("Mystery", 3), "success")
    flow = add(emu, node("a", never_ends()), status_script=script).workflow_id
    key = aom.executed(flow)
    seen = [aom.status(flow, key)]
    for _ in range(2):
        emu.clock.advance(3)
        seen.append(aom.status(flow, key))
    assert seen == ["executing", "Mystery", "success"]
    assert aom.detail(flow, key)["end_time"] is not None


def test_scripted_statuses_of_a_node(emu: Emulator, aom: AomCaller) -> None:
    flow = add(emu, node("a", NodeAttempt(phases(("running", 2), "timeout"), "late"))).workflow_id
    key = aom.executed(flow)
    emu.clock.advance(2)
    assert (aom.status(flow, key), aom.results(flow, key)) == ("executing", ["running"])
    emu.clock.advance(2)
    assert (aom.status(flow, key), aom.results(flow, key)) == ("pausing", ["timeout"])
    assert aom.detail(flow, key)["execution_result_list"][0]["output"] == "late"


def test_deleted_execution(emu: Emulator, aom: AomCaller) -> None:
    key = aom.executed(FLOW)
    emu.aom.delete_execution(key)
    refused(aom.cms("GET", f"/workflow/{FLOW}/executions/{key}/status"), 404)
    assert aom.executions(FLOW) == []
    assert emu.aom.start_count(FLOW) == 1
    with pytest.raises(KeyError):
        emu.aom.delete_execution(key)


@pytest.mark.parametrize("literal", ["success", "fail", "timeout", "cancel", "approvalFailed"])
def test_a_status_that_was_forced_to_an_end_has_ended_only_while_it_is_shown(
    emu: Emulator, aom: AomCaller, literal: str
) -> None:
    key = aom.executed(FLOW)
    emu.clock.advance(2)
    emu.aom.force_status(key, literal)
    assert aom.detail(FLOW, key)["end_time"] == milliseconds(emu.clock.now())
    emu.aom.force_status(key, None)
    assert aom.detail(FLOW, key)["end_time"] is None


def test_chosen_ids_of_executions(emu: Emulator, aom: AomCaller) -> None:
    emu.aom.start(FLOW, execution_id="run-1")
    assert aom.status(FLOW, "run-1") == "waitExecute"
    with pytest.raises(ValueError, match="run-1 already"):
        emu.aom.start(ready.PAUSES, execution_id="run-1")
    assert emu.aom.start_count() == 1


def test_a_workflow_is_forgotten_with_its_executions(emu: Emulator, aom: AomCaller) -> None:
    key = aom.executed(FLOW)
    emu.aom.delete_workflow("plain-chain")
    assert key not in emu.aom.executions
    refused(aom.cms("GET", f"/workflow/{FLOW}/executions/{key}/status"), 404)
    with pytest.raises(KeyError):
        emu.aom.delete_workflow(FLOW)
