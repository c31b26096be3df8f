"""Operations on the executions of a workflow."""

from __future__ import annotations

from airflow_provider_mlworkflows.clouds.huawei.aom_actions import NODE_ACTIONS
from airflow_provider_mlworkflows.clouds.huawei.aom_inputs import checked_id, checked_text, required_choice
from airflow_provider_mlworkflows.clouds.huawei.aom_models import Execution, ExecutionList, StartedExecution
from airflow_provider_mlworkflows.clouds.huawei.aom_requests import EXECUTION, EXECUTIONS, Success, call, command
from airflow_provider_mlworkflows.clouds.operation import Request, Session, operation


@operation
def execute_workflow(_: Session, workflow_id: str) -> Request[StartedExecution]:
    """Start a workflow with the input it was created with (ExecuteWorkflow).

    Every call makes another execution; there is no client token.

    :param workflow_id: the workflow to start.
    :raises InvalidInputError: before anything is sent, if the id is malformed.
    :raises NotFoundError: if the workflow does not exist.
    :raises TransportError: if no answer came; ``may_have_taken_effect`` tells whether it may have started.
    """
    return call("ExecuteWorkflow", "POST", EXECUTIONS, StartedExecution, ids={"workflow_id": workflow_id})


@operation
def list_executions(
    _: Session, workflow_id: str, *, enterprise_project_id: str | None = None
) -> Request[list[Execution]]:
    """All executions of a workflow, with the results of their nodes (ListWorkflowExecutions). There are no pages.

    :param workflow_id: the workflow.
    :param enterprise_project_id: the enterprise project it is in, if not the default one.
    :raises InvalidInputError: before anything is sent, if an argument cannot be right.
    :raises NotFoundError: if the workflow does not exist.
    """
    return call(
        "ListWorkflowExecutions",
        "GET",
        EXECUTIONS,
        ExecutionList,
        ids={"workflow_id": workflow_id},
        query={"x_enterprise_project_id": checked_text("enterprise_project_id", enterprise_project_id, 64)},
        safe=True,
        account_fields={"x_enterprise_project_id": "enterprise_project_id"},
    )


@operation
def show_execution(_: Session, workflow_id: str, execution_id: str) -> Request[Execution]:
    """One execution with the results of its nodes (SearchWorkflowExecutionDetail).

    :param workflow_id: the workflow.
    :param execution_id: the execution.
    :raises InvalidInputError: before anything is sent, if an id is malformed.
    :raises NotFoundError: if either does not exist.
    """
    return call(
        "SearchWorkflowExecutionDetail",
        "GET",
        EXECUTION + "/status",
        Execution,
        ids={"workflow_id": workflow_id, "execution_id": execution_id},
        safe=True,
    )


@operation
def operate_execution(
    _: Session, workflow_id: str, execution_id: str, action: str, *, node_id: str
) -> Request[Success]:
    """Make an execution that stands still go on (StartPausingWorkflowExecutions).

    The service accepts and acts later: go on reading the execution until it shows the effect.

    :param workflow_id: the workflow.
    :param execution_id: the execution.
    :param action: ``restart`` to run a failed node again, ``skip`` to step over it, ``continue`` to pass a pause.
    :param node_id: the node it stands at, found in ``execution_result_list``.
    :raises InvalidInputError: before anything is sent, if an argument cannot be right.
    :raises NotFoundError: if the execution does not exist.
    :raises ApiError: if the service refuses, such as in the wrong state.
    """
    return command(
        "StartPausingWorkflowExecutions",
        "POST",
        EXECUTION + "/operation",
        ids={"workflow_id": workflow_id, "execution_id": execution_id},
        query={
            "action": required_choice("action", action, NODE_ACTIONS),
            "node_id": checked_id("node_id", node_id),
        },
    )


@operation
def terminate_execution(_: Session, workflow_id: str, execution_id: str) -> Request[Success]:
    """Stop an execution (StopExecution). The service accepts and acts later.

    :param workflow_id: the workflow.
    :param execution_id: the execution.
    :raises InvalidInputError: before anything is sent, if an id is malformed.
    :raises NotFoundError: if there is no such execution to stop.
    :raises ApiError: if the service refuses, such as when it is over.
    """
    return command(
        "StopExecution",
        "POST",
        EXECUTION + "/terminate",
        ids={"workflow_id": workflow_id, "execution_id": execution_id},
        safe=True,
    )
