"""What connections to any cloud have in common: their extra, read strictly and without ever repeating a value."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, TypeVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, field_validator

from airflow_provider_mlworkflows.clouds.http import Connectivity
from airflow_provider_mlworkflows.exceptions import ConfigurationError

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.hooks.base import ConnectionFields

E = TypeVar("E", bound="ConnectionExtra")

_REGION = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


def _checked_address(value: str) -> str:
    if not _is_http_address(value) or set(value) & set("?#@"):
        raise ValueError("must be an address such as https://service.region.example.com")
    return value.rstrip("/")


def _is_http_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # its message may quote a secret
        return False


Address = Annotated[str, AfterValidator(_checked_address)]
"""Scheme and host of a service, perhaps a port and the beginning of a path."""


class ConnectionExtra(BaseModel):
    """The extra of a connection: every field it may have, with strings from URI forms turned into types."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        coerce_numbers_to_str=True,
        str_strip_whitespace=True,
    )

    region: str | None = None
    endpoint: Address | None = None
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

    def connectivity(self, timeout: float | None = None) -> Connectivity:
        """How to reach the service.

        :param timeout: overrides the connection's.
        """
        return Connectivity(self.verify, self.proxy, timeout or self.timeout)


def parse_extra(model: type[E], fields: ConnectionFields, *, lenient: bool = False) -> E:
    """Read the extra of a connection.

    Airflow's form stores each of its fields, and null for those that are left empty. A form may be of a later version
    than the worker that reads it; so a field that is null may also be one that nobody knows here.

    :param lenient: leave alone what this provider does not know, since another one may need it, and ``endpoint``,
        which then is the address of a service of that provider.
    :raises ConfigurationError: if a field is unknown or malformed; names it, and does not repeat what it holds.
    """
    taken = model.model_fields.keys() - ({"endpoint"} if lenient else set())
    try:
        return model.model_validate(
            {name: value for name, value in fields.extra.items() if name in taken or not (lenient or value is None)}
        )
    except ValidationError as error:
        problems = [_problem(model, str(e["loc"][0]), e["type"], e["msg"]) for e in error.errors(include_input=False)]
        raise ConfigurationError(
            f"The extra of connection {fields.conn_id!r} is not valid: {'; '.join(problems)}."
        ) from None


def _problem(model: type[ConnectionExtra], name: str, kind: str, message: str) -> str:
    if kind == "extra_forbidden":
        return f"{name!r} is not a field of this connection type ({', '.join(model.model_fields)} are)"
    return f"{name!r}: {message.removeprefix('Value error, ')}"


def check_region(fields: ConnectionFields, region: str | None, example: str) -> None:
    """Refuse what cannot be the id of a region: it becomes part of a host's name.

    :raises ConfigurationError: if it cannot.
    """
    if region and not _REGION.fullmatch(region):
        raise ConfigurationError(
            f"The region for connection {fields.conn_id!r} is not the id of a region. It should look like {example}."
        )
