"""What operations of PAIFlow send, refuse to send and read, beside what the parity tests compare."""

from __future__ import annotations

import asyncio
import inspect
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_mlworkflows.clouds.alibaba.paiflow_fields import decoded, read_time
from airflow_provider_mlworkflows.clouds.alibaba.paiflow_models import (
    NodeAnswer,
    NodeLogs,
    NodeOutputs,
    PipelineRun,
    RunsStatus,
)
from airflow_provider_mlworkflows.exceptions import InvalidInputError
from tests.clouds.paiflow_support import NODE, RUN, RecordingPaiFlow, node

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.clouds.operation import Request

PAIRS = [(RUN, NODE), ("flow-2", "node-2")]


def sent(request: Request[Any]) -> dict[str, Any]:
    return dict(request.query)


class TestReplies:
    @pytest.mark.parametrize(
        ("text", "time"),
        [
            ("2021-01-21T17:12:35.232Z", datetime(2021, 1, 21, 17, 12, 35, 232000, UTC)),
            ("2021-01-06T14:32:50Z", datetime(2021, 1, 6, 14, 32, 50, tzinfo=UTC)),
            ("2021-01-06T14:32Z", datetime(2021, 1, 6, 14, 32, tzinfo=UTC)),
            ("2021-01-06T14:32:50", datetime(2021, 1, 6, 14, 32, 50, tzinfo=UTC)),
            (1609943570, datetime(2021, 1, 6, 14, 32, 50, tzinfo=UTC)),
            (1609943570000, datetime(2021, 1, 6, 14, 32, 50, tzinfo=UTC)),
            ("", None),
            ("-", None),
        ],
    )
    def test_times(self, text: object, time: datetime | None) -> None:
        assert read_time(text) == time

    @pytest.mark.parametrize(
        ("text", "data"),
        [
            ('{"a": {"b": 1}}', {"a": {"b": 1}}),
            ('{\\"a\\": {\\"b\\": 1}}', {"a": {"b": 1}}),
            ('"{\\"a\\": 1}"', {"a": 1}),
            ("[1]", [1]),
            ("0.9", 0.9),
            ("plain words", "plain words"),
            ("NaN", "NaN"),
            ("", ""),
            ({"a": 1}, {"a": 1}),
            (None, None),
        ],
    )
    def test_json_inside_a_text(self, text: object, data: object) -> None:
        assert decoded(text) == data

    def test_the_documented_batch_answer(self) -> None:
        """As the documentation shows it, with its line break in an id and its value escaped twice."""
        value = '{\\"name\\": \\"m\\", \\"location\\": {\\"project\\": \\"p\\"}}'
        answer = RunsStatus.model_validate_json(
            json.dumps(
                {
                    "RequestId": "473469C7",
                    "PipelineRuns": [{"PipelineRunId": RUN, "Status": "Running", "UserId": 15577, "IsDeleted": False}],
                    "Nodes": [{"PipelineRunId": RUN, "NodeId": NODE, "Status": "Running", "StartedAt": None}],
                    "Outputs": [
                        {"Name": "model", "Type": "DataSet", "NodeId": f"{NODE}\n", "Value": value,
                         "Metadata": {"test2": 1}, "ExpandedArtifactIndex": 0, "Added": "later"}
                    ],
                }
            )
        )  # fmt: skip

        (output,) = answer.outputs
        assert answer.pipeline_runs[0].user_id == "15577"
        assert output.node_id == NODE
        assert output.value == {"name": "m", "location": {"project": "p"}}
        assert answer.nodes[0].started_at is None

    def test_values_of_node_outputs_are_decoded(self) -> None:
        answer = NodeOutputs.model_validate(
            {"Outputs": [{"Name": "m", "Info": {"metadata": {"type": "x"}, "value": '{"location": {"table": "t"}}'}}]}
        )
        assert answer.outputs[0].info.value == {"location": {"table": "t"}}
        assert answer.outputs[0].info.metadata == {"type": "x"}

    @pytest.mark.parametrize(
        ("info", "value"),
        [
            ('{"metadata": {}, "value": "{\\"location\\": 1}"}', {"location": 1}),
            ('{"value": {"location": 1}}', {"location": 1}),
            ("", None),
            ("lost", None),
            (["lost"], None),
            (None, None),
        ],
    )
    def test_what_an_output_is_may_be_told_as_text(self, info: Any, value: Any) -> None:
        (output,) = NodeOutputs.model_validate({"Outputs": [{"Name": "m", "Info": info}]}).outputs
        assert (output.name, output.info.value) == ("m", value)

    @pytest.mark.parametrize(
        ("told", "read"), [(2, 2), ("2", 2), (0, 0), ("", None), (None, None), ("first", None), (0.5, None)]
    )
    def test_numbers_that_nothing_depends_on_may_be_anything(self, told: Any, read: int | None) -> None:
        output = {"Name": "m", "ExpandedArtifactIndex": told}
        answer = NodeOutputs.model_validate({"Outputs": [output], "TotalCount": told})
        assert (answer.outputs[0].expanded_artifact_index, answer.total_count) == (read, read)
        batch = RunsStatus.model_validate({"Outputs": [output]})
        assert batch.outputs[0].expanded_artifact_index == read

    @pytest.mark.parametrize("deep", ["[" * 100_000, '{"a":' * 100_000, "[" * 100_000 + "]" * 100_000])
    def test_what_is_nested_too_deeply_to_be_meant_is_a_text(self, deep: str) -> None:
        assert decoded(deep) == deep
        (output,) = NodeOutputs.model_validate({"Outputs": [{"Info": {"value": deep, "metadata": deep}}]}).outputs
        assert (output.info.value, output.info.metadata) == (deep, {})

    @pytest.mark.parametrize(("begin", "end"), [("[", "]"), ('{"a": ', "}")])
    def test_what_could_be_read_but_not_written_is_a_text(self, begin: str, end: str) -> None:
        shallow, deep = (f"[{begin * layers}0{end * layers}, 1]" for layers in (199, 202))
        assert json.loads(json.dumps(decoded(shallow)))[1] == 1
        assert decoded(deep) == deep
        assert decoded(f"[{'[], ' * 300}0]") == [[]] * 300 + [0]

    @pytest.mark.parametrize(
        ("part", "told", "field", "read"),
        [
            ("StatusInfo", {"Conditions": {"ArtifactArchived": "true"}}, "conditions", [{"ArtifactArchived": "true"}]),
            ("StatusInfo", {"Conditions": "none"}, "conditions", []),
            ("StatusInfo", {"Conditions": [None, "x", {"Message": "m"}]}, "conditions", [{"Message": "m"}]),
            ("StatusInfo", {"Message": {"text": "m"}}, "message", ""),
            ("StatusInfo", {"Progress": 50}, "progress", "50"),
            ("StatusInfo", {"Progress": ["half"]}, "progress", ""),
            ("Spec", {"When": True}, "when", ""),
            ("Spec", {"Inputs": [{"Name": "a"}]}, "inputs", {}),
            ("Spec", {"Outputs": "none"}, "outputs", {}),
            ("Spec", {"Dependencies": "a"}, "dependencies", []),
            ("Spec", {"Dependencies": ["a", None, {}, 1]}, "dependencies", ["a", "1"]),
            ("Spec", {"HasPipelines": "perhaps"}, "has_pipelines", False),
            ("Spec", {"HasPipelines": "true"}, "has_pipelines", True),
            ("Spec", {"Pipelines": [None]}, "pipelines", []),
            ("Metadata", {"RelatedNodeIds": {"a": 1}}, "related_node_ids", []),
            ("Metadata", {"DisplayName": False}, "display_name", ""),
        ],
    )
    def test_a_node_is_read_whatever_its_garnish(
        self, part: str, told: dict[str, Any], field: str, read: object
    ) -> None:
        shown = node("x", "Running")
        shown[part] |= told
        root = node(RUN, "Running", shown, node("y"))
        root["Spec"]["Pipelines"].insert(0, None)
        first, second = NodeAnswer.model_validate(root).spec.pipelines
        parts = {"StatusInfo": first.status_info, "Spec": first.spec, "Metadata": first.metadata}
        assert getattr(parts[part], field) == read
        assert [each.metadata.name for each in (first, second)] == ["x", "y"]

    @pytest.mark.parametrize(
        ("part", "told"),
        [
            ("StatusInfo", {"Status": ["Failed"]}),
            ("StatusInfo", {"Status": True}),
            ("Metadata", {"NodeId": {}}),
            ("Metadata", {"Name": []}),
            ("Spec", {"Pipelines": "none"}),
            ("Spec", {"Pipelines": ["node-a"]}),
        ],
    )
    def test_a_node_without_what_it_is_about_is_refused(self, part: str, told: dict[str, Any]) -> None:
        shown = node("x", "Running")
        shown[part] |= told
        with pytest.raises(ValueError, match="validation error"):
            NodeAnswer.model_validate(node(RUN, "Running", shown))

    def test_log_lines_keep_their_blanks(self) -> None:
        assert NodeLogs.model_validate({"Logs": ["  indented "]}).logs == ["  indented "]

    @pytest.mark.parametrize("body", ["{}", '{"Other": 1}', "[]", '"x"', "", '{"PipelineRuns": [{"Status": "x"}]}'])
    def test_what_is_no_answer_is_refused(self, body: str) -> None:
        request = next(RecordingPaiFlow().list_pipeline_runs_status.steps(run_ids=[RUN]))
        with pytest.raises(ValueError, match="validation error"):
            request.read(body.encode())

    def test_a_run_without_an_id_is_refused(self) -> None:
        with pytest.raises(ValueError, match="PipelineRunId"):
            PipelineRun.model_validate({"PipelineRunId": "", "Status": "Running"})


