"""Emulated clusters and resource pools."""

from __future__ import annotations

from airflow_provider_mlworkflows.emulator.modelarts.resources.clusters import Cluster, Clusters
from airflow_provider_mlworkflows.emulator.modelarts.resources.pools import Node, Pool, Pools

__all__ = ["Cluster", "Clusters", "Node", "Pool", "Pools"]
