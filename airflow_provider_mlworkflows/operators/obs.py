"""Starting data workflows of Huawei Cloud object storage and acting on their executions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_mlworkflows.exceptions import InvalidInputError
from airflow_provider_mlworkflows.operators.acting import RerunOperator
from airflow_provider_mlworkflows.operators.unmarked import UnmarkedStartOperator
from airflow_provider_mlworkflows.runs import RunRef
from airflow_provider_mlworkflows.services.obs import OBS

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.hooks.obs import ObsWorkflowHook
    from airflow_provider_mlworkflows.operators.records import StartRecord
    from airflow_provider_mlworkflows.runs import Run

SCOPE_FIELDS = ("huawei_conn_id", "region", "project_id")
MARKER_LIKE = "airflow-0123456789abcdef"
LARGEST_SKEW = 1200.0
"""Seconds by which the clocks of two parties may differ; the service refuses requests beyond 15 minutes."""


class ObsStartWorkflowOperator(UnmarkedStartOperator):
    """Start a data workflow for an object and follow its execution to the end (asyncAPIStartWorkflow).

    Returns the execution's name. Pushes ``run_id`` and ``run_url`` as soon as the execution exists, and ``run`` and
    ``steps`` when it is over.

    Nothing stops an execution: one whose task is killed, cleared or out of time goes on to its own end.

    :param graph_name: name of the workflow.
    :param bucket: bucket of the object.
    :param object_key: the object, without its bucket.
    :param inputs: ``{name: value}``; each must be declared by the workflow and is checked against its type.
    :param marker_input: name of a parameter of type String that the workflow declares for this purpose. It gets a
        token of this operator's own, by which a later attempt finds the execution for sure.
    :param huawei_conn_id: Airflow connection; None for the environment's own credentials.
    :param region: overrides the connection's region.
    :param project_id: accepted as by the operators of other services.
    :param kwargs: as `UnmarkedStartOperator`, `StartOperator` and `RunOperator` take them.
    :raises InvalidInputError: before anything is started, if an argument cannot be right.
    :raises StartUncertainError: if a start was not answered, and which execution is the one cannot be told.
    :raises RunError: if the execution does not succeed.
    """

    service = OBS
    template_fields: Sequence[str] = ("graph_name", "bucket", "object_key", "inputs", "marker_input", *SCOPE_FIELDS)
    template_fields_renderers = {"inputs": "json"}  # noqa: RUF012

    if TYPE_CHECKING:
        hook: ObsWorkflowHook

    def __init__(
        self,
        *,
        graph_name: str,
        bucket: str,
        object_key: str,
        inputs: Mapping[str, Any] | None = None,
        marker_input: str | None = None,
        huawei_conn_id: str | None = "huawei_mlworkflows_default",
        region: str | None = None,
        project_id: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.graph_name = graph_name
        self.bucket = bucket
        self.object_key = object_key
        self.inputs = inputs
        self.marker_input = marker_input
        self.huawei_conn_id = huawei_conn_id
        self.region = region
        self.project_id = project_id

    @property
    def started_workflow(self) -> str:
        """The workflow's name."""
        return self.graph_name

    @property
    def leaves_marker(self) -> bool:
        """Whether a parameter of the workflow takes the token."""
        return bool(self.marker_input)

    def prepare_start(self) -> None:
        """Check form and inputs against what the workflow declares (getWorkflow)."""
        self.hook.check_start(self.graph_name, bucket=self.bucket, object_key=self.object_key, inputs=self.inputs)
        if self.marker_input and self.marker_input in (self.inputs or {}):
            raise InvalidInputError(f"{self.marker_input!r} is marker_input and gets a token: take it out of inputs.")
        self._checked = self._checked_inputs()

    def _checked_inputs(self) -> dict[str, Any] | None:
        """The inputs as the workflow declares them; the marker's place is held by a text like it."""
        held = {self.marker_input: MARKER_LIKE} if self.marker_input else {}
        return self.hook.checked_inputs(self.graph_name, {**(self.inputs or {}), **held} or None)

    def start_run(self, marker: str) -> Run:
        """Start an execution, with the marker as an input if there is one for it."""
        marked = {self.marker_input: marker} if self.marker_input else {}
        return self.hook.start_run(
            self.graph_name,
            bucket=self.bucket,
            object_key=self.object_key,
            inputs={**(self._checked or {}), **marked} or None,
        )

    def recent_runs(self, workflow_id: str, since: float) -> Sequence[Run]:
        """The executions of a workflow that calls have started (listWorkflowExecution)."""
        return self.hook.list_started(workflow_id, since)

    def state_before(self) -> dict[str, Any] | None:
        """The parameter that takes the token, or the executions that are there already."""
        return {"marker_input": self.marker_input} if self.leaves_marker else super().state_before()

    def given(self) -> dict[str, Any]:
        """The object, and the inputs as the workflow declares them."""
        return {"bucket": self.bucket, "object_key": self.object_key, "inputs": self._checked}

    def resembles(self, run: Run, given: Any) -> bool:
        """Whether an execution may be for this object, with these inputs (getWorkflowExecution)."""
        return self.hook.may_stem_from(run.ref, **given)

    def find_started(self, record: StartRecord) -> Run | None:
        """The execution that has the token as an input."""
        return self.hook.find_started_with(
            record.workflow_id, record.before["marker_input"], record.token, since=record.intent_at - LARGEST_SKEW
        )

    def repair_run(self, run: Run) -> None:
        """Let the execution go on where it failed, under its name (restoreFailedWorkflowExecution)."""
        self.hook.repair_run(run)


class ObsRestoreExecutionOperator(RerunOperator):
    """Let a failed execution go on where it failed, and follow it to its new end (restoreFailedWorkflowExecution).

    Returns the execution's name. States that are over do not run again.

    An answered call is not sent again by a later attempt of the task. Of a worker that dies within the call only its
    intent is known: the next attempt looks for half a minute whether the execution has changed since, and if not
    sends the call again. That the first one did not arrive, or will not take effect still, cannot be proven.

    :param graph_name: name of the workflow.
    :param execution_name: name of the execution.
    :param huawei_conn_id: Airflow connection; None for the environment's own credentials.
    :param region: overrides the connection's region.
    :param project_id: accepted as by the operators of other services.
    :param kwargs: as `StartOperator` and `RunOperator` take them.
    :raises RunError: if the execution does not succeed.
    """

    service = OBS
    template_fields: Sequence[str] = ("graph_name", "execution_name", *SCOPE_FIELDS)

    if TYPE_CHECKING:
        hook: ObsWorkflowHook

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

    def rerun(self, run: Run) -> None:
        """Ask for the execution to be restored."""
        self.hook.repair_run(run)
