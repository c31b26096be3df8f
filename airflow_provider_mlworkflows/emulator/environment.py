"""Airflow connections that lead to a running emulator."""

from __future__ import annotations

from typing import Any

from airflow_provider_mlworkflows.emulator import credentials as published

HUAWEI_CONNECTION = "huawei_mlworkflows_default"
ALIBABA_CONNECTION = "alibaba_mlworkflows_default"


def connections(
    url: str,
    *,
    access_key: str = published.ACCESS_KEY,
    secret_key: str = published.SECRET_KEY,
    region: str = published.REGION,
    project_id: str = published.PROJECT_ID,
    alibaba_region: str = published.ALIBABA_REGION,
    workspace_id: str = published.WORKSPACE_ID,
) -> dict[str, dict[str, Any]]:
    """Return Airflow connections, as JSON-able values, by connection id.

    Key, regions, project and workspace are fixed, so that a process other than the emulator's can tell them.

    Args:
        url: Base URL of the emulator.
        access_key: Access key id, the same for both clouds.
        secret_key: Secret access key.
        region: Region name on Huawei Cloud.
        project_id: Project id on Huawei Cloud.
        alibaba_region: Region name on Alibaba Cloud.
        workspace_id: Workspace id on Alibaba Cloud.
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
                "endpoint": base,
                "iam_endpoint": base,
            },
        },
        ALIBABA_CONNECTION: {
            "conn_type": "alibaba_mlworkflows",
            "login": access_key,
            "password": secret_key,
            "extra": {
                "region": alibaba_region,
                "workspace_id": workspace_id,
                "paiflow_endpoint": base,
                "sts_endpoint": base,
                "metadata_endpoint": base,
            },
        },
    }
