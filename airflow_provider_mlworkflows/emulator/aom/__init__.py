"""Emulated AOM automation: workflows made from templates, their executions, and the library of jobs and scripts."""

from __future__ import annotations

from airflow_provider_mlworkflows.emulator.aom.definitions import (
    JobDefinition,
    NodeAttempt,
    NodeDefinition,
    ScriptDefinition,
    TemplateDefinition,
    WorkflowDefinition,
    asks,
    fails,
    never_ends,
    pauses,
    succeeds,
)
from airflow_provider_mlworkflows.emulator.aom.machine import Execution, IllegalAction
from airflow_provider_mlworkflows.emulator.aom.noderun import NodeRun
from airflow_provider_mlworkflows.emulator.aom.store import Aom, Workflow

__all__ = [
    "Aom",
    "Execution",
    "IllegalAction",
    "JobDefinition",
    "NodeAttempt",
    "NodeDefinition",
    "NodeRun",
    "ScriptDefinition",
    "TemplateDefinition",
    "Workflow",
    "WorkflowDefinition",
    "asks",
    "fails",
    "never_ends",
    "pauses",
    "succeeds",
]
