"""Reading what the automatic search for models and parameters has to offer."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from airflow_provider_mlworkflows.clouds.huawei.modelarts_inputs import checked_segment
from airflow_provider_mlworkflows.clouds.huawei.modelarts_requests import PROJECT
from airflow_provider_mlworkflows.clouds.huawei.models import Reply
from airflow_provider_mlworkflows.clouds.operation import Request, Session, operation

TEMPLATES = PROJECT + "/training-jobs/autosearch/yaml-templates"


class YamlTemplate(Reply):
    """A kind of search, such as ``hpo``, and the algorithms that have a template for it."""

    algorithm_type_en: str = ""
    algorithm_type_zh: str = ""
    algorithm_names: list[str] = Field(default_factory=list)


class YamlTemplateList(Reply):
    """The templates of all kinds of search."""

    promised = frozenset({"yaml_templates"})

    yaml_templates: list[YamlTemplate] = Field(default_factory=list)


class YamlTemplateContent(Reply):
    """A template: what the file is called, and what is in it."""

    promised = frozenset({"content"})

    file_name: str = ""
    content: str = ""


class SearchParameter(Reply):
    """A parameter of an algorithm; ``type`` is ``Integer``, ``Float``, ``String`` or ``List``."""

    key: str = ""
    value: Any = None
    type: str = ""


class SearchAlgorithm(Reply):
    """An algorithm that searches for parameters."""

    name: str = ""
    description: str = ""
    params: list[SearchParameter] = Field(default_factory=list)


class SearchAlgorithmList(Reply):
    """The algorithms that search for parameters."""

    promised = frozenset({"search_algo_list"})

    search_algo_count: int | None = None
    search_algo_list: list[SearchAlgorithm] = Field(default_factory=list)


@operation
def list_yaml_templates(_: Session) -> Request[YamlTemplateList]:
    """Which templates there are (ShowAutoSearchYamlTemplatesInfo).

    :raises ApiError: if the service refuses.
    """
    return Request("ShowAutoSearchYamlTemplatesInfo", "GET", TEMPLATES, YamlTemplateList, safe_to_repeat=True)


@operation
def show_yaml_template(_: Session, algorithm_type: str, algorithm_name: str) -> Request[YamlTemplateContent]:
    """What is in a template (ShowAutoSearchYamlTemplateContent).

    :param algorithm_type: such as ``hpo``, as `list_yaml_templates` has it.
    :param algorithm_name: such as ``TPE``, as `list_yaml_templates` has it.
    :raises InvalidInputError: before anything is sent, if one is empty.
    :raises ApiError: if the service refuses.
    """
    return Request(
        "ShowAutoSearchYamlTemplateContent",
        "GET",
        TEMPLATES + "/{algorithm_type}/{algorithm_name}",
        YamlTemplateContent,
        path_params={
            "algorithm_type": checked_segment("algorithm_type", algorithm_type),
            "algorithm_name": checked_segment("algorithm_name", algorithm_name),
        },
        safe_to_repeat=True,
    )


@operation
def list_search_algorithms(_: Session) -> Request[SearchAlgorithmList]:
    """The algorithms that search for parameters (ShowSearchAlgorithms).

    :raises ApiError: if the service refuses.
    """
    return Request(
        "ShowSearchAlgorithms", "GET", PROJECT + "/search-algorithms", SearchAlgorithmList, safe_to_repeat=True
    )
