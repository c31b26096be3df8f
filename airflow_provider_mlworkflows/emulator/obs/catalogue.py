"""Workflows, templates and trigger policies of the emulated service."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_mlworkflows.emulator.obs import rules
from airflow_provider_mlworkflows.emulator.obs.errors import Invalid

if TYPE_CHECKING:
    import threading
    from collections.abc import Mapping
    from datetime import datetime

    from airflow_provider_mlworkflows.emulator.clock import Clock
    from airflow_provider_mlworkflows.emulator.obs.definitions import GraphDefinition, StateAttempt
    from airflow_provider_mlworkflows.emulator.scripted import Phase


@dataclass(slots=True)
class Template:
    """A stored template: its name, the body of the create call, and when that came."""

    name: str
    body: dict[str, Any]
    created_at: datetime


@dataclass(slots=True)
class Graph:
    """A stored workflow.

    Attributes:
        name: Its name, which is its id as well.
        agency: The agency it acts with.
        description: What the caller wrote.
        states: State objects, as given.
        inputs: Parameter objects, as given; values that belong to this workflow are in ``parameter_value``.
        created_at: When it was created.
        modified_at: When it was changed last.
        attempts: Scripted attempts by state name.
        status_script: Scripted literals of its executions.
    """

    name: str
    agency: str
    description: str
    states: list[dict[str, Any]]
    inputs: list[dict[str, Any]]
    created_at: datetime
    modified_at: datetime
    attempts: dict[str, tuple[StateAttempt, ...]] = field(default_factory=dict)
    status_script: tuple[Phase, ...] = ()

    def set_values(self, given: Mapping[str, Any]) -> None:
        """Keep values for parameters, by name."""
        for each in self.inputs:
            if each["parameter_name"] in given:
                each["parameter_value"] = copy.deepcopy(given[each["parameter_name"]])


class Catalogue:
    """What may be started, and by which events.

    Args:
        clock: The emulator's clock.
        lock: The lock that guards the emulator's state.

    Attributes:
        authorized_at: Since when the service may use the account's functions; noted, but nothing depends on it.
    """

    def __init__(self, clock: Clock, lock: threading.RLock) -> None:
        self._clock = clock
        self._lock = lock
        self.authorized_at: datetime | None = None
        self._graphs: dict[str, Graph] = {}
        self._templates: dict[str, Template] = {}
        self._policies: dict[str, list[dict[str, Any]]] = {}

    @property
    def workflows(self) -> dict[str, Graph]:
        """All workflows by name, oldest first; a copy."""
        with self._lock:
            return dict(self._graphs)

    @property
    def templates(self) -> dict[str, Template]:
        """All templates by name, oldest first; a copy."""
        with self._lock:
            return dict(self._templates)

    @property
    def policies(self) -> dict[str, list[dict[str, Any]]]:
        """The rules of all trigger policies by bucket; a copy."""
        with self._lock:
            return copy.deepcopy(self._policies)

    def add_workflow(self, definition: GraphDefinition) -> Graph:
        """Put a workflow into the emulator.

        Raises:
            Invalid: It breaks a rule of the service, or there is one of this name already.
        """
        return self.create_workflow(
            definition.name,
            definition.to_json(),
            attempts=definition.attempts(),
            status_script=definition.status_script,
        )

    def create_workflow(
        self,
        name: str,
        body: Mapping[str, Any],
        *,
        attempts: Mapping[str, tuple[StateAttempt, ...]] | None = None,
        status_script: tuple[Phase, ...] = (),
    ) -> Graph:
        """Store a workflow given as the body of a create call.

        Raises:
            Invalid: It breaks a rule of the service, or there is one of this name already.
        """
        rules.check_name(name)
        rules.check_agency(body.get("agency"))
        rules.check_definition(body)
        with self._lock:
            self._check_new(name, self._graphs)
            now = self._clock.now()
            kept = copy.deepcopy(dict(body))
            graph = Graph(
                name=name,
                agency=kept["agency"],
                description=kept.get("description") or "",
                states=kept["states"],
                inputs=kept.get("inputs") or [],
                created_at=now,
                modified_at=now,
                attempts=dict(attempts or {}),
                status_script=status_script,
            )
            self._graphs[name] = graph
            return graph

    def create_from_template(self, name: str, template_name: str, body: Mapping[str, Any]) -> Graph:
        """Store a workflow made from a template; the body has agency, description and parameters.

        Raises:
            Invalid: It breaks a rule of the service, or there is one of this name already.
            KeyError: There is no such template.
        """
        with self._lock:
            template = self._templates[template_name].body
            values = rules.check_values(template.get("inputs") or [], body.get("parameters"))
            made = {**template, "agency": body.get("agency")}
            if body.get("description") is not None:
                made["description"] = body["description"]
            graph = self.create_workflow(name, made)
            graph.set_values(values)
            return graph

    def update_workflow(self, name: str, body: Mapping[str, Any]) -> Graph:
        """Change a workflow's description and the values of its parameters.

        Raises:
            Invalid: They break a rule of the service.
            KeyError: There is no such workflow.
        """
        with self._lock:
            graph = self._graphs[name]
            rules.check_description(body.get("description"))
            graph.set_values(rules.check_values(graph.inputs, body.get("parameters")))
            if body.get("description") is not None:
                graph.description = body["description"]
            graph.modified_at = self._clock.now()
            return graph

    def delete_workflow(self, name: str) -> None:
        """Forget a workflow.

        Raises:
            KeyError: There is none.
        """
        with self._lock:
            del self._graphs[name]

    def create_template(self, name: str, body: Mapping[str, Any]) -> Template:
        """Store a template given as the body of a create call.

        Raises:
            Invalid: It breaks a rule of the service, or there is one of this name already.
        """
        rules.check_name(name, "template")
        rules.check_definition(body)
        with self._lock:
            self._check_new(name, self._templates)
            self._templates[name] = Template(name, copy.deepcopy(dict(body)), self._clock.now())
            return self._templates[name]

    def delete_template(self, name: str) -> None:
        """Forget a template.

        Raises:
            KeyError: There is none.
        """
        with self._lock:
            del self._templates[name]

    def set_policy(self, bucket: str, given: object) -> None:
        """Replace the trigger policy of a bucket by rules.

        Raises:
            Invalid: They break a rule of the service.
        """
        with self._lock:
            self._policies[bucket] = copy.deepcopy(rules.check_rules(given, self._graphs))

    def delete_policy(self, bucket: str) -> None:
        """Forget the trigger policy of a bucket, if it has one."""
        with self._lock:
            self._policies.pop(bucket, None)

    def authorize(self) -> None:
        """Let the service use the account's functions."""
        with self._lock:
            self.authorized_at = self.authorized_at or self._clock.now()

    def _check_new(self, name: str, known: Mapping[str, object]) -> None:
        if name in known:
            raise Invalid(rules.NAME, f"the name {name} is taken")
