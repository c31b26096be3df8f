"""Operations on the APIs that lead to services, and on which apps may call them."""

from __future__ import annotations

from collections.abc import Sequence

from airflow_provider_mlworkflows.clouds.huawei.modelarts_app_inputs import (
    app_list,
    checked_api_name,
    checked_remark,
    plain_secrets,
)
from airflow_provider_mlworkflows.clouds.huawei.modelarts_app_models import (
    ApiAuthorization,
    ApiAuthorizationPage,
    ApiPage,
    Authorized,
    AuthorizedApi,
    OneApi,
    Revoked,
    ServiceApi,
)
from airflow_provider_mlworkflows.clouds.huawei.modelarts_apps import APP, APP_SORTING
from airflow_provider_mlworkflows.clouds.huawei.modelarts_inputs import (
    checked_choice,
    checked_segment,
    optional_bool,
)
from airflow_provider_mlworkflows.clouds.huawei.modelarts_paging import (
    LARGEST_PAGE,
    checked_page,
    checked_sorting,
    numbered_pages,
)
from airflow_provider_mlworkflows.clouds.huawei.modelarts_requests import IN_WORKSPACE, Extra, body, query
from airflow_provider_mlworkflows.clouds.huawei.modelarts_secrets import ConfidentialRequest
from airflow_provider_mlworkflows.clouds.operation import Pages, Request, Session, listing, operation

SERVICE = "/v1/{project_id}/services/{service_id}"
API = SERVICE + "/app-auth-apis/{api_id}"

SHOWN = ("AUTH", "UNAUTH")
AUTH_TYPES = ("NONE", "APP", "IAM")
API_METHODS = ("GET", "POST", "DELETE", "PUT", "PATCH", "HEAD", "OPTIONS", "ANY")
LONGEST_API_REMARK = 255


def _page_of_apis(
    app_id: str,
    *,
    service_name: str | None,
    workspace_id: str | None,
    limit: int | None,
    offset: int | None,
    sort_by: str | None,
    order: str | None,
) -> Request[ApiPage]:
    return Request(
        "ShowApisBindToApp",
        "GET",
        APP + "/auth-apis",
        ApiPage,
        path_params={"app_id": checked_segment("app_id", app_id)},
        query=query(
            **checked_page(limit, offset),
            **checked_sorting(sort_by, order, APP_SORTING),
            service_name=service_name,
            workspace_id=workspace_id,
        ),
        safe_to_repeat=True,
        account_fields=IN_WORKSPACE,
    )


@operation
def list_app_apis(
    _: Session,
    app_id: str,
    *,
    service_name: str | None = None,
    workspace_id: str | None = None,
    limit: int | None = None,
    offset: int | None = None,
    sort_by: str | None = None,
    order: str | None = None,
) -> Request[ApiPage]:
    """One page of the APIs that an app may call (ShowApisBindToApp).

    :param app_id: the app.
    :param service_name: only those of services whose name contains this.
    :param workspace_id: only those of this workspace.
    :param limit: APIs per page, 1 to 1000; the service's default is 1000.
    :param offset: the page to begin with, default 0.
    :param sort_by: ``app_name`` (the service's default), ``created_at`` or ``updated_at``.
    :param order: ``asc`` (the service's default) or ``desc``.
    :raises InvalidInputError: before anything is sent, if an argument cannot be right.
    :raises NotFoundError: if the app does not exist.
    """
    return _page_of_apis(
        app_id,
        service_name=service_name,
        workspace_id=workspace_id,
        limit=limit,
        offset=offset,
        sort_by=sort_by,
        order=order,
    )


@listing
def iter_app_apis(
    _: Session,
    app_id: str,
    *,
    service_name: str | None = None,
    workspace_id: str | None = None,
    sort_by: str | None = None,
    order: str | None = None,
) -> Pages[ServiceApi]:
    """All APIs that an app may call, page after page (ShowApisBindToApp). Parameters as in `list_app_apis`."""
    yield from numbered_pages(
        lambda offset: _page_of_apis(
            app_id,
            service_name=service_name,
            workspace_id=workspace_id,
            limit=LARGEST_PAGE,
            offset=offset,
            sort_by=sort_by,
            order=order,
        ),
        lambda page: page.apis,
        lambda api: api.api_id,
    )


