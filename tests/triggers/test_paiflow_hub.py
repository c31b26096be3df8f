"""Many watchers of pipeline runs: how many requests their reads come to."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import Connection

from airflow_provider_mlworkflows.clouds.http import close_clients
from airflow_provider_mlworkflows.emulator import Emulator, FaultRule
from airflow_provider_mlworkflows.emulator.credentials import OTHER_WORKSPACE_ID
from airflow_provider_mlworkflows.emulator.environment import ALIBABA_CONNECTION, connections
from airflow_provider_mlworkflows.hooks.paiflow import PaiFlowHook
from airflow_provider_mlworkflows.hooks.paiflow_batches import DEFAULT_CHUNK_SIZE
from airflow_provider_mlworkflows.runs import RunRef
from airflow_provider_mlworkflows.services.paiflow import PAIFLOW
from airflow_provider_mlworkflows.triggers.hub import RunHub
from airflow_provider_mlworkflows.triggers.log_reads import LOGS_IN_FLIGHT
from airflow_provider_mlworkflows.triggers.paiflow import PaiFlowRunTrigger
from tests.scenarios.clock import ScriptedClock
from tests.scenarios.paiflow import PaiFlowUnderTest
from tests.scenarios.plan import chain, endless
from tests.triggers.hub_support import INTERVAL, Cloud, audience, passed

LOGS = "ListPipelineRunNodeLogs"
CHUNKS = 1000 // DEFAULT_CHUNK_SIZE
SCOPE = SimpleNamespace(alibaba_conn_id=ALIBABA_CONNECTION, region=None, workspace_id=None)


@pytest.fixture
async def cloud(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Cloud]:
    fields = connections(emulator.url)[ALIBABA_CONNECTION]
    connection = Connection(conn_id=ALIBABA_CONNECTION, **{**fields, "extra": json.dumps(fields["extra"])})

    async def find(hook: PaiFlowHook, conn_id: str) -> Connection:
        return connection

    cloud = Cloud(emulator, ScriptedClock(emulator), monkeypatch)
    monkeypatch.setattr(PaiFlowHook, "aget_connection", find)
    yield cloud
    await close_clients()


async def ticks_of(cloud: Cloud, refs: Sequence[RunRef]) -> list[Counter[str]]:
    """The requests of three ticks, once all watchers have fallen into step."""
    async with audience(RunHub.shared(PAIFLOW, SCOPE, cloud.clock)) as listeners:
        listeners.watch(refs)
        await passed(cloud.clock, 6 * INTERVAL)
    # The last tick may be under way.
    return cloud.ticks(0)[-4:-1]


@pytest.fixture
def pipeline(emulator: Emulator) -> str:
    """A pipeline whose runs never end."""
    return PaiFlowUnderTest(emulator).add_workflow(chain(("train", endless())))


def started(cloud: Cloud, pipeline: str, runs: int) -> list[RunRef]:
    return [RunRef(pipeline, cloud.emulator.paiflow.start(pipeline).run_id) for _ in range(runs)]


async def test_a_thousand_watchers_of_one_connection_need_a_request_for_each_chunk(cloud: Cloud, pipeline: str) -> None:
    ticks = await ticks_of(cloud, started(cloud, pipeline, 1000))
    assert ticks == [Counter(ListPipelineRunsStatus=CHUNKS)] * 3


async def test_a_run_that_is_refused_among_others_but_not_alone_costs_one_request_more(
    cloud: Cloud, pipeline: str
) -> None:
    cloud.emulator.switches.missing_in_batch = "refused"
    elsewhere = cloud.emulator.paiflow.start(pipeline, {"WorkspaceId": OTHER_WORKSPACE_ID}).run_id
    ticks = await ticks_of(cloud, [*started(cloud, pipeline, 999), RunRef(pipeline, elsewhere)])
    assert ticks == [Counter(ListPipelineRunsStatus=CHUNKS, GetPipelineRun=1)] * 3


async def test_a_run_whose_refusal_sounds_like_too_many_is_looked_for_in_its_own_chunk_only(
    cloud: Cloud, pipeline: str
) -> None:
    cloud.emulator.switches.missing_in_batch = "refused"
    ticks = await ticks_of(cloud, [*started(cloud, pipeline, 999), RunRef(pipeline, "flow-exceedslimit")])
    halvings = DEFAULT_CHUNK_SIZE.bit_length()
    assert [tick["GetPipelineRun"] for tick in ticks] == [1] * 3
    assert [tick for tick in ticks if tick["ListPipelineRunsStatus"] > CHUNKS + 2 * halvings] == []


async def test_many_triggers_whose_logs_are_throttled_ask_for_them_as_rarely_as_one(
    cloud: Cloud, pipeline: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud.emulator.faults.add(FaultRule(LOGS, status=429, retry_after=60, times=None))
    monkeypatch.setattr(PaiFlowRunTrigger, "clock", cloud.clock)
    watch: dict[str, Any] = {"deadline": cloud.clock.time() + 1e6, "poll_interval": INTERVAL, "stream_logs": True}
    triggers = [
        PaiFlowRunTrigger(workflow_id=pipeline, run_id=ref.run_id, alibaba_conn_id=ALIBABA_CONNECTION, **watch)
        for ref in started(cloud, pipeline, 50)
    ]
    waiting = [asyncio.ensure_future(anext(trigger.run())) for trigger in triggers]
    await passed(cloud.clock, 10 * INTERVAL)
    for task in waiting:
        task.cancel()
    outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {asyncio.CancelledError}
    asked = cloud.emulator.journal.find(LOGS)
    assert asked
    # After one, two and four minutes.
    assert len(asked) <= 3 * LOGS_IN_FLIGHT
    assert cloud.emulator.journal.count("GetPipelineRun") >= 5 * len(triggers)
