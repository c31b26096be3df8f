"""What our operations send, compared with what the vendor's SDK was recorded to send for the same arguments.

``aom_captures.json`` holds raw requests of huaweicloudsdkaom 3.1.219 to a local server, with made-up credentials, and
what the SDK made of the answers. Signatures of the captures depend on the SDK's own headers; those of
``aom_sign_vectors.json`` do not.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit

import pytest

from airflow_provider_mlworkflows.clouds.http import WireReply
from airflow_provider_mlworkflows.clouds.huawei.aom_errors import read_refusal
from airflow_provider_mlworkflows.clouds.huawei.signing import canonical_request, signed_headers
from airflow_provider_mlworkflows.exceptions import (
    ApiError,
    AuthenticationError,
    InvalidInputError,
    ServerError,
    UnexpectedReplyError,
)
from tests.clouds.aom_support import RecordingAom

Capture = dict[str, Any]
Call = tuple[str, str, dict[str, Any]]

_HERE = Path(__file__).parent
_CAPTURED = json.loads((_HERE / "aom_captures.json").read_text(encoding="utf-8"))
CAPTURES: dict[str, Capture] = {each["label"]: each for each in _CAPTURED["calls"]}
META = _CAPTURED["meta"]
PROJECT = {"project_id": META["project_id"]}
SIGNED = json.loads((_HERE.parent / "vectors" / "aom_sign_vectors.json").read_text(encoding="utf-8"))

AT = {"workflow_id": "wf-0001"}
RUN = {**AT, "execution_id": "ex-0001"}
AT_NODE = {**RUN, "node_id": "node-0001"}
PAGE = {"name": "n", "page_num": 1, "page_size": 10, "order_by_column": "update_time", "sort_order": "DESC"}

CALLS: dict[str, Call] = {
    "create workflow": (
        "CreateWorkflow",
        "create_workflow",
        {
            "name": "task1", "type": "manual", "description": "d", "tags": {"k": "v"},
            "template_name": "CMS::ECS::BulkyRunScript", "template_id": "tpl-1", "input": {"script": {"a": "b"}},
            "quote": ["q"], "job_name": "j", "job_id": "j1", "service_scenario": "s", "service_name": "sn",
            "task_type": "script",
        },
    ),
    "create workflow, only required": ("CreateWorkflow", "create_workflow", {"name": "task1", "template_id": "tpl-1"}),
    "list workflows": (
        "ListWorkflow",
        "list_workflows",
        {
            "search": "t", "type": "manual", "tags": {"k": "v"}, "page": 1, "size": 10, "enterprise_project_id": "0",
            "create_by": "me", "sort_field": "create_time", "sort_type": "DESC", "search_time_start": 0,
            "search_time_end": 9999999999999, "status": "executing",
        },
    ),
    "list workflows, only required": ("ListWorkflow", "list_workflows", {"sort_type": "ASC"}),
    "execute workflow": ("ExecuteWorkflow", "execute_workflow", AT),
    "list executions": ("ListWorkflowExecutions", "list_executions", AT),
    "list executions, enterprise project": (
        "ListWorkflowExecutions", "list_executions", {**AT, "enterprise_project_id": "0"},
    ),
    "execution detail": ("SearchWorkflowExecutionDetail", "show_execution", RUN),
    "operation restart": ("StartPausingWorkflowExecutions", "operate_execution", {**AT_NODE, "action": "restart"}),
    "operation skip": ("StartPausingWorkflowExecutions", "operate_execution", {**AT_NODE, "action": "skip"}),
    "operation continue": ("StartPausingWorkflowExecutions", "operate_execution", {**AT_NODE, "action": "continue"}),
    "stop execution": ("StopExecution", "terminate_execution", RUN),
    "stop execution, string body": ("StopExecution", "terminate_execution", RUN),
    "trigger enable": ("UpdateWorkflowTriggerStatus", "update_trigger_status", {**AT, "action": "enable"}),
    "trigger disable, string body": (
        "UpdateWorkflowTriggerStatus", "update_trigger_status", {**AT, "action": "disable"},
    ),
    "template by id": ("SearchTemplateById", "show_template", {"template_id": "tpl-1"}),
    "templates by job": ("ListTemplateByJobId", "list_templates", {"job_id": "j1", **PAGE}),
    "jobs": ("ListAllJobByName", "list_jobs", {**PAGE, "enterprise_project_id": "0"}),
    "scripts": (
        "ListAllScriptByName",
        "list_scripts",
        {**PAGE, **PROJECT, "is_default": "default", "create_by": "u", "script_id": "s1", "enterprise_project_id": "0"},
    ),
    "script versions": ("ListAllVersionByVersionId", "list_script_versions", {"script_id": "s1", "name": "n"}),
    "path escaping": (
        "SearchWorkflowExecutionDetail", "show_execution", {"workflow_id": "a/b c", "execution_id": "ü"},
    ),
    "execute with temporary credentials": ("ExecuteWorkflow", "execute_workflow", AT),
    "execute with X-Auth-Token added by hand": ("ExecuteWorkflow", "execute_workflow", AT),
    "async client execute": ("ExecuteWorkflow", "execute_workflow", AT),
}  # fmt: skip
REFUSED_HERE: dict[str, dict[str, Any]] = {
    "operation without action/node_id (as in seed sample)": {**RUN, "action": None, "node_id": None},
    "operation bad action": {**AT_NODE, "action": "pause"},
}
ANSWERS = {
    "401 seed body": (
        AuthenticationError, '{"error_code":"AOM.31009004","error_msg":"auth failed.","http_code":"401"}',
    ),
    "500 seed body": (
        ServerError, '{"error_code":"AOM.31001405","error_msg":"internal server error.","http_code":"500"}',
    ),
    "404 non-json body": (UnexpectedReplyError, "<html>nope</html>"),
    "403 APIG body": (
        AuthenticationError,
        '{"error_msg":"Incorrect IAM authentication information","error_code":"APIGW.0301","request_id":"0123abcd"}',
    ),
}  # fmt: skip
EACH = pytest.mark.parametrize("label", CALLS)


def _sent(label: str) -> Capture:
    (request,) = CAPTURES[label]["requests"]
    return dict(request)


def _ours(call: Call) -> Any:
    return next(getattr(RecordingAom(), call[1]).steps(**call[2]))


def test_every_capture_and_every_operation_is_compared() -> None:
    assert {*CALLS, *REFUSED_HERE, *ANSWERS} == set(CAPTURES)
    assert len({operation for operation, _, _ in CALLS.values()}) == 13


@EACH
def test_the_same_goes_out(label: str) -> None:
    request, theirs = _ours(CALLS[label]), _sent(label)
    target = urlsplit(theirs["path"])

    assert request.operation == CALLS[label][0]
    assert request.method == theirs["method"]
    assert request.url_path(PROJECT) == target.path
    assert parse_qsl(request.url_query()) == parse_qsl(target.query)
    body = request.content()
    assert bool(body) == bool(theirs["body"])
    if body:
        assert json.loads(body) == json.loads(theirs["body"])
    headers = {name.lower(): value for name, value in theirs["headers"]}
    assert {name.lower(): value for name, value in request.headers.items()} == {"content-type": headers["content-type"]}


@EACH
def test_paths_go_out_byte_by_byte(label: str) -> None:
    path = _ours(CALLS[label]).url_path(PROJECT)
    assert path == "/".join(
        quote(unquote(segment), safe="~") for segment in urlsplit(_sent(label)["path"]).path.split("/")
    )


@pytest.mark.parametrize("label", REFUSED_HERE)
def test_what_the_vendor_sends_although_it_cannot_be_right(label: str) -> None:
    assert _sent(label)["method"] == "POST"
    with pytest.raises(InvalidInputError, match=r"action|node_id"):
        RecordingAom().operate_execution(**REFUSED_HERE[label])


@pytest.mark.parametrize(
    "label", [label for label in CALLS if isinstance(CAPTURES[label].get("sdk_result", {}).get("to_dict"), dict)]
)
def test_the_same_is_read(label: str) -> None:
    """What the SDK made of the recorded answer is an answer to us too, null fields and all."""
    theirs = CAPTURES[label]["sdk_result"]["to_dict"]
    bare = theirs.get("body", theirs)
    answer = json.dumps(bare) if not isinstance(bare, str) else bare
    request = _ours(CALLS[label])
    if request.operation in ("StopExecution", "UpdateWorkflowTriggerStatus"):
        # There the SDK hands on the text it could not read, or how Python would write what it did read.
        answer = bare.replace("'", '"')
    read = request.read(answer.encode())
    for name in ("id", "name", "execution_id", "workflow_id", "status"):
        if isinstance(theirs.get(name), str):
            assert getattr(read, name) == theirs[name]
    if "elements" in theirs:
        assert len(read.elements) == len(theirs["elements"])
    if request.operation == "ListWorkflowExecutions":
        assert [each.execution_id for each in read] == [each["execution_id"] for each in bare or []]


@pytest.mark.parametrize("label", ANSWERS)
def test_refusals_are_told_as_the_sdk_tells_them(label: str) -> None:
    theirs = CAPTURES[label]["sdk_exception"]
    kind, body = ANSWERS[label]
    refusal = read_refusal(WireReply(theirs["status_code"], {"x-request-id": "0123abcd"}, body.encode()))

    assert refusal is not None
    assert issubclass(refusal.kind, ApiError)
    assert refusal.kind is kind
    assert refusal.request_id == theirs["request_id"]
    if not refusal.unreadable:
        assert (refusal.code, refusal.text) == (theirs["error_code"], theirs["error_msg"])


@pytest.mark.parametrize("vector", SIGNED["vectors"], ids=lambda vector: vector["name"])
def test_our_signature_is_theirs(vector: dict[str, Any]) -> None:
    query = "&".join(f"{quote(name, safe='~')}={quote(value, safe='~')}" for name, value in vector["query"])
    url = f"https://{vector['host']}{vector['path']}{'?' + query if query else ''}"
    date = datetime.strptime(vector["headers"]["X-Sdk-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    content = (vector["body"] or "").encode()
    given = {name: value for name, value in vector["headers"].items() if name not in ("X-Sdk-Date", "Host")}

    signed = signed_headers(
        vector["method"], url, given, content, access_key=SIGNED["ak"], secret_key=SIGNED["sk"], now=date.timestamp()
    )

    assert signed["Authorization"] == vector["authorization"]
    assert canonical_request(vector["method"], url, vector["headers"], content)[0] == vector["canonical_request"]


def test_all_vectors_are_here() -> None:
    assert len(SIGNED["vectors"]) == 4
