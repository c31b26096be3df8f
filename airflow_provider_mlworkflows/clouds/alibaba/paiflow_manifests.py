"""Manifests of pipelines, checked before they are sent."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from typing import Any

from airflow_provider_mlworkflows.clouds.alibaba.paiflow_yaml import parsed, plain, rendered
from airflow_provider_mlworkflows.exceptions import InvalidInputError

API_VERSION = "core/v1"
IDENTITY = ("provider", "identifier", "version")

_NOTHING: tuple[object, ...] = (None, "", [], {})
_STEP_REFERENCE = re.compile(r"\{\{\s*pipelines\.([^.\s}]+)\.")
_INPUT_REFERENCE = re.compile(r"\{\{\s*inputs\.(parameters|artifacts)\.([^.\s}]+)\s*\}\}")

Manifest = str | Mapping[str, Any] | Sequence[Mapping[str, Any]]
"""YAML text, the same as a mapping, or several such where components come before the pipeline itself."""


@dataclass(frozen=True, slots=True)
class DeclaredInputs:
    """What a pipeline takes, by name."""

    parameters: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    artifacts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def manifest_text(manifest: Manifest) -> str:
    """A manifest as YAML: text as it is, data rendered.

    :raises InvalidInputError: if it is not YAML, or lacks what every pipeline has, or a step of it refers to a step
        or an input that is not there.
    """
    documents = manifest_documents(manifest)
    for document in documents[:-1]:
        _check_spec(document, _name_of(document))
    _check_entry(documents[-1])
    return manifest if isinstance(manifest, str) else rendered(*documents)


def manifest_documents(manifest: Manifest) -> list[dict[str, Any]]:
    """The documents of a manifest; the last one is the pipeline.

    :raises InvalidInputError: if it is not YAML, or one of them is no mapping.
    """
    if isinstance(manifest, str):
        documents = parsed("The manifest", manifest)
    elif isinstance(manifest, Mapping):
        documents = [plain("The manifest", manifest)]
    elif isinstance(manifest, Sequence):
        documents = [plain("The manifest", document) for document in manifest]
    else:
        raise InvalidInputError(f"The manifest should be YAML text or a mapping, not {type(manifest).__name__}.")
    if not documents:
        raise InvalidInputError("The manifest is empty.")
    for document in documents:
        if not isinstance(document, dict):
            raise InvalidInputError(
                f"The manifest should be a mapping with apiVersion, metadata and spec, not {type(document).__name__}."
            )
    return documents


def pipeline_name(manifest: Manifest) -> list[str] | None:
    """Provider and identifier of a manifest's pipeline, in all its versions; None if it does not tell both."""
    try:
        metadata = _mapping(manifest_documents(manifest)[-1].get("metadata"))
    except InvalidInputError:
        return None
    name = [str(metadata.get(part) or "").strip() for part in ("provider", "identifier")]
    return name if all(name) else None


def declared_inputs(manifest: Manifest) -> DeclaredInputs:
    """What the pipeline of a manifest takes.

    :raises InvalidInputError: if it is not YAML.
    """
    return inputs_of(manifest_documents(manifest)[-1])


def inputs_of(document: Mapping[str, Any]) -> DeclaredInputs:
    """What a pipeline takes, by its document."""
    inputs = _mapping(_mapping(document.get("spec")).get("inputs"))
    return DeclaredInputs(_by_name(inputs.get("parameters")), _by_name(inputs.get("artifacts")))


def _by_name(inputs: object) -> dict[str, Mapping[str, Any]]:
    return {item["name"]: item for item in _items(inputs) if isinstance(item.get("name"), str)}


def _check_entry(document: Mapping[str, Any]) -> None:
    if document.get("apiVersion") != API_VERSION:
        raise InvalidInputError(f"The manifest's apiVersion is {document.get('apiVersion')!r}, not {API_VERSION!r}.")
    metadata, spec = document.get("metadata"), document.get("spec")
    given = {name: _mapping(metadata).get(name) for name in IDENTITY}
    missing = [name for name, value in given.items() if value in _NOTHING or isinstance(value, bool)]
    if missing:
        raise InvalidInputError(
            f"The manifest's metadata lacks {', '.join(missing)}; the three of {', '.join(IDENTITY)} name a pipeline."
        )
    if not isinstance(spec, Mapping):
        raise InvalidInputError("The manifest has no spec.")
    _check_spec(document, "the pipeline")


