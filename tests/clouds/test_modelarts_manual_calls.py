"""What each operation beside workflows sends, reads and refuses to send."""

from __future__ import annotations

import asyncio
import inspect
from typing import Any

import pytest

from airflow_provider_mlworkflows.clouds.huawei.modelarts_areas import (
    AppsApi,
    AutoSearchApi,
    ResourcesApi,
    ServicesApi,
    TagsApi,
)
from airflow_provider_mlworkflows.clouds.huawei.modelarts_readings import ReadingsApi
from airflow_provider_mlworkflows.clouds.operation import Listing, Operation
from airflow_provider_mlworkflows.exceptions import InvalidInputError
from tests.clouds.support import RecordingApi

AREAS = (ServicesApi, AppsApi, ResourcesApi, TagsApi, AutoSearchApi, ReadingsApi)
V1, V2 = "/v1/p", "/v2/p"
APPS = f"{V1}/app-auth/apps"
API = f"{V1}/services/s/app-auth-apis/a"
WORKFLOW = "0b9a6a52-6d1b-4d5c-8a43-9a6b1e5f7c21"
CODE = "c0de-c0de-c0de-c0de"

MODEL = {"model_id": "m", "specification": "modelarts.vm.cpu.2u", "instance_count": 1}
WHOLE = {**MODEL, "weight": 100}
STOP = {"type": "stop", "time_unit": "HOURS", "duration": 1}
ONE_APP = {"app": {"app_id": "i"}}
ONE_API = {"api": {"api_id": "a"}}

