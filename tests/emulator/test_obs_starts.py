from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_mlworkflows.emulator.obs.ready import PLAIN_CHAIN, WITH_INPUTS
from tests.emulator.obs_signing import FLOWS, ObsCaller, refused

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.emulator import Emulator


def test_start(emu: Emulator, obs: ObsCaller) -> None:
    answer = obs.start(PLAIN_CHAIN, bucket="data", object="目录/文件 1.txt")
    assert answer.status_code == 200
    body = answer.json()
    name = body["execution_name"]
    assert body["started_at"] == f"{emu.clock.now():%Y-%m-%dT%H:%M:%S}.{emu.clock.now().microsecond // 1000:03d}Z"
    project, domain = emu.credentials.project_id, emu.credentials.domain_id
    assert body["execution_urn"] == f"urn:fgs:cn-north-4:{project}:execution:{PLAIN_CHAIN}:{name}:{domain}"
    info = obs.info(PLAIN_CHAIN, name)
    assert info["graph_urn"] == f"urn:fgs:cn-north-4:{project}:graph:{PLAIN_CHAIN}"
    assert info["isTest"] is False
    assert isinstance(info["input"], str)
    assert json.loads(info["input"]) == {"bucket": "data", "object": "目录/文件 1.txt", "inputs": None}
    assert (info["execution_type"], info["execution_state"], info["stopped_at"]) == ("APICALL", "RUNNING", "")
    assert info["start_state"] == "read-metadata"
    first, second = info["state_map"]["read-metadata"], info["state_map"]["settle"]
    assert (first["status"], first["type"], first["started_at"]) == ("RUNNING", "OPERATION", info["started_at"])
    assert first["input"] == info["input"]
    assert second == {"state_name": "settle", "type": "DELAY", "status": "NOTRUNNING"}
    assert emu.journal.entries[0].ids == {"graph_name": PLAIN_CHAIN, "execution_name": name}


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (None, 400, "SYS.0006"),
        ([], 400, "SYS.0006"),
        ({}, 400, "SYS.0010"),
        ({"bucket": "b"}, 400, "SYS.0010"),
        ({"bucket": "Upper"}, 400, "SYS.0010"),
        ({"bucket": "a..b"}, 400, "SYS.0010"),
        ({"bucket": "a.-b"}, 400, "SYS.0010"),
        ({"bucket": "a-.b"}, 400, "SYS.0010"),
        ({"bucket": "-ab"}, 400, "SYS.0010"),
        ({"bucket": "ab-"}, 400, "SYS.0010"),
        ({"bucket": "10.0.0.1"}, 400, "SYS.0010"),
        ({"bucket": "a" * 64}, 400, "SYS.0010"),
        ({"bucket": 5}, 400, "SYS.0010"),
        ({"bucket": "data", "object": ""}, 400, "SYS.0010"),
        ({"bucket": "data", "object": "x" * 1025}, 400, "SYS.0010"),
        ({"bucket": "data", "object": None}, 400, "SYS.0010"),
        ({"bucket": "gone"}, 404, "SYS.0014"),
        ({"bucket": "data", "object": "gone"}, 404, "SYS.0015"),
        ({"bucket": "data", "object": "x" * 1024}, 200, ""),
        ({"bucket": "my.data-1", "object": "/mpc/demo.mp4"}, 200, ""),
    ],
    ids=str,
)
def test_bucket_and_object(emu: Emulator, obs: ObsCaller, body: Any, status: int, code: str) -> None:
    emu.obs.take_away("gone")
    emu.obs.take_away("data", "gone")
    given = {"object": "o", "inputs": None, **body} if isinstance(body, dict) else body
    answer = obs.call("POST", FLOWS + PLAIN_CHAIN, given)
    if status == 200:
        assert answer.status_code == 200
    else:
        refused(answer, status, code)
    assert emu.obs.starts() == (status == 200)


@pytest.mark.parametrize(
    ("inputs", "code"),
    [
        (None, ""),
        ({}, ""),
        ({"resolution": "480p", "frames": 0, "sharpen": True, "formats": [], "labels": {"a": 1}}, ""),
        ("inputs", "Workflow.0009"),
        ([], "Workflow.0009"),
        ({"nobody": 1}, "Workflow.0009"),
        ({"Resolution": "480p"}, "Workflow.0009"),
        ({"resolution": "99p"}, "Workflow.0009"),
        ({"resolution": 480}, "Workflow.0006"),
        ({"frames": "25"}, "Workflow.0006"),
        ({"frames": 2.5}, "Workflow.0006"),
        ({"frames": True}, "Workflow.0006"),
        ({"sharpen": 1}, "Workflow.0006"),
        ({"formats": {}}, "Workflow.0006"),
        ({"labels": []}, "Workflow.0006"),
        ({"labels": None}, "Workflow.0006"),
    ],
    ids=str,
)
def test_inputs(emu: Emulator, obs: ObsCaller, inputs: Any, code: str) -> None:
    answer = obs.start(WITH_INPUTS, inputs)
    if code:
        refused(answer, 400, code)
        assert emu.obs.starts() == 0
    else:
        given = json.loads(obs.info(WITH_INPUTS, answer.json()["execution_name"])["input"])
        assert given["inputs"] == inputs


@pytest.mark.parametrize("path", ["a b", "-a", "_a", "a" * 65, "a.b", "a/b", ""])
def test_name_that_is_none(obs: ObsCaller, path: str) -> None:
    refused(obs.start(path), 400, "Workflow.0003")
