from __future__ import annotations

import asyncio
import json
from collections.abc import Generator
from typing import Any

import pytest

from airflow_provider_mlworkflows.clouds.flow import adrive, drive
from airflow_provider_mlworkflows.clouds.operation import (
    Operation,
    Pages,
    Request,
    Session,
    Steps,
    T,
    listing,
    operation,
)
from airflow_provider_mlworkflows.exceptions import MLWorkflowsError, NotFoundError, ThrottledError

Flow = Generator[str, Any, str]


def _run(flow: Flow, perform: Any, *, blocking: bool) -> str:
    if blocking:
        return drive(flow, perform)

    async def aperform(needed: str) -> Any:
        await asyncio.sleep(0)
        return perform(needed)

    return asyncio.run(adrive(flow, aperform))


BOTH = pytest.mark.parametrize("blocking", [True, False], ids=["blocking", "async"])


@BOTH
class TestFlow:
    def test_results_are_sent_in_and_the_return_value_comes_out(self, blocking: bool) -> None:
        def flow() -> Flow:
            first = yield "a"
            second = yield "b"
            return str(first + second)

        assert _run(flow(), str.upper, blocking=blocking) == "AB"

    def test_a_flow_that_needs_nothing(self, blocking: bool) -> None:
        def flow() -> Flow:
            yield from ()
            return "done"

        assert _run(flow(), str.upper, blocking=blocking) == "done"

    def test_an_error_is_raised_inside_the_flow_which_may_go_on(self, blocking: bool) -> None:
        def perform(needed: str) -> str:
            if needed == "fail":
                raise ThrottledError("later")
            return needed

        def flow() -> Flow:
            try:
                yield "fail"
            except ThrottledError as error:
                answer = yield "again"
                return f"{error} {answer}"
            return "no error"

        assert _run(flow(), perform, blocking=blocking) == "later again"

    def test_an_error_that_is_not_handled_comes_out_once_the_flow_has_cleaned_up(self, blocking: bool) -> None:
        cleaned: list[str] = []

        def perform(needed: str) -> str:
            raise NotFoundError(needed)

        def flow() -> Flow:
            try:
                yield "gone"
            finally:
                cleaned.append("yes")
            return ""

        with pytest.raises(NotFoundError, match="gone"):
            _run(flow(), perform, blocking=blocking)
        assert cleaned == ["yes"]

    def test_a_return_value_after_an_error(self, blocking: bool) -> None:
        def perform(needed: str) -> str:
            raise MLWorkflowsError(needed)

        def flow() -> Flow:
            try:
                yield "x"
            except MLWorkflowsError:
                return "handled"
            return "not reached"

        assert _run(flow(), perform, blocking=blocking) == "handled"

    def test_other_exceptions_are_not_for_the_flow(self, blocking: bool) -> None:
        def perform(needed: str) -> str:
            raise ZeroDivisionError

        def flow() -> Flow:
            try:
                yield "x"
            except ZeroDivisionError:
                return "swallowed"
            return ""

        with pytest.raises(ZeroDivisionError):
            _run(flow(), perform, blocking=blocking)


