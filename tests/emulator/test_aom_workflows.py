from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_mlworkflows.emulator.aom import NodeDefinition, TemplateDefinition, WorkflowDefinition, ready
from airflow_provider_mlworkflows.emulator.aom.views import milliseconds
from airflow_provider_mlworkflows.emulator.credentials import OTHER_PROJECT_ID
from tests.emulator.aom_calls import CREATE, SORTED, AomCaller, refused

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.emulator import Emulator

BODY = CREATE | {"template_id": ready.TEMPLATE}
FIELDS = """approve_id citation_urns create_by create_time description edit_time enterprise_project_id
    execution_action_rules execution_permission global_parameters id input is_delete job_id job_name last_execute_by
    last_execution_end_time last_execution_id last_execution_start_time name nodes output project_id quote
    service_name service_scenario status steps tags task_status task_type template_i18n template_id template_name
    trigger_id trigger_status type update_by update_time workflow_id"""
NODE_FIELDS = {"parent_node", "category", "description", "id", "ignore_error", "metadata", "name", "task_name"}


def create(aom: AomCaller, **fields: Any) -> dict[str, Any]:
    answer = aom.cms("POST", "/workflow", BODY | fields)
    assert answer.status_code == 200, answer.text
    created: dict[str, Any] = answer.json()
    return created


def found(aom: AomCaller, **query: Any) -> list[dict[str, Any]]:
    elements: list[dict[str, Any]] = aom.cms("POST", "/workflow-list", SORTED | query).json()["elements"]
    return elements


def test_create(emu: Emulator, aom: AomCaller) -> None:
    given = {"script": {"group": "script", "time_out": "7200"}}
    created = create(aom, input=given, tags={"k": "v"}, description="每日", quote=["q"])
    assert set(created) == {*FIELDS.split(), "reserved_info"}
    assert len(FIELDS.split()) == 40
    now = milliseconds(emu.clock.now())
    assert (created["create_time"], created["create_by"], created["status"]) == (now, "airflow", None)
    assert (created["input"], created["tags"], created["description"]) == (given, {"k": "v"}, "每日")
    assert set(created["template_i18n"]) == {"en-us", "zh-cn"}
    assert created["id"] != created["workflow_id"]
    assert created["project_id"] == aom.project_id
    key = aom.executed(created["id"])
    emu.clock.advance(20)
    assert aom.status(created["id"], key) == "success"
    assert emu.journal.find("CreateWorkflow")[-1].ids["workflow_id"] == created["id"]


def test_nodes_and_steps_come_from_the_template(emu: Emulator, aom: AomCaller) -> None:
    created = create(aom)
    nodes = created["nodes"]
    assert [each["name"] for each in nodes] == ["collect", "restart", "report"]
    assert [each["parent_node"] for each in nodes] == ["", nodes[0]["id"], nodes[1]["id"]]
    assert set(nodes[0]) == NODE_FIELDS
    assert nodes[0]["metadata"]["configuration"].keys() == {"func_urn", "func_app", "dataInputPath", "dataOutputPath"}
    assert set(created["steps"][0]) == {"id", "name", "type", "input", "ignore_error", "description"}
    assert nodes[1]["id"] == emu.aom.workflow("nightly").node_id("restart")


def test_inputs_are_fixed_at_creation(emu: Emulator, aom: AomCaller) -> None:
    created = create(aom, input={"a": {"b": "c"}})
    aom.cms("POST", f"/workflow/{created['id']}/executions", {"input": {"a": {"b": "d"}}})
    assert found(aom, search="nightly")[0]["input"] == {"a": {"b": "c"}}


def test_names_are_unique_in_a_project(emu: Emulator, aom: AomCaller) -> None:
    first = create(aom)
    answer = aom.cms("POST", "/workflow", BODY)
    refused(answer)
    assert "nightly" in answer.headers["X-Emulator-Reason"]
    aom.project_id = OTHER_PROJECT_ID
    second = create(aom, template_id=ready.PUBLIC_TEMPLATE)
    assert first["id"] != second["id"]
    assert aom.workflows() == ["nightly"]


@pytest.mark.parametrize("asked", ["true", True, "false", None])
def test_approval_by_input(emu: Emulator, aom: AomCaller, asked: Any) -> None:
    created = create(aom, input={"approve": {"group": "approve", "need_approve": asked}})
    key = aom.executed(created["id"])
    waits = str(asked).lower() == "true"
    assert aom.status(created["id"], key) == ("waitApproval" if waits else "waitExecute")
    assert (created["approve_id"] is not None) is waits


