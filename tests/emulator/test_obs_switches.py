from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_mlworkflows.emulator import Emulator, FaultRule, Switches
from airflow_provider_mlworkflows.emulator.obs.ready import FAILS_ONCE, PLAIN_CHAIN, WITH_INPUTS
from tests.emulator.obs_signing import FLOWS, RUNS, TEMPLATES, ObsCaller, refused, refused_in_front
from tests.emulator.test_obs_workflows import BODY, CREATE

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx


@pytest.fixture
def elsewhere() -> Iterator[Emulator]:
    """A second emulator, to which calls can be sent on."""
    with Emulator(clock="manual") as running:
        yield running


def wrong(obs: ObsCaller) -> httpx.Response:
    """Make the workflow service answer with an error."""
    return obs.start(WITH_INPUTS, {"nobody": 1})


def test_request_id(obs: ObsCaller) -> None:
    """By default the workflow service uses a header of its own for successes and errors."""
    for answer in (obs.start(PLAIN_CHAIN), wrong(obs)):
        assert len(answer.headers["x-request-id"]) == 32
        assert "x-obs-request-id" not in answer.headers


def test_request_id_of_object_storage(emu: Emulator, obs: ObsCaller) -> None:
    emu.switches.obs_request_id = "x-obs-request-id"
    answer = obs.start(PLAIN_CHAIN)
    assert answer.headers["x-obs-request-id"] == emu.journal.entries[-1].request_id
    assert wrong(obs).json()["request_id"] == emu.journal.entries[-1].request_id
    assert "x-request-id" not in answer.headers


@pytest.mark.parametrize("named", [True, False])
def test_content_type_of_successes(emu: Emulator, obs: ObsCaller, named: bool) -> None:
    emu.switches.obs_content_type = named
    answer = obs.start(PLAIN_CHAIN)
    assert answer.headers.get("content-type") == ("application/json" if named else None)
    assert answer.json()["execution_name"] in emu.obs.executions
    assert wrong(obs).headers["content-type"] == "application/json"


def test_errors_whose_type_names_a_charset(emu: Emulator, obs: ObsCaller) -> None:
    emu.switches.obs_errors = "json-charset"
    answer = wrong(obs)
    assert answer.headers["content-type"] == "application/json;charset=UTF-8"
    assert (answer.status_code, answer.json()["code"]) == (400, "Workflow.0009")


def test_errors_as_xml(emu: Emulator, obs: ObsCaller) -> None:
    emu.switches.update({"obs_errors": "xml", "obs_request_id": "x-obs-request-id"}, emu.lock)
    refused_in_front(wrong(obs), 400, "Workflow.0009", "nobody")
    refused_in_front(obs.get(PLAIN_CHAIN, "nobody"), 404, "Workflow.0001", "nobody")
    assert emu.journal.entries[-1].code == "Workflow.0001"


def test_errors_as_text(emu: Emulator, obs: ObsCaller) -> None:
    emu.switches.obs_errors = "text"
    answer = wrong(obs)
    assert (answer.status_code, answer.headers["content-type"]) == (400, "text/plain;charset=UTF-8")
    assert answer.text.startswith("Workflow.0009: nobody is no parameter of the workflow")
    assert emu.journal.entries[-1].code == "Workflow.0009"
    emu.faults.add(FaultRule(status=500))
    assert obs.start(PLAIN_CHAIN).text == "SYS.0001: internal error\n"
    # The front has its own words.
    obs.sk = "wrong"
    refused_in_front(obs.start(PLAIN_CHAIN), 403, "SignatureDoesNotMatch")


def test_calls_are_sent_on(emu: Emulator, obs: ObsCaller, elsewhere: Emulator) -> None:
    emu.switches.obs_redirect = elsewhere.url
    answer = obs.call("GET", RUNS, query={"x-workflow-graph-name": PLAIN_CHAIN})
    refused_in_front(answer, 307, "TemporaryRedirect", "Location")
    assert answer.headers["location"] == f"{elsewhere.url}{RUNS}?x-workflow-graph-name={PLAIN_CHAIN}"
    assert obs.start(PLAIN_CHAIN).status_code == 307
    elsewhere.switches.obs_redirect = elsewhere.url
    obs.url = elsewhere.url
    assert obs.start(PLAIN_CHAIN).is_success
    assert (emu.obs.starts(), elsewhere.obs.starts()) == (0, 1)


