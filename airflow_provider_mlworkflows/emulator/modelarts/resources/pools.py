"""Resource pools and their nodes."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_mlworkflows.emulator.modelarts.resources.place import Place
from airflow_provider_mlworkflows.emulator.scripted import Phase

if TYPE_CHECKING:
    import threading
    from collections.abc import Sequence

    from airflow_provider_mlworkflows.emulator.clock import Clock

ZONE = "cn-north-7c"
NAME_LABEL = "os.modelarts/name"
WORKSPACE_LABEL = "os.modelarts/workspace.id"
_WHOLE = {"cpu": "3920m", "memory": "6270Mi"}
_LEFT = {"cpu": "2970m", "memory": "4558Mi"}
_NONE = {"cpu": "0", "memory": "0"}


def timestamp(time: datetime) -> str:
    """Return a time as pools and nodes have it."""
    return f"{time.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


@dataclass(slots=True)
class Node:
    """A node of a pool.

    Attributes:
        serial: Its place in the order of creation, from 1; never given to another node of the pool.
        name: Its name.
        flavor: What it is.
        phase: ``Available``, ``Creating``, ``Deleting``, ``Abnormal``, or any other literal.
        created_at: When it was created.
    """

    serial: int
    name: str
    flavor: str
    phase: str
    created_at: datetime

    def view(self, phase: str) -> dict[str, Any]:
        """Return it as replies show it."""
        return {
            "kind": "Node",
            "apiVersion": "v2",
            "metadata": {"name": self.name, "creationTimestamp": timestamp(self.created_at)},
            "spec": {"flavor": self.flavor},
            "status": {
                "phase": phase,
                "az": ZONE,
                "privateIp": f"192.168.{self.serial // 250}.{self.serial % 250 + 1}",
                "resources": dict(_WHOLE),
                "availableResources": dict(_LEFT if phase == "Available" else _NONE),
            },
        }


class Pool(Place):
    """A resource pool.

    Args:
        clock: The emulator's clock.
        name: Its name in the API.
        display_name: What its owner called it.
        flavor: What its nodes are.
        script: The phases it is in, one after another.
        workspace_id: The workspace it is in.
        labels: Further labels.
    """

    def __init__(
        self,
        clock: Clock,
        name: str,
        *,
        display_name: str,
        flavor: str,
        script: Sequence[Phase],
        workspace_id: str,
        labels: dict[str, str],
    ) -> None:
        super().__init__(clock, script)
        self.name = name
        self.flavor = flavor
        self.nodes: list[Node] = []
        self.labels = {
            NAME_LABEL: display_name,
            WORKSPACE_LABEL: workspace_id,
            "os.modelarts/resource.id": f"maos-{display_name}-{name[-5:]}",
            **labels,
        }
        self._serial = 0

    def resize(self, nodes: int, available: int | None = None) -> None:
        """Have so many nodes from now on, and so many that can be used (default: all); the others are ``Abnormal``.

        Raises:
            ValueError: A number is negative, or more are to be available than there are.
        """
        usable = nodes if available is None else available
        if not 0 <= usable <= nodes:
            raise ValueError(f"{usable} of {nodes} nodes cannot be available")
        del self.nodes[nodes:]
        while len(self.nodes) < nodes:
            self._serial += 1
            name = f"os-node-created-{uuid.uuid4().hex[:5]}"
            self.nodes.append(Node(self._serial, name, self.flavor, "Available", self._clock.now()))
        for index, node in enumerate(self.nodes):
            node.phase = "Available" if index < usable else "Abnormal"

    def phase_of(self, node: Node) -> str:
        """Return the phase in which readers see a node; those of a pool that is being created are not ready."""
        return "Creating" if self.status == "Creating" and node.phase == "Available" else node.phase

    def view(self) -> dict[str, Any]:
        """Return it as replies show it."""
        phase = self.status
        available = sum(self.phase_of(node) == "Available" for node in self.nodes)
        ready = {"flavor": self.flavor, "count": available, "azs": [{"az": ZONE, "count": available}]}
        state = "Enabled" if phase == "Running" else "Disabled"
        return {
            "kind": "Pool",
            "apiVersion": "v2",
            "metadata": {
                "name": self.name,
                "creationTimestamp": timestamp(self.created_at),
                "labels": dict(self.labels),
                "annotations": {"os.modelarts/description": "", "os.modelarts/billing.mode": "0"},
            },
            "spec": {
                "type": "Dedicate",
                "scope": ["Train", "Infer"],
                "resources": [{"flavor": self.flavor, "count": len(self.nodes)}],
                "network": {"name": f"network-{self.name}"},
            },
            "status": {
                "phase": phase,
                "root": self.name,
                "scope": [{"scopeType": kind, "state": state} for kind in ("Train", "Infer")],
                "resources": {"available": [ready] if available else []},
            },
        }


class Pools:
    """All resource pools.

    Args:
        clock: The emulator's clock.
        lock: The lock that guards the emulator's state.
    """

    def __init__(self, clock: Clock, lock: threading.RLock) -> None:
        self._clock = clock
        self._lock = lock
        self._pools: dict[str, Pool] = {}

    @property
    def all(self) -> dict[str, Pool]:
        """All pools by name, oldest first; a copy."""
        with self._lock:
            return dict(self._pools)

    def get(self, name: str) -> Pool:
        """Return a pool by its name in the API.

        Raises:
            KeyError: There is none.
        """
        return self.all[name]

    def add(
        self,
        name: str,
        *,
        nodes: int = 1,
        available: int | None = None,
        display_name: str | None = None,
        flavor: str = "modelarts.vm.cpu.4ud",
        script: Sequence[Phase] = (Phase("Running"),),
        workspace_id: str = "0",
        labels: dict[str, str] | None = None,
    ) -> Pool:
        """Put a pool into the emulator, with nodes as :meth:`Pool.resize` makes them."""
        with self._lock:
            pool = Pool(
                self._clock,
                name,
                display_name=display_name or name,
                flavor=flavor,
                script=script,
                workspace_id=workspace_id,
                labels=labels or {},
            )
            pool.resize(nodes, available)
            self._pools[name] = pool
            return pool

    def remove(self, name: str) -> None:
        """Let a pool vanish.

        Raises:
            KeyError: There is none.
        """
        with self._lock:
            del self._pools[name]
