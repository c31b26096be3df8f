"""What Airflow learns about this package before it imports anything else of it.

``import airflow`` itself calls :func:`get_provider_info`, in every process of a deployment. So this module
imports nothing but the connections' forms, and builds plain data only.
"""

from __future__ import annotations

from airflow_provider_mlworkflows.connection_forms import alibaba_connection_type, huawei_connection_type


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
        "connection-types": [huawei_connection_type(), alibaba_connection_type()],
        "extra-links": ["airflow_provider_mlworkflows.links.ConsoleLink"],
    }


def _integration(name: str, url: str) -> dict[str, object]:
    return {"integration-name": name, "external-doc-url": url, "tags": ["machine-learning", "service"]}


def _modules(integration: str, *modules: str) -> dict[str, object]:
    return {"integration-name": integration, "python-modules": list(modules)}
