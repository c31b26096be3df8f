from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_mlworkflows.emulator import FaultRule
from airflow_provider_mlworkflows.emulator.modelarts.serving import (
    degrades,
    deploys,
    fails_to_deploy,
    never_deploys,
)
from tests.emulator.test_workflows import NOBODY, code_of

if TYPE_CHECKING:
    import httpx

    from airflow_provider_mlworkflows.emulator import Emulator
    from tests.emulator.signing import Caller

MODEL: dict[str, Any] = {
    "model_id": "0e07b41b-173e-42db-8c16-8e1b44cc0d44",
    "specification": "modelarts.vm.cpu.2u",
    "instance_count": 1,
}
ONE = {**MODEL, "weight": 100}
ONLINE = {"service_name": "mnist", "infer_type": "real-time", "config": [ONE]}
BATCH_MODEL = {
    **MODEL,
    "src_path": "https://data.obs.example.com/in/",
    "dest_path": "https://data.obs.example.com/out/",
    "req_uri": "/",
    "mapping_type": "file",
}
RULE = {
    "type": "object",
    "properties": {
        "data": {
            "type": "object",
            "properties": {
                "rows": {
                    "type": "array",
                    "items": [{"type": "object", "properties": {"a": {"type": "number", "index": 0}}}],
                }
            },
        }
    },
}
BATCH = {"service_name": "batch", "infer_type": "batch", "config": [BATCH_MODEL]}
CUSTOM = {**MODEL, "specification": "custom", "custom_spec": {"cpu": 1.5, "memory": 7500, "gpu_p4": 0}}
EDGE = {"service_name": "edge", "infer_type": "edge", "config": [{**CUSTOM, "envs": {}, "nodes": ["n"]}]}
STOP = {"type": "stop", "time_unit": "MINUTES", "duration": 1}


def create(caller: Caller, body: dict[str, Any] | None = None, **fields: Any) -> str:
    answer = caller.first("POST", "/services", {**(body or ONLINE), **fields})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["service_id"])


def show(caller: Caller, key: str) -> dict[str, Any]:
    answer = caller.first("GET", f"/services/{key}")
    assert answer.status_code == 200, answer.text
    shown: dict[str, Any] = answer.json()
    return shown


def update(caller: Caller, key: str, **body: Any) -> httpx.Response:
    return caller.first("PUT", f"/services/{key}", body)


def listed(caller: Caller, **params: Any) -> list[str]:
    answer = caller.first("GET", "/services", params=params)
    assert answer.status_code == 200, answer.text
    return [each["service_name"] for each in answer.json()["services"]]


