"""The hub: how many requests its watchers cost, whom a trouble reaches, and what is left when all have gone."""

from __future__ import annotations

import asyncio
import gc
import random
import tracemalloc
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_mlworkflows.clouds.http import close_clients
from airflow_provider_mlworkflows.emulator import (
    Emulator,
    FaultRule,
    StepDefinition,
    WorkflowDefinition,
    never_ends,
)
from airflow_provider_mlworkflows.exceptions import (
    AuthenticationError,
    NotFoundError,
    ServerError,
    ThrottledError,
    UnexpectedReplyError,
)
from airflow_provider_mlworkflows.hooks.modelarts import ModelArtsHook
from airflow_provider_mlworkflows.runs import Run, RunRef, RunState
from airflow_provider_mlworkflows.services.modelarts import MODELARTS
from airflow_provider_mlworkflows.triggers import hub as hub_module
from airflow_provider_mlworkflows.triggers.hub import IDLE_LIFETIME, MAX_IN_FLIGHT, RunHub, Watcher
from airflow_provider_mlworkflows.watching import REFUSED_PAUSES, SLOWEST_POLL
from tests.triggers.hub_support import (
    FOREVER,
    INTERVAL,
    Cloud,
    Sky,
    audience,
    gaps,
    passed,
    runs_of,
)

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.clouds.huawei.modelarts_models import Execution
    from airflow_provider_mlworkflows.hooks.base import RunHook
    from tests.scenarios.clock import ScriptedClock

READS = "ShowWorkflowExecution"
LISTS = "ListWorkflowExecutions"
TODOS = "ShowWorkflowsTodolist"


@pytest.fixture(autouse=True)
async def _clean_loop() -> AsyncIterator[None]:
    yield
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        task.cancel()
    await close_clients()


@pytest.fixture
def cloud(emulator: Emulator, clock: ScriptedClock, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    return Cloud(emulator, clock, monkeypatch)


@pytest.mark.parametrize("steps_in_lists", [False, True])
@pytest.mark.parametrize(
    ("workflows", "runs", "expected"),
    [
        (1, 1, {READS: 1}),
        (1, 2, {READS: 2}),
        (1, 3, {LISTS: 1, TODOS: 1}),
        (1, 10, {LISTS: 1, TODOS: 1}),
        (4, 10, {LISTS: 4, TODOS: 1}),
        (1, 1000, {LISTS: 10, TODOS: 1}),
    ],
)
async def test_requests_of_a_tick(
    cloud: Cloud, workflows: int, runs: int, expected: dict[str, int], steps_in_lists: bool
) -> None:
    cloud.emulator.switches.steps_in_lists = steps_in_lists
    refs = [ref for _ in range(workflows) for ref in cloud.start(runs)]
    if steps_in_lists:
        expected = {name: count for name, count in expected.items() if name != TODOS}
    async with audience(cloud.hub()) as listeners:
        listeners.watch(refs)
        # Every run is news once, and its steps begin to work.
        await passed(cloud.clock, 3 * INTERVAL)
        before = cloud.last_request
        await passed(cloud.clock, 4 * INTERVAL)
    assert not listeners.failures
    ticks = cloud.ticks(before)
    assert len(ticks) >= 3
    assert all(tick == expected for tick in ticks), ticks


async def test_watchers_of_the_same_run_share_its_read(cloud: Cloud) -> None:
    (ref,) = cloud.start(1)
    async with audience(cloud.hub()) as listeners:
        listeners.watch([ref] * 50)
        await passed(cloud.clock, 3 * INTERVAL)
        before = cloud.last_request
        await passed(cloud.clock, 3 * INTERVAL)
    assert all(tick == {READS: 1} for tick in cloud.ticks(before))


async def test_only_changed_runs_are_read_one_by_one(cloud: Cloud) -> None:
    refs = cloud.start(20)
    async with audience(cloud.hub()) as listeners:
        listeners.watch(refs)
        await passed(cloud.clock, 3 * INTERVAL)
        listeners.heard.clear()
        before = cloud.last_request
        cloud.emulator.modelarts.execution(refs[7].run_id).stop(1)
        await passed(cloud.clock, 2 * INTERVAL)
    assert sum(tick[READS] for tick in cloud.ticks(before)) <= 2
    assert set(listeners.heard) == {refs[7]}
    last = listeners.heard[refs[7]][-1]
    assert isinstance(last, Run)
    assert (last.state, [step.state for step in last.steps]) == (RunState.STOPPED, [RunState.STOPPED])


def _start_branched(cloud: Cloud) -> list[RunRef]:
    """Start three endless runs of a workflow with two steps side by side."""
    steps = [StepDefinition(name, attempts=(never_ends(),)) for name in ("train", "deploy")]
    store = cloud.emulator.modelarts
    workflow = store.add_workflow(WorkflowDefinition("branched", steps)).workflow_id
    return [RunRef(workflow, store.start(workflow).execution_id) for _ in range(3)]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"train": "hold", "deploy": "completed"}, {"train": "hold", "deploy": "wait_inputs"}),
        ({"train": "hold", "deploy": "running"}, {"train": "hold", "deploy": "completed"}),
        ({"train": "hold", "deploy": "running"}, {"train": "hold", "deploy": "wait_inputs"}),
        ({"train": "hold", "deploy": "completed"}, {"train": "completed", "deploy": "wait_inputs"}),
    ],
)
async def test_what_else_happens_to_a_run_that_waits_is_seen(
    cloud: Cloud, before: dict[str, str], after: dict[str, str]
) -> None:
    refs = _start_branched(cloud)
    async with audience(cloud.hub()) as listeners:
        listeners.watch(refs, heeds_waiting=True)
        await passed(cloud.clock, 3 * INTERVAL)
        for statuses in (before, after):
            cloud.emulator.modelarts.force_status(refs[1].run_id, None, statuses)
            await passed(cloud.clock, 3 * INTERVAL)
            last = listeners.heard[refs[1]][-1]
            assert isinstance(last, Run)
            assert {step.name: step.status for step in last.steps} == statuses


