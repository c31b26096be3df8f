"""What operations of AOM automation send, refuse to send and read, beside what the parity tests compare."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from airflow_provider_mlworkflows.clouds.huawei.aom_requests import Success
from airflow_provider_mlworkflows.exceptions import InvalidInputError
from tests.clouds.aom_support import EXECUTION, NODE, WORKFLOW, RecordingAom

CREATE = {"name": "nightly", "template_id": "tpl-1"}
SAFE = {
    "list_workflows": {},
    "list_executions": {"workflow_id": WORKFLOW},
    "show_execution": {"workflow_id": WORKFLOW, "execution_id": EXECUTION},
    "terminate_execution": {"workflow_id": WORKFLOW, "execution_id": EXECUTION},
    "update_trigger_status": {"workflow_id": WORKFLOW, "action": "enable"},
    "show_template": {"template_id": "tpl-1"},
    "list_templates": {"job_id": "job-1"},
    "list_jobs": {},
    "list_scripts": {},
    "list_script_versions": {"script_id": "script-1", "name": "clean"},
}
UNSAFE = {
    "create_workflow": CREATE,
    "execute_workflow": {"workflow_id": WORKFLOW},
    "operate_execution": {
        "workflow_id": WORKFLOW, "execution_id": EXECUTION, "action": "restart", "node_id": NODE,
    },
}  # fmt: skip


def request(method: str, arguments: Any) -> Any:
    return next(getattr(RecordingAom(), method).steps(**arguments))


def refusal_of(method: str, arguments: Any) -> str:
    """The message by which a call is refused, without anything having been sent."""
    api = RecordingAom()
    with pytest.raises(InvalidInputError) as caught:
        getattr(api, method)(**arguments)
    assert api.requests == []
    return str(caught.value)


class TestRequests:
    def test_there_are_thirteen(self) -> None:
        assert len({request(method, arguments).operation for method, arguments in {**SAFE, **UNSAFE}.items()}) == 13

    @pytest.mark.parametrize("method", SAFE)
    def test_reads_and_what_only_takes_effect_once_may_be_repeated(self, method: str) -> None:
        assert request(method, SAFE[method]).safe_to_repeat

    @pytest.mark.parametrize("method", UNSAFE)
    def test_what_takes_effect_each_time_may_not(self, method: str) -> None:
        assert not request(method, UNSAFE[method]).safe_to_repeat

    @pytest.mark.parametrize(("method", "arguments"), {**SAFE, **UNSAFE}.items())
    def test_the_type_is_named_even_without_a_body(self, method: str, arguments: Any) -> None:
        assert request(method, arguments).headers == {"Content-Type": "application/json"}

    def test_an_execution_takes_no_body(self) -> None:
        assert request("execute_workflow", {"workflow_id": WORKFLOW}).content() == b""

    def test_ids_are_quoted(self) -> None:
        shown = request("show_execution", {"workflow_id": "a/b c", "execution_id": "ü?"})
        assert shown.url_path({"project_id": "p"}) == "/v1/p/cms/workflow/a%2Fb%20c/executions/%C3%BC%3F/status"

    def test_in_an_event_loop(self) -> None:
        api = RecordingAom({"execution_id": EXECUTION})
        assert asyncio.run(api.execute_workflow.aio(WORKFLOW)).execution_id == EXECUTION


class TestInput:
    def sent(self, given: Any) -> Any:
        return request("create_workflow", {**CREATE, "input": given}).body["input"]

    def test_scalars_become_texts(self) -> None:
        given = {"script": {"time_out": 7200, "need": True, "off": False, "rate": 0.5, "user": "root"}, "region": "x"}
        assert self.sent(given) == {
            "script": {"time_out": "7200", "need": "true", "off": "false", "rate": "0.5", "user": "root"},
            "region": "x",
        }

    def test_whatever_is_nested(self) -> None:
        given = {"get_instances": {"ids": ["a", 1, {"on": True}]}, "deep": {"er": {"n": 1}}}
        assert self.sent(given) == {"get_instances": {"ids": ["a", "1", {"on": "true"}]}, "deep": {"er": {"n": "1"}}}

    def test_none_is_an_empty_object(self) -> None:
        assert self.sent(None) == {}

    @pytest.mark.parametrize(
        ("given", "where"),
        [
            ({"script": {"user": None}}, "input.script.user is None"),
            ({"script": {"rate": float("nan")}}, "input.script.rate is nan"),
            ({"script": {"rates": [float("inf")]}}, r"input.script.rates\[0\] is inf"),
            ({"script": {"at": object}}, "input.script.at is"),
            ({"": {}}, "a field ''"),
            ({1: {}}, "a field 1"),
            ({"script": {2: "x"}}, "a field 2"),
            (["script"], "not list"),
            ("script", "not str"),
        ],
    )
    def test_what_is_no_input_is_refused(self, given: Any, where: str) -> None:
        with pytest.raises(InvalidInputError, match=where):
            self.sent(given)


class TestArguments:
    @pytest.mark.parametrize("name", ["n", "夜间_任务-1", "x" * 64])
    def test_names_that_are_allowed(self, name: str) -> None:
        assert request("create_workflow", {**CREATE, "name": name}).body["name"] == name

    @pytest.mark.parametrize("name", ["", " n", "a b", "a/b", "x" * 65, "a.b", "naïve", None, 7])
    def test_names_that_are_not(self, name: Any) -> None:
        assert "1 to 64 Chinese characters" in refusal_of("create_workflow", {**CREATE, "name": name})

    @pytest.mark.parametrize("bad", ["", " ", ".", "..", "x" * 65, "id\n", " id", None, 7])
    @pytest.mark.parametrize(
        ("method", "field"),
        [
            ("execute_workflow", "workflow_id"),
            ("list_executions", "workflow_id"),
            ("show_execution", "execution_id"),
            ("terminate_execution", "execution_id"),
            ("operate_execution", "node_id"),
            ("update_trigger_status", "workflow_id"),
            ("show_template", "template_id"),
            ("list_templates", "job_id"),
            ("create_workflow", "template_id"),
            ("list_script_versions", "script_id"),
        ],
    )
    def test_ids_that_cannot_be_any(self, method: str, field: str, bad: Any) -> None:
        assert f"{field} {bad!r} is not an id" in refusal_of(method, {**{**SAFE, **UNSAFE}[method], field: bad})

    @pytest.mark.parametrize(
        ("method", "changes", "what"),
        [
            ("create_workflow", {"type": "event"}, "type 'event' is not one of cron, manual"),
            ("create_workflow", {"task_type": None}, "task_type '' is not one of package"),
            ("create_workflow", {"description": ""}, "1 to 128"),
            ("create_workflow", {"description": "x" * 129}, "1 to 128"),
            ("create_workflow", {"template_name": "x" * 65}, "1 to 64"),
            ("create_workflow", {"service_name": "x" * 129}, "1 to 128"),
            ("create_workflow", {"tags": {str(n): "v" for n in range(21)}}, "at most 20"),
            ("create_workflow", {"tags": {"k": 1}}, "no pair of texts"),
            ("create_workflow", {"tags": ["k"]}, "mapping"),
            ("create_workflow", {"quote": []}, "1 to 128 are allowed"),
            ("create_workflow", {"quote": ["q"] * 129}, "1 to 128 are allowed"),
            ("create_workflow", {"quote": "q"}, "list of texts"),
            ("create_workflow", {"quote": [""]}, "1 to 128 characters"),
            ("create_workflow", {"quote": [None]}, "contains None"),
            ("create_workflow", {"extra": {"name": "other"}}, "extra sets 'name'"),
            ("create_workflow", {"extra": ["cron"]}, "mapping of further fields"),
            ("list_workflows", {"type": "auto"}, "cron, event, manual"),
            ("list_workflows", {"page": 0}, "between 1 and 9999999"),
            ("list_workflows", {"size": 101}, "between 1 and 100"),
            ("list_workflows", {"size": True}, "between 1 and 100"),
            ("list_workflows", {"search": ""}, "1 to 64"),
            ("list_workflows", {"tags": {str(n): "v" for n in range(11)}}, "at most 10"),
            ("list_workflows", {"sort_field": "name"}, "create_time, last_execution_start_time, update_time"),
            ("list_workflows", {"sort_type": "asc"}, "ASC, DESC"),
            ("list_workflows", {"status": "running"}, "pausing"),
            ("list_workflows", {"search_time_start": -1}, "between 0 and"),
            ("list_workflows", {"search_time_start": 2, "search_time_end": 1}, "after search_time_end"),
            ("list_executions", {"enterprise_project_id": ""}, "1 to 64"),
            ("operate_execution", {"action": "pause"}, "restart, skip, continue"),
            ("operate_execution", {"action": None}, "restart, skip, continue"),
            ("update_trigger_status", {"action": "on"}, "enable, disable"),
            ("show_template", {"share_type": "shared"}, "public, private"),
            ("list_templates", {"page_num": 0}, "between 1 and"),
            ("list_jobs", {"page_num": 1001}, "between 1 and 1000"),
            ("list_jobs", {"order_by_column": "size"}, "name, create_time, update_time"),
            ("list_scripts", {"is_default": "all"}, "default, no_default"),
            ("list_scripts", {"project_id": "short"}, "32 to 32"),
        ],
    )
    def test_limits(self, method: str, changes: dict[str, Any], what: str) -> None:
        assert what in refusal_of(method, {**{**SAFE, **UNSAFE}[method], **changes})

    def test_further_fields_go_out_as_they_are(self) -> None:
        body = request("create_workflow", {**CREATE, "type": "cron", "extra": {"cron": "0 0 * * * ?", "n": 1}}).body
        assert (body["cron"], body["n"], body["type"]) == ("0 0 * * * ?", 1, "cron")


class TestWordsOfSuccess:
    TERMINATE = (WORKFLOW, EXECUTION)

    @pytest.mark.parametrize(
        "answer",
        [
            '{"result": "success"}',
            '{"result":"SUCCESS","trace":{"shard":0}}',
            '{"result": {}}',
            '{"result": {"code": 0}}',
            '{"result": null}',
            '{"result": true}',
            '{"success"}',
            ' { "success" } \n',
            '"success"',
            "success",
            "{}",
            "null",
            "",
        ],
    )
    def test_each_spelling(self, answer: str) -> None:
        assert RecordingAom(answer).terminate_execution(*self.TERMINATE) == Success()

    @pytest.mark.parametrize(
        "answer",
        [
            '{"result": "fail"}',
            '{"result": false}',
            '{"failure"}',
            '"fail"',
            "<html>success</html>",
            '{"status": "success"}',
            '{"result": "succ',
            "[]",
            "false",
        ],
    )
    def test_anything_else_is_none(self, answer: str) -> None:
        with pytest.raises(ValueError, match="does not say success"):
            RecordingAom(answer).update_trigger_status(WORKFLOW, "enable")

    def test_no_other_reply_is_read_like_that(self) -> None:
        with pytest.raises(ValueError, match="Invalid JSON"):
            RecordingAom('{"success"}').execute_workflow(WORKFLOW)


def page(*ids: str, total: int | None = 0) -> dict[str, Any]:
    return {"elements": [{"id": each, "name": each} for each in ids], "total_elements": total}


class TestPaging:
    """Pages end with one that has nothing new, whatever the total says."""

    def asked(self, api: RecordingAom, field: str) -> list[Any]:
        return [each.body.get(field) for each in api.requests if each.body is not None]

    def test_of_workflows_if_pages_begin_at_1(self) -> None:
        api = RecordingAom(page("a", "b"), page("a", "b"), page("c"), page())
        assert [each.id for each in api.iter_workflows()] == ["a", "b", "c"]
        assert self.asked(api, "page") == [None, 1, 2, 3]
        assert set(self.asked(api, "size")) == {100}

    def test_of_workflows_if_pages_begin_at_0(self) -> None:
        api = RecordingAom(page("a", "b"), page("c"), page())
        assert [each.id for each in api.iter_workflows(search="x", sort_type="ASC")] == ["a", "b", "c"]
        assert set(self.asked(api, "search")) == {"x"}

    def test_of_a_service_that_knows_one_page_only(self) -> None:
        api = RecordingAom(page("a"), page("a"), page("a"))
        assert [each.id for each in api.iter_workflows()] == ["a"]

    def test_of_workflows_in_an_event_loop(self) -> None:
        api = RecordingAom(page("a"), page("b"), page())

        async def ids() -> list[str]:
            return [each.id async for each in api.iter_workflows.aio()]

        assert asyncio.run(ids()) == ["a", "b"]

    @pytest.mark.parametrize(
        ("method", "arguments"),
        [
            ("iter_templates", {"job_id": "job-1"}),
            ("iter_jobs", {}),
            ("iter_scripts", {"create_by": "me"}),
        ],
    )
    def test_of_the_library(self, method: str, arguments: dict[str, Any]) -> None:
        api = RecordingAom(page("a", "b", total=3), page("c", total=3), page(total=3))
        assert [each.id for each in getattr(api, method)(**arguments)] == ["a", "b", "c"]
        assert self.asked(api, "page_num") == [1, 2, 3]
        assert set(self.asked(api, "order_by_column")) == {"update_time"}

    def test_of_versions(self) -> None:
        api = RecordingAom({"elements": [{"version_id": "1"}]}, {"elements": []})
        assert [each.version_id for each in api.iter_script_versions("script-1", name="clean")] == ["1"]
        assert self.asked(api, "is_default") == ["no_default", "no_default"]

    def test_items_without_ids_are_told_apart_by_what_they_hold(self) -> None:
        twins = {"elements": [{"name": "one"}, {"name": "two"}]}
        api = RecordingAom(twins, twins, {"elements": []})
        assert [each.name for each in api.iter_jobs()] == ["one", "two"]

    def test_everything_that_is_sent_is_json(self) -> None:
        api = RecordingAom(page())
        list(api.iter_workflows(search="任务"))
        assert json.loads(api.requests[0].content())["search"] == "任务"
