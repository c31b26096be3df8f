"""ModelArts as a service behind the gateway: its operations, access rules and error dialect."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_mlworkflows.emulator.huawei.access import GATEWAY_ERRORS, Access, back_off, gateway_error
from airflow_provider_mlworkflows.emulator.modelarts.appauth.apis import ApiRoutes
from airflow_provider_mlworkflows.emulator.modelarts.appauth.apps import AppRoutes
from airflow_provider_mlworkflows.emulator.modelarts.autosearch import AutoSearchRoutes
from airflow_provider_mlworkflows.emulator.modelarts.executions import ExecutionRoutes
from airflow_provider_mlworkflows.emulator.modelarts.lookup import Lookup, refuse, service_error
from airflow_provider_mlworkflows.emulator.modelarts.notebooks import NotebookRoutes
from airflow_provider_mlworkflows.emulator.modelarts.resources.routes import ResourceRoutes
from airflow_provider_mlworkflows.emulator.modelarts.schedules import ScheduleRoutes
from airflow_provider_mlworkflows.emulator.modelarts.serving.routes import ServiceRoutes
from airflow_provider_mlworkflows.emulator.modelarts.training import TrainingRoutes
from airflow_provider_mlworkflows.emulator.modelarts.workflows import WorkflowRoutes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_mlworkflows.emulator.limits import Limit
    from airflow_provider_mlworkflows.emulator.routing import Answer, Call, Operation

_SERVICE_ERRORS = {
    400: ("ModelArts.0101", "invalid argument"),
    403: ("ModelArts.0108", "operation not allowed"),
    500: ("ModelArts.0010", "internal error"),
    503: ("ModelArts.4302", "service unavailable"),
}


class ModelArtsService:
    """Emulated ModelArts.

    Args:
        access: Checks of credentials.
        lookup: Helper of the handlers.
    """

    name = "modelarts"

    def __init__(self, access: Access, lookup: Lookup) -> None:
        self._access = access
        self._parts = (
            WorkflowRoutes(lookup),
            ExecutionRoutes(lookup),
            ScheduleRoutes(lookup),
            TrainingRoutes(lookup),
            ServiceRoutes(lookup),
            ResourceRoutes(lookup),
            NotebookRoutes(lookup),
            AutoSearchRoutes(lookup),
            AppRoutes(lookup),
            ApiRoutes(lookup),
        )

    def operations(self) -> Sequence[Operation]:
        """Return all operations."""
        return [operation for part in self._parts for operation in part.operations()]

    def authenticate(self, call: Call, operation: Operation) -> None:
        """Check credentials, project and permission."""
        self._access.identify(call)
        project = call.ids["project_id"]
        if not self._access.in_project(call, project):
            message = f"The project ID {project} in the URL is not the project of the credentials"
            refuse(message, status=403, code="ModelArts.0210")
        if not self._access.may(call, operation.permission):
            user = self._access.user_of(call)
            refuse(f"user {user} lacks the permission {operation.permission}", status=403, code="ModelArts.0112")

    def failure(self, call: Call, status: int, code: str | None) -> Answer:
        """Return an error in the words of the service or of the gateway before it."""
        if status in _SERVICE_ERRORS and not (code or "").startswith("APIG"):
            usual, message = _SERVICE_ERRORS[status]
            return service_error(status, code or usual, message)
        usual, message = GATEWAY_ERRORS.get(status, ("ModelArts.0010", "unexpected error"))
        if (code or usual).startswith("APIG"):
            return gateway_error(call, status, code or usual, message)
        return service_error(status, code or usual, message)

    def throttled(self, call: Call, limit: Limit) -> Answer:
        """Return the gateway's answer to a call beyond its quota."""
        return self._access.throttled(call, limit)

    def back_off(self, seconds: float) -> dict[str, str]:
        """Return the header that asks a caller to wait."""
        return back_off(seconds)
