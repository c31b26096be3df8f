"""Lists of the first version of the API, which count pages or items, and do not say which."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

from airflow_provider_mlworkflows.clouds.huawei.modelarts_inputs import checked_choice, checked_range
from airflow_provider_mlworkflows.clouds.huawei.models import Reply

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.clouds.operation import Pages, Request

T = TypeVar("T")

LARGEST_PAGE = 1000
ORDERS = ("asc", "desc")
_LARGEST_OFFSET = 2**31 - 1


class Counted(Reply):
    """What such a list says about itself: how many items this page has, and how many there are."""

    count: int | None = None
    total_count: int | None = None


C = TypeVar("C", bound=Counted)


def checked_page(limit: object, offset: object) -> dict[str, int | None]:
    """Limit and offset of one page.

    :raises InvalidInputError: if one is out of bounds.
    """
    return {
        "limit": checked_range("limit", limit, 1, LARGEST_PAGE),
        "offset": checked_range("offset", offset, 0, _LARGEST_OFFSET),
    }


def checked_sorting(sort_by: str | None, order: str | None, fields: Sequence[str]) -> dict[str, str | None]:
    """How a list is sorted.

    :raises InvalidInputError: if the list cannot be sorted so.
    """
    if sort_by is not None:
        checked_choice("sort_by", sort_by, fields)
    if order is not None:
        checked_choice("order", order, ORDERS)
    return {"sort_by": sort_by, "order": order}


def numbered_pages(
    page_at: Callable[[int], Request[C]],
    items: Callable[[C], Sequence[T]],
    identity: Callable[[T], str],
    size: int = LARGEST_PAGE,
) -> Pages[T]:
    """Every item of a list, once, whichever the service counts by ``offset``: pages, or items.

    Its manual speaks of pages. If the second page is the first one moved on by an item, it counts items, and they
    are counted from then on; otherwise all pages but the first would be lost, or read item by item.
    """
    seen: set[str] = set()
    previous: list[str] = []
    offset = 0
    counts_items = False
    while True:
        page = yield page_at(offset)
        found = {identity(item): item for item in items(page)}
        names = list(found)
        fresh = [name for name in names if name not in seen]
        seen.update(fresh)
        yield [found[name] for name in fresh]
        is_last = len(names) < size and len(seen) >= (page.total_count or 0)
        if is_last or not names or names == previous:
            return
        counts_items = counts_items or _moved_on_by_one(previous, names)
        asked, offset = offset, len(seen) if counts_items else offset + 1
        if offset == asked:
            return
        previous = names


def _moved_on_by_one(previous: Sequence[str], names: Sequence[str]) -> bool:
    return len(previous) > 1 and bool(names) and names[0] == previous[1]
