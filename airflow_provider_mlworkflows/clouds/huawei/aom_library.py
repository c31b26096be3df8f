"""Reading what workflows are made from: templates, and the jobs behind them."""

from __future__ import annotations

from airflow_provider_mlworkflows.clouds.huawei.aom_inputs import (
    LONGEST_NAME,
    body,
    checked_number,
    checked_text,
    required_choice,
)
from airflow_provider_mlworkflows.clouds.huawei.aom_models import Job, Page, Template
from airflow_provider_mlworkflows.clouds.huawei.aom_requests import (
    CMS,
    COLUMNS,
    HIGHEST_PAGE,
    IN_ENTERPRISE_PROJECT,
    ORDERS,
    PAGE_SIZE,
    call,
    pages,
)
from airflow_provider_mlworkflows.clouds.operation import Pages, Request, Session, listing, operation

SHARE_TYPES = ("public", "private")
HIGHEST_JOB_PAGE = 1000
"""The service takes higher numbers for page 1."""


@operation
def show_template(_: Session, template_id: str, *, share_type: str = "private") -> Request[Template]:
    """One template (SearchTemplateById).

    :param template_id: the template.
    :param share_type: ``private`` for one's own, ``public`` for those of the service.
    :raises InvalidInputError: before anything is sent, if an argument cannot be right.
    :raises NotFoundError: if it does not exist.
    """
    return call(
        "SearchTemplateById",
        "GET",
        CMS + "/template/{template_id}",
        Template,
        ids={"template_id": template_id},
        query={"share_type": required_choice("share_type", share_type, SHARE_TYPES)},
        safe=True,
    )


def _page_of_templates(
    job_id: str,
    *,
    name: str | None,
    page_num: int | None,
    page_size: int | None,
    order_by_column: str,
    sort_order: str,
) -> Request[Page[Template]]:
    fields = body(
        name=checked_text("name", name, LONGEST_NAME),
        page_num=checked_number("page_num", page_num, 1, HIGHEST_PAGE),
        page_size=checked_number("page_size", page_size, 1, PAGE_SIZE),
        order_by_column=required_choice("order_by_column", order_by_column, COLUMNS),
        sort_order=required_choice("sort_order", sort_order, ORDERS),
    )
    path = CMS + "/template-list/{job_id}"
    return call("ListTemplateByJobId", "POST", path, Page[Template], ids={"job_id": job_id}, body=fields, safe=True)


@operation
def list_templates(
    _: Session,
    job_id: str,
    *,
    name: str | None = None,
    page_num: int | None = None,
    page_size: int | None = None,
    order_by_column: str = "update_time",
    sort_order: str = "DESC",
) -> Request[Page[Template]]:
    """One page of the templates made from a job (ListTemplateByJobId).

    :param job_id: the job.
    :param name: only those whose name contains this.
    :param page_num: number of the page, from 1.
    :param page_size: items per page, 1 to 100; the service's default if None.
    :param order_by_column: ``name``, ``create_time`` or ``update_time``.
    :param sort_order: ``ASC`` or ``DESC``.
    :raises InvalidInputError: before anything is sent, if an argument cannot be right.
    :raises ApiError: if the service refuses.
    """
    return _page_of_templates(
        job_id,
        name=name,
        page_num=page_num,
        page_size=page_size,
        order_by_column=order_by_column,
        sort_order=sort_order,
    )


@listing
def iter_templates(
    _: Session,
    job_id: str,
    *,
    name: str | None = None,
    order_by_column: str = "update_time",
    sort_order: str = "DESC",
) -> Pages[Template]:
    """All templates made from a job, page after page. Parameters as in `list_templates`."""
    yield from pages(
        lambda number: _page_of_templates(
            job_id,
            name=name,
            page_num=number,
            page_size=PAGE_SIZE,
            order_by_column=order_by_column,
            sort_order=sort_order,
        ),
        range(1, HIGHEST_PAGE + 1),
        lambda template: template.id,
    )


def _page_of_jobs(
    *,
    name: str | None,
    page_num: int | None,
    page_size: int | None,
    order_by_column: str,
    sort_order: str,
    enterprise_project_id: str | None,
) -> Request[Page[Job]]:
    fields = body(
        name=checked_text("name", name, LONGEST_NAME),
        page_num=checked_number("page_num", page_num, 1, HIGHEST_JOB_PAGE),
        page_size=checked_number("page_size", page_size, 1, PAGE_SIZE),
        order_by_column=required_choice("order_by_column", order_by_column, COLUMNS),
        sort_order=required_choice("sort_order", sort_order, ORDERS),
        enterprise_project_id=checked_text("enterprise_project_id", enterprise_project_id, 64),
    )
    return call(
        "ListAllJobByName",
        "POST",
        CMS + "/job/list",
        Page[Job],
        body=fields,
        safe=True,
        account_fields=IN_ENTERPRISE_PROJECT,
    )


@operation
def list_jobs(
    _: Session,
    *,
    name: str | None = None,
    page_num: int | None = None,
    page_size: int | None = None,
    order_by_column: str = "update_time",
    sort_order: str = "DESC",
    enterprise_project_id: str | None = None,
) -> Request[Page[Job]]:
    """One page of the project's jobs (ListAllJobByName).

    :param name: only those whose name contains this.
    :param page_num: number of the page, 1 to 1000.
    :param page_size: items per page, 1 to 100; the service's default is 10.
    :param order_by_column: ``name``, ``create_time`` or ``update_time``.
    :param sort_order: ``ASC`` or ``DESC``.
    :param enterprise_project_id: only those of this enterprise project.
    :raises InvalidInputError: before anything is sent, if an argument cannot be right.
    :raises ApiError: if the service refuses.
    """
    return _page_of_jobs(
        name=name,
        page_num=page_num,
        page_size=page_size,
        order_by_column=order_by_column,
        sort_order=sort_order,
        enterprise_project_id=enterprise_project_id,
    )


@listing
def iter_jobs(
    _: Session,
    *,
    name: str | None = None,
    order_by_column: str = "update_time",
    sort_order: str = "DESC",
    enterprise_project_id: str | None = None,
) -> Pages[Job]:
    """All jobs of the project, page after page. Parameters as in `list_jobs`."""
    yield from pages(
        lambda number: _page_of_jobs(
            name=name,
            page_num=number,
            page_size=PAGE_SIZE,
            order_by_column=order_by_column,
            sort_order=sort_order,
            enterprise_project_id=enterprise_project_id,
        ),
        range(1, HIGHEST_JOB_PAGE + 1),
        lambda job: job.id,
    )
