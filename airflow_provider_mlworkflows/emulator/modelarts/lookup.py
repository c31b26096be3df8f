"""What a call names: records by their ids, bodies by their shape, pages by their bounds; or a refusal."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, NoReturn

from airflow_provider_mlworkflows.emulator.modelarts.schema import Check, ShapeError
from airflow_provider_mlworkflows.emulator.routing import Answer, Call, Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from airflow_provider_mlworkflows.emulator.clock import Clock
    from airflow_provider_mlworkflows.emulator.modelarts.machine import Execution
    from airflow_provider_mlworkflows.emulator.modelarts.steprun import StepRun
    from airflow_provider_mlworkflows.emulator.modelarts.store import ModelArts, Workflow
    from airflow_provider_mlworkflows.emulator.switches import Switches

BAD_ARGUMENT = "ModelArts.0101"
NOT_THERE = "ModelArts.0102"
NAME_TAKEN = "ModelArts.0103"
BAD_PARAMETER = "ModelArts.0104"
QUOTA_USED_UP = "ModelArts.0116"
WORKFLOW_NOT_FOUND = "ModelArts.7512"
EXECUTION_NOT_FOUND = "ModelArts.7511"
SCHEDULE_NOT_FOUND = "ModelArts.7525"
SUBSCRIPTION_NOT_FOUND = "ModelArts.7519"
JOB_NOT_FOUND = "ModelArts.2775"
SERVICE_NOT_FOUND = "ModelArts.3502"
SERVICE_CONFLICT = "ModelArts.3503"
NOTEBOOK_NOT_FOUND = "ModelArts.6309"
POOL_NOT_FOUND = "ModelArts.50015001"
UNKNOWN_FIELD = "reserved_info"


def service_error(status: int, code: str, message: str) -> Answer:
    """Return an error as the service itself words it."""
    return Answer(status, {"error_code": code, "error_msg": message})


def refuse(message: str, *, status: int = 400, code: str = BAD_PARAMETER) -> NoReturn:
    """Refuse a call.

    Raises:
        Refusal: Always.
    """
    raise Refusal(service_error(status, code, message))


class Lookup:
    """Helper of all handlers.

    Args:
        store: The service's state.
        clock: The emulator's clock.
        switches: The open points.
    """

    def __init__(self, store: ModelArts, clock: Clock, switches: Switches) -> None:
        self.store = store
        self.clock = clock
        self.switches = switches

    def workflow(self, call: Call) -> Workflow:
        """Return the workflow in the path."""
        key = self.checked_id(call, "workflow_id")
        found = self.store.workflows.get(key)
        if found is None:
            refuse(f"Workflow {key} not found", code=WORKFLOW_NOT_FOUND)
        return found

    def execution(self, call: Call) -> Execution:
        """Return the execution in the path, up to date."""
        workflow = self.workflow(call)
        key = self.checked_id(call, "execution_id")
        found = workflow.executions.get(key)
        if found is None:
            refuse(f"Execution {key} not found", code=EXECUTION_NOT_FOUND)
        found.advance()
        return found

    def step(self, call: Call) -> tuple[Execution, StepRun]:
        """Return the step execution in the path; no document gives the code for a missing one."""
        execution = self.execution(call)
        key = self.checked_id(call, "step_execution_id")
        found = execution.step(key)
        if found is None:
            refuse(f"Step execution {key} not found", code=EXECUTION_NOT_FOUND)
        return execution, found

    def checked_id(self, call: Call, name: str) -> str:
        """Return an id of the path, which must be a UUID."""
        return self.checked_uuid(call.ids[name], name)

    def checked_uuid(self, value: str, name: str) -> str:
        """Return a text that must be a version 4 UUID."""
        try:
            parsed = uuid.UUID(value)
        except ValueError:
            parsed = None
        if parsed is None or str(parsed) != value.lower() or parsed.version != 4:
            field = "".join(part.title() for part in name.split("_"))
            refuse(f"Key: '{field}' Error:Field validation for '{field}' failed on the 'uuid4' tag")
        return value.lower()

    def body(self, call: Call, check: Check, name: str, code: str = BAD_PARAMETER) -> dict[str, Any]:
        """Return the decoded body, which must have a shape.

        Args:
            call: The call.
            check: The shape.
            name: The body's type name in complaints.
            code: Error code of a refusal.
        """
        try:
            decoded = call.json()
        except ValueError:
            refuse("the request body is not valid JSON", code=code)
        if not isinstance(decoded, dict):
            refuse("the request body must be a JSON object", code=code)
        try:
            check(name, decoded)
        except ShapeError as error:
            refuse(str(error), code=code)
        return decoded

    def forbid(self, message: str, code: str = BAD_PARAMETER) -> None:
        """Refuse what the present state forbids, unless it is switched on to accept that without effect.

        Args:
            message: What is not allowed, and why.
            code: The service's own code for it.
        """
        status, other = self.switches.wrong_state
        if status >= 300:
            refuse(message, status=status, code=other or code)

    def page(self, call: Call, rows: Sequence[Any]) -> list[Any]:
        """Return the rows between ``offset`` and ``offset + limit``."""
        limit = self.number(call, "limit", self.switches.default_limit, least=1)
        offset = self.number(call, "offset", 0, least=0)
        return list(rows[offset : offset + min(limit, self.switches.page_cap)])

    def number(self, call: Call, name: str, default: int, *, least: int, most: int | None = None) -> int:
        """Return a query parameter that must be an integer within bounds."""
        text = call.param(name)
        if text is None:
            return default
        if not (text.isascii() and text.isdigit()) or int(text) < least or (most is not None and int(text) > most):
            refuse(f"the query parameter {name} is invalid: {text}")
        return int(text)

    def choice(self, call: Call, name: str, choices: Sequence[str], default: str) -> str:
        """Return a query parameter that must be one of a few literals."""
        value = call.param(name) or default
        if value not in choices:
            refuse(f"the query parameter {name} must be one of {', '.join(choices)}")
        return value

    def ordered(
        self, call: Call, rows: Sequence[Any], keys: dict[str, Callable[[Any], Any]], default_order: str
    ) -> list[Any]:
        """Return rows in the order the query asks for; without ``sort_by`` oldest first.

        ``order`` without ``sort_by`` has no effect.
        """
        order = self.choice(call, "order", ("asc", "desc"), default_order)
        if call.param("sort_by") is None:
            return list(rows)
        key = keys[self.choice(call, "sort_by", tuple(keys), "")]
        return sorted(rows, key=key, reverse=order == "desc")

    def names(self, call: Call, param: str, name: str) -> bool:
        """Whether a name is one that the query asks for, or nobody asks for any."""
        wanted = call.param(param)
        if wanted is None or self.switches.name_filter == "contains":
            return (wanted or "") in name
        return wanted == name

    def sorted_rows(
        self, call: Call, rows: Sequence[Any], keys: dict[str, Callable[[Any], Any]], order: str
    ) -> list[Any]:
        """Return rows sorted as lists of the first version do it: by the first of the keys if none is asked for.

        Args:
            call: The call.
            rows: All rows.
            keys: What rows can be sorted by.
            order: The order if none is asked for.
        """
        key = keys[self.choice(call, "sort_by", tuple(keys), next(iter(keys)))]
        backwards = self.choice(call, "order", ("asc", "desc"), order) == "desc"
        return sorted(rows, key=key, reverse=backwards)

    def counted(self, call: Call, name: str, rows: Sequence[Any]) -> dict[str, Any]:
        """Return the body of a list of the first version, in which ``offset`` is a page unless switched otherwise."""
        limit = min(self.number(call, "limit", 1000, least=1), self.switches.page_cap)
        offset = self.number(call, "offset", 0, least=0)
        first = offset * limit if self.switches.offset_counts == "pages" else offset
        page = list(rows[first : first + limit])
        return {name: page, "count": len(page), "total_count": len(rows)}

    def listing(self, call: Call, rows: Sequence[Any], total: int) -> dict[str, Any]:
        """Return the body of a paged list."""
        items = self.page(call, rows)
        count = len(items) if self.switches.count_means == "page" else len(rows)
        return {"total": total, "count": count, "items": items, "default_order": "asc"}

    def answer(self, body: Any, status: int = 200) -> Answer:  # any JSON value
        """Return a successful reply; objects get a field that nobody documented, if that is switched on."""
        if self.switches.unknown_field and isinstance(body, dict):
            body = {**body, UNKNOWN_FIELD: {"shard": 0}}
        return Answer(status, body)

    def now(self) -> datetime:
        """Return the emulator's time."""
        return self.clock.now()
