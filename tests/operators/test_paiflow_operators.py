"""What the operators of PAIFlow and its trigger do beside what the scenario table shows."""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from textwrap import dedent
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowTaskTimeout

from airflow_provider_mlworkflows.emulator import (
    FaultRule,
    LogLine,
    NodeAttempt,
    NodeDefinition,
    PipelineDefinition,
    phases,
)
from airflow_provider_mlworkflows.emulator.credentials import WORKSPACE_ID
from airflow_provider_mlworkflows.emulator.environment import ALIBABA_CONNECTION, connections
from airflow_provider_mlworkflows.exceptions import (
    ApiError,
    AuthenticationError,
    InvalidInputError,
    NotFoundError,
    PermissionDeniedError,
)
from airflow_provider_mlworkflows.hooks.paiflow import PaiFlowHook
from airflow_provider_mlworkflows.operators.paiflow import (
    PaiFlowRerunOperator,
    PaiFlowStartPipelineOperator,
    PaiFlowTerminateOperator,
)
from airflow_provider_mlworkflows.operators.paiflow_references import veiled
from airflow_provider_mlworkflows.sensors.paiflow import PaiFlowNodeSensor, PaiFlowRunSensor
from airflow_provider_mlworkflows.services.paiflow import PAIFLOW
from tests.support import Bench, assert_no_secret

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_mlworkflows.emulator.paiflow.machine import PipelineRun
    from tests.harness.results import TaskResult

CREATE = "CreatePipelineRun"
UNKNOWN_WORKSPACE = "11111"
TOO_MUCH = timedelta(minutes=16)
OF_A_RUN = (PaiFlowRerunOperator, PaiFlowTerminateOperator, PaiFlowRunSensor, PaiFlowNodeSensor)
CHAIN = "pipeline-emulatorchain00001"
MANIFEST = dedent(
    """\
    apiVersion: core/v1
    metadata: {provider: "1557702098194904", identifier: made_by_dag, version: v1, name: made-by-dag}
    spec:
      inputs:
        parameters:
        - {name: table, type: String, value: "events_{{ dag_run.conf.get('suffix', 'all') }}"}
      pipelines:
      - apiVersion: core/v1
        metadata: {provider: pai, identifier: data_source, version: v1, name: data-source}
        spec:
          arguments:
            parameters:
            - {name: inputTableName, from: "{{inputs.parameters.table}}"}
            - {name: path, value: "conf/{{ item }}.yaml"}
          withItems: [a, b]
      - apiVersion: core/v1
        metadata: {provider: pai, identifier: type_transform, version: v1, name: cast}
        spec:
          arguments:
            artifacts:
            - {name: inputTable, from: "{{pipelines.data-source.outputs.artifacts.outputTable}}"}
          when: "{{ inputs.parameters.table }} != none"
    """
)
SENT = yaml.safe_load(MANIFEST.replace("{{ dag_run.conf.get('suffix', 'all') }}", "all"))
LINE = re.compile(r"\[(?:first|second)\] (\w+ line \d+)")


def start_operator(**arguments: Any) -> PaiFlowStartPipelineOperator:
    return PaiFlowStartPipelineOperator(**{"task_id": "train", "poll_interval": 10.0, **arguments})


def submitted(bench: Bench) -> Any:
    """The manifest of the only run."""
    (run,) = bench.emulator.paiflow.runs.values()
    return yaml.safe_load(run.fields["PipelineManifest"])


class TestManifest:
    @pytest.mark.parametrize(
        "manifest", [MANIFEST, yaml.safe_load(MANIFEST), f"{{% raw %}}{MANIFEST}{{% endraw %}}"],
        ids=["text", "mapping", "raw"],
    )  # fmt: skip
    def test_airflows_templates_are_rendered_and_the_pipelines_own_references_are_not(
        self, modelarts: Bench, manifest: Any
    ) -> None:
        result = modelarts.airflow.run_to_end(start_operator(manifest=manifest))
        assert result.state == "success", result.log
        raw = isinstance(manifest, str) and manifest.startswith("{%")
        assert submitted(modelarts) == (yaml.safe_load(MANIFEST) if raw else SENT)

    @pytest.mark.parametrize(
        ("begin", "end"),
        [
            ("{% for item in ['a', 'b'] %}", "{% endfor %}"),
            ("{%- for (number, item) in [(1, 'a'), (2, 'b')] -%}", "{%- endfor -%}"),
            ("{% for letter in 'ab' %}{% set item = letter %}", "{% endfor %}"),
            ("{% for letter in 'ab' %}{% set item %}{{ letter }}{% endset %}", "{% endfor %}"),
        ],
        ids=["loop", "unpacked", "set", "set by a block"],
    )
    def test_a_name_that_the_text_itself_binds_is_rendered(self, modelarts: Bench, begin: str, end: str) -> None:
        path = "{{inputs.parameters.table}}/{% raw %}{{ item }}{% endraw %}/" + begin + "<{{ item }}>" + end
        operator = start_operator(manifest=MANIFEST.replace("conf/{{ item }}.yaml", path))
        result = modelarts.airflow.run_to_end(operator)
        assert result.state == "success", result.log
        parameters = submitted(modelarts)["spec"]["pipelines"][0]["spec"]["arguments"]["parameters"]
        assert parameters == [
            {"name": "inputTableName", "from": "{{inputs.parameters.table}}"},
            {"name": "path", "value": "{{inputs.parameters.table}}/{{ item }}/<a><b>"},
        ]

    @pytest.mark.parametrize("text", ["{% set ns.item = 1 %}", "{% for other in item %}", "for item in", "set item ="])
    def test_what_binds_no_name_leaves_the_reference_alone(self, text: str) -> None:
        assert veiled(text + "{{ item }}") == text + "\x02 item \x03"

    def test_rendered_as_native_objects(self, modelarts: Bench) -> None:
        with DAG("native", schedule=None, render_template_as_native_obj=True):
            operator = start_operator(manifest=json.dumps(yaml.safe_load(MANIFEST)))
        result = modelarts.airflow.run_to_end(operator)
        assert result.state == "success", result.log
        assert submitted(modelarts) == SENT

    def test_digits_that_were_rendered_to_numbers_are_texts(self, modelarts: Bench) -> None:
        with DAG("digits", schedule=None, render_template_as_native_obj=True):
            operator = start_operator(pipeline_id=CHAIN, run_name="{{ 20260101 }}", workspace_id="{{ 48213 }}")
        result = modelarts.airflow.run_to_end(operator)
        assert result.state == "success", result.log
        (run,) = modelarts.emulator.paiflow.runs.values()
        assert (run.fields["Name"], run.fields["WorkspaceId"]) == ("20260101", "48213")

    @pytest.mark.parametrize("arguments", [{"run_name": 1.5}, {"workspace_id": True}, {"region": ["cn-hangzhou"]}])
    def test_what_is_no_text_is_named(self, modelarts: Bench, arguments: dict[str, Any]) -> None:
        ((name, value),) = arguments.items()
        result = modelarts.airflow.run(start_operator(pipeline_id=CHAIN, **arguments))
        assert isinstance(result.error, InvalidInputError)
        assert f"{name.removeprefix('run_')} {value!r} is no text" in str(result.error)
        assert "write it as a text" in str(result.error)
        assert not modelarts.emulator.paiflow.runs

    def test_the_manifest_may_be_a_templated_file(self, modelarts: Bench, tmp_path: Path) -> None:
        (tmp_path / "train.yaml").write_text(MANIFEST)
        with DAG("of_file", schedule=None, template_searchpath=str(tmp_path)):
            operator = start_operator(manifest="train.yaml")
        result = modelarts.airflow.run_to_end(operator)
        assert result.state == "success", result.log
        assert submitted(modelarts) == SENT

    def test_a_manifest_that_ends_like_a_file_is_none(self, modelarts: Bench) -> None:
        result = modelarts.airflow.run_to_end(start_operator(manifest=MANIFEST + "# see train.yaml"))
        assert result.state == "success", result.log
        assert submitted(modelarts) == SENT

    def first_attempt(self, bench: Bench) -> PipelineRun:
        """A run that goes on, whose task is up for retry."""
        operator = start_operator(manifest=MANIFEST, retries=2, deferrable=True)
        assert bench.airflow.run(operator).state == "deferred"
        bench.airflow.fail_trigger()
        assert bench.airflow.run(operator).state == "up_for_retry"
        (run,) = bench.emulator.paiflow.runs.values()
        return run

    @pytest.mark.parametrize(
        ("old", "new", "is_another"),
        [
            ("identifier: made_by_dag", "identifier: another", True),
            ('provider: "1557702098194904"', "provider: someone", True),
            ("conf/", "conf/new/", False),
            ("made_by_dag, version: v1", "made_by_dag, version: v2", False),
            ("identifier: made_by_dag", "identifer: another", False),
            ("apiVersion", "[", False),
        ],
    )
    def test_a_retry_with_that_of_another_pipeline_starts_it(
        self, modelarts: Bench, old: str, new: str, is_another: bool
    ) -> None:
        run = self.first_attempt(modelarts)
        manifest = MANIFEST.replace(old, new, 1)

        result = modelarts.airflow.run(start_operator(manifest=manifest, retries=2))

        assert result.state == "success", result.log
        assert run.status == ("Terminated" if is_another else "Succeeded")
        _, *others = modelarts.emulator.paiflow.runs.values()
        sent = [yaml.safe_load(other.fields["PipelineManifest"])["metadata"] for other in others]
        assert sent == ([yaml.safe_load(manifest)["metadata"]] if is_another else [])

    def test_a_parameter_that_ends_like_a_file_is_none(self, modelarts: Bench) -> None:
        pipeline = modelarts.emulator.paiflow.add_pipeline(
            PipelineDefinition("p", [NodeDefinition("a")], parameters=[{"name": "config", "type": "String"}])
        )
        operator = start_operator(
            pipeline_id=pipeline.pipeline_id, parameters={"config": "{{ dag_run.conf.get('x', 'oss://b/x') }}.yaml"}
        )
        result = modelarts.airflow.run_to_end(operator)
        assert result.state == "success", result.log
        (run,) = modelarts.emulator.paiflow.runs.values()
        assert "oss://b/x.yaml" in run.fields["Arguments"]

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            ({"manifest": MANIFEST, "pipeline_id": CHAIN}, "either a pipeline_id or a manifest"),
            ({}, "either a pipeline_id or a manifest"),
            ({"manifest": 5}, "YAML text or a mapping, not int"),
            ({"manifest": MANIFEST + "since: 2026-02-30\n"}, "day is out of range"),
            ({"manifest": "[" * 5000}, "nested too deeply"),
            ({"manifest": MANIFEST, "parameters": {"tabel": "x"}}, "Did you mean 'table'?"),
        ],
    )
    def test_what_cannot_be_right_is_told_before_anything_is_sent(
        self, modelarts: Bench, arguments: dict[str, Any], words: str
    ) -> None:
        result = modelarts.airflow.run_to_end(start_operator(**arguments))
        assert isinstance(result.error, InvalidInputError), repr(result.error)
        assert words in str(result.error)
        assert modelarts.requests == []


