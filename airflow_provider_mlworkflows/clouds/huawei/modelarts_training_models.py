"""What ModelArts answers about training jobs, which the ``job`` steps of a workflow start."""

from __future__ import annotations

from typing import Annotated, Any, cast

from pydantic import BeforeValidator, Field

from airflow_provider_mlworkflows.clouds.huawei.modelarts_models import Time, null_as_empty
from airflow_provider_mlworkflows.clouds.huawei.models import Reply


class TrainingJobMetadata(Reply):
    """Who made the job, and what it is called."""

    id: str
    name: str = ""
    workspace_id: str = ""
    description: str = ""
    create_time: Time = None
    user_name: str = ""


class TaskStatus(Reply):
    """How one task of a job ended."""

    task: str = ""
    exit_code: int | None = None
    message: str = ""


class TrainingJobStatus(Reply):
    """What a job is doing. ``duration`` is in milliseconds."""

    phase: str = ""
    secondary_phase: str = ""
    duration: int | None = None
    start_time: Time = None
    tasks: list[str] = Field(default_factory=list)
    task_statuses: list[TaskStatus] = Field(default_factory=list)


class TrainingJob(Reply):
    """A training job."""

    metadata: TrainingJobMetadata
    status: TrainingJobStatus = TrainingJobStatus()
    kind: str = ""
    algorithm: dict[str, Any] = Field(default_factory=dict)
    spec: dict[str, Any] = Field(default_factory=dict)


class LogPreview(Reply):
    """The end of a task's log. Sizes are in bytes; at most 5 MB are shown."""

    content: str = ""
    current_size: int | None = None
    full_size: int | None = None


class TrainingJobLog(Reply):
    """Some lines of a task's log; ``start_line`` and ``end_line`` are where to go on from."""

    content: str = ""
    lines: int | None = None
    start_line: str = ""
    end_line: str = ""


class LogUrl(Reply):
    """Where a task's log can be fetched for five minutes. The URL is a credential: keep it out of logs."""

    obs_url: str


class TrainingJobEvent(Reply):
    """Something that happened to a job."""

    message: str = ""
    level: str = ""
    time: Time = None
    source: str = ""


class TrainingJobEventPage(Reply):
    """One page of a job's events."""

    total: int | None = None
    limit: int | None = None
    offset: int | None = None
    order: str = ""
    start_time: Time = None
    end_time: Time = None
    events: list[TrainingJobEvent] = Field(default_factory=list)


class SubStage(Reply):
    """A part of a stage."""

    name: str = ""
    en_message: str = ""
    zh_message: str = ""
    create_time: Time = None


class Stage(Reply):
    """A stage of a job's life, such as image pulling."""

    job_id: str = ""
    name: str = ""
    en_message: str = ""
    zh_message: str = ""
    start_time: Time = None
    end_time: Time = None
    stage_order: int | None = None
    sub_stages: list[SubStage] = Field(default_factory=list)


class StageRecord(Reply):
    """The stages of one attempt of a job."""

    record_order: int | None = None
    stages: list[Stage] = Field(default_factory=list)


class TrainingJobStages(Reply):
    """The stages of all attempts of a job."""

    total_count: int | None = None
    running_records: list[StageRecord] = Field(default_factory=list)


class TrainingJobTask(Reply):
    """Where a task of a job ran."""

    task: str = ""
    ip: str = ""
    host_ip: str = ""
    schedule_count: int | None = None


TrainingJobTaskList = cast(
    "type[list[TrainingJobTask]]", Annotated[list[TrainingJobTask], BeforeValidator(null_as_empty)]
)


class TrainingJobMetric(Reply):
    """A resource's use over time."""

    metric: str = ""
    value: list[float | None] = Field(default_factory=list)


class TrainingJobMetrics(Reply):
    """What the resources of one task measured."""

    metrics: list[TrainingJobMetric] = Field(default_factory=list)
