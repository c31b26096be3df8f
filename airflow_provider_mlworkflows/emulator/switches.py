"""What the services' documents leave open, as settings."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, get_type_hints

from airflow_provider_mlworkflows.emulator.checks import fits

if TYPE_CHECKING:
    import threading
    from collections.abc import Mapping


def _switch(default: Any, meaning: str) -> Any:  # dataclass fields have no better type
    return field(default=default, metadata={"meaning": meaning})


@dataclass
class Switches:
    """Open points of the emulated services; every field may be changed while the emulator runs.

    Assignments are checked: a value of the wrong type or outside the allowed literals raises ``ValueError``.
    :meth:`describe` lists all fields with value, default and meaning.
    """

    visibility_delay: int = _switch(2, "after an action, this many reads of the run still show the state before it")
    steps_in_lists: bool = _switch(False, "runs in lists carry their steps; otherwise null")
    status_on_create: bool = _switch(False, "the reply to a start carries a status")
    list_lag: float = _switch(0.0, "seconds during which a new run is missing from lists")
    wrong_state: tuple[int, str] = _switch(
        (400, ""),
        "HTTP status and error code (empty: the service's own) for an action that the state forbids; "
        "2xx accepts it without effect",
    )
    retry_after: int | None = _switch(
        None, "seconds that a throttled call is asked to wait, in the service's own header; null for no header"
    )
    casing: Literal["as-is", "upper"] = _switch("as-is", "letter case of status literals")
    page_cap: int = _switch(100, "most items in one page, whatever limit asks for")
    default_limit: int = _switch(10, "page size when limit is not given")
    count_means: Literal["match", "page"] = _switch(
        "match", "count in lists: all matching items, or the items of this page"
    )
    offset_counts: Literal["pages", "items"] = _switch(
        "pages", "what offset counts in lists of services, clusters, apps and APIs (ModelArts)"
    )
    service_names: Literal["shared", "unique"] = _switch(
        "shared",
        "whether two services of a workspace may have the same name; of the newer kind they never may (ModelArts)",
    )
    service_places: Literal["accepted", "refused"] = _switch(
        "accepted", "services in a pool or cluster that does not exist (ModelArts)"
    )
    node_page_cap: int = _switch(5, "most nodes of a pool in one page, whatever the limit asks for (ModelArts)")
    app_quota: int = _switch(5, "most apps of a user (ModelArts)")
    newer_missing_status: Literal[400, 403, 404] = _switch(
        400, "HTTP status for a service of the newer kind that does not exist (ModelArts)"
    )
    job_instance_id: Literal["json", "object", "bare"] = _switch(
        "json", "instance_id of a training step: JSON text, JSON object, or the job id alone"
    )
    job_id_key: str = _switch("job_id", "key of the training job id inside instance_id")
    throttled_status: Literal[400, 429] = _switch(
        429, "HTTP status of a throttled call where a service's documents give both (PAIFlow)"
    )
    missing_status: Literal[400, 404] = _switch(
        404, "HTTP status for a record that does not exist where no document gives it (PAIFlow, AOM, OBS)"
    )
    service_codes: Literal["numeric", "words"] = _switch(
        "numeric", "error codes of the service behind the gateway: nine digits or words (PAIFlow)"
    )
    batch_cap: int = _switch(100, "most ids in one batch read; more are refused (PAIFlow)")
    missing_in_batch: Literal["absent", "refused"] = _switch(
        "absent", "ids in a batch read that nobody knows: left out of the reply, or the whole call refused (PAIFlow)"
    )
    batch_replies: Literal["asked", "both"] = _switch(
        "asked", "a batch read returns only what was asked for, or runs with root nodes and nodes with runs (PAIFlow)"
    )
    outputs_without_type: bool = _switch(
        False, "a batch read without OutputType returns outputs of all types (PAIFlow)"
    )
    escaped_outputs: bool = _switch(
        False, "output values are escaped twice and their node ids end in a line break, as in documents (PAIFlow)"
    )
    root_node_at_once: bool = _switch(
        False, "a new run names its root node at once; otherwise not before it leaves Initialized (PAIFlow)"
    )
    leaf_node_type: Literal["Task", "Pod"] = _switch("Task", "node type of a node without children (PAIFlow)")
    name_filter: Literal["contains", "exact"] = _switch(
        "contains", "how lists compare names (PAIFlow; services, clusters and apps of ModelArts)"
    )
    log_lag: float = _switch(0.0, "seconds after which a line of a node shows in its log (PAIFlow)")
    time_precision: Literal["milliseconds", "seconds", "minutes"] = _switch(
        "milliseconds", "precision of times of runs and nodes (PAIFlow)"
    )
    huawei_credential_lifetime: int | None = _switch(
        None, "seconds that issued tokens and temporary keys last; null for as long as asked for (IAM, STS, ECS)"
    )
    metadata_sessions: Literal["optional", "required", 400, 404, 405, 503] = _switch(
        "optional",
        "whether keys of a server are given out in sessions only, or the status by which sessions are refused (ECS)",
    )
    alibaba_key_seconds: int | None = _switch(
        None, "seconds that issued access keys last, whatever is asked for; null for what is asked, or an hour (RAM)"
    )
    alibaba_metadata: Literal["both", "v1", "v2"] = _switch(
        "both", "whether the metadata service answers without a token, with one, or either way (ECS)"
    )
    aom_http_code: Literal["documented", "int", "str"] = _switch(
        "documented", "http_code in errors: a number with status 400 and a text otherwise, or always the same (AOM)"
    )
    aom_error_key: Literal["error_msg", "error_message"] = _switch("error_msg", "key of the message in errors (AOM)")
    aom_auth_errors: Literal["service", "sibling", "gateway"] = _switch(
        "service",
        "who words the answer to credentials that are missing or wrong: the service, "
        "with the code of most operations or the other one that it documents, or the gateway (AOM)",
    )
    aom_action_body: Literal["documented", "result", "literal", "string"] = _switch(
        "documented",
        'reply to an action: {"result":"success"} but for triggers {"success"}, which is no JSON; '
        "the first, the second, or the JSON text success for all (AOM)",
    )
    aom_failed_node: Literal["pausing", "fail"] = _switch(
        "pausing", "status in which an execution stands at a failed node (AOM)"
    )
    aom_concurrent: Literal["allow", "reject"] = _switch(
        "allow", "whether a workflow may be executed while an execution of it is not over (AOM)"
    )
    aom_skipped_node: Literal["skip", "skipped", "fail", "success"] = _switch(
        "skip", "status of a node that was stepped over (AOM)"
    )
    aom_statuses: Literal["documented", "engine"] = _switch(
        "documented", "statuses: executing and fail, or running and timeout as in the engine below (AOM)"
    )
    aom_workflow_status: Literal["execution", "coarse"] = _switch(
        "execution",
        "status of a workflow: that of its latest execution, or which of success, fail and executing it comes to (AOM)",
    )
    aom_restarted_node: Literal["replaced", "added"] = _switch(
        "replaced", "a restart replaces the node's result, or adds another one (AOM)"
    )
    aom_results_in_lists: bool = _switch(True, "executions in lists carry results of nodes; otherwise null (AOM)")
    aom_waiting_nodes: bool = _switch(False, "nodes that have not begun have a result already (AOM)")
    aom_update_time: Literal["milliseconds", "iso", "iso-in-detail"] = _switch(
        "milliseconds", "form of last_update_time: a number, a text, or a text outside lists only (AOM)"
    )
    aom_end_time: Literal["null", "absent", "zero", "never"] = _switch(
        "null", "end_time of what is not over: null, left out, or 0; or left out even of what is over (AOM)"
    )
    aom_output: Literal["as-is", "text", "null"] = _switch(
        "as-is", "output of a node: as the node gives it, as JSON text, or null (AOM)"
    )
    aom_first_page: Literal[0, 1] = _switch(1, "number of the first page of workflows (AOM)")
    obs_request_id: Literal["X-Request-ID", "x-obs-request-id"] = _switch(
        "X-Request-ID", "header with the request id in replies of the workflow service (OBS)"
    )
    obs_content_type: bool = _switch(True, "successful replies name the type of their body (OBS)")
    obs_errors: Literal["json", "json-charset", "xml", "text"] = _switch(
        "json",
        "errors of the workflow service: JSON, JSON whose type names a charset, XML as at the front, plain text (OBS)",
    )
    obs_redirect: str | None = _switch(
        None, "base URL; calls to any other host are sent there with a 307; null for no such answer (OBS)"
    )
    obs_throttled_status: Literal[429, 503] = _switch(
        429, "answer to a throttled call: 429 SYS.0011, or 503 SlowDown as XML (OBS)"
    )
    obs_expired_key: Literal["xml", "json"] = _switch(
        "xml", "answer to an expired temporary key: 403 InvalidAccessKeyId as XML, or 500 SYS.0008 as JSON (OBS)"
    )
    obs_signed_create: Literal["either", "yes", "no"] = _switch(
        "either", "whether the parameter x-workflow-create is part of what is signed (OBS)"
    )
    obs_missing_code: str = _switch(
        "Workflow.0001", "error code for a workflow, template or execution that does not exist (OBS)"
    )
    obs_created_key: Literal["created_at", "create_at"] = _switch(
        "created_at", "key of the creation time in lists of workflows (OBS)"
    )
    obs_input: Literal["request", "event"] = _switch(
        "request", "input of an execution that a call started: what the call sent, or an event made of it (OBS)"
    )
    obs_null_inputs: bool = _switch(True, "a start may give null for inputs (OBS)")
    obs_state_details: bool = _switch(False, "states carry stopped_at, failed ones an error (OBS)")
    obs_state_filter: Literal["ignored", "applied"] = _switch(
        "ignored", "what lists of executions make of x-workflow-execution-state (OBS)"
    )
    obs_page_cap: int = _switch(1000, "most items in one page, whatever the limit asks for (OBS)")
    unknown_field: bool = _switch(True, "object replies carry a field that no document names")
    stop_seconds: float = _switch(3.0, "how long a stop takes from stopping to stopped")
    max_signature_failures: int = _switch(5, "wrong signatures in a row until the access key is blocked")

    def __setattr__(self, name: str, value: Any) -> None:
        hints = _hints()
        if name not in hints:
            raise ValueError(f"unknown switch {name!r}; known: {', '.join(hints)}")
        if name == "wrong_state" and isinstance(value, list):
            value = tuple(value)
        if not fits(value, hints[name]):
            raise ValueError(f"switch {name} cannot be {value!r}")
        super().__setattr__(name, value)

    def describe(self) -> dict[str, dict[str, Any]]:
        """Return each switch with its value, default and meaning."""
        return {
            each.name: {
                "value": getattr(self, each.name),
                "default": each.default,
                "meaning": each.metadata["meaning"],
            }
            for each in fields(self)
        }

    def update(self, values: Mapping[str, Any], lock: threading.RLock) -> None:
        """Set several switches at once; none is set if one is refused.

        Raises:
            ValueError: Unknown switch or illegal value.
        """
        trial = Switches(**{each.name: getattr(self, each.name) for each in fields(self)})
        for name, value in values.items():
            setattr(trial, name, value)
        with lock:
            for name in values:
                setattr(self, name, getattr(trial, name))


@cache
def _hints() -> Mapping[str, Any]:
    return get_type_hints(Switches)
