"""Operations on schedules and subscriptions; both are kept, and neither starts or sends anything."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from airflow_provider_mlworkflows.emulator.modelarts import schema
from airflow_provider_mlworkflows.emulator.modelarts.lookup import (
    SCHEDULE_NOT_FOUND,
    SUBSCRIPTION_NOT_FOUND,
    Lookup,
    refuse,
)
from airflow_provider_mlworkflows.emulator.modelarts.views import timestamp
from airflow_provider_mlworkflows.emulator.routing import Answer, Call, Operation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_mlworkflows.emulator.modelarts.store import Workflow

_WORKFLOW = "/v2/{project_id}/workflows/{workflow_id}"
_SCHEDULES = _WORKFLOW + "/schedules"
_SCHEDULE = _SCHEDULES + "/{schedule_id}"
_SUBSCRIPTIONS = _WORKFLOW + "/subscriptions"
_SUBSCRIPTION = _SUBSCRIPTIONS + "/{subscription_id}"
_GET = "modelarts:workflow:get"
_UPDATE = "modelarts:workflow:update"
_DELETE = "modelarts:workflow:delete"


class ScheduleRoutes:
    """Handlers of schedules and subscriptions."""

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup

    def operations(self) -> Sequence[Operation]:
        """Return the operations of this module."""
        return [
            Operation("CreateWorkflowSchedule", "POST", _SCHEDULES, self.create, _UPDATE),
            Operation("ShowWorkflowScheduleList", "GET", _SCHEDULES, self.list, _GET),
            Operation("ShowWorkflowSchedule", "GET", _SCHEDULE, self.show, _GET),
            Operation("UpdateWorkflowSchedule", "PUT", _SCHEDULE, self.update, _UPDATE),
            Operation("DeleteWorkflowScheduleId", "DELETE", _SCHEDULE, self.delete, _DELETE),
            Operation("CreateWorkflowSubscriptions", "POST", _SUBSCRIPTIONS, self.subscribe, _UPDATE),
            Operation("ShowWorkflowSubscription", "GET", _SUBSCRIPTION, self.show_subscription, _GET),
            Operation("UpdateWorkflowSubscription", "PUT", _SUBSCRIPTION, self.update_subscription, _UPDATE),
            Operation("DeleteWorkflowSubscription", "DELETE", _SUBSCRIPTION, self.unsubscribe, _DELETE),
        ]

    def create(self, call: Call) -> Answer:
        """Give a workflow its schedule; it can have one."""
        workflow = self._lookup.workflow(call)
        body = self._lookup.body(call, schema.SCHEDULE, "WorkflowSchedule")
        if workflow.schedule is not None:
            refuse(f"Workflow {workflow.workflow_id} already has a schedule")
        enable = body.get("enable")
        workflow.schedule = {
            "uuid": str(uuid.uuid4()),
            "created_at": timestamp(self._lookup.now()),
            "type": body["type"],
            "content": {"method": "fixed", **body["content"]},
            "action": body["action"],
            "policies": {"on_failure": "retry", "on_running": "cancel", **(body.get("policies") or {})},
            "workflow_id": workflow.workflow_id,
            "user_id": "75d1c3e0f2b94a668c1e7b5a90d2f413",
            "enable": True if enable is None else enable,
        }
        call.effective = True
        return self._lookup.answer(workflow.schedule, 201)

    def list(self, call: Call) -> Answer:
        """Return a workflow's schedules."""
        schedule = self._lookup.workflow(call).schedule
        return self._lookup.answer({"schedules": [] if schedule is None else [schedule]})

    def show(self, call: Call) -> Answer:
        """Return a schedule."""
        return self._lookup.answer(self._schedule(call)[1])

    def update(self, call: Call) -> Answer:
        """Change time or activity of a schedule."""
        _, schedule = self._schedule(call)
        body = self._lookup.body(call, schema.SCHEDULE_UPDATE, "WorkflowScheduleUpdate")
        if body.get("content") is not None:
            schedule["content"] = {"method": "fixed", **body["content"]}
        if body.get("enable") is not None:
            schedule["enable"] = body["enable"]
        call.effective = True
        return self._lookup.answer(schedule)

    def delete(self, call: Call) -> Answer:
        """Remove a schedule."""
        workflow, _ = self._schedule(call)
        workflow.schedule = None
        call.effective = True
        return Answer(204)

    def subscribe(self, call: Call) -> Answer:
        """Add a subscription."""
        workflow = self._lookup.workflow(call)
        body = self._lookup.body(call, schema.SUBSCRIPTION, "WorkflowSubscription")
        subscription = {
            "subscription_id": str(uuid.uuid4()),
            "created_at": timestamp(self._lookup.now()),
            **_subscription_fields(body),
        }
        workflow.subscriptions[subscription["subscription_id"]] = subscription
        call.effective = True
        return self._lookup.answer(subscription, 201)

    def show_subscription(self, call: Call) -> Answer:
        """Return a subscription."""
        return self._lookup.answer(self._subscription(call)[1])

    def update_subscription(self, call: Call) -> Answer:
        """Replace what a subscription listens to."""
        _, subscription = self._subscription(call)
        body = self._lookup.body(call, schema.SUBSCRIPTION, "WorkflowSubscription")
        subscription.update(_subscription_fields(body))
        call.effective = True
        return self._lookup.answer(subscription)

    def unsubscribe(self, call: Call) -> Answer:
        """Remove a subscription."""
        workflow, subscription = self._subscription(call)
        del workflow.subscriptions[subscription["subscription_id"]]
        call.effective = True
        return Answer(204)

    def _schedule(self, call: Call) -> tuple[Workflow, dict[str, Any]]:
        workflow = self._lookup.workflow(call)
        key = self._lookup.checked_id(call, "schedule_id")
        schedule = workflow.schedule
        if schedule is None or schedule["uuid"] != key:
            refuse(f"Schedule {key} not found", code=SCHEDULE_NOT_FOUND)
        return workflow, schedule

    def _subscription(self, call: Call) -> tuple[Workflow, dict[str, Any]]:
        workflow = self._lookup.workflow(call)
        key = self._lookup.checked_id(call, "subscription_id")
        if key not in workflow.subscriptions:
            refuse(f"Subscription {key} not found", code=SUBSCRIPTION_NOT_FOUND)
        return workflow, workflow.subscriptions[key]


def _subscription_fields(body: dict[str, Any]) -> dict[str, Any]:
    return {
        "topic_urns": body["topic_urns"],
        "events": body.get("events") or [],
        "entity": body.get("entity") or "",
    }
