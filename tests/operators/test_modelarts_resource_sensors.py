"""Sensors for services, pools, clusters and the todo list: they wait in three ways and change nothing."""

from __future__ import annotations

import asyncio
import json
from abc import ABC, abstractmethod
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk.exceptions import AirflowSensorTimeout

from airflow_provider_mlworkflows.emulator import FaultRule
from airflow_provider_mlworkflows.emulator.modelarts.ready import HOLDS_FOR_LABELLING, WAITS_FOR_INPUTS
from airflow_provider_mlworkflows.emulator.modelarts.serving import never_deploys
from airflow_provider_mlworkflows.emulator.scripted import Phase
from airflow_provider_mlworkflows.exceptions import (
    InvalidInputError,
    MLWorkflowsError,
    RunFailedError,
    RunNotFoundError,
    RunStoppedError,
    UnknownStatusError,
)
from airflow_provider_mlworkflows.sensors.modelarts_resources import (
    ModelArtsClusterSensor,
    ModelArtsPoolSensor,
    ModelArtsServiceSensor,
    ModelArtsTodoSensor,
)
from tests.harness.task_runner import FakeAirflow
from tests.operators.modelarts_stage import MODEL, NAME, Staging, each_mode, later

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.emulator.modelarts import ModelArts
    from airflow_provider_mlworkflows.sensors.base import RunSensor
    from tests.scenarios.stage import Mode, Stage


class Awaited(ABC):
    """Something that a sensor waits for."""

    id: str
    fails_as: str = ""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage

    @property
    def store(self) -> ModelArts:
        return self.stage.emulator.modelarts

    @abstractmethod
    def sensor(self, **arguments: Any) -> RunSensor: ...
    @abstractmethod
    def become_ready(self) -> None: ...

    def show(self, status: str) -> None:
        raise NotImplementedError

    def vanish(self) -> None:
        raise NotImplementedError


class AwaitedService(Awaited):
    fails_as = "failed"

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage)
        body = {"service_name": NAME, "infer_type": "real-time", "config": [MODEL]}
        self.id = self.store.services.add(body, never_deploys()).service_id

    def sensor(self, **arguments: Any) -> RunSensor:
        return ModelArtsServiceSensor(service_id=self.id, **arguments)

    def become_ready(self) -> None:
        self.show("running")

    def show(self, status: str) -> None:
        self.store.services.force_status(self.id, status, "no such image")

    def vanish(self) -> None:
        self.store.services.remove(self.id)


class AwaitedPool(Awaited):
    fails_as = "Failed"

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage)
        self.id = f"pool-{len(self.store.pools.all)}"
        self.pool = self.store.pools.add(
            self.id, nodes=3, available=2, script=(Phase("Creating", 60), Phase("Running"))
        )

    def sensor(self, **arguments: Any) -> RunSensor:
        return ModelArtsPoolSensor(pool_name=self.id, min_nodes=3, **arguments)

    def become_ready(self) -> None:
        self.pool.resize(4)

    def show(self, status: str) -> None:
        self.pool.force(status)

    def vanish(self) -> None:
        self.store.pools.remove(self.id)


class AwaitedCluster(Awaited):
    fails_as = "abnormal"

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage)
        self.id = f"cluster-{len(self.store.clusters.all)}"
        self.cluster = self.store.clusters.add(self.id, nodes=3, available_nodes=2)

    def sensor(self, **arguments: Any) -> RunSensor:
        return ModelArtsClusterSensor(cluster=self.id, min_nodes=3, **arguments)

    def become_ready(self) -> None:
        self.cluster.available_nodes = 3

    def show(self, status: str) -> None:
        self.cluster.force(status)

    def vanish(self) -> None:
        self.store.clusters.remove(self.id)


class AwaitedTodo(Awaited):
    id = "0"

    def sensor(self, **arguments: Any) -> RunSensor:
        return ModelArtsTodoSensor(**arguments)

    def become_ready(self) -> None:
        self.store.start(HOLDS_FOR_LABELLING)


KINDS = (AwaitedService, AwaitedPool, AwaitedCluster, AwaitedTodo)
each_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__.removeprefix("Awaited").lower())
each_that_fails = pytest.mark.parametrize("kind", KINDS[:3], ids=["service", "pool", "cluster"])


