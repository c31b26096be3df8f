"""Workflows, templates, jobs and scripts written in Python, with what each node is going to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from airflow_provider_mlworkflows.emulator.credentials import PROJECT_ID
from airflow_provider_mlworkflows.emulator.scripted import Phase, phases

ShareType = Literal["private", "public"]


@dataclass(frozen=True, slots=True)
class NodeAttempt:
    """What one attempt of a node does.

    Attributes:
        script: The phases of the attempt; after a phase ``pausing`` it goes on only when somebody says so.
        output: What the node reports once it is over, anything that JSON can write. Failures are told nowhere else.
    """

    script: tuple[Phase, ...]
    output: Any = None  # any JSON value

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> NodeAttempt:
        """Build an attempt from ``{"script": [["executing", 5], ["success", null]], "output": ...}``.

        Raises:
            ValueError: The value has another shape.
        """
        try:
            script = tuple(Phase(str(status), seconds) for status, seconds in values["script"])
            return cls(script, values.get("output"))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ValueError(f"not an attempt: {error}") from error


def succeeds(seconds: float = 5.0, output: Any = None) -> NodeAttempt:  # any JSON value
    """Return an attempt that succeeds after ``seconds``."""
    return NodeAttempt(phases(("executing", seconds), "success"), {"message": "done"} if output is None else output)


def fails(seconds: float = 5.0, message: str = "the script ended with exit code 1") -> NodeAttempt:
    """Return an attempt that fails after ``seconds``; its output tells why."""
    return NodeAttempt(phases(("executing", seconds), "fail"), {"error": message})


def pauses(seconds: float = 1.0) -> NodeAttempt:
    """Return the attempt of a pause node: it stands after ``seconds`` and succeeds once it is continued."""
    return NodeAttempt(phases(("executing", seconds), "pausing", ("executing", 1), "success"))


def asks() -> NodeAttempt:
    """Return the attempt of an approval node: it waits for a decision and succeeds once it is approved."""
    return NodeAttempt(phases("waitApproval", ("executing", 1), "success"))


def never_ends() -> NodeAttempt:
    """Return an attempt that runs until it is terminated."""
    return NodeAttempt(phases("executing"))


@dataclass(frozen=True, slots=True)
class NodeDefinition:
    """A node of a workflow, and the step of the template that it stems from.

    Attributes:
        name: Name, unique in the workflow.
        attempts: What the first, second, ... attempt does; the last one repeats. Empty: :func:`succeeds`, or
            :func:`pauses` and :func:`asks` for nodes of categories ``pause`` and ``approval``.
        category: ``service`` for a node that calls a function, ``pause`` for one that waits to be continued,
            ``approval`` for one that waits for a decision, which no call of the API can give.
        ignore_error: Whether the workflow goes on when the node fails.
        node_id: Id. Default: one that follows from workflow and name.
        step_type: Type of the step.
        step_input: Input of the step; all texts.
        description: Shown description.
    """

    name: str
    attempts: tuple[NodeAttempt, ...] = ()
    category: str = "service"
    ignore_error: bool = False
    node_id: str | None = None
    step_type: str = "script"
    step_input: Mapping[str, str] = field(default_factory=dict)
    description: str = ""

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> NodeDefinition:
        """Build a node from JSON values by attribute name; ``attempts`` as :meth:`NodeAttempt.from_json` takes them.

        Raises:
            ValueError: The value has another shape.
        """
        try:
            rest = dict(values)
            attempts = tuple(NodeAttempt.from_json(each) for each in rest.pop("attempts", ()))
            return cls(attempts=attempts, **rest)
        except (TypeError, ValueError) as error:
            raise ValueError(f"not a node: {error}") from error

    @property
    def scripts(self) -> tuple[NodeAttempt, ...]:
        """What the attempts do, never empty."""
        if self.attempts:
            return self.attempts
        usual = {"pause": pauses, "approval": asks}
        return (usual.get(self.category, succeeds)(),)


@dataclass(frozen=True, slots=True)
class WorkflowDefinition:
    """A workflow to put into the emulator.

    Attributes:
        name: Name, unique in the project.
        nodes: Nodes, run one after the other; none takes those of the template.
        workflow_id: Id. Default: one that follows from project and name.
        project_id: The project it belongs to.
        type: ``manual`` or ``cron``.
        input: Inputs, fixed from now on.
        template_id: The template it is made from. Default: the ready-made one.
        needs_approval: Whether executions wait for approval first.
        approvers: Names of those who may approve.
        status_script: Statuses that executions show, instead of the one that follows from their nodes.
        fields: Other fields of the API's create call, such as ``description`` or ``tags``.
    """

    name: str
    nodes: Sequence[NodeDefinition] = ()
    workflow_id: str | None = None
    project_id: str = PROJECT_ID
    type: Literal["manual", "cron"] = "manual"
    input: Mapping[str, Any] = field(default_factory=dict)
    template_id: str | None = None
    needs_approval: bool = False
    approvers: tuple[str, ...] = ()
    status_script: tuple[Phase, ...] = ()
    fields: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TemplateDefinition:
    """A template from which workflows are made.

    Attributes:
        name: Name, such as ``CMS::ECS::BulkyRunScript``.
        nodes: Nodes of the workflows made from it.
        template_id: Its id.
        job_id: The job it was derived from, if any.
        share_type: Who sees it.
        needs_approval: Whether executions of its workflows wait for approval first.
        parameters: Parameter objects as in the API.
        project_id: The project it belongs to; a public one is seen in all.
    """

    name: str
    nodes: Sequence[NodeDefinition]
    template_id: str
    job_id: str | None = None
    share_type: ShareType = "private"
    needs_approval: bool = False
    parameters: Sequence[Mapping[str, Any]] = ()
    project_id: str = PROJECT_ID

    def is_seen_in(self, project_id: str) -> bool:
        """Whether workflows of a project may be made from it."""
        return self.share_type == "public" or self.project_id == project_id


@dataclass(frozen=True, slots=True)
class JobDefinition:
    """A job from which templates are derived.

    Attributes:
        name: Name.
        job_id: Its id.
        nodes: What its steps are.
        description: Shown description.
        parameters: Parameter objects as in the API.
        project_id: The project it belongs to.
    """

    name: str
    job_id: str
    nodes: Sequence[NodeDefinition] = ()
    description: str = ""
    parameters: Sequence[Mapping[str, Any]] = ()
    project_id: str = PROJECT_ID


@dataclass(frozen=True, slots=True)
class ScriptDefinition:
    """A script with its versions.

    Attributes:
        name: Name.
        script_id: Its id.
        versions: Contents by version number, oldest first; the last one is online.
        language: ``SHELL``, ``BAT``, ``PYTHON`` or ``POWER_SHELL``.
        description: Shown description.
        project_id: The project it belongs to.
    """

    name: str
    script_id: str
    versions: Mapping[str, str]
    language: Literal["SHELL", "BAT", "PYTHON", "POWER_SHELL"] = "SHELL"
    description: str = ""
    project_id: str = PROJECT_ID
