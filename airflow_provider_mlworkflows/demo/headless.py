"""Runs every example Dag once, shows how it goes, and checks that it went as it should."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from airflow_provider_mlworkflows.demo.environment import airflow_environment, temporary_home
from airflow_provider_mlworkflows.demo.processes import end_session
from airflow_provider_mlworkflows.emulator import Emulator

SPEED = 50.0
LOG_NAME = "demo.log"

Report = Mapping[str, Any]


@dataclass
class Outcome:
    """What has been reported so far.

    :param dags: by Dag, the state of its run; "" while it goes on.
    :param executions: by Dag and execution, what tasks last pushed about the execution.
    :param import_errors: files that hold no Dag.
    """

    dags: dict[str, str] = field(default_factory=dict)
    executions: dict[tuple[str, str], Report] = field(default_factory=dict)
    import_errors: list[str] = field(default_factory=list)

    def take(self, report: Report) -> str:
        """Take in a report; returns what to show for it."""
        match report["event"]:
            case "dag":
                self.dags[report["dag"]] = ""
                return f"\n{report['dag']}"
            case "task":
                return _task_line(report)
            case "dag_over":
                dag = next(reversed(self.dags))
                self.dags[dag] = report["state"]
                self.executions |= {(dag, each["run"]["run_id"]): each for each in report["runs"]}
                return f"  Dag run: {report['state']}"
            case _:
                self.import_errors.append(report["file"])
                return f"{report['file']} cannot be imported:\n{report['error']}"

    def rows(self) -> Iterator[tuple[str, ...]]:
        """A row for each execution and one for each of its steps."""
        yield ("Dag", "execution", "step", "status", "attempt")
        for (dag, execution), facts in self.executions.items():
            yield (dag, execution, "", facts["run"]["status"], "")
            for step in facts["steps"]:
                yield ("", "", step["name"], step["status"], str(step["attempt"]))

    def problems(self, emulator: Emulator) -> list[str]:
        """What did not go as it should, by Airflow's account and by the emulator's."""
        remote = {key: (each.status, "completed") for key, each in emulator.modelarts.executions.items()}
        remote |= {key: (each.status, "running") for key, each in emulator.modelarts.services.all.items()}
        remote |= {key: (each.status, "Succeeded") for key, each in emulator.paiflow.runs.items()}
        remote |= {key: (each.state, "SUCCESS") for key, each in emulator.obs.executions.items()}
        remote |= {key: (each.status, "success") for key, each in emulator.aom.executions.items()}
        known = {execution for _, execution in self.executions}
        return [
            *(f"{file} cannot be imported" for file in self.import_errors),
            *(f"{dag} ended as {state or 'unfinished'}" for dag, state in self.dags.items() if state != "success"),
            *([] if self.dags else ["no Dag was run"]),
            *(f"no task told of execution {key}" for key in sorted(remote.keys() - known)),
            *(f"execution {key} ended as {status}" for key, (status, good) in remote.items() if status != good),
        ]


def _task_line(report: Report) -> str:
    line = f"  {report['task']:<18}{report['state']:<10}"
    if report["execution"]:
        line += f"execution {report['execution']}"
    if report["reason"]:
        line += f"\n{'':<20}{report['reason'].splitlines()[0]}"
    return line.rstrip()


def run(*, verbose: bool = False) -> int:
    """Run the demo.

    :param verbose: show what Airflow logs.
    :returns: 0 if every Dag and every execution succeeded, otherwise 1.
    """
    began = time.monotonic()
    with temporary_home() as home, Emulator(clock="real", speed=SPEED) as emulator:
        print(f"An emulator of the cloud answers on {emulator.url}; its workflows run {SPEED:.0f} times as fast.")
        print(f"A temporary Airflow is being set up in {home}.", flush=True)
        outcome = Outcome()
        status = _run_dags(home, emulator.url, outcome, verbose=verbose)
        problems = outcome.problems(emulator)
        if status != 0:
            problems.append(f"Airflow's process ended with status {status}")
        print(f"\n{table(outcome.rows())}\n", flush=True)
        if problems:
            _show_log(home)
            print("\n".join(["The demo did not go as it should:", *(f"  {each}" for each in problems)]))
            return 1
    print(
        f"{len(outcome.dags)} Dags succeeded with {len(outcome.executions)} runs in "
        f"{time.monotonic() - began:.0f} s. The emulator and the temporary Airflow are gone."
    )
    return 0


def table(rows: Iterable[tuple[str, ...]]) -> str:
    """Rows as text in columns."""
    rows = list(rows)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def _run_dags(home: Path, emulator_url: str, outcome: Outcome, *, verbose: bool) -> int:
    """Run all Dags in a process of their own, showing their progress; returns its exit status."""
    reading, writing = os.pipe()
    with open(reading, encoding="utf-8") as reports, open(home / LOG_NAME, "wb") as log:
        try:
            process = subprocess.Popen(  # noqa: S603
                [sys.executable, "-P", "-m", "airflow_provider_mlworkflows.demo.dag_runs", str(writing), str(SPEED)],
                cwd=home,
                env=airflow_environment(home, emulator_url),
                stdin=subprocess.DEVNULL,
                stdout=sys.stderr if verbose else log,
                stderr=sys.stderr if verbose else log,
                pass_fds=(writing,),
                start_new_session=True,
            )
        finally:
            os.close(writing)
        try:
            for line in reports:
                if shown := outcome.take(json.loads(line)):
                    print(shown, flush=True)
            return process.wait()
        finally:
            end_session(process, patience=2.0)


def _show_log(home: Path) -> None:
    log = (home / LOG_NAME).read_text(encoding="utf-8", errors="replace")
    if log:
        print(f"What Airflow logged:\n{log}", file=sys.stderr, flush=True)
