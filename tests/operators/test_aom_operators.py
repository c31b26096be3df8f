"""What the operators and sensors of AOM automation do beside what the scenario table shows."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk import DAG

from airflow_provider_mlworkflows.emulator import FaultRule, phases
from airflow_provider_mlworkflows.emulator.aom import NodeAttempt, NodeDefinition, WorkflowDefinition, fails, succeeds
from airflow_provider_mlworkflows.emulator.aom.ready import (
    ASKS_MIDWAY,
    FAILING_NODE,
    FAILS_ONCE,
    FLAKY_TEMPLATE,
    PLAIN_CHAIN,
    PUBLIC_TEMPLATE,
    TEMPLATE,
    WAITS_FOR_APPROVAL,
)
from airflow_provider_mlworkflows.emulator.environment import HUAWEI_CONNECTION
from airflow_provider_mlworkflows.exceptions import (
    BadRequestError,
    InvalidInputError,
    NotFoundError,
    RunFailedError,
    RunStoppedError,
    RunWaitingError,
    ServerError,
    TransportError,
)
from airflow_provider_mlworkflows.operators.aom import (
    AomNodeOperationOperator,
    AomStartWorkflowOperator,
    AomTerminateOperator,
)
from airflow_provider_mlworkflows.sensors.aom import AomExecutionSensor, AomNodeSensor

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.emulator.aom import Execution, Workflow
    from airflow_provider_mlworkflows.triggers.aom import AomExecutionTrigger
    from tests.harness.results import TaskResult
    from tests.support import Bench

CREATE, START, STOP = "CreateWorkflow", "ExecuteWorkflow", "StopExecution"
NAMES, ACT = "ListWorkflow", "StartPausingWorkflowExecutions"
MADE_NAME = re.compile(r"nightly-airflow-[0-9a-f]{16}")
LONGEST_PREFIX = 39
"""What a name of 64 characters leaves for it beside the token."""
INPUTS = {"script": {"group": "script", "cmd_user": "root", "time_out": "600"}}
both_modes = pytest.mark.parametrize("deferrable", [False, True], ids=["worker", "triggerer"])


@pytest.fixture
def aom(modelarts: Bench) -> Bench:
    """The same bench: one emulator serves all."""
    return modelarts


def starter(**arguments: Any) -> AomStartWorkflowOperator:
    return AomStartWorkflowOperator(task_id="start", **{"deferrable": False, "poll_interval": 10.0, **arguments})


def node_operator(execution: Execution, node: str, action: str, **arguments: Any) -> AomNodeOperationOperator:
    settings: dict[str, Any] = {"deferrable": False, "poll_interval": 10.0, **arguments}
    return AomNodeOperationOperator(
        task_id="act",
        workflow_id=execution.workflow_id,
        execution_id=execution.execution_id,
        node=node,
        action=action,
        **settings,
    )


def sent(aom: Bench, *operations: str) -> list[str]:
    """The operations of these that were asked for."""
    return [entry.operation for entry in aom.requests if entry.operation in operations]


def executions(aom: Bench) -> list[Execution]:
    return list(aom.emulator.aom.executions.values())


def made(aom: Bench) -> list[Workflow]:
    """The workflows that tasks have created."""
    return [each for each in aom.emulator.aom.workflows.values() if "airflow-" in each.name]


def begun(aom: Bench, workflow_id: str, seconds: float = 60.0) -> Execution:
    """Somebody else's execution, which has been going on for so many seconds."""
    execution = aom.emulator.aom.start(workflow_id)
    aom.clock.advance(seconds)
    return aom.emulator.aom.execution(execution.execution_id)


def added(aom: Bench, *nodes: NodeDefinition, **rest: Any) -> Workflow:
    return aom.emulator.aom.add_workflow(WorkflowDefinition("scripted", nodes, **rest))


def refused(aom: Bench, operator: AomStartWorkflowOperator) -> InvalidInputError:
    """The error of a start that is refused before anything is sent."""
    result = aom.airflow.run_to_end(operator)
    assert result.state == "failed"
    assert isinstance(result.error, InvalidInputError), repr(result.error)
    assert aom.requests == []
    return result.error


