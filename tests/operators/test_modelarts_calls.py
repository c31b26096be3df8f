"""Schedules, subscriptions, tags and authorizations: asked for once, whatever happens meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_mlworkflows.emulator import FaultRule
from airflow_provider_mlworkflows.emulator.modelarts.ready import NOTEBOOK, PLAIN_CHAIN
from airflow_provider_mlworkflows.exceptions import (
    BadRequestError,
    InvalidInputError,
    MLWorkflowsError,
    NotFoundError,
    StartUncertainError,
    TransportError,
)
from airflow_provider_mlworkflows.hooks.modelarts import ModelArtsHook
from airflow_provider_mlworkflows.operators.modelarts_extras import (
    ModelArtsAuthorizeServiceOperator,
    ModelArtsTagNotebookOperator,
    ModelArtsUntagNotebookOperator,
)
from airflow_provider_mlworkflows.operators.modelarts_schedules import (
    ModelArtsCreateScheduleOperator,
    ModelArtsDeleteScheduleOperator,
    ModelArtsUpdateScheduleOperator,
)
from airflow_provider_mlworkflows.operators.modelarts_subscriptions import (
    ModelArtsCreateSubscriptionOperator,
    ModelArtsDeleteSubscriptionOperator,
    ModelArtsUpdateSubscriptionOperator,
)
from tests.operators.modelarts_stage import Staging, asked, lose_worker

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator

    from tests.harness.results import TaskResult
    from tests.scenarios.stage import Stage

NOON, NIGHT = "0 0 12 * * ?", "0 30 2 * * ?"
TOPIC = "urn:smn:cn-north-4:0e5d1a7c:alarms"
UNKNOWN_ID = "00000000-0000-4000-8000-000000000000"
CREATE, UPDATE, DELETE = "CreateWorkflowSchedule", "UpdateWorkflowSchedule", "DeleteWorkflowScheduleId"
SUBSCRIBE, AUTHORIZE = "CreateWorkflowSubscriptions", "CreateWorkflowServiceAuth"


@pytest.fixture
def stage(staging: Staging) -> Stage:
    return staging("sync")


def run(stage: Stage, kind: type[BaseOperator], **arguments: Any) -> TaskResult:
    return stage.attempt(kind(task_id="call", **arguments))


def schedule(stage: Stage, cron: str = NOON, **arguments: Any) -> BaseOperator:
    settings: dict[str, Any] = {"task_id": "schedule", "workflow_id": PLAIN_CHAIN, "cron": cron, **arguments}
    return ModelArtsCreateScheduleOperator(**settings)


def present(stage: Stage) -> dict[str, Any] | None:
    """The workflow's schedule."""
    return stage.emulator.modelarts.workflow(PLAIN_CHAIN).schedule


def scheduled(stage: Stage, cron: str = NOON) -> str:
    """Let somebody else schedule the workflow; returns the schedule's id."""
    result = stage.attempt(schedule(stage, cron))
    stage.airflow.clear()
    stage.emulator.journal.clear()
    return str(result.xcoms["return_value"])


