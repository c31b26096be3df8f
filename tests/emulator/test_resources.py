from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_mlworkflows.emulator import phases
from airflow_provider_mlworkflows.emulator.modelarts import ready
from tests.emulator.test_services import MODEL, ONLINE
from tests.emulator.test_workflows import NOBODY, code_of

if TYPE_CHECKING:
    import httpx

    from airflow_provider_mlworkflows.emulator import Emulator
    from tests.emulator.signing import Caller

NODES = f"/pools/{ready.POOL}/nodes"


def clusters(caller: Caller, **params: Any) -> list[str]:
    answer = caller.first("GET", "/clusters", params=params)
    assert answer.status_code == 200, answer.text
    return [each["cluster_name"] for each in answer.json()["clusters"]]


def pools(caller: Caller, **params: Any) -> list[str]:
    answer = caller.flow("GET", "/pools", params=params)
    assert answer.status_code == 200, answer.text
    return [each["metadata"]["labels"]["os.modelarts/name"] for each in answer.json()["items"]]


def page(caller: Caller, **params: Any) -> dict[str, Any]:
    answer = caller.flow("GET", NODES, params=params)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


class TestClusters:
    def test_shape(self, caller: Caller) -> None:
        body = caller.first("GET", "/clusters", params={"cluster_name": "my-cluster"}).json()
        assert (body["count"], body["total_count"]) == (1, 1)
        cluster = body["clusters"][0]
        assert cluster["nodes"] == {"specification": "modelarts.vm.cpu.8ud", "count": 2, "available_count": 2}
        assert (cluster["cluster_id"], cluster["project"]) == (ready.CPU_CLUSTER, caller.project_id)
        assert "period_num" not in cluster

    @pytest.mark.parametrize(
        ("params", "names"),
        [
            ({}, ["gpu-cluster", "my-cluster"]),
            ({"order": "asc"}, ["my-cluster", "gpu-cluster"]),
            ({"sort_by": "cluster_name"}, ["my-cluster", "gpu-cluster"]),
            ({"cluster_name": "gpu"}, ["gpu-cluster"]),
            ({"status": "running"}, ["gpu-cluster", "my-cluster"]),
            ({"status": "abnormal"}, []),
            ({"limit": 1, "offset": 1}, ["my-cluster"]),
        ],
        ids=str,
    )
    def test_list(self, emu: Emulator, caller: Caller, params: dict[str, Any], names: list[str]) -> None:
        emu.modelarts.clusters.remove("my-cluster")
        emu.modelarts.clusters.remove(ready.GPU_CLUSTER)
        for name in ("my-cluster", "gpu-cluster"):
            emu.modelarts.clusters.add(name)
            emu.clock.advance(1)
        assert clusters(caller, **params) == names

    @pytest.mark.parametrize("params", [{"sort_by": "x"}, {"order": "x"}, {"limit": "x"}, {"offset": -1}], ids=str)
    def test_refusals(self, caller: Caller, params: dict[str, Any]) -> None:
        assert code_of(caller.first("GET", "/clusters", params=params)) == (400, "ModelArts.0104")

    def test_script_and_steering(self, emu: Emulator, caller: Caller) -> None:
        emu.modelarts.clusters.add("new", nodes=3, script=phases(("deploying", 10), "running"))

        def seen() -> tuple[str, int]:
            cluster = caller.first("GET", "/clusters", params={"cluster_name": "new"}).json()["clusters"][0]
            return cluster["status"], cluster["nodes"]["available_count"]

        assert seen() == ("deploying", 0)
        emu.clock.advance(10)
        assert seen() == ("running", 3)
        cluster = emu.modelarts.clusters.get("new")
        cluster.force("concerning")
        cluster.available_nodes = 1
        assert seen() == ("concerning", 1)


class TestPools:
    def test_show(self, caller: Caller) -> None:
        pool = caller.flow("GET", f"/pools/{ready.POOL}").json()
        assert (pool["kind"], pool["metadata"]["name"], pool["status"]["phase"]) == ("Pool", ready.POOL, "Running")
        assert pool["spec"]["resources"] == [{"flavor": "modelarts.vm.cpu.4ud", "count": 12}]
        assert pool["status"]["resources"]["available"][0]["count"] == 11
        assert pool["status"]["scope"][0] == {"scopeType": "Train", "state": "Enabled"}

    def test_unknown(self, caller: Caller) -> None:
        for path in (f"/pools/{NOBODY}", f"/pools/{NOBODY}/nodes", "/pools/auto-pool-os"):
            answer = caller.flow("GET", path)
            assert code_of(answer) == (404, "ModelArts.50015001")
            assert answer.json()["error_msg"] == "pool not found"

    @pytest.mark.parametrize(
        ("params", "names"),
        [
            ({}, ["auto-pool-os", "small-pool-os", "team-pool"]),
            ({"workspaceId": "7"}, ["team-pool"]),
            ({"labelSelector": "team=a"}, ["team-pool"]),
            ({"labelSelector": "team!=a"}, ["auto-pool-os", "small-pool-os"]),
            ({"labelSelector": "team"}, ["team-pool"]),
            ({"labelSelector": "!team"}, ["auto-pool-os", "small-pool-os"]),
            ({"labelSelector": "os.modelarts/name==small-pool-os,!team"}, ["small-pool-os"]),
            ({"status": "created"}, ["auto-pool-os", "small-pool-os"]),
            ({"status": "creating"}, ["team-pool"]),
            ({"status": "failed"}, []),
        ],
        ids=str,
    )
    def test_list(self, emu: Emulator, caller: Caller, params: dict[str, str], names: list[str]) -> None:
        emu.modelarts.pools.add(
            "team-pool", script=phases(("Creating", 10), "Running"), workspace_id="7", labels={"team": "a"}
        )
        assert pools(caller, **params) == names

    def test_unknown_status(self, caller: Caller) -> None:
        assert code_of(caller.flow("GET", "/pools", params={"status": "x"})) == (400, "ModelArts.50004000")

    def test_phases(self, emu: Emulator, caller: Caller) -> None:
        emu.modelarts.pools.add("new", nodes=2, script=phases(("Creating", 10), "Running"))

        def seen() -> tuple[str, str, set[str]]:
            pool = caller.flow("GET", "/pools/new").json()["status"]
            nodes = caller.flow("GET", "/pools/new/nodes").json()["items"]
            return pool["phase"], pool["scope"][0]["state"], {node["status"]["phase"] for node in nodes}

        assert seen() == ("Creating", "Disabled", {"Creating"})
        emu.clock.advance(10)
        assert seen() == ("Running", "Enabled", {"Available"})
        pool = emu.modelarts.pools.get("new")
        pool.resize(3, 0)
        pool.force("Abnormal")
        assert seen() == ("Abnormal", "Disabled", {"Abnormal"})
        with pytest.raises(ValueError, match="2 of 1 nodes"):
            pool.resize(1, 2)


