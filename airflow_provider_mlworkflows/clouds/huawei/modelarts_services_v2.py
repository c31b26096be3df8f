"""Operations on services of the newer kind, whose images and files are named with them instead of a model."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from airflow_provider_mlworkflows.clouds.huawei.modelarts_inputs import checked_choice, checked_range, optional_text
from airflow_provider_mlworkflows.clouds.huawei.modelarts_requests import IN_WORKSPACE, PROJECT, Extra, body
from airflow_provider_mlworkflows.clouds.huawei.modelarts_service_inputs import (
    MOST_INSTANCES,
    check_weights,
    checked_description,
    checked_schedule,
    checked_service_id,
    checked_service_name,
    mappings,
)
from airflow_provider_mlworkflows.clouds.huawei.modelarts_service_models import InferenceServiceV2
from airflow_provider_mlworkflows.clouds.huawei.modelarts_tags import MOST_SERVICE_TAGS, Tags, checked_tags
from airflow_provider_mlworkflows.clouds.operation import Request, Session, operation
from airflow_provider_mlworkflows.exceptions import InvalidInputError

SERVICES = PROJECT + "/services"
SERVICE = SERVICES + "/{service_id}"

TYPES = ("REAL_TIME", "ASYNC_REAL_TIME")
DEPLOY_TYPES = ("SINGLE", "MULTI")
LONGEST_DESCRIPTION = 512
_VERSION = re.compile(r"[0-9]{1,2}\.[0-9]{1,2}\.[0-9]{1,2}")


@operation
def create_service_v2(
    _: Session,
    name: str,
    group_configs: Sequence[Mapping[str, Any]],
    runtime_config: Mapping[str, Any],
    *,
    service_type: str = "REAL_TIME",
    deploy_type: str = "SINGLE",
    version: str | None = None,
    description: str | None = None,
    schedule: Sequence[Mapping[str, Any]] | None = None,
    tags: Tags | None = None,
    workspace_id: str | None = None,
    extra: Extra = None,
) -> Request[InferenceServiceV2]:
    """Deploy a service of the newer kind (CreateInferService). It is ready some time later: see `read_service_v2`.

    :param name: 1 to 64 Chinese characters, letters, digits, ``_`` and ``-``; no two services may share it.
    :param group_configs: what to run, at most one when a service is created: ``[{"name", "weight", "count",
        "unit_configs": [{"image": ...}], ...}]``, in the service's form.
    :param runtime_config: how it is called, in the service's form.
    :param service_type: ``REAL_TIME`` or ``ASYNC_REAL_TIME``.
    :param deploy_type: ``SINGLE`` or ``MULTI`` for one or several machines.
    :param version: such as ``1.0.0``, the service's default.
    :param description: up to 512 characters without ``<`` and ``>``.
    :param schedule: when it stops, ``[{"type": "STOP", "time_unit": "HOURS", "duration": 1}]``; one at most.
    :param tags: up to 20, ``{key: value}``.
    :param workspace_id: the service's default is ``0``.
    :param extra: further fields, such as ``log_configs``, ``upgrade_config`` or ``custom_metrics_path``.
    :raises InvalidInputError: before anything is sent, if an argument cannot be right; the message tells the rule.
    :raises ApiError: if the service refuses. Not sent again after an unclear failure.
    """
    if not isinstance(runtime_config, Mapping):
        raise InvalidInputError(f"runtime_config should be a mapping, not {type(runtime_config).__name__}.")
    fields = body(
        extra,
        name=checked_service_name(name),
        type=checked_choice("service_type", service_type, TYPES),
        deploy_type=checked_choice("deploy_type", deploy_type, DEPLOY_TYPES),
        group_configs=_checked_groups(group_configs),
        runtime_config=dict(runtime_config),
        version=_checked_version(version),
        description=checked_description(description, LONGEST_DESCRIPTION, "<>"),
        schedule=checked_schedule(schedule, None, "STOP", most=1) or None,
        tags=None if tags is None else checked_tags(tags, MOST_SERVICE_TAGS),
        workspace_id=workspace_id,
    )
    return Request("CreateInferService", "POST", SERVICES, InferenceServiceV2, body=fields, account_fields=IN_WORKSPACE)


@operation
def show_service_v2(_: Session, service_id: str) -> Request[InferenceServiceV2]:
    """One service of the newer kind (ShowInferService).

    :param service_id: the service's ``id``.
    :raises InvalidInputError: before anything is sent, if the id cannot be right.
    :raises ApiError: if the service refuses; it says 400 or 403 of a service that does not exist.
    """
    return Request(
        "ShowInferService",
        "GET",
        SERVICE,
        InferenceServiceV2,
        path_params={"service_id": checked_service_id(service_id)},
        safe_to_repeat=True,
    )


def _checked_groups(group_configs: object) -> list[dict[str, Any]]:
    groups = mappings("group_configs", group_configs)
    if len(groups) > 1:
        raise InvalidInputError(f"group_configs has {len(groups)} entries; a service is created with one at most.")
    for group in groups:
        checked_service_name(group.get("name"))
        checked_range("group_configs[0].count", group.get("count"), 1, MOST_INSTANCES)
    if groups:
        check_weights("group_configs", groups)
    return groups


def _checked_version(version: object) -> str | None:
    text = optional_text("version", version)
    if text is None or _VERSION.fullmatch(text):
        return text
    raise InvalidInputError(f"The version {text!r} is not allowed: three numbers of up to two digits, such as 1.0.1.")
