"""An Airflow connection of type ``huawei_mlworkflows``, made into a client of a Huawei Cloud service.

A connection of type ``huaweicloud``, as another provider has it, works too; what else its extra holds is left alone.
"""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from airflow_provider_mlworkflows.clouds.client import Client, Patience
from airflow_provider_mlworkflows.clouds.huawei.credentials import AccessKey, HuaweiAccount, IamToken
from airflow_provider_mlworkflows.clouds.huawei.errors import read_refusal
from airflow_provider_mlworkflows.clouds.huawei.obs_credentials import ObsAccount
from airflow_provider_mlworkflows.clouds.huawei.obs_errors import read_refusal as read_storage_refusal
from airflow_provider_mlworkflows.clouds.issued import Fixed
from airflow_provider_mlworkflows.clouds.replies import Service
from airflow_provider_mlworkflows.exceptions import ConfigurationError
from airflow_provider_mlworkflows.hooks.connection import Address, ConnectionExtra, check_region, parse_extra

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_mlworkflows.clock import Clock
    from airflow_provider_mlworkflows.clouds.client import Account
    from airflow_provider_mlworkflows.clouds.http import WireReply
    from airflow_provider_mlworkflows.clouds.replies import Refusal
    from airflow_provider_mlworkflows.hooks.base import ConnectionFields

CONN_NAME_ATTR = "huawei_conn_id"
CONN_TYPE = "huawei_mlworkflows"
DEFAULT_CONN_NAME = "huawei_mlworkflows_default"
HOOK_NAME = "Huawei Cloud ML workflows"
FOREIGN_CONN_TYPES = ("huaweicloud",)

GLOBAL_IAM = "https://iam.myhuaweicloud.com"
REGIONS_WITHOUT_IAM = frozenset({"af-north-1", "cn-north-11", "cn-southwest-3"})

_PROJECT = re.compile(r"[0-9a-fA-F]{32}")


def _checked_project(value: str) -> str:
    if not _PROJECT.fullmatch(value):
        raise ValueError("must be the id of a project, 32 hexadecimal digits, and not its name")
    return value


ProjectId = Annotated[str, AfterValidator(_checked_project)]


class HuaweiExtra(ConnectionExtra):
    """The extra of a connection to Huawei Cloud."""

    project_id: ProjectId | None = None
    auth_type: Literal["aksk", "token"] = "aksk"
    security_token: str | None = Field(default=None, repr=False)
    iam_token: str | None = Field(default=None, repr=False)
    modelarts_endpoint: Address | None = None
    obs_endpoint: Address | None = None
    obs_path_style: bool = False
    aom_endpoint: Address | None = None
    iam_endpoint: Address | None = None
    sts_endpoint: Address | None = None


def huawei_client(
    fields: ConnectionFields,
    service: str,
    service_name: str,
    *,
    region: str | None,
    project_id: str | None,
    timeout: float | None,
    patience: Patience,
    clock: Clock,
    refusal: Callable[[WireReply], Refusal | None] = read_refusal,
) -> Client:
    """Make the client of one service from a connection's fields.

    :param service: as in its host name and in ``<service>_endpoint``, e.g. ``modelarts``.
    :param service_name: as shown in messages.
    :param region: overrides the connection's. If it is another one, the connection's project is not its project.
    :param project_id: overrides the connection's.
    :param timeout: overrides the connection's.
    :param refusal: how the service says no, if not as most do.
    :raises ConfigurationError: if a field is missing, unknown, malformed or contradicts another.
    """
    place = _place(fields, service, region=region, project_id=project_id, needs_project=True)
    account = HuaweiAccount(
        Fixed(_credentials(fields, place.extra)),
        region=place.region,
        project_id=place.project_id,
        iam_endpoint=place.iam_endpoint,
        patience=patience,
        clock=clock,
    )
    where = Service(service_name, place.endpoint, refusal)
    return _client(where, account, place, timeout=timeout, patience=patience, clock=clock)


