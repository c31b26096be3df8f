"""Reading the training jobs that the ``job`` steps of a workflow start."""

from __future__ import annotations

from datetime import datetime

from airflow_provider_mlworkflows.clouds.huawei.modelarts_inputs import (
    checked_choice,
    checked_range,
    checked_segment,
)
from airflow_provider_mlworkflows.clouds.huawei.modelarts_requests import ORDERS, TRAINING_JOB, query
from airflow_provider_mlworkflows.clouds.huawei.modelarts_training_models import (
    LogPreview,
    LogUrl,
    TrainingJob,
    TrainingJobEventPage,
    TrainingJobLog,
    TrainingJobMetrics,
    TrainingJobStages,
    TrainingJobTask,
    TrainingJobTaskList,
)
from airflow_provider_mlworkflows.clouds.operation import Request, Session, operation
from airflow_provider_mlworkflows.exceptions import InvalidInputError

EVENT_LEVELS = ("Info", "Warning", "Error")
MOST_LOG_LINES = 500
MOST_EVENTS = 100
LONGEST_PATTERN = 256


@operation
def show_training_job(_: Session, training_job_id: str) -> Request[TrainingJob]:
    """One training job (ShowTrainingJobDetails).

    :param training_job_id: the job, found in `StepExecution.instance` of a ``job`` step.
    :raises InvalidInputError: before anything is sent, if the id is empty.
    :raises NotFoundError: if it does not exist.
    """
    return Request(
        "ShowTrainingJobDetails",
        "GET",
        TRAINING_JOB,
        TrainingJob,
        path_params=_job(training_job_id),
        safe_to_repeat=True,
    )


@operation
def show_training_job_log_preview(_: Session, training_job_id: str, task_id: str) -> Request[LogPreview]:
    """The end of a task's log, 5 MB at most (ShowTrainingJobLogsPreview).

    :param training_job_id: the job.
    :param task_id: the task, such as ``worker-0``.
    :raises InvalidInputError: before anything is sent, if an id is empty.
    :raises NotFoundError: if it does not exist.
    """
    return Request(
        "ShowTrainingJobLogsPreview",
        "GET",
        TRAINING_JOB + "/tasks/{task_id}/logs/preview",
        LogPreview,
        path_params=_task(training_job_id, task_id),
        safe_to_repeat=True,
    )


@operation
def show_training_job_log(
    _: Session,
    training_job_id: str,
    task_id: str,
    *,
    base_line: str | None = None,
    lines: int | None = None,
    order: str | None = None,
) -> Request[TrainingJobLog]:
    """Some lines of a task's log, kept by AOM (ShowTrainingJobLogsFromAom).

    :param training_job_id: the job.
    :param task_id: the task, such as ``worker-0``.
    :param base_line: where to go on from: ``start_line`` or ``end_line`` of an earlier answer.
    :param lines: 1 to 500; the service's default is 50.
    :param order: ``asc`` from old to new, or ``desc`` (the service's default).
    :raises InvalidInputError: before anything is sent, if an argument cannot be right.
    :raises NotFoundError: if it does not exist.
    """
    if order is not None:
        checked_choice("order", order, ORDERS)
    return Request(
        "ShowTrainingJobLogsFromAom",
        "GET",
        TRAINING_JOB + "/logs/{task_id}",
        TrainingJobLog,
        path_params=_task(training_job_id, task_id),
        query=query(base_line=base_line, lines=checked_range("lines", lines, 1, MOST_LOG_LINES), order=order),
        safe_to_repeat=True,
    )


@operation
def show_training_job_log_url(
    _: Session, training_job_id: str, task_id: str, *, download: bool = False
) -> Request[LogUrl]:
    """A URL of a task's whole log, good for five minutes for whoever has it (ShowObsUrlOfTrainingJobLogs).

    :param training_job_id: the job.
    :param task_id: the task, such as ``worker-0``.
    :param download: whether a browser should save the log rather than show it.
    :raises InvalidInputError: before anything is sent, if an id is empty.
    :raises NotFoundError: if it does not exist.
    """
    return Request(
        "ShowObsUrlOfTrainingJobLogs",
        "GET",
        TRAINING_JOB + "/tasks/{task_id}/logs/url",
        LogUrl,
        path_params=_task(training_job_id, task_id),
        headers={"Content-Type": "application/octet-stream" if download else "text/plain"},
        safe_to_repeat=True,
    )


