"""Workflows and executions of the emulated service, for handlers and for tests."""

from __future__ import annotations

import copy
import uuid
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_mlworkflows.emulator.modelarts import inputs
from airflow_provider_mlworkflows.emulator.modelarts.appauth.store import Apps
from airflow_provider_mlworkflows.emulator.modelarts.machine import Execution
from airflow_provider_mlworkflows.emulator.modelarts.notebooks import Notebooks
from airflow_provider_mlworkflows.emulator.modelarts.resources import Clusters, Pools
from airflow_provider_mlworkflows.emulator.modelarts.serving.store import Services
from airflow_provider_mlworkflows.emulator.modelarts.views import cased, execution_view
from airflow_provider_mlworkflows.emulator.visibility import Visibility

if TYPE_CHECKING:
    import threading
    from collections.abc import Mapping

    from airflow_provider_mlworkflows.emulator.clock import Clock
    from airflow_provider_mlworkflows.emulator.modelarts.definitions import Attempt, WorkflowDefinition
    from airflow_provider_mlworkflows.emulator.scripted import Phase
    from airflow_provider_mlworkflows.emulator.switches import Switches


@dataclass(slots=True)
class Workflow:
    """A stored workflow.

    Attributes:
        workflow_id: Its id.
        body: The fields that the caller gave.
        created_at: When it was created.
        modified_at: When it was changed last.
        attempts: Scripted attempts by step name.
        status_script: Scripted statuses of its executions.
        step_ids: Ids of its steps by name.
        executions: Its executions by id, oldest first.
        run_count: How many executions it ever had.
        schedule: Its schedule, if it has one.
        subscriptions: Its subscriptions by id.
    """

    workflow_id: str
    body: dict[str, Any]
    created_at: datetime
    modified_at: datetime
    attempts: dict[str, tuple[Attempt, ...]] = field(default_factory=dict)
    status_script: tuple[Phase, ...] = ()
    step_ids: dict[str, str] = field(default_factory=dict)
    executions: dict[str, Execution] = field(default_factory=dict)
    run_count: int = 0
    schedule: dict[str, Any] | None = None
    subscriptions: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The workflow's name."""
        return str(self.body["name"])

    def declared(self, kind: inputs.Kind) -> list[dict[str, Any]]:
        """Return the declared parameters or data requirements."""
        return list(self.body.get(kind) or [])

    def update(self, fields: Mapping[str, Any], at: datetime) -> None:
        """Replace fields; new steps get ids, known ones keep theirs."""
        self.body.update(copy.deepcopy(dict(fields)))
        self.modified_at = at
        names = [step["name"] for step in self.body.get("steps") or []]
        self.step_ids = {name: self.step_ids.get(name) or str(uuid.uuid4()) for name in names}


