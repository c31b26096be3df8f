"""Measurements of this provider: ``python -m benchmarks watch --runs 1000 --json``."""
