"""Operations on services."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_mlworkflows.emulator.modelarts.lookup import (
    BAD_ARGUMENT,
    NAME_TAKEN,
    NOT_THERE,
    POOL_NOT_FOUND,
    SERVICE_CONFLICT,
    SERVICE_NOT_FOUND,
    Lookup,
    refuse,
)
from airflow_provider_mlworkflows.emulator.modelarts.machine import IllegalAction
from airflow_provider_mlworkflows.emulator.modelarts.serving import rules
from airflow_provider_mlworkflows.emulator.modelarts.serving.views import listed, milliseconds
from airflow_provider_mlworkflows.emulator.routing import Answer, Call, Operation

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from airflow_provider_mlworkflows.emulator.modelarts.serving.machine import Service
    from airflow_provider_mlworkflows.emulator.modelarts.serving.store import Services

_SERVICES = "/v1/{project_id}/services"
_SERVICE = _SERVICES + "/{service_id}"
_NEWER = "/v2/{project_id}/services"
_CREATE = "modelarts:service:create"
_GET = "modelarts:service:get"
_UPDATE = "modelarts:service:update"
_SWITCH = "modelarts:service:action"
_SORTING: dict[str, Callable[[dict[str, Any]], Any]] = {
    "publish_at": lambda row: row["publish_at"],
    "service_name": lambda row: row["service_name"],
    "transition_at": lambda row: row["transition_at"],
}


class ServiceRoutes:
    """Handlers of services, of both versions of the API."""

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup
        self._store = lookup.store.services
        self._newer = lookup.store.newer_services

    def operations(self) -> Sequence[Operation]:
        """Return the operations of this module."""
        return [
            Operation("ListServices", "GET", _SERVICES, self.list, "modelarts:service:list"),
            Operation("CreateService", "POST", _SERVICES, self.create, _CREATE),
            Operation("ShowService", "GET", _SERVICE, self.show, _GET),
            Operation("UpdateService", "PUT", _SERVICE, self.update, _SWITCH, when=_switches),
            Operation("UpdateService", "PUT", _SERVICE, self.update, _UPDATE),
            Operation("DeleteService", "DELETE", _SERVICE, self.delete, "modelarts:service:delete"),
            Operation("CreateInferService", "POST", _NEWER, self.create_newer, _CREATE),
            Operation("ShowInferService", "GET", _NEWER + "/{service_id}", self.show_newer, _GET),
        ]

    def list(self, call: Call) -> Answer:
        """Return a page of services."""
        infer_type = call.param("infer_type")
        if infer_type is not None:
            self._lookup.choice(call, "infer_type", rules.INFER_TYPES, infer_type)
        found = [each for each in self._store.all.values() if self._store.is_listed(each)]
        # Of services that were published at once, the later one counts as newer.
        views = [self._store.peek(each) for each in reversed(found)]
        rows = self._lookup.sorted_rows(call, [view for view in views if self._matches(call, view)], _SORTING, "desc")
        body = self._lookup.counted(call, "services", rows)
        body["services"] = [listed(self._store.read(self._service(row["service_id"]))) for row in body["services"]]
        return self._lookup.answer(body)

    def create(self, call: Call) -> Answer:
        """Deploy a service."""
        body = self._lookup.body(call, rules.new_service, "CreateServiceReq", BAD_ARGUMENT)
        if self._lookup.switches.service_places == "refused":
            self._check_places(body)
        if self._lookup.switches.service_names == "unique":
            _check_name(self._store, body["service_name"], body.get("workspace_id"))
        service = self._store.add(body)
        call.effective = True
        call.ids["service_id"] = service.service_id
        return self._lookup.answer({"service_id": service.service_id, "resource_ids": []})

    def show(self, call: Call) -> Answer:
        """Return a service."""
        return self._lookup.answer(self._store.read(self._service(call.ids["service_id"])))

    def update(self, call: Call) -> Answer:
        """Start, stop or change a service; of a status and models only the status is heeded."""
        service = self._service(call.ids["service_id"])
        body = self._lookup.body(call, rules.change_of(service.body["infer_type"]), "UpdateServiceReq", BAD_ARGUMENT)
        target = body.pop("status", None)
        if target is not None:
            body.pop("config", None)
        call.action = target or ("config" if "config" in body else "fields")
        before = self._store.peek(service)
        anew = False
        try:
            if target is not None:
                (service.start if target == "running" else service.stop)()
            anew = service.change({name: value for name, value in body.items() if value is not None})
        except IllegalAction as error:
            self._lookup.forbid(f"{call.action} is not allowed: {error}", SERVICE_CONFLICT)
            return self._lookup.answer({"resource_ids": []})
        call.effective = True
        self._store.keep_showing(service, before)
        told = {"update_time": milliseconds(service.updated_at)} if anew else {}
        return self._lookup.answer({**told, "resource_ids": []})

    def delete(self, call: Call) -> Answer:
        """Delete a service, or several whose ids have commas between them; all or none."""
        services = [self._service(key) for key in call.ids["service_id"].split(",")]
        for service in services:
            self._store.keep_showing(service, self._store.peek(service))
            service.delete()
        call.effective = True
        return Answer(200, {})

    def create_newer(self, call: Call) -> Answer:
        """Deploy a service of the newer kind; its name must be its own."""
        body = self._lookup.body(call, rules.NEWER, "CreateInferServiceRequest")
        if body.get("runtime_config") is None:
            refuse("CreateInferServiceRequest.runtime_config is required")
        _check_name(self._newer, body["name"], body.get("workspace_id"))
        service = self._newer.add(body)
        call.effective = True
        call.ids["service_id"] = service.service_id
        view = self._newer.peek(service)
        view.pop("predict_url")
        return self._lookup.answer(view)

    def show_newer(self, call: Call) -> Answer:
        """Return a service of the newer kind."""
        key = call.ids["service_id"]
        service = self._newer.all.get(key)
        if service is None:
            status = self._lookup.switches.newer_missing_status
            refuse(f"Service {key} does not exist.", status=status, code=SERVICE_NOT_FOUND)
        return self._lookup.answer(self._newer.read(service))

    def _service(self, key: str) -> Service:
        found = self._store.all.get(key)
        if found is None:
            refuse(f"Service {key} does not exist.", status=404, code=SERVICE_NOT_FOUND)
        return found

    def _matches(self, call: Call, view: Mapping[str, Any]) -> bool:
        models = {version["model_id"] for version in view["config"]}
        model_id = call.param("model_id")
        return (
            all(
                call.param(name) in (None, view.get(name))
                for name in ("service_id", "infer_type", "status", "workspace_id", "cluster_id")
            )
            and (model_id is None or model_id in models)
            and self._lookup.names(call, "service_name", view["service_name"])
        )

    def _check_places(self, body: Mapping[str, Any]) -> None:
        """Refuse pools and clusters that do not exist."""
        pools, clusters = self._lookup.store.pools.all, self._lookup.store.clusters.all
        for place in (body, *body["config"]):
            if place.get("pool_name") and place["pool_name"] not in pools:
                refuse("pool not found", status=404, code=POOL_NOT_FOUND)
            if place.get("cluster_id") and place["cluster_id"] not in clusters:
                refuse(f"cluster {place['cluster_id']} does not exist", code=NOT_THERE)


def _check_name(services: Services, name: str, workspace_id: str | None) -> None:
    workspace = workspace_id or "0"
    if any((each.name, each.workspace_id) == (name, workspace) for each in services.all.values()):
        refuse(f"The service name {name} already exists.", code=NAME_TAKEN)


def _switches(call: Call) -> bool:
    """Whether a change of a service is to start or stop it, which is a permission of its own."""
    try:
        body = call.json()
    except ValueError:
        return False
    return isinstance(body, dict) and "status" in body
