"""Waiting for executions of data workflows and their states."""

from __future__ import annotations

from typing import Any

from airflow_provider_mlworkflows.services.obs import OBS
from airflow_provider_mlworkflows.triggers.run import RunTrigger


class ObsExecutionTrigger(RunTrigger):
    """Waits for an execution of a data workflow, or for one state of it (listWorkflowExecution, getWorkflowExecution).

    :param huawei_conn_id: Airflow connection; None for the environment's own credentials.
    :param region: overrides the connection's region.
    :param project_id: accepted as by the triggers of other services.
    :param watch: what to wait for, as `RunTrigger` takes it; ``workflow_id`` and ``run_id`` are the names of workflow
        and execution.
    """

    service = OBS

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
