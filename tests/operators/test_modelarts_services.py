"""Deploying services: one service per task, whatever happens meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_mlworkflows.emulator import FaultRule
from airflow_provider_mlworkflows.emulator.modelarts.serving import (
    degrades,
    deploys,
    fails_to_deploy,
    never_deploys,
)
from airflow_provider_mlworkflows.exceptions import (
    BadRequestError,
    InvalidInputError,
    RunFailedError,
    RunStoppedError,
    RunTimeoutError,
    StartUncertainError,
    TransportError,
)
from airflow_provider_mlworkflows.operators.modelarts_services import ModelArtsCreateServiceOperator
from tests.operators.modelarts_stage import (
    MODEL,
    NAME,
    OTHER_MODEL,
    Staging,
    add_service,
    asked,
    both_modes,
    creator,
    each_profile,
    later,
    lose_worker,
    services,
    use_profile,
)

if TYPE_CHECKING:
    from tests.scenarios.stage import Mode, Stage

CREATE, UPDATE, DELETE = "CreateService", "UpdateService", "DeleteService"
LOST = FaultRule(operation=CREATE, when="after", action="reset", times=1)
BATCH = {**MODEL, "src_path": "https://b/in/", "dest_path": "https://b/out/", "req_uri": "/", "mapping_type": "file"}

CSV = {**BATCH, "mapping_type": "csv"}


def plan(stage: Stage, *deployments: Any) -> None:
    stage.emulator.modelarts.services.plan(NAME, *deployments)


def crash(operator: ModelArtsCreateServiceOperator) -> dict[str, Any]:
    raise RuntimeError("the worker has a bad moment")


@both_modes
class TestDeployment:
    def test_is_waited_for(self, staging: Staging, mode: Mode) -> None:
        stage = staging(mode)
        result = stage.attempt(creator(stage))
        assert result.state == "success", stage.log
        (service,) = services(stage)
        assert service.status == "running"
        assert result.xcoms["return_value"] == result.xcoms["run_id"] == service.service_id
        assert result.xcoms["run"]["name"] == NAME
        assert [step["name"] for step in result.xcoms["steps"]] == ["model-0e07b41b 0.0.1"]
        assert result.xcoms["outputs"]["address"].endswith(service.service_id)
        assert result.xcoms["outputs"]["models"] == [{"model_id": MODEL["model_id"], "weight": 100}]
        assert stage.deferrals == (mode == "deferrable")
        assert (asked(stage, CREATE), asked(stage, UPDATE), asked(stage, DELETE)) == (1, 0, 0)

    def test_of_all_arguments(self, staging: Staging, mode: Mode) -> None:
        stage = staging(mode)
        versions = [{**MODEL, "weight": "70", "envs": {"load_epoch": "0"}}, {**OTHER_MODEL, "weight": 30}]
        network = {"vpc_id": "v", "subnet_network_id": "s", "security_group_id": "g"}
        given = {
            "config": versions,
            "description": "by Airflow",
            "schedule": [{"type": "stop", "time_unit": "HOURS", "duration": 1}],
            "cluster_id": "c",
            "pool_name": "p",
            "workspace_id": "0",
            **network,
        }
        extra: dict[str, Any] = {"additional_properties": {"smn_notification": {}}}
        operator = creator(stage, **given, extra=extra)
        assert stage.attempt(operator).state == "success", stage.log
        (create,) = stage.emulator.journal.find(CREATE)
        assert create.body == {"service_name": NAME, "infer_type": "real-time", **given, **extra}

    def test_of_a_batch_is_waited_for_until_it_has_worked_off_its_data(self, staging: Staging, mode: Mode) -> None:
        stage = staging(mode)
        result = stage.attempt(creator(stage, infer_type="batch", config=[BATCH]))
        assert result.state == "success", stage.log
        assert result.xcoms["run"]["status"] == "finished"

    def test_is_not_waited_for_if_not_wanted(self, staging: Staging, mode: Mode) -> None:
        stage = staging(mode)
        assert stage.attempt(creator(stage, wait_for_completion=False)).state == "success"
        assert [each.status for each in services(stage)] == ["deploying"]

    def test_that_fails_tells_the_reason(self, staging: Staging, mode: Mode) -> None:
        stage = staging(mode)
        plan(stage, fails_to_deploy(20, "the image cannot be pulled"))
        result = stage.attempt(creator(stage))
        assert isinstance(result.error, RunFailedError), stage.log
        assert "the image cannot be pulled" in str(result.error)
        assert services(stage)[0].service_id in str(result.error)

    def test_that_fails_of_several_models_tells_the_reason_once(self, staging: Staging, mode: Mode) -> None:
        stage = staging(mode)
        plan(stage, fails_to_deploy(20, "the image cannot be pulled"))
        versions = [{**MODEL, "weight": 50}, {**OTHER_MODEL, "weight": 50}]
        result = stage.attempt(creator(stage, config=versions))
        assert isinstance(result.error, RunFailedError)
        assert str(result.error).count("the image cannot be pulled") == 1

    def test_that_failed_is_repeated_with_the_same_service(self, staging: Staging, mode: Mode) -> None:
        stage = staging(mode)
        plan(stage, fails_to_deploy(20), deploys(20))
        operator = creator(stage, retries=1)
        assert [stage.attempt(operator).state for _ in range(2)] == ["up_for_retry", "success"], stage.log
        assert len(services(stage)) == 1
        assert (asked(stage, CREATE), asked(stage, UPDATE, "config")) == (1, 1)

    def test_that_failed_is_replaced_if_wanted(self, staging: Staging, mode: Mode) -> None:
        stage = staging(mode)
        plan(stage, fails_to_deploy(20))
        operator = creator(stage, retries=1, on_retry="restart")
        assert stage.attempt(operator).state == "up_for_retry"
        (first,) = services(stage)
        plan(stage, deploys(20))
        assert stage.attempt(operator).state == "success", stage.log
        (second,) = services(stage)
        assert second.service_id != first.service_id
        assert (asked(stage, CREATE), asked(stage, DELETE)) == (2, 1)

    def test_that_runs_in_part_only_is_waited_for(self, staging: Staging, mode: Mode) -> None:
        stage = staging(mode)
        plan(stage, degrades(20, 0))
        later(stage, 300, lambda: stage.emulator.modelarts.services.force_status(NAME, "running"))
        assert stage.attempt(creator(stage)).state == "success", stage.log
        assert stage.clock.time() >= services(stage)[0].published_at.timestamp() + 300

    def test_that_somebody_stops_is_no_success(self, staging: Staging, mode: Mode) -> None:
        stage = staging(mode)
        plan(stage, never_deploys())
        stage.at(100, lambda: services(stage)[0].stop())
        assert isinstance(stage.attempt(creator(stage)).error, RunStoppedError)

    def test_that_takes_too_long_is_stopped(self, staging: Staging, mode: Mode) -> None:
        stage = staging(mode)
        plan(stage, never_deploys())
        result = stage.attempt(creator(stage, timeout=300))
        assert isinstance(result.error, RunTimeoutError), stage.log
        assert asked(stage, UPDATE, "stopped") == 1
        assert stage.clock.time() - services(stage)[0].published_at.timestamp() < 400


@both_modes
class TestOneService:
    def test_if_the_answer_is_lost(self, staging: Staging, mode: Mode) -> None:
        stage = staging(mode)
        stage.emulator.switches.list_lag = 8.0
        stage.emulator.faults.add(LOST)
        result = stage.attempt(creator(stage))
        assert result.state == "success", stage.log
        assert [each.service_id for each in services(stage)] == [result.xcoms["run_id"]]
        assert asked(stage, CREATE) == 1

    def test_if_the_call_is_lost(self, staging: Staging, mode: Mode) -> None:
        stage = staging(mode)
        stage.emulator.faults.add(FaultRule(operation=CREATE, when="before", action="reset", times=1))
        operator = creator(stage, retries=1)
        assert stage.attempt(operator).state == "up_for_retry"
        assert isinstance(stage.result.error, TransportError)
        assert services(stage) == []
        assert stage.attempt(operator).state == "success", stage.log
        assert (len(services(stage)), asked(stage, CREATE)) == (1, 1)

    @pytest.mark.parametrize("stored", [1, 2], ids=["before the call", "before the id is kept"])
    def test_if_the_worker_dies(self, staging: Staging, mode: Mode, stored: int) -> None:
        stage = staging(mode)
        operator = creator(stage, retries=1)
        lose_worker(stage, operator, stored=stored)
        known = [each.service_id for each in services(stage)]
        assert len(known) == stored - 1
        result = stage.attempt(operator)
        assert result.state == "success", stage.log
        assert [each.service_id for each in services(stage)] == [result.xcoms["run_id"]]
        assert asked(stage, CREATE) == 1
        assert known in ([], [result.xcoms["run_id"]])

    def test_if_only_another_task_is_cleared(self, staging: Staging, mode: Mode) -> None:
        stage = staging(mode)
        plan(stage, fails_to_deploy(20), deploys(20))
        operator = creator(stage, retries=1)
        stage.attempt(operator)
        stage.airflow.clear_other_task()
        assert stage.attempt(operator).state == "success"
        assert (len(services(stage)), asked(stage, CREATE)) == (1, 1)

    def test_if_the_task_is_cleared_while_it_deploys(self, staging: Staging, mode: Mode) -> None:
        stage = staging(mode)
        plan(stage, never_deploys())
        operator = creator(stage)
        stage.at(100, stage.clear)
        stage.attempt(operator)
        assert stage.airflow.state is None
        (first,) = services(stage)
        plan(stage, deploys(20))
        assert stage.attempt(operator).state == "success", stage.log
        (second,) = services(stage)
        assert second.service_id != first.service_id
        assert (asked(stage, CREATE), asked(stage, DELETE)) == (2, 1)
        # The next attempt asks again if the first stop does not show yet.
        assert asked(stage, UPDATE, "stopped") in (1, 2)

    def test_if_the_task_is_cleared_afterwards(self, staging: Staging, mode: Mode) -> None:
        stage = staging(mode)
        operator = creator(stage)
        first = stage.attempt(operator).xcoms["run_id"]
        stage.airflow.clear()
        result = stage.attempt(operator)
        assert result.state == "success", stage.log
        assert [each.service_id for each in services(stage)] == [result.xcoms["run_id"]] != [first]

    def test_if_the_task_is_cleared_before_lists_show_it(self, staging: Staging, mode: Mode) -> None:
        stage = staging(mode)
        stage.emulator.switches.list_lag = 3000.0
        operator = creator(stage)
        first = stage.attempt(operator).xcoms["run_id"]
        stage.airflow.clear()
        result = stage.attempt(operator)
        assert [each.service_id for each in services(stage)] == [result.xcoms["run_id"]] != [first], stage.log

    def test_if_the_task_gets_another_name_leaves_the_earlier_one_alone(self, staging: Staging, mode: Mode) -> None:
        stage = staging(mode)
        first = stage.attempt(creator(stage)).xcoms["run_id"]
        stage.airflow.clear()
        second = stage.attempt(creator(stage, service_name="roses")).xcoms["run_id"]
        assert [(each.service_id, each.status) for each in services(stage)] == [
            (first, "running"),
            (second, "running"),
        ], stage.log

    def test_if_a_stranger_takes_the_name_meanwhile_deletes_nothing(self, staging: Staging, mode: Mode) -> None:
        stage = staging(mode)
        operator = creator(stage)
        first = stage.attempt(operator).xcoms["run_id"]
        stranger = add_service(stage)
        stage.airflow.clear()
        assert isinstance(stage.attempt(operator).error, InvalidInputError)
        assert [each.service_id for each in services(stage)] == [first, stranger.service_id]

    def test_if_the_worker_dies_after_the_earlier_one_is_deleted(self, staging: Staging, mode: Mode) -> None:
        stage = staging(mode)
        plan(stage, fails_to_deploy(20))
        operator = creator(stage, retries=2, on_retry="restart")
        stage.attempt(operator)
        (first,) = services(stage)
        plan(stage, deploys(20))
        # Asked right before the intent is written, when the earlier one is gone already.
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(ModelArtsCreateServiceOperator, "state_before", crash)
            stage.attempt(operator)
        assert isinstance(stage.result.error, RuntimeError)
        assert services(stage) == []
        result = stage.attempt(operator)
        assert result.state == "success", stage.log
        assert [each.service_id for each in services(stage)] == [result.xcoms["run_id"]] != [first.service_id]

    def test_if_the_earlier_one_does_not_go(self, staging: Staging, mode: Mode) -> None:
        stage = staging(mode)
        operator = creator(stage, retries=1)
        first = stage.attempt(operator).xcoms["run_id"]
        stage.emulator.switches.stop_seconds = 200.0
        stage.airflow.clear()
        error = stage.attempt(operator).error
        assert isinstance(error, RunTimeoutError), stage.log
        assert first in str(error)
        assert "deleting" in str(error)
        assert asked(stage, CREATE) == 1
        result = stage.attempt(operator)
        assert result.state == "success", stage.log
        assert [each.service_id for each in services(stage)] == [result.xcoms["run_id"]] != [first]
        assert stage.emulator.journal.count(DELETE) == 1

    def test_if_the_earlier_one_may_not_be_deleted(self, staging: Staging, mode: Mode) -> None:
        stage = staging(mode)
        operator = creator(stage)
        first = stage.attempt(operator).xcoms["run_id"]
        stage.emulator.faults.add(FaultRule(operation=DELETE, status=400, times=None))
        stage.airflow.clear()
        assert isinstance(stage.attempt(operator).error, BadRequestError), stage.log
        assert [each.service_id for each in services(stage)] == [first]

    def test_if_the_task_is_killed_while_the_earlier_one_goes(self, staging: Staging, mode: Mode) -> None:
        stage = staging(mode)
        operator = creator(stage)
        stage.attempt(operator)
        stage.emulator.switches.stop_seconds = 100.0
        stage.airflow.clear()
        began = stage.clock.time()
        stage.at(20, lambda: stage.airflow.mark("failed"))
        stage.attempt(operator)
        assert stage.airflow.state == "failed"
        assert stage.clock.time() - began < 30
        assert asked(stage, CREATE) == 1

    def test_if_it_is_to_be_kept_when_the_task_is_cleared(self, staging: Staging, mode: Mode) -> None:
        stage = staging(mode)
        plan(stage, never_deploys(), deploys(20))
        operator = creator(stage, on_clear="repair")
        stage.at(100, stage.clear)
        stage.attempt(operator)
        (service,) = services(stage)
        result = stage.attempt(operator)
        assert result.state == "success", stage.log
        assert result.xcoms["run_id"] == service.service_id
        assert (asked(stage, CREATE), asked(stage, DELETE)) == (1, 0)


@both_modes
class TestStranger:
    def test_of_the_same_name_is_left_alone(self, staging: Staging, mode: Mode) -> None:
        stage = staging(mode)
        stranger = add_service(stage)
        result = stage.attempt(creator(stage))
        assert isinstance(result.error, InvalidInputError)
        for word in (NAME, stranger.service_id, "deploying", "another name"):
            assert word in str(result.error)
        assert [each.service_id for each in services(stage)] == [stranger.service_id]
        assert {entry.method for entry in stage.emulator.journal.entries} == {"GET"}
        assert stage.airflow.state_store == {}

    def test_of_a_longer_name_does_not_matter(self, staging: Staging, mode: Mode) -> None:
        stage = staging(mode)
        add_service(stage, f"{NAME}-2")
        assert stage.attempt(creator(stage)).state == "success", stage.log

    def test_of_another_workspace_does_not_matter(self, staging: Staging, mode: Mode) -> None:
        stage = staging(mode)
        add_service(stage, workspace_id="w")
        assert stage.attempt(creator(stage, workspace_id="0")).state == "success", stage.log

    def test_that_vanishes_does_not_matter(self, staging: Staging, mode: Mode) -> None:
        stage = staging(mode)
        add_service(stage).delete()
        assert stage.attempt(creator(stage)).state == "success", stage.log

    def test_with_other_models_is_not_adopted_after_a_lost_call(self, staging: Staging, mode: Mode) -> None:
        stage = staging(mode)
        stage.emulator.faults.add(FaultRule(operation=CREATE, when="before", action="reset", times=1))
        later(stage, 5, lambda: add_service(stage, config=[OTHER_MODEL]))
        operator = creator(stage, retries=1)
        assert isinstance(stage.attempt(operator).error, TransportError)
        assert isinstance(stage.attempt(operator).error, InvalidInputError), stage.log
        assert asked(stage, CREATE) == 0

    def test_that_cannot_be_told_apart_is_not_adopted(self, staging: Staging, mode: Mode) -> None:
        stage = staging(mode)
        stage.emulator.switches.list_lag = 8.0
        stage.emulator.faults.add(LOST)
        later(stage, 20, lambda: add_service(stage))
        result = stage.attempt(creator(stage))
        assert isinstance(result.error, StartUncertainError), stage.log
        assert set(result.error.candidates) == {each.service_id for each in services(stage)}
        assert len(result.error.candidates) == 2


@both_modes
class TestKill:
    def test_stops_what_is_being_deployed(self, staging: Staging, mode: Mode) -> None:
        stage = staging(mode)
        plan(stage, never_deploys())
        stage.at(100, lambda: stage.mark("failed"))
        stage.attempt(creator(stage))
        assert stage.airflow.state == "failed"
        assert asked(stage, UPDATE, "stopped") == 1
        stage.clock.advance(60)
        assert [each.status for each in services(stage)] == ["stopped"]

    def test_stops_nothing_if_not_wanted(self, staging: Staging, mode: Mode) -> None:
        stage = staging(mode)
        plan(stage, never_deploys())
        stage.at(100, lambda: stage.mark("failed"))
        stage.attempt(creator(stage, cancel_on_kill=False))
        assert asked(stage, UPDATE) == 0

    def test_of_what_runs_already_stops_nothing(self, staging: Staging, mode: Mode) -> None:
        stage = staging(mode)
        plan(stage, never_deploys())

        def kill() -> None:
            stage.emulator.modelarts.services.force_status(NAME, "running")
            stage.mark("failed")

        stage.at(101, kill)
        stage.attempt(creator(stage))
        assert asked(stage, UPDATE) == 0

    def test_that_the_service_refuses_is_told(self, staging: Staging, mode: Mode) -> None:
        stage = staging(mode)
        plan(stage, never_deploys())
        stage.emulator.faults.add(FaultRule(operation=UPDATE, status=409, times=None))
        stage.at(100, lambda: stage.mark("failed"))
        stage.attempt(creator(stage))
        assert "could not be stopped and may go on" in stage.log
        assert services(stage)[0].service_id in stage.log

    def test_by_a_redeploy_loses_nothing(self, staging: Staging, mode: Mode) -> None:
        stage = staging(mode)
        plan(stage, deploys(300))
        operator = creator(stage, retries=1)
        stage.at(100, stage.shut_down)
        if stage.attempt(operator).state == "up_for_retry":
            stage.attempt(operator)
        assert stage.result.state == "success", stage.log
        assert (asked(stage, CREATE), asked(stage, UPDATE)) == (1, 0)


@both_modes
@each_profile
class TestWhateverTheServiceIsLike:
    def test_one_service_is_deployed_and_repeated(self, staging: Staging, mode: Mode, profile: str) -> None:
        stage = staging(mode)
        use_profile(stage, profile)
        for number in range(4):
            add_service(stage, f"{NAME}-{number}")
        plan(stage, fails_to_deploy(20), deploys(20))
        stage.emulator.faults.add(LOST)
        operator = creator(stage, retries=1)
        assert isinstance(stage.attempt(operator).error, RunFailedError)
        assert stage.attempt(operator).state == "success", stage.log
        assert [each.name for each in services(stage)].count(NAME) == 1
        assert (asked(stage, CREATE), asked(stage, UPDATE, "config")) == (1, 1)

    def test_a_cleared_one_is_replaced(self, staging: Staging, mode: Mode, profile: str) -> None:
        stage = staging(mode)
        use_profile(stage, profile)
        plan(stage, never_deploys())
        operator = creator(stage)
        stage.at(100, stage.clear)
        stage.attempt(operator)
        (first,) = services(stage)
        plan(stage, deploys(20))
        assert stage.attempt(operator).state == "success", stage.log
        (second,) = services(stage)
        assert second.service_id != first.service_id
        assert asked(stage, CREATE) == 2

    def test_a_killed_one_is_stopped(self, staging: Staging, mode: Mode, profile: str) -> None:
        stage = staging(mode)
        use_profile(stage, profile)
        plan(stage, never_deploys())
        stage.at(100, lambda: stage.mark("failed"))
        stage.attempt(creator(stage))
        assert asked(stage, UPDATE, "stopped") == 1

    def test_a_batch_is_waited_for(self, staging: Staging, mode: Mode, profile: str) -> None:
        stage = staging(mode)
        use_profile(stage, profile)
        result = stage.attempt(creator(stage, infer_type="batch", config=[BATCH]))
        assert result.state == "success", stage.log
        assert result.xcoms["run"]["status"].lower() == "finished"


@both_modes
def test_numbers_may_be_rendered_from_templates(staging: Staging, mode: Mode) -> None:
    stage = staging(mode)
    version = {
        "model_id": "0e07b41b",
        "specification": "custom",
        "custom_spec": {"cpu": "1.5", "memory": "{{ 7500 }}"},
        "instance_count": "{{ 1 + 1 }}",
        "deploy_timeout_in_seconds": "{{ 600 }}",
    }
    stop = {"type": "stop", "time_unit": "HOURS", "duration": "{{ 3 }}"}
    arguments: dict[str, Any] = {"config": [version], "schedule": [stop], "timeout": "3000", "poll_interval": "10"}
    assert stage.attempt(creator(stage, **arguments)).state == "success", stage.log
    (body,) = [entry.body for entry in stage.emulator.journal.find(CREATE)]
    assert body["config"] == [
        {
            **version,
            "custom_spec": {"cpu": 1.5, "memory": 7500},
            "instance_count": 2,
            "deploy_timeout_in_seconds": 600,
            "weight": 100,
        }
    ]
    assert body["schedule"] == [{**stop, "duration": 3}]
    assert version["instance_count"] == "{{ 1 + 1 }}"


@pytest.mark.parametrize("argument", ["timeout", "poll_interval"])
@pytest.mark.parametrize("value", ["soon", "{{ 300 }}", "nan", True, None, "", 0, -1])
def test_seconds_that_are_no_number_are_refused_at_once(staging: Staging, argument: str, value: Any) -> None:
    with pytest.raises(InvalidInputError, match=argument):
        creator(staging("sync"), **{argument: value})


UNWEIGHTED = [MODEL, OTHER_MODEL]
WEIGHED_WRONG = [{**MODEL, "weight": 70}, {**OTHER_MODEL, "weight": 40}]


@both_modes
@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        ({"service_name": "my service"}, "1 to 64"),
        ({"config": []}, "at least one model"),
        ({"config": WEIGHED_WRONG}, "70 + 40 = 110"),
        ({"config": UNWEIGHTED}, "whole number from 0 to 100"),
        ({"config": [{**MODEL, "instance_count": 129}]}, "128"),
        ({"config": [{**MODEL, "instance_count": "two"}]}, "128"),
        ({"config": [{**MODEL, "deploy_timeout_in_seconds": "soon"}]}, "deploy_timeout_in_seconds"),
        ({"schedule": [{"type": "stop", "time_unit": "HOURS", "duration": "1.5"}]}, "duration"),
        ({"infer_type": "batch"}, "src_path"),
        ({"infer_type": "batch", "config": [{**CSV, "mapping_rule": {"type": ["object"]}}]}, "names no column"),
        ({"infer_type": ["batch"]}, "real-time"),
        ({"extra": {"additional_properties": {"tags": {1}}}}, "additional_properties.tags is a set"),
        ({"extra": {None: 1}}, "extra"),
        ({"config": [{**MODEL, "envs": {}, "hooks": object()}]}, "config[0].hooks is a object"),
        ({"infer_type": "streaming"}, "real-time"),
        ({"vpc_id": "v"}, "belong together"),
        ({"description": "a & b"}, "100 characters"),
        ({"schedule": [{"type": "stop", "time_unit": "YEARS", "duration": 1}]}, "YEARS"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_what_cannot_be_right_is_refused_before_anything_is_sent(
    staging: Staging, mode: Mode, arguments: dict[str, Any], rule: str
) -> None:
    stage = staging(mode)
    result = stage.attempt(creator(stage, **arguments))
    assert isinstance(result.error, InvalidInputError), stage.log
    assert rule in str(result.error)
    assert stage.emulator.journal.entries == []
    assert stage.airflow.state_store == {}


@both_modes
def test_a_refusal_leaves_no_doubt_that_nothing_was_created(staging: Staging, mode: Mode) -> None:
    stage = staging(mode)
    stage.emulator.faults.add(FaultRule(operation=CREATE, status=400, times=1))
    assert isinstance(stage.attempt(creator(stage)).error, BadRequestError)
    assert stage.airflow.state_store == {}
