"""The page shows every row of the kill matrix, with the figures that the row has to have."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.e2e.matrix import ROWS
from tests.e2e.report import BEGIN, END, HEADER, PAGE, MissingRowsError, replaced, table
from tests.e2e.rows import Outcome


def _shown() -> dict[str, Outcome]:
    """The outcomes that the page tells, by row."""
    page = PAGE.read_text(encoding="utf-8")
    lines = page[page.index(BEGIN) : page.index(END)].splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| ")]
    return {
        test.split("`")[1]: Outcome(int(starts), int(stops), int(idle), int(retries), task, run)
        for _, test, starts, stops, idle, retries, task, run in rows[1:]
    }


def test_page_has_all_rows_as_they_have_to_be() -> None:
    shown = _shown()
    assert list(shown) == list(ROWS)
    assert not {name: outcome for name, outcome in shown.items() if not ROWS[name].allows(outcome)}


def test_gate_has_eight_rows() -> None:
    assert sum(row.in_gate for row in ROWS.values()) == 8


def test_page_is_as_the_command_writes_it() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert replaced(page, table(_shown())) == page


def test_rows_that_failed_are_not_reported() -> None:
    outcomes = {name: row.expected for name, row in ROWS.items()}
    assert table(outcomes)[:2] == list(HEADER)
    first = next(iter(outcomes))
    with pytest.raises(MissingRowsError, match=first):
        table({**outcomes, first: replace(outcomes[first], starts=2)})
    with pytest.raises(MissingRowsError, match=first):
        table({name: outcome for name, outcome in outcomes.items() if name != first})
