"""Runs that wait for a person."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_mlworkflows.exceptions import InvalidInputError, RunTimeoutError, RunWaitingError
from tests.scenarios.plan import PlannedStep, chain, completes, held, held_twice
from tests.scenarios.service import Counts
from tests.scenarios.table import operator_row

if TYPE_CHECKING:
    from tests.scenarios.stage import Stage


def _plan_inputs(stage: Stage) -> None:
    stage.plan(
        PlannedStep("train", (completes(),)), PlannedStep("deploy", (completes(),), after="train", needs="instances")
    )


def _plan_gate(stage: Stage) -> None:
    stage.plan(*chain(("label", held()), ("train", completes())))


@operator_row("inputs")
def inputs_come_from_a_person(stage: Stage) -> None:
    _plan_inputs(stage)
    stage.at(1000, lambda: stage.service.continue_elsewhere(stage.run_id, "deploy", {"instances": 2}))
    result = stage.attempt(stage.starter())
    assert result.state == "success"
    assert stage.log.count("The run waits for a person at deploy") == 1
    assert stage.counts == Counts(starts=1)


@operator_row("inputs")
def nobody_gives_inputs(stage: Stage) -> None:
    _plan_inputs(stage)
    result = stage.attempt(stage.starter(timeout=900))
    assert isinstance(result.error, RunTimeoutError)
    assert stage.counts == Counts(starts=1, stops=1)


@operator_row("inputs")
def waiting_is_failure(stage: Stage) -> None:
    _plan_inputs(stage)
    began = stage.clock.time()
    result = stage.attempt(stage.starter(on_waiting="fail"))
    assert result.state == "failed"
    assert isinstance(result.error, RunWaitingError)
    assert "deploy (" in str(result.error)
    assert result.xcoms["run_url"] in str(result.error)
    assert stage.clock.time() - began < 200
    assert stage.counts == Counts(starts=1)


@operator_row("inputs")
def inputs_come_from_the_operator(stage: Stage) -> None:
    _plan_inputs(stage)
    inputs = {"deploy": stage.service.inputs({"instances": 2})}
    result = stage.attempt(stage.starter(on_waiting="continue", waiting_inputs=inputs))
    assert result.state == "success"
    assert stage.counts == Counts(starts=1, continues=1)


@operator_row("inputs")
def inputs_for_another_step(stage: Stage) -> None:
    _plan_inputs(stage)
    inputs = {"publish": stage.service.inputs({"instances": 2})}
    result = stage.attempt(stage.starter(on_waiting="continue", waiting_inputs=inputs, timeout=600))
    assert isinstance(result.error, RunTimeoutError)
    assert stage.counts == Counts(starts=1, stops=1)


@operator_row("gates")
def gate_is_opened_by_a_person(stage: Stage) -> None:
    _plan_gate(stage)
    stage.at(1000, lambda: stage.service.continue_elsewhere(stage.run_id, "label", {}))
    result = stage.attempt(stage.starter())
    assert result.state == "success"
    assert stage.log.count("The run waits for a person at label") == 1
    assert stage.counts == Counts(starts=1)


@operator_row("gates")
def gate_is_not_passed_by_inputs(stage: Stage) -> None:
    _plan_gate(stage)
    inputs = {"label": stage.service.inputs({})}
    result = stage.attempt(stage.starter(on_waiting="continue", waiting_inputs=inputs, timeout=600))
    assert isinstance(result.error, RunTimeoutError)
    assert stage.counts == Counts(starts=1, stops=1)


@operator_row("gates")
def gate_is_passed_by_approval(stage: Stage) -> None:
    _plan_gate(stage)
    result = stage.attempt(stage.starter(on_waiting="continue", approve_steps=["label"]))
    assert result.state == "success"
    assert stage.counts == Counts(starts=1, continues=1)


@operator_row("gates", "inputs")
def gate_and_inputs_one_after_the_other(stage: Stage) -> None:
    stage.plan(PlannedStep("label", (held(),)), PlannedStep("deploy", (completes(),), after="label", needs="instances"))
    inputs = {"deploy": stage.service.inputs({"instances": 2})}
    result = stage.attempt(stage.starter(on_waiting="continue", waiting_inputs=inputs, approve_steps=["label"]))
    assert result.state == "success"
    assert stage.counts == Counts(starts=1, continues=2)


@operator_row("gates")
def gate_is_failure(stage: Stage) -> None:
    _plan_gate(stage)
    result = stage.attempt(stage.starter(on_waiting="fail"))
    assert isinstance(result.error, RunWaitingError)
    assert stage.counts == Counts(starts=1)


@operator_row(profiles=("usual",))
def nothing_to_continue_with(stage: Stage) -> None:
    stage.plan(*chain(("train", completes())))
    result = stage.attempt(stage.starter(on_waiting="continue"))
    assert isinstance(result.error, InvalidInputError)
    assert stage.counts == Counts()


@operator_row("inputs")
def inputs_that_the_service_refuses(stage: Stage) -> None:
    stage.plan(PlannedStep("label", (held(),)), PlannedStep("deploy", (completes(),), after="label", needs="instances"))
    # The inputs lack what the step needs, so the service refuses them.
    inputs = {"deploy": stage.service.inputs({})}
    result = stage.attempt(stage.starter(on_waiting="continue", waiting_inputs=inputs, approve_steps=["label"]))
    assert result.state == "failed"
    assert "instances" in str(result.error)
    assert stage.counts == Counts(starts=1, continues=1)


@operator_row("gates")
def approved_step_waits_again(stage: Stage) -> None:
    stage.plan(*chain(("label", held_twice()), ("train", completes())))
    result = stage.attempt(stage.starter(on_waiting="continue", approve_steps=["label"]))
    assert result.state == "failed"
    assert isinstance(result.error, RunWaitingError)
    assert "was continued, but waits again" in str(result.error)
    assert stage.counts == Counts(starts=1, continues=1)