def test_approval_by_template(emu: Emulator, aom: AomCaller) -> None:
    emu.aom.add_to_library(TemplateDefinition("guarded", [NodeDefinition("a")], "guarded", needs_approval=True))
    created = create(aom, template_id="guarded")
    shown = aom.detail(created["id"], aom.executed(created["id"]))
    assert (shown["status"], shown["approve_user_name_list"]) == ("waitApproval", ["airflow"])


@pytest.mark.parametrize(
    "fields",
    [
        {"name": None},
        {"name": ""},
        {"name": "x" * 65},
        {"name": "a b"},
        {"name": 1},
        {"type": None},
        {"type": "event"},
        {"template_id": None},
        {"template_id": "unknown"},
        {"input": None},
        {"input": "text"},
        {"task_type": None},
        {"task_type": "other"},
        {"tags": {str(number): "x" for number in range(21)}},
        {"tags": {"k": 1}},
        {"tags": ["k"]},
        {"description": "x" * 129},
        {"quote": []},
        {"quote": [""]},
        {"quote": ["x"] * 129},
        {"service_name": "x" * 129},
        {"job_id": ""},
    ],
    ids=lambda fields: f"{next(iter(fields))}={str(next(iter(fields.values())))[:12]}",
)
def test_illegal_workflows(emu: Emulator, aom: AomCaller, fields: dict[str, Any]) -> None:
    before = emu.aom.workflows
    answer = aom.cms("POST", "/workflow", BODY | fields)
    refused(answer)
    assert answer.headers["X-Emulator-Reason"]
    assert emu.aom.workflows == before


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"\xff"])
def test_bodies_that_are_no_objects(aom: AomCaller, raw: bytes) -> None:
    for path in ("/workflow", "/workflow-list", "/job/list"):
        refused(aom.cms("POST", path, raw=raw))


def test_20_tags_and_the_longest_texts_are_taken(aom: AomCaller) -> None:
    tags = {str(number): "x" for number in range(20)}
    created = create(aom, name="工" * 64, tags=tags, description="x" * 128, quote=["x" * 128] * 128)
    assert created["tags"] == tags


def test_list(emu: Emulator, aom: AomCaller) -> None:
    emu.clock.advance(10)
    create(aom, name="b-nightly", tags={"team": "x", "stage": "y"}, description="Patches hosts")
    emu.clock.advance(10)
    create(aom, name="a-weekly", type="cron", tags={"team": "x"})
    assert aom.workflows()[-2:] == ["b-nightly", "a-weekly"]
    assert aom.workflows(sort_type="DESC")[:2] == ["a-weekly", "b-nightly"]
    assert aom.workflows(search="nightly") == ["b-nightly"]
    assert aom.workflows(search="atches") == ["b-nightly"]
    assert aom.workflows(type="cron") == ["a-weekly"]
    assert aom.workflows(type="event") == []
    assert aom.workflows(tags={"team": "x"}) == ["b-nightly", "a-weekly"]
    assert aom.workflows(tags={"team": "x", "stage": "y"}) == ["b-nightly"]
    assert aom.workflows(create_by="nobody") == aom.workflows(enterprise_project_id="1") == []
    time = milliseconds(emu.clock.now())
    assert aom.workflows(search_time_start=time - 10_000, search_time_end=time - 1) == ["b-nightly"]
    assert aom.workflows(search_time_start=time) == ["a-weekly"]


def test_list_knows_the_latest_execution(emu: Emulator, aom: AomCaller) -> None:
    aom.executed(ready.FAILS_ONCE)
    key = aom.executed(ready.FAILS_ONCE)
    begin = milliseconds(emu.clock.now())
    (row,) = found(aom, status="waitExecute")
    assert (row["last_execution_id"], row["last_execution_start_time"], row["last_execute_by"]) == (
        key,
        begin,
        "airflow",
    )
    emu.clock.advance(60)
    assert aom.workflows(status="waitExecute") == []
    assert aom.workflows(status="pausing") == ["fails-once"]
    emu.aom.finish_node(key)
    emu.clock.advance(6)
    (row,) = found(aom, status="success")
    assert row["last_execution_end_time"] == milliseconds(emu.clock.now())
    emu.switches.casing = "upper"
    assert found(aom, status="success")[0]["status"] == "SUCCESS"
    assert aom.workflows(sort_field="last_execution_start_time")[-1] == "fails-once"


