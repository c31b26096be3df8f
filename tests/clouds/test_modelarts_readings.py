"""Services, pools and clusters in one vocabulary, from answers in the service's own shapes."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from airflow_provider_mlworkflows.clouds.huawei.modelarts_readings import (
    CLUSTER_STATES,
    POOL_STATES,
    SERVICE_STATES,
    Resource,
    ResourceState,
)
from airflow_provider_mlworkflows.exceptions import InvalidInputError
from airflow_provider_mlworkflows.runs import RunState
from tests.clouds.support import RecordingApi

SERVICE: dict[str, Any] = {
    "service_id": "s-1",
    "service_name": "digits",
    "infer_type": "real-time",
    "status": "running",
    "progress": 100,
    "access_address": "https://x.example.com/v1/infers/s-1",
    "publish_at": 1768478400000,
    "workspace_id": 0,
    "config": [{"model_id": "m", "weight": "100", "instance_count": 1, "custom_spec": {}, "scaling": False}],
    "schedule": [{"type": "stop", "time_unit": "HOURS", "duration": 2}],
    "error_msg": "",
}
CLUSTER: dict[str, Any] = {
    "cluster_id": "c-1",
    "cluster_name": "big",
    "created_at": 1768478400000,
    "status": "running",
    "nodes": {"specification": "f", "count": 3, "available_count": 2},
    "allocatable_cpu_cores": 5.5,
    "allocatable_memory": 4096,
    "allocatable_gpus": 0.5,
}
POOL: dict[str, Any] = {
    "kind": "Pool",
    "apiVersion": "v2",
    "metadata": {
        "name": "pool-0a1b",
        "creationTimestamp": "2026-01-15T12:00:00Z",
        "labels": {"os.modelarts/name": "nightly", "os.modelarts/workspace.id": "0"},
    },
    "spec": {"type": "Dedicate", "scope": ["Train"], "resources": [{"flavor": "f", "count": 2}], "network": {}},
    "status": {
        "phase": "Running",
        "scope": [{"scopeType": "Train", "state": "Enabled"}],
        "resources": {"available": [{"flavor": "f", "count": 2, "azs": [{"az": "z", "count": 2}]}]},
    },
}


def node(name: str, phase: str) -> dict[str, Any]:
    return {
        "metadata": {"name": name},
        "spec": {"flavor": "f"},
        "status": {"phase": phase, "availableResources": {"cpu": "2970m", "nvidia.com/gpu": "1"}},
    }


class TestServices:
    def test_are_read_with_all_that_they_tell(self) -> None:
        service = RecordingApi(SERVICE).show_service("s-1")

        assert service.publish_at == datetime(2026, 1, 15, 12, tzinfo=UTC)
        assert (service.config[0].weight, service.schedule[0].duration) == (100, 2)
        assert service.workspace_id == "0"

    @pytest.mark.parametrize(
        ("status", "state"), [*SERVICE_STATES.items(), ("DEPLOYING", ResourceState.DEPLOYING), ("odd", "unknown")]
    )
    def test_each_status_has_a_state(self, status: str, state: ResourceState) -> None:
        reading = RecordingApi({**SERVICE, "status": status}).read_service("s-1")

        assert (reading.state, reading.status) == (state, status)

    def test_a_status_may_be_missing(self) -> None:
        assert RecordingApi({"service_id": "s-1"}).read_service("s-1").state is ResourceState.UNKNOWN

    def test_the_reading_says_what_it_is_about(self) -> None:
        api = RecordingApi({**SERVICE, "status": "failed", "error_msg": "no such image"})

        assert asyncio.run(api.read_service.aio("s-1")) == Resource(
            "s-1",
            "digits",
            ResourceState.FAILED,
            "failed",
            message="no such image",
            url="https://x.example.com/v1/infers/s-1",
            progress=100,
        )

    @pytest.mark.parametrize(
        "addresses",
        [
            ["https://a.example.com"],
            [{"type": "INTRANET", "url": "https://a.example.com"}],
            [{}, "https://a.example.com"],
        ],
    )
    def test_the_newer_kind_too(self, addresses: list[Any]) -> None:
        api = RecordingApi(
            {"id": "s-2", "name": "n", "status": "FAILED", "failure_reason": "quota", "predict_url": addresses}
        )

        assert api.read_service_v2("s-2") == Resource(
            "s-2", "n", ResourceState.FAILED, "FAILED", message="quota", url="https://a.example.com"
        )

    def test_only_the_whole_name_is_found(self) -> None:
        names = ["digits", "digits-2", "Digits", "digits"]
        listed = [{"service_id": str(n), "service_name": name} for n, name in enumerate(names)]
        api = RecordingApi({"services": listed}, {"services": []})

        assert [service.service_id for service in api.find_services_by_name("digits", workspace_id="w")] == ["0", "3"]
        assert api.find_services_by_name("digits") == []
        assert api.requests[0].url_query() == (
            "service_name=digits&workspace_id=w&limit=1000&offset=0&sort_by=publish_at&order=desc"
        )

    def test_on_any_page(self) -> None:
        others = [{"service_id": str(n), "service_name": f"digits-{n}"} for n in range(1000)]
        api = RecordingApi({"services": others}, {"services": [{"service_id": "x", "service_name": "digits"}]})

        assert [service.service_id for service in api.find_services_by_name("digits")] == ["x"]

    @pytest.mark.parametrize("reply", [{}, {"service_id": ""}, {"service_id": None}])
    def test_a_created_service_has_an_id(self, reply: dict[str, Any]) -> None:
        model = {"model_id": "m", "specification": "f", "instance_count": 1}
        with pytest.raises(ValidationError):
            RecordingApi(reply).create_service("n", [model])


class TestPools:
    def test_nodes_are_counted(self) -> None:
        api = RecordingApi(
            POOL,
            {"metadata": {"continue": "x"}, "items": [node("a", "Available"), node("b", "Abnormal")]},
            {"metadata": {}, "items": [node("c", "Available"), node("d", "Creating")]},
        )

        assert api.read_pool("pool-0a1b") == Resource(
            "pool-0a1b", "nightly", ResourceState.RUNNING, "Running", nodes=4, available_nodes=2
        )

    @pytest.mark.parametrize(("phase", "state"), [*POOL_STATES.items(), ("Creating", "deploying"), ("odd", "unknown")])
    def test_each_phase_has_a_state(self, phase: str, state: ResourceState) -> None:
        reading = RecordingApi({"metadata": {}, "status": {"phase": phase}}, {"items": []}).read_pool("p")

        assert (reading.state, reading.status, reading.nodes, reading.available_nodes) == (state, phase, 0, 0)

    def test_are_read_with_all_that_they_tell(self) -> None:
        pool = RecordingApi({"items": [POOL]}).list_pools().items[0]

        assert (pool.name, pool.display_name) == ("pool-0a1b", "nightly")
        assert pool.metadata.created_at == datetime(2026, 1, 15, 12, tzinfo=UTC)
        assert pool.status.scope[0].scope_type == "Train"
        assert pool.status.resources.available[0].azs[0].count == 2

    def test_nodes_are_read_with_all_that_they_tell(self) -> None:
        listed = RecordingApi(
            {"metadata": {"continue": "x", "remainingItemCount": 7}, "items": [node("a", "Available")]}
        ).list_pool_nodes("p")

        assert (listed.metadata.continue_from, listed.metadata.remaining) == ("x", 7)
        assert listed.items[0].status.available_resources.cpu == "2970m"
        assert listed.items[0].status.available_resources.gpu == "1"
        assert listed.items[0].spec.flavor == "f"


class TestClusters:
    @pytest.mark.parametrize("cluster", ["c-1", "big"])
    def test_are_found_by_id_or_name(self, cluster: str) -> None:
        other = {**CLUSTER, "cluster_id": "c-2", "cluster_name": "bigger"}

        assert RecordingApi({"clusters": [other, CLUSTER]}).read_cluster(cluster) == Resource(
            "c-1", "big", ResourceState.RUNNING, "running", nodes=3, available_nodes=2
        )

    def test_may_not_be_there(self) -> None:
        assert RecordingApi({"clusters": [CLUSTER]}).read_cluster("c-9") is None

    def test_of_the_same_name_are_told_apart(self) -> None:
        clusters = {"clusters": [CLUSTER, {**CLUSTER, "cluster_id": "c-2"}]}

        with pytest.raises(InvalidInputError, match="2 clusters are called 'big'; give the id of one: c-1, c-2"):
            RecordingApi(clusters).read_cluster("big")

    @pytest.mark.parametrize(("status", "state"), [*CLUSTER_STATES.items(), ("odd", ResourceState.UNKNOWN)])
    def test_each_status_has_a_state(self, status: str, state: ResourceState) -> None:
        reading = RecordingApi({"clusters": [{**CLUSTER, "status": status}]}).read_cluster("c-1")

        assert reading is not None
        assert reading.state is state


@pytest.mark.parametrize(
    ("state", "run_state"),
    [
        ("deploying", RunState.ACTIVE),
        ("running", RunState.SUCCEEDED),
        ("degraded", RunState.ACTIVE),
        ("stopping", RunState.STOPPING),
        ("stopped", RunState.STOPPED),
        ("finished", RunState.SUCCEEDED),
        ("failed", RunState.FAILED),
        ("deleting", RunState.STOPPING),
        ("unknown", RunState.UNKNOWN),
    ],
)
def test_states_of_a_run(state: str, run_state: RunState) -> None:
    assert ResourceState(state).run_state is run_state


def test_every_state_is_one_of_a_run() -> None:
    assert all(isinstance(state.run_state, RunState) for state in ResourceState)


def test_the_rest_is_read_too() -> None:
    api = RecordingApi(
        {"tags": [{"key": "version", "values": ["1", "2"]}, {"key": "dev", "values": None}]},
        {"yaml_templates": [{"algorithm_type_en": "hpo", "algorithm_names": ["TPE"]}]},
        {"file_name": "tpe.yaml", "content": "a: 1\n"},
        {"search_algo_count": 1, "search_algo_list": [{"name": "b", "params": [{"key": "k", "value": "[1]"}]}]},
    )

    assert api.list_notebook_tags().by_key == {"version": ["1", "2"], "dev": []}
    assert api.list_yaml_templates().yaml_templates[0].algorithm_names == ["TPE"]
    assert api.show_yaml_template("hpo", "TPE").content == "a: 1\n"
    assert api.list_search_algorithms().search_algo_list[0].params[0].value == "[1]"


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("list_services", ()),
        ("list_clusters", ()),
        ("list_pools", ()),
        ("list_pool_nodes", ("p",)),
        ("show_pool", ("p",)),
        ("list_apps", ()),
        ("list_app_apis", ("i",)),
        ("list_api_authorizations", ("s", "a")),
        ("show_service", ("s",)),
        ("show_service_v2", ("s",)),
        ("app_exists", ("n",)),
        ("list_notebook_tags", ()),
        ("list_yaml_templates", ()),
        ("show_yaml_template", ("hpo", "TPE")),
        ("list_search_algorithms", ()),
    ],
)
def test_an_answer_without_what_it_promises_is_none(name: str, args: tuple[Any, ...]) -> None:
    with pytest.raises(ValidationError):
        getattr(RecordingApi({"something": "else"}), name)(*args)
