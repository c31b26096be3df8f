"""Operations on executions and on their steps."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from airflow_provider_mlworkflows.emulator.modelarts import inputs, schema
from airflow_provider_mlworkflows.emulator.modelarts.lookup import BAD_PARAMETER, Lookup, refuse, service_error
from airflow_provider_mlworkflows.emulator.modelarts.machine import Execution, IllegalAction
from airflow_provider_mlworkflows.emulator.modelarts.views import timestamp
from airflow_provider_mlworkflows.emulator.routing import Answer, Call, Operation, Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from airflow_provider_mlworkflows.emulator.modelarts.steprun import StepRun

_EXECUTIONS = "/v2/{project_id}/workflows/{workflow_id}/executions"
_EXECUTION = _EXECUTIONS + "/{execution_id}"
_STEP = _EXECUTION + "/step-executions/{step_execution_id}"
EXECUTE = "modelarts:workflow:execute"
GET = "modelarts:workflow:get"
LIST = "modelarts:workflow:list"


class ExecutionRoutes:
    """Handlers of executions and step executions."""

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup
        self._store = lookup.store
        self._switches = lookup.switches

    def operations(self) -> Sequence[Operation]:
        """Return the operations of this module."""
        steps = "/v2/{project_id}/workflows/{workflow_id}/step-executions"
        return [
            Operation("ListWorkflowExecutions", "GET", _EXECUTIONS, self.list, LIST),
            Operation("CreateWorkflowExecution", "POST", _EXECUTIONS, self.create, EXECUTE),
            Operation("ListExecutionLabels", "GET", _EXECUTIONS + "/labels", self.labels, LIST),
            Operation("ShowWorkflowExecution", "GET", _EXECUTION, self.show, GET),
            Operation("UpdateWorkflowExecution", "PUT", _EXECUTION, self.update, "modelarts:workflow:update"),
            Operation("DeleteWorkflowExecution", "DELETE", _EXECUTION, self.delete, "modelarts:workflow:delete"),
            Operation("CreateWorkflowExecutionsActions", "POST", _EXECUTION + "/actions", self.act, EXECUTE),
            Operation("ListWorkflowStepExecution", "GET", steps, self.list_steps),
            Operation("CreateWorkflowStepExecutionsActions", "POST", _STEP + "/actions", self.act_on_step, EXECUTE),
            Operation("ShowWorkflowStepExecutionMetrics", "GET", _STEP + "/metrics", self.metrics, GET),
        ]

    def list(self, call: Call) -> Answer:
        """Return a page of a workflow's executions."""
        workflow = self._lookup.workflow(call)
        known = [each for each in workflow.executions.values() if self._store.is_listed(each)]
        ordered = self._lookup.ordered(call, known, {"create_time": lambda each: each.created_at}, "desc")
        matching = list(filter(self._asked_for(call), ordered))
        page = self._lookup.page(call, matching)
        body = self._lookup.listing(call, matching, total=len(known))
        body["items"] = [self._store.read(each, with_steps=self._switches.steps_in_lists) for each in page]
        return self._lookup.answer(body)

    def create(self, call: Call) -> Answer:
        """Start an execution."""
        workflow = self._lookup.workflow(call)
        fields = self._lookup.body(call, schema.EXECUTION, "WorkflowExecution")
        try:
            execution = self._store.start(workflow.workflow_id, fields)
        except inputs.InputError as error:
            refuse(str(error))
        call.effective = True
        call.ids["execution_id"] = execution.execution_id
        view = self._store.peek(execution)
        view["steps_execution"] = None
        if not self._switches.status_on_create:
            del view["status"]
        return self._lookup.answer(view, 201)

    def labels(self, call: Call) -> Answer:
        """Return the labels of a workflow's executions."""
        executions = self._lookup.workflow(call).executions.values()
        return Answer(200, sorted({label for each in executions for label in each.fields.get("labels") or []}))

    def show(self, call: Call) -> Answer:
        """Return an execution with its steps."""
        return self._lookup.answer(self._store.read(self._lookup.execution(call)))

    def update(self, call: Call) -> Answer:
        """Change labels, description and inputs of an execution; other fields stay as they are."""
        execution = self._lookup.execution(call)
        fields = self._lookup.body(call, schema.EXECUTION, "WorkflowExecution")
        self._fill_in(execution, fields)
        for name in ("labels", "description"):
            if fields.get(name) is not None:
                execution.fields[name] = fields[name]
        call.effective = True
        return self._lookup.answer(self._store.peek(execution))

    def delete(self, call: Call) -> Answer:
        """Forget an execution."""
        self._store.delete_execution(self._lookup.execution(call).execution_id)
        call.effective = True
        return Answer(204)

    def act(self, call: Call) -> Answer:
        """Stop or rerun an execution."""
        execution = self._lookup.execution(call)
        body = self._lookup.body(call, schema.EXECUTION_ACTION, "WorkflowExecutionAction")
        call.action = body["action_name"]
        chosen = (body.get("policies") or {}).get("rerun_steps") or []
        known = {step.name for step in execution.steps}
        for name in chosen:
            if name not in known:
                refuse(f"rerun_steps: step {name} is not part of the workflow")

        def effect() -> None:
            if call.action == "stop":
                execution.stop(self._switches.stop_seconds)
            else:
                execution.rerun(chosen)

        self._take(call, execution, body, effect)
        return self._lookup.answer(self._store.peek(execution), 201)

    def list_steps(self, call: Call) -> Answer:
        """Return a page of the step executions of all of a workflow's executions."""
        workflow = self._lookup.workflow(call)
        executions = [each for each in workflow.executions.values() if self._store.is_listed(each)]
        views = [view for each in executions for view in self._store.read(each)["steps_execution"]]
        keys: dict[str, Callable[[Any], Any]] = {
            "create_time": lambda view: view["created_at"],
            "user_name": lambda view: "",
        }
        rows = self._lookup.ordered(call, views, keys, "desc")
        body = self._lookup.listing(call, rows, total=len(rows))
        body["compare_columns"] = {"parameters": [], "metrics": []}
        return self._lookup.answer(body)

    def act_on_step(self, call: Call) -> Answer:
        """Retry, stop or continue a step."""
        execution, step = self._lookup.step(call)
        body = self._lookup.body(call, schema.STEP_ACTION, "StepExecutionAction")
        call.action = body["action_name"]

        def effect() -> None:
            if call.action == "retry":
                execution.retry_step(step)
            elif call.action == "stop":
                execution.stop_step(step, self._switches.stop_seconds)
            else:
                execution.continue_step(step)

        self._take(call, execution, body, effect)
        views = self._store.peek(execution)["steps_execution"]
        return self._lookup.answer(next(view for view in views if view["uuid"] == step.uuid), 201)

    def metrics(self, call: Call) -> Answer:
        """Return the metrics of a step; training steps report a falling loss while they work."""
        execution, step = self._lookup.step(call)
        execution.clock.read()
        return Answer(200, _metrics(execution, step))

    def _take(self, call: Call, execution: Execution, body: dict[str, Any], effect: Callable[[], None]) -> None:
        """Carry out an action; a refused one leaves no trace."""
        before, values = self._store.peek(execution), execution.values
        try:
            self._fill_in(execution, body)
            effect()
        except IllegalAction as error:
            execution.values = values
            status, code = self._switches.wrong_state
            if status >= 300:
                message = f"action {call.action} is not allowed: {error}"
                raise Refusal(service_error(status, code or BAD_PARAMETER, message)) from error
            return
        except inputs.InputError as error:
            execution.values = values
            refuse(str(error))
        call.effective = True
        self._store.keep_showing(execution, before)

    def _fill_in(self, execution: Execution, body: dict[str, Any]) -> None:
        """Put the inputs of a body into an execution; all or none."""
        try:
            execution.values = {
                kind: inputs.merge(execution.values[kind], body.get(kind) or [], kind) for kind in inputs.KINDS
            }
        except inputs.InputError as error:
            refuse(str(error))

    def _asked_for(self, call: Call) -> Callable[[Execution], bool]:
        # Read once: a list may hold thousands.
        wanted = {label for label in (call.param("labels") or "").split(",") if label}
        scene, workspace, status = map(call.param, ("scene_id", "workspace_id", "status"))

        def matches(execution: Execution) -> bool:
            fields = execution.fields
            return (
                wanted.issubset(fields.get("labels") or ())
                and scene in (None, fields.get("scene_id"))
                and workspace in (None, fields.get("workspace_id") or "0")
                and (status is None or status == self._store.shown_status(execution))
            )

        return matches


def _metrics(execution: Execution, step: StepRun) -> list[dict[str, Any]]:
    if step.type != "job" or step.working_since is None:
        return []
    until = execution.clock.now() if step.status == "running" else step.track.since
    epochs = int((until - step.working_since) / execution.scaled(1)) + 1
    losses = [round(math.exp(-epoch / 10), 6) for epoch in range(epochs)]
    return [
        {
            "created_at": timestamp(step.working_since),
            "key": "loss",
            "title": "loss",
            "type": "line chart",
            "data": {"x_axis": [{"title": "epoch", "value": list(range(epochs))}], "value": [losses]},
        }
    ]
