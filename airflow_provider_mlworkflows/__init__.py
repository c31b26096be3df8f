"""Airflow provider for machine-learning workflows that run in the cloud."""

__version__ = "0.1.0"
