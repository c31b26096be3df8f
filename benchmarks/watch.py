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
from typing import TYPE_CHECKING, Any

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
LAG_PROBE = 0.002
FINISHED = 100


@dataclass(frozen=True)
class Figures:
    """What one service's watching costs.

    :param requests_per_interval: requests that the emulator has answered per poll interval.
    :param cpu_s_per_1000_run_polls: processor seconds of the watching process per 1,000 polled runs.
    :param kib_per_run: memory that one waiting trigger adds, asyncio task included.
    :param loop_lag_p99_ms: how late the event loop is, 99th percentile.
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
    cloud = CloudProcess(runs)
    try:
        with _connected_to(cloud.url):
            return [asyncio.run(_measure(cloud, service, interval, intervals)) for service in TRIGGERS]
    finally:
        cloud.close()


def render(figures: Sequence[Figures], *, as_json: bool) -> str:
    """The figures as one JSON list, or as text."""
    if as_json:
        return json.dumps([asdict(each) for each in figures])
    return "\n\n".join("\n".join(f"{name:26} {value}" for name, value in asdict(each).items()) for each in figures)


async def _measure(cloud: CloudProcess, service: str, interval: float, intervals: int) -> Figures:
    refs = cloud.runs[service]
    tracemalloc.start()
    gc.collect()
    before = tracemalloc.get_traced_memory()[0]
    watchers = [asyncio.create_task(_event_time(_trigger(service, *ref, interval))) for ref in refs]
    await asyncio.sleep(2 * interval)
    gc.collect()
    kib_per_run = (tracemalloc.get_traced_memory()[0] - before) / 1024 / len(refs)
    tracemalloc.stop()

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

    ended = time.time()
    sample = watchers[:: max(1, len(watchers) // FINISHED)]
    sampled = [run_id for _, run_id in refs[:: max(1, len(refs) // FINISHED)]]
    await asyncio.to_thread(cloud.finish, service, sampled)
    delays = [moment - ended for moment in await asyncio.gather(*sample)]
    for watcher in watchers:
        watcher.cancel()
    await asyncio.gather(*watchers, return_exceptions=True)
    return Figures(
        service=service,
        runs=len(refs),
        interval_s=interval,
        intervals=intervals,
        requests_per_interval=round(requests / intervals, 1),
        cpu_s_per_1000_run_polls=round(cpu / (len(refs) * intervals) * 1000, 4),
        kib_per_run=round(kib_per_run, 1),
        loop_lag_p99_ms=round(_percentile(lags, 99) * 1000, 1),
        delay_p50_s=round(statistics.median(delays), 2),
        delay_p99_s=round(_percentile(delays, 99), 2),
    )


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
        lags.append(time.perf_counter() - begin - LAG_PROBE)


def _percentile(values: Sequence[float], percent: int) -> float:
    return statistics.quantiles(values, n=100)[percent - 1]


@contextmanager
def _connected_to(url: str) -> Iterator[None]:
    variables: dict[str, Any] = {
        f"AIRFLOW_CONN_{conn_id.upper()}": json.dumps(connection) for conn_id, connection in connections(url).items()
    }
    os.environ.update(variables)
    try:
        yield
    finally:
        for name in variables:
            del os.environ[name]
