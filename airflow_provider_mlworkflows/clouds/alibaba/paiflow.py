"""Everything this provider can ask of PAIFlow.

Each line below is a method with a blocking and an async form::

    api.get_pipeline_run(run_id)
    await api.get_pipeline_run.aio(run_id)

What it takes, returns and raises is written where it is declared.
"""

from __future__ import annotations

from airflow_provider_mlworkflows.clouds.alibaba import paiflow_nodes, paiflow_pipelines, paiflow_runs
from airflow_provider_mlworkflows.clouds.operation import Session


class PaiFlowApi(Session):
    """The operations of PAI workflows."""

    create_pipeline = paiflow_pipelines.create_pipeline
    get_pipeline = paiflow_pipelines.get_pipeline
    update_pipeline = paiflow_pipelines.update_pipeline
    delete_pipeline = paiflow_pipelines.delete_pipeline
    list_pipelines = paiflow_pipelines.list_pipelines
    iter_pipelines = paiflow_pipelines.iter_pipelines

    create_pipeline_run = paiflow_runs.create_pipeline_run
    get_pipeline_run = paiflow_runs.get_pipeline_run
    list_pipeline_runs = paiflow_runs.list_pipeline_runs
    iter_pipeline_runs = paiflow_runs.iter_pipeline_runs
    list_pipeline_runs_status = paiflow_runs.list_pipeline_runs_status
    update_pipeline_run = paiflow_runs.update_pipeline_run
    delete_pipeline_run = paiflow_runs.delete_pipeline_run
    start_pipeline_run = paiflow_runs.start_pipeline_run
    rerun_pipeline_run = paiflow_runs.rerun_pipeline_run
    terminate_pipeline_run = paiflow_runs.terminate_pipeline_run

    get_pipeline_run_node = paiflow_nodes.get_pipeline_run_node
    iter_pipeline_run_nodes = paiflow_nodes.iter_pipeline_run_nodes
    list_pipeline_run_node_status = paiflow_nodes.list_pipeline_run_node_status
    list_pipeline_run_node_logs = paiflow_nodes.list_pipeline_run_node_logs
    iter_pipeline_run_node_logs = paiflow_nodes.iter_pipeline_run_node_logs
    list_pipeline_run_node_outputs = paiflow_nodes.list_pipeline_run_node_outputs
    iter_pipeline_run_node_outputs = paiflow_nodes.iter_pipeline_run_node_outputs
