from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from airflow_provider_mlworkflows.emulator import NodeDefinition, PipelineDefinition, Switches
from airflow_provider_mlworkflows.emulator.credentials import ACCOUNT_ID, OTHER_WORKSPACE_ID, WORKSPACE_ID
from airflow_provider_mlworkflows.emulator.paiflow import fails, never_ends, ready, succeeds, suspends
from airflow_provider_mlworkflows.emulator.scripted import phases
from airflow_provider_mlworkflows.emulator.server import Emulator
from tests.emulator.acs_signing import RUNS, PaiCaller
from tests.emulator.test_paiflow_access import refused
from tests.emulator.test_paiflow_manifest import document, step

if TYPE_CHECKING:
    import httpx

    from airflow_provider_mlworkflows.emulator import NodeAttempt

FLOW = ready.PLAIN_CHAIN
MANIFEST = yaml.safe_dump(document(step("a"), step("b", dependencies=["a"])))


def pipeline(emu: Emulator, *nodes: NodeDefinition, **rest: Any) -> str:
    return emu.paiflow.add_pipeline(PipelineDefinition(f"p{len(emu.paiflow.pipelines)}", nodes, **rest)).pipeline_id


def single(emu: Emulator, *attempts: NodeAttempt) -> str:
    return pipeline(emu, NodeDefinition("work", attempts=attempts))


def items(answer: httpx.Response) -> list[dict[str, Any]]:
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["PipelineRuns"]
    return found


def test_run_from_beginning_to_end(emu: Emulator, pai: PaiCaller) -> None:
    answer = pai.create(PipelineId=FLOW, Name="夜间 run", SourceType="SDK", SourceId="marker-1", Options='{"a": 1}')
    assert set(answer.json()) == {"RequestId", "PipelineRunId", "ReservedInfo"}
    run = answer.json()["PipelineRunId"]
    shown = pai.get(run)
    assert run.startswith("flow-")
    assert (shown["Status"], shown["NodeId"], shown["Duration"]) == ("Initialized", "", 0)
    assert not {"StartedAt", "FinishedAt", "Manifest"} & set(shown)
    emu.clock.advance(0.5)
    assert pai.get(run)["Status"] == "ReadyToSchedule"
    emu.clock.advance(0.5)
    shown = pai.get(run)
    assert shown["Status"] == "Running"
    assert shown["NodeId"].startswith("node-")
    assert shown["StartedAt"].endswith("Z")
    emu.clock.advance(60)
    shown = pai.get(run)
    assert shown["Status"] == "Succeeded"
    assert shown["Duration"] == 23
    assert shown["FinishedAt"] > shown["StartedAt"]
    expected = {
        "Name": "夜间 run",
        "SourceType": "SDK",
        "SourceId": "marker-1",
        "Options": '{"a": 1}',
        "WorkspaceId": WORKSPACE_ID,
        "PipelineId": FLOW,
        "UserId": ACCOUNT_ID,
        "ParentUserId": ACCOUNT_ID,
        "Accessibility": "PUBLIC",
        "Message": "",
    }
    assert {name: shown[name] for name in expected} == expected
    assert f"workspaceId={WORKSPACE_ID}#/studio/task/detail/{run}" in shown["PipelineRunUri"]
    arguments = json.loads(shown["Arguments"])["arguments"]
    assert arguments["parameters"][0]["value"] == 0.1


def test_journal_entry_of_a_create(emu: Emulator, pai: PaiCaller) -> None:
    run = pai.start(FLOW)
    pai.act(run, "termination")
    create, stop = emu.journal.entries
    assert (create.operation, create.effective) == ("CreatePipelineRun", True)
    assert create.ids == stop.ids == {"pipeline_run_id": run, "pipeline_id": FLOW}
    assert create.body["PipelineId"] == FLOW
    assert emu.journal.count("TerminatePipelineRun", effective=True, pipeline_id=FLOW) == 1


def test_created_to_be_started_later(emu: Emulator, pai: PaiCaller) -> None:
    run = pai.start(FLOW, NoConfirmRequired=False)
    emu.clock.advance(3600)
    assert pai.status(run) == "Initialized"
    assert pai.act(run, "start").status_code == 200
    refused(pai.act(run, "start"), 400, "200300017", "Initialized")
    emu.clock.advance(1)
    assert pai.status(run) == "Running"
    refused(pai.act(run, "start"), 400, "200300017", "Running")
    emu.clock.advance(60)
    assert pai.status(run) == "Succeeded"


