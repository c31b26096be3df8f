"""Credentials that somebody issues for a time: got once for all who ask, renewed before they end, kept while good."""

from __future__ import annotations

import logging
import math
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from airflow_provider_mlworkflows.clouds.client import REFUSAL_REMEMBERED, Cell, Exchange, Lookup, is_refusal
from airflow_provider_mlworkflows.clouds.http import Connectivity
from airflow_provider_mlworkflows.exceptions import (
    ApiError,
    AuthenticationError,
    BadRequestError,
    ConfigurationError,
    MLWorkflowsError,
    NotFoundError,
    PermissionDeniedError,
    ServerError,
    ThrottledError,
    TransportError,
    is_transient,
)

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.clock import Clock

log = logging.getLogger(__name__)

C = TypeVar("C")
C_co = TypeVar("C_co", covariant=True)
T = TypeVar("T")

RENEWED_BEFORE = 900.0
"""Seconds before their end at which credentials are renewed; a quarter of their life if that is less."""
FAILURE_REMEMBERED = 5.0
"""Seconds for which a failure is told to all who wait for the same credentials."""
PAUSE_AFTER_FAILURE = 60.0
"""Seconds before credentials that are still good are tried to be renewed again, unless that was refused."""
REFUSALS_GROW = 4.0
"""After each refusal, whoever was refused waits so many times longer before asking again."""
LONGEST_REFUSED = 600.0
"""Seconds that are waited at most: less than between the last two reads of a watcher whose connection is refused."""
ISSUER = Connectivity(timeout=3.0)
"""How to reach whoever issues credentials, where the connection does not say otherwise."""
NEIGHBOUR = Connectivity(timeout=3.0, direct=True)
"""The same for a metadata service, which is never behind a proxy."""


@dataclass(frozen=True, slots=True)
class Issued(Generic[C_co]):
    """Credentials and the time they are good for.

    :param credentials: what to sign with.
    :param got_at: when they came, seconds since the epoch.
    :param ends_at: when they end; never if infinite.
    """

    credentials: C_co
    got_at: float
    ends_at: float = math.inf
    not_renewed_before: float = field(default=-math.inf, repr=False)

    @property
    def renew_at(self) -> float:
        """When to look for others. What ends at once by this machine's clock is used for a minute all the same."""
        margin = min(RENEWED_BEFORE, max(self.ends_at - self.got_at, 0.0) / 4)
        return max(self.ends_at - margin, self.got_at + REFUSAL_REMEMBERED, self.not_renewed_before)


class Source(Protocol[C_co]):
    """Where credentials come from."""

    def current(self) -> Exchange[C_co]:
        """The credentials to use now.

        :raises MLWorkflowsError: if there are none.
        """

    def another(self, refused: object) -> Exchange[C_co | None]:
        """Credentials in place of those that a service refused, None if there can be none."""


@dataclass(frozen=True, slots=True)
class Fixed(Generic[C]):
    """Credentials that stay as they are.

    :param credentials: a key or a token.
    """

    credentials: C

    def current(self) -> Exchange[C]:
        """These credentials."""
        yield from ()
        return self.credentials

    def another(self, refused: object) -> Exchange[C | None]:
        """None: asking again with the same would not help, and may block the key."""
        yield from ()
        return None


def used(source: Source[C], use: Callable[[C], Exchange[T]]) -> Exchange[T]:
    """What comes of using the credentials of a source; if they are refused, of using others in their place.

    :param use: what is done with credentials.
    :raises AuthenticationError: if the source has no others, or these are refused too.
    """
    credentials = yield from source.current()
    try:
        return (yield from use(credentials))
    except AuthenticationError:
        others = yield from source.another(credentials)
        if others is None:
            raise
    return (yield from use(others))


NONE = "There are no credentials. "


def reported(issuing: Exchange[T], lack: str = NONE) -> Exchange[T]:
    """A flow on which a call depends, whose failures are not those of the call.

    The call has not been sent: nothing it asks for is missing or forbidden, and it had no effect.

    :param lack: what the call lacks, to begin messages with.
    :raises AuthenticationError: if somebody may not have what the flow asks for.
    :raises ConfigurationError: if no sense can be made of what it asks for.
    :raises TransportError: if there may well be an answer later.
    """
    try:
        return (yield from issuing)
    except PermissionDeniedError as error:
        raise AuthenticationError(
            str(error), operation=error.operation, status=error.status, code=error.code, request_id=error.request_id
        ) from None
    except (NotFoundError, BadRequestError) as error:
        raise ConfigurationError(lack + str(error).removeprefix(lack)) from None
    except (TransportError, ApiError) as error:
        if not is_transient(error):
            raise
        told = lack + str(error).removeprefix(lack)
        raise TransportError(told, may_have_taken_effect=False) from error.__cause__


