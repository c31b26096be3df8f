from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_mlworkflows.clouds.alibaba.paiflow_models import Node, NodeOutput, PipelineRun, RunGlance
from airflow_provider_mlworkflows.clouds.alibaba.paiflow_nodes import PlacedNode
from airflow_provider_mlworkflows.clouds.alibaba.paiflow_states import (
    failed_leaves,
    glance_of,
    leaves,
    node_state,
    outputs_by_step,
    run_of,
    run_state,
    steps_of,
)
from airflow_provider_mlworkflows.exceptions import InvalidInputError
from airflow_provider_mlworkflows.runs import Run, RunRef, RunState, Step
from tests.clouds.paiflow_support import RUN, node
from tests.clouds.support import NOON

REF = RunRef("", RUN)
CREATED = "2026-01-15T11:59:00Z"  # a minute before noon

RUN_LITERALS = [
    ("Initialized", RunState.ACTIVE),
    ("Init", RunState.ACTIVE),
    ("ReadyToSchedule", RunState.ACTIVE),
    ("Starting", RunState.ACTIVE),
    ("WorkflowServiceStarting", RunState.ACTIVE),
    ("Running", RunState.ACTIVE),
    ("Terminating", RunState.STOPPING),
    ("Succeeded", RunState.SUCCEEDED),
    ("Failed", RunState.FAILED),
    ("Terminated", RunState.STOPPED),
    ("Skipped", RunState.SKIPPED),
    ("Suspended", RunState.FAILED),
    ("Unknown", RunState.UNKNOWN),
]
NEVER_SEEN = ["Paused", "Success", "", "Run ning", "Retrying"]


@pytest.mark.parametrize("change", [str, str.upper, str.lower, lambda literal: f" {literal}\n"])
@pytest.mark.parametrize(("literal", "state"), RUN_LITERALS)
def test_every_literal_in_any_case(literal: str, state: RunState, change: Any) -> None:
    assert run_state(change(literal)) is state
    assert node_state(change(literal)) is state


@pytest.mark.parametrize("literal", NEVER_SEEN)
def test_what_was_never_seen_is_unknown(literal: str) -> None:
    assert run_state(literal) is RunState.UNKNOWN
    assert node_state(literal) is (RunState.UNKNOWN if literal else RunState.ACTIVE)


def test_a_node_may_be_spelt_succeed() -> None:
    assert node_state("Succeed") is RunState.SUCCEEDED


@pytest.mark.parametrize(
    ("waited", "state"),
    [(None, RunState.ACTIVE), (0, RunState.ACTIVE), (60, RunState.ACTIVE), (60.1, RunState.WAITING)],
)
def test_an_initialized_run_waits_after_a_minute(waited: float | None, state: RunState) -> None:
    assert run_state("Initialized", waited=waited) is state
    assert run_state("Running", waited=waited) is RunState.ACTIVE


def shown(**fields: Any) -> PipelineRun:
    return PipelineRun.model_validate({"PipelineRunId": RUN, "Status": "Running", "GmtCreateTime": CREATED, **fields})


def read(*nodes: PlacedNode, now: float = NOON, **fields: Any) -> Run:
    return run_of(shown(**fields), nodes, ref=REF, url="https://console", now=now)


class TestRun:
    def test_facts(self) -> None:
        run = read(
            Name="n", Status="Failed", StartedAt="2026-01-15T11:59:01Z", FinishedAt="2026-01-15T11:59:30Z",
            Message="it broke", PipelineRunUri="https://pai/run",
        )  # fmt: skip
        assert (run.ref, run.name, run.status, run.message, run.url) == (
            REF, "n", "Failed", "it broke", "https://pai/run",
        )  # fmt: skip
        assert run.started_at is not None
        assert run.ended_at is not None
        assert (run.ended_at - run.started_at).total_seconds() == 29

    def test_the_console_is_shown_if_the_service_names_no_address(self) -> None:
        assert read().url == "https://console"

    def test_one_that_waits_for_its_start_shows_a_gate(self) -> None:
        assert read(Status="Initialized", now=NOON).state is RunState.ACTIVE
        run = read(Status="Initialized", now=NOON + 1)
        assert run.state is RunState.WAITING
        assert [(step.name, step.is_gate, step.status) for step in run.waiting_steps] == [
            ("start", True, "Initialized")
        ]

    def test_a_suspended_one_has_failed_and_says_what_can_be_done(self) -> None:
        run = read(Status="Suspended", Message="node x stopped")
        assert run.state is RunState.FAILED
        for words in ("node x stopped", "no way to resume", "rerun it", "terminate it", "console"):
            assert words in run.message

    @pytest.mark.parametrize(
        ("status", "held", "over"),
        [
            ("Suspended", True, False), ("SUSPENDED", True, False), ("Failed", False, True),
            ("Terminated", False, True), ("Running", False, False), ("Terminating", False, False),
        ],
    )  # fmt: skip
    def test_only_a_suspended_one_is_held_until_somebody_acts(self, status: str, held: bool, over: bool) -> None:
        glance = RunGlance.model_validate({"PipelineRunId": RUN, "Status": status})
        seen = read(Status=status), glance_of(glance, ref=REF, url="", now=NOON, created=None)
        assert [(run.held, run.is_over) for run in seen] == [(held, over)] * 2

    def test_nodes_that_were_not_read_are_told_from_none(self) -> None:
        assert read().has_steps
        assert not run_of(shown(), None, ref=REF, now=NOON).has_steps

    @pytest.mark.parametrize(
        ("message", "about"),
        [("node b failed: no memory", ["b"]), ("no memory", ["a"]), ("node a and node b failed", ["a", "b"]), ("", [])],
    )
    def test_its_message_explains_the_steps_that_it_is_about(self, message: str, about: list[str]) -> None:
        sub = placed("sub", "Failed", kind="Dag")
        run = read(sub, placed("sub/a", "Failed"), placed("sub/b", "Failed"), Status="Failed", Message=message)
        assert {step.name: step.error for step in run.steps if step.error} == {f"sub/{name}": message for name in about}

    def test_its_message_does_not_replace_what_a_step_says_itself(self) -> None:
        run = read(placed("a", "Failed", Message="own"), Status="Failed", Message="node a failed")
        assert run.steps[0].error == "own"

    def test_a_skipped_step_is_normal(self) -> None:
        run = read(placed("a"), placed("b", "Skipped"), Status="Succeeded")
        assert run.state is RunState.SUCCEEDED
        assert run.failed_steps == ()


