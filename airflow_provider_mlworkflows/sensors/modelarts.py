"""Waiting for ModelArts workflow executions that something else started."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airflow_provider_mlworkflows.choices import checked_step
from airflow_provider_mlworkflows.runs import RunRef
from airflow_provider_mlworkflows.sensors.base import RunSensor
from airflow_provider_mlworkflows.services.modelarts import MODELARTS


class ModelArtsExecutionSensor(RunSensor):
    """Wait until an execution of a workflow is over (ShowWorkflowExecution).

    Returns the execution's id; pushes ``run`` and ``steps``.

    :param workflow_id: UUID of the workflow.
    :param execution_id: UUID of the execution.
    :param huawei_conn_id: Airflow connection; None for the environment's own credentials.
    :param region: overrides the connection's region.
    :param project_id: overrides the connection's project.
    :param kwargs: as `RunSensor` and Airflow's ``BaseSensorOperator`` take them.
    :raises RunError: if the execution does not succeed.
    """

    service = MODELARTS
    template_fields: Sequence[str] = (
        "workflow_id",
        "execution_id",
        "huawei_conn_id",
        "region",
        "project_id",
    )

    def __init__(
        self,
        *,
        workflow_id: str,
        execution_id: str,
        huawei_conn_id: str | None = "huawei_mlworkflows_default",
        region: str | None = None,
        project_id: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.workflow_id = workflow_id
        self.execution_id = execution_id
        self.huawei_conn_id = huawei_conn_id
        self.region = region
        self.project_id = project_id

    @property
    def ref(self) -> RunRef:
        """The execution."""
        return RunRef(self.workflow_id, self.execution_id)


class ModelArtsStepSensor(RunSensor):
    """Wait until a step of an execution is over (ShowWorkflowExecution).

    Returns the execution's id; pushes ``run``, ``steps`` and ``step``. The newest attempt of the step counts.
    While the execution goes on, a step that has not begun is waited for. A step that was skipped is success.

    :param workflow_id: UUID of the workflow.
    :param execution_id: UUID of the execution.
    :param step_name: name of the step.
    :param skip_on_missing: skip the task if the execution ends without having run the step.
    :param huawei_conn_id: Airflow connection; None for the environment's own credentials.
    :param region: overrides the connection's region.
    :param project_id: overrides the connection's project.
    :param kwargs: as `RunSensor` and Airflow's ``BaseSensorOperator`` take them.
    :raises RunError: if the step does not succeed.
    """

    service = MODELARTS
    template_fields: Sequence[str] = (
        "workflow_id",
        "execution_id",
        "step_name",
        "huawei_conn_id",
        "region",
        "project_id",
    )

    def __init__(
        self,
        *,
        workflow_id: str,
        execution_id: str,
        step_name: str,
        skip_on_missing: bool = False,
        huawei_conn_id: str | None = "huawei_mlworkflows_default",
        region: str | None = None,
        project_id: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.workflow_id = workflow_id
        self.execution_id = execution_id
        self.step_name = step_name
        self.skip_on_missing = skip_on_missing
        self.huawei_conn_id = huawei_conn_id
        self.region = region
        self.project_id = project_id

    @property
    def ref(self) -> RunRef:
        """The execution."""
        return RunRef(self.workflow_id, self.execution_id)

    @property
    def watched_step(self) -> str:
        """The step's name."""
        return checked_step("step_name", self.step_name)
