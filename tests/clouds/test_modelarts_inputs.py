from __future__ import annotations

import math
from typing import Any

import pytest

from airflow_provider_mlworkflows.clouds.huawei.modelarts_inputs import (
    checked_name,
    checked_uuid,
    data_requirement_items,
    parameter_items,
)
from airflow_provider_mlworkflows.clouds.huawei.modelarts_models import DataRequirement, WorkflowParameter
from airflow_provider_mlworkflows.exceptions import InvalidInputError


def _declared(*names_and_types: str, **more: Any) -> list[WorkflowParameter]:
    return [
        WorkflowParameter.model_validate({"name": each.partition(":")[0], "type": each.partition(":")[2], **more})
        for each in names_and_types
    ]


def _needed(*names_and_types: str) -> list[DataRequirement]:
    return [DataRequirement(name=each.partition(":")[0], type=each.partition(":")[2]) for each in names_and_types]


class TestParameters:
    @pytest.mark.parametrize(
        ("value", "type_"),
        [
            ("text", "str"),
            ("", "str"),
            (0, "int"),
            (True, "bool"),
            (False, "bool"),
            (0.1, "float"),
            ([1, "a"], "json"),
            ({"a": None}, "json"),
        ],
    )
    def test_without_a_declaration_the_value_gives_the_type(self, value: object, type_: str) -> None:
        assert parameter_items({"p": value}) == [{"name": "p", "type": type_, "value": value}]

    @pytest.mark.parametrize("value", [None, object(), math.nan, math.inf, {1, 2}])
    def test_a_value_that_cannot_be_sent(self, value: object) -> None:
        with pytest.raises(InvalidInputError, match="'p'"):
            parameter_items({"p": value})

    @pytest.mark.parametrize(
        ("type_", "value", "sent"),
        [
            ("str", "a", "a"),
            ("string", "a", "a"),
            ("String", "a", "a"),
            ("int", 3, 3),
            ("int", -3, -3),
            ("int", "3", 3),
            ("float", 0.5, 0.5),
            ("float", 1, 1.0),
            ("float", "1e-3", 0.001),
            ("bool", True, True),
            ("bool", "true", True),
            ("bool", "False", False),
            ("json", [1], [1]),
            ("list", [1], [1]),
        ],
    )
    def test_a_fitting_value_takes_the_declared_type(self, type_: str, value: object, sent: object) -> None:
        (item,) = parameter_items({"p": value}, _declared(f"p:{type_}"))

        assert item == {"name": "p", "type": type_, "value": sent}
        assert type(item["value"]) is type(sent)

    @pytest.mark.parametrize(
        ("type_", "value"),
        [
            ("str", 1),
            ("str", True),
            ("str", ["a"]),
            ("int", True),
            ("int", 1.0),
            ("int", "1.5"),
            ("int", "many"),
            ("float", True),
            ("float", "fast"),
            ("float", "nan"),
            ("float", math.inf),
            ("float", 10**400),
            ("int", "9" * 5000),
            ("float", [0.1]),
            ("bool", 1),
            ("bool", "yes"),
            ("bool", None),
        ],
    )
    def test_a_value_that_does_not_fit(self, type_: str, value: object) -> None:
        with pytest.raises(InvalidInputError, match="'p'"):
            parameter_items({"p": value}, _declared(f"p:{type_}"))

    def test_an_enumeration_names_what_is_allowed(self) -> None:
        declared = _declared("size:int", enum=[1, 2, 4])

        assert parameter_items({"size": "2"}, declared)[0]["value"] == 2
        with pytest.raises(InvalidInputError, match="one of 1, 2, 4"):
            parameter_items({"size": 3}, declared)

    def test_an_unknown_name_gets_a_suggestion_and_the_list(self) -> None:
        with pytest.raises(InvalidInputError) as caught:
            parameter_items({"learning_rat": 0.1}, _declared("learning_rate:float", "epochs:int"))

        text = str(caught.value)
        assert "'learning_rat'" in text
        assert "Did you mean 'learning_rate'?" in text
        assert "It declares epochs, learning_rate." in text

    def test_an_unknown_name_unlike_any_other(self) -> None:
        with pytest.raises(InvalidInputError) as caught:
            parameter_items({"zzz": 1}, _declared("epochs:int"))
        assert "Did you mean" not in str(caught.value)

    @pytest.mark.parametrize("name", ["", "1st", "_x", "a b", "p" * 65, "größe", "参数", "a.b"])
    def test_a_malformed_name(self, name: str) -> None:
        with pytest.raises(InvalidInputError, match="name of a parameter"):
            parameter_items({name: 1})

    def test_the_services_form_passes_as_it_is(self) -> None:
        items: list[dict[str, Any]] = [
            {"name": "a", "type": "float", "value": 0.1, "delay": False, "used_steps": ["train"]},
            {"name": "b", "type": "str", "value": None, "delay": True},
            {"name": "c", "type": "int"},
        ]

        assert parameter_items(items) == items

    def test_the_services_form_may_leave_out_the_type(self) -> None:
        assert parameter_items([{"name": "a", "value": 1}]) == [{"name": "a", "type": "int", "value": 1}]
        assert parameter_items([{"name": "a", "value": 1}], _declared("a:float")) == [
            {"name": "a", "type": "float", "value": 1.0}
        ]

    @pytest.mark.parametrize("inputs", ["a=1", [1], ["a"], [{"value": 1}], 7])
    def test_other_forms(self, inputs: Any) -> None:
        with pytest.raises(InvalidInputError, match="mapping of names to values"):
            parameter_items(inputs)

    def test_a_name_given_twice(self) -> None:
        with pytest.raises(InvalidInputError, match="given twice"):
            parameter_items([{"name": "a", "value": 1}, {"name": "a", "value": 2}])

    def test_none_declared(self) -> None:
        with pytest.raises(InvalidInputError, match=r"declares no parameter 'epochs'\. It declares none"):
            parameter_items({"epochs": 1}, [])
        assert parameter_items({}, []) == []

    def test_another_type_than_declared(self) -> None:
        item = {"name": "a", "type": "str", "value": "x"}
        with pytest.raises(InvalidInputError, match="'a' is given as 'str', but the workflow declares it as int"):
            parameter_items([item], _declared("a:int"))

    @pytest.mark.parametrize("type_", ["string", "String"])
    def test_another_word_for_the_declared_type(self, type_: str) -> None:
        item = {"name": "a", "type": type_, "value": "x"}
        assert parameter_items([item], _declared("a:str")) == [item]

    def test_what_was_given_is_not_changed(self) -> None:
        given = [{"name": "a", "value": "1"}]

        parameter_items(given, _declared("a:int"))

        assert given == [{"name": "a", "value": "1"}]


