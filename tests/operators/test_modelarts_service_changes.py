"""Changing, starting, stopping and deleting services."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_mlworkflows.emulator import FaultRule
from airflow_provider_mlworkflows.emulator.modelarts.serving import deploys, fails_to_deploy, never_deploys
from airflow_provider_mlworkflows.exceptions import (
    BadRequestError,
    InvalidInputError,
    NotFoundError,
    RunFailedError,
    RunTimeoutError,
)
from airflow_provider_mlworkflows.operators.modelarts_service_changes import (
    ModelArtsDeleteServiceOperator,
    ModelArtsUpdateServiceOperator,
)
from tests.operators.modelarts_stage import (
    MODEL,
    NAME,
    OTHER_MODEL,
    Staging,
    add_service,
    asked,
    both_modes,
    each_profile,
    later,
    lose_worker,
    services,
    use_profile,
)

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.emulator.modelarts.serving import Service
    from tests.harness.results import TaskResult
    from tests.scenarios.stage import Mode, Stage

UPDATE, DELETE = "UpdateService", "DeleteService"
UNKNOWN_ID = "00000000-0000-4000-8000-000000000000"


def changer(stage: Stage, service_id: str, **arguments: Any) -> ModelArtsUpdateServiceOperator:
    usual: dict[str, Any] = {"task_id": "change", "deferrable": stage.mode == "deferrable", "poll_interval": 10.0}
    return ModelArtsUpdateServiceOperator(service_id=service_id, **{**usual, **arguments})


def running(stage: Stage, *deployments: Any, **fields: Any) -> Service:
    """Somebody else's service that has been running for a while; what it does when it is deployed again."""
    body = {"service_name": NAME, "infer_type": "real-time", "config": [{**MODEL, "weight": 100}], **fields}
    service = stage.emulator.modelarts.services.add(body, deploys(10), *(deployments or (deploys(30),)))
    stage.clock.advance(60)
    return service


def stopped(stage: Stage, *deployments: Any) -> Service:
    service = running(stage, *deployments)
    service.stop()
    stage.clock.advance(60)
    service.advance()
    assert service.status == "stopped"
    return service


@both_modes
@each_profile
class TestWhateverTheServiceIsLike:
    def test_it_is_stopped_and_started(self, staging: Staging, mode: Mode, profile: str) -> None:
        stage = staging(mode)
        use_profile(stage, profile)
        service = running(stage)
        for status in ("stopped", "running"):
            result = stage.attempt(changer(stage, service.service_id, status=status))
            assert result.state == "success", stage.log
            assert service.status == status
            stage.airflow.clear()

    def test_it_gets_other_models(self, staging: Staging, mode: Mode, profile: str) -> None:
        stage = staging(mode)
        use_profile(stage, profile)
        service = running(stage)
        result = stage.attempt(changer(stage, service.service_id, config=[OTHER_MODEL]))
        assert result.state == "success", stage.log
        assert result.xcoms["steps"][0]["id"] == OTHER_MODEL["model_id"]
        assert service.status == "running"