def test_one_call_is_sent_back_to_the_same_place(emu: Emulator, obs: ObsCaller) -> None:
    emu.faults.add(FaultRule("asyncAPIStartWorkflow", status=307))
    answer = obs.start(PLAIN_CHAIN)
    assert (answer.status_code, answer.headers["location"]) == (307, emu.url + FLOWS + PLAIN_CHAIN)
    assert obs.start(PLAIN_CHAIN).is_success
    assert emu.obs.starts() == 1


@pytest.mark.parametrize(
    ("signs", "accepted"), [("either", (True, True)), ("yes", (True, False)), ("no", (False, True))]
)
def test_whether_the_parameter_of_a_create_is_signed(
    emu: Emulator, obs: ObsCaller, monkeypatch: pytest.MonkeyPatch, signs: Any, accepted: tuple[bool, bool]
) -> None:
    emu.switches.obs_signed_create = signs
    without = obs.call("POST", FLOWS + "without", BODY, CREATE)
    monkeypatch.setattr("tests.emulator.obs_signing.SIGNED", {"x-workflow-create"})
    signed = obs.call("POST", FLOWS + "with", BODY, CREATE)
    assert (signed.status_code == 201, without.status_code == 201) == accepted
    for name, answer, right in (("with", signed, accepted[0]), ("without", without, accepted[1])):
        assert (name in emu.obs.workflows) == right
        if not right:
            refused_in_front(answer, 403, "SignatureDoesNotMatch")


def test_what_does_not_exist(emu: Emulator, obs: ObsCaller) -> None:
    emu.switches.update({"missing_status": 400, "obs_missing_code": "Workflow.0099"}, emu.lock)
    for path in (FLOWS + "nobody", TEMPLATES + "nobody", "/v2/actiontemplates/nobody"):
        refused(obs.call("GET", path), 400, "Workflow.0099", "nobody")


def test_key_of_the_creation_time_in_lists(emu: Emulator, obs: ObsCaller) -> None:
    emu.switches.obs_created_key = "create_at"
    (item,) = obs.call("GET", FLOWS + PLAIN_CHAIN, query={"x-workflow-prefix": None}).json()["graphs"]
    assert set(item) == {"name", "create_at", "graph_urn"}
    assert "created_at" in obs.call("GET", FLOWS + PLAIN_CHAIN).json()


def test_input_as_an_event(emu: Emulator, obs: ObsCaller) -> None:
    emu.switches.obs_input = "event"
    name = obs.started(WITH_INPUTS, {"frames": 30})
    given = json.loads(obs.info(WITH_INPUTS, name)["input"])
    assert given["inputs"] == {"frames": 30}
    assert given["Records"][0]["obs"] == {"bucket": {"name": "data"}, "object": {"key": "in/a.mp4"}}


def test_null_for_inputs(emu: Emulator, obs: ObsCaller) -> None:
    assert obs.start(PLAIN_CHAIN).is_success
    emu.switches.obs_null_inputs = False
    refused(obs.start(PLAIN_CHAIN), 400, "Workflow.0009", "null")
    assert obs.call("POST", FLOWS + PLAIN_CHAIN, {"bucket": "data", "object": "o"}).is_success


@pytest.mark.parametrize(("known", "expected"), [("ignored", 2), ("applied", 1)])
def test_filter_by_state(emu: Emulator, obs: ObsCaller, known: Any, expected: int) -> None:
    emu.switches.obs_state_filter = known
    obs.started(FAILS_ONCE)
    emu.clock.advance(30)
    obs.started(FAILS_ONCE)
    assert obs.runs(FAILS_ONCE, execution_state="RUNNING")["count"] == expected