def placed(path: str, status: str = "Succeeded", **more: Any) -> PlacedNode:
    return PlacedNode(path, Node.model_validate(node(path.rpartition("/")[2], status, **more)))


class TestSteps:
    def test_facts(self) -> None:
        (step,) = steps_of(
            [placed("sub/x", "Failed", id="n1", StartedAt="2026-01-15T11:00:00Z", FinishedAt="2026-01-15T11:00:09Z")]
        )
        assert (step.id, step.name, step.state, step.status, step.kind) == (
            "n1", "sub/x", RunState.FAILED, "Failed", "Pod",
        )  # fmt: skip
        assert step.duration == 9
        assert step.updated_at is not None
        assert step.attempt == 1

    def test_one_that_has_not_begun(self) -> None:
        (step,) = steps_of([placed("x", "", id="")])
        assert (step.id, step.state, step.status, step.started_at) == ("x", RunState.ACTIVE, "ReadyToSchedule", None)

    def test_records_of_one_path_are_attempts_and_the_newest_counts(self) -> None:
        (step,) = steps_of(
            [
                placed("x", "Running", id="n2", StartedAt="2026-01-15T11:30:00Z"),
                placed("x", "Failed", id="n1", StartedAt="2026-01-15T11:00:00Z"),
            ]
        )
        assert (step.id, step.status, step.attempt) == ("n2", "Running", 2)

    def test_earlier_attempts_are_known_by_their_ids(self) -> None:
        begun = {f"n{hour}": f"2026-01-15T{hour}:00:00Z" for hour in (11, 10, 12, 13)}
        records = [placed("x", "Failed", id=node_id, StartedAt=at) for node_id, at in begun.items()]
        again = placed("x", "Failed", id="n13", StartedAt="2026-01-15T09:00:00Z")
        nameless = placed("x", "Failed", id="", StartedAt="2026-01-15T09:00:00Z")
        (step,) = steps_of([placed("x", "", id="n14"), *records, again, nameless])
        assert (step.id, step.earlier_ids) == ("n13", ("n10", "n11", "n12"))
        assert steps_of([records[0]])[0].earlier_ids == ()

    def test_a_reason_comes_from_wherever_there_is_one(self) -> None:
        told = placed("x", "Failed", Message="out of memory")
        by_condition = placed("y", "Failed", Conditions=[{"ArtifactArchived": "true"}, {"Message": "evicted"}])
        fine = placed("z", "Succeeded", Message="done")
        assert [step.error for step in steps_of([told, by_condition, fine])] == ["out of memory", "evicted", ""]

    def test_a_rerun_shows_in_the_fingerprint(self) -> None:
        before = read(placed("x", "Running", StartedAt="2026-01-15T11:00:00Z"))
        after = read(placed("x", "Running", StartedAt="2026-01-15T11:30:00Z"))
        assert before.fingerprint != after.fingerprint

    def test_those_that_failed_by_themselves(self) -> None:
        steps = steps_of([placed("sub", "Failed"), placed("sub/x", "Failed"), placed("su", "Failed"), placed("b")])
        assert [step.name for step in failed_leaves(steps)] == ["sub/x", "su"]

    def test_leaves_may_be_some_layers_down(self) -> None:
        names = ["a", "a/b/c", "ab", "d/e", "d", "f", "a/b/c/g"]
        steps = [Step(name, name, RunState.ACTIVE, "Running") for name in names]
        assert [step.name for step in leaves(steps)] == ["ab", "d/e", "f", "a/b/c/g"]

    def test_each_of_many_is_looked_at_a_few_times_only(self) -> None:
        looks = 0

        class Looked:
            def __init__(self, name: str) -> None:
                self._name = name

            @property
            def name(self) -> str:
                nonlocal looks
                looks += 1
                return self._name

        steps: Any = [Looked("loop"), *(Looked(f"loop/train-{number}") for number in range(999))]
        assert len(leaves(steps)) == 999
        assert looks <= 3 * len(steps)