def test_pages(emu: Emulator, aom: AomCaller) -> None:
    names = aom.workflows()
    for number in range(8):
        names.append(create(aom, name=f"w{number}")["name"])
    answer = aom.cms("POST", "/workflow-list", SORTED).json()
    assert (len(answer["elements"]), answer["total_elements"]) == (10, 14)
    assert [name for page in range(1, 5) for name in aom.workflows(page=page, size=4)] == names
    assert aom.workflows(page=5, size=4) == []
    emu.switches.page_cap = 3
    assert len(aom.workflows(size=100)) == 3


def test_number_of_the_first_page(emu: Emulator, aom: AomCaller) -> None:
    names = aom.workflows()
    refused(aom.cms("POST", "/workflow-list", SORTED | {"page": 0}))
    assert aom.workflows(page=1, size=2) == names[:2]
    emu.switches.aom_first_page = 0
    assert aom.workflows(size=2) == aom.workflows(page=0, size=2) == names[:2]
    assert aom.workflows(page=1, size=2) == names[2:4]


@pytest.mark.parametrize(
    "query",
    [
        {"sort_field": None},
        {"sort_type": None},
        {"sort_field": "name"},
        {"sort_type": "asc"},
        {"size": 0},
        {"size": 101},
        {"size": "10"},
        {"page": -1},
        {"page": 10_000_000},
        {"search": ""},
        {"search": "x" * 65},
        {"type": "other"},
        {"status": "running"},
        {"tags": {str(number): "x" for number in range(11)}},
        {"search_time_end": 10**13},
        {"search_time_start": -1},
    ],
    ids=lambda query: str(query)[:24],
)
def test_illegal_queries(aom: AomCaller, query: dict[str, Any]) -> None:
    refused(aom.cms("POST", "/workflow-list", SORTED | query))


def test_trigger(emu: Emulator, aom: AomCaller) -> None:
    flow = create(aom, type="cron")
    assert (flow["trigger_status"], bool(flow["trigger_id"])) == ("enable", True)
    path = f"/workflow/{flow['id']}/trigger/action"
    answer = aom.cms("PUT", path, params={"action": "disable"})
    assert (answer.status_code, answer.text) == (200, '{"success"}')
    assert found(aom, type="cron")[0]["trigger_status"] == "disable"
    aom.cms("PUT", path, params={"action": "enable"})
    assert found(aom, type="cron")[0]["trigger_status"] == "enable"
    assert emu.journal.count("UpdateWorkflowTriggerStatus", action="enable", effective=True) == 1
    for params in ({}, {"action": "toggle"}):
        refused(aom.cms("PUT", path, params=params))
    refused(aom.cms("PUT", f"/workflow/{ready.PLAIN_CHAIN}/trigger/action", params={"action": "enable"}))
    refused(aom.cms("PUT", "/workflow/none/trigger/action", params={"action": "enable"}), 404)


def test_definitions_that_cannot_be(emu: Emulator) -> None:
    twice = [NodeDefinition("a"), NodeDefinition("a")]
    with pytest.raises(ValueError, match="not unique"):
        emu.aom.add_workflow(WorkflowDefinition("w", twice))
    with pytest.raises(ValueError, match="already"):
        emu.aom.add_workflow(WorkflowDefinition("w", twice[:1], ready.PAUSES))
    with pytest.raises(KeyError):
        emu.aom.add_workflow(WorkflowDefinition("w", template_id="none"))