def test_unstarted_run_can_be_terminated_and_deleted(pai: PaiCaller) -> None:
    run, other = pai.start(FLOW, NoConfirmRequired=False), pai.start(FLOW, NoConfirmRequired=False)
    assert pai.act(run, "termination").status_code == 200
    assert pai.status(run) == "Terminated"
    assert pai.call("DeletePipelineRun", "DELETE", f"{RUNS}/{other}").status_code == 200


def test_run_starts_at_once_unless_told_otherwise(emu: Emulator, pai: PaiCaller) -> None:
    body = {"WorkspaceId": WORKSPACE_ID, "PipelineId": FLOW}
    run = pai.call("CreatePipelineRun", "POST", RUNS, body).json()["PipelineRunId"]
    emu.clock.advance(60)
    assert pai.status(run) == "Succeeded"


def test_run_of_a_manifest(emu: Emulator, pai: PaiCaller) -> None:
    emu.paiflow.attempts["b"] = (fails(3, "no disk"),)
    run = pai.create(PipelineManifest=MANIFEST).json()["PipelineRunId"]
    assert pai.get(run)["Name"].startswith("demo-")
    emu.clock.advance(60)
    shown = pai.get(run, Verbose="true")
    assert (shown["Status"], shown["PipelineId"], shown["Manifest"]) == ("Failed", "", MANIFEST)
    assert shown["Message"] == "node b failed: no disk"
    assert pai.tree(run) == {"a": "Succeeded", "b": "Failed"}


def test_kinds_of_manifest(pai: PaiCaller) -> None:
    run = pai.create(PipelineManifest=MANIFEST).json()["PipelineRunId"]
    assert "Manifest" not in pai.get(run, ManifestType="Raw")
    assert pai.get(run, Verbose="True", ManifestType="Raw")["Manifest"] == MANIFEST
    frozen = json.loads(pai.get(run, Verbose="true", ManifestType="Frozen")["Manifest"])
    assert frozen["Metadata"]["Identifier"] == "demo"
    assert [each["Metadata"]["Name"] for each in frozen["Spec"]["Pipelines"]] == ["a", "b"]
    refused(pai.call("GetPipelineRun", "GET", f"{RUNS}/{run}", ManifestType="Baked"), 400, "InvalidParameter", "Raw")
    refused(pai.call("GetPipelineRun", "GET", f"{RUNS}/{run}", Verbose="yes"), 400, "InvalidParameter", "Verbose")


@pytest.mark.parametrize(
    ("body", "status", "code", "word"),
    [
        ({"PipelineId": FLOW, "PipelineManifest": MANIFEST}, 400, "InvalidParameter", "Exactly one"),
        ({}, 400, "InvalidParameter", "Exactly one"),
        ({"PipelineId": FLOW, "WorkspaceId": None}, 400, "MissingParameter", "WorkspaceId"),
        ({"PipelineId": FLOW, "WorkspaceId": "1"}, 404, "100400008", "workspace 1"),
        ({"PipelineId": "pipeline-nobody"}, 404, "200200004", "pipeline-nobody"),
        ({"PipelineManifest": "a: ["}, 400, "200200001", "not valid YAML"),
        ({"PipelineManifest": "a: 1"}, 400, "200200001", "apiVersion"),
        ({"PipelineManifest": {"a": 1}}, 400, "InvalidParameter", "PipelineManifest must be of type str"),
        ({"PipelineId": FLOW, "Arguments": "a: ["}, 400, "200300001", "not valid YAML"),
        ({"PipelineId": FLOW, "Arguments": "arguments: {parameters: [{name: x}]}"}, 400, "200300001", "no input x"),
        ({"PipelineId": FLOW, "NoConfirmRequired": "true"}, 400, "InvalidParameter", "NoConfirmRequired"),
        ({"PipelineId": FLOW, "SourceType": "AIRFLOW"}, 400, "InvalidParameter", "DESIGNER"),
        ({"PipelineId": FLOW, "Accessibility": "SECRET"}, 400, "InvalidParameter", "PRIVATE"),
        (
            {"PipelineManifest": MANIFEST.replace("provider: pai", f"provider: '{ACCOUNT_ID}'")},
            404,
            "200200004",
            "does not exist",
        ),
    ],
)
def test_refused_create(emu: Emulator, pai: PaiCaller, body: dict[str, Any], status: int, code: str, word: str) -> None:
    refused(pai.create(**body), status, code, word)
    assert emu.paiflow.runs == {}
    assert emu.journal.entries[-1].effective is False


