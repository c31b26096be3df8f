from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_mlworkflows.emulator import Emulator, phases
from airflow_provider_mlworkflows.emulator.obs import (
    GraphDefinition,
    IllegalAction,
    StateAttempt,
    StateDefinition,
    fails,
    never_ends,
    succeeds,
)
from airflow_provider_mlworkflows.emulator.obs.ready import FAILS_ONCE, PLAIN_CHAIN
from tests.emulator.obs_signing import RUNS, ObsCaller, refused

if TYPE_CHECKING:
    from collections.abc import Iterator


def chain(*attempts: StateAttempt, name: str = "flow", **fields: Any) -> GraphDefinition:
    """A workflow of three operations, the second of which is scripted."""
    operations = (
        StateDefinition("one", attempts=(succeeds(2),)),
        StateDefinition("two", attempts=attempts, fields=fields),
        StateDefinition("three", attempts=(succeeds(2),)),
    )
    return GraphDefinition(name, operations)


def action(**result: Any) -> dict[str, Any]:
    return {"actions": [{"action_name": "two", "results": [{"match": "MatchAny", "is_terminal": True, **result}]}]}


def test_runs_through_its_states(emu: Emulator, obs: ObsCaller) -> None:
    name = obs.started(PLAIN_CHAIN)
    seen = {}
    for second in range(21):
        seen[second] = "".join(status[0] for status in obs.states(PLAIN_CHAIN, name).values())
        emu.clock.advance(1)
    assert [seen[second] for second in (0, 3, 4, 6, 7, 19, 20)] == [
        "RNNN",
        "RNNN",
        "SRNN",
        "SRNN",
        "SSRN",
        "SSRN",
        "SSSS",
    ]
    info = obs.info(PLAIN_CHAIN, name)
    assert info["execution_state"] == "SUCCESS"
    assert info["stopped_at"] > info["started_at"]


def test_looking_late_changes_no_time(emu: Emulator, obs: ObsCaller) -> None:
    early, late = obs.started(PLAIN_CHAIN), obs.started(PLAIN_CHAIN)
    for _ in range(30):
        emu.clock.advance(1)
        obs.state(PLAIN_CHAIN, early)
    one, other = obs.info(PLAIN_CHAIN, early), obs.info(PLAIN_CHAIN, late)
    assert one["stopped_at"] == other["stopped_at"]
    assert one["state_map"] == other["state_map"]


@pytest.fixture
def quick() -> Iterator[ObsCaller]:
    with Emulator(clock="per_read", speed=2, tick=5) as emulator, ObsCaller.of(emulator) as client:
        yield client


def test_speed_and_clock_of_reads(quick: ObsCaller) -> None:
    name = quick.started(PLAIN_CHAIN)
    # Twenty seconds at twice the speed are two reads of five.
    assert [quick.state(PLAIN_CHAIN, name) for _ in range(3)] == ["RUNNING", "SUCCESS", "SUCCESS"]


def test_failure_and_restore(emu: Emulator, obs: ObsCaller) -> None:
    emu.obs.add_workflow(chain(fails(3), fails(1), succeeds(3)))
    name = obs.started("flow")
    emu.clock.advance(5)
    failed = obs.info("flow", name)
    assert failed["execution_state"] == "FAILED"
    assert failed["stopped_at"] != ""
    assert obs.states("flow", name) == {"one": "SUCCESS", "two": "FAILED", "three": "NOTRUNNING", "end": "NOTRUNNING"}
    emu.clock.advance(60)
    answer = obs.restore("flow", name)
    assert answer.status_code == 200
    assert answer.json()["execution_name"] == name
    assert answer.json()["restored_at"] > failed["stopped_at"]
    running = obs.info("flow", name)
    assert (running["execution_state"], running["stopped_at"]) == ("RUNNING", "")
    assert running["state_map"]["one"] == failed["state_map"]["one"]
    assert running["state_map"]["two"]["status"] == "RUNNING"
    emu.clock.advance(1)
    assert obs.state("flow", name) == "FAILED"
    assert obs.restore("flow", name).is_success
    emu.clock.advance(5)
    assert obs.state("flow", name) == "SUCCESS"
    assert emu.obs.execution(name).states["one"].attempt == 1
    assert emu.obs.execution(name).states["two"].attempt == 3
    assert emu.obs.starts() == 1
    assert emu.journal.count("restoreFailedWorkflowExecution", effective=True, execution_name=name) == 2


@pytest.mark.parametrize("seconds", [0, 20])
def test_only_failed_executions_are_restored(emu: Emulator, obs: ObsCaller, seconds: int) -> None:
    name = obs.started(PLAIN_CHAIN)
    emu.clock.advance(seconds)
    refused(obs.restore(PLAIN_CHAIN, name), 400, "SYS.0010", "only failed")
    assert emu.journal.entries[-1].effective is False
    emu.switches.wrong_state = (409, "Odd.1")
    assert obs.restore(PLAIN_CHAIN, name).status_code == 409
    emu.switches.wrong_state = (200, "")
    assert obs.restore(PLAIN_CHAIN, name).json()["execution_name"] == name
    assert emu.journal.entries[-1].effective is False


