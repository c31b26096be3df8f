"""Reading the statuses of many PAIFlow runs with few requests."""

from __future__ import annotations

import logging
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
)
from airflow_provider_mlworkflows.runs import Run, RunRef

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

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

        A chunk that is refused is halved. If both halves are answered it was too large, and so are all later ones;
        otherwise it is halved until the run is found that it is refused for. A chunk that may not be read is read one
        by one. What is absent from the answer, or not to be read with others, is read by itself (GetPipelineRun).
        """
        readings, _ = yield from self._together([ref for ref in refs if ref.run_id not in self._alone])
        unread = [ref for ref in refs if ref not in readings]
        refusal = next((reading for reading in readings.values() if isinstance(reading, AuthenticationError)), None)
        if refusal is not None:
            return readings | dict.fromkeys(unread, refusal)
        return readings | (yield from self._one_by_one(unread))

    def _together(self, refs: Sequence[RunRef]) -> Steps[tuple[dict[RunRef, Reading], bool]]:
        """Readings of refs, and whether each request for them was answered at once."""
        readings: dict[RunRef, Reading] = {}
        answered = True
        pending = self.chunks(refs)
        while pending:
            chunk = pending.pop(0)
            if len(chunk) > self.chunk_size:
                pending[:0] = self.chunks(chunk)
                continue
            try:
                readings |= yield from self._statuses(chunk)
            except MLWorkflowsError as error:
                readings |= yield from self._after_refusal(chunk, error)
                answered = False
        return readings, answered

    def _after_refusal(self, chunk: Sequence[RunRef], error: MLWorkflowsError) -> Steps[dict[RunRef, Reading]]:
        if isinstance(error, PermissionDeniedError):
            return (yield from self._without_permission(chunk, error))
        if not isinstance(error, BadRequestError | NotFoundError):
            return dict.fromkeys(chunk, error)
        if len(chunk) > 1:
            return (yield from self._in_halves(chunk, error))
        return (yield from self._apart(chunk[0], error))

    def _without_permission(self, chunk: Sequence[RunRef], error: ApiError) -> Steps[dict[RunRef, Reading]]:
        """Read the runs of a chunk that may not be read; those that may not be by themselves either are left out."""
        readings = yield from self._one_by_one(chunk)
        denied = {ref.run_id for ref, reading in readings.items() if isinstance(reading, PermissionDeniedError)}
        if denied and len(denied) < len(chunk):
            self._alone |= denied
        elif not denied and not self._told_of_denial:
            log.warning("Statuses cannot be read together, so each run is read by itself. %s", error)
            self._told_of_denial = True
        return readings

    def _in_halves(self, chunk: Sequence[RunRef], error: ApiError) -> Steps[dict[RunRef, Reading]]:
        half = (len(chunk) + 1) // 2
        first, first_answered = yield from self._together(chunk[:half])
        second, second_answered = yield from self._together(chunk[half:])
        if first_answered and second_answered:
            # None of the runs is at fault, so there were too many. In which words that is said, nobody knows.
            self._shrink(half, error)
        return first | second

    def _apart(self, ref: RunRef, error: ApiError) -> Steps[dict[RunRef, Reading]]:
        """Read a run that others cannot be read with; if that works it is left out of later chunks."""
        reading = yield from self._brief(ref)
        if isinstance(reading, Run):
            log.info("Run %s is read by itself from now on, since others are refused with it. %s", ref.run_id, error)
            self._alone.add(ref.run_id)
        return {ref: reading}

    def _shrink(self, size: int, error: ApiError) -> None:
        if size < self.chunk_size:
            log.warning("%d runs in one read are too many; asking for %d. %s", self.chunk_size, size, error)
            self.chunk_size = size

    def _statuses(self, refs: Sequence[RunRef]) -> Steps[dict[RunRef, Reading]]:
        run_ids = dict.fromkeys(ref.run_id for ref in refs)
        answer = yield from next(self.api.list_pipeline_runs_status.steps(run_ids=run_ids)).read_as(RunGlances)
        found = {glance.pipeline_run_id: glance for glance in answer.pipeline_runs or ()}
        readings: dict[RunRef, Reading] = {}
        untold: list[RunRef] = []
        for ref in refs:
            glance, known = found.get(ref.run_id), self._going_on.get(ref)
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


def _is_unchanged(known: Run, glance: RunGlance) -> bool:
    return known.status == glance.status and known.name == (glance.name or "") and not glance.is_deleted
