"""What a run is going to consist of: steps with their values filled in, loops unrolled, conditions decided."""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from airflow_provider_mlworkflows.emulator.paiflow import manifest as manifests
from airflow_provider_mlworkflows.emulator.paiflow.manifest import Manifest, ManifestError

Kind = Literal["Task", "Dag", "Loop"]
Values = Mapping[str, Any]
Find = Callable[[tuple[str, str, str]], Manifest | None]

KINDS = ("parameters", "artifacts")
LONGEST_LOOP = 1000
DEFAULT_PARALLELISM = 5
DEEPEST = 20
_REFERENCE = re.compile(r"\{\{\s*([\w.-]+)\s*\}\}")
_CONDITION = re.compile(r"\s*(.+?)\s*(==|!=|<=|>=|<|>)\s*(.+?)\s*")
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


class UnknownPipelineError(Exception):
    """A step refers to a pipeline that does not exist."""


@dataclass(frozen=True, slots=True)
class PlannedNode:
    """A node that a run is going to have.

    Attributes:
        name: Name among its siblings.
        step: Name of the step that the node stems from; differs for iterations of a loop.
        kind: Task for a node that works, Dag for a sub-pipeline, Loop for a loop.
        metadata: Metadata of the step.
        spec: The step's ``spec`` as the manifest has it.
        inputs: Parameters and artifacts with their values.
        depends_on: Names of siblings that must be over before.
        wanted: Whether the step's condition holds.
        children: Nodes below.
        parallelism: How many children are active at once; ``None`` for all.
        index: Number of the iteration, for the iterations of a loop.
    """

    name: str
    step: str
    kind: Kind
    metadata: dict[str, Any]
    spec: dict[str, Any]
    inputs: dict[str, list[dict[str, Any]]]
    depends_on: tuple[str, ...] = ()
    wanted: bool = True
    children: tuple[PlannedNode, ...] = ()
    parallelism: int | None = None
    index: int | None = None


def given_inputs(manifest: Manifest, text: str | None) -> dict[str, list[dict[str, Any]]]:
    """Return the declared inputs of a pipeline with the values that an ``Arguments`` text gives them.

    Raises:
        ManifestError: The text cannot be used, names unknown inputs, or leaves a required one without value.
    """
    holder = manifests.load_mapping(text, "Arguments") if text else {"arguments": {}}
    arguments = holder.get("arguments")
    if not isinstance(arguments, dict):
        raise ManifestError("Arguments must have the top-level mapping arguments")
    return {kind: _fill(manifest, kind, arguments.get(kind) or []) for kind in KINDS}


def _fill(manifest: Manifest, kind: str, given: Any) -> list[dict[str, Any]]:  # whatever YAML holds
    declared = manifests.inputs_of(manifest.entry, kind)
    if not manifests.are_named(given):
        raise ManifestError(f"Arguments: {kind} must be a list of mappings with a name")
    by_name = {item["name"]: item for item in given}
    if unknown := sorted(set(by_name) - {item["name"] for item in declared}):
        raise ManifestError(f"Arguments: the pipeline has no input {unknown[0]} among its {kind}")
    filled = [{**item, **by_name.get(item["name"], {})} for item in declared]
    for item in filled:
        if item.get("required") and item.get("value") is None:
            raise ManifestError(f"Arguments: the input {item['name']} is required")
    return filled


def plan(manifest: Manifest, inputs: dict[str, list[dict[str, Any]]], find: Find) -> tuple[PlannedNode, ...]:
    """Return the nodes below the root of a run.

    Args:
        manifest: The pipeline.
        inputs: Its inputs with their values.
        find: Returns the stored pipeline of a triple, or ``None``.

    Raises:
        UnknownPipelineError: A step refers to a pipeline that the account does not have.
        ManifestError: A loop or a condition cannot be read.
    """
    return _Planner(find).document(manifest.entry, manifest, inputs, DEEPEST)