def test_unknown_run(pai: PaiCaller) -> None:
    for action in ("start", "rerun", "termination"):
        refused(pai.act("flow-nobody", action), 404, "200300004", "flow-nobody")
    refused(pai.call("GetPipelineRun", "GET", f"{RUNS}/a%2Fb"), 404, "200300004", "a/b")


def test_rename(emu: Emulator, pai: PaiCaller) -> None:
    run = pai.start(FLOW)
    assert pai.call("UpdatePipelineRun", "PUT", f"{RUNS}/{run}", {"Name": "新"}).status_code == 200
    assert pai.get(run)["Name"] == "新"
    refused(pai.call("UpdatePipelineRun", "PUT", f"{RUNS}/{run}", {}), 400, "MissingParameter", "Name")


def test_termination(emu: Emulator, pai: PaiCaller) -> None:
    flow = pipeline(emu, NodeDefinition("work", attempts=(never_ends(),)), NodeDefinition("next", ("work",)))
    run = pai.start(flow)
    emu.clock.advance(10)
    assert pai.act(run, "termination").status_code == 200
    assert pai.status(run) == "Terminating"
    assert pai.tree(run) == {"work": "Terminating", "next": "Skipped"}
    refused(pai.act(run, "termination"), 400, "200300017", "Terminating")
    emu.clock.advance(emu.switches.stop_seconds)
    assert pai.status(run) == "Terminated"
    assert pai.tree(run) == {"work": "Terminated", "next": "Skipped"}
    refused(pai.act(run, "termination"), 400, "200300017", "Terminated")
    assert emu.journal.count("TerminatePipelineRun", effective=False) == 2


def test_rerun_keeps_the_run_and_what_succeeded(emu: Emulator, pai: PaiCaller) -> None:
    first = NodeDefinition("first", attempts=(succeeds(3), fails(1)))
    second = NodeDefinition("second", ("first",), (fails(2, "boom"), succeeds(2)))
    run = pai.start(pipeline(emu, first, second, NodeDefinition("third", ("second",))))
    emu.clock.advance(3)
    refused(pai.act(run, "rerun"), 400, "200300017", "Running")
    emu.clock.advance(30)
    assert pai.get(run)["Message"] == "node second failed: boom"
    assert pai.tree(run) == {"first": "Succeeded", "second": "Failed", "third": "Skipped"}
    before = pai.node_id(run, "second")
    assert pai.act(run, "rerun").status_code == 200
    assert pai.status(run) == "ReadyToSchedule"
    assert "FinishedAt" not in pai.get(run)
    emu.clock.advance(1)
    assert pai.tree(run) == {"first": "Succeeded", "second": "Running", "third": "ReadyToSchedule"}
    emu.clock.advance(30)
    shown = pai.get(run)
    assert (shown["Status"], shown["Message"]) == ("Succeeded", "")
    assert pai.node_id(run, "second") == before
    refused(pai.act(run, "rerun"), 400, "200300017", "Succeeded")


def test_rerun_after_termination(emu: Emulator, pai: PaiCaller) -> None:
    run = pai.start(single(emu, never_ends(), succeeds(1)))
    emu.clock.advance(5)
    pai.act(run, "termination")
    emu.clock.advance(5)
    assert pai.act(run, "rerun").status_code == 200
    emu.clock.advance(5)
    assert pai.status(run) == "Succeeded"


def test_termination_while_a_rerun_begins_keeps_what_succeeded(emu: Emulator, pai: PaiCaller) -> None:
    run = pai.start(
        pipeline(emu, NodeDefinition("a", attempts=(succeeds(1),)), NodeDefinition("b", ("a",), (fails(1),)))
    )
    emu.clock.advance(10)
    pai.act(run, "rerun")
    pai.act(run, "termination")
    assert pai.status(run) == "Terminated"
    assert pai.tree(run) == {"a": "Succeeded", "b": "Skipped"}


