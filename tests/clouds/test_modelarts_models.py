from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError

from airflow_provider_mlworkflows.clouds.huawei.modelarts_models import (
    Execution,
    ExecutionGlances,
    Page,
    Schedule,
    StepExecution,
    Workflow,
    WorkflowTodo,
    read_time,
)
from airflow_provider_mlworkflows.clouds.huawei.modelarts_training_models import TrainingJob

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.clouds.huawei.models import Reply

EAST_8 = timezone(timedelta(hours=8))


@pytest.mark.parametrize(
    ("value", "time"),
    [
        ("2026-01-15T16:30:04.264564372+08:00", datetime(2026, 1, 15, 16, 30, 4, 264564, EAST_8)),
        ("2022-10-20T14:53:13.05412+08:00", datetime(2022, 10, 20, 14, 53, 13, 54120, EAST_8)),
        ("2022-11-01T21:36:04.310635+08:00", datetime(2022, 11, 1, 21, 36, 4, 310635, EAST_8)),
        ("2022-09-16T05:32:44Z", datetime(2022, 9, 16, 5, 32, 44, tzinfo=UTC)),
        ("2026-01-15T08:30:00.000000Z", datetime(2026, 1, 15, 8, 30, tzinfo=UTC)),
        ("2022-11-01 21:36:05", datetime(2022, 11, 1, 21, 36, 5, tzinfo=EAST_8)),
        (1574923077927, datetime(2019, 11, 28, 6, 37, 57, 927000, UTC)),
        ("1574923077927", datetime(2019, 11, 28, 6, 37, 57, 927000, UTC)),
        (1574923077, datetime(2019, 11, 28, 6, 37, 57, tzinfo=UTC)),
        (datetime(2026, 1, 15, 8, 30, tzinfo=UTC), datetime(2026, 1, 15, 8, 30, tzinfo=UTC)),
        (datetime(2026, 1, 15, 8, 30), datetime(2026, 1, 15, 8, 30, tzinfo=EAST_8)),
        ("", None),
        ("soon", None),
        ("nan", None),
        ("1e300", None),
    ],
)
def test_times(value: object, time: datetime | None) -> None:
    assert read_time(value) == time
    assert Execution.model_validate({"execution_id": "e", "created_at": value}).created_at == time


# Shapes as the service documents them, with names and values of our own.
MODEL_STEP: dict[str, Any] = {
    "created_at": "2026-01-15T16:30:04.310635+08:00",
    "uuid": "2f7ad04a-60cb-4f1c-96fd-dfc9cf96363b",
    "instance_id": '{"model_id":"6fe56a95-e7f1-4388-b207-c80684af0cb8"}',
    "step_name": "publish",
    "step_title": "publish the model",
    "status": "completed",
    "duration": 15,
    "inputs": [
        {
            "name": "model_input",
            "type": "obs",
            "data": "$ref/data_requirements/model_input",
            "value": {"object_type": ["DIRECTORY"], "obs_url": "/bucket/output/"},
        }
    ],
    "outputs": [{"name": "model_output", "type": "model", "config": {"model_id": "6fe56a95"}}],
    "properties": {"model_name": "m", "nested": {"list": [1, None]}, "number": 1.5},
    "events": ["2026-01-15 16:30:05 change status from init to creating"],
    "policy": {},
}


def test_a_step() -> None:
    step = StepExecution.model_validate(MODEL_STEP)

    assert step.instance == {"model_id": "6fe56a95-e7f1-4388-b207-c80684af0cb8"}
    assert step.duration == 15
    assert step.properties == {"model_name": "m", "nested": {"list": [1, None]}, "number": 1.5}
    assert step.outputs[0].config["model_id"] == "6fe56a95"
    assert step.error_info is None


@pytest.mark.parametrize(
    ("instance_id", "instance"),
    [
        ({"service_id": "s", "status": "running"}, {"service_id": "s", "status": "running"}),
        ('{"job_id": "j"}', {"job_id": "j"}),
        ("5a3e8f10-7c2d-4b6a-9e1f-8d0c4b2a6f55", {"id": "5a3e8f10-7c2d-4b6a-9e1f-8d0c4b2a6f55"}),
        ('["j"]', {"id": '["j"]'}),
        ("", {}),
        (None, {}),
    ],
)
def test_what_a_step_created(instance_id: object, instance: dict[str, Any]) -> None:
    assert StepExecution.model_validate({"uuid": "u", "instance_id": instance_id}).instance == instance


def test_an_execution_as_it_is_right_after_its_creation() -> None:
    execution = Execution.model_validate(
        {
            "execution_id": "e",
            "name": "execution-001",
            "created_at": "2026-01-15T16:30:04.264564372+08:00",
            "steps_execution": None,
            "labels": None,
            "policies": {"use_cache": False},
        }
    )

    assert execution.status is None
    assert execution.steps_execution == []
    assert execution.labels == []


