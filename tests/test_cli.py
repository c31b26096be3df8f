"""The command ``mlworkflows``, started the way a user starts it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
from airflow.sdk import Connection

from airflow_provider_mlworkflows import __version__
from airflow_provider_mlworkflows.cli import main
from airflow_provider_mlworkflows.emulator import Emulator
from airflow_provider_mlworkflows.emulator.environment import HUAWEI_CONNECTION, connections
from airflow_provider_mlworkflows.hooks.modelarts import ModelArtsHook
from airflow_provider_mlworkflows.hooks.paiflow import PaiFlowHook

COMMAND = [sys.executable, "-m", "airflow_provider_mlworkflows.cli"]
LISTENING = "listening on "


def test_without_a_command_there_is_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    shown = capsys.readouterr().out
    assert "emulator" in shown
    assert "demo" in shown


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"mlworkflows {__version__}\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["emulator", "--port", "65536"],
        ["emulator", "--port", "-1"],
        ["emulator", "--port", "http"],
        ["emulator", "--speed", "0"],
        ["emulator", "--speed", "nan"],
        ["emulator", "--speed", "fast"],
        ["nothing"],
    ],
)
def test_bad_arguments_are_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert arguments[-1] in capsys.readouterr().err


@pytest.mark.parametrize(
    ("host", "url"), [("127.0.0.1", "http://127.0.0.1:8480"), ("::1", "http://[::1]:8480"), ("box", "http://box:8480")]
)
def test_printed_environment_is_what_airflow_reads(host: str, url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["emulator", "--print-env", "--host", host]) == 0
    shell = subprocess.run(
        ["sh", "-c", capsys.readouterr().out + 'printf %s "$AIRFLOW_CONN_HUAWEI_MLWORKFLOWS_DEFAULT"'],
        capture_output=True,
        text=True,
        check=True,
    )
    connection = Connection.from_json(shell.stdout, conn_id=HUAWEI_CONNECTION)
    expected = connections(url)[HUAWEI_CONNECTION]
    assert connection.conn_type == expected["conn_type"]
    assert (connection.login, connection.password) == (expected["login"], expected["password"])
    assert connection.extra_dejson == expected["extra"]
    assert connection.extra_dejson["endpoint"] == url


def test_printed_environment_leads_to_a_running_emulator(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with Emulator() as emulator:
        assert main(["emulator", "--print-env", "--port", str(emulator.port)]) == 0
        for line in capsys.readouterr().out.splitlines():
            name, _, value = line.removeprefix("export ").partition("=")
            monkeypatch.setenv(name, value.strip("'"))
        assert ModelArtsHook().test_connection()[0]
        assert PaiFlowHook().test_connection()[0]


def test_environment_of_any_free_port_cannot_be_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["emulator", "--print-env", "--port", "0"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "port" in captured.err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_emulator_serves_until_told_to_end(number: signal.Signals) -> None:
    with running_emulator("--port", "0", "--speed", "25") as (process, line):
        assert line.startswith(f"{LISTENING}http://127.0.0.1:")
        url = line.removeprefix(LISTENING)
        assert httpx.get(f"{url}/_emulator/clock").json()["speed"] == 25
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
        assert (process.returncode, out, err) == (0, "", "")
        with pytest.raises(httpx.ConnectError):
            httpx.get(url)


def test_emulator_started_in_the_background_of_a_script_heeds_an_interrupt() -> None:
    # A shell without job control has its background commands ignore SIGINT.
    with running_emulator("--port", "0", ignoring=signal.SIGINT) as (process, _):
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
        assert process.returncode == 0


def test_port_in_use_is_a_clear_error() -> None:
    with Emulator() as emulator:
        port = str(emulator.port)
        ended = subprocess.run([*COMMAND, "emulator", "--port", port], capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stdout) == (1, "")
    (line,) = ended.stderr.splitlines()
    assert f"cannot listen on 127.0.0.1 port {port}: Address already in use" in line
    assert "--port" in line


def test_host_that_is_not_this_machine_is_a_clear_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["emulator", "--host", "192.0.2.1", "--port", "0"]) == 1
    assert "cannot listen on 192.0.2.1" in capsys.readouterr().err


def test_signal_handlers_are_restored() -> None:
    before = signal.getsignal(signal.SIGTERM)
    assert main(["emulator", "--host", "192.0.2.1", "--port", "0"]) == 1
    assert signal.getsignal(signal.SIGTERM) is before


@contextmanager
def running_emulator(
    *arguments: str, ignoring: signal.Signals | None = None
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A started ``mlworkflows emulator``, and the line it printed."""
    with subprocess.Popen(
        [*COMMAND, "emulator", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": ""},
        preexec_fn=None if ignoring is None else lambda: ignore(ignoring),
    ) as process:
        try:
            assert process.stdout is not None
            yield process, process.stdout.readline().rstrip("\n")
        finally:
            process.kill()


def ignore(number: signal.Signals) -> None:
    signal.signal(number, signal.SIG_IGN)