def test_options_and_accessibility_are_sent(modelarts: Bench) -> None:
    operator = start_operator(pipeline_id=CHAIN, options={"mlflow": {"experimentId": "e"}}, accessibility="PRIVATE")
    result = modelarts.airflow.run_to_end(operator)
    assert result.state == "success", result.log
    (run,) = modelarts.emulator.paiflow.runs.values()
    assert run.fields["Accessibility"] == "PRIVATE"
    assert json.loads(run.fields["Options"]) == {"mlflow": {"experimentId": "e"}}


@pytest.mark.parametrize("kind", [PaiFlowStartPipelineOperator, *OF_A_RUN])
def test_region_and_workspace_may_come_from_the_task(modelarts: Bench, kind: Any) -> None:
    connection = connections(modelarts.emulator.url)[ALIBABA_CONNECTION]
    extra = {name: value for name, value in connection["extra"].items() if name not in ("region", "workspace_id")}
    modelarts.airflow.set_connection("elsewhere", {**connection, "extra": extra})
    place = {"alibaba_conn_id": "elsewhere", "region": "eu-central-1", "workspace_id": WORKSPACE_ID}
    modelarts.emulator.switches.stop_seconds = 25.0
    run = modelarts.emulator.paiflow.start(CHAIN)
    modelarts.clock.advance(3)
    if kind is PaiFlowRerunOperator:
        run.terminate(1.0)
        modelarts.clock.advance(30)
    which = {"pipeline_id": CHAIN} if kind is PaiFlowStartPipelineOperator else {"run_id": run.run_id}
    task = kind(
        task_id="task", deferrable=True, **which, **({"node": "read"} if kind is PaiFlowNodeSensor else {}), **place
    )

    waiting = modelarts.airflow.run(task)

    assert PAIFLOW.scope_of(task) == place
    assert waiting.deferral is not None, waiting.log
    assert {name: waiting.deferral.kwargs[name] for name in place} == place
    result = modelarts.airflow.resume(task, modelarts.airflow.run_trigger().payload)
    assert result.state == "success", result.log


