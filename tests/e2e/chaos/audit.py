"""Compares what Airflow says of the tasks with what the journal says of their runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

from tests.e2e.chaos.plan import IN_DOUBT, MARKS, Deed, Outcome
from tests.e2e.dags.chaos import RETRIES

if TYPE_CHECKING:
    from tests.e2e.chaos.driver import Tale
    from tests.e2e.chaos.world import World

LOG_END = 1500
"""Characters of a log that are shown where nobody knows why it ended."""


@dataclass
class Findings:
    """What went wrong, and how much happened at all.

    Attributes:
        duplicates: Tasks that started more than one run between two clears, or a run beside one that went on.
        orphans: Runs that go on although their task is over.
        wrong_verdicts: Tasks that ended in another way than their run, or than was planned.
        starts, stops, idle_stops, repairs: Calls in the journal that took effect, or did not.
        retries: Attempts beyond the first ones and those that clears began.
        unplanned_retries: Tasks with more of them than planned faults, failures and kills explain, and attempts that
            Airflow itself has lost.
    """

    duplicates: list[str] = field(default_factory=list)
    orphans: list[str] = field(default_factory=list)
    wrong_verdicts: list[str] = field(default_factory=list)
    starts: int = 0
    stops: int = 0
    idle_stops: int = 0
    repairs: int = 0
    retries: int = 0
    unplanned_retries: list[str] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        """Whether nothing went wrong."""
        return not any(found for _, found in self._kinds)

    @property
    def story(self) -> str:
        """What went wrong, a line each."""
        return "\n".join(f"{kind}: {each}" for kind, found in self._kinds for each in found)

    @property
    def _kinds(self) -> Sequence[tuple[str, list[str]]]:
        return (
            ("duplicate", self.duplicates),
            ("orphan", self.orphans),
            ("wrong verdict", self.wrong_verdicts),
            ("unplanned", self.unplanned_retries),
        )


def going_on(world: World, tales: Sequence[Tale]) -> list[str]:
    """The runs that go on although their task is over, leaving out those that nothing can stop."""
    return [
        f"run {run_id} of {tale.planned}"
        for tale in tales
        if world.stops(tale.planned) or not (tale.planned.deed is Deed.CLEAR or tale.planned.deed in MARKS)
        for run_id in world.runs(tale.planned, tale.workflow)
        if world.fate(tale.planned, run_id) == "goes on"
    ]


def audit(world: World, tales: Sequence[Tale]) -> Findings:
    """Compare all tasks with their runs, once everything that was told to stop has stopped."""
    findings = Findings(orphans=going_on(world, tales))
    for tale in tales:
        findings.duplicates += _duplicates(world, tale)
        findings.wrong_verdicts += _wrong_verdicts(world, tale)
        counts = world.counts(tale.planned, tale.workflow)
        findings.starts += counts.starts
        findings.stops += counts.stops
        findings.idle_stops += counts.idle_stops
        findings.repairs += counts.repairs
        retries = tale.tries - 1 - len(tale.runs_before_clears)
        findings.retries += retries
        if (unplanned := retries - _planned_retries(tale) - tale.races) > 0:
            ends = "".join(f"\n  an attempt ended with: {log[-LOG_END:]}" for log in tale.logs[:-1])
            findings.unplanned_retries.append(f"{unplanned} of {retries} retries of {tale.planned}{ends}")
    return findings


def _duplicates(world: World, tale: Tale) -> list[str]:
    runs = world.runs(tale.planned, tale.workflow)
    starts = world.counts(tale.planned, tale.workflow).starts
    if starts != len(runs):
        return [f"{starts} starts but {len(runs)} runs of {tale.planned}"]
    between = [after - before for before, after in pairwise([0, *tale.runs_before_clears, len(runs)])]
    if max(between) > 1:
        return [f"{between} starts between the clears of {tale.planned}"]
    order = world.order(tale.planned, tale.workflow)
    if world.stops(tale.planned) and ("start", "start") in pairwise(order):
        return [f"a run was started while another went on, {order}, by {tale.planned}"]
    return []


def _wrong_verdicts(world: World, tale: Tale) -> list[str]:
    planned, runs = tale.planned, world.runs(tale.planned, tale.workflow)
    fates = [world.fate(planned, run_id) for run_id in runs]
    wrong = []
    if planned.deed not in MARKS and (tale.state == "success") != (fates[-1:] == ["succeeded"]):
        wrong.append(f"{tale.state} although the runs are {fates}: {planned}")
    if tale.state != planned.expected_state:
        wrong.append(f"{tale.state} instead of {planned.expected_state}, runs {fates}: {planned}")
    if len(runs) != planned.expected_runs:
        wrong.append(f"{len(runs)} runs instead of {planned.expected_runs}: {planned}")
    if planned.outcome not in (Outcome.FAILS, Outcome.RECOVERS) and world.counts(planned, tale.workflow).repairs:
        wrong.append(f"a run that had not failed was repaired: {planned}")
    if planned.deed is Deed.NOTHING and (stops := world.counts(planned, tale.workflow).stops):
        wrong.append(f"{stops} stops that nobody asked for: {planned}")
    return wrong


def _planned_retries(tale: Tale) -> int:
    """How many attempts the plan takes beyond the first."""
    planned = tale.planned
    faults = int(planned.start_fault in IN_DOUBT and not planned.is_doubtful)
    match planned.outcome:
        case Outcome.FAILS:
            return RETRIES
        case Outcome.RECOVERS:
            return 1 + faults
        case _:
            return tale.kills + tale.too_early + faults


def figures(findings: Findings, tales: Sequence[Tale], *, seed: int, restarts: int, seconds: float) -> str:
    """All of it in one line."""
    services = ", ".join(f"{count} {name}" for name, count in Counter(tale.planned.service for tale in tales).items())
    deeds = Counter(tale.planned.deed for tale in tales)
    marks = sum(deeds[each] for each in MARKS)
    kills = sum(tale.kills for tale in tales)
    return (
        f"chaos: seed {seed}, {len(tales)} runs ({services}), {marks} marks, {deeds[Deed.CLEAR]} clears, "
        f"{kills} kills, {restarts} triggerer restarts; {findings.starts} starts, {findings.stops} stops, "
        f"{findings.idle_stops} idle stops, {findings.repairs} repairs, {findings.retries} retries, unplanned ones in "
        f"{len(findings.unplanned_retries)} tasks; {len(findings.duplicates)} duplicates, "
        f"{len(findings.orphans)} orphans, {len(findings.wrong_verdicts)} wrong verdicts; {seconds:.0f} s"
    )
