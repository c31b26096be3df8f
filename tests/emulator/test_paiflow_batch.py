from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_mlworkflows.emulator.credentials import OTHER_WORKSPACE_ID, WORKSPACE_ID
from airflow_provider_mlworkflows.emulator.paiflow import ready
from tests.emulator.test_paiflow_access import refused

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.emulator import Emulator
    from tests.emulator.acs_signing import PaiCaller

FLOW = ready.PLAIN_CHAIN


def read(pai: PaiCaller, **body: Any) -> dict[str, Any]:
    answer = pai.batch(body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def ids(listed: list[dict[str, Any]], name: str = "PipelineRunId") -> list[str]:
    return [each[name] for each in listed]


def test_runs(emu: Emulator, pai: PaiCaller) -> None:
    runs = [pai.start(FLOW, SourceId=f"s{number}", Name=f"n{number}") for number in range(3)]
    emu.clock.advance(5)
    found = read(pai, PipelineRuns=runs, WorkspaceId=WORKSPACE_ID)
    assert (ids(found["PipelineRuns"]), found["Nodes"], found["Outputs"]) == (runs, [], [])
    assert set(found["PipelineRuns"][0]) == {
        "PipelineRunId",
        "Status",
        "Name",
        "UserId",
        "ParentUserId",
        "NodeId",
        "SourceId",
        "IsDeleted",
    }
    first = found["PipelineRuns"][0]
    assert (first["Status"], first["SourceId"], first["Name"], first["IsDeleted"]) == ("Running", "s0", "n0", False)
    assert emu.journal.count("ListPipelineRunsStatus", effective=False) == 1


def test_nodes_win_over_runs(emu: Emulator, pai: PaiCaller) -> None:
    run = pai.start(FLOW)
    emu.clock.advance(7)
    pairs = [{"PipelineRunId": run, "NodeId": pai.node_id(run, name)} for name in ("read", "train", "evaluate")]
    found = read(pai, PipelineRuns=[run], Nodes=pairs)
    assert found["PipelineRuns"] == []
    assert ids(found["Nodes"], "NodeName") == ["read", "train", "evaluate"]
    done, working, waiting = found["Nodes"]
    assert (done["Status"], working["Status"], waiting["Status"]) == ("Succeeded", "Running", "ReadyToSchedule")
    assert done["FinishedAt"] == working["StartedAt"]
    assert "FinishedAt" not in working
    assert "StartedAt" not in waiting
    assert (done["OutputArtifactArchived"], working["OutputArtifactArchived"]) == (True, False)
    assert (working["InputArtifactArchived"], waiting["InputArtifactArchived"]) == (True, False)


def test_what_was_not_asked_for_may_come_along(emu: Emulator, pai: PaiCaller) -> None:
    emu.switches.batch_replies = "both"
    run = pai.start(FLOW)
    emu.clock.advance(5)
    root = pai.get(run)["NodeId"]
    assert ids(read(pai, PipelineRuns=[run])["Nodes"], "NodeId") == [root]
    pairs = [{"PipelineRunId": run, "NodeId": pai.node_id(run, name)} for name in ("read", "train")]
    assert ids(read(pai, Nodes=pairs)["PipelineRuns"]) == [run]


def test_nothing_asked_for(pai: PaiCaller) -> None:
    empty: dict[str, list[Any]] = {"PipelineRuns": [], "Nodes": [], "Outputs": []}
    bodies: list[dict[str, Any]] = [{}, {"PipelineRuns": []}, {"PipelineRuns": None, "Nodes": []}]
    for body in bodies:
        assert {name: read(pai, **body)[name] for name in empty} == empty


def test_more_ids_than_the_cap(emu: Emulator, pai: PaiCaller) -> None:
    emu.switches.batch_cap = 2
    runs = [pai.start(FLOW) for _ in range(3)]
    refused(pai.batch({"PipelineRuns": runs}), 400, "InvalidParameter", "3 items, at most 2")
    pairs = [{"PipelineRunId": run, "NodeId": "node-x"} for run in runs]
    refused(pai.batch({"Nodes": pairs}), 400, "InvalidParameter", "3 items, at most 2")
    assert len(read(pai, PipelineRuns=runs[:2])["PipelineRuns"]) == 2


@pytest.mark.parametrize("bad", ["nonsense", "", 7, None, {"PipelineRunId": "flow-x"}])
def test_one_bad_id_refuses_the_whole_call(pai: PaiCaller, bad: Any) -> None:
    refused(pai.batch({"PipelineRuns": [pai.start(FLOW), bad]}), 400, "InvalidParameter", "is not the id of a run")


@pytest.mark.parametrize(
    "bad", ["flow-x", {"PipelineRunId": "flow-x"}, {"PipelineRunId": "flow-x", "NodeId": "flow-x"}, None]
)
def test_bad_pair(pai: PaiCaller, bad: Any) -> None:
    refused(pai.batch({"Nodes": [bad]}), 400, "InvalidParameter", "is not a pair")


def test_unknown_ids_are_absent_or_refused(emu: Emulator, pai: PaiCaller) -> None:
    run = pai.start(FLOW)
    emu.clock.advance(2)
    node = {"PipelineRunId": run, "NodeId": pai.node_id(run, "read")}
    stray = {"PipelineRunId": run, "NodeId": "node-nobody"}
    other = {"PipelineRunId": "flow-nobody", "NodeId": "node-nobody"}
    assert ids(read(pai, PipelineRuns=["flow-nobody", run])["PipelineRuns"]) == [run]
    assert len(read(pai, Nodes=[stray, other, node])["Nodes"]) == 1
    emu.switches.missing_in_batch = "refused"
    refused(pai.batch({"PipelineRuns": [run, "flow-nobody"]}), 404, "200300004", "flow-nobody")
    refused(pai.batch({"Nodes": [node, stray]}), 404, "200400004", "node-nobody")


def test_workspace(pai: PaiCaller) -> None:
    run, other = pai.start(FLOW), pai.start(FLOW, WorkspaceId=OTHER_WORKSPACE_ID)
    assert ids(read(pai, PipelineRuns=[run, other], WorkspaceId=OTHER_WORKSPACE_ID)["PipelineRuns"]) == [other]
    refused(pai.batch({"PipelineRuns": [run], "WorkspaceId": "1"}), 404, "100400008", "workspace 1")


@pytest.mark.parametrize("body", [{"PipelineRuns": "flow-x"}, {"Nodes": {}}, {"WorkspaceId": 3}, {"OutputType": []}])
def test_fields_of_another_type(pai: PaiCaller, body: dict[str, Any]) -> None:
    refused(pai.batch(body), 400, "InvalidParameter", next(iter(body)))


@pytest.mark.parametrize(
    ("kind", "name", "value"),
    [
        ("DataSet", "table", {"location": {"project": "emulator", "table": "clean_events"}}),
        ("Model", "model", {"uri": "oss://emulator-data/models/demo/", "framework": "PyTorch"}),
        ("Metrics", "metrics", {"accuracy": 0.93, "loss": 0.21}),
        ("ModelEvaluation", "evaluation", {"auc": 0.97, "confusion": [[480, 20], [35, 465]]}),
    ],
)
def test_outputs(emu: Emulator, pai: PaiCaller, kind: str, name: str, value: Any) -> None:
    run = pai.start(FLOW)
    assert read(pai, PipelineRuns=[run], OutputType=kind)["Outputs"] == []
    emu.clock.advance(60)
    assert read(pai, PipelineRuns=[run])["Outputs"] == []
    (output,) = read(pai, PipelineRuns=[run], OutputType=kind)["Outputs"]
    assert (output["Name"], output["Type"], output["PipelineRunId"]) == (name, kind, run)
    assert json.loads(output["Value"]) == value
    assert output["Metadata"]["type"][kind]["locationType"]
    assert output["Id"].startswith("artifact-")
    assert (output["ExpandedArtifactIndex"], output["ExpandableArtifactName"]) == (0, "")
    emu.switches.outputs_without_type = True
    assert len(read(pai, PipelineRuns=[run])["Outputs"]) == 4


def test_outputs_of_nodes(emu: Emulator, pai: PaiCaller) -> None:
    run = pai.start(FLOW)
    emu.clock.advance(60)
    train, evaluate = (pai.node_id(run, name) for name in ("train", "evaluate"))
    pairs = [{"PipelineRunId": run, "NodeId": node} for node in (evaluate, train)]
    assert ids(read(pai, Nodes=pairs, OutputType="Model")["Outputs"], "NodeId") == [train]
    assert read(pai, Nodes=pairs[:1], OutputType="Model")["Outputs"] == []
    root = {"PipelineRunId": run, "NodeId": pai.get(run)["NodeId"]}
    assert len(read(pai, Nodes=[root, *pairs], OutputType="Model")["Outputs"]) == 1
    refused(pai.batch({"PipelineRuns": [run], "OutputType": "Picture"}), 400, "InvalidParameter", "ModelEvaluation")


def test_outputs_escaped_twice(emu: Emulator, pai: PaiCaller) -> None:
    emu.switches.escaped_outputs = True
    run = pai.start(FLOW)
    emu.clock.advance(60)
    (output,) = read(pai, PipelineRuns=[run], OutputType="Metrics")["Outputs"]
    assert output["NodeId"].endswith("\n")
    assert output["Value"].startswith('{\\"accuracy\\"')
    assert json.loads(json.loads(f'"{output["Value"]}"')) == {"accuracy": 0.93, "loss": 0.21}


def test_deleted_behind_the_back(emu: Emulator, pai: PaiCaller) -> None:
    run, other = pai.start(FLOW), pai.start(FLOW)
    emu.paiflow.delete_run(run)
    emu.paiflow.delete_run(other, trace=False)
    found = read(pai, PipelineRuns=[run, other])["PipelineRuns"]
    assert [(each["PipelineRunId"], each["IsDeleted"]) for each in found] == [(run, True)]
    with pytest.raises(KeyError):
        emu.paiflow.delete_run(other)
