"""``mlworkflows demo``, started by somebody who has an Airflow of their own."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from airflow_provider_mlworkflows.demo import environment
from airflow_provider_mlworkflows.demo.headless import Outcome, table
from airflow_provider_mlworkflows.emulator import Emulator
from airflow_provider_mlworkflows.emulator.modelarts import ready
from airflow_provider_mlworkflows.emulator.paiflow.ready import FAILS_ONCE
from tests.harness.environment import REPOSITORY
from tests.harness.rest_client import AirflowRestClient, TaskAddress

EXAMPLES = sorted(path.stem for path in (REPOSITORY / "example_dags").glob("example_*.py"))
UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
ENDINGS = {
    "modelarts": rf"{UUID} +completed",
    "paiflow": r"flow-[0-9a-z]+ +Succeeded",
    "obs": rf"{UUID} +SUCCESS",
    "aom": r"[0-9a-f-]+ +success",
}
"""An execution that succeeded, by service."""
FORBIDDEN_PROXY = "http://127.0.0.1:9"


class User:
    """Somebody with an Airflow of their own, whose settings must neither show nor change."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        self.cwd = folder / "cwd"
        self.temporary = folder / "tmp"
        for each in (self.home, self.cwd, self.temporary):
            each.mkdir()
        (self.home / "airflow.cfg").write_text("[core]\nload_examples = True\n")
        # Whatever imports it instead of the real one fails.
        (self.cwd / "airflow.py").write_text("raise ImportError('the wrong Airflow')\n")
        self.environment = {
            **os.environ,
            "AIRFLOW_HOME": str(self.home),
            "AIRFLOW_CONFIG": str(self.home / "airflow.cfg"),
            "AIRFLOW__CORE__DAGS_FOLDER": str(self.home / "dags"),
            "AIRFLOW__CORE__EXECUTOR": "NoSuchExecutor",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "sqlite:////nowhere/airflow.db",
            "AIRFLOW_CONN_HUAWEI_MLWORKFLOWS_DEFAULT": "not a connection",
            "MODELARTS_WORKFLOW_ID": "a-workflow-of-the-user",
            "PAIFLOW_PIPELINE_ID": "a-pipeline-of-the-user",
            "HTTP_PROXY": FORBIDDEN_PROXY,
            "http_proxy": FORBIDDEN_PROXY,
            "TMPDIR": str(self.temporary),
        }

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "airflow_provider_mlworkflows.cli", "demo", *arguments],
            cwd=self.cwd,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def processes(self) -> list[psutil.Process]:
        """What was started, directly or not, with this user's folder for temporary files."""
        found = []
        for process in psutil.process_iter():
            try:
                if process.environ().get("TMPDIR") == str(self.temporary):
                    found.append(process)
            except psutil.Error:
                continue
        return found

    def assert_untouched(self) -> None:
        assert [path.name for path in self.home.iterdir()] == ["airflow.cfg"]
        assert [path.name for path in self.cwd.iterdir()] == ["airflow.py"]
        assert list(self.temporary.iterdir()) == []
        assert self.processes() == []


@pytest.fixture
def user(tmp_path: Path) -> Iterator[User]:
    somebody = User(tmp_path)
    yield somebody
    for process in somebody.processes():
        process.kill()


def test_demo_runs_every_example_and_leaves_nothing(user: User) -> None:
    demo = user.start()
    out, err = demo.communicate(timeout=300)
    assert demo.returncode == 0, out + err
    assert err == ""
    progress, _, results = out.partition("\nDag  ")
    assert [line for line in progress.splitlines() if line.startswith("example_")] == EXAMPLES
    assert progress.count("  Dag run: success\n") == len(EXAMPLES)
    assert re.search(rf"  train +deferred +execution {UUID}\n", progress)
    for example in EXAMPLES:
        assert re.search(rf"^{example} +{ENDINGS[example.split('_')[1]]}$", results, re.MULTILINE), results
    for step in ("prepare", "train", "evaluate", "register"):
        assert re.search(rf"^ +{step} +completed +1$", results, re.MULTILINE), results
    assert re.search(r"^ +evaluate +Succeeded +1$", results, re.MULTILINE), results
    assert re.search(r"^ +train +skipped +1$", results, re.MULTILINE), results
    user.assert_untouched()