class TestLife:
    def test_real_time(self, emu: Emulator, caller: Caller) -> None:
        key = create(caller, description="digits", workspace_id="0")
        shown = show(caller, key)
        assert (shown["status"], shown["progress"], shown["service_name"]) == ("deploying", 0, "mnist")
        assert shown["access_address"].endswith(key)
        assert shown["config"][0]["status"] == "notReady"
        emu.clock.advance(10)
        assert (show(caller, key)["status"], show(caller, key)["progress"]) == ("deploying", 40)
        emu.clock.advance(15)
        shown = show(caller, key)
        assert (shown["status"], shown["progress"], shown["config"][0]["status"]) == ("running", 100, "ready")
        assert shown["transition_at"] - shown["publish_at"] == 25_000
        emu.clock.advance(100_000)
        assert show(caller, key)["status"] == "running"

    def test_takes_as_long_as_a_demonstration_should(self, emu: Emulator, caller: Caller) -> None:
        key = create(caller)
        emu.clock.advance(19)
        assert show(caller, key)["status"] == "deploying"
        emu.clock.advance(21)
        assert show(caller, key)["status"] == "running"

    def test_batch(self, emu: Emulator, caller: Caller) -> None:
        key = create(caller, BATCH)
        statuses = []
        for _ in range(6):
            statuses.append(show(caller, key)["status"])
            emu.clock.advance(5)
        assert statuses == ["deploying"] * 2 + ["running"] * 3 + ["finished"]
        shown = show(caller, key)
        assert shown["finished_time"] - shown["start_time"] == 15_000
        assert "access_address" not in shown

    def test_edge(self, emu: Emulator, caller: Caller) -> None:
        key = create(caller, EDGE)
        emu.clock.advance(40)
        assert show(caller, key)["status"] == "running"

    def test_several_versions(self, caller: Caller) -> None:
        versions = [{**MODEL, "weight": "70", "envs": {"epoch": "0"}}, {**MODEL, "weight": "30"}]
        config = show(caller, create(caller, config=versions))["config"]
        assert [(each["weight"], each["envs"]) for each in config] == [(70, {"epoch": "0"}), (30, {})]

    def test_stop_and_start(self, emu: Emulator, caller: Caller) -> None:
        key = create(caller)
        emu.clock.advance(30)
        answer = update(caller, key, status="stopped")
        assert (answer.status_code, "update_time" in answer.json()) == (200, False)
        assert show(caller, key)["status"] == "stopping"
        emu.clock.advance(3)
        assert show(caller, key)["status"] == "stopped"
        update(caller, key, status="running")
        assert show(caller, key)["status"] == "deploying"
        emu.clock.advance(25)
        assert show(caller, key)["status"] == "running"
        actions = [entry.action for entry in emu.journal.find("UpdateService", service_id=key)]
        assert actions == ["stopped", "running"]

    def test_stops_by_itself(self, emu: Emulator, caller: Caller) -> None:
        key = create(caller, schedule=[STOP])
        emu.clock.advance(25)
        shown = show(caller, key)
        assert shown["due_time"] - shown["transition_at"] == 60_000
        emu.clock.advance(59)
        assert show(caller, key)["status"] == "running"
        emu.clock.advance(1)
        assert show(caller, key)["status"] == "stopping"
        emu.clock.advance(3)
        assert "due_time" not in show(caller, key)
        assert show(caller, key)["status"] == "stopped"

    def test_a_schedule_given_later_counts_from_then(self, emu: Emulator, caller: Caller) -> None:
        key = create(caller)
        emu.clock.advance(500)
        assert update(caller, key, schedule=[STOP]).json()["resource_ids"] == []
        emu.clock.advance(59)
        assert show(caller, key)["status"] == "running"
        emu.clock.advance(4)
        assert show(caller, key)["status"] == "stopped"

    def test_a_schedule_can_be_taken_away(self, emu: Emulator, caller: Caller) -> None:
        key = create(caller, schedule=[STOP])
        emu.clock.advance(30)
        update(caller, key, schedule=[])
        emu.clock.advance(1000)
        assert show(caller, key)["status"] == "running"

    def test_other_models_are_deployed_anew(self, emu: Emulator, caller: Caller) -> None:
        key = create(caller)
        emu.clock.advance(30)
        answer = update(caller, key, config=[{**ONE, "model_id": "other"}], description="new")
        shown = show(caller, key)
        assert answer.json()["update_time"] == shown["update_time"]
        assert (shown["status"], shown["description"]) == ("deploying", "new")
        assert [each["model_id"] for each in shown["config"]] == ["other"]

    def test_of_status_and_models_only_the_status_is_heeded(self, emu: Emulator, caller: Caller) -> None:
        key = create(caller)
        emu.clock.advance(30)
        update(caller, key, status="stopped", config=[{**ONE, "model_id": "other"}])
        shown = show(caller, key)
        assert (shown["status"], shown["config"][0]["model_id"]) == ("stopping", MODEL["model_id"])

    def test_delete(self, emu: Emulator, caller: Caller) -> None:
        key = create(caller)
        answer = caller.first("DELETE", f"/services/{key}")
        assert (answer.status_code, answer.json()) == (200, {})
        assert show(caller, key)["status"] == "deleting"
        assert caller.first("DELETE", f"/services/{key}").status_code == 200
        emu.clock.advance(3)
        assert code_of(caller.first("GET", f"/services/{key}")) == (404, "ModelArts.3502")
        assert code_of(caller.first("DELETE", f"/services/{key}")) == (404, "ModelArts.3502")
        assert listed(caller) == []

    def test_delete_several(self, emu: Emulator, caller: Caller) -> None:
        first, second = create(caller), create(caller)
        assert code_of(caller.first("DELETE", f"/services/{first},{NOBODY}")) == (404, "ModelArts.3502")
        assert show(caller, first)["status"] == "deploying"
        assert caller.first("DELETE", f"/services/{first},{second}").status_code == 200
        emu.clock.advance(3)
        assert emu.modelarts.services.all == {}


