from __future__ import annotations

import json
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_mlworkflows.clouds.huawei.obs_signing import signed_headers, string_to_sign

VECTORS = json.loads((Path(__file__).parent.parent / "vectors" / "obs_sign_vectors.json").read_text(encoding="utf-8"))
NOW = parsedate_to_datetime(VECTORS["date"]).timestamp()
OURS = [each for each in VECTORS["vectors"] if each["scheme"].startswith("OBS ")]


def test_vectors_one_to_eight_are_there() -> None:
    assert [each["name"].split()[0] for each in OURS] == [str(number) for number in range(1, 9)]


@pytest.mark.parametrize("vector", OURS, ids=lambda vector: vector["name"])
def test_vector(vector: dict[str, Any]) -> None:
    bucket = vector["bucket"] if vector["bucket"] and f"://{vector['bucket']}." in vector["url"] else ""
    assert string_to_sign(vector["method"], vector["url"], vector["headers"], bucket=bucket) == vector["string_to_sign"]
    signed = signed_headers(
        vector["method"],
        vector["url"],
        vector["headers"],
        bucket=bucket,
        access_key=VECTORS["ak"],
        secret_key=VECTORS["sk"],
        now=NOW,
    )
    assert signed["Authorization"] == vector["authorization"]


def test_the_date_is_signed() -> None:
    one, other = (
        signed_headers("GET", "https://obs.example.com/v2/workflows/a", {}, access_key="a", secret_key="s", now=now)
        for now in (NOW, NOW + 1)
    )
    assert one["Authorization"] != other["Authorization"]


def test_other_parts_of_a_query_are_not_signed() -> None:
    url = "https://obs.example.com/v2/workflows/a?x-workflow-prefix"
    assert string_to_sign("GET", url, {}) == string_to_sign("GET", f"{url}&unknown=1", {})
    assert string_to_sign("GET", url, {}) != string_to_sign("GET", url.partition("?")[0], {})
