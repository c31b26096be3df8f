"""What it costs to watch many runs with real triggers in one event loop."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import statistics
import time
import tracemalloc
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_provider_mlworkflows.emulator.environment import connections
from airflow_provider_mlworkflows.triggers.aom import AomExecutionTrigger
from airflow_provider_mlworkflows.triggers.modelarts import ModelArtsExecutionTrigger
from airflow_provider_mlworkflows.triggers.obs import ObsExecutionTrigger
from airflow_provider_mlworkflows.triggers.paiflow import PaiFlowRunTrigger
from benchmarks.cloud import CloudProcess

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from airflow_provider_mlworkflows.triggers.run import RunTrigger

TRIGGERS: dict[str, type[RunTrigger]] = {
    "ModelArts": ModelArtsExecutionTrigger,
    "PAIFlow": PaiFlowRunTrigger,
    "OBS data workflow": ObsExecutionTrigger,
    "AOM automation": AomExecutionTrigger,
}
T = TypeVar("T")

LAG_PROBE = 0.002
FINISHED = 100
GROUPS = 10
"""Runs end at so many times within one interval."""


@dataclass(frozen=True)
class Figures:
    """What one service's watching costs.

    :param requests_per_interval: requests that the emulator has answered per poll interval.
    :param cpu_s_per_1000_run_polls: processor seconds of the watching process per 1,000 polled runs.
    :param kib_per_run: memory that one waiting trigger adds, asyncio task included.
    :param loop_lag_p99_ms: how late the event loop is, 99th percentile over time.
    :param delay_p50_s: seconds from a run's end to its trigger's event, median.
    :param delay_p99_s: the same, 99th percentile.
    """

    service: str
    runs: int
    interval_s: float
    intervals: int
    requests_per_interval: float
    cpu_s_per_1000_run_polls: float
    kib_per_run: float
    loop_lag_p99_ms: float
    delay_p50_s: float
    delay_p99_s: float


def watch(runs: int, interval: float, intervals: int) -> list[Figures]:
    """Measure every service, one after the other."""
    with _connected_cloud(runs) as cloud:
        costs = {service: asyncio.run(_costs(cloud, service, interval, intervals)) for service in TRIGGERS}
    # Last, since a process is slower for good once its memory has been traced.
    with _connected_cloud(runs) as cloud:
        memory = {service: asyncio.run(_kib_per_run(cloud.runs[service], service, interval)) for service in TRIGGERS}
    return [
        Figures(service, runs, interval, intervals, kib_per_run=memory[service], **costs[service])
        for service in TRIGGERS
    ]


def render(figures: Sequence[Figures], *, as_json: bool) -> str:
    """The figures as one JSON list, or as text."""
    if as_json:
        return json.dumps([asdict(each) for each in figures])
    return "\n\n".join("\n".join(f"{name:26} {value}" for name, value in asdict(each).items()) for each in figures)


async def _costs(cloud: CloudProcess, service: str, interval: float, intervals: int) -> dict[str, float]:
    refs = cloud.runs[service]
    watchers = [asyncio.create_task(_event_time(_trigger(service, *ref, interval))) for ref in refs]
    await asyncio.sleep(2 * interval)
    gc.collect()

    await asyncio.to_thread(cloud.count_requests)
    cpu = time.process_time()
    await asyncio.sleep(intervals * interval)
    cpu = time.process_time() - cpu
    requests = await asyncio.to_thread(cloud.count_requests)

    # In a window of its own: the probe itself costs more than the watching.
    lags: list[float] = []
    probe = asyncio.create_task(_probe_lag(lags))
    await asyncio.sleep(intervals * interval)
    probe.cancel()

    ended = []
    for group in range(GROUPS):
        ended.append(time.time())
        await asyncio.to_thread(cloud.finish, service, [run_id for _, run_id in _sample(refs)[group::GROUPS]])
        await asyncio.sleep(interval / GROUPS)
    seen = await asyncio.gather(*_sample(watchers))
    delays = [moment - ended[number % GROUPS] for number, moment in enumerate(seen)]
    await _end(watchers)
    return {
        "requests_per_interval": round(requests / intervals, 1),
        "cpu_s_per_1000_run_polls": round(cpu / (len(refs) * intervals) * 1000, 4),
        "loop_lag_p99_ms": round(_percentile(lags, 99) * 1000, 1),
        "delay_p50_s": round(statistics.median(delays), 2),
        "delay_p99_s": round(_percentile(delays, 99), 2),
    }


async def _kib_per_run(refs: Sequence[tuple[str, str]], service: str, interval: float) -> float:
    tracemalloc.start()
    gc.collect()
    before = tracemalloc.get_traced_memory()[0]
    watchers = [asyncio.create_task(_event_time(_trigger(service, *ref, interval))) for ref in refs]
    await asyncio.sleep(2 * interval)
    gc.collect()
    traced = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    await _end(watchers)
    return round(traced / 1024 / len(refs), 1)


def _sample(of_all: Sequence[T]) -> Sequence[T]:
    """About a hundred, or all if there are fewer."""
    return of_all[:: max(1, len(of_all) // FINISHED)]


async def _end(watchers: Sequence[asyncio.Task[float]]) -> None:
    for watcher in watchers:
        watcher.cancel()
    await asyncio.gather(*watchers, return_exceptions=True)


def _trigger(service: str, workflow_id: str, run_id: str, interval: float) -> RunTrigger:
    return TRIGGERS[service](
        workflow_id=workflow_id, run_id=run_id, poll_interval=interval, deadline=time.time() + 86400
    )


async def _event_time(trigger: RunTrigger) -> float:
    async for _ in trigger.run():
        return time.time()
    raise RuntimeError("the trigger ended without an event")


async def _probe_lag(lags: list[float]) -> None:
    while True:
        begin = time.perf_counter()
        await asyncio.sleep(LAG_PROBE)
        late = time.perf_counter() - begin - LAG_PROBE
        # Whatever would have been due meanwhile was late as well.
        lags += [late - passed * LAG_PROBE for passed in range(1 + int(late / LAG_PROBE))]


def _percentile(values: Sequence[float], percent: int) -> float:
    return statistics.quantiles(values, n=100)[percent - 1]


@contextmanager
def _connected_cloud(runs: int) -> Iterator[CloudProcess]:
    cloud = CloudProcess(runs)
    variables: dict[str, Any] = {
        f"AIRFLOW_CONN_{conn_id.upper()}": json.dumps(connection)
        for conn_id, connection in connections(cloud.url).items()
    }
    os.environ.update(variables)
    try:
        yield cloud
    finally:
        for name in variables:
            del os.environ[name]
        cloud.close()
