"""Replies of AOM automation in all the forms that its documents leave open."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from airflow_provider_mlworkflows.clouds.huawei.aom_models import Execution, Template, Workflow, decoded, read_time
from airflow_provider_mlworkflows.clouds.huawei.aom_outputs import log_lines, plain_output, reason_in, says_error
from tests.clouds.aom_support import BEGUN, EXECUTION, NODE, WORKFLOW, RecordingAom

EIGHT = datetime(2024, 10, 25, 8, tzinfo=UTC)


def listed(answer: Any) -> list[Execution]:
    return RecordingAom(answer).list_executions(WORKFLOW)


@pytest.mark.parametrize(
    ("value", "time"),
    [
        (BEGUN, EIGHT),
        (str(BEGUN), EIGHT),
        ("2024-10-25T08:00:00Z", EIGHT),
        ("2024-10-25T16:00:00+08:00", EIGHT),
        (0, None),
        (-1, None),
        ("", None),
        ("soon", None),
        (None, None),
        (1e300, None),
    ],
)
def test_times(value: Any, time: datetime | None) -> None:
    assert read_time(value) == time


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ('{"a": 1}', {"a": 1}),
        ('"{\\"a\\": 1}"', {"a": 1}),
        ("[1]", [1]),
        ("plain", "plain"),
        ("{broken", "{broken"),
        ("7", "7"),
        ({"a": 1}, {"a": 1}),
        (None, None),
    ],
)
def test_json_inside_a_text(text: Any, data: Any) -> None:
    assert decoded(text) == data


class TestExecution:
    def test_with_every_field_as_documented(self) -> None:
        shown = Execution.model_validate(
            {
                "workflow_id": WORKFLOW,
                "execution_id": EXECUTION,
                "status": "executing",
                "begin_time": BEGUN,
                "end_time": None,
                "last_update_time": "2024-10-25T08:00:00Z",
                "execution_result_list": [{"node_id": NODE, "status": "success", "output": '{"a": 1}'}],
                "approve_user_name_list": None,
                "project_id": "0" * 32,
                "workflow_edit_time": str(BEGUN),
                "brand_new": 1,
            }
        )
        assert (shown.begin_time, shown.end_time, shown.last_update_time) == (EIGHT, None, EIGHT)
        assert shown.execution_result_list is not None
        assert shown.execution_result_list[0].output == '{"a": 1}'
        assert shown.approve_user_name_list == []
        assert (shown.model_extra or {})["brand_new"] == 1

    @pytest.mark.parametrize("nothing", [None, ""])
    def test_that_shows_no_nodes_is_told_from_one_that_has_none(self, nothing: Any) -> None:
        fields = {"execution_id": EXECUTION, "status": "executing"}
        assert Execution.model_validate({**fields, "execution_result_list": nothing}).execution_result_list is None
        assert Execution.model_validate({**fields, "execution_result_list": "[]"}).execution_result_list == []

    @pytest.mark.parametrize("answer", ["{}", '{"other": 1}', '""', '"x"', "[]", "1", ""])
    def test_what_is_none_is_refused(self, answer: str) -> None:
        with pytest.raises(ValidationError):
            RecordingAom(answer).show_execution(WORKFLOW, EXECUTION)

    @pytest.mark.parametrize(
        "answer", ["{}", '{"execution_id": ""}', '{"execution_id": null}', '{"result": "success"}']
    )
    def test_a_start_must_name_it(self, answer: str) -> None:
        with pytest.raises(ValidationError, match="execution_id"):
            RecordingAom(answer).execute_workflow(WORKFLOW)


class TestExecutionList:
    ONE = {"execution_id": EXECUTION, "status": "success"}  # noqa: RUF012

    @pytest.mark.parametrize(
        "answer", [[ONE], {"body": [ONE]}, {"elements": [ONE], "total_elements": 1}, json.dumps(json.dumps([ONE]))]
    )
    def test_bare_or_wrapped(self, answer: Any) -> None:
        assert [each.execution_id for each in listed(answer)] == [EXECUTION]

    @pytest.mark.parametrize("answer", [[], None, {"body": None}, {"elements": [], "total_elements": 0}])
    def test_none_at_all(self, answer: Any) -> None:
        assert listed(answer) == []

    @pytest.mark.parametrize("answer", [{}, {"total": 0}, {"a": [], "b": []}, [{}], "7", '"x"'])
    def test_what_is_no_list_is_refused(self, answer: Any) -> None:
        with pytest.raises(ValidationError):
            listed(answer)


class TestWorkflow:
    def test_odd_types(self) -> None:
        shown = Workflow.model_validate(
            {
                "id": 42,
                "name": None,
                "tags": '{"k": 1}',
                "input": "",
                "nodes": [{"id": NODE, "ignore_error": "", "metadata": "", "parent_node": ["x"]}],
                "steps": None,
                "is_delete": "false",
                "template_i18n": {"en-us": {"a": "b"}},
                "output": {"any": [1]},
            }
        )
        assert (shown.id, shown.name, shown.tags, shown.input) == ("42", "", {"k": "1"}, {})
        assert shown.nodes[0].ignore_error is None
        assert shown.is_delete is False
        assert shown.template_i18n == {"en-us": {"a": "b"}}

    def test_texts_may_come_as_anything(self) -> None:
        shown = Workflow.model_validate({"id": "x", "task_status": True, "status": {"now": "success"}, "quote": [1]})
        assert (shown.task_status, shown.status, shown.quote) == ("true", '{"now": "success"}', ["1"])

    def test_without_an_id_is_refused(self) -> None:
        with pytest.raises(ValidationError, match="id"):
            Workflow.model_validate({"name": "nightly"})

    @pytest.mark.parametrize("answer", [{}, {"workflows": []}, []])
    def test_a_page_must_be_one(self, answer: Any) -> None:
        with pytest.raises(ValidationError):
            RecordingAom(answer).list_workflows()

    def test_a_page_without_anything(self) -> None:
        assert RecordingAom({"total_elements": "0", "elements": None}).list_workflows().elements == []


def test_a_template_shows_its_rules() -> None:
    shown = Template.model_validate(
        {
            "id": "tpl-1",
            "approve_info": {"need_approve": True, "topic_selected": {"x": 1}},
            "rate_control": {"max": "3", "time_delay": ""},
            "parameters": [{"param_name": "user", "required": "true", "default_value": 7}],
            "job_version": "2",
        }
    )
    assert shown.approve_info.need_approve is True
    assert (shown.rate_control.max, shown.rate_control.time_delay) == (3, None)
    assert (shown.parameters[0].required, shown.parameters[0].default_value) == (True, 7)
    assert shown.job_version == 2


class TestOutputs:
    @pytest.mark.parametrize(
        ("output", "reason"),
        [
            ({"error": "no disk"}, "no disk"),
            ('{"error_msg": "no disk"}', "no disk"),
            ({"deep": [{"errorMessage": "no disk"}]}, "no disk"),
            ({"message": "no disk"}, "no disk"),
            ({"message": "all", "error": "no disk"}, "no disk"),
            ({"error": {"code": 7}}, '{"code": 7}'),
            ("no disk", "no disk"),
            ({"rc": 7}, '{"rc": 7}'),
            ([1, 2], "[1, 2]"),
            (None, ""),
            ({}, ""),
            ("", ""),
        ],
    )
    def test_why_a_node_failed(self, output: Any, reason: str) -> None:
        assert reason_in(output) == reason

    def test_a_long_reason_is_cut(self) -> None:
        assert len(reason_in("x" * 5000)) == 1003

    @pytest.mark.parametrize(
        ("output", "says"), [({"error": "x"}, True), ({"message": "x"}, False), ({"error": ""}, False)]
    )
    def test_whether_it_names_an_error(self, output: Any, says: bool) -> None:
        assert says_error(output) is says

    def test_json_inside_of_texts_at_any_depth(self) -> None:
        assert plain_output('{"a": "[{\\"b\\": \\"1\\"}]"}') == {"a": [{"b": "1"}]}

    def test_only_so_deep(self) -> None:
        deep: Any = "end"
        for _ in range(50):
            deep = [deep]
        assert plain_output(deep) == deep

    def test_as_lines(self) -> None:
        output = {"rc": 7, "stdout": "one\n\ntwo  ", "ok": True, "none": None, "list": ["x", "y"]}
        assert log_lines(output) == ["rc: 7", "stdout:", "one", "two", "ok: true", "none:", "list:", "x", "y"]
        assert log_lines("plain\ntext") == ["plain", "text"]
        assert log_lines(None) == []