class Numbers(Session):
    """Answers ``/n`` with n; refuses negative ones."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def send(self, request: Request[T]) -> T:
        number = request.url_path({"project_id": "p"}).rpartition("/")[2]
        self.asked.append(number)
        if number.startswith("-"):
            raise NotFoundError(number)
        return request.read(json.dumps(int(number)).encode())

    async def asend(self, request: Request[T]) -> T:
        await asyncio.sleep(0)
        return self.send(request)

    @operation
    def number(self, n: int, *, offset: int = 0) -> Request[int]:
        """Ask for a number.

        :param n: which.
        """
        return Request("Number", "GET", "/{n}", int, path_params={"n": str(n + offset)})

    @operation
    def total(self, *numbers: int) -> Steps[int]:
        found = 0
        for n in numbers:
            try:
                found += yield from self.number.steps(n)
            except NotFoundError:
                found += 1000
        return found

    @listing
    def count_to(self, last: int) -> Pages[int]:
        for n in range(1, last + 1):
            answer = yield Request("Number", "GET", "/{n}", int, path_params={"n": str(n)})
            yield [answer] * n

    @listing
    def fails_on_the_second_page(self) -> Pages[int]:
        for n in (1, -1):
            answer = yield Request("Number", "GET", "/{n}", int, path_params={"n": str(n)})
            yield [answer]


class TestOperation:
    def test_one_request(self) -> None:
        api = Numbers()

        assert api.number(3) == 3
        assert asyncio.run(api.number.aio(3, offset=1)) == 4
        assert api.asked == ["3", "4"]

    def test_several_requests_with_an_error_handled_between_them(self) -> None:
        blocking, in_a_loop = Numbers(), Numbers()

        assert blocking.total(1, -5, 2) == 1003
        assert asyncio.run(in_a_loop.total.aio(1, -5, 2)) == 1003
        assert blocking.asked == in_a_loop.asked == ["1", "-5", "2"]

    def test_an_error_that_nobody_handles(self) -> None:
        with pytest.raises(NotFoundError):
            Numbers().number(-1)
        with pytest.raises(NotFoundError):
            asyncio.run(Numbers().number.aio(-1))

    def test_help_shows_the_declaration(self) -> None:
        assert isinstance(Numbers.number, Operation)
        assert "Ask for a number" in (Numbers.number.__doc__ or "")
        assert "Ask for a number" in (Numbers().number.__doc__ or "")
        assert Numbers.number.__name__ == "number"  # type: ignore[attr-defined]

    def test_a_coroutine_that_is_not_awaited_sends_nothing(self) -> None:
        api = Numbers()

        coroutine = api.number.aio(1)
        coroutine.close()

        assert api.asked == []


class TestListing:
    def test_items_of_all_pages(self) -> None:
        blocking, in_a_loop = Numbers(), Numbers()

        async def collect() -> list[int]:
            return [n async for n in in_a_loop.count_to.aio(3)]

        assert list(blocking.count_to(3)) == asyncio.run(collect()) == [1, 2, 2, 3, 3, 3]
        assert blocking.asked == in_a_loop.asked == ["1", "2", "3"]

    def test_a_page_is_asked_for_only_when_it_is_needed(self) -> None:
        api = Numbers()

        items = api.count_to(3)
        assert api.asked == []
        assert next(items) == 1
        assert api.asked == ["1"]
        assert next(items) == 2
        assert api.asked == ["1", "2"]

    def test_items_before_an_error_are_given_out(self) -> None:
        items = Numbers().fails_on_the_second_page()

        assert next(items) == 1
        with pytest.raises(NotFoundError):
            next(items)

    def test_items_before_an_error_are_given_out_in_a_loop_too(self) -> None:
        async def collect() -> int:
            items = Numbers().fails_on_the_second_page.aio()
            first = await anext(items)
            with pytest.raises(NotFoundError):
                await anext(items)
            return first

        assert asyncio.run(collect()) == 1


class TestRequest:
    def test_path_parameters_are_encoded_one_by_one(self) -> None:
        request = Request("X", "GET", "/v2/{project_id}/a/{id}", int, path_params={"id": "a b/甲~%?#"})

        assert request.url_path({"project_id": "p"}) == "/v2/p/a/a%20b%2F%E7%94%B2~%25%3F%23"

    def test_own_path_parameters_win_over_the_accounts(self) -> None:
        request = Request("X", "GET", "/{project_id}", int, path_params={"project_id": "own"})

        assert request.url_path({"project_id": "account's"}) == "/own"

    def test_the_query_keeps_its_order_and_never_uses_plus_for_a_space(self) -> None:
        request = Request("X", "GET", "/", int, query=(("b", "1 2+3"), ("a", ""), ("b", "甲&=~")))

        assert request.url_query() == "b=1%202%2B3&a=&b=%E7%94%B2%26%3D~"

    def test_a_body_is_compact_utf8(self) -> None:
        request = Request("X", "POST", "/", int, body={"name": "夜间", "n": [1, None]})

        assert request.content() == '{"name":"夜间","n":[1,null]}'.encode()
        assert Request("X", "POST", "/", int, body={}).content() == b"{}"
        assert Request("X", "GET", "/", int).content() == b""

    def test_an_answer_of_the_wrong_type_is_a_value_error(self) -> None:
        with pytest.raises(ValueError, match="int"):
            Request("X", "GET", "/", int).read(b'"text"')

    def test_an_operation_without_an_answer_reads_nothing(self) -> None:
        request: Request[None] = Request("X", "DELETE", "/", None)

        request.read(b"anything")
