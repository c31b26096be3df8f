"""One task in one mode: run it to its end, let things happen meanwhile, and note what is to be seen from outside."""

from __future__ import annotations

import asyncio
import random
import re
import signal
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Literal, Protocol

from airflow_provider_mlworkflows.emulator import Switches
from airflow_provider_mlworkflows.watching import MEMORY_KEY
from tests.harness.task_runner import FakeAirflow
from tests.scenarios.service import CallKind, Counts

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator

    from airflow_provider_mlworkflows.emulator import Emulator
    from airflow_provider_mlworkflows.operators.base import RunOperator
    from airflow_provider_mlworkflows.operators.starting import StartOperator
    from airflow_provider_mlworkflows.sensors.base import RunSensor
    from tests.harness.results import TaskResult
    from tests.harness.task_instance import MarkedState
    from tests.harness.triggerer import RunningTrigger
    from tests.scenarios.clock import ScriptedClock
    from tests.scenarios.plan import PlannedStep
    from tests.scenarios.service import ServiceUnderTest

Mode = Literal["sync", "deferrable", "poke", "reschedule"]
OPERATOR_MODES: tuple[Mode, ...] = ("sync", "deferrable")
SENSOR_MODES: tuple[Mode, ...] = ("poke", "reschedule", "deferrable")

MOST_LEGS = 100
_DEFAULTS = {each.name: each.default for each in fields(Switches)}

_STEP_END = re.compile(r"^Step (\S+): (\S+) after \d+ s.*$", re.MULTILINE)
_ID = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|\b[0-9a-f]{32}\b"
    r"|\b(flow|node|pipeline|artifact|scenario_\d+)-[0-9a-z]+"
)
_MARKER = re.compile(r"airflow-[0-9a-f]{16}")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)?")
_REQUEST = re.compile(r"request id [\w-]+")
_BROKEN_READ = re.compile(r"\(ReadError[^)]*\)")
"""The blocking and the asynchronous client tell the same reset in different words."""
_INTERNAL_XCOMS = frozenset({MEMORY_KEY})


@dataclass(frozen=True)
class Observation:
    """What a user sees of a task, without ids and times."""

    state: str | None
    error: str
    xcoms: dict[str, Any]
    step_ends: tuple[str, ...]
    counts: Counts

    def differences(self, other: Observation) -> Iterator[tuple[str, Any, Any]]:
        """What is seen differently: its name, here, there."""
        for part in ("state", "error", "step_ends", "counts"):
            if getattr(self, part) != getattr(other, part):
                yield part, getattr(self, part), getattr(other, part)
        for key in sorted({*self.xcoms, *other.xcoms}):
            if self.xcoms.get(key) != other.xcoms.get(key):
                yield f"xcoms {key}", self.xcoms.get(key), other.xcoms.get(key)


