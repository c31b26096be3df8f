"""How services look in replies."""

from __future__ import annotations

import copy
import uuid
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_mlworkflows.emulator.modelarts.serving.machine import UNWELL
from airflow_provider_mlworkflows.emulator.modelarts.views import cased

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.emulator.modelarts.serving.machine import Service
    from airflow_provider_mlworkflows.emulator.switches import Switches

TENANT = "6f1d0c8e4b7a49d2b3e5a7c9d1f20468"
OWNER = "75d1c3e0f2b94a668c1e7b5a90d2f413"
_ONLY_IN_DETAIL = ("access_address", "config", "schedule", "error_msg", "progress", "due_time")
_COPIED = ("cluster_id", "pool_name", "vpc_id", "subnet_network_id", "security_group_id")


def milliseconds(time: datetime) -> int:
    """Return a time as the first version of the API writes it."""
    return int(time.timestamp() * 1000)


def service_view(service: Service, now: datetime, switches: Switches) -> dict[str, Any]:
    """Return a service, of the version its body is of."""
    if "service_name" not in service.body:
        return _newer_view(service)
    body, status = service.body, service.status
    view: dict[str, Any] = {
        "service_id": service.service_id,
        "service_name": service.name,
        "description": body.get("description") or "",
        "tenant": TENANT,
        "owner": OWNER,
        "publish_at": milliseconds(service.published_at),
        "update_time": milliseconds(service.updated_at),
        "transition_at": milliseconds(service.track.since),
        "operation_time": milliseconds(service.track.since),
        "infer_type": body["infer_type"],
        "status": cased(status, switches),
        "progress": service.progress(now),
        "workspace_id": service.workspace_id,
        "additional_properties": body.get("additional_properties") or {},
        "is_shared": False,
        "shared_count": 0,
        "is_free": False,
        "invocation_times": 0,
        "failed_times": 0,
        "config": [_version(each, status) for each in body["config"]],
        "schedule": copy.deepcopy(body.get("schedule") or []),
        **{name: body[name] for name in _COPIED if body.get(name)},
    }
    if body["infer_type"] == "real-time":
        view["access_address"] = address(service)
    if service.due_at is not None:
        view["due_time"] = milliseconds(service.due_at)
    if body["infer_type"] == "batch" and service.runs_since is not None:
        view["start_time"] = milliseconds(service.runs_since)
        if status == "finished":
            view["finished_time"] = milliseconds(service.track.since)
    if status in UNWELL and service.error_msg:
        view["error_msg"] = service.error_msg
    return view


def listed(view: dict[str, Any]) -> dict[str, Any]:
    """Return what lists show of a service."""
    return {name: value for name, value in view.items() if name not in _ONLY_IN_DETAIL}


def address(service: Service) -> str:
    """Return where a service would be called; nothing answers there."""
    return f"https://infer.apig.emulator.invalid/v1/infers/{service.service_id}"


def _version(given: dict[str, Any], status: str) -> dict[str, Any]:
    fields = copy.deepcopy(given)
    weight = fields.pop("weight", None)
    return {
        "custom_spec": {},
        "envs": {},
        "scaling": False,
        "support_debug": False,
        **fields,
        **({} if weight is None else {"weight": int(weight)}),
        "model_name": f"model-{str(given['model_id'])[:8]}",
        "model_version": "0.0.1",
        "status": "ready" if status in {"running", "finished"} else "notReady",
    }


def _newer_view(service: Service) -> dict[str, Any]:
    body, status = service.body, service.status
    version = {
        "id": str(uuid.uuid5(uuid.NAMESPACE_OID, service.service_id)),
        "version": body.get("version") or "1.0.0",
        "description": body.get("description") or "",
        "instance_groups": copy.deepcopy(body.get("group_configs") or []),
        "runtime_config": copy.deepcopy(body["runtime_config"]),
        "upgrade_config": copy.deepcopy(body.get("upgrade_config") or {}),
        "log_configs": copy.deepcopy(body.get("log_configs") or []),
    }
    view: dict[str, Any] = {
        "id": service.service_id,
        "name": service.name,
        "type": body["type"],
        "deploy_type": body.get("deploy_type") or "SINGLE",
        "status": status.upper(),
        "workspace_id": service.workspace_id,
        "version": version,
        "schedule": copy.deepcopy(body.get("schedule") or []),
        "tags": copy.deepcopy(body.get("tags") or []),
        "predict_url": [{"type": "INTERNET", "urls": [address(service)]}],
        "create_at": milliseconds(service.published_at),
        "update_at": milliseconds(service.updated_at),
    }
    if status in UNWELL and service.error_msg:
        view["failure_reason"] = service.error_msg
    return view
