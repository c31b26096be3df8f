"""Templates, jobs and scripts as they are stored; nothing the API offers changes them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from datetime import datetime

    from airflow_provider_mlworkflows.emulator.aom.definitions import NodeDefinition

Definition = TypeVar("Definition")


def made_id(*parts: str) -> str:
    """Return the id that follows from texts: 32 hexadecimal digits."""
    return hashlib.sha256("/".join(parts).encode()).hexdigest()[:32]


def node_id(owner: str, node: NodeDefinition) -> str:
    """Return the id of a node of a workflow or template."""
    return node.node_id or made_id(owner, node.name)


@dataclass(frozen=True, slots=True)
class Stored(Generic[Definition]):
    """A definition and when it was stored."""

    definition: Definition
    created_at: datetime
