"""Emulated apps, the APIs that lead to services, and which app may call which."""

from __future__ import annotations

from airflow_provider_mlworkflows.emulator.modelarts.appauth.store import Api, App, Apps

__all__ = ["Api", "App", "Apps"]
