from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from airflow_provider_mlworkflows.emulator.obs import GraphDefinition, StateDefinition
from airflow_provider_mlworkflows.emulator.obs.ready import (
    FAILS_ONCE,
    PLAIN_CHAIN,
    TAKES_AN_HOUR,
    WITH_INPUTS,
)
from tests.emulator.obs_signing import FLOWS, POLICY, ObsCaller, refused

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.emulator import Emulator

SCRIPTED: dict[str, Any] = GraphDefinition("scripted", (StateDefinition("one"), StateDefinition("two"))).to_json()


@pytest.fixture
def control(emu: Emulator) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"{emu.url}/_emulator", trust_env=False) as client:
        yield client


def wait(emu: Emulator, obs: ObsCaller, graph: str, name: str, state: str) -> float:
    """Advance by seconds until an execution has a state; return how long it took."""
    for second in range(121):
        if obs.state(graph, name) == state:
            return second
        emu.clock.advance(1)
    raise AssertionError(f"never {state}: {obs.info(graph, name)}")


@pytest.mark.parametrize(
    ("graph", "ending"), [(PLAIN_CHAIN, "SUCCESS"), (WITH_INPUTS, "SUCCESS"), (FAILS_ONCE, "FAILED")]
)
def test_takes_20_to_60_seconds(emu: Emulator, obs: ObsCaller, graph: str, ending: str) -> None:
    assert 20 <= wait(emu, obs, graph, obs.started(graph), ending) <= 60


def test_fails_once(emu: Emulator, obs: ObsCaller) -> None:
    name = obs.started(FAILS_ONCE)
    wait(emu, obs, FAILS_ONCE, name, "FAILED")
    assert obs.states(FAILS_ONCE, name) == {
        "read-metadata": "SUCCESS",
        "transcode": "FAILED",
        "thumbnail": "NOTRUNNING",
        "end": "NOTRUNNING",
    }
    assert obs.restore(FAILS_ONCE, name).is_success
    wait(emu, obs, FAILS_ONCE, name, "SUCCESS")
    assert set(obs.states(FAILS_ONCE, name).values()) == {"SUCCESS"}
    assert emu.obs.starts() == 1


def test_takes_an_hour(emu: Emulator, obs: ObsCaller) -> None:
    name = obs.started(TAKES_AN_HOUR)
    emu.clock.advance(3600)
    assert obs.state(TAKES_AN_HOUR, name) == "RUNNING"
    emu.clock.advance(60)
    assert obs.state(TAKES_AN_HOUR, name) == "SUCCESS"


def test_inputs_of_the_workflow_that_has_some(obs: ObsCaller) -> None:
    inputs = obs.call("GET", FLOWS + WITH_INPUTS).json()["definition"]["inputs"]
    assert {each["type"] for each in inputs.values()} == {"String", "Integer", "Boolean", "List", "Map"}
    assert inputs["secret-mark"]["default"] == "******"


def test_control_state(emu: Emulator, obs: ObsCaller, control: httpx.Client) -> None:
    name = obs.started(PLAIN_CHAIN)
    emu.clock.advance(2)
    emu.obs.set_policy(
        "data", [{"id": "r", "graph_urn": "urn:fgs:r:p:graph:" + PLAIN_CHAIN, "events": ["ObjectCreated:*"]}]
    )
    state = control.get("/state").json()["obs"]
    assert [each["name"] for each in state["workflows"]] == [PLAIN_CHAIN, FAILS_ONCE, WITH_INPUTS, TAKES_AN_HOUR]
    (shown,) = state["executions"]
    assert (shown["execution_name"], shown["execution_state"]) == (name, "RUNNING")
    assert shown["state_map"]["read-metadata"]["status"] == "RUNNING"
    assert (state["starts"], state["templates"], list(state["policies"])) == (1, [], ["data"])
    emu.switches.visibility_delay = 1
    emu.obs.force_state(name, "FAILED")
    assert obs.restore(PLAIN_CHAIN, name).is_success
    # What it shows is true and costs no read.
    for _ in range(3):
        assert control.get("/state").json()["obs"]["executions"][0]["execution_state"] == "RUNNING"
    assert obs.state(PLAIN_CHAIN, name) == "FAILED"


