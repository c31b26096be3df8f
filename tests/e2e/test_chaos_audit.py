"""The audit of a chaos finds what went wrong, and a seed draws everything that can happen; without any Airflow."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.e2e.chaos.audit import audit
from tests.e2e.chaos.driver import Tale
from tests.e2e.chaos.plan import READ_FAULTS, START_FAULTS, Deed, Outcome, PlannedRun, draw
from tests.e2e.chaos.world import SERVICES, Fate, World, traits
from tests.harness.rest_client import TaskAddress
from tests.scenarios.service import CallKind, Counts

PLANNED = PlannedRun(0, "aom", "sync", Outcome.SUCCEEDS, 50, Deed.NOTHING, "none", "none", 1, is_doubtful=False)
CLEARED = replace(PLANNED, deed=Deed.CLEAR)
MARKED = replace(PLANNED, deed=Deed.MARK_FAILED)
FAILS = replace(PLANNED, outcome=Outcome.FAILS)


class ToldWorld(World):
    """A world in which one task has made some calls, with some result."""

    def __init__(self, fates: list[Fate], order: list[CallKind], starts: int | None = None) -> None:
        super().__init__()
        self._fates = dict(zip("abc", fates, strict=False))
        self._order = order
        self._starts = order.count("start") if starts is None else starts

    def runs(self, planned: PlannedRun, workflow: str) -> list[str]:
        return list(self._fates)

    def fate(self, planned: PlannedRun, run_id: str) -> Fate:
        return self._fates[run_id]

    def counts(self, planned: PlannedRun, workflow: str) -> Counts:
        return Counts(self._starts, stops=self._order.count("stop"), repairs=self._order.count("repair"))

    def order(self, planned: PlannedRun, workflow: str) -> list[CallKind]:
        return self._order


def _tale(planned: PlannedRun, state: str, *, tries: int = 1, cleared_after: tuple[int, ...] = ()) -> Tale:
    at = TaskAddress(planned.dag_id, "run", "train")
    return Tale(planned, at, "flow", runs_before_clears=list(cleared_after), state=state, tries=tries)


@pytest.mark.parametrize(
    ("world", "tale"),
    [
        (ToldWorld(["succeeded"], ["start"]), _tale(PLANNED, "success")),
        (ToldWorld(["failed"], ["start"]), _tale(FAILS, "failed", tries=5)),
        (
            ToldWorld(["stopped", "succeeded"], ["start", "stop", "start"]),
            _tale(CLEARED, "success", tries=2, cleared_after=(1,)),
        ),
        (ToldWorld(["stopped"], ["start", "stop"]), _tale(MARKED, "failed")),
        (ToldWorld(["goes on"], ["start"]), _tale(replace(MARKED, service="obs"), "failed")),
        (ToldWorld([], []), _tale(replace(PLANNED, start_fault="reset before", is_doubtful=True), "failed")),
    ],
    ids=["success", "failure", "cleared", "marked", "unstoppable", "doubt"],
)
def test_what_is_right_is_clean(world: World, tale: Tale) -> None:
    findings = audit(world, [tale])
    assert findings.is_clean, findings.story
    assert not findings.unplanned_retries


@pytest.mark.parametrize(
    ("kind", "world", "tale"),
    [
        ("duplicate", ToldWorld(["succeeded", "succeeded"], ["start", "start"]), _tale(PLANNED, "success")),
        ("duplicate", ToldWorld(["succeeded"], ["start"], starts=2), _tale(PLANNED, "success")),
        (
            "duplicate",
            ToldWorld(["stopped", "succeeded"], ["start", "start", "stop"]),
            _tale(CLEARED, "success", tries=2, cleared_after=(1,)),
        ),
        ("orphan", ToldWorld(["goes on"], ["start"]), _tale(MARKED, "failed")),
        (
            "orphan",
            ToldWorld(["goes on", "succeeded"], ["start", "stop", "start"]),
            _tale(CLEARED, "success", tries=2, cleared_after=(1,)),
        ),
        ("orphan", ToldWorld(["goes on"], ["start"]), _tale(replace(FAILS, service="obs"), "failed")),
        ("wrong verdict", ToldWorld(["failed"], ["start"]), _tale(PLANNED, "success")),
        ("wrong verdict", ToldWorld(["succeeded"], ["start"]), _tale(PLANNED, "failed")),
        ("wrong verdict", ToldWorld(["stopped"], ["start", "stop"]), _tale(PLANNED, "failed")),
        ("wrong verdict", ToldWorld(["stopped"], ["start", "stop"]), _tale(MARKED, "success")),
        ("wrong verdict", ToldWorld([], []), _tale(PLANNED, "failed")),
        ("wrong verdict", ToldWorld(["succeeded"], ["start", "repair"]), _tale(PLANNED, "success")),
        ("unplanned", ToldWorld(["succeeded"], ["start"]), _tale(PLANNED, "success", tries=2)),
    ],
)
def test_what_is_wrong_is_found(kind: str, world: World, tale: Tale) -> None:
    findings = audit(world, [tale])
    assert not findings.is_clean
    assert kind in {line.partition(":")[0] for line in findings.story.splitlines()}


def test_retries_that_airflow_causes_are_allowed_for() -> None:
    tale = _tale(PLANNED, "success", tries=2)
    tale.races = 1
    assert audit(ToldWorld(["succeeded"], ["start"]), [tale]).is_clean


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize(("outcome", "fate"), [(Outcome.FAILS, "failed"), (Outcome.SUCCEEDS, "succeeded")])
def test_fate_of_a_run_is_known(service: str, outcome: Outcome, fate: Fate) -> None:
    world = World()
    planned = replace(PLANNED, service=service, outcome=outcome)
    with world.emulator:
        run_id = world.begin_elsewhere(planned)
        assert world.fate(planned, run_id) == "goes on"
        world.emulator.clock.advance(60)
        assert world.fate(planned, run_id) == fate


def test_a_seed_draws_the_same_again_and_leaves_nothing_out() -> None:
    plan = draw(7, 200, traits())
    assert plan == draw(7, 200, traits())
    assert plan.runs != draw(8, 200, traits()).runs
    runs = plan.runs
    assert {(run.service, run.mode) for run in runs} == {
        (name, mode) for name in SERVICES for mode in ("sync", "deferrable")
    }
    assert {run.deed for run in runs} == set(Deed)
    assert {run.outcome for run in runs} == set(Outcome)
    assert {run.start_fault for run in runs} == set(START_FAULTS)
    assert {run.read_fault for run in runs} == set(READ_FAULTS)
    assert len(plan.restarts) == 10