async def test_error_does_not_take_the_place_of_unread_news() -> None:
    ref = RunRef("w", "run")
    watcher = Watcher(ref, INTERVAL, FOREVER, needs_steps=False, heeds_waiting=False, due=0.0)
    news, glance = Run(ref, RunState.WAITING, "running"), Run(ref, RunState.WAITING, "running", has_steps=False)
    watcher.deliver(news, glance)
    error = ServerError("broken")
    watcher.deliver(error, error)
    assert not watcher.wants(glance, 0.0)
    assert await watcher.reading() is news


async def test_runs_that_wait_in_part_are_read_no_more_than_others(cloud: Cloud) -> None:
    refs = _start_branched(cloud)
    async with audience(cloud.hub()) as listeners:
        listeners.watch(refs)
        for ref in refs:
            cloud.emulator.modelarts.force_status(ref.run_id, None, {"train": "hold", "deploy": "running"})
        await passed(cloud.clock, 3 * INTERVAL)
        before = cloud.last_request
        await passed(cloud.clock, 3 * INTERVAL)
    assert cloud.last_request > before
    assert [tick for tick in cloud.ticks(before) if tick != {LISTS: 1, TODOS: 1}] == []


async def test_end_of_waiting_in_part_is_news(cloud: Cloud) -> None:
    refs = _start_branched(cloud)
    async with audience(cloud.hub()) as listeners:
        listeners.watch(refs, heeds_waiting=True)
        for train in ("hold", "completed"):
            cloud.emulator.modelarts.force_status(refs[0].run_id, None, {"train": train, "deploy": "running"})
            await passed(cloud.clock, 3 * INTERVAL)
            last = listeners.heard[refs[0]][-1]
            assert isinstance(last, Run)
            assert last.steps[0].status == train


