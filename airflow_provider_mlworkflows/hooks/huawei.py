"""An Airflow connection of type ``huawei_mlworkflows``, made into a client of a Huawei Cloud service.

A connection of type ``huaweicloud``, as another provider has it, works too; what else its extra holds is left alone.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from airflow_provider_mlworkflows.clouds.client import Client, Patience
from airflow_provider_mlworkflows.clouds.huawei.credentials import HuaweiAccount, checked_project
from airflow_provider_mlworkflows.clouds.huawei.errors import read_refusal
from airflow_provider_mlworkflows.clouds.huawei.obs_credentials import ObsAccount
from airflow_provider_mlworkflows.clouds.huawei.obs_errors import read_refusal as read_storage_refusal
from airflow_provider_mlworkflows.clouds.replies import Service
from airflow_provider_mlworkflows.exceptions import ConfigurationError
from airflow_provider_mlworkflows.hooks.connection import check_region, parse_extra
from airflow_provider_mlworkflows.hooks.huawei_sources import HuaweiExtra, SignIn

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_mlworkflows.clock import Clock
    from airflow_provider_mlworkflows.clouds.client import Account
    from airflow_provider_mlworkflows.clouds.http import WireReply
    from airflow_provider_mlworkflows.clouds.huawei.credentials import HuaweiCredentials
    from airflow_provider_mlworkflows.clouds.issued import Source
    from airflow_provider_mlworkflows.clouds.replies import Refusal
    from airflow_provider_mlworkflows.hooks.base import ConnectionFields

CONN_NAME_ATTR = "huawei_conn_id"
CONN_TYPE = "huawei_mlworkflows"
DEFAULT_CONN_NAME = "huawei_mlworkflows_default"
HOOK_NAME = "Huawei Cloud ML workflows"
FOREIGN_CONN_TYPES = ("huaweicloud",)

GLOBAL_IAM = "https://iam.myhuaweicloud.com"
REGIONS_WITHOUT_IAM = frozenset({"af-north-1", "cn-north-11", "cn-southwest-3"})


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
        _source(fields, place, clock),
        region=place.region,
        project_id=place.project_id,
        iam_endpoint=place.iam_endpoint,
        defaults=place.extra.defaults,
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
        _source(fields, place, clock),
        endpoint=place.endpoint,
        iam_endpoint=place.iam_endpoint,
        patience=patience,
        clock=clock,
    )
    in_path = place.extra.obs_path_style or not _may_have_subdomains(place.endpoint)
    where = Service(service_name, place.endpoint, read_storage_refusal, labels_in_path=in_path)
    return _client(where, account, place, timeout=timeout, patience=patience, clock=clock)


def _source(fields: ConnectionFields, place: _Place, clock: Clock) -> Source[HuaweiCredentials]:
    sign_in = SignIn(fields, place.extra, place.region, place.project_id, place.iam_endpoint)
    return sign_in.source(clock, lenient=fields.conn_type in FOREIGN_CONN_TYPES)


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
        what_to_do = f"Set region in its extra, e.g. cn-north-4, or {instead}."
        if not fields.conn_id:
            what_to_do = "Give region as an argument, e.g. cn-north-4."
        raise ConfigurationError(f"{fields.title} has no region. {what_to_do}")
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
        checked_project(project_id or "0" * 32)
    except ValueError as error:
        raise ConfigurationError(f"The project_id for connection {fields.conn_id!r} {error}.") from None


def _iam_endpoint(region: str) -> str:
    if not region or region in REGIONS_WITHOUT_IAM:
        return GLOBAL_IAM
    if region == "eu-west-101":
        return f"https://iam.{region}.myhuaweicloud.eu"
    return f"https://iam.{region}.myhuaweicloud.com"
