from __future__ import annotations

import threading
from functools import partial
from typing import Any

import pytest

from airflow_provider_mlworkflows.emulator import (
    Attempt,
    Clock,
    StepDefinition,
    Switches,
    WorkflowDefinition,
    create_fails,
    fails,
    holds,
    never_ends,
    phases,
    succeeds,
)
from airflow_provider_mlworkflows.emulator.modelarts import Execution, ModelArts
from airflow_provider_mlworkflows.emulator.modelarts.inputs import InputError
from airflow_provider_mlworkflows.emulator.modelarts.machine import IllegalAction

STOP = 3.0


class Bench:
    """One workflow and one execution of it, without a server."""

    def __init__(
        self, *steps: StepDefinition, body: dict[str, Any] | None = None, speed: float = 1, **rest: Any
    ) -> None:
        self.clock = Clock("manual", speed=speed)
        self.store = ModelArts(self.clock, Switches(), threading.RLock())
        self.workflow = self.store.add_workflow(WorkflowDefinition("bench", steps, **rest))
        self.run = self.start(body)

    def start(self, body: dict[str, Any] | None = None) -> Execution:
        return self.store.start(self.workflow.workflow_id, body)

    def after(self, seconds: float) -> tuple[str, ...]:
        """Let time pass; return the execution's status and those of its steps."""
        self.clock.advance(seconds)
        self.run.advance()
        return (self.run.status, *(step.status for step in self.run.steps))

    def history(self, name: str) -> list[str]:
        return [after for _, _, after in self.run.step_named(name).events]


def step(
    name: str, *attempts: Attempt, after: tuple[str, ...] = (), kind: str = "job", **fields: Any
) -> StepDefinition:
    return StepDefinition(name, kind, after, attempts, fields=fields)


def test_a_step_walks_through_its_phases() -> None:
    bench = Bench(step("a", succeeds(5)))
    assert bench.after(0) == ("init", "init")
    assert bench.after(1) == ("running", "creating")
    assert bench.after(1) == ("running", "created")
    assert bench.after(1) == ("running", "running")
    assert bench.after(4.9) == ("running", "running")
    assert bench.after(0.1) == ("completed", "completed")
    assert bench.run.ended_at is not None
    assert (bench.run.ended_at - bench.run.created_at).total_seconds() == 8


def test_history_does_not_depend_on_when_somebody_looks() -> None:
    steps = (step("a", succeeds(2)), step("b", succeeds(3), after=("a",)))
    often, once = Bench(*steps), Bench(*steps)
    for _ in range(100):
        often.after(0.5)
    once.after(50)

    def relative(bench: Bench) -> list[tuple[float, str, str, str]]:
        begin = bench.run.created_at
        return [((at - begin).total_seconds(), name, old, new) for at, name, old, new in bench.run.events]

    assert relative(often) == relative(once)
    assert relative(once)[-1] == (10.0, "b", "running", "completed")


def test_speed_divides_durations() -> None:
    bench = Bench(step("a", succeeds(5)), speed=50)
    assert bench.after(0.15)[0] == "running"
    assert bench.after(0.01)[0] == "completed"


@pytest.mark.parametrize(
    ("attempt", "status", "error"),
    [
        (fails(1, "ModelArts.1", "boom"), "failed", ("ModelArts.1", "boom")),
        (create_fails(), "create_failed", ("ModelArts.0113", "the quota is used up")),
    ],
)
def test_a_broken_step_makes_the_execution_abnormal(attempt: Attempt, status: str, error: tuple[str, str]) -> None:
    bench = Bench(step("a", attempt), step("b", after=("a",)))
    assert bench.after(10) == ("abnormal", status, "init")
    view = bench.store.peek(bench.run)["steps_execution"]
    assert tuple(view[0]["error_info"].values()) == error
    assert "error_info" not in view[1]


def test_independent_branches_go_on_beside_a_failure() -> None:
    bench = Bench(step("a", fails(1)), step("b", succeeds(6)))
    assert bench.after(5) == ("running", "failed", "running")
    assert bench.after(5) == ("abnormal", "failed", "completed")


def test_time_limit() -> None:
    bench = Bench(step("a", never_ends(), policy={"max_execution_minutes": "1"}))
    assert bench.after(60)[1] == "running"
    assert bench.after(1) == ("abnormal", "timeout")
    assert "1 minutes" in bench.store.peek(bench.run)["steps_execution"][0]["error_info"]["error_message"]