@operation
def list_training_job_events(
    _: Session,
    training_job_id: str,
    *,
    offset: int | None = None,
    limit: int | None = None,
    order: str | None = None,
    start_time: datetime | str | None = None,
    end_time: datetime | str | None = None,
    level: str | None = None,
    pattern: str | None = None,
    language: str | None = None,
) -> Request[TrainingJobEventPage]:
    """One page of what happened to a job (ListTrainingJobEvents).

    :param training_job_id: the job.
    :param offset: events to leave out at the beginning, default 0.
    :param limit: 1 to 100; the service's default is 50.
    :param order: ``asc`` or ``desc``.
    :param start_time: only events from then on; only together with ``end_time``.
    :param end_time: only events until then.
    :param level: ``Info``, ``Warning`` or ``Error``.
    :param pattern: only events whose message contains this; 256 characters at most.
    :param language: of the messages, such as ``en-us``.
    :raises InvalidInputError: before anything is sent, if an argument cannot be right.
    :raises NotFoundError: if it does not exist.
    """
    if order is not None:
        checked_choice("order", order, ORDERS)
    if level is not None:
        checked_choice("level", level, EVENT_LEVELS)
    if (start_time is None) != (end_time is None):
        raise InvalidInputError("start_time and end_time count only together.")
    if pattern is not None and len(pattern) > LONGEST_PATTERN:
        raise InvalidInputError(f"pattern has {len(pattern)} characters, more than {LONGEST_PATTERN}.")
    return Request(
        "ListTrainingJobEvents",
        "GET",
        TRAINING_JOB + "/events",
        TrainingJobEventPage,
        path_params=_job(training_job_id),
        query=query(
            offset=offset,
            limit=checked_range("limit", limit, 1, MOST_EVENTS),
            order=order,
            start_time=_time_text(start_time),
            end_time=_time_text(end_time),
            level=level,
            pattern=pattern,
        ),
        headers={"X-Language": language} if language else {},
        safe_to_repeat=True,
    )


@operation
def list_training_job_stages(_: Session, training_job_id: str) -> Request[TrainingJobStages]:
    """The stages a job went through, attempt by attempt (ListTrainingJobStages).

    :param training_job_id: the job.
    :raises InvalidInputError: before anything is sent, if the id is empty.
    :raises NotFoundError: if it does not exist.
    """
    return Request(
        "ListTrainingJobStages",
        "GET",
        TRAINING_JOB + "/stages",
        TrainingJobStages,
        path_params=_job(training_job_id),
        safe_to_repeat=True,
    )


@operation
def list_training_job_tasks(
    _: Session, training_job_id: str, *, schedule_count: int | None = None
) -> Request[list[TrainingJobTask]]:
    """Where the tasks of a job ran (ListTrainingJobTasks).

    :param training_job_id: the job.
    :param schedule_count: only of this attempt.
    :raises InvalidInputError: before anything is sent, if the id is empty.
    :raises NotFoundError: if it does not exist.
    """
    return Request(
        "ListTrainingJobTasks",
        "GET",
        TRAINING_JOB + "/tasks",
        TrainingJobTaskList,
        path_params=_job(training_job_id),
        query=query(schedule_count=schedule_count),
        safe_to_repeat=True,
    )


@operation
def show_training_job_metrics(_: Session, training_job_id: str, task_id: str) -> Request[TrainingJobMetrics]:
    """How much of its resources a task uses (ShowTrainingJobMetrics).

    :param training_job_id: the job.
    :param task_id: the task, such as ``worker-0``.
    :raises InvalidInputError: before anything is sent, if an id is empty.
    :raises NotFoundError: if it does not exist.
    """
    return Request(
        "ShowTrainingJobMetrics",
        "GET",
        TRAINING_JOB + "/metrics/{task_id}",
        TrainingJobMetrics,
        path_params=_task(training_job_id, task_id),
        safe_to_repeat=True,
    )


def _job(training_job_id: str) -> dict[str, str]:
    return {"training_job_id": checked_segment("training_job_id", training_job_id)}


def _task(training_job_id: str, task_id: str) -> dict[str, str]:
    return {**_job(training_job_id), "task_id": checked_segment("task_id", task_id)}


def _time_text(time: datetime | str | None) -> str | None:
    return time.isoformat() if isinstance(time, datetime) else time
