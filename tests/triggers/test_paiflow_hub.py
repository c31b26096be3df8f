"""Many watchers of pipeline runs: how many requests their reads come to."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from types import SimpleNamespace

import pytest
from airflow.sdk import Connection

from airflow_provider_mlworkflows.clouds.http import close_clients
from airflow_provider_mlworkflows.emulator import Emulator
from airflow_provider_mlworkflows.emulator.environment import ALIBABA_CONNECTION, connections
from airflow_provider_mlworkflows.hooks.paiflow import PaiFlowHook
from airflow_provider_mlworkflows.hooks.paiflow_batches import DEFAULT_CHUNK_SIZE
from airflow_provider_mlworkflows.runs import RunRef
from airflow_provider_mlworkflows.services.paiflow import PAIFLOW
from airflow_provider_mlworkflows.triggers.hub import RunHub
from tests.scenarios.clock import ScriptedClock
from tests.scenarios.paiflow import PaiFlowUnderTest
from tests.scenarios.plan import chain, endless
from tests.triggers.hub_support import INTERVAL, Cloud, audience, passed

SCOPE = SimpleNamespace(alibaba_conn_id=ALIBABA_CONNECTION, region=None, workspace_id=None)


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with Emulator(clock="manual") as emulator:
        yield emulator


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


async def test_a_thousand_watchers_of_one_connection_need_a_request_for_each_chunk(cloud: Cloud) -> None:
    paiflow = PaiFlowUnderTest(cloud.emulator)
    pipeline = paiflow.add_workflow(chain(("train", endless())))
    refs = [RunRef(pipeline, paiflow.start_elsewhere(pipeline)) for _ in range(1000)]
    async with audience(RunHub.shared(PAIFLOW, SCOPE, cloud.clock)) as listeners:
        listeners.watch(refs)
        await passed(cloud.clock, 6 * INTERVAL)
    # After two intervals they have fallen into step; the last tick may be under way.
    ticks = cloud.ticks(0)[-4:-1]
    print(cloud.ticks(0))
    assert ticks == [Counter(ListPipelineRunsStatus=1000 // DEFAULT_CHUNK_SIZE)] * 3
