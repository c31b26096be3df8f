"""What a call names: records by their ids, bodies by their shape, pages by their bounds; or a refusal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from airflow_provider_mlworkflows.emulator.aom.errors import service_error
from airflow_provider_mlworkflows.emulator.modelarts.lookup import UNKNOWN_FIELD
from airflow_provider_mlworkflows.emulator.modelarts.schema import Check, ShapeError
from airflow_provider_mlworkflows.emulator.routing import Answer, Call, Refusal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_mlworkflows.emulator.aom.machine import Execution
    from airflow_provider_mlworkflows.emulator.aom.store import Aom, Workflow
    from airflow_provider_mlworkflows.emulator.huawei.access import Access
    from airflow_provider_mlworkflows.emulator.switches import Switches

PROJECT_ID_SIZE = 32
LONGEST_ID = 64
_HIGHEST_PAGE = 1000
_LARGEST_PAGE = 101


class Lookup:
    """Helper of all handlers.

    Args:
        store: The service's state.
        access: Checks of credentials; tells who calls.
        switches: The open points.
    """

    def __init__(self, store: Aom, access: Access, switches: Switches) -> None:
        self.store = store
        self.switches = switches
        self._access = access

    def refuse(self, reason: str, status: int = 400, code: str | None = None) -> NoReturn:
        """Refuse a call.

        Raises:
            Refusal: Always.
        """
        raise Refusal(service_error(self.switches, status, code, reason))

    def missing(self, reason: str, status: int | None = None) -> NoReturn:
        """Refuse a call for a record that is not there; without a documented status, the switch has it.

        Raises:
            Refusal: Always.
        """
        self.refuse(reason, status or self.switches.missing_status)

    def user_of(self, call: Call) -> str:
        """Return the name of the caller."""
        return self._access.user_of(call)

    def workflow(self, call: Call, missing_status: int | None = None) -> Workflow:
        """Return the workflow in the path."""
        key = self.checked_id(call, "workflow_id")
        found = self.store.workflows.get(key)
        if found is None or found.project_id != call.ids["project_id"]:
            self.missing(f"the project has no workflow with the id {key}", missing_status)
        return found

    def execution(self, call: Call, missing_status: int | None = None) -> Execution:
        """Return the execution in the path, up to date."""
        workflow = self.workflow(call, missing_status)
        key = self.checked_id(call, "execution_id")
        found = workflow.executions.get(key)
        if found is None:
            self.missing(f"the workflow {workflow.name} has no execution {key}", missing_status)
        found.advance()
        return found

    def checked_id(self, call: Call, name: str) -> str:
        """Return an id of the path, which must not be too long."""
        return self.sized(name, call.ids[name], LONGEST_ID)

    def sized(self, name: str, value: str | None, most: int) -> str:
        """Return a text that must be there and not be too long."""
        if not value:
            self.refuse(f"{name} is missing")
        if len(value) > most:
            self.refuse(f"{name} must have at most {most} characters")
        return value

    def choice(self, call: Call, name: str, choices: Sequence[str]) -> str:
        """Return a query parameter that must be one of a few literals."""
        value = call.param(name)
        if value is None or value not in choices:
            self.refuse(f"the query parameter {name} must be one of {', '.join(choices)}, not {value}")
        return value

    def body(self, call: Call, check: Check) -> dict[str, Any]:
        """Return the decoded body without nulls; it must have a shape."""
        try:
            decoded = call.json()
            check("body", decoded)
        except ShapeError as error:
            self.refuse(str(error))
        except ValueError:
            self.refuse("the request body is not valid JSON")
        return {name: value for name, value in decoded.items() if value is not None}

    def listing(self, body: dict[str, Any], rows: Sequence[dict[str, Any]]) -> Answer:
        """Return the page of a library list that a body asks for; numbers out of bounds count as the defaults."""
        named = [row for row in rows if body.get("name", "") in row["name"]]
        column = body["order_by_column"]
        named.sort(key=lambda row: str(row[column]) if column == "name" else row[column])
        if body.get("sort_order", "DESC") == "DESC":
            named.reverse()
        number, size = body.get("page_num", 1), body.get("page_size", self.switches.default_limit)
        number = number if 0 < number <= _HIGHEST_PAGE else 1
        size = size if 0 < size <= _LARGEST_PAGE else 10
        return self.page(named, number - 1, size)

    def page(self, rows: Sequence[Any], index: int, size: int) -> Answer:
        """Return the page with an index, from 0, and the number of all rows."""
        size = min(size, self.switches.page_cap)
        page = list(rows[index * size : (index + 1) * size])
        total = len(page) if self.switches.count_means == "page" else len(rows)
        return self.answer({"elements": page, "total_elements": total})

    def answer(self, body: dict[str, Any]) -> Answer:
        """Return a successful reply, with a field that nobody documented if that is switched on."""
        return Answer(200, {**body, UNKNOWN_FIELD: {"shard": 0}} if self.switches.unknown_field else body)

    def done(self, *, as_object: bool) -> Answer:
        """Return the reply to an action.

        Args:
            as_object: Whether the documents show an object; otherwise they show a text that is no JSON.
        """
        form = self.switches.aom_action_body
        if form == "documented":
            form = "result" if as_object else "literal"
        if form == "result":
            return self.answer({"result": "success"})
        return LiteralAnswer(200, '{"success"}') if form == "literal" else Answer(200, "success")


class LiteralAnswer(Answer):
    """A reply whose body is a text sent as it is."""

    def content(self) -> bytes:
        """Return the body as sent."""
        return str(self.body).encode()