@pytest.mark.parametrize(
    ("value", "taken", "skipped", "result"), [(True, "b", "c", "true"), (False, "c", "b", "false")]
)
def test_branches(value: bool, taken: str, skipped: str, result: str) -> None:
    condition = {"type": "==", "left": "$ref/parameters/p", "right": True}
    bench = Bench(
        step("a", kind="condition", conditions=[condition], if_then_steps=["b"], else_then_steps=["c"]),
        step("b", after=("a",)),
        step("c", after=("a",)),
        step("after_b", after=("b",)),
        step("after_c", after=("c",)),
        step("join", after=("after_b", "after_c")),
        parameters=({"name": "p", "type": "bool", "default": value},),
    )
    assert bench.after(60)[0] == "completed"
    statuses = {each.name: each.status for each in bench.run.steps}
    assert statuses.pop(skipped) == statuses.pop(f"after_{skipped}") == "skipped"
    assert set(statuses.values()) == {"completed"}
    shown = bench.store.peek(bench.run)["steps_execution"][0]
    assert shown["conditions_execution"] == {"result": result, "metric_list": []}


@pytest.mark.parametrize(
    ("kind", "left", "right", "holds_true"),
    [
        ("!=", 1, 2, True),
        (">", 2, 1, True),
        (">=", 1, 1, True),
        ("<", 2, 1, False),
        ("<=", "a", "b", True),
        ("<", 1, "b", False),
        ("in", "a", ["a", "b"], True),
        ("in", 1, 1, False),
        ("or", False, True, True),
        ("unknown", 1, 1, False),
    ],
)
def test_conditions(kind: str, left: object, right: object, holds_true: bool) -> None:
    bench = Bench(step("a", kind="condition", conditions=[{"type": kind, "left": left, "right": right}]))
    bench.after(10)
    assert bench.run.step_named("a").result is holds_true


def test_scene_skips_other_steps() -> None:
    scenes = [{"id": "s1", "name": "short", "steps": ["b"]}]
    bench = Bench(step("a"), step("b", after=("a",)), body={"scene_id": "s1"}, fields={"policy": {"scenes": scenes}})
    assert bench.after(20) == ("completed", "skipped", "completed")


def test_late_inputs() -> None:
    bench = Bench(
        step("a"),
        step("b", after=("a",)),
        parameters=(
            {"name": "p", "type": "int", "delay": True, "default": 3, "used_steps": ["b"]},
            {"name": "unused", "type": "int", "delay": True, "used_steps": ["nobody"]},
        ),
    )
    assert bench.after(30) == ("running", "completed", "wait_inputs")
    with pytest.raises(InputError, match="b still lacks p"):
        bench.run.continue_step(bench.run.step_named("b"))
    bench.run.values["parameters"][0]["value"] = 0
    bench.run.continue_step(bench.run.step_named("b"))
    assert bench.after(0) == ("running", "completed", "creating")
    assert bench.after(10)[0] == "completed"
    assert bench.history("b") == ["wait_inputs", "creating", "created", "running", "completed"]


def test_late_inputs_given_at_the_start_do_not_wait() -> None:
    bench = Bench(
        step("a", properties={"count": "$ref/parameters/p"}),
        parameters=({"name": "p", "type": "int", "delay": True},),
        body={"parameters": [{"name": "p", "value": 1}]},
    )
    assert bench.after(10) == ("completed", "completed")
    bench.run = bench.start()
    assert bench.after(10) == ("running", "wait_inputs")


def test_labelling_holds_until_continued() -> None:
    bench = Bench(step("a", kind="labeling"))
    assert bench.after(1000) == ("running", "hold")
    bench.run.continue_step(bench.run.step_named("a"))
    assert bench.after(0) == ("running", "running")
    assert bench.after(2) == ("completed", "completed")


def test_hold_at_the_end_of_a_script_can_be_continued() -> None:
    bench = Bench(step("a", Attempt(phases(("running", 1), "hold"))))
    assert bench.after(5) == ("running", "hold")
    bench.run.continue_step(bench.run.step_named("a"))
    assert bench.after(1) == ("completed", "completed")


