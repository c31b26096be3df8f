from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml

from airflow_provider_mlworkflows.emulator.credentials import ACCOUNT_ID, OTHER_WORKSPACE_ID, WORKSPACE_ID
from airflow_provider_mlworkflows.emulator.paiflow import ManifestError, NodeDefinition, PipelineDefinition, ready
from airflow_provider_mlworkflows.emulator.paiflow.manifest import parse
from tests.emulator.acs_signing import PIPELINES, PaiCaller
from tests.emulator.test_paiflow_access import refused
from tests.emulator.test_paiflow_manifest import document, step

if TYPE_CHECKING:
    import httpx

    from airflow_provider_mlworkflows.emulator import Emulator

MANIFEST = yaml.safe_dump(document(step("a")))


def create(pai: PaiCaller, **body: Any) -> httpx.Response:
    given = {"WorkspaceId": WORKSPACE_ID, "Manifest": MANIFEST, **body}
    return pai.call("CreatePipeline", "POST", PIPELINES, given)


def get(pai: PaiCaller, key: str) -> httpx.Response:
    return pai.call("GetPipeline", "GET", f"{PIPELINES}/{key}")


def update(pai: PaiCaller, key: str, body: Any) -> httpx.Response:
    return pai.call("UpdatePipeline", "PUT", f"{PIPELINES}/{key}", body)


def listed(pai: PaiCaller, **params: Any) -> list[str]:
    answer = pai.call("ListPipelines", "GET", PIPELINES, **params)
    assert answer.status_code == 200, answer.text
    return [each["Identifier"] for each in answer.json()["Pipelines"]]


def test_life_of_a_pipeline(emu: Emulator, pai: PaiCaller) -> None:
    key = create(pai).json()["PipelineId"]
    shown = get(pai, key).json()
    expected = {
        "PipelineId": key,
        "Provider": "1557702098194904",
        "Identifier": "demo",
        "Version": "v1",
        "WorkspaceId": WORKSPACE_ID,
        "Manifest": MANIFEST,
    }
    assert {name: shown[name] for name in expected} == expected
    assert len(shown["GmtCreateTime"]) == len("2021-01-06T14:32:50Z")
    emu.clock.advance(60)
    changed = yaml.safe_dump(document(step("b")))
    assert update(pai, key, {"Manifest": changed}).status_code == 200
    after = get(pai, key).json()
    assert after["Manifest"] == changed
    assert after["Uuid"] != shown["Uuid"]
    assert after["GmtModifiedTime"] > after["GmtCreateTime"] == shown["GmtCreateTime"]
    assert pai.call("DeletePipeline", "DELETE", f"{PIPELINES}/{key}").status_code == 200
    refused(get(pai, key), 404, "200200004", key)
    assert emu.journal.count(effective=True) == 3
    assert emu.journal.count(pipeline_id=key) == 6


def test_runs_follow_an_updated_manifest(emu: Emulator, pai: PaiCaller) -> None:
    key = create(pai).json()["PipelineId"]
    before = pai.start(key)
    update(pai, key, {"Manifest": yaml.safe_dump(document(step("b"), step("c")))})
    after = pai.start(key)
    emu.clock.advance(2)
    assert (set(pai.tree(before)), set(pai.tree(after))) == ({"a"}, {"b", "c"})


@pytest.mark.parametrize(
    ("body", "status", "code", "word"),
    [
        ({"WorkspaceId": None}, 400, "MissingParameter", "WorkspaceId"),
        ({"WorkspaceId": "1"}, 404, "100400008", "workspace 1"),
        ({"Manifest": None}, 400, "MissingParameter", "Manifest"),
        ({"Manifest": 3}, 400, "InvalidParameter", "Manifest"),
        ({"Manifest": "a: ["}, 400, "200200001", "not valid YAML"),
    ],
)
def test_refused_create(pai: PaiCaller, body: dict[str, Any], status: int, code: str, word: str) -> None:
    refused(create(pai, **body), status, code, word)


def test_provider_identifier_and_version_name_one_pipeline(pai: PaiCaller) -> None:
    first = create(pai).json()["PipelineId"]
    refused(create(pai), 400, "200200009", "1557702098194904/demo/v1")
    other = yaml.safe_dump(document(identifier="other"))
    second = create(pai, Manifest=other).json()["PipelineId"]
    refused(update(pai, second, {"Manifest": MANIFEST}), 400, "200200009")
    assert update(pai, first, {"Manifest": MANIFEST}).status_code == 200
    refused(update(pai, first, {}), 400, "MissingParameter")


def test_pipeline_in_use_is_not_deleted(emu: Emulator, pai: PaiCaller) -> None:
    inner = emu.paiflow.add_pipeline(PipelineDefinition("inner", (NodeDefinition("leaf"),)))
    outer = document(step("s"))
    outer["spec"]["pipelines"][0]["metadata"] |= {"provider": ACCOUNT_ID, "identifier": "inner"}
    key = create(pai, Manifest=yaml.safe_dump(outer)).json()["PipelineId"]
    answer = pai.call("DeletePipeline", "DELETE", f"{PIPELINES}/{inner.pipeline_id}")
    refused(answer, 400, "200200017", key)
    run = pai.start(key)
    emu.clock.advance(2)
    assert pai.tree(run) == {"s": "Running", "leaf": "Running"}


def test_list(emu: Emulator, pai: PaiCaller) -> None:
    ready_made = ["is_suspended", "fails_once", "sub_dag_and_loop", "branch_with_skip", "plain_chain"]
    assert listed(pai) == ready_made
    create(pai, WorkspaceId=OTHER_WORKSPACE_ID)
    assert listed(pai, WorkspaceId=OTHER_WORKSPACE_ID) == ["demo"]
    assert listed(pai, PipelineProvider=ACCOUNT_ID) == ready_made
    assert listed(pai, PipelineIdentifier="plain") == []
    for boolean in ("true", "True"):
        assert listed(pai, PipelineIdentifier="plain", FuzzyMatching=boolean) == ["plain_chain"]
    assert listed(pai, PipelineVersion="v2") == []
    emu.switches.page_cap = 4
    assert [len(listed(pai, PageNumber=number, PageSize=100)) for number in (1, 2, 3)] == [4, 2, 0]
    body = pai.call("ListPipelines", "GET", PIPELINES).json()
    assert body["TotalCount"] == 6
    assert "Manifest" not in body["Pipelines"][0]


def test_definitions_must_fit() -> None:
    circle = (NodeDefinition("a", ("b",)), NodeDefinition("b", ("a",)))
    with pytest.raises(ManifestError, match="circle"):
        parse(PipelineDefinition("x", circle).manifest())


def test_identifiers_are_unique(emu: Emulator) -> None:
    with pytest.raises(ValueError, match="plain_chain/v1 exists already"):
        emu.paiflow.add_pipeline(PipelineDefinition("plain_chain"))
    assert emu.paiflow.add_pipeline(PipelineDefinition("plain_chain", version="v2")).pipeline_id != ready.PLAIN_CHAIN
