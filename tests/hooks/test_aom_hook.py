"""The hook of AOM automation against the emulator over real sockets, in its blocking and its async form."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Generator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from airflow_provider_mlworkflows.clouds.http import close_clients
from airflow_provider_mlworkflows.clouds.huawei.aom_models import Page, Workflow
from airflow_provider_mlworkflows.clouds.huawei.aom_states import APPROVAL
from airflow_provider_mlworkflows.emulator import FaultRule
from airflow_provider_mlworkflows.emulator.aom import (
    NodeDefinition,
    TemplateDefinition,
    WorkflowDefinition,
    fails,
    never_ends,
    pauses,
    succeeds,
)
from airflow_provider_mlworkflows.emulator.aom.ready import (
    APPROVAL_NODE,
    ASKS_MIDWAY,
    FAILING_NODE,
    FAILS_ONCE,
    JOB,
    LONG_RUN,
    PAUSE_NODE,
    PAUSES,
    PLAIN_CHAIN,
    PUBLIC_TEMPLATE,
    TEMPLATE,
    WAITS_FOR_APPROVAL,
)
from airflow_provider_mlworkflows.emulator.environment import HUAWEI_CONNECTION
from airflow_provider_mlworkflows.exceptions import (
    AuthenticationError,
    BadRequestError,
    InvalidInputError,
    MLWorkflowsError,
    NotFoundError,
    PermissionDeniedError,
    ServerError,
    ThrottledError,
    TransportError,
    UnexpectedReplyError,
)
from airflow_provider_mlworkflows.hooks.aom import AomWorkflowHook
from airflow_provider_mlworkflows.hooks.aom_batches import WEIGHT
from airflow_provider_mlworkflows.runs import Run, RunRef, RunState
from airflow_provider_mlworkflows.services.aom import AOM
from tests.clouds.aom_support import BEGUN, EXECUTION, WORKFLOW, execution, workflow
from tests.support import Bench, assert_no_secret

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_provider_mlworkflows.clouds.operation import BoundOperation

START, READ, LIST, NAMES = "ExecuteWorkflow", "SearchWorkflowExecutionDetail", "ListWorkflowExecutions", "ListWorkflow"
ACT, STOP = "StartPausingWorkflowExecutions", "StopExecution"
NOBODY = "f" * 32


class Ask(Protocol):
    """Calls an operation in one of its two forms."""

    def __call__(self, operation: BoundOperation[Any, Any], *args: Any, **kwargs: Any) -> Any: ...


def in_a_loop(work: Callable[[], Awaitable[Any]]) -> Any:
    """Run something in an event loop of its own and close what it opened."""

    async def live() -> Any:
        try:
            return await work()
        finally:
            await close_clients()

    return asyncio.run(live())


@pytest.fixture(params=["blocking", "aio"])
def ask(request: pytest.FixtureRequest) -> Ask:
    if request.param == "blocking":
        return lambda operation, *args, **kwargs: operation(*args, **kwargs)
    return lambda operation, *args, **kwargs: in_a_loop(lambda: operation.aio(*args, **kwargs))


def directly(operation: BoundOperation[Any, Any], *args: Any, **kwargs: Any) -> Any:
    """Call an operation, where its form makes no difference to what is tested."""
    return operation(*args, **kwargs)


def fed(steps: Generator[Any, Any, Any], *answers: Any) -> Any:
    """What an operation returns if it gets these answers, as they are after reading."""
    next(steps)
    for answer in answers[:-1]:
        steps.send(answer)
    with pytest.raises(StopIteration) as end:
        steps.send(answers[-1])
    return end.value.value


@pytest.fixture
def aom(modelarts: Bench) -> Bench:
    """The same bench: one emulator serves all."""
    return modelarts


@pytest.fixture
def connect(aom: Bench, monkeypatch: pytest.MonkeyPatch) -> Callable[..., AomWorkflowHook]:
    """Makes a hook whose connection has other fields than the emulator's own."""

    def make(*, options: dict[str, Any] | None = None, **changes: Any) -> AomWorkflowHook:
        connection = aom.connection
        for name, value in changes.items():
            holder = connection if name in ("login", "password") else connection["extra"]
            holder[name] = value
        monkeypatch.setenv(f"AIRFLOW_CONN_{HUAWEI_CONNECTION.upper()}", json.dumps(connection))
        return AomWorkflowHook(HUAWEI_CONNECTION, clock=aom.clock, **(options or {}))

    return make


@pytest.fixture
def hook(connect: Callable[..., AomWorkflowHook]) -> AomWorkflowHook:
    return connect()


def started(aom: Bench, workflow: str, *, after: float = 0.0) -> RunRef:
    """Start an execution behind the service's back, so that the journal stays empty, and let time pass."""
    execution = aom.emulator.aom.start(workflow)
    aom.clock.advance(after)
    return RunRef(execution.workflow_id, execution.execution_id)


def added(aom: Bench, name: str, *nodes: NodeDefinition, **more: Any) -> str:
    """Add a workflow and return its id."""
    return aom.emulator.aom.add_workflow(WorkflowDefinition(name, nodes, **more)).workflow_id


def asked(aom: Bench, *operations: str) -> list[str]:
    """The operations that were asked for, of those named or all."""
    return [entry.operation or "" for entry in aom.requests if not operations or entry.operation in operations]


def acted(aom: Bench) -> list[tuple[str | None, str | None]]:
    """The actions on nodes that took effect, and the nodes."""
    return [(entry.action, entry.ids["node_id"]) for entry in aom.emulator.journal.find(ACT) if entry.effective]