@pytest.mark.parametrize("node", ["{{ none }}", " ", "{{ [1] }}", "{{ true }}"])
def test_a_node_sensor_needs_a_node(modelarts: Bench, node: str) -> None:
    run_id = modelarts.emulator.paiflow.start(CHAIN).run_id
    with DAG("native", schedule=None, render_template_as_native_obj=True):
        sensor = PaiFlowNodeSensor(task_id="wait", run_id=run_id, node=node)
    result = modelarts.airflow.run(sensor)
    assert isinstance(result.error, InvalidInputError)
    assert "node must be the name or the id of a step, not " in str(result.error)
    assert modelarts.requests == []


@pytest.mark.parametrize("deferrable", [False, True], ids=["worker", "triggerer"])
@pytest.mark.parametrize(
    "answer", [{"status": 500}, {"action": "truncate", "cut_json": True}], ids=["broken", "unreadable"]
)
def test_outputs_that_cannot_be_read_do_not_fail_a_run_that_succeeded(
    modelarts: Bench, answer: dict[str, Any], deferrable: bool
) -> None:
    modelarts.emulator.faults.add(FaultRule(operation="ListPipelineRunNodeOutputs", times=None, **answer))
    task = start_operator(pipeline_id=CHAIN, deferrable=deferrable, fetch_metrics=True)
    result = modelarts.airflow.run_to_end(task)
    assert result.state == "success", result.log
    assert result.xcoms["outputs"] == {}
    assert "metrics" not in result.xcoms
    assert "could not be read" in result.log


def with_an_unknown_workspace(bench: Bench) -> dict[str, Any]:
    return {"workspace_id": UNKNOWN_WORKSPACE}


def with_an_unknown_workspace_in_words(bench: Bench) -> dict[str, Any]:
    bench.emulator.switches.service_codes = "words"
    return {"workspace_id": UNKNOWN_WORKSPACE}


def with_an_unknown_workspace_in_the_connection(bench: Bench) -> dict[str, Any]:
    fields = connections(bench.emulator.url)[ALIBABA_CONNECTION]
    extra = {**fields["extra"], "workspace_id": UNKNOWN_WORKSPACE}
    bench.airflow.set_connection(ALIBABA_CONNECTION, {**fields, "extra": extra})
    return {}


def with_a_slow_clock(bench: Bench) -> dict[str, Any]:
    bench.emulator.auth_now = bench.emulator.clock.now() + TOO_MUCH
    return {}


def with_a_fast_clock(bench: Bench) -> dict[str, Any]:
    bench.emulator.auth_now = bench.emulator.clock.now() - TOO_MUCH
    return {}


def with_a_number_for_what_is_missing(bench: Bench) -> dict[str, Any]:
    bench.emulator.faults.add(FaultRule(operation=CREATE, status=400, code="100400027"))
    return {}


def with_a_number_for_what_is_not_allowed(bench: Bench) -> dict[str, Any]:
    bench.emulator.faults.add(FaultRule(operation=CREATE, status=400, code="100600017"))
    return {}


PLACE = "Check the id, and that the connection's region, workspace and account are the ones it belongs to."
CLOCK = "The clock of this machine is more than 15 minutes off; set it."
ROLE = "Check the RAM permissions of the connection's user and its role in the workspace."
MISSING_WORKSPACE = f"The workspace {UNKNOWN_WORKSPACE} does not exist"
# What is wrong, the error's kind, its code, what its text has to hold, and how often a start was asked for.
REFUSED: list[tuple[Callable[[Bench], dict[str, Any]], type[ApiError], str, tuple[str, ...], int]] = [
    (with_an_unknown_workspace, NotFoundError, "100400008", (MISSING_WORKSPACE, PLACE), 1),
    (with_an_unknown_workspace_in_words, NotFoundError, "InvalidWorkspace.NotFound", (MISSING_WORKSPACE, PLACE), 1),
    (with_an_unknown_workspace_in_the_connection, NotFoundError, "100400008", (MISSING_WORKSPACE, PLACE), 1),
    (with_a_slow_clock, AuthenticationError, "InvalidTimeStamp.Expired", (CLOCK,), 0),
    (with_a_fast_clock, AuthenticationError, "InvalidTimeStamp.Expired", (CLOCK,), 0),
    (with_a_number_for_what_is_missing, NotFoundError, "100400027", (PLACE,), 1),
    (with_a_number_for_what_is_not_allowed, PermissionDeniedError, "100600017", (ROLE,), 1),
]