class TestTexts:
    """Arguments that are texts: templates may render what consists of digits to a number."""

    def test_a_whole_number_is_its_digits(self) -> None:
        api = RecordingPaiFlow()
        (run,) = api.create_pipeline_run.steps(pipeline_id=7, name=8, workspace_id=9, source_id=0)  # type: ignore[arg-type]
        assert run.body is not None
        assert [run.body[name] for name in ("PipelineId", "Name", "WorkspaceId", "SourceId")] == ["7", "8", "9", "0"]
        (read,) = api.get_pipeline_run.steps(12)  # type: ignore[arg-type]
        assert read.path_params == {"run_id": "12"}
        (listed,) = api.list_pipeline_runs.steps(workspace_id=5, pipeline_ids=[6])  # type: ignore[arg-type, list-item]
        assert (sent(listed)["WorkspaceId"], sent(listed)["PipelineIds"]) == ("5", "6")

    @pytest.mark.parametrize("value", [True, 1.5, ["a"], {"a": 1}, b"a"])
    @pytest.mark.parametrize("name", ["name", "workspace_id", "source_id", "pipeline_id"])
    def test_anything_else_is_refused_by_name(self, name: str, value: object) -> None:
        arguments: Any = {"pipeline_id": "p", name: value}
        with pytest.raises(InvalidInputError, match=f"^{name} .* write it as a text"):
            list(RecordingPaiFlow().create_pipeline_run.steps(**arguments))

    def test_ids_that_are_no_list(self) -> None:
        with pytest.raises(InvalidInputError, match="pipeline_ids should be a list of ids, not 5"):
            list(RecordingPaiFlow().list_pipeline_runs.steps(pipeline_ids=5))  # type: ignore[arg-type]


