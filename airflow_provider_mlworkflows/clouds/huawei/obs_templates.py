"""Operations on the templates that workflows are made from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_mlworkflows.clouds.huawei.modelarts_inputs import checked_texts, optional_text
from airflow_provider_mlworkflows.clouds.huawei.obs_inputs import (
    checked_definitions,
    checked_name,
    checked_prefix,
    checked_states,
)
from airflow_provider_mlworkflows.clouds.huawei.obs_models import (
    CreatedTemplate,
    WorkflowTemplate,
    WorkflowTemplatePage,
)
from airflow_provider_mlworkflows.clouds.huawei.obs_requests import (
    HEADERS,
    PAGE_SIZE,
    PREFIX_FLAG,
    TEMPLATE,
    TEMPLATES,
    checked_limit,
    checked_start,
    numbered_pages,
    query,
)
from airflow_provider_mlworkflows.clouds.operation import Pages, Request, Session, listing, operation

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from airflow_provider_mlworkflows.clouds.huawei.obs_inputs import States


def _name(value: object) -> dict[str, str]:
    return {"template_name": checked_name("The template name", value)}


@operation
def create_workflow_template(
    _: Session,
    template_name: str,
    *,
    states: States,
    inputs: Sequence[Mapping[str, Any]] | None = None,
    description: str | None = None,
    tags: Sequence[str] | None = None,
) -> Request[CreatedTemplate]:
    """Create a template of workflows (createWorkflowTemplate).

    :param template_name: 1 to 64 letters, digits, ``_`` and ``-``; starts with a letter or digit.
    :param states: the states, in the service's form.
    :param inputs: the parameters that workflows made from it declare, in the service's form.
    :param description: free text.
    :param tags: words to find it by.
    :raises InvalidInputError: before anything is sent, if an argument cannot be right.
    :raises ApiError: if the service refuses. Not sent again after an unclear failure.
    """
    return Request(
        "createWorkflowTemplate",
        "POST",
        TEMPLATE,
        CreatedTemplate,
        path_params=_name(template_name),
        body={
            "description": optional_text("description", description),
            "states": checked_states(states),
            "inputs": checked_definitions(inputs),
            "tags": None if tags is None else checked_texts("tags", tags),
        },
        headers=HEADERS,
    )


@operation
def show_workflow_template(_: Session, template_name: str) -> Request[WorkflowTemplate]:
    """One template with its states (getWorkflowTemplate).

    :param template_name: its name.
    :raises InvalidInputError: before anything is sent, if nothing can be called so.
    :raises NotFoundError: if it does not exist.
    """
    return Request(
        "getWorkflowTemplate",
        "GET",
        TEMPLATE,
        WorkflowTemplate,
        path_params=_name(template_name),
        headers=HEADERS,
        safe_to_repeat=True,
    )


@operation
def delete_workflow_template(_: Session, template_name: str) -> Request[None]:
    """Delete a template (deleteWorkflowTemplate).

    :param template_name: its name.
    :raises InvalidInputError: before anything is sent, if nothing can be called so.
    :raises NotFoundError: if it does not exist, also if an earlier attempt has deleted it.
    """
    return Request(
        "deleteWorkflowTemplate",
        "DELETE",
        TEMPLATE,
        None,
        path_params=_name(template_name),
        headers=HEADERS,
        safe_to_repeat=True,
    )


def _page_of_templates(prefix: str, *, start: int | None, limit: int | None) -> Request[WorkflowTemplatePage]:
    return Request(
        "listWorkflowTemplate",
        "GET",
        TEMPLATES,
        WorkflowTemplatePage,
        path_params={"prefix": checked_prefix(prefix)},
        query=(PREFIX_FLAG, *query(start=start, limit=limit)),
        headers=HEADERS,
        safe_to_repeat=True,
    )


@operation
def list_workflow_templates(
    _: Session, prefix: str = "", *, start: int | None = None, limit: int | None = None
) -> Request[WorkflowTemplatePage]:
    """One page of the templates (listWorkflowTemplate).

    :param prefix: only those whose name begins like this.
    :param start: number of the first one, from 1.
    :param limit: templates per page, 1 to 1000; the service's default, 10, if None.
    :raises InvalidInputError: before anything is sent, if an argument cannot be right.
    """
    return _page_of_templates(prefix, start=checked_start(start), limit=checked_limit(limit))


@listing
def iter_workflow_templates(_: Session, prefix: str = "") -> Pages[WorkflowTemplate]:
    """All templates, page after page (listWorkflowTemplate).

    :param prefix: only those whose name begins like this.
    """
    yield from numbered_pages(
        lambda start: _page_of_templates(prefix, start=start, limit=PAGE_SIZE), lambda page: page.templates
    )
