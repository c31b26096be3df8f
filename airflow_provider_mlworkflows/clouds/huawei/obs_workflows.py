"""Operations on workflows, and the start of one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_mlworkflows.clouds.huawei.modelarts_inputs import checked_segment, optional_text
from airflow_provider_mlworkflows.clouds.huawei.obs_inputs import (
    checked_bucket,
    checked_definitions,
    checked_inputs,
    checked_name,
    checked_object,
    checked_parameters,
    checked_prefix,
    checked_states,
)
from airflow_provider_mlworkflows.clouds.huawei.obs_models import (
    CreatedWorkflow,
    StartedExecution,
    UpdatedWorkflow,
    Workflow,
    WorkflowAuthorization,
    WorkflowPage,
)
from airflow_provider_mlworkflows.clouds.huawei.obs_requests import (
    AUTHORIZATION,
    CREATE_FLAG,
    HEADERS,
    PAGE_SIZE,
    PREFIX_FLAG,
    WORKFLOW,
    WORKFLOWS,
    body,
    checked_limit,
    checked_start,
    numbered_pages,
    query,
)
from airflow_provider_mlworkflows.clouds.operation import Pages, Request, Session, listing, operation

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from airflow_provider_mlworkflows.clouds.huawei.obs_inputs import Inputs, States


def _name(value: object) -> dict[str, str]:
    return {"graph_name": checked_name("The workflow name", value)}


@operation
def create_workflow(
    _: Session,
    graph_name: str,
    *,
    states: States,
    inputs: Sequence[Mapping[str, Any]] | None = None,
    agency: str | None = None,
    description: str | None = None,
) -> Request[CreatedWorkflow]:
    """Create a workflow from its states (the vendor's client cannot; ``POST ...?x-workflow-create``).

    :param graph_name: 1 to 64 letters, digits, ``_`` and ``-``; starts with a letter or digit.
    :param states: the states, in the service's form.
    :param inputs: the parameters it declares, in the service's form.
    :param agency: in whose name it calls functions; left out if None.
    :param description: free text.
    :raises InvalidInputError: before anything is sent, if an argument cannot be right.
    :raises ApiError: if the service refuses. Not sent again after an unclear failure.
    """
    return Request(
        "createWorkflow",
        "POST",
        WORKFLOW,
        CreatedWorkflow,
        path_params=_name(graph_name),
        query=(CREATE_FLAG,),
        body=body(
            agency=optional_text("agency", agency),
            description=optional_text("description", description),
            states=checked_states(states),
            inputs=checked_definitions(inputs),
        ),
        headers=HEADERS,
    )


@operation
def create_workflow_from_template(
    _: Session,
    template_name: str,
    graph_name: str,
    agency: str,
    *,
    description: str | None = None,
    parameters: Inputs | Sequence[Mapping[str, Any]] | None = None,
) -> Request[CreatedWorkflow]:
    """Create a workflow from a template (createWorkflow).

    :param template_name: the template.
    :param graph_name: as in `create_workflow`.
    :param agency: in whose name it calls functions.
    :param description: free text.
    :param parameters: values for the template's parameters, ``{name: value}`` or the service's list.
    :raises InvalidInputError: before anything is sent, if an argument cannot be right.
    :raises NotFoundError: if there is no such template.
    :raises ApiError: if the service refuses. Not sent again after an unclear failure.
    """
    return Request(
        "createWorkflow",
        "POST",
        WORKFLOW,
        CreatedWorkflow,
        path_params=_name(graph_name),
        query=query(template_name=checked_name("The template name", template_name)),
        body={
            "agency": checked_segment("agency", agency),
            "description": optional_text("description", description),
            "parameters": checked_parameters(parameters),
        },
        headers=HEADERS,
    )


@operation
def show_workflow(_: Session, graph_name: str) -> Request[Workflow]:
    """One workflow with its definition (getWorkflow).

    :param graph_name: its name.
    :raises InvalidInputError: before anything is sent, if nothing can be called so.
    :raises NotFoundError: if it does not exist.
    """
    return Request(
        "getWorkflow",
        "GET",
        WORKFLOW,
        Workflow,
        path_params=_name(graph_name),
        headers=HEADERS,
        safe_to_repeat=True,
    )


@operation
def update_workflow(
    _: Session,
    graph_name: str,
    *,
    parameters: Inputs | Sequence[Mapping[str, Any]] | None = None,
    description: str | None = None,
) -> Request[UpdatedWorkflow]:
    """Change a workflow (updateWorkflow). What is None stays.

    :param graph_name: its name.
    :param parameters: new values for its parameters, ``{name: value}`` or the service's list.
    :param description: free text.
    :raises InvalidInputError: before anything is sent, if an argument cannot be right.
    :raises NotFoundError: if it does not exist.
    """
    return Request(
        "updateWorkflow",
        "PUT",
        WORKFLOW,
        UpdatedWorkflow,
        path_params=_name(graph_name),
        body=body(parameters=checked_parameters(parameters), description=optional_text("description", description)),
        headers=HEADERS,
        safe_to_repeat=True,
    )


@operation
def delete_workflow(_: Session, graph_name: str) -> Request[None]:
    """Delete a workflow (deleteWorkflow).

    :param graph_name: its name.
    :raises InvalidInputError: before anything is sent, if nothing can be called so.
    :raises NotFoundError: if it does not exist, also if an earlier attempt has deleted it.
    """
    return Request(
        "deleteWorkflow",
        "DELETE",
        WORKFLOW,
        None,
        path_params=_name(graph_name),
        headers=HEADERS,
        safe_to_repeat=True,
    )


def _page_of_workflows(prefix: str, *, start: int | None, limit: int | None) -> Request[WorkflowPage]:
    return Request(
        "listWorkflow",
        "GET",
        WORKFLOWS,
        WorkflowPage,
        path_params={"prefix": checked_prefix(prefix)},
        query=(PREFIX_FLAG, *query(start=start, limit=limit)),
        headers=HEADERS,
        safe_to_repeat=True,
    )


@operation
def list_workflows(
    _: Session, prefix: str = "", *, start: int | None = None, limit: int | None = None
) -> Request[WorkflowPage]:
    """One page of the workflows (listWorkflow).

    :param prefix: only those whose name begins like this.
    :param start: number of the first one, from 1.
    :param limit: workflows per page, 1 to 1000; the service's default, 10, if None.
    :raises InvalidInputError: before anything is sent, if an argument cannot be right.
    """
    return _page_of_workflows(prefix, start=checked_start(start), limit=checked_limit(limit))


@listing
def iter_workflows(_: Session, prefix: str = "") -> Pages[Workflow]:
    """All workflows, page after page (listWorkflow).

    :param prefix: only those whose name begins like this.
    """
    yield from numbered_pages(
        lambda start: _page_of_workflows(prefix, start=start, limit=PAGE_SIZE), lambda page: page.graphs
    )


@operation
def start_workflow(
    _: Session, graph_name: str, *, bucket: str, object_key: str, inputs: Inputs | None = None
) -> Request[StartedExecution]:
    """Start a workflow with an object (asyncAPIStartWorkflow).

    Every call makes another execution, and nothing marks them: after an unclear failure it is not sent again.

    :param graph_name: the workflow.
    :param bucket: the bucket that holds the object.
    :param object_key: the object's name, which is its whole path in the bucket.
    :param inputs: values for the workflow's parameters, by name. `ObsWorkflowHook.checked_inputs` checks them
        against the workflow.
    :raises InvalidInputError: before anything is sent, if an argument cannot be right.
    :raises NotFoundError: if the workflow does not exist.
    :raises TransportError: if no answer came; ``may_have_taken_effect`` tells whether it may have started.
    """
    return Request(
        "asyncAPIStartWorkflow",
        "POST",
        WORKFLOW,
        StartedExecution,
        path_params=_name(graph_name),
        body={
            "bucket": checked_bucket(bucket),
            "object": checked_object(object_key),
            "inputs": checked_inputs(inputs),
        },
        headers=HEADERS,
    )


@operation
def open_workflow_authorization(_: Session) -> Request[None]:
    """Let workflows call functions and use objects on the account's behalf; once is enough.

    :raises PermissionDeniedError: if the user may not grant that.
    """
    return Request("OpenWorkflowAuthorization", "POST", AUTHORIZATION, None, headers=HEADERS, safe_to_repeat=True)


@operation
def show_workflow_authorization(_: Session) -> Request[WorkflowAuthorization]:
    """What workflows may do on the account's behalf."""
    return Request(
        "ListWorkflowAuthorization",
        "GET",
        AUTHORIZATION,
        WorkflowAuthorization,
        headers=HEADERS,
        safe_to_repeat=True,
    )
