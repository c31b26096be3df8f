"""Waiting for Alibaba Cloud PAI pipeline runs that something else started."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airflow_provider_mlworkflows.choices import checked_step
from airflow_provider_mlworkflows.runs import RunRef
from airflow_provider_mlworkflows.sensors.base import RunSensor
from airflow_provider_mlworkflows.services.paiflow import PAIFLOW


class PaiFlowRunSensor(RunSensor):
    """Wait until a pipeline run is over (GetPipelineRun, ListPipelineRunsStatus).

    Returns the run's id; pushes ``run`` and ``steps``.

    :param run_id: the run.
    :param alibaba_conn_id: Airflow connection; None for the environment's own credentials.
    :param region: overrides the connection's region.
    :param workspace_id: overrides the connection's workspace.
    :param kwargs: as `RunSensor` and Airflow's ``BaseSensorOperator`` take them.
    :raises RunError: if the run does not succeed.
    """

    service = PAIFLOW
    template_fields: Sequence[str] = ("run_id", "alibaba_conn_id", "region", "workspace_id")

    def __init__(
        self,
        *,
        run_id: str,
        alibaba_conn_id: str | None = "alibaba_mlworkflows_default",
        region: str | None = None,
        workspace_id: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.run_id = run_id
        self.alibaba_conn_id = alibaba_conn_id
        self.region = region
        self.workspace_id = workspace_id

    @property
    def ref(self) -> RunRef:
        """The run."""
        return RunRef("", self.run_id)


class PaiFlowNodeSensor(RunSensor):
    """Wait until a node of a pipeline run is over, at whatever depth it is (GetPipelineRunNode).

    Returns the run's id; pushes ``run``, ``steps`` and ``step``. While the run goes on, a node that has not begun
    is waited for. A node that a condition left out is success; one left out after a failure is not.

    :param run_id: the run.
    :param node: path of the node in sub-pipelines and loops, its id, or its plain name if no other node has it.
    :param skip_on_missing: skip the task if the run ends without having run the node.
    :param alibaba_conn_id: Airflow connection; None for the environment's own credentials.
    :param region: overrides the connection's region.
    :param workspace_id: overrides the connection's workspace.
    :param kwargs: as `RunSensor` and Airflow's ``BaseSensorOperator`` take them.
    :raises RunError: if the node does not succeed.
    :raises InvalidInputError: if several nodes have this plain name.
    """

    service = PAIFLOW
    template_fields: Sequence[str] = ("run_id", "node", "alibaba_conn_id", "region", "workspace_id")

    def __init__(
        self,
        *,
        run_id: str,
        node: str,
        skip_on_missing: bool = False,
        alibaba_conn_id: str | None = "alibaba_mlworkflows_default",
        region: str | None = None,
        workspace_id: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.run_id = run_id
        self.node = node
        self.skip_on_missing = skip_on_missing
        self.alibaba_conn_id = alibaba_conn_id
        self.region = region
        self.workspace_id = workspace_id

    @property
    def ref(self) -> RunRef:
        """The run."""
        return RunRef("", self.run_id)

    @property
    def watched_step(self) -> str:
        """The node's name or id."""
        return checked_step("node", self.node)
