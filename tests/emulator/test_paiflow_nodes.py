from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_mlworkflows.emulator import LogLine, NodeAttempt, NodeDefinition, Output, PipelineDefinition
from airflow_provider_mlworkflows.emulator.paiflow import fails, never_ends, ready, succeeds
from airflow_provider_mlworkflows.emulator.scripted import phases
from tests.emulator.test_paiflow_access import refused

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.emulator import Emulator
    from tests.emulator.acs_signing import PaiCaller

NESTED = ready.SUB_DAG_AND_LOOP


def begin(emu: Emulator, pai: PaiCaller, *nodes: NodeDefinition, seconds: float = 1) -> str:
    flow = emu.paiflow.add_pipeline(PipelineDefinition("test", nodes)).pipeline_id
    run = pai.start(flow)
    emu.clock.advance(seconds)
    return run


def kinds(node: dict[str, Any]) -> dict[str, str]:
    """Names and types of a node and all below it."""
    found = {node["Metadata"]["Name"]: node["Metadata"]["NodeType"]}
    for child in node["Spec"]["Pipelines"]:
        found |= kinds(child)
    return found


def lines(pai: PaiCaller, run: str, name: str, **params: Any) -> list[str]:
    answer = pai.node_list(run, pai.node_id(run, name), "logs", **params)
    assert answer.status_code == 200, answer.text
    found: list[str] = answer.json()["Logs"]
    return found


def test_root_is_a_virtual_node(emu: Emulator, pai: PaiCaller) -> None:
    run = pai.start(NESTED)
    emu.clock.advance(1)
    root = pai.node(run, pai.get(run)["NodeId"])
    assert root["ApiVersion"] == "core/v1"
    assert (root["Metadata"]["Name"], root["Metadata"]["NodeType"]) == (run, "Dag")
    assert root["StatusInfo"]["Status"] == "Running"
    assert root["StatusInfo"]["Progress"] == "0/10"
    children = root["Spec"]["Pipelines"]
    assert [child["Metadata"]["Name"] for child in children] == ["read", "features", "tune", "choose"]
    assert [child["Spec"]["Dependencies"] for child in children] == [[], ["read"], ["features"], ["tune"]]
    assert [child["Spec"]["HasPipelines"] for child in children] == [False, True, True, False]
    assert all(child["Spec"]["Pipelines"] == [] for child in children)
    assert "StartedAt" in children[0]["StatusInfo"]
    assert "StartedAt" not in children[1]["StatusInfo"]


def test_depth(emu: Emulator, pai: PaiCaller) -> None:
    run = pai.start(NESTED)
    emu.clock.advance(1)
    root = pai.get(run)["NodeId"]
    assert [len(kinds(pai.node(run, root, Depth=depth))) for depth in (1, 2, 3, 4, 99)] == [1, 5, 10, 12, 12]
    tree = kinds(pai.node(run, root, Depth=4))
    assert (tree["features"], tree["extract"]) == ("Dag", "Task")
    assert (tree["tune"], tree["tune-2"], tree["fit"]) == ("Loop", "Dag", "Task")
    below = pai.node(run, pai.node_id(run, "tune-1"))
    assert list(kinds(below)) == ["tune-1", "fit", "score"]
    for wrong in (0, "x", 2**31):
        answer = pai.call("GetPipelineRunNode", "GET", f"/api/v1/pipelineruns/{run}/nodes/{root}", Depth=wrong)
        refused(answer, 400, "InvalidParameter", "Depth")


def test_loop(emu: Emulator, pai: PaiCaller) -> None:
    run = pai.start(NESTED)
    emu.clock.advance(1)
    node = pai.node(run, pai.node_id(run, "tune"))
    assert (node["Spec"]["WithItems"], node["Spec"]["Parallelism"]) == ([0.1, 0.01, 0.001], 2)
    rates = [child["Spec"]["Inputs"]["Parameters"] for child in node["Spec"]["Pipelines"]]
    assert rates == [[{"Name": "rate", "Value": rate}] for rate in (0.1, 0.01, 0.001)]
    emu.clock.advance(11)
    tree = pai.tree(run)
    assert [tree[f"tune-{index}"] for index in range(3)] == ["Running", "Running", "ReadyToSchedule"]
    emu.clock.advance(6)
    assert pai.tree(run)["tune-2"] == "Running"
    emu.clock.advance(60)
    assert set(pai.tree(run).values()) == {"Succeeded"}


