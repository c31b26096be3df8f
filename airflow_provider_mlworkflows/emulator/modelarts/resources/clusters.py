"""Dedicated clusters."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from airflow_provider_mlworkflows.emulator.modelarts.resources.place import Place
from airflow_provider_mlworkflows.emulator.modelarts.serving.views import OWNER, TENANT, milliseconds
from airflow_provider_mlworkflows.emulator.scripted import Phase

if TYPE_CHECKING:
    import threading
    from collections.abc import Sequence

    from airflow_provider_mlworkflows.emulator.clock import Clock

STATUSES = ("deploying", "running", "concerning", "abnormal")
_CORES, _MEMORY = 7.5, 28672


class Cluster(Place):
    """A dedicated cluster, whose nodes are all alike.

    Args:
        clock: The emulator's clock.
        name: Its name.
        cluster_id: Its id.
        nodes: How many nodes it has.
        available_nodes: How many of them can be used; while it is deploying, none.
        specification: What its nodes are.
        script: The statuses it has, one after another.
        fields: Other fields of the API's cluster object, such as ``description`` or ``period_num``.
    """

    def __init__(
        self,
        clock: Clock,
        name: str,
        *,
        cluster_id: str,
        nodes: int,
        available_nodes: int,
        specification: str,
        script: Sequence[Phase],
        fields: dict[str, Any],
    ) -> None:
        super().__init__(clock, script)
        self.name = name
        self.cluster_id = cluster_id
        self.nodes = nodes
        self.available_nodes = available_nodes
        self.specification = specification
        self.fields = fields

    def view(self, project_id: str) -> dict[str, Any]:
        """Return it as replies show it."""
        available = 0 if self.status == "deploying" else self.available_nodes
        return {
            "cluster_id": self.cluster_id,
            "cluster_name": self.name,
            "description": "",
            "tenant": TENANT,
            "project": project_id,
            "owner": OWNER,
            "created_at": milliseconds(self.created_at),
            "status": self.status,
            "nodes": {"specification": self.specification, "count": self.nodes, "available_count": available},
            "allocatable_cpu_cores": _CORES * available,
            "allocatable_memory": _MEMORY * available,
            "allocatable_gpus": 0.0,
            **self.fields,
        }


class Clusters:
    """All clusters.

    Args:
        clock: The emulator's clock.
        lock: The lock that guards the emulator's state.
    """

    def __init__(self, clock: Clock, lock: threading.RLock) -> None:
        self._clock = clock
        self._lock = lock
        self._clusters: dict[str, Cluster] = {}

    @property
    def all(self) -> dict[str, Cluster]:
        """All clusters by id, oldest first; a copy."""
        with self._lock:
            return dict(self._clusters)

    def get(self, key: str) -> Cluster:
        """Return a cluster by id or name.

        Raises:
            KeyError: There is none.
        """
        known = self.all
        if key in known:
            return known[key]
        for cluster in known.values():
            if cluster.name == key:
                return cluster
        raise KeyError(key)

    def add(
        self,
        name: str,
        *,
        cluster_id: str | None = None,
        nodes: int = 1,
        available_nodes: int | None = None,
        specification: str = "modelarts.vm.cpu.8ud",
        script: Sequence[Phase] = (Phase("running"),),
        **fields: Any,
    ) -> Cluster:
        """Put a cluster into the emulator; parameters as of :class:`Cluster`, all nodes available by default."""
        with self._lock:
            cluster = Cluster(
                self._clock,
                name,
                cluster_id=cluster_id or uuid.uuid4().hex,
                nodes=nodes,
                available_nodes=nodes if available_nodes is None else available_nodes,
                specification=specification,
                script=script,
                fields=fields,
            )
            self._clusters[cluster.cluster_id] = cluster
            return cluster

    def remove(self, key: str) -> None:
        """Let a cluster vanish.

        Raises:
            KeyError: There is none.
        """
        with self._lock:
            del self._clusters[self.get(key).cluster_id]
