"""Everything this provider can ask of ModelArts.

Each line below is a method with a blocking and an async form::

    api.show_execution(workflow_id, execution_id)
    await api.show_execution.aio(workflow_id, execution_id)

What it takes, returns and raises is written where it is declared.
"""

from __future__ import annotations

from airflow_provider_mlworkflows.clouds.huawei import (
    modelarts_executions,
    modelarts_paid_services,
    modelarts_schedules,
    modelarts_steps,
    modelarts_training,
    modelarts_workflows,
)
from airflow_provider_mlworkflows.clouds.huawei.modelarts_areas import AppsApi, AutoSearchApi, TagsApi
from airflow_provider_mlworkflows.clouds.huawei.modelarts_readings import ReadingsApi


class ModelArtsApi(ReadingsApi, AppsApi, TagsApi, AutoSearchApi):
    """The operations of ModelArts workflows, the reads of training jobs that explain them, and the other areas."""

    list_workflows = modelarts_workflows.list_workflows
    iter_workflows = modelarts_workflows.iter_workflows
    create_workflow = modelarts_workflows.create_workflow
    show_workflow = modelarts_workflows.show_workflow
    update_workflow = modelarts_workflows.update_workflow
    delete_workflow = modelarts_workflows.delete_workflow
    list_workflow_labels = modelarts_workflows.list_workflow_labels
    show_workflows_overview = modelarts_workflows.show_workflows_overview
    list_todos = modelarts_workflows.list_todos
    authorize_service = modelarts_paid_services.authorize_service
    purchase_pool_package = modelarts_paid_services.purchase_pool_package

    list_executions = modelarts_executions.list_executions
    iter_executions = modelarts_executions.iter_executions
    create_execution = modelarts_executions.create_execution
    show_execution = modelarts_executions.show_execution
    update_execution = modelarts_executions.update_execution
    delete_execution = modelarts_executions.delete_execution
    act_on_execution = modelarts_executions.act_on_execution
    list_execution_labels = modelarts_executions.list_execution_labels

    list_step_executions = modelarts_steps.list_step_executions
    iter_step_executions = modelarts_steps.iter_step_executions
    act_on_step = modelarts_steps.act_on_step
    show_step_metrics = modelarts_steps.show_step_metrics

    create_schedule = modelarts_schedules.create_schedule
    list_schedules = modelarts_schedules.list_schedules
    show_schedule = modelarts_schedules.show_schedule
    update_schedule = modelarts_schedules.update_schedule
    delete_schedule = modelarts_schedules.delete_schedule
    create_subscription = modelarts_schedules.create_subscription
    show_subscription = modelarts_schedules.show_subscription
    update_subscription = modelarts_schedules.update_subscription
    delete_subscription = modelarts_schedules.delete_subscription

    show_training_job = modelarts_training.show_training_job
    show_training_job_log_preview = modelarts_training.show_training_job_log_preview
    show_training_job_log = modelarts_training.show_training_job_log
    show_training_job_log_url = modelarts_training.show_training_job_log_url
    list_training_job_events = modelarts_training.list_training_job_events
    list_training_job_stages = modelarts_training.list_training_job_stages
    list_training_job_tasks = modelarts_training.list_training_job_tasks
    show_training_job_metrics = modelarts_training.show_training_job_metrics