class TestBatchRead:
    def body(self, **arguments: Any) -> Any:
        return next(RecordingPaiFlow().list_pipeline_runs_status.steps(**arguments)).body

    def test_runs(self) -> None:
        assert self.body(run_ids=[RUN]) == {"PipelineRuns": [RUN]}

    def test_nodes_go_out_beside_runs_and_win(self) -> None:
        assert self.body(run_ids=[RUN], nodes=PAIRS, workspace_id="8", output_type="Metrics") == {
            "PipelineRuns": [RUN],
            "Nodes": [{"PipelineRunId": RUN, "NodeId": NODE}, {"PipelineRunId": "flow-2", "NodeId": "node-2"}],
            "WorkspaceId": "8",
            "OutputType": "Metrics",
        }

    def test_is_a_read(self) -> None:
        request = next(RecordingPaiFlow().list_pipeline_runs_status.steps(run_ids=[RUN]))
        assert (request.method, request.safe_to_repeat) == ("PUT", True)

    @pytest.mark.parametrize(
        "arguments", [{}, {"run_ids": [""]}, {"nodes": [(RUN, "..")]}, {"run_ids": [RUN], "output_type": "model"}]
    )
    def test_what_cannot_be_right_is_not_sent(self, arguments: dict[str, Any]) -> None:
        api = RecordingPaiFlow()
        with pytest.raises(InvalidInputError):
            api.list_pipeline_runs_status(**arguments)
        assert api.requests == []


