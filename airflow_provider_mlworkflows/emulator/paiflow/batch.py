"""The batch read of runs or nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_mlworkflows.emulator.paiflow import names
from airflow_provider_mlworkflows.emulator.paiflow.definitions import OUTPUT_TYPES
from airflow_provider_mlworkflows.emulator.paiflow.lookup import NODE_MISSING, RUN_MISSING, Lookup, node_state
from airflow_provider_mlworkflows.emulator.paiflow.runs import RUNS
from airflow_provider_mlworkflows.emulator.paiflow.views import (
    brief_node_view,
    brief_run_view,
    output_view,
)
from airflow_provider_mlworkflows.emulator.routing import Answer, Call, Operation

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from airflow_provider_mlworkflows.emulator.paiflow.machine import NodeState, PipelineRun, RunState
    from airflow_provider_mlworkflows.emulator.paiflow.noderun import NodeRun

_FIELDS: dict[str, type] = {"PipelineRuns": list, "Nodes": list, "WorkspaceId": str, "OutputType": str}
Found = tuple["PipelineRun", "RunState", "NodeState"]


class BatchRoutes:
    """Handler of the batch read."""

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup
        self._store = lookup.store
        self._switches = lookup.switches

    def operations(self) -> Sequence[Operation]:
        """Return the operations of this module."""
        name = "ListPipelineRunsStatus"
        return [Operation(name, "PUT", RUNS, self.statuses, f"paiflow:{name}")]

    def statuses(self, call: Call) -> Answer:
        """Return the state of the runs or nodes in the body; nodes win if both are given."""
        body = self._lookup.body(call, _FIELDS)
        if body.get("WorkspaceId"):
            self._lookup.workspace(call, body["WorkspaceId"])
        self._lookup.among(call, "OutputType", body.get("OutputType") or None, OUTPUT_TYPES)
        by_node = bool(body.get("Nodes"))
        pairs = (
            self._node_pairs(call, body["Nodes"]) if by_node else self._run_ids(call, body.get("PipelineRuns") or [])
        )
        found = list(self._found(call, pairs, body.get("WorkspaceId") or None))
        both = self._switches.batch_replies == "both"
        # A run that is asked for by several of its nodes is reported once.
        runs = {run.run_id: (run, state) for run, state, _ in found}
        reply = {
            "PipelineRuns": [brief_run_view(run, state, self._switches) for run, state in runs.values()],
            "Nodes": [brief_node_view(run, node, self._switches) for run, _, node in found],
            "Outputs": self._outputs(found, body.get("OutputType")),
        }
        if not both:
            reply["PipelineRuns" if by_node else "Nodes"] = []
        return self._lookup.reply(call, reply)

    def _run_ids(self, call: Call, ids: list[Any]) -> list[tuple[str, None]]:
        self._check_size(call, "PipelineRuns", ids)
        for key in ids:
            if not names.is_run_id(key):
                self._lookup.refuse(call, "InvalidParameter", f"PipelineRuns: {key!r} is not the id of a run.")
        return [(key, None) for key in ids]

    def _node_pairs(self, call: Call, nodes: list[Any]) -> list[tuple[str, str]]:
        self._check_size(call, "Nodes", nodes)
        pairs = []
        for item in nodes:
            given = item if isinstance(item, dict) else {}
            run_id, node_id = given.get("PipelineRunId"), given.get("NodeId")
            if not (names.is_run_id(run_id) and names.is_node_id(node_id)):
                self._lookup.refuse(call, "InvalidParameter", f"Nodes: {item!r} is not a pair of run id and node id.")
            pairs.append((str(run_id), str(node_id)))
        return pairs

    def _check_size(self, call: Call, name: str, listed: list[Any]) -> None:
        cap = self._switches.batch_cap
        if len(listed) > cap:
            self._lookup.refuse(call, "InvalidParameter", f"{name}: {len(listed)} items, at most {cap} are allowed.")

    def _found(self, call: Call, pairs: Iterable[tuple[str, str | None]], workspace: str | None) -> Iterable[Found]:
        """Yield what exists and what the caller may see; count one read for each run."""
        states: dict[str, tuple[PipelineRun, RunState]] = {}
        for run_id, node_id in pairs:
            if run_id not in states:
                run = self._visible(call, run_id, workspace)
                if run is None:
                    self._absent(call, run_id, node=False)
                    continue
                states[run_id] = (run, self._store.read(run))
            run, state = states[run_id]
            node = state.root if node_id is None else node_state(state.root, node_id)
            if node is None:
                self._absent(call, str(node_id), node=True)
                continue
            yield run, state, node

    def _visible(self, call: Call, run_id: str, workspace: str | None) -> PipelineRun | None:
        try:
            run = self._store.run(run_id)
        except KeyError:
            return None
        return run if self._lookup.sees(call, run) and workspace in (None, run.fields["WorkspaceId"]) else None

    def _absent(self, call: Call, key: str, *, node: bool) -> None:
        if self._switches.missing_in_batch == "refused":
            problem = NODE_MISSING if node else RUN_MISSING
            self._lookup.missing(call, problem, f"The {'node' if node else 'pipeline run'} {key} does not exist.")

    def _outputs(self, found: Sequence[Found], wanted: str | None) -> list[dict[str, Any]]:
        if not wanted and not self._switches.outputs_without_type:
            return []
        nodes: dict[str, tuple[PipelineRun, NodeRun]] = {}
        for run, _, state in found:
            nodes |= {node.node_id: (run, node) for node in state.node.walk()}
        return [
            output_view(run, artifact, self._switches)
            for run, node in nodes.values()
            for artifact in node.artifacts
            if wanted in (None, "", artifact.output.type)
        ]
