"""Operations on apps, their secrets and codes."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from airflow_provider_mlworkflows.emulator.modelarts.appauth.store import App, Apps, new_code
from airflow_provider_mlworkflows.emulator.modelarts.lookup import NAME_TAKEN, NOT_THERE, QUOTA_USED_UP, Lookup, refuse
from airflow_provider_mlworkflows.emulator.modelarts.schema import TEXT, shape, text
from airflow_provider_mlworkflows.emulator.routing import Answer, Call, Operation

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

APPS = "/v1/{project_id}/app-auth/apps"
APP = APPS + "/{app_id}"
_CODES = APP + "/app-code"
_CODE = _CODES + "/{app_code}"
_ABOUT = {"app_name": text(longest=64), "app_remark": text(longest=200), "workspace_id": TEXT}
_CREATE = shape(_ABOUT, required=("app_name",))
_CHANGE = shape(_ABOUT)
_SORTING: dict[str, Callable[[App], Any]] = {
    "app_name": lambda app: app.name,
    "created_at": lambda app: app.created_at,
    "updated_at": lambda app: app.updated_at,
}


class AppViews:
    """What replies show of apps.

    Args:
        lookup: Helper of the handlers.
        apps: The apps.
    """

    def __init__(self, lookup: Lookup, apps: Apps) -> None:
        self._lookup = lookup
        self._apps = apps

    def one(self, call: Call, app: App) -> dict[str, Any]:
        """Return an app with its secret."""
        return app.view(call.ids["project_id"], len(self._apps.bounded(app)))

    def in_list(self, call: Call, app: App) -> dict[str, Any]:
        """Return an app as lists show it: with its secret unless the query says no, or names other apps."""
        wanted = self._lookup.choice(call, "iphertext_enabled", ("true", "false"), "true") == "true"
        named = {part for key, value in call.query if key == "app_ids" for part in value.split(",") if part}
        plain = wanted and (not named or app.app_id in named)
        return app.view(call.ids["project_id"], len(self._apps.bounded(app)), plain=plain)

    def sorted(self, call: Call, apps: Sequence[App]) -> list[App]:
        """Return apps in the order that the query asks for."""
        return self._lookup.sorted_rows(call, apps, _SORTING, "asc")


class AppRoutes:
    """Handlers of apps."""

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup
        self._apps = lookup.store.apps
        self._views = AppViews(lookup, self._apps)

    def operations(self) -> Sequence[Operation]:
        """Return the operations of this module."""
        return [
            Operation("ListApigApps", "GET", APPS, self.list),
            Operation("CreateApigApp", "POST", APPS, self.create),
            Operation("ShowApigApp", "GET", APP, self.show),
            Operation("DeleteApigApp", "DELETE", APP, self.delete),
            Operation("ApigAppExists", "GET", APPS + "/{app_name}/exists", self.exists),
            Operation("ResetApigAppSecret", "PUT", APP + "/app-secret", self.reset_secret),
            Operation("CreateApigAppCode", "POST", _CODES, self.create_code),
            Operation("ResetApigAppCode", "PUT", _CODE, self.reset_code),
            Operation("DeleteApigAppCode", "DELETE", _CODE, self.delete_code),
        ]

    def list(self, call: Call) -> Answer:
        """Return a page of apps."""
        found = [
            app
            for app in self._apps.all.values()
            if self._lookup.names(call, "app_name", app.name) and call.param("workspace_id") in (None, app.workspace_id)
        ]
        body = self._lookup.counted(call, "apps", self._views.sorted(call, found))
        body["apps"] = [self._views.in_list(call, app) for app in body["apps"]]
        return self._lookup.answer(body)

    def create(self, call: Call) -> Answer:
        """Create an app."""
        body = self._lookup.body(call, _CREATE, "CreateApigAppReq")
        workspace = body.get("workspace_id") or "0"
        own = self._apps.all.values()
        if any((app.name, app.workspace_id) == (body["app_name"], workspace) for app in own):
            refuse(f"The app name {body['app_name']} already exists.", code=NAME_TAKEN)
        if len(own) >= self._lookup.switches.app_quota:
            refuse("The expected app exceeds the quota limit.", code=QUOTA_USED_UP)
        app = self._apps.add(body["app_name"], remark=body.get("app_remark") or "", workspace_id=workspace)
        call.ids["app_id"] = app.app_id
        return self._changed(call, app)

    def show(self, call: Call) -> Answer:
        """Return an app."""
        return self._lookup.answer({"app": self._views.one(call, self._app(call))})

    def delete(self, call: Call) -> Answer:
        """Delete an app; what it was authorized for it can no longer call."""
        self._apps.remove(self._app(call).app_id)
        call.effective = True
        return Answer(204)

    def exists(self, call: Call) -> Answer:
        """Tell whether there is an app of a name."""
        found = any(
            app.name == call.ids["app_name"] and call.param("workspace_id") in (None, app.workspace_id)
            for app in self._apps.all.values()
        )
        return self._lookup.answer({"exists": found})

    def reset_secret(self, call: Call) -> Answer:
        """Give an app another secret."""
        app = self._changing(call)
        app.secret = uuid.uuid4().hex
        return self._changed(call, app)

    def create_code(self, call: Call) -> Answer:
        """Give an app one more code."""
        app = self._changing(call)
        if app.type == "APIC":
            refuse("an app of type APIC has no codes")
        app.codes.append(new_code())
        return self._changed(call, app)

    def reset_code(self, call: Call) -> Answer:
        """Replace one of an app's codes."""
        app = self._changing(call)
        app.codes[self._place(call, app)] = new_code()
        return self._changed(call, app)

    def delete_code(self, call: Call) -> Answer:
        """Take a code away from an app."""
        app = self._app(call)
        del app.codes[self._place(call, app)]
        return self._changed(call, app)

    def _app(self, call: Call) -> App:
        found = self._apps.all.get(call.ids["app_id"])
        if found is None or call.param("workspace_id") not in (None, found.workspace_id):
            refuse(f"App {call.ids['app_id']} does not exist.", status=404, code=NOT_THERE)
        return found

    def _changing(self, call: Call) -> App:
        app = self._app(call)
        if call.body:
            self._lookup.body(call, _CHANGE, "ApigAppReq")
        return app

    def _changed(self, call: Call, app: App) -> Answer:
        self._apps.touch(app)
        call.effective = True
        return self._lookup.answer({"app": self._views.one(call, app)})

    def _place(self, call: Call, app: App) -> int:
        if call.ids["app_code"] not in app.codes:
            refuse(f"App {app.app_id} has no such code.", status=404, code=NOT_THERE)
        return app.codes.index(call.ids["app_code"])