@pytest.mark.parametrize("deferrable", [False, True], ids=["waiting", "deferrable"])
@pytest.mark.parametrize(
    ("prepare", "kind", "code", "words", "asked"), REFUSED, ids=[case[0].__name__ for case in REFUSED]
)
def test_what_the_service_refuses_is_told_with_what_to_change(
    modelarts: Bench,
    prepare: Callable[[Bench], dict[str, Any]],
    kind: type[ApiError],
    code: str,
    words: tuple[str, ...],
    asked: int,
    deferrable: bool,
) -> None:
    operator = start_operator(pipeline_id=CHAIN, deferrable=deferrable, **prepare(modelarts))
    result = modelarts.airflow.run_to_end(operator)
    assert result.state == "failed"
    error = result.error
    assert isinstance(error, kind), repr(error)
    assert error.code == code
    told = (f"HTTP {error.status} {code}", f"request id {error.request_id}", error.operation, *words)
    assert [word for word in told if word not in str(error)] == []
    journal = modelarts.emulator.journal
    assert (journal.count(CREATE), journal.count(CREATE, effective=True)) == (asked, 0)
    assert modelarts.emulator.paiflow.runs == {}
    known = modelarts.emulator.credentials.permanent
    assert_no_secret(str(error) + result.unmasked_log, [known.ak, known.sk])


def add_talkative_pipeline(bench: Bench) -> str:
    """Two nodes, one after the other, each of which writes 250 lines within 300 seconds."""
    log = tuple(LogLine(number * 1.2, f"{{node}} line {number}") for number in range(250))
    attempt = NodeAttempt(phases(("Starting", 2), ("Running", 300), "Succeeded"), log)
    nodes = [NodeDefinition("first", (), (attempt,)), NodeDefinition("second", ("first",), (attempt,))]
    return bench.emulator.paiflow.add_pipeline(PipelineDefinition("talkative", nodes)).pipeline_id


