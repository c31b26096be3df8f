"""PAIFlow as a service behind the gateway: its operations, access rules and error dialect."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_mlworkflows.emulator.alibaba import errors
from airflow_provider_mlworkflows.emulator.paiflow.batch import BatchRoutes
from airflow_provider_mlworkflows.emulator.paiflow.lookup import PRODUCT, Lookup
from airflow_provider_mlworkflows.emulator.paiflow.nodes import NodeRoutes
from airflow_provider_mlworkflows.emulator.paiflow.pipelines import PipelineRoutes
from airflow_provider_mlworkflows.emulator.paiflow.runs import RunRoutes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_mlworkflows.emulator.alibaba.access import Access
    from airflow_provider_mlworkflows.emulator.limits import Limit
    from airflow_provider_mlworkflows.emulator.routing import Answer, Call, Operation


class PaiFlowService:
    """Emulated PAIFlow.

    Args:
        access: Checks of credentials.
        lookup: Helper of the handlers.
    """

    name = "paiflow"

    def __init__(self, access: Access, lookup: Lookup) -> None:
        self._access = access
        self._parts = (PipelineRoutes(lookup), RunRoutes(lookup), BatchRoutes(lookup), NodeRoutes(lookup))

    def operations(self) -> Sequence[Operation]:
        """Return all operations."""
        return [operation for part in self._parts for operation in part.operations()]

    def authenticate(self, call: Call, operation: Operation) -> None:
        """Check credentials, the operation that the headers name, and permission."""
        self._access.identify(call)
        self._access.check_operation(call, operation)

    def failure(self, call: Call, status: int, code: str | None) -> Answer:
        """Return an error in the gateway's words."""
        return errors.failure(call, PRODUCT, status, code)

    def throttled(self, call: Call, limit: Limit) -> Answer:
        """Return the gateway's answer to a call beyond its quota."""
        return self._access.throttled(call, limit)

    def back_off(self, seconds: float) -> dict[str, str]:
        """Return the header that asks a caller to wait."""
        return errors.back_off(seconds)
