from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.emulator.test_workflows import code_of

if TYPE_CHECKING:
    from tests.emulator.signing import Caller

TEMPLATES = "/training-jobs/autosearch/yaml-templates"


def test_templates(caller: Caller) -> None:
    templates = caller.flow("GET", TEMPLATES).json()["yaml_templates"]
    assert {each["algorithm_type_en"]: len(each["algorithm_names"]) for each in templates} == {
        "hpo": 6,
        "nas": 4,
        "augment": 2,
        "compression": 1,
    }
    for each in templates:
        for name in each["algorithm_names"]:
            content = caller.flow("GET", f"{TEMPLATES}/{each['algorithm_type_en']}/{name}").json()
            assert content["file_name"] == f"{name}.yaml"
            assert f"type: {name.lower()}" in content["content"]


@pytest.mark.parametrize("path", ["hpo/AutoBSS", "other/TPE", "hpo/tpe"])
def test_unknown_template(caller: Caller, path: str) -> None:
    assert code_of(caller.flow("GET", f"{TEMPLATES}/{path}")) == (404, "ModelArts.0102")


def test_search_algorithms(caller: Caller) -> None:
    body = caller.flow("GET", "/search-algorithms").json()
    assert body["search_algo_count"] == len(body["search_algo_list"]) == 3
    assert {each["name"] for each in body["search_algo_list"]} >= {"tpe_search"}
