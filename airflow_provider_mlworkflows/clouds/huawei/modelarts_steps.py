"""Operations on the steps of executions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_mlworkflows.clouds.huawei.modelarts_inputs import checked_choice
from airflow_provider_mlworkflows.clouds.huawei.modelarts_models import (
    Page,
    StepExecution,
    StepMetric,
    StepMetricList,
)
from airflow_provider_mlworkflows.clouds.huawei.modelarts_receipts import StepUnderAction
from airflow_provider_mlworkflows.clouds.huawei.modelarts_requests import (
    ORDERS,
    PAGE_SIZE,
    STEP_EXECUTION,
    WORKFLOW,
    body,
    ids,
    inputs,
    pages,
    query,
)
from airflow_provider_mlworkflows.clouds.operation import Pages, Request, Session, listing, operation

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.clouds.huawei.modelarts_inputs import Inputs

STEP_ACTIONS = ("retry", "stop", "continue")


def _page_of_step_executions(
    workflow_id: str, *, limit: int | None, offset: int | None, order: str | None, sort_by: str | None
) -> Request[Page[StepExecution]]:
    if order is not None:
        checked_choice("order", order, ORDERS)
    return Request(
        "ListWorkflowStepExecution",
        "GET",
        WORKFLOW + "/step-executions",
        Page[StepExecution],
        path_params=ids(workflow_id=workflow_id),
        query=query(limit=limit, offset=offset, order=order, sort_by=sort_by),
        safe_to_repeat=True,
    )


@operation
def list_step_executions(
    _: Session,
    workflow_id: str,
    *,
    limit: int | None = None,
    offset: int | None = None,
    order: str | None = None,
    sort_by: str | None = None,
) -> Request[Page[StepExecution]]:
    """One page of the steps of all executions of a workflow (ListWorkflowStepExecution).

    ``execution_uuid`` tells which execution a step belongs to. For one execution `show_execution` is cheaper.

    :param workflow_id: the workflow.
    :param limit: items per page; the service's default if None.
    :param offset: items to leave out at the beginning, default 0.
    :param order: ``asc`` or ``desc``.
    :param sort_by: ``create_time`` or ``user_name``.
    :raises InvalidInputError: before anything is sent, if an argument cannot be right.
    :raises NotFoundError: if the workflow does not exist.
    """
    return _page_of_step_executions(workflow_id, limit=limit, offset=offset, order=order, sort_by=sort_by)


@listing
def iter_step_executions(
    _: Session, workflow_id: str, *, order: str | None = None, sort_by: str | None = None
) -> Pages[StepExecution]:
    """All steps of all executions of a workflow, page after page (ListWorkflowStepExecution).

    Parameters as in `list_step_executions`.
    """
    yield from pages(
        lambda offset: _page_of_step_executions(
            workflow_id, limit=PAGE_SIZE, offset=offset, order=order, sort_by=sort_by
        ),
        lambda step: step.uuid,
    )


@operation
def act_on_step(
    _: Session,
    workflow_id: str,
    execution_id: str,
    step_execution_id: str,
    action: str,
    *,
    parameters: Inputs = (),
    data_requirements: Inputs = (),
) -> Request[StepExecution]:
    """Retry a failed step, stop one, or let a waiting one continue (CreateWorkflowStepExecutionsActions).

    The service accepts and acts later: go on reading the execution until it shows the effect.

    :param workflow_id: the workflow.
    :param execution_id: the execution.
    :param step_execution_id: the ``uuid`` of the step in this execution, not its name or ``step_uuid``.
    :param action: ``retry``, ``stop`` or ``continue``.
    :param parameters: values to go on with, as in `create_execution`.
    :param data_requirements: data to go on with, as in `create_execution`.
    :raises InvalidInputError: before anything is sent, if an argument cannot be right.
    :raises NotFoundError: if the execution does not exist.
    :raises ApiError: if the service refuses, such as in the wrong state.
    """
    checked_choice("action", action, STEP_ACTIONS)
    fields = body(action_name=action, **inputs(parameters or None, data_requirements or None))
    return Request(
        "CreateWorkflowStepExecutionsActions",
        "POST",
        STEP_EXECUTION + "/actions",
        StepUnderAction,
        path_params=ids(workflow_id=workflow_id, execution_id=execution_id, step_execution_id=step_execution_id),
        body=fields,
    )


@operation
def show_step_metrics(
    _: Session, workflow_id: str, execution_id: str, step_execution_id: str
) -> Request[list[StepMetric]]:
    """What a step measured (ShowWorkflowStepExecutionMetrics).

    :param workflow_id: the workflow.
    :param execution_id: the execution.
    :param step_execution_id: the ``uuid`` of the step in this execution.
    :raises InvalidInputError: before anything is sent, if an id is malformed.
    :raises NotFoundError: if the execution does not exist.
    """
    return Request(
        "ShowWorkflowStepExecutionMetrics",
        "GET",
        STEP_EXECUTION + "/metrics",
        StepMetricList,
        path_params=ids(workflow_id=workflow_id, execution_id=execution_id, step_execution_id=step_execution_id),
        safe_to_repeat=True,
    )