def test_flat_list_of_statuses(emu: Emulator, pai: PaiCaller) -> None:
    run = pai.start(NESTED)
    emu.clock.advance(6)
    root = pai.get(run)["NodeId"]

    def listed(**params: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = pai.node_list(run, root, "status", **params).json()["Status"]
        return found

    assert [each["NodeName"] for each in listed()] == [run, "read", "features", "tune", "choose"]
    assert [len(listed(Depth=depth)) for depth in (1, 3, 99)] == [1, 10, 16]
    by_name = {each["NodeName"]: each for each in listed(Depth=99)}
    assert (by_name["read"]["Status"], by_name["extract"]["Status"]) == ("Succeeded", "Running")
    assert "DLC_INSTANCE_IDS" in json.loads(by_name["extract"]["RuntimeInfo"])
    assert by_name["choose"]["RuntimeInfo"] == "{}"
    assert {"StartedAt", "FinishedAt"} <= set(by_name["read"])
    assert not {"StartedAt", "FinishedAt"} & set(by_name["choose"])


def test_physical_nodes(emu: Emulator, pai: PaiCaller) -> None:
    run = pai.start(NESTED)
    emu.clock.advance(1)
    root = pai.get(run)["NodeId"]
    assert len(pai.node_list(run, root, "status", Type="Physical").json()["Status"]) == 11
    node = pai.node(run, root, Type="Physical", Depth=2)
    assert {child["Metadata"]["NodeType"] for child in node["Spec"]["Pipelines"]} == {"Pod"}
    refused(pai.node_list(run, root, "status", Type="Other"), 400, "InvalidParameter", "Physical")
    emu.switches.leaf_node_type = "Pod"
    assert kinds(pai.node(run, root))["read"] == "Pod"


def test_unknown_node(pai: PaiCaller) -> None:
    run = pai.start(NESTED)
    for what in ("status", "logs"):
        refused(pai.node_list(run, "node-nobody", what), 404, "200400004", "node-nobody")
    refused(pai.node_list("flow-nobody", "node-x", "status"), 404, "200300004", "flow-nobody")


def test_failure_in_a_sub_pipeline_spreads(emu: Emulator, pai: PaiCaller) -> None:
    inner = (NodeDefinition("bad", attempts=(fails(1, "deep"), succeeds(1))), NodeDefinition("late", ("bad",)))
    outer = NodeDefinition("outer", children=inner)
    run = begin(emu, pai, outer, NodeDefinition("end", ("outer",)), seconds=9)
    assert pai.tree(run) == {"outer": "Failed", "bad": "Failed", "late": "Skipped", "end": "Skipped"}
    assert pai.get(run)["Message"] == "node bad failed: deep"
    pai.act(run, "rerun")
    emu.clock.advance(60)
    assert set(pai.tree(run).values()) == {"Succeeded"}


def test_one_broken_iteration(emu: Emulator, pai: PaiCaller) -> None:
    loop = NodeDefinition("loop", items=(1, 2, 3), parallelism=1)
    emu.paiflow.attempts["loop-1"] = (fails(1), succeeds(1))
    run = begin(emu, pai, loop, seconds=60)
    expected = {"loop": "Failed", "loop-0": "Succeeded", "loop-1": "Failed", "loop-2": "Succeeded"}
    assert pai.tree(run) == expected
    pai.act(run, "rerun")
    emu.clock.advance(60)
    assert set(pai.tree(run).values()) == {"Succeeded"}


def test_nodes_behind_a_branch_not_taken_are_left_out_too(emu: Emulator, pai: PaiCaller) -> None:
    run = begin(
        emu,
        pai,
        NodeDefinition("first"),
        NodeDefinition("never", ("first",), when="1 == 2", children=(NodeDefinition("inside"),)),
        NodeDefinition("after", ("never",)),
        NodeDefinition("join", ("first", "never")),
        seconds=60,
    )
    tree = pai.tree(run)
    assert {name for name, status in tree.items() if status == "Skipped"} == {"never", "inside", "after"}
    assert (tree["join"], pai.status(run)) == ("Succeeded", "Succeeded")


def test_logs_grow(emu: Emulator, pai: PaiCaller) -> None:
    run = begin(emu, pai, NodeDefinition("work", attempts=(succeeds(3),)))
    assert lines(pai, run, "work") == ["work: attempt 1 begins"]
    emu.clock.advance(2)
    assert lines(pai, run, "work", Offset=1) == [f"work: attempt 1, progress {step}/3" for step in (1, 2)]
    emu.clock.advance(60)
    assert len(lines(pai, run, "work")) == 5
    assert lines(pai, run, "work", Offset=4) == ["work: done"]
    assert lines(pai, run, "work", Offset=5) == []


def test_log_lag(emu: Emulator, pai: PaiCaller) -> None:
    emu.switches.log_lag = 10
    run = begin(emu, pai, NodeDefinition("work", attempts=(succeeds(3),)), seconds=9)
    assert lines(pai, run, "work") == []
    emu.clock.advance(60)
    assert lines(pai, run, "work")[-1] == "work: done"


def test_logs_go_on_in_a_rerun(emu: Emulator, pai: PaiCaller) -> None:
    run = begin(emu, pai, NodeDefinition("work", attempts=(fails(1, "no disk"), succeeds(1))), seconds=9)
    before = lines(pai, run, "work")
    assert before[-1] == "ERROR no disk"
    pai.act(run, "rerun")
    emu.clock.advance(9)
    after = lines(pai, run, "work")
    assert after[: len(before)] == before
    assert after[len(before)] == "work: attempt 2 begins"


def test_logs_end_with_the_node(emu: Emulator, pai: PaiCaller) -> None:
    run = begin(emu, pai, NodeDefinition("work", attempts=(never_ends(),)), seconds=6)
    pai.act(run, "termination")
    emu.clock.advance(600)
    assert lines(pai, run, "work")[-1] == "work: attempt 1, progress 8/60"


def test_logs_are_paged_and_filtered(emu: Emulator, pai: PaiCaller) -> None:
    log = tuple(LogLine(number, f"{'错误 a+b' if number % 5 == 0 else 'line'} {number}") for number in range(30))
    attempt = NodeAttempt(phases(("Running", 40), "Succeeded"), log)
    start = emu.clock.now().timestamp() + 1
    run = begin(emu, pai, NodeDefinition("work", attempts=(attempt,)), seconds=60)
    answer = pai.node_list(run, pai.node_id(run, "work"), "logs")
    assert (len(answer.json()["Logs"]), answer.json()["TotalCount"]) == (10, 30)
    emu.switches.page_cap = 4
    assert lines(pai, run, "work", Offset=28, PageSize=100) == ["line 28", "line 29"]
    assert len(lines(pai, run, "work", PageSize=100)) == 4
    assert lines(pai, run, "work", Keyword="错误 a+b", Offset=4) == ["错误 a+b 20", "错误 a+b 25"]
    assert lines(pai, run, "work", Reverse="True", PageSize=1) == ["line 29"]
    window = {"FromTimeInSeconds": int(start) + 3, "ToTimeInSeconds": int(start) + 4}
    found = [int(text.split()[-1]) for text in lines(pai, run, "work", **window)]
    assert found == [number for number in range(30) if int(start) + 3 <= start + number < int(start) + 5]


def test_outputs_of_a_node_and_those_below(emu: Emulator, pai: PaiCaller) -> None:
    run = pai.start(NESTED)
    emu.clock.advance(60)
    root = pai.get(run)["NodeId"]

    def found(**params: Any) -> list[str]:
        answer = pai.node_list(run, root, "outputs", **params)
        assert answer.status_code == 200, answer.text
        return [each["Name"] for each in answer.json()["Outputs"]]

    refused(pai.node_list(run, root, "outputs"), 400, "MissingParameter", "Depth")
    for wrong in (0, 100000):
        refused(pai.node_list(run, root, "outputs", Depth=wrong), 400, "InvalidParameter", "99999")
    assert found(Depth=1) == []
    assert found(Depth=2, SortBy="Name", Order="ASC") == ["evaluation", "metrics", "table"]
    assert len(found(Depth=99999)) == 10
    assert found(Depth=9, Type="Model", SortBy="Name", Order="ASC") == ["trial_0", "trial_1", "trial_2"]
    assert found(Depth=9, Name="features") == ["features"]
    assert found(Depth=9, Name="read") == ["table"]
    assert found(Depth=9, Type="Metrics", SortBy="Type", PageSize=2, PageNumber=3) == []
    emu.switches.page_cap = 3
    assert [len(found(Depth=9, PageNumber=number)) for number in (1, 2, 3, 4, 5)] == [3, 3, 3, 1, 0]
    refused(pai.node_list(run, root, "outputs", Depth=1, Type="X"), 400, "InvalidParameter", "ModelEvaluation")


def test_shape_of_a_listed_output(emu: Emulator, pai: PaiCaller) -> None:
    output = Output("报告", "ModelEvaluation", {"引": ['"', 1.5, None]}, {"type": {"ModelEvaluation": {}}})
    run = begin(emu, pai, NodeDefinition("work", attempts=(succeeds(1, output),)), seconds=9)
    answer = pai.node_list(run, pai.node_id(run, "work"), "outputs", Depth=1).json()
    (item,) = answer["Outputs"]
    assert answer["TotalCount"] == 1
    assert "PipelineRunId" not in item
    assert item["Info"]["metadata"] == {"type": {"ModelEvaluation": {}}}
    assert json.loads(item["Info"]["value"]) == {"引": ['"', 1.5, None]}
    node = pai.node(run, pai.node_id(run, "work"))
    assert node["Spec"]["Outputs"]["Artifacts"][0]["Name"] == "报告"


def test_outputs_of_iterations_are_numbered(emu: Emulator, pai: PaiCaller) -> None:
    loop = NodeDefinition("loop", items=("a", "b"), attempts=(succeeds(1, Output("part", "Model", {})),))
    run = begin(emu, pai, loop, seconds=9)
    answer = pai.node_list(run, pai.node_id(run, "loop"), "outputs", Depth=2, SortBy="Name", Order="ASC").json()
    found = [
        (each["Name"], each["ExpandedArtifactIndex"], each["ExpandableArtifactName"]) for each in answer["Outputs"]
    ]
    assert found == [("part_0", 0, "part"), ("part_1", 1, "part")]


@pytest.mark.parametrize("wrong", [{}, {"script": 3}, {"script": [["Running"]]}, {"script": [], "outputs": [{}]}])
def test_attempts_that_cannot_be_read(wrong: Any) -> None:
    with pytest.raises(ValueError, match=r"attempt|output"):
        NodeAttempt.from_json(wrong)
