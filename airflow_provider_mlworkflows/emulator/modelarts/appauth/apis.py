"""Operations on the APIs that lead to services, and on which apps may call them."""

from __future__ import annotations

import re
import uuid
from typing import TYPE_CHECKING, Any

from airflow_provider_mlworkflows.emulator.modelarts.appauth.apps import APP, AppViews
from airflow_provider_mlworkflows.emulator.modelarts.lookup import (
    NAME_TAKEN,
    NOT_THERE,
    SERVICE_NOT_FOUND,
    Lookup,
    refuse,
)
from airflow_provider_mlworkflows.emulator.modelarts.schema import BOOLEAN, TEXT, items, shape, text
from airflow_provider_mlworkflows.emulator.modelarts.serving.views import OWNER
from airflow_provider_mlworkflows.emulator.routing import Answer, Call, Operation

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from airflow_provider_mlworkflows.emulator.modelarts.appauth.store import Api

_SERVICE = "/v1/{project_id}/services/{service_id}"
_API = _SERVICE + "/app-auth-apis/{api_id}"
_METHODS = ("GET", "POST", "DELETE", "PUT", "PATCH", "HEAD", "OPTIONS", "ANY")
_CREATE = shape(
    {
        "api_name": text(pattern=re.compile(r"[A-Za-z][A-Za-z0-9_]{2,254}")),
        "api_method": text(choices=_METHODS),
        "api_remark": text(longest=255),
        "auth_type": text(choices=("NONE", "APP", "IAM")),
        "support_app_code": BOOLEAN,
        "workspace_id": TEXT,
    }
)
_APPS = shape(
    {"apps": items(shape({"app_id": TEXT}, required=("app_id",)), least=1), "workspace_id": TEXT}, required=("apps",)
)
# The manual sorts APIs by what apps have; of an API its own name and time are meant.
_SORTING: dict[str, Callable[[Api], Any]] = {
    "app_name": lambda api: api.name,
    "created_at": lambda api: api.created_at,
    "updated_at": lambda api: api.created_at,
}


