"""What ModelArts answers about services: models that were deployed."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from airflow_provider_mlworkflows.clouds.huawei.modelarts_models import Time
from airflow_provider_mlworkflows.clouds.huawei.modelarts_paging import Counted
from airflow_provider_mlworkflows.clouds.huawei.models import Reply


def as_list(value: object) -> object:
    """A list of one for a single value."""
    return [value] if isinstance(value, str) else value


ResourceIds = Annotated[list[str], BeforeValidator(as_list)]


class AutoStop(Reply):
    """When a service stops by itself."""

    type: str = ""
    time_unit: str = ""
    duration: int | None = None


class ServiceVersion(Reply):
    """A model of a service, and what part of the calls it gets."""

    model_id: str = ""
    model_name: str = ""
    model_version: str = ""
    weight: int | None = None
    specification: str = ""
    custom_spec: dict[str, Any] = Field(default_factory=dict)
    instance_count: int | None = None
    status: str = ""
    envs: dict[str, Any] = Field(default_factory=dict)
    cluster_id: str = ""
    pool_name: str = ""
    src_path: str = ""
    dest_path: str = ""
    req_uri: str = ""
    mapping_type: str = ""
    mapping_rule: dict[str, Any] = Field(default_factory=dict)
    nodes: list[Any] = Field(default_factory=list)


class InferenceService(Reply):
    """A service. Lists leave out its address and its versions."""

    service_id: str
    service_name: str = ""
    description: str = ""
    infer_type: str = ""
    status: str = ""
    progress: int | None = None
    error_msg: str = ""
    access_address: str = ""
    config: list[ServiceVersion] = Field(default_factory=list)
    schedule: list[AutoStop] = Field(default_factory=list)
    tenant: str = ""
    project: str = ""
    owner: str = ""
    workspace_id: str = ""
    cluster_id: str = ""
    pool_name: str = ""
    vpc_id: str = ""
    subnet_network_id: str = ""
    security_group_id: str = ""
    publish_at: Time = None
    update_time: Time = None
    transition_at: Time = None
    operation_time: Time = None
    due_time: Time = None
    start_time: Time = None
    finished_time: Time = None
    invocation_times: int | None = None
    failed_times: int | None = None
    shared_count: int | None = None
    is_shared: bool | None = None
    is_free: bool | None = None
    additional_properties: dict[str, Any] = Field(default_factory=dict)


class ServicePage(Counted):
    """One page of services."""

    promised = frozenset({"services"})

    services: list[InferenceService] = Field(default_factory=list)


class CreatedService(Reply):
    """The id of a service that was just created."""

    service_id: str = Field(min_length=1)
    resource_ids: ResourceIds = Field(default_factory=list)


class UpdatedService(Reply):
    """What came of a change. There is a time only if the service is deployed anew."""

    update_time: Time = None
    resource_ids: ResourceIds = Field(default_factory=list)


class InferenceServiceV2(Reply):
    """A service of the newer kind. Where it is called is told when it is shown, not when it is created."""

    id: str = Field(min_length=1)
    name: str = ""
    status: str = ""
    type: str = ""
    deploy_type: str = ""
    failure_reason: str = ""
    predict_url: list[dict[str, Any] | str] = Field(default_factory=list)
    version: dict[str, Any] = Field(default_factory=dict)
    schedule: list[AutoStop] = Field(default_factory=list)
    tags: list[dict[str, Any]] = Field(default_factory=list)
    workspace_id: str = ""
    create_at: Time = None
    update_at: Time = None
