"""AOM automation as a service behind the gateway: its operations, access rules and error dialect."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_mlworkflows.emulator.aom import errors
from airflow_provider_mlworkflows.emulator.aom.catalogue import CatalogueRoutes
from airflow_provider_mlworkflows.emulator.aom.executions import ExecutionRoutes
from airflow_provider_mlworkflows.emulator.aom.lookup import PROJECT_ID_SIZE, Lookup
from airflow_provider_mlworkflows.emulator.aom.workflows import WorkflowRoutes
from airflow_provider_mlworkflows.emulator.huawei.access import Access, back_off
from airflow_provider_mlworkflows.emulator.routing import Refusal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_mlworkflows.emulator.limits import Limit
    from airflow_provider_mlworkflows.emulator.routing import Answer, Call, Operation


class AomService:
    """Emulated AOM automation.

    Args:
        access: Checks of credentials.
        lookup: Helper of the handlers.
    """

    name = "aom"

    def __init__(self, access: Access, lookup: Lookup) -> None:
        self._access = access
        self._lookup = lookup
        self._switches = lookup.switches
        self._parts = (WorkflowRoutes(lookup), ExecutionRoutes(lookup), CatalogueRoutes(lookup))

    def operations(self) -> Sequence[Operation]:
        """Return all operations."""
        return [operation for part in self._parts for operation in part.operations()]

    def authenticate(self, call: Call, operation: Operation) -> None:
        """Check credentials, project and permission."""
        self._identify(call)
        project = call.ids["project_id"]
        if len(project) != PROJECT_ID_SIZE:
            self._lookup.refuse(f"project_id must have {PROJECT_ID_SIZE} characters")
        if not self._access.in_project(call, project):
            raise errors.not_permitted(call, f"the project {project} is not that of the credentials")
        if not self._access.may(call, operation.permission):
            user = self._access.user_of(call)
            raise errors.not_permitted(call, f"user {user} lacks the permission {operation.permission}")

    def failure(self, call: Call, status: int, code: str | None) -> Answer:
        """Return an error in the words of the service or of the gateway before it."""
        return errors.failure(call, self._switches, status, code)

    def throttled(self, call: Call, limit: Limit) -> Answer:
        """Return the gateway's answer to a call beyond its quota."""
        return self._access.throttled(call, limit)

    def back_off(self, seconds: float) -> dict[str, str]:
        """Return the header that asks a caller to wait."""
        return back_off(seconds)

    def _identify(self, call: Call) -> None:
        """Check credentials; unlike the gateway, the service does not say what is wrong with them."""
        try:
            self._access.identify(call)
        except Refusal as refusal:
            if self._switches.aom_auth_errors == "gateway":
                raise
            # What the caller must have signed holds the security token.
            reason = str(refusal.answer.body["error_msg"]).partition(", canonicalRequest")[0]
            code = errors.OTHER_AUTH_FAILED if self._switches.aom_auth_errors == "sibling" else None
            raise Refusal(errors.service_error(self._switches, 401, code, reason)) from refusal
