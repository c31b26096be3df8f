"""Reading the statuses of many PAIFlow runs with few requests."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from http import HTTPStatus
from itertools import count
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
    ServerError,
    ThrottledError,
    UnexpectedReplyError,
)
from airflow_provider_mlworkflows.runs import Run, RunRef

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from airflow_provider_mlworkflows.clouds.alibaba.paiflow import PaiFlowApi
    from airflow_provider_mlworkflows.clouds.operation import Steps

log = logging.getLogger(__name__)

DEFAULT_CHUNK_SIZE = 100
"""Runs per batch read. The service does not say how many it takes; each request costs more than many runs."""
CHUNK_SIZE_SETTING = ("mlworkflows", "paiflow_chunk_size")
"""Section and name of another number in Airflow's configuration."""

SERVER_ERRORS = 500
"""The first HTTP status of errors that are the service's own."""
ABOUT_THE_SIZE = frozenset({413, 414, 431})
"""HTTP statuses by which a gateway says, on a page of its own, that a question is too large."""
PIECES = 4
"""Into how many parts a chunk is divided for which the service fails. A run at fault is alone after four failed reads,
which a task takes in stride."""
MOST_PARTS = 16
"""Parts that a chunk is asked for in at most, however many of them fail."""

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

    def __init__(self, chunk: Sequence[RunRef]) -> None:
        self.parts = [chunk]
        self.told: dict[RunRef, Reading] = {}
        self.refusals: list[_Refusal] = []
        self.largest = 0
        self._has_tried_the_end = False

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
        elif not self.told and self.parts:
            self._try_the_end()

    def _try_the_end(self) -> None:
        """A first run that is refused may be at fault; if the last one is too, whatever is asked for may be refused."""
        if self._has_tried_the_end:
            self.parts.clear()
            return
        self._has_tried_the_end = True
        *others, last = self.parts.pop()
        self.parts = [[last], *self.parts, *([others] if others else [])]

    def too_large(self) -> _Refusal | None:
        """The smallest part that was refused although its runs were all answered in smaller ones."""
        found = [each for each in self.refusals if self.told.keys() >= set(each.part)]
        return min(found, key=lambda each: len(each.part), default=None)


