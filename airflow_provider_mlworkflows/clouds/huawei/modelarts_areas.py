"""The operations of ModelArts beside workflows, area by area. What each takes is written where it is declared."""

from __future__ import annotations

from airflow_provider_mlworkflows.clouds.huawei import (
    modelarts_app_apis,
    modelarts_apps,
    modelarts_autosearch,
    modelarts_resources,
    modelarts_services,
    modelarts_services_v2,
    modelarts_tags,
)
from airflow_provider_mlworkflows.clouds.operation import Session


class ServicesApi(Session):
    """Services: models that were deployed."""

    list_services = modelarts_services.list_services
    iter_services = modelarts_services.iter_services
    create_service = modelarts_services.create_service
    show_service = modelarts_services.show_service
    update_service = modelarts_services.update_service
    delete_service = modelarts_services.delete_service
    create_service_v2 = modelarts_services_v2.create_service_v2
    show_service_v2 = modelarts_services_v2.show_service_v2


class AppsApi(Session):
    """Apps that call services, the APIs that they call, and which may call which."""

    list_apps = modelarts_apps.list_apps
    iter_apps = modelarts_apps.iter_apps
    create_app = modelarts_apps.create_app
    show_app = modelarts_apps.show_app
    app_exists = modelarts_apps.app_exists
    delete_app = modelarts_apps.delete_app
    reset_app_secret = modelarts_apps.reset_app_secret
    create_app_code = modelarts_apps.create_app_code
    reset_app_code = modelarts_apps.reset_app_code
    delete_app_code = modelarts_apps.delete_app_code

    list_app_apis = modelarts_app_apis.list_app_apis
    iter_app_apis = modelarts_app_apis.iter_app_apis
    list_api_authorizations = modelarts_app_apis.list_api_authorizations
    iter_api_authorizations = modelarts_app_apis.iter_api_authorizations
    create_api = modelarts_app_apis.create_api
    create_authorized_api = modelarts_app_apis.create_authorized_api
    authorize_api = modelarts_app_apis.authorize_api
    revoke_api_authorization = modelarts_app_apis.revoke_api_authorization
    delete_api = modelarts_app_apis.delete_api


class ResourcesApi(Session):
    """Dedicated clusters and resource pools."""

    list_clusters = modelarts_resources.list_clusters
    iter_clusters = modelarts_resources.iter_clusters
    list_pools = modelarts_resources.list_pools
    show_pool = modelarts_resources.show_pool
    list_pool_nodes = modelarts_resources.list_pool_nodes
    iter_pool_nodes = modelarts_resources.iter_pool_nodes


class TagsApi(Session):
    """Tags of notebooks."""

    create_notebook_tags = modelarts_tags.create_notebook_tags
    delete_notebook_tags = modelarts_tags.delete_notebook_tags
    list_notebook_tags = modelarts_tags.list_notebook_tags


class AutoSearchApi(Session):
    """What the automatic search has to offer."""

    list_yaml_templates = modelarts_autosearch.list_yaml_templates
    show_yaml_template = modelarts_autosearch.show_yaml_template
    list_search_algorithms = modelarts_autosearch.list_search_algorithms