@both_modes
class TestUpdate:
    def test_stops_a_service(self, staging: Staging, mode: Mode) -> None:
        stage = staging(mode)
        service = running(stage)
        result = stage.attempt(changer(stage, service.service_id, status="stopped"))
        assert result.state == "success", stage.log
        assert result.xcoms["return_value"] == service.service_id
        assert result.xcoms["run"]["status"] == service.status == "stopped"
        assert asked(stage, UPDATE, "stopped") == 1

    def test_starts_a_service(self, staging: Staging, mode: Mode) -> None:
        stage = staging(mode)
        service = stopped(stage)
        result = stage.attempt(changer(stage, service.service_id, status="running"))
        assert result.state == "success", stage.log
        assert result.xcoms["run"]["status"] == service.status == "running"
        assert asked(stage, UPDATE, "running") == 1

    def test_replaces_the_models(self, staging: Staging, mode: Mode) -> None:
        stage = staging(mode)
        service = running(stage)
        versions = [{**MODEL, "weight": 20}, {**OTHER_MODEL, "weight": 80}]
        result = stage.attempt(changer(stage, service.service_id, config=versions))
        assert result.state == "success", stage.log
        assert service.status == "running"
        weights = {each["model_id"]: each["weight"] for each in result.xcoms["outputs"]["models"]}
        assert weights == {MODEL["model_id"]: 20, OTHER_MODEL["model_id"]: 80}
        assert asked(stage, UPDATE, "config") == 1

    def test_of_a_description_waits_for_nothing(self, staging: Staging, mode: Mode) -> None:
        stage = staging(mode)
        service = running(stage)
        began = stage.clock.time()
        assert stage.attempt(changer(stage, service.service_id, description="new")).state == "success"
        assert service.body["description"] == "new"
        assert stage.clock.time() == began

    @pytest.mark.parametrize(
        "change",
        [
            {"description": "new"},
            {"schedule": [{"type": "stop", "time_unit": "HOURS", "duration": 1}]},
            {"extra": {"additional_properties": {"k": "v"}}},
        ],
        ids=["description", "schedule", "extra"],
    )
    @pytest.mark.parametrize("state", ["deploying", "concerning", "stopped", "failed"])
    def test_that_deploys_nothing_succeeds_whatever_the_service_does(
        self, staging: Staging, mode: Mode, state: str, change: dict[str, Any]
    ) -> None:
        stage = staging(mode)
        service = running(stage)
        stage.emulator.modelarts.services.force_status(NAME, state)
        began = stage.clock.time()
        result = stage.attempt(changer(stage, service.service_id, **change))
        assert result.state == "success", stage.log
        assert result.xcoms["return_value"] == service.service_id
        assert result.xcoms["run"]["status"] == service.status == state
        assert asked(stage, UPDATE, "fields") == 1
        assert stage.clock.time() == began
        assert stage.deferrals == 0

    def test_of_models_and_a_description_is_sent_once(self, staging: Staging, mode: Mode) -> None:
        stage = staging(mode)
        service = running(stage)
        operator = changer(stage, service.service_id, config=[OTHER_MODEL], description="new")
        for _ in range(2):
            assert stage.attempt(operator).state == "success", stage.log
            assert service.body["description"] == "new"
            assert stage.emulator.journal.count(UPDATE) == 1
            stage.airflow.clear()

    def test_of_models_that_are_there_sends_the_description(self, staging: Staging, mode: Mode) -> None:
        stage = staging(mode)
        service = running(stage)
        result = stage.attempt(changer(stage, service.service_id, config=[MODEL], description="new"))
        assert result.state == "success", stage.log
        assert service.body["description"] == "new"
        assert (asked(stage, UPDATE, "fields"), asked(stage, UPDATE, "config")) == (1, 0)

    def test_of_models_and_a_description_goes_on_after_the_worker_died(self, staging: Staging, mode: Mode) -> None:
        stage = staging(mode)
        service = running(stage)
        operator = changer(stage, service.service_id, config=[OTHER_MODEL], description="new", retries=1)
        lose_worker(stage, operator, at=("POST", "/xcoms/"))
        assert stage.attempt(operator).state == "success", stage.log
        assert service.status == "running"
        assert stage.emulator.journal.count(UPDATE) == 1

    @each_profile
    @pytest.mark.parametrize("code", [400, 409])
    def test_whose_repetition_is_refused_has_taken_effect(
        self, staging: Staging, mode: Mode, code: int, profile: str
    ) -> None:
        stage = staging(mode)
        use_profile(stage, profile)
        stage.emulator.switches.wrong_state = (code, "")
        service = running(stage)
        stage.emulator.faults.add(FaultRule(operation=UPDATE, when="after", action="reset", times=1))
        operator = changer(stage, service.service_id, config=[OTHER_MODEL], description="new")
        assert stage.attempt(operator).state == "success", stage.log
        assert service.status == "running"
        assert asked(stage, UPDATE, "config") == 1
        assert stage.emulator.journal.count(UPDATE) == 2

    @pytest.mark.parametrize("change", [{"config": [OTHER_MODEL]}, {"description": "new"}, {"status": "stopped"}])
    def test_that_is_refused_is_a_failure(self, staging: Staging, mode: Mode, change: dict[str, Any]) -> None:
        stage = staging(mode)
        service = running(stage)
        stage.emulator.faults.add(FaultRule(operation=UPDATE, status=400, times=None))
        result = stage.attempt(changer(stage, service.service_id, **change))
        assert isinstance(result.error, BadRequestError), stage.log
        assert stage.emulator.journal.count(UPDATE) == 1

    @pytest.mark.parametrize(
        ("state", "change"),
        [
            (running, {"status": "running"}),
            (stopped, {"status": "stopped"}),
            (running, {"config": [{**MODEL, "weight": "100"}]}),
            (running, {"config": [MODEL]}),
        ],
        ids=["runs", "is stopped", "has the models", "has the only model"],
    )
    def test_that_changes_nothing_is_not_sent(
        self, staging: Staging, mode: Mode, state: Any, change: dict[str, Any]
    ) -> None:
        stage = staging(mode)
        service = state(stage)
        assert stage.attempt(changer(stage, service.service_id, **change)).state == "success", stage.log
        assert stage.emulator.journal.count(UPDATE) == 0
        assert "nothing to change" in stage.log

    def test_of_a_finished_batch_that_is_to_be_stopped_is_not_sent(self, staging: Staging, mode: Mode) -> None:
        stage = staging(mode)
        service = add_service(stage, infer_type="batch")
        stage.clock.advance(60)
        assert stage.attempt(changer(stage, service.service_id, status="stopped")).state == "success", stage.log
        assert stage.emulator.journal.count(UPDATE) == 0

    def test_of_what_is_on_its_way_is_waited_for(self, staging: Staging, mode: Mode) -> None:
        stage = staging(mode)
        service = add_service(stage)
        assert stage.attempt(changer(stage, service.service_id, status="running")).state == "success", stage.log
        assert service.status == "running"
        assert stage.emulator.journal.count(UPDATE) == 0

    def test_whose_answer_is_lost_takes_effect_once(self, staging: Staging, mode: Mode) -> None:
        stage = staging(mode)
        service = running(stage)
        stage.emulator.faults.add(FaultRule(operation=UPDATE, when="after", action="reset", times=1))
        operator = changer(stage, service.service_id, status="stopped", retries=1)
        if stage.attempt(operator).state == "up_for_retry":
            stage.attempt(operator)
        assert stage.result.state == "success", stage.log
        assert service.status == "stopped"

    def test_that_fails_tells_the_reason(self, staging: Staging, mode: Mode) -> None:
        stage = staging(mode)
        service = running(stage, fails_to_deploy(20, "no such image"))
        result = stage.attempt(changer(stage, service.service_id, config=[OTHER_MODEL]))
        assert isinstance(result.error, RunFailedError), stage.log
        assert "no such image" in str(result.error)

    def test_that_does_not_stop_is_no_success(self, staging: Staging, mode: Mode) -> None:
        stage = staging(mode)
        service = running(stage)
        stage.emulator.switches.stop_seconds = 60.0
        later(stage, 20, lambda: stage.emulator.modelarts.services.force_status(NAME, "running"))
        result = stage.attempt(changer(stage, service.service_id, status="stopped"))
        assert isinstance(result.error, RunFailedError), stage.log
        assert "told to stop, but is running" in str(result.error)

    def test_that_takes_too_long_leaves_the_service_alone(self, staging: Staging, mode: Mode) -> None:
        stage = staging(mode)
        service = running(stage, never_deploys())
        result = stage.attempt(changer(stage, service.service_id, config=[OTHER_MODEL], timeout=300))
        assert isinstance(result.error, RunTimeoutError), stage.log
        assert asked(stage, UPDATE, "stopped") == 0

    @pytest.mark.parametrize("cancel_on_kill", [False, True])
    def test_that_is_killed_stops_the_service_only_if_wanted(
        self, staging: Staging, mode: Mode, cancel_on_kill: bool
    ) -> None:
        stage = staging(mode)
        service = running(stage, never_deploys())
        stage.at(100, lambda: stage.mark("failed"))
        stage.attempt(changer(stage, service.service_id, config=[OTHER_MODEL], cancel_on_kill=cancel_on_kill))
        assert stage.airflow.state == "failed"
        assert asked(stage, UPDATE, "stopped") == cancel_on_kill

    def test_of_an_unknown_service(self, staging: Staging, mode: Mode) -> None:
        stage = staging(mode)
        assert isinstance(stage.attempt(changer(stage, UNKNOWN_ID, status="stopped")).error, NotFoundError)

    @pytest.mark.parametrize(
        ("change", "rule"),
        [
            ({}, "Nothing is to be changed"),
            ({"status": "paused"}, "running"),
            ({"status": "running", "config": [MODEL]}, "only heed status"),
            ({"config": [{**MODEL, "weight": 60}, {**OTHER_MODEL, "weight": 60}]}, "120"),
            ({"service_id": "a,b", "status": "running"}, "comma"),
            ({"extra": {"additional_properties": {"tags": {1}}}}, "additional_properties.tags is a set"),
            ({"extra": {"additional_properties": [{"a": 1}, {"b": {(1, 2): 3}}]}}, "additional_properties[1].b has"),
            ({"extra": {7: "x"}}, "7"),
            ({"extra": [1]}, "mapping"),
            ({"extra": {"config": [MODEL]}}, "config has an argument of its own"),
        ],
        ids=[
            *("nothing", "status", "both", "weights", "two ids"),
            *("extra set", "extra key", "extra name", "extra list", "extra config"),
        ],
    )
    def test_that_cannot_be_right_is_refused_before_anything_is_sent(
        self, staging: Staging, mode: Mode, change: dict[str, Any], rule: str
    ) -> None:
        stage = staging(mode)
        given = {"service_id": UNKNOWN_ID, **change}
        result = stage.attempt(changer(stage, **given))
        assert isinstance(result.error, InvalidInputError), stage.log
        assert rule in str(result.error)
        assert stage.emulator.journal.entries == []


