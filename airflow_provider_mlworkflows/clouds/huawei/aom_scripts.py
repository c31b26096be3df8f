"""Reading the scripts that jobs run, and their versions."""

from __future__ import annotations

from typing import Any

from airflow_provider_mlworkflows.clouds.huawei.aom_inputs import (
    LONGEST_NAME,
    body,
    checked_id,
    checked_number,
    checked_text,
    required_choice,
)
from airflow_provider_mlworkflows.clouds.huawei.aom_models import Page, Script, ScriptVersion
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

SCRIPTS = "default"
VERSIONS = "no_default"
LIST_MODES = (SCRIPTS, VERSIONS)


def _fields(**given: object) -> dict[str, Any]:
    return body(
        name=checked_text("name", given["name"], LONGEST_NAME),
        is_default=required_choice("is_default", given["is_default"], LIST_MODES),
        create_by=checked_text("create_by", given["create_by"], 64),
        # The service wants the field also where scripts are looked for and no id is known yet.
        script_id=checked_id("script_id", given["script_id"]) if given["script_id"] != "" else "",
        page_num=checked_number("page_num", given["page_num"], 1, HIGHEST_PAGE),
        page_size=checked_number("page_size", given["page_size"], 1, PAGE_SIZE),
        project_id=checked_text("project_id", given["project_id"], 32, 32),
        order_by_column=required_choice("order_by_column", given["order_by_column"], COLUMNS),
        sort_order=required_choice("sort_order", given["sort_order"], ORDERS),
        enterprise_project_id=checked_text("enterprise_project_id", given["enterprise_project_id"], 64),
    )


def _page_of_scripts(**given: object) -> Request[Page[Script]]:
    fields = _fields(**given)
    return call(
        "ListAllScriptByName",
        "POST",
        CMS + "/script/list",
        Page[Script],
        body=fields,
        safe=True,
        account_fields=IN_ENTERPRISE_PROJECT,
    )


def _page_of_versions(script_id: str, **given: object) -> Request[Page[ScriptVersion]]:
    fields = _fields(script_id=checked_id("script_id", script_id), is_default=VERSIONS, **given)
    path = CMS + "/script-version-list"
    return call(
        "ListAllVersionByVersionId",
        "POST",
        path,
        Page[ScriptVersion],
        body=fields,
        safe=True,
        account_fields=IN_ENTERPRISE_PROJECT,
    )


@operation
def list_scripts(
    _: Session,
    *,
    name: str | None = None,
    script_id: str = "",
    is_default: str = SCRIPTS,
    create_by: str | None = None,
    page_num: int | None = None,
    page_size: int | None = None,
    project_id: str | None = None,
    order_by_column: str = "update_time",
    sort_order: str = "DESC",
    enterprise_project_id: str | None = None,
) -> Request[Page[Script]]:
    """One page of the project's scripts (ListAllScriptByName).

    :param name: only those whose name contains this.
    :param script_id: only this script; any if "".
    :param is_default: ``default`` for a list of scripts, ``no_default`` for one of versions.
    :param create_by: only those that this user created.
    :param page_num: number of the page, from 1.
    :param page_size: items per page, 1 to 100; the service's default is 10.
    :param project_id: 32 characters.
    :param order_by_column: ``name``, ``create_time`` or ``update_time``.
    :param sort_order: ``ASC`` or ``DESC``.
    :param enterprise_project_id: only those of this enterprise project.
    :raises InvalidInputError: before anything is sent, if an argument cannot be right.
    :raises ApiError: if the service refuses.
    """
    return _page_of_scripts(
        name=name,
        script_id=script_id,
        is_default=is_default,
        create_by=create_by,
        page_num=page_num,
        page_size=page_size,
        project_id=project_id,
        order_by_column=order_by_column,
        sort_order=sort_order,
        enterprise_project_id=enterprise_project_id,
    )


@listing
def iter_scripts(
    _: Session,
    *,
    name: str | None = None,
    create_by: str | None = None,
    order_by_column: str = "update_time",
    sort_order: str = "DESC",
    enterprise_project_id: str | None = None,
) -> Pages[Script]:
    """All scripts of the project, page after page. Parameters as in `list_scripts`."""
    yield from pages(
        lambda number: _page_of_scripts(
            name=name,
            script_id="",
            is_default=SCRIPTS,
            create_by=create_by,
            page_num=number,
            page_size=PAGE_SIZE,
            project_id=None,
            order_by_column=order_by_column,
            sort_order=sort_order,
            enterprise_project_id=enterprise_project_id,
        ),
        range(1, HIGHEST_PAGE + 1),
        lambda script: script.id,
    )


@operation
def list_script_versions(
    _: Session,
    script_id: str,
    *,
    name: str,
    create_by: str | None = None,
    page_num: int | None = None,
    page_size: int | None = None,
    project_id: str | None = None,
    order_by_column: str = "update_time",
    sort_order: str = "DESC",
    enterprise_project_id: str | None = None,
) -> Request[Page[ScriptVersion]]:
    """One page of the versions of a script (ListAllVersionByVersionId).

    :param script_id: the script.
    :param name: its name.
    :param create_by: only those that this user created.
    :param page_num: number of the page, from 1.
    :param page_size: items per page, 1 to 100; the service's default is 10.
    :param project_id: 32 characters.
    :param order_by_column: ``name``, ``create_time`` or ``update_time``.
    :param sort_order: ``ASC`` or ``DESC``.
    :param enterprise_project_id: only those of this enterprise project.
    :raises InvalidInputError: before anything is sent, if an argument cannot be right.
    :raises ApiError: if the service refuses.
    """
    return _page_of_versions(
        script_id,
        name=name,
        create_by=create_by,
        page_num=page_num,
        page_size=page_size,
        project_id=project_id,
        order_by_column=order_by_column,
        sort_order=sort_order,
        enterprise_project_id=enterprise_project_id,
    )


@listing
def iter_script_versions(
    _: Session,
    script_id: str,
    *,
    name: str,
    create_by: str | None = None,
    order_by_column: str = "update_time",
    sort_order: str = "DESC",
    enterprise_project_id: str | None = None,
) -> Pages[ScriptVersion]:
    """All versions of a script, page after page. Parameters as in `list_script_versions`."""
    yield from pages(
        lambda number: _page_of_versions(
            script_id,
            name=name,
            create_by=create_by,
            page_num=number,
            page_size=PAGE_SIZE,
            project_id=None,
            order_by_column=order_by_column,
            sort_order=sort_order,
            enterprise_project_id=enterprise_project_id,
        ),
        range(1, HIGHEST_PAGE + 1),
        lambda version: version.version_id,
    )
