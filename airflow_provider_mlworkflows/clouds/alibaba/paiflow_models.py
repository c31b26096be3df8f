"""What PAIFlow answers, in its own words.

Read leniently: fields nobody documented are kept, a field may be missing or null, statuses are open text, JSON
inside a text is decoded. Only what a reply would be useless without is required, and has to be of its type.
"""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_pascal

from airflow_provider_mlworkflows.clouds.alibaba.paiflow_fields import (
    AnyMapping,
    Decoded,
    DecodedMapping,
    Flag,
    Mappings,
    Seconds,
    Text,
    Texts,
    Time,
    Whole,
    decoded_mapping,
    without_null_items,
)
from airflow_provider_mlworkflows.clouds.values import without_nulls


class Reply(BaseModel):
    """Base of everything read from PAIFlow. Null means the same as absent."""

    model_config = ConfigDict(
        alias_generator=to_pascal,
        populate_by_name=True,
        extra="allow",
        frozen=True,
        coerce_numbers_to_str=True,
        str_strip_whitespace=True,
        protected_namespaces=(),
    )

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, data: Any) -> Any:
        if isinstance(data, dict):
            return without_nulls(data)
        return data


class Answer(Reply):
    """A whole answer: an object that has at least one of the fields it is known for."""

    request_id: str = ""

    @model_validator(mode="before")
    @classmethod
    def _has_something_known(cls, data: Any) -> Any:
        known = {field.alias for field in cls.model_fields.values()} | set(cls.model_fields)
        if isinstance(data, dict) and not known & data.keys():
            raise ValueError("it has none of the fields of such an answer")
        return data


class CreatedRun(Answer):
    """The id of a new run."""

    pipeline_run_id: str = Field(min_length=1)


class CreatedPipeline(Answer):
    """The id of a new pipeline."""

    pipeline_id: str = Field(min_length=1)


class Rerun(Answer):
    """The answer to a rerun. As documented it names no run, since the run keeps its id."""

    pipeline_run_id: str = ""


class PipelineRun(Reply):
    """A run. ``node_id`` is its root node, "" right after creation; lists leave out manifest and arguments."""

    pipeline_run_id: str = Field(min_length=1)
    name: str = ""
    status: str = ""
    node_id: str = ""
    pipeline_id: str = ""
    workspace_id: str = ""
    user_id: str = ""
    parent_user_id: str = ""
    message: str = ""
    source_type: str = ""
    source_id: str = ""
    accessibility: str = ""
    pipeline_run_uri: str = ""
    manifest: str = ""
    arguments: Decoded = None
    options: DecodedMapping = {}
    duration: Seconds = None
    started_at: Time = None
    finished_at: Time = None
    gmt_create_time: Time = None
    gmt_modified_time: Time = None


class PipelineRuns(Answer):
    """One page of runs. Do not page by ``total_count``."""

    pipeline_runs: list[PipelineRun] = []
    total_count: Whole = None


class RunStatus(Reply):
    """A run as the batch read shows it: without times and message."""

    pipeline_run_id: str = Field(min_length=1)
    status: str = ""
    name: str = ""
    user_id: str = ""
    parent_user_id: str = ""
    node_id: str = ""
    source_id: str = ""
    is_deleted: bool = False


class RunGlance(BaseModel):
    """What a watcher needs to know of a run. A thousand are read at once, so it holds nothing else."""

    model_config = ConfigDict(
        alias_generator=to_pascal,
        populate_by_name=True,
        frozen=True,
        coerce_numbers_to_str=True,
        str_strip_whitespace=True,
    )

    pipeline_run_id: str = Field(min_length=1)
    status: str | None = None
    name: str | None = None
    is_deleted: bool | None = None


def _glances(items: list[RunGlance | Any] | None) -> list[RunGlance] | None:
    found = [item for item in items or () if isinstance(item, RunGlance)]
    if items and len(items) > 1 and not found:
        raise ValueError("none of these is a run")
    return None if items is None else found


