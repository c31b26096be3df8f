"""Emulated OBS data workflow: workflows, templates, executions, trigger policies."""

from __future__ import annotations

from airflow_provider_mlworkflows.emulator.obs.catalogue import Graph, Template
from airflow_provider_mlworkflows.emulator.obs.definitions import (
    GraphDefinition,
    StateAttempt,
    StateDefinition,
    fails,
    never_ends,
    succeeds,
)
from airflow_provider_mlworkflows.emulator.obs.errors import Invalid
from airflow_provider_mlworkflows.emulator.obs.machine import Execution, IllegalAction, StateRun
from airflow_provider_mlworkflows.emulator.obs.store import Obs

__all__ = [
    "Execution",
    "Graph",
    "GraphDefinition",
    "IllegalAction",
    "Invalid",
    "Obs",
    "StateAttempt",
    "StateDefinition",
    "StateRun",
    "Template",
    "fails",
    "never_ends",
    "succeeds",
]