class ModelArts:
    """State of the emulated service.

    Args:
        clock: The emulator's clock.
        switches: The open points.
        lock: The lock that guards the emulator's state.

    Attributes:
        services: Deployed services.
        newer_services: Those of the second version of the API, which the first does not show.
        clusters: Dedicated clusters.
        pools: Resource pools.
        notebooks: Notebooks with their tags.
        apps: Apps, and the APIs that they call.
    """

    def __init__(self, clock: Clock, switches: Switches, lock: threading.RLock) -> None:
        self.services = Services(clock, switches, lock)
        self.newer_services = Services(clock, switches, lock)
        self.clusters = Clusters(clock, lock)
        self.pools = Pools(clock, lock)
        self.notebooks = Notebooks(lock)
        self.apps = Apps(clock, self.services, lock)
        self._clock = clock
        self._switches = switches
        self._lock = lock
        self._workflows: dict[str, Workflow] = {}
        self._visibility: Visibility[dict[str, Any]] = Visibility(switches)

    @property
    def workflows(self) -> dict[str, Workflow]:
        """All workflows by id, oldest first; a copy."""
        with self._lock:
            return dict(self._workflows)

    @property
    def executions(self) -> dict[str, Execution]:
        """All executions by id, up to date; a copy."""
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

    def add_workflow(self, definition: WorkflowDefinition) -> Workflow:
        """Put a workflow into the emulator.

        Raises:
            ValueError: Steps depend on unknown steps or on each other.
        """
        return self.create_workflow(
            definition.to_json(),
            workflow_id=definition.workflow_id,
            attempts=definition.attempts(),
            status_script=definition.status_script,
        )

    def create_workflow(
        self,
        body: dict[str, Any],
        *,
        workflow_id: str | None = None,
        attempts: dict[str, tuple[Attempt, ...]] | None = None,
        status_script: tuple[Phase, ...] = (),
    ) -> Workflow:
        """Store a workflow given as the body of a create call.

        Raises:
            ValueError: Steps depend on unknown steps or on each other.
        """
        check_graph(body.get("steps") or [])
        with self._lock:
            now = self._clock.now()
            workflow = Workflow(workflow_id or str(uuid.uuid4()), {}, now, now, dict(attempts or {}), status_script)
            workflow.update(body, now)
            self._workflows[workflow.workflow_id] = workflow
            return workflow

    def start(self, workflow_id: str, body: dict[str, Any] | None = None) -> Execution:
        """Start an execution as a create call would.

        Args:
            workflow_id: The workflow.
            body: Body of the create call.

        Raises:
            KeyError: There is no such workflow.
            InputError: An input does not suit the workflow or has no value.
        """
        fields = dict(body or {})
        with self._lock:
            workflow = self._workflows[workflow_id]
            values = {
                kind: inputs.merge(workflow.declared(kind), fields.pop(kind, None) or [], kind) for kind in inputs.KINDS
            }
            for kind in inputs.KINDS:
                for item in inputs.missing(values[kind], late=False):
                    raise inputs.InputError(f"{kind}: {item['name']} has no value")
            workflow.run_count += 1
            execution = Execution(
                workflow_id=workflow_id,
                workflow_name=workflow.name,
                name=fields.get("name") or f"execution-{workflow.run_count:03d}",
                steps=[(workflow.step_ids[step["name"]], step) for step in workflow.body.get("steps") or []],
                scripts=workflow.attempts,
                values=values,
                fields={"sub_graphs": workflow.body.get("sub_graphs"), **fields},
                clock=self._clock.fork(),
                scaled=self._clock.scaled,
                cache=self._is_cached,
                status_script=workflow.status_script,
                scene_steps=_scene_steps(workflow, fields.get("scene_id")),
            )
            workflow.executions[execution.execution_id] = execution
            return execution

    def delete_workflow(self, workflow_id: str) -> None:
        """Forget a workflow with its executions."""
        with self._lock:
            for execution_id in self._workflows.pop(workflow_id).executions:
                self._visibility.forget(execution_id)

    def delete_execution(self, execution_id: str) -> None:
        """Forget an execution.

        Raises:
            KeyError: There is none.
        """
        with self._lock:
            workflow = self._workflows[self.execution(execution_id).workflow_id]
            del workflow.executions[execution_id]
            self._visibility.forget(execution_id)

    def force_status(self, execution_id: str, status: str | None, steps: Mapping[str, str] | None = None) -> None:
        """Show a status, and put steps by name into statuses, until an action changes them.

        Args:
            execution_id: The execution.
            status: Any literal; ``None`` for the status that follows from the steps.
            steps: Statuses by step name.

        Raises:
            KeyError: There is no such execution or step.
        """
        with self._lock:
            self.execution(execution_id).force(status, dict(steps or {}))

    def peek(self, execution: Execution, *, with_steps: bool = True) -> dict[str, Any]:
        """Return what a reader sees now, without counting a read."""
        kept = self._visibility.kept(execution.execution_id)
        if kept is None:
            return execution_view(execution, execution.advance(), self._switches, with_steps=with_steps)
        view = copy.deepcopy(kept)
        return view if with_steps else {**view, "steps_execution": None}

    def is_stale(self, execution: Execution) -> bool:
        """Whether readers still see the state before an action."""
        return self._visibility.kept(execution.execution_id) is not None

    def shown_status(self, execution: Execution) -> str:
        """Return the status a reader sees now, without counting a read."""
        kept = self._visibility.kept(execution.execution_id)
        if kept is not None:
            return str(kept["status"])
        execution.advance()
        return cased(execution.status, self._switches)

    def read(self, execution: Execution, *, with_steps: bool = True) -> dict[str, Any]:
        """Return what a reader sees, and count the read."""
        execution.clock.read()
        view = self.peek(execution, with_steps=with_steps)
        self._visibility.count_read(execution.execution_id)
        return view

    def keep_showing(self, execution: Execution, view: dict[str, Any]) -> None:
        """Let the next reads show ``view``, the state before an action."""
        self._visibility.keep(execution.execution_id, view)

    def is_listed(self, execution: Execution) -> bool:
        """Whether lists show an execution yet."""
        return self._visibility.is_listed(execution.created_at, execution.clock)

    def _is_cached(self, execution: Execution, fingerprint: str) -> bool:
        workflow = self._workflows[execution.workflow_id]
        for earlier in workflow.executions.values():
            if earlier is execution:
                break
            earlier.advance()
            if fingerprint in earlier.completed_fingerprints:
                return True
        return False


def check_graph(steps: list[dict[str, Any]]) -> None:
    """Check that step names are unique and that dependencies exist and have no circle.

    Raises:
        ValueError: They are not.
    """
    names = [step["name"] for step in steps]
    if len(set(names)) < len(names):
        raise ValueError("step names are not unique")
    waiting = {step["name"]: set(step.get("depend_steps") or []) for step in steps}
    for name, before in waiting.items():
        if unknown := before - set(names):
            raise ValueError(f"step {name} depends on unknown step {sorted(unknown)[0]}")
    while waiting:
        ready = [name for name, before in waiting.items() if not before & set(waiting)]
        if not ready:
            raise ValueError("steps depend on each other in a circle")
        for name in ready:
            del waiting[name]


def _scene_steps(workflow: Workflow, scene_id: str | None) -> frozenset[str] | None:
    if not scene_id:
        return None
    scenes = (workflow.body.get("policy") or {}).get("scenes") or []
    for scene in scenes:
        if scene.get("id") == scene_id:
            return frozenset(scene.get("steps") or [])
    raise inputs.InputError(f"scene {scene_id} is not declared by the workflow")
