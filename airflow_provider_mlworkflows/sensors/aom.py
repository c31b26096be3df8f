"""Waiting for executions of AOM automation that something else started."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airflow_provider_mlworkflows.choices import checked_step, states_as_text
from airflow_provider_mlworkflows.runs import RunRef
from airflow_provider_mlworkflows.sensors.base import RunSensor
from airflow_provider_mlworkflows.services.aom import AOM


class AomExecutionSensor(RunSensor):
    """Wait until an execution of a workflow is over (SearchWorkflowExecutionDetail).

    Returns the execution's id; pushes ``run`` and ``steps``.

    :param workflow_id: the workflow.
    :param execution_id: the execution.
    :param states: what statuses mean, where it is not what the hook believes: ``{literal: state}``.
    :param huawei_conn_id: Airflow connection; None for the environment's own credentials.
    :param region: overrides the connection's region.
    :param project_id: overrides the connection's project.
    :param kwargs: as `RunSensor` and Airflow's ``BaseSensorOperator`` take them.
    :raises RunError: if the execution does not succeed.
    """

    service = AOM
    template_fields: Sequence[str] = ("workflow_id", "execution_id", "huawei_conn_id", "region", "project_id")

    def __init__(
        self,
        *,
        workflow_id: str,
        execution_id: str,
        states: Mapping[str, str] | str | None = None,
        huawei_conn_id: str | None = "huawei_mlworkflows_default",
        region: str | None = None,
        project_id: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.workflow_id = workflow_id
        self.execution_id = execution_id
        self.states = states_as_text(states)
        self.huawei_conn_id = huawei_conn_id
        self.region = region
        self.project_id = project_id

    @property
    def ref(self) -> RunRef:
        """The execution."""
        return RunRef(self.workflow_id, self.execution_id)


class AomNodeSensor(AomExecutionSensor):
    """Wait until a node of an execution is over (SearchWorkflowExecutionDetail).

    Returns the execution's id; pushes ``run``, ``steps`` and ``step``. While the execution goes on, a node that it
    has not come to is waited for.

    :param node: name or id of the node.
    :param skip_on_missing: skip the task if the execution ends without having come to the node.
    :param kwargs: as `AomExecutionSensor` takes them.
    :raises RunError: if the node does not succeed.
    """

    template_fields: Sequence[str] = ("node", *AomExecutionSensor.template_fields)

    def __init__(self, *, node: str, skip_on_missing: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.node = node
        self.skip_on_missing = skip_on_missing

    @property
    def watched_step(self) -> str:
        """The node's name or id."""
        return checked_step("node", self.node)
