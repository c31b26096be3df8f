"""Apps and APIs of the emulated ModelArts, for handlers and for tests."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_mlworkflows.emulator.modelarts.serving.views import OWNER, milliseconds

if TYPE_CHECKING:
    import threading
    from datetime import datetime

    from airflow_provider_mlworkflows.emulator.clock import Clock
    from airflow_provider_mlworkflows.emulator.modelarts.serving.store import Services

HIDDEN = "******"


def new_code() -> str:
    """Return a code that no app has yet."""
    return uuid.uuid4().hex + uuid.uuid4().hex


@dataclass(slots=True)
class App:
    """An app.

    Attributes:
        app_id: Its id.
        name: Its name, which no other app of the workspace has.
        created_at, updated_at: When it was created, and changed last.
        remark: Free text.
        key, secret, codes: What it calls with.
        type: ``APIC``, ``APIG`` or ``DEDICATE_APIG``.
        user_id: Who created it.
        workspace_id: The workspace it is in.
        refusal: Why no authorization of it succeeds, if that is so.
    """

    app_id: str
    name: str
    created_at: datetime
    updated_at: datetime
    remark: str = ""
    key: str = field(default_factory=lambda: uuid.uuid4().hex, repr=False)
    secret: str = field(default_factory=lambda: uuid.uuid4().hex, repr=False)
    codes: list[str] = field(default_factory=list, repr=False)
    type: str = "APIG"
    user_id: str = OWNER
    workspace_id: str = "0"
    refusal: str = ""

    def view(self, project_id: str, bounded: int, *, plain: bool = True) -> dict[str, Any]:
        """Return it as replies show it.

        Args:
            project_id: The project it is in.
            bounded: How many APIs it may call.
            plain: Whether its secret shows.
        """
        return {
            "app_id": self.app_id,
            "app_name": self.name,
            "app_remark": self.remark,
            "app_key": self.key,
            "app_secret": self.secret if plain else HIDDEN,
            "app_codes": list(self.codes),
            "app_type": self.type,
            "user_id": self.user_id,
            "project_id": project_id,
            "created_at": milliseconds(self.created_at),
            "updated_at": milliseconds(self.updated_at),
            "bounded_api_count": bounded,
        }


@dataclass(slots=True)
class Api:
    """An API that leads to a service.

    Attributes:
        api_id: Its id.
        service_id: The service.
        fields: ``api_name``, ``auth_type`` and what else replies show.
        created_at: When it was made.
        auths: Ids of authorizations by app.
    """

    api_id: str
    service_id: str
    fields: dict[str, Any]
    created_at: datetime
    auths: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Its name."""
        return str(self.fields["api_name"])

    def view(self, service_name: str) -> dict[str, Any]:
        """Return it as replies show it."""
        return {
            "api_id": self.api_id,
            "api_remark": "",
            "support_app_code": True,
            **self.fields,
            "api_method": "ANY",
            "predict_url": f"https://{self.api_id}.apig.emulator.invalid/v1/infers/{self.service_id}",
            "service_id": self.service_id,
            "service_name": service_name,
        }


class Apps:
    """All apps, and the APIs that they call.

    Args:
        clock: The emulator's clock.
        services: The services that APIs lead to; with a service its APIs go.
        lock: The lock that guards the emulator's state.
    """

    def __init__(self, clock: Clock, services: Services, lock: threading.RLock) -> None:
        self._clock = clock
        self._services = services
        self._lock = lock
        self._apps: dict[str, App] = {}
        self._apis: dict[str, Api] = {}

    @property
    def all(self) -> dict[str, App]:
        """All apps by id, oldest first; a copy."""
        with self._lock:
            return dict(self._apps)

    @property
    def apis(self) -> dict[str, Api]:
        """The APIs of the services that are there, by id, oldest first; a copy."""
        with self._lock:
            present = self._services.all
            self._apis = {key: api for key, api in self._apis.items() if api.service_id in present}
            return dict(self._apis)

    def get(self, key: str) -> App:
        """Return an app by id or name.

        Raises:
            KeyError: There is none.
        """
        known = self.all
        if key in known:
            return known[key]
        for app in known.values():
            if app.name == key:
                return app
        raise KeyError(key)

    def add(self, name: str, **fields: Any) -> App:
        """Put an app into the emulator, with one code; ``fields`` as the attributes of :class:`App`."""
        with self._lock:
            now = self._clock.now()
            codes = [] if fields.get("type") == "APIC" else [new_code()]
            app = App(uuid.uuid4().hex, name, now, now, **{"codes": codes, **fields})
            self._apps[app.app_id] = app
            return app

    def remove(self, key: str) -> None:
        """Let an app vanish, with its authorizations.

        Raises:
            KeyError: There is none.
        """
        with self._lock:
            app = self.get(key)
            del self._apps[app.app_id]
            for api in self._apis.values():
                api.auths.pop(app.app_id, None)

    def add_api(self, service_id: str, fields: dict[str, Any]) -> Api:
        """Make an API that leads to a service."""
        with self._lock:
            named = {"api_name": f"infer_{service_id.replace('-', '')}", "auth_type": "APP", **fields}
            api = Api(uuid.uuid4().hex, service_id, named, self._clock.now())
            self._apis[api.api_id] = api
            return api

    def remove_api(self, api_id: str) -> None:
        """Let an API vanish.

        Raises:
            KeyError: There is none.
        """
        with self._lock:
            del self._apis[api_id]

    def bounded(self, app: App) -> list[Api]:
        """Return the APIs that an app may call."""
        return [api for api in self.apis.values() if app.app_id in api.auths]

    def service_name(self, api: Api) -> str:
        """Return the name of the service that an API leads to."""
        return self._services.get(api.service_id).name

    def touch(self, app: App) -> None:
        """Note that an app was changed."""
        app.updated_at = self._clock.now()