class TestCreate:
    def request(self, **arguments: Any) -> Request[Any]:
        request: Request[Any] = next(RecordingPaiFlow().create_pipeline_run.steps(**arguments))
        return request

    def test_whether_to_start_at_once_is_always_said(self) -> None:
        for choice in ({}, {"no_confirm_required": True}, {"no_confirm_required": False}):
            body = self.request(pipeline_id="pipeline-1", **choice).body
            assert body is not None
            assert body["NoConfirmRequired"] is choice.get("no_confirm_required", True)

    def test_is_not_repeated(self) -> None:
        assert not self.request(pipeline_id="pipeline-1").safe_to_repeat

    def test_takes_the_workspace_of_the_account_and_needs_one(self) -> None:
        request = self.request(pipeline_id="pipeline-1")
        filled = request.filled({"workspace_id": "8"})
        assert filled.body is not None
        assert filled.body["WorkspaceId"] == "8"
        with pytest.raises(InvalidInputError, match="WorkspaceId"):
            request.filled({})
        with pytest.raises(InvalidInputError, match="WorkspaceId"):
            self.request(pipeline_id="pipeline-1", workspace_id=" ").filled({"workspace_id": "8"})

    def test_a_workspace_of_the_call_wins(self) -> None:
        filled = self.request(pipeline_id="p", workspace_id="9").filled({"workspace_id": "8"})
        assert filled.body is not None
        assert filled.body["WorkspaceId"] == "9"

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            ({}, "either a pipeline_id or a manifest"),
            ({"pipeline_id": "p", "manifest": "x"}, "either a pipeline_id or a manifest"),
            ({"pipeline_id": " "}, "not an id"),
            ({"manifest": "a: ["}, "not valid YAML"),
            ({"pipeline_id": "p", "accessibility": "public"}, "PUBLIC, PRIVATE"),
            ({"pipeline_id": "p", "source_type": "AIRFLOW"}, "source_type"),
            ({"pipeline_id": "p", "options": "x"}, "options"),
            ({"pipeline_id": "p", "parameters": {"a": None}}, "no value"),
        ],
    )
    def test_what_cannot_be_right_is_not_sent(self, arguments: dict[str, Any], words: str) -> None:
        with pytest.raises(InvalidInputError, match=words):
            self.request(**arguments)


