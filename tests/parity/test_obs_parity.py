"""What our operations send, compared with what the vendor's SDK was recorded to send for the same arguments.

``obs_captures.json`` holds raw requests of esdk-obs-python 3.26.6 to a local server, with made-up credentials.
"""

from __future__ import annotations

import json
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from airflow_provider_mlworkflows.clouds.http import WireReply, WireRequest
from airflow_provider_mlworkflows.clouds.huawei.credentials import AccessKey
from airflow_provider_mlworkflows.clouds.huawei.obs_credentials import ObsIdentity
from airflow_provider_mlworkflows.clouds.huawei.obs_errors import read_refusal
from airflow_provider_mlworkflows.clouds.replies import Service
from airflow_provider_mlworkflows.exceptions import InvalidInputError
from tests.clouds.obs_support import RecordingObs

Capture = dict[str, Any]
Call = tuple[str, tuple[Any, ...], dict[str, Any]]

_CAPTURED = json.loads((Path(__file__).parent / "obs_captures.json").read_text(encoding="utf-8"))
CAPTURES: dict[str, Capture] = {each["label"]: each for each in _CAPTURED["calls"]}
META = _CAPTURED["meta"]
NOW = parsedate_to_datetime(META["frozen_date"]).timestamp()

GRAPH, EXECUTION, TEMPLATE = ("graph-1",), ("graph-1", "exec-1"), ("tpl-1",)
OBJECT = {"bucket": "examplebucket", "object_key": "folder/test.txt"}
START: Call = ("start_workflow", GRAPH, {**OBJECT, "inputs": {"p1": "v1"}})
BARE_START: Call = ("start_workflow", GRAPH, OBJECT)
_TEMPLATE = CAPTURES["create template"]["kwargs"]
_RULES = CAPTURES["put trigger policy (virtual host)"]["args"][1]

CALLS: dict[str, Call] = {
    "create template": ("create_workflow_template", TEMPLATE, _TEMPLATE),
    "get template": ("show_workflow_template", TEMPLATE, {}),
    "delete template": ("delete_workflow_template", TEMPLATE, {}),
    "list templates": ("list_workflow_templates", ("tp",), {"start": 1, "limit": 10}),
    "list templates, no args": ("list_workflow_templates", (), {}),
    "create workflow from template": (
        "create_workflow_from_template",
        ("tpl-1", "graph-1", "my-agency"),
        {"description": "d", "parameters": {"p1": "v"}},
    ),
    "get workflow": ("show_workflow", GRAPH, {}),
    "delete workflow": ("delete_workflow", GRAPH, {}),
    "update workflow": (
        "update_workflow", GRAPH, {"parameters": {"transcode-template-id": 1234567}, "description": "x"},
    ),
    "list workflows": ("list_workflows", ("gr",), {"start": 1, "limit": 2}),
    "list workflows, no args": ("list_workflows", (), {}),
    "start async": START,
    "start async, no inputs": BARE_START,
    "start async, non-ascii object": (
        "start_workflow", GRAPH, {"bucket": "examplebucket", "object_key": "目录/文件 1.txt", "inputs": {"p": "值"}},
    ),
    "list executions": (
        "list_executions", GRAPH, {"execution_type": "APICALL", "next_marker": "APICALLabc", "limit": 5},
    ),
    "list executions, only graph": ("list_executions", GRAPH, {}),
    "get execution": ("show_execution", EXECUTION, {}),
    "restore failed execution": ("restore_execution", EXECUTION, {}),
    "put trigger policy (virtual host)": ("put_trigger_policy", ("examplebucket", _RULES), {}),
    "get trigger policy (virtual host)": ("show_trigger_policy", ("examplebucket",), {}),
    "delete trigger policy (virtual host)": ("delete_trigger_policy", ("examplebucket",), {}),
    "get trigger policy (IP server => path style)": ("show_trigger_policy", ("examplebucket",), {}),
    "start async (IP server)": START,
    "start async, security token": START,
    "start async, isJsonResult=True": BARE_START,
}  # fmt: skip
REFUSED_HERE: dict[str, Call] = {
    "create template, only name": ("create_workflow_template", TEMPLATE, {"states": None}),
    "start async, inputs as str (seed sample)": ("start_workflow", ("graphName",), {**OBJECT, "inputs": "inputs"}),
    "start async, name needing escape (invalid by rule)": ("start_workflow", ("graph 1/x~y",), OBJECT),
    "list executions, limit 1001": ("list_executions", GRAPH, {"limit": 1001}),
    "error XML 404": ("start_workflow", GRAPH, {"bucket": "b", "object_key": "o"}),
}
"""What the SDK sends, or what is recorded, although it breaks the service's own rules."""
ELSEWHERE = {
    # Filtering by state happens in the SDK, after the same requests.
    "list executions, executionState filter (client side, multi page)",
    "list executions, executionState without limit",
    "list executions, bad state",
    # Other signatures, which are not offered.
    "start async, signature=v2",
    "start async, signature=v4",
    "list executions, signature=v4",
    "list workflows, signature=v4 (value-less query)",
    # What the SDK makes of answers.
    "error JSON 400",
    "error JSON 400 with charset",
    "error 503 (retries a POST start)",
    "success without content-type",
    "success 307 redirect then 200",
}
EACH = pytest.mark.parametrize("label", CALLS)


