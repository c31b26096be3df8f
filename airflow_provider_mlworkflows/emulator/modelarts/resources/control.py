"""How tests and tools in other processes change clusters and pools."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse

from airflow_provider_mlworkflows.emulator.control import json_object
from airflow_provider_mlworkflows.emulator.scripted import Phase

if TYPE_CHECKING:
    from starlette.requests import Request

    from airflow_provider_mlworkflows.emulator.control import Row
    from airflow_provider_mlworkflows.emulator.modelarts.resources.clusters import Clusters
    from airflow_provider_mlworkflows.emulator.modelarts.resources.place import Place
    from airflow_provider_mlworkflows.emulator.modelarts.resources.pools import Pools


class ResourceControl:
    """Endpoints that add clusters and pools, and change them behind the service's back."""

    def __init__(self, clusters: Clusters, pools: Pools) -> None:
        self._clusters = clusters
        self._pools = pools

    def rows(self) -> list[Row]:
        """Return method, path and endpoint of each."""
        return [
            ("POST", "clusters", self.add_cluster),
            ("PUT", "clusters/{key}", self.change_cluster),
            ("DELETE", "clusters/{key}", self.remove_cluster),
            ("POST", "pools", self.add_pool),
            ("PUT", "pools/{name}", self.change_pool),
            ("DELETE", "pools/{name}", self.remove_pool),
        ]

    def state(self) -> dict[str, Any]:
        """Return all clusters and pools."""
        return {
            "clusters": [each.view("") for each in self._clusters.all.values()],
            "pools": [each.view() for each in self._pools.all.values()],
        }

    async def add_cluster(self, request: Request) -> JSONResponse:
        """Add a cluster; body as the parameters of :meth:`Clusters.add`, ``script`` as pairs."""
        cluster = self._clusters.add(**_scripted(await json_object(request)))
        return JSONResponse(cluster.view(""), 201)

    async def change_cluster(self, request: Request) -> JSONResponse:
        """Change a cluster by id or name; body with any of ``status``, ``script``, ``nodes``, ``available_nodes``."""
        body = await json_object(request)
        cluster = self._clusters.get(request.path_params["key"])
        _steer(cluster, body, "status")
        cluster.nodes = int(body.get("nodes", cluster.nodes))
        cluster.available_nodes = int(body.get("available_nodes", min(cluster.available_nodes, cluster.nodes)))
        return JSONResponse(cluster.view(""))

    async def remove_cluster(self, request: Request) -> JSONResponse:
        """Let a cluster vanish."""
        self._clusters.remove(request.path_params["key"])
        return JSONResponse({})

    async def add_pool(self, request: Request) -> JSONResponse:
        """Add a pool; body as the parameters of :meth:`Pools.add`, ``script`` as pairs."""
        pool = self._pools.add(**_scripted(await json_object(request)))
        return JSONResponse(pool.view(), 201)

    async def change_pool(self, request: Request) -> JSONResponse:
        """Change a pool; body with any of ``phase``, ``script``, ``nodes`` and, with that, ``available``."""
        body = await json_object(request)
        pool = self._pools.get(request.path_params["name"])
        _steer(pool, body, "phase")
        if "nodes" in body:
            pool.resize(int(body["nodes"]), body.get("available"))
        return JSONResponse(pool.view())

    async def remove_pool(self, request: Request) -> JSONResponse:
        """Let a pool vanish."""
        self._pools.remove(request.path_params["name"])
        return JSONResponse({})


def _steer(place: Place, body: dict[str, Any], status: str) -> None:
    if "script" in body:
        place.play(*_scripted(body)["script"])
    if status in body:
        place.force(str(body[status]))


def _scripted(body: dict[str, Any]) -> dict[str, Any]:
    if "script" not in body:
        return body
    return {**body, "script": tuple(Phase(str(status), seconds) for status, seconds in body["script"])}