class TestReading:
    def test_a_run_with_its_nodes_by_name(self, aom: Bench, hook: AomWorkflowHook, ask: Ask) -> None:
        ref = started(aom, PLAIN_CHAIN, after=100)

        run: Run = ask(hook.get_run, ref)

        assert (run.ref, run.state, run.status, run.name) == (ref, RunState.SUCCEEDED, "success", "plain-chain")
        assert [step.name for step in run.steps] == ["collect", "restart", "report"]
        assert run.outputs["restart"] == {"exit_code": 0, "stdout": "active"}
        assert ref.run_id in run.url
        assert "region=cn-north-4" in run.url
        assert run.started_at is not None
        assert run.ended_at is not None

    def test_names_are_looked_up_once(self, aom: Bench, hook: AomWorkflowHook, ask: Ask) -> None:
        ref = started(aom, PLAIN_CHAIN, after=10)
        for _ in range(3):
            ask(hook.get_run, ref)
        assert asked(aom) == [READ, NAMES, READ, READ]
        ask(hook.get_run, started(aom, PAUSES))
        assert asked(aom)[4:] == [READ]  # the page has shown the others as well

    def test_both_forms_read_the_same(self, aom: Bench, hook: AomWorkflowHook) -> None:
        ref = started(aom, FAILS_ONCE)
        for _ in range(4):
            aom.clock.advance(4)
            assert hook.get_run(ref) == in_a_loop(lambda: hook.get_run.aio(ref))
        assert hook.get_run(ref).state is RunState.FAILED

    @pytest.mark.parametrize("switches", [
        {"casing": "upper"}, {"aom_update_time": "iso"}, {"aom_end_time": "never"}, {"aom_end_time": "zero"},
        {"aom_output": "text"}, {"aom_output": "null"}, {"aom_waiting_nodes": True},
    ])  # fmt: skip
    def test_whatever_the_service_is_like(self, aom: Bench, hook: AomWorkflowHook, switches: dict[str, Any]) -> None:
        aom.emulator.switches.update(switches, aom.emulator.lock)
        failed, paused = started(aom, FAILS_ONCE), started(aom, PAUSES, after=30)
        assert hook.get_run(failed).state is RunState.FAILED
        assert [step.name for step in hook.get_run(failed).failed_steps] == ["restart"]
        run = hook.get_run(paused)
        assert run.state is RunState.WAITING
        assert [(step.name, step.id, step.is_gate) for step in run.waiting_steps] == [("confirm", PAUSE_NODE, True)]

    @pytest.mark.parametrize("literal", ["pausing", "fail"])
    def test_a_failed_node_is_a_failed_run(self, aom: Bench, hook: AomWorkflowHook, literal: Any) -> None:
        aom.emulator.switches.aom_failed_node = literal
        run = hook.get_run(started(aom, FAILS_ONCE, after=30))
        assert (run.state, run.status) == (RunState.FAILED, literal)
        assert run.message == "restart: service app did not come up"
        assert hook.get_failure_log(run) == "Last log lines of step restart:\nerror: service app did not come up"

    def test_no_failure_has_no_log(self, aom: Bench, hook: AomWorkflowHook) -> None:
        run = hook.get_run(started(aom, PLAIN_CHAIN, after=100))
        aom.emulator.journal.clear()
        assert hook.get_failure_log(run) == ""
        assert asked(aom) == []

    def test_an_approval(self, aom: Bench, hook: AomWorkflowHook) -> None:
        ref = started(aom, WAITS_FOR_APPROVAL, after=5)
        run = hook.get_run(ref)
        assert (run.state, [(step.id, step.is_gate) for step in run.steps]) == (RunState.WAITING, [(APPROVAL, True)])
        aom.emulator.aom.refuse(ref.run_id)
        assert (hook.get_run(ref).state, hook.get_run(ref).status) == (RunState.FAILED, "approvalFailed")

    def test_an_approval_midway(self, aom: Bench, hook: AomWorkflowHook) -> None:
        """There the node itself stands for it."""
        ref = started(aom, ASKS_MIDWAY, after=30)
        run = hook.get_run(ref)
        assert (run.state, [step.id for step in run.waiting_steps]) == (RunState.WAITING, [APPROVAL_NODE])
        assert run.waiting_steps[0].is_gate
        aom.emulator.aom.refuse(ref.run_id)
        run = hook.get_run(ref)
        assert (run.state, [step.id for step in run.failed_steps]) == (RunState.FAILED, [APPROVAL_NODE])
        with pytest.raises(BadRequestError, match="stands at no failed node"):
            hook.repair_run(run)

    def test_a_status_that_nobody_knows(
        self, aom: Bench, hook: AomWorkflowHook, connect: Callable[..., AomWorkflowHook]
    ) -> None:
        ref = started(aom, PLAIN_CHAIN, after=5)
        aom.emulator.aom.force_status(ref.run_id, "Finished")
        assert hook.get_run(ref).state is RunState.UNKNOWN
        told = connect(options={"states": {"finished": "succeeded"}})
        assert told.get_run(ref).state is RunState.SUCCEEDED

    def test_one_that_is_not_there(self, hook: AomWorkflowHook, ask: Ask) -> None:
        with pytest.raises(NotFoundError, match="Check the ids of workflow and execution"):
            ask(hook.get_run, RunRef(PLAIN_CHAIN, NOBODY))

    @pytest.mark.parametrize("trouble", [
        {"status": 403}, {"status": 404}, {"status": 400}, {"action": "truncate", "cut_json": True, "when": "after"},
    ])  # fmt: skip
    def test_without_a_look_at_workflows_nodes_go_by_their_ids(
        self, aom: Bench, hook: AomWorkflowHook, trouble: dict[str, Any]
    ) -> None:
        aom.emulator.faults.add(FaultRule(operation=NAMES, times=None, **trouble))
        ref = started(aom, FAILS_ONCE, after=30)
        run = hook.get_run(ref)
        assert [step.name for step in run.failed_steps] == [FAILING_NODE]
        hook.get_run(ref)
        assert asked(aom).count(READ) == 2
        looks = asked(aom).count(NAMES)
        hook.get_run(ref)
        assert asked(aom).count(NAMES) == looks

    def test_a_passing_trouble_with_workflows_is_one_with_the_run(self, aom: Bench, hook: AomWorkflowHook) -> None:
        """Without knowing which failures a workflow ignores, a pause could be taken for a failure."""
        ignored = NodeDefinition("try", (fails(1),), ignore_error=True)
        ref = started(aom, added(aom, "ignores", ignored, NodeDefinition("hold", (pauses(1),))), after=10)
        aom.emulator.faults.add(FaultRule(operation=NAMES, status=500, times=hook.patience.attempts))
        with pytest.raises(ServerError):
            hook.get_run(ref)
        assert hook.get_run(ref).state is RunState.WAITING

    def test_a_workflow_is_found_on_a_later_page(self, aom: Bench, hook: AomWorkflowHook) -> None:
        aom.emulator.switches.page_cap = 1
        ref = started(aom, PLAIN_CHAIN, after=100)
        for other in (PAUSES, LONG_RUN):
            started(aom, other, after=1)
        assert hook.get_run(ref).name == "plain-chain"
        assert len(asked(aom, NAMES)) > 2

    def test_a_workflow_that_lists_do_not_show_is_looked_for_once(self, aom: Bench, hook: AomWorkflowHook) -> None:
        ref = started(aom, PLAIN_CHAIN, after=100)
        aom.emulator.faults.add(FaultRule(operation=NAMES, status=404))
        assert hook.get_run(ref).name == ""
        assert hook.get_run(ref).name == ""
        assert asked(aom, NAMES) == [NAMES]