class TestNodes:
    def test_pages(self, emu: Emulator, caller: Caller) -> None:
        first = page(caller)
        assert (len(first["items"]), first["metadata"]["remainingItemCount"]) == (5, 7)
        second = page(caller, **{"continue": first["metadata"]["continue"]})
        last = page(caller, **{"continue": second["metadata"]["continue"], "limit": 500})
        assert last["metadata"] == {}
        names = [node["metadata"]["name"] for body in (first, second, last) for node in body["items"]]
        assert len(set(names)) == len(names) == 12
        assert [node["status"]["phase"] for node in last["items"]] == ["Available", "Abnormal"]

    def test_a_page_goes_on_where_it_was_though_nodes_vanished(self, emu: Emulator, caller: Caller) -> None:
        first = page(caller, limit=4)
        pool = emu.modelarts.pools.get(ready.POOL)
        fifth = pool.nodes[4].name
        del pool.nodes[1:4]
        following = page(caller, **{"continue": first["metadata"]["continue"], "limit": 1})
        assert following["items"][0]["metadata"]["name"] == fifth

    def test_all_at_once(self, emu: Emulator, caller: Caller) -> None:
        emu.switches.node_page_cap = 500
        assert (len(page(caller)["items"]), len(page(caller, limit=0)["items"])) == (12, 12)

    @pytest.mark.parametrize(
        "params", [{"limit": "501"}, {"limit": "x"}, {"continue": "x"}, {"continue": "YWZ0ZXI6eA=="}], ids=str
    )
    def test_refusals(self, caller: Caller, params: dict[str, str]) -> None:
        assert code_of(caller.flow("GET", NODES, params=params)) == (400, "ModelArts.50004000")


def test_services_in_places_that_do_not_exist(emu: Emulator, caller: Caller) -> None:
    def deploy(**place: str) -> httpx.Response:
        return caller.first("POST", "/services", {**ONLINE, **place})

    assert deploy(pool_name="nowhere", cluster_id="nowhere").status_code == 200
    emu.switches.service_places = "refused"
    assert code_of(deploy(pool_name="auto-pool-os")) == (404, "ModelArts.50015001")
    assert code_of(deploy(cluster_id="nowhere")) == (400, "ModelArts.0102")
    version = {**MODEL, "weight": 100, "cluster_id": "nowhere"}
    assert code_of(caller.first("POST", "/services", {**ONLINE, "config": [version]})) == (400, "ModelArts.0102")
    assert deploy(pool_name=ready.POOL, cluster_id=ready.CPU_CLUSTER).status_code == 200


def test_steering_from_another_process(emu: Emulator, caller: Caller) -> None:
    def control(method: str, path: str, body: Any = None) -> httpx.Response:
        return caller.http.request(method, f"{emu.url}/_emulator/{path}", json=body)

    created = {"name": "p", "nodes": 2, "script": [["Creating", 5], ["Running", None]]}
    assert control("POST", "pools", created).json()["status"]["phase"] == "Creating"
    changed = control("PUT", "pools/p", {"phase": "Running", "nodes": 3, "available": 1}).json()
    assert (changed["status"]["phase"], changed["status"]["resources"]["available"][0]["count"]) == ("Running", 1)
    assert control("PUT", "pools/p", {"nodes": 1, "available": 2}).status_code == 400
    assert control("PUT", "pools/q", {"phase": "x"}).status_code == 404
    assert control("POST", "clusters", {"name": "c", "nodes": 3}).status_code == 201
    changed = control("PUT", "clusters/c", {"status": "abnormal", "nodes": 2}).json()
    assert (changed["status"], changed["nodes"]["available_count"]) == ("abnormal", 2)
    script = {"script": [["deploying", 5], ["running", None]]}
    assert control("PUT", "clusters/c", script).json()["status"] == "deploying"
    state = control("GET", "state").json()["modelarts"]
    assert ([each["cluster_name"] for each in state["clusters"]][-1], len(state["pools"])) == ("c", 3)
    assert control("DELETE", "clusters/c").status_code == control("DELETE", "pools/p").status_code == 200
    assert control("DELETE", "clusters/c").status_code == 404