def test_suspended_run_waits_for_others_and_goes_on_by_rerun_only(emu: Emulator, pai: PaiCaller) -> None:
    flow = pipeline(
        emu,
        NodeDefinition("held", attempts=(suspends(2, "quota"), succeeds(2))),
        NodeDefinition("beside", attempts=(succeeds(6),)),
        NodeDefinition("after", ("held",)),
    )
    run = pai.start(flow)
    emu.clock.advance(5)
    assert pai.status(run) == "Running"
    emu.clock.advance(600)
    shown = pai.get(run)
    assert (shown["Status"], shown["Message"]) == ("Suspended", "node held suspended: quota")
    assert "FinishedAt" not in shown
    assert pai.tree(run) == {"held": "Suspended", "beside": "Succeeded", "after": "ReadyToSchedule"}
    refused(pai.act(run, "start"), 400, "200300017")
    refused(pai.call("DeletePipelineRun", "DELETE", f"{RUNS}/{run}"), 400, "200300017", "Suspended")
    assert pai.act(run, "rerun").status_code == 200
    emu.clock.advance(60)
    assert pai.status(run) == "Succeeded"


def test_suspended_run_can_be_terminated(emu: Emulator, pai: PaiCaller) -> None:
    run = pai.start(single(emu, suspends(1)))
    emu.clock.advance(5)
    pai.act(run, "termination")
    assert pai.status(run) == "Terminating"
    emu.clock.advance(5)
    assert pai.status(run) == "Terminated"


def test_independent_nodes_go_on_beside_a_broken_one(emu: Emulator, pai: PaiCaller) -> None:
    run = pai.start(
        pipeline(emu, NodeDefinition("bad", attempts=(fails(1),)), NodeDefinition("good", attempts=(succeeds(9),)))
    )
    emu.clock.advance(5)
    assert (pai.status(run), pai.tree(run)["bad"]) == ("Running", "Failed")
    emu.clock.advance(10)
    assert (pai.status(run), pai.tree(run)["good"]) == ("Failed", "Succeeded")


def test_deleted_run(emu: Emulator, pai: PaiCaller) -> None:
    run = pai.start(FLOW)
    emu.clock.advance(5)
    delete = ("DeletePipelineRun", "DELETE", f"{RUNS}/{run}")
    refused(pai.call(*delete), 400, "200300017", "Running")
    emu.clock.advance(60)
    assert pai.call(*delete).status_code == 200
    refused(pai.call(*delete), 404, "200300004")
    refused(pai.call("GetPipelineRun", "GET", f"{RUNS}/{run}"), 404, "200300004")
    assert items(pai.runs()) == []
    (brief,) = items(pai.batch({"PipelineRuns": [run]}))
    assert (brief["IsDeleted"], brief["Status"]) == (True, "Succeeded")


def test_list_is_paged_whatever_size_is_asked_for(emu: Emulator, pai: PaiCaller) -> None:
    ids = [pai.start(FLOW) for _ in range(12)]
    answer = pai.runs()
    assert (len(items(answer)), answer.json()["TotalCount"]) == (10, 12)
    emu.switches.page_cap = 5
    pages = [items(pai.runs(PageNumber=number, PageSize=50)) for number in (1, 2, 3, 4)]
    assert [len(page) for page in pages] == [5, 5, 2, 0]
    assert [each["PipelineRunId"] for page in pages for each in page] == ids[::-1]
    emu.switches.count_means = "page"
    assert pai.runs(PageNumber=3).json()["TotalCount"] == 2
    for wrong in ({"PageNumber": 0}, {"PageSize": 0}, {"PageSize": "x"}, {"PageSize": 2**40}):
        refused(pai.runs(**wrong), 400, "InvalidParameter", next(iter(wrong)))


def test_list_order(emu: Emulator, pai: PaiCaller) -> None:
    ids = []
    for _ in range(3):
        ids.append(pai.start(FLOW))
        emu.clock.advance(1)

    def listed(**params: Any) -> list[str]:
        return [each["PipelineRunId"] for each in items(pai.runs(**params))]

    assert listed() == ids[::-1]
    assert listed(SortBy="GmtCreateTime", Order="ASC") == ids
    assert listed(SortBy="StartedAt", Order="ASC") == ids
    assert listed(SortBy="Duration") == ids
    refused(pai.runs(SortBy="Mood"), 400, "InvalidParameter", "SortBy")
    refused(pai.runs(Order="asc"), 400, "InvalidParameter", "Order")


