"""What the bodies of requests about services must look like."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from airflow_provider_mlworkflows.emulator.modelarts.schema import (
    MAP,
    NUMBER,
    NUMBER_OR_TEXT,
    TEXT,
    Check,
    ShapeError,
    items,
    shape,
    text,
    whole,
)

INFER_TYPES = ("real-time", "batch", "edge")
NAME = text(pattern=re.compile(r"[A-Za-z0-9\u4e00-\u9fff_-]{1,64}"))
DESCRIPTION = text(longest=100, without="!<>=&\"'")
TAG = shape(
    {
        "key": text(pattern=re.compile(r"(?!_sys_)(?! )[\w .:=+@-]{1,128}(?<! )")),
        "value": text(pattern=re.compile(r"[\w .:/=+@-]{0,255}")),
    },
    required=("key",),
)
_SUM = 100
_BASIC_TYPES = ("string", "number", "integer", "boolean")
_NETWORK = ("vpc_id", "subnet_network_id", "security_group_id")


def _stops(kind: str) -> Check:
    return shape(
        {"type": text(choices=(kind,)), "time_unit": text(choices=("DAYS", "HOURS", "MINUTES")), "duration": whole(1)},
        required=("type", "time_unit", "duration"),
    )


_VERSION = shape(
    {
        "model_id": TEXT,
        "specification": TEXT,
        "instance_count": whole(1, 128),
        "weight": NUMBER_OR_TEXT,
        "custom_spec": MAP,
        "envs": MAP,
        "cluster_id": TEXT,
        "pool_name": TEXT,
        "src_path": TEXT,
        "dest_path": TEXT,
        "req_uri": TEXT,
        "mapping_type": text(choices=("file", "csv")),
        "mapping_rule": MAP,
        "nodes": items(TEXT),
    },
    required=("model_id", "specification", "instance_count"),
)
_CUSTOM_SPEC = shape(
    {"cpu": NUMBER, "memory": whole(1), "gpu_p4": NUMBER, "ascend_a310": whole(0)}, required=("cpu", "memory")
)
_FIELDS: dict[str, Check] = {
    "description": DESCRIPTION,
    "config": items(_VERSION, least=1),
    "schedule": items(_stops("stop")),
    "additional_properties": MAP,
}
_CREATE = shape(
    {
        **_FIELDS,
        "service_name": NAME,
        "infer_type": text(choices=INFER_TYPES),
        "workspace_id": TEXT,
        "cluster_id": TEXT,
        "pool_name": TEXT,
        **dict.fromkeys(_NETWORK, TEXT),
    },
    required=("service_name", "infer_type", "config"),
)
_UPDATE = shape({**_FIELDS, "status": text(choices=("running", "stopped"))})
_GROUP = shape(
    {"name": NAME, "weight": whole(0, _SUM), "count": whole(1, 128), "unit_configs": items(MAP)},
    required=("unit_configs",),
)
NEWER = shape(
    {
        "name": NAME,
        "type": text(choices=("REAL_TIME", "ASYNC_REAL_TIME")),
        "deploy_type": text(choices=("SINGLE", "MULTI")),
        "version": text(pattern=re.compile(r"[0-9]{1,2}(\.[0-9]{1,2}){2}")),
        "description": text(longest=512, without="<>"),
        "group_configs": items(_GROUP, most=1),
        "runtime_config": MAP,
        "upgrade_config": MAP,
        "schedule": items(_stops("STOP"), most=1),
        "tags": items(TAG, most=20),
        "workspace_id": TEXT,
    },
    required=("name", "type"),
)


def new_service(where: str, body: Any) -> None:
    """Check the body of a request to create a service."""
    _CREATE(where, body)
    given = [name for name in _NETWORK if body.get(name)]
    if given and len(given) < len(_NETWORK):
        raise ShapeError(f"{', '.join(_NETWORK)} must be given together, but only {', '.join(given)} is")
    _check_kind(where, body, body["infer_type"])


def change_of(infer_type: str) -> Check:
    """Return the check of a request that changes a service of this kind."""

    def check(where: str, body: Any) -> None:
        _UPDATE(where, body)
        if not any(body.get(name) is not None for name in ("status", *_FIELDS)):
            raise ShapeError("nothing is to be updated")
        _check_kind(where, body, infer_type)

    return check


def _check_kind(where: str, body: Mapping[str, Any], infer_type: str) -> None:
    if body.get("schedule") and infer_type != "real-time":
        raise ShapeError(f"{where}.schedule is supported by real-time services only")
    versions = body.get("config")
    if versions is None:
        return
    if infer_type == "real-time":
        _check_weights(f"{where}.config", versions)
    elif len(versions) != 1:
        raise ShapeError(f"{where}.config of a {infer_type} service must have one model, not {len(versions)}")
    for index, version in enumerate(versions):
        place = f"{where}.config[{index}]"
        _check_spec(place, version)
        if infer_type == "batch":
            _check_batch(place, version)
        if infer_type == "edge" and not version.get("nodes"):
            raise ShapeError(f"{place}.nodes is required by an edge service")


def _check_weights(where: str, versions: list[dict[str, Any]]) -> None:
    weights = [str(version.get("weight")) for version in versions]
    if any(not re.fullmatch("[0-9]{1,3}", weight) for weight in weights):
        raise ShapeError(f"{where}: weight must be an integer from 0 to {_SUM}")
    total = sum(map(int, weights))
    if total != _SUM:
        raise ShapeError(f"{where}: the sum of weights must be {_SUM}, but is {total}")


def _check_spec(where: str, version: Mapping[str, Any]) -> None:
    spec = version.get("custom_spec") or {}
    if (version["specification"] == "custom") != bool(spec):
        raise ShapeError(f"{where}: custom_spec belongs to the specification custom, and only to that")
    if not spec:
        return
    _CUSTOM_SPEC(f"{where}.custom_spec", spec)
    if spec["cpu"] < 0.01:
        raise ShapeError(f"{where}.custom_spec.cpu must be at least 0.01")
    if spec.get("gpu_p4") and spec.get("ascend_a310"):
        raise ShapeError(f"{where}.custom_spec: gpu_p4 and ascend_a310 exclude each other")


def _check_batch(where: str, version: Mapping[str, Any]) -> None:
    for name in ("src_path", "dest_path", "req_uri", "mapping_type"):
        if not version.get(name):
            raise ShapeError(f"{where}.{name} is required by a batch service")
    rule = version.get("mapping_rule")
    if version["mapping_type"] == "csv" and not (rule and _columns(f"{where}.mapping_rule", rule)):
        raise ShapeError(f"{where}.mapping_rule must name the columns of the csv file")


def _columns(where: str, rule: Any) -> int:
    """Return how many columns a rule, as a JSON schema, names."""
    if isinstance(rule, list):
        return sum(_columns(f"{where}[{index}]", each) for index, each in enumerate(rule))
    MAP(where, rule)
    if rule.get("type") in _BASIC_TYPES:
        whole(-1)(f"{where}.index", rule.get("index"))
        return 1
    properties = rule.get("properties") or {}
    MAP(f"{where}.properties", properties)
    inner = sum(_columns(f"{where}.{name}", each) for name, each in properties.items())
    return inner + _columns(f"{where}.items", rule.get("items") or [])
