"""The XCom table of one DAG run, and the Execution API's routes over it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import httpx

if TYPE_CHECKING:
    from tests.harness.task_instance import TaskInstanceRecord


@dataclass(frozen=True)
class XComAddress:
    """Where one XCom is kept."""

    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    key: str


@dataclass
class XComTable:
    """Stored XCom values, as encoded by the worker."""

    rows: dict[XComAddress, Any] = field(default_factory=dict)

    def values_of(self, record: TaskInstanceRecord) -> dict[str, Any]:
        """Return the decoded XComs of one task instance."""
        from airflow.sdk.serde import deserialize

        return {at.key: deserialize(value) for at, value in self.rows.items() if _owns(record, at)}

    def keys_of(self, record: TaskInstanceRecord) -> list[str]:
        """Return the keys that a fresh attempt of this task instance has to clear."""
        return [at.key for at in self.rows if _owns(record, at)]

    def serve(
        self,
        method: str,
        query: Mapping[str, list[str]],
        body: Any,
        dag_id: str,
        run_id: str,
        task_id: str,
        key: str,
        selection: str | None = None,
    ) -> httpx.Response:
        """Answer one request to ``/xcoms``."""
        at = XComAddress(dag_id, run_id, task_id, int(query.get("map_index", ["-1"])[0]), key)
        if selection is not None or method == "HEAD":
            return self._serve_mapped(at, selection, query)
        if method == "POST":
            self.rows[at] = body
            return httpx.Response(HTTPStatus.CREATED, json={"message": "XCom successfully set"})
        if method == "DELETE":
            self.rows.pop(at, None)
            return httpx.Response(HTTPStatus.OK, json={"message": "XCom deleted"})
        if at not in self.rows:
            return _not_found(key)
        return httpx.Response(HTTPStatus.OK, json={"key": key, "value": self.rows[at]})

    def _serve_mapped(self, at: XComAddress, selection: str | None, query: Mapping[str, list[str]]) -> httpx.Response:
        wanted = (at.dag_id, at.run_id, at.task_id, at.key)
        rows = sorted(
            (row.map_index, value)
            for row, value in self.rows.items()
            if (row.dag_id, row.run_id, row.task_id, row.key) == wanted
        )
        values = [value for _, value in rows]
        if selection is None:
            return httpx.Response(HTTPStatus.OK, headers={"Content-Range": f"map_indexes {len(values)}"})
        if selection == "slice":
            bounds = [int(query[name][0]) if name in query else None for name in ("start", "stop", "step")]
            return httpx.Response(HTTPStatus.OK, json=values[slice(*bounds)])
        offset = int(selection.removeprefix("item/"))
        if not -len(values) <= offset < len(values):
            return _not_found(at.key)
        return httpx.Response(HTTPStatus.OK, json=values[offset])


def _owns(record: TaskInstanceRecord, at: XComAddress) -> bool:
    return (at.dag_id, at.run_id, at.task_id, at.map_index) == (
        record.dag_id,
        record.run_id,
        record.task_id,
        record.map_index,
    )


def _not_found(key: str) -> httpx.Response:
    detail = {"reason": "not_found", "message": f"XCom with key {key!r} not found"}
    return httpx.Response(HTTPStatus.NOT_FOUND, json={"detail": detail})
