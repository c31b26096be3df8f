"""State of the emulated service, for handlers and for tests: what may be started, and what was."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from airflow_provider_mlworkflows.emulator.obs import rules
from airflow_provider_mlworkflows.emulator.obs.catalogue import Catalogue, Graph
from airflow_provider_mlworkflows.emulator.obs.errors import Invalid
from airflow_provider_mlworkflows.emulator.obs.machine import Execution
from airflow_provider_mlworkflows.emulator.obs.names import graph_of_urn, timestamp
from airflow_provider_mlworkflows.emulator.obs.views import execution_view, input_text
from airflow_provider_mlworkflows.emulator.visibility import Visibility

if TYPE_CHECKING:
    import threading
    from collections.abc import Mapping

    from airflow_provider_mlworkflows.emulator.clock import Clock
    from airflow_provider_mlworkflows.emulator.switches import Switches

APICALL, TRIGGERCAL = "APICALL", "TRIGGERCAL"


class Obs(Catalogue):
    """State of the emulated service.

    Every bucket and every object exists until it is taken away.

    Args:
        clock: The emulator's clock.
        switches: The open points.
        lock: The lock that guards the emulator's state.
    """

    def __init__(self, clock: Clock, switches: Switches, lock: threading.RLock) -> None:
        super().__init__(clock, lock)
        self._switches = switches
        self._executions: dict[str, Execution] = {}
        self._visibility: Visibility[dict[str, Any]] = Visibility(switches)
        self._started: list[tuple[str, str]] = []
        self._absent: set[tuple[str, str | None]] = set()

    @property
    def executions(self) -> dict[str, Execution]:
        """All executions by name, oldest first, up to date; a copy."""
        with self._lock:
            for execution in self._executions.values():
                execution.advance()
            return dict(self._executions)

    def execution(self, execution_name: str) -> Execution:
        """Return an execution, up to date.

        Raises:
            KeyError: There is none.
        """
        with self._lock:
            found = self._executions[execution_name]
            found.advance()
            return found

    def executions_of(self, graph_name: str) -> list[Execution]:
        """Return the executions of a workflow, oldest first, up to date."""
        return [execution for execution in self.executions.values() if execution.graph_name == graph_name]

    def starts(self, graph_name: str | None = None, kind: str | None = None) -> int:
        """Return how many executions ever began, of a workflow and of a kind if these are given."""
        with self._lock:
            return sum(graph_name in (None, graph) and kind in (None, each) for graph, each in self._started)

    def delete_workflow(self, name: str) -> None:
        """Forget a workflow with its executions.

        Raises:
            KeyError: There is none.
        """
        with self._lock:
            super().delete_workflow(name)
            for execution in self.executions_of(name):
                self.delete_execution(execution.execution_name)

    def take_away(self, bucket: str, key: str | None = None) -> None:
        """Let a bucket, or one object in it, not exist from now on."""
        with self._lock:
            self._absent.add((bucket, key))

    def has(self, bucket: str, key: str | None = None) -> bool:
        """Whether a bucket, or an object in it, exists."""
        with self._lock:
            return (bucket, None) not in self._absent and (bucket, key) not in self._absent

    def start(
        self, graph_name: str, bucket: str = "emulator-data", key: str = "in/file.csv", inputs: object = None
    ) -> Execution:
        """Start an execution as a call would.

        Raises:
            Invalid: Something given breaks a rule of the service.
            KeyError: There is no such workflow.
        """
        rules.check_place(bucket, key)
        with self._lock:
            graph = self._graphs[graph_name]
            rules.check_values(graph.inputs, inputs)
            given = dict(inputs) if isinstance(inputs, dict) else None
            return self._begin(graph, bucket, key, given, None)

    def trigger(
        self, graph_name: str, bucket: str = "emulator-data", key: str = "in/file.csv", event: str = "ObjectCreated:Put"
    ) -> Execution:
        """Start an execution as an event upon an object would, whatever the trigger policies say.

        Raises:
            Invalid: There is no such event, or the names are none.
            KeyError: There is no such workflow.
        """
        self._check_event(bucket, key, event)
        with self._lock:
            return self._begin(self._graphs[graph_name], bucket, key, None, event)

    def raise_event(self, bucket: str, key: str, event: str = "ObjectCreated:Put") -> list[Execution]:
        """Let something happen to an object; return the executions that the bucket's trigger policy starts.

        Raises:
            Invalid: There is no such event, or the names are none.
        """
        self._check_event(bucket, key, event)
        with self._lock:
            caught = [rule for rule in self._policies.get(bucket, []) if rules.is_caught(rule, key, event)]
            wanted = [graph_of_urn(rule["graph_urn"]) or "" for rule in caught]
            # A policy outlives the workflows that it names.
            return [self.trigger(name, bucket, key, event) for name in wanted if name in self._graphs]

    def delete_execution(self, execution_name: str) -> None:
        """Let an execution vanish.

        Raises:
            KeyError: There is none.
        """
        with self._lock:
            del self._executions[execution_name]
            self._visibility.forget(execution_name)

    def force_state(self, execution_name: str, state: str | None, states: Mapping[str, str] | None = None) -> None:
        """Show a literal, and put states by name into statuses, until an action changes them.

        Args:
            execution_name: The execution.
            state: Any literal; ``None`` for what follows from the states.
            states: Statuses by state name.

        Raises:
            KeyError: There is no such execution or state.
        """
        with self._lock:
            self.execution(execution_name).force(state, dict(states or {}))

    def finish_state(self, execution_name: str, status: str = "SUCCESS", state_name: str | None = None) -> str:
        """End a state now, by default the one that runs; return its name.

        Raises:
            IllegalAction: The state does not run.
            KeyError: There is no such execution or state.
        """
        with self._lock:
            return self.execution(execution_name).finish(status, state_name)

    def peek(self, execution: Execution) -> dict[str, Any]:
        """Return what a reader sees now, without counting a read."""
        kept = self._visibility.kept(execution.execution_name)
        if kept is not None:
            return copy.deepcopy(kept)
        execution.advance()
        return execution_view(execution, self._switches)

    def read(self, execution: Execution) -> dict[str, Any]:
        """Return what a reader sees, and count the read."""
        execution.clock.read()
        view = self.peek(execution)
        self._visibility.count_read(execution.execution_name)
        return view

    def keep_showing(self, execution: Execution, view: dict[str, Any]) -> None:
        """Let the next reads show ``view``, the state before an action."""
        self._visibility.keep(execution.execution_name, view)

    def is_listed(self, execution: Execution) -> bool:
        """Whether lists show an execution yet."""
        return self._visibility.is_listed(execution.started_at, execution.clock)

    def _begin(
        self, graph: Graph, bucket: str, key: str, inputs: Mapping[str, Any] | None, event: str | None
    ) -> Execution:
        kind = APICALL if event is None else TRIGGERCAL
        at = timestamp(self._clock.now())
        execution = Execution(
            graph_name=graph.name,
            kind=kind,
            input_text=input_text(bucket, key, inputs, event, at, as_event=self._switches.obs_input == "event"),
            states=graph.states,
            scripts=graph.attempts,
            clock=self._clock.fork(),
            scaled=self._clock.scaled,
            status_script=graph.status_script,
        )
        self._executions[execution.execution_name] = execution
        self._started.append((graph.name, kind))
        return execution

    def _check_event(self, bucket: str, key: str, event: str) -> None:
        rules.check_place(bucket, key)
        if not rules.is_event(event, concrete=True):
            raise Invalid("OEFTrigger.1008", f"there is no event {event}")
