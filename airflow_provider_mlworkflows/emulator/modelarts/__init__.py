"""Emulated ModelArts: Workflow v2 and the training job reads that its job steps lead to."""

from __future__ import annotations

from airflow_provider_mlworkflows.emulator.modelarts.definitions import (
    Attempt,
    StepDefinition,
    WorkflowDefinition,
    create_fails,
    fails,
    holds,
    never_ends,
    succeeds,
)
from airflow_provider_mlworkflows.emulator.modelarts.machine import Execution
from airflow_provider_mlworkflows.emulator.modelarts.steprun import StepRun
from airflow_provider_mlworkflows.emulator.modelarts.store import ModelArts, Workflow

__all__ = [
    "Attempt",
    "Execution",
    "ModelArts",
    "StepDefinition",
    "StepRun",
    "Workflow",
    "WorkflowDefinition",
    "create_fails",
    "fails",
    "holds",
    "never_ends",
    "succeeds",
]