class TestByName:
    @both_modes
    def test_of_one_workflow(self, aom: Bench, deferrable: bool) -> None:
        result = aom.airflow.run_to_end(starter(workflow_name="plain-chain", deferrable=deferrable))
        assert result.state == "success", result.log
        (execution,) = executions(aom)
        assert execution.workflow_id == PLAIN_CHAIN
        assert result.xcoms["return_value"] == execution.execution_id
        assert [step["name"] for step in result.xcoms["steps"]] == ["collect", "restart", "report"]

    def test_that_cannot_be_looked_up_leaves_no_doubt_that_nothing_was_started(self, aom: Bench) -> None:
        aom.emulator.faults.add(FaultRule(operation=NAMES, status=500, times=None))
        result = aom.airflow.run_to_end(starter(workflow_name="plain-chain"))
        assert isinstance(result.error, ServerError)
        assert sent(aom, START) == []
        assert aom.airflow.state_store == {}

    def test_is_not_looked_up_again_between_the_intent_and_the_start(self, aom: Bench) -> None:
        assert aom.airflow.run_to_end(starter(workflow_name="plain-chain", wait_for_completion=False)).error is None
        (start,) = aom.emulator.journal.find(START)
        listed = aom.emulator.journal.find("ListWorkflowExecutions")
        assert listed
        searches = [entry for entry in aom.emulator.journal.find(NAMES) if entry.body.get("search")]
        assert searches[-1].sequence < listed[-1].sequence < start.sequence

    def test_of_several_workflows(self, aom: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(aom.emulator.aom.workflow(FAILS_ONCE).body, "name", "plain-chain")
        result = aom.airflow.run_to_end(starter(workflow_name="plain-chain"))
        assert isinstance(result.error, InvalidInputError)
        assert PLAIN_CHAIN in str(result.error)
        assert FAILS_ONCE in str(result.error)
        assert executions(aom) == []
        assert aom.airflow.state_store == {}

    def test_of_no_workflow(self, aom: Bench) -> None:
        result = aom.airflow.run_to_end(starter(workflow_name="plain"))
        assert isinstance(result.error, NotFoundError)
        assert "'plain-chain'" in str(result.error)
        assert executions(aom) == []
        assert aom.airflow.state_store == {}

    def test_taken_up_by_a_later_attempt(self, aom: Bench) -> None:
        operator = starter(workflow_name="fails-once", retries=1)
        assert [aom.airflow.run_to_end(operator).state for _ in range(2)] == ["up_for_retry", "success"]
        assert len(executions(aom)) == 1


class TestFromATemplate:
    @both_modes
    def test_with_inputs_and_the_beginning_of_a_name(self, aom: Bench, deferrable: bool) -> None:
        operator = starter(template_id=TEMPLATE, workflow_name="nightly", inputs=INPUTS, deferrable=deferrable)
        result = aom.airflow.run_to_end(operator)
        assert result.state == "success", result.log
        (workflow,) = made(aom)
        assert MADE_NAME.fullmatch(workflow.name)
        assert workflow.body["input"] == INPUTS
        assert workflow.body["template_id"] == TEMPLATE
        assert list(workflow.executions) == [result.xcoms["return_value"]]
        assert result.xcoms["run"]["name"] == workflow.name

    def test_with_a_name_of_the_token_alone(self, aom: Bench) -> None:
        assert aom.airflow.run_to_end(starter(template_id=TEMPLATE)).state == "success"
        (workflow,) = made(aom)
        assert re.fullmatch(r"airflow-[0-9a-f]{16}", workflow.name)

    def test_of_the_service(self, aom: Bench) -> None:
        operator = starter(template_id=PUBLIC_TEMPLATE, template_share_type="public")
        assert aom.airflow.run_to_end(operator).state == "success"
        assert len(executions(aom)) == 1

    def test_that_does_not_exist(self, aom: Bench) -> None:
        result = aom.airflow.run_to_end(starter(template_id="f" * 32))
        assert isinstance(result.error, NotFoundError)
        assert sent(aom, CREATE, START) == []

    def test_with_the_longest_name(self, aom: Bench) -> None:
        operator = starter(template_id=TEMPLATE, workflow_name="n" * LONGEST_PREFIX)
        assert aom.airflow.run_to_end(operator).state == "success"
        (workflow,) = made(aom)
        assert len(workflow.name) == 64

    def test_with_a_name_that_is_too_long(self, aom: Bench) -> None:
        error = refused(aom, starter(template_id=TEMPLATE, workflow_name="n" * (LONGEST_PREFIX + 1)))
        assert "64" in str(error)

    def test_with_a_name_that_cannot_be_one(self, aom: Bench) -> None:
        assert "'every night-" in str(refused(aom, starter(template_id=TEMPLATE, workflow_name="every night")))

    def test_repair_stays_within_the_new_workflow(self, aom: Bench) -> None:
        operator = starter(template_id=FLAKY_TEMPLATE, retries=1)
        assert [aom.airflow.run_to_end(operator).state for _ in range(2)] == ["up_for_retry", "success"]
        assert len(made(aom)) == len(executions(aom)) == 1


class TestArguments:
    @pytest.mark.parametrize("other", [{"workflow_name": "plain-chain"}, {"template_id": TEMPLATE}])
    def test_an_id_goes_with_no_other(self, aom: Bench, other: dict[str, str]) -> None:
        assert "workflow_id goes with no other" in str(refused(aom, starter(workflow_id=PLAIN_CHAIN, **other)))

    def test_something_has_to_be_named(self, aom: Bench) -> None:
        assert "workflow_id, workflow_name or template_id" in str(refused(aom, starter()))

    @pytest.mark.parametrize("existing", [{"workflow_name": "plain-chain"}, {"workflow_id": PLAIN_CHAIN}])
    def test_an_existing_workflow_takes_no_inputs(self, aom: Bench, existing: dict[str, str]) -> None:
        assert "template_id only" in str(refused(aom, starter(inputs=INPUTS, **existing)))

    def test_those_of_all_operators_may_be_defaults_of_the_dag(self) -> None:
        ours = {"huawei_conn_id": "ours", "region": "cn-south-1", "project_id": "p" * 32, "states": {"odd": "failed"}}
        with DAG("defaults", schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC), default_args=ours):
            tasks = [
                AomStartWorkflowOperator(task_id="start", workflow_id="w"),
                AomNodeOperationOperator(task_id="act", workflow_id="w", execution_id="e", node="n", action="skip"),
                AomTerminateOperator(task_id="stop", workflow_id="w", execution_id="e"),
            ]
        wanted = {**ours, "states": '{"odd": "failed"}'}
        assert [task.service.scope_of(task) for task in tasks] == [wanted] * 3


