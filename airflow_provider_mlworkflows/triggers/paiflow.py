"""Waiting for Alibaba Cloud PAI pipeline runs and their nodes."""

from __future__ import annotations

from typing import Any

from airflow_provider_mlworkflows.services.paiflow import PAIFLOW
from airflow_provider_mlworkflows.triggers.run import RunTrigger


class PaiFlowRunTrigger(RunTrigger):
    """Waits for a pipeline run, or for one node of it (ListPipelineRunsStatus, GetPipelineRunNode).

    :param alibaba_conn_id: Airflow connection; None for the environment's own credentials.
    :param region: overrides the connection's region.
    :param workspace_id: overrides the connection's workspace.
    :param watch: what to wait for, as `RunTrigger` takes it.
    """

    service = PAIFLOW

    def __init__(
        self,
        *,
        alibaba_conn_id: str | None = "alibaba_mlworkflows_default",
        region: str | None = None,
        workspace_id: str | None = None,
        **watch: Any,
    ) -> None:
        super().__init__(**watch)
        self.alibaba_conn_id = alibaba_conn_id
        self.region = region
        self.workspace_id = workspace_id