def is_somebody_there(error: MLWorkflowsError) -> bool:
    """Whether an error comes of somebody who should have answered, and does not just now."""
    if isinstance(error, TransportError):
        return error.may_have_taken_effect
    return isinstance(error, ServerError | ThrottledError)


class Issuer(Protocol[C_co]):
    """Whoever issues credentials. Equal issuers issue the same ones; the repr of one shows no secret."""

    def __hash__(self) -> int:
        """Equal ones have equal hashes."""

    def issue(self, clock: Clock) -> Exchange[Issued[C_co]]:
        """Ask for new credentials.

        :raises MLWorkflowsError: if there are none to be had.
        """


class Renewable(Generic[C]):
    """Credentials of an issuer, asked for once however many wait, and renewed in time.

    :param issue: asks for new ones.
    :param clock: where time comes from.
    """

    def __init__(self, issue: Callable[[], Exchange[Issued[C]]], clock: Clock) -> None:
        self._issue = issue
        self._clock = clock
        self._swap = threading.Lock()
        self._cell: Cell[Issued[C]] = Cell(failure_remembered=FAILURE_REMEMBERED)
        self._spare: Issued[C] | None = None
        self._refusals = 0

    def current(self) -> Exchange[C]:
        """The credentials, renewed first if they end soon.

        If that fails, or somebody else is just doing it, they are used as long as they are good.

        :raises MLWorkflowsError: if there are none, or they have ended and cannot be renewed.
        """
        cell, known = self._cell, self._cell.value
        if known is not None and known.renew_at <= self._clock.time():
            cell = self._replaced(cell, spare=known)
        spare = self._spare
        is_good = spare is not None and spare.ends_at > self._clock.time()
        return (yield from self._value(cell, meanwhile=spare if is_good else None))

    def another(self, refused: object) -> Exchange[C | None]:
        """New credentials in place of refused ones; None if these have only just been issued, or are issued again."""
        cell, known = self._cell, self._cell.value
        if known is not None and known.credentials == refused:
            if self._clock.time() - known.got_at < REFUSAL_REMEMBERED:
                return None
            cell = self._replaced(cell, spare=None)
        credentials = yield from self._value(cell)
        return None if credentials == refused else credentials

    def _value(self, cell: Cell[Issued[C]], *, meanwhile: Issued[C] | None = None) -> Exchange[C]:
        known: Issued[C] = cell.value or (yield Lookup(cell, self._issued_or_spare, meanwhile))
        return known.credentials

    def _replaced(self, cell: Cell[Issued[C]], *, spare: Issued[C] | None) -> Cell[Issued[C]]:
        """An empty cell in place of this one; the same for all who ask at the same time."""
        with self._swap:
            if self._cell is cell:
                self._cell, self._spare = Cell(failure_remembered=FAILURE_REMEMBERED), spare
            return self._cell

    def _issued_or_spare(self) -> Exchange[Issued[C]]:
        spare = self._spare
        try:
            issued = yield from reported(self._issue())
        except MLWorkflowsError as error:
            now = self._clock.time()
            if is_refusal(error):
                longer = REFUSAL_REMEMBERED * REFUSALS_GROW**self._refusals
                self._cell.refusal_remembered = min(longer, LONGEST_REFUSED)
                self._refusals += 1
            if spare is None or spare.ends_at <= now:
                raise
            log.warning(
                "Credentials could not be renewed, and are used for %.0f s more: %s", spare.ends_at - now, error
            )
            # Whoever was refused will be so again, and after a few times be blocked.
            pause = math.inf if is_refusal(error) else PAUSE_AFTER_FAILURE
            return replace(spare, not_renewed_before=min(now + pause, spare.ends_at))
        self._refusals = 0
        return issued


def renewable(issuer: Issuer[C], clock: Clock) -> Renewable[C]:
    """The credentials of an issuer, the same object for all in this process that have an equal one."""
    # Keyed by process: a lock inherited through fork() might be held by nobody.
    return _renewable(issuer, clock.base, os.getpid())


@lru_cache(maxsize=256)
def _renewable(issuer: Issuer[Any], clock: Clock, process_id: int) -> Renewable[Any]:
    return Renewable(lambda: issuer.issue(clock), clock)
