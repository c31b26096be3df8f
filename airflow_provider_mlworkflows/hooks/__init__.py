"""Hooks: an Airflow connection made into a client, one method per API operation."""