# method name, positional, keyword, reply, HTTP method, path, query, body, whether it may be sent twice
CALLS: list[tuple[str, tuple[Any, ...], dict[str, Any], Any, str, str, str, Any, bool]] = [
    ("list_clusters", (), {}, {"clusters": []}, "GET", f"{V1}/clusters", "", None, True),
    (
        "list_clusters",
        (),
        {"cluster_name": "c", "status": "running", "limit": 5, "offset": 1, "sort_by": "created_at", "order": "asc"},
        {"clusters": []},
        "GET",
        f"{V1}/clusters",
        "cluster_name=c&status=running&limit=5&offset=1&sort_by=created_at&order=asc",
        None,
        True,
    ),
    (
        "list_pools",
        (),
        {"workspace_id": "0", "label_selector": "a=b", "status": "created"},
        {"items": []},
        "GET",
        f"{V2}/pools",
        "workspaceId=0&labelSelector=a%3Db&status=created",
        None,
        True,
    ),
    ("show_pool", ("pool",), {}, {"metadata": {"name": "pool"}}, "GET", f"{V2}/pools/pool", "", None, True),
    (
        "list_pool_nodes",
        ("pool",),
        {"continue_from": "x", "limit": 500},
        {"items": []},
        "GET",
        f"{V2}/pools/pool/nodes",
        "continue=x&limit=500",
        None,
        True,
    ),
    ("list_apps", (), {}, {"apps": []}, "GET", APPS, "", None, True),
    (
        "list_apps",
        (),
        {
            "app_name": "n",
            "workspace_id": "0",
            "limit": 10,
            "offset": 0,
            "sort_by": "app_name",
            "order": "desc",
            "show_secrets": True,
            "app_ids": ["i", "j"],
        },
        {"apps": []},
        "GET",
        APPS,
        "app_name=n&limit=10&offset=0&sort_by=app_name&order=desc&workspace_id=0"
        "&iphertext_enabled=true&app_ids=i&app_ids=j",
        None,
        True,
    ),
    (
        "create_app",
        ("n",),
        {"app_remark": "", "workspace_id": "0"},
        ONE_APP,
        "POST",
        APPS,
        "",
        {"app_name": "n", "app_remark": "", "workspace_id": "0"},
        False,
    ),
    ("show_app", ("i",), {"workspace_id": "0"}, ONE_APP, "GET", f"{APPS}/i", "workspace_id=0", None, True),
    ("app_exists", ("n",), {}, {"exists": True}, "GET", f"{APPS}/n/exists", "", None, True),
    ("delete_app", ("i",), {}, None, "DELETE", f"{APPS}/i", "", None, True),
    ("reset_app_secret", ("i",), {}, ONE_APP, "PUT", f"{APPS}/i/app-secret", "", {}, False),
    ("create_app_code", ("i",), {}, ONE_APP, "POST", f"{APPS}/i/app-code", "", {}, False),
    (
        "reset_app_code",
        ("i", CODE),
        {"app_remark": "r"},
        ONE_APP,
        "PUT",
        f"{APPS}/i/app-code/{CODE}",
        "",
        {"app_remark": "r"},
        False,
    ),
    ("delete_app_code", ("i", CODE), {}, ONE_APP, "DELETE", f"{APPS}/i/app-code/{CODE}", "", None, True),
    (
        "list_app_apis",
        ("i",),
        {"service_name": "n", "workspace_id": "0", "limit": 1, "offset": 2, "sort_by": "updated_at", "order": "asc"},
        {"apis": []},
        "GET",
        f"{APPS}/i/auth-apis",
        "limit=1&offset=2&sort_by=updated_at&order=asc&service_name=n&workspace_id=0",
        None,
        True,
    ),
    (
        "list_api_authorizations",
        ("s", "a"),
        {"app_name": "n", "show_only": "UNAUTH", "limit": 1, "show_secrets": False},
        {"auths": []},
        "GET",
        f"{API}/api-auths",
        "limit=1&app_name=n&show_only=UNAUTH&iphertext_enabled=false",
        None,
        True,
    ),
    ("create_api", ("s",), {}, ONE_API, "POST", f"{V1}/app-auth/s/apis", "", {}, False),
    (
        "create_api",
        ("s",),
        {"api_name": "app_test", "api_method": "ANY", "auth_type": "APP", "support_app_code": False},
        ONE_API,
        "POST",
        f"{V1}/app-auth/s/apis",
        "",
        {"api_name": "app_test", "api_method": "ANY", "auth_type": "APP", "support_app_code": False},
        False,
    ),
    (
        "create_authorized_api",
        ("s", ["i"]),
        {},
        {**ONE_API, "auth_result": []},
        "POST",
        f"{V1}/services/s/app-auth-api",
        "",
        {"apps": [{"app_id": "i"}]},
        False,
    ),
    (
        "authorize_api",
        ("s", "a", ["i", "j"]),
        {"workspace_id": "0"},
        {"auth_result": []},
        "POST",
        f"{API}/app-auth-api",
        "",
        {"apps": [{"app_id": "i"}, {"app_id": "j"}], "workspace_id": "0"},
        False,
    ),
    (
        "revoke_api_authorization",
        ("s", "a", ["i"]),
        {},
        {"unauth_result": []},
        "DELETE",
        f"{API}/app-auth-api",
        "",
        {"apps": [{"app_id": "i"}]},
        True,
    ),
    ("delete_api", ("s", "a"), {}, None, "DELETE", API, "", None, True),
    ("list_services", (), {}, {"services": []}, "GET", f"{V1}/services", "", None, True),
    (
        "list_services",
        (),
        {"service_name": "n", "model_id": "m", "infer_type": "batch", "status": "finished", "sort_by": "service_name"},
        {"services": []},
        "GET",
        f"{V1}/services",
        "service_name=n&model_id=m&infer_type=batch&status=finished&sort_by=service_name",
        None,
        True,
    ),
    (
        "create_service",
        ("n", [MODEL]),
        {"workspace_id": "0", "extra": {"additional_properties": {}}},
        {"service_id": "s"},
        "POST",
        f"{V1}/services",
        "",
        {
            "service_name": "n",
            "infer_type": "real-time",
            "config": [WHOLE],
            "workspace_id": "0",
            "additional_properties": {},
        },
        False,
    ),
    ("show_service", ("s",), {}, {"service_id": "s"}, "GET", f"{V1}/services/s", "", None, True),
    ("update_service", ("s",), {"status": "stopped"}, {}, "PUT", f"{V1}/services/s", "", {"status": "stopped"}, True),
    (
        "update_service",
        ("s",),
        {"config": [MODEL], "description": "d", "schedule": [STOP], "infer_type": "real-time"},
        {"update_time": 1585809358259, "resource_ids": "r"},
        "PUT",
        f"{V1}/services/s",
        "",
        {"config": [WHOLE], "description": "d", "schedule": [STOP]},
        True,
    ),
    ("update_service", ("s",), {"schedule": []}, {}, "PUT", f"{V1}/services/s", "", {"schedule": []}, True),
    ("delete_service", ("s",), {}, None, "DELETE", f"{V1}/services/s", "", None, True),
    (
        "create_service_v2",
        ("n", [{"name": "g", "count": 2}], {"service_invoke": {"port": 8080}}),
        {
            "version": "1.0.0",
            "description": "d",
            "schedule": [{"type": "STOP", "time_unit": "DAYS", "duration": 7}],
            "tags": {"k": "v"},
        },
        {"id": "s", "status": "DEPLOYING"},
        "POST",
        f"{V2}/services",
        "",
        {
            "name": "n",
            "type": "REAL_TIME",
            "deploy_type": "SINGLE",
            "group_configs": [{"name": "g", "count": 2, "weight": 100}],
            "runtime_config": {"service_invoke": {"port": 8080}},
            "version": "1.0.0",
            "description": "d",
            "schedule": [{"type": "STOP", "time_unit": "DAYS", "duration": 7}],
            "tags": [{"key": "k", "value": "v"}],
        },
        False,
    ),
    ("show_service_v2", ("s",), {}, {"id": "s"}, "GET", f"{V2}/services/s", "", None, True),
    (
        "create_notebook_tags",
        ("n", {"test": "service-gpu", "model_version": "0.1"}),
        {"workspace_id": "0"},
        None,
        "POST",
        f"{V1}/notebooks/n/tags/create",
        "workspace_id=0",
        {"tags": [{"key": "test", "value": "service-gpu"}, {"key": "model_version", "value": "0.1"}]},
        True,
    ),
    (
        "delete_notebook_tags",
        ("n", ["a", {"key": "b", "value": "c"}]),
        {},
        None,
        "DELETE",
        f"{V1}/notebooks/n/tags/delete",
        "",
        {"tags": [{"key": "a"}, {"key": "b", "value": "c"}]},
        True,
    ),
    ("list_notebook_tags", (), {}, {"tags": []}, "GET", f"{V1}/notebooks/tags", "", None, True),
    (
        "list_yaml_templates",
        (),
        {},
        {"yaml_templates": []},
        "GET",
        f"{V2}/training-jobs/autosearch/yaml-templates",
        "",
        None,
        True,
    ),
    (
        "show_yaml_template",
        ("hpo", "TPE"),
        {},
        {"content": "a: 1"},
        "GET",
        f"{V2}/training-jobs/autosearch/yaml-templates/hpo/TPE",
        "",
        None,
        True,
    ),
    (
        "list_search_algorithms",
        (),
        {},
        {"search_algo_list": []},
        "GET",
        f"{V2}/search-algorithms",
        "",
        None,
        True,
    ),
]
READINGS = {"read_service", "read_service_v2", "find_services_by_name", "read_pool", "read_cluster"}
LISTINGS = {
    "iter_services",
    "iter_apps",
    "iter_app_apis",
    "iter_api_authorizations",
    "iter_clusters",
    "iter_pool_nodes",
}
PUBLIC: dict[str, Any] = {
    name: value for area in AREAS for name, value in vars(area).items() if isinstance(value, Operation | Listing)
}