class _Planner:
    def __init__(self, find: Find) -> None:
        self._find = find

    def document(
        self, document: dict[str, Any], manifest: Manifest, inputs: dict[str, list[dict[str, Any]]], depth: int
    ) -> tuple[PlannedNode, ...]:
        """Return the nodes of a pipeline; one that works by itself is its own only step."""
        if depth == 0:
            raise ManifestError(f"pipelines are nested deeper than {DEEPEST} levels")
        values = _values(inputs)
        if "container" in document["spec"]:
            metadata = {"name": document["metadata"]["identifier"], **document["metadata"]}
            return (PlannedNode(metadata["name"], metadata["name"], "Task", metadata, {}, inputs),)
        return tuple(self._step(step, manifest, values, depth) for step in manifests.steps_of(document))

    def _step(self, step: dict[str, Any], manifest: Manifest, values: Values, depth: int) -> PlannedNode:
        spec = step.get("spec") or {}
        name = manifests.step_name(step)
        before = tuple(sorted(manifests.dependencies(step)))
        items = _items(spec, values)
        wanted = _holds(str(spec.get("when") or ""), values)
        if items is None:
            return self._single(step, name, manifest, values, depth, depends_on=before, wanted=wanted)
        iterations = tuple(
            self._single(step, f"{name}-{index}", manifest, {**values, "item": item}, depth, index=index)
            for index, item in enumerate(items)
        )
        parallelism = spec.get("parallelism") or DEFAULT_PARALLELISM
        if not isinstance(parallelism, int) or parallelism < 1:
            raise ManifestError(f"step {name}: parallelism must be an integer above zero")
        inputs = _arguments(spec, values)
        return PlannedNode(name, name, "Loop", step["metadata"], spec, inputs, before, wanted, iterations, parallelism)

    def _single(
        self, step: dict[str, Any], name: str, manifest: Manifest, values: Values, depth: int, **rest: Any
    ) -> PlannedNode:
        spec, metadata = step.get("spec") or {}, step["metadata"]
        inputs = _arguments(spec, values)
        found = self._component(metadata, manifest)
        children: tuple[PlannedNode, ...] = ()
        if found is not None:
            document, home = found
            children = self.document(document, home, _defaulted(document, inputs), depth - 1)
        kind: Kind = "Task" if found is None else "Dag"
        return PlannedNode(name, metadata["name"], kind, metadata, spec, inputs, children=children, **rest)

    def _component(self, metadata: dict[str, Any], manifest: Manifest) -> tuple[dict[str, Any], Manifest] | None:
        """Return the sub-pipeline that a step stands for, with the manifest it is part of."""
        if "guid" in metadata:
            document = manifest.components[str(metadata["guid"])]
            return (document, manifest) if manifests.steps_of(document) else None
        triple = manifests.triple_of(metadata)
        stored = self._find(triple)
        if stored is None:
            if manifests.is_own(triple):
                raise UnknownPipelineError(f"the pipeline {'/'.join(triple)} of step {metadata['name']} does not exist")
            return None
        return (stored.entry, stored) if manifests.steps_of(stored.entry) else None


def _values(inputs: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    return {f"inputs.{kind}.{item['name']}": item.get("value") for kind in KINDS for item in inputs[kind]}


def _defaulted(document: dict[str, Any], given: dict[str, list[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    """Return the inputs of a sub-pipeline: what its step gives, on top of what it declares."""
    merged = {}
    for kind in KINDS:
        declared = {item["name"]: item for item in manifests.inputs_of(document, kind)}
        merged[kind] = list((declared | {item["name"]: item for item in given[kind]}).values())
    return merged


def _arguments(spec: dict[str, Any], values: Values) -> dict[str, list[dict[str, Any]]]:
    arguments = spec.get("arguments") or {}
    return {
        kind: [
            {"name": item["name"], "value": resolved(item.get("from", item.get("value")), values)}
            for item in arguments.get(kind) or []
        ]
        for kind in KINDS
    }


def resolved(value: Any, values: Values) -> Any:  # any JSON value
    """Return a value with references replaced; what is not known before the run stays a reference."""
    if not isinstance(value, str):
        return value
    whole = _REFERENCE.fullmatch(value.strip())
    if whole is not None:
        return _look_up(whole[1], values, value)
    return _REFERENCE.sub(lambda found: _text(_look_up(found[1], values, found[0])), value)


def _look_up(path: str, values: Values, otherwise: Any) -> Any:  # any JSON value
    if path in values:
        return values[path]
    holder, _, key = path.rpartition(".")
    within = values.get(holder)
    return within[key] if isinstance(within, Mapping) and key in within else otherwise


def _text(value: Any) -> str:  # any JSON value
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _holds(condition: str, values: Values) -> bool:
    if not condition:
        return True
    parts = _CONDITION.fullmatch(condition)
    if parts is None:
        raise ManifestError(f"the condition {condition!r} is not a comparison")
    left, right = (_text(resolved(part, values)).strip("'\"") for part in (parts[1], parts[3]))
    try:
        return _COMPARE[parts[2]](float(left), float(right))
    except ValueError:
        return _COMPARE[parts[2]](left, right)


def _items(spec: dict[str, Any], values: Values) -> list[Any] | None:  # any JSON values
    if "withItems" in spec:
        items = resolved(spec["withItems"], values)
    elif "withParam" in spec:
        items = resolved(spec["withParam"], values)
        items = _from_json(items) if isinstance(items, str) else items
    elif "withSequence" in spec:
        items = _sequence(spec["withSequence"], values)
    else:
        return None
    if not isinstance(items, list) or len(items) > LONGEST_LOOP:
        raise ManifestError(f"a loop needs a list of at most {LONGEST_LOOP} items")
    return items


def _from_json(text: str) -> Any:  # any JSON value
    try:
        return json.loads(text)
    except ValueError as error:
        raise ManifestError(f"withParam leads to {text!r}, which is no JSON list") from error


def _sequence(spec: Any, values: Values) -> list[Any]:  # whatever YAML holds
    try:
        start, end = (int(resolved(spec[key], values)) for key in ("start", "end"))
        form = spec.get("format")
        if abs(end - start) >= LONGEST_LOOP:
            raise ManifestError(f"a loop needs a list of at most {LONGEST_LOOP} items")
        numbers = range(start, end + 1) if start <= end else range(start, end - 1, -1)
        return [form % number if form else number for number in numbers]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ManifestError(f"withSequence needs the integers start and end: {error}") from error
