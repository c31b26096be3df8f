"""How executions and steps look in replies."""

from __future__ import annotations

import copy
import json
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from airflow_provider_mlworkflows.emulator.modelarts.steprun import AT_REST, BROKEN

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.emulator.modelarts.machine import Execution
    from airflow_provider_mlworkflows.emulator.modelarts.steprun import StepRun
    from airflow_provider_mlworkflows.emulator.switches import Switches

LOCAL_ZONE = timezone(timedelta(hours=8))
REPEATED_TIMES = 16_384
"""So many times are kept as texts: lists tell the same ones at every reading."""


@lru_cache(maxsize=REPEATED_TIMES)
def timestamp(time: datetime) -> str:
    """Return a time as the service writes it: +08:00 and nine digits of fraction."""
    local = time.astimezone(LOCAL_ZONE)
    nanoseconds = local.microsecond * 1000 + (local.microsecond * 7 + 89) % 1000
    return f"{local:%Y-%m-%dT%H:%M:%S}.{nanoseconds:09d}+08:00"


@lru_cache(maxsize=REPEATED_TIMES)
def event_time(time: datetime) -> str:
    """Return a time as event lines write it: local, seconds, no zone."""
    return f"{time.astimezone(LOCAL_ZONE):%Y-%m-%d %H:%M:%S}"


def cased(status: str, switches: Switches) -> str:
    """Return a status literal in the letter case that is switched on."""
    return status.upper() if switches.casing == "upper" else status


def execution_view(
    execution: Execution, now: datetime, switches: Switches, *, with_steps: bool = True
) -> dict[str, Any]:
    """Return an execution with its steps, or without, as of ``now``."""
    until = execution.ended_at or now
    fields = execution.fields
    return {
        "execution_id": execution.execution_id,
        "name": execution.name,
        "description": fields.get("description") or "",
        "status": cased(execution.status, switches),
        "created_at": timestamp(execution.created_at),
        "duration": int((until - execution.created_at).total_seconds()),
        "workspace_id": fields.get("workspace_id") or "0",
        "workflow_id": execution.workflow_id,
        "workflow_name": execution.workflow_name,
        "scene_id": fields.get("scene_id") or "",
        "scene_name": fields.get("scene_name") or "",
        "steps_execution": [step_view(execution, step, now, switches) for step in execution.steps]
        if with_steps
        else None,
        "sub_graphs": copy.deepcopy(fields.get("sub_graphs") or []),
        "events": [
            f"{event_time(at)} step {name} change status from {before} to {after}"
            for at, name, before, after in execution.events
        ],
        "labels": list(fields.get("labels") or []),
        "data_requirements": copy.deepcopy(execution.values["data_requirements"]),
        "parameters": copy.deepcopy(execution.values["parameters"]),
        "policies": {"use_cache": execution.use_cache},
    }


def step_view(execution: Execution, step: StepRun, now: datetime, switches: Switches) -> dict[str, Any]:
    """Return a step execution, as of ``now``."""
    definition = step.definition
    moved = step.status != "init"
    until = now if step.status not in AT_REST else step.track.since
    begun = step.started_at or step.created_at
    view: dict[str, Any] = {
        "uuid": step.uuid,
        "step_uuid": step.step_uuid,
        "step_name": step.name,
        "step_title": definition.get("title") or step.name,
        "name": f"{execution.name}-{step.name}",
        "execution_name": execution.name,
        "execution_uuid": execution.execution_id,
        "created_at": timestamp(step.created_at),
        "updated_at": timestamp(step.track.since),
        "duration": max(0, int((until - begun).total_seconds())) if moved else 0,
        "type": step.type,
        "instance_id": instance_id(step, switches),
        "status": cased(step.status, switches),
        "inputs": copy.deepcopy(definition.get("inputs") or []),
        "outputs": copy.deepcopy(definition.get("outputs") or []),
        "properties": copy.deepcopy(definition.get("properties") or {}),
        "events": [f"{event_time(at)} change status from {before} to {after}" for at, before, after in step.events],
        "policy": {"use_cache": True} if step.cached else {},
        "conditions": copy.deepcopy(definition.get("conditions") or []),
    }
    if step.status in BROKEN:
        view["error_info"] = _error_info(step)
    if step.result is not None:
        view["conditions_execution"] = {"result": str(step.result).lower(), "metric_list": []}
    return view


def instance_id(step: StepRun, switches: Switches) -> Any:  # text or object, as the step type has it
    """Return what the step created, in the shape its type has in replies."""
    if step.instance is None:
        return ""
    if step.type == "service":
        return {
            "type": "deploy",
            "service_id": step.instance,
            "status": "running" if step.status == "completed" else "deploying",
            "update_time": timestamp(step.track.since),
        }
    if step.type != "job":
        key = {"model": "model_id", "labeling": "task_id", "mrs_job": "job_id"}.get(step.type, "dataset_id")
        return "" if step.type == "condition" else json.dumps({key: step.instance}, separators=(",", ":"))
    if switches.job_instance_id == "bare":
        return step.instance
    shaped = {switches.job_id_key: step.instance}
    return shaped if switches.job_instance_id == "object" else json.dumps(shaped, separators=(",", ":"))


def _error_info(step: StepRun) -> dict[str, str]:
    if step.status == "timeout":
        minutes = (step.definition.get("policy") or {}).get("max_execution_minutes")
        limit = f" of {minutes} minutes" if minutes else ""
        return {"error_code": "ModelArts.0010", "error_message": f"step exceeded its time limit{limit}"}
    return {"error_code": step.script.error_code, "error_message": step.script.error_message}
