"""What the client of Airflow's REST API makes of its answers."""

from __future__ import annotations

import httpx
import pytest

from tests.harness.rest_client import AirflowRestClient, StateNeverReachedError, TaskAddress

AT = TaskAddress("pipeline", "run-1", "train")
LOG = {"content": [{"event": "begins", "timestamp": "2026-01-01T00:00:00Z", "level": "info"}, "ends"]}


def _client(answer: httpx.Response, monkeypatch: pytest.MonkeyPatch) -> AirflowRestClient:
    client = AirflowRestClient("http://airflow")
    client.close()
    transport = httpx.MockTransport(lambda request: answer)
    monkeypatch.setattr(client, "_http", httpx.Client(base_url=client.address, transport=transport))
    return client


def test_log_is_read_line_by_line(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _client(httpx.Response(200, json=LOG), monkeypatch).task_log(AT) == "begins level=info\nends"


def test_attempt_that_never_began_has_no_log(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _client(httpx.Response(404, json={"detail": "no such attempt"}), monkeypatch).task_log(AT, 2) == ""


def test_log_that_cannot_be_read_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(httpx.HTTPStatusError):
        _client(httpx.Response(500), monkeypatch).task_log(AT)


def test_waiting_ends_when_there_is_nobody_to_wait_for() -> None:
    def check() -> None:
        raise ChildProcessError("the scheduler has ended")

    client = AirflowRestClient("http://airflow", check=check)
    with pytest.raises(ChildProcessError, match="has ended"):
        client.wait_for("what never comes", lambda: None, 3600)


def test_waiting_ends_when_time_is_up() -> None:
    with pytest.raises(StateNeverReachedError, match="what never comes: not within 0"):
        AirflowRestClient("http://airflow", poll_interval=0).wait_for("what never comes", lambda: None, 0)
