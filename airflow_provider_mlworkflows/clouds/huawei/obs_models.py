"""What the data workflows of object storage answer, in the service's own words.

Read leniently, because documents and samples disagree: fields nobody documented are kept, a field may be missing or
null, states are open text, what is a list here may be a map there. Only what a reply would be useless without is
required.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AliasChoices, BeforeValidator, Field

from airflow_provider_mlworkflows.clouds.huawei.models import Reply
from airflow_provider_mlworkflows.clouds.values import time_in

_DEEPEST_JSON = 3


def read_time(value: object) -> datetime | None:
    """A point in time; None for nothing, such as the empty end of an execution that runs, and for no time."""
    return time_in(UTC, value)


def decoded(value: object) -> Any:
    """What a JSON text says, also if it is the JSON of a JSON text; any other text as it is."""
    for _ in range(_DEEPEST_JSON):
        if not isinstance(value, str):
            break
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            break
    return value


def _by_name(field: str, value: object) -> object:
    """A map of names to objects, also if it came as a list of objects that name themselves, or as JSON."""
    value = decoded(value)
    if isinstance(value, list):
        named = (each for each in value if isinstance(each, Mapping) and each.get(field))
        return {str(each[field]): each for each in named}
    if isinstance(value, Mapping):
        return {name: {field: name, **each} for name, each in value.items() if isinstance(each, Mapping)}
    return {}


def _mapping(value: object) -> object:
    value = decoded(value)
    return value if isinstance(value, Mapping) else {}


Time = Annotated[datetime | None, BeforeValidator(read_time)]
Decoded = Annotated[Any, BeforeValidator(decoded)]
DecodedMapping = Annotated[dict[str, Any], BeforeValidator(_mapping)]


class InputDefinition(Reply):
    """A parameter of a workflow. ``constraints`` limit its values: valid_values, invalid_values, equal, regex."""

    parameter_name: str
    type: str = ""
    value_type: str = ""
    template_parameter_name: str = ""
    parameter_value: Decoded = Field(
        default=None, validation_alias=AliasChoices("parameter_value", "paramter_value")
    )  # the documents spell it both ways
    description: str = ""
    default: Any = None
    label: str = ""
    constraints: DecodedMapping = Field(default_factory=dict)
    invisible: bool = False


class StateDefinition(Reply):
    """A state as a workflow defines it."""

    state_name: str
    type: str = ""
    start: bool = False
    next_state: str = ""
    actions: list[Any] = Field(default_factory=list)


Inputs = Annotated[dict[str, InputDefinition], BeforeValidator(lambda value: _by_name("parameter_name", value))]
States = Annotated[dict[str, StateDefinition], BeforeValidator(lambda value: _by_name("state_name", value))]


class Definition(Reply):
    """What a workflow does. ``inputs`` and ``states`` are by name, in whichever form they came."""

    agency: str = ""
    inputs: Inputs = Field(default_factory=dict)
    states: States = Field(default_factory=dict)
    event_defs: Any = None


class WorkflowTemplate(Reply):
    """A template that workflows are made from."""

    template_name: str
    description: str = ""
    states: States = Field(default_factory=dict)
    inputs: Inputs = Field(default_factory=dict)
    tags: list[Any] = Field(default_factory=list)
    create_time: Time = None
    last_modify_time: Time = None


class CreatedTemplate(Reply):
    """A template that was just created."""

    template_name: str = ""


class WorkflowTemplatePage(Reply):
    """One page of templates; ``next_start`` is where the next one begins."""

    promised = frozenset({"templates", "count"})

    count: int | None = None
    templates: list[WorkflowTemplate] = Field(default_factory=list)
    next_start: int | None = None
    is_truncated: bool = False


class Workflow(Reply):
    """A workflow; lists show it without its definition."""

    name: str
    created_at: Time = Field(default=None, validation_alias=AliasChoices("created_at", "create_at"))
    graph_urn: str = ""
    description: str = ""
    definition: Definition | None = None


class WorkflowPage(Reply):
    """One page of workflows; ``next_start`` is where the next one begins."""

    promised = frozenset({"graphs", "count"})

    count: int | None = None
    graphs: list[Workflow] = Field(default_factory=list)
    next_start: int | None = None
    is_truncated: bool = False


class CreatedWorkflow(Reply):
    """A workflow that was just created."""

    graph_name: str = ""
    graph_urn: str = ""
    created_at: Time = None


class UpdatedWorkflow(Reply):
    """A workflow that was just changed."""

    graph_name: str = ""
    graph_urn: str = ""
    last_modified: Time = None


class StartedExecution(Reply):
    """An execution that was just started."""

    execution_name: str = Field(min_length=1)
    execution_urn: str = ""
    started_at: Time = None


class RestoredExecution(Reply):
    """An execution that goes on from where it failed."""

    execution_name: str = ""
    execution_urn: str = ""
    restored_at: Time = None


class Execution(Reply):
    """An execution as lists show it: without states and input."""

    execution_name: str
    execution_urn: str = ""
    graph_urn: str = ""
    execution_type: str = ""
    execution_state: str = ""
    started_at: Time = None
    stopped_at: Time = None


class ExecutionPage(Reply):
    """One page of executions in the order of their type and name; ``next_marker`` is where the next one begins."""

    promised = frozenset({"executions", "count"})

    count: int | None = None
    executions: list[Execution] = Field(default_factory=list)
    next_marker: str = ""
    is_truncated: bool = False


class UnreadExecutionPage(Reply):
    """The same, its executions as decoded JSON."""

    promised = ExecutionPage.promised

    executions: list[Any] = Field(default_factory=list)
    next_marker: str = ""
    is_truncated: bool = False


class StateInfo(Reply):
    """A state of an execution. Times and input are there once it was entered; why it failed, nobody promises."""

    state_name: str = ""
    type: str = ""
    status: str = ""
    started_at: Time = None
    stopped_at: Time = None
    input: Decoded = None
    output: Decoded = None
    error: Decoded = None


StateMap = Annotated[dict[str, StateInfo], BeforeValidator(lambda value: _by_name("state_name", value))]


class ExecutionInfo(Execution):
    """An execution with its states, and its input decoded."""

    start_state: str = ""
    state_map: StateMap = Field(default_factory=dict)
    input: Decoded = None
    output: Decoded = None
    error: Decoded = None
    is_test: bool = Field(default=False, validation_alias=AliasChoices("isTest", "is_test"))

    @property
    def input_fields(self) -> Mapping[str, Any] | None:
        """The input as a mapping, also if it is the only one of a list; None if it is something else."""
        found = self.input[0] if isinstance(self.input, list) and len(self.input) == 1 else self.input
        return found if isinstance(found, Mapping) else None


class ShownExecution(Reply):
    """The envelope of an execution."""

    execution_info: ExecutionInfo


class TriggerRule(Reply):
    """Which events in a bucket start which workflow."""

    id: str = ""
    graph_urn: str = ""
    events: list[str] = Field(default_factory=list)
    prefix: str = ""
    suffix: str = ""


class TriggerPolicy(Reply):
    """The rules of a bucket."""

    rules: list[TriggerRule] = Field(default_factory=list)


class Agency(Reply):
    """What the account lets the workflow engine do on its behalf."""

    agency_name: str = ""
    agency_id: str = ""
    agency_duration: str = ""
    trust_domain_name: str = ""
    role_id: str = ""
    role_dependent_by_function: str = ""
    create_time: Time = None
    last_modify_time: Time = None


class WorkflowAuthorization(Reply):
    """The agencies that were made for workflows; none before the authorization was opened."""

    agencies: list[Agency] = Field(default_factory=list)
