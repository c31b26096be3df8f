from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_mlworkflows.emulator.obs import Invalid
from airflow_provider_mlworkflows.emulator.obs.names import bucket_of_host
from airflow_provider_mlworkflows.emulator.obs.ready import PLAIN_CHAIN, TAKES_AN_HOUR
from tests.emulator.obs_signing import FLOWS, POLICY, ObsCaller, refused, refused_in_front

if TYPE_CHECKING:
    import httpx

    from airflow_provider_mlworkflows.emulator import Emulator


def urn(graph: str, kind: str = "fgs") -> str:
    return f"urn:{kind}:cn-north-4:{'0' * 32}:graph:{graph}"


def rule(**fields: Any) -> dict[str, Any]:
    usual = {"id": "one", "graph_urn": urn(PLAIN_CHAIN), "events": ["ObjectCreated:*"], "prefix": "in/"}
    return {**usual, **fields}


def put(obs: ObsCaller, *rules: dict[str, Any], bucket: str = "data", **more: Any) -> httpx.Response:
    return obs.call("PUT", "/", {"rules": list(rules), **more}, POLICY, bucket=bucket)


def rules_of(obs: ObsCaller, bucket: str = "data") -> Any:
    answer = obs.call("GET", "/", query=POLICY, bucket=bucket)
    assert answer.status_code == 200, answer.text
    return answer.json()["rules"]


def test_policy(emu: Emulator, obs: ObsCaller) -> None:
    assert rules_of(obs) == []
    first, second = rule(suffix=".mp4"), rule(id="two", prefix="out/", graph_urn=urn(PLAIN_CHAIN, "obs"))
    answer = put(obs, first, second)
    assert (answer.status_code, answer.content) == (200, b"")
    assert rules_of(obs) == [first, second]
    assert rules_of(obs, "another") == []
    put(obs, second)
    assert rules_of(obs) == [second]
    gone = obs.call("DELETE", "/", query=POLICY, bucket="data")
    assert (gone.status_code, gone.content) == (204, b"")
    assert rules_of(obs) == []
    # A policy that is not there may be deleted as well.
    assert obs.call("DELETE", "/", query=POLICY, bucket="data").status_code == 204
    assert {each.operation for each in emu.journal.entries} == {
        "getTriggerPolicy",
        "putTriggerPolicy",
        "deleteTriggerPolicy",
    }
    assert {each.ids["bucket"] for each in emu.journal.entries} == {"data", "another"}
    assert emu.journal.count("putTriggerPolicy", effective=True, bucket="data") == 2


@pytest.mark.parametrize("path", ["/data", "/data/"])
def test_bucket_in_the_path(obs: ObsCaller, path: str) -> None:
    assert obs.call("PUT", path, {"rules": [rule()]}, POLICY).status_code == 200
    assert obs.call("GET", path, query=POLICY).json()["rules"] == [rule()] == rules_of(obs)
    assert obs.call("DELETE", path, query=POLICY).status_code == 204
    assert rules_of(obs) == []


@pytest.mark.parametrize(
    ("host", "bucket"),
    [
        ("data.obs.cn-north-4.myhuaweicloud.com", "data"),
        ("my.data.obs.cn-north-4.myhuaweicloud.com:443", "my.data"),
        ("Data.obs.test", "data"),
        ("data.localhost:8080", "data"),
        ("obs.cn-north-4.myhuaweicloud.com", None),
        ("obs.test:80", None),
        ("localhost:8080", None),
        ("127.0.0.1:8080", None),
        ("[::1]:8080", None),
        ("", None),
        (None, None),
    ],
)
def test_bucket_of_a_host(host: str | None, bucket: str | None) -> None:
    assert bucket_of_host(host) == bucket


def test_field_that_the_vendors_client_adds(obs: ObsCaller) -> None:
    assert put(obs, rule(), pathArgs={"obsworkflowtriggerpolicy": None}).is_success
    assert rules_of(obs) == [rule()]


def test_buckets_that_are_none(emu: Emulator, obs: ObsCaller) -> None:
    emu.obs.take_away("gone")
    refused_in_front(obs.call("GET", "/", query=POLICY, bucket="gone"), 404, "NoSuchBucket", "gone")
    refused_in_front(obs.call("PUT", "/Upper", {"rules": [rule()]}, POLICY), 404, "NoSuchBucket")
    refused_in_front(obs.call("DELETE", "/", query=POLICY), 405, "MethodNotAllowed")
    assert emu.obs.policies == {}


