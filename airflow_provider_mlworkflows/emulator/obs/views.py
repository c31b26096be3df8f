"""How workflows, templates and executions look in replies."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

from airflow_provider_mlworkflows.emulator.obs.machine import FAILED
from airflow_provider_mlworkflows.emulator.obs.names import execution_urn, graph_of_urn, graph_urn, timestamp

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from airflow_provider_mlworkflows.emulator.obs.catalogue import Graph, Template
    from airflow_provider_mlworkflows.emulator.obs.machine import Execution, StateRun
    from airflow_provider_mlworkflows.emulator.switches import Switches

HIDDEN = "******"
LISTED = (
    "graph_urn",
    "execution_urn",
    "execution_name",
    "execution_type",
    "execution_state",
    "started_at",
    "stopped_at",
)


def execution_view(execution: Execution, switches: Switches) -> dict[str, Any]:
    """Return an execution with its states."""
    return {
        "input": execution.input_text,
        "isTest": False,
        "graph_urn": graph_urn(execution.graph_name),
        "execution_urn": execution_urn(execution.graph_name, execution.execution_name),
        "execution_name": execution.execution_name,
        "execution_type": execution.kind,
        "execution_state": execution.state,
        "started_at": timestamp(execution.started_at),
        "stopped_at": timestamp(execution.stopped_at),
        "start_state": execution.start_state,
        "state_map": {name: _state_view(execution, run, switches) for name, run in execution.states.items()},
    }


def list_item(view: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of an execution that lists show."""
    return {name: view[name] for name in LISTED}


def _state_view(execution: Execution, run: StateRun, switches: Switches) -> dict[str, Any]:
    view: dict[str, Any] = {"state_name": run.name, "type": run.type, "status": run.status}
    if run.started_at is None:
        return view
    view |= {"started_at": timestamp(run.started_at), "input": execution.input_text}
    if switches.obs_state_details:
        view["stopped_at"] = timestamp(run.stopped_at)
        if run.status == FAILED:
            view["error"] = {"error_code": run.script.error, "error_message": run.script.message}
    return view


def graph_item(graph: Graph, switches: Switches) -> dict[str, Any]:
    """Return a workflow as lists show it."""
    return {
        "name": graph.name,
        switches.obs_created_key: timestamp(graph.created_at),
        "graph_urn": graph_urn(graph.name),
    }


def graph_view(graph: Graph, policies: Mapping[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """Return a workflow with its definition, which is not in the shape that creating calls give it."""
    rules = [
        (bucket, rule) for bucket, found in policies.items() for rule in found
        if graph_of_urn(rule["graph_urn"]) == graph.name
    ]  # fmt: skip
    return {
        "name": graph.name,
        "description": graph.description,
        "created_at": timestamp(graph.created_at),
        "graph_urn": graph_urn(graph.name),
        "definition": {
            "agency": graph.agency,
            "states": {state["state_name"]: copy.deepcopy(state) for state in graph.states},
            "inputs": {each["parameter_name"]: _input_view(each) for each in graph.inputs},
            "event_defs": [
                {
                    "event_source": "OBS",
                    "trigger_bucket": bucket,
                    "trigger_type": list(rule["events"]),
                    "trigger_prefix": rule.get("prefix") or "",
                    "trigger_suffix": rule.get("suffix") or "",
                }
                for bucket, rule in rules
            ],
        },
    }


def _input_view(each: Mapping[str, Any]) -> dict[str, Any]:
    view = copy.deepcopy(dict(each))
    view["constraints"] = json.dumps(view.get("constraints") or {})
    if view.get("invisible"):
        view |= {field: HIDDEN for field in ("default", "parameter_value") if view.get(field) is not None}
    return view


def template_view(template: Template) -> dict[str, Any]:
    """Return a template."""
    return {
        "template_name": template.name,
        **{name: copy.deepcopy(template.body.get(name)) for name in ("description", "states", "inputs", "tags")},
        "create_time": timestamp(template.created_at),
        "last_modify_time": timestamp(template.created_at),
    }


def action_view(name: str, description: str) -> dict[str, Any]:
    """Return a built-in action."""
    return {
        "action_template_name": name,
        "action_template_category": "MediaProcess",
        "action_template_provider_name": "op_svc_obs",
        "description": description,
    }


def input_text(
    bucket: str, key: str, inputs: Mapping[str, Any] | None, event: str | None, at: str, *, as_event: bool
) -> str:
    """Return what an execution is started with, as JSON text.

    Args:
        bucket: Bucket of the object.
        key: Name of the object.
        inputs: Values by parameter name.
        event: The event that started it, if one did.
        at: Time as the service writes it.
        as_event: Write it as an event also if a call started it.
    """
    if event is None and not as_event:
        given: dict[str, Any] = {"bucket": bucket, "object": key, "inputs": None if inputs is None else dict(inputs)}
        return json.dumps(given, ensure_ascii=False)
    place = {"bucket": {"name": bucket}, "object": {"key": key}}
    record = {"eventSource": "OBS", "eventTime": at, "eventName": event or "ApiCall", "obs": place}
    return json.dumps({"Records": [record], "inputs": dict(inputs or {})}, ensure_ascii=False)


def rows_after(rows: Iterable[Execution], marker: str | None) -> list[Execution]:
    """Return executions in the order of lists, behind a marker."""
    return [each for each in sorted(rows, key=lambda each: each.marker) if marker is None or each.marker > marker]
