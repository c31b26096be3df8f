"""The manual's endpoints on the emulator: each request of the table meets an operation of its own."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from airflow_provider_mlworkflows.emulator.environment import HUAWEI_CONNECTION
from airflow_provider_mlworkflows.exceptions import BadRequestError, NotFoundError
from airflow_provider_mlworkflows.hooks.modelarts import ModelArtsHook
from tests.hooks.test_modelarts_manual import ARGUMENTS, KEYWORDS, ROWS, Row

if TYPE_CHECKING:
    from tests.support import Bench


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.number} {row.endpoint}")
def test_the_emulator_has_the_endpoint(modelarts: Bench, row: Row, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"AIRFLOW_CONN_{HUAWEI_CONNECTION.upper()}", json.dumps(modelarts.connection))
    hook = ModelArtsHook(HUAWEI_CONNECTION, attempts=1, clock=modelarts.clock)
    for name in row.methods:
        before = len(modelarts.requests)
        # The ids are made up, so most requests are refused, but by the operation they were meant for.
        with suppress(BadRequestError, NotFoundError):
            answer = getattr(hook, name)(*ARGUMENTS.get(name, ()), **KEYWORDS.get(name, {}))
            if name.startswith("iter_"):
                list(answer)
        sent = modelarts.requests[before:]
        assert sent, name
        assert [f"{entry.method} {entry.path}" for entry in sent if entry.operation is None] == [], name
