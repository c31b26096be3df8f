"""What a call names: records by their ids, bodies by their fields, pages by their bounds; or a refusal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from airflow_provider_mlworkflows.emulator.alibaba import errors
from airflow_provider_mlworkflows.emulator.paiflow import manifest as manifests

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from airflow_provider_mlworkflows.emulator.alibaba.access import Access
    from airflow_provider_mlworkflows.emulator.paiflow.machine import NodeState, PipelineRun
    from airflow_provider_mlworkflows.emulator.paiflow.manifest import Manifest
    from airflow_provider_mlworkflows.emulator.paiflow.store import PaiFlow, Pipeline
    from airflow_provider_mlworkflows.emulator.routing import Answer, Call
    from airflow_provider_mlworkflows.emulator.switches import Switches

PRODUCT = "PAIFlow"
VERSION = "2021-02-02"
UNKNOWN_FIELD = "ReservedInfo"
GREATEST = 2**31 - 1


class Problem(NamedTuple):
    """An error of the service itself; it has two codes, of which a switch chooses one.

    Of the numbers only that of a missing pipeline is known; the others are made in its likeness.
    """

    word: str
    number: str


PIPELINE_MISSING = Problem("InvalidPipeline.NotFound", "200200004")
PIPELINE_EXISTS = Problem("InvalidPipeline.Exists", "200200009")
PIPELINE_IN_USE = Problem("InvalidPipeline.InUse", "200200017")
MANIFEST_INVALID = Problem("InvalidPipelineManifest", "200200001")
ARGUMENTS_INVALID = Problem("InvalidArguments", "200300001")
RUN_MISSING = Problem("InvalidPipelineRun.NotFound", "200300004")
WRONG_STATE = Problem("InvalidPipelineRun.Status", "200300017")
NODE_MISSING = Problem("InvalidNode.NotFound", "200400004")
WORKSPACE_MISSING = Problem("InvalidWorkspace.NotFound", "100400008")


class Lookup:
    """Helper of all handlers.

    Args:
        store: The service's state.
        access: Knows who calls.
        switches: The open points.
    """

    def __init__(self, store: PaiFlow, access: Access, switches: Switches) -> None:
        self.store = store
        self.switches = switches
        self._access = access

    def reply(self, call: Call, body: dict[str, Any]) -> Answer:
        """Return a successful reply; it gets a field that nobody documented, if that is switched on."""
        extra = {UNKNOWN_FIELD: {"Shard": 0}} if self.switches.unknown_field else {}
        return errors.answer(call, 200, {**body, **extra})

    def code(self, problem: Problem) -> str:
        """Return the code of a problem, in the kind that is switched on."""
        return problem.number if self.switches.service_codes == "numeric" else problem.word

    def refuse(self, call: Call, problem: Problem | str, message: str, status: int = 400) -> NoReturn:
        """Refuse a call for a problem of the service, or with a code of the gateway.

        Raises:
            Refusal: Always.
        """
        code = problem if isinstance(problem, str) else self.code(problem)
        errors.refuse(call, PRODUCT, status, code, message)

    def missing(self, call: Call, problem: Problem, message: str) -> NoReturn:
        """Refuse a call that names something that does not exist.

        Raises:
            Refusal: Always.
        """
        self.refuse(call, problem, message, self.switches.missing_status)

    def user_id(self, call: Call) -> str:
        """Return the numeric id of the caller."""
        return self._access.user_id(call)

    def sees(self, call: Call, run: PipelineRun) -> bool:
        """Whether the caller may see a run: a public one or one of its own."""
        return run.fields.get("Accessibility") != "PRIVATE" or run.user_id == self.user_id(call)

    def pipeline(self, call: Call, key: str | None = None) -> Pipeline:
        """Return the pipeline of an id, by default that in the path."""
        key = call.ids["pipeline_id"] if key is None else key
        found = self.store.pipelines.get(key)
        if found is None:
            self.missing(call, PIPELINE_MISSING, f"The pipeline {key} does not exist.")
        return found

    def run(self, call: Call) -> PipelineRun:
        """Return the run in the path, up to date."""
        key = call.ids["pipeline_run_id"]
        try:
            found = self.store.run(key)
        except KeyError:
            found = None
        if found is None or found.is_deleted or not self.sees(call, found):
            self.missing(call, RUN_MISSING, f"The pipeline run {key} does not exist.")
        call.ids["pipeline_id"] = found.pipeline_id
        return found

    def node(self, call: Call) -> tuple[PipelineRun, NodeState]:
        """Return the node in the path as a reader sees it, and count a read of its run."""
        run = self.run(call)
        key = call.ids["node_id"]
        state = node_state(self.store.read(run).root, key)
        if state is None:
            self.missing(call, NODE_MISSING, f"The node {key} of the pipeline run {run.run_id} does not exist.")
        return run, state

    def workspace(self, call: Call, key: object) -> str:
        """Return the id of a workspace, which must exist."""
        if not isinstance(key, str) or key not in self.store.workspaces:
            self.missing(call, WORKSPACE_MISSING, f"The workspace {key} does not exist.")
        return key

    def body(self, call: Call, fields: Mapping[str, type]) -> dict[str, Any]:
        """Return the decoded body without fields that are null.

        Args:
            call: The call.
            fields: Types of the fields that the operation knows; others are passed over.
        """
        try:
            decoded = call.json() if call.body else {}
        except ValueError:
            self.refuse(call, "InvalidParameter", "The request body is not valid JSON.")
        if not isinstance(decoded, dict):
            self.refuse(call, "InvalidParameter", "The request body must be a JSON object.")
        known = {name: decoded[name] for name in fields if decoded.get(name) is not None}
        for name, value in known.items():
            if not isinstance(value, fields[name]):
                self.refuse(call, "InvalidParameter", f"The parameter {name} must be of type {fields[name].__name__}.")
        return known

    def required(self, call: Call, body: Mapping[str, Any], name: str) -> Any:  # any JSON value
        """Return a field that must be given and not be empty."""
        if not body.get(name):
            self.refuse(call, "MissingParameter", f"The parameter {name} is missing.")
        return body[name]

    def manifest(self, call: Call, text: str) -> Manifest:
        """Return the manifest in a text, which must pass all checks."""
        try:
            return manifests.parse(text)
        except manifests.ManifestError as error:
            self.refuse(call, MANIFEST_INVALID, f"Invalid manifest: {error}.")

    def among(self, call: Call, name: str, value: str | None, choices: Sequence[str]) -> None:
        """Check that a value is one of a few literals or not given."""
        if value is not None and value not in choices:
            self.refuse(call, "InvalidParameter", f"The parameter {name} must be one of {', '.join(choices)}.")

    def choice(self, call: Call, name: str, choices: Sequence[str], default: str) -> str:
        """Return a query parameter that must be one of a few literals."""
        value = call.param(name) or default
        self.among(call, name, value, choices)
        return value

    def boolean(self, call: Call, name: str) -> bool:
        """Return a query parameter that is true or false, in any letter case; false by default."""
        return self.choice(call, name, ("true", "false", "True", "False"), "false").lower() == "true"

    def number(self, call: Call, name: str, default: int, *, least: int = 0, most: int = GREATEST) -> int:
        """Return a query parameter that must be an integer within bounds."""
        text = call.param(name)
        if text is None:
            return default
        digits = text.isascii() and text.isdigit()
        if not digits or not least <= int(text) <= most:
            self.refuse(call, "InvalidParameter", f"The parameter {name} must be an integer from {least} to {most}.")
        return int(text)

    def ordered(
        self, call: Call, rows: Sequence[Any], keys: Mapping[str, Callable[[Any], Any]], default: str
    ) -> list[Any]:
        """Return rows in the order that SortBy and Order ask for, descending unless they say otherwise."""
        key = keys[self.choice(call, "SortBy", tuple(keys), default)]
        order = self.choice(call, "Order", ("DESC", "ASC"), "DESC")
        return sorted(rows, key=key, reverse=order == "DESC")

    def page(self, call: Call, rows: Sequence[Any]) -> list[Any]:
        """Return the rows of the page that PageNumber and PageSize ask for."""
        size = self.size(call)
        begin = (self.number(call, "PageNumber", 1, least=1) - 1) * size
        return list(rows[begin : begin + size])

    def size(self, call: Call) -> int:
        """Return how many rows a page has: PageSize, but never above the cap."""
        asked = self.number(call, "PageSize", self.switches.default_limit, least=1)
        return min(asked, self.switches.page_cap)

    def total(self, rows: Sequence[Any], page: Sequence[Any]) -> int:
        """Return the total that a list claims."""
        return len(page) if self.switches.count_means == "page" else len(rows)

    def is_named(self, name: str, wanted: str | None) -> bool:
        """Whether a name passes a list's filter."""
        if wanted is None:
            return True
        return name == wanted if self.switches.name_filter == "exact" else wanted in name


def node_state(root: NodeState, node_id: str) -> NodeState | None:
    """Return the node of an id out of a tree."""
    waiting = [root]
    while waiting:
        state = waiting.pop()
        if state.node.node_id == node_id:
            return state
        waiting.extend(state.children)
    return None
