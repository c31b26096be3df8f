"""What Airflow learns about this package before it imports anything else of it.

``import airflow`` itself calls :func:`get_provider_info`, in every process of a deployment. So this module
imports nothing and builds plain data only.
"""

from __future__ import annotations


def get_provider_info() -> dict[str, object]:
    """Return the description of this provider, a new one for each call.

    Returns:
        Plain JSON data in the shape of Airflow's ``provider_info.schema.json``. The connection form is
        declared here too (``conn-fields`` and ``ui-field-behaviour``): Airflow draws it without importing
        the hook.
    """
    modelarts = "Huawei Cloud ModelArts"
    return {
        "package-name": "airflow-provider-mlworkflows",
        "name": "ML workflows",
        "description": "Start, watch, unblock, repair and stop workflows of `Huawei Cloud ModelArts "
        "<https://www.huaweicloud.com/intl/en-us/product/modelarts.html>`__.",
        "integrations": [
            {
                "integration-name": modelarts,
                "external-doc-url": "https://support.huaweicloud.com/intl/en-us/modelarts/index.html",
                "tags": ["machine-learning", "service"],
            }
        ],
        "hooks": [_modules(modelarts, "airflow_provider_mlworkflows.hooks.modelarts")],
        "operators": [_modules(modelarts, "airflow_provider_mlworkflows.operators.modelarts")],
        "sensors": [_modules(modelarts, "airflow_provider_mlworkflows.sensors.modelarts")],
        "triggers": [_modules(modelarts, "airflow_provider_mlworkflows.triggers.modelarts")],
        "connection-types": [
            {
                "connection-type": "huawei_mlworkflows",
                "hook-class-name": "airflow_provider_mlworkflows.hooks.modelarts.ModelArtsHook",
                "hook-name": "Huawei Cloud ML workflows",
                "ui-field-behaviour": {
                    "hidden-fields": ["schema", "port", "host"],
                    "relabeling": {"login": "Access key ID", "password": "Secret access key"},
                    "placeholders": {
                        "login": "AK of an IAM user, empty with an IAM token",
                        "password": "SK that belongs to the access key ID",
                    },
                },
                "conn-fields": {
                    **_huawei_identity_fields(),
                    **_huawei_endpoint_fields(),
                    **_transport_fields(),
                },
            }
        ],
        "extra-links": ["airflow_provider_mlworkflows.links.ConsoleLink"],
    }


def _modules(integration: str, *modules: str) -> dict[str, object]:
    return {"integration-name": integration, "python-modules": list(modules)}


def _huawei_identity_fields() -> dict[str, object]:
    return {
        "region": _text(
            "Region",
            "Region ID, for example cn-north-4, cn-east-3 or ap-southeast-2. It picks the service's address "
            "and the project.",
            examples=["cn-north-4", "cn-north-9", "cn-east-3", "cn-south-1", "ap-southeast-2"],
        ),
        "project_id": _text(
            "Project ID",
            "32 hexadecimal digits. Left empty, IAM is asked for the project of the region.",
        ),
        "auth_type": {
            "label": "Authentication",
            "description": "aksk: requests are signed with the access key above. "
            "token: the IAM token below is sent instead.",
            "schema": {"type": "string", "enum": ["aksk", "token"], "default": "aksk"},
        },
        "security_token": _secret(
            "Security token", "Only with a temporary access key: the token that was issued with it."
        ),
        "iam_token": _secret(
            "IAM token", "Only with the authentication type token. IAM lets it expire after 24 hours."
        ),
    }


def _huawei_endpoint_fields() -> dict[str, object]:
    return {
        f"{service}_endpoint": _text(
            f"{name} endpoint",
            f"Address of {name} with scheme, where it is not https://{service}.<region>.myhuaweicloud.com.",
        )
        for service, name in (("modelarts", "ModelArts"), ("obs", "OBS"), ("aom", "AOM"), ("iam", "IAM"))
    }


def _transport_fields() -> dict[str, object]:
    return {
        "verify": {
            "label": "Verify TLS",
            "description": "true, false, or the path of a file with CA certificates (PEM). Without "
            "verification anyone on the way can read and change what is sent.",
            "schema": {"type": ["string", "null"], "default": "true", "examples": ["true", "false"]},
        },
        "proxy": _text("Proxy", "URL of an HTTP proxy, for example http://proxy.example.com:3128."),
        "timeout": {
            "label": "Timeout",
            "description": "Seconds that one request may take.",
            "schema": {"type": ["number", "null"], "minimum": 1, "default": 30},
        },
    }


def _text(label: str, description: str, *, examples: list[str] | None = None) -> dict[str, object]:
    schema: dict[str, object] = {"type": ["string", "null"]}
    if examples:
        schema["examples"] = examples
    return {"label": label, "description": description, "schema": schema}


def _secret(label: str, description: str) -> dict[str, object]:
    return {
        "label": label,
        "description": description,
        "schema": {"type": ["string", "null"], "format": "password"},
    }
