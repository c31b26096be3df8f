"""Operations on executions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_mlworkflows.emulator.obs import errors
from airflow_provider_mlworkflows.emulator.obs.machine import IllegalAction
from airflow_provider_mlworkflows.emulator.obs.names import execution_urn, timestamp
from airflow_provider_mlworkflows.emulator.obs.store import APICALL, TRIGGERCAL
from airflow_provider_mlworkflows.emulator.obs.views import list_item, rows_after

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from airflow_provider_mlworkflows.emulator.obs.lookup import Lookup
    from airflow_provider_mlworkflows.emulator.obs.machine import Execution
    from airflow_provider_mlworkflows.emulator.routing import Answer, Call, Operation

_EXECUTIONS = "/v2/workflowexecutions"
_EXECUTION = _EXECUTIONS + "/{execution_name}"


class ExecutionRoutes:
    """Handlers of executions."""

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup
        self._store = lookup.store
        self._switches = lookup.switches

    def operations(self) -> Sequence[Operation]:
        """Return the operations of this module."""
        make = self._lookup.operation
        return [
            make("listWorkflowExecution", "GET", _EXECUTIONS, self.list),
            make("getWorkflowExecution", "GET", _EXECUTION, self.get),
            make("restoreFailedWorkflowExecution", "PUT", _EXECUTION, self.restore),
        ]

    def list(self, call: Call) -> Answer:
        """Return a page of a workflow's executions, in the order of kind and name."""
        graph = self._lookup.graph_in_query(call)
        kind = call.param("x-workflow-execution-type")
        if kind not in (None, APICALL, TRIGGERCAL):
            message = f"x-workflow-execution-type must be {APICALL} or {TRIGGERCAL}, not {kind}"
            self._lookup.refuse(call, 400, errors.ILLEGAL, message)
        shown = [each for each in self._store.executions_of(graph.name) if self._store.is_listed(each)]
        matching = [each for each in shown if kind in (None, each.kind) and self._is_wanted(call, each)]
        rows = rows_after(matching, call.param("x-workflow-next-marker"))
        page = rows[: self._lookup.limit(call)]
        body: dict[str, Any] = {
            "count": len(page),
            "is_truncated": len(page) < len(rows),
            "executions": [list_item(self._store.read(each)) for each in page],
        }
        if body["is_truncated"]:
            body["next_marker"] = page[-1].marker
        return self._lookup.reply(call, body)

    def get(self, call: Call) -> Answer:
        """Return an execution with its states."""
        execution = self._lookup.execution(call)
        return self._lookup.reply(call, {"execution_info": self._store.read(execution)})

    def restore(self, call: Call) -> Answer:
        """Let a failed execution go on from the state that failed."""
        execution = self._lookup.execution(call)
        before = self._store.peek(execution)
        try:
            at = execution.restore()
        except IllegalAction as error:
            status, code = self._switches.wrong_state
            if status >= 300:
                message = f"{error}; only failed executions can be restored"
                self._lookup.refuse(call, status, code or errors.ILLEGAL, message)
            return self._restored(call, execution, execution.advance())
        call.effective = True
        self._store.keep_showing(execution, before)
        return self._restored(call, execution, at)

    def _restored(self, call: Call, execution: Execution, at: datetime) -> Answer:
        name = execution.execution_name
        urn = execution_urn(execution.graph_name, name)
        return self._lookup.reply(call, {"execution_urn": urn, "execution_name": name, "restored_at": timestamp(at)})

    def _is_wanted(self, call: Call, execution: Execution) -> bool:
        state = call.param("x-workflow-execution-state") if self._switches.obs_state_filter == "applied" else None
        return state is None or state == self._store.peek(execution)["execution_state"]
