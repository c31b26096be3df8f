"""Runs of which only a part can be read: what is not seen has neither failed nor changed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_mlworkflows.emulator import (
    FaultRule,
    LogLine,
    NodeAttempt,
    NodeDefinition,
    Output,
    PipelineDefinition,
    phases,
)
from airflow_provider_mlworkflows.exceptions import UnexpectedReplyError
from airflow_provider_mlworkflows.operators.paiflow import PaiFlowRerunOperator
from tests.scenarios.moments import at_the_first_look_after_an_action
from tests.scenarios.paiflow import PaiFlowUnderTest
from tests.scenarios.plan import chain, completes, fails
from tests.scenarios.service import Counts

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.runs import Run
    from tests.scenarios.stage import Mode, SetStage, Stage

NODES, OUTPUTS, LOGS = "GetPipelineRunNode", "ListPipelineRunNodeOutputs", "ListPipelineRunNodeLogs"
UNSEEN: dict[str, Any] = {"action": "status", "status": 404, "code": "200400004"}
BROKEN: dict[str, Any] = {"action": "status", "status": 500}
BOTH = pytest.mark.parametrize("mode", ["sync", "deferrable"])


def fail(stage: Stage, operation: str, *, times: int | None = 1, **rule: Any) -> FaultRule:
    return stage.emulator.faults.add(FaultRule(operation=operation, times=times, **rule))


def fail_between(stage: Stage, operation: str, begin: float, end: float, **rule: Any) -> None:
    """Let an operation fail for a while, in seconds from now."""

    def break_it() -> None:
        rules.append(fail(stage, operation, times=None, **rule))

    rules: list[FaultRule] = []
    stage.clock.at(begin, break_it)
    stage.clock.at(end, lambda: stage.emulator.faults.remove(rules[0]))


def pipeline_of(stage: Stage, attempt: NodeAttempt) -> str:
    definition = PipelineDefinition(f"parts-{id(stage)}", [NodeDefinition("train", (), (attempt,))])
    return stage.emulator.paiflow.add_pipeline(definition).pipeline_id


@BOTH
@pytest.mark.parametrize("profile", ["usual", "late"])
def test_repair_is_not_seen_in_nodes_that_show_again(set_stage: SetStage, mode: Mode, profile: str) -> None:
    stage = set_stage(mode, profile, service=PaiFlowUnderTest)
    stage.plan(*chain(("train", (fails(60), completes(600)))))
    operator = stage.starter(retries=1)
    assert stage.attempt(operator).state == "up_for_retry"
    fail(stage, NODES, **UNSEEN)
    assert stage.attempt(operator).state == "success", stage.log
    assert stage.counts == Counts(starts=1, repairs=1)


@BOTH
@pytest.mark.parametrize("profile", ["usual", "late"])
def test_rerun_is_not_seen_in_nodes_that_show_again(set_stage: SetStage, mode: Mode, profile: str) -> None:
    stage = set_stage(mode, profile, service=PaiFlowUnderTest)
    stage.plan(*chain(("train", (fails(60), completes(600)))))
    run_id = stage.service.start_elsewhere(stage.workflow)
    stage.clock.advance(200)
    fail(stage, NODES, **UNSEEN)
    assert stage.attempt(stage.actor(run_id, "rerun")).state == "success", stage.log
    assert stage.counts == Counts(repairs=1)


@pytest.mark.parametrize("profile", ["usual", "late"])
def test_rerun_that_was_never_accepted_is_not_found_in_nodes_that_do_not_show(
    set_stage: SetStage, monkeypatch: pytest.MonkeyPatch, profile: str
) -> None:
    stage = set_stage(profile=profile, service=PaiFlowUnderTest)
    stage.plan(*chain(("train", (fails(60), completes(600)))))
    run_id = stage.service.start_elsewhere(stage.workflow)
    stage.clock.advance(200)
    stage.service.fault("rerun", status=503, times=None)
    rerun = PaiFlowRerunOperator.rerun

    def rerun_as_nodes_vanish(operator: PaiFlowRerunOperator, run: Run) -> None:
        fail(stage, NODES, times=None, **BROKEN)
        rerun(operator, run)

    monkeypatch.setattr(PaiFlowRerunOperator, "rerun", rerun_as_nodes_vanish)
    result = stage.attempt(stage.actor(run_id, "rerun"))
    assert isinstance(result.error, UnexpectedReplyError)
    assert "Found run" not in stage.log


@pytest.mark.parametrize("when", ["before", "after"])
def test_rerun_whose_answer_was_lost_is_followed_though_nobody_may_read_nodes(set_stage: SetStage, when: str) -> None:
    stage = set_stage(service=PaiFlowUnderTest)
    stage.plan(*chain(("train", (fails(60), completes(600)))))
    run_id = stage.service.start_elsewhere(stage.workflow)
    stage.clock.advance(200)
    fail(stage, NODES, times=None, action="status", status=403)
    stage.service.fault("rerun", when=when, action="status", status=503)
    operator = stage.actor(run_id, "rerun", retries=2)
    while stage.attempt(operator).state == "up_for_retry":
        stage.clock.advance(1000)
    assert stage.result.state == "success", stage.log
    assert stage.counts == Counts(repairs=1)


@pytest.mark.parametrize("profile", ["usual", "late"])
@pytest.mark.parametrize("rule", [UNSEEN, BROKEN], ids=["unseen", "broken"])
def test_rerun_that_was_answered_is_not_sent_again_because_nodes_do_not_show(
    set_stage: SetStage, profile: str, rule: dict[str, Any]
) -> None:
    stage = set_stage(profile=profile, service=PaiFlowUnderTest)
    stage.plan(*chain(("train", (fails(60), completes(600), completes(600)))))
    run_id = stage.service.start_elsewhere(stage.workflow)
    stage.clock.advance(200)
    operator = stage.actor(run_id, "rerun", retries=1)

    def crash() -> None:
        raise RuntimeError("at a bad moment")

    with at_the_first_look_after_an_action(crash):
        assert stage.attempt(operator).state == "up_for_retry"
    fail(stage, NODES, times=4, **rule)
    assert stage.attempt(operator).state == "success", stage.log
    assert stage.counts == Counts(repairs=1)


@pytest.mark.parametrize("mode", ["poke", "reschedule", "deferrable"])
@pytest.mark.parametrize("rule", [UNSEEN, BROKEN], ids=["unseen", "broken"])
def test_node_whose_tree_is_not_seen_at_the_end_has_run(set_stage: SetStage, mode: Mode, rule: dict[str, Any]) -> None:
    stage = set_stage(mode, service=PaiFlowUnderTest)
    stage.plan(*chain(("train", completes(600))))
    run_id = stage.service.start_elsewhere(stage.workflow)
    fail_between(stage, NODES, 590, 660, **rule)
    assert stage.attempt(stage.sensor(run_id, "train", timeout=3600)).state == "success", stage.log


@pytest.mark.parametrize("mode", ["poke", "reschedule", "deferrable"])
def test_node_whose_tree_is_never_seen_is_not_judged(set_stage: SetStage, mode: Mode) -> None:
    stage = set_stage(mode, service=PaiFlowUnderTest)
    stage.plan(*chain(("train", completes(60))))
    run_id = stage.service.start_elsewhere(stage.workflow)
    fail(stage, NODES, times=None, **BROKEN)
    result = stage.attempt(stage.sensor(run_id, "train", timeout=36000))
    assert result.state == "failed"
    assert "could not be read any more" in str(result.error)
    assert "did not run" not in str(result.error)


@BOTH
@pytest.mark.parametrize("rule", [UNSEEN, BROKEN, {"action": "status", "status": 400}], ids=["404", "500", "400"])
def test_run_that_succeeded_has_done_so_without_its_nodes(
    set_stage: SetStage, mode: Mode, rule: dict[str, Any]
) -> None:
    stage = set_stage(mode, service=PaiFlowUnderTest)
    stage.plan(*chain(("train", completes(60))))
    fail(stage, NODES, times=None, **rule)
    result = stage.attempt(stage.starter())
    assert result.state == "success", stage.log
    assert result.xcoms["steps"] == []
    assert "Not all of run" in stage.log


@BOTH
def test_outputs_that_are_told_late_are_waited_for(set_stage: SetStage, mode: Mode) -> None:
    stage = set_stage(mode, service=PaiFlowUnderTest)
    attempt = NodeAttempt(phases(("Running", 100), "Succeeded"), outputs=(Output("auc", "Metrics", {"auc": 0.9}),))
    workflow = pipeline_of(stage, attempt)
    fail_between(stage, OUTPUTS, 90, 150, action="status", status=503)
    result = stage.attempt(stage.starter(workflow_id=workflow, fetch_metrics=True))
    assert result.state == "success", stage.log
    assert result.xcoms["outputs"]["train"]["auc"]["value"] == {"auc": 0.9}
    assert result.xcoms["metrics"] == {"train": {"auc": {"auc": 0.9}}}


@BOTH
def test_last_lines_that_are_told_late_are_waited_for(set_stage: SetStage, mode: Mode) -> None:
    stage = set_stage(mode, service=PaiFlowUnderTest)
    lines = tuple(LogLine(second, f"epoch {second}") for second in range(0, 100, 5))
    workflow = pipeline_of(stage, NodeAttempt(phases(("Running", 100), "Succeeded"), lines))
    fail_between(stage, LOGS, 60, 150, action="status", status=503)
    assert stage.attempt(stage.starter(workflow_id=workflow, stream_logs=True)).state == "success"
    assert re.findall(r"\[train\] (epoch \d+)", stage.log) == [line.text for line in lines]