class RunGlances(BaseModel):
    """The answer of the batch read as watchers read it: quickly, and with little for the garbage collector to do.

    What cannot be read as a run is left out, as if the service had not told of it.
    """

    model_config = ConfigDict(alias_generator=to_pascal, populate_by_name=True, frozen=True)

    request_id: str | None = None
    pipeline_runs: Annotated[
        list[Annotated[RunGlance | Any, Field(union_mode="left_to_right")]] | None, AfterValidator(_glances)
    ] = None

    @model_validator(mode="after")
    def _has_something_known(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("it has none of the fields of such an answer")
        return self


class RunNodeStatus(Reply):
    """A node as the batch read shows it."""

    pipeline_run_id: str = Field(min_length=1)
    node_id: str = Field(min_length=1)
    node_name: str = ""
    status: str = ""
    input_artifact_archived: bool | None = None
    output_artifact_archived: bool | None = None
    started_at: Time = None
    finished_at: Time = None


class RunOutput(Reply):
    """An output as the batch read shows it; ``value`` is decoded."""

    id: str = ""
    name: str = ""
    type: str = ""
    metadata: DecodedMapping = {}
    value: Decoded = None
    producer: str = ""
    node_id: str = ""
    pipeline_run_id: str = ""
    gmt_create_time: Time = None
    expanded_artifact_index: Whole = None
    expandable_artifact_name: str = ""


class RunsStatus(Answer):
    """What the batch read answers. A run that does not exist or may not be seen is just absent."""

    pipeline_runs: list[RunStatus] = []
    nodes: list[RunNodeStatus] = []
    outputs: list[RunOutput] = []


class NodeMetadata(Reply):
    """What a node is. ``node_id`` is "" as long as it has not begun."""

    node_id: str = ""
    node_type: Text = ""
    name: str = ""
    display_name: Text = ""
    provider: Text = ""
    identifier: Text = ""
    version: Text = ""
    related_node_ids: Texts = []


class NodeStatusInfo(Reply):
    """How far a node is."""

    status: str = ""
    started_at: Time = None
    finished_at: Time = None
    progress: Text = ""
    message: Text = ""
    conditions: Mappings = []


class NodeSpec(Reply):
    """A node's children, inputs and outputs."""

    has_pipelines: Flag = False
    pipelines: Annotated[list[Node], BeforeValidator(without_null_items)] = []
    dependencies: Texts = []
    inputs: AnyMapping = {}
    outputs: AnyMapping = {}
    when: Text = ""
    with_items: Any = None
    with_param: Any = None
    with_sequence: Any = None
    parallelism: Whole = None

    @property
    def is_repeated(self) -> bool:
        """Whether the children are rounds of a loop."""
        return any(each not in (None, "") for each in (self.with_items, self.with_param, self.with_sequence))


class Node(Reply):
    """A node of a run, with as many layers of children as were asked for."""

    metadata: NodeMetadata = NodeMetadata()
    spec: NodeSpec = Field(default_factory=lambda: NodeSpec())
    status_info: NodeStatusInfo = NodeStatusInfo()


class NodeAnswer(Answer, Node):
    """A node as an answer of its own."""


class NodeStatus(Reply):
    """A node in the flat list."""

    node_id: str = ""
    node_name: str = ""
    status: str = ""
    started_at: Time = None
    finished_at: Time = None
    runtime_info: DecodedMapping = {}


class NodeStatuses(Answer):
    """A node and the layers below it, flat."""

    status: list[NodeStatus] = []


class NodeLogs(Answer):
    """Some lines of a node's log, blanks kept. Do not page by ``total_count``."""

    model_config = ConfigDict(str_strip_whitespace=False)

    logs: list[str] = []
    total_count: Whole = None


class OutputInfo(Reply):
    """What an output is and where; ``value`` is decoded."""

    model_config = ConfigDict(alias_generator=None)

    metadata: DecodedMapping = {}
    value: Decoded = None


class NodeOutput(Reply):
    """An output of a node."""

    id: str = ""
    name: str = ""
    type: str = ""
    node_id: str = ""
    producer: str = ""
    info: Annotated[OutputInfo, BeforeValidator(decoded_mapping)] = OutputInfo()
    gmt_create_time: Time = None
    expanded_artifact_index: Whole = None
    expandable_artifact_name: str = ""


class NodeOutputs(Answer):
    """One page of outputs. Do not page by ``total_count``."""

    outputs: list[NodeOutput] = []
    total_count: Whole = None


class Pipeline(Reply):
    """A stored pipeline; lists leave out the manifest."""

    pipeline_id: str = Field(min_length=1)
    provider: str = ""
    identifier: str = ""
    version: str = ""
    uuid: str = ""
    workspace_id: str = ""
    manifest: str = ""
    gmt_create_time: Time = None
    gmt_modified_time: Time = None


class Pipelines(Answer):
    """One page of pipelines. Do not page by ``total_count``."""

    pipelines: list[Pipeline] = []
    total_count: Whole = None
