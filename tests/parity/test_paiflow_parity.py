"""What our operations send, compared with what the vendor's SDK was recorded to send for the same arguments.

``paiflow_captures.json`` holds raw requests of alibabacloud_paiflow20210202 1.0.3 to a local server, with made-up
credentials: blocking and async calls of every operation, further credentials, and an odd id.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, unquote_plus, urlsplit

import pytest

from airflow_provider_mlworkflows.clouds.alibaba.signing import authorization
from tests.clouds.paiflow_support import NODE, PIPELINE, RUN, RecordingPaiFlow

Capture = dict[str, Any]

CAPTURES: list[Capture] = json.loads((Path(__file__).parent / "paiflow_captures.json").read_text(encoding="utf-8"))[
    "captures"
]
SECRET_KEY = "TestAccessKeySecret0123456789"
MANIFEST = (
    'apiVersion: "core/v1"\nmetadata:\n  provider: "1557702098194904"\n  version: "v1"\n  identifier: "demo"\n'
    '  name: "demo"\nspec:\n  pipelines: []\n'
)
ARGUMENTS = 'arguments:\n  parameters:\n  - name: "p1"\n    value: "你好"\n'

CALLS: list[tuple[str, str, dict[str, Any]]] = [
    ("CreatePipeline", "create_pipeline", {"manifest": MANIFEST, "workspace_id": "84321"}),
    ("UpdatePipeline", "update_pipeline", {"pipeline_id": PIPELINE, "manifest": MANIFEST}),
    ("GetPipeline", "get_pipeline", {"pipeline_id": PIPELINE}),
    ("DeletePipeline", "delete_pipeline", {"pipeline_id": PIPELINE}),
    (
        "ListPipelines",
        "list_pipelines",
        {
            "identifier": "SqlWriteTable_2", "provider": "pai", "version": "v1", "workspace_id": "84321",
            "fuzzy_matching": True, "page_number": 1, "page_size": 10,
        },
    ),
    (
        "CreatePipelineRun",
        "create_pipeline_run",
        {
            "pipeline_id": PIPELINE, "name": "airflow 运行 1", "arguments": ARGUMENTS, "accessibility": "PUBLIC",
            "options": {"mlflow": {"experimentId": "exp-1jdk"}}, "source_id": "experiment-ybpy",
            "source_type": "SDK", "workspace_id": "84321",
        },
    ),
    (
        "CreatePipelineRun",
        "create_pipeline_run",
        {"manifest": MANIFEST, "name": "from-manifest", "no_confirm_required": False, "workspace_id": "84321"},
    ),
    ("StartPipelineRun", "start_pipeline_run", {"run_id": RUN}),
    ("GetPipelineRun", "get_pipeline_run", {"run_id": RUN, "verbose": True, "manifest_type": "Raw",
                                            "token_id": "tok-1"}),
    ("GetPipelineRun", "get_pipeline_run", {"run_id": RUN}),
    ("UpdatePipelineRun", "update_pipeline_run", {"run_id": RUN, "name": "新名字"}),
    ("RerunPipelineRun", "rerun_pipeline_run", {"run_id": RUN}),
    ("TerminatePipelineRun", "terminate_pipeline_run", {"run_id": RUN}),
    ("DeletePipelineRun", "delete_pipeline_run", {"run_id": RUN}),
    (
        "ListPipelineRuns",
        "list_pipeline_runs",
        {
            "name": "airflow 运行", "order": "DESC", "sort_by": "GmtCreateTime", "page_number": 1, "page_size": 50,
            "pipeline_ids": ["pipeline-a", "pipeline-b"], "run_id": RUN, "source_id": "experiment-ybpy",
            "source_type": "SDK", "status": "Running", "user_id": "1557702098194904", "workspace_id": "84321",
        },
    ),
    (
        "ListPipelineRunsStatus",
        "list_pipeline_runs_status",
        {"run_ids": [RUN, "flow-2"], "output_type": "Model", "workspace_id": "84321"},
    ),
    ("ListPipelineRunsStatus", "list_pipeline_runs_status", {"nodes": [(RUN, NODE)]}),
    (
        "GetPipelineRunNode",
        "get_pipeline_run_node",
        {"run_id": RUN, "node_id": NODE, "depth": 2, "type_": "Logical", "token_id": "tok-1"},
    ),
    (
        "ListPipelineRunNodeStatus",
        "list_pipeline_run_node_status",
        {"run_id": RUN, "node_id": NODE, "depth": 2, "type_": "Logical", "token_id": "tok-1"},
    ),
    (
        "ListPipelineRunNodeLogs",
        "list_pipeline_run_node_logs",
        {
            "run_id": RUN, "node_id": NODE, "offset": 0, "page_size": 100, "from_time": 1612180056,
            "to_time": 1612190056, "keyword": "错误 a+b~c*", "reverse": False, "token_id": "",
        },
    ),
    (
        "ListPipelineRunNodeOutputs",
        "list_pipeline_run_node_outputs",
        {
            "run_id": RUN, "node_id": NODE, "depth": 2, "name": "out", "type_": "DataSet", "order": "DESC",
            "sort_by": "GmtCreateTime", "page_number": 1, "page_size": 20, "token_id": "tok-1",
        },
    ),
]  # fmt: skip

BLOCKING = [capture for capture in CAPTURES if capture["variant"] == "sync"]
ASYNC = [capture for capture in CAPTURES if capture["variant"] == "async"]
SIGNED = [
    capture
    for capture in CAPTURES
    if any(n.lower() == "authorization" and v.startswith("ACS3-HMAC-SHA256 ") for n, v in capture["headers"])
]


def _headers(capture: Capture) -> dict[str, str]:
    return {name.lower(): value for name, value in capture["headers"]}


def _path(capture: Capture) -> list[str]:
    return [unquote(segment) for segment in urlsplit(capture["raw_target"]).path.split("/")]


def _query(text: str) -> set[tuple[str, str]]:
    """Pairs; the SDK writes truth values as Python does."""
    pairs = parse_qsl(text, keep_blank_values=True)
    return {(name, value.lower() if value in ("True", "False") else value) for name, value in pairs}


def _ours(call: tuple[str, str, dict[str, Any]]) -> Any:
    return next(getattr(RecordingPaiFlow(), call[1]).steps(**call[2]))


def test_every_operation_is_compared() -> None:
    assert len({operation for operation, _, _ in CALLS}) == 18
    assert [call[0] for call in CALLS] == [capture["operation"] for capture in BLOCKING]
    assert [call[0] for call in CALLS] == [capture["operation"] for capture in ASYNC]


@pytest.mark.parametrize(
    ("call", "capture"),
    [(call, capture) for captures in (BLOCKING, ASYNC) for call, capture in zip(CALLS, captures, strict=True)],
    ids=[f"{c['operation']}-{c['variant']}-{i}" for part in (BLOCKING, ASYNC) for i, c in enumerate(part)],
)
def test_the_same_goes_out(call: tuple[str, str, dict[str, Any]], capture: Capture) -> None:
    request = _ours(call)

    assert request.operation == capture["operation"]
    assert request.method == capture["method"]
    assert [unquote(segment) for segment in request.url_path({}).split("/")] == _path(capture)
    assert _query(request.url_query()) == _query(urlsplit(capture["raw_target"]).query)
    assert request.content().decode() == (capture["body"] or "") or json.loads(request.content()) == json.loads(
        capture["body"]
    )
    headers = _headers(capture)
    assert request.headers == {name: headers[name] for name in ("x-acs-action", "x-acs-version")}


@pytest.mark.parametrize("variant", ["path-odd-sync", "path-odd-async"])
def test_odd_ids_are_the_same_path(variant: str) -> None:
    (capture,) = [each for each in CAPTURES if each["variant"] == variant]
    odd = _path(capture)[-1]

    request = _ours(("GetPipelineRun", "get_pipeline_run", {"run_id": odd}))

    assert request.url_path({}).rpartition("/")[2] == quote(odd, safe="~")


@pytest.mark.parametrize("capture", SIGNED, ids=lambda c: f"{c['operation']}-{c['variant']}")
def test_our_signature_is_theirs(capture: Capture) -> None:
    """For the same headers, whatever way their client escapes what it signs."""
    headers = _headers(capture)
    theirs = headers["authorization"]
    names = theirs.partition("SignedHeaders=")[2].partition(",")[0].split(";")
    path, _, query = capture["raw_target"].partition("?")
    pairs = [part.partition("=")[::2] for part in query.split("&")] if query else []
    plain = "&".join(f"{quote(unquote_plus(n), safe='~')}={quote(unquote_plus(v), safe='~')}" for n, v in pairs)
    url = f"http://{headers['host']}{path}{'?' + plain if plain else ''}"

    ours = authorization(
        capture["method"],
        url,
        {name: headers[name] for name in names},
        access_key=theirs.partition("Credential=")[2].partition(",")[0],
        secret_key=SECRET_KEY,
    )

    assert ours == theirs
    assert headers["x-acs-content-sha256"] == hashlib.sha256((capture["body"] or "").encode()).hexdigest()


def test_every_signed_request_is_compared() -> None:
    assert len(SIGNED) == 53
    assert len(CAPTURES) - len(SIGNED) == 2  # the bearer token, and the older signature
