"""Operations on ModelArts workflows themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_mlworkflows.clouds.huawei.modelarts_inputs import (
    Inputs,
    checked_choice,
    checked_labels,
    checked_name,
)
from airflow_provider_mlworkflows.clouds.huawei.modelarts_models import (
    Page,
    TextList,
    Workflow,
    WorkflowsOverview,
    WorkflowTodo,
)
from airflow_provider_mlworkflows.clouds.huawei.modelarts_requests import (
    IN_WORKSPACE,
    ORDERS,
    PAGE_SIZE,
    WORKFLOW,
    WORKFLOWS,
    Extra,
    body,
    ids,
    inputs,
    joined_labels,
    pages,
    query,
)
from airflow_provider_mlworkflows.clouds.operation import Pages, Request, Session, listing, operation

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SEARCH_TYPES = ("equal", "contain")


def _page_of_workflows(
    *,
    name: str | None,
    description: str | None,
    status: str | None,
    labels: str | Sequence[str] | None,
    template_id: str | None,
    limit: int | None,
    offset: int | None,
    sort_by: str | None,
    search_type: str | None,
) -> Request[Page[Workflow]]:
    if search_type is not None:
        checked_choice("search_type", search_type, SEARCH_TYPES)
    return Request(
        "ListWorkflows",
        "GET",
        WORKFLOWS,
        Page[Workflow],
        query=query(
            name=name,
            description=description,
            status=status,
            labels=joined_labels(labels),
            template_id=template_id,
            limit=limit,
            offset=offset,
            sort_by=sort_by,
            search_type=search_type,
        ),
        safe_to_repeat=True,
    )


@operation
def list_workflows(
    _: Session,
    *,
    name: str | None = None,
    description: str | None = None,
    status: str | None = None,
    labels: str | Sequence[str] | None = None,
    template_id: str | None = None,
    limit: int | None = None,
    offset: int | None = None,
    sort_by: str | None = None,
    search_type: str | None = None,
) -> Request[Page[Workflow]]:
    """One page of the project's workflows (ListWorkflows).

    :param name: only those whose name contains this, or is this with ``search_type="equal"``.
    :param description: the same for the description.
    :param status: only those in this status.
    :param labels: only those with these labels.
    :param template_id: only those made from this template.
    :param limit: items per page; the service's default if None.
    :param offset: items to leave out at the beginning, default 0.
    :param sort_by: such as ``create_time``.
    :param search_type: ``contain`` (the service's default) or ``equal``.
    :raises InvalidInputError: before anything is sent, if an argument cannot be right.
    :raises ApiError: if the service refuses.
    """
    return _page_of_workflows(
        name=name,
        description=description,
        status=status,
        labels=labels,
        template_id=template_id,
        limit=limit,
        offset=offset,
        sort_by=sort_by,
        search_type=search_type,
    )


@listing
def iter_workflows(
    _: Session,
    *,
    name: str | None = None,
    description: str | None = None,
    status: str | None = None,
    labels: str | Sequence[str] | None = None,
    template_id: str | None = None,
    sort_by: str | None = None,
    search_type: str | None = None,
) -> Pages[Workflow]:
    """All workflows of the project, page after page (ListWorkflows). Parameters as in `list_workflows`."""
    yield from pages(
        lambda offset: _page_of_workflows(
            name=name,
            description=description,
            status=status,
            labels=labels,
            template_id=template_id,
            limit=PAGE_SIZE,
            offset=offset,
            sort_by=sort_by,
            search_type=search_type,
        ),
        lambda workflow: workflow.workflow_id,
    )


@operation
def create_workflow(
    _: Session,
    name: str,
    *,
    description: str | None = None,
    steps: Sequence[Mapping[str, Any]] | None = None,
    parameters: Inputs | None = None,
    data_requirements: Inputs | None = None,
    storages: Sequence[Mapping[str, Any]] | None = None,
    labels: Sequence[str] | None = None,
    source_workflow_id: str | None = None,
    workspace_id: str | None = None,
    extra: Extra = None,
) -> Request[Workflow]:
    """Create a workflow, or copy one (CreateWorkflow).

    :param name: 1 to 64 Chinese characters, letters, digits, spaces, ``_`` and ``-``; starts with a letter.
    :param description: free text.
    :param steps: the steps, in the service's form.
    :param parameters: the parameters it declares.
    :param data_requirements: the data it needs.
    :param storages: where its steps may write, in the service's form.
    :param labels: words to find it by; no commas.
    :param source_workflow_id: id of a workflow to copy.
    :param workspace_id: the service's default is ``0``.
    :param extra: further fields, such as ``assets``, ``policy``, ``sub_graphs`` or ``smn_switch``.
    :raises InvalidInputError: before anything is sent, if an argument cannot be right.
    :raises ApiError: if the service refuses. Not sent again after an unclear failure.
    """
    fields = body(
        extra,
        name=checked_name("The workflow name", name),
        description=description,
        steps=_listed(steps),
        storages=_listed(storages),
        labels=None if labels is None else checked_labels(labels),
        source_workflow_id=source_workflow_id and ids(source_workflow_id=source_workflow_id)["source_workflow_id"],
        workspace_id=workspace_id,
        **inputs(parameters, data_requirements),
    )
    return Request("CreateWorkflow", "POST", WORKFLOWS, Workflow, body=fields, account_fields=IN_WORKSPACE)


@operation
def show_workflow(_: Session, workflow_id: str, *, workspace_id: str | None = None) -> Request[Workflow]:
    """One workflow with its steps and what it needs (ShowWorkflow).

    :param workflow_id: its id.
    :param workspace_id: the workspace it is in, if not the default one.
    :raises InvalidInputError: before anything is sent, if the id is malformed.
    :raises NotFoundError: if it does not exist.
    """
    return Request(
        "ShowWorkflow",
        "GET",
        WORKFLOW,
        Workflow,
        path_params=ids(workflow_id=workflow_id),
        query=query(workspace_id=workspace_id),
        safe_to_repeat=True,
        account_fields=IN_WORKSPACE,
    )


@operation
def update_workflow(
    _: Session,
    workflow_id: str,
    *,
    name: str | None = None,
    description: str | None = None,
    steps: Sequence[Mapping[str, Any]] | None = None,
    parameters: Inputs | None = None,
    data_requirements: Inputs | None = None,
    storages: Sequence[Mapping[str, Any]] | None = None,
    labels: Sequence[str] | None = None,
    smn_switch: bool | str | None = None,
    extra: Extra = None,
) -> Request[Workflow]:
    """Change a workflow (UpdateWorkflow). What is None stays; what is empty is emptied.

    :param workflow_id: its id.
    :param smn_switch: whether subscribers are notified. The service documents text here and a truth value
        elsewhere; it is sent as given.
    :param extra: further fields.

    The other parameters are those of `create_workflow`.

    :raises InvalidInputError: before anything is sent, if an argument cannot be right.
    :raises NotFoundError: if it does not exist.
    """
    fields = body(
        extra,
        name=None if name is None else checked_name("The workflow name", name),
        description=description,
        steps=_listed(steps),
        storages=_listed(storages),
        labels=None if labels is None else checked_labels(labels),
        smn_switch=smn_switch,
        **inputs(parameters, data_requirements),
    )
    return Request(
        "UpdateWorkflow",
        "PUT",
        WORKFLOW,
        Workflow,
        path_params=ids(workflow_id=workflow_id),
        body=fields,
        safe_to_repeat=True,
    )


@operation
def delete_workflow(_: Session, workflow_id: str) -> Request[None]:
    """Delete a workflow (DeleteWorkflow).

    :param workflow_id: its id.
    :raises InvalidInputError: before anything is sent, if the id is malformed.
    :raises NotFoundError: if it does not exist, also if an earlier attempt has deleted it.
    """
    return Request(
        "DeleteWorkflow",
        "DELETE",
        WORKFLOW,
        None,
        path_params=ids(workflow_id=workflow_id),
        safe_to_repeat=True,
    )


@operation
def list_workflow_labels(
    _: Session,
    *,
    limit: int | None = None,
    offset: int | None = None,
    order: str | None = None,
    sort_by: str | None = None,
    template_id: str | None = None,
) -> Request[list[str]]:
    """The labels that workflows have (ShowWorkflowLabels).

    :param limit: labels per page; the service's default if None.
    :param offset: labels to leave out at the beginning, default 0.
    :param order: ``asc`` or ``desc``.
    :param sort_by: ``create_time`` or ``user_name``.
    :param template_id: only of workflows made from this template.
    :raises InvalidInputError: before anything is sent, if ``order`` is another word.
    :raises ApiError: if the service refuses.
    """
    if order is not None:
        checked_choice("order", order, ORDERS)
    return Request(
        "ShowWorkflowLabels",
        "GET",
        WORKFLOWS + "/labels",
        TextList,
        query=query(limit=limit, offset=offset, order=order, sort_by=sort_by, template_id=template_id),
        safe_to_repeat=True,
    )


@operation
def show_workflows_overview(
    _: Session,
    *,
    workspace_id: str | None = None,
    name: str | None = None,
    description: str | None = None,
    search_type: str | None = None,
) -> Request[WorkflowsOverview]:
    """How many workflows there are, by status (ShowWorkflowsOverview).

    :param workspace_id: only in this workspace.
    :param name: only those whose name contains this, or is this with ``search_type="equal"``.
    :param description: the same for the description.
    :param search_type: ``contain`` (the service's default) or ``equal``.
    :raises InvalidInputError: before anything is sent, if ``search_type`` is another word.
    :raises ApiError: if the service refuses.
    """
    if search_type is not None:
        checked_choice("search_type", search_type, SEARCH_TYPES)
    return Request(
        "ShowWorkflowsOverview",
        "GET",
        WORKFLOWS + "/overview",
        WorkflowsOverview,
        query=query(workspace_id=workspace_id, search_type=search_type, name=name, description=description),
        safe_to_repeat=True,
        account_fields=IN_WORKSPACE,
    )


@operation
def list_todos(_: Session, *, workspace_id: str | None = None) -> Request[Page[WorkflowTodo]]:
    """The steps that wait for a person, over all workflows (ShowWorkflowsTodolist).

    :param workspace_id: only in this workspace.
    :raises ApiError: if the service refuses.
    """
    return Request(
        "ShowWorkflowsTodolist",
        "GET",
        WORKFLOWS + "/todolist",
        Page[WorkflowTodo],
        query=query(workspace_id=workspace_id),
        safe_to_repeat=True,
        account_fields=IN_WORKSPACE,
    )


def _listed(items: Sequence[Mapping[str, Any]] | None) -> list[dict[str, Any]] | None:
    return None if items is None else [dict(item) for item in items]