class TestCreateSchedule:
    def test_makes_one(self, stage: Stage) -> None:
        result = stage.attempt(schedule(stage, enable=False, on_failure="retry", on_running="cancel"))
        there = present(stage)
        assert there is not None
        assert result.xcoms["return_value"] == there["uuid"]
        assert (there["content"]["cron"], there["enable"]) == (NOON, False)

    def test_whose_answer_is_lost_makes_one(self, stage: Stage) -> None:
        stage.emulator.faults.add(FaultRule(operation=CREATE, when="after", action="reset", times=1))
        result = stage.attempt(schedule(stage))
        assert result.state == "success", stage.log
        there = present(stage)
        assert there is not None
        assert result.xcoms["return_value"] == there["uuid"]
        assert stage.emulator.journal.count(CREATE) == 1

    def test_that_is_lost_makes_one(self, stage: Stage) -> None:
        stage.emulator.faults.add(FaultRule(operation=CREATE, when="before", action="reset", times=1))
        operator = schedule(stage, retries=1)
        assert isinstance(stage.attempt(operator).error, TransportError)
        assert present(stage) is None
        assert stage.attempt(operator).state == "success", stage.log
        assert asked(stage, CREATE) == 1

    def test_once_more_makes_no_other(self, stage: Stage) -> None:
        operator = schedule(stage)
        first = stage.attempt(operator).xcoms["return_value"]
        stage.airflow.clear()
        assert stage.attempt(operator).xcoms["return_value"] == first
        assert (stage.emulator.journal.count(CREATE), stage.emulator.journal.count(UPDATE)) == (1, 0)

    def test_switches_on_what_is_there(self, stage: Stage) -> None:
        operator = schedule(stage, enable=False)
        first = stage.attempt(operator).xcoms["return_value"]
        stage.airflow.clear()
        assert stage.attempt(schedule(stage, enable=True)).xcoms["return_value"] == first
        there = present(stage)
        assert there is not None
        assert there["enable"] is True
        assert asked(stage, UPDATE) == 1

    def test_beside_another_fails(self, stage: Stage) -> None:
        other = scheduled(stage, NIGHT)
        error = stage.attempt(schedule(stage)).error
        assert isinstance(error, InvalidInputError)
        assert other in str(error)
        assert NIGHT in str(error)
        assert asked(stage, UPDATE) == 0

    def test_beside_another_changes_it_if_wanted(self, stage: Stage) -> None:
        other = scheduled(stage, NIGHT)
        result = stage.attempt(schedule(stage, on_existing="update"))
        assert result.xcoms["return_value"] == other
        there = present(stage)
        assert there is not None
        assert there["content"]["cron"] == NOON

    @pytest.mark.parametrize("cron", ["0 12 * * ?", "0 0 25 * * ?", "", "@daily"])
    def test_at_no_time_is_refused_before_anything_is_sent(self, stage: Stage, cron: str) -> None:
        assert isinstance(stage.attempt(schedule(stage, cron)).error, InvalidInputError)
        assert stage.emulator.journal.entries == []

    def test_of_an_unknown_workflow(self, stage: Stage) -> None:
        assert isinstance(stage.attempt(schedule(stage, workflow_id=UNKNOWN_ID)).error, NotFoundError)

    def test_has_few_choices(self, stage: Stage) -> None:
        with pytest.raises(InvalidInputError, match="on_existing"):
            schedule(stage, on_existing="ignore")


class TestUpdateSchedule:
    @pytest.mark.parametrize("by_id", [True, False], ids=["by id", "the only one"])
    @pytest.mark.parametrize("enable", [False, True, "false"])
    def test_switches_it(self, stage: Stage, by_id: bool, enable: Any) -> None:
        there = scheduled(stage)
        result = stage.attempt(
            ModelArtsUpdateScheduleOperator(
                task_id="schedule", workflow_id=PLAIN_CHAIN, schedule_id=there if by_id else None, enable=enable
            )
        )
        assert result.xcoms["return_value"] == there
        now = present(stage)
        assert now is not None
        assert now["enable"] is (enable is True)
        assert now["content"]["cron"] == NOON

    def test_changes_the_time(self, stage: Stage) -> None:
        scheduled(stage)
        operator = ModelArtsUpdateScheduleOperator(task_id="schedule", workflow_id=PLAIN_CHAIN, cron=NIGHT)
        assert stage.attempt(operator).state == "success", stage.log
        now = present(stage)
        assert now is not None
        assert now["content"]["cron"] == NIGHT

    def test_of_none_fails(self, stage: Stage) -> None:
        error = run(stage, ModelArtsUpdateScheduleOperator, workflow_id=PLAIN_CHAIN, enable=False).error
        assert isinstance(error, InvalidInputError)
        assert "has no schedule" in str(error)

    @pytest.mark.parametrize("change", [{}, {"cron": "0 12 * * ?"}, {"enable": "maybe"}, {"workflow_id": "7"}])
    def test_that_cannot_be_right_is_refused_before_anything_is_sent(
        self, stage: Stage, change: dict[str, Any]
    ) -> None:
        given = {"workflow_id": PLAIN_CHAIN, **change}
        if "workflow_id" in change:
            given["enable"] = True
        assert isinstance(run(stage, ModelArtsUpdateScheduleOperator, **given).error, InvalidInputError)
        assert stage.emulator.journal.entries == []