class TestReadingMany:
    def refs(self, aom: Bench, number: int, workflow: str = LONG_RUN) -> list[RunRef]:
        return [started(aom, workflow) for _ in range(number)]

    def read(self, hook: AomWorkflowHook, ask: Ask, refs: Iterable[RunRef]) -> dict[RunRef, Any]:
        runs: dict[RunRef, Any] = {}
        for batch in hook.batches(list(refs)):
            runs |= ask(hook.get_runs, batch)
        return runs

    def test_of_one_workflow_takes_one_list(self, aom: Bench, hook: AomWorkflowHook, ask: Ask) -> None:
        refs = self.refs(aom, 30)
        aom.clock.advance(7)
        runs = self.read(hook, ask, refs)
        assert asked(aom) == [NAMES, LIST]
        assert set(runs) == set(refs)
        assert {run.state for run in runs.values()} == {RunState.ACTIVE}
        assert runs[refs[0]].has_steps
        assert runs[refs[0]] == hook.get_run(refs[0])

    def test_a_single_one_takes_no_list(self, aom: Bench, hook: AomWorkflowHook, ask: Ask) -> None:
        refs = [*self.refs(aom, 1), *self.refs(aom, 1, PAUSES)]
        runs = self.read(hook, ask, refs)
        assert hook.batches(refs) == [[refs[0]], [refs[1]]]
        assert (set(runs), asked(aom, LIST)) == (set(refs), [])

    def test_a_list_that_has_grown_long_is_not_read_again_for_a_few(
        self, aom: Bench, hook: AomWorkflowHook, ask: Ask
    ) -> None:
        refs = self.refs(aom, WEIGHT + 1)
        self.read(hook, ask, refs[-2:])
        assert asked(aom, LIST, READ) == [LIST]
        self.read(hook, ask, refs[-2:])
        assert asked(aom, LIST, READ) == [LIST, READ, READ]
        assert hook.batches(refs[-2:]) == [[ref] for ref in refs[-2:]]
        self.read(hook, ask, refs)
        assert asked(aom, LIST, READ) == [LIST, READ, READ, LIST]

    def test_what_a_list_does_not_show_is_read_by_itself(self, aom: Bench, hook: AomWorkflowHook, ask: Ask) -> None:
        refs = [*self.refs(aom, 3), RunRef(LONG_RUN, NOBODY)]
        runs = self.read(hook, ask, refs)
        assert asked(aom, LIST, READ) == [LIST, READ]
        assert isinstance(runs[refs[3]], NotFoundError)
        assert all(isinstance(runs[ref], Run) for ref in refs[:3])

    def test_a_list_that_saves_nothing_is_not_read_again(self, aom: Bench, hook: AomWorkflowHook, ask: Ask) -> None:
        refs = [*self.refs(aom, 1), RunRef(LONG_RUN, NOBODY)]
        self.read(hook, ask, refs)
        self.read(hook, ask, refs)
        assert asked(aom, LIST, READ) == [LIST, READ, READ, READ]

    def test_new_runs_may_be_missing_from_lists(self, aom: Bench, hook: AomWorkflowHook, ask: Ask) -> None:
        aom.emulator.switches.list_lag = 60.0
        refs = self.refs(aom, 2)
        assert {type(run) for run in self.read(hook, ask, refs).values()} == {Run}

    @pytest.mark.parametrize("status", [400, 403, 404])
    def test_a_list_that_is_refused_is_not_asked_for_again(
        self, aom: Bench, hook: AomWorkflowHook, status: int
    ) -> None:
        aom.emulator.faults.add(FaultRule(operation=LIST, status=status, times=None))
        refs = self.refs(aom, 2)
        for _ in range(2):
            assert all(isinstance(run, Run) for run in self.read(hook, directly, refs).values())
        assert asked(aom, LIST) == [LIST]

    def test_a_list_that_fails_concerns_its_workflow_only(self, aom: Bench, hook: AomWorkflowHook, ask: Ask) -> None:
        aom.emulator.faults.add(FaultRule(operation=LIST, path=LONG_RUN, status=500, times=None))
        broken, fine = self.refs(aom, 2), self.refs(aom, 2, PAUSES)
        runs = self.read(hook, ask, [*broken, *fine])
        assert {type(runs[ref]) for ref in broken} == {ServerError}
        assert {type(runs[ref]) for ref in fine} == {Run}
        assert asked(aom, READ) == []

    def test_batches_hold_every_ref_once(self, hook: AomWorkflowHook) -> None:
        refs = [RunRef(PLAIN_CHAIN, str(number)) for number in range(5)] + [RunRef(PAUSES, "one")]
        assert hook.batches([*refs, *refs]) == [refs[:5], refs[5:]]
        assert hook.batches([]) == []

    def test_are_listed_by_the_enterprise_project_of_their_workflow(self, aom: Bench, hook: AomWorkflowHook) -> None:
        hook.get_runs(self.refs(aom, 2))
        (entry,) = aom.emulator.journal.find(LIST)
        assert entry.query == (("x_enterprise_project_id", "0"),)


