"""What AOM automation answers, in its own words.

Read leniently: the documents leave types open and contradict each other. Fields nobody documented are kept, a field may
be missing or null, a number may come as a text, and an object or a list as JSON inside a text. Only what a reply would
be useless without is required.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Annotated, Any, Generic, TypeVar, cast

from pydantic import BeforeValidator, Field, model_validator

from airflow_provider_mlworkflows.clouds.huawei import models as huawei
from airflow_provider_mlworkflows.clouds.values import time_in

T = TypeVar("T")

DEEPEST_JSON = 5
"""So often JSON may be wrapped in JSON."""


def decoded(value: object) -> Any:
    """A value, taken out of the JSON text it may come in; a text that is no object or list stays as it is."""
    for _ in range(DEEPEST_JSON):
        if not isinstance(value, str) or value.strip()[:1] not in ("{", "[", '"'):
            break
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            break
    return value


def read_time(value: object) -> datetime | None:
    """A point in time: milliseconds since the epoch, as a number or a text, or an ISO time; None if it is none."""
    time = time_in(UTC, value)
    return None if time is None or time.timestamp() <= 0 else time


def _as_list(value: object) -> object:
    value = decoded(value)
    return [] if value is None or value == "" else value


def _as_list_if_any(value: object) -> object:
    return _blank_as_none(decoded(value))


def _as_mapping(value: object) -> object:
    value = decoded(value)
    return {} if value is None or value == "" else value


def _as_text(value: object) -> object:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    return value


def _blank_as_none(value: object) -> object:
    return None if isinstance(value, str) and not value.strip() else value


Time = Annotated[datetime | None, BeforeValidator(read_time)]
Text = Annotated[str, BeforeValidator(_as_text)]
Truth = Annotated[bool | None, BeforeValidator(_blank_as_none)]
Number = Annotated[int | None, BeforeValidator(_blank_as_none)]
Texts = Annotated[list[Text], BeforeValidator(_as_list)]
TextMap = Annotated[dict[str, Text], BeforeValidator(_as_mapping)]
AnyMap = Annotated[dict[str, Any], BeforeValidator(_as_mapping)]


class Reply(huawei.Reply):
    """Base of everything read from AOM automation, also out of JSON text; an empty text is an object without fields."""

    @model_validator(mode="before")
    @classmethod
    def _out_of_text(cls, data: Any) -> Any:
        data = decoded(data)
        return {} if data == "" else data


class Page(Reply, Generic[T]):
    """One page of a list. Do not page by ``total_elements``."""

    promised = frozenset({"elements", "total_elements"})

    total_elements: Number = None
    elements: Annotated[list[T], BeforeValidator(_as_list)] = Field(default_factory=list)


class NodeMetadata(Reply):
    """What a node runs."""

    type: Text = ""
    configuration: AnyMap = Field(default_factory=dict)


class Node(Reply):
    """A node of a workflow's graph. Executions name it by its ``id``."""

    id: Text = ""
    name: Text = ""
    task_name: Text = ""
    category: Text = ""
    description: Text = ""
    parent_node: Any = None
    ignore_error: Truth = None
    metadata: NodeMetadata = NodeMetadata()


class WorkflowStep(Reply):
    """A step as the author of a job wrote it."""

    id: Text = ""
    name: Text = ""
    type: Text = ""
    input: AnyMap = Field(default_factory=dict)
    ignore_error: Truth = None
    description: Text = ""


class Parameter(Reply):
    """A parameter that a template or workflow takes."""

    id: Text = ""
    param_name: Text = ""
    param_type: Text = ""
    param_group: Text = ""
    default_value: Any = None
    hint: Text = ""
    description: Text = ""
    encryption: Truth = None
    quote_param: Truth = None
    required: Truth = None


class ApproveInfo(Reply):
    """Whether a person must approve, and how that person is told."""

    topic_selected: Any = None
    need_approve: Truth = None
    smn_urn_list: Any = None


class RateControl(Reply):
    """How many machines are worked on at a time."""

    have_rate_control: Truth = None
    time_delay: Number = None
    max: Number = None


Nodes = Annotated[list[Node], BeforeValidator(_as_list)]
WorkflowSteps = Annotated[list[WorkflowStep], BeforeValidator(_as_list)]
Parameters = Annotated[list[Parameter], BeforeValidator(_as_list)]


class Workflow(Reply):
    """A workflow, which the console calls a task: a template with its input. How it did last is in ``status``."""

    id: Text = Field(min_length=1)
    name: Text = ""
    type: Text = ""
    description: Text = ""
    tags: TextMap = Field(default_factory=dict)
    create_time: Time = None
    update_time: Time = None
    edit_time: Time = None
    create_by: Text = ""
    update_by: Text = ""
    last_execute_by: Text = ""
    template_name: Text = ""
    template_id: Text = ""
    job_name: Text = ""
    job_id: Text = ""
    input: AnyMap = Field(default_factory=dict)
    last_execution_id: Text = ""
    last_execution_start_time: Time = None
    last_execution_end_time: Time = None
    status: Text = ""
    task_status: Text = ""
    trigger_id: Text = ""
    trigger_status: Text = ""
    approve_id: Text = ""
    citation_urns: Texts = Field(default_factory=list)
    quote: Texts = Field(default_factory=list)
    execution_action_rules: Texts = Field(default_factory=list)
    execution_permission: Texts = Field(default_factory=list)
    service_scenario: Text = ""
    service_name: Text = ""
    task_type: Text = ""
    enterprise_project_id: Text = ""
    output: Any = None
    project_id: Text = ""
    workflow_id: Text = ""
    """The id that the engine below knows it by; operations take ``id``."""
    nodes: Nodes = Field(default_factory=list)
    steps: WorkflowSteps = Field(default_factory=list)
    global_parameters: Parameters = Field(default_factory=list)
    is_delete: Truth = None
    template_i18n: AnyMap = Field(default_factory=dict)