def test_list_filters(emu: Emulator, pai: PaiCaller) -> None:
    one = pai.start(FLOW, Name="nightly 1", SourceId="s-1", SourceType="SDK")
    emu.clock.advance(60)
    two = pai.start(ready.FAILS_ONCE, Name="nightly 12", SourceId="s-12", WorkspaceId=OTHER_WORKSPACE_ID)

    def found(**params: Any) -> set[str]:
        return {each["PipelineRunId"] for each in items(pai.runs(**params))}

    assert found(SourceId="s-1") == {one}
    assert found(SourceType="UNKNOWN") == {two}
    assert found(WorkspaceId=OTHER_WORKSPACE_ID) == {two}
    assert found(PipelineRunId=two) == {two}
    assert found(Status="Succeeded") == {one}
    assert found(UserId="1") == set()
    assert found(PipelineIds=f"{FLOW},pipeline-x") == {one}
    assert found(Name="nightly 1") == {one, two}
    emu.switches.name_filter = "exact"
    assert found(Name="nightly 1") == {one}
    assert found(Name="nightly") == set()
    refused(pai.runs(WorkspaceId="1"), 404, "100400008", "workspace 1")


def test_items_of_the_list_lack_manifest_arguments_and_options(emu: Emulator, pai: PaiCaller) -> None:
    pai.start(FLOW, SourceId="marker")
    emu.clock.advance(60)
    (item,) = items(pai.runs())
    assert item["SourceId"] == "marker"
    assert not {"Manifest", "Arguments", "Options"} & set(item)
    assert {"StartedAt", "FinishedAt", "NodeId", "PipelineRunUri"} <= set(item)


def test_private_runs_are_hidden_from_others(emu: Emulator, pai: PaiCaller) -> None:
    run = pai.start(FLOW, Accessibility="PRIVATE")
    emu.credentials.add_user("somebody", "x")
    key = emu.credentials.add_access_key(user="somebody")
    with PaiCaller(emu.url, key.ak, key.sk) as other:
        assert items(other.runs()) == []
        refused(other.call("GetPipelineRun", "GET", f"{RUNS}/{run}"), 404, "200300004")
        assert items(other.batch({"PipelineRuns": [run]})) == []
        public = other.start(FLOW)
    shown = {each["PipelineRunId"]: each["UserId"] for each in items(pai.runs())}
    assert set(shown) == {run, public}
    assert shown[public].isdigit()
    assert shown[public] != shown[run] == ACCOUNT_ID


def test_python_side(emu: Emulator, pai: PaiCaller) -> None:
    flow = single(emu, never_ends())
    run = emu.paiflow.start(flow, {"SourceId": "x"})
    assert emu.paiflow.runs_of(flow) == [run]
    emu.clock.advance(2)
    assert emu.paiflow.run(run.run_id).status == "Running"
    emu.paiflow.force_status(run.run_id, "Defragmenting", {"work": "Unknown"})
    assert (pai.status(run.run_id), pai.tree(run.run_id)) == ("Defragmenting", {"work": "Unknown"})
    emu.paiflow.force_status(run.run_id, None)
    assert pai.status(run.run_id) == "Running"
    run.terminate(0)
    assert emu.paiflow.run(run.run_id).status == "Terminated"
    run.rerun()
    assert run.node_named("work").node_id == pai.node_id(run.run_id, "work")
    with pytest.raises(KeyError):
        run.node_named("other")
    emu.paiflow.delete_run(run.run_id, trace=False)
    assert items(pai.batch({"PipelineRuns": [run.run_id]})) == []
    emu.paiflow.delete_pipeline(flow)
    with pytest.raises(KeyError):
        emu.paiflow.pipeline(flow)
    assert emu.paiflow.pipeline("plain_chain").pipeline_id == FLOW


