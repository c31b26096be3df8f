"""Emulated PAIFlow: pipelines, runs, nodes with logs and outputs."""

from __future__ import annotations

from airflow_provider_mlworkflows.emulator.paiflow.definitions import (
    LogLine,
    NodeAttempt,
    NodeDefinition,
    Output,
    PipelineDefinition,
    fails,
    never_ends,
    succeeds,
    suspends,
)
from airflow_provider_mlworkflows.emulator.paiflow.machine import PipelineRun
from airflow_provider_mlworkflows.emulator.paiflow.manifest import ManifestError
from airflow_provider_mlworkflows.emulator.paiflow.noderun import NodeRun
from airflow_provider_mlworkflows.emulator.paiflow.store import PaiFlow, Pipeline

__all__ = [
    "LogLine",
    "ManifestError",
    "NodeAttempt",
    "NodeDefinition",
    "NodeRun",
    "Output",
    "PaiFlow",
    "Pipeline",
    "PipelineDefinition",
    "PipelineRun",
    "fails",
    "never_ends",
    "succeeds",
    "suspends",
]
