"""The life of one execution, computed from its own clock and the actions upon it.

Changes carry the time at which the script puts them, whenever somebody looks. Transitions that no document
describes: an execution waits a second in ``init``; a step whose every predecessor was skipped by a branch is
skipped too; independent branches go on beside a failed step; a single stopped step ends the execution as
``stopped``.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_mlworkflows.emulator.modelarts import inputs
from airflow_provider_mlworkflows.emulator.modelarts.steprun import (
    AT_REST,
    BROKEN,
    DONE,
    PAUSED,
    RETRIABLE,
    StepRun,
)
from airflow_provider_mlworkflows.emulator.scripted import Phase, Track

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.emulator.clock import RunClock
    from airflow_provider_mlworkflows.emulator.modelarts.definitions import Attempt

FINISHED_EXECUTION = frozenset({"completed", "stopped", "abnormal"})
START_SECONDS = 1.0

Scale = Callable[[float], timedelta]


class IllegalAction(Exception):
    """An action that the present state forbids."""


class Execution:
    """One execution of a workflow.

    Args:
        workflow_id, workflow_name: The workflow.
        name: Execution name.
        steps: Step objects of the workflow, with their ids.
        scripts: Scripted attempts by step name.
        values: Parameters and data requirements, values filled in.
        fields: Other fields of the start request.
        clock: The execution's own clock.
        scaled: Turns scripted seconds into a duration.
        cache: Returns whether earlier executions completed a step with the same fingerprint.
        status_script: Statuses to show instead of the computed one.
        scene_steps: Names of the steps in the chosen scene; ``None`` for all.
    """

    def __init__(
        self,
        *,
        workflow_id: str,
        workflow_name: str,
        name: str,
        steps: Iterable[tuple[str, dict[str, Any]]],
        scripts: dict[str, tuple[Attempt, ...]],
        values: dict[inputs.Kind, list[dict[str, Any]]],
        fields: dict[str, Any],
        clock: RunClock,
        scaled: Scale,
        cache: Callable[[Execution, str], bool],
        status_script: Sequence[Phase] = (),
        scene_steps: frozenset[str] | None = None,
    ) -> None:
        self.execution_id = str(uuid.uuid4())
        self.workflow_id = workflow_id
        self.workflow_name = workflow_name
        self.name = name
        self.values = values
        self.fields = fields
        self.clock = clock
        self.scaled = scaled
        self.created_at = clock.now()
        self.updated_at = self.created_at
        self.ended_at: datetime | None = None
        self.events: list[tuple[datetime, str, str, str]] = []
        self.completed_fingerprints: set[str] = set()
        self.steps = [StepRun(self, body, key, scripts.get(body["name"], ())) for key, body in steps]
        self._by_name = {step.name: step for step in self.steps}
        self._starts_at: datetime | None = self.created_at + scaled(START_SECONDS if self.steps else 0)
        self._stopping = False
        self._cache = cache
        self._scene_steps = scene_steps
        self.forced_status: str | None = None
        self._shown = Track("init", self.created_at, scaled, lambda *_: None) if status_script else None
        if self._shown is not None:
            self._shown.play(status_script, self.created_at)
        self.advance()

    @property
    def use_cache(self) -> bool:
        """Whether the start asked for cached results."""
        return bool((self.fields.get("policies") or {}).get("use_cache"))

    @property
    def status(self) -> str:
        """Present status; forced or scripted, else what follows from the steps."""
        if self.forced_status is not None:
            return self.forced_status
        return self._shown.status if self._shown is not None else self._computed_status()

    @property
    def is_finished(self) -> bool:
        """Whether the execution is over, as far as its status says."""
        return self.status in FINISHED_EXECUTION

    def step(self, key: str) -> StepRun | None:
        """Return a step by its ``uuid``."""
        return next((step for step in self.steps if step.uuid == key), None)

    def step_named(self, name: str) -> StepRun:
        """Return a step by its name.

        Raises:
            KeyError: There is no such step.
        """
        return self._by_name[name]

    def advance(self) -> datetime:
        """Make every change that is due by the execution's own clock; return that clock's time."""
        now = self.clock.now()
        while (due := self._next_due()) is not None and due <= now:
            self._move(due)
        return now

    def force(self, status: str | None, steps: dict[str, str]) -> None:
        """Show a status and put steps into statuses, whatever the scripts say.

        Raises:
            KeyError: There is no step of that name.
        """
        now = self.advance()
        for name, step_status in steps.items():
            self.step_named(name).track.jump(step_status, now)
        self.forced_status = status
        self.updated_at = now
        self._settle(now)

    def stop(self, seconds: float) -> None:
        """Stop all active steps.

        Raises:
            IllegalAction: The execution is finished or stops already.
        """
        now = self.advance()
        if self.is_finished or self._stopping:
            raise IllegalAction(f"execution is {self.status if self.is_finished else 'stopping'}")
        self._begin_action(now)
        self._stopping = True
        self._starts_at = None
        for step in self.steps:
            if step.status not in AT_REST | {"stopping"}:
                step.stop(now, seconds)
        if self._shown is not None:
            self._shown.jump("stopped", now)
        self._settle(now)

    def rerun(self, names: Sequence[str]) -> None:
        """Run the named steps and all that follow them again; no names for all steps.

        Raises:
            IllegalAction: The execution is not finished.
        """
        now = self.advance()
        if not self.is_finished:
            raise IllegalAction(f"execution is {self.status}")
        chosen = set(names) or set(self._by_name)
        for step in self._in_order():
            if chosen & set(step.depend_steps):
                chosen.add(step.name)
        self._begin_action(now)
        for step in self.steps:
            if step.name in chosen:
                step.reset(now)
        self._starts_at = now
        self._shown = None
        self.advance()

    def retry_step(self, step: StepRun) -> None:
        """Start a broken or stopped step again.

        Raises:
            IllegalAction: The step is neither.
        """
        now = self.advance()
        if step.status not in RETRIABLE:
            raise IllegalAction(f"step {step.name} is {step.status}")
        self._begin_action(now)
        self._shown = None
        step.begin(now)
        self._settle(now)

    def stop_step(self, step: StepRun, seconds: float) -> None:
        """Stop an active step.

        Raises:
            IllegalAction: The step is at rest or stops already.
        """
        now = self.advance()
        if step.status in AT_REST | {"stopping"}:
            raise IllegalAction(f"step {step.name} is {step.status}")
        self._begin_action(now)
        step.stop(now, seconds)

    def continue_step(self, step: StepRun) -> None:
        """Let a paused step go on.

        Raises:
            IllegalAction: The step is not paused.
            InputError: The step still lacks an input.
        """
        now = self.advance()
        if step.status not in PAUSED:
            raise IllegalAction(f"step {step.name} is {step.status}")
        lacking = self.lacking(step)
        if step.status == "wait_inputs" and lacking:
            raise inputs.InputError(f"step {step.name} still lacks {', '.join(lacking)}")
        self._begin_action(now)
        if step.status == "wait_inputs":
            step.begin(now)
        elif step.track.has_more:
            step.track.proceed(now)
        else:
            step.track.play([Phase("running", 1), Phase("completed")], now)
        self._settle(now)

    def lacking(self, step: StepRun) -> list[str]:
        """Return the names of late inputs that a step uses and that have no value yet."""
        return [
            item["name"]
            for kind in inputs.KINDS
            for item in inputs.missing(self.values[kind], late=True)
            if inputs.used_by(item, kind, step.definition)
        ]

    def step_changed(self, step: StepRun, at: datetime, before: str, after: str) -> None:
        """Note the change of a step and what it means for the others."""
        self.events.append((at, step.name, before, after))
        self.updated_at = at
        if after != "completed":
            return
        self.completed_fingerprints.add(self.fingerprint(step))
        if step.type == "condition":
            step.result = inputs.decide(step.definition.get("conditions") or [], self.values)
            not_taken = "else_then_steps" if step.result else "if_then_steps"
            for name in step.definition.get(not_taken) or []:
                other = self._by_name.get(name)
                if other is not None and other.status == "init":
                    other.skipped_by_branch = True
                    other.track.jump("skipped", at)

    def fingerprint(self, step: StepRun) -> str:
        """Return a digest of a step, its inputs and all that came before it."""
        used = {
            kind: {
                item["name"]: inputs.value_of(item)
                for item in self.values[kind]
                if inputs.used_by(item, kind, step.definition)
            }
            for kind in inputs.KINDS
        }
        before = [self.fingerprint(self._by_name[name]) for name in step.depend_steps]
        text = json.dumps([step.definition, used, before], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def _begin_action(self, now: datetime) -> None:
        self.forced_status = None
        self.ended_at = None
        self._stopping = False
        self.updated_at = now

    def _next_due(self) -> datetime | None:
        times = [step.due for step in self.steps]
        times += [self._starts_at, self._shown.due if self._shown is not None else None]
        return min((time for time in times if time is not None), default=None)

    def _move(self, at: datetime) -> None:
        if self._starts_at is not None and self._starts_at <= at:
            self._starts_at = None
        if self._shown is not None and self._shown.due is not None and self._shown.due <= at:
            self._shown.proceed(at)
            self.updated_at = at
        for step in self.steps:
            if step.due is not None and step.due <= at:
                step.move(at)
        self._settle(at)

    def _settle(self, at: datetime) -> None:
        """Start every step that is ready, and note the end once nothing is left to do."""
        if self._starts_at is None and not self._stopping:
            while any([self._try_start(step, at) for step in self.steps]):
                continue
        if self._starts_at is None and self._computed_status() in FINISHED_EXECUTION:
            self.ended_at = self.ended_at or at

    def _try_start(self, step: StepRun, at: datetime) -> bool:
        before = [self._by_name[name] for name in step.depend_steps]
        if step.status != "init" or any(other.status not in DONE for other in before):
            return False
        if self._scene_steps is not None and step.name not in self._scene_steps:
            step.track.jump("skipped", at)
        elif before and all(other.skipped_by_branch for other in before):
            step.skipped_by_branch = True
            step.track.jump("skipped", at)
        elif self.lacking(step):
            step.track.jump("wait_inputs", at)
        elif self.use_cache and self._cache(self, self.fingerprint(step)):
            step.cached = True
            step.track.jump("completed", at)
        else:
            step.begin(at)
        return True

    def _computed_status(self) -> str:
        statuses = {step.status for step in self.steps}
        if self._starts_at is not None:
            return "init" if statuses <= {"init"} else "running"
        if statuses - AT_REST:
            return "running"
        if self._stopping:
            return "stopped"
        if statuses & BROKEN:
            return "abnormal"
        if "stopped" in statuses:
            return "stopped"
        return "running" if "init" in statuses else "completed"

    def _in_order(self) -> list[StepRun]:
        """Return the steps, each after all it depends on."""
        ordered: list[StepRun] = []
        waiting = list(self.steps)
        while waiting:
            names = {step.name for step in ordered}
            ready = [step for step in waiting if set(step.depend_steps) <= names]
            ordered += ready
            waiting = [step for step in waiting if step not in ready]
        return ordered
