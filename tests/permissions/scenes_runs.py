"""Scenes of runs, which look alike at every service."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from unittest import mock

from airflow_provider_mlworkflows.emulator.paiflow.machine import PipelineRun
from airflow_provider_mlworkflows.exceptions import RunFailedError
from airflow_provider_mlworkflows.operators.paiflow import PaiFlowStartPipelineOperator
from tests.permissions import table
from tests.permissions.scene import Play, answered, has_gone_well, scene
from tests.permissions.table import DEFER, KILL, LOG, LOST, METRICS, RETRIED_STOP, RETRY, STREAM, WAITING
from tests.scenarios.aom import AomTemplateUnderTest, AomUnderTest
from tests.scenarios.modelarts import ModelArtsUnderTest
from tests.scenarios.obs import ObsMarkedUnderTest, ObsUnderTest
from tests.scenarios.paiflow import PaiFlowUnderTest
from tests.scenarios.plan import PlannedStep, chain, completes, endless, fails, held

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.scenarios.service import ServiceUnderTest
    from tests.scenarios.stage import Stage

START_MODELARTS, START_PAIFLOW = "ModelArtsStartWorkflowOperator", "PaiFlowStartPipelineOperator"
START_OBS, START_AOM = "ObsStartWorkflowOperator", "AomStartWorkflowOperator"
RERUN_MODELARTS = "ModelArtsExecutionActionOperator"
STARTERS = (
    (START_MODELARTS, ModelArtsUnderTest),
    (START_PAIFLOW, PaiFlowUnderTest),
    (START_OBS, ObsUnderTest),
    (START_AOM, AomUnderTest),
)
RERUNNERS = (
    (RERUN_MODELARTS, ModelArtsUnderTest),
    ("PaiFlowRerunOperator", PaiFlowUnderTest),
    ("ObsRestoreExecutionOperator", ObsUnderTest),
)
STOPPERS = (
    (RERUN_MODELARTS, ModelArtsUnderTest),
    ("PaiFlowTerminateOperator", PaiFlowUnderTest),
    ("AomTerminateOperator", AomUnderTest),
)
STEP_ACTORS = (("ModelArtsStepActionOperator", ModelArtsUnderTest), ("AomNodeOperationOperator", AomUnderTest))
NEEDS_INPUT = (PlannedStep("train", (completes(),)), PlannedStep("deploy", (completes(),), "train", needs="instances"))
ANSWERS = {"on_waiting": "continue", "waiting_inputs": {"deploy": {"parameters": {"instances": 2}}}}


def listed(*rows: tuple[str, type[ServiceUnderTest]], when: str = "", mode: Any = "sync") -> Callable[[Play], Play]:
    """Put a scene into the list for several operators."""

    def put(play: Play) -> Play:
        for name, under_test in rows:
            scene(name, under_test, when, mode)(play)
        return play

    return put


def begun(stage: Stage, *steps: PlannedStep, seconds: float = 0.0) -> str:
    """Somebody else's run, which has been going on for so many seconds."""
    stage.plan(*steps)
    run_id = stage.service.start_elsewhere(stage.workflow)
    stage.clock.advance(seconds)
    return run_id


def failed(stage: Stage, *later: Any) -> str:
    """Somebody else's run that failed; its step does other things when it is run again."""
    return begun(stage, *chain(("train", (fails(), *(later or (completes(),))))), seconds=100)


def is_shown(stage: Stage) -> None:
    """Assert that the step shows, by its name."""
    assert [step["name"] for step in stage.result.xcoms["steps"]] == ["train"]


# What starts a run

MARKED = (START_OBS, ObsMarkedUnderTest)
MADE = (START_AOM, AomTemplateUnderTest)


@listed(STARTERS[0], MARKED)
@listed(STARTERS[1], when=table.STORED)
@listed(STARTERS[2], when=table.UNMARKED)
@listed(STARTERS[3], when=table.NO_TEMPLATE)
@listed(MADE, when=table.TEMPLATE)
@listed(STARTERS[1], when=DEFER, mode="deferrable")
def starts(stage: Stage) -> None:
    stage.plan(*chain(("train", completes())))
    stage.attempt(stage.starter())
    has_gone_well(stage)
    is_shown(stage)
    assert stage.counts.starts == 1
    if stage.mode == "deferrable":
        assert answered(stage, "ListPipelineRunsStatus") > 0


@listed(STARTERS[0], STARTERS[1], MARKED, MADE, when=LOST)
@listed((START_OBS, ObsUnderTest), (START_AOM, AomUnderTest), when="the answer is lost, and runs carry no mark")
def its_answer_is_lost(stage: Stage) -> None:
    stage.plan(*chain(("train", completes())))
    stage.service.fault("start", when="after", action="reset", times=1)
    stage.attempt(stage.starter())
    assert stage.result.state == "success", stage.log
    assert stage.counts.starts == 1


