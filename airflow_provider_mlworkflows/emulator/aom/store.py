"""Workflows, executions and the library of the emulated service, for handlers and for tests."""

from __future__ import annotations

import copy
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_mlworkflows.emulator.aom.definitions import (
    JobDefinition,
    NodeDefinition,
    ScriptDefinition,
    TemplateDefinition,
)
from airflow_provider_mlworkflows.emulator.aom.library import Stored, asks_for_approval, made_id, node_id
from airflow_provider_mlworkflows.emulator.aom.machine import Execution, ExecutionState, IllegalAction
from airflow_provider_mlworkflows.emulator.credentials import PROJECT_ID, USER_NAME
from airflow_provider_mlworkflows.emulator.visibility import Visibility

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterable, Mapping, Sequence

    from airflow_provider_mlworkflows.emulator.aom.definitions import WorkflowDefinition
    from airflow_provider_mlworkflows.emulator.clock import Clock
    from airflow_provider_mlworkflows.emulator.scripted import Phase
    from airflow_provider_mlworkflows.emulator.switches import Switches


@dataclass(slots=True)
class Workflow:
    """A stored workflow.

    Attributes:
        workflow_id: Its id, by which the API knows it.
        function_workflow_id: The id that the engine below knows it by; the API shows it and does not take it.
        project_id: The project it belongs to.
        body: The fields that the caller gave.
        nodes: Its nodes with their ids.
        created_at: When it was created.
        created_by: Who created it.
        needs_approval: Whether executions wait for approval first.
        approvers: Who may approve, if anybody has to.
        status_script: Scripted statuses of its executions.
        executions: Its executions by id, oldest first.
        trigger_on: Whether its timer is switched on; ``None`` if it has none.
    """

    workflow_id: str
    function_workflow_id: str
    project_id: str
    body: dict[str, Any]
    nodes: tuple[tuple[str, NodeDefinition], ...]
    created_at: datetime
    created_by: str = USER_NAME
    needs_approval: bool = False
    approvers: tuple[str, ...] = ()
    status_script: tuple[Phase, ...] = ()
    executions: dict[str, Execution] = field(default_factory=dict)
    trigger_on: bool | None = None
    updated_at: datetime = field(init=False)

    def __post_init__(self) -> None:
        self.updated_at = self.created_at

    @property
    def name(self) -> str:
        """The workflow's name."""
        return str(self.body["name"])

    def node_id(self, name: str) -> str:
        """Return the id of the node of a name.

        Raises:
            KeyError: There is no such node.
        """
        return {node.name: key for key, node in self.nodes}[name]


