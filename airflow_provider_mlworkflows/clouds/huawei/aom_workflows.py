"""Operations on the workflows of AOM automation, which the console calls tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_mlworkflows.clouds.huawei.aom_inputs import (
    LATEST_TIME,
    LONGEST_ID,
    LONGEST_NAME,
    Extra,
    body,
    checked_choice,
    checked_id,
    checked_name,
    checked_number,
    checked_tags,
    checked_text,
    checked_texts,
    input_groups,
    required_choice,
)
from airflow_provider_mlworkflows.clouds.huawei.aom_models import Page, Workflow
from airflow_provider_mlworkflows.clouds.huawei.aom_requests import (
    CMS,
    HIGHEST_PAGE,
    IN_ENTERPRISE_PROJECT,
    ORDERS,
    PAGE_SIZE,
    WORKFLOW,
    Success,
    call,
    command,
    pages,
    unsure_numbers,
)
from airflow_provider_mlworkflows.clouds.operation import Pages, Request, Session, listing, operation
from airflow_provider_mlworkflows.exceptions import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

TYPES = ("cron", "manual")
LISTED_TYPES = ("cron", "event", "manual")
TASK_TYPES = ("package", "script", "job", "cloud", "standard", "customize")
SORT_FIELDS = ("create_time", "last_execution_start_time", "update_time")
STATUSES = (
    "success",
    "fail",
    "executing",
    "cancel",
    "canceling",
    "waitExecute",
    "waitApproval",
    "approvalFailed",
    "pausing",
)
TRIGGER_ACTIONS = ("enable", "disable")
MOST_TAGS = 20
MOST_TAGS_SEARCHED = 10
MOST_QUOTES = 128


@operation
def create_workflow(
    _: Session,
    name: str,
    *,
    template_id: str,
    type: str = "manual",
    task_type: str = "customize",
    input: Mapping[str, Any] | None = None,
    description: str | None = None,
    tags: Mapping[str, str] | None = None,
    template_name: str | None = None,
    job_id: str | None = None,
    job_name: str | None = None,
    quote: Sequence[str] | None = None,
    service_scenario: str | None = None,
    service_name: str | None = None,
    extra: Extra = None,
) -> Request[Workflow]:
    """Create a workflow from a template and its input (CreateWorkflow). It does not start by that.

    :param name: 1 to 64 Chinese characters, letters, digits, ``-`` and ``_``.
    :param template_id: the template.
    :param type: ``manual`` or ``cron``. How a cron expression is passed is not documented; see ``extra``.
    :param task_type: ``package``, ``script``, ``job``, ``cloud``, ``standard`` or ``customize``.
    :param input: ``{group: {field: value}}``; numbers and truth values become texts. Executions take no input of
        their own, so this is what every one of them works with. Lists inside a group are JSON texts in the service's
        own samples, such as ``{"ecs_id_list": "[...]"}``.
    :param description: 1 to 128 characters.
    :param tags: at most 20 pairs.
    :param template_name: such as ``CMS::ECS::BulkyRunScript``.
    :param job_id: the job that the template was made from.
    :param job_name: its name.
    :param quote: 1 to 128 texts of 1 to 128 characters.
    :param service_scenario: 1 to 64 characters.
    :param service_name: 1 to 128 characters.
    :param extra: further fields.
    :raises InvalidInputError: before anything is sent, if an argument cannot be right.
    :raises NotFoundError: if the template does not exist.
    :raises TransportError: if no answer came; ``may_have_taken_effect`` tells whether it may have been created.
    """
    fields = body(
        extra,
        name=checked_name(name),
        type=required_choice("type", type, TYPES),
        description=checked_text("description", description, 128),
        tags=checked_tags(tags, MOST_TAGS),
        template_name=checked_text("template_name", template_name, LONGEST_NAME),
        template_id=checked_id("template_id", template_id),
        input=input_groups({} if input is None else input),
        quote=checked_texts("quote", quote, MOST_QUOTES, 128),
        job_name=checked_text("job_name", job_name, LONGEST_NAME),
        job_id=checked_text("job_id", job_id, LONGEST_ID),
        service_scenario=checked_text("service_scenario", service_scenario, 64),
        service_name=checked_text("service_name", service_name, 128),
        task_type=required_choice("task_type", task_type, TASK_TYPES),
    )
    return call("CreateWorkflow", "POST", CMS + "/workflow", Workflow, body=fields)


def _page_of_workflows(
    *,
    search: str | None = None,
    type: str | None = None,
    tags: Mapping[str, str] | None = None,
    page: int | None = None,
    size: int | None = None,
    enterprise_project_id: str | None = None,
    create_by: str | None = None,
    sort_field: str = "update_time",
    sort_type: str = "DESC",
    search_time_start: int | None = None,
    search_time_end: int | None = None,
    status: str | None = None,
) -> Request[Page[Workflow]]:
    start = checked_number("search_time_start", search_time_start, 0, LATEST_TIME)
    end = checked_number("search_time_end", search_time_end, 0, LATEST_TIME)
    if start is not None and end is not None and start > end:
        raise InvalidInputError(f"search_time_start {start} is after search_time_end {end}.")
    fields = body(
        search=checked_text("search", search, 64),
        type=checked_choice("type", type, LISTED_TYPES),
        tags=checked_tags(tags, MOST_TAGS_SEARCHED),
        page=checked_number("page", page, 1, HIGHEST_PAGE),
        size=checked_number("size", size, 1, PAGE_SIZE),
        enterprise_project_id=checked_text("enterprise_project_id", enterprise_project_id, 64),
        create_by=checked_text("create_by", create_by, 64),
        sort_field=required_choice("sort_field", sort_field, SORT_FIELDS),
        sort_type=required_choice("sort_type", sort_type, ORDERS),
        search_time_start=start,
        search_time_end=end,
        status=checked_choice("status", status, STATUSES),
    )
    return call(
        "ListWorkflow",
        "POST",
        CMS + "/workflow-list",
        Page[Workflow],
        body=fields,
        safe=True,
        account_fields=IN_ENTERPRISE_PROJECT,
    )


@operation
def list_workflows(
    _: Session,
    *,
    search: str | None = None,
    type: str | None = None,
    tags: Mapping[str, str] | None = None,
    page: int | None = None,
    size: int | None = None,
    enterprise_project_id: str | None = None,
    create_by: str | None = None,
    sort_field: str = "update_time",
    sort_type: str = "DESC",
    search_time_start: int | None = None,
    search_time_end: int | None = None,
    status: str | None = None,
) -> Request[Page[Workflow]]:
    """One page of the project's workflows (ListWorkflow).

    :param search: only those whose name or description contains this.
    :param type: ``cron``, ``event`` or ``manual``.
    :param tags: only those with these tags, at most 10.
    :param page: number of the page, from 1; the service's default if None.
    :param size: items per page, 1 to 100; the service's default is 10.
    :param enterprise_project_id: only those of this enterprise project.
    :param create_by: only those that this user created.
    :param sort_field: ``create_time``, ``last_execution_start_time`` or ``update_time``.
    :param sort_type: ``ASC`` or ``DESC``.
    :param search_time_start: milliseconds since the epoch.
    :param search_time_end: milliseconds since the epoch.
    :param status: only those whose last execution is in this status, such as ``executing``.
    :raises InvalidInputError: before anything is sent, if an argument cannot be right.
    :raises ApiError: if the service refuses.
    """
    return _page_of_workflows(
        search=search,
        type=type,
        tags=tags,
        page=page,
        size=size,
        enterprise_project_id=enterprise_project_id,
        create_by=create_by,
        sort_field=sort_field,
        sort_type=sort_type,
        search_time_start=search_time_start,
        search_time_end=search_time_end,
        status=status,
    )


def every_workflow(**wanted: Any) -> Pages[Workflow]:
    """The pages of `iter_workflows`, for whoever may not need all of them. Parameters as in `list_workflows`."""
    return pages(
        lambda number: _page_of_workflows(page=number, size=PAGE_SIZE, **wanted),
        unsure_numbers(),
        lambda workflow: workflow.id,
    )


@listing
def iter_workflows(
    _: Session,
    *,
    search: str | None = None,
    type: str | None = None,
    tags: Mapping[str, str] | None = None,
    enterprise_project_id: str | None = None,
    create_by: str | None = None,
    sort_field: str = "update_time",
    sort_type: str = "DESC",
    search_time_start: int | None = None,
    search_time_end: int | None = None,
    status: str | None = None,
) -> Pages[Workflow]:
    """All workflows of the project, page after page (ListWorkflow). Parameters as in `list_workflows`."""
    yield from every_workflow(
        search=search,
        type=type,
        tags=tags,
        enterprise_project_id=enterprise_project_id,
        create_by=create_by,
        sort_field=sort_field,
        sort_type=sort_type,
        search_time_start=search_time_start,
        search_time_end=search_time_end,
        status=status,
    )


@operation
def update_trigger_status(_: Session, workflow_id: str, action: str) -> Request[Success]:
    """Let a ``cron`` workflow start by itself, or not any more (UpdateWorkflowTriggerStatus).

    :param workflow_id: the workflow.
    :param action: ``enable`` or ``disable``.
    :raises InvalidInputError: before anything is sent, if an argument cannot be right.
    :raises NotFoundError: if the workflow does not exist.
    :raises ApiError: if the service refuses.
    """
    return command(
        "UpdateWorkflowTriggerStatus",
        "PUT",
        WORKFLOW + "/trigger/action",
        ids={"workflow_id": workflow_id},
        query={"action": required_choice("action", action, TRIGGER_ACTIONS)},
        safe=True,
    )
