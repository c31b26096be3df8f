"""Workflow definitions written in Python, with what each step is going to do."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_mlworkflows.emulator.scripted import Phase, phases

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True, slots=True)
class Attempt:
    """What one attempt of a step does.

    Attributes:
        script: The phases after ``init``.
        error_code: Code in ``error_info`` if the attempt ends badly.
        error_message: Text in ``error_info``.
    """

    script: tuple[Phase, ...]
    error_code: str = "ModelArts.0010"
    error_message: str = "the job ended with exit code 1"

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Attempt:
        """Build an attempt from ``{"script": [["running", 5], ["completed", null]], ...}``.

        Raises:
            ValueError: The value has another shape.
        """
        try:
            script = tuple(Phase(str(status), seconds) for status, seconds in values["script"])
            rest = {key: str(values[key]) for key in ("error_code", "error_message") if key in values}
        except (KeyError, TypeError) as error:
            raise ValueError(f"not an attempt: {error}") from error
        return cls(script, **rest)


def succeeds(seconds: float = 5.0) -> Attempt:
    """Return an attempt that completes after two seconds of preparation and ``seconds`` of work."""
    return Attempt(phases(("creating", 1), ("created", 1), ("running", seconds), "completed"))


def fails(seconds: float = 5.0, code: str = "ModelArts.0010", message: str = "exit code 1") -> Attempt:
    """Return an attempt that fails after ``seconds`` of work."""
    return Attempt(phases(("creating", 1), ("created", 1), ("running", seconds), "failed"), code, message)


def create_fails(code: str = "ModelArts.0113", message: str = "the quota is used up") -> Attempt:
    """Return an attempt whose resources cannot be created."""
    return Attempt(phases(("creating", 1), "create_failed"), code, message)


def never_ends() -> Attempt:
    """Return an attempt that runs until it is stopped or its time limit passes."""
    return Attempt(phases(("creating", 1), ("created", 1), "running"))


def holds(seconds_before: float = 2.0, seconds_after: float = 2.0) -> Attempt:
    """Return an attempt that holds for a person and completes once it is continued."""
    return Attempt(
        phases(
            ("creating", 1),
            ("created", 1),
            ("running", seconds_before),
            "hold",
            ("running", seconds_after),
            "completed",
        )
    )


def decides() -> Attempt:
    """Return the attempt of a condition step."""
    return Attempt(phases(("creating", 1), ("running", 1), "completed"))


def default_attempt(kind: str) -> Attempt:
    """Return what a step of this type does when nothing is scripted."""
    if kind == "labeling":
        return holds()
    return decides() if kind == "condition" else succeeds()


@dataclass(frozen=True, slots=True)
class StepDefinition:
    """A step of a workflow.

    Attributes:
        name: Name, unique in the workflow.
        type: Step type as in the API, such as ``job``, ``labeling``, ``model``, ``service``, ``condition``.
        depend_steps: Steps that must be completed or skipped before.
        attempts: What the first, second, ... attempt does; the last one repeats. Empty: usual for the type.
        title: Shown title. Default: the name.
        fields: Other fields of the API's step object, such as ``conditions`` or ``policy``.
    """

    name: str
    type: str = "job"
    depend_steps: tuple[str, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    title: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the step as the API writes it."""
        return {
            "name": self.name,
            "type": self.type,
            "title": self.title or self.name,
            "depend_steps": list(self.depend_steps),
            **self.fields,
        }


@dataclass(frozen=True, slots=True)
class WorkflowDefinition:
    """A workflow to put into the emulator.

    Attributes:
        name: Workflow name.
        steps: Steps in display order; none makes runs that finish at once.
        parameters: Parameter objects as in the API.
        data_requirements: Data requirement objects as in the API.
        workflow_id: Id, a UUID. Default: a new one.
        status_script: Statuses that runs show at run level, instead of the one that follows from their steps.
        fields: Other fields of the API's workflow object, such as ``labels`` or ``policy``.
    """

    name: str
    steps: Sequence[StepDefinition] = ()
    parameters: Sequence[Mapping[str, Any]] = ()
    data_requirements: Sequence[Mapping[str, Any]] = ()
    workflow_id: str | None = None
    status_script: tuple[Phase, ...] = ()
    fields: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the workflow as the body of a create call."""
        return {
            "name": self.name,
            "steps": [step.to_json() for step in self.steps],
            "parameters": [dict(parameter) for parameter in self.parameters],
            "data_requirements": [dict(data) for data in self.data_requirements],
            **self.fields,
        }

    def attempts(self) -> dict[str, tuple[Attempt, ...]]:
        """Return the scripted attempts by step name."""
        return {step.name: step.attempts for step in self.steps if step.attempts}
