"""What the operations of AOM automation have in common: paths, headers, paging and how success is told."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel

from airflow_provider_mlworkflows.clouds.huawei.aom_inputs import checked_id
from airflow_provider_mlworkflows.clouds.operation import Pages, Request

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.clouds.huawei.aom_models import Page
    from airflow_provider_mlworkflows.clouds.operation import Steps

M = TypeVar("M", bound=BaseModel)
T = TypeVar("T")

CMS = "/v1/{project_id}/cms"
WORKFLOW = CMS + "/workflow/{workflow_id}"
EXECUTIONS = WORKFLOW + "/executions"
EXECUTION = EXECUTIONS + "/{execution_id}"

PAGE_SIZE = 100
HIGHEST_PAGE = 9_999_999
ORDERS = ("ASC", "DESC")
COLUMNS = ("name", "create_time", "update_time")

IN_ENTERPRISE_PROJECT = {"enterprise_project_id": "enterprise_project_id"}
"""Calls that name no enterprise project are for that of the connection, if it has one."""
_JSON = {"Content-Type": "application/json"}
"""Asked for with every request, those without a body included."""


def call(
    operation: str,
    method: str,
    path: str,
    reply: type[T],
    *,
    ids: Mapping[str, object] | None = None,
    query: Mapping[str, str | None] | None = None,
    body: Mapping[str, Any] | None = None,
    safe: bool = False,
    account_fields: Mapping[str, str] | None = None,
) -> Request[T]:
    """A request with the headers that the service wants; what is None in its query is left out.

    :param ids: path parameters, checked here.
    :param safe: whether sending it twice does what sending it once does.
    :param account_fields: as `Request` takes them.
    """
    details = _details(ids, query, body, safe)
    return Request(operation, method, path, reply, account_fields=account_fields or {}, **details)


def _details(
    ids: Mapping[str, object] | None,
    query: Mapping[str, str | None] | None,
    body: Mapping[str, Any] | None,
    safe: bool,
) -> dict[str, Any]:
    return {
        "path_params": {name: checked_id(name, value) for name, value in (ids or {}).items()},
        "query": tuple((name, value) for name, value in (query or {}).items() if value is not None),
        "body": body,
        "safe_to_repeat": safe,
        "headers": _JSON,
    }


class Success(BaseModel):
    """What the service answers when it has done what was asked, and has nothing else to say."""


@dataclass(frozen=True, slots=True)
class Command(Request[Success]):
    """A request that is answered with a word of success in one of the service's several spellings."""

    def read(self, content: bytes) -> Success:
        """Success, if the answer says so: ``{"result": "success"}``, ``"success"``, ``{"success"}`` or nothing.

        :raises ValueError: if it says anything else.
        """
        text = content.decode("utf-8", "replace").strip()
        if not text or _means_success(text):
            return Success()
        raise ValueError("it does not say success")


def _means_success(text: str) -> bool:
    try:
        answer = json.loads(text)
    except (ValueError, RecursionError):
        # One of the documented answers is an object with neither name nor colon.
        answer = text.removeprefix("{").removesuffix("}").strip().strip('"')
    if isinstance(answer, dict):
        answer = answer.get("result", "" if answer else None)
        if isinstance(answer, dict):
            return True  # the result is documented as an object that nobody describes
    return answer is None or answer is True or (isinstance(answer, str) and answer.strip().lower() == "success")


def command(
    operation: str,
    method: str,
    path: str,
    *,
    ids: Mapping[str, object],
    query: Mapping[str, str | None] | None = None,
    safe: bool = False,
) -> Command:
    """A request without a body that is answered with a word of success. Arguments as in `call`."""
    return Command(operation, method, path, Success, **_details(ids, query, None, safe))


def pages(
    page_at: Callable[[int | None], Request[Page[M]]], numbers: Iterable[int | None], identity: Callable[[M], str]
) -> Pages[M]:
    """Every item of a numbered list, once.

    Only a page without anything new ends it, since the service may cut pages short, and its total counts for
    nothing. That is also how a service ends that answers every number with the same page.

    :param numbers: the numbers of the pages, None for the page that comes without asking for one.
    :param identity: the id of an item, "" if it has none.
    """
    seen: set[str] = set()
    for number in numbers:
        page = yield page_at(number)
        names = [identity(item) or item.model_dump_json() for item in page.elements]
        fresh = {name: item for name, item in zip(names, page.elements, strict=True) if name not in seen}
        seen.update(fresh)
        yield list(fresh.values())
        # The first numbered page may be the one that came unasked, see `unsure_numbers`.
        if not page.elements or (not fresh and number != 1):
            return


def unsure_numbers() -> Iterable[int | None]:
    """Page numbers of a list that is said to begin at 0, and to take no number below 1.

    The first page is asked for without a number. If the numbers begin at 1, page 1 is the same once more.
    """
    yield None
    yield from range(1, HIGHEST_PAGE + 1)


def first_of(found: Pages[M], matches: Callable[[M], bool]) -> Steps[M | None]:
    """The first item of a list that matches; all items of its page are looked at, but no pages after it."""
    answer: Any = None
    while True:
        try:
            yielded = found.send(answer)
        except StopIteration:
            return None
        answer = None
        if isinstance(yielded, Request):
            answer = yield yielded
        elif matching := [item for item in yielded if matches(item)]:
            return matching[0]
