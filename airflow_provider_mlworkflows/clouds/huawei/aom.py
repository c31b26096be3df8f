"""Everything this provider can ask of AOM automation.

Each line below is a method with a blocking and an async form::

    api.show_execution(workflow_id, execution_id)
    await api.show_execution.aio(workflow_id, execution_id)

What it takes, returns and raises is written where it is declared.
"""

from __future__ import annotations

from airflow_provider_mlworkflows.clouds.huawei import aom_executions, aom_library, aom_scripts, aom_workflows
from airflow_provider_mlworkflows.clouds.operation import Session


class AomWorkflowApi(Session):
    """The operations of AOM automation, all of them."""

    create_workflow = aom_workflows.create_workflow
    list_workflows = aom_workflows.list_workflows
    iter_workflows = aom_workflows.iter_workflows
    update_trigger_status = aom_workflows.update_trigger_status

    execute_workflow = aom_executions.execute_workflow
    list_executions = aom_executions.list_executions
    show_execution = aom_executions.show_execution
    operate_execution = aom_executions.operate_execution
    terminate_execution = aom_executions.terminate_execution

    show_template = aom_library.show_template
    list_templates = aom_library.list_templates
    iter_templates = aom_library.iter_templates
    list_jobs = aom_library.list_jobs
    iter_jobs = aom_library.iter_jobs
    list_scripts = aom_scripts.list_scripts
    iter_scripts = aom_scripts.iter_scripts
    list_script_versions = aom_scripts.list_script_versions
    iter_script_versions = aom_scripts.iter_script_versions
