"""Pipelines written in Python, with what each node is going to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import yaml

from airflow_provider_mlworkflows.emulator.credentials import ACCOUNT_ID
from airflow_provider_mlworkflows.emulator.scripted import Phase, phases

OutputType = Literal["Model", "DataSet", "Metrics", "ModelEvaluation"]
OUTPUT_TYPES: tuple[str, ...] = get_args(OutputType)
LOG_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Output:
    """An artifact that a node leaves when it succeeds.

    Attributes:
        name: Name of the artifact.
        type: Its type.
        value: Its value, anything that JSON can write; replies carry it as JSON text.
        metadata: Its metadata. Default: what is usual for the type.
    """

    name: str
    type: OutputType
    value: Any  # any JSON value
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Output:
        """Build an output from ``{"name": ..., "type": ..., "value": ...}``.

        Raises:
            ValueError: The value has another shape.
        """
        if not isinstance(values.get("name"), str) or values.get("type") not in OUTPUT_TYPES:
            raise ValueError(f"an output needs a name and a type out of {', '.join(OUTPUT_TYPES)}")
        return cls(values["name"], values["type"], values.get("value"), values.get("metadata") or {})


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line that a node writes.

    Attributes:
        seconds: When, in seconds before scaling after the attempt began to run; a line due later than the end
            of the attempt is never written.
        text: The line; ``{node}`` and ``{attempt}`` stand for the node's name and the attempt's number.
    """

    seconds: float
    text: str


@dataclass(frozen=True, slots=True)
class NodeAttempt:
    """What one attempt of a node does.

    Attributes:
        script: The phases after ``ReadyToSchedule``.
        log: Lines it writes.
        message: Reason, if the attempt ends badly.
        outputs: Artifacts it leaves if it succeeds.
    """

    script: tuple[Phase, ...]
    log: tuple[LogLine, ...] = ()
    message: str = "the container ended with exit code 1"
    outputs: tuple[Output, ...] = ()

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> NodeAttempt:
        """Build an attempt from ``{"script": [["Running", 5], ["Succeeded", null]], "log": [[0, "line"]], ...}``.

        Raises:
            ValueError: The value has another shape.
        """
        try:
            return cls(
                tuple(Phase(str(status), seconds) for status, seconds in values["script"]),
                tuple(LogLine(float(seconds), str(text)) for seconds, text in values.get("log", ())),
                str(values.get("message", "the container ended with exit code 1")),
                tuple(Output.from_json(each) for each in values.get("outputs", ())),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ValueError(f"not an attempt: {error}") from error


def succeeds(seconds: float = 5.0, *outputs: Output) -> NodeAttempt:
    """Return an attempt that succeeds after ``seconds`` and writes a line in each of them."""
    return NodeAttempt(phases(("Running", seconds), "Succeeded"), _progress(seconds, "{node}: done"), "", outputs)


def fails(seconds: float = 5.0, message: str = "exit code 1") -> NodeAttempt:
    """Return an attempt that fails after ``seconds``; its last line is the message."""
    return NodeAttempt(phases(("Running", seconds), "Failed"), _progress(seconds, f"ERROR {message}"), message)


def never_ends() -> NodeAttempt:
    """Return an attempt that runs until it is terminated."""
    return NodeAttempt(phases("Running"), _progress(LOG_SECONDS))


def suspends(seconds: float = 2.0, message: str = "suspended by the service") -> NodeAttempt:
    """Return an attempt that is suspended after ``seconds`` and goes on by no call but a rerun."""
    return NodeAttempt(phases(("Running", seconds), "Suspended"), _progress(seconds), message)


def _progress(seconds: float, last: str | None = None) -> tuple[LogLine, ...]:
    steps = int(min(seconds, LOG_SECONDS))
    lines = [LogLine(0, "{node}: attempt {attempt} begins")]
    lines += [LogLine(step, f"{{node}}: attempt {{attempt}}, progress {step}/{steps}") for step in range(1, steps + 1)]
    return (*lines, *([] if last is None else [LogLine(seconds, last)]))


@dataclass(frozen=True, slots=True)
class NodeDefinition:
    """A step of a pipeline.

    Attributes:
        name: Name, unique in the pipeline.
        depends_on: Steps beside this one that must be over before.
        attempts: What the first, second, ... attempt does; the last one repeats. Empty: :func:`succeeds`.
        children: Steps of the sub-pipeline that this step is; none for a step that works by itself.
        items: Makes the step a loop with one iteration for each item, named ``{name}-{index}``.
        parallelism: How many iterations of a loop are active at once.
        when: Condition such as ``{{inputs.parameters.mode}} == full``; if it does not hold the step is skipped.
        arguments: ``{"parameters": [...], "artifacts": [...]}`` as in a manifest.
    """

    name: str
    depends_on: tuple[str, ...] = ()
    attempts: tuple[NodeAttempt, ...] = ()
    children: tuple[NodeDefinition, ...] = ()
    items: tuple[Any, ...] = ()  # any JSON values
    parallelism: int = 5
    when: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)

    def step(self) -> dict[str, Any]:
        """Return the step as a manifest writes it."""
        spec: dict[str, Any] = {"arguments": dict(self.arguments)} if self.arguments else {}
        if self.depends_on:
            spec["dependencies"] = list(self.depends_on)
        if self.when:
            spec["when"] = self.when
        if self.items:
            spec |= {"withItems": list(self.items), "parallelism": self.parallelism}
        metadata = {"name": self.name}
        if self.children:
            metadata["guid"] = f"component-{self.name}"
        else:
            metadata |= {"provider": "pai", "identifier": "emulated_task", "version": "v1"}
        return {"apiVersion": "core/v1", "metadata": metadata, "spec": spec}

    def components(self) -> list[dict[str, Any]]:
        """Return the documents of the sub-pipelines below, inner ones first."""
        inner = [document for child in self.children for document in child.components()]
        if not self.children:
            return inner
        metadata = _triple(self.name) | {"guid": f"component-{self.name}"}
        inputs = [{"name": item["name"]} for item in self.arguments.get("parameters") or []]
        spec = {"inputs": {"parameters": inputs}, "pipelines": [child.step() for child in self.children]}
        return [*inner, {"apiVersion": "core/v1", "metadata": metadata, "spec": spec}]

    def all_attempts(self) -> dict[str, tuple[NodeAttempt, ...]]:
        """Return the scripted attempts of this step and those below by name."""
        found = {self.name: self.attempts} if self.attempts else {}
        for child in self.children:
            found |= child.all_attempts()
        return found


