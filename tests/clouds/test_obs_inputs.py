from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_mlworkflows.clouds.huawei.obs_states import may_stem_from
from airflow_provider_mlworkflows.exceptions import InvalidInputError
from tests.clouds.obs_support import RecordingObs

STARTED = {
    "execution_urn": "urn:fgs:r:p:execution:g:e:d",
    "execution_name": "e",
    "started_at": "2024-06-19T08:00:00.000Z",
}
PLACE = {"bucket": "lectures", "object_key": "raw/a.mp4"}


@pytest.mark.parametrize("graph", ["g", "0", "A_b-c", "x" * 64])
@pytest.mark.parametrize("bucket", ["abc", "a.b-c", "1data", "x" * 63])
def test_what_the_rules_allow_goes_out(graph: str, bucket: str) -> None:
    session = RecordingObs(STARTED)
    assert session.start_workflow(graph, bucket=bucket, object_key="k" * 1024).execution_name == "e"
    (request,) = session.requests
    assert request.body == {"bucket": bucket, "object": "k" * 1024, "inputs": None}
    assert not request.safe_to_repeat


@pytest.mark.parametrize(
    "changes",
    [
        {"graph_name": ""},
        {"graph_name": "-a"},
        {"graph_name": "a b"},
        {"graph_name": "x" * 65},
        {"bucket": "ab"},
        {"bucket": "x" * 64},
        {"bucket": "Upper"},
        {"bucket": "a..b"},
        {"bucket": "a.-b"},
        {"bucket": "a-.b"},
        {"bucket": "-ab"},
        {"bucket": "ab."},
        {"bucket": "10.0.0.1"},
        {"object_key": ""},
        {"object_key": "k" * 1025},
        {"object_key": None},
        {"inputs": "inputs"},
        {"inputs": {"": 1}},
        {"inputs": {"a": float("nan")}},
    ],
    ids=str,
)
def test_what_breaks_the_rules_is_not_sent(changes: dict[str, Any]) -> None:
    def content() -> bytes:
        arguments = {"graph_name": "g", **PLACE, "inputs": None, **changes}
        return next(RecordingObs().start_workflow.steps(arguments.pop("graph_name"), **arguments)).content()

    with pytest.raises(InvalidInputError):
        content()


@pytest.mark.parametrize(
    ("given", "may"),
    [
        (None, True),
        ({}, True),
        ({"unheard": "of"}, True),
        ({"bucket": "lectures", "object": "raw/a.mp4", "inputs": {"a": 1}}, True),
        ({"bucket": "lectures", "object": "/raw/a.mp4", "inputs": {"a": 1}}, True),
        ({"bucket": "lectures", "object": "raw/b.mp4", "inputs": {"a": 1}}, False),
        ({"bucket": "other", "object": "raw/a.mp4", "inputs": {"a": 1}}, False),
        ({"bucket": "lectures", "object": "raw/a.mp4", "inputs": {"a": 2}}, False),
        ({"bucket": "lectures", "object": "raw/a.mp4", "inputs": None}, False),
        ({"Records": [{"obs": {"bucket": {"name": "lectures"}, "object": {"key": "raw/a.mp4"}}}]}, True),
        ({"Records": [{"obs": {"bucket": {"name": "lectures"}, "object": {"key": "raw/b.mp4"}}}]}, False),
        ({"Records": []}, True),
    ],
)
def test_only_a_difference_says_no(given: dict[str, Any] | None, may: bool) -> None:
    assert may_stem_from(given, **PLACE, inputs={"a": 1}) is may
