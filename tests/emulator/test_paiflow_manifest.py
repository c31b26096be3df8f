from __future__ import annotations

from typing import Any

import pytest
import yaml

from airflow_provider_mlworkflows.emulator.credentials import ACCOUNT_ID
from airflow_provider_mlworkflows.emulator.paiflow import ManifestError, NodeDefinition, PipelineDefinition, plan
from airflow_provider_mlworkflows.emulator.paiflow.manifest import Manifest, parse


def step(name: str, **spec: Any) -> dict[str, Any]:
    metadata = {"provider": "pai", "identifier": "task", "version": "v1", "name": name}
    return {"apiVersion": "core/v1", "metadata": metadata, "spec": spec}


def document(*steps: Any, identifier: str = "demo", **spec: Any) -> dict[str, Any]:
    metadata = {"provider": "1557702098194904", "identifier": identifier, "version": "v1"}
    return {"apiVersion": "core/v1", "metadata": metadata, "spec": {"pipelines": list(steps), **spec}}


def manifest(*steps: Any, **spec: Any) -> Manifest:
    return parse(yaml.safe_dump(document(*steps, **spec)))


def planned(parsed: Manifest, arguments: str | None = None) -> tuple[plan.PlannedNode, ...]:
    return plan.plan(parsed, plan.given_inputs(parsed, arguments), lambda triple: None)


def names(nodes: tuple[plan.PlannedNode, ...]) -> list[str]:
    return [node.name for node in nodes]


def without(part: str) -> dict[str, Any]:
    broken = document()
    del broken["metadata"][part]
    return broken


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        ("a: [", "not valid YAML"),
        ("a: 2026-02-31", "not valid YAML"),
        ("&a [*a]", "JSON cannot express"),
        ("? [1, 2]\n: 3", "not valid YAML"),
        ("!!binary aGk=: 1", "JSON cannot express"),
        ("", "empty"),
        ("just text", "must be a mapping"),
        (document() | {"apiVersion": "core/v2"}, "apiVersion must be core/v1"),
        (document() | {"metadata": None}, "needs the mappings"),
        (document() | {"spec": []}, "needs the mappings"),
        (without("identifier"), "metadata.identifier"),
        (without("version"), "metadata.version"),
        (without("provider"), "metadata.provider"),
        (document(inputs={"parameters": [{"type": "Int"}]}), "spec.inputs.parameters"),
        (document(inputs=["x"]), "spec.inputs.parameters"),
        (document(inputs={"artifacts": "x"}), "spec.inputs.artifacts"),
        (document() | {"spec": {"pipelines": {"a": 1}}}, "spec.pipelines must be a list"),
        (document("x"), "every step needs metadata.name"),
        (document(step("a"), step("a")), "step name a is not unique"),
        (document(step("a", dependencies=["b"])), "step a depends on the unknown step b"),
        (document(step("a", when="{{pipelines.b.outputs.parameters.x}} == 1")), "unknown step b"),
        (document(step("a", dependencies=["b"]), step("b", dependencies=["a"])), "in a circle"),
        (document(step("a", dependencies="b")), "dependencies a list"),
        (document(step("a", arguments={"parameters": [1]})), "spec.arguments.parameters"),
        (document({"metadata": {"name": "a", "provider": "pai"}}), "metadata.identifier is missing"),
        (document({"metadata": {"name": "a", "guid": ["g"]}}), "has the guid"),
        (document({"metadata": {"name": "a", "guid": "g"}}), "has the guid g"),
    ],
)
def test_broken_manifest(broken: Any, words: str) -> None:
    text = broken if isinstance(broken, str) else yaml.safe_dump(broken)
    with pytest.raises(ManifestError, match=words):
        parse(text)


