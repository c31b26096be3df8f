"""What our operations send, compared with what the vendor's SDK sends for the same arguments."""

from __future__ import annotations

import copy
import json
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import pytest

from airflow_provider_mlworkflows.exceptions import InvalidInputError
from tests.clouds.support import RecordingApi

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_mlworkflows.clouds.operation import Request

Capture = dict[str, Any]

CAPTURES: list[Capture] = json.loads((Path(__file__).parent / "modelarts_captures.json").read_text(encoding="utf-8"))
PROJECT = {"project_id": "0123456789abcdef0123456789abcdef"}

METHODS = {
    "ListWorkflows": "list_workflows",
    "CreateWorkflow": "create_workflow",
    "ShowWorkflow": "show_workflow",
    "UpdateWorkflow": "update_workflow",
    "DeleteWorkflow": "delete_workflow",
    "ShowWorkflowLabels": "list_workflow_labels",
    "ShowWorkflowsOverview": "show_workflows_overview",
    "ShowWorkflowsTodolist": "list_todos",
    "CreateWorkflowServiceAuth": "authorize_service",
    "CreateWorkflowPurchasePool": "purchase_pool_package",
    "ListWorkflowExecutions": "list_executions",
    "CreateWorkflowExecution": "create_execution",
    "ShowWorkflowExecution": "show_execution",
    "UpdateWorkflowExecution": "update_execution",
    "DeleteWorkflowExecution": "delete_execution",
    "CreateWorkflowExecutionsActions": "act_on_execution",
    "ListExecutionLabels": "list_execution_labels",
    "ListWorkflowStepExecution": "list_step_executions",
    "CreateWorkflowStepExecutionsActions": "act_on_step",
    "ShowWorkflowStepExecutionMetrics": "show_step_metrics",
    "CreateWorkflowSchedule": "create_schedule",
    "ShowWorkflowScheduleList": "list_schedules",
    "ShowWorkflowSchedule": "show_schedule",
    "UpdateWorkflowSchedule": "update_schedule",
    "DeleteWorkflowScheduleId": "delete_schedule",
    "CreateWorkflowSubscriptions": "create_subscription",
    "ShowWorkflowSubscription": "show_subscription",
    "UpdateWorkflowSubscription": "update_subscription",
    "DeleteWorkflowSubscription": "delete_subscription",
}
TRAINING_METHODS = {
    "ShowTrainingJobDetails": "show_training_job",
    "ShowTrainingJobLogsPreview": "show_training_job_log_preview",
    "ShowTrainingJobLogsFromAom": "show_training_job_log",
    "ListTrainingJobEvents": "list_training_job_events",
    "ListTrainingJobStages": "list_training_job_stages",
    "ListTrainingJobTasks": "list_training_job_tasks",
    "ShowTrainingJobMetrics": "show_training_job_metrics",
}
NOT_OFFERED = {"StopTrainingJob"}
"""Jobs belong to the steps of an execution and are stopped with them."""

NAMED_FIELDS = {
    "create_workflow": (
        "name",
        "description",
        "steps",
        "parameters",
        "data_requirements",
        "storages",
        "labels",
        "source_workflow_id",
        "workspace_id",
    ),
    "update_workflow": (
        "name",
        "description",
        "steps",
        "parameters",
        "data_requirements",
        "storages",
        "labels",
        "smn_switch",
    ),
    "purchase_pool_package": ("pool_id", "order", "service_id", "consume_limit", "limit_enable"),
    "create_execution": ("name", "description", "labels", "scene_id", "parameters", "data_requirements"),
    "update_execution": ("name", "description", "labels", "parameters", "data_requirements"),
    "create_subscription": ("topic_urns", "events", "entity"),
    "update_subscription": ("topic_urns", "events", "entity"),
}
"""Fields of the body that are arguments of ours by the same name. All others go by ``extra``."""


def _with_extra(method: str) -> Callable[[Capture], Capture]:
    def arguments(body: Capture) -> Capture:
        named = {name: value for name, value in body.items() if name in NAMED_FIELDS[method]}
        extra = {name: value for name, value in body.items() if name not in named}
        return {**named, **({"extra": extra} if extra else {})}

    return arguments


def _service_authorization(body: Capture) -> Capture:
    consume = body.pop("consume", {})
    return {**body, **{f"consume_{name}": value for name, value in consume.items()}}


def _action(body: Capture) -> Capture:
    policies = body.pop("policies", {})
    return {"action": body.pop("action_name"), **policies, **body}


def _new_schedule(body: Capture) -> Capture:
    policies = body.pop("policies", {})
    named = {name: body.pop(name) for name in ("enable",) if name in body}
    return {"cron": body["content"]["cron"], **named, **policies, "extra": body}