class TestLostAnswers:
    """The workflow of a template is the task's own, so what became of it can always be told."""

    def test_of_the_start(self, aom: Bench) -> None:
        aom.emulator.faults.add(FaultRule(operation=START, when="after", action="reset"))
        result = aom.airflow.run_to_end(starter(template_id=TEMPLATE))
        assert result.state == "success", result.log
        assert "by its marker" in result.log
        assert len(made(aom)) == len(executions(aom)) == 1

    @both_modes
    def test_of_the_start_and_of_what_follows(self, aom: Bench, deferrable: bool) -> None:
        aom.emulator.faults.add(FaultRule(operation=START, when="after", action="reset"))
        outage = aom.emulator.faults.add(FaultRule(operation=NAMES, status=503, times=None))
        operator = starter(template_id=TEMPLATE, workflow_name="nightly", retries=1, deferrable=deferrable)
        first = aom.airflow.run_to_end(operator)
        assert first.state == "up_for_retry"
        assert isinstance(first.error, ServerError)
        aom.emulator.faults.remove(outage)
        result = aom.airflow.run_to_end(operator)
        assert result.state == "success", result.log
        (execution,) = executions(aom)
        assert result.xcoms["return_value"] == execution.execution_id
        assert sent(aom, START) == [START]

    def test_of_the_creation(self, aom: Bench) -> None:
        aom.emulator.faults.add(FaultRule(operation=CREATE, when="after", action="reset"))
        operator = starter(template_id=TEMPLATE, retries=1)
        first = aom.airflow.run_to_end(operator)
        assert first.state == "up_for_retry"
        assert isinstance(first.error, TransportError)
        assert executions(aom) == []
        assert aom.airflow.run_to_end(operator).state == "success"
        assert len(executions(aom)) == 1

    def test_of_a_start_that_took_no_effect(self, aom: Bench) -> None:
        aom.emulator.faults.add(FaultRule(operation=START, when="before", action="reset"))
        operator = starter(template_id=TEMPLATE, retries=1)
        assert [aom.airflow.run_to_end(operator).state for _ in range(2)] == ["up_for_retry", "success"]
        assert len(executions(aom)) == 1


