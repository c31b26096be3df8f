"""How tests and tools in other processes change apps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse

from airflow_provider_mlworkflows.emulator.control import json_object

if TYPE_CHECKING:
    from starlette.requests import Request

    from airflow_provider_mlworkflows.emulator.control import Row
    from airflow_provider_mlworkflows.emulator.modelarts.appauth.store import App, Apps


class AppControl:
    """Endpoints that add and remove apps, and let authorizations of them fail."""

    def __init__(self, apps: Apps) -> None:
        self._apps = apps

    def rows(self) -> list[Row]:
        """Return method, path and endpoint of each."""
        return [
            ("POST", "apps", self.add),
            ("PUT", "apps/{key}", self.change),
            ("DELETE", "apps/{key}", self.remove),
        ]

    def state(self) -> dict[str, Any]:
        """Return all apps, without their secrets."""
        return {"apps": [self._view(each) for each in self._apps.all.values()]}

    async def add(self, request: Request) -> JSONResponse:
        """Add an app; body as the parameters of :meth:`Apps.add`."""
        return JSONResponse(self._view(self._apps.add(**await json_object(request))), 201)

    async def change(self, request: Request) -> JSONResponse:
        """Let authorizations of an app, by id or name, fail; body ``{"refusal": reason}``, "" for no longer."""
        app = self._apps.get(request.path_params["key"])
        app.refusal = str((await json_object(request))["refusal"])
        return JSONResponse(self._view(app))

    async def remove(self, request: Request) -> JSONResponse:
        """Let an app vanish."""
        self._apps.remove(request.path_params["key"])
        return JSONResponse({})

    def _view(self, app: App) -> dict[str, Any]:
        return {
            "app_id": app.app_id,
            "app_name": app.name,
            "app_type": app.type,
            "refusal": app.refusal,
            "apis": [api.api_id for api in self._apps.bounded(app)],
        }
