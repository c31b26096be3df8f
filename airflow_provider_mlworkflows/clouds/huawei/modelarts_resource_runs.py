"""Services, pools, clusters and the todo list as runs: over as soon as they are what is waited for. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_mlworkflows.clouds.huawei.modelarts_readings import (
    SERVICE_STATES,
    Resource,
    ResourceState,
    service_resource,
)
from airflow_provider_mlworkflows.clouds.huawei.modelarts_service_inputs import BATCH
from airflow_provider_mlworkflows.runs import Run, RunRef, RunState, Step

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.clouds.huawei.modelarts_models import WorkflowTodo
    from airflow_provider_mlworkflows.clouds.huawei.modelarts_service_models import InferenceService, ServiceVersion

SERVICE = "service"
"""What the deployments of services are filed under."""
CREATED = "deploying"
"""What a service is that was just created: the answer does not say."""
GONE = "deleted"
FINISHED = "finished"
"""What a batch is that has nothing left to do."""
GOING_ON = frozenset({RunState.ACTIVE, RunState.SUCCEEDED})
"""States of a service that is deployed or on its way there."""


def service_run(service: InferenceService, ref: RunRef, url: str, *, is_listed: bool = False) -> Run:
    """The deployment of a service. Its steps are its models.

    :param url: where the console shows it.
    :param is_listed: whether it comes from a list, which leaves out the models.
    """
    resource = service_resource(service)
    state = _service_state(service, resource)
    return Run(
        ref,
        state,
        resource.status,
        steps=tuple(_model_step(version, service, state) for version in service.config),
        name=resource.name,
        url=url,
        started_at=service.publish_at,
        ended_at=service.transition_at if state.is_terminal else None,
        message=resource.message,
        outputs={
            "service_id": service.service_id,
            "service_name": service.service_name,
            "infer_type": service.infer_type,
            "address": service.access_address,
            "models": [{"model_id": each.model_id, "weight": each.weight} for each in service.config],
        },
        has_steps=not is_listed,
    )


def created_run(service_id: str, name: str, url: str) -> Run:
    """A deployment that was just begun."""
    return Run(RunRef(SERVICE, service_id), RunState.ACTIVE, CREATED, name=name, url=url)


def deletion_run(service: InferenceService, ref: RunRef, url: str) -> Run:
    """The deletion of a service that is still there."""
    resource = service_resource(service)
    kept = (RunState.FAILED, RunState.UNKNOWN)
    state = resource.state.run_state if resource.state.run_state in kept else RunState.ACTIVE
    return Run(ref, state, resource.status, name=resource.name, url=url, message=resource.message)


def gone_run(ref: RunRef, url: str) -> Run:
    """The deletion of a service that is not there any more."""
    return Run(ref, RunState.SUCCEEDED, GONE, url=url)


def resource_run(resource: Resource, ref: RunRef, url: str, *, min_nodes: int) -> Run:
    """A pool or cluster, which is ready once it runs with so many nodes that can be used."""
    state, status = resource.state.run_state, resource.status
    if state is RunState.SUCCEEDED and (resource.available_nodes or 0) < min_nodes:
        state = RunState.ACTIVE
        status = f"{status} with {resource.available_nodes or 0} of {min_nodes} nodes available"
    return Run(
        ref,
        state,
        status,
        name=resource.name,
        url=url,
        message=resource.message,
        outputs={"nodes": resource.nodes, "available_nodes": resource.available_nodes},
    )


def todo_run(todos: Iterable[WorkflowTodo], ref: RunRef, url: str) -> Run:
    """The todo list, which is done being waited for once there is something in it."""
    waiting = [
        {
            "workflow_id": todo.workflow_id,
            "workflow_name": todo.workflow_name,
            "execution_id": todo.execution_id,
            "step_name": todo.step_name,
            "status": todo.status,
        }
        for todo in todos
    ]
    return Run(
        ref,
        RunState.SUCCEEDED if waiting else RunState.ACTIVE,
        f"{len(waiting)} waiting" if waiting else "empty",
        name="todo list",
        url=url,
        outputs={"todos": waiting},
    )


def unmet_changes(service: InferenceService, changes: Mapping[str, Any]) -> frozenset[str]:
    """The fields of an update that a service does not show, nor is on its way to.

    :param changes: as the service names them. Models count as far as they are described.
    """
    state = _service_state(service, service_resource(service))
    shown = service.model_dump()
    return frozenset(name for name, value in changes.items() if not _is_met(name, value, state, shown))


def _is_met(name: str, value: Any, state: RunState, shown: Mapping[str, Any]) -> bool:
    is_idle = state is RunState.STOPPED or str(shown["status"]).lower() == FINISHED
    match name:
        case "status" if value == "stopped":
            return is_idle or state is RunState.STOPPING
        case "status":
            return state in GOING_ON and not is_idle
        case "config":
            return state in GOING_ON and _describe(sorted(shown[name], key=_model), sorted(value, key=_model))
        case "schedule":
            return _describe(shown[name], value)
        case _:
            return name in shown and _plain(shown[name]) == _plain(value)


def _describe(shown: Sequence[Mapping[str, Any]], described: Sequence[Mapping[str, Any]]) -> bool:
    """Whether these are the ones described, as far as they are."""
    return len(shown) == len(described) and all(
        _plain(one.get(name)) == _plain(value)
        for one, other in zip(shown, described, strict=True)
        for name, value in other.items()
    )


def _model(version: Mapping[str, Any]) -> str:
    return str(version.get("model_id"))


def _plain(value: object) -> object:
    """A value as it is compared: services give texts back as numbers, and the other way round."""
    if isinstance(value, Mapping):
        return {str(name): _plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return str(value)


def _service_state(service: InferenceService, resource: Resource) -> RunState:
    if resource.state is ResourceState.RUNNING and service.infer_type == BATCH:
        return RunState.ACTIVE  # it works off its data until it is finished
    return resource.state.run_state


def _model_step(version: ServiceVersion, service: InferenceService, state: RunState) -> Step:
    own = SERVICE_STATES.get(version.status.lower())
    is_to_blame = len(service.config) == 1 or own is ResourceState.FAILED
    if state is RunState.FAILED and not is_to_blame:
        state = RunState.STOPPED
    return Step(
        version.model_id,
        " ".join(filter(None, (version.model_name or version.model_id, version.model_version))),
        state,
        version.status or service.status,
        kind=version.specification,
        updated_at=service.transition_at or service.update_time,
        error=service.error_msg if state is RunState.FAILED else "",
    )
