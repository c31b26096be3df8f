"""How answers of Huawei Cloud's services are read, whichever service it is."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, model_validator

from airflow_provider_mlworkflows.clouds.values import without_nulls


class Reply(BaseModel):
    """Base of everything read from a service. Null means the same as absent, and unknown fields are kept."""

    model_config = ConfigDict(
        extra="allow", frozen=True, populate_by_name=True, coerce_numbers_to_str=True, protected_namespaces=()
    )

    promised: ClassVar[frozenset[str]] = frozenset()
    """One of these fields is there at least, if only as null."""

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, data: Any) -> Any:
        if isinstance(data, dict):
            if cls.promised and not data.keys() & cls.promised:
                raise ValueError(f"it has no {' or '.join(sorted(cls.promised))}")
            return without_nulls(data)
        return data
