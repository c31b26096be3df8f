"""Scenes of what is beside the workflows of ModelArts, and of connections."""

from __future__ import annotations

import json
import os
from itertools import count
from typing import TYPE_CHECKING, Any
from unittest import mock

from airflow_provider_mlworkflows.emulator.environment import HUAWEI_CONNECTION
from airflow_provider_mlworkflows.emulator.modelarts.ready import HOLDS_FOR_LABELLING, NOTEBOOK
from airflow_provider_mlworkflows.emulator.modelarts.serving import deploys, fails_to_deploy, never_deploys
from airflow_provider_mlworkflows.hooks.aom import AomWorkflowHook
from airflow_provider_mlworkflows.hooks.modelarts import ModelArtsHook
from airflow_provider_mlworkflows.hooks.obs import ObsWorkflowHook
from airflow_provider_mlworkflows.hooks.paiflow import PaiFlowHook
from airflow_provider_mlworkflows.operators import (
    modelarts_extras,
    modelarts_schedules,
    modelarts_service_changes,
    modelarts_services,
    modelarts_subscriptions,
)
from airflow_provider_mlworkflows.runs import Run, RunRef
from airflow_provider_mlworkflows.sensors import modelarts_resources
from tests.permissions.scene import answered, has_gone_well, scene
from tests.permissions.table import (
    BY_NAME,
    CHANGE,
    EXISTING,
    KILL,
    MANY,
    NO_ID,
    NO_PROJECT,
    RESTART,
    RETRY,
    STATUS,
    TEST,
)
from tests.scenarios.aom import AomUnderTest
from tests.scenarios.modelarts import ModelArtsUnderTest
from tests.scenarios.obs import ObsUnderTest
from tests.scenarios.paiflow import PaiFlowUnderTest
from tests.scenarios.plan import chain, completes

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator

    from airflow_provider_mlworkflows.emulator.modelarts.serving import Service
    from airflow_provider_mlworkflows.sensors.base import RunSensor
    from tests.scenarios.stage import Stage

MODEL = {"model_id": "0e07b41b", "specification": "modelarts.vm.cpu.2u", "instance_count": 1, "weight": 100}
NOON, NIGHT = "0 0 12 * * ?", "0 30 2 * * ?"
TOPIC = "urn:smn:cn-north-4:0e5d1a7c:alarms"
_numbers = count(1)


def call(stage: Stage, kind: type[BaseOperator], **arguments: Any) -> Any:
    """Run an operator; what it returns."""
    stage.attempt(kind(task_id="call", **arguments))
    has_gone_well(stage)
    return stage.result.xcoms.get("return_value")


# Schedules and subscriptions


def _planned(stage: Stage) -> str:
    return stage.plan(*chain(("train", completes())))


def _scheduled(stage: Stage, cron: str = NIGHT) -> str:
    """The id of a schedule that the workflow has already."""
    workflow_id = _planned(stage)
    schedule = {"uuid": workflow_id, "type": "time", "content": {"cron": cron}, "action": "run", "enable": True}
    stage.emulator.modelarts.workflow(workflow_id).schedule = {**schedule, "workflow_id": workflow_id}
    return workflow_id


@scene("ModelArtsCreateScheduleOperator", ModelArtsUnderTest)
def makes_a_schedule(stage: Stage) -> None:
    call(stage, modelarts_schedules.ModelArtsCreateScheduleOperator, workflow_id=_planned(stage), cron=NOON)
    assert stage.emulator.modelarts.workflow(stage.workflow).schedule is not None


@scene("ModelArtsCreateScheduleOperator", ModelArtsUnderTest, EXISTING)
def makes_it_of_another(stage: Stage) -> None:
    _scheduled(stage)
    kind = modelarts_schedules.ModelArtsCreateScheduleOperator
    call(stage, kind, workflow_id=stage.workflow, cron=NOON, on_existing="update")


@scene("ModelArtsUpdateScheduleOperator", ModelArtsUnderTest)
def changes_a_schedule(stage: Stage) -> None:
    key = _scheduled(stage)
    kind = modelarts_schedules.ModelArtsUpdateScheduleOperator
    call(stage, kind, workflow_id=stage.workflow, schedule_id=key, enable=False)


