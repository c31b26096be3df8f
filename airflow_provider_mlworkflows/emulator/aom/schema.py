"""Shapes of request bodies, as the interface's tables give them."""

from __future__ import annotations

import re
from typing import Any

from airflow_provider_mlworkflows.emulator.modelarts.schema import (
    INTEGER,
    MAP,
    TEXT,
    Check,
    ShapeError,
    items,
    shape,
    text,
)

WORKFLOW_NAME = re.compile(r"[A-Za-z0-9_\u4e00-\u9fff-]{1,64}")
TASK_TYPES = ("package", "script", "job", "cloud", "standard", "customize")
STATUSES = (
    "success",
    "fail",
    "executing",
    "cancel",
    "canceling",
    "waitExecute",
    "waitApproval",
    "approvalFailed",
    "pausing",
)
SORT_ORDERS = ("ASC", "DESC")
_LAST_MILLISECOND = 9_999_999_999_999


def sized(most: int, *, least: int = 1) -> Check:
    """Accept texts of a length within bounds."""

    def check(where: str, value: Any) -> None:
        TEXT(where, value)
        if not least <= len(value) <= most:
            raise ShapeError(f"{where} must have {least} to {most} characters")

    return check


def number(most: int, *, least: int = 0) -> Check:
    """Accept integers within bounds."""

    def check(where: str, value: Any) -> None:
        INTEGER(where, value)
        if not least <= value <= most:
            raise ShapeError(f"{where} must be an integer from {least} to {most}")

    return check


def pairs(most: int) -> Check:
    """Accept objects whose values are texts, with at most so many members."""

    def check(where: str, value: Any) -> None:
        MAP(where, value)
        if len(value) > most:
            raise ShapeError(f"{where} must have at most {most} members")
        for key, item in value.items():
            TEXT(f"{where}.{key}", item)

    return check


def _quotes(where: str, value: Any) -> None:
    items(sized(128), least=1)(where, value)
    if len(value) > 128:
        raise ShapeError(f"{where} must have at most 128 items")


def _required(fields: dict[str, Check], *names: str) -> Check:
    """Accept objects with accepted fields; those named must be there, be it as an empty object."""
    checked = shape(fields)

    def check(where: str, value: Any) -> None:
        MAP(where, value)
        for name in names:
            if value.get(name) is None:
                raise ShapeError(f"{where}.{name} is missing")
        checked(where, value)

    return check


WORKFLOW = _required(
    {
        "name": text(pattern=WORKFLOW_NAME),
        "type": text(choices=("cron", "manual")),
        "description": sized(128),
        "tags": pairs(20),
        "template_name": sized(64),
        "template_id": sized(64),
        "input": MAP,
        "quote": _quotes,
        "job_name": sized(64),
        "job_id": sized(64),
        "service_scenario": sized(64),
        "service_name": sized(128),
        "task_type": text(choices=TASK_TYPES),
    },
    "name",
    "type",
    "template_id",
    "input",
    "task_type",
)
SORT_FIELDS = ("create_time", "last_execution_start_time", "update_time")
WORKFLOW_QUERY = _required(
    {
        "search": sized(64),
        "type": text(choices=("cron", "event", "manual")),
        "tags": pairs(10),
        "page": number(9_999_999),
        "size": number(100, least=1),
        "enterprise_project_id": sized(64),
        "create_by": sized(64),
        "sort_field": text(choices=SORT_FIELDS),
        "sort_type": text(choices=SORT_ORDERS),
        "search_time_start": number(_LAST_MILLISECOND),
        "search_time_end": number(_LAST_MILLISECOND),
        "status": text(choices=STATUSES),
    },
    "sort_field",
    "sort_type",
)
COLUMNS = ("name", "create_time", "update_time")
_LIST_FIELDS: dict[str, Check] = {
    "name": TEXT,
    "page_num": INTEGER,
    "page_size": INTEGER,
    "order_by_column": text(choices=COLUMNS),
    "sort_order": text(choices=SORT_ORDERS),
    "enterprise_project_id": TEXT,
}
_SCRIPT_FIELDS: dict[str, Check] = {
    **_LIST_FIELDS,
    "is_default": text(choices=("default", "no_default")),
    "create_by": TEXT,
    "script_id": TEXT,
    "project_id": TEXT,
}
TEMPLATE_QUERY = _required({**_LIST_FIELDS, "page_num": number(_LAST_MILLISECOND, least=1)}, "order_by_column")
JOB_QUERY = _required(_LIST_FIELDS, "order_by_column", "sort_order")
SCRIPT_QUERY = _required(_SCRIPT_FIELDS, "script_id", "order_by_column", "sort_order")
