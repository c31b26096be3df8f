"""Airflow connections that lead to a running emulator."""

from __future__ import annotations

from typing import Any

from airflow_provider_mlworkflows.emulator import credentials as published

HUAWEI_CONNECTION = "huawei_mlworkflows_default"


def connections(
    url: str,
    *,
    access_key: str = published.ACCESS_KEY,
    secret_key: str = published.SECRET_KEY,
    region: str = published.REGION,
    project_id: str = published.PROJECT_ID,
) -> dict[str, dict[str, Any]]:
    """Return Airflow connections, as JSON-able values, by connection id.

    Key, region and project are fixed, so that a process other than the emulator's can tell them.

    Args:
        url: Base URL of the emulator.
        access_key: Access key id.
        secret_key: Secret access key.
        region: Region name.
        project_id: Project id.
    """
    base = url.rstrip("/")
    return {
        HUAWEI_CONNECTION: {
            "conn_type": "huawei_mlworkflows",
            "login": access_key,
            "password": secret_key,
            "extra": {
                "region": region,
                "project_id": project_id,
                "modelarts_endpoint": base,
                "iam_endpoint": base,
            },
        }
    }