def sensor_of(awaited: Awaited, **arguments: Any) -> RunSensor:
    mode = awaited.stage.mode
    ways = {"deferrable": mode == "deferrable", "mode": "reschedule" if mode == "reschedule" else "poke"}
    return awaited.sensor(**{"task_id": "wait", "poke_interval": 30.0, **ways, **arguments})


@each_mode
@each_kind
class TestEverySensor:
    def test_waits(self, staging: Staging, kind: type[Awaited], mode: Mode) -> None:
        stage = staging(mode)
        awaited = kind(stage)
        later(stage, 300, awaited.become_ready)
        began = stage.clock.time()
        result = stage.attempt(sensor_of(awaited))
        assert result.state == "success", stage.log
        assert 300 <= stage.clock.time() - began <= 400
        assert result.xcoms["return_value"] == awaited.id
        assert result.xcoms["run"]["state"] == "succeeded"
        assert stage.deferrals == (mode == "deferrable")
        assert {entry.method for entry in stage.emulator.journal.entries} == {"GET"}

    def test_times_out(self, staging: Staging, kind: type[Awaited], mode: Mode) -> None:
        stage = staging(mode)
        began = stage.clock.time()
        result = stage.attempt(sensor_of(kind(stage), timeout=600, retries=2))
        assert result.state == "failed", stage.log
        assert isinstance(result.error, AirflowSensorTimeout)
        assert 600 <= stage.clock.time() - began <= 660

    @pytest.mark.parametrize("skips", ["soft_fail", "never_fail"])
    def test_times_out_and_skips(self, staging: Staging, kind: type[Awaited], mode: Mode, skips: str) -> None:
        stage = staging(mode)
        assert stage.attempt(sensor_of(kind(stage), timeout=600, **{skips: True})).state == "skipped", stage.log

    def test_is_not_disturbed_by_a_moment_without_the_service(
        self, staging: Staging, kind: type[Awaited], mode: Mode
    ) -> None:
        stage = staging(mode)
        awaited = kind(stage)
        later(stage, 100, lambda: stage.emulator.faults.add(FaultRule(status=503, times=None)))
        stage.at(220, stage.emulator.faults.clear)
        later(stage, 300, awaited.become_ready)
        assert stage.attempt(sensor_of(awaited)).state == "success", stage.log

    def test_gives_up_on_a_lost_service(self, staging: Staging, kind: type[Awaited], mode: Mode) -> None:
        stage = staging(mode)
        awaited = kind(stage)
        later(stage, 40, lambda: stage.emulator.faults.add(FaultRule(status=503, times=None)))
        result = stage.attempt(sensor_of(awaited))
        assert result.state == "failed"
        assert isinstance(result.error, MLWorkflowsError)
        assert "could not be read any more" in str(result.error)


@each_mode
@each_that_fails
class TestFailures:
    def test_are_told(self, staging: Staging, kind: type[Awaited], mode: Mode) -> None:
        stage = staging(mode)
        awaited = kind(stage)
        later(stage, 100, lambda: awaited.show(awaited.fails_as))
        result = stage.attempt(sensor_of(awaited))
        assert isinstance(result.error, RunFailedError), stage.log
        assert awaited.id in str(result.error)
        assert ("no such image" in str(result.error)) == (kind is AwaitedService)

    @pytest.mark.parametrize("skips", ["soft_fail", "never_fail"])
    def test_skip(self, staging: Staging, kind: type[Awaited], mode: Mode, skips: str) -> None:
        stage = staging(mode)
        awaited = kind(stage)
        later(stage, 100, lambda: awaited.show(awaited.fails_as))
        assert stage.attempt(sensor_of(awaited, **{skips: True})).state == "skipped", stage.log

    def test_of_what_is_not_there(self, staging: Staging, kind: type[Awaited], mode: Mode) -> None:
        stage = staging(mode)
        awaited = kind(stage)
        awaited.vanish()
        assert isinstance(stage.attempt(sensor_of(awaited)).error, RunNotFoundError), stage.log
        assert stage.deferrals == 0

    def test_of_what_vanishes(self, staging: Staging, kind: type[Awaited], mode: Mode) -> None:
        stage = staging(mode)
        awaited = kind(stage)
        later(stage, 100, awaited.vanish)
        assert isinstance(stage.attempt(sensor_of(awaited)).error, RunNotFoundError), stage.log

    def test_of_a_word_that_nobody_knows(self, staging: Staging, kind: type[Awaited], mode: Mode) -> None:
        stage = staging(mode)
        awaited = kind(stage)
        later(stage, 100, lambda: awaited.show("defragmenting"))
        assert isinstance(stage.attempt(sensor_of(awaited, poke_interval=120.0)).error, UnknownStatusError), stage.log


