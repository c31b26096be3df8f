"""What the operations of ModelArts have in common: paths, queries, bodies and paging."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_provider_mlworkflows.clouds.bodies import checked_extra
from airflow_provider_mlworkflows.clouds.huawei.modelarts_inputs import (
    Inputs,
    checked_labels,
    checked_uuid,
    data_requirement_items,
    optional_bool,
    optional_text,
    parameter_items,
)
from airflow_provider_mlworkflows.exceptions import InvalidInputError

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.clouds.huawei.modelarts_models import Page
    from airflow_provider_mlworkflows.clouds.operation import Pages, Request

T = TypeVar("T")

PROJECT = "/v2/{project_id}"
WORKFLOWS = PROJECT + "/workflows"
WORKFLOW = WORKFLOWS + "/{workflow_id}"
EXECUTIONS = WORKFLOW + "/executions"
EXECUTION = EXECUTIONS + "/{execution_id}"
STEP_EXECUTION = EXECUTION + "/step-executions/{step_execution_id}"
TRAINING_JOB = PROJECT + "/training-jobs/{training_job_id}"

PAGE_SIZE = 100
IN_WORKSPACE = {"workspace_id": "workspace_id"}
"""Calls that name no workspace are for that of the connection, if it has one."""
_TEXTS = frozenset(
    {
        "content_id",
        "description",
        "entity",
        "main_service_id",
        "name",
        "on_failure",
        "on_running",
        "period",
        "scene_id",
        "service_id",
        "workspace_id",
    }
)
_TRUTH_VALUES = frozenset({"enable", "limit_enable", "use_cache"})
ORDERS = ("asc", "desc")

Extra = Mapping[str, Any] | None
"""Further fields of a body, as the service names them, sent as they are."""


def ids(**values: object) -> dict[str, str]:
    """Path parameters, each checked to be a UUID."""
    return {name: checked_uuid(name, value) for name, value in values.items()}


def query(**values: object) -> tuple[tuple[str, str], ...]:
    """Query pairs; what is None is left out.

    :raises InvalidInputError: if one is neither text nor number.
    """
    for name, value in values.items():
        if value is not None and (not isinstance(value, str | int) or isinstance(value, bool)):
            raise InvalidInputError(f"{name} should be a text or a whole number, not {value!r}.")
    return tuple((name, str(value)) for name, value in values.items() if value is not None)


def joined_labels(labels: str | Sequence[str] | None) -> str | None:
    """Labels to search for: a text as it is, several joined by commas."""
    if labels is None or isinstance(labels, str):
        return labels
    return ",".join(checked_labels(labels)) or None


def body(extra: Extra = None, **values: Any) -> dict[str, Any]:
    """A JSON object; what is None is left out, mappings in ``extra`` are merged into those already there.

    :raises InvalidInputError: if ``extra`` is no mapping or says something else than an argument, or if a value is
        not of its field's type.
    """
    further = checked_extra(extra)
    for name in _TEXTS & values.keys():
        optional_text(name, values[name])
    for name in _TRUTH_VALUES & values.keys():
        optional_bool(name, values[name])
    given = {name: value for name, value in values.items() if value is not None}
    return _merged(given, further)


def _merged(fields: Mapping[str, Any], extra: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(fields)
    for name, value in extra.items():
        if name in fields and isinstance(fields[name], Mapping) and isinstance(value, Mapping):
            merged[name] = _merged(fields[name], value)
        elif name in fields and fields[name] != value:
            raise InvalidInputError(f"extra sets {name!r} to {value!r}, but an argument sets it to {fields[name]!r}.")
        else:
            merged[name] = value
    return merged


def inputs(parameters: Inputs | None, data_requirements: Inputs | None) -> dict[str, Any]:
    """The two fields that give a workflow its inputs; what is None is left out, what is empty is sent."""
    fields: dict[str, Any] = {}
    if parameters is not None:
        fields["parameters"] = parameter_items(parameters)
    if data_requirements is not None:
        fields["data_requirements"] = data_requirement_items(data_requirements)
    return fields


def pages(page_at: Callable[[int], Request[Page[T]]], identity: Callable[[T], str]) -> Pages[T]:
    """Every item of a list, once.

    A page shorter than asked for is the last one, unless the service claims that there is more. Its numbers
    are not taken as a reason to stop, and an item that moved to the next page meanwhile is not repeated.
    """
    offset = 0
    seen: set[str] = set()
    while True:
        page = yield page_at(offset)
        offset += len(page.items)
        fresh = [item for item in page.items if not identity(item) or identity(item) not in seen]
        seen.update(map(identity, fresh))
        yield fresh
        claimed = max(page.total or 0, page.count or 0)
        if not page.items or (len(page.items) < PAGE_SIZE and offset >= claimed):
            return