@listed(*STARTERS, when=RETRY)
def is_repaired(stage: Stage) -> None:
    stage.plan(*chain(("train", (fails(), completes()))))
    operator = stage.starter(retries=1)
    assert [stage.attempt(operator).state for _ in range(2)] == ["up_for_retry", "success"], stage.log
    assert (stage.counts.starts, stage.counts.repairs) == (1, 1)


@listed(STARTERS[0], STARTERS[1], STARTERS[3], when=KILL)
def is_killed(stage: Stage) -> None:
    stage.plan(*chain(("train", endless())))
    stage.at(100, lambda: stage.mark("failed"))
    stage.attempt(stage.starter())
    assert (stage.counts.starts, stage.counts.stops) == (1, 1), stage.log


@listed(STARTERS[0], STARTERS[1], STARTERS[3], when="its time is up")
def is_late(stage: Stage) -> None:
    stage.plan(*chain(("train", endless())))
    stage.attempt(stage.starter(timeout=200))
    assert (stage.counts.starts, stage.counts.stops) == (1, 1), stage.log


@listed(*STARTERS, when="the task is cleared and its run is stopped")
def is_cleared(stage: Stage) -> None:
    stage.plan(*chain(("train", (endless(),))))
    operator = stage.starter(timeout=600)
    stage.at(100, stage.clear)
    stage.attempt(operator)
    stage.attempt(operator)
    assert stage.counts.starts == 2


@listed(STARTERS[0], STARTERS[1], when=LOG)
@listed(STARTERS[3], when="a step fails")
def fails_with_its_log(stage: Stage) -> None:
    stage.plan(*chain(("train", fails())))
    stage.attempt(stage.starter())
    assert isinstance(stage.result.error, RunFailedError), stage.log
    assert "Last log lines of step train:" in str(stage.result.error)


@listed(STARTERS[0], when=WAITING)
def waits_for_inputs(stage: Stage) -> None:
    stage.plan(*NEEDS_INPUT)
    stage.attempt(stage.starter(**ANSWERS))
    has_gone_well(stage)
    assert stage.counts.continues == 1


@listed(STARTERS[3], when=WAITING)
def waits_at_a_pause(stage: Stage) -> None:
    stage.plan(*chain(("label", held()), ("train", completes())))
    stage.attempt(stage.starter(on_waiting="continue", approve_steps=["label"]))
    has_gone_well(stage)
    assert stage.counts.continues == 1


@listed(STARTERS[1], when=WAITING)
def waits_for_its_start(stage: Stage) -> None:
    stage.plan(*chain(("train", completes())))
    begin = PipelineRun.start
    asked: list[PipelineRun] = []

    def start(run: PipelineRun) -> None:
        asked.append(run)
        if len(asked) > 1:
            begin(run)

    with mock.patch.object(PipelineRun, "start", start):
        stage.attempt(stage.starter(on_waiting="continue", approve_steps=["start"]))
    has_gone_well(stage)
    assert len(asked) == 2


@listed(STARTERS[0], when=METRICS)
def is_measured(stage: Stage) -> None:
    stage.plan(*chain(("train", completes())))
    stage.attempt(stage.starter(fetch_metrics=True))
    has_gone_well(stage)


@listed(STARTERS[1], when=STREAM)
def shows_its_log(stage: Stage) -> None:
    stage.plan(*chain(("train", completes())))
    stage.attempt(stage.starter(stream_logs=True))
    has_gone_well(stage)
    assert "train step 60 done" in stage.log


@listed(STARTERS[1], when=METRICS)
def measures_outputs(stage: Stage) -> None:
    stage.plan(*chain(("train", completes())))
    stage.attempt(stage.starter(fetch_metrics=True))
    has_gone_well(stage)


@listed(STARTERS[1])
def starts_a_manifest(stage: Stage) -> None:
    pipeline_id = stage.plan(*chain(("train", completes())))
    manifest = stage.emulator.paiflow.pipelines[pipeline_id].manifest.text
    stage.attempt(PaiFlowStartPipelineOperator(task_id="start", manifest=manifest, deferrable=False))
    has_gone_well(stage)
    is_shown(stage)


# What runs a run again


@listed(RERUNNERS[0], when=table.RERUN)
@listed(RERUNNERS[1], RERUNNERS[2])
@listed(RERUNNERS[1], when=DEFER, mode="deferrable")
def is_run_again(stage: Stage) -> None:
    run_id = failed(stage)
    stage.attempt(stage.actor(run_id, "rerun"))
    has_gone_well(stage)
    is_shown(stage)
    assert stage.counts.repairs == 1
    if stage.mode == "deferrable":
        assert answered(stage, "ListPipelineRunsStatus") > 0