def test_scripted_statuses_of_a_run(emu: Emulator, pai: PaiCaller) -> None:
    script = phases(("WorkflowServiceStarting", 5), ("Unknown", 5), "Skipped")
    run = pai.start(pipeline(emu, status_script=script))
    seen = []
    for _ in range(3):
        seen.append(pai.status(run))
        emu.clock.advance(5)
    assert seen == ["WorkflowServiceStarting", "Unknown", "Skipped"]
    assert "FinishedAt" in pai.get(run)
    assert pai.act(run, "rerun").status_code == 200
    emu.clock.advance(2)
    assert pai.status(run) == "Succeeded"


def test_visibility_delay(emu: Emulator, pai: PaiCaller) -> None:
    emu.switches.visibility_delay = 2
    run = pai.start(ready.FAILS_ONCE)
    emu.clock.advance(60)
    root = pai.get(run)["NodeId"]
    assert pai.act(run, "rerun").status_code == 200
    emu.clock.advance(1)
    assert emu.paiflow.run(run).status == "Running"
    assert items(pai.batch({"PipelineRuns": [run]}))[0]["Status"] == "Failed"
    assert pai.node(run, root)["StatusInfo"]["Status"] == "Failed"
    assert pai.status(run) == "Running"
    refused(pai.act(run, "rerun"), 400, "200300017")
    assert pai.status(run) == "Running"


def test_list_lag(emu: Emulator, pai: PaiCaller) -> None:
    emu.switches.list_lag = 10
    run = pai.start(FLOW)
    assert items(pai.runs()) == []
    assert pai.get(run)["PipelineRunId"] == run
    emu.clock.advance(10)
    assert len(items(pai.runs())) == 1


def test_time_per_read() -> None:
    with Emulator(clock="per_read", tick=5, switches=Switches(visibility_delay=0)) as emu, PaiCaller.of(emu) as pai:
        run, other = pai.start(FLOW), pai.start(FLOW)
        assert [pai.get(run)["Duration"] for _ in range(3)] == [4, 9, 14]
        assert len(items(pai.batch({"PipelineRuns": [run, run]}))) == 1
        assert pai.get(run)["Duration"] == 23
        assert pai.get(other)["Duration"] == 4


@pytest.mark.parametrize("given", [(409, "X.Y"), (400, "")])
def test_wrong_state(emu: Emulator, pai: PaiCaller, given: tuple[int, str]) -> None:
    emu.switches.wrong_state = given
    run = pai.start(FLOW)
    refused(pai.act(run, "rerun"), given[0], given[1] or "200300017")


def test_wrong_state_may_be_accepted_without_effect(emu: Emulator, pai: PaiCaller) -> None:
    emu.switches.wrong_state = (200, "")
    run = pai.start(FLOW)
    emu.clock.advance(5)
    assert pai.act(run, "rerun").status_code == 200
    assert pai.call("DeletePipelineRun", "DELETE", f"{RUNS}/{run}").status_code == 200
    assert emu.journal.count(effective=True) == 1
    assert pai.status(run) == "Running"


def test_codes_in_words_and_another_status_for_what_is_missing(emu: Emulator, pai: PaiCaller) -> None:
    emu.switches.service_codes = "words"
    emu.switches.missing_status = 400
    refused(pai.act("flow-x", "rerun"), 400, "InvalidPipelineRun.NotFound")
    refused(pai.create(PipelineId="pipeline-x"), 400, "InvalidPipeline.NotFound")
    refused(pai.create(PipelineManifest="a: ["), 400, "InvalidPipelineManifest")


def test_casing_precision_and_undocumented_field(emu: Emulator, pai: PaiCaller) -> None:
    run = pai.start(FLOW)
    emu.clock.advance(2)
    lengths = {}
    for precision in ("milliseconds", "seconds", "minutes"):
        emu.switches.time_precision = precision
        lengths[precision] = len(pai.get(run)["StartedAt"])
    assert lengths == {"milliseconds": 24, "seconds": 20, "minutes": 17}
    emu.switches.casing = "upper"
    assert pai.status(run) == "RUNNING"
    assert "ReservedInfo" in pai.get(run)
    emu.switches.unknown_field = False
    assert "ReservedInfo" not in pai.get(run)


def test_root_node_at_once(emu: Emulator, pai: PaiCaller) -> None:
    emu.switches.root_node_at_once = True
    assert pai.get(pai.start(FLOW))["NodeId"].startswith("node-")