@pytest.mark.parametrize("missing", ["execution", "workflow"])
async def test_bad_id_hurts_only_its_owner(cloud: Cloud, missing: str) -> None:
    good, bad = cloud.start(10), cloud.start(3)
    if missing == "workflow":
        cloud.emulator.modelarts.delete_workflow(bad[0].workflow_id)
    else:
        cloud.emulator.modelarts.delete_execution(bad[0].run_id)
        bad = bad[:1]
    async with audience(cloud.hub()) as listeners:
        listeners.watch([*good, *bad])
        await passed(cloud.clock, 4 * INTERVAL)
    assert set(listeners.heard) >= set(bad)
    for ref, readings in listeners.heard.items():
        assert {type(reading) for reading in readings} == {NotFoundError if ref in bad else Run}


async def test_refused_todo_list_is_replaced_by_single_reads(cloud: Cloud) -> None:
    refs = cloud.start(5)
    cloud.emulator.faults.add(FaultRule(TODOS, status=403, times=None))
    async with audience(cloud.hub()) as listeners:
        listeners.watch(refs)
        await passed(cloud.clock, 4 * INTERVAL)
    assert all(isinstance(reading, Run) for ref in refs for reading in listeners.heard[ref])


async def test_scopes_share_nothing(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Mapping[str, Any]] = []

    def make(self: object, scope: Mapping[str, Any], **options: Any) -> RunHook:
        made.append(scope)
        return cloud.make_hook()

    monkeypatch.setattr(type(MODELARTS), "hook", make)
    north = SimpleNamespace(huawei_conn_id="cloud", region="cn-north-4", project_id=None)
    south = SimpleNamespace(huawei_conn_id="cloud", region="cn-south-1", project_id=None)
    hubs = [RunHub.shared(MODELARTS, owner, cloud.clock) for owner in (north, south, north)]
    assert hubs[0] is hubs[2]
    assert hubs[0] is not hubs[1]
    assert [scope["region"] for scope in made] == ["cn-north-4", "cn-south-1"]
    refs = cloud.start(10)
    async with audience(hubs[0]) as first, audience(hubs[1]) as second:
        first.watch(refs)
        second.watch(refs)
        await passed(cloud.clock, 3 * INTERVAL)
        before = cloud.last_request
        await passed(cloud.clock, 4 * INTERVAL)
    lists = sum(tick[LISTS] for tick in cloud.ticks(before))
    # One hub would ask five times at most.
    assert lists >= 7