class TestSteering:
    def test_a_deployment_that_fails_and_one_that_does_not(self, emu: Emulator, caller: Caller) -> None:
        emu.modelarts.services.plan("mnist", fails_to_deploy(5, "no image"), deploys(2))
        key = create(caller)
        emu.clock.advance(5)
        shown = show(caller, key)
        assert (shown["status"], shown["error_msg"]) == ("failed", "no image")
        update(caller, key, status="running")
        emu.clock.advance(2)
        assert show(caller, key)["status"] == "running"
        assert "error_msg" not in show(caller, key)

    def test_degrading(self, emu: Emulator, caller: Caller) -> None:
        emu.modelarts.services.plan("mnist", degrades(5, 5, "1 of 2"))
        key = create(caller)
        emu.clock.advance(10)
        assert (show(caller, key)["status"], show(caller, key)["error_msg"]) == ("concerning", "1 of 2")

    def test_never_running(self, emu: Emulator, caller: Caller) -> None:
        emu.modelarts.services.plan("mnist", never_deploys())
        key = create(caller)
        emu.clock.advance(100_000)
        assert (show(caller, key)["status"], show(caller, key)["progress"]) == ("deploying", 0)
        update(caller, key, status="stopped")
        emu.clock.advance(3)
        assert show(caller, key)["status"] == "stopped"

    def test_force(self, emu: Emulator, caller: Caller) -> None:
        key = create(caller)
        emu.modelarts.services.force_status("mnist", "never-heard-of")
        emu.clock.advance(100)
        assert show(caller, key)["status"] == "never-heard-of"
        with pytest.raises(KeyError):
            emu.modelarts.services.force_status("nobody", "running")

    def test_from_another_process(self, emu: Emulator, caller: Caller) -> None:
        def control(method: str, path: str, body: Any = None) -> httpx.Response:
            return caller.http.request(method, f"{emu.url}/_emulator/{path}", json=body)

        plan = {"name": "mnist", "deployments": [{"script": [["deploying", 1], ["failed", None]], "error_msg": "x"}]}
        assert control("POST", "services/plans", plan).status_code == 201
        assert control("POST", "services/plans", {"name": "m", "deployments": [{}]}).status_code == 400
        key = create(caller)
        emu.clock.advance(1)
        assert show(caller, key)["error_msg"] == "x"
        assert control("POST", f"services/{key}/status", {"status": "concerning"}).status_code == 200
        state = control("GET", "state").json()["modelarts"]["services"]
        assert [(each["service_id"], each["status"]) for each in state] == [(key, "concerning")]
        assert control("POST", f"services/{NOBODY}/status", {"status": "x"}).status_code == 404
        assert control("DELETE", f"services/{key}").status_code == 200
        assert code_of(caller.first("GET", f"/services/{key}")) == (404, "ModelArts.3502")

    def test_visibility_delay(self, emu: Emulator, caller: Caller) -> None:
        emu.switches.visibility_delay = 2
        key = create(caller)
        emu.clock.advance(30)
        update(caller, key, status="stopped")
        assert [show(caller, key)["status"] for _ in range(3)] == ["running", "running", "stopping"]

    def test_list_lag(self, emu: Emulator, caller: Caller) -> None:
        emu.switches.list_lag = 5.0
        create(caller)
        assert listed(caller) == []
        emu.clock.advance(5)
        assert listed(caller) == ["mnist"]

    def test_faults_and_limits(self, emu: Emulator, caller: Caller) -> None:
        emu.faults.add(FaultRule("CreateService", when="after", action="status", status=500))
        assert caller.first("POST", "/services", ONLINE).status_code == 500
        assert len(emu.modelarts.services.all) == 1
        emu.limits.set("ListServices", per_second=1)
        caller.first("GET", "/services")
        assert code_of(caller.first("GET", "/services")) == (429, "APIG.0308")

    def test_permission(self, emu: Emulator, caller: Caller) -> None:
        emu.credentials.users["airflow"].denied.add("modelarts:service:create")
        assert code_of(caller.first("POST", "/services", ONLINE)) == (403, "ModelArts.0112")

    def test_starting_and_stopping_is_a_permission_of_its_own(self, emu: Emulator, caller: Caller) -> None:
        key = create(caller)
        emu.clock.advance(60)
        emu.credentials.revoke("modelarts:service:update")
        assert code_of(update(caller, key, description="x")) == (403, "ModelArts.0112")
        assert update(caller, key, status="stopped").status_code == 200
        emu.credentials.revoke("modelarts:service:action")
        emu.credentials.grant("modelarts:service:update")
        assert code_of(update(caller, key, status="running")) == (403, "ModelArts.0112")
        assert update(caller, key, description="x").status_code == 200


