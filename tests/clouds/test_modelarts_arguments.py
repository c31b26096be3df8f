"""Arguments of a wrong type are refused before anything is sent, and answers that lack what they promise, too."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from airflow_provider_mlworkflows.exceptions import InvalidInputError
from tests.clouds.support import RecordingApi

W = "0b9a6a52-6d1b-4d5c-8a43-9a6b1e5f7c21"
E = "4f6a0f1e-5b0e-4f4e-9c57-0d2a7c1b9e10"

Call = Callable[[Any], object]

WRONG: list[tuple[Call, str]] = [
    (lambda api: api.create_execution(W, labels=5), "labels should be a list"),
    (lambda api: api.create_execution(W, labels=None), "labels should be a list"),
    (lambda api: api.create_execution(W, labels={"a": 1}), "labels should be a list"),
    (lambda api: api.create_execution(W, labels="nightly"), r"write \['nightly'\]"),
    (lambda api: api.create_execution(W, labels=[1]), "labels contains 1"),
    (lambda api: api.create_execution(W, description=object()), "description should be a text"),
    (lambda api: api.create_execution(W, scene_id=["s"]), "scene_id should be a text"),
    (lambda api: api.create_execution(W, name=7), "name 7 is not allowed"),
    (lambda api: api.create_execution(W, use_cache="no"), "use_cache should be True or False, not 'no'"),
    (lambda api: api.create_execution(W, extra=["x"]), "extra should be a mapping"),
    (lambda api: api.update_execution(W, E, description=1), "description should be a text"),
    (lambda api: api.act_on_execution(W, E, "rerun", rerun_steps=5), "rerun_steps should be a list"),
    (lambda api: api.act_on_execution(W, E, "rerun", rerun_steps="train"), r"write \['train'\]"),
    (lambda api: api.create_workflow("w", description=1), "description should be a text"),
    (lambda api: api.create_schedule(W, "0 0 12 * * ?", enable="yes"), "enable should be True or False"),
    (lambda api: api.create_subscription(W, "urn:smn:x"), r"write \['urn:smn:x'\]"),
    (lambda api: api.list_workflows(name=["n"]), "name should be a text"),
    (lambda api: api.list_workflows(limit=True), "limit should be a text or a whole number"),
    (lambda api: api.list_executions(W, labels=5), "labels should be a list"),
    (lambda api: api.show_training_job_log(E, "worker-0", lines="50"), "not a whole number"),
]


@pytest.mark.parametrize(("call", "message"), WRONG)
def test_a_wrong_type_is_refused_before_anything_is_sent(call: Call, message: str) -> None:
    api = RecordingApi()

    with pytest.raises(InvalidInputError, match=message):
        call(api)
    assert api.requests == []


UNKEPT: list[tuple[Call, object]] = [
    (lambda api: api.create_execution(W), {"execution_id": "../../elsewhere"}),
    (lambda api: api.create_execution(W), {"execution_id": ""}),
    (lambda api: api.create_execution(W), {}),
    (lambda api: api.act_on_execution(W, E, "stop"), {}),
    (lambda api: api.act_on_step(W, E, E, "retry"), {}),
    (lambda api: api.act_on_step(W, E, E, "retry"), {"step_name": "train"}),
    (lambda api: api.list_schedules(W), {}),
    (lambda api: api.show_workflows_overview(), {}),
    (lambda api: api.show_workflows_overview(), {"stat": {}}),
    (lambda api: api.authorize_service(), {}),
]


@pytest.mark.parametrize(("call", "reply"), UNKEPT)
def test_an_answer_without_what_it_promises_is_none(call: Call, reply: object) -> None:
    with pytest.raises(ValidationError):
        call(RecordingApi(reply))


def test_no_schedules_may_be_told_as_null() -> None:
    assert RecordingApi({"schedules": None}).list_schedules(W).schedules == []


def test_a_step_action_tells_its_step() -> None:
    assert RecordingApi({"uuid": E}).act_on_step(W, E, E, "retry").uuid == E
