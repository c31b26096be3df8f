"""A whole Airflow: ``airflow standalone`` in a session of its own, with a home of its own."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import httpx
import psutil
import pytest

from tests.harness import processes
from tests.harness.environment import REPOSITORY, environment_without_airflow, make_home, settings_for
from tests.harness.rest_client import AirflowRestClient, StateNeverReachedError, TaskAddress

_COMPONENTS = ("metadatabase", "scheduler", "triggerer", "dag_processor")
_LASTING = ("scheduler", "dag-processor")
_SHOWN_LINES = 60

# A cold start, database migration included, takes some twenty seconds on two idle cores.
_START_PATIENCE = 180.0
_STOP_PATIENCE = 15.0


class StandaloneDiedError(RuntimeError):
    """Airflow, or one of its components, has ended by itself."""


class StandaloneAirflow:
    """One running ``airflow standalone``.

    Args:
        dag_files: files copied into its DAGs folder.
        environment: further environment variables, such as ``AIRFLOW_CONN_...``.
        config: further settings, each as ``section.option``.

    Attributes:
        home: its ``AIRFLOW_HOME``.
        database: its database, as SQLAlchemy wants it.
        api: its REST API, logged in.
    """

    def __init__(
        self,
        dag_files: Sequence[Path] = (),
        *,
        environment: Mapping[str, str] | None = None,
        config: Mapping[str, str] | None = None,
    ) -> None:
        self.home = make_home("airflow-standalone-")
        for path in dag_files:
            shutil.copyfile(path, self.home / "dags" / path.name)
        self._output = self.home / "standalone.log"
        port, worker_log_port, trigger_log_port = _free_ports(3)
        self._environment = {
            **environment_without_airflow(),
            **settings_for(self.home),
            **_standalone_settings(port, worker_log_port, trigger_log_port),
            **{_variable(option): value for option, value in (config or {}).items()},
            **(environment or {}),
        }
        self.database = self._environment["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"]
        self.api = AirflowRestClient(f"http://127.0.0.1:{port}", check=self.check)
        self._leaders: list[subprocess.Popen[bytes]] = []
        self._lasting: dict[str, psutil.Process] = {}

    @property
    def sessions(self) -> set[int]:
        """The ids of the sessions that all its processes belong to."""
        return {leader.pid for leader in self._leaders}

    @property
    def output(self) -> str:
        """What its components have printed so far."""
        return self._output.read_text(errors="replace")

    def printed_by(self, component: str) -> str:
        """The end of what one of the components has printed."""
        lines = [line for line in self.output.splitlines() if line.partition("|")[0].strip() == component]
        return "\n".join(lines[-_SHOWN_LINES:])

    def check(self) -> None:
        """See whether those components live that no test ends: ``airflow standalone`` goes on without them.

        Raises:
            StandaloneDiedError: one has ended; the message has the end of what it printed.
        """
        for name, process in self._lasting.items():
            if processes.is_gone(process):
                raise StandaloneDiedError(f"Airflow's {name} has ended by itself:\n{self.printed_by(name)}")

    def start(self) -> None:
        """Start all components and wait until each reports that it is healthy.

        Raises:
            StandaloneDiedError: the process ended; the message has the end of its output.
        """
        self.start_component("standalone")
        try:
            self.api.wait_for("a healthy Airflow", self._look_at_health, _START_PATIENCE)
        except StateNeverReachedError as error:
            raise StandaloneDiedError(self.output[-8000:]) from error
        self._lasting = {
            name: psutil.Process(self._wait_for_process(_is_component(name), _START_PATIENCE)) for name in _LASTING
        }
        self.api.log_in()

    def stop(self) -> None:
        """End all processes and remove the home. Calling it again changes nothing."""
        self._lasting.clear()
        self.api.close()
        processes.end(self._leaders, _STOP_PATIENCE)
        shutil.rmtree(self.home, ignore_errors=True)

    def start_run(self, dag_id: str, conf: dict[str, object] | None = None, run_id: str | None = None) -> str:
        """Wait for a DAG to be known, let it run, start a run and return the run's id."""
        self.api.wait_for_dag(dag_id)
        self.api.unpause(dag_id)
        return self.api.trigger(dag_id, conf, run_id)

    def worker_of(self, at: TaskAddress, patience: float = 30.0) -> int:
        """Return the process id of a running task, as soon as its process has taken the task on."""
        title = f"airflow worker -- {self.api.task_instance(at)['id']}"
        return self._wait_for_process(lambda line: line == title, patience)

    def supervisor_of(self, at: TaskAddress, patience: float = 30.0) -> int:
        """Return the process id of a running task's supervisor, its executor slot."""
        return int(psutil.Process(self.worker_of(at, patience)).ppid())

    def triggerer(self) -> int:
        """Return the process id of the triggerer."""
        return self._wait_for_process(_is_component("triggerer"), 10.0)

    def scheduler(self) -> int:
        """Return the process id of the scheduler."""
        return self._wait_for_process(_is_component("scheduler"), 10.0)

    def send_signal(self, pid: int, number: signal.Signals) -> None:
        """Signal one of its processes.

        Raises:
            ProcessNotFoundError: the process is none of Airflow's.
        """
        if os.getsid(pid) not in self.sessions:
            raise processes.ProcessNotFoundError(f"{pid} does not belong to this Airflow")
        os.kill(pid, number)

    def start_component(self, name: str, *arguments: str) -> int:
        """Start a component, e.g. a ``triggerer`` in place of one that was ended; return its process id."""
        binary = Path(sys.executable).parent / "airflow"
        with self._output.open("ab") as output:
            started = subprocess.Popen(
                [str(binary), name, *arguments],
                env=self._environment,
                cwd=self.home,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._leaders.append(started)
        return started.pid

    def _look_at_health(self) -> bool | None:
        if any(leader.poll() is not None for leader in self._leaders):
            raise StandaloneDiedError(self.output[-8000:])
        with contextlib.suppress(httpx.HTTPError):
            health = self.api.health()
            return all(health.get(name) == "healthy" for name in _COMPONENTS) or None
        return None

    def _wait_for_process(self, fits: Callable[[str], bool], patience: float) -> int:
        return self.api.wait_for("a process", lambda: next(iter(processes.find(self.sessions, fits)), None), patience)


def standalone_fixture(
    dag_files: Sequence[Path] = (),
    *,
    environment: Callable[[], Mapping[str, str]] | None = None,
    config: Mapping[str, str] | None = None,
) -> Callable[[], Iterator[StandaloneAirflow]]:
    """Make a session fixture that starts one Airflow for all the tests that ask for it.

    Assign it to a name in a ``conftest.py``; the tests carry ``@pytest.mark.e2e``.

    Args:
        dag_files: files for its DAGs folder.
        environment: called just before the start, e.g. to point connections at a server started by then.
        config: further settings, each as ``section.option``.
    """

    @pytest.fixture(scope="session")
    def standalone() -> Iterator[StandaloneAirflow]:
        airflow = StandaloneAirflow(dag_files, environment=environment() if environment else None, config=config)
        try:
            airflow.start()
            yield airflow
        finally:
            airflow.stop()

    return standalone


def _standalone_settings(port: int, worker_log_port: int, trigger_log_port: int) -> dict[str, str]:
    bin_dir = str(Path(sys.executable).parent)
    return {
        "PATH": os.pathsep.join([bin_dir, os.environ.get("PATH", os.defpath)]),
        "PYTHONPATH": os.pathsep.join([str(REPOSITORY), *_inherited("PYTHONPATH")]),
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__BASE_URL": f"http://127.0.0.1:{port}",
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__API__SECRET_KEY": secrets.token_hex(32),
        "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_hex(32),
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        # Workers otherwise call the port that another Airflow on this machine may have.
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
        "AIRFLOW__CORE__PARALLELISM": "4",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "5",
        "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(worker_log_port),
        "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(trigger_log_port),
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.2",
    }


def _inherited(name: str) -> list[str]:
    return [value] if (value := os.environ.get(name)) else []


def _variable(option: str) -> str:
    section, _, name = option.partition(".")
    return f"AIRFLOW__{section.upper()}__{name.upper()}"


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for bound in sockets:
            bound.bind(("127.0.0.1", 0))
        return [int(bound.getsockname()[1]) for bound in sockets]


def _is_component(name: str) -> Callable[[str], bool]:
    return lambda line: line.endswith(f"/airflow {name}")
