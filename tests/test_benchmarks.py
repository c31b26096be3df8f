"""That what it costs to watch many runs can still be measured, and is about as many requests as it was."""

from __future__ import annotations

import json
import math
import subprocess
import sys

import pytest

from tests.harness.environment import REPOSITORY, environment_without_airflow

RUNS = 20
SERVICES = ["ModelArts", "PAIFlow", "OBS data workflow", "AOM automation"]
FIGURES = (
    "requests_per_interval",
    "cpu_s_per_1000_run_polls",
    "kib_per_run",
    "loop_lag_p99_ms",
    "delay_p50_s",
    "delay_p99_s",
)


@pytest.mark.slow
def test_watching_costs_few_requests_and_has_all_its_figures() -> None:
    options = ["--runs", str(RUNS), "--interval", "0.5", "--intervals", "2", "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "watch", *options],
        cwd=REPOSITORY,
        env=environment_without_airflow(),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    measured = json.loads(done.stdout)
    assert [each["service"] for each in measured] == SERVICES
    for each in measured:
        assert [name for name in FIGURES if not is_number(each.get(name))] == [], each
        assert each["requests_per_interval"] < RUNS / 4, each


def is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