def test_retry_takes_the_next_attempt_and_the_rest_follows() -> None:
    bench = Bench(step("a", fails(1), succeeds(1)), step("b", after=("a",)))
    assert bench.after(10)[0] == "abnormal"
    first = bench.run.step_named("a").instance
    bench.run.retry_step(bench.run.step_named("a"))
    assert bench.after(0) == ("running", "creating", "init")
    assert bench.after(3) == ("running", "completed", "creating")
    assert bench.after(10) == ("completed", "completed", "completed")
    assert bench.run.step_named("a").instance not in (None, first)


def test_stop_takes_a_while_and_leaves_the_rest_alone() -> None:
    bench = Bench(step("a"), step("b", never_ends(), after=("a",)), step("c", after=("b",)))
    bench.after(20)
    bench.run.stop(STOP)
    assert bench.after(0) == ("running", "completed", "stopping", "init")
    with pytest.raises(IllegalAction, match="stopping"):
        bench.run.stop(STOP)
    assert bench.after(3) == ("stopped", "completed", "stopped", "init")
    with pytest.raises(IllegalAction, match="stopped"):
        bench.run.stop(STOP)


def test_stop_before_anything_ran() -> None:
    bench = Bench(step("a"))
    bench.run.stop(STOP)
    assert bench.after(60) == ("stopped", "init")


@pytest.mark.parametrize(
    ("definition", "wait", "status"),
    [(step("a", kind="labeling"), 60, "hold"), (step("a", x="$ref/parameters/p"), 60, "wait_inputs")],
)
def test_stop_while_paused(definition: StepDefinition, wait: float, status: str) -> None:
    bench = Bench(definition, parameters=({"name": "p", "type": "int", "delay": True},))
    assert bench.after(wait)[1] == status
    bench.run.stop(STOP)
    assert bench.after(3) == ("stopped", "stopped")


def test_stopped_step_can_be_retried() -> None:
    bench = Bench(step("a", succeeds(5)), step("b", after=("a",)))
    bench.after(5)
    bench.run.stop_step(bench.run.step_named("a"), STOP)
    assert bench.after(3) == ("stopped", "stopped", "init")
    bench.run.retry_step(bench.run.step_named("a"))
    assert bench.after(30) == ("completed", "completed", "completed")


def test_rerun_runs_chosen_steps_and_their_followers() -> None:
    bench = Bench(step("a"), step("b", after=("a",)), step("c", after=("b",)), step("d"))
    key = bench.run.execution_id
    assert bench.after(60)[0] == "completed"
    bench.run.rerun(["b"])
    assert bench.after(0) == ("running", "completed", "creating", "init", "completed")
    assert bench.after(60)[0] == "completed"
    assert bench.run.execution_id == key
    assert [bench.run.step_named(name).attempt for name in "abcd"] == [1, 2, 2, 1]
    bench.run.rerun([])
    assert bench.after(0)[1:] == ("creating", "init", "init", "creating")


def test_rerun_after_stop() -> None:
    bench = Bench(step("a", succeeds(5)))
    bench.after(3)
    bench.run.stop(STOP)
    bench.after(3)
    bench.run.rerun([])
    assert bench.after(30) == ("completed", "completed")


STATES = {
    "init": step("a", kind="job"),
    "running": step("a", never_ends()),
    "hold": step("a", holds()),
    "wait_inputs": step("a", x="$ref/parameters/p"),
    "completed": step("a", succeeds(1)),
    "failed": step("a", fails(1)),
    "create_failed": step("a", create_fails()),
    "timeout": step("a", never_ends(), policy={"max_execution_minutes": 0.1}),
    "stopping": step("a", Attempt(phases(("running", 1), "stopping"))),
    "stopped": step("a", Attempt(phases(("running", 1), "stopped"))),
    "pending": step("a", Attempt(phases("pending"))),
    "skipped": step("a", Attempt(phases("skipped"))),
}
LEGAL = {
    "retry": {"failed", "create_failed", "timeout", "stopped"},
    "stop": {"running", "hold", "wait_inputs", "pending"},
    "continue": {"hold", "wait_inputs"},
}


