"""Waiting for executions of AOM automation and their nodes."""

from __future__ import annotations

from typing import Any

from airflow_provider_mlworkflows.services.aom import AOM
from airflow_provider_mlworkflows.triggers.run import RunTrigger


class AomExecutionTrigger(RunTrigger):
    """Waits for an execution, or for one node of it (ListWorkflowExecutions, SearchWorkflowExecutionDetail).

    :param huawei_conn_id: Airflow connection; None for the environment's own credentials.
    :param region: overrides the connection's region.
    :param project_id: overrides the connection's project.
    :param states: what statuses mean, where it is not what the hook believes, as JSON text.
    :param watch: what to wait for, as `RunTrigger` takes it; ``run_id`` is the execution's id.
    """

    service = AOM

    def __init__(
        self,
        *,
        huawei_conn_id: str | None = "huawei_mlworkflows_default",
        region: str | None = None,
        project_id: str | None = None,
        states: str | None = None,
        **watch: Any,
    ) -> None:
        super().__init__(**watch)
        self.huawei_conn_id = huawei_conn_id
        self.region = region
        self.project_id = project_id
        self.states = states