@dataclass(frozen=True, slots=True)
class PipelineDefinition:
    """A pipeline to put into the emulator.

    Attributes:
        identifier: Identifier; provider and version are the account's id and ``version``.
        nodes: Steps in display order; none makes runs that succeed at once.
        parameters: Input parameters as in a manifest, such as ``{"name": "rate", "type": "Double", "value": 0.1}``.
        artifacts: Input artifacts as in a manifest.
        pipeline_id: Id. Default: a new one.
        version: Version.
        workspace_id: Workspace. Default: the ready-made one.
        status_script: Statuses that runs show, instead of the one that follows from their nodes.
    """

    identifier: str
    nodes: Sequence[NodeDefinition] = ()
    parameters: Sequence[Mapping[str, Any]] = ()
    artifacts: Sequence[Mapping[str, Any]] = ()
    pipeline_id: str | None = None
    version: str = "v1"
    workspace_id: str | None = None
    status_script: tuple[Phase, ...] = ()

    def manifest(self) -> str:
        """Return the pipeline as YAML documents, the last one being the pipeline itself."""
        inputs = {
            "parameters": [dict(each) for each in self.parameters],
            "artifacts": [dict(each) for each in self.artifacts],
        }
        entry = {
            "apiVersion": "core/v1",
            "metadata": _triple(self.identifier, self.version) | {"name": self.identifier},
            "spec": {"inputs": inputs, "pipelines": [node.step() for node in self.nodes]},
        }
        documents = [document for node in self.nodes for document in node.components()]
        # Written in C where PyYAML was built with it: ten times as fast.
        dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
        text: str = yaml.dump_all([*documents, entry], Dumper=dumper, sort_keys=False, allow_unicode=True)
        return text

    def attempts(self) -> dict[str, tuple[NodeAttempt, ...]]:
        """Return the scripted attempts by step name."""
        found: dict[str, tuple[NodeAttempt, ...]] = {}
        for node in self.nodes:
            found |= node.all_attempts()
        return found


def _triple(identifier: str, version: str = "v1") -> dict[str, str]:
    return {"provider": ACCOUNT_ID, "identifier": identifier, "version": version}
