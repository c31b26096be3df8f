"""Starting workflows of Huawei Cloud AOM automation and acting on their executions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow_provider_mlworkflows.choices import states_as_text
from airflow_provider_mlworkflows.exceptions import InvalidInputError, RunError
from airflow_provider_mlworkflows.operators.acting import StepActionOperator, StopOperator
from airflow_provider_mlworkflows.operators.base import RunOperator
from airflow_provider_mlworkflows.operators.unmarked import UnmarkedStartOperator
from airflow_provider_mlworkflows.runs import Run, RunRef, RunState, Step
from airflow_provider_mlworkflows.services.aom import AOM

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.hooks.aom import AomWorkflowHook
    from airflow_provider_mlworkflows.operators.records import StartRecord

FAILED = frozenset({RunState.FAILED})
SCOPE_FIELDS = ("huawei_conn_id", "region", "project_id")


class AomOperator(RunOperator):
    """What all operators of the service have in common.

    :param states: what statuses mean, where it is not what the hook believes: ``{literal: state}``.
    :param huawei_conn_id: Airflow connection; None for the environment's own credentials.
    :param region: overrides the connection's region.
    :param project_id: overrides the connection's project.
    :param kwargs: as `RunOperator` takes them.
    """

    service = AOM
    hook: AomWorkflowHook
    template_fields: Sequence[str] = SCOPE_FIELDS

    def __init__(
        self,
        *,
        states: Mapping[str, str] | str | None = None,
        huawei_conn_id: str | None = "huawei_mlworkflows_default",
        region: str | None = None,
        project_id: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.states = states_as_text(states)
        self.huawei_conn_id = huawei_conn_id
        self.region = region
        self.project_id = project_id


class AomStartWorkflowOperator(AomOperator, UnmarkedStartOperator):
    """Start an execution of a workflow and follow it to its end (ExecuteWorkflow).

    The workflow exists already, or is created from a template for this start alone (CreateWorkflow): then its name
    ends with a token of this operator's own, by which a later attempt finds it and its execution for sure.

    Returns the execution's id. Pushes ``run_id`` and ``run_url`` as soon as the execution exists, and ``run`` and
    ``steps`` when it is over.

    :param workflow_id: the workflow, or
    :param workflow_name: its name, if no other workflow has it; with ``template_id``: the beginning of the new name.
    :param template_id: template to create a workflow from.
    :param template_share_type: ``private`` for one's own templates, ``public`` for those of the service.
    :param inputs: input of the new workflow; an existing one has its input already.
    :param kwargs: as `AomOperator`, `UnmarkedStartOperator`, `StartOperator` and `RunOperator` take them.
    :raises InvalidInputError: before anything is started, if an argument cannot be right.
    :raises StartUncertainError: if a start was not answered, and which execution is the one cannot be told.
    :raises RunError: if the execution does not succeed.
    """

    template_fields: Sequence[str] = ("workflow_id", "workflow_name", "template_id", "inputs", *SCOPE_FIELDS)
    template_fields_renderers = {"inputs": "json"}  # noqa: RUF012

    def __init__(
        self,
        *,
        workflow_id: str | None = None,
        workflow_name: str | None = None,
        template_id: str | None = None,
        template_share_type: str = "private",
        inputs: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.workflow_id = workflow_id
        self.workflow_name = workflow_name
        self.template_id = template_id
        self.template_share_type = template_share_type
        self.inputs = inputs

    @property
    def started_workflow(self) -> str:
        """The template, the workflow or its name."""
        return self.template_id or self.workflow_id or self.workflow_name or ""

    @property
    def leaves_marker(self) -> bool:
        """Whether the workflow is this task's own."""
        return bool(self.template_id)

    @cached_property
    def listed_workflow(self) -> str:
        """The existing workflow's id."""
        return self.workflow_id or self.hook.find_workflow(self.workflow_name or "").id

    def _name(self, marker: str = "airflow-0123456789abcdef") -> str:
        return _marked(self.workflow_name, marker)

    def state_before(self) -> dict[str, Any] | None:
        """The name as it was rendered, or the executions that are there already."""
        return {"workflow_name": self.workflow_name} if self.template_id else super().state_before()

    def prepare_start(self) -> None:
        """See that the arguments say what to start."""
        if bool(self.workflow_id) == bool(self.workflow_name or self.template_id):
            raise InvalidInputError("Give workflow_id, workflow_name or template_id; workflow_id goes with no other.")
        if self.inputs and not self.template_id:
            raise InvalidInputError("An existing workflow has its inputs already; give inputs with template_id only.")
        if self.template_id:
            self.hook.check_creation(self._name(), template_id=self.template_id, input=self.inputs)

    def start_run(self, marker: str) -> Run:
        """Start the workflow, after creating it if it is to be (SearchTemplateById, CreateWorkflow)."""
        if not self.template_id:
            return self.hook.start_run(self.listed_workflow)
        workflow = self.hook.create_from_template(
            self._name(marker), template_id=self.template_id, share_type=self.template_share_type, input=self.inputs
        )
        return self.hook.start_run(workflow.id)

    def recent_runs(self, workflow_id: str, since: float) -> Sequence[Run]:
        """The executions of a workflow (ListWorkflowExecutions)."""
        return self.hook.list_started(workflow_id, since)

    def find_started(self, record: StartRecord) -> Run | None:
        """The execution of the workflow whose name ends with the token (ListWorkflow, ListWorkflowExecutions)."""
        return self.hook.find_started_as(_marked(record.before["workflow_name"], record.token))

    def repair_run(self, run: Run) -> None:
        """Restart the nodes that failed (StartPausingWorkflowExecutions)."""
        self.hook.repair_run(run)


