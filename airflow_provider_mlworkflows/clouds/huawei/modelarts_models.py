"""What ModelArts answers, in its own words.

Read leniently, because the service is young and changes: fields nobody documented are kept, a field may be
missing or null, statuses are open text. Only what a reply would be useless without is required.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Annotated, Any, Generic, Self, TypeVar, cast

from pydantic import BaseModel, BeforeValidator, Field, model_validator
from typing_extensions import TypedDict

from airflow_provider_mlworkflows.clouds.huawei.models import Reply
from airflow_provider_mlworkflows.clouds.values import time_in

if TYPE_CHECKING:
    from collections.abc import Mapping

T = TypeVar("T")

SERVICE_ZONE = timezone(timedelta(hours=8))
"""Times without a zone, such as those in event lines, are in this one."""


def read_time(value: object) -> datetime | None:
    """A point in time in any form the service uses; None for nothing and for text that is no time.

    Forms: RFC 3339 with up to nine fractional digits, the same without zone, and milliseconds or seconds
    since the epoch.
    """
    return time_in(SERVICE_ZONE, value)


def null_as_empty(value: object) -> object:
    """An empty list instead of null."""
    return [] if value is None else value


Time = Annotated[datetime | None, BeforeValidator(read_time)]
Duration = int | float | str | None
TextList = cast("type[list[str]]", Annotated[list[str], BeforeValidator(null_as_empty)])
"""A bare array of texts; an empty one may come as null."""


class Page(Reply, Generic[T]):
    """One page of a list. ``total`` and ``count`` vary in meaning: do not page by them."""

    promised = frozenset({"items", "total", "count"})

    total: int | None = None
    count: int | None = None
    items: list[T] = Field(default_factory=list)


class DataRequirement(Reply):
    """Data that a workflow needs. ``delay`` means it may be given while the execution waits for it."""

    name: str
    type: str = ""
    conditions: list[dict[str, Any]] = Field(default_factory=list)
    value: dict[str, Any] | None = None
    used_steps: list[str] = Field(default_factory=list)
    delay: bool = False


class WorkflowParameter(Reply):
    """A parameter that a workflow declares, or the value it got."""

    name: str
    type: str = ""
    value: Any = None
    default: Any = None
    example: Any = None
    enum: list[Any] = Field(default_factory=list)
    delay: bool = False
    description: str = ""
    used_steps: list[str] = Field(default_factory=list)
    format: str = ""
    constraint: dict[str, Any] = Field(default_factory=dict)


class StepCondition(Reply):
    """A comparison of two operands."""

    type: str = ""
    left: Any = None
    right: Any = None


class JobInput(Reply):
    """An input of a step; ``data`` is usually a ``$ref/...`` text."""

    name: str = ""
    type: str = ""
    data: Any = None
    value: Any = None


class JobOutput(Reply):
    """An output of a step; what it is, is in ``config``."""

    name: str = ""
    type: str = ""
    config: dict[str, Any] = Field(default_factory=dict)


class WorkflowStep(Reply):
    """A step as the workflow defines it."""

    name: str
    type: str = ""
    title: str = ""
    description: str = ""
    inputs: list[JobInput] = Field(default_factory=list)
    outputs: list[JobOutput] = Field(default_factory=list)
    properties: dict[str, Any] = Field(default_factory=dict)
    depend_steps: list[str] = Field(default_factory=list)
    conditions: list[StepCondition] = Field(default_factory=list)
    if_then_steps: list[str] = Field(default_factory=list)
    else_then_steps: list[str] = Field(default_factory=list)
    policy: dict[str, Any] = Field(default_factory=dict)
    created_at: Time = None


class SubGraph(Reply):
    """A named set of steps."""

    name: str = ""
    steps: list[str] = Field(default_factory=list)


class LatestExecution(Reply):
    """The newest execution of a workflow, in short."""

    execution_id: str = ""
    created_at: Time = None
    status: str | None = None
    running_steps: list[Any] = Field(default_factory=list)
    current_steps: list[Any] = Field(default_factory=list)
    duration: Duration = None


class Scene(Reply):
    """A choice of steps that an execution can be limited to."""

    id: str = ""
    name: str = ""
    steps: list[str] = Field(default_factory=list)


class WorkflowPolicy(Reply):
    """The scenes of a workflow."""

    use_scene: str | None = None
    scene_id: str | None = None
    scenes: list[Scene] = Field(default_factory=list)


class ServicePackage(Reply):
    """A package of paid calls bought for a workflow's service."""

    package_id: str = ""
    pool_id: str = ""
    status: str = ""
    service_id: str = ""
    workflow_id: str = ""
    order: dict[str, Any] = Field(default_factory=dict)
    consume_limit: int | None = None
    current_consume: int | None = None
    current_date: str = ""
    limit_enable: bool | None = None
    created_at: Time = None


class Workflow(Reply):
    """A workflow: its steps, what it needs, and how it did lately."""

    workflow_id: str
    name: str = ""
    created_at: Time = None
    last_modified_at: Time = None
    description: str = ""
    user_name: str = ""
    workspace_id: str = ""
    steps: list[WorkflowStep] = Field(default_factory=list)
    data_requirements: list[DataRequirement] = Field(default_factory=list)
    data: list[dict[str, Any]] = Field(default_factory=list)
    parameters: list[WorkflowParameter] = Field(default_factory=list)
    storages: list[dict[str, Any]] = Field(default_factory=list)
    labels: list[str] = Field(default_factory=list)
    assets: list[dict[str, Any]] = Field(default_factory=list)
    sub_graphs: list[SubGraph] = Field(default_factory=list)
    source_workflow_id: str | None = None
    gallery_subscription: dict[str, Any] | None = None
    source: str = ""
    latest_execution: LatestExecution | None = None
    run_count: int | None = None
    param_ready: bool | None = None
    policy: WorkflowPolicy = WorkflowPolicy()
    extend: dict[str, Any] = Field(default_factory=dict)
    with_subscription: bool | None = None
    smn_switch: bool | str | None = None
    subscription_id: str | None = None
    exeml_template_id: str | None = None
    package: ServicePackage | None = None


