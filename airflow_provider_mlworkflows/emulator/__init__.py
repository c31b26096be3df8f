"""An emulator of the cloud services this provider speaks to.

A real HTTP server that verifies signatures, keeps executions with scripted steps, injects faults and journals
every request. It needs no cloud account and shares no code with the clients.
"""

from __future__ import annotations

from airflow_provider_mlworkflows.emulator.clock import Clock, ClockMode
from airflow_provider_mlworkflows.emulator.credentials import AccessKey, Credentials, Token
from airflow_provider_mlworkflows.emulator.faults import FaultRule
from airflow_provider_mlworkflows.emulator.journal import Journal, JournalEntry
from airflow_provider_mlworkflows.emulator.modelarts import (
    Attempt,
    StepDefinition,
    WorkflowDefinition,
    create_fails,
    fails,
    holds,
    never_ends,
    succeeds,
)
from airflow_provider_mlworkflows.emulator.paiflow import (
    LogLine,
    NodeAttempt,
    NodeDefinition,
    Output,
    PipelineDefinition,
)
from airflow_provider_mlworkflows.emulator.scripted import Phase, phases
from airflow_provider_mlworkflows.emulator.server import Emulator
from airflow_provider_mlworkflows.emulator.switches import Switches

__all__ = [
    "AccessKey",
    "Attempt",
    "Clock",
    "ClockMode",
    "Credentials",
    "Emulator",
    "FaultRule",
    "Journal",
    "JournalEntry",
    "LogLine",
    "NodeAttempt",
    "NodeDefinition",
    "Output",
    "Phase",
    "PipelineDefinition",
    "StepDefinition",
    "Switches",
    "Token",
    "WorkflowDefinition",
    "create_fails",
    "fails",
    "holds",
    "never_ends",
    "phases",
    "succeeds",
]
