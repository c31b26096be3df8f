"""Starting ModelArts workflows; the operators that act on their executions can be had here, too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_mlworkflows.choices import checked_list, checked_truth
from airflow_provider_mlworkflows.operators.modelarts_actions import (
    Inputs,
    ModelArtsExecutionActionOperator,
    ModelArtsStepActionOperator,
)
from airflow_provider_mlworkflows.operators.starting import StartOperator
from airflow_provider_mlworkflows.services.modelarts import MODELARTS

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.hooks.modelarts import ModelArtsHook
    from airflow_provider_mlworkflows.operators.records import StartRecord
    from airflow_provider_mlworkflows.runs import Run

__all__ = ["ModelArtsExecutionActionOperator", "ModelArtsStartWorkflowOperator", "ModelArtsStepActionOperator"]


class ModelArtsStartWorkflowOperator(StartOperator):
    """Start an execution of a workflow and follow it to its end (CreateWorkflowExecution).

    Returns the execution's id. Pushes ``run_id`` and ``run_url`` as soon as the execution exists, and ``run``,
    ``steps`` and ``outputs`` when it is over. The execution carries one label of this operator's own, by which
    a later attempt finds it.

    :param workflow_id: UUID of the workflow.
    :param parameters: ``{name: value}``; each must be declared by the workflow and is checked against its type.
    :param data_requirements: ``{name: value}``, a value being ``obs://bucket/directory/`` or the service's map.
    :param execution_name: name of the execution; the service numbers it if None.
    :param description: free text.
    :param labels: further labels of the execution.
    :param scene_id: scene of the workflow, which chooses the steps to run.
    :param use_cache: whether steps with unchanged inputs are taken from an earlier execution.
    :param huawei_conn_id: Airflow connection; None for the environment's own credentials.
    :param region: overrides the connection's region.
    :param project_id: overrides the connection's project.
    :param kwargs: as `StartOperator` and `RunOperator` take them.
    :raises InvalidInputError: before anything is started, if an argument cannot be right.
    :raises RunError: if the execution does not succeed.
    """

    service = MODELARTS
    template_fields: Sequence[str] = (
        "workflow_id",
        "parameters",
        "data_requirements",
        "execution_name",
        "description",
        "labels",
        "scene_id",
        "use_cache",
        "waiting_inputs",
        "huawei_conn_id",
        "region",
        "project_id",
    )
    template_fields_renderers = {"parameters": "json", "data_requirements": "json"}  # noqa: RUF012

    if TYPE_CHECKING:
        hook: ModelArtsHook

    def __init__(
        self,
        *,
        workflow_id: str,
        parameters: Inputs = (),
        data_requirements: Inputs = (),
        execution_name: str | None = None,
        description: str | None = None,
        labels: Sequence[str] = (),
        scene_id: str | None = None,
        use_cache: bool | None = None,
        huawei_conn_id: str | None = "huawei_mlworkflows_default",
        region: str | None = None,
        project_id: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.workflow_id = workflow_id
        self.parameters = parameters
        self.data_requirements = data_requirements
        self.execution_name = execution_name
        self.description = description
        self.labels = labels
        self.scene_id = scene_id
        self.use_cache = use_cache
        self.huawei_conn_id = huawei_conn_id
        self.region = region
        self.project_id = project_id

    @property
    def started_workflow(self) -> str:
        """The workflow."""
        return self.workflow_id

    def prepare_start(self) -> None:
        """Check the inputs against the workflow's declarations (ShowWorkflow), and the rest by its form."""
        self._checked = self.hook.checked_inputs(self.workflow_id, self.parameters, self.data_requirements)
        self.hook.check_execution(self.workflow_id, **self._arguments("airflow-marker"))

    def start_run(self, marker: str) -> Run:
        """Start the execution, labelled with the marker."""
        return self.hook.start_execution(self.workflow_id, **self._arguments(marker))

    def _arguments(self, marker: str) -> dict[str, Any]:
        parameters, data_requirements = self._checked
        return {
            "name": self.execution_name,
            "description": self.description,
            "labels": [*checked_list("labels", self.labels), marker],
            "scene_id": self.scene_id,
            "use_cache": checked_truth("use_cache", self.use_cache),
            "parameters": parameters,
            "data_requirements": data_requirements,
        }

    def find_started(self, record: StartRecord) -> Run | None:
        """The execution labelled with the marker."""
        return self.hook.find_execution(record.workflow_id, record.token)

    def repair_run(self, run: Run) -> None:
        """Retry the failed steps with the operator's inputs (CreateWorkflowStepExecutionsActions)."""
        parameters, data_requirements = self.hook.checked_inputs(
            self.workflow_id, self.parameters, self.data_requirements
        )
        self.hook.repair_execution(run, parameters=parameters, data_requirements=data_requirements)