class TestRepair:
    @both_modes
    def test_restarts_the_failed_node(self, aom: Bench, deferrable: bool) -> None:
        operator = starter(workflow_id=FAILS_ONCE, retries=1, deferrable=deferrable)
        first = aom.airflow.run_to_end(operator)
        assert isinstance(first.error, RunFailedError)
        assert "service app did not come up" in str(first.error)
        assert aom.airflow.run_to_end(operator).state == "success"
        (action,) = aom.emulator.journal.find(ACT)
        assert (action.action, action.ids["node_id"]) == ("restart", FAILING_NODE)
        assert sent(aom, START, STOP) == [START]

    def test_is_not_for_what_somebody_stopped(self, aom: Bench) -> None:
        operator = starter(workflow_id=FAILS_ONCE, retries=1, on_stopped="repair")
        assert aom.airflow.run_to_end(operator).state == "up_for_retry"
        (execution,) = executions(aom)
        aom.emulator.aom.terminate(execution.execution_id)
        aom.clock.advance(60)
        result = aom.airflow.run_to_end(operator)
        assert isinstance(result.error, BadRequestError)
        assert "Start the workflow anew" in str(result.error)
        assert sent(aom, START, ACT) == [START]

    def test_a_service_that_allows_one_execution_takes_another_in_place_of_a_failed_one(self, aom: Bench) -> None:
        aom.emulator.switches.update({"aom_concurrent": "reject", "stop_seconds": 0.0}, aom.emulator.lock)
        operator = starter(workflow_id=FAILS_ONCE, retries=1, on_retry="restart")
        assert [aom.airflow.run_to_end(operator).state for _ in range(2)] == ["up_for_retry", "failed"]
        assert [each.status for each in executions(aom)] == ["cancel", "pausing"]
        assert sent(aom, START, STOP) == [START, STOP, START]


class TestNodeActions:
    @both_modes
    @pytest.mark.parametrize("shown", ["skip", "skipped", "fail", "success"])
    def test_skip_of_a_failed_node(self, aom: Bench, shown: str, deferrable: bool) -> None:
        aom.emulator.switches.update({"aom_skipped_node": shown}, aom.emulator.lock)
        execution = begun(aom, FAILS_ONCE)
        result = aom.airflow.run_to_end(node_operator(execution, "restart", "skip", deferrable=deferrable))
        assert result.state == "success", result.log
        assert result.xcoms["return_value"] == execution.execution_id
        assert (result.xcoms["step"]["name"], result.xcoms["step"]["status"]) == ("restart", shown)
        assert [entry.action for entry in aom.emulator.journal.find(ACT)] == ["skip"]
        aom.clock.advance(60)
        assert aom.emulator.aom.execution(execution.execution_id).status == "success"

    def test_skip_of_the_last_node(self, aom: Bench) -> None:
        aom.emulator.switches.update({"aom_skipped_node": "fail"}, aom.emulator.lock)
        execution = begun(aom, added(aom, NodeDefinition("only", (fails(5),))).workflow_id)
        assert aom.airflow.run_to_end(node_operator(execution, "only", "skip")).state == "success"

    def test_skip_that_the_service_ignores(self, aom: Bench) -> None:
        aom.emulator.faults.add(FaultRule(operation=ACT, status=400))
        execution = begun(aom, FAILS_ONCE)
        result = aom.airflow.run_to_end(node_operator(execution, "restart", "skip"))
        assert isinstance(result.error, BadRequestError)

    def test_no_other_action(self, aom: Bench) -> None:
        execution = begun(aom, FAILS_ONCE)
        result = aom.airflow.run_to_end(node_operator(execution, "restart", "stop"))
        assert isinstance(result.error, InvalidInputError)
        assert "'restart', 'skip', 'continue'" in str(result.error)
        assert aom.requests == []

    @pytest.mark.parametrize(("workflow_id", "node"), [(ASKS_MIDWAY, "approve"), (WAITS_FOR_APPROVAL, "approval")])
    def test_an_approval_is_not_given(self, aom: Bench, workflow_id: str, node: str) -> None:
        execution = begun(aom, workflow_id)
        result = aom.airflow.run_to_end(node_operator(execution, node, "continue"))
        assert isinstance(result.error, InvalidInputError)
        assert "approver must approve it in the console" in str(result.error)
        assert sent(aom, ACT) == []