def _ours(call: Call) -> Any:
    name, args, kwargs = call
    return next(getattr(RecordingObs(), name).steps(*args, **kwargs))


def _theirs(label: str) -> Capture:
    return dict(CAPTURES[label]["requests"][0])


def test_every_capture_and_every_operation_is_compared() -> None:
    assert {*CALLS, *REFUSED_HERE} | ELSEWHERE == set(CAPTURES)
    operations = {_ours(call).operation for call in CALLS.values()}
    assert operations == {
        each["sdk_method"] for each in CAPTURES.values() if each["sdk_method"] not in ("initialize", "close")
    }
    assert len(operations) == 16


@EACH
def test_the_same_goes_out(label: str) -> None:
    request, theirs = _ours(CALLS[label]), _theirs(label)
    target = urlsplit(theirs["path"])
    headers = {name.lower(): value for name, value in theirs["headers"]}
    in_path = not headers["host"].startswith("examplebucket.") and bool(request.host_label)

    assert request.operation == CAPTURES[label]["sdk_method"]
    assert request.method == theirs["method"]
    assert unquote(target.path) == (f"/{request.host_label}" if in_path else request.url_path({}))
    assert sorted(request.url_query().split("&")) == sorted(target.query.split("&"))
    assert bool(request.content()) == bool(theirs["body"])
    if theirs["body"]:
        body = json.loads(theirs["body"])
        body.pop("pathArgs", None)  # what the SDK leaves in by mistake
        assert json.loads(request.content()) == body
    assert {name.lower(): value for name, value in request.headers.items()} == {"content-type": headers["content-type"]}


@EACH
def test_the_same_signature_goes_out(label: str) -> None:
    request, theirs = _ours(CALLS[label]), _theirs(label)
    headers = {name.lower(): value for name, value in theirs["headers"]}
    host = headers["host"].removeprefix("examplebucket.")
    in_path = headers["host"] == host
    service = Service("OBS", f"http://{host}", read_refusal, labels_in_path=in_path)
    query = request.url_query()
    url = service.url(request.url_path({}), request.host_label) + (f"?{query}" if query else "")
    identity = ObsIdentity(AccessKey(META["ak"], META["sk"], headers.get("x-obs-security-token")), host)
    signed = identity.sign(WireRequest(request.method, url, request.headers, request.content()), NOW)

    assert signed.headers["Date"] == headers["date"]
    assert signed.headers["Authorization"] == headers["authorization"]
    assert signed.headers.get("x-obs-security-token") == headers.get("x-obs-security-token")


@pytest.mark.parametrize("label", REFUSED_HERE)
def test_what_breaks_the_rules_is_not_sent(label: str) -> None:
    with pytest.raises(InvalidInputError):
        _ours(REFUSED_HERE[label])


@pytest.mark.parametrize("label", ["error XML 404", "error JSON 400", "error JSON 400 with charset"])
def test_refusals_are_read_whatever_type_they_claim(label: str) -> None:
    told = CAPTURES[label]["sdk_result"]
    headers = {name.lower(): value for name, value in told["header"]}
    raw = told["body"]
    content = (raw if isinstance(raw, str) else json.dumps(raw)).encode()
    if raw is None:  # the SDK took JSON for XML here, and lost it
        content = b'{"code": "Workflow.0003", "message": "name is invalid", "request_id": "r-1"}'
    refusal = read_refusal(WireReply(told["status"], headers, content))

    assert refusal is not None
    assert refusal.code == (told["errorCode"] or "Workflow.0003")
    assert refusal.text