class NodeResult(Reply):
    """How a node did in one execution. Why it failed can only be inside ``output``."""

    node_id: Text = ""
    status: Text = ""
    begin_time: Time = None
    end_time: Time = None
    function_execution_id: Text = ""
    output: Any = None


class Execution(Reply):
    """One run of a workflow. ``execution_result_list`` is None if the reply does not show nodes."""

    promised = frozenset({"execution_id", "status"})

    workflow_id: Text = ""
    execution_id: Text = ""
    status: Text = ""
    begin_time: Time = None
    end_time: Time = None
    last_update_time: Time = None
    execution_result_list: Annotated[list[NodeResult] | None, BeforeValidator(_as_list_if_any)] = None
    approve_user_name_list: Texts = Field(default_factory=list)
    project_id: Text = ""
    workflow_edit_time: Time = None
    last_record_id_with_snapshot: Text = ""
    created_by: Text = ""


class StartedExecution(Reply):
    """The execution that a start has made."""

    execution_id: Text = Field(min_length=1)


def _bare_list(value: object) -> object:
    """The list in an answer that is one, or null, or an object around one."""
    value = decoded(value)
    if value is None:
        return []
    if isinstance(value, dict):
        lists = [each for each in map(decoded, value.values()) if isinstance(each, list)]
        if len(lists) != 1 and None not in value.values():
            raise ValueError("there is no list in it")
        return lists[0] if lists else []
    return value


ExecutionList = cast("type[list[Execution]]", Annotated[list[Execution], BeforeValidator(_bare_list)])
"""A bare array, which may be wrapped or null."""
UnreadExecutionList = cast("type[list[Any]]", Annotated[list[Any], BeforeValidator(_bare_list)])
"""The same as decoded JSON."""


class Template(Reply):
    """A template, which the console calls an execution plan: what a workflow is made from."""

    id: Text = Field(min_length=1)
    name: Text = ""
    job_id: Text = ""
    job_version: Number = None
    version: Text = ""
    share_type: Text = ""
    approve_info: ApproveInfo = ApproveInfo()
    rate_control: RateControl = RateControl()
    create_by: Text = ""
    create_time: Time = None
    update_by: Text = ""
    update_time: Time = None
    enterprise_project_id: Text = ""
    project_id: Text = ""
    is_collect: Truth = None
    is_publish: Truth = None
    need_synchronize: Truth = None
    nodes: Nodes = Field(default_factory=list)
    steps: WorkflowSteps = Field(default_factory=list)
    parameters: Parameters = Field(default_factory=list)
    quote: Texts = Field(default_factory=list)


class Job(Reply):
    """What an author wrote; templates are made from it."""

    id: Text = ""
    name: Text = ""
    description: Text = ""
    create_by: Text = ""
    create_time: Time = None
    update_by: Text = ""
    update_time: Time = None
    enterprise_project_id: Text = ""
    project_id: Text = ""
    steps: WorkflowSteps = Field(default_factory=list)
    parameters: Parameters = Field(default_factory=list)
    rate_control: RateControl = RateControl()
    approve_info: ApproveInfo = ApproveInfo()
    is_latest_version: Truth = None
    version_number: Number = None


class Script(Reply):
    """A script, of which there are versions."""

    id: Text = ""
    name: Text = ""
    description: Text = ""
    script_language: Text = ""
    online_exist_status: Truth = None
    online_id: Text = ""
    create_by: Text = ""
    create_time: Time = None
    update_by: Text = ""
    update_time: Time = None
    enterprise_project_id: Text = ""
    project_id: Text = ""
    approve_info: ApproveInfo = ApproveInfo()
    rate_control: RateControl = RateControl()


class JobReference(Reply):
    """A job that uses a script."""

    job_id: Text = ""
    job_name: Text = ""


class ScriptVersion(Reply):
    """A version of a script. ``status_desc``: 0 not online yet, 1 online, 2 offline, 3 disabled."""

    version_id: Text = ""
    version_number: Text = ""
    script_id: Text = ""
    name: Text = ""
    content: Text = ""
    script_language: Text = ""
    status_desc: Number = None
    job_reference_number: Number = None
    job_reference_name: Annotated[list[JobReference], BeforeValidator(_as_list)] = Field(default_factory=list)
    create_by: Text = ""
    create_time: Time = None
    update_by: Text = ""
    update_time: Time = None
    enterprise_project_id: Text = ""
    project_id: Text = ""