class TestList:
    @pytest.fixture(autouse=True)
    def three(self, emu: Emulator, caller: Caller) -> None:
        for name, body in (("alpha", ONLINE), ("beta", BATCH), ("alphabet", EDGE)):
            create(caller, body, service_name=name)
            emu.clock.advance(12)

    @pytest.mark.parametrize(
        ("params", "names"),
        [
            ({}, ["alphabet", "beta", "alpha"]),
            ({"order": "asc"}, ["alpha", "beta", "alphabet"]),
            ({"sort_by": "service_name"}, ["beta", "alphabet", "alpha"]),
            ({"sort_by": "transition_at"}, ["alpha", "alphabet", "beta"]),
            ({"service_name": "alpha"}, ["alphabet", "alpha"]),
            ({"infer_type": "batch"}, ["beta"]),
            ({"status": "running"}, ["beta", "alpha"]),
            ({"model_id": MODEL["model_id"]}, ["alphabet", "beta", "alpha"]),
            ({"model_id": "other"}, []),
            ({"workspace_id": "1"}, []),
            ({"limit": 2}, ["alphabet", "beta"]),
            ({"limit": 2, "offset": 1}, ["alpha"]),
        ],
        ids=str,
    )
    def test_filters_and_pages(self, caller: Caller, params: dict[str, Any], names: list[str]) -> None:
        assert listed(caller, **params) == names

    def test_counts(self, caller: Caller) -> None:
        body = caller.first("GET", "/services", params={"limit": 2}).json()
        assert (body["count"], body["total_count"]) == (2, 3)
        assert not body["services"][0].keys() & {"config", "access_address", "progress"}

    def test_switches(self, emu: Emulator, caller: Caller) -> None:
        emu.switches.offset_counts = "items"
        assert listed(caller, limit=2, offset=1) == ["beta", "alpha"]
        emu.switches.page_cap = 1
        assert listed(caller, limit=1000) == ["alphabet"]
        emu.switches.name_filter = "exact"
        assert listed(caller, service_name="alpha") == ["alpha"]
        emu.switches.casing = "upper"
        assert listed(caller, status="RUNNING", service_name="alpha") == ["alpha"]

    @pytest.mark.parametrize("params", [{"sort_by": "x"}, {"order": "x"}, {"infer_type": "x"}, {"limit": 0}], ids=str)
    def test_refusals(self, caller: Caller, params: dict[str, Any]) -> None:
        assert code_of(caller.first("GET", "/services", params=params)) == (400, "ModelArts.0104")


def without(fields: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if key != name}


