"""An Airflow connection of type ``alibaba_mlworkflows``, made into a client of an Alibaba Cloud service.

A connection of type ``alibaba_cloud``, as Airflow's own provider has it, works too: it keeps the access key in its
extra, and the region comes as an argument.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_mlworkflows.clouds.alibaba.credentials import AlibabaAccount
from airflow_provider_mlworkflows.clouds.alibaba.errors import REQUEST_ID_HEADER, read_refusal
from airflow_provider_mlworkflows.clouds.client import Client, Patience
from airflow_provider_mlworkflows.clouds.replies import Service
from airflow_provider_mlworkflows.exceptions import ConfigurationError
from airflow_provider_mlworkflows.hooks.alibaba_sources import AlibabaExtra, source_of
from airflow_provider_mlworkflows.hooks.connection import check_region, parse_extra

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.clock import Clock
    from airflow_provider_mlworkflows.hooks.base import ConnectionFields

CONN_NAME_ATTR = "alibaba_conn_id"
CONN_TYPE = "alibaba_mlworkflows"
DEFAULT_CONN_NAME = "alibaba_mlworkflows_default"
HOOK_NAME = "Alibaba Cloud ML workflows"
FOREIGN_CONN_TYPES = ("alibaba_cloud",)


def alibaba_client(
    fields: ConnectionFields,
    service: str,
    service_name: str,
    *,
    region: str | None,
    workspace_id: str | None,
    timeout: float | None,
    patience: Patience,
    clock: Clock,
) -> Client:
    """Make the client of one service from a connection's fields.

    :param service: as in its host name and in ``<service>_endpoint``, e.g. ``paiflow``.
    :param service_name: as shown in messages.
    :param region: overrides the connection's.
    :param workspace_id: overrides the connection's.
    :param timeout: overrides the connection's.
    :raises ConfigurationError: if a field is missing, unknown, malformed or contradicts another.
    """
    extra = parse_extra(AlibabaExtra, fields, lenient=fields.conn_type in FOREIGN_CONN_TYPES)
    region = region or extra.region
    endpoint: str | None = getattr(extra, f"{service}_endpoint") or extra.endpoint
    if not region and not endpoint:
        raise ConfigurationError(
            f"{fields.title} has no region. Set region in its extra or give it as an argument, e.g. cn-hangzhou, or "
            f"set {service}_endpoint."
        )
    check_region(fields, region, "cn-hangzhou")
    network = "-vpc" if extra.network == "vpc" else ""
    where = Service(
        service_name,
        endpoint or f"https://{service}{network}.{region}.aliyuncs.com",
        read_refusal,
        request_id_header=REQUEST_ID_HEADER,
    )
    return Client(
        where,
        AlibabaAccount(source_of(fields, extra, region=region, clock=clock), workspace_id or extra.workspace_id),
        region=region or "",
        connectivity=extra.connectivity(timeout),
        patience=patience,
        clock=clock,
    )


def workspace_of(client: Client) -> str:
    """The workspace that a client's calls are for if they name none; "" if there is none."""
    account = client.account
    return (account.workspace_id or "") if isinstance(account, AlibabaAccount) else ""
