"""Runs, nodes and outputs as the service writes them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_mlworkflows.emulator.credentials import ACCOUNT_ID, ALIBABA_REGION
from airflow_provider_mlworkflows.emulator.paiflow.machine import INITIALIZED
from airflow_provider_mlworkflows.emulator.paiflow.noderun import AT_REST

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_mlworkflows.emulator.paiflow.machine import NodeState, PipelineRun, RunState
    from airflow_provider_mlworkflows.emulator.paiflow.noderun import Artifact
    from airflow_provider_mlworkflows.emulator.paiflow.store import Pipeline
    from airflow_provider_mlworkflows.emulator.switches import Switches

_LOCATIONS = {"Model": "OSS", "DataSet": "MaxComputeTable", "Metrics": "OSS", "ModelEvaluation": "OSS"}


def timestamp(time: datetime, switches: Switches) -> str:
    """Return a time of a run or a node: UTC, with the precision that is switched on."""
    utc = time.astimezone(UTC)
    if switches.time_precision == "minutes":
        return f"{utc:%Y-%m-%dT%H:%MZ}"
    seconds = f"{utc:%Y-%m-%dT%H:%M:%S}"
    return f"{seconds}Z" if switches.time_precision == "seconds" else f"{seconds}.{utc.microsecond // 1000:03d}Z"


def plain_time(time: datetime) -> str:
    """Return a time as pipelines have it: UTC, seconds."""
    return f"{time.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def cased(status: str, switches: Switches) -> str:
    """Return a status literal in the letter case that is switched on."""
    return status.upper() if switches.casing == "upper" else status


def root_id(run: PipelineRun, state: RunState, switches: Switches) -> str:
    """Return the id of a run's root node; empty as long as the service does not tell it."""
    return "" if state.status == INITIALIZED and not switches.root_node_at_once else run.root.node_id


def run_view(run: PipelineRun, state: RunState, switches: Switches) -> dict[str, Any]:
    """Return a run as lists have it."""
    workspace = run.fields["WorkspaceId"]
    page = f"https://pai.console.aliyun.com/?regionId={ALIBABA_REGION}&workspaceId={workspace}"
    until = state.finished_at or run.clock.now()
    view: dict[str, Any] = {
        "PipelineRunId": run.run_id,
        "Name": run.name,
        "Status": cased(state.status, switches),
        "UserId": run.user_id,
        "ParentUserId": ACCOUNT_ID,
        "NodeId": root_id(run, state, switches),
        "Duration": int((until - state.started_at).total_seconds()) if state.started_at else 0,
        "WorkspaceId": workspace,
        "Message": state.message,
        "SourceType": run.fields.get("SourceType") or "UNKNOWN",
        "SourceId": run.fields.get("SourceId") or "",
        "GmtCreateTime": timestamp(run.created_at, switches),
        "GmtModifiedTime": timestamp(state.modified_at, switches),
        "PipelineId": run.pipeline_id,
        "Accessibility": run.fields.get("Accessibility") or "PUBLIC",
        "PipelineRunUri": f"{page}#/studio/task/detail/{run.run_id}",
    }
    return view | _span(state, switches)


def full_run_view(run: PipelineRun, state: RunState, switches: Switches, manifest_type: str | None) -> dict[str, Any]:
    """Return a run as a single read has it; with its manifest if a type of manifest is given."""
    view = run_view(run, state, switches)
    view["Arguments"] = json.dumps({"arguments": run.inputs}, ensure_ascii=False)
    view["Options"] = run.fields.get("Options") or "{}"
    if manifest_type == "Raw":
        view["Manifest"] = run.manifest.text
    elif manifest_type is not None:
        documents = [*run.manifest.components.values(), run.manifest.entry]
        shown = documents[-1] if len(documents) == 1 else documents
        view["Manifest"] = json.dumps(_pascal(shown), ensure_ascii=False)
    return view


def brief_run_view(run: PipelineRun, state: RunState, switches: Switches) -> dict[str, Any]:
    """Return a run as batch reads have it."""
    return {
        "PipelineRunId": run.run_id,
        "Status": cased(state.status, switches),
        "Name": run.name,
        "UserId": run.user_id,
        "ParentUserId": ACCOUNT_ID,
        "NodeId": root_id(run, state, switches),
        "SourceId": run.fields.get("SourceId") or "",
        "IsDeleted": run.is_deleted,
    }


def brief_node_view(run: PipelineRun, state: NodeState, switches: Switches) -> dict[str, Any]:
    """Return a node as batch reads have it."""
    return {
        "PipelineRunId": run.run_id,
        "NodeId": state.node.node_id,
        "NodeName": state.node.name,
        "Status": cased(state.status, switches),
        "InputArtifactArchived": state.started_at is not None,
        "OutputArtifactArchived": state.status == "Succeeded",
        **_span(state, switches),
    }


def node_status_view(state: NodeState, switches: Switches) -> dict[str, Any]:
    """Return a node as the flat list of statuses has it."""
    node = state.node
    works = node.is_leaf and state.started_at is not None
    runtime = {"DLC_INSTANCE_IDS": f"dlc-{node.node_id.removeprefix('node-')}-{node.attempt}"} if works else {}
    return {
        "NodeId": node.node_id,
        "NodeName": node.name,
        "Status": cased(state.status, switches),
        "RuntimeInfo": json.dumps(runtime),
        **_span(state, switches),
    }