def test_control_of_workflows(emu: Emulator, obs: ObsCaller, control: httpx.Client) -> None:
    failing = {"script": [["RUNNING", 3], ["FAILED", None]], "error": "States.NotFound", "message": "gone"}
    body = {"name": "scripted", **SCRIPTED, "attempts": {"two": [failing]}}
    assert control.post("/obs/workflows", json=body).json() == {"graph_name": "scripted"}
    name = obs.started("scripted")
    emu.clock.advance(8)
    emu.switches.obs_state_details = True
    info = obs.info("scripted", name)
    assert info["execution_state"] == "FAILED"
    assert info["state_map"]["two"]["error"] == {"error_code": "States.NotFound", "error_message": "gone"}
    assert control.post("/obs/workflows", json=body).status_code == 400
    assert control.post("/obs/workflows", json={"name": "other"}).status_code == 400
    assert control.post("/obs/workflows", json={}).status_code == 404
    wrong = {"name": "other", **SCRIPTED, "attempts": {"one": [{}]}}
    assert control.post("/obs/workflows", json=wrong).status_code == 400
    odd = {"name": "odd", **SCRIPTED, "status_script": [["PAUSED", 3], ["MYSTERY", None]]}
    assert control.post("/obs/workflows", json=odd).status_code == 201
    name = obs.started("odd")
    assert obs.state("odd", name) == "PAUSED"
    emu.clock.advance(3)
    assert obs.state("odd", name) == "MYSTERY"


def test_control_of_starts(emu: Emulator, obs: ObsCaller, control: httpx.Client) -> None:
    body = {"graph_name": PLAIN_CHAIN, "bucket": "data", "object": "in/x.mp4"}
    (begun,) = control.post("/obs/executions", json=body).json()["executions"]
    info = obs.info(PLAIN_CHAIN, begun["execution_name"])
    assert info["execution_type"] == "APICALL"
    assert '"object": "in/x.mp4"' in info["input"]
    assert control.post("/obs/executions", json={"graph_name": PLAIN_CHAIN}).status_code == 201
    assert control.post("/obs/executions", json={"graph_name": "nobody"}).status_code == 404
    assert control.post("/obs/executions", json=body | {"inputs": {"x": 1}}).status_code == 400
    assert control.post("/obs/executions", json=body | {"bucket": "Upper"}).status_code == 400
    assert emu.obs.starts(PLAIN_CHAIN, "APICALL") == 2


def test_control_of_events(emu: Emulator, obs: ObsCaller, control: httpx.Client) -> None:
    event = {"bucket": "data", "object": "in/x.mp4"}
    assert control.post("/obs/events", json=event).json() == {"executions": []}
    rule = {"id": "r", "graph_urn": "urn:fgs:r:p:graph:" + PLAIN_CHAIN, "events": ["ObjectCreated:Put"]}
    obs.call("PUT", "/", {"rules": [rule]}, POLICY, bucket="data")
    (begun,) = control.post("/obs/events", json=event).json()["executions"]
    assert obs.info(PLAIN_CHAIN, begun["execution_name"])["execution_type"] == "TRIGGERCAL"
    assert control.post("/obs/events", json=event | {"event": "ObjectCreated:Copy"}).json()["executions"] == []
    (named,) = control.post("/obs/events", json=event | {"graph_name": FAILS_ONCE}).json()["executions"]
    assert named["graph_name"] == FAILS_ONCE
    assert control.post("/obs/events", json=event | {"event": "Nothing"}).status_code == 400
    assert control.post("/obs/events", json={"bucket": "data"}).status_code == 404
    assert emu.obs.starts(kind="TRIGGERCAL") == 2


def test_control_of_executions(emu: Emulator, obs: ObsCaller, control: httpx.Client) -> None:
    name = obs.started(PLAIN_CHAIN)
    path = f"/obs/executions/{name}"
    answer = control.post(path + "/finish", json={})
    assert answer.json() == {"execution_name": name, "state_name": "read-metadata", "status": "SUCCESS"}
    assert control.post(path + "/finish", json={"state_name": "read-metadata"}).status_code == 400
    assert control.post(path + "/finish", json={"state_name": "nobody"}).status_code == 404
    assert control.post(path + "/finish", json={"status": "FAILED"}).json()["state_name"] == "settle"
    assert obs.state(PLAIN_CHAIN, name) == "FAILED"
    forced = {"state": "ODD", "states": {"transcode": "STUCK"}}
    assert control.post(path + "/state", json=forced).json() == {"execution_name": name, **forced}
    assert (obs.state(PLAIN_CHAIN, name), obs.states(PLAIN_CHAIN, name)["transcode"]) == ("ODD", "STUCK")
    assert control.post(path + "/state", json={"state": None}).status_code == 200
    assert obs.state(PLAIN_CHAIN, name) == "FAILED"
    assert control.post(path + "/state", json={"states": {"nobody": "X"}}).status_code == 404
    assert control.delete(path).status_code == 200
    assert control.delete(path).status_code == 404
    refused(obs.get(PLAIN_CHAIN, name), 404, "Workflow.0001")


def test_control_of_buckets(obs: ObsCaller, control: httpx.Client) -> None:
    assert control.delete("/obs/buckets/data/in/gone.mp4").status_code == 200
    refused(obs.start(PLAIN_CHAIN, object="in/gone.mp4"), 404, "SYS.0015", "in/gone.mp4")
    assert obs.start(PLAIN_CHAIN).is_success
    assert control.delete("/obs/buckets/data").status_code == 200
    refused(obs.start(PLAIN_CHAIN), 404, "SYS.0014", "data")