REFUSED: list[dict[str, Any]] = [
    without(ONLINE, "service_name"),
    without(ONLINE, "infer_type"),
    without(ONLINE, "config"),
    {**ONLINE, "service_name": "not allowed"},
    {**ONLINE, "service_name": "x" * 65},
    {**ONLINE, "infer_type": "other"},
    {**ONLINE, "description": "x" * 101},
    {**ONLINE, "description": "a<b"},
    {**ONLINE, "config": []},
    {**ONLINE, "config": [MODEL]},
    {**ONLINE, "config": [{**MODEL, "weight": 99}]},
    {**ONLINE, "config": [{**MODEL, "weight": "70"}, {**MODEL, "weight": "31"}]},
    {**ONLINE, "config": [{**MODEL, "weight": -100}]},
    {**ONLINE, "config": [{**ONE, "instance_count": 0}]},
    {**ONLINE, "config": [{**ONE, "instance_count": 129}]},
    {**ONLINE, "config": [without(ONE, "model_id")]},
    {**ONLINE, "config": [{**ONE, "specification": "custom"}]},
    {**ONLINE, "config": [{**ONE, "custom_spec": {"cpu": 1, "memory": 1}}]},
    {**ONLINE, "config": [{**CUSTOM, "weight": 100, "custom_spec": {"cpu": 0.001, "memory": 10}}]},
    {**ONLINE, "config": [{**CUSTOM, "weight": 100, "custom_spec": {"cpu": 1, "memory": 1.5}}]},
    {
        **ONLINE,
        "config": [{**CUSTOM, "weight": 100, "custom_spec": {"cpu": 1, "memory": 1, "gpu_p4": 1, "ascend_a310": 1}}],
    },
    {**ONLINE, "vpc_id": "v"},
    {**ONLINE, "schedule": [{**STOP, "type": "start"}]},
    {**ONLINE, "schedule": [{**STOP, "time_unit": "WEEKS"}]},
    {**ONLINE, "schedule": [{**STOP, "duration": 0}]},
    {**BATCH, "schedule": [STOP]},
    {**BATCH, "config": [BATCH_MODEL, BATCH_MODEL]},
    {**BATCH, "config": [without(BATCH_MODEL, "src_path")]},
    {**BATCH, "config": [{**BATCH_MODEL, "mapping_type": "csv"}]},
    {**BATCH, "config": [{**BATCH_MODEL, "mapping_type": "csv", "mapping_rule": {"type": "object"}}]},
    {**BATCH, "config": [{**BATCH_MODEL, "mapping_type": "csv", "mapping_rule": {"type": "number", "index": -2}}]},
    {**EDGE, "config": [CUSTOM]},
]


class TestRefusals:
    @pytest.mark.parametrize("body", REFUSED, ids=lambda body: str(body)[:120])
    def test_create(self, emu: Emulator, caller: Caller, body: dict[str, Any]) -> None:
        assert code_of(caller.first("POST", "/services", body)) == (400, "ModelArts.0101")
        assert emu.modelarts.services.all == {}
        assert emu.journal.count("CreateService", effective=True) == 0

    def test_csv_with_columns_passes(self, caller: Caller) -> None:
        create(caller, BATCH, config=[{**BATCH_MODEL, "mapping_type": "csv", "mapping_rule": RULE}])

    def test_no_json(self, caller: Caller) -> None:
        for raw in (b"{", b"[]"):
            assert code_of(caller.first("POST", "/services", raw=raw)) == (400, "ModelArts.0101")

    def test_unknown_service(self, caller: Caller) -> None:
        path = f"/services/{NOBODY}"
        assert code_of(caller.first("GET", path)) == (404, "ModelArts.3502")
        assert code_of(caller.first("PUT", path, {"status": "running"})) == (404, "ModelArts.3502")

    @pytest.mark.parametrize("body", [{}, {"status": "paused"}, {"config": [MODEL]}, {"description": "&"}], ids=str)
    def test_update(self, emu: Emulator, caller: Caller, body: dict[str, Any]) -> None:
        key = create(caller)
        emu.clock.advance(30)
        assert code_of(update(caller, key, **body)) == (400, "ModelArts.0101")
        assert emu.journal.count("UpdateService", effective=True) == 0

    @pytest.mark.parametrize(
        ("status", "body"),
        [
            *((status, {"status": "running"}) for status in ("deploying", "stopping", "deleting")),
            *((status, {"status": "running"}) for status in ("running", "waiting", "concerning")),
            *((status, {"config": [ONE]}) for status in ("deploying", "stopping", "deleting")),
            *((status, {"status": "stopped"}) for status in ("stopped", "finished", "deleting")),
        ],
        ids=str,
    )
    def test_wrong_state(self, emu: Emulator, caller: Caller, status: str, body: dict[str, Any]) -> None:
        key = create(caller)
        emu.modelarts.services.force_status(key, status)
        assert code_of(update(caller, key, **body)) == (400, "ModelArts.3503")
        assert show(caller, key)["status"] == status
        emu.switches.wrong_state = (409, "ModelArts.0105")
        assert code_of(update(caller, key, **body)) == (409, "ModelArts.0105")
        emu.switches.wrong_state = (200, "")
        assert update(caller, key, **body).status_code == 200
        assert show(caller, key)["status"] == status

    def test_names(self, emu: Emulator, caller: Caller) -> None:
        create(caller)
        create(caller)
        emu.switches.service_names = "unique"
        assert code_of(caller.first("POST", "/services", ONLINE)) == (400, "ModelArts.0103")
        create(caller, workspace_id="other")


