from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_mlworkflows.clouds.huawei.modelarts_cron import checked_cron
from airflow_provider_mlworkflows.exceptions import InvalidInputError
from tests.clouds.support import RecordingApi

WORKFLOW = "0b9a6a52-6d1b-4d5c-8a43-9a6b1e5f7c21"


@pytest.mark.parametrize(
    "cron",
    [
        "0 0 12 * * ?",
        "0 0 0 * * Thu,Tue",
        "0 0/15 8-18 ? * MON-FRI",
        "*/10 0 0 1,15 JAN-mar *",
        "0 0 0 L * ?",
        "0 0 0 LW * ?",
        "0 0 0 L-3 * ?",
        "0 0 0 15W * ?",
        "0 0 0 ? * 6L",
        "0 0 0 ? * FRI#2",
        "59 59 23 31 12 7",
        " 0 0 12 * * ? ",
    ],
)
def test_six_fields(cron: str) -> None:
    assert checked_cron(cron) == cron


@pytest.mark.parametrize(
    ("cron", "rule"),
    [
        ("", "a text of six fields"),
        (None, "a text of six fields"),
        (5, "a text of six fields"),
        ("0 12 * * *", r"has 5 fields; it should have six: second, minute, hour, day of month, month, day of week"),
        ("0 12 * * *", r"Put the second first: '0 0 12 \* \* \*'"),
        ("0 0 12 * * ? 2026", "has 7 fields"),
        ("@daily", "has 1 field;"),
        ("60 0 0 * * ?", "'60' is no second: 0 to 59"),
        ("0 60 0 * * ?", "'60' is no minute"),
        ("0 0 24 * * ?", "'24' is no hour: 0 to 23"),
        ("0 0 0 0 * ?", "'0' is no day of month: 1 to 31"),
        ("0 0 0 1 13 ?", "'13' is no month: 1 to 12 or JAN to DEC"),
        ("0 0 0 ? * 8", "'8' is no day of week: 0 to 7 or SUN to SAT"),
        ("0 0 0 ? * Thurs", "'Thurs' is no day of week"),
        ("? 0 0 * * ?", r"'\?' is no second"),
        ("0 */0 0 * * ?", r"'\*/0' is no minute"),
        ("0 5- 0 * * ?", "'5-' is no minute"),
        ("0 1,,2 0 * * ?", "'1,,2' is no minute"),
        ("0 a 0 * * ?", "'a' is no minute"),
        ("0 ٣ 0 * * ?", "is no minute"),
        ("0 0 0 L * #3", "'#3' is no day of week"),
    ],
)
def test_what_is_no_cron_of_six_fields(cron: Any, rule: str) -> None:
    with pytest.raises(InvalidInputError, match=rule):
        checked_cron(cron)


def test_nothing_is_sent() -> None:
    api = RecordingApi()

    with pytest.raises(InvalidInputError, match="has 5 fields"):
        api.create_schedule(WORKFLOW, "0 12 * * *")
    with pytest.raises(InvalidInputError, match="has 5 fields"):
        api.update_schedule(WORKFLOW, WORKFLOW, cron="0 12 * * *")
    assert api.requests == []