class TestData:
    @pytest.mark.parametrize(
        ("address", "url"),
        [
            ("obs://bucket/dir/", "/bucket/dir/"),
            ("obs://bucket/dir/file.csv", "/bucket/dir/file.csv"),
            ("obs://bucket", "/bucket"),
            ("/bucket/dir/", "/bucket/dir/"),
        ],
    )
    @pytest.mark.parametrize("declared", [None, _needed("in:obs")])
    def test_an_address(self, address: str, url: str, declared: list[DataRequirement] | None) -> None:
        assert data_requirement_items({"in": address}, declared) == [
            {"name": "in", "type": "obs", "value": {"obs_url": url}}
        ]

    @pytest.mark.parametrize("address", ["", "bucket/dir", "s3://bucket/dir", "obs://", "obs:///", "//bucket"])
    def test_what_is_no_address(self, address: str) -> None:
        with pytest.raises(InvalidInputError, match="obs://bucket/directory/"):
            data_requirement_items({"in": address})

    @pytest.mark.parametrize(
        ("value", "type_"),
        [
            ({"obs_url": "/b/d/", "object_type": ["DIRECTORY"]}, "obs"),
            ({"dataset_id": "d", "version_id": "v"}, "dataset"),
        ],
    )
    def test_the_services_map(self, value: dict[str, Any], type_: str) -> None:
        assert data_requirement_items({"in": value}) == [{"name": "in", "type": type_, "value": value}]

    def test_a_declaration_gives_the_type_of_any_map(self) -> None:
        assert data_requirement_items({"in": {"service_id": "s"}}, _needed("in:service")) == [
            {"name": "in", "type": "service", "value": {"service_id": "s"}}
        ]

    def test_a_map_of_unclear_type(self) -> None:
        with pytest.raises(InvalidInputError, match="list form"):
            data_requirement_items({"in": {"something": 1}})

    @pytest.mark.parametrize("type_", ["dataset", "swr", "model_list", "label_task", "service"])
    def test_a_text_says_too_little_for_other_types(self, type_: str) -> None:
        with pytest.raises(InvalidInputError, match="give a mapping"):
            data_requirement_items({"in": "obs://b/d/"}, _needed(f"in:{type_}"))

    @pytest.mark.parametrize("value", [None, 1, ["obs://b/d/"]])
    def test_other_values(self, value: object) -> None:
        with pytest.raises(InvalidInputError, match="'in'"):
            data_requirement_items({"in": value})

    def test_none_declared(self) -> None:
        with pytest.raises(InvalidInputError, match=r"declares no data requirement 'in'\. It declares none"):
            data_requirement_items({"in": "obs://b/d/"}, [])
        assert data_requirement_items({}, []) == []

    def test_another_type_than_declared(self) -> None:
        item = {"name": "in", "type": "obs", "value": {"obs_url": "/b/"}}
        with pytest.raises(InvalidInputError, match="given as 'obs', but the workflow declares it as dataset"):
            data_requirement_items([item], _needed("in:dataset"))

    def test_an_unknown_name(self) -> None:
        with pytest.raises(InvalidInputError, match="Did you mean 'train_data'"):
            data_requirement_items({"train_dat": "obs://b/"}, _needed("train_data:obs"))

    def test_the_services_form_passes_as_it_is(self) -> None:
        items: list[dict[str, Any]] = [
            {"name": "in", "type": "obs", "value": {"obs_url": "/b/"}, "conditions": [], "delay": False},
            {"name": "later", "type": "dataset", "delay": True},
        ]

        assert data_requirement_items(items) == items


