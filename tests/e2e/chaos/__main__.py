"""``python -m tests.e2e.chaos --runs 200 --seed 7``: a chaos on an Airflow of its own; 1 if it finds a fault."""

from __future__ import annotations

import argparse
import sys
from contextlib import ExitStack

from tests.harness.environment import prepare_environment

OUTPUT = 20000
"""Characters of what Airflow printed, shown if it does not get on."""


def main() -> int:
    """Play it and print what it came to."""
    parser = argparse.ArgumentParser(prog="python -m tests.e2e.chaos", description="Plays many tasks in disorder.")
    parser.add_argument("--runs", type=int, default=200, help="how many tasks; default 200")
    parser.add_argument("--seed", type=int, default=7, help="what the plan is drawn from; default 7")
    options = parser.parse_args()
    # Airflow reads its settings when it is first imported.
    prepare_environment()
    from tests.e2e.chaos.run import DAG_FILE, run_chaos
    from tests.harness.postgres import database_settings
    from tests.harness.rest_client import StateNeverReachedError
    from tests.harness.standalone import StandaloneAirflow

    with ExitStack() as stack:
        config = {"core.parallelism": "8", **stack.enter_context(database_settings())}
        airflow = StandaloneAirflow([DAG_FILE], config=config)
        stack.callback(airflow.stop)
        try:
            airflow.start()
            report = run_chaos(airflow, runs=options.runs, seed=options.seed)
        except StateNeverReachedError:
            print(airflow.output[-OUTPUT:])
            raise
    print(report.figures)
    if not report.findings.is_clean:
        print(report.findings.story)
    return 0 if report.findings.is_clean else 1


if __name__ == "__main__":
    sys.exit(main())
