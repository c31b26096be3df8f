"""Answers to writes that have to name what they concern: without that, nobody knows what was done."""

from __future__ import annotations

from typing import Annotated, cast

from pydantic import AfterValidator

from airflow_provider_mlworkflows.clouds.huawei.modelarts_inputs import checked_uuid
from airflow_provider_mlworkflows.clouds.huawei.modelarts_models import Execution, StepExecution
from airflow_provider_mlworkflows.exceptions import InvalidInputError


def _with_id(execution: Execution) -> Execution:
    try:
        checked_uuid("execution_id", execution.execution_id)
    except InvalidInputError as error:
        raise ValueError(str(error)) from None
    return execution


def _with_uuid(step: StepExecution) -> StepExecution:
    if not step.uuid:
        raise ValueError("it has no uuid")
    return step


CreatedExecution = cast("type[Execution]", Annotated[Execution, AfterValidator(_with_id)])
"""An execution that was just created; its id is one."""
StepUnderAction = cast("type[StepExecution]", Annotated[StepExecution, AfterValidator(_with_uuid)])
"""A step that was told to do something; it tells which one it is."""
