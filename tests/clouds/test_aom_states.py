"""What statuses of AOM automation mean, and executions in the words of every service."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_provider_mlworkflows.clouds.huawei.aom_actions import (
    NODE_ACTIONS,
    check_action,
    check_no_approval,
    named_step,
    steps_to_restart,
)
from airflow_provider_mlworkflows.clouds.huawei.aom_graph import WorkflowNodes
from airflow_provider_mlworkflows.clouds.huawei.aom_models import Execution, NodeResult
from airflow_provider_mlworkflows.clouds.huawei.aom_states import (
    APPROVAL,
    LITERALS,
    AomStates,
    Reader,
    newest_results,
)
from airflow_provider_mlworkflows.exceptions import BadRequestError, InvalidInputError
from airflow_provider_mlworkflows.runs import Run, RunRef, RunState
from tests.clouds.aom_support import EXECUTION, WORKFLOW, execution, result, workflow

REF = RunRef(WORKFLOW, EXECUTION)
EIGHT = datetime(2024, 10, 25, 8, tzinfo=UTC)
NOBODY_KNOWS = WorkflowNodes()
CHAIN = WorkflowNodes.of(
    workflow(
        {"id": "a", "name": "collect"},
        {"id": "b", "name": "restart", "parent_node": "a"},
        {"id": "c", "name": "report", "parent_node": "b"},
    )
)
MEANINGS = [
    ("success", RunState.SUCCEEDED),
    ("fail", RunState.FAILED),
    ("executing", RunState.ACTIVE),
    ("cancel", RunState.STOPPED),
    ("canceling", RunState.STOPPING),
    ("waitExecute", RunState.ACTIVE),
    ("waitApproval", RunState.WAITING),
    ("approvalFailed", RunState.FAILED),
    ("pausing", RunState.WAITING),
    ("running", RunState.ACTIVE),
    ("timeout", RunState.FAILED),
]


def read(shown: Execution, nodes: WorkflowNodes = NOBODY_KNOWS, *, listed: bool = False, **states: Any) -> Run:
    return Reader(AomStates(states)).run(shown, REF, nodes, url="https://console", listed=listed)


class TestLiterals:
    def test_all_are_here(self) -> None:
        assert {literal for literal, _ in MEANINGS} == set(LITERALS)

    @pytest.mark.parametrize(("literal", "state"), MEANINGS)
    @pytest.mark.parametrize("spelt", [str, str.upper, str.lower, str.capitalize, lambda text: f" {text} "])
    def test_in_any_case(self, literal: str, state: RunState, spelt: Any) -> None:
        assert AomStates().of(spelt(literal)) is state
        assert AomStates().of_node(NodeResult(status=spelt(literal))) is state
        assert read(execution(spelt(literal))).state is state

    @pytest.mark.parametrize("literal", ["", "skip", "finished", "succeeded", "pause", "创建中"])
    def test_what_nobody_documented_is_unknown(self, literal: str) -> None:
        run = read(execution(literal))
        assert (run.state, run.status) == (RunState.UNKNOWN, literal)

    @pytest.mark.parametrize("literal", ["skip", "Skipped"])
    def test_a_node_may_be_skipped(self, literal: str) -> None:
        (step,) = read(execution("executing", result("a", literal))).steps
        assert step.state is RunState.SKIPPED


class TestOverrides:
    @pytest.mark.parametrize(
        "states",
        [{"Finished": "succeeded", "pausing": RunState.FAILED}, '{"finished": "succeeded", "PAUSING": "failed"}'],
    )
    def test_change_and_add(self, states: Any) -> None:
        mine = AomStates(states)
        assert mine.of("FINISHED") is RunState.SUCCEEDED
        assert mine.of("pausing") is RunState.FAILED
        assert mine.of_node(NodeResult(status="finished")) is RunState.SUCCEEDED
        assert mine.of("fail") is RunState.FAILED
        assert AomStates().of("finished") is RunState.UNKNOWN

    @pytest.mark.parametrize("states", [None, {}, "", "{}"])
    def test_none(self, states: Any) -> None:
        assert AomStates(states).of("success") is RunState.SUCCEEDED

    @pytest.mark.parametrize(
        ("states", "what"),
        [
            ({"finished": "done"}, "'finished' cannot mean 'done'"),
            ({7: "failed"}, "7 cannot mean 'failed'"),
            ({"finished": None}, "cannot mean None"),
            ("finished", "given as a mapping"),
            ("{broken", "given as a mapping"),
            (["finished"], "given as a mapping"),
        ],
    )
    def test_that_make_no_sense(self, states: Any, what: str) -> None:
        with pytest.raises(InvalidInputError, match=what):
            AomStates(states)

    def test_of_pausing_leave_it_something_to_stop(self) -> None:
        assert not AomStates({"pausing": "failed"}).is_settled("Pausing")

    @pytest.mark.parametrize(("literal", "state"), MEANINGS)
    def test_what_is_settled(self, literal: str, state: RunState) -> None:
        assert AomStates().is_settled(literal) is (state.is_terminal or state is RunState.STOPPING)

    def test_what_nobody_knows_is_not(self) -> None:
        assert not AomStates().is_settled("finished")


class TestPausing:
    def test_at_a_pause_waits_at_a_gate(self) -> None:
        run = read(execution("pausing", result("a"), result("b", "pausing", begun=5, ended=None)))
        assert run.state is RunState.WAITING
        (step,) = run.waiting_steps
        assert (step.id, step.is_gate) == ("b", True)
        assert run.message == "b: pausing"

    @pytest.mark.parametrize("status", ["fail", "FAIL", "timeout"])
    def test_at_a_failed_node_has_failed(self, status: str) -> None:
        run = read(execution("Pausing", result("a"), result("b", status, begun=5, output={"error": "no disk"})))
        assert (run.state, run.status) == (RunState.FAILED, "Pausing")
        assert [step.id for step in run.failed_steps] == ["b"]
        assert run.message == "b: no disk"

    def test_at_a_node_that_pauses_with_an_error_has_failed(self) -> None:
        run = read(execution("pausing", result("b", "pausing", ended=None, output='{"error": "no disk"}')))
        assert run.state is RunState.FAILED
        assert not run.steps[0].is_gate

    def test_in_a_list_without_nodes_is_not_known_to_have_failed(self) -> None:
        run = read(execution("pausing", execution_result_list=None), listed=True)
        assert (run.state, run.has_steps) == (RunState.WAITING, False)

    def test_in_a_list_with_nodes(self) -> None:
        run = read(execution("pausing", result("b", "fail")), listed=True)
        assert (run.state, run.has_steps) == (RunState.FAILED, True)

    def test_after_a_failure_that_the_workflow_ignores_waits(self) -> None:
        nodes = WorkflowNodes.of(workflow({"id": "a", "ignore_error": True}, {"id": "b"}))
        run = read(execution("pausing", result("a", "fail"), result("b", "pausing", begun=3, ended=None)), nodes)
        assert run.state is RunState.WAITING

    def test_after_a_failed_node_that_was_skipped_waits(self) -> None:
        shown = execution(
            "pausing",
            result("a", "fail", ended=5),
            result("b", begun=60, ended=65),
            result("c", "pausing", begun=65, ended=None),
        )
        assert read(shown, CHAIN).state is RunState.WAITING
        assert read(shown).state is RunState.WAITING

    def test_in_one_branch_while_another_has_failed_has_failed(self) -> None:
        nodes = WorkflowNodes.of(workflow({"id": "a"}, {"id": "b"}, {"id": "c", "parent_node": "b"}))
        shown = execution("pausing", result("b", "fail", ended=5), result("a", "pausing", begun=9, ended=None))
        assert read(shown, nodes).state is RunState.FAILED

    def test_at_a_failed_node_after_one_that_was_skipped(self) -> None:
        run = read(execution("pausing", result("a", "fail", ended=5), result("b", "fail", begun=60, ended=65)), CHAIN)
        assert run.state is RunState.FAILED
        assert [step.name for step in steps_to_restart(run, CHAIN)] == ["restart"]

    def test_at_a_failed_node_that_was_passed_at_first(self) -> None:
        shown = execution("pausing", result("a", "fail", begun=60, ended=65), result("b", begun=5, ended=9))
        assert read(shown, CHAIN).state is RunState.FAILED

    def test_at_a_failed_node_while_nobody_knows_the_order(self) -> None:
        shown = execution("pausing", result("a", "fail", ended=5), result("b", begun=60, ended=65))
        assert read(shown).state is RunState.FAILED

    @pytest.mark.parametrize("status", ["executing", "success", "cancel", "waitExecute"])
    def test_only_pausing_is_read_that_way(self, status: str) -> None:
        assert read(execution(status, result("a", "fail"))).state is AomStates().of(status)

    @pytest.mark.parametrize(
        ("status", "held"), [("pausing", True), ("PAUSING", True), ("fail", False), ("cancel", False)]
    )
    def test_that_has_failed_is_held_until_somebody_acts(self, status: str, held: bool) -> None:
        run = read(execution(status, result("a", "fail")))
        assert (run.held, run.is_over) == (held, not held)

    @pytest.mark.parametrize("status", ["pausing", "executing", "canceling"])
    def test_that_has_not_failed_is_neither_held_nor_over(self, status: str) -> None:
        run = read(execution(status, result("a", "success")))
        assert (run.held, run.is_over) == (False, False)

    def test_unless_it_means_something_else_here(self) -> None:
        assert read(execution("pausing", result("a", "fail")), pausing="active").state is RunState.ACTIVE


class TestApproval:
    def test_is_a_gate(self) -> None:
        run = read(execution("waitApproval", approve_user_name_list=["zhang", "li"]))
        (step,) = run.steps
        assert (step.id, step.name, step.state, step.is_gate) == (APPROVAL, APPROVAL, RunState.WAITING, True)
        assert run.waiting_steps == (step,)

    def test_that_was_refused(self) -> None:
        run = read(execution("approvalFailed", approve_user_name_list=["zhang", "li"]))
        assert (run.state, run.steps[0].is_gate) == (RunState.FAILED, False)
        assert run.message == "approval: the approval was refused (asked: zhang, li)"

    @pytest.mark.parametrize(
        ("literal", "state"), [("waitApproval", RunState.WAITING), ("approvalFailed", RunState.FAILED)]
    )
    def test_is_the_node_that_asks_for_it_if_there_is_one(self, literal: str, state: RunState) -> None:
        run = read(execution(literal, result("a"), result("b", literal.upper(), begun=5, ended=None)))
        assert [(step.id, step.state) for step in run.steps] == [("a", RunState.SUCCEEDED), ("b", state)]
        assert run.state is state
        with pytest.raises(InvalidInputError, match="an approval, which the API cannot give"):
            check_no_approval(run, run.steps[1])

    def test_that_was_refused_leaves_nothing_to_restart(self) -> None:
        run = read(execution("approvalFailed", result("b", "approvalFailed")))
        with pytest.raises(InvalidInputError, match="Start the workflow anew"):
            check_action(run, run.steps[0], "restart")
        with pytest.raises(BadRequestError, match="stands at no failed node"):
            steps_to_restart(run, NOBODY_KNOWS)

    def test_is_no_step_of_any_other_run(self) -> None:
        assert read(execution("executing", approve_user_name_list=["zhang"])).steps == ()


class TestRun:
    def test_with_all_that_is_known(self) -> None:
        shown = execution(
            "success",
            result("a", output='{"instances": ["ecs-1"]}'),
            result("b", begun=5, ended=9),
            end_time=1729843209000,
        )
        run = read(shown, CHAIN)
        assert (run.ref, run.name, run.url) == (REF, "nightly", "https://console")
        assert (run.started_at, run.ended_at) == (EIGHT, EIGHT + timedelta(seconds=9))
        assert [(step.name, step.duration) for step in run.steps] == [("collect", 5.0), ("restart", 4.0)]
        assert run.outputs == {"collect": {"instances": ["ecs-1"]}}

    def test_that_goes_on_has_no_end(self) -> None:
        run = read(execution("executing", result("a", "executing", ended=None), end_time=1729843209000))
        assert (run.ended_at, run.steps[0].duration) == (None, None)

    def test_with_a_node_in_several_records(self) -> None:
        shown = execution("executing", result("a", "fail", ended=5), result("a", "executing", begun=9, ended=None))
        (step,) = read(shown).steps
        assert (step.state, step.attempt, step.started_at) == (RunState.ACTIVE, 2, EIGHT + timedelta(seconds=9))

    def test_whatever_the_order_of_the_records(self) -> None:
        shown = execution("executing", result("a", begun=9), result("a", "fail", begun=0), result("b", begun=None))
        assert {key: each.status for key, each in newest_results(shown).items()} == {"a": "success", "b": "success"}

    def test_shows_every_action(self) -> None:
        """A restart that reuses the record of a node must not look as if nothing had happened."""
        before = read(execution("pausing", result("a", "fail", ended=5)))
        after = read(execution("pausing", result("a", "fail", begun=60, ended=65)))
        assert before.fingerprint != after.fingerprint

    def test_ends_before_they_begin_count_for_nothing(self) -> None:
        assert read(execution("success", result("a", begun=9, ended=5))).steps[0].duration is None


class TestNodes:
    def test_of_a_workflow_whose_steps_have_ids_of_their_own(self) -> None:
        nodes = WorkflowNodes.of(
            workflow(
                {"id": "n1", "name": "collect", "category": "service"},
                {"id": "n2", "name": "restart", "parent_node": "n1", "metadata": {"type": "script"}},
                steps=[{"id": "s1", "name": "collect"}, {"id": "s2", "name": "restart", "ignore_error": True}],
                enterprise_project_id="ep-1",
            )
        )
        assert [nodes.info(each).name for each in ("n1", "n2", "s1")] == ["collect", "restart", "s1"]
        assert [nodes.info(each).kind for each in ("n1", "n2")] == ["service", "script"]
        assert [nodes.info(each).ignore_error for each in ("n1", "n2")] == [False, True]
        assert (nodes.workflow_name, nodes.enterprise_project_id) == ("nightly", "ep-1")

    def test_of_a_workflow_whose_steps_are_its_nodes(self) -> None:
        nodes = WorkflowNodes.of(
            workflow({"id": "n1"}, steps=[{"id": "n1", "name": "collect", "ignore_error": "true"}])
        )
        assert (nodes.info("n1").name, nodes.info("n1").ignore_error) == ("collect", True)

    def test_of_a_workflow_that_shows_steps_only(self) -> None:
        nodes = WorkflowNodes.of(workflow(steps=[{"id": "s1", "name": "collect", "type": "script"}, {"name": "lost"}]))
        assert (nodes.info("s1").name, nodes.info("s1").kind, len(nodes.nodes)) == ("collect", "script", 1)

    def test_that_share_a_name_are_told_apart_by_id(self) -> None:
        nodes = WorkflowNodes.of(workflow({"id": "n1", "name": "x"}, {"id": "n2", "name": "x"}, {"id": "n3"}))
        assert [nodes.info(each).name for each in ("n1", "n2", "n3")] == ["n1", "n2", "n3"]

    @pytest.mark.parametrize("parent", ["n1", "collect", ["n1"], '["n1"]', {"id": "n1"}, [{"id": "n1"}, "gone"]])
    def test_come_after_each_other(self, parent: Any) -> None:
        nodes = WorkflowNodes.of(workflow({"id": "n1", "name": "collect"}, {"id": "n2", "parent_node": parent}))
        assert nodes.has_order
        assert nodes.comes_after("n2", "n1")
        assert not nodes.comes_after("n1", "n2")

    @pytest.mark.parametrize("parent", [None, "", "gone", [], {}, 7, "n2"])
    def test_whose_order_is_not_known(self, parent: Any) -> None:
        nodes = WorkflowNodes.of(workflow({"id": "n1", "name": "collect"}, {"id": "n2", "parent_node": parent}))
        assert not nodes.has_order


class TestActions:
    FAILED = read(execution("pausing", result("a"), result("b", "fail", begun=5, ended=9)), CHAIN)
    PAUSED = read(execution("pausing", result("a"), result("b", "pausing", begun=5, ended=None)), CHAIN)

    def test_are_three(self) -> None:
        assert NODE_ACTIONS == ("restart", "skip", "continue")

    @pytest.mark.parametrize("node", ["b", "restart"])
    def test_on_a_node_by_id_or_name(self, node: str) -> None:
        assert named_step(self.FAILED, node).id == "b"

    def test_the_id_counts_more_than_the_name(self) -> None:
        nodes = WorkflowNodes.of(workflow({"id": "a", "name": "b"}, {"id": "b", "name": "x"}))
        assert named_step(read(execution("fail", result("a"), result("b")), nodes), "b").id == "b"

    def test_on_a_node_that_has_not_begun(self) -> None:
        with pytest.raises(InvalidInputError, match=r"no node 'report'. Its nodes are: collect \(a\), restart \(b\)"):
            named_step(self.FAILED, "report")
        with pytest.raises(InvalidInputError, match="none yet"):
            named_step(read(execution("waitExecute")), "report")

    @pytest.mark.parametrize(("run", "action"), [(FAILED, "restart"), (FAILED, "skip"), (PAUSED, "continue")])
    def test_that_fit(self, run: Run, action: str) -> None:
        check_action(run, named_step(run, "b"), action)

    @pytest.mark.parametrize("status", ["fail", "timeout", "unheard-of"])
    def test_that_fit_other_standing_runs(self, status: str) -> None:
        run = read(execution(status, result("b", "fail")))
        check_action(run, run.steps[0], "restart")

    @pytest.mark.parametrize("action", NODE_ACTIONS)
    def test_on_a_node_in_an_unknown_state_are_for_the_service_to_judge(self, action: str) -> None:
        run = read(execution("pausing", result("b", "broken")))
        check_action(run, run.steps[0], action)

    @pytest.mark.parametrize(
        ("run", "node", "action"),
        [
            (FAILED, "b", "continue"),
            (FAILED, "a", "restart"),
            (FAILED, "a", "skip"),
            (PAUSED, "b", "restart"),
            (PAUSED, "b", "skip"),
            (PAUSED, "a", "continue"),
        ],
    )
    def test_that_do_not_fit_the_node(self, run: Run, node: str, action: str) -> None:
        with pytest.raises(BadRequestError, match=rf"{action} was not sent: restart and skip are for a failed node"):
            check_action(run, named_step(run, node), action)

    @pytest.mark.parametrize("status", ["executing", "waitExecute", "success", "cancel", "canceling"])
    def test_that_do_not_fit_the_run(self, status: str) -> None:
        run = read(execution(status, result("b", "fail")))
        with pytest.raises(BadRequestError, match=f"is {status}, so restart on node b was not sent"):
            check_action(run, run.steps[0], "restart")
        with pytest.raises(BadRequestError, match="cannot be repaired"):
            steps_to_restart(run, NOBODY_KNOWS)

    @pytest.mark.parametrize("action", NODE_ACTIONS)
    def test_on_an_approval(self, action: str) -> None:
        run = read(execution("waitApproval"))
        with pytest.raises(InvalidInputError, match="approve it in the console: https://console"):
            check_action(run, run.steps[0], action)

    def test_on_a_node_that_is_an_approval(self) -> None:
        run = read(execution("pausing", result("b", "WaitApproval", ended=None)))
        assert run.steps[0].is_gate
        with pytest.raises(InvalidInputError, match="approve it in the console"):
            check_no_approval(run, run.steps[0])

    @pytest.mark.parametrize(
        "shown",
        [
            execution("fail"),
            execution("approvalFailed"),
            execution("pausing", result("b", "pausing", ended=None)),
            execution("pausing", result("b", "unheard-of")),
        ],
    )
    def test_repair_needs_a_failed_node(self, shown: Execution) -> None:
        with pytest.raises(BadRequestError, match=r"stands at no failed node\. Start the workflow anew"):
            steps_to_restart(read(shown), NOBODY_KNOWS)
