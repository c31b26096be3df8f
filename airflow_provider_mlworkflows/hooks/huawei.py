"""An Airflow connection of type ``huawei_mlworkflows``, made into a client of a Huawei Cloud service."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from airflow_provider_mlworkflows.clouds.client import Client, Patience, Service
from airflow_provider_mlworkflows.clouds.http import Connectivity
from airflow_provider_mlworkflows.clouds.huawei.credentials import AccessKey, HuaweiAccount, IamToken
from airflow_provider_mlworkflows.clouds.huawei.errors import read_refusal
from airflow_provider_mlworkflows.exceptions import ConfigurationError

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.clock import Clock
    from airflow_provider_mlworkflows.hooks.base import ConnectionFields

CONN_NAME_ATTR = "huawei_conn_id"
CONN_TYPE = "huawei_mlworkflows"
DEFAULT_CONN_NAME = "huawei_mlworkflows_default"
HOOK_NAME = "Huawei Cloud ML workflows"

GLOBAL_IAM = "https://iam.myhuaweicloud.com"
REGIONS_WITHOUT_IAM = frozenset({"af-north-1", "cn-north-11", "cn-southwest-3"})

_REGION = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


class HuaweiExtra(BaseModel):
    """The extra of a connection: every field it may have, with strings from URI forms turned into types."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        coerce_numbers_to_str=True,
        str_strip_whitespace=True,
    )

    region: str | None = None
    project_id: str | None = None
    auth_type: Literal["aksk", "token"] = "aksk"
    security_token: str | None = Field(default=None, repr=False)
    iam_token: str | None = Field(default=None, repr=False)
    endpoint: str | None = None
    modelarts_endpoint: str | None = None
    obs_endpoint: str | None = None
    aom_endpoint: str | None = None
    iam_endpoint: str | None = None
    verify: bool | str = True
    proxy: str | None = Field(default=None, repr=False)
    timeout: float = Field(default=30.0, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _blank_is_unset(cls, value: object, info: object) -> object:
        name = getattr(info, "field_name", "")
        if isinstance(value, str) and not value.strip():
            value = None
        return cls.model_fields[name].default if value is None else value

    @field_validator("verify", mode="before")
    @classmethod
    def _boolean_words(cls, value: object) -> object:
        words = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
        return words.get(value.strip().lower(), value) if isinstance(value, str) else value

    @field_validator("endpoint", "modelarts_endpoint", "obs_endpoint", "aom_endpoint", "iam_endpoint")
    @classmethod
    def _is_address(cls, value: str | None) -> str | None:
        if value is None:
            return None
        if not _is_http_address(value) or set(value) & set("?#@"):
            raise ValueError("must be an address such as https://modelarts.cn-north-4.myhuaweicloud.com")
        return value.rstrip("/")

    @field_validator("proxy")
    @classmethod
    def _is_proxy(cls, value: str | None) -> str | None:
        if value is not None and not _is_http_address(value):
            raise ValueError("must be an address such as http://proxy.example.com:3128")
        return value

    @field_validator("timeout")
    @classmethod
    def _is_positive(cls, value: float) -> float:
        if value <= 0:
            raise ValueError("must be more than 0 seconds")
        return value


def _is_http_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # its message may quote a secret
        return False


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
) -> Client:
    """Make the client of one service from a connection's fields.

    :param service: as in its host name and in ``<service>_endpoint``, e.g. ``modelarts``.
    :param service_name: as shown in messages.
    :param region: overrides the connection's.
    :param project_id: overrides the connection's.
    :param timeout: overrides the connection's.
    :raises ConfigurationError: if a field is missing, unknown, malformed or contradicts another.
    """
    extra = _parse_extra(fields)
    region = region or extra.region
    endpoint: str | None = getattr(extra, f"{service}_endpoint") or extra.endpoint
    project_id = project_id or extra.project_id
    if not region and not (endpoint and project_id):
        raise ConfigurationError(
            f"Connection {fields.conn_id!r} has no region. Set region in its extra, e.g. cn-north-4, or both "
            f"project_id and {service}_endpoint."
        )
    if region and not _REGION.fullmatch(region):
        raise ConfigurationError(
            f"The region for connection {fields.conn_id!r} is not the id of a region. It should look like cn-north-4."
        )
    connectivity = Connectivity(extra.verify, extra.proxy, timeout or extra.timeout)
    account = HuaweiAccount(
        _credentials(fields, extra),
        region=region or "",
        project_id=project_id,
        iam_endpoint=extra.iam_endpoint or _iam_endpoint(region or ""),
        patience=patience,
        clock=clock,
    )
    where = Service(service_name, endpoint or f"https://{service}.{region}.myhuaweicloud.com", read_refusal)
    return Client(where, account, region=region or "", connectivity=connectivity, patience=patience, clock=clock)


def _parse_extra(fields: ConnectionFields) -> HuaweiExtra:
    try:
        return HuaweiExtra.model_validate(dict(fields.extra))
    except ValidationError as error:
        problems = [_problem(str(e["loc"][0]), e["type"], e["msg"]) for e in error.errors(include_input=False)]
        raise ConfigurationError(
            f"The extra of connection {fields.conn_id!r} is not valid: {'; '.join(problems)}."
        ) from None


def _problem(name: str, kind: str, message: str) -> str:
    if kind == "extra_forbidden":
        return f"{name!r} is not a field of this connection type ({', '.join(HuaweiExtra.model_fields)} are)"
    return f"{name!r}: {message.removeprefix('Value error, ')}"


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
