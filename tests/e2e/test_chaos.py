"""Twenty tasks in disorder; `python -m tests.e2e.chaos` plays more of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.chaos.run import run_chaos

if TYPE_CHECKING:
    from tests.harness.standalone import StandaloneAirflow

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


def test_twenty_runs(airflow: StandaloneAirflow, capsys: pytest.CaptureFixture[str]) -> None:
    report = run_chaos(airflow, runs=20, seed=7)
    with capsys.disabled():
        print(f"\n{report.figures}")
    assert report.findings.is_clean, report.findings.story
