"""Acting for a while where a task was to run before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.operators.base import RunOperator


@contextmanager
def placed_at(operator: RunOperator, place: Mapping[str, Any]) -> Iterator[None]:
    """Let an operator use another connection, region or project for the length of the block.

    :param place: as `Service.place_of` tells.
    """
    here = operator.service.place_of(operator)
    _move(operator, place)
    try:
        yield
    finally:
        _move(operator, here)


def _move(operator: RunOperator, place: Mapping[str, Any]) -> None:
    for name, value in place.items():
        setattr(operator, name, value)
    operator.__dict__.pop("hook", None)  # the next one is made for the new place
