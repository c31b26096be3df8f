"""Entry point of the benchmarks."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile


def main() -> int:
    """Parse the command line and print the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    commands = parser.add_subparsers(dest="command", required=True)
    watching = commands.add_parser("watch", help="the cost of watching many runs")
    watching.add_argument("--runs", type=int, default=1000, help="runs of each service (default: 1000)")
    watching.add_argument("--interval", type=float, default=5.0, help="seconds between two polls (default: 5)")
    watching.add_argument("--intervals", type=int, default=4, help="poll intervals to measure (default: 4)")
    watching.add_argument("--json", action="store_true", help="print one JSON list")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        # Airflow reads its settings when it is imported; its log would stand among the figures.
        os.environ |= {"AIRFLOW_HOME": home, "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR"}
        from benchmarks.watch import render, watch

        print(render(watch(arguments.runs, arguments.interval, arguments.intervals), as_json=arguments.json))
    return 0


if __name__ == "__main__":
    sys.exit(main())
