"""An Airflow connection of type ``alibaba_mlworkflows``, made into a client of an Alibaba Cloud service.

A connection of type ``alibaba_cloud``, as Airflow's own provider has it, works too: it keeps the access key in its
extra, and the region comes as an argument.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field, field_validator

from airflow_provider_mlworkflows.clouds.alibaba.credentials import AccessKey, AlibabaAccount, BearerToken
from airflow_provider_mlworkflows.clouds.alibaba.errors import REQUEST_ID_HEADER, read_refusal
from airflow_provider_mlworkflows.clouds.client import Client, Patience
from airflow_provider_mlworkflows.clouds.issued import Fixed
from airflow_provider_mlworkflows.clouds.replies import Service
from airflow_provider_mlworkflows.exceptions import ConfigurationError
from airflow_provider_mlworkflows.hooks.connection import Address, ConnectionExtra, check_region, parse_extra

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.clock import Clock
    from airflow_provider_mlworkflows.hooks.base import ConnectionFields

CONN_NAME_ATTR = "alibaba_conn_id"
CONN_TYPE = "alibaba_mlworkflows"
DEFAULT_CONN_NAME = "alibaba_mlworkflows_default"
HOOK_NAME = "Alibaba Cloud ML workflows"
FOREIGN_CONN_TYPES = ("alibaba_cloud",)


class AlibabaExtra(ConnectionExtra):
    """The extra of a connection to Alibaba Cloud. Without ``auth_type`` the credentials that are there tell it."""

    workspace_id: str | None = None
    auth_type: Literal["ak", "sts", "bearer"] | None = None
    access_key_id: str | None = Field(default=None, repr=False)
    access_key_secret: str | None = Field(default=None, repr=False)
    security_token: str | None = Field(default=None, repr=False)
    bearer_token: str | None = Field(default=None, repr=False)
    network: Literal["public", "vpc"] = "public"
    paiflow_endpoint: Address | None = None
    sts_endpoint: Address | None = None

    @field_validator("auth_type", "network", mode="before")
    @classmethod
    def _in_any_case(cls, value: object) -> object:
        return value.strip().lower() if isinstance(value, str) else value


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
            f"Connection {fields.conn_id!r} has no region. Set region in its extra or give it as an argument, e.g. "
            f"cn-hangzhou, or set {service}_endpoint."
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
        AlibabaAccount(Fixed(_credentials(fields, extra)), workspace_id or extra.workspace_id),
        region=region or "",
        connectivity=extra.connectivity(timeout),
        patience=patience,
        clock=clock,
    )


def workspace_of(client: Client) -> str:
    """The workspace that a client's calls are for if they name none; "" if there is none."""
    account = client.account
    return (account.workspace_id or "") if isinstance(account, AlibabaAccount) else ""


def _credentials(fields: ConnectionFields, extra: AlibabaExtra) -> AccessKey | BearerToken:
    conn = f"Connection {fields.conn_id!r}"
    auth_type = extra.auth_type or _told_by_tokens(extra)
    if auth_type == "bearer":
        if not extra.bearer_token:
            raise ConfigurationError(f"{conn} has auth_type bearer but no bearer_token in its extra.")
        if extra.security_token:
            raise ConfigurationError(
                f"{conn} has a bearer_token and a security_token. A security_token belongs to a temporary access "
                "key: set auth_type to sts and remove the bearer_token, or remove the security_token."
            )
        return BearerToken(extra.bearer_token)
    if extra.bearer_token:
        raise ConfigurationError(f"{conn} has a bearer_token but auth_type {auth_type}. Set auth_type to bearer.")
    if auth_type == "sts" and not extra.security_token:
        raise ConfigurationError(f"{conn} has auth_type sts but no security_token in its extra.")
    if auth_type == "ak" and extra.security_token:
        raise ConfigurationError(f"{conn} has a security_token but auth_type ak. Set auth_type to sts.")
    return AccessKey(*_access_key(fields, extra), extra.security_token)


def _told_by_tokens(extra: AlibabaExtra) -> str:
    if extra.bearer_token:
        return "bearer"
    return "sts" if extra.security_token else "ak"


def _access_key(fields: ConnectionFields, extra: AlibabaExtra) -> tuple[str, str]:
    """Id and secret, from login and password or from the extra."""
    conn = f"Connection {fields.conn_id!r}"
    login, password = (fields.login or "").strip(), (fields.password or "").strip()
    if login and extra.access_key_id and login != extra.access_key_id:
        raise ConfigurationError(f"{conn} has one access key in login and another as access_key_id; remove one.")
    if password and extra.access_key_secret and password != extra.access_key_secret:
        raise ConfigurationError(f"{conn} has one secret in password and another as access_key_secret; remove one.")
    key, secret = login or extra.access_key_id, password or extra.access_key_secret
    if not key or not secret:
        raise ConfigurationError(
            f"{conn} lacks an access key: put the access key id into login and the secret access key into password, "
            "or access_key_id and access_key_secret into its extra, or set auth_type to bearer and give a "
            "bearer_token."
        )
    return key, secret
