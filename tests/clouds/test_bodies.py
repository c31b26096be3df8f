from __future__ import annotations

from decimal import Decimal
from types import MappingProxyType
from typing import Any

import pytest

from airflow_provider_mlworkflows.clouds.bodies import unwritable
from airflow_provider_mlworkflows.clouds.huawei import aom_inputs, modelarts_requests
from airflow_provider_mlworkflows.clouds.operation import Request
from airflow_provider_mlworkflows.exceptions import InvalidInputError

ENDLESS: list[Any] = []
ENDLESS.append(ENDLESS)


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ({"a": {"b": {1}}}, "a.b is a set"),
        ({"a": [1, {"b": b"x"}]}, "a[1].b is a bytes"),
        ({"a": {"b": {(1, 2): 3}}}, "a.b has a tuple for a name"),
        ({"a": float("nan")}, "a is nan"),
        ({"a": Decimal(1)}, "a is a Decimal"),
        ({"a": MappingProxyType({})}, "a is a mappingproxy"),
    ],
)
def test_what_is_no_json_is_named_with_its_place(body: dict[str, Any], complaint: str) -> None:
    assert unwritable(body) == complaint
    with pytest.raises(InvalidInputError, match="The inputs of Do cannot be sent") as caught:
        Request("Do", "POST", "/", None, body=body).content()
    assert complaint in str(caught.value)


def test_what_has_no_end_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="nested too deeply"):
        Request("Do", "POST", "/", None, body={"a": ENDLESS}).content()


def test_what_is_json_is_written() -> None:
    body = {"a": [None, True, 1, 1.5, "x", {"b": ()}], "c": {1: 2}}
    assert unwritable(body) == ""
    assert Request("Do", "POST", "/", None, body=body).content()


@pytest.mark.parametrize("body_of", [modelarts_requests.body, aom_inputs.body])
@pytest.mark.parametrize("extra", [{1: 2}, {None: 1}, {("a",): 1}, [1], "text", 7])
def test_further_fields_have_names(body_of: Any, extra: Any) -> None:
    with pytest.raises(InvalidInputError, match="extra"):
        body_of(extra, given="x")
