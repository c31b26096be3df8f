"""What the pages under docs/ and the README show is Python that runs, and what they link to is there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from airflow.sdk import DAG

REPOSITORY = Path(__file__).resolve().parents[1]
PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md"))]
CODE = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?://|#)([^)#]+)")
SNIPPETS = [
    pytest.param(code, id=f"{page.stem}-{number}")
    for page in PAGES
    for number, code in enumerate(CODE.findall(page.read_text(encoding="utf-8")))
]


def test_there_are_pages_with_snippets() -> None:
    assert {"lifecycle", "modelarts", "obs", "aom", "paiflow"} <= {page.stem for page in PAGES}
    assert len(SNIPPETS) >= 4


@pytest.mark.parametrize("code", SNIPPETS)
def test_snippet_is_right(code: str) -> None:
    compiled = compile(code, "snippet", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    if "Operator(" in code:  # what calls a hook needs a cloud
        with DAG("snippet", schedule=None):
            exec(compiled, {"__name__": "snippet"})


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_what_is_linked_to_is_there(page: Path) -> None:
    links = LINK.findall(page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []
