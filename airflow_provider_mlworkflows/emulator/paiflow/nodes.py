"""Operations on the nodes of a run."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from airflow_provider_mlworkflows.emulator.paiflow.definitions import OUTPUT_TYPES
from airflow_provider_mlworkflows.emulator.paiflow.lookup import GREATEST, Lookup
from airflow_provider_mlworkflows.emulator.paiflow.runs import RUN
from airflow_provider_mlworkflows.emulator.paiflow.views import (
    children_of,
    listed_output_view,
    node_status_view,
    node_view,
    walk,
)
from airflow_provider_mlworkflows.emulator.routing import Answer, Call, Operation

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_NODE = RUN + "/nodes/{node_id}"
_DEEPEST_OUTPUTS = 99999


class NodeRoutes:
    """Handlers of nodes."""

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup
        self._switches = lookup.switches

    def operations(self) -> Sequence[Operation]:
        """Return the operations of this module."""
        table: list[tuple[str, str, Callable[[Call], Answer]]] = [
            ("GetPipelineRunNode", _NODE, self.get),
            ("ListPipelineRunNodeStatus", _NODE + "/status", self.statuses),
            ("ListPipelineRunNodeLogs", _NODE + "/logs", self.logs),
            ("ListPipelineRunNodeOutputs", _NODE + "/outputs", self.outputs),
        ]
        return [Operation(name, "GET", path, end, f"paiflow:{name}") for name, path, end in table]

    def get(self, call: Call) -> Answer:
        """Return a node with those below it; their depth counts from 1 for the node itself."""
        depth, physical = self._depth(call), self._is_physical(call)
        _, state = self._lookup.node(call)
        view = node_view(state, depth, self._switches, physical=physical)
        return self._lookup.reply(call, {"ApiVersion": "core/v1", **view})

    def statuses(self, call: Call) -> Answer:
        """Return a node and those below it as a flat list."""
        depth, physical = self._depth(call), self._is_physical(call)
        _, state = self._lookup.node(call)
        states = [each for each, _ in walk(state, depth)]
        if physical and depth > 1:
            states = [state, *children_of(state, physical=True)]
        return self._lookup.reply(call, {"Status": [node_status_view(each, self._switches) for each in states]})

    def logs(self, call: Call) -> Answer:
        """Return a node's lines from an offset on; the offset counts lines that match the other filters."""
        first = self._lookup.number(call, "FromTimeInSeconds", 0)
        last = self._lookup.number(call, "ToTimeInSeconds", 2**53, most=2**53)
        offset, size = self._lookup.number(call, "Offset", 0), self._lookup.size(call)
        keyword, backwards = call.param("Keyword") or "", self._lookup.boolean(call, "Reverse")
        run, state = self._lookup.node(call)
        written = state.node.lines(run.clock.now() - timedelta(seconds=self._switches.log_lag))
        lines = [text for at, text in written if first <= at.timestamp() < last + 1 and keyword in text]
        if backwards:
            lines.reverse()
        page = lines[offset : offset + size]
        return self._lookup.reply(call, {"TotalCount": self._lookup.total(lines, page), "Logs": page})

    def outputs(self, call: Call) -> Answer:
        """Return a page of the outputs of a node and those below it."""
        if call.param("Depth") is None:
            self._lookup.refuse(call, "MissingParameter", "The parameter Depth is missing.")
        depth = self._lookup.number(call, "Depth", 1, least=1, most=_DEEPEST_OUTPUTS)
        kind, name = call.param("Type"), call.param("Name")
        self._lookup.among(call, "Type", kind, OUTPUT_TYPES)
        _, state = self._lookup.node(call)
        found = [
            artifact
            for each, _ in walk(state, depth)
            for artifact in each.node.artifacts
            if kind in (None, artifact.output.type) and name in (None, each.node.name, artifact.name)
        ]
        rows = self._lookup.ordered(
            call,
            found,
            {
                "GmtCreateTime": lambda artifact: artifact.created_at,
                "Name": lambda artifact: artifact.name,
                "Type": lambda artifact: artifact.output.type,
            },
            "GmtCreateTime",
        )
        page = self._lookup.page(call, rows)
        items = [listed_output_view(each, self._switches) for each in page]
        return self._lookup.reply(call, {"TotalCount": self._lookup.total(rows, page), "Outputs": items})

    def _depth(self, call: Call) -> int:
        return self._lookup.number(call, "Depth", 2, least=1, most=GREATEST)

    def _is_physical(self, call: Call) -> bool:
        return self._lookup.choice(call, "Type", ("Logical", "Physical"), "Logical") == "Physical"
