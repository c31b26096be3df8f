"""The examples: each is a correct Dag file, cheap to parse, and does what it says on an emulator."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from airflow.serialization.serialized_objects import DagSerialization

from airflow_provider_mlworkflows.emulator import Emulator
from airflow_provider_mlworkflows.emulator.environment import connections
from airflow_provider_mlworkflows.operators.base import RunOperator
from airflow_provider_mlworkflows.operators.modelarts_calls import ModelArtsCallOperator
from airflow_provider_mlworkflows.sensors.base import RunSensor
from airflow_provider_mlworkflows.triggers.run import RunTrigger
from tests.harness.dag_test import DagTestResult, load_dag, run_dag_file
from tests.harness.environment import REPOSITORY
from tests.support import START, EmulatorClock

FOLDER = REPOSITORY / "example_dags"
FILES = sorted(FOLDER.glob("*.py"))
SUCCESS = {"modelarts": "completed", "paiflow": "Succeeded", "obs": "SUCCESS", "aom": "success"}
SKIPPED_TASKS = {"example_modelarts_step_branch": {"scratch", "announce_scratch"}}

each_file = pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
pytestmark = pytest.mark.usefixtures("airflow_db")


@each_file
def test_dag_file_is_complete(path: Path) -> None:
    dag = load_dag(path)
    assert dag.dag_id == path.stem
    assert dag.doc_md is not None
    assert dag.doc_md.startswith("### ")
    assert {"example", "mlworkflows"} <= dag.tags
    assert not dag.catchup
    assert dag.timetable.can_be_scheduled is False
    restored = DagSerialization.deserialize_dag(DagSerialization.serialize_dag(dag))
    assert set(restored.task_dict) == set(dag.task_dict)
    assert 'if __name__ == "__main__":\n    dag.test()\n' in path.read_text()


def test_parsing_the_examples_loads_no_client() -> None:
    program = (
        "import json, runpy, sys\n"
        "for path in sys.argv[1:]: runpy.run_path(path)\n"
        "print(json.dumps([name for name in sys.modules if name.startswith('airflow_provider_mlworkflows')]))\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program, *map(str, FILES)], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    loaded: list[str] = json.loads(ended.stdout.splitlines()[-1])
    assert "airflow_provider_mlworkflows.operators.modelarts" in loaded
    assert [name for name in loaded if name.split(".")[1:2] in (["clouds"], ["hooks"], ["emulator"])] == []


@each_file
def test_example_succeeds(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Emulator(clock="manual") as emulator:
        result = run(path, emulator, monkeypatch)
        # What no task waits for ends by itself.
        emulator.clock.advance(300)
        statuses = {each.status for each in emulator.modelarts.executions.values()}
        statuses |= {each.status for each in emulator.paiflow.runs.values()}
        statuses |= {each.state for each in emulator.obs.executions.values()}
        statuses |= {each.status for each in emulator.aom.executions.values()}
    assert result.state == "success"
    skipped = {task for task, state in result.states.items() if state == "skipped"}
    assert skipped == SKIPPED_TASKS.get(path.stem, set())
    assert {state for task, state in result.states.items() if task not in skipped} == {"success"}
    assert statuses == {SUCCESS[path.stem.split("_")[1]]}


def test_start(monkeypatch: pytest.MonkeyPatch) -> None:
    with Emulator(clock="manual") as emulator:
        result = run(FOLDER / "example_modelarts_start.py", emulator, monkeypatch)
        (start,) = emulator.journal.find(START, effective=True)
    assert body_values(start.body, "parameters") == {"learning_rate": 0.05, "epochs": 5}
    assert result.xcoms["train"]["return_value"] == result.xcoms["train"]["run_id"]
    for step in ("prepare", "train", "evaluate", "register"):
        assert f"{step}: completed after" in result.log


@pytest.mark.parametrize(("full", "taken", "skipped"), [(False, "fine_tune", "train"), (True, "train", "fine_tune")])
def test_branch(full: bool, taken: str, skipped: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with Emulator(clock="manual") as emulator:
        path = FOLDER / "example_modelarts_branch.py"
        result = run(path, emulator, monkeypatch, run_conf={"full_training": full})
        (start,) = emulator.journal.find(START, effective=True)
    assert body_values(start.body, "parameters") == {"full_training": full}
    assert result.xcoms["branch_taken"]["return_value"] == taken
    assert {step["name"]: step["state"] for step in result.xcoms["train"]["steps"]} == {
        "prepare": "succeeded",
        "choose": "succeeded",
        "register": "succeeded",
        taken: "succeeded",
        skipped: "skipped",
    }


def test_sensor_waits_for_what_was_started(monkeypatch: pytest.MonkeyPatch) -> None:
    with Emulator(clock="manual") as emulator:
        result = run(FOLDER / "example_modelarts_sensor.py", emulator, monkeypatch)
        assert emulator.journal.count(START, effective=True) == 1
    assert "run" not in result.xcoms["start"]
    assert result.xcoms["wait"]["return_value"] == result.xcoms["start"]["run_id"]
    assert result.xcoms["wait"]["run"]["state"] == "succeeded"


def test_deployment_twice_in_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    path = FOLDER / "example_modelarts_deploy.py"
    with Emulator(clock="manual") as emulator:
        first, second = (run(path, emulator, monkeypatch) for _ in range(2))
        (service,) = emulator.modelarts.services.all.values()
        (notebook,) = emulator.modelarts.notebooks.all.values()
        assert emulator.journal.count("CreateService", effective=True) == 2
        assert emulator.journal.count("DeleteService", effective=True) == 1
        assert emulator.journal.count("CreateWorkflowSchedule", effective=True) == 1
    assert (first.state, second.state) == ("success", "success")
    assert second.xcoms["deploy"]["return_value"] == service.service_id == notebook.tags["service"]
    assert first.xcoms["deploy"]["return_value"] != service.service_id
    assert second.xcoms["running"]["run"]["status"] == "running"
    assert [todo["status"] for todo in second.xcoms["asked"]["outputs"]["todos"]] == ["wait_inputs"]


def test_pipeline_start(monkeypatch: pytest.MonkeyPatch) -> None:
    with Emulator(clock="manual") as emulator:
        result = run(FOLDER / "example_paiflow_start.py", emulator, monkeypatch)
        (run_of_pipeline,) = emulator.paiflow.runs.values()
    parameters = {each["name"]: each["value"] for each in run_of_pipeline.inputs["parameters"]}
    assert parameters == {"learning_rate": 0.05, "epochs": 5, "table": "emulator.raw_events"}
    assert result.xcoms["train"]["outputs"]["evaluate"]["metrics"]["value"]["accuracy"] == 0.93
    assert "train left Model model" in result.log


def test_pipeline_repair(monkeypatch: pytest.MonkeyPatch) -> None:
    with Emulator(clock="manual") as emulator:
        result = run(FOLDER / "example_paiflow_repair.py", emulator, monkeypatch)
        assert emulator.journal.count("CreatePipelineRun", effective=True) == 1
        assert emulator.journal.count("RerunPipelineRun", effective=True) == 1
    assert result.xcoms["wait_for_node"]["step"]["name"] == "evaluate"
    assert result.xcoms["wait_for_node"]["return_value"] == result.xcoms["train"]["return_value"]


def test_workflow_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELARTS_WORKFLOW_ID", "9d1f7c02-3d64-4b8e-9f10-6c2e8d4b7a99")
    for name in ("example_modelarts_start", "example_modelarts_sensor"):
        for task in load_dag(FOLDER / f"{name}.py").tasks:
            if hasattr(task, "workflow_id"):
                assert task.workflow_id == "9d1f7c02-3d64-4b8e-9f10-6c2e8d4b7a99"


def run(path: Path, emulator: Emulator, patch: pytest.MonkeyPatch, **options: Any) -> DagTestResult:
    """Run an example against an emulator whose time passes while tasks and triggers wait."""
    clock = EmulatorClock(emulator)
    for owner in (RunOperator, ModelArtsCallOperator, RunSensor, RunTrigger):
        patch.setattr(owner, "clock", clock)
    leading_here = {name: json.dumps(fields) for name, fields in connections(emulator.url).items()}
    return run_dag_file(path, connections=leading_here, **options)


def body_values(body: Any, key: str) -> dict[str, Any]:
    return {item["name"]: item["value"] for item in body[key]}
