"""Templates, jobs and scripts as they are stored, and what follows from texts alone."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from airflow_provider_mlworkflows.emulator.aom.definitions import NodeDefinition

Definition = TypeVar("Definition")


def made_id(*parts: str) -> str:
    """Return the id that follows from texts: 32 hexadecimal digits."""
    return hashlib.sha256("/".join(parts).encode()).hexdigest()[:32]


def node_id(owner: str, node: NodeDefinition) -> str:
    """Return the id of a node of a workflow or template."""
    return node.node_id or made_id(owner, node.name)


def asks_for_approval(body: Mapping[str, Any]) -> bool:
    """Whether the inputs of a new workflow ask for approval; all their values are texts."""
    group = body["input"].get("approve")
    return isinstance(group, dict) and str(group.get("need_approve")).lower() == "true"


@dataclass(frozen=True, slots=True)
class Stored(Generic[Definition]):
    """A definition and when it was stored."""

    definition: Definition
    created_at: datetime
