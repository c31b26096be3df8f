"""Pages of executions as watchers read them: quickly, and with little for the garbage collector to do."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from airflow_provider_mlworkflows.clouds.huawei.modelarts_models import Duration, Execution, Time


class ExecutionGlance(BaseModel):
    """What a list that shows no steps tells a watcher about an execution."""

    model_config = ConfigDict(frozen=True, coerce_numbers_to_str=True)

    execution_id: str
    name: str | None = None
    status: str | None = None
    created_at: Time = None
    duration: Duration = None
    steps_execution: Annotated[list[Any], Field(max_length=0)] | None = None


class ExecutionGlances(BaseModel):
    """One page. An execution whose steps the list shows is read as a whole."""

    model_config = ConfigDict(frozen=True)

    total: int | None = None
    count: int | None = None
    items: list[Annotated[ExecutionGlance | Execution, Field(union_mode="left_to_right")]] | None = None

    @model_validator(mode="after")
    def _is_page(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("it has no count or items or total")
        return self