@scene("ModelArtsUpdateScheduleOperator", ModelArtsUnderTest, NO_ID)
def changes_the_only_schedule(stage: Stage) -> None:
    _scheduled(stage)
    call(stage, modelarts_schedules.ModelArtsUpdateScheduleOperator, workflow_id=stage.workflow, enable=False)


@scene("ModelArtsDeleteScheduleOperator", ModelArtsUnderTest)
def deletes_a_schedule(stage: Stage) -> None:
    key = _scheduled(stage)
    call(stage, modelarts_schedules.ModelArtsDeleteScheduleOperator, workflow_id=stage.workflow, schedule_id=key)
    assert stage.emulator.modelarts.workflow(stage.workflow).schedule is None


@scene("ModelArtsDeleteScheduleOperator", ModelArtsUnderTest, NO_ID)
def deletes_the_only_schedule(stage: Stage) -> None:
    _scheduled(stage)
    call(stage, modelarts_schedules.ModelArtsDeleteScheduleOperator, workflow_id=stage.workflow)
    assert stage.emulator.modelarts.workflow(stage.workflow).schedule is None


def _subscribed(stage: Stage) -> str:
    """The id of a subscription that the workflow has already."""
    workflow_id = _planned(stage)
    known = stage.emulator.modelarts.workflow(workflow_id).subscriptions
    known[workflow_id] = {"subscription_id": workflow_id, "topic_urns": [TOPIC], "events": [], "entity": ""}
    return workflow_id


@scene("ModelArtsCreateSubscriptionOperator", ModelArtsUnderTest)
def subscribes(stage: Stage) -> None:
    kind = modelarts_subscriptions.ModelArtsCreateSubscriptionOperator
    call(stage, kind, workflow_id=_planned(stage), topic_urns=[TOPIC], events=["*:hold"])
    assert len(stage.emulator.modelarts.workflow(stage.workflow).subscriptions) == 1


@scene("ModelArtsUpdateSubscriptionOperator", ModelArtsUnderTest)
def changes_a_subscription(stage: Stage) -> None:
    key = _subscribed(stage)
    kind = modelarts_subscriptions.ModelArtsUpdateSubscriptionOperator
    call(stage, kind, workflow_id=stage.workflow, subscription_id=key, topic_urns=[TOPIC], events=["*:hold"])


@scene("ModelArtsDeleteSubscriptionOperator", ModelArtsUnderTest)
def unsubscribes(stage: Stage) -> None:
    key = _subscribed(stage)
    kind = modelarts_subscriptions.ModelArtsDeleteSubscriptionOperator
    call(stage, kind, workflow_id=stage.workflow, subscription_id=key)
    assert stage.emulator.modelarts.workflow(stage.workflow).subscriptions == {}


# Services


def _deployer(name: str, **arguments: Any) -> BaseOperator:
    kind = modelarts_services.ModelArtsCreateServiceOperator
    return kind(task_id="deploy", service_name=name, config=[MODEL], deferrable=False, **arguments)


def _planned_service(stage: Stage, *deployments: Any) -> str:
    name = f"service-{next(_numbers)}"
    stage.emulator.modelarts.services.plan(name, *deployments)
    return name


def _named(stage: Stage, name: str) -> list[Service]:
    known = stage.emulator.modelarts.services.all.values()
    return [each for each in known if each.name == name]


def _running(stage: Stage, *deployments: Any) -> Service:
    """Somebody else's service that has been running for a while."""
    body = {"service_name": f"service-{next(_numbers)}", "infer_type": "real-time", "config": [MODEL]}
    service = stage.emulator.modelarts.services.add(body, *(deployments or (deploys(10), deploys(10))))
    stage.clock.advance(60)
    return service


@scene("ModelArtsCreateServiceOperator", ModelArtsUnderTest)
def deploys_a_service(stage: Stage) -> None:
    name = _planned_service(stage, deploys(20))
    stage.attempt(_deployer(name))
    has_gone_well(stage)
    assert [each.status for each in _named(stage, name)] == ["running"]


@scene("ModelArtsCreateServiceOperator", ModelArtsUnderTest, KILL)
def stops_a_service_that_is_deployed(stage: Stage) -> None:
    name = _planned_service(stage, never_deploys())
    stage.at(60, lambda: stage.mark("failed"))
    stage.attempt(_deployer(name))
    stage.clock.advance(60)
    (service,) = _named(stage, name)
    service.advance()
    assert service.status == "stopped", stage.log