def _schedule_update(body: Capture) -> Capture:
    return {"cron": body["content"]["cron"]} | body if "content" in body else body


BODIES: dict[str, Callable[[Capture], Capture]] = {
    **{method: _with_extra(method) for method in NAMED_FIELDS},
    "authorize_service": _service_authorization,
    "act_on_execution": _action,
    "act_on_step": _action,
    "create_schedule": _new_schedule,
    "update_schedule": lambda body: {k: v for k, v in _schedule_update(body).items() if k != "content"},
}
RENAMED = {"x_language": "language"}


def _our_request(capture: Capture, arguments: Capture) -> Request[Any]:
    method = ({**METHODS, **TRAINING_METHODS})[capture["operation"]]
    given = copy.deepcopy(arguments)
    if "body" in given:
        given |= BODIES[method](given.pop("body"))
    given = {RENAMED.get(name, name): value for name, value in given.items()}
    request: Request[Any] = next(getattr(RecordingApi(), method).steps(**given))
    return request


def _pairs(request: Request[Any]) -> Counter[tuple[str, str]]:
    return Counter(parse_qsl(request.url_query(), keep_blank_values=True, strict_parsing=bool(request.query)))


def _sent_by_sdk(capture: Capture) -> Counter[tuple[str, str]]:
    return Counter((name, value) for name, value in capture["request"]["query"])


def _without(body: Any, defects: list[str]) -> Any:
    """The body without the nulls that the SDK is known to lose."""
    body = copy.deepcopy(body)
    for defect in defects:
        found = re.fullmatch(r"body\.(.+)\.(\w+): null is left out", defect)
        assert found, f"a defect nobody expects: {defect}"
        holder = body
        for key in re.findall(r"\w+", found[1]):
            holder = holder[int(key)] if key.isdigit() else holder[key]
        assert holder.pop(found[2]) is None
    return body


def _id(capture: Capture) -> str:
    return f"{capture['sdk_method']}-{capture['variant']}"


OFFERED = [capture for capture in CAPTURES if capture["operation"] not in NOT_OFFERED]
ODD_IDS = [capture for capture in OFFERED if capture["variant"] == "odd_id"]
REPEATED = [capture for capture in OFFERED if capture["variant"] == "repeated"]
USUAL = [capture for capture in OFFERED if capture not in ODD_IDS and capture not in REPEATED]


def test_every_operation_is_compared() -> None:
    assert len(METHODS) == 29
    assert {capture["operation"] for capture in USUAL} == METHODS.keys() | TRAINING_METHODS.keys()
    assert {capture["operation"] for capture in CAPTURES} - NOT_OFFERED == {c["operation"] for c in USUAL}


@pytest.mark.parametrize("capture", USUAL, ids=_id)
def test_the_same_goes_out(capture: Capture) -> None:
    request = _our_request(capture, capture["arguments"])

    sent = capture["request"]
    assert request.operation == capture["operation"]
    assert request.method == sent["method"]
    assert request.url_path(PROJECT) == sent["path"]
    assert _pairs(request) == _sent_by_sdk(capture)
    ours = json.loads(request.content()) if request.content() else None
    assert _without(ours, capture["known_defects"]) == sent["body"]
    assert request.headers.get("X-Language") == sent["headers"].get("x-language")


@pytest.mark.parametrize("capture", ODD_IDS, ids=_id)
def test_odd_ids_are_encoded_the_same_way_or_refused_because_the_service_refuses_them(capture: Capture) -> None:
    twin = next(c for c in USUAL if c["operation"] == capture["operation"])
    path_params = {name: value for name, value in capture["arguments"].items() if name != "body"}

    request = replace(_our_request(twin, twin["arguments"]), path_params=path_params)

    assert request.url_path(PROJECT) == capture["request"]["path"]
    if capture["operation"] in METHODS:
        with pytest.raises(InvalidInputError):
            _our_request(capture, capture["arguments"])
    else:
        assert _our_request(capture, capture["arguments"]).url_path(PROJECT) == capture["request"]["path"]


@pytest.mark.parametrize("capture", REPEATED, ids=_id)
def test_several_labels_are_one_text(capture: Capture) -> None:
    """The SDK declares labels as one text. Given a list it repeats the field, sorted; we join by commas."""
    labels = capture["arguments"]["labels"]
    assert capture["known_defects"] == [f"query.labels: {labels} is sent as {sorted(labels)}"]

    ours = _pairs(_our_request(capture, capture["arguments"]))

    theirs = _sent_by_sdk(capture)
    for label in labels:
        theirs -= Counter({("labels", label): 1})
    assert ours == theirs + Counter({("labels", ",".join(labels)): 1})
