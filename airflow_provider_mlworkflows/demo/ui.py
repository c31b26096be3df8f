"""Leaves a whole local Airflow up: scheduler, triggerer, user interface, and the example Dags on an emulator."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from airflow_provider_mlworkflows.demo.environment import airflow_environment, temporary_home
from airflow_provider_mlworkflows.demo.processes import end_session
from airflow_provider_mlworkflows.emulator import Emulator

LOG_NAME = "airflow.log"
START_LIMIT = 180.0
"""Seconds that Airflow has for its start; it takes about 20."""
LOOK_INTERVAL = 0.5
COMPONENTS = ("metadatabase", "scheduler", "triggerer", "dag_processor")
# Airflow is on this machine; no proxy may stand in between.
_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def serve(*, verbose: bool = False) -> int:
    """Start Airflow and an emulator, and keep both up until interrupted.

    :param verbose: show what Airflow logs.
    :returns: 0 after an interrupt, 1 if Airflow does not come up or ends by itself.
    """
    with temporary_home() as home, Emulator(clock="real") as emulator:
        address_port, worker_log_port, trigger_log_port = _free_ports(3)
        url = f"http://127.0.0.1:{address_port}"
        environment = {
            **airflow_environment(home, emulator.url),
            "AIRFLOW__API__BASE_URL": url,
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(address_port),
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
            "AIRFLOW__CORE__PARALLELISM": "4",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
            "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(trigger_log_port),
            "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(worker_log_port),
        }
        print(f"An emulator of the cloud answers on {emulator.url}.")
        print(f"Airflow is starting in {home}; this takes some twenty seconds.", flush=True)
        with open(home / LOG_NAME, "wb") as log:
            airflow = subprocess.Popen(
                [sys.executable, "-P", "-m", "airflow", "standalone"],
                cwd=home,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=sys.stderr if verbose else log,
                stderr=sys.stderr if verbose else log,
                start_new_session=True,
            )
        try:
            return _keep_up(airflow, url, home)
        except KeyboardInterrupt:
            print("\nstopping", flush=True)
            return 0
        finally:
            end_session(airflow, patience=20.0)


def _keep_up(airflow: subprocess.Popen[bytes], url: str, home: Path) -> int:
    """Wait until Airflow is up, then until it ends."""
    give_up = time.monotonic() + START_LIMIT
    while not _is_healthy(url):
        if airflow.poll() is not None or time.monotonic() > give_up:
            return _report_end(home, "Airflow did not come up.")
        time.sleep(LOOK_INTERVAL)
    print(f"Airflow is ready at {url}, no login needed. Trigger one of the example Dags there.")
    print("Stop everything with Ctrl-C.", flush=True)
    airflow.wait()
    return _report_end(home, "Airflow has ended by itself.")


def _is_healthy(url: str) -> bool:
    try:
        with _direct.open(f"{url}/api/v2/monitor/health", timeout=5) as reply:
            health = json.load(reply)
    except (urllib.error.URLError, OSError, ValueError):
        return False
    return all((health.get(name) or {}).get("status") == "healthy" for name in COMPONENTS)


def _report_end(home: Path, message: str) -> int:
    print(f"{(home / LOG_NAME).read_text(encoding='utf-8', errors='replace')}\n{message}", file=sys.stderr, flush=True)
    return 1


def _free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that nobody listens on at the moment."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [int(each.getsockname()[1]) for each in sockets]
