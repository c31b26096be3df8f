"""Operations on the executions of a workflow."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_mlworkflows.clouds.huawei.modelarts_inputs import checked_choice, optional_text
from airflow_provider_mlworkflows.clouds.huawei.obs_inputs import checked_execution_name, checked_name
from airflow_provider_mlworkflows.clouds.huawei.obs_models import (
    Execution,
    ExecutionPage,
    RestoredExecution,
    ShownExecution,
)
from airflow_provider_mlworkflows.clouds.huawei.obs_requests import (
    EXECUTION,
    EXECUTIONS,
    HEADERS,
    PAGE_SIZE,
    checked_limit,
    marked_pages,
    query,
)
from airflow_provider_mlworkflows.clouds.operation import Pages, Request, Session, Steps, listing, operation

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.clouds.huawei.obs_models import ExecutionInfo

STARTED_BY_CALL = "APICALL"
STARTED_BY_EVENT = "TRIGGERCAL"
EXECUTION_TYPES = (STARTED_BY_CALL, STARTED_BY_EVENT)
EXECUTION_STATES = ("RUNNING", "SUCCESS", "FAILED")


def _page_of_executions(
    graph_name: str, *, next_marker: str | None, limit: int | None, execution_type: str | None
) -> Request[ExecutionPage]:
    if execution_type is not None:
        checked_choice("execution_type", execution_type, EXECUTION_TYPES)
    return Request(
        "listWorkflowExecution",
        "GET",
        EXECUTIONS,
        ExecutionPage,
        query=query(
            graph_name=checked_name("The workflow name", graph_name),
            next_marker=optional_text("next_marker", next_marker) or None,
            limit=checked_limit(limit),
            execution_type=execution_type,
        ),
        headers=HEADERS,
        safe_to_repeat=True,
    )


@operation
def list_executions(
    _: Session,
    graph_name: str,
    *,
    execution_type: str | None = None,
    next_marker: str | None = None,
    limit: int | None = None,
) -> Request[ExecutionPage]:
    """One page of a workflow's executions, in the order of their type and name (listWorkflowExecution).

    Their names are random, so that a new one may be on any page.

    :param graph_name: the workflow.
    :param execution_type: only those started by a call (``APICALL``) or by an event in a bucket (``TRIGGERCAL``).
    :param next_marker: that of the page before; the first page if None.
    :param limit: executions per page, 1 to 1000; the service's default, 10, if None.
    :raises InvalidInputError: before anything is sent, if an argument cannot be right.
    :raises NotFoundError: if the workflow does not exist.
    """
    return _page_of_executions(graph_name, next_marker=next_marker, limit=limit, execution_type=execution_type)


@listing
def iter_executions(
    _: Session, graph_name: str, *, execution_type: str | None = None, execution_state: str | None = None
) -> Pages[Execution]:
    """All executions of a workflow, page after page (listWorkflowExecution).

    :param graph_name: the workflow.
    :param execution_type: as in `list_executions`.
    :param execution_state: only those in this one state, ``RUNNING``, ``SUCCESS`` or ``FAILED``. The service does not
        filter by it, so all are read.
    """
    if execution_state is not None:
        checked_choice("execution_state", execution_state, EXECUTION_STATES)
    yield from marked_pages(
        lambda marker: _page_of_executions(
            graph_name, next_marker=marker, limit=PAGE_SIZE, execution_type=execution_type
        ),
        lambda execution: execution_state in (None, execution.execution_state.strip().upper()),
    )


@operation
def show_execution(_: Session, graph_name: str, execution_name: str) -> Steps[ExecutionInfo]:
    """One execution with its states and its input (getWorkflowExecution).

    :param graph_name: the workflow.
    :param execution_name: the execution.
    :raises InvalidInputError: before anything is sent, if a name is malformed.
    :raises NotFoundError: if either does not exist.
    """
    shown = yield from Request(
        "getWorkflowExecution",
        "GET",
        EXECUTION,
        ShownExecution,
        path_params={"execution_name": checked_execution_name(execution_name)},
        query=query(graph_name=checked_name("The workflow name", graph_name)),
        headers=HEADERS,
        safe_to_repeat=True,
    )
    return shown.execution_info


@operation
def restore_execution(_: Session, graph_name: str, execution_name: str) -> Request[RestoredExecution]:
    """Let a failed execution go on from the state that failed (restoreFailedWorkflowExecution).

    It keeps its name, and what is done is not done again. The service accepts and acts later.

    :param graph_name: the workflow.
    :param execution_name: the execution.
    :raises InvalidInputError: before anything is sent, if a name is malformed.
    :raises NotFoundError: if either does not exist.
    :raises ApiError: if the service refuses, such as because the execution has not failed.
    """
    return Request(
        "restoreFailedWorkflowExecution",
        "PUT",
        EXECUTION,
        RestoredExecution,
        path_params={"execution_name": checked_execution_name(execution_name)},
        query=query(graph_name=checked_name("The workflow name", graph_name)),
        headers=HEADERS,
    )
