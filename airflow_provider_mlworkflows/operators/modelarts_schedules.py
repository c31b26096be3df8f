"""Letting ModelArts start workflows at given times."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_mlworkflows.choices import checked_choice, checked_truth
from airflow_provider_mlworkflows.exceptions import InvalidInputError, NotFoundError
from airflow_provider_mlworkflows.operators.modelarts_calls import SCOPE_FIELDS, ModelArtsCallOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_mlworkflows.clouds.huawei.modelarts_models import Schedule
    from airflow_provider_mlworkflows.hooks.modelarts import ModelArtsHook

ON_EXISTING = ("fail", "update")


class ModelArtsCreateScheduleOperator(ModelArtsCallOperator):
    """Let ModelArts start a workflow at given times (CreateWorkflowSchedule).

    Returns the schedule's id. A workflow has one schedule: one that is there with the same ``cron`` is taken for the
    one to create, so that a repeated attempt of the task, or one whose answer was lost, makes no other.

    :param workflow_id: UUID of the workflow.
    :param cron: six fields (second, minute, hour, day of month, month, day of week), such as ``0 0 12 * * ?``.
    :param enable: whether it is in force.
    :param on_failure: after a failed execution, such as ``retry``; the service's choice if None.
    :param on_running: if an execution still goes on, such as ``cancel``; the service's choice if None.
    :param on_existing: what to do about a schedule with another ``cron``: ``fail``, or ``update`` it.
    :param kwargs: as `ModelArtsCallOperator` takes them.
    :raises InvalidInputError: before anything is changed, if an argument cannot be right, or the workflow has another
        schedule and ``on_existing="fail"``.
    """

    template_fields: Sequence[str] = ("workflow_id", "cron", "enable", *SCOPE_FIELDS)

    def __init__(
        self,
        *,
        workflow_id: str,
        cron: str,
        enable: bool = True,
        on_failure: str | None = None,
        on_running: str | None = None,
        on_existing: str = "fail",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.workflow_id = workflow_id
        self.cron = cron
        self.enable = enable
        self.on_failure = on_failure
        self.on_running = on_running
        self.on_existing = checked_choice("on_existing", on_existing, ON_EXISTING)

    def execute(self, context: Context) -> str:
        """Create it, unless it is there."""
        self.enable = checked_truth("enable", self.enable) is not False
        arguments: dict[str, Any] = {
            "enable": self.enable,
            "on_failure": self.on_failure,
            "on_running": self.on_running,
        }
        self.hook.check_call(self.hook.create_schedule, self.workflow_id, self.cron, **arguments)
        there = self.hook.list_schedules(self.workflow_id).schedules
        if there:
            return self._taken(self._same(there) or there[0])
        created = self.created_or_found(
            lambda: self.hook.create_schedule(self.workflow_id, self.cron, **arguments),
            lambda: self._same(self.hook.list_schedules(self.workflow_id).schedules),
        )
        self.log.info("Workflow %s has schedule %s: %s.", self.workflow_id, created.uuid, created.cron)
        return created.uuid

    def _same(self, schedules: Sequence[Schedule]) -> Schedule | None:
        return next((each for each in schedules if each.cron.split() == self.cron.split()), None)

    def _taken(self, schedule: Schedule) -> str:
        """A schedule that is there, made what it should be."""
        is_same = self._same([schedule]) is not None
        if not is_same and self.on_existing == "fail":
            raise InvalidInputError(
                f"Workflow {self.workflow_id} has a schedule already, {schedule.uuid} with cron {schedule.cron!r}, and "
                "can have one only. Change that one with on_existing='update', or delete it."
            )
        if is_same and schedule.enable is self.enable:
            self.log.info("Workflow %s has this schedule already: %s.", self.workflow_id, schedule.uuid)
        else:
            self.hook.update_schedule(self.workflow_id, schedule.uuid, cron=self.cron, enable=self.enable)
            self.log.info("Schedule %s of workflow %s is changed.", schedule.uuid, self.workflow_id)
        return schedule.uuid


class ModelArtsUpdateScheduleOperator(ModelArtsCallOperator):
    """Change when a workflow starts by itself, or switch that off and on (UpdateWorkflowSchedule).

    Returns the schedule's id.

    :param workflow_id: UUID of the workflow.
    :param schedule_id: UUID of the schedule; the workflow's only one if None.
    :param cron: when it starts, as in `ModelArtsCreateScheduleOperator`; stays if None.
    :param enable: whether the schedule is in force; stays if None.
    :param kwargs: as `ModelArtsCallOperator` takes them.
    :raises InvalidInputError: before anything is changed, if an argument cannot be right, or there is no schedule.
    :raises NotFoundError: if there is no such schedule.
    """

    template_fields: Sequence[str] = ("workflow_id", "schedule_id", "cron", "enable", *SCOPE_FIELDS)

    def __init__(
        self,
        *,
        workflow_id: str,
        schedule_id: str | None = None,
        cron: str | None = None,
        enable: bool | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.workflow_id = workflow_id
        self.schedule_id = schedule_id
        self.cron = cron
        self.enable = enable

    def execute(self, context: Context) -> str:
        """Change it."""
        enable = checked_truth("enable", self.enable)
        if self.cron is None and enable is None:
            raise InvalidInputError("Nothing is to be changed: give cron or enable.")
        schedule_id = self.schedule_id
        self.hook.check_call(
            self.hook.update_schedule, self.workflow_id, schedule_id or self.workflow_id, cron=self.cron, enable=enable
        )
        if schedule_id is None:
            schedule_id = only_schedule(self.hook, self.workflow_id)
        if schedule_id is None:
            raise InvalidInputError(f"Workflow {self.workflow_id} has no schedule; create one first.")
        return self.hook.update_schedule(self.workflow_id, schedule_id, cron=self.cron, enable=enable).uuid


class ModelArtsDeleteScheduleOperator(ModelArtsCallOperator):
    """Delete a schedule (DeleteWorkflowScheduleId). One that is not there is success as well.

    :param workflow_id: UUID of the workflow.
    :param schedule_id: UUID of the schedule; the workflow's only one if None.
    :param kwargs: as `ModelArtsCallOperator` takes them.
    :raises InvalidInputError: before anything is deleted, if an id is malformed, or it is not clear which is meant.
    """

    template_fields: Sequence[str] = ("workflow_id", "schedule_id", *SCOPE_FIELDS)

    def __init__(self, *, workflow_id: str, schedule_id: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.workflow_id = workflow_id
        self.schedule_id = schedule_id

    def execute(self, context: Context) -> None:
        """Delete it."""
        schedule_id = self.schedule_id
        if schedule_id is None:
            schedule_id = only_schedule(self.hook, self.workflow_id)
        if schedule_id is None:
            self.log.info("Workflow %s has no schedule; nothing is to be deleted.", self.workflow_id)
            return
        try:
            self.hook.delete_schedule(self.workflow_id, schedule_id)
        except NotFoundError as missing:
            self.log.info("There is no such schedule; nothing is to be deleted. %s", missing)


def only_schedule(hook: ModelArtsHook, workflow_id: str) -> str | None:
    """The id of a workflow's schedule, None if it has none (ShowWorkflowScheduleList).

    :raises InvalidInputError: if it has several.
    """
    there = [each.uuid for each in hook.list_schedules(workflow_id).schedules]
    if len(there) > 1:
        raise InvalidInputError(
            f"Workflow {workflow_id} has {len(there)} schedules; give the schedule_id of one: {', '.join(there)}."
        )
    return there[0] if there else None