@pytest.mark.parametrize(
    ("method", "arguments"),
    [
        ("list_pipeline_runs", {"order": "DESC"}),
        ("list_pipeline_runs", {"order": "desc", "sort_by": "Duration"}),
        ("list_pipeline_runs", {"page_number": 0}),
        ("list_pipeline_runs", {"page_size": "10"}),
        ("list_pipeline_runs", {"pipeline_ids": [""]}),
        ("get_pipeline_run", {"run_id": RUN, "manifest_type": "raw"}),
        ("get_pipeline_run", {"run_id": None}),
        ("get_pipeline_run_node", {"run_id": RUN, "node_id": ""}),
        ("get_pipeline_run_node", {"run_id": RUN, "node_id": NODE, "depth": 0}),
        ("get_pipeline_run_node", {"run_id": RUN, "node_id": NODE, "type_": "logical"}),
        ("list_pipeline_run_node_outputs", {"run_id": RUN, "node_id": NODE, "depth": 100000}),
        ("list_pipeline_run_node_logs", {"run_id": RUN, "node_id": NODE, "offset": -1}),
    ],
)
def test_arguments_that_cannot_be_right_are_not_sent(method: str, arguments: dict[str, Any]) -> None:
    with pytest.raises(InvalidInputError):
        getattr(RecordingPaiFlow(), method)(**arguments)


@pytest.mark.parametrize(
    ("method", "safe"),
    [("start", False), ("rerun", False), ("terminate", True), ("delete", True), ("get", True)],
)
def test_what_may_be_repeated(method: str, safe: bool) -> None:
    request = next(getattr(RecordingPaiFlow(), f"{method}_pipeline_run").steps(RUN))
    assert request.safe_to_repeat is safe


def pages_of(*pages: list[str], total: int) -> list[Any]:
    return [{"PipelineRuns": [{"PipelineRunId": run} for run in page], "TotalCount": total} for page in pages]


class TestPages:
    @pytest.mark.parametrize("total", [0, 1, 3, 1000])
    def test_only_an_empty_page_ends_a_list_whatever_its_total_says(self, total: int) -> None:
        api = RecordingPaiFlow(*pages_of(["a", "b"], ["c"], [], total=total))

        assert [run.pipeline_run_id for run in api.iter_pipeline_runs()] == ["a", "b", "c"]
        assert [sent(request)["PageNumber"] for request in api.requests] == ["1", "2", "3"]

    def test_what_moved_to_the_next_page_is_not_repeated(self) -> None:
        api = RecordingPaiFlow(*pages_of(["a", "b"], ["b", "c"], [], total=3))
        assert [run.pipeline_run_id for run in api.iter_pipeline_runs()] == ["a", "b", "c"]

    def test_a_service_that_shows_one_page_for_ever_is_left(self) -> None:
        api = RecordingPaiFlow(*pages_of(["a"], ["a"], total=9))
        assert [run.pipeline_run_id for run in api.iter_pipeline_runs()] == ["a"]

    @pytest.mark.parametrize(
        "pages",
        [
            (["a", "b", "c"], ["c", "a", "b"]),
            (["a", "b", "c"], ["b", "c"], ["a", "c"]),
            (["a", "b"], ["b"], ["c"], ["b"], ["a"]),
        ],
    )
    def test_a_service_that_shows_the_same_in_another_order_is_left(self, pages: tuple[list[str], ...]) -> None:
        api = RecordingPaiFlow(*pages_of(*pages, total=9))
        assert [run.pipeline_run_id for run in api.iter_pipeline_runs()] == sorted(set().union(*pages))
        assert len(api.requests) == len(pages)

    def test_one_page_of_what_was_shown_before_does_not_end_a_list(self) -> None:
        api = RecordingPaiFlow(*pages_of(["a", "b"], ["b"], ["c"], [], total=3))
        assert [run.pipeline_run_id for run in api.iter_pipeline_runs()] == ["a", "b", "c"]

    def test_in_an_event_loop(self) -> None:
        api = RecordingPaiFlow(*pages_of(["a"], ["b"], [], total=1))

        async def collect() -> list[str]:
            return [run.pipeline_run_id async for run in api.iter_pipeline_runs.aio(status="Running")]

        assert asyncio.run(collect()) == ["a", "b"]
        assert sent(api.requests[1])["Status"] == "Running"

    def test_inside_another_operation(self) -> None:
        api = RecordingPaiFlow()
        steps = api.iter_pipeline_runs.steps()
        next(steps)
        for page in pages_of(["a"], ["b"], total=0):
            steps.send(next(api.iter_pipeline_runs.steps()).read(json.dumps(page).encode()))
        with pytest.raises(StopIteration) as end:
            steps.send(next(api.iter_pipeline_runs.steps()).read(b'{"PipelineRuns": []}'))
        assert [run.pipeline_run_id for run in end.value.value] == ["a", "b"]

    def test_pipelines(self) -> None:
        page = {"Pipelines": [{"PipelineId": "p"}], "TotalCount": 0}
        api = RecordingPaiFlow(page, {"Pipelines": []})
        assert [each.pipeline_id for each in api.iter_pipelines(provider="pai")] == ["p"]

    def test_official_pipelines_are_in_no_workspace(self) -> None:
        official = next(RecordingPaiFlow().list_pipelines.steps(provider="pai"))
        own = next(RecordingPaiFlow().list_pipelines.steps())
        assert sent(official.filled({"workspace_id": "8"})) == {"PipelineProvider": "pai"}
        assert sent(own.filled({"workspace_id": "8"})) == {"WorkspaceId": "8"}

    def test_outputs(self) -> None:
        same = [{"Name": "m", "NodeId": "n1"}, {"Name": "m", "NodeId": "n2"}]
        api = RecordingPaiFlow({"Outputs": same}, {"Outputs": []})
        assert [each.node_id for each in api.iter_pipeline_run_node_outputs(RUN, NODE)] == ["n1", "n2"]
        assert sent(api.requests[0])["Depth"] == "99999"


