"""The example Dags on an emulator, in an Airflow of their own that leaves nothing behind.

* ``headless``: run every Dag once and show what came of it.
* ``dag_runs``: the part of that which imports Airflow, in a process of its own.
* ``ui``: leave a whole local Airflow up.
* ``environment``: the temporary Airflow home and the variables that keep Airflow inside it.
"""

from __future__ import annotations