class TestStreamedLogs:
    def expect_each_line_once(self, *logs: str) -> None:
        shown = Counter(line for log in logs for line in LINE.findall(log))
        assert {line for line, times in shown.items() if times > 1} == set()
        assert len(shown) == 500

    def test_on_a_worker(self, modelarts: Bench) -> None:
        operator = start_operator(pipeline_id=add_talkative_pipeline(modelarts), stream_logs=True)
        result = modelarts.airflow.run(operator)
        assert result.state == "success", result.log
        self.expect_each_line_once(result.log)

    def test_lines_that_show_long_after_their_node_has_ended(self, modelarts: Bench) -> None:
        modelarts.emulator.switches.log_lag = 45.0
        log = (LogLine(1, "{node} line 1"), LogLine(30, "{node} line 2"))
        early = NodeAttempt(phases(("Running", 30), "Succeeded"), log)
        later = NodeAttempt(phases(("Running", 300), "Succeeded"))
        nodes = [NodeDefinition("first", (), (early,)), NodeDefinition("second", ("first",), (later,))]
        pipeline = modelarts.emulator.paiflow.add_pipeline(PipelineDefinition("late", nodes))
        result = modelarts.airflow.run(start_operator(pipeline_id=pipeline.pipeline_id, stream_logs=True))
        assert result.state == "success", result.log
        assert LINE.findall(result.log) == ["first line 1", "first line 2"]

    def add_failing(self, bench: Bench, end: str = "Failed") -> str:
        """A pipeline whose one node writes a line each second and fails after twenty."""
        log = tuple(LogLine(second, f"{{node}} line {second}") for second in range(1, 21))
        attempt = NodeAttempt(phases(("Running", 20), end), log, "no space left")
        definition = PipelineDefinition("failing", [NodeDefinition("first", (), (attempt,))])
        return bench.emulator.paiflow.add_pipeline(definition).pipeline_id

    @pytest.mark.parametrize("deferrable", [False, True], ids=["worker", "triggerer"])
    @pytest.mark.parametrize("stream_logs", [False, True])
    def test_last_words_that_show_when_the_run_is_over(
        self, modelarts: Bench, deferrable: bool, stream_logs: bool
    ) -> None:
        modelarts.emulator.switches.log_lag = 8.0
        task = start_operator(
            pipeline_id=self.add_failing(modelarts), stream_logs=stream_logs, deferrable=deferrable, poll_interval=2.0
        )
        result = modelarts.airflow.run_to_end(task)
        assert "first line 20" in str(result.error)
        assert not stream_logs or "[first] first line 20" in result.log

    @pytest.mark.parametrize("ahead", [-60.0, 60.0])
    def test_last_words_by_the_services_clock(
        self, modelarts: Bench, ahead: float, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        modelarts.emulator.switches.log_lag = 8.0
        tell = modelarts.clock.time
        monkeypatch.setattr(modelarts.clock, "time", lambda: tell() + ahead)
        result = modelarts.airflow.run(start_operator(pipeline_id=self.add_failing(modelarts), poll_interval=2.0))
        assert "first line 20" in str(result.error)

    def test_last_words_of_a_suspended_run(self, modelarts: Bench) -> None:
        modelarts.emulator.switches.log_lag = 8.0
        pipeline = self.add_failing(modelarts, "Suspended")
        result = modelarts.airflow.run(start_operator(pipeline_id=pipeline, poll_interval=2.0))
        assert "first line 20" in str(result.error)

    def test_no_run_is_failed_for_its_last_words(self, modelarts: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
        def sleep(seconds: float, bell: object = None) -> None:
            modelarts.clock.advance(seconds)
            if seconds > 2.0:
                raise AirflowTaskTimeout

        monkeypatch.setattr(modelarts.clock, "sleep", sleep)
        task = start_operator(pipeline_id=add_talkative_pipeline(modelarts), stream_logs=True, poll_interval=1.0)
        result = modelarts.airflow.run(task)
        assert result.state == "success", result.log
        assert "not waiting for its log" in result.log
        assert result.xcoms["run"]["state"] == "succeeded"

    @pytest.mark.parametrize("task", [PaiFlowTerminateOperator, PaiFlowRunSensor])
    def test_nobody_waits_for_what_nobody_shows(self, modelarts: Bench, task: Any) -> None:
        run_id = modelarts.emulator.paiflow.start(self.add_failing(modelarts)).run_id
        modelarts.clock.advance(21)
        began = modelarts.clock.time()
        modelarts.airflow.run(task(task_id="look", run_id=run_id))
        assert modelarts.clock.time() - began < 1

    def test_a_run_that_has_ended_long_ago_is_not_waited_for(self, modelarts: Bench) -> None:
        run_id = modelarts.emulator.paiflow.start(CHAIN).run_id
        modelarts.clock.advance(3600)
        began = modelarts.clock.time()
        result = modelarts.airflow.run(PaiFlowRerunOperator(task_id="rerun", run_id=run_id, stream_logs=True))
        assert modelarts.clock.time() - began < PaiFlowHook.log_lag, result.log

    def test_across_deferral_and_restarts_of_the_triggerer(self, modelarts: Bench) -> None:
        operator = start_operator(pipeline_id=add_talkative_pipeline(modelarts), stream_logs=True, deferrable=True)
        deferred = modelarts.airflow.run(operator)
        logs = [deferred.log, *(self.cut_short(modelarts) for _ in range(5))]
        outcome = modelarts.airflow.run_trigger()
        resumed: TaskResult = modelarts.airflow.resume(operator, outcome.payload)
        assert resumed.state == "success", resumed.log
        assert all(LINE.search(log) for log in logs[1:])
        self.expect_each_line_once(*logs, outcome.unmasked_log, resumed.log)

    def cut_short(self, bench: Bench) -> str:
        """The log of a trigger whose triggerer is shut down after some lines."""

        async def live() -> str:
            async with bench.airflow.start_trigger() as trigger:
                await trigger.wait_until_logged(" line ")
                await trigger.shut_down()
                return trigger.log.unmasked

        return asyncio.run(live())
