"""Operations on the schedules and subscriptions of a workflow."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from airflow_provider_mlworkflows.clouds.huawei.modelarts_cron import checked_cron
from airflow_provider_mlworkflows.clouds.huawei.modelarts_inputs import checked_texts
from airflow_provider_mlworkflows.clouds.huawei.modelarts_models import Schedule, ScheduleList, Subscription
from airflow_provider_mlworkflows.clouds.huawei.modelarts_requests import WORKFLOW, Extra, body, ids
from airflow_provider_mlworkflows.clouds.operation import Request, Session, operation
from airflow_provider_mlworkflows.exceptions import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Sequence

SCHEDULES = WORKFLOW + "/schedules"
SCHEDULE = SCHEDULES + "/{schedule_id}"
SUBSCRIPTIONS = WORKFLOW + "/subscriptions"
SUBSCRIPTION = SUBSCRIPTIONS + "/{subscription_id}"

_EVENT = re.compile(r"[^:]*[^:\s][^:]*:[a-z_]+(,[a-z_]+)*")


@operation
def create_schedule(
    _: Session,
    workflow_id: str,
    cron: str,
    *,
    enable: bool | None = None,
    on_failure: str | None = None,
    on_running: str | None = None,
    extra: Extra = None,
) -> Request[Schedule]:
    """Let the service start a workflow at given times (CreateWorkflowSchedule).

    A workflow has one schedule at most.

    :param workflow_id: the workflow.
    :param cron: six fields (second, minute, hour, day, month, day of week), such as ``0 0 12 * * ?``.
    :param enable: whether it is in force; the service's choice if None.
    :param on_failure: after a failed run, such as ``retry``; the service's choice if None.
    :param on_running: if a run is still going on, such as ``cancel``; the service's choice if None.
    :param extra: further fields.
    :raises InvalidInputError: before anything is sent, if an argument cannot be right.
    :raises ApiError: if the service refuses. Not sent again after an unclear failure.
    """
    fields = body(
        extra,
        type="time",
        content=_content(cron),
        action="run",
        policies=body(on_failure=on_failure, on_running=on_running) or None,
        enable=enable,
    )
    return Request(
        "CreateWorkflowSchedule",
        "POST",
        SCHEDULES,
        Schedule,
        path_params=ids(workflow_id=workflow_id),
        body=fields,
    )


@operation
def list_schedules(_: Session, workflow_id: str) -> Request[ScheduleList]:
    """The schedules of a workflow (ShowWorkflowScheduleList).

    :param workflow_id: the workflow.
    :raises InvalidInputError: before anything is sent, if the id is malformed.
    :raises NotFoundError: if the workflow does not exist.
    """
    return Request(
        "ShowWorkflowScheduleList",
        "GET",
        SCHEDULES,
        ScheduleList,
        path_params=ids(workflow_id=workflow_id),
        safe_to_repeat=True,
    )


@operation
def show_schedule(_: Session, workflow_id: str, schedule_id: str) -> Request[Schedule]:
    """One schedule (ShowWorkflowSchedule).

    :param workflow_id: the workflow.
    :param schedule_id: the schedule's ``uuid``.
    :raises InvalidInputError: before anything is sent, if an id is malformed.
    :raises NotFoundError: if it does not exist.
    """
    return Request(
        "ShowWorkflowSchedule",
        "GET",
        SCHEDULE,
        Schedule,
        path_params=ids(workflow_id=workflow_id, schedule_id=schedule_id),
        safe_to_repeat=True,
    )


@operation
def update_schedule(
    _: Session, workflow_id: str, schedule_id: str, *, cron: str | None = None, enable: bool | None = None
) -> Request[Schedule]:
    """Change when a workflow starts, or whether (UpdateWorkflowSchedule). What is None stays.

    :param workflow_id: the workflow.
    :param schedule_id: the schedule's ``uuid``.
    :param cron: as in `create_schedule`.
    :param enable: whether it is in force.
    :raises InvalidInputError: before anything is sent, if an argument cannot be right.
    :raises NotFoundError: if it does not exist.
    """
    return Request(
        "UpdateWorkflowSchedule",
        "PUT",
        SCHEDULE,
        Schedule,
        path_params=ids(workflow_id=workflow_id, schedule_id=schedule_id),
        body=body(content=None if cron is None else _content(cron), enable=enable),
        safe_to_repeat=True,
    )


@operation
def delete_schedule(_: Session, workflow_id: str, schedule_id: str) -> Request[None]:
    """Delete a schedule (DeleteWorkflowScheduleId).

    :param workflow_id: the workflow.
    :param schedule_id: the schedule's ``uuid``.
    :raises InvalidInputError: before anything is sent, if an id is malformed.
    :raises NotFoundError: if it does not exist, also if an earlier attempt has deleted it.
    """
    return Request(
        "DeleteWorkflowScheduleId",
        "DELETE",
        SCHEDULE,
        None,
        path_params=ids(workflow_id=workflow_id, schedule_id=schedule_id),
        safe_to_repeat=True,
    )


@operation
def create_subscription(
    _: Session,
    workflow_id: str,
    topic_urns: Sequence[str],
    *,
    events: Sequence[str] = (),
    entity: str | None = None,
    extra: Extra = None,
) -> Request[Subscription]:
    """Have events of a workflow sent to SMN topics (CreateWorkflowSubscriptions).

    :param workflow_id: the workflow.
    :param topic_urns: the topics' URNs, at least one.
    :param events: ``<step name or *>:<status>[,<status>...]``, such as ``*:wait_inputs,hold``.
    :param entity: what is subscribed to.
    :param extra: further fields.
    :raises InvalidInputError: before anything is sent, if an argument cannot be right.
    :raises ApiError: if the service refuses. Not sent again after an unclear failure.
    """
    return Request(
        "CreateWorkflowSubscriptions",
        "POST",
        SUBSCRIPTIONS,
        Subscription,
        path_params=ids(workflow_id=workflow_id),
        body=_subscription(topic_urns, events, entity, extra),
    )


@operation
def show_subscription(_: Session, workflow_id: str, subscription_id: str) -> Request[Subscription]:
    """One subscription (ShowWorkflowSubscription).

    :param workflow_id: the workflow.
    :param subscription_id: the subscription.
    :raises InvalidInputError: before anything is sent, if an id is malformed.
    :raises NotFoundError: if it does not exist.
    """
    return Request(
        "ShowWorkflowSubscription",
        "GET",
        SUBSCRIPTION,
        Subscription,
        path_params=ids(workflow_id=workflow_id, subscription_id=subscription_id),
        safe_to_repeat=True,
    )


@operation
def update_subscription(
    _: Session,
    workflow_id: str,
    subscription_id: str,
    topic_urns: Sequence[str],
    *,
    events: Sequence[str] = (),
    entity: str | None = None,
    extra: Extra = None,
) -> Request[Subscription]:
    """Replace a subscription (UpdateWorkflowSubscription). Parameters as in `create_subscription`.

    :param subscription_id: the subscription.
    :raises InvalidInputError: before anything is sent, if an argument cannot be right.
    :raises NotFoundError: if it does not exist.
    """
    return Request(
        "UpdateWorkflowSubscription",
        "PUT",
        SUBSCRIPTION,
        Subscription,
        path_params=ids(workflow_id=workflow_id, subscription_id=subscription_id),
        body=_subscription(topic_urns, events, entity, extra),
        safe_to_repeat=True,
    )


@operation
def delete_subscription(_: Session, workflow_id: str, subscription_id: str) -> Request[None]:
    """Delete a subscription (DeleteWorkflowSubscription).

    :param workflow_id: the workflow.
    :param subscription_id: the subscription.
    :raises InvalidInputError: before anything is sent, if an id is malformed.
    :raises NotFoundError: if it does not exist, also if an earlier attempt has deleted it.
    """
    return Request(
        "DeleteWorkflowSubscription",
        "DELETE",
        SUBSCRIPTION,
        None,
        path_params=ids(workflow_id=workflow_id, subscription_id=subscription_id),
        safe_to_repeat=True,
    )


def _content(cron: object) -> dict[str, str]:
    return {"cron": checked_cron(cron), "method": "fixed"}


def _subscription(
    topic_urns: Sequence[str], events: Sequence[str], entity: str | None, extra: Extra
) -> dict[str, object]:
    topics = checked_texts("topic_urns", topic_urns)
    if not topics:
        raise InvalidInputError("topic_urns is empty; a subscription needs at least one topic.")
    return body(extra, topic_urns=topics, events=_checked_events(events) or None, entity=entity)


def _checked_events(events: object) -> list[str]:
    checked = checked_texts("events", events)
    for event in checked:
        if not _EVENT.fullmatch(event):
            raise InvalidInputError(
                f"events contains {event!r}; each should be a step's name or '*', a colon and statuses with commas "
                "between them, such as '*:wait_inputs,hold'."
            )
    return checked
