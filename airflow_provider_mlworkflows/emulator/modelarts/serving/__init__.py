"""Emulated services: models that were deployed."""

from __future__ import annotations

from airflow_provider_mlworkflows.emulator.modelarts.serving.deployments import (
    Deployment,
    degrades,
    deploys,
    fails_to_deploy,
    never_deploys,
    works_off,
)
from airflow_provider_mlworkflows.emulator.modelarts.serving.machine import Service
from airflow_provider_mlworkflows.emulator.modelarts.serving.store import Services

__all__ = [
    "Deployment",
    "Service",
    "Services",
    "degrades",
    "deploys",
    "fails_to_deploy",
    "never_deploys",
    "works_off",
]