APPROVALS = pytest.mark.parametrize(
    ("workflow_id", "step"), [(ASKS_MIDWAY, "approve"), (WAITS_FOR_APPROVAL, "approval")]
)


@APPROVALS
class TestApprovals:
    @both_modes
    def test_cannot_be_given_by_a_task(self, aom: Bench, workflow_id: str, step: str, deferrable: bool) -> None:
        operator = starter(workflow_id=workflow_id, on_waiting="continue", approve_steps=[step], deferrable=deferrable)
        result = aom.airflow.run_to_end(operator)
        assert isinstance(result.error, InvalidInputError)
        assert "approver must approve it in the console" in str(result.error)
        assert sent(aom, START, ACT) == [START]

    @both_modes
    def test_are_failure_if_so_wished(self, aom: Bench, workflow_id: str, step: str, deferrable: bool) -> None:
        result = aom.airflow.run_to_end(starter(workflow_id=workflow_id, on_waiting="fail", deferrable=deferrable))
        assert isinstance(result.error, RunWaitingError)
        assert f"{step} (waitApproval)" in str(result.error)
        assert sent(aom, START, STOP) == [START]

    @pytest.mark.parametrize("approved", [True, False])
    def test_are_waited_for(self, aom: Bench, workflow_id: str, step: str, approved: bool) -> None:
        operator = starter(workflow_id=workflow_id, deferrable=True)
        assert aom.airflow.run(operator).state == "deferred"
        (execution,) = executions(aom)
        aom.clock.advance(3600)
        decide = aom.emulator.aom.approve if approved else aom.emulator.aom.refuse
        decide(execution.execution_id)
        event = aom.airflow.run_trigger().payload
        result = aom.airflow.resume(operator, event)
        if approved:
            assert result.state == "success"
        else:
            assert isinstance(result.error, RunFailedError)
            assert "approvalFailed" in str(result.error) or "approval was refused" in str(result.error)


def age(deferrable: bool) -> float:
    """Seconds after which a sensor looks at an execution: on a worker when it is over, as no time passes there."""
    return 2.0 if deferrable else 60.0


def node_sensor(execution: Execution, node: str, **arguments: Any) -> AomNodeSensor:
    return AomNodeSensor(
        task_id="wait",
        workflow_id=execution.workflow_id,
        execution_id=execution.execution_id,
        node=node,
        poke_interval=10.0,
        **arguments,
    )


class TestNodeSensor:
    @both_modes
    @pytest.mark.parametrize("by", ["name", "id"])
    def test_names_the_node(self, aom: Bench, by: str, deferrable: bool) -> None:
        execution = begun(aom, PLAIN_CHAIN, age(deferrable))
        key = "restart" if by == "name" else execution.node("restart").node_id
        result = aom.airflow.run_to_end(node_sensor(execution, key, deferrable=deferrable))
        assert result.state == "success", result.log
        assert result.xcoms["step"]["name"] == "restart"
        assert result.xcoms["step"]["id"] == execution.node("restart").node_id