async def test_event_loop_gets_its_turn_between_pages(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    turn = 0
    converted: Counter[int] = Counter()
    convert = ModelArtsHook._run

    def counted(self: ModelArtsHook, *arguments: Any) -> Run:
        converted[turn] += 1
        return convert(self, *arguments)

    async def beat() -> None:
        nonlocal turn
        while True:
            turn += 1
            await asyncio.sleep(0)

    monkeypatch.setattr(ModelArtsHook, "_run", counted)
    cloud.emulator.switches.steps_in_lists = True
    beating = asyncio.create_task(beat())
    async with audience(cloud.hub()) as listeners:
        listeners.watch(cloud.start(500))
        await passed(cloud.clock, 2 * INTERVAL)
    beating.cancel()
    assert sum(converted.values()) >= 500
    assert max(converted.values()) <= 100


async def test_runs_that_a_list_shows_unchanged_are_not_read_again(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: Counter[str] = Counter()
    convert = ModelArtsHook._run

    def counted(self: ModelArtsHook, execution: Execution, workflow_id: str) -> Run:
        read[execution.execution_id] += 1
        return convert(self, execution, workflow_id)

    monkeypatch.setattr(ModelArtsHook, "_run", counted)
    async with audience(cloud.hub()) as listeners:
        listeners.watch(cloud.start(500))
        await passed(cloud.clock, 2 * INTERVAL)
        known = sum(read.values())
        await passed(cloud.clock, 10 * INTERVAL)
    assert known >= 500
    assert sum(read.values()) == known


async def test_throttling_slows_everybody_and_passes(clock: ScriptedClock) -> None:
    sky = Sky(clock, size=1)
    sky.error = lambda: ThrottledError("too many") if clock.time() < begun + 400 else None
    begun = clock.time()
    async with audience(sky.hub()) as listeners:
        listeners.watch(runs_of("w", 20))
        await passed(clock, 1500)
    waits = gaps(sky.times())
    assert waits[:3] == pytest.approx([60, 120, 240])
    assert waits[-5:] == pytest.approx([30] * 5)
    assert all(isinstance(readings[-1], Run) for readings in listeners.heard.values())


async def test_throttled_newcomer_slows_those_who_were_not_read_yet(clock: ScriptedClock) -> None:
    sky = Sky(clock, size=1)
    sky.error = lambda: ThrottledError("too many") if clock.time() < begun + 50 else None
    begun = clock.time()
    async with audience(sky.hub(random.Random(7).random)) as listeners:
        listeners.watch([RunRef(f"workflow-{number}", "run") for number in range(100)])
        await passed(clock, 200)
    assert len([time for time in sky.times() if time < begun + 50]) <= 2
    assert len(listeners.heard) == 100


async def test_refused_newcomers_share_a_look_at_the_connection(clock: ScriptedClock) -> None:
    sky = Sky(clock, size=1)
    sky.error = lambda: AuthenticationError("refused")
    async with audience(sky.hub(random.Random(7).random)) as listeners:
        listeners.watch([RunRef(f"workflow-{number}", "run") for number in range(500)])
        await passed(clock, INTERVAL + 1)
    assert len(listeners.heard) == 500
    assert sky.made <= 1 + 3


async def test_single_runs_fall_into_step_after_their_first_reads(clock: ScriptedClock) -> None:
    sky = Sky(clock, size=1)
    async with audience(sky.hub(random.Random(7).random)) as listeners:
        listeners.watch([RunRef(f"workflow-{number}", "run") for number in range(50)])
        await passed(clock, 3 * INTERVAL)
        sky.calls.clear()
        await passed(clock, 4 * INTERVAL)
    assert len(set(sky.times())) <= 5


async def test_watchers_that_begin_one_after_the_other_make_no_two_camps(clock: ScriptedClock) -> None:
    sky = Sky(clock, size=1000)
    async with audience(sky.hub(random.Random(7).random)) as listeners:
        for group in range(10):
            listeners.watch([RunRef("w", f"{group}-{number}") for number in range(20)])
            await passed(clock, INTERVAL / 50)
        await passed(clock, 3 * INTERVAL)
        sky.calls.clear()
        await passed(clock, 4 * INTERVAL)
    assert len(set(sky.times())) <= 5
    assert {len(refs) for _, refs in sky.calls} == {200}


@pytest.mark.parametrize(
    ("watched", "expected"),
    [
        pytest.param(slice(None, None, 3), {LISTS: 9, TODOS: 1}, id="scattered_ones_are_listed"),
        pytest.param(slice(-5, None), {LISTS: 2, READS: 5}, id="old_ones_are_not_searched_for"),
    ],
)
async def test_some_runs_of_a_long_list(cloud: Cloud, watched: slice, expected: dict[str, int]) -> None:
    refs = cloud.start(900)[watched]
    async with audience(cloud.hub()) as listeners:
        listeners.watch(refs)
        await passed(cloud.clock, 3 * INTERVAL)
        before = cloud.last_request
        await passed(cloud.clock, 3 * INTERVAL)
    assert cloud.last_request > before
    assert [tick for tick in cloud.ticks(before) if tick != expected] == []


@pytest.mark.parametrize(("asked", "waited"), [(200.0, 200), (86400.0, SLOWEST_POLL)])
async def test_time_that_the_service_asks_for_is_waited_up_to_a_limit(
    clock: ScriptedClock, asked: float, waited: float
) -> None:
    sky = Sky(clock, size=100)
    sky.error = lambda: ThrottledError("too many", retry_after=asked) if len(sky.calls) < 3 else None
    async with audience(sky.hub()) as listeners:
        listeners.watch(runs_of("w", 20))
        await passed(clock, 900)
    assert gaps(sky.times())[:3] == pytest.approx([waited, waited, 30])


async def test_throttling_of_who_polls_rarely_does_not_make_all_wait_that_long(clock: ScriptedClock) -> None:
    sky = Sky(clock, size=100)
    rare, frequent = runs_of("w", 2)
    sky.error = lambda: ThrottledError("too many") if rare in sky.calls[-1][1] else None
    async with audience(sky.hub()) as listeners:
        listeners.watch([rare], interval=3600.0)
        listeners.watch([frequent])
        await passed(clock, 3600)
    assert max(gaps(sky.times(frequent))) == pytest.approx(SLOWEST_POLL)


async def test_refused_credentials_are_read_again_once_per_tick(clock: ScriptedClock) -> None:
    sky = Sky(clock, size=100)
    sky.error = lambda: AuthenticationError("refused") if clock.time() < begun + 600 else None
    begun = clock.time()
    async with audience(sky.hub()) as listeners:
        listeners.watch(runs_of("w", 500))
        await passed(clock, 2000)
    waits = gaps(sky.times())
    assert waits[:3] == pytest.approx(REFUSED_PAUSES)
    assert waits[3:5] == pytest.approx([30, 30])
    # Whatever refuses one request would refuse the others of its tick, too.
    assert len([time for time in sky.times() if time < begun + 600]) == 3
    assert [len(refs) for time, refs in sky.calls if time < begun + 600] == [100] * 3
    # One for the start, one per refused tick, one per ten minutes.
    assert sky.made <= 1 + 3 + 4
    assert all(isinstance(readings[-1], Run) for readings in listeners.heard.values())


async def test_rotated_key_is_found_in_the_connection(cloud: Cloud) -> None:
    refs = cloud.start(500)
    good = cloud.fields
    async with audience(cloud.hub()) as listeners:
        listeners.watch(refs)
        await passed(cloud.clock, 3 * INTERVAL)
        cloud.emulator.credentials.find_key(good["login"]).sk = "rotated"  # type: ignore[union-attr]
        await passed(cloud.clock, 70)
        cloud.fields = {**good, "password": "rotated"}
        await passed(cloud.clock, 400)
    refused = [reading for readings in listeners.heard.values() for reading in readings if not isinstance(reading, Run)]
    assert {type(error) for error in refused} == {AuthenticationError}
    assert all(isinstance(readings[-1], Run) for readings in listeners.heard.values())
    assert cloud.connections_read <= 5
    assert cloud.emulator.journal.count(action="stop") == 0


async def test_end_of_errors_is_news_to_whoever_counts_them(clock: ScriptedClock) -> None:
    sky = Sky(clock)
    sky.error = lambda: ServerError("broken") if len(sky.calls) in {3, 6} else None
    (ref,) = runs_of("w", 1)
    async with audience(sky.hub()) as listeners:
        listeners.watch([ref])
        await passed(clock, 10 * INTERVAL)
    assert [type(reading) for reading in listeners.heard[ref]] == [Run, ServerError, Run, ServerError, Run]


@pytest.mark.parametrize("ticks_before", [0, 3])
async def test_end_of_errors_costs_no_more_than_any_reading(cloud: Cloud, ticks_before: int) -> None:
    refs = cloud.start(50)
    async with audience(cloud.hub()) as listeners:
        listeners.watch(refs)
        await passed(cloud.clock, ticks_before * INTERVAL)
        before = cloud.last_request
        cloud.emulator.faults.add(FaultRule(LISTS, status=503))
        await passed(cloud.clock, 4 * INTERVAL)
    assert all([type(reading) for reading in listeners.heard[ref]] == [ServerError, Run] for ref in refs)
    assert [tick for tick in cloud.ticks(before) if READS in tick] == []


async def test_change_whose_reading_failed_is_read_again(cloud: Cloud) -> None:
    refs = cloud.start(5)
    async with audience(cloud.hub()) as listeners:
        listeners.watch(refs)
        await passed(cloud.clock, 3 * INTERVAL)
        cloud.emulator.faults.add(FaultRule(READS, status=503))
        cloud.emulator.modelarts.force_status(refs[2].run_id, None, {"train": "hold"})
        await passed(cloud.clock, 3 * INTERVAL)
    *_, error, last = listeners.heard[refs[2]]
    assert isinstance(error, ServerError)
    assert isinstance(last, Run)
    assert last.state is RunState.WAITING


async def test_error_of_one_batch_stays_there(clock: ScriptedClock) -> None:
    sky = Sky(clock, size=10)
    sky.error = lambda: ServerError("broken") if RunRef("w", "run-0") in sky.calls[-1][1] else None
    async with audience(sky.hub()) as listeners:
        listeners.watch(runs_of("w", 30))
        await passed(clock, 100)
    kinds = {ref.run_id: {type(reading) for reading in readings} for ref, readings in listeners.heard.items()}
    assert sum(kind == {ServerError} for kind in kinds.values()) <= 10
    assert sum(kind == {Run} for kind in kinds.values()) >= 20


async def test_defect_that_one_batch_brings_about_stays_there(
    clock: ScriptedClock, caplog: pytest.LogCaptureFixture
) -> None:
    sky = Sky(clock, size=10)
    secret = "what the reply was about"
    sky.error = lambda: RecursionError(secret) if RunRef("w", "run-0") in sky.calls[-1][1] else None
    async with audience(sky.hub()) as listeners:
        listeners.watch(runs_of("w", 30))
        await passed(clock, 10 * INTERVAL)
        assert not listeners.failures
    bad = {ref for ref, readings in listeners.heard.items() if not any(isinstance(each, Run) for each in readings)}
    assert RunRef("w", "run-0") in bad
    assert len(bad) == 10
    assert len(listeners.heard) == 30
    errors = listeners.heard[RunRef("w", "run-0")]
    assert len(errors) >= 9
    for error in errors:
        assert isinstance(error, UnexpectedReplyError)
        assert "RecursionError" in str(error)
        assert secret not in str(error)
        assert isinstance(error.__cause__, RecursionError)
    (record,) = [record for record in caplog.records if record.exc_info]
    assert secret in caplog.text
    assert record.levelname == "ERROR"


async def test_defect_in_reading_steps_concerns_one_run(clock: ScriptedClock, monkeypatch: pytest.MonkeyPatch) -> None:
    sky = Sky(clock, size=10)
    bad, good = runs_of("w", 2)
    shown = sky._run

    async def read(ref: RunRef) -> Run:
        if ref == bad:
            raise RecursionError
        return shown(ref)

    sky.get_run.aio = read
    monkeypatch.setattr(sky, "_run", lambda ref: replace(shown(ref), has_steps=False))
    async with audience(sky.hub()) as listeners:
        listeners.watch([bad, good], needs_steps=True)
        await passed(clock, 3 * INTERVAL)
    assert {type(reading) for reading in listeners.heard[bad]} == {UnexpectedReplyError}
    assert {type(reading) for reading in listeners.heard[good]} == {Run}


async def test_reader_that_is_cancelled_is_no_defect(clock: ScriptedClock) -> None:
    sky = Sky(clock)
    hub = sky.hub()
    sky.gate.clear()
    async with hub.watching(*runs_of("w", 1), interval=INTERVAL, until=FOREVER) as watcher:
        reading = asyncio.create_task(watcher.reading())
        async with asyncio.timeout(10):
            while not sky.in_flight:  # noqa: ASYNC110 - the reader moves the time
                await asyncio.sleep(0)
        assert hub._reader is not None
        hub._reader.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
    assert hub._reader.cancelled()


async def test_cancelled_watchers_leave_the_request_alone(clock: ScriptedClock) -> None:
    sky = Sky(clock, size=1)
    hub = sky.hub()
    async with audience(hub) as first, audience(hub) as second:
        first.watch(runs_of("w", 100))
        await passed(clock, INTERVAL / 2)
        sky.gate.clear()
        async with asyncio.timeout(10):
            while sky.in_flight < MAX_IN_FLIGHT:
                # The first request of a tick goes alone; it is let through, and those that follow are held back.
                if sky.most_in_flight == 1:
                    sky.gate.set()
                    sky.gate.clear()
                await asyncio.sleep(0)
        await first.leave()
        assert sky.in_flight == MAX_IN_FLIGHT
        second.watch(runs_of("v", 10))
        sky.gate.set()
        await passed(clock, 2 * INTERVAL)
    assert len(second.heard) == 10
    assert sky.in_flight == 0
    assert sky.most_in_flight == MAX_IN_FLIGHT


async def test_each_watcher_keeps_its_interval(clock: ScriptedClock) -> None:
    sky = Sky(clock, size=1)
    quick, slow = runs_of("w", 2)
    async with audience(sky.hub()) as listeners:
        listeners.watch([quick], interval=10)
        listeners.watch([slow], interval=60)
        await passed(clock, 600)
    assert 55 <= len(sky.times(quick)) <= 65
    assert 9 <= len(sky.times(slow)) <= 12


async def test_first_reads_of_many_single_runs_are_spread(clock: ScriptedClock) -> None:
    sky = Sky(clock, size=1)
    async with audience(sky.hub(random.Random(7).random)) as listeners:
        refs = [RunRef(f"workflow-{number}", "run") for number in range(1000)]
        began = clock.time()
        listeners.watch(refs)
        await passed(clock, INTERVAL)
    firsts = [min(sky.times(ref)) - began for ref in refs]
    assert min(firsts) >= INTERVAL / 2
    per_second = Counter(int(first) for first in firsts)
    assert max(per_second.values()) <= 120


async def test_runs_that_are_read_together_fall_into_step(clock: ScriptedClock) -> None:
    sky = Sky(clock, size=1000)
    async with audience(sky.hub(random.Random(7).random)) as listeners:
        listeners.watch(runs_of("w", 1000))
        await passed(clock, 10 * INTERVAL)
    assert len(sky.calls) <= 11
    assert set(listeners.heard) == set(runs_of("w", 1000))


async def test_many_watchers_are_not_read_more_often_than_one(clock: ScriptedClock) -> None:
    sky = Sky(clock, size=200)
    async with audience(sky.hub(random.Random(7).random)) as listeners:
        listeners.watch(runs_of("w", 200))
        await passed(clock, 2 * INTERVAL)
        sky.calls.clear()
        await passed(clock, 100 * INTERVAL)
    assert len(sky.calls) == pytest.approx(100, abs=2)


async def test_last_read_comes_at_the_deadline(clock: ScriptedClock) -> None:
    sky = Sky(clock)
    (ref,) = runs_of("w", 1)
    until = clock.time() + 100
    async with sky.hub().watching(ref, interval=INTERVAL, until=until) as watcher:
        await watcher.reading()
        reading = await watcher.reading()
    assert isinstance(reading, Run)
    assert sky.times()[-1] == pytest.approx(until, abs=0.01)


async def _watch_through_hubs(cloud: Cloud, owners: Sequence[object], refs: Sequence[RunRef]) -> None:
    async with AsyncExitStack() as stack:
        for owner in owners:
            hub = RunHub.shared(MODELARTS, owner, cloud.clock)
            (await stack.enter_async_context(audience(hub))).watch(refs)
        await passed(cloud.clock, 3 * INTERVAL)
        gc.collect()
        assert len(hub_module._hubs[asyncio.get_running_loop()]) == len(owners)


async def test_hubs_without_watchers_are_gone(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(MODELARTS), "hook", lambda self, scope, **options: cloud.make_hook())
    refs = cloud.start(10)
    owners = [SimpleNamespace(huawei_conn_id=f"cloud-{number}", region=None, project_id=None) for number in range(20)]
    loop = asyncio.get_running_loop()
    await _watch_through_hubs(cloud, owners, refs)
    left = cloud.emulator.clock.now()
    async with asyncio.timeout(20):
        while len(asyncio.all_tasks()) > 1:  # noqa: ASYNC110 - the readers end by themselves
            await asyncio.sleep(0)
    await asyncio.sleep(0)  # what is called at the end of a reader holds its hub until it has been called
    gc.collect()
    assert len(hub_module._hubs[loop]) == 0
    # What was under way then may still have come to its end.
    assert max(entry.time for entry in cloud.emulator.journal.entries) <= left + timedelta(seconds=INTERVAL)


async def test_reader_ends_a_minute_after_the_last_watcher(clock: ScriptedClock) -> None:
    hub = Sky(clock).hub()
    async with audience(hub) as listeners:
        listeners.watch(runs_of("w", 3))
        await passed(clock, 3 * INTERVAL)
    left = clock.time()
    assert hub._reader is not None
    await hub._reader
    assert clock.time() - left == pytest.approx(IDLE_LIFETIME, abs=0.01)


async def test_watcher_that_comes_back_within_the_minute_finds_the_same_hub(clock: ScriptedClock) -> None:
    sky = Sky(clock)
    hub = sky.hub()
    async with audience(hub) as listeners:
        listeners.watch(runs_of("w", 1))
        await passed(clock, INTERVAL)
    reader = hub._reader
    clock.advance(IDLE_LIFETIME / 2)
    async with audience(hub) as listeners:
        listeners.watch(runs_of("v", 1))
        await passed(clock, 2 * INTERVAL)
        assert hub._reader is reader
    assert listeners.heard


async def test_crash_of_the_reader_fails_all_watchers(clock: ScriptedClock, monkeypatch: pytest.MonkeyPatch) -> None:
    sky = Sky(clock, size=1)
    hub = sky.hub()

    def crash(refs: Sequence[RunRef]) -> list[Sequence[RunRef]]:
        raise RuntimeError("a defect")

    monkeypatch.setattr(sky, "batches", crash)
    async with audience(hub) as listeners:
        listeners.watch(runs_of("w", 50))
        async with asyncio.timeout(20):
            await asyncio.gather(*listeners.tasks)
        assert len(listeners.failures) == 50
        assert {str(error) for error in listeners.failures} == {"a defect"}
    monkeypatch.undo()
    async with audience(hub) as listeners:
        listeners.watch(runs_of("v", 1))
        await passed(clock, 2 * INTERVAL)
    assert listeners.heard


async def test_memory_stays_flat(clock: ScriptedClock) -> None:
    sky = Sky(clock, size=20)
    refs = runs_of("w", 20)

    async def poll(seconds: float) -> int:
        await passed(clock, seconds)
        polls = sum(len(batch) for _, batch in sky.calls)
        sky.calls.clear()
        clock.slept.clear()
        gc.collect()
        return polls

    async with audience(sky.hub()) as listeners:
        listeners.watch(refs)
        await poll(50 * INTERVAL)
        tracemalloc.start()
        try:
            before, _ = tracemalloc.get_traced_memory()
            polls = await poll(500 * INTERVAL)
            after, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert polls >= 9_900
    assert after - before < 64 * 1024


async def test_reading_that_nobody_waits_for_is_kept(clock: ScriptedClock) -> None:
    sky = Sky(clock)
    (ref,) = runs_of("w", 1)
    async with sky.hub().watching(ref, interval=INTERVAL, until=FOREVER) as watcher:
        assert isinstance(watcher, Watcher)
        await watcher.reading()
        sky.states[ref] = RunState.SUCCEEDED
        await passed(clock, 2 * INTERVAL)
        reading = await watcher.reading()
    assert isinstance(reading, Run)
    assert reading.state is RunState.SUCCEEDED
