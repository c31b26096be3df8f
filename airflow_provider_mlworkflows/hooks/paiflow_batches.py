"""Reading the statuses of many PAIFlow runs with few requests."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow.sdk import conf

from airflow_provider_mlworkflows.clouds.alibaba.paiflow_models import RunGlance, RunGlances
from airflow_provider_mlworkflows.clouds.alibaba.paiflow_states import glance_of, is_initialized, run_of
from airflow_provider_mlworkflows.exceptions import (
    ApiError,
    AuthenticationError,
    BadRequestError,
    InvalidInputError,
    MLWorkflowsError,
    NotFoundError,
    PermissionDeniedError,
    ThrottledError,
    UnexpectedReplyError,
)
from airflow_provider_mlworkflows.runs import Run, RunRef

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from airflow_provider_mlworkflows.clock import Clock
    from airflow_provider_mlworkflows.clouds.alibaba.paiflow import PaiFlowApi
    from airflow_provider_mlworkflows.clouds.operation import Steps

log = logging.getLogger(__name__)

DEFAULT_CHUNK_SIZE = 100
"""Runs per batch read. The service does not say how many it takes; each request costs more than many runs."""
CHUNK_SIZE_SETTING = ("mlworkflows", "paiflow_chunk_size")
"""Section and name of another number in Airflow's configuration."""

Reading = Run | MLWorkflowsError


def checked_chunk_size(wanted: int | None) -> int:
    """The runs per batch read that somebody wants, or that are configured.

    :raises InvalidInputError: if there would be none.
    """
    size = conf.getint(*CHUNK_SIZE_SETTING, fallback=DEFAULT_CHUNK_SIZE) if wanted is None else wanted
    if size < 1:
        raise InvalidInputError(f"A batch read takes at least 1 run, not {size}; correct paiflow_chunk_size.")
    return size


@dataclass(frozen=True, slots=True)
class _Refusal:
    part: Sequence[RunRef]
    error: MLWorkflowsError


class _Search:
    """Finds out why a chunk is refused: for some of its runs, for their number, or for nothing that it holds.

    Attributes:
        parts: still to be asked for.
        told: the readings of parts that were answered.
        refusals: of parts that were not.
        largest: how many runs the largest answered part holds.
    """

    def __init__(self, parts: list[Sequence[RunRef]]) -> None:
        self.parts = parts
        self.told: dict[RunRef, Reading] = {}
        self.refusals: list[_Refusal] = []
        self.largest = 0

    def answered(self, part: Sequence[RunRef], readings: Mapping[RunRef, Reading]) -> None:
        """Note an answer."""
        self.told |= readings
        self.largest = max(self.largest, len(part))

    def refused(self, part: Sequence[RunRef], error: MLWorkflowsError) -> None:
        """Note a refusal, and what to ask for next."""
        self.refusals.append(_Refusal(part, error))
        half = (len(part) + 1) // 2
        if len(part) > 1:
            self.parts[:0] = part[:half], part[half:]
        elif not self.told:
            # If this run alone is at fault, or its neighbours are, the other end of the chunk is answered.
            self.parts.reverse()
            if sum(len(each.part) == 1 for each in self.refusals) > 1:
                self.parts.clear()

    def too_large(self) -> _Refusal | None:
        """The smallest part that was refused although its runs were all answered in smaller ones."""
        found = [each for each in self.refusals if self.told.keys() >= set(each.part)]
        return min(found, key=lambda each: len(each.part), default=None)