def test_interrupted_demo_leaves_nothing(user: User) -> None:
    demo = user.start()
    assert demo.stdout is not None
    for line in demo.stdout:
        if line.startswith("example_"):
            break
    demo.send_signal(signal.SIGTERM)
    _, err = demo.communicate(timeout=60)
    assert demo.returncode == 130
    assert "interrupted" in err
    user.assert_untouched()


@pytest.mark.slow
@pytest.mark.e2e
def test_airflow_with_its_interface_stays_until_told_to_end(user: User) -> None:
    demo = user.start("--ui")
    assert demo.stdout is not None
    emulator_url, airflow_url = read_until(demo, r"answers on (\S+)\."), read_until(demo, r"ready at (\S+),")
    api = AirflowRestClient(airflow_url)
    try:
        api.log_in()
        run_id = api.trigger("example_modelarts_start")
        train = TaskAddress("example_modelarts_start", run_id, "train")
        api.wait_for_state(train, "deferred")
        httpx.post(f"{emulator_url}/_emulator/clock", json={"advance": 120}, trust_env=False).raise_for_status()
        assert api.wait_for_dag_run("example_modelarts_start", run_id) == "success"
        (link,) = api.links(train).values()
        assert link is not None
        assert link.startswith("https://console.huaweicloud.com/modelarts/")
        assert api.xcoms(train)["run_id"] in link
    finally:
        api.close()
        demo.send_signal(signal.SIGTERM)
        out, err = demo.communicate(timeout=60)
    assert demo.returncode == 0, out + err
    user.assert_untouched()


def test_failure_is_seen_and_airflows_log_shown(user: User, tmp_path: Path) -> None:
    package = tmp_path / "copy" / "airflow_provider_mlworkflows"
    source = Path(environment.__file__).parents[1]
    shutil.copytree(source, package, ignore=shutil.ignore_patterns("__pycache__", "example_dags"))
    (package / "example_dags").mkdir()
    (package / "example_dags" / "example_broken.py").write_text("from airflow.sdk import DAG\n1 / 0\n")
    user.environment["PYTHONPATH"] = str(package.parent)
    demo = user.start()
    out, err = demo.communicate(timeout=120)
    assert demo.returncode == 1
    assert "ZeroDivisionError" in out
    assert "example_broken.py cannot be imported\n" in out
    assert "no Dag was run" in out
    assert "Airflow database tables created" in err
    user.assert_untouched()


def test_what_went_wrong_is_named() -> None:
    outcome = Outcome()
    for report in (
        {"event": "dag", "dag": "failing"},
        {"event": "task", "task": "train", "state": "failed", "execution": None, "reason": "no\nsuch thing"},
        {"event": "dag_over", "state": "failed", "runs": []},
        {"event": "dag", "dag": "cut_short"},
    ):
        outcome.take(report)
    with Emulator(clock="manual") as emulator:
        lost = emulator.modelarts.start(ready.FAILS_AT_STEP_3).execution_id
        failed = emulator.paiflow.start(FAILS_ONCE).run_id
        stopped = emulator.modelarts.services.add({"service_name": "s", "infer_type": "real-time", "config": []})
        stopped.stop()
        emulator.clock.advance(120)
        assert outcome.problems(emulator) == [
            "failing ended as failed",
            "cut_short ended as unfinished",
            *(f"no task told of execution {key}" for key in sorted((lost, failed, stopped.service_id))),
            f"execution {lost} ended as abnormal",
            f"execution {stopped.service_id} ended as stopped",
            f"execution {failed} ended as Failed",
        ]


def test_table_is_in_columns() -> None:
    assert table([("Dag", "step"), ("example", "")]) == "Dag      step\nexample"


def test_examples_of_the_package_win(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    package = tmp_path / "airflow_provider_mlworkflows"
    monkeypatch.setattr(environment, "__file__", str(package / "demo" / "environment.py"))
    with pytest.raises(FileNotFoundError, match="example_dags"):
        environment.example_folder()
    (tmp_path / "example_dags").mkdir()
    assert environment.example_folder() == tmp_path / "example_dags"
    (package / "example_dags").mkdir(parents=True)
    assert environment.example_folder() == package / "example_dags"


def read_until(process: subprocess.Popen[str], pattern: str) -> str:
    """Read a process's lines until one has a match; return its first group."""
    assert process.stdout is not None
    for line in process.stdout:
        if match := re.search(pattern, line):
            return match[1]
    raise AssertionError(f"never printed {pattern}: {process.communicate()[1]}")
