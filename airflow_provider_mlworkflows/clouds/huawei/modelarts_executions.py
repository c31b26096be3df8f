"""Operations on the executions of a workflow."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_mlworkflows.clouds.huawei.modelarts_inputs import (
    Inputs,
    checked_choice,
    checked_labels,
    checked_name,
    checked_texts,
)
from airflow_provider_mlworkflows.clouds.huawei.modelarts_models import (
    Execution,
    Page,
    TextList,
)
from airflow_provider_mlworkflows.clouds.huawei.modelarts_receipts import CreatedExecution
from airflow_provider_mlworkflows.clouds.huawei.modelarts_requests import (
    EXECUTION,
    EXECUTIONS,
    IN_WORKSPACE,
    ORDERS,
    PAGE_SIZE,
    Extra,
    body,
    ids,
    inputs,
    joined_labels,
    pages,
    query,
)
from airflow_provider_mlworkflows.clouds.operation import Pages, Request, Session, listing, operation
from airflow_provider_mlworkflows.exceptions import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Sequence

EXECUTION_ACTIONS = ("stop", "rerun")


def _page_of_executions(
    workflow_id: str,
    *,
    workspace_id: str | None,
    labels: str | Sequence[str] | None,
    status: str | None,
    scene_id: str | None,
    limit: int | None,
    offset: int | None,
    sort_by: str | None,
    order: str | None,
) -> Request[Page[Execution]]:
    if order is not None:
        checked_choice("order", order, ORDERS)
        if sort_by is None:
            raise InvalidInputError("order counts only together with sort_by, such as create_time.")
    return Request(
        "ListWorkflowExecutions",
        "GET",
        EXECUTIONS,
        Page[Execution],
        path_params=ids(workflow_id=workflow_id),
        query=query(
            workspace_id=workspace_id,
            limit=limit,
            offset=offset,
            sort_by=sort_by,
            order=order,
            labels=joined_labels(labels),
            status=status,
            scene_id=scene_id,
        ),
        safe_to_repeat=True,
        account_fields=IN_WORKSPACE,
    )


@operation
def list_executions(
    _: Session,
    workflow_id: str,
    *,
    workspace_id: str | None = None,
    labels: str | Sequence[str] | None = None,
    status: str | None = None,
    scene_id: str | None = None,
    limit: int | None = None,
    offset: int | None = None,
    sort_by: str | None = None,
    order: str | None = None,
) -> Request[Page[Execution]]:
    """One page of a workflow's executions (ListWorkflowExecutions).

    :param workflow_id: the workflow.
    :param workspace_id: the workspace it is in, if not the default one.
    :param labels: only executions with these labels.
    :param status: only executions in this one status.
    :param scene_id: only executions of this scene.
    :param limit: items per page; the service's default if None.
    :param offset: items to leave out at the beginning, default 0.
    :param sort_by: such as ``create_time``.
    :param order: ``asc`` or ``desc`` (the service's default); only together with ``sort_by``.
    :raises InvalidInputError: before anything is sent, if an argument cannot be right.
    :raises NotFoundError: if the workflow does not exist.
    """
    return _page_of_executions(
        workflow_id,
        workspace_id=workspace_id,
        labels=labels,
        status=status,
        scene_id=scene_id,
        limit=limit,
        offset=offset,
        sort_by=sort_by,
        order=order,
    )


@listing
def iter_executions(
    _: Session,
    workflow_id: str,
    *,
    workspace_id: str | None = None,
    labels: str | Sequence[str] | None = None,
    status: str | None = None,
    scene_id: str | None = None,
    sort_by: str | None = None,
    order: str | None = None,
) -> Pages[Execution]:
    """All executions of a workflow, page after page (ListWorkflowExecutions).

    Parameters as in `list_executions`.
    """
    yield from pages(
        lambda offset: _page_of_executions(
            workflow_id,
            workspace_id=workspace_id,
            labels=labels,
            status=status,
            scene_id=scene_id,
            limit=PAGE_SIZE,
            offset=offset,
            sort_by=sort_by,
            order=order,
        ),
        lambda execution: execution.execution_id,
    )


@operation
def create_execution(
    _: Session,
    workflow_id: str,
    *,
    name: str | None = None,
    description: str | None = None,
    labels: Sequence[str] = (),
    scene_id: str | None = None,
    use_cache: bool | None = None,
    parameters: Inputs = (),
    data_requirements: Inputs = (),
    extra: Extra = None,
) -> Request[Execution]:
    """Start a workflow (CreateWorkflowExecution). The answer has neither status nor steps yet.

    Every call makes another execution; there is no client token.

    :param workflow_id: the workflow to start.
    :param name: as for workflows; the service numbers executions if None.
    :param description: free text.
    :param labels: words to find it by; no commas.
    :param scene_id: the scene that chooses its steps.
    :param use_cache: whether steps whose inputs did not change are left out; the workflow's choice if None.
    :param parameters: ``{name: value}`` or the service's list. The type follows from the Python value; give
        `parameter_items` the workflow's declarations to have them checked.
    :param data_requirements: ``{name: "obs://bucket/directory/"}``, ``{name: value map}`` or the service's
        list.
    :param extra: further fields.
    :raises InvalidInputError: before anything is sent, if an argument cannot be right.
    :raises NotFoundError: if the workflow does not exist.
    :raises TransportError: if no answer came; ``may_have_taken_effect`` tells whether it may have started.
    """
    fields = body(
        extra,
        name=None if name is None else checked_name("The execution name", name),
        description=description,
        labels=checked_labels(labels) or None,
        scene_id=scene_id,
        policies=body(use_cache=use_cache) or None,
        **inputs(parameters or None, data_requirements or None),
    )
    return Request(
        "CreateWorkflowExecution",
        "POST",
        EXECUTIONS,
        CreatedExecution,
        path_params=ids(workflow_id=workflow_id),
        body=fields,
    )


@operation
def show_execution(_: Session, workflow_id: str, execution_id: str) -> Request[Execution]:
    """One execution with its steps (ShowWorkflowExecution).

    :param workflow_id: the workflow.
    :param execution_id: the execution.
    :raises InvalidInputError: before anything is sent, if an id is malformed.
    :raises NotFoundError: if either does not exist.
    """
    return Request(
        "ShowWorkflowExecution",
        "GET",
        EXECUTION,
        Execution,
        path_params=ids(workflow_id=workflow_id, execution_id=execution_id),
        safe_to_repeat=True,
    )


@operation
def update_execution(
    _: Session,
    workflow_id: str,
    execution_id: str,
    *,
    name: str | None = None,
    description: str | None = None,
    labels: Sequence[str] | None = None,
    parameters: Inputs | None = None,
    data_requirements: Inputs | None = None,
    extra: Extra = None,
) -> Request[Execution]:
    """Change an execution, such as the inputs it waits for (UpdateWorkflowExecution).

    What is None stays; what is empty is emptied.

    :param workflow_id: the workflow.
    :param execution_id: the execution.
    :param name: as for workflows.
    :param description: free text.
    :param labels: words to find it by; no commas.
    :param parameters: as in `create_execution`.
    :param data_requirements: as in `create_execution`.
    :param extra: further fields.
    :raises InvalidInputError: before anything is sent, if an argument cannot be right.
    :raises NotFoundError: if it does not exist.
    """
    fields = body(
        extra,
        name=None if name is None else checked_name("The execution name", name),
        description=description,
        labels=None if labels is None else checked_labels(labels),
        **inputs(parameters, data_requirements),
    )
    return Request(
        "UpdateWorkflowExecution",
        "PUT",
        EXECUTION,
        Execution,
        path_params=ids(workflow_id=workflow_id, execution_id=execution_id),
        body=fields,
        safe_to_repeat=True,
    )


@operation
def delete_execution(_: Session, workflow_id: str, execution_id: str) -> Request[None]:
    """Delete the record of an execution (DeleteWorkflowExecution).

    :param workflow_id: the workflow.
    :param execution_id: the execution.
    :raises InvalidInputError: before anything is sent, if an id is malformed.
    :raises NotFoundError: if it does not exist, also if an earlier attempt has deleted it.
    """
    return Request(
        "DeleteWorkflowExecution",
        "DELETE",
        EXECUTION,
        None,
        path_params=ids(workflow_id=workflow_id, execution_id=execution_id),
        safe_to_repeat=True,
    )


@operation
def act_on_execution(
    _: Session,
    workflow_id: str,
    execution_id: str,
    action: str,
    *,
    rerun_steps: Sequence[str] = (),
    parameters: Inputs = (),
    data_requirements: Inputs = (),
) -> Request[Execution]:
    """Stop an execution, or run it again within the same record (CreateWorkflowExecutionsActions).

    The service accepts and acts later: go on reading the execution until it shows the effect.

    :param workflow_id: the workflow.
    :param execution_id: the execution.
    :param action: ``stop`` or ``rerun``.
    :param rerun_steps: names of the steps to begin a rerun with; all if empty.
    :param parameters: new values for a rerun, as in `create_execution`.
    :param data_requirements: new data for a rerun, as in `create_execution`.
    :raises InvalidInputError: before anything is sent, if an argument cannot be right.
    :raises NotFoundError: if the execution does not exist.
    :raises ApiError: if the service refuses, such as in the wrong state.
    """
    checked_choice("action", action, EXECUTION_ACTIONS)
    if rerun_steps and action != "rerun":
        raise InvalidInputError(f"rerun_steps belong to the action 'rerun', not to {action!r}.")
    steps = checked_texts("rerun_steps", rerun_steps)
    fields = body(
        action_name=action,
        policies={"rerun_steps": steps} if steps else None,
        **inputs(parameters or None, data_requirements or None),
    )
    return Request(
        "CreateWorkflowExecutionsActions",
        "POST",
        EXECUTION + "/actions",
        Execution,
        path_params=ids(workflow_id=workflow_id, execution_id=execution_id),
        body=fields,
        safe_to_repeat=action == "stop",
    )


@operation
def list_execution_labels(_: Session, workflow_id: str) -> Request[list[str]]:
    """The labels that a workflow's executions have (ListExecutionLabels).

    :param workflow_id: the workflow.
    :raises InvalidInputError: before anything is sent, if the id is malformed.
    :raises NotFoundError: if the workflow does not exist.
    """
    return Request(
        "ListExecutionLabels",
        "GET",
        EXECUTIONS + "/labels",
        TextList,
        path_params=ids(workflow_id=workflow_id),
        safe_to_repeat=True,
    )
