"""OBS data workflow as a service behind the gateway: its operations, access rules and error dialects."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from airflow_provider_mlworkflows.emulator.obs import errors
from airflow_provider_mlworkflows.emulator.obs.executions import ExecutionRoutes
from airflow_provider_mlworkflows.emulator.obs.templates import TemplateRoutes
from airflow_provider_mlworkflows.emulator.obs.triggers import TriggerRoutes
from airflow_provider_mlworkflows.emulator.obs.workflows import WorkflowRoutes
from airflow_provider_mlworkflows.emulator.routing import Refusal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_mlworkflows.emulator.limits import Limit
    from airflow_provider_mlworkflows.emulator.obs.access import ObsAccess
    from airflow_provider_mlworkflows.emulator.obs.lookup import Lookup
    from airflow_provider_mlworkflows.emulator.routing import Answer, Call, Operation


class ObsService:
    """Emulated OBS, as far as data workflows need it.

    Args:
        access: Checks of credentials.
        lookup: Helper of the handlers.
    """

    name = "obs"

    def __init__(self, access: ObsAccess, lookup: Lookup) -> None:
        self._access = access
        self._switches = lookup.switches
        self._parts = (WorkflowRoutes(lookup), TemplateRoutes(lookup), ExecutionRoutes(lookup), TriggerRoutes(lookup))

    def operations(self) -> Sequence[Operation]:
        """Return all operations."""
        return [operation for part in self._parts for operation in part.operations()]

    def authenticate(self, call: Call, operation: Operation) -> None:
        """Send the call on to another host if that is switched on; else check signature and permission."""
        base = self._switches.obs_redirect
        if base is not None and call.header("host") != urlsplit(base).netloc:
            raise Refusal(errors.redirect(call, self._switches, base))
        self._access.identify(call)
        self._access.check_permission(call, operation)

    def failure(self, call: Call, status: int, code: str | None) -> Answer:
        """Return an error in the dialect of its code, or of the usual code for its status."""
        if status == 307:
            return errors.redirect(call, self._switches, f"http://{call.header('host')}")
        return errors.error(call, self._switches, 400 if status == 413 else status, code or _code_of(status))

    def throttled(self, call: Call, limit: Limit) -> Answer:
        """Return the answer to a call beyond its quota."""
        status = self._switches.obs_throttled_status
        answer = errors.error(call, self._switches, status, "SlowDown" if status == 503 else None)
        if self._switches.retry_after is not None:
            answer.headers.update(errors.back_off(self._switches.retry_after))
        return answer

    def back_off(self, seconds: float) -> dict[str, str]:
        """Return the header that asks a caller to wait."""
        return errors.back_off(seconds)


def _code_of(status: int) -> str | None:
    """Return the code of a refusal that goes out under another status than the one it is known by."""
    return "SYS.0012" if status == 413 else None