@listed(RERUNNERS[0], when=RETRY)
@listed(RERUNNERS[1], RERUNNERS[2], when="a retry runs it again")
def is_run_again_twice(stage: Stage) -> None:
    run_id = failed(stage, fails(), completes())
    operator = stage.actor(run_id, "rerun", retries=1)
    assert [stage.attempt(operator).state for _ in range(2)] == ["up_for_retry", "success"], stage.log
    assert stage.counts.repairs == 2


@listed(RERUNNERS[1], when=KILL)
@listed(RERUNNERS[0], when="its rerun is killed")
def is_killed_when_run_again(stage: Stage) -> None:
    run_id = failed(stage, endless())
    stage.at(100, lambda: stage.mark("failed"))
    stage.attempt(stage.actor(run_id, "rerun"))
    assert (stage.counts.repairs, stage.counts.stops) == (1, 1), stage.log


@listed(RERUNNERS[0], RERUNNERS[1], when=LOG)
def fails_again_with_its_log(stage: Stage) -> None:
    run_id = failed(stage, fails())
    stage.attempt(stage.actor(run_id, "rerun"))
    assert "Last log lines of step train:" in str(stage.result.error)


@listed(RERUNNERS[0], when=WAITING)
def waits_when_run_again(stage: Stage) -> None:
    again = PlannedStep("train", (fails(), completes()))
    run_id = begun(stage, again, NEEDS_INPUT[1], seconds=100)
    stage.attempt(stage.actor(run_id, "rerun", **ANSWERS))
    has_gone_well(stage)
    assert stage.counts.continues == 1


@listed(RERUNNERS[0], when=METRICS)
def is_measured_when_run_again(stage: Stage) -> None:
    run_id = failed(stage)
    stage.attempt(stage.actor(run_id, "rerun", fetch_metrics=True))
    has_gone_well(stage)


@listed(RERUNNERS[1], when=STREAM)
def shows_its_log_when_run_again(stage: Stage) -> None:
    run_id = failed(stage)
    stage.attempt(stage.actor(run_id, "rerun", stream_logs=True))
    has_gone_well(stage)
    assert "train step 60 done" in stage.log


# What stops a run, and what acts on a step


@listed(*STOPPERS)
@listed(STOPPERS[1], when=DEFER, mode="deferrable")
def is_stopped(stage: Stage) -> None:
    stage.emulator.switches.stop_seconds = 90.0
    run_id = begun(stage, *chain(("train", endless())), seconds=100)
    stage.attempt(stage.actor(run_id, "stop"))
    has_gone_well(stage)
    assert stage.service.shown(run_id) == "stopped"
    is_shown(stage)
    if stage.mode == "deferrable":
        assert answered(stage, "ListPipelineRunsStatus") > 0


@listed(STOPPERS[1], when=STREAM)
def shows_its_log_when_stopped(stage: Stage) -> None:
    stage.emulator.switches.stop_seconds = 90.0
    run_id = begun(stage, *chain(("label", completes()), ("train", endless())), seconds=100)
    stage.attempt(stage.actor(run_id, "stop", stream_logs=True))
    has_gone_well(stage)
    assert "label step 60 done" in stage.log


@listed(*STEP_ACTORS)
def is_retried(stage: Stage) -> None:
    run_id = failed(stage)
    stage.attempt(stage.step_actor(run_id, "train", "retry"))
    has_gone_well(stage)
    assert stage.result.xcoms["step"]["name"] == "train"
    assert stage.counts.repairs == 1


@listed(*STEP_ACTORS, when="`continue`")
def is_continued(stage: Stage) -> None:
    run_id = begun(stage, *chain(("train", held())), seconds=100)
    stage.attempt(stage.step_actor(run_id, "train", "continue"))
    has_gone_well(stage)
    assert stage.counts.continues == 1


@listed(STEP_ACTORS[0], when="`stop`")
def is_stopped_alone(stage: Stage) -> None:
    run_id = begun(stage, *chain(("train", endless())), seconds=100)
    stage.attempt(stage.step_actor(run_id, "train", "stop"))
    has_gone_well(stage)


@listed(*STEP_ACTORS, when=RETRIED_STOP)
def is_killed_when_retried(stage: Stage) -> None:
    run_id = failed(stage, endless())
    stage.at(100, lambda: stage.mark("failed"))
    stage.attempt(stage.step_actor(run_id, "train", "retry", cancel_on_kill=True))
    assert (stage.counts.repairs, stage.counts.stops) == (1, 1), stage.log
