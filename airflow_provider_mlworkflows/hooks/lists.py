"""What lists of runs are good for: reading many at once where that costs less, and finding those that are new."""

from __future__ import annotations

import marshal
from collections import defaultdict
from math import floor
from typing import TYPE_CHECKING, Any

from airflow_provider_mlworkflows.exceptions import MLWorkflowsError
from airflow_provider_mlworkflows.runs import Run, RunRef

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

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


class ListedRuns:
    """Runs as lists have shown them, so that one that a list shows unchanged is not read again."""

    def __init__(self) -> None:
        self._known: dict[RunRef, tuple[int, Run]] = {}

    def read(self, shown: Mapping[RunRef, Any], run_of: Callable[[RunRef, Any], Run]) -> dict[RunRef, Run]:
        """The runs in a list's items. Missing is what cannot be read: reading that by itself tells why.

        :param shown: decoded JSON.
        :param run_of: reads an item; raises ValueError if that cannot be done.
        """
        found: dict[RunRef, Run] = {}
        for ref, item in shown.items():
            digest = hash(marshal.dumps(item, _PLAIN))
            known = self._known.get(ref)
            if known is not None and known[0] == digest:
                found[ref] = known[1]
                continue
            self._known.pop(ref, None)
            try:
                run = found[ref] = run_of(ref, item)
            except ValueError:
                continue
            if not run.is_over:  # nobody asks for those again
                self._known[ref] = digest, run
        return found


_PLAIN = 2
"""The format that writes equal values in the same way: later ones tell also which values are one object."""


def shown_in(items: Iterable[Any], name: str, wanted: Mapping[str, RunRef]) -> dict[RunRef, Any]:
    """The items of a list that are wanted.

    :param name: the field that holds their ids.
    :param wanted: refs by id.
    """
    shown: dict[RunRef, Any] = {}
    for item in items:
        if isinstance(item, dict) and name in item:
            ref = wanted.get(str(item[name]))
            if ref is not None:
                shown[ref] = item
    return shown


def by_workflow(refs: Sequence[RunRef]) -> list[list[RunRef]]:
    """Each ref once, those of one workflow together."""
    groups: defaultdict[str, list[RunRef]] = defaultdict(list)
    for ref in dict.fromkeys(refs):
        groups[ref.workflow_id].append(ref)
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
