"""Data workflows of Huawei Cloud object storage."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_mlworkflows.clouds.huawei.obs import ObsWorkflowApi
from airflow_provider_mlworkflows.clouds.huawei.obs_executions import STARTED_BY_CALL
from airflow_provider_mlworkflows.clouds.huawei.obs_inputs import Inputs, checked_inputs
from airflow_provider_mlworkflows.clouds.huawei.obs_states import (
    INITIAL_STATE,
    execution_state,
    holds,
    may_stem_from,
    run_of,
)
from airflow_provider_mlworkflows.clouds.operation import Steps, operation
from airflow_provider_mlworkflows.exceptions import (
    InvalidInputError,
    MLWorkflowsError,
    NotFoundError,
    StopImpossibleError,
)
from airflow_provider_mlworkflows.hooks import huawei
from airflow_provider_mlworkflows.hooks.base import ConnectionFields, RunHook
from airflow_provider_mlworkflows.hooks.lists import begun_since
from airflow_provider_mlworkflows.hooks.obs_batches import ListReader
from airflow_provider_mlworkflows.runs import Run, RunRef, Step

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_provider_mlworkflows.clouds.client import Client
    from airflow_provider_mlworkflows.clouds.huawei.obs_models import Execution

SEARCHED_BACK = 3600.0
"""Seconds before now in which a start is looked for if nobody says since when."""
CONSOLE = "https://console.huaweicloud.com/obs/"


class ObsWorkflowHook(ObsWorkflowApi, RunHook):
    """Every operation of data workflows, and their executions in the words of every service.

    Operations can be called, or awaited through ``aio``::

        hook.show_execution(graph_name, execution_name)
        await hook.show_execution.aio(graph_name, execution_name)

    In a `RunRef`, ``workflow_id`` is the name of the workflow and ``run_id`` that of the execution.

    :param huawei_conn_id: Airflow connection of type ``huawei_mlworkflows`` or ``huaweicloud``; None for
        the environment's own credentials.
    :param region: overrides the connection's region, e.g. ``cn-north-4``. If it is another one, the connection may
        have no endpoint of the service.
    :param project_id: accepted as by the hooks of other services; workflows belong to the account in a region.
    :param options: as `RunHook` takes them.
    """

    conn_name_attr = huawei.CONN_NAME_ATTR
    default_conn_name = huawei.DEFAULT_CONN_NAME
    conn_type = huawei.CONN_TYPE
    hook_name = huawei.HOOK_NAME
    foreign_conn_types = huawei.FOREIGN_CONN_TYPES

    def __init__(
        self,
        huawei_conn_id: str | None = huawei.DEFAULT_CONN_NAME,
        *,
        region: str | None = None,
        project_id: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__(huawei_conn_id, **options)
        self.region = region
        self.project_id = project_id
        self.reader = ListReader()

    def client_for(self, fields: ConnectionFields) -> Client:
        """Make the client for object storage in the connection's region.

        :raises ConfigurationError: if the connection's fields do not make sense.
        """
        return huawei.object_storage_client(
            fields, "OBS data workflow", region=self.region, project_id=self.project_id, **self.client_options
        )

    def test_connection(self) -> tuple[bool, str]:
        """List one workflow (listWorkflow); say who sees some and where, or what to change.

        It is asked once, and given up after ten seconds without an answer.
        """
        return self.tested(
            "listWorkflow",
            _visible,
            needed="Listing workflows needs the right to use OBS data workflows in this region.",
        )

    # Reading runs

    @operation
    def get_run(self, ref: RunRef) -> Steps[Run]:
        """Read an execution with its states (getWorkflowExecution).

        :raises NotFoundError: if there is no such execution.
        """
        execution = yield from self.show_execution.steps(ref.workflow_id, ref.run_id)
        return self._run(execution, ref)

    @operation
    def get_runs(self, refs: Sequence[RunRef]) -> Steps[Mapping[RunRef, Run | MLWorkflowsError]]:
        """Read several executions: from their workflow's list, or one by one where that takes fewer requests.

        Lists show no states (listWorkflowExecution, getWorkflowExecution).
        """
        runs = yield from self.reader.read(self, refs, self._run)
        missing = [ref for ref in refs if ref not in runs]
        return {**runs, **(yield from super().get_runs.steps(missing))}

    def batches(self, refs: Sequence[RunRef]) -> list[Sequence[RunRef]]:
        """Executions of the same workflow are read together, where that saves requests."""
        return self.reader.batches(refs)

    @operation
    def decoded_input(self, ref: RunRef) -> Steps[Mapping[str, Any] | None]:
        """What an execution was started with (getWorkflowExecution); None if the service shows no mapping.

        :raises NotFoundError: if there is no such execution.
        """
        execution = yield from self.show_execution.steps(ref.workflow_id, ref.run_id)
        return execution.input_fields

    # Starting runs, and finding one whose start was not answered

    def check_start(self, workflow_id: str, **arguments: Any) -> None:
        """Check the form of `start_run`'s arguments. Sends nothing.

        :raises InvalidInputError: if one cannot be right.
        """
        next(self.start_workflow.steps(workflow_id, **arguments)).content()

    @operation
    def checked_inputs(self, workflow_id: str, inputs: Inputs | None) -> Steps[dict[str, Any] | None]:
        """Inputs of a start, checked against what the workflow declares (getWorkflow).

        :raises InvalidInputError: if the workflow has no such parameter, or not of that type.
        :raises NotFoundError: if there is no such workflow.
        """
        workflow = yield from self.show_workflow.steps(workflow_id)
        return checked_inputs(inputs, None if workflow.definition is None else workflow.definition.inputs)

    @operation
    def start_run(self, workflow_id: str, *, bucket: str, object_key: str, inputs: Inputs | None = None) -> Steps[Run]:
        """Start a workflow (asyncAPIStartWorkflow); arguments as `start_workflow` takes them."""
        started = yield from self.start_workflow.steps(workflow_id, bucket=bucket, object_key=object_key, inputs=inputs)
        return Run(
            ref=RunRef(workflow_id, started.execution_name),
            state=execution_state(INITIAL_STATE),
            status=INITIAL_STATE,
            name=started.execution_name,
            url=self.execution_url(workflow_id, started.execution_name),
            started_at=started.started_at,
            has_steps=False,
        )

    @operation
    def list_started(self, workflow_id: str, since: float) -> Steps[list[Run]]:
        """The executions that calls have started since, newest first (listWorkflowExecution, all pages).

        The list is in the order of random names, so every page is read. One without a time may be a new one.

        :param since: seconds since the epoch, by the service's clock; it tells times in whole milliseconds.
        :raises NotFoundError: if there is no such workflow.
        """
        executions = yield from self.iter_executions.steps(workflow_id, execution_type=STARTED_BY_CALL)
        found = {
            each.execution_name: self._run(each, RunRef(workflow_id, each.execution_name))
            for each in executions
            if each.execution_type.strip().upper() in ("", STARTED_BY_CALL)
        }
        return begun_since(since, found.values())

    @operation
    def find_started_with(
        self, workflow_id: str, parameter: str, token: str, *, since: float | None = None
    ) -> Steps[Run | None]:
        """The newest execution that was started with this value of a parameter, None if there is none.

        Lists do not show inputs, so the executions started since are read one by one, newest first.

        :param parameter: name of a parameter of the workflow.
        :param token: its value.
        :param since: seconds since the epoch, by the service's clock; an hour ago if None.
        :raises NotFoundError: if there is no such workflow.
        """
        since = self.clock.time() - SEARCHED_BACK if since is None else since
        for run in (yield from self.list_started.steps(workflow_id, since)):
            try:
                execution = yield from self.show_execution.steps(workflow_id, run.ref.run_id)
            except NotFoundError:
                continue  # it has gone since it was listed
            if holds(execution.input, parameter, token):
                return self._run(execution, run.ref)
        return None

    @operation
    def may_stem_from(
        self, ref: RunRef, *, bucket: str, object_key: str, inputs: Mapping[str, Any] | None = None
    ) -> Steps[bool]:
        """Whether an execution may be one that was started for an object with inputs (getWorkflowExecution).

        :raises NotFoundError: if there is no such execution.
        """
        given = yield from self.decoded_input.steps(ref)
        return may_stem_from(given, bucket=bucket, object_key=object_key, inputs=inputs or {})

    # Acting on runs

    @operation
    def stop_run(self, ref: RunRef, *, force: bool = False) -> Steps[bool]:
        """Say whether an execution is over; nothing stops one that is not.

        :param force: do not even look.
        :returns: False if it was over already.
        :raises StopImpossibleError: if it goes on.
        """
        if not force:
            run = yield from self.get_run.steps(ref)
            if run.state.is_terminal:
                return False
        # Without a request before there may be no client yet, and making it might block an event loop.
        where = self.execution_url(ref.workflow_id, ref.run_id) if "client" in self.__dict__ else ""
        raise StopImpossibleError(
            f"The execution {ref} cannot be stopped: OBS data workflow has no call for that, so it goes on to its own "
            f"end. {f'See {where}' if where else 'See the console'}."
        )

    @operation
    def continue_step(self, run: Run, step: Step, inputs: Mapping[str, Any]) -> Steps[None]:
        """Refuse, because no state of a data workflow waits for anybody.

        :raises InvalidInputError: always.
        """
        yield from ()
        raise InvalidInputError(
            f"The state {step.name} of {run.ref} cannot be continued: data workflows never wait for a person."
        )

    @operation
    def repair_run(self, run: Run) -> Steps[None]:
        """Let a failed execution go on where it failed (restoreFailedWorkflowExecution), under the same name.

        :raises ApiError: if the service refuses, such as because the execution has not failed.
        """
        yield from self.restore_execution.steps(run.ref.workflow_id, run.ref.run_id)

    def execution_url(self, workflow_id: str, execution_name: str) -> str:
        """Where the console shows an execution; "" if the region is not known."""
        if not self.client.region:
            return ""
        return f"{CONSOLE}?region={self.client.region}#/workflow/{workflow_id}/execution/{execution_name}"

    def _run(self, execution: Execution, ref: RunRef) -> Run:
        return run_of(execution, ref=ref, url=self.execution_url(ref.workflow_id, ref.run_id))


def _visible(hook: ObsWorkflowHook) -> str:
    return "workflows are visible" if hook.list_workflows(limit=1).graphs else "no workflow is visible"
