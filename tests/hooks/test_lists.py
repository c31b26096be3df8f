"""Runs that a list shows unchanged are not read again."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_mlworkflows.hooks.lists import ListedRuns, shown_in
from airflow_provider_mlworkflows.runs import Run, RunRef, RunState

ONE, TWO = RunRef("w", "1"), RunRef("w", "2")
STATES = {"running": RunState.ACTIVE, "failed": RunState.FAILED, "pausing": RunState.FAILED, "odd": RunState.UNKNOWN}


class _Reader:
    """Notes what it reads; an item without a status cannot be read."""

    def __init__(self) -> None:
        self.read: list[str] = []

    def __call__(self, ref: RunRef, item: Any) -> Run:
        self.read.append(ref.run_id)
        if "status" not in item:
            raise ValueError("it has no status")
        return Run(ref, STATES[item["status"]], item["status"], held=item["status"] == "pausing")


@pytest.fixture
def reader() -> _Reader:
    return _Reader()


def test_only_what_has_changed_is_read_again(reader: _Reader) -> None:
    listed = ListedRuns()
    first = listed.read({ONE: {"status": "running"}, TWO: {"status": "running", "at": 1}}, reader)
    second = listed.read({ONE: {"status": "running"}, TWO: {"status": "running", "at": 2}}, reader)
    third = listed.read({ONE: {"status": "odd"}, TWO: {"status": "running", "at": 2}}, reader)
    assert reader.read == ["1", "2", "2", "1"]
    assert first[ONE] is second[ONE]
    assert second[TWO] is third[TWO]
    assert third[ONE].status == "odd"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"nodes": [{"status": "a"}]}, {"nodes": [{"status": "b"}]}),
        ({"at": 1}, {"at": 1.0}),
        ({"at": 1}, {"at": True}),
        ({"at": None}, {}),
        ({"a": "bc"}, {"ab": "c"}),
    ],
)
def test_any_change_counts(reader: _Reader, before: dict[str, Any], after: dict[str, Any]) -> None:
    listed = ListedRuns()
    for item in (before, after):
        listed.read({ONE: {"status": "running", **item}}, reader)
    assert reader.read == ["1", "1"]


def test_equal_values_are_unchanged_whether_or_not_they_are_one_object(reader: _Reader) -> None:
    listed = ListedRuns()
    shared = "".join(["run", "ning"])
    listed.read({ONE: {"status": shared, "copy": shared}}, reader)
    listed.read({ONE: {"status": "".join(["runn", "ing"]), "copy": "running"}}, reader)
    assert reader.read == ["1"]


def test_what_cannot_be_read_is_missing(reader: _Reader) -> None:
    listed = ListedRuns()
    for _ in range(2):
        assert set(listed.read({ONE: {"at": 1}, TWO: {"status": "running"}}, reader)) == {TWO}
    assert reader.read == ["1", "2", "1"]


def test_runs_that_are_over_are_forgotten_and_held_ones_are_not(reader: _Reader) -> None:
    listed = ListedRuns()
    for _ in range(2):
        listed.read({ONE: {"status": "failed"}, TWO: {"status": "pausing"}}, reader)
    assert reader.read == ["1", "2", "1"]
    assert list(listed._known) == [TWO]


def test_wanted_items_are_found_among_items_of_any_kind() -> None:
    items = [{"id": "1"}, {"id": 2}, {"id": "3"}, {"id": None}, {"id": ["x"]}, {}, "text", None, ["id"]]
    wanted = {"1": ONE, "2": TWO, "4": RunRef("w", "4")}
    assert shown_in(items, "id", wanted) == {ONE: {"id": "1"}, TWO: {"id": 2}}