@scene("ModelArtsCreateServiceOperator", ModelArtsUnderTest, RETRY)
def deploys_a_service_anew(stage: Stage) -> None:
    name = _planned_service(stage, fails_to_deploy(20), deploys(20))
    operator = _deployer(name, retries=1)
    assert [stage.attempt(operator).state for _ in range(2)] == ["up_for_retry", "success"], stage.log
    assert len(_named(stage, name)) == 1


@scene("ModelArtsCreateServiceOperator", ModelArtsUnderTest, RESTART)
def deploys_another_service(stage: Stage) -> None:
    name = _planned_service(stage, fails_to_deploy(20))
    operator = _deployer(name, retries=1, on_retry="restart")
    assert stage.attempt(operator).state == "up_for_retry"
    stage.emulator.modelarts.services.plan(name, deploys(20))
    assert stage.attempt(operator).state == "success", stage.log


def _changer(service: Service, **arguments: Any) -> BaseOperator:
    kind = modelarts_service_changes.ModelArtsUpdateServiceOperator
    return kind(task_id="change", service_id=service.service_id, deferrable=False, **arguments)


@scene("ModelArtsUpdateServiceOperator", ModelArtsUnderTest)
def has_nothing_to_change(stage: Stage) -> None:
    stage.attempt(_changer(_running(stage), config=[MODEL]))
    has_gone_well(stage)
    assert "there is nothing to change" in stage.log


@scene("ModelArtsUpdateServiceOperator", ModelArtsUnderTest, CHANGE)
def changes_a_service(stage: Stage) -> None:
    stage.attempt(_changer(_running(stage), config=[{**MODEL, "model_id": "5d11c0aa"}]))
    has_gone_well(stage)


@scene("ModelArtsUpdateServiceOperator", ModelArtsUnderTest, STATUS)
def stops_a_service(stage: Stage) -> None:
    service = _running(stage)
    stage.attempt(_changer(service, status="stopped"))
    has_gone_well(stage)
    assert service.status == "stopped"


@scene("ModelArtsUpdateServiceOperator", ModelArtsUnderTest, "its deployment is stopped")
def stops_a_service_that_is_changed(stage: Stage) -> None:
    service = _running(stage, deploys(10), never_deploys())
    stage.at(60, lambda: stage.mark("failed"))
    stage.attempt(_changer(service, config=[{**MODEL, "model_id": "5d11c0aa"}], cancel_on_kill=True))
    stage.clock.advance(60)
    service.advance()
    assert service.status == "stopped", stage.log


@scene("ModelArtsDeleteServiceOperator", ModelArtsUnderTest)
def deletes_a_service(stage: Stage) -> None:
    service_id = _running(stage).service_id
    kind = modelarts_service_changes.ModelArtsDeleteServiceOperator
    assert call(stage, kind, service_id=service_id) == service_id


@scene("ModelArtsDeleteServiceOperator", ModelArtsUnderTest, BY_NAME)
def deletes_a_service_by_its_name(stage: Stage) -> None:
    service = _running(stage)
    kind = modelarts_service_changes.ModelArtsDeleteServiceOperator
    assert call(stage, kind, service_name=service.name) == service.service_id


# Sensors


def _pool(stage: Stage) -> str:
    name = f"pool-{next(_numbers)}"
    stage.emulator.modelarts.pools.add(name, nodes=3, available=3)
    return name


def _waits(stage: Stage, kind: type[RunSensor], **arguments: Any) -> None:
    stage.attempt(kind(task_id="wait", deferrable=False, **arguments))
    has_gone_well(stage)


def _read_together(stage: Stage, watcher: Any, kind: str, keys: list[str], operation: str) -> None:
    refs = [RunRef(kind, key) for key in keys]
    runs = watcher.hook.get_runs(refs)
    assert [type(runs[ref]) for ref in refs] == [Run] * len(refs), runs
    assert answered(stage, operation) > 0


@scene("ModelArtsServiceSensor", ModelArtsUnderTest)
def waits_for_a_service(stage: Stage) -> None:
    _waits(stage, modelarts_resources.ModelArtsServiceSensor, service_id=_running(stage).service_id)


@scene("ModelArtsServiceSensor", ModelArtsUnderTest, MANY)
def services_are_read_together(stage: Stage) -> None:
    keys = [_running(stage).service_id for _ in range(3)]
    sensor = modelarts_resources.ModelArtsServiceSensor(task_id="wait", service_id=keys[0])
    _read_together(stage, sensor, "service", keys, "ListServices")