def test_documents_must_be_named_and_must_not_contain_each_other() -> None:
    with pytest.raises(ManifestError, match=r"needs metadata\.guid"):
        parse(yaml.safe_dump_all([document(), document()]))
    inner = document({"metadata": {"name": "a", "guid": "g"}})
    inner["metadata"]["guid"] = "g"
    with pytest.raises(ManifestError, match="contain each other"):
        parse(yaml.safe_dump_all([inner, document({"metadata": {"name": "a", "guid": "g"}})]))
    with pytest.raises(ManifestError, match="document 2 of the manifest"):
        parse("apiVersion: core/v1\nmetadata: {provider: a, identifier: b, version: c, guid: g}\nspec: {}\n---\n{}")


def test_dates_stay_texts() -> None:
    parsed = manifest(inputs={"parameters": [{"name": "day"}]})
    given = plan.given_inputs(parsed, "arguments: {parameters: [{name: day, value: 2026-01-02}]}")
    assert given["parameters"] == [{"name": "day", "value": "2026-01-02"}]


def test_json_is_yaml() -> None:
    text = '{"apiVersion": "core/v1", "metadata": {"provider": "1", "identifier": "d", "version": "v"}, "spec": {}}'
    assert parse(text).triple == ("1", "d", "v")


def test_references_are_dependencies() -> None:
    arguments = {"artifacts": [{"name": "t", "from": "{{pipelines.read.outputs.artifacts.table}}"}]}
    nodes = planned(manifest(step("read"), step("cast", arguments=arguments)))
    assert [node.depends_on for node in nodes] == [(), ("read",)]


INPUTS = {
    "parameters": [{"name": "rate", "value": 0.1}, {"name": "mode", "required": True}, {"name": "cfg"}],
    "artifacts": [{"name": "table"}],
}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("a: [", "not valid YAML"),
        ("- x", "must be a YAML mapping"),
        ("parameters: []", "top-level mapping arguments"),
        ("arguments: {parameters: [{name: other, value: 1}]}", "no input other among its parameters"),
        (
            "arguments: {parameters: [{name: mode, value: x}], artifacts: [{name: other}]}",
            "no input other among its artifacts",
        ),
        ("arguments: {parameters: {mode: x}}", "must be a list"),
        ("arguments: {}", "the input mode is required"),
        (None, "the input mode is required"),
    ],
)
def test_broken_arguments(arguments: str | None, words: str) -> None:
    with pytest.raises(ManifestError, match=words):
        plan.given_inputs(manifest(inputs=INPUTS), arguments)


def test_values_reach_the_steps() -> None:
    arguments = {
        "parameters": [
            {"name": "a", "from": "{{inputs.parameters.rate}}"},
            {"name": "b", "value": "rate={{inputs.parameters.rate}}, {{ inputs.parameters.mode }}"},
            {"name": "c", "from": "{{inputs.parameters.cfg.depth}}"},
            {"name": "d", "value": "{{pipelines.x.outputs.parameters.y}}"},
        ]
    }
    parsed = manifest(step("x"), step("s", arguments=arguments), inputs=INPUTS)
    given = "arguments: {parameters: [{name: mode, value: full}, {name: cfg, value: {depth: 3}}], env: null}"
    node = planned(parsed, given)[1]
    assert [item["value"] for item in node.inputs["parameters"]] == [
        0.1,
        "rate=0.1, full",
        3,
        "{{pipelines.x.outputs.parameters.y}}",
    ]


@pytest.mark.parametrize(
    ("when", "holds"),
    [
        ("{{inputs.parameters.n}} == 5", True),
        ("{{inputs.parameters.n}} != 5", False),
        ("{{inputs.parameters.n}} < 10", True),
        ("{{inputs.parameters.n}} >= 10", False),
        ("{{inputs.parameters.n}} <= 5.0", True),
        ("{{inputs.parameters.on}} == true", True),
        ("{{inputs.parameters.word}} == 'full'", True),
        ("{{inputs.parameters.word}} > full", False),
    ],
)
def test_conditions(when: str, holds: bool) -> None:
    parameters = [{"name": "n", "value": 5}, {"name": "on", "value": True}, {"name": "word", "value": "full"}]
    (node,) = planned(manifest(step("s", when=when), inputs={"parameters": parameters}))
    assert node.wanted is holds


