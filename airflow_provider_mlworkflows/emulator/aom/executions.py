"""Operations on executions and on the node at which one stands."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

from airflow_provider_mlworkflows.emulator.aom.lookup import LONGEST_ID, Lookup
from airflow_provider_mlworkflows.emulator.aom.machine import Action, IllegalAction
from airflow_provider_mlworkflows.emulator.aom.views import ENTERPRISE_PROJECT, execution_view
from airflow_provider_mlworkflows.emulator.aom.workflows import WORKFLOW
from airflow_provider_mlworkflows.emulator.modelarts.views import cased
from airflow_provider_mlworkflows.emulator.routing import Answer, Call, Operation

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from airflow_provider_mlworkflows.emulator.aom.machine import Execution

_EXECUTIONS = WORKFLOW + "/executions"
_EXECUTION = _EXECUTIONS + "/{execution_id}"
_ACTIONS: dict[str, Action] = {name: name for name in get_args(Action)}
EXECUTE = "cms:execution:create"
GET = "cms:execution:get"


class ExecutionRoutes:
    """Handlers of executions."""

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup
        self._store = lookup.store
        self._switches = lookup.switches

    def operations(self) -> Sequence[Operation]:
        """Return the operations of this module."""
        return [
            Operation("ExecuteWorkflow", "POST", _EXECUTIONS, self.start, EXECUTE),
            Operation("ListWorkflowExecutions", "GET", _EXECUTIONS, self.list, GET),
            Operation("SearchWorkflowExecutionDetail", "GET", _EXECUTION + "/status", self.show, GET),
            Operation("StartPausingWorkflowExecutions", "POST", _EXECUTION + "/operation", self.operate, EXECUTE),
            Operation("StopExecution", "POST", _EXECUTION + "/terminate", self.terminate, EXECUTE),
        ]

    def start(self, call: Call) -> Answer:
        """Start an execution; a body, which the operation does not have, is passed over."""
        workflow = self._lookup.workflow(call, 404)
        try:
            execution = self._store.start(workflow.workflow_id, created_by=self._lookup.user_of(call))
        except IllegalAction as error:
            status, code = self._switches.wrong_state
            self._lookup.refuse(str(error), max(status, 400), code or None)
        call.effective = True
        call.ids["execution_id"] = execution.execution_id
        body = {"execution_id": execution.execution_id}
        if self._switches.status_on_create:
            body["status"] = cased(execution.status, self._switches)
        return self._lookup.answer(body)

    def list(self, call: Call) -> Answer:
        """Return all of a workflow's executions, newest first, as a bare array."""
        workflow = self._lookup.workflow(call)
        asked = call.param("x_enterprise_project_id") or ENTERPRISE_PROJECT
        if self._lookup.sized("x_enterprise_project_id", asked, LONGEST_ID) != ENTERPRISE_PROJECT:
            return Answer(200, [])
        listed = self._store.listed(workflow)
        return Answer(
            200, [execution_view(each, self._store.read(each), self._switches, brief=True) for each in listed]
        )

    def show(self, call: Call) -> Answer:
        """Return an execution."""
        execution = self._lookup.execution(call)
        state = self._store.read(execution)
        return self._lookup.answer(execution_view(execution, state, self._switches, brief=False))

    def operate(self, call: Call) -> Answer:
        """Restart or skip a failed node, or continue after a pause node."""
        action = _ACTIONS[self._lookup.choice(call, "action", tuple(_ACTIONS))]
        node_id = self._lookup.sized("node_id", call.param("node_id"), LONGEST_ID)
        call.action = action
        execution = self._lookup.execution(call)
        call.ids["node_id"] = node_id
        return self._act(call, execution, lambda: execution.operate(action, node_id))

    def terminate(self, call: Call) -> Answer:
        """Begin to terminate an execution."""
        execution = self._lookup.execution(call, 404)
        return self._act(call, execution, lambda: self._store.terminate(execution.execution_id))

    def _act(self, call: Call, execution: Execution, effect: Callable[[], None]) -> Answer:
        """Carry out an action; a refused one leaves no trace."""
        before = self._store.peek(execution)
        try:
            effect()
        except IllegalAction as error:
            status, code = self._switches.wrong_state
            if status >= 300:
                self._lookup.refuse(str(error), status, code or None)
            return self._lookup.done(as_object=True)
        call.effective = True
        self._store.keep_showing(execution, before)
        return self._lookup.done(as_object=True)