class BatchReader:
    """Reads statuses of runs in chunks, and learns how large they may be.

    :param api: sends the requests.
    :param chunk_size: runs per request to begin with.
    :param now: seconds since the epoch by the service's clock, which has stamped what is compared with it.
    :param url_of: a run's page in the console, by its id and workspace.
    """

    def __init__(
        self, api: PaiFlowApi, chunk_size: int, now: Callable[[], float], url_of: Callable[[str, str], str]
    ) -> None:
        self.api = api
        self.chunk_size = chunk_size
        self._now = now
        self._url_of = url_of
        self._created: dict[str, float] = {}
        self._going_on: dict[RunRef, Run] = {}
        self._alone: set[str] = set()
        self._part_of: dict[str, int] = {}
        self._part_numbers = count(1)
        self._most_answered = 0
        self._told_of_denial = False

    def chunks(self, refs: Sequence[RunRef]) -> list[Sequence[RunRef]]:
        """Divide refs into groups of the chunk size."""
        return [refs[start : start + self.chunk_size] for start in range(0, len(refs), self.chunk_size)]

    def read(self, refs: Sequence[RunRef]) -> Steps[dict[RunRef, Reading]]:
        """For each ref its run without steps, or the error that concerns it (ListPipelineRunsStatus).

        A chunk that is refused is halved, and so are its parts, down to single runs. Those that are refused then are
        read by themselves from then on. A part whose runs are all answered in smaller parts was too large if it is
        refused once more, and if no part as large was ever answered; then so are all later ones. If the first and the
        last run are refused and nothing is answered, the rest of the chunk is read one by one this time. A chunk that
        may not be read is read one by one, too. What is absent from the answer, or not to be read with others, is read
        by itself (GetPipelineRun).

        If the service fails, or gives no readable answer, that is the reading of all runs that it was asked for. They
        are asked for in smaller parts next time, unless it fails for all parts, until they are answered.
        """
        parts = self._parts([ref for ref in refs if ref.run_id not in self._alone])
        answers: list[dict[RunRef, Reading]] = []
        hopeless: Reading | None = None
        has_failed = False
        while parts and hopeless is None:
            part = parts.pop(0)
            chunk, rest = part[: self.chunk_size], part[self.chunk_size :]
            if rest:
                parts.insert(0, rest)
            answer = yield from self._together(chunk)
            answers.append(answer)
            errors = [each for each in answer.values() if not isinstance(each, Run)]  # most of the time there are none
            has_failed = has_failed or bool(errors)
            hopeless = next(filter(_is_hopeless, errors), None)
        if has_failed or self._part_of:
            self._divide(answers)
        readings = (
            answers[0] if len(answers) == 1 else {ref: each for answer in answers for ref, each in answer.items()}
        )
        unread = [ref for ref in refs if ref not in readings]
        if hopeless is not None:
            return readings | dict.fromkeys(unread, hopeless)
        return readings | (yield from self._one_by_one(unread))

    def _parts(self, refs: Sequence[RunRef]) -> list[Sequence[RunRef]]:
        if not self._part_of:
            return [refs] if refs else []
        together: dict[int, list[RunRef]] = {}
        for ref in refs:
            together.setdefault(self._part_of.get(ref.run_id, 0), []).append(ref)
        return list(together.values())

    def _divide(self, answers: Sequence[Mapping[RunRef, Reading]]) -> None:
        """Ask for less at once next time where the service has failed, and as usual where it has answered.

        If it fails for everything, that is not for what it is asked.
        """
        failed = [[ref for ref, reading in answer.items() if _is_failure(reading)] for answer in answers]
        failed = [part for part in failed if part]
        for answer in answers:
            for ref, reading in answer.items():
                if isinstance(reading, Run | NotFoundError):
                    self._part_of.pop(ref.run_id, None)
        has_failed_for_all = len(answers) > 1 and sum(map(len, failed)) == sum(map(len, answers))
        if has_failed_for_all or PIECES * len(failed) > MOST_PARTS:
            return
        for part in failed:
            size = -(-len(part) // PIECES)
            for start in range(0, len(part), size):
                number = next(self._part_numbers)
                self._part_of |= {ref.run_id: number for ref in part[start : start + size]}

    def take_over(self, former: BatchReader) -> None:
        """Go on where another reader has failed."""
        self._part_of |= former._part_of
        self._part_numbers = former._part_numbers

    def _together(self, chunk: Sequence[RunRef]) -> Steps[dict[RunRef, Reading]]:
        """Readings of a chunk, in as large parts as are answered."""
        search = _Search(chunk)
        failed: dict[RunRef, Reading] = {}
        while search.parts:
            part = search.parts.pop(0)
            try:
                search.answered(part, (yield from self._statuses(part)))
            except PermissionDeniedError as error:
                failed |= yield from self._without_permission(part, error)
            except MLWorkflowsError as error:
                if _is_hopeless(error):  # once is enough, also for the other parts
                    return dict.fromkeys(chunk, error) | failed | search.told
                if _is_about_what_was_asked(error):
                    search.refused(part, error)
                else:
                    failed |= dict.fromkeys(part, error)
        readings = failed | search.told
        readings |= yield from self._one_by_one([ref for ref in chunk if ref not in readings])
        self._most_answered = max(self._most_answered, search.largest)
        if search.refusals:
            self._learn_who_is_alone(search.refusals, readings)
            yield from self._learn_size(search)
        if search.refusals and not search.told:
            self._tell_that_none_is_read_together(search.refusals[-1].error)
        return readings

    def _learn_who_is_alone(self, refusals: Sequence[_Refusal], readings: Mapping[RunRef, Reading]) -> None:
        """Remember the runs that are refused where others are asked for, and answered by themselves."""
        for refusal in refusals:
            (ref, *others), error = refusal.part, refusal.error
            if not others and isinstance(readings[ref], Run):
                log.info("Run %s is read by itself from now on; it was refused otherwise. %s", ref.run_id, error)
                self._alone.add(ref.run_id)

    def _learn_size(self, search: _Search) -> Steps[None]:
        """Ask for fewer runs from now on, if it was their number that was refused."""
        too_large = search.too_large()
        if too_large is None or len(too_large.part) <= self._most_answered:
            return
        try:
            yield from self._statuses(too_large.part)  # it may have been refused for a moment only
        except MLWorkflowsError as error:
            if _is_about_what_was_asked(error):
                told = "%d runs in one read are too many; asking for %d. %s"
                log.warning(told, self.chunk_size, self._most_answered, error)
                self.chunk_size = self._most_answered

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
            glance, known = found.get(str(ref.run_id).strip()), self._going_on.get(ref)
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
        run = glance_of(glance, ref=ref, url=url, now=self._now(), created=created)
        self._going_on.pop(ref, None)
        if not is_initialized(run.status):  # what that means depends on the time
            self._created.pop(ref.run_id, None)
            if not run.is_over:  # nobody asks for those again
                self._going_on[ref] = run
        return run

    def _one_by_one(self, refs: Sequence[RunRef]) -> Steps[dict[RunRef, Reading]]:
        """Readings of refs (GetPipelineRun); who is refused or throttled once is not asked on behalf of the others."""
        readings: dict[RunRef, Reading] = {}
        hopeless: Reading | None = None
        for ref in refs:
            reading = readings[ref] = hopeless or (yield from self._brief(ref))
            if _is_hopeless(reading):
                hopeless = reading
        return readings

    def _brief(self, ref: RunRef) -> Steps[Reading]:
        """A run without its nodes (GetPipelineRun), or the error that concerns it alone."""
        try:
            run = yield from self.api.get_pipeline_run.steps(ref.run_id)
        except MLWorkflowsError as error:
            return error
        now = self._now()
        if is_initialized(run.status):
            self._created[ref.run_id] = run.gmt_create_time.timestamp() if run.gmt_create_time else now
        return run_of(run, None, ref=ref, url=self._url_of(ref.run_id, run.workspace_id), now=now)


def _is_hopeless(reading: Reading) -> bool:
    """Whether nothing else would be answered now: refused credentials, throttling, or the page of a proxy."""
    if isinstance(reading, UnexpectedReplyError):
        is_refusal = HTTPStatus.BAD_REQUEST <= reading.status < SERVER_ERRORS
        return is_refusal and not reading.code and reading.status not in ABOUT_THE_SIZE
    return isinstance(reading, AuthenticationError | ThrottledError)


def _is_failure(reading: Reading) -> bool:
    """Whether the service did answer, but with an error of its own or in no readable way."""
    if isinstance(reading, ServerError | UnexpectedReplyError):
        return not (_is_about_what_was_asked(reading) or _is_hopeless(reading))
    return False


def _is_about_what_was_asked(error: MLWorkflowsError) -> bool:
    """Whether another question may be answered. In which words too many runs are refused, nobody knows."""
    if isinstance(error, ServerError):
        return error.status < SERVER_ERRORS  # a time-out may well be for the size of the question
    if isinstance(error, UnexpectedReplyError):
        return bool(error.code) or error.status in ABOUT_THE_SIZE
    return isinstance(error, BadRequestError | InvalidInputError | NotFoundError)


def _is_unchanged(known: Run, glance: RunGlance) -> bool:
    return known.status == glance.status and known.name == (glance.name or "") and not glance.is_deleted