class TestTerminate:
    @both_modes
    def test_of_what_is_over_sends_nothing(self, aom: Bench, deferrable: bool) -> None:
        execution = begun(aom, PLAIN_CHAIN)
        operator = AomTerminateOperator(
            task_id="stop",
            workflow_id=PLAIN_CHAIN,
            execution_id=execution.execution_id,
            deferrable=deferrable,
        )
        result = aom.airflow.run_to_end(operator)
        assert result.state == "success"
        assert result.xcoms["return_value"] == execution.execution_id
        assert sent(aom, STOP) == []


ODD = {"finished": "succeeded", "broken": "failed", "halted": "stopped"}
ENDS = {"finished": None, "broken": RunFailedError, "halted": RunStoppedError}


def odd_workflow(aom: Bench, status: str) -> str:
    """A workflow whose executions end with a status that no document names."""
    script = phases(("executing", 20), status)
    return added(aom, NodeDefinition("only", (succeeds(5),)), status_script=script).workflow_id


def check_end(result: TaskResult, status: str) -> None:
    wanted = ENDS[status]
    assert (type(result.error) if result.error else None) is wanted, result.log
    assert "which this provider does not know" not in result.log


class TestStates:
    @both_modes
    @pytest.mark.parametrize("status", ENDS)
    def test_are_overridden_by_operators(self, aom: Bench, status: str, deferrable: bool) -> None:
        operator = starter(workflow_id=odd_workflow(aom, status), states=ODD, deferrable=deferrable)
        check_end(aom.airflow.run_to_end(operator), status)

    @both_modes
    @pytest.mark.parametrize("status", ENDS)
    def test_are_overridden_by_sensors(self, aom: Bench, status: str, deferrable: bool) -> None:
        execution = begun(aom, odd_workflow(aom, status), age(deferrable))
        sensor = AomExecutionSensor(
            task_id="wait",
            workflow_id=execution.workflow_id,
            execution_id=execution.execution_id,
            states=ODD,
            poke_interval=10.0,
            deferrable=deferrable,
        )
        check_end(aom.airflow.run_to_end(sensor), status)

    def test_of_nodes_are_overridden_as_well(self, aom: Bench) -> None:
        flow = added(aom, NodeDefinition("only", (NodeAttempt(phases(("executing", 5), "parked")),)))
        execution = begun(aom, flow.workflow_id)
        result = aom.airflow.run_to_end(node_sensor(execution, "only", states={"parked": "succeeded"}))
        assert result.state == "success", result.log
        assert result.xcoms["step"]["status"] == "parked"

    def test_get_to_the_trigger_and_back(self, aom: Bench) -> None:
        operator = starter(workflow_id=odd_workflow(aom, "finished"), states=ODD, deferrable=True)
        result = aom.airflow.run(operator)
        assert result.deferral is not None
        trigger = rebuilt(operator.service.trigger(operator.service.scope_of(operator), **WATCH))
        assert trigger.states == operator.states
        assert trigger.serialize() == rebuilt(trigger).serialize()
        assert trigger.huawei_conn_id == HUAWEI_CONNECTION

    def test_mean_the_same_as_a_mapping_and_as_text(self) -> None:
        texts = ['{"broken": "failed", "finished": "succeeded", "halted": "stopped"}', ODD]
        assert len({starter(workflow_id="w", states=states).states for states in texts}) == 1

    def test_that_are_none_are_refused(self, aom: Bench) -> None:
        assert "'great'" in str(refused(aom, starter(workflow_id=PLAIN_CHAIN, states={"finished": "great"})))


WATCH = {"workflow_id": "w", "run_id": "e", "deadline": 1.0}


def rebuilt(trigger: Any) -> AomExecutionTrigger:
    """The trigger as a triggerer makes it from its row."""
    path, arguments = trigger.serialize()
    module, _, name = path.rpartition(".")
    made: AomExecutionTrigger = getattr(import_module(module), name)(**arguments)
    return made