@pytest.mark.parametrize("blocking", [True, False], ids=["blocking", "async"])
@pytest.mark.parametrize("case", CALLS, ids=lambda case: case[0])
def test_what_is_sent(blocking: bool, case: tuple[Any, ...]) -> None:
    name, args, kwargs, reply, method, path, query, body, repeatable = case
    api = RecordingApi(reply)
    call = getattr(api, name)

    if blocking:
        call(*args, **kwargs)
    else:
        asyncio.run(call.aio(*args, **kwargs))

    (request,) = api.requests
    assert (request.method, request.url_path({"project_id": "p"}), request.url_query()) == (method, path, query)
    assert request.body == body
    assert request.safe_to_repeat is repeatable


def test_all_operations_are_tested() -> None:
    operations = {name for name, value in PUBLIC.items() if isinstance(value, Operation)}

    assert operations - READINGS == {case[0] for case in CALLS}
    assert PUBLIC.keys() == operations | LISTINGS


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_help_is_complete(name: str) -> None:
    documentation = inspect.getdoc(PUBLIC[name]) or ""
    _first, *rest = inspect.signature(inspect.unwrap(PUBLIC[name])).parameters.values()

    assert ")." in documentation or documentation.splitlines()[0].endswith(".")
    for parameter in rest:
        assert parameter.annotation != inspect.Parameter.empty
        assert f":param {parameter.name}:" in documentation or "arameters as in" in documentation