class Aom:
    """State of the emulated service.

    Args:
        clock: The emulator's clock.
        switches: The open points.
        lock: The lock that guards the emulator's state.

    Attributes:
        templates: Templates by id.
        jobs: Jobs by id.
        scripts: Scripts by id.
    """

    def __init__(self, clock: Clock, switches: Switches, lock: threading.RLock) -> None:
        self._clock = clock
        self._switches = switches
        self._lock = lock
        self.templates: dict[str, Stored[TemplateDefinition]] = {}
        self.jobs: dict[str, Stored[JobDefinition]] = {}
        self.scripts: dict[str, Stored[ScriptDefinition]] = {}
        self._workflows: dict[str, Workflow] = {}
        self._visibility: Visibility[ExecutionState] = Visibility(switches)
        self._starts: Counter[str] = Counter()
        self._terminations: Counter[str] = Counter()

    @property
    def workflows(self) -> dict[str, Workflow]:
        """All workflows by id, oldest first; a copy."""
        with self._lock:
            return dict(self._workflows)

    @property
    def executions(self) -> dict[str, Execution]:
        """All executions by id, those of a workflow oldest first, up to date; a copy."""
        with self._lock:
            found = {key: each for flow in self._workflows.values() for key, each in flow.executions.items()}
            for execution in found.values():
                execution.advance()
            return found

    def workflow(self, key: str) -> Workflow:
        """Return a workflow by id or name.

        Raises:
            KeyError: There is none.
        """
        with self._lock:
            if key in self._workflows:
                return self._workflows[key]
            for workflow in self._workflows.values():
                if workflow.name == key:
                    return workflow
            raise KeyError(key)

    def execution(self, execution_id: str) -> Execution:
        """Return an execution, up to date.

        Raises:
            KeyError: There is none.
        """
        return self.executions[execution_id]

    def executions_of(self, key: str) -> list[Execution]:
        """Return the executions of a workflow given by id or name, oldest first, up to date.

        Raises:
            KeyError: There is no such workflow.
        """
        with self._lock:
            found = list(self.workflow(key).executions.values())
            for execution in found:
                execution.advance()
            return found

    def start_count(self, workflow_id: str | None = None) -> int:
        """Return how many executions were ever started, of one workflow or of all."""
        with self._lock:
            return self._starts.total() if workflow_id is None else self._starts[workflow_id]

    def termination_count(self, execution_id: str | None = None) -> int:
        """Return how many terminations took effect, on one execution or on all."""
        with self._lock:
            return self._terminations.total() if execution_id is None else self._terminations[execution_id]

    def add_to_library(self, *items: JobDefinition | ScriptDefinition | TemplateDefinition) -> None:
        """Put templates, jobs and scripts into the emulator, in place of those with the same ids."""
        with self._lock:
            now = self._clock.now()
            for item in items:
                if isinstance(item, TemplateDefinition):
                    self.templates[item.template_id] = Stored(item, now)
                elif isinstance(item, JobDefinition):
                    self.jobs[item.job_id] = Stored(item, now)
                else:
                    self.scripts[item.script_id] = Stored(item, now)

    def add_workflow(self, definition: WorkflowDefinition) -> Workflow:
        """Put a workflow into the emulator.

        Raises:
            KeyError: There is no template of this id.
            ValueError: There is a workflow of this name or id in the project, or two nodes of one name.
        """
        template_id = definition.template_id or next(iter(self.templates))
        body = {
            "task_type": "customize",
            "template_id": template_id,
            "template_name": self.templates[template_id].definition.name,
            **definition.fields,
            "name": definition.name,
            "type": definition.type,
            "input": dict(definition.input),
        }
        return self.create_workflow(
            body,
            project_id=definition.project_id,
            workflow_id=definition.workflow_id,
            nodes=definition.nodes,
            needs_approval=definition.needs_approval,
            approvers=definition.approvers,
            status_script=definition.status_script,
        )

    def create_workflow(
        self,
        body: dict[str, Any],
        *,
        project_id: str = PROJECT_ID,
        workflow_id: str | None = None,
        nodes: Sequence[NodeDefinition] = (),
        created_by: str = USER_NAME,
        needs_approval: bool = False,
        approvers: Iterable[str] = (),
        status_script: tuple[Phase, ...] = (),
    ) -> Workflow:
        """Store a workflow given as the body of a create call.

        Raises:
            KeyError: There is no template of this id.
            ValueError: There is a workflow of this name or id in the project, or two nodes of one name.
        """
        with self._lock:
            template = self.templates[body["template_id"]].definition
            key = workflow_id or made_id(project_id, body["name"])
            same = [each for each in self._workflows.values() if each.project_id == project_id]
            if key in self._workflows or any(each.name == body["name"] for each in same):
                raise ValueError(f"there is a workflow named {body['name']} already")
            chosen = tuple((node_id(key, node), node) for node in nodes or template.nodes)
            if len({node.name for _, node in chosen} | {each for each, _ in chosen}) < 2 * len(chosen):
                raise ValueError("names or ids of nodes are not unique")
            guarded = needs_approval or template.needs_approval or asks_for_approval(body)
            asks = guarded or any(node.category == "approval" for _, node in chosen)
            workflow = Workflow(
                key,
                made_id("function", key),
                project_id,
                copy.deepcopy(body),
                chosen,
                self._clock.now(),
                created_by,
                guarded,
                (tuple(approvers) or (USER_NAME,)) if asks else (),
                status_script,
                trigger_on=True if body["type"] == "cron" else None,
            )
            self._workflows[key] = workflow
            return workflow

    def start(self, key: str, *, created_by: str = USER_NAME, execution_id: str | None = None) -> Execution:
        """Start an execution of a workflow given by id or name, as an execute call would.

        Args:
            key: The workflow.
            created_by: Who starts it.
            execution_id: Its id. Default: a new one.

        Raises:
            KeyError: There is no such workflow.
            ValueError: There is an execution of this id.
            IllegalAction: Another execution is not over, and the switch forbids a second one.
        """
        with self._lock:
            workflow = self.workflow(key)
            if execution_id in self.executions:
                raise ValueError(f"there is an execution {execution_id} already")
            alive = [each for each in self.executions_of(workflow.workflow_id) if not each.is_finished]
            if alive and self._switches.aom_concurrent == "reject":
                raise IllegalAction(f"the execution {alive[-1].execution_id} is {alive[-1].status}")
            execution = Execution(
                workflow_id=workflow.workflow_id,
                project_id=workflow.project_id,
                edited_at=workflow.updated_at,
                nodes=workflow.nodes,
                created_by=created_by,
                needs_approval=workflow.needs_approval,
                approvers=workflow.approvers,
                clock=self._clock.fork(),
                scaled=self._clock.scaled,
                status_of_failure=lambda: self._switches.aom_failed_node,
                status_script=workflow.status_script,
                execution_id=execution_id,
            )
            workflow.executions[execution.execution_id] = execution
            self._starts[workflow.workflow_id] += 1
            return execution

    def terminate(self, execution_id: str) -> None:
        """Terminate an execution as a terminate call would.

        Raises:
            KeyError: There is none.
            IllegalAction: It is over or being terminated already.
        """
        with self._lock:
            self.execution(execution_id).terminate(self._switches.stop_seconds)
            self._terminations[execution_id] += 1

    def finish_node(self, execution_id: str, node: str | None = None, output: Any = None) -> None:  # any JSON value
        """Let the current node succeed now.

        Args:
            execution_id: The execution.
            node: Id or name of the node, which must be the current one; ``None`` for whichever it is.
            output: What it reports; ``None`` for what its script says.

        Raises:
            KeyError: There is no such execution or node.
            IllegalAction: The node is not the current one.
        """
        with self._lock:
            self.execution(execution_id).end_node(node, "success", output)

    def fail_node(self, execution_id: str, node: str | None = None, output: Any = None) -> None:  # any JSON value
        """Let the current node fail now; arguments and errors as in :meth:`finish_node`."""
        with self._lock:
            self.execution(execution_id).end_node(node, "fail", output)

    def approve(self, execution_id: str) -> None:
        """Approve an execution.

        Raises:
            KeyError: There is none.
            IllegalAction: It does not wait for approval.
        """
        with self._lock:
            self.execution(execution_id).decide(approved=True)

    def refuse(self, execution_id: str) -> None:
        """Refuse an execution; errors as in :meth:`approve`."""
        with self._lock:
            self.execution(execution_id).decide(approved=False)

    def force_status(self, execution_id: str, status: str | None, nodes: Mapping[str, str] | None = None) -> None:
        """Show a status, and put nodes by id or name into statuses, until an action changes them.

        Args:
            execution_id: The execution.
            status: Any literal; ``None`` for the status that follows from the nodes.
            nodes: Statuses by node.

        Raises:
            KeyError: There is no such execution or node.
        """
        with self._lock:
            self.execution(execution_id).force(status, dict(nodes or {}))

    def delete_execution(self, execution_id: str) -> None:
        """Forget an execution; the API has no such call.

        Raises:
            KeyError: There is none.
        """
        with self._lock:
            workflow = self._workflows[self.execution(execution_id).workflow_id]
            del workflow.executions[execution_id]
            self._visibility.forget(execution_id)

    def delete_workflow(self, key: str) -> None:
        """Forget a workflow given by id or name, and its executions; the API has no such call.

        Raises:
            KeyError: There is none.
        """
        with self._lock:
            for execution_id in self._workflows.pop(self.workflow(key).workflow_id).executions:
                self._visibility.forget(execution_id)

    def peek(self, execution: Execution) -> ExecutionState:
        """Return what a reader sees now, without counting a read."""
        return self._visibility.kept(execution.execution_id) or execution.state()

    def read(self, execution: Execution) -> ExecutionState:
        """Return what a reader sees, and count the read."""
        execution.clock.read()
        state = self.peek(execution)
        self._visibility.count_read(execution.execution_id)
        return state

    def keep_showing(self, execution: Execution, state: ExecutionState) -> None:
        """Let the next reads show ``state``, that before an action."""
        self._visibility.keep(execution.execution_id, state)

    def listed(self, workflow: Workflow) -> list[Execution]:
        """Return the executions that lists show, newest first."""
        known = reversed(workflow.executions.values())
        return [each for each in known if self._visibility.is_listed(each.created_at, each.clock)]