@each_mode
class TestServices:
    def test_address_is_told(self, staging: Staging, mode: Mode) -> None:
        stage = staging(mode)
        awaited = AwaitedService(stage)
        later(stage, 100, awaited.become_ready)
        result = stage.attempt(sensor_of(awaited))
        assert result.xcoms["outputs"]["address"].endswith(awaited.id)
        assert len(result.xcoms["steps"]) == 1

    def test_that_are_stopped_are_no_success(self, staging: Staging, mode: Mode) -> None:
        stage = staging(mode)
        awaited = AwaitedService(stage)
        later(stage, 100, lambda: awaited.show("stopped"))
        assert isinstance(stage.attempt(sensor_of(awaited)).error, RunStoppedError)

    def test_of_batches_are_waited_for_until_they_are_finished(self, staging: Staging, mode: Mode) -> None:
        stage = staging(mode)
        awaited = AwaitedService(stage)
        body = {"service_name": "batch", "infer_type": "batch", "config": [MODEL]}
        awaited.id = stage.emulator.modelarts.services.add(body).service_id
        result = stage.attempt(sensor_of(awaited))
        assert result.xcoms["run"]["status"] == "finished", stage.log


@each_mode
class TestNodes:
    @pytest.mark.parametrize("kind", [AwaitedPool, AwaitedCluster])
    def test_are_counted(self, staging: Staging, mode: Mode, kind: type[Awaited]) -> None:
        stage = staging(mode)
        awaited = kind(stage)
        later(stage, 300, awaited.become_ready)
        result = stage.attempt(sensor_of(awaited))
        assert result.xcoms["outputs"]["available_nodes"] >= 3
        assert result.xcoms["outputs"]["nodes"] >= 3

    @pytest.mark.parametrize("kind", [AwaitedPool, AwaitedCluster])
    @pytest.mark.parametrize("min_nodes", [-1, "3"])
    def test_have_to_be_a_number(self, staging: Staging, mode: Mode, kind: type[Awaited], min_nodes: Any) -> None:
        stage = staging(mode)
        sensor = sensor_of(kind(stage))
        sensor.min_nodes = min_nodes
        assert isinstance(stage.attempt(sensor).error, InvalidInputError)
        assert stage.emulator.journal.entries == []

    def test_of_a_cluster_that_is_called_by_its_id(self, staging: Staging, mode: Mode) -> None:
        stage = staging(mode)
        cluster = stage.emulator.modelarts.clusters.add("mine", nodes=2)
        awaited = AwaitedCluster(stage)
        awaited.id = cluster.cluster_id
        later(stage, 100, lambda: setattr(cluster, "available_nodes", 3))
        assert stage.attempt(sensor_of(awaited)).state == "success", stage.log

    def test_of_a_cluster_whose_name_several_have(self, staging: Staging, mode: Mode) -> None:
        stage = staging(mode)
        for _ in range(2):
            stage.emulator.modelarts.clusters.add("ours", nodes=3)
        awaited = AwaitedCluster(stage)
        awaited.id = "ours"
        error = stage.attempt(sensor_of(awaited)).error
        assert isinstance(error, InvalidInputError), stage.log
        assert "2 clusters are called 'ours'" in str(error)