@scene("ModelArtsUpdateServiceOperator", ModelArtsUnderTest, MANY)
def changed_services_are_read_together(stage: Stage) -> None:
    running = [_running(stage) for _ in range(3)]
    keys = [each.service_id for each in running]
    _read_together(stage, _changer(running[0], status="running"), "service", keys, "ListServices")


@scene("ModelArtsPoolSensor", ModelArtsUnderTest)
def waits_for_a_pool(stage: Stage) -> None:
    _waits(stage, modelarts_resources.ModelArtsPoolSensor, pool_name=_pool(stage), min_nodes=3)


@scene("ModelArtsPoolSensor", ModelArtsUnderTest, MANY)
def pools_are_read_together(stage: Stage) -> None:
    keys = [_pool(stage) for _ in range(3)]
    sensor = modelarts_resources.ModelArtsPoolSensor(task_id="wait", pool_name=keys[0], min_nodes=3)
    _read_together(stage, sensor, "pool", keys, "ListPools")


@scene("ModelArtsClusterSensor", ModelArtsUnderTest)
def waits_for_a_cluster(stage: Stage) -> None:
    name = f"cluster-{next(_numbers)}"
    stage.emulator.modelarts.clusters.add(name, nodes=3, available_nodes=3)
    _waits(stage, modelarts_resources.ModelArtsClusterSensor, cluster=name, min_nodes=3)


@scene("ModelArtsTodoSensor", ModelArtsUnderTest)
def waits_for_a_todo(stage: Stage) -> None:
    stage.emulator.modelarts.start(HOLDS_FOR_LABELLING)
    _waits(stage, modelarts_resources.ModelArtsTodoSensor)


# The rest


@scene("ModelArtsTagNotebookOperator", ModelArtsUnderTest)
def tags_a_notebook(stage: Stage) -> None:
    kind = modelarts_extras.ModelArtsTagNotebookOperator
    call(stage, kind, notebook_id=NOTEBOOK, notebook_tags={"model": "flowers"})


@scene("ModelArtsUntagNotebookOperator", ModelArtsUnderTest)
def untags_a_notebook(stage: Stage) -> None:
    stage.emulator.modelarts.notebooks.get(NOTEBOOK).tags["model"] = "flowers"
    kind = modelarts_extras.ModelArtsUntagNotebookOperator
    call(stage, kind, notebook_id=NOTEBOOK, notebook_tags=["model"])


@scene("ModelArtsAuthorizeServiceOperator", ModelArtsUnderTest)
def asks_for_an_authorization(stage: Stage) -> None:
    kind = modelarts_extras.ModelArtsAuthorizeServiceOperator
    assert call(stage, kind, content_id="c", consume_period="day", consume_value=100) == "available"


@scene(NO_PROJECT, ModelArtsUnderTest)
def looks_for_its_project(stage: Stage) -> None:
    connection = stage.service.connections()[HUAWEI_CONNECTION]
    extra = {key: value for key, value in connection["extra"].items() if key != "project_id"}
    # A project that was found before is remembered by region.
    extra["region"] = f"eu-west-{next(_numbers)}"
    stage.emulator.credentials.add_project(extra["region"])
    variable = {f"AIRFLOW_CONN_{HUAWEI_CONNECTION.upper()}": json.dumps({**connection, "extra": extra})}
    with mock.patch.dict(os.environ, variable):
        waits_for_a_todo(stage)


def _test_connection(hook: Any) -> None:
    good, text = hook.test_connection()
    assert good, text


@scene(TEST, ModelArtsUnderTest)
def tests_modelarts(stage: Stage) -> None:
    _test_connection(ModelArtsHook(clock=stage.clock))


@scene(TEST, PaiFlowUnderTest)
def tests_paiflow(stage: Stage) -> None:
    _test_connection(PaiFlowHook(clock=stage.clock))


@scene(TEST, ObsUnderTest)
def tests_obs(stage: Stage) -> None:
    _test_connection(ObsWorkflowHook(clock=stage.clock))


@scene(TEST, AomUnderTest)
def tests_aom(stage: Stage) -> None:
    _test_connection(AomWorkflowHook(clock=stage.clock))