@dataclass
class Stage:
    """A task, its Airflow and the service, in one time.

    Attributes:
        service: The service.
        mode: How the task waits.
        clock: The one time.
        airflow: The Airflow around the task.
        logs: Log of each attempt, triggers included.
        results: Outcome of each leg on a worker.
        deferrals: How often the task went to the triggerer.
    """

    service: ServiceUnderTest
    mode: Mode
    clock: ScriptedClock
    airflow: FakeAirflow = field(init=False)
    workflow: str = ""
    logs: list[str] = field(default_factory=list)
    results: list[TaskResult] = field(default_factory=list)
    deferrals: int = 0
    _workflows: list[str] = field(default_factory=list)
    _trigger_runs: bool = False
    _interruption: Callable[[RunningTrigger], Awaitable[None]] | None = None

    def __post_init__(self) -> None:
        self.airflow = FakeAirflow(self.service.connections(), clock=self.emulator.clock.now)

    @property
    def emulator(self) -> Emulator:
        return self.service.emulator

    def plan(self, *steps: PlannedStep) -> str:
        """Put a workflow into the emulator; later calls of this class mean the newest one."""
        self.workflow = self.service.add_workflow(steps)
        self._workflows.append(self.workflow)
        return self.workflow

    def starter(self, **arguments: Any) -> StartOperator:
        """The operator that starts the workflow, in this mode."""
        arguments = {"task_id": "start", "deferrable": self.mode == "deferrable", **arguments}
        return self.service.start_operator(arguments.pop("workflow_id", self.workflow), **arguments)

    def actor(self, run_id: str, action: str, **arguments: Any) -> RunOperator:
        """The operator that stops a run or runs it again, in this mode."""
        arguments = {"task_id": "act", "deferrable": self.mode == "deferrable", **arguments}
        return self.service.act_operator(self.workflow, run_id, action, **arguments)

    def step_actor(self, run_id: str, step: str, action: str, **arguments: Any) -> RunOperator:
        """The operator that acts on a step, in this mode."""
        arguments = {"task_id": "act", "deferrable": self.mode == "deferrable", **arguments}
        return self.service.step_operator(self.workflow, run_id, step, action, **arguments)

    def sensor(self, run_id: str, step: str = "", **arguments: Any) -> RunSensor:
        """The sensor for a run or for a step of it, in this mode."""
        arguments = {"task_id": "wait", "poke_interval": 30.0, **self._sensor_mode(), **arguments}
        if step:
            return self.service.step_sensor(self.workflow, run_id, step, **arguments)
        return self.service.run_sensor(self.workflow, run_id, **arguments)

    def _sensor_mode(self) -> dict[str, Any]:
        return {
            "deferrable": self.mode == "deferrable",
            "mode": "reschedule" if self.mode == "reschedule" else "poke",
        }

    @property
    def runs(self) -> list[str]:
        """Ids of the workflow's runs, oldest first."""
        return self.service.runs(self.workflow)

    @property
    def run_id(self) -> str:
        """The workflow's newest run."""
        return self.runs[-1]

    @property
    def counts(self) -> Counts:
        """What the service was asked to do, all workflows of this stage together."""
        each = [self.service.counts(workflow) for workflow in self._workflows]
        return Counts(**{name: sum(getattr(one, name) for one in each) for name in Counts.__slots__})

    def order_of(self, *calls: CallKind) -> list[CallKind]:
        """The calls of these kinds that took effect on the workflow's runs, in their order."""
        return self.service.order_of(self.workflow, calls)

    @property
    def result(self) -> TaskResult:
        """Outcome of the last leg on a worker."""
        return self.results[-1]

    @property
    def log(self) -> str:
        """Everything logged so far."""
        return "\n".join(self.logs)

    def at(self, seconds: float, happening: Callable[[], None]) -> None:
        """Let something happen so many seconds from now, while a task waits."""
        self.clock.at(seconds, happening)

    def outage(self, begin: float, end: float, **rule: Any) -> None:
        """Let all reads of runs go wrong for a while."""

        def begins() -> None:
            fault = self.service.fault("read", times=None, **rule)
            self.clock.at(end - begin, lambda: self.emulator.faults.remove(fault))

        self.clock.at(begin, begins) if begin > 0 else begins()

    def attempt(self, operator: BaseOperator, **options: Any) -> TaskResult:
        """Run one attempt of the task, through triggers and reschedules, until it needs a retry or has ended."""
        self.logs.append("")
        return self._to_end(operator, self._leg(operator, **options))

    def _to_end(self, operator: BaseOperator, result: TaskResult) -> TaskResult:
        for _ in range(MOST_LEGS):
            if self.airflow.state == "deferred":
                self.deferrals += 1
                asyncio.run(self._live())
                self.clock.is_busy = lambda: False
                if self.airflow.state != "scheduled":
                    return result
            elif self.airflow.state == "up_for_reschedule":
                assert result.reschedule_date is not None
                self.clock.advance((result.reschedule_date - self.emulator.clock.now()).total_seconds())
            else:
                return result
            result = self._leg(operator)
        raise AssertionError(f"the task has not ended after {MOST_LEGS} legs")

    def go_on(self, operator: BaseOperator) -> TaskResult:
        """Go on with an attempt whose first leg has deferred."""
        return self._to_end(operator, self.result)

    def go_on_after_failure(self, operator: BaseOperator) -> TaskResult:
        """Go on with an attempt whose trigger has failed."""
        return self._to_end(operator, self._leg(operator))

    def defer(self, operator: BaseOperator) -> None:
        """Run the first leg of an attempt, which has to end in a deferral."""
        self.logs.append("")
        assert self._leg(operator).state == "deferred", self.logs[-1]

    def _leg(self, operator: BaseOperator, **options: Any) -> TaskResult:
        result = self.airflow.run(operator, **options)
        self.results.append(result)
        self.logs[-1] += result.log + "\n"
        return result

    async def _live(self) -> None:
        """Run the deferred trigger to its event, or to what interrupts it; then start it again if it is still there."""
        while self.airflow.state == "deferred":
            async with self.airflow.start_trigger() as running:
                await self._watch(running)
                self.logs[-1] += running.log.masked() + "\n"

    async def _watch(self, running: RunningTrigger) -> None:
        self.clock.is_busy = lambda: _is_busy(running)
        self._trigger_runs = True
        outcome = asyncio.ensure_future(running.result())
        try:
            while not outcome.done() and self._interruption is None:
                await asyncio.wait({outcome}, timeout=0.001)
            if self._interruption is not None:
                outcome.cancel()
                interruption, self._interruption = self._interruption, None
                await interruption(running)
                return
        finally:
            self._trigger_runs = False
            self.clock.held = False
        event = outcome.result()
        if event.failure is not None:
            self.airflow.fail_trigger(event.failure)
        else:
            self.airflow.ti.submit_event(event.payload)

    def _interrupt(self, interruption: Callable[[RunningTrigger], Awaitable[None]]) -> None:
        self.clock.held = True
        self._interruption = interruption

    def mark(self, state: MarkedState) -> None:
        """Set the task's state as a person does, wherever the task waits."""
        if not self._trigger_runs:
            self.airflow.mark(state)
            return

        async def kill(running: RunningTrigger) -> None:
            self.airflow.mark(state)
            await self.revoke(running)

        self._interrupt(kill)

    def shut_down(self) -> None:
        """Shut the worker or the triggerer down, as a redeploy does."""
        if not self._trigger_runs:
            self.airflow.terminate()
            return

        async def leave(running: RunningTrigger) -> None:
            await running.shut_down()

        self._interrupt(leave)

    def clear(self) -> None:
        """Clear the task as a person does, wherever the task waits."""
        if not self._trigger_runs:
            self.airflow.clear()
            return

        async def kill(running: RunningTrigger) -> None:
            self.airflow.clear()
            await self.revoke(running)

        self._interrupt(kill)

    def move_trigger(self) -> None:
        """Give the trigger to another triggerer, which the first one hears of as of a kill."""
        self._interrupt(self.revoke)

    def use_up_execution_timeout(self) -> None:
        """Let the alarm go off that Airflow sets for a task with an ``execution_timeout``."""
        signal.raise_signal(signal.SIGALRM)

    async def revoke(self, running: RunningTrigger) -> None:
        """Take a trigger's row away, cancel it again a few times, and wait for its end.

        The trigger's task ends at the second cancellation; what it does about the kill goes on beside it.
        """
        await running.revoke()
        self.clock.held, self.clock.is_busy = False, lambda: False
        await running.tick(2)
        await running.wait_until_done()
        killing = {task for task in asyncio.all_tasks() if "on_kill" in getattr(task.get_coro(), "__qualname__", "")}
        if killing:
            await asyncio.wait(killing)

    def forget_workflows(self) -> None:
        """Take this stage's workflows out of the emulator."""
        for workflow in self._workflows:
            self.service.forget_workflow(workflow)

    def _essence(self, message: str) -> str:
        """An error's words without what says nothing about the task."""
        incidental = self.service.incidental
        return str(neutral(message if incidental is None else incidental.sub("<...>", message)))

    def observed(self) -> Observation:
        """What is to be seen of the task by now."""
        for number, log in enumerate(self.logs):
            ends = [match[0] for match in _STEP_END.finditer(log)]
            assert len(ends) == len(set(ends)), f"attempt {number + 1} logs a step's end more than once: {ends}"
        error = self.result.error
        xcoms = {key: value for key, value in self.airflow.xcoms.items() if key not in _INTERNAL_XCOMS}
        return Observation(
            state=self.airflow.state,
            error="" if error is None else f"{type(error).__name__}: {self._essence(str(error))}",
            xcoms={key: neutral(_without_durations(value)) for key, value in sorted(xcoms.items())},
            step_ends=tuple(sorted(f"{name}: {status}" for name, status in _STEP_END.findall(self.log))),
            counts=self.counts,
        )