ARGUMENTS: dict[str, Any] = {
    "run_id": RUN,
    "node_id": NODE,
    "depth": 7,
    "fuzzy_matching": True,
    "status": "Running",
    "from_time": 1000,
    "to_time": 2000,
    "pipeline_ids": ["p1", "p2"],
    "provider": "123",
    "type_": "Model",
    "offset": 0,
    "source_type": "SDK",
    "sort_by": "GmtCreateTime",
    "order": "ASC",
    "workspace_id": "8",
}


@pytest.mark.parametrize(
    ("plural", "replies", "paging"),
    [
        ("pipelines", [{"Pipelines": [{"PipelineId": each}]} for each in "ab"], {"PageNumber": ["1", "2", "3"]}),
        ("pipeline_runs", pages_of(["a"], ["b"], total=1), {"PageNumber": ["1", "2", "3"]}),
        (
            "pipeline_run_node_outputs",
            [{"Outputs": [{"Name": each, "NodeId": NODE}]} for each in "ab"],
            {"PageNumber": ["1", "2", "3"]},
        ),
        ("pipeline_run_node_logs", [{"Logs": [each], "TotalCount": 2} for each in "ab"], {"Offset": ["0", "1", "2"]}),
    ],
)
def test_each_page_is_asked_for_with_every_argument(
    plural: str, replies: list[Any], paging: dict[str, list[str]]
) -> None:
    api = RecordingPaiFlow(*replies, {key: [] for reply in replies for key in reply if key != "TotalCount"})
    iterate = getattr(api, f"iter_{plural}")
    arguments = {name: ARGUMENTS.get(name, f"a-{name}") for name in inspect.signature(iterate).parameters}

    assert len(list(iterate(**arguments))) == 2

    once = sent(next(getattr(api, f"list_{plural}").steps(**arguments)))
    for name in ("Offset", "PageNumber", "PageSize"):
        once.pop(name, None)
    pages = [sent(request) for request in api.requests]
    assert [{name: page[name] for name in once} for page in pages] == [once] * 3
    assert {name: [page[name] for page in pages] for name in paging} == paging