def test_restore_shows_late(emu: Emulator, obs: ObsCaller) -> None:
    name = obs.started(FAILS_ONCE)
    emu.clock.advance(20)
    emu.switches.visibility_delay = 2
    assert obs.restore(FAILS_ONCE, name).is_success
    refused(obs.restore(FAILS_ONCE, name), 400, "SYS.0010")
    assert obs.state(FAILS_ONCE, name) == "FAILED"
    assert obs.runs(FAILS_ONCE)["executions"][0]["execution_state"] == "FAILED"
    assert obs.state(FAILS_ONCE, name) == "RUNNING"


def test_retries_that_the_definition_asks_for(emu: Emulator, obs: ObsCaller) -> None:
    emu.obs.add_workflow(chain(fails(1), fails(1), succeeds(1), **action(retry_interval=4, max_retry=2)))
    name = obs.started("flow")
    emu.clock.advance(12)
    assert obs.states("flow", name)["two"] == "RUNNING"
    emu.clock.advance(1)
    assert obs.states("flow", name)["two"] == "SUCCESS"
    assert emu.obs.execution(name).states["two"].attempt == 3


def test_failure_that_the_definition_leads_past(emu: Emulator, obs: ObsCaller) -> None:
    way = action(max_retry=0, is_terminal=False, next_state="three")
    emu.obs.add_workflow(chain(fails(1), **way))
    name = obs.started("flow")
    emu.clock.advance(5)
    assert obs.state("flow", name) == "SUCCESS"
    assert obs.states("flow", name)["two"] == "FAILED"


def test_result_for_another_failure(emu: Emulator, obs: ObsCaller) -> None:
    emu.obs.add_workflow(chain(fails(1, "States.NotFound"), **action(match="States.ActionFailed")))
    name = obs.started("flow")
    emu.clock.advance(3)
    assert obs.state("flow", name) == "FAILED"


def test_literals_nobody_knows(emu: Emulator, obs: ObsCaller) -> None:
    script = phases(("RUNNING", 2), ("SUSPENDED", 3), "TIMEOUT")
    emu.obs.add_workflow(
        GraphDefinition("odd", (StateDefinition("one", attempts=(never_ends(),)),), status_script=script)
    )
    name = obs.started("odd")
    seen = []
    for _ in range(7):
        seen.append(obs.state("odd", name))
        emu.clock.advance(1)
    assert seen == ["RUNNING"] * 2 + ["SUSPENDED"] * 3 + ["TIMEOUT"] * 2
    emu.obs.force_state(name, "MYSTERY", {"one": "STUCK"})
    assert (obs.state("odd", name), obs.states("odd", name)["one"]) == ("MYSTERY", "STUCK")
    emu.obs.force_state(name, "FAILED")
    assert obs.restore("odd", name).is_success
    assert obs.state("odd", name) == "RUNNING"


def test_states_ended_by_hand(emu: Emulator, obs: ObsCaller) -> None:
    emu.obs.add_workflow(chain(never_ends()))
    name = obs.started("flow")
    assert emu.obs.finish_state(name) == "one"
    emu.clock.advance(86400)
    assert obs.states("flow", name)["two"] == "RUNNING"
    with pytest.raises(IllegalAction, match="one is SUCCESS"):
        emu.obs.finish_state(name, state_name="one")
    assert emu.obs.finish_state(name, "FAILED") == "two"
    assert obs.state("flow", name) == "FAILED"
    assert obs.restore("flow", name).is_success
    emu.obs.finish_state(name, "SUCCESS", "two")
    emu.obs.finish_state(name)
    assert obs.state("flow", name) == "SUCCESS"
    with pytest.raises(KeyError):
        emu.obs.finish_state("nobody")


def test_failure_made_a_success_by_hand(emu: Emulator, obs: ObsCaller) -> None:
    emu.obs.add_workflow(chain(fails(1)))
    name = obs.started("flow")
    emu.clock.advance(3)
    assert obs.state("flow", name) == "FAILED"
    emu.obs.force_state(name, None, {"two": "SUCCESS"})
    info = obs.info("flow", name)
    assert (info["execution_state"], info["stopped_at"]) == ("RUNNING", "")
    emu.clock.advance(2)
    assert obs.state("flow", name) == "SUCCESS"


def test_details_of_states(emu: Emulator, obs: ObsCaller) -> None:
    emu.obs.add_workflow(chain(fails(1, "States.NotFound", "no such function")))
    name = obs.started("flow")
    emu.clock.advance(3)
    assert "error" not in obs.info("flow", name)["state_map"]["two"]
    emu.switches.obs_state_details = True
    states = obs.info("flow", name)["state_map"]
    assert states["one"]["stopped_at"] == states["two"]["started_at"]
    assert states["two"]["error"] == {"error_code": "States.NotFound", "error_message": "no such function"}
    assert "stopped_at" not in states["three"]


