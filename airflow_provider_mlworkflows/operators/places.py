"""Where a task's run was started, if the task is to run elsewhere now."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_mlworkflows.exceptions import BadRequestError, NotFoundError, PermissionDeniedError

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.operators.base import RunOperator
    from airflow_provider_mlworkflows.runs import RunRef


class FormerPlace:
    """Another connection, region or project than the one that an operator has now.

    :param operator: as it is to run now.
    :param place: as `Service.place_of` tells.
    """

    def __init__(self, operator: RunOperator, place: Mapping[str, Any]) -> None:
        self._operator = operator
        self._there = place
        self._here = operator.service.place_of(operator)
        self._hook_here = operator.hook

    def __str__(self) -> str:
        """What is different there."""
        return ", ".join(f"{name}={value!r}" for name, value in self._there.items() if value != self._here.get(name))

    @contextmanager
    def visited(self) -> Iterator[None]:
        """Let the operator act there for the length of the block."""
        self._move(self._there)
        try:
            yield
        finally:
            self._move(self._here)

    def is_seen_from_here(self, ref: RunRef) -> bool:
        """Whether a run that was seen there can be read here: then the two are one place by two names."""
        try:
            self._operator.bell.outwait(partial(self._hook_here.get_run, ref))
        except (BadRequestError, NotFoundError, PermissionDeniedError):
            return False
        return True

    def _move(self, place: Mapping[str, Any]) -> None:
        for name, value in place.items():
            setattr(self._operator, name, value)
        self._operator.forget_connection()  # the next one is made for that place
