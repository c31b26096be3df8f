"""Operations on the apps that may call services, and on their secrets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_mlworkflows.clouds.huawei.modelarts_app_inputs import checked_remark, plain_code, plain_secrets
from airflow_provider_mlworkflows.clouds.huawei.modelarts_app_models import App, AppExistence, AppPage, OneApp
from airflow_provider_mlworkflows.clouds.huawei.modelarts_inputs import (
    checked_segment,
    optional_text,
)
from airflow_provider_mlworkflows.clouds.huawei.modelarts_paging import (
    LARGEST_PAGE,
    checked_page,
    checked_sorting,
    numbered_pages,
)
from airflow_provider_mlworkflows.clouds.huawei.modelarts_requests import IN_WORKSPACE, body, query
from airflow_provider_mlworkflows.clouds.huawei.modelarts_secrets import ConfidentialRequest
from airflow_provider_mlworkflows.clouds.operation import Pages, Request, Session, Steps, listing, operation

if TYPE_CHECKING:
    from pydantic import SecretStr

APPS = "/v1/{project_id}/app-auth/apps"
APP = APPS + "/{app_id}"
# Its manual writes the singular, for one code and for all.
APP_CODES = APP + "/app-code"
APP_CODE = APP_CODES + "/{app_code}"

APP_SORTING = ("app_name", "created_at", "updated_at")
LONGEST_REMARK = 200


def _page_of_apps(
    *,
    app_name: str | None,
    workspace_id: str | None,
    limit: int | None,
    offset: int | None,
    sort_by: str | None,
    order: str | None,
    show_secrets: bool | None,
    app_ids: Sequence[str],
) -> Request[AppPage]:
    asked = query(
        app_name=app_name,
        **checked_page(limit, offset),
        **checked_sorting(sort_by, order, APP_SORTING),
        workspace_id=workspace_id,
    )
    return ConfidentialRequest(
        "ListApigApps",
        "GET",
        APPS,
        AppPage,
        query=(*asked, *plain_secrets(show_secrets, app_ids)),
        safe_to_repeat=True,
        account_fields=IN_WORKSPACE,
    )


@operation
def list_apps(
    _: Session,
    *,
    app_name: str | None = None,
    workspace_id: str | None = None,
    limit: int | None = None,
    offset: int | None = None,
    sort_by: str | None = None,
    order: str | None = None,
    show_secrets: bool | None = None,
    app_ids: Sequence[str] = (),
) -> Request[AppPage]:
    """One page of the user's own apps (ListApigApps).

    :param app_name: only those of this name.
    :param workspace_id: only those of this workspace.
    :param limit: apps per page, 1 to 1000; the service's default is 1000.
    :param offset: the page to begin with, default 0.
    :param sort_by: ``app_name`` (the service's default), ``created_at`` or ``updated_at``.
    :param order: ``asc`` (the service's default) or ``desc``.
    :param show_secrets: whether the service sends secrets as they are. Whatever it sends, texts show none.
    :param app_ids: the apps to send the secrets of.
    :raises InvalidInputError: before anything is sent, if an argument cannot be right.
    :raises ApiError: if the service refuses.
    """
    return _page_of_apps(
        app_name=app_name,
        workspace_id=workspace_id,
        limit=limit,
        offset=offset,
        sort_by=sort_by,
        order=order,
        show_secrets=show_secrets,
        app_ids=app_ids,
    )


@listing
def iter_apps(
    _: Session,
    *,
    app_name: str | None = None,
    workspace_id: str | None = None,
    sort_by: str | None = None,
    order: str | None = None,
    show_secrets: bool | None = None,
    app_ids: Sequence[str] = (),
) -> Pages[App]:
    """All of the user's own apps, page after page (ListApigApps). Parameters as in `list_apps`."""
    yield from numbered_pages(
        lambda offset: _page_of_apps(
            app_name=app_name,
            workspace_id=workspace_id,
            limit=LARGEST_PAGE,
            offset=offset,
            sort_by=sort_by,
            order=order,
            show_secrets=show_secrets,
            app_ids=app_ids,
        ),
        lambda page: page.apps,
        lambda app: app.app_id,
    )


@operation
def create_app(
    _: Session, app_name: str, *, app_remark: str | None = None, workspace_id: str | None = None
) -> Request[App]:
    """Create an app (CreateApigApp). A user may have five, unless the quota was raised.

    :param app_name: its name.
    :param app_remark: free text of up to 200 characters.
    :param workspace_id: the service's default is ``0``.
    :raises InvalidInputError: before anything is sent, if an argument cannot be right.
    :raises ApiError: if the service refuses. Not sent again after an unclear failure.
    """
    fields = _about(checked_segment("app_name", app_name), app_remark, workspace_id)
    return ConfidentialRequest("CreateApigApp", "POST", APPS, OneApp, body=fields, account_fields=IN_WORKSPACE)


@operation
def show_app(_: Session, app_id: str, *, workspace_id: str | None = None) -> Request[App]:
    """One app (ShowApigApp).

    :param app_id: the app.
    :param workspace_id: the workspace it is in, if not the default one.
    :raises InvalidInputError: before anything is sent, if the id is empty.
    :raises NotFoundError: if it does not exist.
    """
    return ConfidentialRequest(
        "ShowApigApp",
        "GET",
        APP,
        OneApp,
        path_params=_app(app_id),
        query=query(workspace_id=workspace_id),
        safe_to_repeat=True,
        account_fields=IN_WORKSPACE,
    )


@operation
def app_exists(_: Session, app_name: str, *, workspace_id: str | None = None) -> Steps[bool]:
    """Whether there is an app of this name (ApigAppExists).

    :param app_name: its name.
    :param workspace_id: the workspace to look in, if not the default one.
    :raises InvalidInputError: before anything is sent, if the name is empty.
    :raises ApiError: if the service refuses.
    """
    answer = yield from Request(
        "ApigAppExists",
        "GET",
        APPS + "/{app_name}/exists",
        AppExistence,
        path_params={"app_name": checked_segment("app_name", app_name)},
        query=query(workspace_id=workspace_id),
        safe_to_repeat=True,
        account_fields=IN_WORKSPACE,
    )
    return answer.exists


@operation
def delete_app(_: Session, app_id: str, *, workspace_id: str | None = None) -> Request[None]:
    """Delete an app (DeleteApigApp). What calls services as this app can no longer do so.

    :param app_id: the app.
    :param workspace_id: the workspace it is in, if not the default one.
    :raises InvalidInputError: before anything is sent, if the id is empty.
    :raises NotFoundError: if it does not exist, also if an earlier attempt has deleted it.
    """
    return Request(
        "DeleteApigApp",
        "DELETE",
        APP,
        None,
        path_params=_app(app_id),
        query=query(workspace_id=workspace_id),
        safe_to_repeat=True,
        account_fields=IN_WORKSPACE,
    )


@operation
def reset_app_secret(
    _: Session,
    app_id: str,
    *,
    app_name: str | None = None,
    app_remark: str | None = None,
    workspace_id: str | None = None,
) -> Request[App]:
    """Give an app another secret; the old one is worth nothing from then on (ResetApigAppSecret).

    :param app_id: the app.
    :param app_name: its name.
    :param app_remark: free text of up to 200 characters.
    :param workspace_id: the workspace it is in, if not the default one.
    :raises InvalidInputError: before anything is sent, if an argument cannot be right.
    :raises ApiError: if the service refuses. Not sent again after an unclear failure.
    """
    return ConfidentialRequest(
        "ResetApigAppSecret",
        "PUT",
        APP + "/app-secret",
        OneApp,
        path_params=_app(app_id),
        body=_about(app_name, app_remark, workspace_id),
        account_fields=IN_WORKSPACE,
    )


@operation
def create_app_code(
    _: Session,
    app_id: str,
    *,
    app_name: str | None = None,
    app_remark: str | None = None,
    workspace_id: str | None = None,
) -> Request[App]:
    """Give an app one more code (CreateApigAppCode); the answer has all its codes.

    :param app_id: the app; one of type ``APIC`` can have no code.
    :param app_name: its name.
    :param app_remark: free text of up to 200 characters.
    :param workspace_id: the workspace it is in, if not the default one.
    :raises InvalidInputError: before anything is sent, if an argument cannot be right.
    :raises ApiError: if the service refuses. Not sent again after an unclear failure.
    """
    return ConfidentialRequest(
        "CreateApigAppCode",
        "POST",
        APP_CODES,
        OneApp,
        path_params=_app(app_id),
        body=_about(app_name, app_remark, workspace_id),
        account_fields=IN_WORKSPACE,
    )


@operation
def reset_app_code(
    _: Session,
    app_id: str,
    app_code: str | SecretStr,
    *,
    app_name: str | None = None,
    app_remark: str | None = None,
    workspace_id: str | None = None,
) -> Request[App]:
    """Replace one of an app's codes by another (ResetApigAppCode).

    :param app_id: the app.
    :param app_code: the code to replace, as `App.app_codes` has it. No message or log shows it.
    :param app_name: its name.
    :param app_remark: free text of up to 200 characters.
    :param workspace_id: the workspace it is in, if not the default one.
    :raises InvalidInputError: before anything is sent, if an argument cannot be right.
    :raises ApiError: if the service refuses. Not sent again after an unclear failure.
    """
    code = plain_code(app_code)
    return ConfidentialRequest(
        "ResetApigAppCode",
        "PUT",
        APP_CODE,
        OneApp,
        path_params={**_app(app_id), "app_code": code},
        body=_about(app_name, app_remark, workspace_id),
        secrets=(code,),
        account_fields=IN_WORKSPACE,
    )


@operation
def delete_app_code(
    _: Session, app_id: str, app_code: str | SecretStr, *, workspace_id: str | None = None
) -> Request[App]:
    """Take one of its codes away from an app (DeleteApigAppCode); the answer has the others.

    :param app_id: the app.
    :param app_code: the code, as `App.app_codes` has it. No message or log shows it.
    :param workspace_id: the workspace it is in, if not the default one.
    :raises InvalidInputError: before anything is sent, if an argument cannot be right.
    :raises ApiError: if the service refuses.
    """
    code = plain_code(app_code)
    return ConfidentialRequest(
        "DeleteApigAppCode",
        "DELETE",
        APP_CODE,
        OneApp,
        path_params={**_app(app_id), "app_code": code},
        query=query(workspace_id=workspace_id),
        safe_to_repeat=True,
        secrets=(code,),
        account_fields=IN_WORKSPACE,
    )


def _app(app_id: object) -> dict[str, str]:
    return {"app_id": checked_segment("app_id", app_id)}


def _about(app_name: str | None, app_remark: str | None, workspace_id: str | None) -> dict[str, Any]:
    return body(
        app_name=optional_text("app_name", app_name),
        app_remark=checked_remark("app_remark", app_remark, LONGEST_REMARK),
        workspace_id=workspace_id,
    )
