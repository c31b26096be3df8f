"""Acting on executions of ModelArts workflows and on their steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_mlworkflows.choices import checked_choice, checked_list
from airflow_provider_mlworkflows.operators.acting import RerunOperator, StepActionOperator
from airflow_provider_mlworkflows.runs import RunRef, RunState
from airflow_provider_mlworkflows.services.modelarts import MODELARTS

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_mlworkflows.exceptions import RunError
    from airflow_provider_mlworkflows.hooks.modelarts import ModelArtsHook
    from airflow_provider_mlworkflows.runs import Run, Step

EXECUTION_ACTIONS = ("stop", "rerun")
Inputs = Mapping[str, Any] | Sequence[Mapping[str, Any]]
"""``{name: value}``, or the service's own list of ``{name, type, value}``."""


class ModelArtsExecutionActionOperator(RerunOperator):
    """Stop an execution, or run it again within the same record (CreateWorkflowExecutionsActions).

    Returns the execution's id. ``stop`` succeeds once the execution is over, also if it was over already.
    ``rerun`` follows the execution to its new end, as starting one does. Once answered it is not sent again by a later
    attempt of the task; if its answer was lost, only if the execution has shown no change for half a minute.

    :param workflow_id: UUID of the workflow.
    :param execution_id: UUID of the execution.
    :param action: ``stop`` or ``rerun``.
    :param rerun_steps: names of the steps to begin with; all if empty.
    :param parameters: new parameters for a rerun, ``{name: value}``.
    :param data_requirements: new data for a rerun, ``{name: value}``.
    :param huawei_conn_id: Airflow connection; None for the environment's own credentials.
    :param region: overrides the connection's region.
    :param project_id: overrides the connection's project.
    :param kwargs: as `StartOperator` and `RunOperator` take them.
    :raises InvalidInputError: before anything is sent, if an argument cannot be right.
    :raises RunError: if the execution that runs again does not succeed.
    """

    service = MODELARTS
    template_fields: Sequence[str] = (
        "workflow_id",
        "execution_id",
        "action",
        "rerun_steps",
        "parameters",
        "data_requirements",
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
        execution_id: str,
        action: str,
        rerun_steps: Sequence[str] = (),
        parameters: Inputs = (),
        data_requirements: Inputs = (),
        huawei_conn_id: str | None = "huawei_mlworkflows_default",
        region: str | None = None,
        project_id: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.workflow_id = workflow_id
        self.execution_id = execution_id
        self.action = action
        self.rerun_steps = rerun_steps
        self.parameters = parameters
        self.data_requirements = data_requirements
        self.huawei_conn_id = huawei_conn_id
        self.region = region
        self.project_id = project_id

    @property
    def ref(self) -> RunRef:
        """The execution."""
        return RunRef(self.workflow_id, self.execution_id)

    def obtain_run(self, context: Context) -> tuple[Run, float]:
        """Send the action, unless an earlier attempt of the task has."""
        checked_choice("action", self.action, EXECUTION_ACTIONS)
        checked_list("rerun_steps", self.rerun_steps)
        if self.action == "rerun":
            return super().obtain_run(context)
        self.hook.stop_run(self.ref)
        return self.hook.get_run(self.ref), self.clock.time() + self.timeout

    def prepare_start(self) -> None:
        """Check the inputs against the workflow's declarations, and note how the execution looks before."""
        super().prepare_start()
        self._checked = self.hook.checked_inputs(self.workflow_id, self.parameters, self.data_requirements)

    def rerun(self, run: Run) -> None:
        """Ask for the execution to be run again."""
        parameters, data_requirements = self._checked
        self.hook.act_on_execution(
            self.workflow_id,
            self.execution_id,
            "rerun",
            rerun_steps=self.rerun_steps,
            parameters=parameters,
            data_requirements=data_requirements,
        )

    def repair_run(self, run: Run) -> None:
        """Retry the failed steps with the operator's inputs (CreateWorkflowStepExecutionsActions)."""
        self.hook.repair_execution(run, parameters=self.parameters, data_requirements=self.data_requirements)

    def outcome_error(self, run: Run) -> RunError | None:
        """What a stop was meant to reach is no error."""
        return None if self.action == "stop" else super().outcome_error(run)


class ModelArtsStepActionOperator(StepActionOperator):
    """Retry, stop or continue a step of an execution (CreateWorkflowStepExecutionsActions).

    Returns the execution's id and pushes ``step``. The action is sent only if the step's state calls for it, so
    that a repeated attempt of the task does no harm: ``retry`` to a failed or stopped step, ``continue`` to a
    waiting one, ``stop`` to one that goes on.

    :param workflow_id: UUID of the workflow.
    :param execution_id: UUID of the execution.
    :param step: name of the step, or the UUID it has in this execution.
    :param action: ``retry``, ``stop`` or ``continue``.
    :param parameters: parameters to go on with, ``{name: value}``.
    :param data_requirements: data to go on with, ``{name: value}``.
    :param huawei_conn_id: Airflow connection; None for the environment's own credentials.
    :param region: overrides the connection's region.
    :param project_id: overrides the connection's project.
    :param kwargs: as `StepActionOperator` and `RunOperator` take them.
    :raises InvalidInputError: before anything is sent, if an argument cannot be right.
    :raises RunError: if the step does not end as the action intends.
    """

    service = MODELARTS
    actions = {  # noqa: RUF012
        "retry": frozenset({RunState.FAILED, RunState.STOPPED}),
        "stop": frozenset({RunState.ACTIVE, RunState.WAITING}),
        "continue": frozenset({RunState.WAITING}),
    }
    intended = {"stop": RunState.STOPPED}  # noqa: RUF012
    template_fields: Sequence[str] = (
        "workflow_id",
        "execution_id",
        "step",
        "action",
        "parameters",
        "data_requirements",
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
        execution_id: str,
        step: str,
        action: str,
        parameters: Inputs = (),
        data_requirements: Inputs = (),
        huawei_conn_id: str | None = "huawei_mlworkflows_default",
        region: str | None = None,
        project_id: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.workflow_id = workflow_id
        self.execution_id = execution_id
        self.step = step
        self.action = action
        self.parameters = parameters
        self.data_requirements = data_requirements
        self.huawei_conn_id = huawei_conn_id
        self.region = region
        self.project_id = project_id

    @property
    def ref(self) -> RunRef:
        """The execution."""
        return RunRef(self.workflow_id, self.execution_id)

    @property
    def acted_step(self) -> str:
        """The step's name or id."""
        return self.step

    def act(self, run: Run, step: Step) -> None:
        """Send the action, with inputs that the workflow declares."""
        self.hook.act_on_checked_step(
            run.ref, step.id, self.action, parameters=self.parameters, data_requirements=self.data_requirements
        )
