"""What the operations of data workflows have in common: paths, queries, headers and paging."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from airflow_provider_mlworkflows.clouds.huawei.modelarts_inputs import checked_range
from airflow_provider_mlworkflows.clouds.huawei.obs_models import Execution
from airflow_provider_mlworkflows.exceptions import UnexpectedReplyError

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.clouds.huawei.obs_models import ExecutionPage, UnreadExecutionPage
    from airflow_provider_mlworkflows.clouds.operation import Pages, Request

P = TypeVar("P", bound="NumberedPage")
T = TypeVar("T")

TEMPLATE = "/v2/workflowtemplates/{template_name}"
TEMPLATES = "/v2/workflowtemplates/{prefix}"
WORKFLOW = "/v2/workflows/{graph_name}"
WORKFLOWS = "/v2/workflows/{prefix}"
EXECUTIONS = "/v2/workflowexecutions"
EXECUTION = EXECUTIONS + "/{execution_name}"
AUTHORIZATION = "/v2/workflow-authorization"
BUCKET = "/"

CREATE_FLAG = ("x-workflow-create", None)
"""What tells the creation of a workflow from its start."""
PREFIX_FLAG = ("x-workflow-prefix", None)
"""What tells a list from the one thing with this name."""
POLICY_FLAG = ("obsworkflowtriggerpolicy", None)

PAGE_SIZE = 1000
"""Items; the most that the service gives at once."""
LAST_START = 1000
HEADERS: Mapping[str, str] = {"Content-Type": "application/json"}
"""The type is part of what is signed, so it goes along also where there is no body."""


class NumberedPage(Protocol):
    """A page that says at which number the next one begins."""

    @property
    def next_start(self) -> int | None:
        """The number, None if there is none."""

    @property
    def is_truncated(self) -> bool:
        """Whether there is another page."""


def checked_limit(limit: object) -> int | None:
    """Items per page, None for the service's choice."""
    return checked_range("limit", limit, 1, PAGE_SIZE)


def checked_start(start: object) -> int | None:
    """The number of a page's first item, None for 1."""
    return checked_range("start", start, 1, LAST_START)


def query(**values: object) -> tuple[tuple[str, str | None], ...]:
    """Query pairs ``x-workflow-<name>``; what is None is left out."""
    return tuple(
        (f"x-workflow-{name.replace('_', '-')}", str(value)) for name, value in values.items() if value is not None
    )


def body(**values: Any) -> dict[str, Any]:
    """A JSON object without what is None."""
    return {name: value for name, value in values.items() if value is not None}


def numbered_pages(page_from: Callable[[int], Request[P]], items: Callable[[P], list[T]]) -> Pages[T]:
    """Every item of a list that is paged by numbers.

    :raises UnexpectedReplyError: if there is more, and the service does not say from where on.
    """
    start = 1
    while True:
        page = yield page_from(start)
        yield items(page)
        if not page.is_truncated:
            return
        if page.next_start is None or page.next_start <= start:
            raise _no_way_on(f"from number {start} on is followed by more, which begins at {page.next_start}")
        start = page.next_start


def marked_pages(
    page_after: Callable[[str | None], Request[ExecutionPage]], wanted: Callable[[Execution], bool]
) -> Pages[Execution]:
    """Every wanted execution of a list that is paged by markers.

    :raises UnexpectedReplyError: if there is more, and the service does not say from where on.
    """
    marker: str | None = None
    while True:
        page = yield page_after(marker)
        yield list(filter(wanted, page.executions))
        marker = marker_after(page, marker)
        if marker is None:
            return


def marker_after(page: ExecutionPage | UnreadExecutionPage, marker: str | None) -> str | None:
    """Where the page after this one begins, None if it is the last.

    A marker is made of an execution's type and name, so a missing one follows from the last execution.

    :param marker: where this one began.
    """
    if not page.is_truncated:
        return None
    following = page.next_marker or "".join(map(_marker_of, page.executions[-1:]))
    if not following or following == marker:
        raise _no_way_on(f"after the marker {marker!r} is followed by more, which begins at {following!r}")
    return following


def _marker_of(execution: Any) -> str:
    known = Execution.model_validate(execution)
    return f"{known.execution_type}{known.execution_name}"


def _no_way_on(what: str) -> UnexpectedReplyError:
    return UnexpectedReplyError(
        f"OBS data workflow lists in a circle: the page {what}. Nothing can be said about what is not listed; ask its "
        "support, or look at the list in the console."
    )
