"""Many runs of four services, each watched by a deferred task. They last until a test ends them.

A Dag run is told in its ``conf`` which workflows to start, by service.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import DAG, RetryDecision, RetryPolicy

from airflow_provider_mlworkflows.exceptions import RunError
from airflow_provider_mlworkflows.operators.aom import AomStartWorkflowOperator
from airflow_provider_mlworkflows.operators.modelarts import ModelArtsStartWorkflowOperator
from airflow_provider_mlworkflows.operators.obs import ObsStartWorkflowOperator
from airflow_provider_mlworkflows.operators.paiflow import PaiFlowStartPipelineOperator

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.operators.starting import StartOperator

INTERVALS = tuple(2.0 + number / 10 for number in range(14))

SERVICES: Mapping[str, tuple[type[StartOperator], int, Mapping[str, Any]]] = {
    "modelarts": (ModelArtsStartWorkflowOperator, 14, {"workflow_id": "{{ dag_run.conf['modelarts'] }}"}),
    "paiflow": (PaiFlowStartPipelineOperator, 14, {"pipeline_id": "{{ dag_run.conf['paiflow'] }}"}),
    "aom": (AomStartWorkflowOperator, 12, {"workflow_id": "{{ dag_run.conf['aom'] }}"}),
    "obs": (
        ObsStartWorkflowOperator,
        10,
        {"graph_name": "{{ dag_run.conf['obs'] }}", "bucket": "data", "object_key": "in.csv"},
    ),
}


class VerdictsAreFinal(RetryPolicy):
    """Lets no retry repair a run that has ended badly, so that whatever retry there is has another cause."""

    def evaluate(self, exception: BaseException, try_number: int, max_tries: int, context: Any = None) -> RetryDecision:
        if isinstance(exception, RunError):
            return RetryDecision.fail(reason="the run has ended")
        return RetryDecision.default()


with DAG("two_triggerers", schedule=None, start_date=datetime(2026, 1, 1), catchup=False) as dag:
    for _name, (_operator, _count, _which) in SERVICES.items():
        _operator.partial(
            task_id=_name,
            deferrable=True,
            timeout=3600.0,
            retries=2,
            retry_delay=timedelta(seconds=1),
            retry_policy=VerdictsAreFinal(),
            **_which,
        ).expand(poll_interval=INTERVALS[:_count])