def test_a_workflow() -> None:
    workflow = Workflow.model_validate(
        {
            "workflow_id": "w",
            "name": "graph",
            "labels": ["subgraph"],
            "data": [{"name": "d", "type": "obs", "value": {"obs_url": "/b/"}, "used_steps": ["a"]}],
            "parameters": [
                {"name": "is_true", "type": "bool", "delay": True, "value": True, "used_steps": ["c"]},
                {"name": "spec", "type": "str", "format": "flavor", "default": "modelarts.vm.cpu.8u"},
            ],
            "sub_graphs": [{"name": "A", "steps": ["a", "b"]}],
            "policy": {},
            "latest_execution": {"execution_id": "e", "status": "completed", "duration": 209},
            "run_count": 2,
            "param_ready": True,
        }
    )

    assert workflow.parameters[0].value is True
    assert workflow.parameters[1].default == "modelarts.vm.cpu.8u"
    assert workflow.latest_execution is not None
    assert workflow.latest_execution.duration == 209
    assert workflow.param_ready is True
    assert workflow.policy.scenes == []


def test_todos() -> None:
    page = Page[WorkflowTodo].model_validate(
        {
            "total": 1,
            "items": [
                {
                    "time": "2026-01-15T14:53:13.05412+08:00",
                    "duration": 1059692,
                    "workflow_id": "w",
                    "workflow_name": "n",
                    "execution_id": "e",
                    "step_name": "labeling",
                    "step_title": "label the data",
                    "status": "hold",
                }
            ],
        }
    )

    assert (page.items[0].step_name, page.items[0].status) == ("labeling", "hold")


def test_a_schedule() -> None:
    schedule = Schedule.model_validate(
        {
            "uuid": "u",
            "type": "time",
            "content": {"cron": "0 0 0 * * Thu,Tue", "method": "fixed"},
            "policies": {"on_failure": "retry", "on_running": "cancel"},
            "enable": True,
        }
    )

    assert schedule.cron == "0 0 0 * * Thu,Tue"


def test_a_training_job() -> None:
    job = TrainingJob.model_validate(
        {
            "metadata": {"id": "j", "create_time": 1574923077927},
            "status": {
                "phase": "Failed",
                "duration": 1500,
                "tasks": ["worker-0"],
                "task_statuses": [{"task": "worker-0", "exit_code": 1, "message": "m"}],
            },
        }
    )

    assert job.status.task_statuses[0].exit_code == 1
    assert job.metadata.create_time == datetime(2019, 11, 28, 6, 37, 57, 927000, UTC)


class TestLeniency:
    def test_unknown_fields_are_kept(self) -> None:
        page = Page[Execution].model_validate({"items": [], "default_order": "asc"})

        assert page.model_extra == {"default_order": "asc"}

    def test_unknown_statuses_and_mixed_types_are_read(self) -> None:
        execution = Execution.model_validate(
            {"execution_id": "e", "status": "brand_new", "duration": "37", "workspace_id": 0}
        )

        assert (execution.status, execution.duration, execution.workspace_id) == ("brand_new", "37", "0")

    def test_null_is_absent(self) -> None:
        fields = dict.fromkeys(Execution.model_fields) | {"execution_id": "e"}

        assert Execution.model_validate(fields) == Execution(execution_id="e")

    @pytest.mark.parametrize(
        "model", [Workflow, Execution, Schedule, WorkflowTodo, TrainingJob, Page[Workflow], Page[WorkflowTodo]]
    )
    @pytest.mark.parametrize("body", [{}, {"unrelated": 1}, [], "text", 7])
    def test_a_reply_that_is_useless_is_refused(self, model: type[Reply], body: object) -> None:
        with pytest.raises(ValidationError):
            model.model_validate(body)

    @pytest.mark.parametrize("body", [{"items": None}, {"items": []}, {"total": 0}, {"count": 0, "items": None}])
    def test_an_empty_page(self, body: dict[str, Any]) -> None:
        assert Page[Workflow].model_validate(body).items == []

    def test_glances_hold_what_a_watcher_needs(self) -> None:
        item = {"execution_id": "e", "status": None, "duration": 3, "steps_execution": [{"uuid": 1}], "labels": []}
        page = ExecutionGlances.model_validate_json(json.dumps({"items": [item, "text", None, {}], "total": 4}))

        assert page.items == [
            {"execution_id": "e", "status": None, "steps_execution": [{"uuid": 1}]},
            "text",
            None,
            {},
        ]

    @pytest.mark.parametrize("body", ['{"items": null}', '{"count": 0}', '{"total": 0, "items": []}'])
    def test_glances_may_be_none(self, body: str) -> None:
        assert not ExecutionGlances.model_validate_json(body).items

    @pytest.mark.parametrize("body", ["{}", '{"unrelated": 1}', "[]", '"text"', "7", '{"items": {}}'])
    def test_glances_that_are_useless_are_refused(self, body: str) -> None:
        with pytest.raises(ValidationError):
            ExecutionGlances.model_validate_json(body)

    def test_replies_do_not_change(self) -> None:
        execution = Execution(execution_id="e")

        with pytest.raises(ValidationError, match="frozen"):
            execution.name = "other"  # type: ignore[misc]