@pytest.mark.parametrize(
    ("loop", "items"),
    [
        ({"withItems": ["x", {"k": 1}]}, ["x", {"k": 1}]),
        ({"withItems": []}, []),
        ({"withParam": "{{inputs.parameters.list}}"}, [1, 2]),
        ({"withParam": "[3, 4]"}, [3, 4]),
        ({"withSequence": {"start": 1, "end": 3}}, [1, 2, 3]),
        ({"withSequence": {"start": 2, "end": 0, "format": "n%02d"}}, ["n02", "n01", "n00"]),
        ({"withSequence": {"start": 0, "end": "{{inputs.parameters.last}}"}}, [0, 1]),
    ],
)
def test_loops(loop: dict[str, Any], items: list[Any]) -> None:
    arguments = {"parameters": [{"name": "each", "value": "{{item}}"}]}
    parameters = [{"name": "list", "value": [1, 2]}, {"name": "last", "value": 1}]
    (node,) = planned(manifest(step("s", arguments=arguments, **loop), inputs={"parameters": parameters}))
    assert (node.kind, names(node.children)) == ("Loop", [f"s-{index}" for index in range(len(items))])
    assert [child.inputs["parameters"][0]["value"] for child in node.children] == items
    assert [child.index for child in node.children] == list(range(len(items)))


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"withItems": 3}, "a loop needs a list"),
        ({"withParam": "{{inputs.parameters.none}}"}, "no JSON list"),
        ({"withSequence": {"start": 1}}, "withSequence"),
        ({"withSequence": {"start": 1, "end": 10**9}}, "at most 1000"),
        ({"withSequence": {"start": 1, "end": 2, "format": "%d%d"}}, "withSequence"),
        ({"withItems": [1], "parallelism": "two"}, "parallelism"),
        ({"withItems": [1], "parallelism": -1}, "parallelism"),
        ({"when": "sometimes"}, "not a comparison"),
    ],
)
def test_broken_steps(spec: dict[str, Any], words: str) -> None:
    with pytest.raises(ManifestError, match=words):
        planned(manifest(step("s", **spec)))


def test_python_definition_is_a_manifest_of_several_documents() -> None:
    inner = NodeDefinition("inner", children=(NodeDefinition("leaf"),))
    outer = NodeDefinition("outer", ("first",), children=(inner, NodeDefinition("last", ("inner",))), items=("a", "b"))
    parsed = parse(PipelineDefinition("nested", (NodeDefinition("first"), outer)).manifest())
    assert parsed.triple == (ACCOUNT_ID, "nested", "v1")
    assert list(parsed.components) == ["component-inner", "component-outer"]
    first, loop = planned(parsed)
    assert (first.kind, loop.kind, names(loop.children)) == ("Task", "Loop", ["outer-0", "outer-1"])
    iteration = loop.children[1]
    assert (iteration.kind, iteration.step, names(iteration.children)) == ("Dag", "outer", ["inner", "last"])
    assert names(iteration.children[0].children) == ["leaf"]


def test_manifest_that_is_a_container_has_one_node() -> None:
    (node,) = planned(manifest(container={"image": "python:3"}))
    assert (node.kind, node.name) == ("Task", "demo")


def test_steps_may_be_stored_pipelines() -> None:
    stored = manifest(step("x"), step("y"))
    outer = document(step("s"))
    outer["spec"]["pipelines"][0]["metadata"] |= {"provider": ACCOUNT_ID}
    parsed = parse(yaml.safe_dump(outer))
    inputs = plan.given_inputs(parsed, None)
    (node,) = plan.plan(parsed, inputs, {(ACCOUNT_ID, "task", "v1"): stored}.get)
    assert names(node.children) == ["x", "y"]
    with pytest.raises(plan.UnknownPipelineError, match=f"{ACCOUNT_ID}/task/v1 of step s does not exist"):
        plan.plan(parsed, inputs, lambda triple: None)


def test_pipeline_that_contains_itself_ends() -> None:
    parsed = manifest(step("s"))
    with pytest.raises(ManifestError, match="nested deeper"):
        plan.plan(parsed, plan.given_inputs(parsed, None), lambda triple: parsed)