@pytest.mark.parametrize(
    ("rules", "code"),
    [
        ([], "SYS.0010"),
        (["one"], "SYS.0010"),
        ([rule(id=f"r{number}", prefix=f"{number}/") for number in range(11)], "OEFTrigger.1003"),
        ([rule(), rule(prefix="out/")], "OEFTrigger.1004"),
        ([rule(id="a b")], "OEFTrigger.1005"),
        ([rule(id="x" * 257)], "OEFTrigger.1005"),
        ([rule(id="")], "OEFTrigger.1005"),
        ([rule(id=5)], "OEFTrigger.1005"),
        ([rule(prefix="x" * 1000, suffix="y" * 25)], "OEFTrigger.1007"),
        ([rule(prefix=5)], "OEFTrigger.1007"),
        ([rule(), rule(id="two", prefix="in/more/")], "OEFTrigger.1007"),
        ([rule(suffix=".mp4"), rule(id="two", events=["ObjectCreated:Put"])], "OEFTrigger.1007"),
        ([rule(events=["ObjectCreated:Get"])], "OEFTrigger.1008"),
        ([rule(events=["ObjectMoved:*"])], "OEFTrigger.1008"),
        ([rule(events=[])], "OEFTrigger.1008"),
        ([rule(events="ObjectCreated:*")], "OEFTrigger.1008"),
        ([rule(events=[5])], "OEFTrigger.1008"),
        ([rule(graph_urn=urn("nobody"))], "OEFTrigger.1009"),
        ([rule(graph_urn=PLAIN_CHAIN)], "OEFTrigger.1009"),
        ([rule(graph_urn=None)], "OEFTrigger.1009"),
    ],
)
def test_rules_that_break_the_rules(obs: ObsCaller, rules: list[Any], code: str) -> None:
    put(obs, rule(id="before"))
    refused(put(obs, *rules), 400, code)
    assert rules_of(obs) == [rule(id="before")]


@pytest.mark.parametrize("raw", [b"", b"[]", b"{}", b'{"rules": null}'])
def test_body_without_rules(obs: ObsCaller, raw: bytes) -> None:
    answer = obs.call("PUT", "/", raw=raw, query=POLICY, bucket="data")
    refused(answer, 400, "SYS.0010" if raw.startswith(b"{") else "SYS.0006")


@pytest.mark.parametrize(
    "other",
    [
        rule(id="two", prefix="out/"),
        rule(id="two", prefix="in/more/", graph_urn=urn(TAKES_AN_HOUR)),
        rule(id="two", events=["ObjectRemoved:*"]),
        rule(id="two", prefix="in/more/", suffix=".avi"),
    ],
    ids=["other place", "other workflow", "other event", "other suffix"],
)
def test_rules_side_by_side(obs: ObsCaller, other: dict[str, Any]) -> None:
    assert put(obs, rule(suffix=".mp4"), other).status_code == 200
    assert put(obs, other, rule(suffix=".mp4")).status_code == 200


def test_ten_rules_at_most(obs: ObsCaller) -> None:
    rules = [rule(id="x" * 256 if number == 0 else f"r{number}", prefix=f"{number}/") for number in range(10)]
    assert put(obs, *rules).status_code == 200
    assert rules_of(obs) == rules


def test_events_start_executions(emu: Emulator, obs: ObsCaller) -> None:
    late = rule(id="two", graph_urn=urn(TAKES_AN_HOUR), events=["ObjectCreated:Copy"], suffix=".mp4")
    put(obs, rule(), late)
    assert emu.obs.raise_event("data", "out/a.mp4") == []
    assert emu.obs.raise_event("data", "in/a.mp4", "ObjectRemoved:Delete") == []
    assert emu.obs.raise_event("another", "in/a.mp4") == []
    (begun,) = emu.obs.raise_event("data", "in/a.avi", "ObjectCreated:Copy")
    info = obs.info(PLAIN_CHAIN, begun.execution_name)
    assert info["execution_type"] == "TRIGGERCAL"
    record = json.loads(info["input"])["Records"][0]
    assert (record["eventSource"], record["eventName"]) == ("OBS", "ObjectCreated:Copy")
    assert record["obs"] == {"bucket": {"name": "data"}, "object": {"key": "in/a.avi"}}
    both = emu.obs.raise_event("data", "in/b.mp4", "ObjectCreated:Copy")
    assert [each.graph_name for each in both] == [PLAIN_CHAIN, TAKES_AN_HOUR]
    assert emu.obs.starts(kind="TRIGGERCAL") == 3
    assert emu.journal.count("asyncAPIStartWorkflow") == 0
    emu.obs.delete_workflow(TAKES_AN_HOUR)
    assert len(emu.obs.raise_event("data", "in/c.mp4", "ObjectCreated:Copy")) == 1
    for event in ("ObjectCreated:*", "ObjectMoved:Put", ""):
        with pytest.raises(Invalid, match="no event"):
            emu.obs.raise_event("data", "in/a.mp4", event)


def test_workflows_show_what_triggers_them(obs: ObsCaller) -> None:
    put(obs, rule(suffix=".mp4"), rule(id="two", graph_urn=urn(TAKES_AN_HOUR)))
    put(obs, rule(prefix="", events=["ObjectRemoved:Delete"]), bucket="another")
    shown = obs.call("GET", FLOWS + PLAIN_CHAIN).json()["definition"]["event_defs"]
    assert shown == [
        {
            "event_source": "OBS",
            "trigger_bucket": "data",
            "trigger_type": ["ObjectCreated:*"],
            "trigger_prefix": "in/",
            "trigger_suffix": ".mp4",
        },
        {
            "event_source": "OBS",
            "trigger_bucket": "another",
            "trigger_type": ["ObjectRemoved:Delete"],
            "trigger_prefix": "",
            "trigger_suffix": "",
        },
    ]


def test_policies_are_handed_out_as_copies(emu: Emulator, obs: ObsCaller) -> None:
    given = rule()
    emu.obs.set_policy("data", [given])
    before = copy.deepcopy(given)
    given["events"].append("ObjectRemoved:*")
    emu.obs.policies["data"][0]["id"] = "changed"
    assert rules_of(obs) == [before]
