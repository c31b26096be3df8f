"""What a call names: records by their names, bodies by their fields, pages by their bounds; or a refusal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from airflow_provider_mlworkflows.emulator.obs import errors, rules
from airflow_provider_mlworkflows.emulator.routing import Operation

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from airflow_provider_mlworkflows.emulator.obs.catalogue import Graph
    from airflow_provider_mlworkflows.emulator.obs.machine import Execution
    from airflow_provider_mlworkflows.emulator.obs.store import Obs
    from airflow_provider_mlworkflows.emulator.routing import Answer, Call, Handler
    from airflow_provider_mlworkflows.emulator.switches import Switches

PREFIX = "x-workflow-prefix"
GRAPH_NAME = "x-workflow-graph-name"
MOST = 1000


def has(name: str) -> Callable[[Call], bool]:
    """Return a test whether a call's query has a parameter, with or without a value."""
    return lambda call: any(key == name for key, _ in call.query)


class Lookup:
    """Helper of all handlers.

    Args:
        store: The service's state.
        switches: The open points.
    """

    def __init__(self, store: Obs, switches: Switches) -> None:
        self.store = store
        self.switches = switches

    def operation(
        self, name: str, method: str, template: str, handler: Handler, when: Callable[[Call], bool] | None = None
    ) -> Operation:
        """Return an operation that needs the permission of its name and tells callers which rule they broke."""

        def guarded(call: Call) -> Answer:
            try:
                return handler(call)
            except errors.Invalid as error:
                self.refuse(call, 400, error.code, str(error))

        return Operation(name, method, template, guarded, f"obs:workflow:{name}", when=when)

    def reply(self, call: Call, body: dict[str, Any] | None, status: int = 200) -> Answer:
        """Return a successful reply."""
        return errors.success(call, self.switches, status, body)

    def refuse(self, call: Call, status: int, code: str | None, message: str | None = None) -> NoReturn:
        """Refuse a call.

        Raises:
            Refusal: Always.
        """
        errors.refuse(call, self.switches, status, code, message)

    def missing(self, call: Call, what: str, name: str) -> NoReturn:
        """Refuse a call that names something that does not exist.

        Raises:
            Refusal: Always.
        """
        code = self.switches.obs_missing_code
        self.refuse(call, self.switches.missing_status, code, f"{what} {name} does not exist")

    def graph(self, call: Call, name: str) -> Graph:
        """Return the workflow of a name."""
        rules.check_name(name)
        found = self.store.workflows.get(name)
        if found is None:
            self.missing(call, "workflow", name)
        return found

    def graph_in_query(self, call: Call) -> Graph:
        """Return the workflow that the query must name."""
        name = call.param(GRAPH_NAME)
        if name is None:
            self.refuse(call, 400, errors.ILLEGAL, f"the query parameter {GRAPH_NAME} is missing")
        call.ids["graph_name"] = name
        return self.graph(call, name)

    def execution(self, call: Call) -> Execution:
        """Return the execution in the path, up to date, which must be one of the workflow in the query."""
        graph = self.graph_in_query(call)
        name = call.ids["execution_name"]
        try:
            found = self.store.execution(name)
        except KeyError:
            found = None
        if found is None or found.graph_name != graph.name:
            self.missing(call, "execution", name)
        return found

    def body(self, call: Call) -> dict[str, Any]:
        """Return the decoded body, which must be a JSON object."""
        try:
            decoded = call.json()
        except ValueError:
            decoded = None
        if not isinstance(decoded, dict):
            self.refuse(call, 400, errors.BAD_FORMAT, "the request body must be a JSON object")
        return decoded

    def limit(self, call: Call) -> int:
        """Return how many items one page of the reply may have."""
        return min(self.number(call, "x-workflow-limit", self.switches.default_limit), self.switches.obs_page_cap)

    def number(self, call: Call, name: str, default: int) -> int:
        """Return a query parameter that must be a number from 1 to 1000."""
        text = call.param(name)
        if text is None:
            return default
        if not (text.isascii() and text.isdigit()) or not 1 <= int(text) <= MOST:
            self.refuse(call, 400, errors.ILLEGAL, f"the query parameter {name} must be 1 to {MOST}, not {text}")
        return int(text)

    def page(self, call: Call, name: str, rows: Sequence[dict[str, Any]]) -> Answer:
        """Return the items from the number that the query gives, beginning at 1, with the number after them."""
        first, limit = self.number(call, "x-workflow-start", 1), self.limit(call)
        items = list(rows[first - 1 : first - 1 + limit])
        body: dict[str, Any] = {"count": len(items), name: items, "is_truncated": first - 1 + limit < len(rows)}
        if body["is_truncated"]:
            body["next_start"] = first + limit
        return self.reply(call, body)
