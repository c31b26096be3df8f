"""Runs operators, sensors, triggers and DAG files the way Airflow runs them, at four distances from production.

* ``task_runner``: one task instance through Airflow's task runner, no database, tens of milliseconds.
* ``dag_test``: one DAG file through ``dag.test()`` on a throw-away database.
* ``standalone``: a whole ``airflow standalone`` in processes of its own, driven through its REST API.
* ``environment``: the throw-away ``AIRFLOW_HOME`` that all of them need before Airflow is imported.
"""

from __future__ import annotations