def _check_spec(document: Mapping[str, Any], where: str) -> None:
    """Check the steps of a pipeline, and of those among them that are pipelines themselves."""
    spec = _mapping(document.get("spec"))
    steps = _items(spec.get("pipelines"))
    if len(steps) != _length(spec.get("pipelines")):
        raise InvalidInputError(f"The spec.pipelines of {where} should be a list of steps, each of them a mapping.")
    _check_inputs(spec, where)
    names = [_name_of(step) for step in steps]
    for wanted in _STEP_REFERENCE.findall("\n".join(_texts(spec.get("outputs")))):
        if wanted not in names:
            raise InvalidInputError(
                f"The outputs of {where} refer to the step {wanted!r}, which it does not have. It has "
                f"{', '.join(names) or 'none'}."
            )
    given = list(filter(None, map(_own_name, steps)))
    for name in given:
        if given.count(name) > 1:
            raise InvalidInputError(f"The manifest has several steps {name!r} in {where}.")
    inputs = inputs_of(document)
    for name, step in zip(names, steps, strict=True):
        own = _mapping(step.get("spec"))
        _check_references(name, own, names, inputs, where)
        if own.get("pipelines"):
            _check_spec(step, f"step {name!r}")
    _check_order(names, steps, where)


def _check_order(names: Sequence[str], steps: Sequence[Mapping[str, Any]], where: str) -> None:
    specs = [_mapping(step.get("spec")) for step in steps]
    after = {name: spec.get("dependencies") or [] for name, spec in zip(names, specs, strict=True)}
    try:
        TopologicalSorter(after).prepare()
    except CycleError as error:
        raise InvalidInputError(f"Steps of {where} depend on each other: {' -> '.join(error.args[1])}.") from None


def _check_inputs(spec: Mapping[str, Any], where: str) -> None:
    inputs = spec.get("inputs") or {}
    for kind in ("parameters", "artifacts"):
        declared = inputs.get(kind) if isinstance(inputs, Mapping) else inputs
        if len(_by_name(declared)) != _length(declared):
            raise InvalidInputError(
                f"The spec.inputs.{kind} of {where} should be a list of mappings, each with a name of its own."
            )


def _check_references(
    name: str, spec: Mapping[str, Any], names: Sequence[str], inputs: DeclaredInputs, where: str
) -> None:
    outer = {key: value for key, value in spec.items() if key != "pipelines"}
    texts = list(_texts(outer))
    dependencies = spec.get("dependencies") or []
    if not isinstance(dependencies, list):
        raise InvalidInputError(f"The dependencies of step {name!r} should be a list of steps, not {dependencies!r}.")
    wanted = [str(each) for each in dependencies]
    if "pipelines" not in spec:
        # Otherwise these may be steps within the step.
        wanted += [found for text in texts for found in _STEP_REFERENCE.findall(text)]
    for step in wanted:
        if step not in names:
            raise InvalidInputError(
                f"Step {name!r} of the manifest refers to the step {step!r}, which {where} does not have. "
                f"It has {', '.join(names)}."
            )
    if "inputs" in spec or "container" in spec:
        return  # then {{inputs...}} means the step's own
    for text in texts:
        for kind, wanted_input in _INPUT_REFERENCE.findall(text):
            if wanted_input not in getattr(inputs, kind):
                raise InvalidInputError(
                    f"Step {name!r} of the manifest refers to the input {wanted_input!r}, which is not among the "
                    f"{kind} that {where} declares."
                )


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)


def _name_of(document: Mapping[str, Any]) -> str:
    return _own_name(document) or str(_mapping(document.get("metadata")).get("identifier") or "")


def _own_name(step: Mapping[str, Any]) -> str:
    """The name that a step was given; "" if the service is to make one up."""
    metadata = _mapping(step.get("metadata"))
    return str(metadata.get("name") or metadata.get("guid") or "")


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _length(value: object) -> int:
    """How many items a list has; of nothing none, and of anything else a number that no list has."""
    return len(value) if isinstance(value, list) else 0 if value is None else -1


def _items(value: object) -> list[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []
