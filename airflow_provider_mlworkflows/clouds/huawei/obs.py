"""Everything this provider can ask of the data workflows in object storage.

Each line below is a method with a blocking and an async form::

    api.show_execution(graph_name, execution_name)
    await api.show_execution.aio(graph_name, execution_name)

What it takes, returns and raises is written where it is declared.
"""

from __future__ import annotations

from airflow_provider_mlworkflows.clouds.huawei import obs_executions, obs_templates, obs_triggers, obs_workflows
from airflow_provider_mlworkflows.clouds.operation import Session


class ObsWorkflowApi(Session):
    """The operations of data workflows: templates, workflows, executions, and the events that start them."""

    create_workflow_template = obs_templates.create_workflow_template
    show_workflow_template = obs_templates.show_workflow_template
    delete_workflow_template = obs_templates.delete_workflow_template
    list_workflow_templates = obs_templates.list_workflow_templates
    iter_workflow_templates = obs_templates.iter_workflow_templates

    list_workflows = obs_workflows.list_workflows
    iter_workflows = obs_workflows.iter_workflows
    create_workflow = obs_workflows.create_workflow
    create_workflow_from_template = obs_workflows.create_workflow_from_template
    show_workflow = obs_workflows.show_workflow
    update_workflow = obs_workflows.update_workflow
    delete_workflow = obs_workflows.delete_workflow
    start_workflow = obs_workflows.start_workflow
    open_workflow_authorization = obs_workflows.open_workflow_authorization
    show_workflow_authorization = obs_workflows.show_workflow_authorization

    list_executions = obs_executions.list_executions
    iter_executions = obs_executions.iter_executions
    show_execution = obs_executions.show_execution
    restore_execution = obs_executions.restore_execution

    put_trigger_policy = obs_triggers.put_trigger_policy
    show_trigger_policy = obs_triggers.show_trigger_policy
    delete_trigger_policy = obs_triggers.delete_trigger_policy
