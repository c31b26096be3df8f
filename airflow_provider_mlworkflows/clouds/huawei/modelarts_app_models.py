"""What ModelArts answers about apps, which call services through the API gateway.

Key, secret and codes of an app are `pydantic.SecretStr`: they show as asterisks in any text and dump, and are read with
``app.app_secret.get_secret_value()``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, cast

from pydantic import BeforeValidator, Field, SecretStr

from airflow_provider_mlworkflows.clouds.huawei.modelarts_models import Time
from airflow_provider_mlworkflows.clouds.huawei.modelarts_paging import Counted
from airflow_provider_mlworkflows.clouds.huawei.models import Reply


def unwrapped(name: str) -> Callable[[object], object]:
    """Takes an answer out of an object that has it in one field."""

    def take(value: object) -> object:
        if isinstance(value, dict) and isinstance(value.get(name), dict):
            return value[name]
        raise ValueError(f"it has no {name}")

    return take


class App(Reply):
    """An app of the API gateway."""

    app_id: str
    app_name: str = ""
    app_remark: str = ""
    app_key: SecretStr | None = None
    app_secret: SecretStr | None = None
    app_codes: list[SecretStr] = Field(default_factory=list)
    app_type: str = ""
    project_id: str = ""
    user_id: str = ""
    created_at: Time = None
    updated_at: Time = None
    bounded_api_count: int | None = None


OneApp = cast("type[App]", Annotated[App, BeforeValidator(unwrapped("app"))])


class AppPage(Counted):
    """One page of apps."""

    promised = frozenset({"apps"})

    apps: list[App] = Field(default_factory=list)


class AppExistence(Reply):
    """Whether an app of some name exists."""

    exists: bool


class ServiceApi(Reply):
    """An API that leads to a service."""

    api_id: str
    api_name: str = ""
    api_method: str = ""
    api_remark: str = ""
    auth_type: str = ""
    predict_url: str = ""
    service_id: str = ""
    service_name: str = ""
    support_app_code: bool | None = None


OneApi = cast("type[ServiceApi]", Annotated[ServiceApi, BeforeValidator(unwrapped("api"))])


class ApiPage(Counted):
    """One page of APIs."""

    promised = frozenset({"apis"})

    apis: list[ServiceApi] = Field(default_factory=list)


class ApiAuthorization(Reply):
    """Whether an app may call an API."""

    app: App
    authed: bool | None = None


class ApiAuthorizationPage(Counted):
    """One page of an API's authorizations."""

    promised = frozenset({"auths"})

    auths: list[ApiAuthorization] = Field(default_factory=list)


class AuthorizationResult(Reply):
    """What came of authorizing one app, or of revoking that. ``reason`` tells why it failed."""

    app_id: str = ""
    api_id: str = ""
    auth_id: str = ""
    success: bool = False
    reason: str = ""


class _Results(Reply):
    """What came of a change for several apps: a success as a whole may hold failures of some."""

    @property
    def results(self) -> list[AuthorizationResult]:
        """One for each app."""
        return []

    @property
    def failed(self) -> list[AuthorizationResult]:
        """Those of the apps for which it failed."""
        return [result for result in self.results if not result.success]


class Authorized(_Results):
    """What came of authorizing apps."""

    promised = frozenset({"auth_result"})

    auth_result: list[AuthorizationResult] = Field(default_factory=list)

    @property
    def results(self) -> list[AuthorizationResult]:
        """One for each app."""
        return self.auth_result


class AuthorizedApi(Authorized):
    """An API that was just made, and what came of authorizing apps for it."""

    api: ServiceApi


class Revoked(_Results):
    """What came of revoking authorizations."""

    promised = frozenset({"unauth_result"})

    unauth_result: list[AuthorizationResult] = Field(default_factory=list)

    @property
    def results(self) -> list[AuthorizationResult]:
        """One for each app."""
        return self.unauth_result
