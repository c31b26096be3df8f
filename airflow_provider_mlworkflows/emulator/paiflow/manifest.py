"""Manifests: YAML documents that describe a pipeline, and the checks they must pass."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import yaml

from airflow_provider_mlworkflows.emulator.credentials import ACCOUNT_ID

STEP_REFERENCE = re.compile(r"\{\{\s*pipelines\.([\w-]+)\.")
_TRIPLE = ("provider", "identifier", "version")


class ManifestError(Exception):
    """A manifest or an ``Arguments`` text that cannot be used."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """A manifest that passed all checks.

    Attributes:
        text: As submitted.
        entry: The pipeline: the last document.
        components: The documents before it by guid.
    """

    text: str
    entry: dict[str, Any]
    components: dict[str, dict[str, Any]]

    @property
    def metadata(self) -> dict[str, Any]:
        """The pipeline's metadata."""
        found: dict[str, Any] = self.entry["metadata"]
        return found

    @property
    def triple(self) -> tuple[str, str, str]:
        """Provider, identifier and version: what names a pipeline."""
        return triple_of(self.metadata)

    def references(self) -> set[tuple[str, str, str]]:
        """Return the triples of all steps that refer to a pipeline elsewhere."""
        documents = [self.entry, *self.components.values()]
        return {
            triple_of(step["metadata"])
            for document in documents
            for step in steps_of(document)
            if "guid" not in step["metadata"]
        }


def triple_of(metadata: dict[str, Any]) -> tuple[str, str, str]:
    """Return provider, identifier and version in a document's or a step's metadata."""
    return (str(metadata.get("provider")), str(metadata.get("identifier")), str(metadata.get("version")))


