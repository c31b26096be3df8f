"""What all operations of PAIFlow have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_provider_mlworkflows.clouds.operation import Pages, Request
from airflow_provider_mlworkflows.exceptions import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Sequence

T = TypeVar("T")
R = TypeVar("R")

VERSION = "2021-02-02"
PIPELINES = "/api/v1/pipelines"
PIPELINE = "/api/v1/pipelines/{pipeline_id}"
RUNS = "/api/v1/pipelineruns"
RUN = "/api/v1/pipelineruns/{run_id}"
NODE = RUN + "/nodes/{node_id}"

PAGE_SIZE = 100
STALE_PAGES = 2
"""Pages in a row without a new item that end a list. One may be what has moved on while the list was read."""
ORDERS = ("ASC", "DESC")
OUTPUT_TYPES = ("Model", "DataSet", "Metrics", "ModelEvaluation")
NODE_TYPES = ("Logical", "Physical")
TEXTS: Mapping[str, str] = {
    "Name": "name",
    "SourceId": "source_id",
    "TokenId": "token_id",
    "UserId": "user_id",
    "WorkspaceId": "workspace_id",
}
"""Fields that are texts of any content, and what their arguments are called."""
IN_WORKSPACE: Mapping[str, str] = {"WorkspaceId": "workspace_id"}
"""For operations that take the workspace of the account if the call names none."""


def call(
    operation: str,
    method: str,
    path: str,
    reply: type[T],
    *,
    ids: Mapping[str, object] | None = None,
    query: Mapping[str, str | int | bool | None] | None = None,
    body: Mapping[str, Any] | None = None,
    safe: bool = False,
    **more: Any,
) -> Request[T]:
    """A request, named and versioned as the service wants it; what is None is left out.

    :param ids: path parameters.
    :param safe: whether sending it twice does what sending it once does.
    :param more: as `Request` takes them.
    :raises InvalidInputError: if an id is none, or one of `TEXTS` is no text.
    """
    return Request(
        operation,
        method,
        path,
        reply,
        path_params={name: checked_id(name, value) for name, value in (ids or {}).items()},
        query=tuple((name, _text(value)) for name, value in _given(query or {}).items()),
        body=None if body is None else _given(body),
        safe_to_repeat=safe,
        headers={"x-acs-action": operation, "x-acs-version": VERSION},
        **more,
    )


def _given(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that have a value."""
    checked = {name: checked_text(TEXTS[name], value) if name in TEXTS else value for name, value in fields.items()}
    return {name: value for name, value in checked.items() if value is not None}


def _text(value: str | int | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def checked_id(what: str, value: object) -> str:
    """The id of a pipeline, run or node.

    :raises InvalidInputError: if it is no text, empty or would lead elsewhere in a path.
    """
    text = checked_text(what, value)
    if text is not None and text.strip() and text not in {".", ".."}:
        return text
    raise InvalidInputError(f"{what} {value!r} is not an id.")


def checked_text(what: str, value: object) -> str | None:
    """A text, or None. A whole number counts as its digits: templates may render what consists of digits to one.

    :raises InvalidInputError: if it is anything else.
    """
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise InvalidInputError(f"{what} {value!r} is no text but of type {type(value).__name__}; write it as a text.")


def checked_ids(what: str, values: Iterable[object]) -> list[str]:
    """Several ids.

    :raises InvalidInputError: if one of them is none, or they are a single text.
    """
    if isinstance(values, str):
        raise InvalidInputError(f"{what} should be a list of ids, not the text {values!r}.")
    if not isinstance(values, Iterable):
        raise InvalidInputError(f"{what} should be a list of ids, not {values!r}.")
    return [checked_id(what, value) for value in values]


def checked_choice(what: str, value: str | None, choices: Iterable[str]) -> str | None:
    """One of the given words, or None.

    :raises InvalidInputError: if it is another.
    """
    allowed = list(choices)
    if value is not None and value not in allowed:
        raise InvalidInputError(f"{what} {value!r} is not one of {', '.join(allowed)}.")
    return value


def checked_number(what: str, value: int | None, lowest: int, highest: int = 2**63 - 1) -> int | None:
    """A whole number within bounds, or None.

    :raises InvalidInputError: if it is out of bounds.
    """
    if value is None:
        return None
    # A template renders to text, whatever the annotation says.
    given: object = value
    if not isinstance(given, int) or isinstance(given, bool) or not lowest <= given <= highest:
        bounds = f"between {lowest} and {highest}" if highest < 2**63 - 1 else f"of at least {lowest}"
        raise InvalidInputError(f"{what} {value!r} is not a whole number {bounds}.")
    return value


def checked_order(sort_by: str | None, order: str | None) -> str | None:
    """The order of a list, or None.

    :raises InvalidInputError: if it is no order, or there is nothing to sort by.
    """
    if order is not None and sort_by is None:
        raise InvalidInputError("order counts only together with sort_by, such as GmtCreateTime.")
    return checked_choice("order", order, ORDERS)


def pages(
    page_at: Callable[[int], Request[R]], items_of: Callable[[R], Sequence[T]], identity: Callable[[T], str]
) -> Pages[T]:
    """Every item of a numbered list, once.

    Only an empty page ends it: the service may cut pages short, and its total counts for nothing. A service that
    answers every number with the same items, in whatever order, or with nothing new twice in a row is not asked for
    ever.
    """
    number = 1
    seen: set[str] = set()
    previous: list[str] = []
    stale = 0
    while stale < STALE_PAGES:
        items = items_of((yield page_at(number)))
        names = [identity(item) for item in items]
        if not items or sorted(names) == previous:
            return
        fresh = [item for item, name in zip(items, names, strict=True) if not name or name not in seen]
        seen.update(names)
        yield fresh
        previous = sorted(names)
        stale = 0 if fresh else stale + 1
        number += 1