def _page_of_authorizations(
    service_id: str,
    api_id: str,
    *,
    app_name: str | None,
    show_only: str | None,
    workspace_id: str | None,
    limit: int | None,
    offset: int | None,
    sort_by: str | None,
    order: str | None,
    show_secrets: bool | None,
    app_ids: Sequence[str],
) -> Request[ApiAuthorizationPage]:
    if show_only is not None:
        checked_choice("show_only", show_only, SHOWN)
    sorting = checked_sorting(sort_by, order, APP_SORTING)
    asked = query(
        **checked_page(limit, offset), app_name=app_name, show_only=show_only, **sorting, workspace_id=workspace_id
    )
    return ConfidentialRequest(
        "ShowApiAuthInfos",
        "GET",
        API + "/api-auths",
        ApiAuthorizationPage,
        path_params=_api(service_id, api_id),
        query=(*asked, *plain_secrets(show_secrets, app_ids)),
        safe_to_repeat=True,
        account_fields=IN_WORKSPACE,
    )


@operation
def list_api_authorizations(
    _: Session,
    service_id: str,
    api_id: str,
    *,
    app_name: str | None = None,
    show_only: str | None = None,
    workspace_id: str | None = None,
    limit: int | None = None,
    offset: int | None = None,
    sort_by: str | None = None,
    order: str | None = None,
    show_secrets: bool | None = None,
    app_ids: Sequence[str] = (),
) -> Request[ApiAuthorizationPage]:
    """One page of the apps that may, or may not, call an API (ShowApiAuthInfos).

    :param service_id: the service that the API leads to.
    :param api_id: the API.
    :param app_name: only apps whose name contains this.
    :param show_only: ``AUTH`` for those that may, ``UNAUTH`` for the others; all if None.
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
    return _page_of_authorizations(
        service_id,
        api_id,
        app_name=app_name,
        show_only=show_only,
        workspace_id=workspace_id,
        limit=limit,
        offset=offset,
        sort_by=sort_by,
        order=order,
        show_secrets=show_secrets,
        app_ids=app_ids,
    )


@listing
def iter_api_authorizations(
    _: Session,
    service_id: str,
    api_id: str,
    *,
    app_name: str | None = None,
    show_only: str | None = None,
    workspace_id: str | None = None,
    sort_by: str | None = None,
    order: str | None = None,
    show_secrets: bool | None = None,
    app_ids: Sequence[str] = (),
) -> Pages[ApiAuthorization]:
    """All apps that may, or may not, call an API (ShowApiAuthInfos). Parameters as in `list_api_authorizations`."""
    yield from numbered_pages(
        lambda offset: _page_of_authorizations(
            service_id,
            api_id,
            app_name=app_name,
            show_only=show_only,
            workspace_id=workspace_id,
            limit=LARGEST_PAGE,
            offset=offset,
            sort_by=sort_by,
            order=order,
            show_secrets=show_secrets,
            app_ids=app_ids,
        ),
        lambda page: page.auths,
        lambda authorization: authorization.app.app_id,
    )


@operation
def create_api(
    _: Session,
    service_id: str,
    *,
    api_name: str | None = None,
    api_method: str | None = None,
    api_remark: str | None = None,
    auth_type: str | None = None,
    support_app_code: bool | None = None,
    workspace_id: str | None = None,
    extra: Extra = None,
) -> Request[ServiceApi]:
    """Make an API that leads to a service; no app may call it yet (CreateAppAuthApi).

    :param service_id: the service.
    :param api_name: 3 to 255 letters, digits and ``_``, the first of them a letter; the service's choice if None.
    :param api_method: such as ``ANY``, the service's default.
    :param api_remark: free text of up to 255 characters.
    :param auth_type: ``NONE``, ``APP`` or ``IAM``.
    :param support_app_code: whether a code of an app is enough to call it.
    :param workspace_id: the service's default is ``0``.
    :param extra: further fields, such as ``api_path`` and ``api_url``.
    :raises InvalidInputError: before anything is sent, if an argument cannot be right.
    :raises ApiError: if the service refuses. Not sent again after an unclear failure.
    """
    if api_method is not None:
        checked_choice("api_method", api_method, API_METHODS)
    if auth_type is not None:
        checked_choice("auth_type", auth_type, AUTH_TYPES)
    fields = body(
        extra,
        api_name=checked_api_name(api_name),
        api_method=api_method,
        api_remark=checked_remark("api_remark", api_remark, LONGEST_API_REMARK),
        auth_type=auth_type,
        support_app_code=optional_bool("support_app_code", support_app_code),
        workspace_id=workspace_id,
    )
    return Request(
        "CreateAppAuthApi",
        "POST",
        "/v1/{project_id}/app-auth/{service_id}/apis",
        OneApi,
        path_params=_service(service_id),
        body=fields,
        account_fields=IN_WORKSPACE,
    )


@operation
def create_authorized_api(
    _: Session, service_id: str, app_ids: Sequence[str], *, workspace_id: str | None = None
) -> Request[AuthorizedApi]:
    """Make an API that leads to a service, and let apps call it (CreateAndAuthAppAuthApi).

    :param service_id: the service.
    :param app_ids: the apps, at least one. See `Authorized.failed` for those that still may not.
    :param workspace_id: the service's default is ``0``.
    :raises InvalidInputError: before anything is sent, if an argument cannot be right.
    :raises ApiError: if the service refuses. Not sent again after an unclear failure.
    """
    return Request(
        "CreateAndAuthAppAuthApi",
        "POST",
        SERVICE + "/app-auth-api",
        AuthorizedApi,
        path_params=_service(service_id),
        body=app_list(app_ids, workspace_id),
        account_fields=IN_WORKSPACE,
    )


@operation
def authorize_api(
    _: Session, service_id: str, api_id: str, app_ids: Sequence[str], *, workspace_id: str | None = None
) -> Request[Authorized]:
    """Let apps call an API (AuthorizeApiToApigApps).

    :param service_id: the service that the API leads to.
    :param api_id: the API.
    :param app_ids: the apps, at least one. See `Authorized.failed` for those that still may not.
    :param workspace_id: the service's default is ``0``.
    :raises InvalidInputError: before anything is sent, if an argument cannot be right.
    :raises ApiError: if the service refuses. Not sent again after an unclear failure.
    """
    return Request(
        "AuthorizeApiToApigApps",
        "POST",
        API + "/app-auth-api",
        Authorized,
        path_params=_api(service_id, api_id),
        body=app_list(app_ids, workspace_id),
        account_fields=IN_WORKSPACE,
    )


@operation
def revoke_api_authorization(
    _: Session, service_id: str, api_id: str, app_ids: Sequence[str], *, workspace_id: str | None = None
) -> Request[Revoked]:
    """No longer let apps call an API (DeleteApiAppAuth).

    :param service_id: the service that the API leads to.
    :param api_id: the API.
    :param app_ids: the apps, at least one. See `Revoked.failed` for those that still may.
    :param workspace_id: the service's default is ``0``.
    :raises InvalidInputError: before anything is sent, if an argument cannot be right.
    :raises ApiError: if the service refuses.
    """
    return Request(
        "DeleteApiAppAuth",
        "DELETE",
        API + "/app-auth-api",
        Revoked,
        path_params=_api(service_id, api_id),
        body=app_list(app_ids, workspace_id),
        safe_to_repeat=True,
        account_fields=IN_WORKSPACE,
    )


@operation
def delete_api(_: Session, service_id: str, api_id: str, *, workspace_id: str | None = None) -> Request[None]:
    """Delete an API; the service stays (DeleteAppAuthApi).

    :param service_id: the service that the API leads to.
    :param api_id: the API.
    :param workspace_id: the workspace it is in, if not the default one.
    :raises InvalidInputError: before anything is sent, if an id is empty.
    :raises ApiError: if the service refuses, also if an earlier attempt has deleted it.
    """
    return Request(
        "DeleteAppAuthApi",
        "DELETE",
        API,
        None,
        path_params=_api(service_id, api_id),
        query=query(workspace_id=workspace_id),
        safe_to_repeat=True,
        account_fields=IN_WORKSPACE,
    )


def _service(service_id: object) -> dict[str, str]:
    return {"service_id": checked_segment("service_id", service_id)}


def _api(service_id: object, api_id: object) -> dict[str, str]:
    return {**_service(service_id), "api_id": checked_segment("api_id", api_id)}