def node_view(state: NodeState, depth: int, switches: Switches, *, physical: bool) -> dict[str, Any]:
    """Return a node with the nodes of ``depth - 1`` layers below it."""
    node = state.node
    below = children_of(state, physical=physical)
    kind = "Pod" if physical and node.is_leaf else switches.leaf_node_type if node.is_leaf else node.plan.kind
    metadata = node.plan.metadata
    spec = {
        "HasPipelines": bool(below),
        "Dependencies": list(node.plan.depends_on),
        "Pipelines": [node_view(each, depth - 1, switches, physical=physical) for each in below] if depth > 1 else [],
        "Inputs": {
            "Parameters": _named(node.plan.inputs["parameters"]),
            "Artifacts": _named(node.plan.inputs["artifacts"]),
        },
        "Outputs": {"Parameters": [], "Artifacts": [_artifact_of_node(each) for each in node.artifacts]},
    }
    given = node.plan.spec
    known = {"when": "When", "withParam": "WithParam"}
    spec |= {shown: given[key] for key, shown in known.items() if key in given}
    if node.plan.kind == "Loop":
        spec |= {"Parallelism": node.plan.parallelism, "WithItems": given.get("withItems") or []}
        spec["WithSequence"] = _pascal(given.get("withSequence") or {})
    return {
        "Metadata": {
            "NodeId": node.node_id,
            "Name": node.name,
            "DisplayName": metadata.get("displayName") or node.name,
            "Provider": metadata.get("provider") or "",
            "Identifier": metadata.get("identifier") or "",
            "Version": metadata.get("version") or "",
            "NodeType": kind,
            "RelatedNodeIds": [],
        },
        "Spec": spec,
        "StatusInfo": _status_info(state, switches),
    }


def children_of(state: NodeState, *, physical: bool) -> list[NodeState]:
    """Return the nodes below a node; of the physical ones only those that work by themselves."""
    if not physical:
        return list(state.children)
    return [each for each, _ in walk(state, 2**31) if each.node.is_leaf and each is not state]


def walk(state: NodeState, depth: int) -> Iterator[tuple[NodeState, int]]:
    """Yield a node and those of ``depth - 1`` layers below, parents first, with the layers that are left."""
    yield state, depth
    if depth > 1:
        for child in state.children:
            yield from walk(child, depth - 1)


def output_view(run: PipelineRun, artifact: Artifact, switches: Switches) -> dict[str, Any]:
    """Return an output as batch reads have it."""
    view = _output(artifact, switches)
    value = _value(artifact)
    if switches.escaped_outputs:
        view["NodeId"] += "\n"
        value = value.replace("\\", "\\\\").replace('"', '\\"')
    return view | {"PipelineRunId": run.run_id, "Metadata": _metadata(artifact), "Value": value}


def listed_output_view(artifact: Artifact, switches: Switches) -> dict[str, Any]:
    """Return an output as lists of a node's outputs have it."""
    return _output(artifact, switches) | {"Info": {"metadata": _metadata(artifact), "value": _value(artifact)}}


def pipeline_view(pipeline: Pipeline) -> dict[str, Any]:
    """Return a pipeline as lists have it."""
    provider, identifier, version = pipeline.manifest.triple
    return {
        "PipelineId": pipeline.pipeline_id,
        "Provider": provider,
        "Identifier": identifier,
        "Version": version,
        "Uuid": pipeline.uuid,
        "WorkspaceId": pipeline.workspace_id,
        "GmtCreateTime": plain_time(pipeline.created_at),
        "GmtModifiedTime": plain_time(pipeline.modified_at),
    }


def _span(state: RunState | NodeState, switches: Switches) -> dict[str, str]:
    """Return begin and end, each only once it is known."""
    known = {"StartedAt": state.started_at, "FinishedAt": state.finished_at}
    return {name: timestamp(time, switches) for name, time in known.items() if time is not None}


def _status_info(state: NodeState, switches: Switches) -> dict[str, Any]:
    leaves = [each for each, _ in walk(state, 2**31) if each.node.is_leaf]
    over = sum(each.status in AT_REST - {"ReadyToSchedule", "Suspended"} for each in leaves)
    archived = str(state.status == "Succeeded").lower()
    return {
        "Status": cased(state.status, switches),
        "Progress": f"{over}/{len(leaves)}",
        "Conditions": [{"Type": "ArtifactArchived", "Status": archived}],
        **_span(state, switches),
    }


def _output(artifact: Artifact, switches: Switches) -> dict[str, Any]:
    index = artifact.node.index
    return {
        "Name": artifact.name,
        "Type": artifact.output.type,
        "GmtCreateTime": timestamp(artifact.created_at, switches),
        "Id": artifact.artifact_id,
        "Producer": artifact.node.node_id,
        "NodeId": artifact.node.node_id,
        "ExpandedArtifactIndex": index or 0,
        "ExpandableArtifactName": "" if index is None else artifact.output.name,
    }


def _metadata(artifact: Artifact) -> dict[str, Any]:
    kind = artifact.output.type
    return dict(artifact.output.metadata) or {"type": {kind: {"locationType": _LOCATIONS[kind]}}}


def _value(artifact: Artifact) -> str:
    return json.dumps(artifact.output.value, ensure_ascii=False)


def _artifact_of_node(artifact: Artifact) -> dict[str, Any]:
    return {"Name": artifact.name, "Metadata": _metadata(artifact), "Value": _value(artifact)}


def _named(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"Name": item["name"], "Value": item.get("value")} for item in items]


def _pascal(value: Any) -> Any:  # any JSON value
    if isinstance(value, dict):
        return {str(key)[:1].upper() + str(key)[1:]: _pascal(item) for key, item in value.items()}
    return [_pascal(item) for item in value] if isinstance(value, list) else value