class WorkflowsOverview(Reply):
    """How many workflows there are, by status."""

    total: int
    stat: dict[str, int] = Field(default_factory=dict)


class WorkflowTodo(Reply):
    """A step that waits for a person. It is named, not identified: its id is in the execution."""

    workflow_id: str
    execution_id: str
    step_name: str = ""
    step_title: str = ""
    status: str = ""
    workflow_name: str = ""
    time: Time = None
    duration: Duration = None


class ServiceAuthorization(Reply):
    """Whether a paid service may be used."""

    result: str


class ErrorInfo(Reply):
    """Why a step failed."""

    error_code: str = ""
    error_message: str = ""


class MetricPair(Reply):
    """A measured value."""

    key: str = ""
    value: Any = None


class ConditionsExecution(Reply):
    """How a condition step turned out."""

    result: str | bool | None = None
    metric_list: list[MetricPair] = Field(default_factory=list)


class StepExecution(Reply):
    """A step of one execution. Actions on it are addressed to its ``uuid``."""

    uuid: str = ""
    step_uuid: str = ""
    step_name: str = ""
    step_title: str = ""
    name: str = ""
    execution_name: str = ""
    execution_uuid: str = ""
    created_at: Time = None
    updated_at: Time = None
    duration: Duration = None
    type: str = ""
    instance_id: str | dict[str, Any] | None = None
    status: str | None = None
    inputs: list[JobInput] = Field(default_factory=list)
    outputs: list[JobOutput] = Field(default_factory=list)
    properties: dict[str, Any] = Field(default_factory=dict)
    events: list[str] = Field(default_factory=list)
    error_info: ErrorInfo | None = None
    policy: dict[str, Any] = Field(default_factory=dict)
    conditions_execution: ConditionsExecution | None = None
    conditions: list[StepCondition] = Field(default_factory=list)

    @property
    def instance(self) -> Mapping[str, Any]:
        """What the step created, by id name (``model_id``, ``service_id``, ``job_id``).

        The service sends an object, or the same as JSON text; bare text is the value of ``id``.
        """
        if isinstance(self.instance_id, dict):
            return self.instance_id
        if not self.instance_id:
            return {}
        try:
            decoded = json.loads(self.instance_id)
        except ValueError:
            decoded = None
        return decoded if isinstance(decoded, dict) else {"id": self.instance_id}


class Execution(Reply):
    """One run of a workflow. Right after its creation it has neither status nor steps."""

    execution_id: str
    name: str = ""
    description: str = ""
    status: str | None = None
    created_at: Time = None
    duration: Duration = None
    workspace_id: str = ""
    workflow_id: str = ""
    workflow_name: str = ""
    scene_id: str | None = None
    scene_name: str | None = None
    # Factories, because a default list is copied deeply, and a thousand of these are read at once.
    steps_execution: list[StepExecution] = Field(default_factory=list)
    sub_graphs: list[SubGraph] = Field(default_factory=list)
    events: list[str] = Field(default_factory=list)
    labels: list[str] = Field(default_factory=list)
    data_requirements: list[DataRequirement] = Field(default_factory=list)
    parameters: list[WorkflowParameter] = Field(default_factory=list)
    policies: dict[str, Any] = Field(default_factory=dict)


class ExecutionGlance(TypedDict, total=False):
    """What a watcher needs to know of a listed execution, unread. Of a thousand that are read at once, no more."""

    execution_id: Any
    name: Any
    status: Any
    steps_execution: Any


class ExecutionGlances(BaseModel):
    """A page of executions as watchers read it: quickly, and with little for the garbage collector to do."""

    total: Any = None
    count: Any = None
    items: list[Annotated[ExecutionGlance | Any, Field(union_mode="left_to_right")]] | None = None

    @model_validator(mode="after")
    def _has_something_known(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("it has no count or items or total")
        return self


class StepMetric(Reply):
    """A series or table that a step measured."""

    key: str = ""
    title: str = ""
    type: str = ""
    data: dict[str, Any] = Field(default_factory=dict)
    created_at: Time = None


StepMetricList = cast("type[list[StepMetric]]", Annotated[list[StepMetric], BeforeValidator(null_as_empty)])


class Schedule(Reply):
    """When a workflow starts by itself. Its id is ``uuid``."""

    uuid: str
    type: str = ""
    content: dict[str, Any] = Field(default_factory=dict)
    action: str = ""
    workflow_id: str = ""
    user_id: str = ""
    enable: bool | None = None
    policies: dict[str, Any] = Field(default_factory=dict)
    created_at: Time = None

    @property
    def cron(self) -> str:
        """Six fields: second, minute, hour, day of month, month, day of week."""
        return str(self.content.get("cron", ""))


class ScheduleList(Reply):
    """The schedules of a workflow."""

    promised = frozenset({"schedules"})

    schedules: list[Schedule] = Field(default_factory=list)


class Subscription(Reply):
    """Who is told about which events of a workflow."""

    subscription_id: str
    topic_urns: list[str] = Field(default_factory=list)
    entity: str = ""
    events: list[str] = Field(default_factory=list)
    created_at: Time = None