class TestDeleteSchedule:
    @pytest.mark.parametrize("by_id", [True, False], ids=["by id", "the only one"])
    def test_takes_it_away(self, stage: Stage, by_id: bool) -> None:
        there = scheduled(stage)
        operator = ModelArtsDeleteScheduleOperator(
            task_id="schedule", workflow_id=PLAIN_CHAIN, schedule_id=there if by_id else None
        )
        assert stage.attempt(operator).state == "success"
        assert present(stage) is None

    @pytest.mark.parametrize("schedule_id", [UNKNOWN_ID, None])
    def test_of_what_is_missing_is_success(self, stage: Stage, schedule_id: str | None) -> None:
        result = run(stage, ModelArtsDeleteScheduleOperator, workflow_id=PLAIN_CHAIN, schedule_id=schedule_id)
        assert result.state == "success"
        assert "nothing is to be deleted" in stage.log


def subscribe(**arguments: Any) -> BaseOperator:
    settings = {"task_id": "call", "workflow_id": PLAIN_CHAIN, "topic_urns": [TOPIC], "retries": 1, **arguments}
    return ModelArtsCreateSubscriptionOperator(**settings)


def authorize(**arguments: Any) -> BaseOperator:
    settings = {"task_id": "call", "content_id": "c", "consume_period": "day", "consume_value": "100", "retries": 1}
    return ModelArtsAuthorizeServiceOperator(**{**settings, **arguments})


@pytest.mark.parametrize(
    ("make", "operation"), [(subscribe, SUBSCRIBE), (authorize, AUTHORIZE)], ids=["subscription", "authorization"]
)
class TestAskedOnce:
    def test_usually(self, stage: Stage, make: Any, operation: str) -> None:
        assert stage.attempt(make()).state == "success", stage.log
        assert stage.emulator.journal.count(operation) == 1

    def test_per_clearing(self, stage: Stage, make: Any, operation: str) -> None:
        operator = make()
        for asked_so_far in (1, 2):
            assert stage.attempt(operator).state == "success", stage.log
            assert stage.emulator.journal.count(operation) == asked_so_far
            stage.airflow.clear()

    def test_if_the_answer_is_lost(self, stage: Stage, make: Any, operation: str) -> None:
        stage.emulator.faults.add(FaultRule(operation=operation, when="after", action="reset", times=1))
        operator = make()
        assert isinstance(stage.attempt(operator).error, TransportError)
        error = stage.attempt(operator).error
        assert isinstance(error, StartUncertainError), stage.log
        assert "clear the task to ask again" in str(error)
        assert stage.emulator.journal.count(operation) == 1
        stage.airflow.clear()
        assert stage.attempt(operator).state == "success", stage.log
        assert stage.emulator.journal.count(operation) == 2

    def test_if_the_worker_dies_with_the_answer_kept(self, stage: Stage, make: Any, operation: str) -> None:
        operator = make()
        lose_worker(stage, operator, at=("POST", "/xcoms/"))
        assert stage.emulator.journal.count(operation) == 1
        result = stage.attempt(operator)
        assert result.state == "success", stage.log
        assert result.xcoms["return_value"]
        assert stage.emulator.journal.count(operation) == 1

    def test_if_the_worker_dies(self, stage: Stage, make: Any, operation: str) -> None:
        operator = make()
        lose_worker(stage, operator, stored=2)
        assert stage.emulator.journal.count(operation) == 1
        assert isinstance(stage.attempt(operator).error, StartUncertainError)
        assert stage.emulator.journal.count(operation) == 1

    def test_if_the_worker_dies_before(self, stage: Stage, make: Any, operation: str) -> None:
        operator = make()
        lose_worker(stage, operator, stored=1)
        assert stage.attempt(operator).state == "success", stage.log
        assert stage.emulator.journal.count(operation) == 1

    def test_again_after_a_refusal(self, stage: Stage, make: Any, operation: str) -> None:
        stage.emulator.faults.add(FaultRule(operation=operation, status=400, times=1))
        operator = make()
        assert isinstance(stage.attempt(operator).error, BadRequestError)
        assert stage.attempt(operator).state == "success", stage.log


