"""The rules for services: what each kind needs, and what is said if it lacks that."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_mlworkflows.exceptions import InvalidInputError
from tests.clouds.support import RecordingApi

MODEL: dict[str, Any] = {"model_id": "m", "specification": "modelarts.vm.cpu.2u", "instance_count": 1}
CUSTOM = {**MODEL, "specification": "custom", "custom_spec": {"cpu": 1.5, "memory": 7500}}
BATCH = {**MODEL, "src_path": "https://b/in/", "dest_path": "https://b/out/", "req_uri": "/", "mapping_type": "file"}
COLUMNS = {
    "type": "object",
    "properties": {
        "data": {
            "type": "object",
            "properties": {
                "req_data": {
                    "type": "array",
                    "items": [
                        {
                            "type": "object",
                            "properties": {
                                "width": {"type": "number", "index": 1},
                                "note": {"type": "string", "index": -1},
                            },
                        }
                    ],
                }
            },
        }
    },
}
CSV = {**BATCH, "mapping_type": "csv", "mapping_rule": COLUMNS}
EDGE = {**CUSTOM, "envs": {}, "nodes": ["n-1"]}
STOP = {"type": "stop", "time_unit": "HOURS", "duration": 1}


def sent(*config: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """The body of a request to create a service."""
    api = RecordingApi({"service_id": "s"})
    api.create_service("n", list(config), **fields)
    return dict(api.requests[0].body or {})


class TestKinds:
    @pytest.mark.parametrize(
        ("fields", "config"),
        [
            ({}, [{**MODEL, "weight": 100}]),
            ({}, [{**MODEL, "weight": "70", "envs": {"epoch": "0"}}, {**MODEL, "weight": "30"}]),
            ({}, [{**MODEL, "weight": 100}, {**MODEL, "weight": 0}]),
            ({"cluster_id": "c"}, [{**CUSTOM, "weight": "100", "cluster_id": "c"}]),
            ({"schedule": [STOP]}, [{**MODEL, "weight": "100"}]),
            ({"infer_type": "batch", "cluster_id": "c"}, [BATCH]),
            ({"infer_type": "batch"}, [CSV]),
            ({"infer_type": "edge", "description": ""}, [EDGE]),
        ],
    )
    def test_are_sent_as_given(self, fields: dict[str, Any], config: list[dict[str, Any]]) -> None:
        expected = {"service_name": "n", "infer_type": "real-time", "config": config, **fields}

        assert sent(*config, **fields) == expected

    def test_a_single_model_gets_all_calls(self) -> None:
        assert sent(MODEL)["config"] == [{**MODEL, "weight": 100}]
        assert "weight" not in MODEL

    def test_a_batch_has_no_weight(self) -> None:
        assert sent(BATCH, infer_type="batch")["config"] == [BATCH]


def without(fields: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if key != name}


RULES: list[tuple[list[Any], dict[str, Any], str]] = [
    ([], {}, "config is empty"),
    (["m"], {}, r"config\[0\] should be a mapping, not str"),
    ([{**MODEL, "weight": 60}, {**MODEL, "weight": "30"}], {}, "60 \\+ 30 = 90; together they have to be 100"),
    ([{**MODEL, "weight": 60}, MODEL], {}, r"config\[1\] has the weight None"),
    ([{**MODEL, "weight": 150}, {**MODEL, "weight": -50}], {}, "a whole number from 0 to 100"),
    ([{**MODEL, "weight": "99.5"}], {}, "a whole number from 0 to 100"),
    ([{**MODEL, "weight": True}], {}, "a whole number from 0 to 100"),
    ([without(MODEL, "model_id")], {}, r"config\[0\] has model_id None"),
    ([{**MODEL, "specification": " "}], {}, "specification ' '"),
    ([without(MODEL, "instance_count")], {}, "no instance_count; it needs one from 1 to 128"),
    ([{**MODEL, "instance_count": 129}], {}, "between 1 and 128"),
    ([{**MODEL, "instance_count": 0}], {}, "between 1 and 128"),
    ([{**MODEL, "instance_count": "1.5"}], {}, "between 1 and 128"),
    ([{**MODEL, "envs": {"epoch": 0}}], {}, "mapping of texts to texts"),
    ([{**MODEL, "envs": ["a=b"]}], {}, "mapping of texts to texts"),
    ([{**MODEL, "specification": "custom"}], {}, "needs a custom_spec"),
    ([{**MODEL, "custom_spec": {"cpu": 1, "memory": 1}}], {}, "and only then"),
    ([{**CUSTOM, "custom_spec": ["cpu"]}], {}, "custom_spec should be a mapping"),
    ([{**CUSTOM, "custom_spec": {"cpu": 0, "memory": 1}}], {}, "a number of 0.01 or more"),
    ([{**CUSTOM, "custom_spec": {"cpu": "one", "memory": 1}}], {}, "a number of 0.01 or more"),
    ([{**CUSTOM, "custom_spec": {"cpu": 1, "memory": 1.5}}], {}, "a whole number of MB"),
    ([{**CUSTOM, "custom_spec": {"cpu": 1, "memory": 1, "gpu_p4": 1, "ascend_a310": 1}}], {}, "only one of them"),
    ([BATCH, BATCH], {"infer_type": "batch"}, "2 models; a batch service has one"),
    ([without(BATCH, "src_path")], {"infer_type": "batch"}, "src_path None"),
    ([without(BATCH, "dest_path")], {"infer_type": "batch"}, "dest_path None"),
    ([without(BATCH, "req_uri")], {"infer_type": "batch"}, "req_uri None"),
    ([{**BATCH, "mapping_type": "json"}], {"infer_type": "batch"}, "not one of file, csv"),
    ([without(CSV, "mapping_rule")], {"infer_type": "batch"}, "needs a mapping_rule"),
    ([{**BATCH, "mapping_rule": COLUMNS}], {"infer_type": "batch"}, "and only then"),
    ([{**CSV, "mapping_rule": {"type": "object"}}], {"infer_type": "batch"}, "names no column"),
    ([{**CSV, "mapping_rule": {"type": "number"}}], {"infer_type": "batch"}, "has the index None"),
    ([{**CSV, "mapping_rule": {"type": "number", "index": -2}}], {"infer_type": "batch"}, "counted from 0, or -1"),
    ([{**CSV, "mapping_rule": "a"}], {"infer_type": "batch"}, "should be a mapping with a type"),
    ([{**CSV, "mapping_rule": {"properties": [1]}}], {"infer_type": "batch"}, "properties should be a mapping"),
    ([without(EDGE, "nodes")], {"infer_type": "edge"}, "needs a list of ids of edge nodes"),
    ([{**EDGE, "nodes": "n-1"}], {"infer_type": "edge"}, "needs a list of ids of edge nodes"),
    ([MODEL], {"infer_type": "online"}, "real-time, batch, edge"),
    ([MODEL], {"description": "x" * 101}, "up to 100 characters"),
    ([MODEL], {"description": "a < b"}, "none of them &"),
    ([MODEL], {"description": 5}, "description should be a text"),
    ([BATCH], {"infer_type": "batch", "schedule": [STOP]}, "for real-time services"),
    ([MODEL], {"schedule": [{**STOP, "type": "start"}]}, "not one of stop"),
    ([MODEL], {"schedule": [{**STOP, "time_unit": "hours"}]}, "DAYS, HOURS, MINUTES"),
    ([MODEL], {"schedule": [{**STOP, "duration": 0}]}, "a whole number of 1 or more"),
    ([MODEL], {"schedule": STOP}, "schedule should be a list of mappings"),
    ([MODEL], {"vpc_id": "v"}, "belong together"),
    ([MODEL], {"extra": {"service_name": "other"}}, "extra sets 'service_name'"),
]


@pytest.mark.parametrize(("config", "fields", "rule"), RULES, ids=lambda value: str(value)[:50])
def test_the_rule_is_told(config: list[Any], fields: dict[str, Any], rule: str) -> None:
    api = RecordingApi()

    with pytest.raises(InvalidInputError, match=rule):
        api.create_service("n", config, **fields)
    assert api.requests == []


@pytest.mark.parametrize("name", ["", "a b", "x" * 65, "a.b", 7, None])
def test_a_name_that_no_service_can_have(name: Any) -> None:
    with pytest.raises(InvalidInputError, match="1 to 64 Chinese characters, letters, digits"):
        RecordingApi().create_service(name, [MODEL])


@pytest.mark.parametrize("name", ["1", "服务-1_a", "x" * 64])
def test_a_name_that_a_service_can_have(name: str) -> None:
    api = RecordingApi({"service_id": "s"})

    assert api.create_service(name, [MODEL]).service_id == "s"


def test_values_of_the_environment_are_not_told() -> None:
    with pytest.raises(InvalidInputError) as raised:
        RecordingApi().create_service("n", [{**MODEL, "envs": {"password": 4711}}])

    assert "4711" not in str(raised.value)


def test_what_can_be_checked_without_the_kind_is() -> None:
    api = RecordingApi({})

    api.update_service("s", config=[MODEL])
    api.replies.append({})
    api.update_service("s", config=[{**MODEL, "weight": 40}, {**MODEL, "weight": 60}])

    assert [request.body for request in api.requests] == [
        {"config": [MODEL]},
        {"config": [{**MODEL, "weight": 40}, {**MODEL, "weight": 60}]},
    ]
    with pytest.raises(InvalidInputError, match="together they have to be 100"):
        api.update_service("s", config=[{**MODEL, "weight": 40}, {**MODEL, "weight": 40}])