NEWER: dict[str, Any] = {
    "name": "chat",
    "type": "REAL_TIME",
    "group_configs": [{"name": "g", "weight": 100, "count": 1, "unit_configs": [{"image": {"swr_path": "swr/x:1"}}]}],
    "runtime_config": {"service_invoke_type": "HTTP"},
}


class TestNewerKind:
    def create(self, caller: Caller, **fields: Any) -> httpx.Response:
        return caller.flow("POST", "/services", {**NEWER, **fields})

    def test_life(self, emu: Emulator, caller: Caller) -> None:
        created = self.create(caller, tags=[{"key": "team", "value": "a"}]).json()
        assert created["status"] == "DEPLOYING"
        assert "predict_url" not in created
        key = created["id"]
        emu.clock.advance(30)
        shown = caller.flow("GET", f"/services/{key}").json()
        assert (shown["status"], shown["name"], shown["deploy_type"]) == ("RUNNING", "chat", "SINGLE")
        assert shown["version"]["instance_groups"] == NEWER["group_configs"]
        assert shown["predict_url"][0]["urls"][0].startswith("https://")
        assert listed(caller) == []
        assert code_of(caller.first("GET", f"/services/{key}")) == (404, "ModelArts.3502")

    def test_failure(self, emu: Emulator, caller: Caller) -> None:
        emu.modelarts.newer_services.plan("chat", fails_to_deploy(1, "no image"))
        key = self.create(caller).json()["id"]
        emu.clock.advance(1)
        shown = caller.flow("GET", f"/services/{key}").json()
        assert (shown["status"], shown["failure_reason"]) == ("FAILED", "no image")

    @pytest.mark.parametrize("status", [400, 403, 404])
    def test_unknown(self, emu: Emulator, caller: Caller, status: Any) -> None:
        emu.switches.newer_missing_status = status
        assert code_of(caller.flow("GET", f"/services/{NOBODY}")) == (status, "ModelArts.3502")

    def test_names_are_unique(self, caller: Caller) -> None:
        assert self.create(caller).status_code == 200
        assert code_of(self.create(caller)) == (400, "ModelArts.0103")
        assert self.create(caller, workspace_id="other").status_code == 200

    @pytest.mark.parametrize(
        "fields",
        [
            {"name": "not allowed"},
            {"type": "BATCH"},
            {"deploy_type": "FEW"},
            {"version": "1.0"},
            {"description": "<"},
            {"runtime_config": None},
            {"group_configs": NEWER["group_configs"] * 2},
            {"group_configs": [{"count": 0, "unit_configs": []}]},
            {"schedule": [STOP]},
            {"tags": [{"key": "_sys_x", "value": ""}]},
            {"tags": [{"key": f"k{number}", "value": ""} for number in range(21)]},
        ],
        ids=lambda fields: str(fields)[:60],
    )
    def test_refusals(self, caller: Caller, fields: dict[str, Any]) -> None:
        assert code_of(self.create(caller, **fields)) == (400, "ModelArts.0104")
