"""Huawei Cloud ModelArts Workflow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_mlworkflows.clouds.huawei.modelarts import ModelArtsApi
from airflow_provider_mlworkflows.clouds.huawei.modelarts_inputs import (
    Inputs,
    data_requirement_items,
    parameter_items,
)
from airflow_provider_mlworkflows.clouds.huawei.modelarts_states import run_of
from airflow_provider_mlworkflows.clouds.operation import Steps, operation
from airflow_provider_mlworkflows.exceptions import (
    BadRequestError,
    MLWorkflowsError,
    PermissionDeniedError,
)
from airflow_provider_mlworkflows.hooks import huawei
from airflow_provider_mlworkflows.hooks.base import ConnectionFields, RunHook
from airflow_provider_mlworkflows.runs import Run, RunRef, RunState

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.clouds.client import Client
    from airflow_provider_mlworkflows.clouds.huawei.modelarts_models import Execution

CONSOLE = "https://console.huaweicloud.com/modelarts/"


class ModelArtsHook(ModelArtsApi, RunHook):
    """Every operation of ModelArts workflows, and their executions in the words of every service.

    Operations can be called, or awaited through ``aio``::

        hook.show_execution(workflow_id, execution_id)
        await hook.show_execution.aio(workflow_id, execution_id)

    :param huawei_conn_id: Airflow connection of type ``huawei_mlworkflows``.
    :param region: overrides the connection's region, e.g. ``cn-north-4``.
    :param project_id: overrides the connection's project.
    :param options: as `RunHook` takes them.
    """

    conn_name_attr = huawei.CONN_NAME_ATTR
    default_conn_name = huawei.DEFAULT_CONN_NAME
    conn_type = huawei.CONN_TYPE
    hook_name = huawei.HOOK_NAME

    def __init__(
        self,
        huawei_conn_id: str = huawei.DEFAULT_CONN_NAME,
        *,
        region: str | None = None,
        project_id: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__(huawei_conn_id, **options)
        self.region = region
        self.project_id = project_id

    def client_for(self, fields: ConnectionFields) -> Client:
        """Make the client for ModelArts in the connection's region.

        :raises ConfigurationError: if the connection's fields do not make sense.
        """
        return huawei.huawei_client(
            fields,
            "modelarts",
            "ModelArts",
            region=self.region,
            project_id=self.project_id,
            timeout=self.timeout,
            patience=self.patience,
            clock=self.clock,
        )

    def test_connection(self) -> tuple[bool, str]:
        """List one workflow (ListWorkflows), and say what to change if that does not work."""
        try:
            workflows = self.list_workflows(limit=1, offset=0)
        except PermissionDeniedError as error:
            return False, f"{error} Listing workflows needs the IAM action modelarts:workflow:list."
        except MLWorkflowsError as error:
            return False, str(error)
        where = self.client.region or self.client.service.endpoint
        return True, f"ModelArts answers in {where}; {workflows.total or 0} workflows are visible."

    @operation
    def get_run(self, ref: RunRef) -> Steps[Run]:
        """Read an execution with its steps (ShowWorkflowExecution).

        :raises NotFoundError: if there is no such execution.
        """
        execution = yield from self.show_execution.steps(ref.workflow_id, ref.run_id)
        return self._run(execution, ref.workflow_id)

    @operation
    def stop_run(self, ref: RunRef) -> Steps[bool]:
        """Stop an execution (CreateWorkflowExecutionsActions, ``stop``).

        :returns: False if it was over or stopping already, so that nothing was sent.
        """
        run = yield from self.get_run.steps(ref)
        if run.state.is_terminal or run.state is RunState.STOPPING:
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

    @operation
    def start_execution(
        self,
        workflow_id: str,
        *,
        name: str | None = None,
        description: str | None = None,
        labels: Sequence[str] = (),
        scene_id: str | None = None,
        use_cache: bool | None = None,
        parameters: Inputs = (),
        data_requirements: Inputs = (),
    ) -> Steps[Run]:
        """Start a workflow (CreateWorkflowExecution); arguments as `create_execution` takes them."""
        execution = yield from self.create_execution.steps(
            workflow_id,
            name=name,
            description=description,
            labels=labels,
            scene_id=scene_id,
            use_cache=use_cache,
            parameters=parameters,
            data_requirements=data_requirements,
        )
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
        for step in broken:
            yield from self.act_on_step.steps(
                ref.workflow_id,
                ref.run_id,
                step.id,
                "retry",
                parameters=parameters,
                data_requirements=data_requirements,
            )

    def execution_url(self, workflow_id: str, execution_id: str) -> str:
        """Where the console shows an execution; "" if the region is not known."""
        if not self.client.region:
            return ""
        return f"{CONSOLE}?region={self.client.region}#/workflow/{workflow_id}/execution/{execution_id}"

    def _run(self, execution: Execution, workflow_id: str) -> Run:
        url = self.execution_url(workflow_id, execution.execution_id)
        return run_of(execution, console_url=url, workflow_id=workflow_id)