@each_mode
class TestTodos:
    def test_tell_what_waits(self, staging: Staging, mode: Mode) -> None:
        stage = staging(mode)
        started: list[str] = []
        later(stage, 100, lambda: started.append(stage.emulator.modelarts.start(HOLDS_FOR_LABELLING).execution_id))
        result = stage.attempt(sensor_of(AwaitedTodo(stage)))
        assert result.xcoms["outputs"]["todos"] == [
            {
                "workflow_id": HOLDS_FOR_LABELLING,
                "workflow_name": "holds-for-labelling",
                "execution_id": started[0],
                "step_name": "label",
                "status": "hold",
            }
        ], stage.log

    def test_of_other_workflows_do_not_count_if_not_wanted(self, staging: Staging, mode: Mode) -> None:
        stage = staging(mode)
        stage.emulator.modelarts.start(HOLDS_FOR_LABELLING)
        stage.clock.advance(60)
        later(stage, 300, lambda: stage.emulator.modelarts.start(WAITS_FOR_INPUTS))
        result = stage.attempt(sensor_of(AwaitedTodo(stage), workflow_id=WAITS_FOR_INPUTS))
        assert [each["status"] for each in result.xcoms["outputs"]["todos"]] == ["wait_inputs"], stage.log

    def test_of_other_workspaces_do_not_count(self, staging: Staging, mode: Mode) -> None:
        stage = staging(mode)
        stage.emulator.modelarts.start(HOLDS_FOR_LABELLING)
        result = stage.attempt(sensor_of(AwaitedTodo(stage), workspace_id="w", timeout=300))
        assert isinstance(result.error, AirflowSensorTimeout), stage.log


def watch_together(stage: Stage, sensors: list[RunSensor]) -> Counter[str]:
    """Defer sensors, let their triggers wait together for ten minutes, and count what they ask for meanwhile."""
    airflows = []
    for sensor in sensors:
        airflow = FakeAirflow(stage.service.connections(), clock=stage.emulator.clock.now)
        assert airflow.run(sensor).state == "deferred"
        airflows.append(airflow)

    async def live() -> None:
        contexts = [airflow.start_trigger() for airflow in airflows]
        running = [await context.__aenter__() for context in contexts]
        stage.clock.is_busy = lambda: not all(_is_waiting(each) for each in running)
        outcomes = asyncio.gather(*(each.result() for each in running))
        await outcomes
        stage.clock.is_busy = lambda: False
        for context in contexts:
            await context.__aexit__(None, None, None)

    stage.emulator.journal.clear()
    asyncio.run(live())
    return Counter(str(entry.operation) for entry in stage.emulator.journal.entries)


def _is_waiting(running: Any) -> bool:
    return running.is_done or not (running._runner.comms_decoder._pending or running._runner.events)


class TestManyWatchers:
    @pytest.mark.parametrize(
        ("kind", "listed", "at_the_end"),
        [
            (AwaitedService, "ListServices", {"ShowService"}),
            (AwaitedPool, "ListPools", {"ShowPool"}),
            (AwaitedCluster, "ListClusters", set()),
            (AwaitedTodo, "ShowWorkflowsTodolist", set()),
        ],
        ids=["service", "pool", "cluster", "todo"],
    )
    def test_share_their_requests(
        self, staging: Staging, kind: type[Awaited], listed: str, at_the_end: set[str]
    ) -> None:
        stage = staging("deferrable")
        awaited = [kind(stage) for _ in range(20)]
        if kind is AwaitedPool:
            for each in awaited:
                each.show("Creating")
        asked = watch_together(stage, [sensor_of(each, timeout=600) for each in awaited])
        # Each by itself would be read some twenty times.
        assert 20 <= asked[listed] <= 45
        assert asked.keys() <= {listed, *at_the_end}
        assert asked.total() <= 75


def test_arguments_of_triggers_survive_their_way(staging: Staging) -> None:
    stage = staging("deferrable")
    for kind in KINDS:
        airflow = FakeAirflow(stage.service.connections(), clock=stage.emulator.clock.now)
        result = airflow.run(sensor_of(kind(stage)))
        assert result.deferral is not None
        arguments = result.deferral.kwargs
        assert json.loads(json.dumps(arguments)) == arguments
        assert all(isinstance(value, str | int | float | bool | None) for value in arguments.values())


@pytest.mark.parametrize("kind", [ModelArtsPoolSensor, ModelArtsClusterSensor])
def test_a_number_of_nodes_may_be_a_text(kind: Any) -> None:
    resource = {"pool_name": "p"} if kind is ModelArtsPoolSensor else {"cluster": "c"}
    assert kind(task_id="wait", min_nodes="3", **resource).min_nodes == 3
    for value in ("many", "{{ 3 }}", -1, True):
        with pytest.raises(InvalidInputError, match="min_nodes"):
            kind(task_id="wait", min_nodes=value, **resource)