REFUSED: list[tuple[str, tuple[Any, ...], dict[str, Any], str]] = [
    ("list_clusters", (), {"limit": 1001}, "limit 1001 is not a whole number between 1 and 1000"),
    ("list_clusters", (), {"offset": -1}, "offset -1"),
    ("list_clusters", (), {"sort_by": "name"}, "created_at, cluster_name"),
    ("list_clusters", (), {"order": "up"}, "asc, desc"),
    ("list_pools", (), {"status": "running"}, "created, failed, creating"),
    ("show_pool", ("..",), {}, "pool_name"),
    ("list_pool_nodes", ("pool",), {"limit": 501}, "between 1 and 500"),
    ("list_pool_nodes", ("pool",), {"continue_from": 5}, "continue_from should be a text"),
    ("list_apps", (), {"show_secrets": "yes"}, "show_secrets should be True or False"),
    ("list_apps", (), {"app_ids": "i"}, "list of texts"),
    ("list_apps", (), {"sort_by": "name"}, "app_name, created_at, updated_at"),
    ("create_app", (" ",), {}, "app_name"),
    ("create_app", ("n",), {"app_remark": "x" * 201}, "app_remark has 201 characters; 200 are allowed"),
    ("app_exists", ("..",), {}, "app_name"),
    ("show_app", ("",), {}, "app_id"),
    ("delete_app_code", ("i", ""), {}, "app_code should be one of the app's codes"),
    ("list_api_authorizations", ("s", "a"), {"show_only": "ALL"}, "AUTH, UNAUTH"),
    ("create_api", ("s",), {"api_name": "1x"}, "3 to 255 letters"),
    ("create_api", ("s",), {"auth_type": "APIG"}, "NONE, APP, IAM"),
    ("create_api", ("s",), {"api_method": "any"}, "api_method"),
    ("create_api", ("s",), {"api_remark": "x" * 256}, "255 are allowed"),
    ("create_api", ("s",), {"support_app_code": 1}, "True or False"),
    ("authorize_api", ("s", "a", []), {}, "app_ids is empty"),
    ("authorize_api", ("s", "", ["i"]), {}, "api_id"),
    ("revoke_api_authorization", ("s", "a", "i"), {}, "list of texts"),
    ("list_services", (), {"infer_type": "online"}, "real-time, batch, edge"),
    ("show_service", ("a,b",), {}, "give the id of one service"),
    ("delete_service", ("a,b",), {}, "give the id of one service"),
    ("update_service", ("s",), {}, "Nothing is to be changed"),
    ("update_service", ("s",), {"status": "deploying"}, "running, stopped"),
    ("update_service", ("s",), {"status": "running", "config": [MODEL]}, "only heed status"),
    ("update_service", ("s",), {"config": [{**MODEL, "weight": 50}]}, "= 50; together they have to be 100"),
    ("create_service_v2", ("n", [], {}), {"service_type": "BATCH"}, "REAL_TIME, ASYNC_REAL_TIME"),
    ("create_service_v2", ("n", [], {}), {"deploy_type": "BOTH"}, "SINGLE, MULTI"),
    ("create_service_v2", ("n", [], []), {}, "runtime_config should be a mapping"),
    ("create_service_v2", ("n n", [], {}), {}, "service name 'n n' is not allowed"),
    ("create_service_v2", ("n", [{"name": "a"}, {"name": "b"}], {}), {}, "with one at most"),
    ("create_service_v2", ("n", [{"name": "a", "weight": 90}], {}), {}, "together they have to be 100"),
    ("create_service_v2", ("n", [{"name": "a", "count": 129}], {}), {}, "between 1 and 128"),
    ("create_service_v2", ("n", [], {}), {"version": "1.0"}, "such as 1.0.1"),
    ("create_service_v2", ("n", [], {}), {"description": "<b>"}, "none of them < >"),
    ("create_service_v2", ("n", [], {}), {"schedule": [STOP]}, "not one of STOP"),
    ("create_service_v2", ("n", [], {}), {"tags": {str(n): "" for n in range(21)}}, "1 to 20 are allowed"),
    ("create_notebook_tags", ("n", {}), {}, "0 tags are given; 1 to 10 are allowed"),
    ("create_notebook_tags", ("n", {str(n): "" for n in range(11)}), {}, "11 tags are given; 1 to 10"),
    ("create_notebook_tags", ("n", {"k" * 129: "v"}), {}, "1 to 128 letters"),
    ("create_notebook_tags", ("n", {"": "v"}), {}, "1 to 128 letters"),
    ("create_notebook_tags", ("n", {" k": "v"}), {}, "no space at either end"),
    ("create_notebook_tags", ("n", {"_sys_k": "v"}), {}, "not beginning with _sys_"),
    ("create_notebook_tags", ("n", {"k/": "v"}), {}, "tag key 'k/'"),
    ("create_notebook_tags", ("n", {"k": "v" * 256}), {}, "up to 255"),
    ("create_notebook_tags", ("n", {"k": 1}), {}, "value 1 of the tag 'k'"),
    ("create_notebook_tags", ("n", ["k"]), {}, "mapping of 'key' and 'value'"),
    ("create_notebook_tags", ("n", [{"key": "k", "value": "a"}] * 2), {}, "'k' is given twice"),
    ("create_notebook_tags", ("n", "k=v"), {}, "tags should be a mapping"),
    ("delete_notebook_tags", ("", ["k"]), {}, "notebook_id"),
    ("delete_notebook_tags", ("n", []), {}, "0 tags"),
    ("show_yaml_template", ("hpo", ".."), {}, "algorithm_name"),
    ("find_services_by_name", ("a b",), {}, "service name 'a b'"),
    ("read_cluster", ("",), {}, "cluster ''"),
    ("read_pool", ("",), {}, "pool_name"),
]
REFUSED += [
    ("create_subscription", (WORKFLOW, ["urn"]), {"events": [event]}, "a colon and statuses with commas between them")
    for event in ("hold", "*:", ":hold", " :hold", "*:hold,", "*:Hold", "*:hold, failed", "a:b:c")
]


@pytest.mark.parametrize(("name", "args", "kwargs", "rule"), REFUSED, ids=lambda value: str(value)[:40])
def test_the_rule_is_told_before_anything_is_sent(
    name: str, args: tuple[Any, ...], kwargs: dict[str, Any], rule: str
) -> None:
    api = RecordingApi()

    with pytest.raises(InvalidInputError, match=rule):
        getattr(api, name)(*args, **kwargs)
    with pytest.raises(InvalidInputError, match=rule):
        asyncio.run(getattr(api, name).aio(*args, **kwargs))
    assert api.requests == []


def test_letters_of_any_language_may_be_in_tags() -> None:
    api = RecordingApi(None)

    api.create_notebook_tags("n", {"模型 版本": "größe/1"})

    assert api.requests[0].body == {"tags": [{"key": "模型 版本", "value": "größe/1"}]}