def test_list_is_in_the_order_of_kind_and_name(emu: Emulator, obs: ObsCaller) -> None:
    names = [obs.started(PLAIN_CHAIN) for _ in range(7)]
    events = [emu.obs.trigger(PLAIN_CHAIN).execution_name for _ in range(2)]
    obs.started(FAILS_ONCE)
    body = obs.runs(PLAIN_CHAIN)
    assert [each["execution_name"] for each in body["executions"]] == sorted(names) + sorted(events)
    assert (body["count"], body["is_truncated"]) == (9, False)
    assert "next_marker" not in body
    assert set(body["executions"][0]) == {
        *("graph_urn", "execution_urn", "execution_name", "execution_type"),
        *("execution_state", "started_at", "stopped_at"),
    }
    assert body["executions"][0]["stopped_at"] == ""
    assert [each["execution_type"] for each in body["executions"]] == ["APICALL"] * 7 + ["TRIGGERCAL"] * 2
    assert (emu.obs.starts(), emu.obs.starts(PLAIN_CHAIN, "TRIGGERCAL")) == (10, 2)


def test_pages(emu: Emulator, obs: ObsCaller) -> None:
    for _ in range(12):
        obs.started(PLAIN_CHAIN)
    assert obs.runs(PLAIN_CHAIN)["count"] == 10
    whole = [each["execution_name"] for each in obs.runs(PLAIN_CHAIN, limit=1000)["executions"]]
    found: list[str] = []
    body = obs.runs(PLAIN_CHAIN, limit=5)
    while True:
        found += [each["execution_name"] for each in body["executions"]]
        if not body["is_truncated"]:
            break
        assert body["next_marker"] == "APICALL" + found[-1]
        body = obs.runs(PLAIN_CHAIN, limit=5, next_marker=body["next_marker"])
    assert found == whole
    assert len(found) == 12
    emu.switches.obs_page_cap = 4
    assert obs.runs(PLAIN_CHAIN, limit=1000)["count"] == 4
    assert obs.runs(PLAIN_CHAIN, next_marker="TRIGGERCAL") == obs.runs(PLAIN_CHAIN, next_marker="Z")


def test_filters_of_the_list(emu: Emulator, obs: ObsCaller) -> None:
    failed = obs.started(FAILS_ONCE)
    emu.clock.advance(20)
    obs.started(FAILS_ONCE)
    event = emu.obs.trigger(FAILS_ONCE).execution_name
    (only,) = obs.runs(FAILS_ONCE, execution_type="TRIGGERCAL")["executions"]
    assert only["execution_name"] == event
    assert obs.runs(FAILS_ONCE, execution_type="APICALL")["count"] == 2
    assert obs.runs(FAILS_ONCE, execution_state="FAILED")["count"] == 3
    emu.switches.obs_state_filter = "applied"
    (only,) = obs.runs(FAILS_ONCE, execution_state="FAILED")["executions"]
    assert only["execution_name"] == failed


def test_lists_lag(emu: Emulator, obs: ObsCaller) -> None:
    emu.switches.list_lag = 5.0
    name = obs.started(PLAIN_CHAIN)
    assert obs.runs(PLAIN_CHAIN)["executions"] == []
    assert obs.state(PLAIN_CHAIN, name) == "RUNNING"
    emu.clock.advance(5)
    assert obs.runs(PLAIN_CHAIN)["count"] == 1


@pytest.mark.parametrize(
    "query",
    [{"limit": 0}, {"limit": 1001}, {"limit": "x"}, {"limit": -1}, {"execution-type": "TRIGGERCALL"}],
    ids=str,
)
def test_list_refuses(obs: ObsCaller, query: dict[str, Any]) -> None:
    asked = {f"x-workflow-{name}": value for name, value in query.items()}
    answer = obs.call("GET", RUNS, query={"x-workflow-graph-name": PLAIN_CHAIN, **asked})
    refused(answer, 400, "SYS.0010")


def test_what_does_not_exist(emu: Emulator, obs: ObsCaller) -> None:
    name = obs.started(PLAIN_CHAIN)
    refused(obs.call("GET", RUNS), 400, "SYS.0010", "x-workflow-graph-name")
    refused(obs.call("GET", RUNS, query={"x-workflow-graph-name": "nobody"}), 404, "Workflow.0001", "nobody")
    refused(obs.get(FAILS_ONCE, name), 404, "Workflow.0001", name)
    refused(obs.get(PLAIN_CHAIN, "nobody"), 404, "Workflow.0001")
    refused(obs.restore(PLAIN_CHAIN, "nobody"), 404, "Workflow.0001")
    refused(obs.start("nobody"), 404, "Workflow.0001")
    emu.switches.update({"missing_status": 400, "obs_missing_code": "Workflow.0002"}, emu.lock)
    refused(obs.start("nobody"), 400, "Workflow.0002")
    emu.obs.delete_execution(name)
    refused(obs.get(PLAIN_CHAIN, name), 400, "Workflow.0002")
    assert emu.obs.starts() == 1
