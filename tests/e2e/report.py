"""Writes the kill matrix into docs/reliability.md: ``python -m tests.e2e.report [RESULTS]``.

The figures are those of the last run of each row, as `test_kill_rows.py` has kept them.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.e2e import kill_scenes, process_scenes
from tests.e2e.matrix import RESULTS, ROWS
from tests.e2e.rows import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

SCENES = (kill_scenes, process_scenes)
REPOSITORY = Path(__file__).resolve().parents[2]
PAGE = REPOSITORY / "docs" / "reliability.md"
KEPT = REPOSITORY / ".pytest_cache" / "d" / "e2e" / RESULTS
BEGIN, END = "<!-- kill matrix: begin -->", "<!-- kill matrix: end -->"
HEADER = (
    "| What happens | Test | Starts | Effective stops | Redundant stops | Retries | Task | Run |",
    "|---|---|---|---|---|---|---|---|",
)


class MissingRowsError(Exception):
    """There is no outcome of some rows."""


def table(outcomes: Mapping[str, Outcome]) -> Sequence[str]:
    """The lines of the matrix.

    Raises:
        MissingRowsError: a row was not played, or did not end as it should.
    """
    if missing := [name for name, row in ROWS.items() if name not in outcomes or not row.allows(outcomes[name])]:
        raise MissingRowsError(f"no good outcome of: {', '.join(missing)}")
    played = {name: outcomes[name] for name in ROWS}
    return [*HEADER, *_lines(played), "", _sum(list(played.values()))]


def _lines(outcomes: Mapping[str, Outcome]) -> Iterator[str]:
    for name, outcome in outcomes.items():
        figures = (outcome.starts, outcome.stops, outcome.idle_stops, outcome.retries, outcome.task, outcome.run)
        test = f"`{name}`" + (" (gate)" if ROWS[name].in_gate else "")
        yield f"| {' | '.join(map(str, (ROWS[name].title, test, *figures)))} |"


def _sum(outcomes: Sequence[Outcome]) -> str:
    def total(field: str) -> int:
        return sum(getattr(outcome, field) for outcome in outcomes)

    return (
        f"{len(outcomes)} rows: {total('starts')} starts, {total('stops')} effective stops, "
        f"{total('idle_stops')} redundant ones."
    )


def replaced(page: str, lines: Sequence[str]) -> str:
    """The page with other lines between the marks."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return "\n".join([before + BEGIN, *lines, END + after])


def load(kept: Path) -> Mapping[str, Outcome]:
    """The outcomes that a run of the tests has kept."""
    known: Mapping[str, Any] = json.loads(kept.read_text(encoding="utf-8"))
    return {name: Outcome(**fields) for name, fields in known.items()}


def main(arguments: Sequence[str]) -> None:
    """Write the matrix into the page."""
    kept = Path(arguments[0]) if arguments else KEPT
    page = replaced(PAGE.read_text(encoding="utf-8"), table(load(kept)))
    PAGE.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