class TestSubscriptions:
    def test_are_made_changed_and_deleted(self, stage: Stage) -> None:
        result = stage.attempt(subscribe(events=["*:wait_inputs,hold"]))
        key = result.xcoms["return_value"]
        workflow = stage.emulator.modelarts.workflow(PLAIN_CHAIN)
        assert workflow.subscriptions[key]["events"] == ["*:wait_inputs,hold"]
        hook_arguments = {"workflow_id": PLAIN_CHAIN, "subscription_id": key}
        stage.airflow.clear()
        changed = run(
            stage, ModelArtsUpdateSubscriptionOperator, topic_urns=[TOPIC], events=["train:failed"], **hook_arguments
        )
        assert changed.xcoms["return_value"] == key
        assert workflow.subscriptions[key]["events"] == ["train:failed"]
        for _ in range(2):
            stage.airflow.clear()
            assert run(stage, ModelArtsDeleteSubscriptionOperator, **hook_arguments).state == "success"
        assert workflow.subscriptions == {}
        assert "nothing is to be deleted" in stage.log

    @pytest.mark.parametrize("wrong", [{"topic_urns": []}, {"events": ["train"]}, {"topic_urns": TOPIC}])
    def test_that_cannot_be_right_are_refused_before_anything_is_sent(
        self, stage: Stage, wrong: dict[str, Any]
    ) -> None:
        assert isinstance(stage.attempt(subscribe(**wrong)).error, InvalidInputError)
        assert stage.emulator.journal.entries == []
        assert stage.airflow.state_store == {}


class TestAuthorization:
    def test_is_asked_for_in_the_words_of_the_service(self, stage: Stage) -> None:
        assert stage.attempt(authorize(main_service_id="s")).xcoms["return_value"] == "available"
        (entry,) = stage.emulator.journal.find(AUTHORIZE)
        assert entry.body == {
            "main_service_id": "s",
            "content_id": "c",
            "consume": {"period": "day", "value": 100},
        }

    def test_that_is_not_given_is_failure(self, stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
        asking = FakeOperation(type("Answer", (), {"result": "expired"})())
        monkeypatch.setattr(ModelArtsHook, "authorize_service", asking)
        operator = authorize()
        for _ in range(2):
            error = stage.attempt(operator).error
            assert isinstance(error, MLWorkflowsError)
            assert "'expired'" in str(error)
        assert asking.calls == 1
        stage.airflow.clear()
        stage.attempt(operator)
        assert asking.calls == 2

    @pytest.mark.parametrize("value", ["many", -1.5, True])
    def test_for_no_number_is_refused_before_anything_is_sent(self, stage: Stage, value: Any) -> None:
        assert isinstance(stage.attempt(authorize(consume_value=value)).error, InvalidInputError)
        assert stage.emulator.journal.entries == []


class FakeOperation:
    """An operation with a fixed answer."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.calls = 0

    def __call__(self, **arguments: Any) -> Any:
        self.calls += 1
        return self.answer

    def steps(self, **arguments: Any) -> Any:
        return iter([type("Request", (), {"content": lambda self: b""})()])


class TestTags:
    def test_are_put_on_and_taken_off(self, stage: Stage) -> None:
        notebook = stage.emulator.modelarts.notebooks.get(NOTEBOOK)
        before = dict(notebook.tags)
        tags = {"model": "flowers", "version": "7"}
        assert run(stage, ModelArtsTagNotebookOperator, notebook_id=NOTEBOOK, notebook_tags=tags).state == "success"
        assert notebook.tags == {**before, **tags}
        stage.airflow.clear()
        result = run(stage, ModelArtsUntagNotebookOperator, notebook_id=NOTEBOOK, notebook_tags=["model", "version"])
        assert result.state == "success", stage.log
        assert notebook.tags == before

    @pytest.mark.parametrize("kind", [ModelArtsTagNotebookOperator, ModelArtsUntagNotebookOperator])
    @pytest.mark.parametrize(
        ("tags", "rule"),
        [
            ({}, "0 tags"),
            ({f"k{number}": "v" for number in range(11)}, "11 tags"),
            ({"k" * 129: "v"}, "128"),
            ({"_sys_k": "v"}, "_sys_"),
            ("k", "mapping"),
        ],
        ids=["none", "eleven", "long", "reserved", "text"],
    )
    def test_that_cannot_be_right_are_refused_before_anything_is_sent(
        self, stage: Stage, kind: type[BaseOperator], tags: Any, rule: str
    ) -> None:
        error = run(stage, kind, notebook_id=NOTEBOOK, notebook_tags=tags).error
        assert isinstance(error, InvalidInputError)
        assert rule in str(error)
        assert stage.emulator.journal.entries == []

    def test_of_an_unknown_notebook(self, stage: Stage) -> None:
        result = run(stage, ModelArtsTagNotebookOperator, notebook_id=UNKNOWN_ID, notebook_tags={"k": "v"})
        assert isinstance(result.error, NotFoundError)
