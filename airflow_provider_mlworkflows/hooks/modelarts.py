"""Huawei Cloud ModelArts Workflow."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from functools import cached_property
from itertools import count
from math import ceil
from typing import TYPE_CHECKING, Any

from airflow_provider_mlworkflows.clouds.huawei.modelarts_inputs import (
    Inputs,
    data_requirement_items,
    parameter_items,
)
from airflow_provider_mlworkflows.clouds.huawei.modelarts_models import Execution, ExecutionGlances
from airflow_provider_mlworkflows.clouds.huawei.modelarts_requests import PAGE_SIZE
from airflow_provider_mlworkflows.clouds.huawei.modelarts_states import execution_state, run_of, waiting_step
from airflow_provider_mlworkflows.clouds.operation import Steps, operation
from airflow_provider_mlworkflows.exceptions import (
    AuthenticationError,
    BadRequestError,
    InvalidInputError,
    MLWorkflowsError,
    NotFoundError,
    PermissionDeniedError,
)
from airflow_provider_mlworkflows.hooks.lists import ListedRuns, by_workflow, shown_in
from airflow_provider_mlworkflows.hooks.modelarts_base import ModelArtsRunHook
from airflow_provider_mlworkflows.runs import Run, RunRef, RunState, Step

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_provider_mlworkflows.clouds.huawei.modelarts_models import StepExecution

WORTH_A_LIST = 3
"""From so many executions of one workflow on, reading its list costs less than reading each."""
LOG_LINES = 50
JOB_STEP_TYPES = frozenset({"job", "training_job", "traning_job"})
JOB_ID_KEYS = ("job_id", "training_job_id", "id")


class ModelArtsHook(ModelArtsRunHook):
    """Every operation of ModelArts workflows and what is around them; executions in the words of every service.

    Operations can be called, or awaited through ``aio``::

        hook.show_execution(workflow_id, execution_id)
        await hook.show_execution.aio(workflow_id, execution_id)

    Its arguments are those of `ModelArtsRunHook`.
    """

    @cached_property
    def _remembered(self) -> ListedRuns:
        return ListedRuns()

    @cached_property
    def _unlistable(self) -> set[str]:
        """Workflows whose executions may not be listed."""
        return set()

    def test_connection(self) -> tuple[bool, str]:
        """List one workflow (ListWorkflows); say who sees how many and where, or what to change.

        It is asked once, and given up after ten seconds without an answer.
        """
        return self.tested(
            "ListWorkflows",
            lambda hook: f"{hook.list_workflows(limit=1, offset=0).total or 0} workflows are visible",
            needed="Listing workflows needs the IAM action modelarts:workflow:list.",
        )

    @operation
    def get_run(self, ref: RunRef) -> Steps[Run]:
        """Read an execution with its steps (ShowWorkflowExecution).

        :raises NotFoundError: if there is no such execution.
        """
        execution = yield from self.show_execution.steps(ref.workflow_id, ref.run_id)
        return self._run(execution, ref.workflow_id)

    @operation
    def stop_run(self, ref: RunRef, *, force: bool = False) -> Steps[bool]:
        """Stop an execution (CreateWorkflowExecutionsActions, ``stop``).

        :param force: send the request even if the execution looks over.
        :returns: False if it was over or stopping already.
        """
        if not force:
            run = yield from self.get_run.steps(ref)
            # If only a step was told to stop, the execution shows no such status, and may go on.
            if run.state.is_terminal or execution_state(run.status) is RunState.STOPPING:
                return False
        try:
            yield from self.act_on_execution.steps(ref.workflow_id, ref.run_id, "stop")
        except BadRequestError:
            # It may have ended between the two requests.
            run = yield from self.get_run.steps(ref)
            if run.state.is_terminal or run.state is RunState.STOPPING:
                return False
            raise
        return True

    @operation
    def continue_step(self, run: Run, step: Step, inputs: Mapping[str, Any]) -> Steps[None]:
        """Let a waiting step go on (CreateWorkflowStepExecutionsActions, ``continue``).

        :param inputs: ``{"parameters": ..., "data_requirements": ...}``, either of them or neither.
        :raises InvalidInputError: if the workflow does not have such an input.
        :raises ApiError: if the service refuses.
        """
        unknown = set(inputs) - {"parameters", "data_requirements"}
        if unknown:
            raise InvalidInputError(
                f"The inputs of step {step.name} are given as 'parameters' and 'data_requirements', not as "
                f"{', '.join(map(repr, sorted(unknown)))}."
            )
        yield from self.act_on_checked_step.steps(run.ref, step.id, "continue", **inputs)

    @operation
    def act_on_checked_step(
        self, ref: RunRef, step_id: str, action: str, *, parameters: Inputs = (), data_requirements: Inputs = ()
    ) -> Steps[None]:
        """Retry, stop or continue a step with inputs that were checked against the workflow (ShowWorkflow).

        :param step_id: the ``uuid`` of the step in this execution.
        :param action: ``retry``, ``stop`` or ``continue``.
        """
        checked = yield from self.checked_inputs.steps(ref.workflow_id, parameters, data_requirements)
        yield from self.act_on_step.steps(
            ref.workflow_id, ref.run_id, step_id, action, parameters=checked[0], data_requirements=checked[1]
        )

    @operation
    def get_runs(self, refs: Sequence[RunRef]) -> Steps[Mapping[RunRef, Run | MLWorkflowsError]]:
        """Read several executions: one by one if they are few, otherwise from their workflows' lists.

        Of a list only names, statuses and steps are read. It may not show steps, and calls a waiting execution
        ``running``; then one look at the todo list of the workspace tells which of them wait
        (ListWorkflowExecutions, ShowWorkflowsTodolist).
        """
        runs: dict[RunRef, Run | MLWorkflowsError] = {}
        if len(refs) >= WORTH_A_LIST:
            for wanted in by_workflow(refs):
                runs |= yield from self._listed_runs_or_error(wanted)
            unsure = {
                ref: run
                for ref, run in runs.items()
                if isinstance(run, Run) and run.state is RunState.ACTIVE and not run.has_steps
            }
            if unsure:
                runs |= yield from self._waiting_runs_or_error(unsure)
        missing = [ref for ref in refs if ref not in runs]
        return {**runs, **(yield from super().get_runs.steps(missing))}

    def _listed_runs_or_error(self, wanted: Sequence[RunRef]) -> Steps[Mapping[RunRef, Run | MLWorkflowsError]]:
        """Executions of one workflow; its errors concern nobody else."""
        workflow_id = wanted[0].workflow_id
        if workflow_id in self._unlistable:
            return {}
        try:
            return (yield from self._listed_runs(workflow_id, {ref.run_id: ref for ref in wanted}))
        except NotFoundError:
            return {}  # reading them one by one tells what is missing
        except PermissionDeniedError as error:
            self.log.warning("Executions of %s may not be listed, so each is read by itself. %s", workflow_id, error)
            self._unlistable.add(workflow_id)
            return {}
        except AuthenticationError:
            raise  # it concerns everybody
        except MLWorkflowsError as error:
            return dict.fromkeys(wanted, error)

    def _waiting_runs_or_error(self, unsure: Mapping[RunRef, Run]) -> Steps[Mapping[RunRef, Run | MLWorkflowsError]]:
        """Those of the runs that wait; if nobody can tell, each is read by itself, or shares the error."""
        try:
            return (yield from self._waiting_runs(unsure))
        except PermissionDeniedError:
            return (yield from super().get_runs.steps(list(unsure)))
        except MLWorkflowsError as error:
            return dict.fromkeys(unsure, error)

    def batches(self, refs: Sequence[RunRef]) -> list[Sequence[RunRef]]:
        """Executions of the same workflow are read together, where that saves requests."""
        listed: list[RunRef] = []
        single: list[list[RunRef]] = []
        for group in by_workflow(refs):
            if len(group) >= WORTH_A_LIST and group[0].workflow_id not in self._unlistable:
                listed += group
            else:
                single += [[ref] for ref in group]
        return [listed, *single] if listed else [*single]

    def _listed_runs(self, workflow_id: str, wanted: Mapping[str, RunRef]) -> Steps[dict[RunRef, Run]]:
        """The wanted executions of a workflow, as far as its newest pages show them.

        If they lie scattered, more pages are read than they would fill, as long as each shows another one.
        """
        found: dict[RunRef, Run] = {}
        offset = 0
        for pages in count(1):
            listing = self.list_executions.steps(
                workflow_id, sort_by="create_time", order="desc", limit=PAGE_SIZE, offset=offset
            )
            page = (yield from next(listing).read_as(ExecutionGlances)).items or []
            known = len(found)
            found |= self._remembered.read(shown_in(page, "execution_id", wanted), self._listed_run)
            offset += len(page)
            is_in_vain = len(found) == known and pages > ceil(len(wanted) / PAGE_SIZE)
            if len(found) == len(wanted) or not page or is_in_vain:
                break
        return found

    def _listed_run(self, ref: RunRef, item: Any) -> Run:
        return self._run(Execution.model_validate(item), ref.workflow_id)

    def _waiting_runs(self, runs: Mapping[RunRef, Run]) -> Steps[dict[RunRef, Run]]:
        """Those of the runs that the todo list names, as waiting, with the steps that it names."""
        todos = yield from self.list_todos.steps()
        waiting: defaultdict[RunRef, list[Step]] = defaultdict(list)
        for todo in sorted(todos.items, key=lambda todo: todo.step_name):
            waiting[RunRef(todo.workflow_id, todo.execution_id)].append(waiting_step(todo))
        return {
            ref: replace(run, state=RunState.WAITING, steps=tuple(waiting[ref]))
            for ref, run in runs.items()
            if ref in waiting and run.state is RunState.ACTIVE
        }

    @operation
    def get_metrics(self, run: Run) -> Steps[Mapping[str, Any]]:
        """What the finished steps measured, by step name (ShowWorkflowStepExecutionMetrics)."""
        measured: dict[str, Any] = {}
        for step in run.steps:
            if step.state is RunState.SUCCEEDED:
                metrics = yield from self.show_step_metrics.steps(run.ref.workflow_id, run.ref.run_id, step.id)
                if metrics:
                    measured[step.name] = [
                        {"key": metric.key, "title": metric.title, "type": metric.type, "data": metric.data}
                        for metric in metrics
                    ]
        return measured

    @operation
    def get_failure_log(self, run: Run) -> Steps[str]:
        """The last 50 log lines of each failed training step (ShowTrainingJobDetails, ShowTrainingJobLogs)."""
        execution = yield from self.show_execution.steps(run.ref.workflow_id, run.ref.run_id)
        failed = {step.id for step in run.failed_steps}
        parts = []
        for step in execution.steps_execution:
            if step.uuid in failed and step.type in JOB_STEP_TYPES:
                text = yield from self._job_log(step)
                if text:
                    parts.append(f"Last log lines of step {step.step_name}:\n{text}")
        return "\n".join(parts)

    def _job_log(self, step: StepExecution) -> Steps[str]:
        job_id = next((str(step.instance[key]) for key in JOB_ID_KEYS if step.instance.get(key)), None)
        if job_id is None:
            self.log.warning(
                "The training job of step %s is not known, so its log cannot be shown (instance_id has %s).",
                step.step_name,
                ", ".join(map(repr, step.instance)) or "nothing",
            )
            return ""
        job = yield from self.show_training_job.steps(job_id)
        failing = [status.task for status in job.status.task_statuses if status.exit_code]
        task = next(iter(failing or job.status.tasks), "worker-0")
        log = yield from self.show_training_job_log.steps(job_id, task, lines=LOG_LINES)
        return log.content.rstrip()

    @operation
    def checked_inputs(
        self, workflow_id: str, parameters: Inputs, data_requirements: Inputs
    ) -> Steps[tuple[list[dict[str, Any]], list[dict[str, Any]]]]:
        """Inputs in the service's form, checked against what the workflow declares (ShowWorkflow).

        :raises InvalidInputError: if the workflow does not have such an input, or not of that type.
        :raises NotFoundError: if there is no such workflow.
        """
        workflow = yield from self.show_workflow.steps(workflow_id)
        return (
            parameter_items(parameters, workflow.parameters),
            data_requirement_items(data_requirements, workflow.data_requirements),
        )

    def check_execution(self, workflow_id: str, **arguments: Any) -> None:
        """Check the form of `create_execution`'s arguments. Sends nothing.

        :raises InvalidInputError: if one cannot be right.
        """
        next(self.create_execution.steps(workflow_id, **arguments)).content()

    @operation
    def start_execution(self, workflow_id: str, /, **arguments: Any) -> Steps[Run]:
        """Start a workflow (CreateWorkflowExecution); arguments as `create_execution` takes them."""
        execution = yield from self.create_execution.steps(workflow_id, **arguments)
        return self._run(execution, workflow_id)

    @operation
    def find_execution(self, workflow_id: str, label: str) -> Steps[Run | None]:
        """The newest execution of a workflow that carries a label (ListWorkflowExecutions), None if there is none."""
        page = yield from self.list_executions.steps(
            workflow_id, labels=label, sort_by="create_time", order="desc", limit=10, offset=0
        )
        for execution in page.items:
            if label in (execution.labels or ()):
                return self._run(execution, workflow_id)
        return None

    @operation
    def repair_execution(self, run: Run, *, parameters: Inputs = (), data_requirements: Inputs = ()) -> Steps[None]:
        """Resume a failed execution where it failed: retry its failed steps, or rerun it if none is known.

        A stopped execution is resumed at its stopped steps (CreateWorkflowStepExecutionsActions ``retry``,
        CreateWorkflowExecutionsActions ``rerun``).

        :param run: as last read.
        :param parameters: inputs to go on with, changed ones included.
        :param data_requirements: data to go on with, changed ones included.
        :raises ApiError: if the service refuses.
        """
        ref = run.ref
        broken = run.failed_steps or tuple(step for step in run.steps if step.state is RunState.STOPPED)
        if not broken:
            yield from self.act_on_execution.steps(
                ref.workflow_id,
                ref.run_id,
                "rerun",
                parameters=parameters,
                data_requirements=data_requirements,
            )
        for number, step in enumerate(broken):
            try:
                yield from self.act_on_step.steps(
                    ref.workflow_id,
                    ref.run_id,
                    step.id,
                    "retry",
                    parameters=parameters,
                    data_requirements=data_requirements,
                )
            except MLWorkflowsError as error:
                if number == 0:
                    raise
                # One retry already brings the execution back to life; what else failed shows at its end.
                self.log.warning("Step %s could not be retried as well: %s", step.name, error)

    def execution_url(self, workflow_id: str, execution_id: str) -> str:
        """Where the console shows an execution; "" if the region is not known."""
        console = self.console_url
        return f"{console}#/workflow/{workflow_id}/execution/{execution_id}" if console else ""

    def _run(self, execution: Execution, workflow_id: str) -> Run:
        url = self.execution_url(workflow_id, execution.execution_id)
        return run_of(execution, console_url=url, workflow_id=workflow_id)
