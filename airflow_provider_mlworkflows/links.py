"""Links from a task to the cloud console."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk import BaseOperatorLink

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator
    from airflow.sdk.types import TaskInstanceKey

RUN_URL_KEY = "run_url"


class ConsoleLink(BaseOperatorLink):
    """The run's page in the cloud console.

    Airflow asks for it each time the task leaves a worker, so it shows while the task is deferred. For a task
    that stays on its worker the operator stores the address itself as soon as the run exists.
    """

    name = "Cloud console"

    @property
    def xcom_key(self) -> str:
        """Key of the XCom that Airflow's UI reads."""
        return "_link_mlworkflows_console"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """The address, "" as long as there is no run."""
        from airflow.sdk.execution_time.xcom import XCom  # the API server imports this module too

        url = XCom.get_value(ti_key=ti_key, key=RUN_URL_KEY)
        return str(url) if url else ""