class TestIds:
    def test_a_uuid(self) -> None:
        assert checked_uuid("x", "4f6a0f1e-5b0e-4f4e-9c57-0d2a7c1b9e10") == "4f6a0f1e-5b0e-4f4e-9c57-0d2a7c1b9e10"

    @pytest.mark.parametrize(
        "value",
        [
            "",
            None,
            7,
            "x",
            "4f6a0f1e5b0e4f4e9c570d2a7c1b9e10",
            "4F6A0F1E-5B0E-4F4E-9C57-0D2A7C1B9E10",
            "{4f6a0f1e-5b0e-4f4e-9c57-0d2a7c1b9e10}",
            " 4f6a0f1e-5b0e-4f4e-9c57-0d2a7c1b9e10",
            "4f6a0f1e-5b0e-4f4e-9c57-0d2a7c1b9e10\n",
            "4f6a0f1e-5b0e-4f4e-9c57-0d2a7c1b9e1g",
            "../4f6a0f1e-5b0e-4f4e-9c57-0d2a7c1b9e10",
        ],
    )
    def test_what_is_none_is_shown_with_what_one_looks_like(self, value: object) -> None:
        with pytest.raises(InvalidInputError) as caught:
            checked_uuid("workflow_id", value)
        assert f"workflow_id {value!r}" in str(caught.value)
        assert "8-4-4-4-12" in str(caught.value)


class TestNames:
    @pytest.mark.parametrize("name", ["w", "夜间 训练-1", "Nightly_2", "a" * 64])
    def test_good(self, name: str) -> None:
        assert checked_name("name", name) == name

    @pytest.mark.parametrize("name", ["", "1a", "_a", " a", "a" * 65, "a.b", "a/b", "a\n", None])
    def test_bad(self, name: object) -> None:
        with pytest.raises(InvalidInputError, match="1 to 64"):
            checked_name("name", name)
