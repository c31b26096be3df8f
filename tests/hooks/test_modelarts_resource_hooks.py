"""Hooks that show services, pools, clusters and the todo list as runs, blocking and async."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_mlworkflows.emulator import FaultRule
from airflow_provider_mlworkflows.emulator.environment import HUAWEI_CONNECTION
from airflow_provider_mlworkflows.emulator.modelarts.ready import HOLDS_FOR_LABELLING, WAITS_FOR_INPUTS
from airflow_provider_mlworkflows.emulator.modelarts.serving import fails_to_deploy, never_deploys
from airflow_provider_mlworkflows.exceptions import (
    BadRequestError,
    InvalidInputError,
    MLWorkflowsError,
    NotFoundError,
    ServerError,
    StopImpossibleError,
)
from airflow_provider_mlworkflows.hooks.modelarts_resources import (
    ModelArtsClusterHook,
    ModelArtsDeletionHook,
    ModelArtsPoolHook,
    ModelArtsServiceHook,
    ModelArtsTodoHook,
)
from airflow_provider_mlworkflows.runs import Run, RunRef, RunState

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_mlworkflows.emulator.modelarts.serving import Service
    from airflow_provider_mlworkflows.hooks.modelarts_base import ModelArtsRunHook
    from tests.hooks.both_forms import Ask
    from tests.support import Bench

MODEL = {"model_id": "m", "specification": "f", "instance_count": 1}
OTHER = {**MODEL, "model_id": "n"}
STOP = {"type": "stop", "time_unit": "HOURS", "duration": 1}
REFUSED: dict[str, Any] = {"status": 403, "code": "ModelArts.0112"}


@pytest.fixture
def connect(modelarts: Bench, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    monkeypatch.setenv(f"AIRFLOW_CONN_{HUAWEI_CONNECTION.upper()}", json.dumps(modelarts.connection))

    def make(kind: type[ModelArtsRunHook], **options: Any) -> ModelArtsRunHook:
        return kind(HUAWEI_CONNECTION, clock=modelarts.clock, attempts=1, **options)

    return make


def asked(modelarts: Bench) -> dict[str, int]:
    return dict(Counter(str(entry.operation) for entry in modelarts.requests))


def deployed(modelarts: Bench, *deployments: Any, **fields: Any) -> Service:
    body = {"service_name": "flowers", "infer_type": "real-time", "config": [MODEL], **fields}
    return modelarts.emulator.modelarts.services.add(body, *deployments)


def ref_of(service: Service) -> RunRef:
    return RunRef("service", service.service_id)


class TestServices:
    def test_read(self, modelarts: Bench, connect: Any, ask: Ask) -> None:
        service = deployed(modelarts)
        hook = connect(ModelArtsServiceHook)
        assert ask(hook.get_run, ref_of(service)).state is RunState.ACTIVE
        modelarts.clock.advance(60)
        run = ask(hook.get_run, ref_of(service))
        assert (run.state, run.status, run.name) == (RunState.SUCCEEDED, "running", "flowers")
        assert run.ended_at is not None
        assert run.started_at is not None
        assert run.ended_at > run.started_at
        assert run.url.endswith("?region=cn-north-4")

    def test_of_a_batch_succeeds_once_it_is_finished(
        self,
        modelarts: Bench,
        connect: Any,
        ask: Ask,
    ) -> None:
        hook = connect(ModelArtsServiceHook)
        service = deployed(modelarts, infer_type="batch")
        for seconds, status, state in ((15, "running", RunState.ACTIVE), (60, "finished", RunState.SUCCEEDED)):
            modelarts.clock.advance(seconds)
            run = ask(hook.get_run, ref_of(service))
            assert (run.status, run.state) == (status, state)

    def test_that_fail_blame_the_only_model(self, modelarts: Bench, connect: Any, ask: Ask) -> None:
        service = deployed(modelarts, fails_to_deploy(5, "no such image"))
        modelarts.clock.advance(60)
        run = ask(connect(ModelArtsServiceHook).get_run, ref_of(service))
        assert [(step.id, step.error) for step in run.failed_steps] == [("m", "no such image")]

    def test_that_fail_blame_none_of_several(self, modelarts: Bench, connect: Any, ask: Ask) -> None:
        versions = [{**MODEL, "weight": 50}, {**OTHER, "weight": 50}]
        service = deployed(modelarts, fails_to_deploy(5, "no such image"), config=versions)
        modelarts.clock.advance(60)
        run = ask(connect(ModelArtsServiceHook).get_run, ref_of(service))
        assert (run.failed_steps, run.message) == ((), "no such image")

    @pytest.mark.parametrize(("count", "requests"), [(2, {"ShowService": 2}), (3, {"ListServices": 1})])
    def test_many_are_read_from_one_list(
        self,
        modelarts: Bench,
        connect: Any,
        ask: Ask,
        count: int,
        requests: dict[str, int],
    ) -> None:
        refs = [ref_of(deployed(modelarts)) for _ in range(count)]
        hook = connect(ModelArtsServiceHook)
        runs = ask(hook.get_runs, refs)
        assert {ref: run.state for ref, run in runs.items()} == dict.fromkeys(refs, RunState.ACTIVE)
        assert asked(modelarts) == requests
        assert hook.batches(refs) == ([refs] if count == 3 else [[ref] for ref in refs])

    def test_missing_one_among_many_concerns_nobody_else(
        self,
        modelarts: Bench,
        connect: Any,
        ask: Ask,
    ) -> None:
        refs = [ref_of(deployed(modelarts)) for _ in range(3)]
        gone = RunRef("service", "gone")
        runs = ask(connect(ModelArtsServiceHook).get_runs, [*refs, gone])
        assert isinstance(runs[gone], NotFoundError)
        assert all(isinstance(runs[ref], Run) for ref in refs)

    def test_who_may_not_list_them_reads_each(self, modelarts: Bench, connect: Any, ask: Ask) -> None:
        refs = [ref_of(deployed(modelarts)) for _ in range(3)]
        modelarts.emulator.faults.add(FaultRule(operation="ListServices", times=None, **REFUSED))
        runs = ask(connect(ModelArtsServiceHook).get_runs, refs)
        assert all(isinstance(run, Run) for run in runs.values())
        assert asked(modelarts) == {"ListServices": 1, "ShowService": 3}

    def test_list_that_fails_concerns_all(self, modelarts: Bench, connect: Any, ask: Ask) -> None:
        refs = [ref_of(deployed(modelarts)) for _ in range(3)]
        modelarts.emulator.faults.add(FaultRule(operation="ListServices", status=503, times=None))
        runs = ask(connect(ModelArtsServiceHook).get_runs, refs)
        assert {type(run) for run in runs.values()} == {ServerError}
        assert asked(modelarts) == {"ListServices": 1}

    @pytest.mark.parametrize("force", [False, True])
    def test_stop_what_is_being_deployed(
        self,
        modelarts: Bench,
        connect: Any,
        ask: Ask,
        force: bool,
    ) -> None:
        service = deployed(modelarts, never_deploys())
        assert ask(connect(ModelArtsServiceHook).stop_run, ref_of(service), force=force) is True
        assert service.status == "stopping"

    @pytest.mark.parametrize("status", ["running", "stopping", "stopped", "failed"])
    def test_stop_nothing_else(self, modelarts: Bench, connect: Any, ask: Ask, status: str) -> None:
        service = deployed(modelarts)
        modelarts.emulator.modelarts.services.force_status(service.service_id, status)
        assert ask(connect(ModelArtsServiceHook).stop_run, ref_of(service)) is False
        assert asked(modelarts) == {"ShowService": 1}

    def test_stop_that_is_refused_as_it_is_over(self, modelarts: Bench, connect: Any, ask: Ask) -> None:
        service = deployed(modelarts, never_deploys())
        modelarts.emulator.modelarts.services.force_status(service.service_id, "stopped")
        assert ask(connect(ModelArtsServiceHook).stop_run, ref_of(service), force=True) is False

    def test_stop_that_is_refused(self, modelarts: Bench, connect: Any, ask: Ask) -> None:
        service = deployed(modelarts, never_deploys())
        modelarts.emulator.faults.add(FaultRule(operation="UpdateService", status=400))
        with pytest.raises(BadRequestError):
            ask(connect(ModelArtsServiceHook).stop_run, ref_of(service))

    @pytest.mark.parametrize(
        ("status", "changes", "unmet"),
        [
            ("running", {"config": [MODEL]}, []),
            ("running", {"config": [{**MODEL, "weight": "100"}]}, []),
            ("running", {"config": [{**MODEL, "envs": {"two": "2", "one": 1}}]}, []),
            ("deploying", {"config": [MODEL]}, []),
            ("failed", {"config": [MODEL]}, ["config"]),
            ("stopped", {"config": [MODEL]}, ["config"]),
            ("running", {"config": [{**MODEL, "instance_count": 2}]}, ["config"]),
            ("running", {"config": [OTHER]}, ["config"]),
            ("running", {"config": [MODEL, OTHER]}, ["config"]),
            ("running", {"config": [{**MODEL, "envs": {"one": "1"}}]}, ["config"]),
            ("running", {"status": "running"}, []),
            ("deploying", {"status": "running"}, []),
            ("stopped", {"status": "running"}, ["status"]),
            ("finished", {"status": "running"}, ["status"]),
            ("stopping", {"status": "stopped"}, []),
            ("stopped", {"status": "stopped"}, []),
            ("finished", {"status": "stopped"}, []),
            ("failed", {"status": "stopped"}, ["status"]),
            ("running", {"status": "stopped"}, ["status"]),
            ("running", {"description": "old", "config": [OTHER]}, ["config"]),
            ("running", {"description": "new", "config": [MODEL]}, ["description"]),
            ("running", {"schedule": [STOP]}, []),
            ("running", {"schedule": [{**STOP, "duration": 2}]}, ["schedule"]),
            ("running", {"schedule": []}, ["schedule"]),
            ("running", {"additional_properties": {"k": 1}}, []),
            ("running", {"additional_properties": {}, "unheard_of": 1}, ["additional_properties", "unheard_of"]),
        ],
    )
    def test_tell_what_has_not_been_changed(
        self, modelarts: Bench, connect: Any, ask: Ask, status: str, changes: dict[str, Any], unmet: list[str]
    ) -> None:
        service = deployed(
            modelarts,
            config=[{**MODEL, "weight": 100, "envs": {"one": "1", "two": "2"}}],
            description="old",
            schedule=[STOP],
            additional_properties={"k": "1"},
        )
        modelarts.emulator.modelarts.services.force_status(service.name, status)
        run, names = ask(connect(ModelArtsServiceHook).compare_service, ref_of(service), changes)
        assert (run.status, run.ref) == (status, ref_of(service))
        assert sorted(names) == unmet

    def test_have_no_logs_and_measure_nothing(self, modelarts: Bench, connect: Any, ask: Ask) -> None:
        hook = connect(ModelArtsServiceHook)
        run = ask(hook.get_run, ref_of(deployed(modelarts)))
        assert (ask(hook.get_failure_log, run), ask(hook.get_metrics, run)) == ("", {})


class TestDeletions:
    @pytest.mark.parametrize(
        ("status", "state"),
        [
            ("running", RunState.ACTIVE),
            ("stopped", RunState.ACTIVE),
            ("deleting", RunState.ACTIVE),
            ("failed", RunState.FAILED),
            ("evaporating", RunState.UNKNOWN),
        ],
    )
    def test_of_what_is_still_there(
        self, modelarts: Bench, connect: Any, ask: Ask, status: str, state: RunState
    ) -> None:
        service = deployed(modelarts)
        modelarts.emulator.modelarts.services.force_status(service.name, status)
        run = ask(connect(ModelArtsDeletionHook).get_run, ref_of(service))
        assert (run.state, run.status, run.name) == (state, status, "flowers")

    def test_succeed_once_the_service_is_gone(self, modelarts: Bench, connect: Any, ask: Ask) -> None:
        run = ask(connect(ModelArtsDeletionHook).get_run, RunRef("service", "nobody"))
        assert (run.state, run.status) == (RunState.SUCCEEDED, "deleted")

    def test_are_not_stopped(self, modelarts: Bench, connect: Any, ask: Ask) -> None:
        with pytest.raises(StopImpossibleError):
            ask(connect(ModelArtsDeletionHook).stop_run, ref_of(deployed(modelarts)))


class TestPools:
    @pytest.mark.parametrize(("min_nodes", "state"), [(2, RunState.SUCCEEDED), (3, RunState.ACTIVE)])
    def test_need_nodes(
        self,
        modelarts: Bench,
        connect: Any,
        ask: Ask,
        min_nodes: int,
        state: RunState,
    ) -> None:
        modelarts.emulator.modelarts.pools.add("p", nodes=3, available=2)
        run = ask(connect(ModelArtsPoolHook, min_nodes=min_nodes).get_run, RunRef("pool", "p"))
        assert run.state is state
        assert ("with 2 of 3 nodes" in run.status) == (state is RunState.ACTIVE)
        assert run.outputs == {"nodes": 3, "available_nodes": 2}

    def test_many_are_read_from_one_list(self, modelarts: Bench, connect: Any, ask: Ask) -> None:
        pools = modelarts.emulator.modelarts.pools
        for number in range(3):
            pools.add(f"p{number}").force("Creating")
        pools.add("ready", nodes=2)
        refs = [RunRef("pool", name) for name in ("p0", "p1", "p2", "ready", "gone")]
        runs = ask(connect(ModelArtsPoolHook).get_runs, refs)
        assert isinstance(runs.pop(refs[-1]), NotFoundError)
        assert [run.state for run in runs.values()] == [RunState.ACTIVE] * 3 + [RunState.SUCCEEDED]
        assert asked(modelarts) == {"ListPools": 1, "ListPoolNodes": 1, "ShowPool": 1}

    def test_nodes_that_cannot_be_read_concern_one_pool(
        self,
        modelarts: Bench,
        connect: Any,
        ask: Ask,
    ) -> None:
        names = ("a", "b", "c")
        for name in names:
            modelarts.emulator.modelarts.pools.add(name)
        modelarts.emulator.faults.add(FaultRule(path="pools/b/nodes", status=503, times=None))
        runs = ask(connect(ModelArtsPoolHook).get_runs, [RunRef("pool", name) for name in names])
        assert [isinstance(run, ServerError) for run in runs.values()] == [False, True, False]

    @pytest.mark.parametrize(("fault", "expected"), [(REFUSED, Run), ({"status": 503}, ServerError)])
    def test_list_that_fails(
        self,
        modelarts: Bench,
        connect: Any,
        ask: Ask,
        fault: dict[str, Any],
        expected: type,
    ) -> None:
        names = ("a", "b", "c")
        for name in names:
            modelarts.emulator.modelarts.pools.add(name)
        modelarts.emulator.faults.add(FaultRule(operation="ListPools", times=None, **fault))
        runs = ask(connect(ModelArtsPoolHook).get_runs, [RunRef("pool", name) for name in names])
        assert {type(run) for run in runs.values()} == {expected}


class TestClusters:
    def test_are_read_from_one_list(self, modelarts: Bench, connect: Any, ask: Ask) -> None:
        clusters = modelarts.emulator.modelarts.clusters
        known = clusters.add("one", nodes=2)
        clusters.add("two").force("abnormal")
        for _ in range(2):
            clusters.add("both")
        names = (known.cluster_id, "two", "both", "none", " ")
        hook = connect(ModelArtsClusterHook, min_nodes=1)
        runs = ask(hook.get_runs, [RunRef("cluster", name) for name in names])
        one, two, both, none, blank = runs.values()
        assert (one.state, two.state) == (RunState.SUCCEEDED, RunState.FAILED)
        assert [type(each) for each in (both, none, blank)] == [InvalidInputError, NotFoundError, InvalidInputError]
        assert asked(modelarts) == {"ListClusters": 1}
        assert hook.batches(list(runs)) == [list(runs)]
        assert hook.batches([]) == []

    def test_error_of_the_only_one_is_raised(self, modelarts: Bench, connect: Any, ask: Ask) -> None:
        modelarts.emulator.faults.add(FaultRule(operation="ListClusters", status=503, times=None))
        with pytest.raises(ServerError):
            ask(connect(ModelArtsClusterHook).get_run, RunRef("cluster", "one"))


class TestTodos:
    def test_are_read_once_for_each_workspace(self, modelarts: Bench, connect: Any, ask: Ask) -> None:
        for workflow in (HOLDS_FOR_LABELLING, WAITS_FOR_INPUTS):
            modelarts.emulator.modelarts.start(workflow)
        modelarts.clock.advance(60)
        refs = [RunRef("todolist", "0"), RunRef(WAITS_FOR_INPUTS, "0"), RunRef("todolist", "w")]
        hook = connect(ModelArtsTodoHook)
        runs = ask(hook.get_runs, refs)
        assert [len(run.outputs["todos"]) for run in runs.values()] == [2, 1, 0]
        assert [run.status for run in runs.values()] == ["2 waiting", "1 waiting", "empty"]
        assert asked(modelarts) == {"ShowWorkflowsTodolist": 2}
        assert hook.batches(refs) == [refs[:2], refs[2:]]

    def test_workspace_that_cannot_be_read_concerns_nobody_else(
        self,
        modelarts: Bench,
        connect: Any,
        ask: Ask,
    ) -> None:
        modelarts.emulator.faults.add(FaultRule(operation="ShowWorkflowsTodolist", status=503, times=1))
        refs = [RunRef("todolist", "0"), RunRef("todolist", "w")]
        runs = ask(connect(ModelArtsTodoHook).get_runs, refs)
        assert [isinstance(run, MLWorkflowsError) for run in runs.values()] == [True, False]


@pytest.mark.parametrize("kind", [ModelArtsPoolHook, ModelArtsClusterHook, ModelArtsTodoHook])
def test_nothing_else_can_be_stopped(modelarts: Bench, connect: Any, ask: Ask, kind: Any) -> None:
    with pytest.raises(StopImpossibleError):
        ask(connect(kind).stop_run, RunRef("pool", "p"))
    assert modelarts.requests == []