class BatchReader:
    """Reads statuses of runs in chunks, and learns how large they may be.

    :param api: sends the requests.
    :param chunk_size: runs per request to begin with.
    :param clock: where time comes from.
    :param url_of: a run's page in the console, by its id and workspace.
    """

    def __init__(self, api: PaiFlowApi, chunk_size: int, clock: Clock, url_of: Callable[[str, str], str]) -> None:
        self.api = api
        self.chunk_size = chunk_size
        self._clock = clock
        self._url_of = url_of
        self._created: dict[str, float] = {}
        self._going_on: dict[RunRef, Run] = {}
        self._alone: set[str] = set()
        self._told_of_denial = False

    def chunks(self, refs: Sequence[RunRef]) -> list[Sequence[RunRef]]:
        """Divide refs into groups of the chunk size."""
        return [refs[start : start + self.chunk_size] for start in range(0, len(refs), self.chunk_size)]

    def read(self, refs: Sequence[RunRef]) -> Steps[dict[RunRef, Reading]]:
        """For each ref its run without steps, or the error that concerns it (ListPipelineRunsStatus).

        A chunk that is refused is halved, and so are its parts, down to single runs. Those that are refused while
        others are answered are read by themselves from then on. A part whose runs are all answered in smaller parts,
        and that is refused once more, was too large, and so are all later ones. If nothing is answered, neither the
        runs nor their number are at fault: the chunk is read one by one this time, and nothing is remembered. A chunk
        that may not be read is read one by one, too. What is absent from the answer, or not to be read with others,
        is read by itself (GetPipelineRun).
        """
        readings: dict[RunRef, Reading] = {}
        rest: Sequence[RunRef] = [ref for ref in refs if ref.run_id not in self._alone]
        while rest:
            chunk, rest = rest[: self.chunk_size], rest[self.chunk_size :]
            readings |= yield from self._together(chunk)
        unread = [ref for ref in refs if ref not in readings]
        refusal = next((reading for reading in readings.values() if isinstance(reading, AuthenticationError)), None)
        if refusal is not None:
            return readings | dict.fromkeys(unread, refusal)
        return readings | (yield from self._one_by_one(unread))

    def _together(self, chunk: Sequence[RunRef]) -> Steps[dict[RunRef, Reading]]:
        """Readings of a chunk, in as large parts as are answered."""
        search = _Search([chunk])
        failed: dict[RunRef, Reading] = {}
        while search.parts:
            part = search.parts.pop(0)
            try:
                search.answered(part, (yield from self._statuses(part)))
            except PermissionDeniedError as error:
                failed |= yield from self._without_permission(part, error)
            except MLWorkflowsError as error:
                if _is_about_what_was_asked(error):
                    search.refused(part, error)
                else:
                    failed |= dict.fromkeys(part, error)
        readings = failed | search.told
        readings |= yield from self._one_by_one([ref for ref in chunk if ref not in readings])
        if search.told:
            yield from self._learn(search, readings)
        elif search.refusals:
            self._tell_that_none_is_read_together(search.refusals[-1].error)
        return readings

    def _learn(self, search: _Search, readings: Mapping[RunRef, Reading]) -> Steps[None]:
        """Remember for which runs, or for what number of them, a chunk was refused."""
        for refusal in search.refusals:
            (ref, *others), error = refusal.part, refusal.error
            if not others and isinstance(readings[ref], Run):
                log.info(
                    "Run %s is read by itself from now on, since others are refused with it. %s", ref.run_id, error
                )
                self._alone.add(ref.run_id)
        too_large = search.too_large()
        if too_large is None or search.largest >= self.chunk_size:
            return
        try:
            yield from self._statuses(too_large.part)  # it may have been refused for a moment only
        except MLWorkflowsError as error:
            if _is_about_what_was_asked(error):
                told = "%d runs in one read are too many; asking for %d. %s"
                log.warning(told, self.chunk_size, search.largest, error)
                self.chunk_size = search.largest

    def _without_permission(self, chunk: Sequence[RunRef], error: ApiError) -> Steps[dict[RunRef, Reading]]:
        """Read the runs of a chunk that may not be read; those that may not be by themselves either are left out."""
        readings = yield from self._one_by_one(chunk)
        denied = {ref.run_id for ref, reading in readings.items() if isinstance(reading, PermissionDeniedError)}
        if denied and len(denied) < len(chunk):
            self._alone |= denied
        elif not denied:
            self._tell_that_none_is_read_together(error)
        return readings

    def _tell_that_none_is_read_together(self, error: MLWorkflowsError) -> None:
        if not self._told_of_denial:
            log.warning("Statuses cannot be read together, so each run is read by itself. %s", error)
            self._told_of_denial = True

    def _statuses(self, refs: Sequence[RunRef]) -> Steps[dict[RunRef, Reading]]:
        run_ids = dict.fromkeys(ref.run_id for ref in refs)
        answer = yield from next(self.api.list_pipeline_runs_status.steps(run_ids=run_ids)).read_as(RunGlances)
        found = {glance.pipeline_run_id: glance for glance in answer.pipeline_runs or ()}
        readings: dict[RunRef, Reading] = {}
        untold: list[RunRef] = []
        for ref in refs:
            glance, known = found.get(str(ref.run_id)), self._going_on.get(ref)
            if known is not None and glance is not None and _is_unchanged(known, glance):
                readings[ref] = known
            # A glance does not tell how long a run has been waiting for its start.
            elif glance is None or (is_initialized(glance.status or "") and ref.run_id not in self._created):
                untold.append(ref)
            elif glance.is_deleted:
                readings[ref] = NotFoundError(f"PAIFlow says that run {ref.run_id} has been deleted.", status=200)
            else:
                readings[ref] = self._seen(ref, glance)
        return readings | (yield from self._one_by_one(untold))

    def _seen(self, ref: RunRef, glance: RunGlance) -> Run:
        url, created = self._url_of(ref.run_id, ""), self._created.get(ref.run_id)
        run = glance_of(glance, ref=ref, url=url, now=self._clock.time(), created=created)
        self._going_on.pop(ref, None)
        if not is_initialized(run.status):  # what that means depends on the time
            self._created.pop(ref.run_id, None)
            if not run.is_over:  # nobody asks for those again
                self._going_on[ref] = run
        return run

    def _one_by_one(self, refs: Sequence[RunRef]) -> Steps[dict[RunRef, Reading]]:
        """Readings of refs (GetPipelineRun); who is refused or throttled once is not asked on behalf of the others."""
        readings: dict[RunRef, Reading] = {}
        hopeless: MLWorkflowsError | None = None
        for ref in refs:
            reading = readings[ref] = hopeless or (yield from self._brief(ref))
            if isinstance(reading, AuthenticationError | ThrottledError):
                hopeless = reading
        return readings

    def _brief(self, ref: RunRef) -> Steps[Reading]:
        """A run without its nodes (GetPipelineRun), or the error that concerns it alone."""
        try:
            run = yield from self.api.get_pipeline_run.steps(ref.run_id)
        except MLWorkflowsError as error:
            return error
        now = self._clock.time()
        if is_initialized(run.status):
            self._created[ref.run_id] = run.gmt_create_time.timestamp() if run.gmt_create_time else now
        return run_of(run, None, ref=ref, url=self._url_of(ref.run_id, run.workspace_id), now=now)


def _is_about_what_was_asked(error: MLWorkflowsError) -> bool:
    """Whether another question may be answered. In which words too many runs are refused, nobody knows."""
    if isinstance(error, UnexpectedReplyError):
        return bool(error.code)
    return isinstance(error, BadRequestError | NotFoundError)


def _is_unchanged(known: Run, glance: RunGlance) -> bool:
    return known.status == glance.status and known.name == (glance.name or "") and not glance.is_deleted