class TestLogs:
    @pytest.mark.parametrize("total", [0, 2, 99])
    def test_are_read_to_their_end(self, total: int) -> None:
        pages = [["a", "b"], ["b"], []]
        api = RecordingPaiFlow(*({"Logs": page, "TotalCount": total} for page in pages))

        assert list(api.iter_pipeline_run_node_logs(RUN, NODE)) == ["a", "b", "b"]
        assert [sent(request)["Offset"] for request in api.requests] == ["0", "2", "3"]

    def test_go_on_where_somebody_left_off(self) -> None:
        api = RecordingPaiFlow({"Logs": ["new"]}, {"Logs": []})
        assert list(api.iter_pipeline_run_node_logs(RUN, NODE, offset=7)) == ["new"]
        assert [sent(request)["Offset"] for request in api.requests] == ["7", "8"]

    def test_lines_that_repeat_themselves_are_all_shown(self) -> None:
        page: dict[str, Any] = {"Logs": ["same"], "TotalCount": 1}
        none: dict[str, Any] = {"Logs": []}
        api = RecordingPaiFlow(page, page, none, page, none)
        assert list(api.iter_pipeline_run_node_logs(RUN, NODE)) == ["same"] * 3
        assert [sent(request)["Offset"] for request in api.requests] == ["0", "1", str(10**9 + 1), "2", "3"]

    def test_a_service_that_takes_no_notice_of_the_offset_is_left(self) -> None:
        api = RecordingPaiFlow(*({"Logs": ["a", "b"], "TotalCount": 5000} for _ in range(3)))
        assert list(api.iter_pipeline_run_node_logs(RUN, NODE)) == ["a", "b"]


class TestTree:
    def paths(self, *answers: dict[str, Any]) -> list[str]:
        self.api = RecordingPaiFlow(*answers)
        return [placed.path for placed in self.api.iter_pipeline_run_nodes(RUN, "root")]

    def test_names_every_node_by_its_way_from_the_root_which_is_left_out(self) -> None:
        inner = node("sub", "Running", node("x"), node("y", "Running"))
        assert self.paths(node(RUN, "Running", node("a"), inner)) == ["a", "sub", "sub/x", "sub/y"]
        assert len(self.api.requests) == 1

    def test_goes_on_below_what_was_not_opened(self) -> None:
        closed = node("deep", "Running", kind="Dag", id="node-deep")
        again = node("deep", "Running", node("x", "Running", node("z")))
        assert self.paths(node(RUN, "Running", node("sub", "Running", closed)), again) == [
            "sub", "sub/deep", "sub/deep/x", "sub/deep/x/z",
        ]  # fmt: skip
        assert self.api.requests[1].path_params["node_id"] == "node-deep"

    def test_rounds_of_a_loop_keep_their_names_as_it_grows(self) -> None:
        one = node("loop", "Running", node("train"), kind="Loop")
        two = node("loop", "Running", node("train"), node("train", id="n2"), node("other"), kind="Loop")
        assert self.paths(node(RUN, "Running", one)) == ["loop", "loop/train"]
        assert self.paths(node(RUN, "Running", two)) == ["loop", "loop/train", "loop/train[1]", "loop/other"]

    @pytest.mark.parametrize("repeats", [{"WithItems": [1, 2]}, {"WithParam": "{{x}}"}, {"WithSequence": {"end": 2}}])
    def test_a_loop_may_be_called_a_dag(self, repeats: dict[str, Any]) -> None:
        loop = node("loop", "Running", node("train", "Failed"), node("train", id="n2"), kind="Dag")
        loop["Spec"] |= repeats
        assert self.paths(node(RUN, "Running", loop)) == ["loop", "loop/train", "loop/train[1]"]

    def test_a_part_that_has_not_begun_cannot_be_opened(self) -> None:
        assert self.paths(node(RUN, "Running", node("later", "", kind="Dag", id=""))) == ["later"]

    def test_a_part_that_stays_closed_is_asked_for_once(self) -> None:
        closed = node("sub", "Running", kind="Dag", id="node-sub")
        assert self.paths(node(RUN, "Running", closed), closed) == ["sub"]
