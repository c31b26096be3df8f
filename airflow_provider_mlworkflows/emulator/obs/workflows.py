"""Operations on workflows, and their start."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_mlworkflows.emulator.huawei.obs_signature import CREATE_PARAMETER
from airflow_provider_mlworkflows.emulator.obs import errors, rules
from airflow_provider_mlworkflows.emulator.obs.lookup import PREFIX, has
from airflow_provider_mlworkflows.emulator.obs.names import execution_urn, graph_urn, timestamp
from airflow_provider_mlworkflows.emulator.obs.views import graph_item, graph_view

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_mlworkflows.emulator.obs.catalogue import Graph
    from airflow_provider_mlworkflows.emulator.obs.lookup import Lookup
    from airflow_provider_mlworkflows.emulator.routing import Answer, Call, Operation

_WORKFLOW = "/v2/workflows/{graph_name*}"
FROM_TEMPLATE = "x-workflow-template-name"


class WorkflowRoutes:
    """Handlers of workflows."""

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup
        self._store = lookup.store
        self._switches = lookup.switches

    def operations(self) -> Sequence[Operation]:
        """Return the operations of this module; the query tells those apart that share method and path."""
        make = self._lookup.operation
        return [
            make("createWorkflow", "POST", _WORKFLOW, self.create_from_template, has(FROM_TEMPLATE)),
            make("createWorkflow", "POST", _WORKFLOW, self.create, has(CREATE_PARAMETER)),
            make("asyncAPIStartWorkflow", "POST", _WORKFLOW, self.start),
            make("listWorkflow", "GET", "/v2/workflows/{prefix*}", self.list, has(PREFIX)),
            make("getWorkflow", "GET", _WORKFLOW, self.get),
            make("updateWorkflow", "PUT", _WORKFLOW, self.update),
            make("deleteWorkflow", "DELETE", _WORKFLOW, self.delete),
        ]

    def create_from_template(self, call: Call) -> Answer:
        """Create a workflow from a template."""
        name = call.param(FROM_TEMPLATE) or ""
        rules.check_name(name, "template")
        if name not in self._store.templates:
            self._lookup.missing(call, "template", name)
        return self._created(call, self._store.create_from_template(call.ids["graph_name"], name, self._body(call)))

    def create(self, call: Call) -> Answer:
        """Create a workflow that brings its definition."""
        return self._created(call, self._store.create_workflow(call.ids["graph_name"], self._body(call)))

    def start(self, call: Call) -> Answer:
        """Start an execution."""
        graph = self._lookup.graph(call, call.ids["graph_name"])
        body = self._body(call)
        bucket, key, inputs = body.get("bucket"), body.get("object"), body.get("inputs")
        rules.check_place(bucket, key)
        if inputs is None and "inputs" in body and not self._switches.obs_null_inputs:
            raise errors.Invalid(rules.INPUTS, "inputs must be a map, not null")
        rules.check_values(graph.inputs, inputs)
        if not self._store.has(str(bucket)):
            self._lookup.refuse(call, 404, errors.BUCKET_ABSENT, f"bucket {bucket} does not exist")
        if not self._store.has(str(bucket), str(key)):
            self._lookup.refuse(call, 404, errors.OBJECT_ABSENT, f"bucket {bucket} has no object {key}")
        execution = self._store.start(graph.name, str(bucket), str(key), inputs)
        call.effective = True
        call.ids["execution_name"] = execution.execution_name
        answer = {
            "execution_urn": execution_urn(graph.name, execution.execution_name),
            "execution_name": execution.execution_name,
            "started_at": timestamp(execution.started_at),
        }
        return self._lookup.reply(call, answer)

    def list(self, call: Call) -> Answer:
        """Return a page of the workflows whose names have a prefix, in the order of names."""
        graphs = sorted(self._store.workflows.values(), key=lambda graph: graph.name)
        rows = [graph_item(graph, self._switches) for graph in graphs if graph.name.startswith(call.ids["prefix"])]
        return self._lookup.page(call, "graphs", rows)

    def get(self, call: Call) -> Answer:
        """Return a workflow with its definition."""
        graph = self._lookup.graph(call, call.ids["graph_name"])
        return self._lookup.reply(call, graph_view(graph, self._store.policies))

    def update(self, call: Call) -> Answer:
        """Change description and values of parameters."""
        known = self._lookup.graph(call, call.ids["graph_name"])
        graph = self._store.update_workflow(known.name, self._body(call))
        call.effective = True
        changed = {"last_modified": timestamp(graph.modified_at)}
        return self._lookup.reply(call, {"graph_name": graph.name, "graph_urn": graph_urn(graph.name, "obs")} | changed)

    def delete(self, call: Call) -> Answer:
        """Delete a workflow."""
        self._store.delete_workflow(self._lookup.graph(call, call.ids["graph_name"]).name)
        call.effective = True
        return self._lookup.reply(call, None, 204)

    def _body(self, call: Call) -> dict[str, object]:
        return self._lookup.body(call)

    def _created(self, call: Call, graph: Graph) -> Answer:
        call.effective = True
        created = {"created_at": timestamp(graph.created_at)}
        body = {"graph_name": graph.name, "graph_urn": graph_urn(graph.name, "obs")} | created
        return self._lookup.reply(call, body, 201)
