"""Operations on clusters and resource pools."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any

from airflow_provider_mlworkflows.emulator.modelarts.lookup import POOL_NOT_FOUND, Lookup, refuse
from airflow_provider_mlworkflows.emulator.modelarts.resources.pools import WORKSPACE_LABEL
from airflow_provider_mlworkflows.emulator.routing import Answer, Call, Operation

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from airflow_provider_mlworkflows.emulator.modelarts.resources.pools import Pool

BAD_REQUEST = "ModelArts.50004000"
MOST_NODES = 500
_POOLS = "/v2/{project_id}/pools"
_POOL = _POOLS + "/{pool_name}"
_LIST = "modelarts:pool:list"
_GET = "modelarts:pool:get"
_SORTING: dict[str, Callable[[dict[str, Any]], Any]] = {
    "created_at": lambda row: row["created_at"],
    "cluster_name": lambda row: row["cluster_name"],
}
# What a list calls the phases of a pool.
_LISTED_AS = {"Creating": "creating", "Failed": "failed", "Error": "failed"}


class ResourceRoutes:
    """Handlers of clusters and pools; all of them only read."""

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup
        self._pools = lookup.store.pools
        self._clusters = lookup.store.clusters

    def operations(self) -> Sequence[Operation]:
        """Return the operations of this module."""
        return [
            Operation("ListClusters", "GET", "/v1/{project_id}/clusters", self.clusters),
            Operation("ListPools", "GET", _POOLS, self.pools, _LIST),
            Operation("ShowPool", "GET", _POOL, self.pool, _GET),
            Operation("ListPoolNodes", "GET", _POOL + "/nodes", self.nodes, _GET),
        ]

    def clusters(self, call: Call) -> Answer:
        """Return a page of clusters."""
        views = [each.view(call.ids["project_id"]) for each in reversed(self._clusters.all.values())]
        rows = [
            view
            for view in views
            if call.param("status") in (None, view["status"])
            and self._lookup.names(call, "cluster_name", view["cluster_name"])
        ]
        ordered = self._lookup.sorted_rows(call, rows, _SORTING, "desc")
        return self._lookup.answer(self._lookup.counted(call, "clusters", ordered))

    def pools(self, call: Call) -> Answer:
        """Return the pools that suit workspace, labels and status."""
        selects = _selector(call.param("labelSelector") or "")
        status = call.param("status")
        if status not in (None, "created", "failed", "creating"):
            refuse("Bad request.", code=BAD_REQUEST)
        found = [
            pool.view()
            for pool in self._pools.all.values()
            if selects(pool.labels)
            and call.param("workspaceId") in (None, pool.labels[WORKSPACE_LABEL])
            and status in (None, _LISTED_AS.get(pool.status, "created"))
        ]
        return self._lookup.answer({"kind": "PoolList", "apiVersion": "v2", "metadata": {}, "items": found})

    def pool(self, call: Call) -> Answer:
        """Return a pool."""
        return self._lookup.answer(self._pool(call).view())

    def nodes(self, call: Call) -> Answer:
        """Return a page of a pool's nodes, and where the next page begins if there is one."""
        pool = self._pool(call)
        limit = call.param("limit") or "0"
        if not limit.isdecimal() or int(limit) > MOST_NODES:
            refuse("Bad request.", code=BAD_REQUEST)
        size = min(int(limit) or MOST_NODES, self._lookup.switches.node_page_cap)
        begin = _position(call.param("continue"))
        rest = [node for node in pool.nodes if node.serial > begin]
        page, left = rest[:size], len(rest) - size
        metadata = {"continue": _token(page[-1].serial), "remainingItemCount": left} if left > 0 else {}
        items = [node.view(pool.phase_of(node)) for node in page]
        return self._lookup.answer({"kind": "NodeList", "apiVersion": "v2", "metadata": metadata, "items": items})

    def _pool(self, call: Call) -> Pool:
        found = self._pools.all.get(call.ids["pool_name"])
        if found is None:
            refuse("pool not found", status=404, code=POOL_NOT_FOUND)
        return found


def _token(serial: int) -> str:
    return base64.urlsafe_b64encode(f"after:{serial}".encode()).decode()


def _position(token: str | None) -> int:
    if token is None:
        return 0
    try:
        text = base64.urlsafe_b64decode(token).decode()
        return int(text.removeprefix("after:"))
    except (binascii.Error, ValueError):
        refuse("Bad request.", code=BAD_REQUEST)


def _selector(text: str) -> Callable[[dict[str, str]], bool]:
    """Return what tells whether labels suit a selector such as ``a=b,c!=d,e,!f``."""
    terms = [term.strip() for term in text.split(",") if term.strip()]

    def suits(labels: dict[str, str]) -> bool:
        return all(_suits(term, labels) for term in terms)

    return suits


def _suits(term: str, labels: dict[str, str]) -> bool:
    if "!=" in term:
        key, value = term.split("!=", 1)
        return labels.get(key.strip()) != value.strip()
    if "=" in term:
        key, value = term.split("=", 1)
        return labels.get(key.strip()) == value.removeprefix("=").strip()
    return (term[1:].strip() not in labels) if term.startswith("!") else term in labels