def object_storage_client(
    fields: ConnectionFields,
    service_name: str,
    *,
    region: str | None,
    project_id: str | None,
    timeout: float | None,
    patience: Patience,
    clock: Clock,
) -> Client:
    """Make the client of object storage, which signs in its own way and needs no project; otherwise the same.

    :param service_name: as shown in messages.
    :raises ConfigurationError: if a field is missing, unknown, malformed or contradicts another.
    """
    place = _place(fields, "obs", region=region, project_id=project_id, needs_project=False)
    account = ObsAccount(
        Fixed(_credentials(fields, place.extra)),
        endpoint=place.endpoint,
        iam_endpoint=place.iam_endpoint,
        patience=patience,
        clock=clock,
    )
    in_path = place.extra.obs_path_style or not _may_have_subdomains(place.endpoint)
    where = Service(service_name, place.endpoint, read_storage_refusal, labels_in_path=in_path)
    return _client(where, account, place, timeout=timeout, patience=patience, clock=clock)


def _client(
    where: Service, account: Account, place: _Place, *, timeout: float | None, patience: Patience, clock: Clock
) -> Client:
    connectivity = place.extra.connectivity(timeout)
    return Client(where, account, region=place.region, connectivity=connectivity, patience=patience, clock=clock)


def _may_have_subdomains(endpoint: str) -> bool:
    host = urlsplit(endpoint).hostname or ""
    try:
        ip_address(host)
    except ValueError:
        return host != "localhost"
    return False


class _Place(NamedTuple):
    """What a connection comes to for one service."""

    extra: HuaweiExtra
    region: str
    project_id: str | None
    endpoint: str
    iam_endpoint: str


def _place(
    fields: ConnectionFields, service: str, *, region: str | None, project_id: str | None, needs_project: bool
) -> _Place:
    extra = parse_extra(HuaweiExtra, fields, lenient=fields.conn_type in FOREIGN_CONN_TYPES)
    endpoint: str | None = getattr(extra, f"{service}_endpoint", None) or extra.endpoint
    check_region(fields, region or extra.region, "cn-north-4")
    if region and extra.region and region != extra.region:
        _check_free_of_region(fields, extra.region, region, service, endpoint)
    else:
        project_id = project_id or extra.project_id
    _check_project(fields, project_id)
    region = region or extra.region
    if not region and not (endpoint and (project_id or not needs_project)):
        instead = f"both project_id and {service}_endpoint" if needs_project else f"{service}_endpoint"
        raise ConfigurationError(
            f"Connection {fields.conn_id!r} has no region. Set region in its extra, e.g. cn-north-4, or {instead}."
        )
    return _Place(
        extra,
        region or "",
        project_id,
        endpoint or f"https://{service}.{region}.myhuaweicloud.com",
        extra.iam_endpoint or _iam_endpoint(region or ""),
    )


def _check_free_of_region(fields: ConnectionFields, own: str, region: str, service: str, endpoint: str | None) -> None:
    if endpoint:
        raise ConfigurationError(
            f"Connection {fields.conn_id!r} has the address of {service} in its region {own}, so it cannot be used "
            f"for region {region}. Name a connection for that region, or remove endpoint and {service}_endpoint from "
            "its extra."
        )


def _check_project(fields: ConnectionFields, project_id: str | None) -> None:
    try:
        _checked_project(project_id or "0" * 32)
    except ValueError as error:
        raise ConfigurationError(f"The project_id for connection {fields.conn_id!r} {error}.") from None


def _credentials(fields: ConnectionFields, extra: HuaweiExtra) -> AccessKey | IamToken:
    conn = f"Connection {fields.conn_id!r}"
    if extra.auth_type == "token":
        if not extra.iam_token:
            raise ConfigurationError(f"{conn} has auth_type token but no iam_token in its extra.")
        if extra.security_token:
            raise ConfigurationError(
                f"{conn} has auth_type token and a security_token. A security_token belongs to a temporary "
                "access key: set auth_type to aksk, or remove it."
            )
        return IamToken(extra.iam_token)
    if extra.iam_token:
        raise ConfigurationError(f"{conn} has an iam_token but auth_type aksk. Set auth_type to token.")
    login, password = (fields.login or "").strip(), (fields.password or "").strip()
    if not login or not password:
        raise ConfigurationError(
            f"{conn} lacks an access key: put the access key id into login and the secret access key into "
            "password, or set auth_type to token and give an iam_token."
        )
    return AccessKey(login, password, extra.security_token)


def _iam_endpoint(region: str) -> str:
    if not region or region in REGIONS_WITHOUT_IAM:
        return GLOBAL_IAM
    if region == "eu-west-101":
        return f"https://iam.{region}.myhuaweicloud.eu"
    return f"https://iam.{region}.myhuaweicloud.com"
