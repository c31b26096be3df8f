"""Operations on the nodes of a run, and the walk through their tree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_mlworkflows.clouds.alibaba.paiflow_models import (
    Node,
    NodeAnswer,
    NodeLogs,
    NodeOutput,
    NodeOutputs,
    NodeStatuses,
)
from airflow_provider_mlworkflows.clouds.alibaba.paiflow_requests import (
    NODE,
    NODE_TYPES,
    OUTPUT_TYPES,
    PAGE_SIZE,
    call,
    checked_choice,
    checked_number,
    checked_order,
    pages,
)
from airflow_provider_mlworkflows.clouds.operation import Pages, Session, listing, operation

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.clouds.operation import Request

DEEPEST = 99999
TREE_DEPTH = 10
"""Layers asked for at once; deeper ones are asked for where there are any."""
BEYOND_THE_END = 10**9
"""Lines that no log has."""
COMPOSITE_TYPES = frozenset({"dag", "loop"})
PATH_SEPARATOR = "/"


@dataclass(frozen=True, slots=True)
class PlacedNode:
    """A node and its place in a run.

    :param path: the names from below the root down to the node's own, joined by ``/``.
    :param node: the node.
    """

    path: str
    node: Node

    @property
    def is_composite(self) -> bool:
        """Whether it consists of other nodes."""
        return is_composite(self.node)


def is_composite(node: Node) -> bool:
    """Whether a node is a sub-DAG or loop."""
    spec = node.spec
    return bool(spec.pipelines) or spec.has_pipelines or node.metadata.node_type.lower() in COMPOSITE_TYPES


def _node(run_id: str, node_id: str, depth: int | None, type_: str | None, token_id: str | None) -> Request[NodeAnswer]:
    return call(
        "GetPipelineRunNode",
        "GET",
        NODE,
        NodeAnswer,
        ids={"run_id": run_id, "node_id": node_id},
        query={
            "Depth": checked_number("depth", depth, 1),
            "Type": checked_choice("type_", type_, NODE_TYPES),
            "TokenId": token_id,
        },
        safe=True,
    )


@operation
def get_pipeline_run_node(
    _: Session,
    run_id: str,
    node_id: str,
    *,
    depth: int | None = None,
    type_: str | None = None,
    token_id: str | None = None,
) -> Request[NodeAnswer]:
    """A node with the layers below it (GetPipelineRunNode).

    :param run_id: the run.
    :param node_id: the node; the run's ``node_id`` is the root.
    :param depth: layers, the node itself being the first; the service's default (2) if None.
    :param type_: ``Logical`` (the service's default) or ``Physical``, which shows containers.
    :param token_id: token by which the run was shared.
    :raises NotFoundError: if there is no such run or node.
    """
    return _node(run_id, node_id, depth, type_, token_id)


@listing
def iter_pipeline_run_nodes(
    _: Session, run_id: str, root_id: str, *, type_: str | None = None, token_id: str | None = None
) -> Pages[PlacedNode]:
    """All nodes below a node, at any depth, parents before children (GetPipelineRunNode).

    :param run_id: the run.
    :param root_id: the node to begin below; the run's ``node_id`` for the whole run.
    :param type_: as in `get_pipeline_run_node`.
    :param token_id: as in `get_pipeline_run_node`.
    :raises NotFoundError: if there is no such run or node.
    """
    unopened = [("", root_id)]
    opened: set[str] = set()
    while unopened:
        place, node_id = unopened.pop(0)
        opened.add(node_id)
        root = yield _node(run_id, node_id, TREE_DEPTH, type_, token_id)
        found = list(_descendants(root, place))
        yield found
        unopened += [
            (each.path, each.node.metadata.node_id)
            for each in found
            if each.is_composite and not each.node.spec.pipelines and each.node.metadata.node_id not in {"", *opened}
        ]


def _descendants(parent: Node, place: str) -> Iterator[PlacedNode]:
    in_loop = parent.metadata.node_type.lower() == "loop" or parent.spec.is_repeated
    rounds: Counter[str] = Counter()
    for child in parent.spec.pipelines:
        name = child.metadata.name or child.metadata.node_id
        # The rounds of a loop may all have the name of what they repeat.
        own = f"{name}[{rounds[name]}]" if in_loop and rounds[name] else name
        rounds[name] += 1
        path = f"{place}{PATH_SEPARATOR}{own}" if place else own
        yield PlacedNode(path, child)
        yield from _descendants(child, path)


@operation
def list_pipeline_run_node_status(
    _: Session,
    run_id: str,
    node_id: str,
    *,
    depth: int | None = None,
    type_: str | None = None,
    token_id: str | None = None,
) -> Request[NodeStatuses]:
    """The statuses of a node and of the layers below it, flat (ListPipelineRunNodeStatus).

    Parameters as in `get_pipeline_run_node`.
    """
    return call(
        "ListPipelineRunNodeStatus",
        "GET",
        f"{NODE}/status",
        NodeStatuses,
        ids={"run_id": run_id, "node_id": node_id},
        query={
            "Depth": checked_number("depth", depth, 1),
            "Type": checked_choice("type_", type_, NODE_TYPES),
            "TokenId": token_id,
        },
        safe=True,
    )


def _logs(
    run_id: str,
    node_id: str,
    *,
    offset: int | None,
    page_size: int | None,
    from_time: int | None = None,
    to_time: int | None = None,
    keyword: str | None = None,
    reverse: bool | None = None,
    token_id: str | None = None,
) -> Request[NodeLogs]:
    return call(
        "ListPipelineRunNodeLogs",
        "GET",
        f"{NODE}/logs",
        NodeLogs,
        ids={"run_id": run_id, "node_id": node_id},
        query={
            "Offset": checked_number("offset", offset, 0),
            "PageSize": checked_number("page_size", page_size, 1),
            "FromTimeInSeconds": checked_number("from_time", from_time, 0),
            "ToTimeInSeconds": checked_number("to_time", to_time, 0),
            "Keyword": keyword,
            "Reverse": reverse,
            "TokenId": token_id,
        },
        safe=True,
    )


@operation
def list_pipeline_run_node_logs(
    _: Session,
    run_id: str,
    node_id: str,
    *,
    offset: int | None = None,
    page_size: int | None = None,
    from_time: int | None = None,
    to_time: int | None = None,
    keyword: str | None = None,
    reverse: bool | None = None,
    token_id: str | None = None,
) -> Request[NodeLogs]:
    """Some lines of a node's log (ListPipelineRunNodeLogs).

    :param run_id: the run.
    :param node_id: the node.
    :param offset: lines to leave out at the beginning, default 0.
    :param page_size: lines; the service's default if None.
    :param from_time: only lines since then, in seconds since the epoch.
    :param to_time: only lines until then, in seconds since the epoch.
    :param keyword: only lines that contain something like it.
    :param reverse: newest line first.
    :param token_id: token by which the run was shared.
    :raises NotFoundError: if there is no such run or node.
    """
    return _logs(
        run_id,
        node_id,
        offset=offset,
        page_size=page_size,
        from_time=from_time,
        to_time=to_time,
        keyword=keyword,
        reverse=reverse,
        token_id=token_id,
    )


def log_pages(run_id: str, node_id: str, *, offset: int, **filters: Any) -> Generator[Any, Any, None]:
    """The pages of a log from a line on, up to where it ends now."""
    previous: list[str] = []
    heeds_offset = False
    while True:
        page = yield _logs(run_id, node_id, offset=offset, page_size=PAGE_SIZE, **filters)
        if not page.logs:
            return
        if page.logs == previous and not heeds_offset:
            # A log may repeat itself; a service that takes no notice of the offset always does.
            beyond = yield _logs(run_id, node_id, offset=offset + BEYOND_THE_END, page_size=1, **filters)
            if beyond.logs:
                return
            heeds_offset = True
        yield page.logs
        offset += len(page.logs)
        previous = page.logs


@listing
def iter_pipeline_run_node_logs(
    _: Session,
    run_id: str,
    node_id: str,
    *,
    offset: int = 0,
    from_time: int | None = None,
    to_time: int | None = None,
    keyword: str | None = None,
    token_id: str | None = None,
) -> Pages[str]:
    """The lines of a node's log as far as it has been written (ListPipelineRunNodeLogs).

    Who follows a log asks again later with the number of lines it has seen as ``offset``.
    Parameters as in `list_pipeline_run_node_logs`.
    """
    yield from log_pages(
        run_id, node_id, offset=offset, from_time=from_time, to_time=to_time, keyword=keyword, token_id=token_id
    )


def _outputs(
    run_id: str,
    node_id: str,
    *,
    depth: int,
    name: str | None,
    type_: str | None,
    sort_by: str | None,
    order: str | None,
    token_id: str | None,
    page_number: int | None,
    page_size: int | None,
) -> Request[NodeOutputs]:
    return call(
        "ListPipelineRunNodeOutputs",
        "GET",
        f"{NODE}/outputs",
        NodeOutputs,
        ids={"run_id": run_id, "node_id": node_id},
        query={
            "Depth": checked_number("depth", depth, 1, DEEPEST),
            "Name": name,
            "Type": checked_choice("type_", type_, OUTPUT_TYPES),
            "PageNumber": checked_number("page_number", page_number, 1),
            "PageSize": checked_number("page_size", page_size, 1),
            "SortBy": sort_by,
            "Order": checked_order(sort_by, order),
            "TokenId": token_id,
        },
        safe=True,
    )


@operation
def list_pipeline_run_node_outputs(
    _: Session,
    run_id: str,
    node_id: str,
    *,
    depth: int = DEEPEST,
    name: str | None = None,
    type_: str | None = None,
    sort_by: str | None = None,
    order: str | None = None,
    token_id: str | None = None,
    page_number: int | None = None,
    page_size: int | None = None,
) -> Request[NodeOutputs]:
    """One page of what a node and the layers below it have put out (ListPipelineRunNodeOutputs).

    :param run_id: the run.
    :param node_id: the node; the run's ``node_id`` for the whole run.
    :param depth: layers from 1 (the node itself) to 99999, the default.
    :param name: only outputs of this name.
    :param type_: ``Model``, ``DataSet``, ``Metrics`` or ``ModelEvaluation``.
    :param sort_by: ``Name``, ``Type`` or ``GmtCreateTime``.
    :param order: ``ASC`` or ``DESC`` (the service's default); only together with ``sort_by``.
    :param token_id: token by which the run was shared.
    :param page_number: from 1, the default.
    :param page_size: items per page; the service's default if None.
    :raises InvalidInputError: before anything is sent, if an argument cannot be right.
    :raises NotFoundError: if there is no such run or node.
    """
    return _outputs(
        run_id,
        node_id,
        depth=depth,
        name=name,
        type_=type_,
        sort_by=sort_by,
        order=order,
        token_id=token_id,
        page_number=page_number,
        page_size=page_size,
    )


@listing
def iter_pipeline_run_node_outputs(
    _: Session,
    run_id: str,
    node_id: str,
    *,
    depth: int = DEEPEST,
    name: str | None = None,
    type_: str | None = None,
    token_id: str | None = None,
) -> Pages[NodeOutput]:
    """All that a node and the layers below it have put out (ListPipelineRunNodeOutputs).

    Parameters as in `list_pipeline_run_node_outputs`.
    """
    yield from pages(
        lambda number: _outputs(
            run_id,
            node_id,
            depth=depth,
            name=name,
            type_=type_,
            sort_by=None,
            order=None,
            token_id=token_id,
            page_number=number,
            page_size=PAGE_SIZE,
        ),
        lambda page: page.outputs,
        lambda output: output.id or f"{output.node_id}/{output.name}/{output.expanded_artifact_index}",
    )