class TestStarting:
    def test_a_workflow(self, aom: Bench, hook: AomWorkflowHook, ask: Ask) -> None:
        run: Run = ask(hook.start_run, PLAIN_CHAIN)
        assert (run.ref.workflow_id, run.state, run.has_steps) == (PLAIN_CHAIN, RunState.ACTIVE, False)
        assert run.ref.run_id in aom.emulator.aom.executions
        assert run.ref.run_id in run.url
        assert asked(aom) == [START]
        assert hook.get_run(run.ref).ref == run.ref

    def test_one_that_is_not_there(self, aom: Bench, hook: AomWorkflowHook, ask: Ask) -> None:
        with pytest.raises(NotFoundError):
            ask(hook.start_run, NOBODY)
        assert aom.emulator.aom.start_count() == 0

    @pytest.mark.parametrize("bad", ["", "..", "x" * 65, " id"])
    def test_one_that_cannot_be(self, aom: Bench, hook: AomWorkflowHook, bad: str) -> None:
        with pytest.raises(InvalidInputError, match="is not an id"):
            hook.start_run(bad)
        assert asked(aom) == []

    @pytest.mark.parametrize(
        ("trouble", "kind"),
        [
            ({"action": "reset", "when": "after"}, TransportError),
            ({"action": "status", "status": 500, "when": "after"}, ServerError),
            ({"action": "truncate", "cut_json": True, "when": "after"}, UnexpectedReplyError),
        ],
    )
    def test_is_sent_once_whatever_happens(
        self, aom: Bench, hook: AomWorkflowHook, trouble: dict[str, Any], kind: type[MLWorkflowsError]
    ) -> None:
        aom.emulator.faults.add(FaultRule(operation=START, **trouble))
        with pytest.raises(kind):
            hook.start_run(PLAIN_CHAIN)
        assert aom.emulator.aom.start_count() == 1

    def test_an_error_inside_of_a_success_is_one(self, aom: Bench, hook: AomWorkflowHook, ask: Ask) -> None:
        aom.emulator.faults.add(FaultRule(operation=START, action="envelope"))
        with pytest.raises(ServerError, match=r"HTTP 200 AOM\.31001405"):
            ask(hook.start_run, PLAIN_CHAIN)

    def test_what_has_started_since(self, aom: Bench, hook: AomWorkflowHook, ask: Ask) -> None:
        started(aom, PLAIN_CHAIN, after=5)
        since = aom.clock.time()
        first = started(aom, PLAIN_CHAIN, after=5)
        second = started(aom, PLAIN_CHAIN, after=5)
        started(aom, PAUSES)
        assert [run.ref for run in ask(hook.list_started, PLAIN_CHAIN, since)] == [second, first]
        assert ask(hook.list_started, PLAIN_CHAIN, aom.clock.time()) == []
        with pytest.raises(NotFoundError):
            ask(hook.list_started, NOBODY, since)

    def test_what_has_no_time_may_have_started_since(self, hook: AomWorkflowHook) -> None:
        first, timeless = execution("executing"), execution("waitExecute", begin_time=None, execution_id="new")
        began = BEGUN / 1000
        workflows = Page[Workflow](elements=[workflow()])
        runs = fed(hook.list_started.steps(WORKFLOW, began), workflows, [first, timeless])
        assert [run.ref.run_id for run in runs] == ["new", EXECUTION]
        runs = fed(hook.list_started.steps(WORKFLOW, began + 0.001), [first, timeless])
        assert [run.ref.run_id for run in runs] == ["new"]


