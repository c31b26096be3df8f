"""Waiting for executions of data workflows that something else started."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airflow_provider_mlworkflows.choices import checked_step
from airflow_provider_mlworkflows.runs import RunRef
from airflow_provider_mlworkflows.sensors.base import RunSensor
from airflow_provider_mlworkflows.services.obs import OBS


class ObsExecutionSensor(RunSensor):
    """Wait until an execution of a data workflow is over (getWorkflowExecution).

    Returns the execution's name; pushes ``run`` and ``steps``.

    :param graph_name: name of the workflow.
    :param execution_name: name of the execution.
    :param huawei_conn_id: Airflow connection; None for the environment's own credentials.
    :param region: overrides the connection's region.
    :param project_id: accepted as by the sensors of other services.
    :param kwargs: as `RunSensor` and Airflow's ``BaseSensorOperator`` take them.
    :raises RunError: if the execution does not succeed.
    """

    service = OBS
    template_fields: Sequence[str] = ("graph_name", "execution_name", "huawei_conn_id", "region", "project_id")

    def __init__(
        self,
        *,
        graph_name: str,
        execution_name: str,
        huawei_conn_id: str | None = "huawei_mlworkflows_default",
        region: str | None = None,
        project_id: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.graph_name = graph_name
        self.execution_name = execution_name
        self.huawei_conn_id = huawei_conn_id
        self.region = region
        self.project_id = project_id

    @property
    def ref(self) -> RunRef:
        """The execution."""
        return RunRef(self.graph_name, self.execution_name)


class ObsStateSensor(ObsExecutionSensor):
    """Wait until a state of an execution is over (getWorkflowExecution).

    Returns the execution's name; pushes ``run``, ``steps`` and ``step``. While the execution goes on, a state that
    has not been entered is waited for.

    :param state: name of the state.
    :param skip_on_missing: skip the task if the execution ends without having entered the state.
    :param kwargs: as `ObsExecutionSensor` takes them.
    :raises RunError: if the state does not succeed.
    """

    template_fields: Sequence[str] = ("state", *ObsExecutionSensor.template_fields)

    def __init__(self, *, state: str, skip_on_missing: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.state = state
        self.skip_on_missing = skip_on_missing

    @property
    def watched_step(self) -> str:
        """The state's name."""
        return checked_step("state", self.state)
