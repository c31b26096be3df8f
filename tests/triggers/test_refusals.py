"""A wrong secret: however many runs are watched with it, the service does not block the access key."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_mlworkflows.clouds.http import close_clients
from airflow_provider_mlworkflows.exceptions import AuthenticationError, PermissionDeniedError, TransportError
from airflow_provider_mlworkflows.hooks.aom import AomWorkflowHook
from airflow_provider_mlworkflows.runs import Run, RunRef, RunState
from airflow_provider_mlworkflows.services.aom import AOM
from airflow_provider_mlworkflows.services.modelarts import MODELARTS
from airflow_provider_mlworkflows.services.paiflow import PAIFLOW
from airflow_provider_mlworkflows.triggers.hub import MAX_IN_FLIGHT, RunHub
from airflow_provider_mlworkflows.triggers.refusals import Refusals
from airflow_provider_mlworkflows.watching import REFUSED_GRACE, REFUSED_PAUSES
from tests.scenarios.aom import AomUnderTest
from tests.scenarios.plan import chain, endless
from tests.triggers.hub_support import INTERVAL, Audience, Cloud, Sky, audience, passed

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.emulator import Emulator
    from airflow_provider_mlworkflows.services import Service
    from tests.scenarios.clock import ScriptedClock

SCOPE = SimpleNamespace(huawei_conn_id="huawei_mlworkflows_default", region=None, project_id=None, states=None)
REFUSAL = AuthenticationError("refused")
RUN = Run(RunRef("w", "r"), RunState.ACTIVE, "running")


@pytest.fixture(autouse=True)
async def _clean_loop() -> AsyncIterator[None]:
    yield
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        task.cancel()
    await close_clients()


@pytest.fixture
def cloud(emulator: Emulator, clock: ScriptedClock, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    cloud = Cloud(emulator, clock, monkeypatch)
    monkeypatch.setattr(AomWorkflowHook, "aget_connection", cloud._connection)
    return cloud


def _refused(cloud: Cloud) -> list[float]:
    """When the service has refused a request, in seconds since the epoch."""
    return [entry.time.timestamp() for entry in cloud.emulator.journal.find(status=401)]


def _change_secret(cloud: Cloud, secret: str) -> None:
    key = cloud.emulator.credentials.find_key(cloud.fields["login"])
    assert key is not None
    key.sk = secret


def _aom_runs(cloud: Cloud, count: int) -> list[RunRef]:
    aom = AomUnderTest(cloud.emulator)
    workflows = [aom.add_workflow(chain(("train", endless()))) for _ in range(count)]
    return [RunRef(workflow, aom.start_elsewhere(workflow)) for workflow in workflows]


async def _watch(
    stack: AsyncExitStack, cloud: Cloud, service: Service, refs: list[RunRef], *, interval: float = INTERVAL
) -> Audience:
    listeners = await stack.enter_async_context(audience(RunHub.shared(service, SCOPE, cloud.clock)))
    listeners.watch(refs, interval=interval)
    return listeners


def _is_blocked(cloud: Cloud) -> bool:
    key = cloud.emulator.credentials.find_key(cloud.fields["login"])
    return key is None or key.blocked_until is not None


async def test_wrong_secret_blocks_no_key_while_it_is_put_up_with(cloud: Cloud) -> None:
    many = [ref for _ in range(30) for ref in cloud.start(4)]
    others = _aom_runs(cloud, 30)
    async with AsyncExitStack() as stack:
        listeners = [
            await _watch(stack, cloud, MODELARTS, many),
            await _watch(stack, cloud, AOM, others),
        ]
        await passed(cloud.clock, 3 * INTERVAL)
        assert not _refused(cloud)
        _change_secret(cloud, "changed")
        await passed(cloud.clock, REFUSED_GRACE + INTERVAL)
        assert 3 <= len(_refused(cloud)) < cloud.emulator.switches.max_signature_failures
        assert not _is_blocked(cloud)
        for each in listeners:
            assert any(
                isinstance(reading, AuthenticationError) for readings in each.heard.values() for reading in readings
            )
        cloud.fields = {**cloud.fields, "password": "changed"}
        await passed(cloud.clock, REFUSED_PAUSES[-1] + 2 * INTERVAL)
        refused = len(_refused(cloud))
        await passed(cloud.clock, 10 * INTERVAL)
    assert len(_refused(cloud)) == refused < cloud.emulator.switches.max_signature_failures
    assert not _is_blocked(cloud)
    assert cloud.emulator.journal.count(action="stop") == 0
    assert cloud.emulator.journal.entries[-1].status == 200


async def test_refused_connection_is_read_again_however_young(cloud: Cloud) -> None:
    async with AsyncExitStack() as stack:
        _change_secret(cloud, "changed")
        await _watch(stack, cloud, MODELARTS, cloud.start(4), interval=2.0)
        await passed(cloud.clock, 3)
        assert len(_refused(cloud)) == 1
        cloud.fields = {**cloud.fields, "password": "changed"}
        await passed(cloud.clock, REFUSED_PAUSES[0] + 4)
    assert len(_refused(cloud)) == 1
    assert cloud.emulator.journal.entries[-1].status == 200


async def test_emulator_would_block_the_key(cloud: Cloud) -> None:
    (ref,) = cloud.start(1)
    _change_secret(cloud, "changed")
    hook: Any = cloud.make_hook()
    for _ in range(cloud.emulator.switches.max_signature_failures):
        with pytest.raises(AuthenticationError):
            await hook.get_run.aio(ref)
    assert _is_blocked(cloud)


async def test_connections_have_nothing_to_do_with_each_other() -> None:
    one, other = Refusals.shared("one"), Refusals.shared("other")
    assert Refusals.shared("one") is one
    one.judge([REFUSAL], 0.0, 0.0)
    assert one.current(1.0) is REFUSAL
    assert other.current(1.0) is None


async def test_environments_of_two_clouds_have_nothing_to_do_with_each_other(clock: ScriptedClock) -> None:
    nowhere = SimpleNamespace(
        huawei_conn_id=None, alibaba_conn_id=None, region="r-1", project_id=None, states=None, workspace_id="1"
    )
    modelarts, aom, pai = (RunHub.shared(service, nowhere, clock) for service in (MODELARTS, AOM, PAIFLOW))
    modelarts._refusals.judge([REFUSAL], 0.0, 0.0)
    assert aom._refusals.current(1.0) is REFUSAL
    assert pai._refusals.current(1.0) is None


async def test_refusals_grow_rarer() -> None:
    refusals, now, pauses = Refusals(), 0.0, []
    for _ in range(4):
        refusals.judge([REFUSAL, REFUSAL], now, now)
        pauses.append(refusals.pause(now))
        now += pauses[-1]
        assert refusals.current(now) is None
    assert pauses == [*REFUSED_PAUSES, REFUSED_PAUSES[-1]]


async def test_refusal_heard_in_the_pause_counts_as_well() -> None:
    refusals = Refusals()
    refusals.judge([REFUSAL], 0.0, 0.0)
    refusals.judge([REFUSAL], 0.0, 1.0)
    assert refusals.pause(1.0) == REFUSED_PAUSES[1]


async def test_answer_to_an_earlier_question_proves_nothing() -> None:
    refusals = Refusals()
    refusals.judge([REFUSAL], 0.0, 1.0)
    refusals.judge([RUN], 0.0, 2.0)
    assert refusals.current(2.0) is REFUSAL


async def test_credentials_that_go_bad_amid_many_reads(clock: ScriptedClock) -> None:
    sky = Sky(clock)
    good = 35
    sky.error = lambda: REFUSAL if len(sky.calls) > good else None
    async with audience(sky.hub()) as listeners:
        listeners.watch([RunRef(f"workflow-{number}", "run") for number in range(30)])
        await passed(clock, 2 * INTERVAL)
    assert good < len(sky.calls) <= good + MAX_IN_FLIGHT
    assert sum(REFUSAL in heard for heard in listeners.heard.values()) == 60 - good


@pytest.mark.parametrize("proof", [RUN, PermissionDeniedError("no")])
async def test_answer_to_known_credentials_ends_it(proof: Any) -> None:
    refusals = Refusals()
    refusals.judge([REFUSAL], 0.0, 0.0)
    refusals.judge([proof], 70.0, 70.0)
    assert (refusals.current(70.0), refusals.pause(70.0)) == (None, 0.0)
    refusals.judge([REFUSAL], 80.0, 80.0)
    assert refusals.pause(80.0) == REFUSED_PAUSES[0]


async def test_silence_says_nothing_of_credentials() -> None:
    refusals = Refusals()
    refusals.judge([REFUSAL], 0.0, 0.0)
    refusals.judge([TransportError("reset", may_have_taken_effect=False)], 60.0, 60.0)
    refusals.judge([REFUSAL], 70.0, 70.0)
    assert refusals.pause(70.0) == REFUSED_PAUSES[1]


async def test_hubs_ask_one_after_the_other_once_refused() -> None:
    refusals = Refusals()
    refusals.judge([REFUSAL], 0.0, 0.0)
    inside, most = 0, 0

    async def ask() -> None:
        nonlocal inside, most
        async with refusals.asking():
            inside, most = inside + 1, max(most, inside + 1)
            await asyncio.sleep(0)
            inside -= 1

    await asyncio.gather(*(ask() for _ in range(5)))
    assert most == 1
