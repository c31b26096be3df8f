"""Scenes of those who wait: sensors, and the triggerer that reads for several tasks at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_mlworkflows.runs import Run, RunRef
from tests.permissions import table
from tests.permissions.scene import answered, has_gone_well
from tests.permissions.scenes_runs import RERUNNERS, STARTERS, STEP_ACTORS, STOPPERS, begun, is_shown, listed
from tests.permissions.table import DEFER, MANY
from tests.scenarios.aom import AomUnderTest
from tests.scenarios.modelarts import ModelArtsUnderTest
from tests.scenarios.obs import ObsUnderTest
from tests.scenarios.paiflow import PaiFlowUnderTest
from tests.scenarios.plan import chain, completes, endless

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.operators.base import RunOperator
    from airflow_provider_mlworkflows.sensors.base import RunSensor
    from tests.scenarios.stage import Stage

RUN_SENSORS = (
    ("ModelArtsExecutionSensor", ModelArtsUnderTest),
    ("PaiFlowRunSensor", PaiFlowUnderTest),
    ("ObsExecutionSensor", ObsUnderTest),
    ("AomExecutionSensor", AomUnderTest),
)
STEP_SENSORS = (
    ("ModelArtsStepSensor", ModelArtsUnderTest),
    ("PaiFlowNodeSensor", PaiFlowUnderTest),
    ("ObsStateSensor", ObsUnderTest),
    ("AomNodeSensor", AomUnderTest),
)
ALONE = "it is alone in the triggerer"


# What waits for a run of somebody else


@listed(*RUN_SENSORS)
@listed(RUN_SENSORS[1], when=DEFER, mode="deferrable")
@listed(RUN_SENSORS[0], RUN_SENSORS[2], RUN_SENSORS[3], when=ALONE, mode="deferrable")
def is_waited_for(stage: Stage) -> None:
    run_id = begun(stage, *chain(("train", completes(100))))
    stage.attempt(stage.sensor(run_id))
    has_gone_well(stage)
    is_shown(stage)
    if stage.mode == "deferrable" and stage.service.name == "paiflow":
        assert answered(stage, "ListPipelineRunsStatus") > 0


@listed(*STEP_SENSORS)
@listed(STEP_SENSORS[1], when=DEFER, mode="deferrable")
@listed(*(row for row in STEP_SENSORS if row[1] is not PaiFlowUnderTest), when=ALONE, mode="deferrable")
def has_a_step_that_is_waited_for(stage: Stage) -> None:
    run_id = begun(stage, *chain(("train", completes(100)), ("deploy", endless())))
    stage.attempt(stage.sensor(run_id, "train", timeout=3600))
    has_gone_well(stage)
    assert stage.result.xcoms["step"]["name"] == "train"
    if stage.mode == "deferrable" and stage.service.name == "paiflow":
        assert answered(stage, "ListPipelineRunsStatus") > 0


@listed(STEP_SENSORS[1], when=table.RUN_OVER)
def is_over_with_its_step(stage: Stage) -> None:
    run_id = begun(stage, *chain(("train", completes(100))))
    stage.attempt(stage.sensor(run_id, "train"))
    has_gone_well(stage)


# What the triggerer reads for several tasks


def _are_read_together(stage: Stage, watcher: RunOperator | RunSensor) -> None:
    refs = [RunRef(stage.workflow, run_id) for run_id in stage.runs]
    runs = watcher.hook.get_runs(refs)
    assert [type(runs[ref]) for ref in refs] == [Run] * len(refs), runs
    shared = table.need(stage.service.name, type(watcher).__name__).more[MANY]
    assert [operation for operation in shared if not answered(stage, operation)] == []


def _several(stage: Stage) -> None:
    begun(stage, *chain(("train", endless())))
    for _ in range(2):
        stage.service.start_elsewhere(stage.workflow)
    stage.clock.advance(100)


@listed(RUN_SENSORS[0], RUN_SENSORS[2], RUN_SENSORS[3], when=MANY)
def are_read_together_for_sensors(stage: Stage) -> None:
    _several(stage)
    _are_read_together(stage, stage.sensor(stage.run_id))


@listed(STARTERS[0], STARTERS[2], STARTERS[3], when=MANY)
def are_read_together_for_starters(stage: Stage) -> None:
    _several(stage)
    _are_read_together(stage, stage.starter())


@listed(RERUNNERS[0], RERUNNERS[2], when=MANY)
def are_read_together_for_rerunners(stage: Stage) -> None:
    _several(stage)
    _are_read_together(stage, stage.actor(stage.run_id, "rerun"))


@listed(STOPPERS[2], when=MANY)
def are_read_together_for_stoppers(stage: Stage) -> None:
    _several(stage)
    _are_read_together(stage, stage.actor(stage.run_id, "stop"))


@listed(*STEP_ACTORS, when=MANY)
def are_read_together_for_step_actors(stage: Stage) -> None:
    _several(stage)
    _are_read_together(stage, stage.step_actor(stage.run_id, "train", "retry"))
