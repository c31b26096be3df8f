"""What lists of runs are good for: reading many at once where that costs less, and finding those that are new."""

from __future__ import annotations

from math import floor
from typing import TYPE_CHECKING

from airflow_provider_mlworkflows.exceptions import MLWorkflowsError
from airflow_provider_mlworkflows.runs import Run, RunRef

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Reading = Run | MLWorkflowsError


class WorkflowLists:
    """What reading the list of a workflow costs, in single reads. Unknown until it was read: one is hoped for."""

    def __init__(self) -> None:
        self._costs: dict[str, float] = {}

    def batches(self, refs: Sequence[RunRef]) -> list[Sequence[RunRef]]:
        """Divide refs: those of one workflow together if its list is worth reading, else each by itself."""
        batches: list[Sequence[RunRef]] = []
        for group in by_workflow(refs):
            batches += [group] if self._is_list_cheaper(group) else [[ref] for ref in group]
        return batches

    def _is_list_cheaper(self, group: Sequence[RunRef]) -> bool:
        return self._costs.get(group[0].workflow_id, 1) < len(group)


def by_workflow(refs: Sequence[RunRef]) -> list[list[RunRef]]:
    """Each ref once, those of one workflow together."""
    groups: dict[str, list[RunRef]] = {}
    for ref in dict.fromkeys(refs):
        groups.setdefault(ref.workflow_id, []).append(ref)
    return list(groups.values())


def begun_since(since: float, runs: Iterable[Run]) -> list[Run]:
    """The runs that have begun since, newest first. One without a time may be a new one, and comes before them.

    :param since: seconds since the epoch, by the service's clock; it tells times in whole milliseconds.
    """
    begun = [(run, run.started_at) for run in runs]
    recent = [run for run, at in begun if at is None or round(at.timestamp() * 1000) >= floor(since * 1000)]
    return sorted(recent, key=_age_rank, reverse=True)


def _age_rank(run: Run) -> tuple[bool, float]:
    """Sorts the newest last, and what has no time after all that have one."""
    return run.started_at is None, run.started_at.timestamp() if run.started_at else 0.0
