"""Huawei Cloud AOM automation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_mlworkflows.clouds.huawei.aom import AomWorkflowApi
from airflow_provider_mlworkflows.clouds.huawei.aom_actions import (
    CONSOLE,
    NODE_ACTIONS,
    check_action,
    check_no_approval,
    named_step,
    steps_to_restart,
)
from airflow_provider_mlworkflows.clouds.huawei.aom_errors import read_refusal
from airflow_provider_mlworkflows.clouds.huawei.aom_graph import WorkflowNodes
from airflow_provider_mlworkflows.clouds.huawei.aom_inputs import LONGEST_NAME, checked_name, required_choice
from airflow_provider_mlworkflows.clouds.huawei.aom_outputs import log_lines
from airflow_provider_mlworkflows.clouds.huawei.aom_requests import first_of
from airflow_provider_mlworkflows.clouds.huawei.aom_states import (
    INITIAL_STATUS,
    AomStates,
    Reader,
    is_approval,
    newest_results,
)
from airflow_provider_mlworkflows.clouds.huawei.aom_workflows import every_workflow
from airflow_provider_mlworkflows.clouds.operation import Steps, operation
from airflow_provider_mlworkflows.exceptions import (
    BadRequestError,
    InvalidInputError,
    MLWorkflowsError,
    NotFoundError,
    PermissionDeniedError,
    UnexpectedReplyError,
)
from airflow_provider_mlworkflows.hooks import huawei
from airflow_provider_mlworkflows.hooks.aom_batches import ListReader
from airflow_provider_mlworkflows.hooks.base import ConnectionFields, RunHook
from airflow_provider_mlworkflows.hooks.lists import begun_since
from airflow_provider_mlworkflows.runs import Run, RunRef, RunState, Step

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_provider_mlworkflows.clouds.client import Client
    from airflow_provider_mlworkflows.clouds.huawei.aom_models import Execution, Workflow

LOG_LINES = 50


class AomWorkflowHook(AomWorkflowApi, RunHook):
    """Every operation of AOM automation, and its executions in the words of every service.

    Operations can be called, or awaited through ``aio``::

        hook.show_execution(workflow_id, execution_id)
        await hook.show_execution.aio(workflow_id, execution_id)

    :param huawei_conn_id: Airflow connection of type ``huawei_mlworkflows`` or ``huaweicloud``; None for
        the environment's own credentials.
    :param region: overrides the connection's region, e.g. ``cn-north-4``. If it is another one, the connection's
        project is not used but looked up anew, and the connection may have no endpoint of the service.
    :param project_id: overrides the connection's project.
    :param states: what statuses mean that the service does not document, or that should mean something else here:
        ``{literal: state}``, in the words of `RunState`, or that as JSON text.
    :param options: as `RunHook` takes them.
    """

    conn_name_attr = huawei.CONN_NAME_ATTR
    default_conn_name = huawei.DEFAULT_CONN_NAME
    conn_type = huawei.CONN_TYPE
    hook_name = huawei.HOOK_NAME
    foreign_conn_types = huawei.FOREIGN_CONN_TYPES

    def __init__(
        self,
        huawei_conn_id: str | None = huawei.DEFAULT_CONN_NAME,
        *,
        region: str | None = None,
        project_id: str | None = None,
        states: Mapping[str, RunState | str] | str | None = None,
        **options: Any,
    ) -> None:
        super().__init__(huawei_conn_id, **options)
        self.region = region
        self.project_id = project_id
        self.states = AomStates(states)
        self._reader = Reader(self.states)
        self._nodes: dict[str, WorkflowNodes] = {}
        self._lists = ListReader()

    def client_for(self, fields: ConnectionFields) -> Client:
        """Make the client for AOM in the connection's region.

        :raises ConfigurationError: if the connection's fields do not make sense.
        """
        return huawei.huawei_client(
            fields,
            "aom",
            "AOM automation",
            region=self.region,
            project_id=self.project_id,
            refusal=read_refusal,
            **self.client_options,
        )

    def test_connection(self) -> tuple[bool, str]:
        """List one workflow (ListWorkflow); say who sees how many and where, or what to change.

        It is asked once, and given up after ten seconds without an answer.
        """
        return self.tested(
            "ListWorkflow", _visible, needed="Listing workflows needs a policy such as AOM ReadOnlyAccess."
        )

    # Reading runs

    @operation
    def get_run(self, ref: RunRef) -> Steps[Run]:
        """Read an execution with its nodes (SearchWorkflowExecutionDetail).

        Executions do not tell the names of nodes; these are looked up once per workflow (ListWorkflow).

        :raises NotFoundError: if there is no such execution.
        """
        execution = yield from self.show_execution.steps(ref.workflow_id, ref.run_id)
        return self._run(execution, ref, (yield from self._nodes_of(ref.workflow_id)))

    @operation
    def get_runs(self, refs: Sequence[RunRef]) -> Steps[Mapping[RunRef, Run | MLWorkflowsError]]:
        """Read several executions: from the list of their workflow, or one by one where that costs less.

        (ListWorkflowExecutions, SearchWorkflowExecutionDetail)
        """
        runs = yield from self._lists.read(refs, self._listed_runs)
        missing = [ref for ref in refs if ref not in runs]
        return {**runs, **(yield from super().get_runs.steps(missing))}

    def batches(self, refs: Sequence[RunRef]) -> list[Sequence[RunRef]]:
        """Executions of the same workflow are read together, where that costs less."""
        return self._lists.batches(refs)

    def _listed_runs(self, workflow_id: str) -> Steps[list[Run]]:
        nodes = yield from self._nodes_of(workflow_id)
        executions = yield from self.list_executions.steps(
            workflow_id, enterprise_project_id=nodes.enterprise_project_id or None
        )
        return [
            self._run(execution, RunRef(workflow_id, execution.execution_id), nodes, listed=True)
            for execution in executions
        ]

    def _nodes_of(self, workflow_id: str) -> Steps[WorkflowNodes]:
        """The nodes of a workflow, looked up once. Where that is impossible, their ids have to do."""
        if workflow_id not in self._nodes:
            try:
                # The workflow that is asked for has just run, as a rule: so it is found on the first page.
                workflows = every_workflow(sort_field="last_execution_start_time")
                yield from first_of(workflows, lambda workflow: self._remembered(workflow) == workflow_id)
            except (BadRequestError, NotFoundError, PermissionDeniedError, UnexpectedReplyError) as error:
                self.log.warning("The nodes of workflow %s are shown by their ids. %s", workflow_id, error)
        return self._nodes.setdefault(workflow_id, WorkflowNodes())

    def _remembered(self, workflow: Workflow) -> str:
        """The id of a workflow whose nodes are known from now on."""
        self._nodes.setdefault(workflow.id, WorkflowNodes.of(workflow))
        return workflow.id

    # Starting runs

    @operation
    def start_run(self, workflow_id: str) -> Steps[Run]:
        """Start a workflow with the input it was created with (ExecuteWorkflow)."""
        started = yield from self.execute_workflow.steps(workflow_id)
        return Run(
            ref=RunRef(workflow_id, started.execution_id),
            state=RunState.ACTIVE,
            status=INITIAL_STATUS,
            url=self.execution_url(workflow_id, started.execution_id),
            has_steps=False,
        )

    @operation
    def list_started(self, workflow_id: str, since: float) -> Steps[list[Run]]:
        """The executions of a workflow that have begun since, newest first (ListWorkflowExecutions).

        One without a time may be a new one.

        :param since: seconds since the epoch, by the service's clock; it tells times in whole milliseconds.
        """
        return begun_since(since, (yield from self._listed_runs(workflow_id)))

    @operation
    def find_started_as(self, name: str) -> Steps[Run | None]:
        """The newest execution of the workflow of a name (ListWorkflow, ListWorkflowExecutions).

        :returns: None if there is no such workflow, or it has not been executed.
        :raises InvalidInputError: if the name cannot be one, or several workflows have it.
        """
        try:
            workflow = yield from self.find_workflow.steps(name)
            self._remembered(workflow)
            started = yield from self.list_started.steps(workflow.id, 0.0)
        except NotFoundError:
            return None
        return started[0] if started else None

    @operation
    def find_workflow(self, name: str) -> Steps[Workflow]:
        """The workflow of a name (ListWorkflow).

        :raises InvalidInputError: if the name cannot be one, or several workflows have it.
        :raises NotFoundError: if there is none.
        """
        found = yield from self.iter_workflows.steps(search=checked_name(name))
        ours = [workflow for workflow in found if workflow.name == name and not workflow.is_delete]
        if len(ours) > 1:
            raise InvalidInputError(
                f"{len(ours)} workflows are called {name!r}. Name the one by its id: "
                f"{', '.join(workflow.id for workflow in ours)}."
            )
        if not ours:
            similar = ", ".join(repr(workflow.name) for workflow in found[:10] if not workflow.is_delete)
            raise NotFoundError(
                f"There is no workflow called {name!r}{f', only {similar}' if similar else ''}. Check its name, and "
                "the connection's region and project; the console calls workflows tasks.",
                operation="ListWorkflow",
            )
        return ours[0]

    def check_creation(self, name: str, /, **arguments: Any) -> None:
        """Check the form of `create_workflow`'s arguments. Sends nothing.

        :raises InvalidInputError: if one cannot be right.
        """
        next(self.create_workflow.steps(name, **arguments)).content()

    @operation
    def create_from_template(
        self,
        name: str,
        /,
        *,
        template_id: str,
        share_type: str = "private",
        input: Mapping[str, Any] | None = None,
        task_type: str = "customize",
        **fields: Any,
    ) -> Steps[Workflow]:
        """Create a workflow from a template, after a look at the template (SearchTemplateById, CreateWorkflow).

        :param name: 1 to 64 Chinese characters, letters, digits, ``-`` and ``_``.
        :param template_id: the template.
        :param share_type: ``private`` for one's own templates, ``public`` for those of the service.
        :param input: as in `create_workflow`.
        :param task_type: as in `create_workflow`.
        :param fields: as `create_workflow` takes them; template and job follow from the template.
        :raises InvalidInputError: before anything is sent, if an argument cannot be right.
        :raises NotFoundError: if there is no such template.
        """
        arguments = {"template_id": template_id, "input": input, "task_type": task_type, **fields}
        self.check_creation(name, **arguments)
        template = yield from self.show_template.steps(template_id, share_type=share_type)
        fits = 1 <= len(template.name) <= LONGEST_NAME  # what may be no argument is not worth a refusal
        known = {"template_name": template.name if fits else None, "job_id": template.job_id or None}
        return (yield from self.create_workflow.steps(name, **{**known, **arguments}))

    # Acting on runs

    @operation
    def stop_run(self, ref: RunRef, *, force: bool = False) -> Steps[bool]:
        """Stop an execution (StopExecution), also one that stands still at a failed node.

        :param force: send the request even if the execution looks over.
        :returns: False if it was over or stopping already.
        """
        if not force and (yield from self._is_settled(ref)):
            return False
        try:
            yield from self.terminate_execution.steps(ref.workflow_id, ref.run_id)
        except (BadRequestError, NotFoundError):
            # It may have ended between the two requests.
            if (yield from self._is_settled(ref)):
                return False
            raise
        return True

    def _is_settled(self, ref: RunRef) -> Steps[bool]:
        """Whether nothing is left to stop. A run that pauses at a failed node is not over for the service."""
        execution = yield from self.show_execution.steps(ref.workflow_id, ref.run_id)
        return self.states.is_settled(execution.status)

    @operation
    def continue_step(self, run: Run, step: Step, inputs: Mapping[str, Any]) -> Steps[None]:
        """Pass the pause at which an execution stands (StartPausingWorkflowExecutions, ``continue``).

        :param inputs: must be empty; nodes take no inputs while an execution goes on.
        :raises InvalidInputError: for an approval, which only a person can give, or if there are inputs.
        :raises ApiError: if the service refuses.
        """
        check_no_approval(run, step)
        if inputs:
            raise InvalidInputError(
                f"Step {step.name} takes no inputs: a pause is only passed. Give the workflow its input when it is "
                "created."
            )
        yield from self.operate_execution.steps(run.ref.workflow_id, run.ref.run_id, "continue", node_id=step.id)

    @operation
    def repair_run(self, run: Run) -> Steps[None]:
        """Restart the failed nodes of an execution, within it (StartPausingWorkflowExecutions, ``restart``).

        :param run: as last read.
        :raises BadRequestError: if it has no failed node that could be restarted.
        :raises ApiError: if the service refuses.
        """
        ref = run.ref
        if not run.has_steps:
            run = yield from self.get_run.steps(ref)
        failed = steps_to_restart(run, (yield from self._nodes_of(ref.workflow_id)))
        refusals: list[MLWorkflowsError] = []
        for step in failed:
            try:
                yield from self.operate_execution.steps(ref.workflow_id, ref.run_id, "restart", node_id=step.id)
            except MLWorkflowsError as error:
                refusals.append(error)
                self.log.warning("Node %s could not be restarted: %s", step.name, error)
        # One restart already brings the execution back to life; what else failed shows at its end.
        if len(refusals) == len(failed):
            raise refusals[0]

    @operation
    def operate_node(self, ref: RunRef, node: str, action: str) -> Steps[Step]:
        """Restart or skip a failed node, or pass a pause (StartPausingWorkflowExecutions).

        :param node: its id or its name.
        :param action: ``restart``, ``skip`` or ``continue``.
        :returns: the node as it was before.
        :raises InvalidInputError: before the action is sent, if there is no such action or the execution has come to
            no such node, or if the node is an approval, which only a person can give.
        :raises BadRequestError: before the action is sent, if it does not fit the state that the execution shows.
        :raises ApiError: if the service refuses.
        """
        required_choice("action", action, NODE_ACTIONS)
        run = yield from self.get_run.steps(ref)
        step = named_step(run, node)
        check_action(run, step, action)
        yield from self.operate_execution.steps(ref.workflow_id, ref.run_id, action, node_id=step.id)
        return step

    # What runs leave behind

    @operation
    def get_failure_log(self, run: Run) -> Steps[str]:
        """The last 50 lines that each failed node has put out (SearchWorkflowExecutionDetail)."""
        failed = {step.id: step.name for step in run.failed_steps if not is_approval(step)}
        if not failed:
            return ""
        execution = yield from self.show_execution.steps(run.ref.workflow_id, run.ref.run_id)
        newest = newest_results(execution)
        parts = []
        for node_id, name in failed.items():
            if node_id in newest and (lines := log_lines(newest[node_id].output)):
                parts.append("\n".join((f"Last log lines of step {name}:", *lines[-LOG_LINES:])))
        return "\n".join(parts)

    def execution_url(self, workflow_id: str, execution_id: str) -> str:
        """Where the console shows automation; "" if the region is not known.

        The address of a single execution is not documented: ids stand in the fragment for whoever reads it.
        """
        if not self.client.region:
            return ""
        return f"{CONSOLE}?region={self.client.region}#/automation/{workflow_id}/{execution_id}"

    def _run(self, execution: Execution, ref: RunRef, nodes: WorkflowNodes, *, listed: bool = False) -> Run:
        url = self.execution_url(ref.workflow_id, ref.run_id)
        return self._reader.run(execution, ref, nodes, url=url, listed=listed)


def _visible(hook: AomWorkflowHook) -> str:
    workflows = hook.list_workflows(size=1)
    return f"{workflows.total_elements or len(workflows.elements)} workflows are visible"