class ApiRoutes:
    """Handlers of APIs and authorizations."""

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup
        self._apps = lookup.store.apps
        self._services = lookup.store.services
        self._views = AppViews(lookup, self._apps)

    def operations(self) -> Sequence[Operation]:
        """Return the operations of this module."""
        create = "/v1/{project_id}/app-auth/{service_id}/apis"
        return [
            Operation("ShowApisBindToApp", "GET", APP + "/auth-apis", self.of_app),
            Operation("CreateAppAuthApi", "POST", create, self.create),
            Operation("CreateAndAuthAppAuthApi", "POST", _SERVICE + "/app-auth-api", self.create_authorized),
            Operation("ShowApiAuthInfos", "GET", _API + "/api-auths", self.authorizations),
            Operation("AuthorizeApiToApigApps", "POST", _API + "/app-auth-api", self.authorize),
            Operation("DeleteApiAppAuth", "DELETE", _API + "/app-auth-api", self.revoke),
            Operation("DeleteAppAuthApi", "DELETE", _API, self.delete),
        ]

    def of_app(self, call: Call) -> Answer:
        """Return a page of the APIs that an app may call."""
        app = self._apps.all.get(call.ids["app_id"])
        if app is None or call.param("workspace_id") not in (None, app.workspace_id):
            refuse(f"App {call.ids['app_id']} does not exist.", status=404, code=NOT_THERE)
        wanted = call.param("service_name") or ""
        found = [api for api in self._apps.bounded(app) if wanted in self._apps.service_name(api)]
        body = self._lookup.counted(call, "apis", self._lookup.sorted_rows(call, found, _SORTING, "asc"))
        body["apis"] = [self._view(api) for api in body["apis"]]
        return self._lookup.answer(body)

    def create(self, call: Call) -> Answer:
        """Make an API that leads to a service; no app may call it yet."""
        self._check_service(call)
        api = self._create(call, self._lookup.body(call, _CREATE, "CreateAppAuthApiReq"))
        return self._lookup.answer({"api": self._view(api)})

    def create_authorized(self, call: Call) -> Answer:
        """Make an API that leads to a service, and let apps call it."""
        self._check_service(call)
        body = self._lookup.body(call, _APPS, "AppAuthReq")
        api = self._create(call, {})
        return self._lookup.answer({"api": self._view(api), "auth_result": self._authorized(api, body)})

    def authorizations(self, call: Call) -> Answer:
        """Return a page of the apps that may, or may not, call an API; here the manual knows no 404."""
        api = self._api(call, status=400)
        shown = call.param("show_only")
        if shown is not None:
            self._lookup.choice(call, "show_only", ("AUTH", "UNAUTH"), shown)
        found = [
            app
            for app in self._apps.all.values()
            if (call.param("app_name") or "") in app.name
            and call.param("workspace_id") in (None, app.workspace_id)
            and shown in (None, "AUTH" if app.app_id in api.auths else "UNAUTH")
        ]
        body = self._lookup.counted(call, "auths", self._views.sorted(call, found))
        body["auths"] = [
            {"app": self._views.in_list(call, app), "authed": app.app_id in api.auths} for app in body["auths"]
        ]
        return self._lookup.answer(body)

    def authorize(self, call: Call) -> Answer:
        """Let apps call an API; it can fail for some of them."""
        api = self._api(call)
        body = self._lookup.body(call, _APPS, "AppAuthReq")
        if api.fields["auth_type"] != "APP":
            refuse(f"the authentication of API {api.api_id} is {api.fields['auth_type']}, not APP")
        results = self._authorized(api, body)
        call.effective = any(result["success"] for result in results)
        return self._lookup.answer({"auth_result": results})

    def revoke(self, call: Call) -> Answer:
        """No longer let apps call an API; it can fail for some of them."""
        api = self._api(call)
        body = self._lookup.body(call, _APPS, "AppAuthReq")
        results = []
        for app_id in _app_ids(body):
            auth_id = api.auths.pop(app_id, "")
            results.append(_result(api, app_id, auth_id, "" if auth_id else "the app is not authorized"))
        call.effective = any(result["success"] for result in results)
        return self._lookup.answer({"unauth_result": results})

    def delete(self, call: Call) -> Answer:
        """Delete an API with its authorizations."""
        self._apps.remove_api(self._api(call).api_id)
        call.effective = True
        return Answer(204)

    def _check_service(self, call: Call, status: int = 404) -> None:
        key = call.ids["service_id"]
        if key not in self._services.all:
            refuse(f"Service {key} does not exist.", status=status, code=SERVICE_NOT_FOUND)

    def _api(self, call: Call, status: int = 404) -> Api:
        self._check_service(call, status)
        found = self._apps.apis.get(call.ids["api_id"])
        if found is None or found.service_id != call.ids["service_id"]:
            refuse(f"API {call.ids['api_id']} does not exist.", status=status, code=NOT_THERE)
        return found

    def _create(self, call: Call, body: dict[str, Any]) -> Api:
        told = ("api_name", "api_remark", "auth_type", "support_app_code")
        api = self._apps.add_api(
            call.ids["service_id"], {name: body[name] for name in told if body.get(name) is not None}
        )
        if any(other.name == api.name and other is not api for other in self._apps.apis.values()):
            self._apps.remove_api(api.api_id)
            refuse(f"The API name {api.name} already exists.", code=NAME_TAKEN)
        call.effective = True
        call.ids["api_id"] = api.api_id
        return api

    def _authorized(self, api: Api, body: dict[str, Any]) -> list[dict[str, Any]]:
        results = []
        for app_id in _app_ids(body):
            reason = self._refusal(api, app_id)
            if not reason:
                api.auths[app_id] = uuid.uuid4().hex
            results.append(_result(api, app_id, "" if reason else api.auths[app_id], reason))
        return results

    def _refusal(self, api: Api, app_id: str) -> str:
        app = self._apps.all.get(app_id)
        if app is None:
            return "the app does not exist"
        if app.user_id != OWNER:
            return "the app was not created by the creator of the service"
        return app.refusal or ("the app is authorized already" if app_id in api.auths else "")

    def _view(self, api: Api) -> dict[str, Any]:
        return api.view(self._apps.service_name(api))


def _app_ids(body: dict[str, Any]) -> list[str]:
    return [app["app_id"] for app in body["apps"]]


def _result(api: Api, app_id: str, auth_id: str, reason: str) -> dict[str, Any]:
    return {"api_id": api.api_id, "app_id": app_id, "auth_id": auth_id, "success": not reason, "reason": reason}