class TestNames:
    """By which a step of a run is found."""

    def test_a_path_a_plain_name_and_an_id(self) -> None:
        run = read(placed("sub", kind="Dag"), placed("sub/x", id="n1"), placed("y"))
        found = {name: run.step(name) for name in ("sub/x", "x", "n1", "sub", "y")}
        assert {name: step.name for name, step in found.items() if step is not None} == {
            "sub/x": "sub/x", "x": "sub/x", "n1": "sub/x", "sub": "sub", "y": "y",
        }  # fmt: skip
        assert run.step("z") is None

    def test_a_whole_name_comes_before_a_short_one(self) -> None:
        step = read(placed("sub/x"), placed("other/x"), placed("x", "Running")).step("x")
        assert step is not None
        assert step.name == "x"

    def test_attempts_of_one_node_are_one(self) -> None:
        first = placed("sub/x", "Failed", id="n1", StartedAt="2026-01-15T11:00:00Z")
        step = read(first, placed("sub/x", "Running", id="n2", StartedAt="2026-01-15T11:30:00Z")).step("x")
        assert step is not None
        assert (step.id, step.attempt) == ("n2", 2)

    def test_rounds_that_have_one_name_are_several(self) -> None:
        rounds = [PlacedNode(path, Node.model_validate(node("body"))) for path in ("loop/body", "loop/body[1]")]
        run = read(placed("loop", kind="Loop"), *rounds)
        with pytest.raises(InvalidInputError, match=r"called 'body': loop/body, loop/body\[1\]\."):
            run.step("body")
        step = run.step("body[1]")
        assert step is not None
        assert step.name == "loop/body[1]"

    def test_of_very_many_that_have_one_name_some_are_told(self) -> None:
        run = read(*(placed(f"loop/{number}/x") for number in range(1000)))
        with pytest.raises(InvalidInputError, match=r"loop/9/x and 990 more\. Give the whole name .* or its id"):
            run.step("x")


def test_a_glance() -> None:
    glance = RunGlance.model_validate({"PipelineRunId": RUN, "Status": "Running", "Name": "n"})
    run = glance_of(glance, ref=REF, url="u", now=NOON, created=None)
    assert (run.ref, run.state, run.status, run.name, run.url, run.has_steps) == (
        REF, RunState.ACTIVE, "Running", "n", "u", False,
    )  # fmt: skip


def test_outputs_are_filed_under_their_steps() -> None:
    outputs = [
        {"Name": "model", "Type": "Model", "NodeId": "n1", "Info": {"value": '{"location": {"bucket": "b"}}'}},
        {"Name": "part", "Type": "DataSet", "NodeId": "n1", "ExpandedArtifactIndex": 0, "Info": {"value": "x"}},
        {"Name": "part", "Type": "DataSet", "NodeId": "n1", "ExpandedArtifactIndex": 1, "Info": {"value": "y"}},
        {"Name": "auc", "Type": "Metrics", "NodeId": "gone", "Info": {"value": "0.9"}},
    ]
    steps = [Step("n1", "train", RunState.SUCCEEDED, "Succeeded")]

    found = outputs_by_step([NodeOutput.model_validate(each) for each in outputs], steps)

    assert found["train"]["model"] == {"type": "Model", "value": {"location": {"bucket": "b"}}, "metadata": {}}
    assert [found["train"][name]["value"] for name in ("part", "part[1]")] == ["x", "y"]
    assert found["gone"]["auc"]["value"] == 0.9


@pytest.mark.parametrize("order", [(2, 1, 0), (1, 2, 0), (0, 1, 2)])
def test_parts_of_an_output_are_numbered_in_whatever_order_they_come(order: tuple[int, ...]) -> None:
    parts = [
        {"Name": "m", "NodeId": "n", "ExpandedArtifactIndex": each, "Info": {"value": str(each)}} for each in order
    ]
    (found,) = outputs_by_step([NodeOutput.model_validate(each) for each in parts], ()).values()
    assert {name: each["value"] for name, each in found.items()} == {"m": 0, "m[1]": 1, "m[2]": 2}


def test_outputs_of_one_name_are_all_kept() -> None:
    same = [{"Name": "m", "NodeId": "n", "Info": {"value": str(number)}} for number in range(3)]
    (found,) = outputs_by_step([NodeOutput.model_validate(each) for each in same], ()).values()
    assert [each["value"] for each in found.values()] == [0, 1, 2]
