from __future__ import annotations

import pytest

from airflow_provider_mlworkflows.emulator.modelarts.cron import is_cron


@pytest.mark.parametrize(
    "text",
    [
        "0 0 12 * * ?",
        "0 0 0 * * Thu,Tue",
        "59 59 23 31 12 7",
        "0/5 0-30 */2 1,15 JAN-MAR ?",
        "0 0 0 L * ?",
        "0 0 0 LW * ?",
        "0 0 0 L-3 * ?",
        "0 0 0 15W * ?",
        "0 0 0 ? * FRI#2",
        "0 0 0 ? * 5L",
    ],
)
def test_times(text: str) -> None:
    assert is_cron(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0 12 * * ?",
        "0 0 12 * * ? 2030",
        "60 0 0 * * ?",
        "0 60 0 * * ?",
        "0 0 24 * * ?",
        "0 0 0 0 * ?",
        "0 0 0 32 * ?",
        "0 0 0 * 13 ?",
        "0 0 0 * * 8",
        "0 0 0 * Foo ?",
        "0 0 0 * * Foo",
        "? 0 0 * * ?",
        "0/0 0 0 * * ?",
        "0 0 0 ? * FRI#6",
        "0 0 0-25 * * ?",
        "0,, 0 0 * * ?",
        "0  0 0 * * ?",
    ],
)
def test_what_is_no_time(text: str) -> None:
    assert not is_cron(text)