class TestWorkflows:
    def test_by_name(self, aom: Bench, hook: AomWorkflowHook, ask: Ask) -> None:
        added(aom, "plain-chain-2", NodeDefinition("n"), fields={"description": "like plain-chain"})
        found = ask(hook.find_workflow, "plain-chain")
        assert (found.id, found.name) == (PLAIN_CHAIN, "plain-chain")

    @pytest.mark.parametrize("first", [0, 1])
    def test_by_name_on_a_later_page(self, aom: Bench, hook: AomWorkflowHook, first: Any) -> None:
        aom.emulator.switches.update({"aom_first_page": first, "page_cap": 1}, aom.emulator.lock)
        added(aom, "nightly", NodeDefinition("n"), workflow_id="wf-oldest")
        for number in range(3):
            aom.clock.advance(1)
            added(aom, f"nightly-{number}", NodeDefinition("n"))
        assert hook.find_workflow("nightly").id == "wf-oldest"

    def test_by_a_name_that_nobody_has(self, hook: AomWorkflowHook, ask: Ask) -> None:
        with pytest.raises(NotFoundError, match=r"no workflow called 'plain', only 'plain-chain'\."):
            ask(hook.find_workflow, "plain")
        with pytest.raises(NotFoundError, match=r"no workflow called 'nobody'\. Check its name"):
            ask(hook.find_workflow, "nobody")

    def test_by_a_name_that_cannot_be_one(self, aom: Bench, hook: AomWorkflowHook, ask: Ask) -> None:
        with pytest.raises(InvalidInputError, match="1 to 64 Chinese characters"):
            ask(hook.find_workflow, "plain chain")
        assert asked(aom) == []

    def test_by_a_name_that_several_have(
        self, aom: Bench, hook: AomWorkflowHook, ask: Ask, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        added(aom, "twin", NodeDefinition("n"), workflow_id="wf-1")
        other = added(aom, "twin-2", NodeDefinition("n"), workflow_id="wf-2")
        monkeypatch.setitem(aom.emulator.aom.workflow(other).body, "name", "twin")
        with pytest.raises(InvalidInputError, match=r"2 workflows are called 'twin'.*wf-[12], wf-[12]"):
            ask(hook.find_workflow, "twin")

    def test_by_the_name_of_one_that_was_deleted(self, hook: AomWorkflowHook) -> None:
        gone, there = workflow(is_delete=True), workflow(id="other")
        end = Page[Workflow](elements=[])
        both, one = Page[Workflow](elements=[gone, there]), Page[Workflow](elements=[gone])
        assert fed(hook.find_workflow.steps("nightly"), both, both, end) == there
        search = hook.find_workflow.steps("nightly")
        next(search)
        search.send(one)
        search.send(one)
        with pytest.raises(NotFoundError, match=r"called 'nightly'\."):
            search.send(end)

    def test_what_was_started_by_its_name(self, aom: Bench, hook: AomWorkflowHook, ask: Ask) -> None:
        made = ask(hook.create_from_template, "mine-airflow-1", template_id=TEMPLATE)
        assert ask(hook.find_started_as, "mine-airflow-1") is None
        started(aom, made.id, after=5)
        newest = started(aom, made.id, after=5)
        found = ask(hook.find_started_as, "mine-airflow-1")
        assert (found.ref, found.name, found.has_steps) == (newest, "mine-airflow-1", True)
        assert ask(hook.find_started_as, "mine-airflow") is None
        with pytest.raises(InvalidInputError, match="1 to 64"):
            ask(hook.find_started_as, "not a name")

    def test_checked_before_it_is_made(self, aom: Bench, hook: AomWorkflowHook) -> None:
        hook.check_creation("fine", template_id=TEMPLATE, input={"script": {"time_out": 600}})
        with pytest.raises(InvalidInputError, match=r"input\.script\.user is None"):
            hook.check_creation("fine", template_id=TEMPLATE, input={"script": {"user": None}})
        with pytest.raises(InvalidInputError, match="1 to 64"):
            hook.check_creation("x" * 65, template_id=TEMPLATE)
        assert asked(aom) == []

    def test_made_from_a_template(self, aom: Bench, hook: AomWorkflowHook, ask: Ask) -> None:
        made = ask(
            hook.create_from_template,
            "夜间_restart",
            template_id=TEMPLATE,
            input={"script": {"time_out": 600, "force": True}},
            description="from a test",
        )
        (entry,) = aom.emulator.journal.find("CreateWorkflow")
        assert asked(aom) == ["SearchTemplateById", "CreateWorkflow"]
        assert entry.body == {
            "name": "夜间_restart", "type": "manual", "task_type": "customize", "description": "from a test",
            "template_id": TEMPLATE, "template_name": "restart-and-check", "job_id": JOB,
            "input": {"script": {"time_out": "600", "force": "true"}},
        }  # fmt: skip
        assert ask(hook.find_workflow, "夜间_restart").id == made.id
        assert ask(hook.start_run, made.id).ref.workflow_id == made.id

    def test_made_from_a_public_template(self, aom: Bench, hook: AomWorkflowHook, ask: Ask) -> None:
        made = ask(hook.create_from_template, "public", template_id=PUBLIC_TEMPLATE, share_type="public")
        assert made.template_name == "CMS::ECS::BulkyRunScript"
        assert made.job_id == ""

    def test_a_template_whose_name_may_be_no_argument(self, aom: Bench, hook: AomWorkflowHook, ask: Ask) -> None:
        aom.emulator.aom.add_to_library(TemplateDefinition("t" * 65, [NodeDefinition("n")], "tpl-long"))
        ask(hook.create_from_template, "long-named", template_id="tpl-long")
        (entry,) = aom.emulator.journal.find("CreateWorkflow")
        assert entry.body is not None
        assert "template_name" not in entry.body

    @pytest.mark.parametrize(
        ("name", "arguments"),
        [
            ("bad name", {"template_id": TEMPLATE}),
            ("fine", {"template_id": ""}),
            ("fine", {"template_id": TEMPLATE, "input": {"script": {"user": None}}}),
            ("fine", {"template_id": TEMPLATE, "task_type": "odd"}),
            ("fine", {"template_id": TEMPLATE, "share_type": "odd"}),
            ("fine", {"template_id": TEMPLATE, "extra": {"bad": object()}}),
        ],
    )
    def test_nothing_is_sent_for_arguments_that_cannot_be_right(
        self, aom: Bench, hook: AomWorkflowHook, name: str, arguments: dict[str, Any]
    ) -> None:
        with pytest.raises(InvalidInputError):
            hook.create_from_template(name, **arguments)
        assert asked(aom) == []

    def test_nothing_is_made_from_a_template_that_is_not_there(
        self, aom: Bench, hook: AomWorkflowHook, ask: Ask
    ) -> None:
        with pytest.raises(NotFoundError):
            ask(hook.create_from_template, "fine", template_id=NOBODY)
        assert asked(aom, "CreateWorkflow") == []


class TestStopping:
    def test_a_running_one(self, aom: Bench, hook: AomWorkflowHook, ask: Ask) -> None:
        ref = started(aom, LONG_RUN, after=10)
        assert ask(hook.stop_run, ref) is True
        assert hook.get_run(ref).state is RunState.STOPPING
        assert ask(hook.stop_run, ref) is False
        aom.clock.advance(10)
        assert hook.get_run(ref).state is RunState.STOPPED
        assert ask(hook.stop_run, ref) is False
        assert asked(aom, STOP) == [STOP]

    @pytest.mark.parametrize("workflow", [FAILS_ONCE, PAUSES, WAITS_FOR_APPROVAL])
    def test_one_that_stands_still(self, aom: Bench, hook: AomWorkflowHook, workflow: str) -> None:
        ref = started(aom, workflow, after=60)
        assert hook.stop_run(ref) is True
        aom.clock.advance(10)
        assert hook.get_run(ref).state is RunState.STOPPED

    def test_one_that_pausing_means_the_end_of(
        self, aom: Bench, connect: Callable[..., AomWorkflowHook], ask: Ask
    ) -> None:
        ref = started(aom, PAUSES, after=60)
        strict = connect(options={"states": {"pausing": "failed"}})
        assert strict.get_run(ref).state is RunState.FAILED
        assert ask(strict.stop_run, ref) is True

    def test_one_that_is_over_is_left_alone(self, aom: Bench, hook: AomWorkflowHook, ask: Ask) -> None:
        ref = started(aom, PLAIN_CHAIN, after=100)
        assert ask(hook.stop_run, ref) is False
        assert asked(aom) == [READ]

    def test_one_that_ends_in_between(self, aom: Bench, hook: AomWorkflowHook, ask: Ask) -> None:
        ref = started(aom, PLAIN_CHAIN, after=100)
        assert ask(hook.stop_run, ref, force=True) is False
        assert asked(aom) == [STOP, READ]

    def test_one_whose_stop_is_refused_although_it_goes_on(self, aom: Bench, hook: AomWorkflowHook, ask: Ask) -> None:
        ref = started(aom, LONG_RUN, after=10)
        aom.emulator.faults.add(FaultRule(operation=STOP, status=400))
        with pytest.raises(BadRequestError, match="an execution that is over can no longer be stopped"):
            ask(hook.stop_run, ref)

    def test_is_sent_again_if_no_answer_came(self, aom: Bench, hook: AomWorkflowHook, ask: Ask) -> None:
        ref = started(aom, LONG_RUN, after=10)
        aom.emulator.faults.add(FaultRule(operation=STOP, action="reset"))
        assert ask(hook.stop_run, ref) is True
        assert aom.emulator.aom.termination_count(ref.run_id) == 1

    @pytest.mark.parametrize("form", ["documented", "result", "literal", "string"])
    def test_in_every_word_of_success(self, aom: Bench, hook: AomWorkflowHook, form: Any) -> None:
        aom.emulator.switches.aom_action_body = form
        assert hook.stop_run(started(aom, LONG_RUN, after=10)) is True
        hook.operate_node(started(aom, PAUSES, after=30), PAUSE_NODE, "continue")
        cron = added(aom, f"cron-{form}", NodeDefinition("n"), type="cron")
        hook.update_trigger_status(cron, "disable")
        assert aom.emulator.aom.workflow(cron).trigger_on is False

    def test_one_that_is_not_there(self, hook: AomWorkflowHook, ask: Ask) -> None:
        with pytest.raises(NotFoundError):
            ask(hook.stop_run, RunRef(PLAIN_CHAIN, NOBODY))


class TestNodes:
    @pytest.mark.parametrize("literal", ["pausing", "fail"])
    @pytest.mark.parametrize("action", ["restart", "skip"])
    @pytest.mark.parametrize("node", [FAILING_NODE, "restart"])
    def test_a_failed_one(self, aom: Bench, hook: AomWorkflowHook, literal: Any, action: str, node: str) -> None:
        aom.emulator.switches.aom_failed_node = literal
        ref = started(aom, FAILS_ONCE, after=30)
        before = hook.get_run(ref)
        step = hook.operate_node(ref, node, action)
        assert (step.id, step.state) == (FAILING_NODE, RunState.FAILED)
        assert acted(aom) == [(action, FAILING_NODE)]
        assert hook.get_run(ref).fingerprint != before.fingerprint
        aom.clock.advance(60)
        assert hook.get_run(ref).state is RunState.SUCCEEDED

    def test_a_pause(self, aom: Bench, hook: AomWorkflowHook, ask: Ask) -> None:
        ref = started(aom, PAUSES, after=30)
        ask(hook.operate_node, ref, "confirm", "continue")
        assert acted(aom) == [("continue", PAUSE_NODE)]
        aom.clock.advance(60)
        assert hook.get_run(ref).state is RunState.SUCCEEDED

    @pytest.mark.parametrize(
        ("workflow", "after", "node", "action"),
        [
            (FAILS_ONCE, 30, "restart", "continue"),
            (FAILS_ONCE, 30, "collect", "restart"),
            (PAUSES, 30, "confirm", "skip"),
            (PAUSES, 30, "confirm", "restart"),
            (LONG_RUN, 30, "restart", "restart"),
            (PLAIN_CHAIN, 100, "restart", "restart"),
        ],
    )
    def test_in_the_wrong_state_is_left_alone(
        self, aom: Bench, hook: AomWorkflowHook, workflow: str, after: float, node: str, action: str
    ) -> None:
        ref = started(aom, workflow, after=after)
        with pytest.raises(BadRequestError, match="was not sent"):
            hook.operate_node(ref, node, action)
        assert asked(aom, ACT) == []

    def test_that_is_not_there(self, aom: Bench, hook: AomWorkflowHook, ask: Ask) -> None:
        ref = started(aom, FAILS_ONCE, after=30)
        with pytest.raises(InvalidInputError, match=r"no node 'report'\. Its nodes are: collect"):
            ask(hook.operate_node, ref, "report", "restart")
        assert asked(aom, ACT) == []

    def test_with_an_action_that_is_none(self, aom: Bench, hook: AomWorkflowHook, ask: Ask) -> None:
        with pytest.raises(InvalidInputError, match="'retry' is not one of restart, skip, continue"):
            ask(hook.operate_node, RunRef(PLAIN_CHAIN, NOBODY), "restart", "retry")
        assert asked(aom) == []

    def test_an_approval(self, aom: Bench, hook: AomWorkflowHook, ask: Ask) -> None:
        ref = started(aom, WAITS_FOR_APPROVAL, after=5)
        with pytest.raises(InvalidInputError, match=f"approve it in the console: https://.*{ref.run_id}"):
            ask(hook.operate_node, ref, APPROVAL, "continue")
        assert asked(aom, ACT) == []

    def test_that_the_service_refuses_all_the_same(self, aom: Bench, hook: AomWorkflowHook, ask: Ask) -> None:
        ref = started(aom, FAILS_ONCE, after=30)
        aom.emulator.faults.add(FaultRule(operation=ACT, status=400))
        with pytest.raises(BadRequestError, match=r"HTTP 400 AOM\.31001302"):
            ask(hook.operate_node, ref, "restart", "restart")

    def test_is_acted_on_once_whatever_happens(self, aom: Bench, hook: AomWorkflowHook, ask: Ask) -> None:
        ref = started(aom, FAILS_ONCE, after=30)
        aom.emulator.faults.add(FaultRule(operation=ACT, action="reset", when="after"))
        with pytest.raises(TransportError):
            ask(hook.operate_node, ref, "restart", "restart")
        assert len(acted(aom)) == 1


class TestContinuing:
    def test_a_pause(self, aom: Bench, hook: AomWorkflowHook, ask: Ask) -> None:
        run = hook.get_run(started(aom, PAUSES, after=30))
        ask(hook.continue_step, run, run.waiting_steps[0], {})
        assert acted(aom) == [("continue", PAUSE_NODE)]

    def test_takes_no_inputs(self, aom: Bench, hook: AomWorkflowHook, ask: Ask) -> None:
        run = hook.get_run(started(aom, PAUSES, after=30))
        with pytest.raises(InvalidInputError, match="Step confirm takes no inputs"):
            ask(hook.continue_step, run, run.waiting_steps[0], {"x": 1})
        assert acted(aom) == []

    @pytest.mark.parametrize("inputs", [{}, {"approve": True}])
    @pytest.mark.parametrize("workflow", [WAITS_FOR_APPROVAL, ASKS_MIDWAY])
    def test_an_approval_is_refused(
        self, aom: Bench, hook: AomWorkflowHook, workflow: str, inputs: dict[str, Any]
    ) -> None:
        run = hook.get_run(started(aom, workflow, after=30))
        with pytest.raises(InvalidInputError, match="An approver must approve it in the console"):
            hook.continue_step(run, run.waiting_steps[0], inputs)
        assert asked(aom, ACT) == []


class TestRepairing:
    @pytest.mark.parametrize("literal", ["pausing", "fail"])
    def test_restarts_the_failed_node(self, aom: Bench, hook: AomWorkflowHook, ask: Ask, literal: Any) -> None:
        aom.emulator.switches.aom_failed_node = literal
        ref = started(aom, FAILS_ONCE, after=30)
        ask(hook.repair_run, hook.get_run(ref))
        assert acted(aom) == [("restart", FAILING_NODE)]
        aom.clock.advance(60)
        assert hook.get_run(ref).state is RunState.SUCCEEDED

    def test_looks_at_the_nodes_if_they_do_not_show(self, aom: Bench, hook: AomWorkflowHook, ask: Ask) -> None:
        ref = started(aom, FAILS_ONCE, after=30)
        ask(hook.repair_run, Run(ref, RunState.FAILED, "fail", has_steps=False))
        assert acted(aom) == [("restart", FAILING_NODE)]

    @pytest.mark.parametrize("shown", ["skip", "skipped", "fail", "success"])
    def test_leaves_a_node_alone_that_was_skipped(self, aom: Bench, hook: AomWorkflowHook, shown: Any) -> None:
        aom.emulator.switches.aom_skipped_node = shown
        twice = added(
            aom,
            "fails-twice",
            NodeDefinition("first", (fails(1),), node_id="n-1"),
            NodeDefinition("second", (fails(1), succeeds(1)), node_id="n-2"),
        )
        ref = started(aom, twice, after=10)
        hook.operate_node(ref, "first", "skip")
        aom.clock.advance(10)
        run = hook.get_run(ref)
        assert run.state is RunState.FAILED
        hook.repair_run(run)
        assert acted(aom) == [("skip", "n-1"), ("restart", "n-2")]
        assert asked(aom, ACT) == [ACT, ACT]

    def test_leaves_a_node_alone_whose_errors_are_ignored(self, aom: Bench, hook: AomWorkflowHook, ask: Ask) -> None:
        careless = NodeDefinition("careless", (fails(1),), ignore_error=True)
        ref = started(aom, added(aom, "careless", careless, NodeDefinition("hold", (pauses(1),))), after=10)
        run = hook.get_run(ref)
        assert (run.state, [step.name for step in run.failed_steps]) == (RunState.WAITING, ["careless"])
        with pytest.raises(BadRequestError, match="stands at no failed node"):
            ask(hook.repair_run, run)
        assert asked(aom, ACT) == []

    @pytest.mark.parametrize(("workflow", "after"), [(PLAIN_CHAIN, 100), (PAUSES, 30), (LONG_RUN, 5)])
    def test_of_a_run_that_has_not_failed_is_refused(
        self, aom: Bench, hook: AomWorkflowHook, workflow: str, after: float
    ) -> None:
        run = hook.get_run(started(aom, workflow, after=after))
        with pytest.raises(BadRequestError, match="cannot be repaired"):
            hook.repair_run(run)
        assert asked(aom, ACT) == []

    def test_of_a_run_that_was_stopped_is_refused(self, aom: Bench, hook: AomWorkflowHook, ask: Ask) -> None:
        ref = started(aom, FAILS_ONCE, after=30)
        hook.stop_run(ref)
        aom.clock.advance(10)
        with pytest.raises(BadRequestError, match=r"\(cancel\) cannot be repaired"):
            ask(hook.repair_run, hook.get_run(ref))

    def test_needs_only_one_of_several_nodes(self, aom: Bench, hook: AomWorkflowHook, ask: Ask) -> None:
        """The service knows better at which it stands."""
        ref = started(aom, FAILS_ONCE, after=30)
        run = hook.get_run(ref)
        other = replace(run.steps[0], state=RunState.FAILED, updated_at=None)
        ask(hook.repair_run, replace(run, steps=(other, *run.steps[1:])))
        assert [(entry.ids["node_id"], entry.effective) for entry in aom.emulator.journal.find(ACT)] == [
            (other.id, False),
            (FAILING_NODE, True),
        ]

    def test_that_every_node_refuses_is_refused(self, aom: Bench, hook: AomWorkflowHook, ask: Ask) -> None:
        aom.emulator.faults.add(FaultRule(operation=ACT, status=400, times=None))
        run = hook.get_run(started(aom, FAILS_ONCE, after=30))
        with pytest.raises(BadRequestError, match="HTTP 400"):
            ask(hook.repair_run, run)


class TestConnection:
    def test_tells_what_it_sees(self, aom: Bench, hook: AomWorkflowHook) -> None:
        good, text = hook.test_connection()
        assert good, text
        there = f"{len(aom.emulator.aom.workflows)} workflows are visible"
        key, project = aom.connection["login"], aom.connection["extra"]["project_id"]
        where = f"{aom.emulator.url} in region cn-north-4, project {project}"
        assert text == f"AOM automation answers access key {key[:4]}… at {where}; {there}."
        assert asked(aom) == [NAMES]

    def test_asks_once(self, aom: Bench, hook: AomWorkflowHook) -> None:
        aom.emulator.faults.add(FaultRule(operation=NAMES, status=503, times=None))
        good, text = hook.test_connection()
        assert (good, asked(aom)) == (False, [NAMES])
        assert "HTTP 503" in text

    def test_says_what_the_user_lacks(self, aom: Bench, hook: AomWorkflowHook) -> None:
        aom.emulator.faults.add(FaultRule(operation=NAMES, status=403))
        good, text = hook.test_connection()
        assert not good
        assert "AOM ReadOnlyAccess" in text
        assert "open only in cn-north-4, cn-east-3, cn-east-2, cn-south-1" in text

    @pytest.mark.parametrize("worded_by", ["service", "gateway"])
    def test_a_wrong_key_shows_no_secret(
        self, aom: Bench, connect: Callable[..., AomWorkflowHook], worded_by: Any
    ) -> None:
        aom.emulator.switches.aom_auth_errors = worded_by
        good, text = connect(password="wrong-secret-of-nobody", security_token="token-of-nobody").test_connection()
        assert not good
        assert "HTTP 401" in text
        assert_no_secret(text, ["wrong-secret-of-nobody", "token-of-nobody", aom.connection["login"]])

    def test_looks_the_project_up(self, aom: Bench, connect: Callable[..., AomWorkflowHook]) -> None:
        good, text = connect(project_id=None).test_connection()
        assert good, text
        assert asked(aom) == ["KeystoneListProjects", NAMES]

    def test_with_a_token(self, aom: Bench, connect: Callable[..., AomWorkflowHook]) -> None:
        token = aom.emulator.credentials.add_token().text
        with_token = connect(auth_type="token", iam_token=token)
        assert with_token.get_run(started(aom, PLAIN_CHAIN)).state is RunState.ACTIVE

    @pytest.mark.parametrize(
        ("status", "kind"), [(401, AuthenticationError), (403, PermissionDeniedError), (429, ThrottledError)]
    )
    def test_errors_of_any_kind(
        self, aom: Bench, connect: Callable[..., AomWorkflowHook], status: int, kind: type[MLWorkflowsError]
    ) -> None:
        aom.emulator.faults.add(FaultRule(operation=READ, status=status, times=None))
        with pytest.raises(kind):
            connect(options={"attempts": 1}).get_run(started(aom, PLAIN_CHAIN))

    def test_its_own_address(self, aom: Bench, connect: Callable[..., AomWorkflowHook]) -> None:
        hook = connect(endpoint="http://127.0.0.1:9", aom_endpoint=aom.emulator.url)
        assert hook.test_connection()[0]

    def test_without_a_region_there_is_no_page_to_show(
        self, aom: Bench, connect: Callable[..., AomWorkflowHook]
    ) -> None:
        hook = connect(region=None)
        assert hook.get_run(started(aom, PLAIN_CHAIN)).url == ""
        assert "in region" not in hook.test_connection()[1]

    def test_the_usual_address(self, connect: Callable[..., AomWorkflowHook]) -> None:
        hook = connect(endpoint=None)
        assert hook.client.service.endpoint == "https://aom.cn-north-4.myhuaweicloud.com"
        assert connect(options={"region": "cn-east-3"}, endpoint=None).client.region == "cn-east-3"

    @pytest.mark.parametrize("states", [{"finished": "done"}, "nonsense"])
    def test_states_that_make_no_sense(self, states: Any) -> None:
        with pytest.raises(InvalidInputError):
            AomWorkflowHook(states=states)


class TestService:
    def test_leads_to_the_hook(self) -> None:
        scope = {"huawei_conn_id": "mine", "region": "cn-east-2", "project_id": "0" * 32}
        made = AOM.hook(scope, attempts=1)
        assert isinstance(made, AomWorkflowHook)
        assert (made.conn_id, made.region, made.project_id) == ("mine", "cn-east-2", "0" * 32)


def test_the_library_can_be_read(hook: AomWorkflowHook, ask: Ask) -> None:
    assert ask(hook.show_template, TEMPLATE).name == "restart-and-check"
    assert [each.id for each in ask(hook.list_templates, JOB).elements] == [TEMPLATE]
    assert [each.id for each in ask(hook.list_jobs, name="restart").elements] == [JOB]
    (script,) = ask(hook.list_scripts).elements
    versions = ask(hook.list_script_versions, script.id, name=script.name).elements
    assert {each.version_number for each in versions} == {"1.0.0", "1.1.0"}


def test_a_run_that_never_ends_can_be_stopped(aom: Bench, hook: AomWorkflowHook, ask: Ask) -> None:
    ref = started(aom, added(aom, "forever", NodeDefinition("spin", (never_ends(),))), after=500)
    assert hook.get_run(ref).state is RunState.ACTIVE
    assert ask(hook.stop_run, ref) is True
