"""Workflow definitions written in Python, with what each state is going to do."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_mlworkflows.emulator.scripted import Phase, phases

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

AGENCY = "emulator-workflow-agency"


@dataclass(frozen=True, slots=True)
class StateAttempt:
    """What one attempt of a state does.

    Attributes:
        script: The phases after ``NOTRUNNING``.
        error: What a failed attempt reports; the results of an action are matched against it.
        message: Text beside it.
    """

    script: tuple[Phase, ...]
    error: str = "States.ActionFailed"
    message: str = "the function returned 1"

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> StateAttempt:
        """Build an attempt from ``{"script": [["RUNNING", 5], ["SUCCESS", null]], ...}``.

        Raises:
            ValueError: The value has another shape.
        """
        try:
            script = tuple(Phase(str(status), seconds) for status, seconds in values["script"])
            rest = {key: str(values[key]) for key in ("error", "message") if key in values}
        except (KeyError, TypeError) as error:
            raise ValueError(f"not an attempt: {error}") from error
        return cls(script, **rest)


def succeeds(seconds: float = 5.0) -> StateAttempt:
    """Return an attempt that succeeds after ``seconds``."""
    return StateAttempt(phases(("RUNNING", seconds), "SUCCESS"))


def fails(seconds: float = 5.0, error: str = "States.ActionFailed", message: str = "boom") -> StateAttempt:
    """Return an attempt that fails after ``seconds``."""
    return StateAttempt(phases(("RUNNING", seconds), "FAILED"), error, message)


def never_ends() -> StateAttempt:
    """Return an attempt that runs until somebody ends it."""
    return StateAttempt(phases("RUNNING"))


def default_attempt(state: Mapping[str, Any]) -> StateAttempt:
    """Return what a state does when nothing is scripted."""
    seconds = {"DELAY": float(state.get("time_delay") or 0), "END": 0.0}.get(str(state.get("type")), 5.0)
    return succeeds(seconds)


@dataclass(frozen=True, slots=True)
class StateDefinition:
    """A state of a workflow; states follow each other in the order of the definition.

    Attributes:
        name: Name, unique in the workflow.
        type: ``OPERATION``, ``DELAY`` or ``END``.
        attempts: What the first, second, ... attempt does; the last one repeats. Empty: usual for the type.
        fields: Other fields of the API's state object; ``time_delay`` of a ``DELAY``, ``actions`` of an ``OPERATION``.
    """

    name: str
    type: str = "OPERATION"
    attempts: tuple[StateAttempt, ...] = ()
    fields: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self, following: str | None, *, is_first: bool) -> dict[str, Any]:
        """Return the state as the API writes it."""
        state: dict[str, Any] = {"state_name": self.name, "type": self.type}
        if is_first:
            state["start"] = True
        if self.type != "END":
            state["next_state"] = following
        if self.type == "OPERATION":
            state |= {"action_mode": "SEQUENTIAL", "actions": [{"action_name": self.name, "invocation_mode": "SYNC"}]}
        return {**state, **self.fields}


@dataclass(frozen=True, slots=True)
class GraphDefinition:
    """A workflow to put into the emulator.

    Attributes:
        name: Workflow name, which is its id as well.
        states: States in order; an ``END`` is added if there is none.
        inputs: Parameter objects as in the API.
        description: Description.
        agency: Agency that the workflow acts with.
        status_script: Literals that executions show as ``execution_state`` instead of the one that follows from their
            states.
    """

    name: str
    states: Sequence[StateDefinition] = ()
    inputs: Sequence[Mapping[str, Any]] = ()
    description: str = ""
    agency: str = AGENCY
    status_script: tuple[Phase, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the workflow as the body of a create call."""
        states = list(self.states)
        if not any(state.type == "END" for state in states):
            states.append(StateDefinition("end", "END"))
        names = [state.name for state in states]
        return {
            "agency": self.agency,
            "description": self.description,
            "states": [
                state.to_json(following, is_first=number == 0)
                for number, (state, following) in enumerate(zip(states, [*names[1:], None], strict=True))
            ],
            "inputs": [dict(parameter) for parameter in self.inputs],
        }

    def attempts(self) -> dict[str, tuple[StateAttempt, ...]]:
        """Return the scripted attempts by state name."""
        return {state.name: state.attempts for state in self.states if state.attempts}