def _marked(workflow_name: str | None, marker: str) -> str:
    return f"{workflow_name}-{marker}" if workflow_name else marker


class AomExecutionOperator(AomOperator):
    """What the operators that act on an execution have in common.

    :param workflow_id: the workflow.
    :param execution_id: the execution.
    :param kwargs: as `AomOperator` and `RunOperator` take them.
    """

    template_fields: Sequence[str] = ("workflow_id", "execution_id", *SCOPE_FIELDS)

    def __init__(self, *, workflow_id: str, execution_id: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.workflow_id = workflow_id
        self.execution_id = execution_id

    @property
    def ref(self) -> RunRef:
        """The execution."""
        return RunRef(self.workflow_id, self.execution_id)


class AomNodeOperationOperator(AomExecutionOperator, StepActionOperator):
    """Restart or skip a failed node of an execution, or pass a pause (StartPausingWorkflowExecutions).

    Returns the execution's id and pushes ``step``. The action is sent only if the node's state calls for it. An
    approval can only be given by a person, in the console.

    :param node: name or id of the node.
    :param action: ``restart`` or ``skip`` a failed node, ``continue`` at a pause.
    :param kwargs: as `AomExecutionOperator`, `AomOperator`, `StepActionOperator` and `RunOperator` take them.
    :raises InvalidInputError: before anything is sent, if an argument cannot be right, or for an approval.
    :raises RunError: if the node does not end as the action intends.
    """

    template_fields: Sequence[str] = ("node", "action", *AomExecutionOperator.template_fields)
    actions = {"restart": FAILED, "skip": FAILED, "continue": frozenset({RunState.WAITING})}  # noqa: RUF012

    def __init__(self, *, node: str, action: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.node = node
        self.action = action

    @property
    def acted_step(self) -> str:
        """The node's name or id."""
        return self.node

    @property
    def shows_on_step(self) -> bool:
        """Whether the node shows the action: one that is skipped may keep the look of a failure."""
        return self.action != "skip"

    def act(self, run: Run, step: Step) -> None:
        """Send the action."""
        self.hook.operate_node(run.ref, step.id, self.action)

    def outcome_error(self, run: Run) -> RunError | None:
        """The error for the node; None if it ended as the action intends."""
        if self.action == "skip" and run.state not in FAILED:
            return None  # a node that was skipped may keep the look of a failure, but the execution goes on
        return super().outcome_error(run)


class AomTerminateOperator(AomExecutionOperator, StopOperator):
    """Stop an execution, also one that stands at a failed node, and wait until it is over (StopExecution).

    Returns the execution's id. One that is over already is success. Arguments as `AomExecutionOperator` takes them.
    """
