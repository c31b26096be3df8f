"""Waiting for ModelArts workflow executions and their steps."""

from __future__ import annotations

from typing import Any

from airflow_provider_mlworkflows.services.modelarts import MODELARTS
from airflow_provider_mlworkflows.triggers.run import RunTrigger


class ModelArtsExecutionTrigger(RunTrigger):
    """Waits for a workflow execution, or for one step of it (ListWorkflowExecutions, ShowWorkflowExecution).

    :param huawei_conn_id: Airflow connection; None for the environment's own credentials.
    :param region: overrides the connection's region.
    :param project_id: overrides the connection's project.
    :param watch: what to wait for, as `RunTrigger` takes it; ``run_id`` is the execution's id.
    """

    service = MODELARTS

    def __init__(
        self,
        *,
        huawei_conn_id: str | None = "huawei_mlworkflows_default",
        region: str | None = None,
        project_id: str | None = None,
        **watch: Any,
    ) -> None:
        super().__init__(**watch)
        self.huawei_conn_id = huawei_conn_id
        self.region = region
        self.project_id = project_id
