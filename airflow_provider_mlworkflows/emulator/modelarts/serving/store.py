"""Services of the emulated ModelArts, for handlers and for tests."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from airflow_provider_mlworkflows.emulator.modelarts.serving.deployments import Deployment, usual
from airflow_provider_mlworkflows.emulator.modelarts.serving.machine import Service
from airflow_provider_mlworkflows.emulator.modelarts.serving.views import service_view
from airflow_provider_mlworkflows.emulator.visibility import Visibility

if TYPE_CHECKING:
    import threading
    from collections.abc import Mapping

    from airflow_provider_mlworkflows.emulator.clock import Clock
    from airflow_provider_mlworkflows.emulator.switches import Switches


class Services:
    """Services of one version of the API.

    Args:
        clock: The emulator's clock.
        switches: The open points.
        lock: The lock that guards the emulator's state.
    """

    def __init__(self, clock: Clock, switches: Switches, lock: threading.RLock) -> None:
        self._clock = clock
        self._switches = switches
        self._lock = lock
        self._services: dict[str, Service] = {}
        self._plans: dict[str, tuple[Deployment, ...]] = {}
        self._visibility: Visibility[dict[str, Any]] = Visibility(switches)

    @property
    def all(self) -> dict[str, Service]:
        """All services by id, oldest first, up to date; a copy. Those that are deleted are not there any more."""
        with self._lock:
            for service in list(self._services.values()):
                service.advance()
                if service.is_gone:
                    self.remove(service.service_id)
            return dict(self._services)

    def get(self, key: str) -> Service:
        """Return a service by id or name, of several the newest.

        Raises:
            KeyError: There is none.
        """
        with self._lock:
            known = self.all
            if key in known:
                return known[key]
            named = [each for each in known.values() if each.name == key]
            if not named:
                raise KeyError(key)
            return named[-1]

    def add(self, body: Mapping[str, Any], *deployments: Deployment) -> Service:
        """Deploy a service as a create call would.

        Args:
            body: Body of the create call.
            deployments: What its deployments do, one after another. Default: what is planned for its name, or else
                what is usual for its kind.
        """
        with self._lock:
            name = str(body.get("service_name") or body.get("name"))
            planned = deployments or self._plans.get(name) or (usual(str(body.get("infer_type"))),)
            service = Service(
                body,
                planned,
                clock=self._clock.fork(),
                scaled=self._clock.scaled,
                stop_seconds=lambda: self._switches.stop_seconds,
            )
            self._services[service.service_id] = service
            return service

    def plan(self, name: str, *deployments: Deployment) -> None:
        """Fix what services of a name are going to do that are not there yet; nothing for what is usual."""
        with self._lock:
            self._plans[name] = deployments

    def force_status(self, key: str, status: str, error_msg: str = "") -> Service:
        """Put a service into a status, which readers see at once, until an action changes it.

        Raises:
            KeyError: There is no such service.
        """
        with self._lock:
            service = self.get(key)
            service.force(status, error_msg)
            self._visibility.forget(service.service_id)
            return service

    def remove(self, key: str) -> None:
        """Let a service vanish.

        Raises:
            KeyError: There is none of this id.
        """
        with self._lock:
            del self._services[key]
            self._visibility.forget(key)

    def peek(self, service: Service) -> dict[str, Any]:
        """Return what a reader sees now, without counting a read."""
        kept = self._visibility.kept(service.service_id)
        if kept is not None:
            return copy.deepcopy(kept)
        return service_view(service, service.advance(), self._switches)

    def read(self, service: Service) -> dict[str, Any]:
        """Return what a reader sees, and count the read."""
        service.clock.read()
        view = self.peek(service)
        self._visibility.count_read(service.service_id)
        return view

    def keep_showing(self, service: Service, view: dict[str, Any]) -> None:
        """Let the next reads show ``view``, the state before an action."""
        self._visibility.keep(service.service_id, view)

    def is_listed(self, service: Service) -> bool:
        """Whether lists show a service yet."""
        return self._visibility.is_listed(service.published_at, service.clock)