class TestLibrary:
    """Templates, jobs and scripts."""

    QUERY: dict[str, Any] = {"order_by_column": "update_time", "sort_order": "DESC"}  # noqa: RUF012

    def rows(self, aom: AomCaller, path: str, **fields: Any) -> list[dict[str, Any]]:
        answer = aom.cms("POST", path, self.QUERY | fields)
        assert answer.status_code == 200, answer.text
        elements: list[dict[str, Any]] = answer.json()["elements"]
        assert answer.json()["total_elements"] >= len(elements)
        return elements

    def test_template(self, aom: AomCaller) -> None:
        shown = aom.cms("GET", f"/template/{ready.TEMPLATE}", params={"share_type": "private"}).json()
        assert (shown["id"], shown["job_id"], shown["share_type"]) == (ready.TEMPLATE, ready.JOB, "private")
        assert [each["name"] for each in shown["steps"]] == [each["name"] for each in shown["nodes"]]
        assert shown["approve_info"]["need_approve"] is False
        assert shown["parameters"][0]["param_name"] == "cmd_user"
        assert aom.cms("GET", f"/template/{ready.TEMPLATE}").json() == shown

    def test_share_type(self, aom: AomCaller) -> None:
        public = f"/template/{ready.PUBLIC_TEMPLATE}"
        assert aom.cms("GET", public, params={"share_type": "public"}).json()["name"] == "CMS::ECS::BulkyRunScript"
        refused(aom.cms("GET", public), 404)
        refused(aom.cms("GET", f"/template/{ready.TEMPLATE}", params={"share_type": "public"}), 404)
        refused(aom.cms("GET", public, params={"share_type": "shared"}))
        refused(aom.cms("GET", "/template/none"), 404)

    def test_templates_of_a_job(self, aom: AomCaller) -> None:
        (row,) = self.rows(aom, f"/template-list/{ready.JOB}")
        assert row["id"] == ready.TEMPLATE
        assert self.rows(aom, "/template-list/none") == []
        assert aom.cms("POST", f"/template-list/{ready.JOB}", {"order_by_column": "name"}).is_success
        refused(aom.cms("POST", f"/template-list/{ready.JOB}", self.QUERY | {"page_num": 0}))

    def test_jobs(self, aom: AomCaller) -> None:
        (row,) = self.rows(aom, "/job/list", name="restart")
        assert (row["id"], row["version_number"], row["is_latest_version"]) == (ready.JOB, 1, True)
        assert self.rows(aom, "/job/list", name="none") == []

    def test_numbers_out_of_bounds_are_corrected(self, aom: AomCaller) -> None:
        for fields in ({"page_num": 0}, {"page_num": 1001}, {"page_size": 0}, {"page_size": 102}):
            assert len(self.rows(aom, "/job/list", **fields)) == 1
        assert self.rows(aom, "/job/list", page_num=2) == []

    def test_scripts(self, aom: AomCaller) -> None:
        (row,) = self.rows(aom, "/script/list", is_default="default", name="service", script_id="any")
        assert (row["id"], row["script_language"], row["online_exist_status"]) == (ready.SCRIPT, "SHELL", True)
        by_id = {"is_default": "no_default", "name": "restart-service"}
        assert self.rows(aom, "/script/list", script_id=ready.SCRIPT, **by_id) == [row]
        assert self.rows(aom, "/script/list", script_id="none", **by_id) == []
        refused(aom.cms("POST", "/script/list", self.QUERY | {"is_default": "no_default", "script_id": "x"}))

    def test_versions(self, aom: AomCaller) -> None:
        newest, oldest = sorted(
            self.rows(aom, "/script-version-list", script_id=ready.SCRIPT),
            key=lambda row: str(row["version_number"]),
            reverse=True,
        )
        assert (newest["version_number"], newest["status_desc"], oldest["status_desc"]) == ("1.1.0", 1, 2)
        (row,) = self.rows(aom, "/script/list", script_id="")
        assert row["online_id"] == newest["version_id"]
        assert "is-active" in newest["content"]
        assert self.rows(aom, "/script-version-list", script_id="none") == []

    @pytest.mark.parametrize("lacking", ["script_id", "order_by_column", "sort_order"])
    def test_required_fields(self, aom: AomCaller, lacking: str) -> None:
        body = {name: value for name, value in (self.QUERY | {"script_id": "x"}).items() if name != lacking}
        for path in ("/script/list", "/script-version-list"):
            refused(aom.cms("POST", path, body))
        if lacking != "script_id":
            refused(aom.cms("POST", "/job/list", body))

    def test_library_of_another_project(self, aom: AomCaller) -> None:
        aom.project_id = OTHER_PROJECT_ID
        refused(aom.cms("GET", f"/template/{ready.TEMPLATE}"), 404)
        assert self.rows(aom, f"/template-list/{ready.JOB}") == self.rows(aom, "/job/list") == []
        assert self.rows(aom, "/script/list", script_id="") == []
        assert self.rows(aom, "/script-version-list", script_id=ready.SCRIPT) == []
        refused(aom.cms("POST", "/workflow", BODY))
