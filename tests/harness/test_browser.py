"""The browser of the tests' own."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from tests.harness.browser import REQUIRED, browser, required_binaries
from tests.harness.processes import command_line


@pytest.mark.slow
def test_browser_is_gone_afterwards(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text("<title>A page</title>")
    with browser(required_binaries()) as running:
        running.get(page.as_uri())
        assert running.title == "A page"
        profile = Path(running.capabilities["chrome"]["userDataDir"])
        assert profile.is_dir()
        everything = psutil.Process().children(recursive=True)
        processes = [process for process in everything if str(profile) in command_line(process)]
        assert processes
    assert not profile.exists()
    assert psutil.wait_procs(processes, timeout=10)[1] == []


def test_where_there_is_none_the_test_is_skipped(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv(REQUIRED, raising=False)
    with pytest.raises(pytest.skip.Exception, match="no browser: chromium and chromedriver"):
        required_binaries()


def test_where_it_is_required_the_test_fails(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv(REQUIRED, "1")
    with pytest.raises(pytest.fail.Exception, match="no browser: chromium and chromedriver"):
        required_binaries()
