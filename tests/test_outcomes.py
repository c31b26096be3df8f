"""What is too large for an XCom is cut so that the rest of it stays."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_mlworkflows.outcomes import XCOM_LIMIT, cut_to_limit

MODEL = {"type": "Model", "value": {"location": {"key": "m"}}}
CURVE = [[number / 7, number / 3] for number in range(1500)]


def size_of(value: Any) -> int:
    return len(json.dumps(value, ensure_ascii=False))


def test_a_large_output_leaves_the_others_alone() -> None:
    curve = {"type": "ModelEvaluation", "value": {"auc": 0.9, "points": CURVE}}
    cut = cut_to_limit({"train": {"curve": curve, "model": MODEL}, "deploy": {"model": MODEL}})

    assert list(cut) == ["train", "deploy"]
    assert cut["deploy"] == {"model": MODEL}
    assert cut["train"]["model"] == MODEL
    assert cut["train"]["curve"]["type"] == "ModelEvaluation"
    assert cut["train"]["curve"]["value"]["auc"] == 0.9
    note = cut["train"]["curve"]["value"]["points"]["truncated"]
    assert note == f"left out: {size_of(CURVE)} characters of JSON, of {XCOM_LIMIT} that all together may have"


def test_what_is_left_out_is_the_largest() -> None:
    sizes = {"b": 11_500, "c": 12_000, "a": 11_000}
    cut = cut_to_limit({key: "x" * size for key, size in sizes.items()})
    assert [key for key, value in cut.items() if isinstance(value, str)] == ["b", "a"]
    assert list(cut) == list(sizes)


def test_many_small_ones_within_one_leave_the_others_alone() -> None:
    parts = {f"part_{number}": {"type": "DataSet", "value": f"oss://bucket/{number}"} for number in range(900)}
    cut = cut_to_limit({"prepare": parts, "train": {"model": MODEL}})
    assert cut == {"prepare": {"truncated": cut["prepare"]["truncated"]}, "train": {"model": MODEL}}


def test_no_note_is_longer_than_what_it_stands_for() -> None:
    paths = {f"n{number}": "x" * 95 for number in range(400)}
    assert len(cut_to_limit(paths).items() & paths.items()) > 280


def test_many_small_ones_end_early() -> None:
    small = {f"n{number}": "x" * 60 for number in range(600)}
    cut = cut_to_limit({**small, "curve": CURVE})
    kept = {key: value for key, value in cut.items() if key != "truncated"}
    assert len(kept) > 400
    assert kept.items() <= small.items()
    assert cut["truncated"] == f"{601 - len(kept)} more left out"


@pytest.mark.parametrize(
    "value",
    [
        "x" * XCOM_LIMIT,
        {str(number): number for number in range(10_000)},
        {"x" * XCOM_LIMIT: 1},
        {"a": {"b": {"c": CURVE, "d": CURVE}}},
        {str(number): "x" * 1000 for number in range(100)},
        CURVE * 9,
    ],
)
def test_nothing_is_larger_afterwards(value: Any) -> None:
    cut = cut_to_limit(value)
    assert size_of(cut) <= XCOM_LIMIT
    assert "left out" in json.dumps(cut)


@pytest.mark.parametrize("value", [{"a": CURVE[:5]}, [1, 2], "text", None, {}])
def test_what_is_small_stays(value: Any) -> None:
    assert cut_to_limit(value) == value
