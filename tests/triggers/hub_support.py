"""A service, or something that looks like one, and watchers that read from it through a hub."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from airflow.sdk import Connection

from airflow_provider_mlworkflows.clouds import http
from airflow_provider_mlworkflows.emulator import Emulator, StepDefinition, WorkflowDefinition, never_ends
from airflow_provider_mlworkflows.emulator.environment import HUAWEI_CONNECTION, connections
from airflow_provider_mlworkflows.hooks import base as hook_module
from airflow_provider_mlworkflows.hooks.modelarts import ModelArtsHook
from airflow_provider_mlworkflows.runs import Run, RunRef, RunState
from airflow_provider_mlworkflows.triggers.hub import RESOLUTION, Reading, RunHub

if TYPE_CHECKING:
    import pytest

    from airflow_provider_mlworkflows.exceptions import MLWorkflowsError
    from airflow_provider_mlworkflows.hooks.base import RunHook
    from tests.scenarios.clock import ScriptedClock

INTERVAL = 30.0
FOREVER = 1e12


async def _mask_nothing(secret: str) -> None:
    """There is no triggerer around that could be told."""


def _is_sending() -> bool:
    clients = http._loop_clients.get(asyncio.get_running_loop())
    return clients is not None and bool(clients.pending)


class Cloud:
    """The emulated service, and hubs that read from it."""

    def __init__(self, emulator: Emulator, clock: ScriptedClock, patch: pytest.MonkeyPatch) -> None:
        self.emulator = emulator
        self.clock = clock
        self.fields = connections(emulator.url)[HUAWEI_CONNECTION]
        self.connections_read = 0
        clock.is_busy = _is_sending
        patch.setattr(ModelArtsHook, "aget_connection", self._connection)
        patch.setattr(hook_module, "amask_secret", _mask_nothing)

    async def _connection(self, conn_id: str) -> Connection:
        self.connections_read += 1
        return Connection(conn_id=conn_id, **{**self.fields, "extra": json.dumps(self.fields["extra"])})

    def make_hook(self) -> RunHook:
        return ModelArtsHook(attempts=1, clock=self.clock)

    def hub(self) -> RunHub:
        return RunHub(self.make_hook, self.clock, jitter=lambda: 0.5)

    def start(self, runs: int) -> list[RunRef]:
        """Start so many endless runs of one new workflow."""
        step = StepDefinition("train", attempts=(never_ends(),))
        store = self.emulator.modelarts
        workflow = store.add_workflow(WorkflowDefinition("endless", [step])).workflow_id
        return [RunRef(workflow, store.start(workflow).execution_id) for _ in range(runs)]

    def ticks(self, since: int) -> list[Counter[str]]:
        """The requests since one, by the time at which they were made."""
        ticks: dict[Any, Counter[str]] = {}
        for entry in self.emulator.journal.find(since=since):
            ticks.setdefault(entry.time, Counter())[str(entry.operation)] += 1
        return list(ticks.values())

    @property
    def last_request(self) -> int:
        entries = self.emulator.journal.entries
        return entries[-1].sequence if entries else 0


@dataclass
class Audience:
    """Watchers, and what they have heard."""

    hub: RunHub
    heard: dict[RunRef, list[Reading]] = field(default_factory=dict)
    failures: list[BaseException] = field(default_factory=list)
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def watch(self, refs: Sequence[RunRef], *, interval: float = INTERVAL, **options: Any) -> None:
        for ref in refs:
            self.tasks.append(asyncio.create_task(self._listen(ref, interval, options)))

    async def _listen(self, ref: RunRef, interval: float, options: Mapping[str, Any]) -> None:
        settings = {"until": FOREVER, **options}
        async with self.hub.watching(ref, interval=interval, **settings) as watcher:
            while True:
                try:
                    reading = await watcher.reading()
                except Exception as error:
                    self.failures.append(error)
                    return
                self.heard.setdefault(ref, []).append(reading)

    async def leave(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        self.tasks.clear()


@asynccontextmanager
async def audience(hub: RunHub) -> AsyncIterator[Audience]:
    audience = Audience(hub)
    try:
        yield audience
    finally:
        await audience.leave()


async def passed(clock: ScriptedClock, seconds: float) -> None:
    """Let emulated time pass, moved by whoever sleeps; it may jump beyond, to the next one's waking."""
    until = clock.time() + seconds
    async with asyncio.timeout(30):
        while until - clock.time() > RESOLUTION:  # noqa: ASYNC110 - the time is not the loop's
            await asyncio.sleep(0)


class Sky:
    """A hook without a service: its runs are what a test says, and every call is noted.

    Attributes:
        runs: state of each run; an error stands for a read that fails.
        calls: time and refs of each batch that was read.
        size: how many runs of a workflow are read together.
        gate: held back while it is not set.
        in_flight: how many calls are under way, and the most that ever were.
    """

    def __init__(self, clock: ScriptedClock, size: int = 1) -> None:
        self.clock = clock
        self.size = size
        self.states: dict[RunRef, RunState] = {}
        self.error: Callable[[], BaseException | None] = lambda: None
        self.calls: list[tuple[float, tuple[RunRef, ...]]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.in_flight = self.most_in_flight = 0
        self.made = 0
        self.get_runs = SimpleNamespace(aio=self._get_runs)
        self.get_run = SimpleNamespace(aio=self._get_run)

    def hub(self, jitter: Callable[[], float] = lambda: 0.5) -> RunHub:
        return RunHub(self.make, self.clock, jitter=jitter)

    def make(self) -> RunHook:
        self.made += 1
        return cast("RunHook", self)

    def take_over(self, former: Sky) -> None:
        """What it knows it tells to no other: each test has one sky."""

    def batches(self, refs: Sequence[RunRef]) -> list[Sequence[RunRef]]:
        refs = sorted(refs, key=lambda ref: (ref.workflow_id, ref.run_id))
        return [refs[at : at + self.size] for at in range(0, len(refs), self.size)]

    async def _get_runs(self, refs: Sequence[RunRef]) -> dict[RunRef, Run | MLWorkflowsError]:
        self.calls.append((self.clock.time(), tuple(refs)))
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            await asyncio.sleep(0)
            await self.gate.wait()
            if (error := self.error()) is not None:
                raise error
        finally:
            self.in_flight -= 1
        return {ref: self._run(ref) for ref in refs}

    async def _get_run(self, ref: RunRef) -> Run:
        return self._run(ref)

    def _run(self, ref: RunRef) -> Run:
        state = self.states.get(ref, RunState.ACTIVE)
        return Run(ref, state, state.value)

    def times(self, ref: RunRef | None = None) -> list[float]:
        return [time for time, refs in self.calls if ref is None or ref in refs]


def runs_of(workflow: str, count: int) -> list[RunRef]:
    return [RunRef(workflow, f"run-{number}") for number in range(count)]


def gaps(times: Sequence[float]) -> list[float]:
    distinct = sorted(set(times))
    return [later - earlier for earlier, later in itertools.pairwise(distinct)]
