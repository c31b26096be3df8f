"""Shapes of request bodies, and the validator's complaints about them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from airflow_provider_mlworkflows.emulator.modelarts.cron import is_cron

Check = Callable[[str, Any], None]

STEP_NAME = re.compile(r"[A-Za-z\u4e00-\u9fff][A-Za-z0-9\u4e00-\u9fff _-]{0,63}")
INPUT_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
TOPIC_URN = re.compile(r"urn:smn(:[^:\s]+){3}")
EVENT = re.compile(r"[^:]+:[a-z_]+(,[a-z_]+)*")
DATA_TYPES = ("dataset", "obs", "swr", "model_list", "label_task", "service")
PARAMETER_TYPES = ("str", "string", "String", "int", "bool", "float", "json")


class ShapeError(ValueError):
    """A body that does not have the shape its operation asks for."""


def _complain(where: str, tag: str) -> ShapeError:
    field = where.rsplit(".", 1)[-1]
    return ShapeError(f"Key: '{where}' Error:Field validation for '{field}' failed on the '{tag}' tag")


def of_type(*types: type, tag: str) -> Check:
    """Accept values of the given Python types; booleans are no numbers."""

    def check(where: str, value: Any) -> None:
        if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
            raise _complain(where, tag)

    return check


TEXT = of_type(str, tag="string")
INTEGER = of_type(int, tag="int")
NUMBER = of_type(int, float, tag="float")
BOOLEAN = of_type(bool, tag="bool")
NUMBER_OR_TEXT = of_type(int, float, str, tag="string")
MAP = of_type(dict, tag="map")
BOOLEAN_OR_TEXT = of_type(bool, str, tag="bool")


def anything(where: str, value: Any) -> None:
    """Accept any value."""


def text(
    *,
    pattern: re.Pattern[str] | None = None,
    choices: tuple[str, ...] = (),
    longest: int | None = None,
    without: str = "",
) -> Check:
    """Accept texts of a pattern or out of choices, up to a length, without some characters."""

    def check(where: str, value: Any) -> None:
        TEXT(where, value)
        if longest is not None and len(value) > longest:
            raise _complain(where, "max")
        if set(without) & set(value):
            raise _complain(where, "excludesall")
        if pattern is not None and not pattern.fullmatch(value):
            raise _complain(where, "name")
        if choices and value not in choices:
            raise _complain(where, "oneof")

    return check


def whole(least: int, most: int | None = None) -> Check:
    """Accept integers within bounds."""

    def check(where: str, value: Any) -> None:
        INTEGER(where, value)
        if value < least:
            raise _complain(where, "min")
        if most is not None and value > most:
            raise _complain(where, "max")

    return check


def items(each: Check, *, least: int = 0, most: int | None = None) -> Check:
    """Accept arrays of at least ``least`` and at most ``most`` accepted values."""

    def check(where: str, value: Any) -> None:
        if not isinstance(value, list):
            raise _complain(where, "array")
        if len(value) < least:
            raise _complain(where, "min")
        if most is not None and len(value) > most:
            raise _complain(where, "max")
        for index, item in enumerate(value):
            each(f"{where}[{index}]", item)

    return check


def shape(fields: Mapping[str, Check], *, required: tuple[str, ...] = ()) -> Check:
    """Accept objects with accepted fields; fields not listed and nulls pass."""

    def check(where: str, value: Any) -> None:
        if not isinstance(value, dict):
            raise _complain(where, "object")
        for name in required:
            if value.get(name) in (None, ""):
                raise _complain(f"{where}.{name}", "required")
        for name, field_check in fields.items():
            if value.get(name) is not None:
                field_check(f"{where}.{name}", value[name])

    return check


def cron(where: str, value: Any) -> None:
    """Accept times of schedules."""
    TEXT(where, value)
    if not is_cron(value):
        raise _complain(where, "cron")


LABELS = items(TEXT)
PARAMETER = shape(
    {
        "name": text(pattern=INPUT_NAME),
        "type": text(choices=PARAMETER_TYPES),
        "description": TEXT,
        "delay": BOOLEAN,
        "enum": items(anything),
        "used_steps": items(TEXT),
        "format": TEXT,
        "constraint": MAP,
    },
    required=("name",),
)
DATA_REQUIREMENT = shape(
    {
        "name": text(pattern=INPUT_NAME),
        "type": text(choices=DATA_TYPES),
        "conditions": items(shape({"attribute": TEXT, "operator": text(choices=("equal",))})),
        "value": MAP,
        "used_steps": items(TEXT),
        "delay": BOOLEAN,
    },
    required=("name", "type"),
)
INPUTS: dict[str, Check] = {"parameters": items(PARAMETER), "data_requirements": items(DATA_REQUIREMENT)}
STEP = shape(
    {
        "name": text(pattern=STEP_NAME),
        "type": TEXT,
        "title": TEXT,
        "description": TEXT,
        "inputs": items(shape({"name": text(pattern=INPUT_NAME), "type": TEXT})),
        "outputs": items(shape({"name": text(pattern=INPUT_NAME), "type": TEXT, "config": MAP})),
        "properties": MAP,
        "depend_steps": items(TEXT),
        "conditions": items(shape({"type": text(choices=("==", "!=", ">", ">=", "<", "<=", "in", "or"))})),
        "if_then_steps": items(TEXT),
        "else_then_steps": items(TEXT),
        "policy": shape({"poll_interval_seconds": NUMBER_OR_TEXT, "max_execution_minutes": NUMBER_OR_TEXT}),
    },
    required=("name",),
)
_WORKFLOW_FIELDS: dict[str, Check] = {
    **INPUTS,
    "name": text(pattern=STEP_NAME),
    "description": TEXT,
    "workspace_id": TEXT,
    "steps": items(STEP),
    "data": items(shape({"name": TEXT, "type": TEXT, "value": MAP, "used_steps": items(TEXT)})),
    "storages": items(shape({"name": TEXT, "type": text(choices=("obs",)), "path": TEXT})),
    "labels": LABELS,
    "assets": items(shape({"name": TEXT, "type": TEXT})),
    "sub_graphs": items(shape({"name": TEXT, "steps": items(TEXT)})),
    "source_workflow_id": TEXT,
    "policy": shape(
        {
            "use_scene": TEXT,
            "scene_id": TEXT,
            "scenes": items(shape({"id": TEXT, "name": TEXT, "steps": items(TEXT)})),
        }
    ),
    "extend": MAP,
    "with_subscription": BOOLEAN,
    "smn_switch": BOOLEAN_OR_TEXT,
}
WORKFLOW = shape(_WORKFLOW_FIELDS, required=("name",))
WORKFLOW_UPDATE = shape(_WORKFLOW_FIELDS)
EXECUTION = shape(
    {
        **INPUTS,
        "name": text(pattern=STEP_NAME),
        "description": TEXT,
        "labels": LABELS,
        "workspace_id": TEXT,
        "scene_id": TEXT,
        "scene_name": TEXT,
        "policies": shape({"use_cache": BOOLEAN}),
    }
)
EXECUTION_ACTION = shape(
    {
        **INPUTS,
        "action_name": text(choices=("stop", "rerun")),
        "policies": shape({"rerun_steps": items(TEXT)}),
    },
    required=("action_name",),
)
STEP_ACTION = shape({**INPUTS, "action_name": text(choices=("retry", "stop", "continue"))}, required=("action_name",))
SCHEDULE_CONTENT = shape({"cron": cron, "method": text(choices=("fixed",))}, required=("cron",))
SCHEDULE = shape(
    {
        "type": text(choices=("time",)),
        "content": SCHEDULE_CONTENT,
        "action": text(choices=("run",)),
        "policies": shape({"on_failure": TEXT, "on_running": TEXT}),
        "enable": BOOLEAN,
    },
    required=("type", "content", "action"),
)
SCHEDULE_UPDATE = shape({"content": SCHEDULE_CONTENT, "enable": BOOLEAN})
SUBSCRIPTION = shape(
    {"topic_urns": items(text(pattern=TOPIC_URN), least=1), "events": items(text(pattern=EVENT)), "entity": TEXT},
    required=("topic_urns",),
)
SERVICE_AUTH = shape(
    {
        "main_service_id": TEXT,
        "content_id": TEXT,
        "consume": shape({"period": TEXT, "value": INTEGER}),
    }
)
PURCHASE = shape(
    {
        "pool_id": TEXT,
        "order": shape(
            {
                "id": TEXT,
                "sku": shape(
                    {"code": TEXT, "period": TEXT, "queries_limit": INTEGER, "price": NUMBER},
                    required=("code", "period", "queries_limit", "price"),
                ),
                "sku_count": NUMBER_OR_TEXT,
            },
            required=("sku", "sku_count"),
        ),
        "consume_limit": INTEGER,
        "limit_enable": BOOLEAN,
    },
    required=("pool_id", "order"),
)
TRAINING_ACTION = shape({"action_type": text(choices=("terminate",))}, required=("action_type",))