def test_pages_are_smaller_than_asked_for(emu: Emulator, obs: ObsCaller) -> None:
    emu.switches.obs_page_cap = 2
    for _ in range(3):
        obs.started(PLAIN_CHAIN)
    body = obs.runs(PLAIN_CHAIN, limit=1000)
    assert (body["count"], body["is_truncated"]) == (2, True)
    body = obs.call("GET", FLOWS, query={"x-workflow-prefix": None, "x-workflow-limit": 1000}).json()
    assert (body["count"], body["next_start"]) == (2, 3)
    emu.switches.update({"obs_page_cap": 1000, "default_limit": 1}, emu.lock)
    assert obs.runs(PLAIN_CHAIN)["count"] == 1


@pytest.mark.parametrize("shown", [True, False])
def test_field_that_nobody_documented(emu: Emulator, obs: ObsCaller, shown: bool) -> None:
    emu.switches.unknown_field = shown
    for answer in (obs.start(PLAIN_CHAIN), obs.call("GET", FLOWS + PLAIN_CHAIN)):
        assert ("reserved_info" in answer.json()) is shown


def test_list_that_lags_after_a_lost_answer(emu: Emulator, obs: ObsCaller) -> None:
    """The list is the only place to find a start again, and it may be late."""
    emu.switches.list_lag = 8.0
    emu.faults.add(FaultRule("asyncAPIStartWorkflow", when="after", status=503))
    asked = {"graph": PLAIN_CHAIN, "object": "in/marked.mp4"}
    refused_in_front(obs.start(asked["graph"], object=asked["object"]), 503, "ServiceUnavailable")
    assert obs.runs(PLAIN_CHAIN, execution_type="APICALL")["count"] == 0
    emu.clock.advance(7.9)
    assert obs.runs(PLAIN_CHAIN, execution_type="APICALL")["count"] == 0
    emu.clock.advance(0.1)
    (found,) = obs.runs(PLAIN_CHAIN, execution_type="APICALL")["executions"]
    info = obs.info(PLAIN_CHAIN, found["execution_name"])
    assert json.loads(info["input"])["object"] == asked["object"]
    age = emu.clock.now() - datetime.fromisoformat(info["started_at"])
    assert timedelta(seconds=8) <= age < timedelta(seconds=8.001)


@pytest.mark.parametrize("status", [429, 503])
def test_first_starts_are_refused(emu: Emulator, obs: ObsCaller, status: int) -> None:
    emu.faults.add(FaultRule("asyncAPIStartWorkflow", times=3, status=status, retry_after=1))
    answers = [obs.start(PLAIN_CHAIN) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [status] * 3 + [200]
    assert [answer.headers.get("retry-after") for answer in answers] == ["1"] * 3 + [None]
    assert emu.obs.starts() == 1
    assert emu.journal.count("asyncAPIStartWorkflow", effective=True) == 1


def test_page_of_a_proxy(emu: Emulator, obs: ObsCaller) -> None:
    emu.faults.add(FaultRule("getWorkflowExecution", action="html", status=502))
    name = obs.started(PLAIN_CHAIN)
    answer = obs.get(PLAIN_CHAIN, name)
    assert (answer.status_code, answer.headers["content-type"]) == (502, "text/html")
    assert obs.get(PLAIN_CHAIN, name).is_success


def test_restore_whose_answer_is_lost(emu: Emulator, obs: ObsCaller) -> None:
    name = obs.started(FAILS_ONCE)
    emu.clock.advance(30)
    emu.faults.add(FaultRule("restoreFailedWorkflowExecution", when="after", status=500))
    refused(obs.restore(FAILS_ONCE, name), 500, "SYS.0001")
    assert obs.state(FAILS_ONCE, name) == "RUNNING"
    refused(obs.restore(FAILS_ONCE, name), 400, "SYS.0010", "RUNNING")
    assert emu.journal.count("restoreFailedWorkflowExecution", effective=True) == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("obs_errors", "yaml"),
        ("obs_request_id", "X-Id"),
        ("obs_page_cap", "many"),
        ("obs_throttled_status", 500),
        ("obs_redirect", 5),
    ],
)
def test_switches_are_checked(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=name):
        Switches(**{name: value})
