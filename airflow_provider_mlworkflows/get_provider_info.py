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
    services = {
        "modelarts": "Huawei Cloud ModelArts",
        "obs": "Huawei Cloud OBS data workflow",
        "aom": "Huawei Cloud AOM automation",
        "paiflow": "Alibaba Cloud PAI",
    }
    more = {
        "hooks": ["modelarts_resources"],
        "operators": [
            "modelarts_actions",
            "modelarts_extras",
            "modelarts_schedules",
            "modelarts_service_changes",
            "modelarts_services",
            "modelarts_subscriptions",
        ],
        "sensors": ["modelarts_resources"],
        "triggers": ["modelarts_resources"],
    }
    return {
        "package-name": "airflow-provider-mlworkflows",
        "name": "ML workflows",
        "description": "Start, watch, unblock, repair and stop workflows of `Huawei Cloud ModelArts "
        "<https://www.huaweicloud.com/intl/en-us/product/modelarts.html>`__, `OBS "
        "<https://www.huaweicloud.com/intl/en-us/product/obs.html>`__ and `AOM "
        "<https://www.huaweicloud.com/intl/en-us/product/aom.html>`__, and of `Alibaba Cloud PAI "
        "<https://www.alibabacloud.com/en/product/machine-learning>`__.",
        "integrations": [
            _integration(services["modelarts"], "https://support.huaweicloud.com/intl/en-us/modelarts/index.html"),
            _integration(services["obs"], "https://support.huaweicloud.com/intl/en-us/obs/index.html"),
            _integration(services["aom"], "https://support.huaweicloud.com/intl/en-us/aom/index.html"),
            _integration(services["paiflow"], "https://www.alibabacloud.com/help/en/pai/"),
        ],
        **{
            kind: [
                _modules(
                    name,
                    *(
                        f"airflow_provider_mlworkflows.{kind}.{module}"
                        for module in (service, *(each for each in others if each.startswith(f"{service}_")))
                    ),
                )
                for service, name in services.items()
            ]
            for kind, others in more.items()
        },
        "connection-types": [_huawei(), _alibaba()],
        "extra-links": ["airflow_provider_mlworkflows.links.ConsoleLink"],
    }


def _integration(name: str, url: str) -> dict[str, object]:
    return {"integration-name": name, "external-doc-url": url, "tags": ["machine-learning", "service"]}


def _modules(integration: str, *modules: str) -> dict[str, object]:
    return {"integration-name": integration, "python-modules": list(modules)}


def _huawei() -> dict[str, object]:
    return {
        "connection-type": "huawei_mlworkflows",
        "hook-class-name": "airflow_provider_mlworkflows.hooks.modelarts.ModelArtsHook",
        "hook-name": "Huawei Cloud ML workflows",
        "ui-field-behaviour": _standard_fields(
            "AK of an IAM user, empty with an IAM token", "SK that belongs to the access key ID"
        ),
        "conn-fields": {**_huawei_identity_fields(), **_huawei_endpoint_fields(), **_transport_fields()},
    }


def _alibaba() -> dict[str, object]:
    return {
        "connection-type": "alibaba_mlworkflows",
        "hook-class-name": "airflow_provider_mlworkflows.hooks.paiflow.PaiFlowHook",
        "hook-name": "Alibaba Cloud ML workflows",
        "ui-field-behaviour": _standard_fields(
            "AccessKey ID of a RAM user, empty with a bearer token", "AccessKey secret that belongs to the ID"
        ),
        "conn-fields": {**_alibaba_identity_fields(), **_alibaba_endpoint_fields(), **_transport_fields()},
    }


def _standard_fields(login_placeholder: str, password_placeholder: str) -> dict[str, object]:
    return {
        "hidden-fields": ["schema", "port", "host"],
        "relabeling": {"login": "Access key ID", "password": "Secret access key"},
        "placeholders": {"login": login_placeholder, "password": password_placeholder},
    }


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
    own = {
        f"{service}_endpoint": _text(
            f"{name} endpoint",
            f"Address of {name} with scheme, where it is not https://{service}.<region>.myhuaweicloud.com.",
        )
        for service, name in (("modelarts", "ModelArts"), ("obs", "OBS"), ("aom", "AOM"), ("iam", "IAM"))
    }
    return {"endpoint": _text("Endpoint", "Address of every service that has none of its own below."), **own}


def _alibaba_identity_fields() -> dict[str, object]:
    return {
        "region": _text(
            "Region",
            "Region ID, for example cn-hangzhou, cn-shanghai or ap-southeast-1. It picks the service's address.",
            examples=["cn-hangzhou", "cn-shanghai", "cn-beijing", "cn-shenzhen", "ap-southeast-1"],
        ),
        "workspace_id": _text("Workspace ID", "Digits. The workspace that runs are started and looked for in."),
        "auth_type": {
            "label": "Authentication",
            "description": "ak: a permanent access key. sts: a temporary one with its security token. bearer: the "
            "bearer token below. Left empty, the tokens that are given tell which.",
            "schema": {"type": ["string", "null"], "enum": ["ak", "sts", "bearer", None]},
        },
        "security_token": _secret(
            "Security token", "Only with a temporary access key: the token that STS issued with it."
        ),
        "bearer_token": _secret("Bearer token", "Only with the authentication type bearer."),
    }


def _alibaba_endpoint_fields() -> dict[str, object]:
    return {
        "network": {
            "label": "Network",
            "description": "public: reach the service over the internet. vpc: from within the region's VPCs.",
            "schema": {"type": "string", "enum": ["public", "vpc"], "default": "public"},
        },
        "paiflow_endpoint": _text(
            "PAIFlow endpoint",
            "Address of PAIFlow with scheme, where it is not https://paiflow.<region>.aliyuncs.com.",
        ),
        "sts_endpoint": _text("STS endpoint", "Address of STS with scheme, where it is not https://sts.aliyuncs.com."),
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
            "description": "Seconds without any data from the service, and for the whole of an answer.",
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
