from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from airflow_provider_mlworkflows.emulator import FaultRule
from airflow_provider_mlworkflows.emulator.paiflow import ready
from tests.emulator.test_paiflow_access import refused

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.emulator import Emulator
    from tests.emulator.acs_signing import PaiCaller


@pytest.fixture
def control(emu: Emulator) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"{emu.url}/_emulator", trust_env=False) as client:
        yield client


def wait(emu: Emulator, pai: PaiCaller, run: str, status: str) -> float:
    """Advance by seconds until a run has a status; return how long it took."""
    for second in range(121):
        if pai.status(run) == status:
            return second
        emu.clock.advance(1)
    raise AssertionError(f"never {status}: {pai.tree(run)}")


@pytest.mark.parametrize(
    ("pipeline", "ending"),
    [
        (ready.PLAIN_CHAIN, "Succeeded"),
        (ready.BRANCH_WITH_SKIP, "Succeeded"),
        (ready.SUB_DAG_AND_LOOP, "Succeeded"),
        (ready.FAILS_ONCE, "Failed"),
        (ready.IS_SUSPENDED, "Suspended"),
    ],
)
def test_takes_20_to_60_seconds(emu: Emulator, pai: PaiCaller, pipeline: str, ending: str) -> None:
    assert 20 <= wait(emu, pai, pai.start(pipeline), ending) <= 60


@pytest.mark.parametrize(("full", "skipped"), [("true", "fine_tune"), ("false", "train")])
def test_branch_with_skip(emu: Emulator, pai: PaiCaller, full: str, skipped: str) -> None:
    arguments = f"arguments: {{parameters: [{{name: full_training, value: {full}}}]}}"
    run = pai.start(ready.BRANCH_WITH_SKIP, Arguments=arguments)
    wait(emu, pai, run, "Succeeded")
    assert [name for name, status in pai.tree(run).items() if status == "Skipped"] == [skipped]


def test_fails_once(emu: Emulator, pai: PaiCaller) -> None:
    run = pai.start(ready.FAILS_ONCE)
    wait(emu, pai, run, "Failed")
    assert pai.tree(run) == {"read": "Succeeded", "train": "Succeeded", "evaluate": "Failed", "register": "Skipped"}
    assert "metric file not found" in pai.get(run)["Message"]
    logs = pai.node_list(run, pai.node_id(run, "evaluate"), "logs").json()["Logs"]
    assert logs[-1] == "ERROR evaluation failed: metric file not found"
    assert pai.act(run, "rerun").status_code == 200
    wait(emu, pai, run, "Succeeded")
    assert emu.journal.count("CreatePipelineRun") == 1


def test_suspended(emu: Emulator, pai: PaiCaller) -> None:
    run = pai.start(ready.IS_SUSPENDED)
    wait(emu, pai, run, "Suspended")
    emu.clock.advance(86400)
    assert pai.status(run) == "Suspended"
    assert "out of quota" in pai.get(run)["Message"]
    pai.act(run, "rerun")
    wait(emu, pai, run, "Succeeded")


def test_all_types_of_output(emu: Emulator, pai: PaiCaller) -> None:
    run = pai.start(ready.PLAIN_CHAIN)
    wait(emu, pai, run, "Succeeded")
    answer = pai.node_list(run, pai.get(run)["NodeId"], "outputs", Depth=9).json()
    assert {each["Type"] for each in answer["Outputs"]} == {"Model", "DataSet", "Metrics", "ModelEvaluation"}


def test_control_state(emu: Emulator, pai: PaiCaller, control: httpx.Client) -> None:
    run = pai.start(ready.PLAIN_CHAIN)
    emu.clock.advance(2)
    state = control.get("/state").json()["paiflow"]
    assert state["pipelines"][0]["Identifier"] == "plain_chain"
    (shown,) = state["runs"]
    assert (shown["PipelineRunId"], shown["Status"], shown["IsDeleted"]) == (run, "Running", False)
    assert shown["Root"]["Spec"]["Pipelines"][0]["Metadata"]["Name"] == "read"


def test_control_of_runs(emu: Emulator, pai: PaiCaller, control: httpx.Client) -> None:
    run = pai.start(ready.PLAIN_CHAIN)
    emu.clock.advance(2)
    forced = {"status": "Odd", "nodes": {"train": "Unknown"}}
    assert control.post(f"/pipelineruns/{run}/status", json=forced).status_code == 200
    assert (pai.status(run), pai.tree(run)["train"]) == ("Odd", "Unknown")
    assert control.post(f"/pipelineruns/{run}/status", json={"nodes": {"x": "Failed"}}).status_code == 404
    assert control.delete(f"/pipelineruns/{run}", params={"trace": "true"}).status_code == 200
    assert pai.batch({"PipelineRuns": [run]}).json()["PipelineRuns"][0]["IsDeleted"] is True
    assert control.delete(f"/pipelineruns/{run}").status_code == 200
    assert control.delete(f"/pipelineruns/{run}").status_code == 404
    assert emu.paiflow.runs == {}


def test_control_of_pipelines(emu: Emulator, pai: PaiCaller, control: httpx.Client) -> None:
    leaf = {"provider": "pai", "identifier": "x", "version": "v1", "name": "a"}
    manifest: dict[str, Any] = {
        "apiVersion": "core/v1",
        "metadata": {"provider": "1", "identifier": "scripted", "version": "v1"},
        "spec": {"pipelines": [{"apiVersion": "core/v1", "metadata": leaf, "spec": {}}]},
    }
    attempt = {
        "script": [["Running", 3], ["Failed", None]],
        "log": [[0, "{node} starts"]],
        "message": "boom",
        "outputs": [{"name": "m", "type": "Model", "value": 1}],
    }
    body: dict[str, Any] = {"manifest": manifest, "attempts": {"a": [attempt]}}
    key = control.post("/pipelines", json=body).json()["pipeline_id"]
    run = pai.start(key)
    emu.clock.advance(10)
    assert pai.get(run)["Message"] == "node a failed: boom"
    assert pai.node_list(run, pai.node_id(run, "a"), "logs").json()["Logs"] == ["a starts"]
    assert control.post("/pipelines", json=body).status_code == 400
    assert control.post("/pipelines", json={"manifest": "a: ["}).status_code == 400
    assert control.post("/pipelines", json={}).status_code == 404
    assert control.post("/pipelines", json=body | {"attempts": {"a": [{}]}}).status_code == 400


def test_lost_reply_of_a_create(emu: Emulator, pai: PaiCaller) -> None:
    emu.faults.add(FaultRule(operation="CreatePipelineRun", when="after", action="status", status=503))
    refused(pai.create(PipelineId=ready.PLAIN_CHAIN, SourceId="marker"), 503, "ServiceUnavailable")
    (found,) = pai.runs(SourceId="marker").json()["PipelineRuns"]
    assert emu.paiflow.run(found["PipelineRunId"]).fields["SourceId"] == "marker"
    assert emu.journal.count("CreatePipelineRun", effective=True, pipeline_id=ready.PLAIN_CHAIN) == 1