@pytest.mark.parametrize("action", LEGAL)
@pytest.mark.parametrize("state", STATES)
def test_step_actions_by_state(action: str, state: str) -> None:
    bench = Bench(STATES[state], parameters=({"name": "p", "type": "int", "delay": True},))
    if state != "init":
        bench.after(30)
    target = bench.run.step_named("a")
    assert target.status == state
    bench.run.values["parameters"][0]["value"] = 1

    def act() -> None:
        if action == "retry":
            bench.run.retry_step(target)
        elif action == "stop":
            bench.run.stop_step(target, STOP)
        else:
            bench.run.continue_step(target)

    if state in LEGAL[action]:
        act()
        assert target.status != state
    else:
        with pytest.raises(IllegalAction, match=state):
            act()
        assert target.status == state


@pytest.mark.parametrize(
    ("state", "execution", "stop", "rerun"),
    [
        ("init", "init", True, False),
        ("running", "running", True, False),
        ("hold", "running", True, False),
        ("completed", "completed", False, True),
        ("failed", "abnormal", False, True),
        ("stopped", "stopped", False, True),
    ],
)
def test_execution_actions_by_state(state: str, execution: str, stop: bool, rerun: bool) -> None:
    for action, legal in (("stop", stop), ("rerun", rerun)):
        bench = Bench(STATES[state])
        if state != "init":
            bench.after(30)
        assert bench.run.status == execution
        act = partial(bench.run.stop, STOP) if action == "stop" else partial(bench.run.rerun, [])
        if legal:
            act()
        else:
            with pytest.raises(IllegalAction):
                act()


def test_cached_results() -> None:
    bench = Bench(
        step("a"),
        step("b", after=("a",)),
        parameters=({"name": "p", "type": "int", "default": 1, "used_steps": ["b"]},),
        body={"policies": {"use_cache": True}},
    )
    assert bench.after(60)[0] == "completed"
    assert bench.history("a") == ["creating", "created", "running", "completed"]
    bench.run = bench.start({"policies": {"use_cache": True}})
    assert bench.after(1) == ("completed", "completed", "completed")
    views = bench.store.peek(bench.run)["steps_execution"]
    assert [view["policy"] for view in views] == [{"use_cache": True}] * 2
    changed = {"policies": {"use_cache": True}, "parameters": [{"name": "p", "value": 2}]}
    bench.run = bench.start(changed)
    assert bench.after(1) == ("running", "completed", "creating")
    bench.run = bench.start({"policies": {"use_cache": False}})
    assert bench.after(1) == ("running", "creating", "init")


def test_no_steps_finish_at_once() -> None:
    bench = Bench()
    assert bench.after(0) == ("completed",)
    assert bench.run.ended_at == bench.run.created_at


def test_literals_nobody_knows() -> None:
    bench = Bench(
        step("a", Attempt(phases(("quantum", 5), "completed"))),
        status_script=phases(("running", 3), ("under_review", 3), "archived"),
    )
    assert bench.after(2) == ("running", "quantum")
    assert bench.after(2) == ("under_review", "quantum")
    assert bench.after(10) == ("archived", "completed")


def test_forced_statuses() -> None:
    bench = Bench(step("a", never_ends()), step("b", after=("a",)))
    bench.after(10)
    bench.store.force_status(bench.run.execution_id, "weird", {"a": "odd"})
    assert bench.after(10) == ("weird", "odd", "init")
    bench.store.force_status(bench.run.execution_id, None, {"a": "completed"})
    assert bench.after(0) == ("running", "completed", "creating")
    with pytest.raises(KeyError):
        bench.store.force_status(bench.run.execution_id, None, {"z": "completed"})


@pytest.mark.parametrize(
    ("kind", "shape"),
    [
        ("job", str),
        ("model", str),
        ("service", dict),
        ("labeling", str),
        ("condition", str),
        ("dataset_import", str),
    ],
)
def test_instance_id_shapes(kind: str, shape: type) -> None:
    bench = Bench(step("a", succeeds(1), kind=kind))
    assert bench.store.peek(bench.run)["steps_execution"][0]["instance_id"] == ""
    bench.after(10)
    assert isinstance(bench.store.peek(bench.run)["steps_execution"][0]["instance_id"], shape)


def test_changing_a_workflow_leaves_executions_alone() -> None:
    bench = Bench(step("a", succeeds(1)))
    bench.workflow.update({"steps": [{"name": "other"}]}, bench.clock.now())
    assert bench.after(10) == ("completed", "completed")
    assert [each.name for each in bench.start().steps] == ["other"]