def remover(stage: Stage, **arguments: Any) -> ModelArtsDeleteServiceOperator:
    usual: dict[str, Any] = {"task_id": "delete", "deferrable": stage.mode == "deferrable"}
    return ModelArtsDeleteServiceOperator(**{**usual, **arguments})


def deleted(stage: Stage, **arguments: Any) -> TaskResult:
    return stage.attempt(remover(stage, **arguments))


@both_modes
class TestDelete:
    @each_profile
    @pytest.mark.parametrize("by", ["service_id", "service_name"])
    def test_waits_until_the_service_is_gone(self, staging: Staging, mode: Mode, by: str, profile: str) -> None:
        stage = staging(mode)
        use_profile(stage, profile)
        service = running(stage)
        result = deleted(stage, **{by: service.service_id if by == "service_id" else NAME})
        assert result.state == "success", stage.log
        assert result.xcoms["return_value"] == service.service_id
        assert services(stage) == []
        assert asked(stage, DELETE) == 1

    @each_profile
    @pytest.mark.parametrize("status", ["deploying", "stopped", "failed", "concerning"])
    def test_of_whatever_the_service_does(self, staging: Staging, mode: Mode, status: str, profile: str) -> None:
        stage = staging(mode)
        use_profile(stage, profile)
        service = running(stage)
        stage.emulator.modelarts.services.force_status(NAME, status)
        assert deleted(stage, service_id=service.service_id).state == "success", stage.log
        assert services(stage) == []

    def test_waits_in_the_triggerer(self, staging: Staging, mode: Mode) -> None:
        stage = staging(mode)
        service = running(stage)
        stage.emulator.switches.stop_seconds = 1000.0
        assert deleted(stage, service_id=service.service_id).state == "success", stage.log
        assert services(stage) == []
        assert stage.deferrals == (mode == "deferrable")

    @pytest.mark.parametrize("by", [{"service_id": UNKNOWN_ID}, {"service_name": "nobody"}], ids=["id", "name"])
    def test_of_what_is_missing_is_success(self, staging: Staging, mode: Mode, by: dict[str, Any]) -> None:
        stage = staging(mode)
        result = deleted(stage, **by)
        assert result.state == "success"
        assert "return_value" not in result.xcoms
        assert f"There is no service {next(iter(by.values()))}" in stage.log

    def test_of_what_is_being_deleted_is_not_asked_for_again(self, staging: Staging, mode: Mode) -> None:
        stage = staging(mode)
        service = running(stage)
        service.delete()
        assert deleted(stage, service_id=service.service_id).state == "success", stage.log
        assert services(stage) == []
        assert stage.emulator.journal.count(DELETE) == 0

    def test_whose_answer_is_lost_is_success(self, staging: Staging, mode: Mode) -> None:
        stage = staging(mode)
        service = running(stage)
        stage.emulator.faults.add(FaultRule(operation=DELETE, when="after", action="reset", times=1))
        assert deleted(stage, service_id=service.service_id).state == "success", stage.log
        assert services(stage) == []

    @each_profile
    def test_that_is_refused_because_it_goes_on_already_is_success(
        self, staging: Staging, mode: Mode, profile: str
    ) -> None:
        stage = staging(mode)
        use_profile(stage, profile)
        service = running(stage)
        stage.emulator.faults.add(FaultRule(operation=DELETE, when="after", status=400, times=1))
        assert deleted(stage, service_id=service.service_id).state == "success", stage.log
        assert services(stage) == []

    def test_that_is_refused_is_a_failure(self, staging: Staging, mode: Mode) -> None:
        stage = staging(mode)
        service = running(stage)
        stage.emulator.faults.add(FaultRule(operation=DELETE, status=400, times=None))
        assert isinstance(deleted(stage, service_id=service.service_id).error, BadRequestError), stage.log
        assert stage.emulator.journal.count(DELETE) == 1

    def test_that_takes_too_long_is_a_failure_and_taken_up_by_a_retry(self, staging: Staging, mode: Mode) -> None:
        stage = staging(mode)
        service = running(stage)
        stage.emulator.switches.stop_seconds = 1000.0
        operator = remover(stage, service_id=service.service_id, timeout=600, retries=1)
        error = stage.attempt(operator).error
        assert isinstance(error, RunTimeoutError), stage.log
        assert service.service_id in str(error)
        assert "deleting" in str(error)
        assert stage.attempt(operator).state == "success", stage.log
        assert stage.emulator.journal.count(DELETE) == 1

    def test_that_fails_tells_the_reason(self, staging: Staging, mode: Mode) -> None:
        stage = staging(mode)
        service = running(stage)
        stage.emulator.switches.stop_seconds = 1000.0
        later(stage, 100, lambda: stage.emulator.modelarts.services.force_status(NAME, "failed", "it is in use"))
        error = deleted(stage, service_id=service.service_id).error
        assert isinstance(error, RunFailedError), stage.log
        assert "could not be deleted" in str(error)
        assert "it is in use" in str(error)

    def test_that_is_killed_goes_on_by_itself(self, staging: Staging, mode: Mode) -> None:
        stage = staging(mode)
        service = running(stage)
        stage.emulator.switches.stop_seconds = 1000.0
        stage.at(100, lambda: stage.mark("failed"))
        deleted(stage, service_id=service.service_id)
        assert stage.airflow.state == "failed"
        assert (service.status, stage.emulator.journal.count(UPDATE)) == ("deleting", 0)

    def test_of_a_name_that_several_have(self, staging: Staging, mode: Mode) -> None:
        stage = staging(mode)
        both = {running(stage).service_id, running(stage).service_id}
        result = deleted(stage, service_name=NAME)
        assert isinstance(result.error, InvalidInputError)
        assert all(each in str(result.error) for each in both)
        assert asked(stage, DELETE) == 0

    @pytest.mark.parametrize("by", [{}, {"service_id": "a", "service_name": "b"}, {"service_id": "a,b"}])
    def test_that_is_not_told_what_to_delete(self, staging: Staging, mode: Mode, by: dict[str, Any]) -> None:
        stage = staging(mode)
        assert isinstance(deleted(stage, **by).error, InvalidInputError)
        assert stage.emulator.journal.entries == []