def steps_of(document: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the steps of a document."""
    return list((document.get("spec") or {}).get("pipelines") or [])


def step_name(step: dict[str, Any]) -> str:
    """Return the name of a step."""
    return str(step["metadata"]["name"])


def inputs_of(document: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    """Return the declared inputs of a document; ``kind`` is ``parameters`` or ``artifacts``."""
    return list(((document.get("spec") or {}).get("inputs") or {}).get(kind) or [])


def parse(text: str) -> Manifest:
    """Return the manifest in a text.

    Raises:
        ManifestError: The text is not YAML or describes no pipeline.
    """
    documents = [each for each in _documents(text, "the manifest") if each is not None]
    if not documents:
        raise ManifestError("the manifest is empty")
    for number, document in enumerate(documents, 1):
        _check_document(document, "the manifest" if len(documents) == 1 else f"document {number} of the manifest")
    components = {str(each["metadata"].get("guid")): each for each in documents[:-1]}
    if "None" in components:
        raise ManifestError("every document of the manifest but the last needs metadata.guid")
    for document in documents:
        _check_steps(document, components)
    _check_nesting(components)
    return Manifest(text, documents[-1], components)


def load_mapping(text: str, what: str) -> dict[str, Any]:
    """Return the mapping that a YAML text holds.

    Raises:
        ManifestError: The text is not YAML or holds something else.
    """
    documents = _documents(text, what)
    if len(documents) != 1 or not isinstance(documents[0], dict):
        raise ManifestError(f"{what} must be a YAML mapping")
    return documents[0]


def _documents(text: str, what: str) -> list[Any]:  # any JSON values
    """Return the documents of a YAML text as JSON values: dates are texts, and so are all keys."""
    return [json.loads(each) for each in _json_documents(text, what)]


@lru_cache
def _json_documents(text: str, what: str) -> tuple[str, ...]:
    try:
        documents = list(yaml.safe_load_all(text))
    except (yaml.YAMLError, ValueError) as error:  # the loader lets dates that do not exist escape as ValueError
        raise ManifestError(f"{what} is not valid YAML: {' '.join(str(error).split())}") from error
    try:
        return tuple(json.dumps(each, default=str) for each in documents)
    except (TypeError, ValueError, RecursionError) as error:
        raise ManifestError(f"{what} holds values that JSON cannot express: {error}") from error


def _check_document(document: Any, where: str) -> None:  # whatever YAML holds
    if not isinstance(document, dict):
        raise ManifestError(f"{where} must be a mapping")
    if document.get("apiVersion") != "core/v1":
        raise ManifestError(f"{where}: apiVersion must be core/v1")
    metadata, spec = document.get("metadata"), document.get("spec")
    if not isinstance(metadata, dict) or not isinstance(spec, dict):
        raise ManifestError(f"{where} needs the mappings metadata and spec")
    for name in _TRIPLE:
        if not isinstance(metadata.get(name), str) or not metadata[name]:
            raise ManifestError(f"{where}: metadata.{name} must be a text")
    inputs = spec.get("inputs") or {}
    for kind in ("parameters", "artifacts"):
        listed = inputs.get(kind) if isinstance(inputs, dict) else None
        if not isinstance(inputs, dict) or not are_named(listed or []):
            raise ManifestError(f"{where}: spec.inputs.{kind} must be a list of mappings with a name")
    if not isinstance(spec.get("pipelines") or [], list):
        raise ManifestError(f"{where}: spec.pipelines must be a list")


def are_named(listed: object) -> bool:
    """Whether a value is a list of mappings with a name."""
    return isinstance(listed, list) and all(
        isinstance(item, dict) and isinstance(item.get("name"), str) for item in listed
    )


def _check_steps(document: dict[str, Any], components: dict[str, dict[str, Any]]) -> None:
    steps = steps_of(document)
    for step in steps:
        _check_step(step, components)
    names = [step_name(step) for step in steps]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ManifestError(f"the step name {twice[0]} is not unique")
    waiting = {step_name(step): dependencies(step) for step in steps}
    for name, before in waiting.items():
        if unknown := sorted(before - set(names)):
            raise ManifestError(f"step {name} depends on the unknown step {unknown[0]}")
    while waiting:
        ready = [name for name, before in waiting.items() if not before & set(waiting)]
        if not ready:
            raise ManifestError(f"the steps {', '.join(sorted(waiting))} depend on each other in a circle")
        for name in ready:
            del waiting[name]


def _check_step(step: Any, components: dict[str, dict[str, Any]]) -> None:  # whatever YAML holds
    metadata = step.get("metadata") if isinstance(step, dict) else None
    if not isinstance(metadata, dict) or not isinstance(metadata.get("name"), str):
        raise ManifestError("every step needs metadata.name")
    name = metadata["name"]
    if "guid" in metadata:
        if str(metadata["guid"]) not in components:
            raise ManifestError(f"step {name}: no document of the manifest has the guid {metadata['guid']}")
    elif lacking := [field for field in _TRIPLE if not metadata.get(field)]:
        raise ManifestError(f"step {name}: metadata.{lacking[0]} is missing")
    spec = step.get("spec") or {}
    if not isinstance(spec, dict) or not isinstance(spec.get("dependencies") or [], list):
        raise ManifestError(f"step {name}: spec must be a mapping and its dependencies a list")
    for kind in ("parameters", "artifacts"):
        arguments = spec.get("arguments") or {}
        if not isinstance(arguments, dict) or not are_named(arguments.get(kind) or []):
            raise ManifestError(f"step {name}: spec.arguments.{kind} must be a list of mappings with a name")


def _check_nesting(components: dict[str, dict[str, Any]]) -> None:
    inside = {
        guid: {str(step["metadata"]["guid"]) for step in steps_of(document) if "guid" in step["metadata"]}
        for guid, document in components.items()
    }
    while inside:
        flat = [guid for guid, used in inside.items() if not used & set(inside)]
        if not flat:
            raise ManifestError(f"the documents {', '.join(sorted(inside))} contain each other")
        for guid in flat:
            del inside[guid]


def dependencies(step: dict[str, Any]) -> set[str]:
    """Return the names of the steps that a step names or whose outputs it uses."""
    spec = step.get("spec") or {}
    named = {str(each) for each in spec.get("dependencies") or []}
    texts = [str(spec.get(key) or "") for key in ("arguments", "when", "withParam")]
    return named | {found for text in texts for found in STEP_REFERENCE.findall(text)}


def is_own(triple: tuple[str, str, str]) -> bool:
    """Whether a triple names a pipeline that the account itself must have stored."""
    return triple[0] == ACCOUNT_ID
