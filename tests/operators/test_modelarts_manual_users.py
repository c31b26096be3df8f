"""The last column of the table in docs/modelarts.md: who is named there asks for what its line is about."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_mlworkflows.emulator.modelarts.ready import (
    CPU_CLUSTER,
    HOLDS_FOR_LABELLING,
    NOTEBOOK,
    PLAIN_CHAIN,
    POOL,
)
from airflow_provider_mlworkflows.operators import (
    modelarts_extras,
    modelarts_schedules,
    modelarts_service_changes,
    modelarts_services,
    modelarts_subscriptions,
)
from airflow_provider_mlworkflows.sensors import modelarts_resources
from airflow_provider_mlworkflows.sensors.modelarts_resources import ModelArtsResourceSensor
from tests.hooks.test_modelarts_manual import ROWS
from tests.operators.modelarts_stage import MODEL, OTHER_MODEL, Staging, add_service

if TYPE_CHECKING:
    from tests.scenarios.stage import Stage

MODULES = (
    modelarts_extras,
    modelarts_resources,
    modelarts_schedules,
    modelarts_service_changes,
    modelarts_services,
    modelarts_subscriptions,
)
OFFERED: Mapping[str, Any] = {
    name: kind
    for module in MODULES
    for name, kind in inspect.getmembers(module, inspect.isclass)
    if kind.__module__ == module.__name__ and name.startswith("ModelArts") and kind is not ModelArtsResourceSensor
}
TOPIC = "urn:smn:cn-north-4:0e5d1a7c:alarms"
NOON = "0 0 12 * * ?"
Arguments = Callable[["Stage"], Mapping[str, Any]]


def running(stage: Stage) -> str:
    service = add_service(stage)
    stage.clock.advance(60)
    return service.service_id


def holding(stage: Stage) -> str:
    stage.emulator.modelarts.start(HOLDS_FOR_LABELLING)
    stage.clock.advance(60)
    return "0"


def made(stage: Stage, name: str, **arguments: Any) -> str:
    """The id of what another task makes."""
    result = stage.attempt(OFFERED[name](task_id="task", workflow_id=PLAIN_CHAIN, **arguments))
    stage.airflow.clear()
    stage.emulator.journal.clear()
    return str(result.xcoms["return_value"])


def scheduled(stage: Stage) -> Mapping[str, Any]:
    made(stage, "ModelArtsCreateScheduleOperator", cron=NOON)
    return {"workflow_id": PLAIN_CHAIN}


def subscribed(stage: Stage) -> Mapping[str, Any]:
    key = made(stage, "ModelArtsCreateSubscriptionOperator", topic_urns=[TOPIC])
    return {"workflow_id": PLAIN_CHAIN, "subscription_id": key}


# What each of them is run with, after something was prepared for it.
CASES: Mapping[str, Arguments] = {
    "ModelArtsAuthorizeServiceOperator": lambda stage: {"content_id": "c"},
    "ModelArtsClusterSensor": lambda stage: {"cluster": CPU_CLUSTER},
    "ModelArtsCreateScheduleOperator": lambda stage: {"workflow_id": PLAIN_CHAIN, "cron": NOON},
    "ModelArtsCreateServiceOperator": lambda stage: {"service_name": "n", "config": [MODEL]},
    "ModelArtsCreateSubscriptionOperator": lambda stage: {"workflow_id": PLAIN_CHAIN, "topic_urns": [TOPIC]},
    "ModelArtsDeleteScheduleOperator": scheduled,
    "ModelArtsDeleteServiceOperator": lambda stage: {"service_name": running(stage) and "flowers"},
    "ModelArtsDeleteSubscriptionOperator": subscribed,
    "ModelArtsPoolSensor": lambda stage: {"pool_name": POOL, "min_nodes": 11},
    "ModelArtsServiceSensor": lambda stage: {"service_id": running(stage)},
    "ModelArtsTagNotebookOperator": lambda stage: {"notebook_id": NOTEBOOK, "notebook_tags": {"k": "v"}},
    "ModelArtsTodoSensor": lambda stage: {"workspace_id": holding(stage)},
    "ModelArtsUntagNotebookOperator": lambda stage: {"notebook_id": NOTEBOOK, "notebook_tags": ["k"]},
    "ModelArtsUpdateScheduleOperator": lambda stage: {**scheduled(stage), "enable": False},
    "ModelArtsUpdateServiceOperator": lambda stage: {"service_id": running(stage), "config": [OTHER_MODEL]},
    "ModelArtsUpdateSubscriptionOperator": lambda stage: {**subscribed(stage), "topic_urns": [TOPIC]},
}


def test_everything_offered_has_a_line() -> None:
    named = {name for row in ROWS for name in re.findall(r"`(\w+)`", row.users)}
    assert named == OFFERED.keys() == CASES.keys()


@pytest.mark.parametrize("name", sorted(CASES))
def test_asks_for_what_its_lines_are_about(staging: Staging, name: str) -> None:
    stage = staging("sync")
    arguments = CASES[name](stage)
    stage.emulator.journal.clear()
    result = stage.attempt(OFFERED[name](task_id="task", **arguments))
    assert result.state == "success", stage.log
    asked = [f"{entry.method} {entry.path}" for entry in stage.emulator.journal.entries]
    for row in ROWS:
        if f"`{name}`" in row.users:
            assert any(_pattern(row.endpoint).fullmatch(each) for each in asked), (row.endpoint, asked)


def _pattern(endpoint: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(endpoint)))
