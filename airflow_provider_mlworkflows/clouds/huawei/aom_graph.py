"""What a workflow of AOM automation tells of its nodes, and its executions do not: names, kinds and order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from airflow_provider_mlworkflows.clouds.huawei.aom_models import decoded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_mlworkflows.clouds.huawei.aom_models import Node, Workflow, WorkflowStep


@dataclass(frozen=True, slots=True)
class NodeInfo:
    """What executions do not tell of a node.

    :param name: by which people know it.
    :param kind: what it is, in the service's words.
    :param ignore_error: whether the run goes on if it fails.
    :param parents: ids of the nodes that it comes after.
    """

    name: str
    kind: str = ""
    ignore_error: bool = False
    parents: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class WorkflowNodes:
    """The nodes of a workflow by id; none if the workflow is not to be seen.

    :param nodes: the nodes.
    :param workflow_name: the workflow's name.
    :param enterprise_project_id: the enterprise project it is in, "" if that is not known.
    """

    nodes: Mapping[str, NodeInfo] = field(default_factory=dict)
    workflow_name: str = ""
    enterprise_project_id: str = ""

    @classmethod
    def of(cls, workflow: Workflow) -> WorkflowNodes:
        """Read them off a workflow; a name that several nodes have names none of them."""
        nodes = dict(_nodes(workflow.nodes, workflow.steps) if workflow.nodes else _steps(workflow.steps))
        nodes.pop("", None)
        often = Counter(node.name for node in nodes.values())
        named = {
            node_id: NodeInfo(
                node.name if node.name and often[node.name] == 1 else node_id,
                node.kind,
                node.ignore_error,
                node.parents - {node_id},
            )
            for node_id, node in nodes.items()
        }
        return cls(named, workflow.name, workflow.enterprise_project_id)

    def info(self, node_id: str) -> NodeInfo:
        """What is known of a node; its id serves as its name if that is nothing."""
        return self.nodes.get(node_id) or NodeInfo(node_id)

    @property
    def has_order(self) -> bool:
        """Whether it is known which node comes after which."""
        return any(node.parents for node in self.nodes.values())

    def comes_after(self, node_id: str, other_id: str) -> bool:
        """Whether a node is the next one after another."""
        return other_id in self.info(node_id).parents


def _nodes(nodes: Sequence[Node], steps: Sequence[WorkflowStep]) -> Iterator[tuple[str, NodeInfo]]:
    """Nodes with what the author wrote of them; a step has the node's id, or an id of its own and the node's name."""
    written = {step.name: step for step in steps} | {step.id: step for step in steps}
    written.pop("", None)
    ids = {node.name: node.id for node in nodes} | {node.id: node.id for node in nodes}
    for node in nodes:
        step = written.get(node.id) or written.get(node.name)
        name = node.name or node.task_name or (step.name if step else "")
        kind = node.category or node.metadata.type
        ignored = bool(node.ignore_error or (step and step.ignore_error))
        parents = frozenset(ids[parent] for parent in _texts_in(node.parent_node) if parent in ids)
        yield node.id, NodeInfo(name, kind, ignored, parents - {""})


def _steps(steps: Sequence[WorkflowStep]) -> Iterator[tuple[str, NodeInfo]]:
    for step in steps:
        yield step.id, NodeInfo(step.name, step.type, bool(step.ignore_error))


def _texts_in(value: object) -> Iterator[str]:
    """The ids in a field of unknown form: one, a list of them, or objects that have one."""
    value = decoded(value)
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        yield from _texts_in(value.get("id"))
    elif isinstance(value, list):
        for each in value:
            yield from _texts_in(each)
