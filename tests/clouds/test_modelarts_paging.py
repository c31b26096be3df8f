"""Lists that count pages or items: whichever it is, every item comes once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

import pytest

from airflow_provider_mlworkflows.clouds.operation import Request
from tests.clouds.support import RecordingApi

Answer = Callable[[Request[Any]], dict[str, Any]]


class ListApi(RecordingApi):
    """Answers each request as a list would."""

    def __init__(self, answer: Answer) -> None:
        super().__init__()
        self.answer = answer

    def send(self, request: Request[Any]) -> Any:
        assert len(self.requests) < 50, "it goes round in circles"
        self.replies.append(self.answer(request))
        return super().send(request)

    @property
    def offsets(self) -> list[int]:
        return [int(parse_qs(request.url_query())["offset"][0]) for request in self.requests]


def services(names: range | list[int], **more: Any) -> dict[str, Any]:
    return {"services": [{"service_id": str(n)} for n in names], "count": len(names), **more}


def a_list(total: int, *, by_items: bool, cap: int = 1000, tells_total: bool = True) -> Answer:
    """A list of so many services. It gives at most ``cap`` at once, whatever limit is asked for."""

    def answer(request: Request[Any]) -> dict[str, Any]:
        asked = parse_qs(request.url_query())
        limit, offset = min(cap, int(asked["limit"][0])), int(asked["offset"][0])
        start = offset if by_items else offset * limit
        return services(range(start, max(start, min(total, start + limit))), total_count=total if tells_total else None)

    return answer


@pytest.mark.parametrize("by_items", [False, True], ids=["pages", "items"])
class TestAnyCounting:
    @pytest.mark.parametrize("total", [0, 1, 999, 1000, 1001, 2000, 3500])
    @pytest.mark.parametrize("tells_total", [True, False])
    def test_every_item_comes_once(self, by_items: bool, total: int, tells_total: bool) -> None:
        api = ListApi(a_list(total, by_items=by_items, tells_total=tells_total))

        found = [service.service_id for service in api.iter_services()]

        assert found == [str(n) for n in range(total)]
        assert len(api.requests) <= total // 1000 + 2

    def test_small_pages_go_on_while_more_is_claimed(self, by_items: bool) -> None:
        api = ListApi(a_list(23, by_items=by_items, cap=5))

        assert len(list(api.iter_services())) == 23

    def test_in_an_event_loop(self, by_items: bool) -> None:
        api = ListApi(a_list(2500, by_items=by_items))

        async def collect() -> list[str]:
            return [service.service_id async for service in api.iter_services.aio()]

        assert asyncio.run(collect()) == [str(n) for n in range(2500)]


def test_pages_are_counted_by_pages_and_items_by_items() -> None:
    pages, items = (ListApi(a_list(3000, by_items=by_items)) for by_items in (False, True))

    list(pages.iter_services())
    list(items.iter_services())

    assert pages.offsets[:3] == [0, 1, 2]
    assert items.offsets[:3] == [0, 1, 1001]


def test_an_item_that_moved_to_the_next_page_is_not_repeated() -> None:
    replies = iter([services(range(1000)), services([998, 999, *range(1000, 1500)])])
    api = ListApi(lambda _: next(replies))

    assert [service.service_id for service in api.iter_services()] == [str(n) for n in range(1500)]


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_a_list_that_takes_no_offset_ends(size: int) -> None:
    api = ListApi(lambda _: services(range(size), total_count=5000))

    assert len(list(api.iter_services())) == size
    assert len(api.requests) == 2


def test_a_list_that_claims_too_much_ends() -> None:
    replies = iter([services([0, 1, 2], total_count=9), services([1, 2, 3], total_count=9), services([1, 3])])
    api = ListApi(lambda _: next(replies, services([2, 3], total_count=9)))

    assert [service.service_id for service in api.iter_services()] == ["0", "1", "2", "3"]


def test_all_numbered_lists() -> None:
    api = RecordingApi(
        {"clusters": [{"cluster_id": "c"}]},
        {"apps": [{"app_id": "i"}]},
        {"apis": [{"api_id": "a"}]},
        {"auths": [{"app": {"app_id": "i"}, "authed": True}]},
    )

    assert [cluster.cluster_id for cluster in api.iter_clusters(status="running")] == ["c"]
    assert [app.app_id for app in api.iter_apps(app_ids=["i"])] == ["i"]
    assert [each.api_id for each in api.iter_app_apis("i", service_name="n")] == ["a"]
    assert [each.authed for each in api.iter_api_authorizations("s", "a", show_only="AUTH")] == [True]
    assert [request.url_query() for request in api.requests] == [
        "status=running&limit=1000&offset=0",
        "limit=1000&offset=0&app_ids=i",
        "limit=1000&offset=0&service_name=n",
        "limit=1000&offset=0&show_only=AUTH",
    ]


def nodes(*names: str, continue_from: str | None = None) -> dict[str, Any]:
    metadata = {"continue": continue_from} if continue_from else {}
    return {"metadata": metadata, "items": [{"metadata": {"name": name}} for name in names]}


class TestNodes:
    def test_go_on_where_the_page_says(self) -> None:
        api = RecordingApi(nodes("a", "b", continue_from="x/1"), nodes("c", continue_from="x/2"), nodes("d"))

        assert [node.name for node in api.iter_pool_nodes("pool")] == ["a", "b", "c", "d"]
        assert [request.url_query() for request in api.requests] == [
            "limit=500",
            "continue=x%2F1&limit=500",
            "continue=x%2F2&limit=500",
        ]

    def test_do_not_go_round_in_circles(self) -> None:
        api = RecordingApi(nodes("a", continue_from="x"), nodes("b", continue_from="x"))

        assert [node.name for node in api.iter_pool_nodes("pool")] == ["a", "b"]