class SetStage(Protocol):
    """Gives a stage in a mode, with a profile of the emulation."""

    def __call__(self, mode: Mode = "sync", profile: str = "usual", service: type[ServiceUnderTest] = ...) -> Stage: ...


def reset(emulator: Emulator, clock: ScriptedClock, switches: Mapping[str, Any]) -> None:
    random.seed(1)
    clock.clear()
    emulator.faults.clear()
    emulator.limits.clear()
    emulator.journal.clear()
    for name, value in {**_DEFAULTS, **switches}.items():
        if getattr(emulator.switches, name) != value:
            setattr(emulator.switches, name, value)


def _is_busy(running: RunningTrigger) -> bool:
    """Whether a trigger does something that takes no emulated time, or has done all it had to do."""
    asked = running._runner.comms_decoder._pending
    return bool(asked or running._runner.events or running._supervisor.events or running.is_done)


def neutral(value: Any) -> Any:
    """A value without what differs from run to run: ids and times."""
    if isinstance(value, str):
        for pattern in (_ID, _MARKER, _MOMENT, _REQUEST, _BROKEN_READ):
            value = pattern.sub("<...>", value)
        return value
    if isinstance(value, dict):
        return {key: neutral(each) for key, each in value.items()}
    if isinstance(value, Sequence):
        return [neutral(each) for each in value]
    return value


def _without_durations(value: Any) -> Any:
    """Steps without their durations, which depend on when somebody stopped or continued them."""
    if not isinstance(value, list):
        return value
    return [{**each, "duration": None} if isinstance(each, dict) and "duration" in each else each for each in value]
