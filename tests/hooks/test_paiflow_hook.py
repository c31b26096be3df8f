"""What the hook makes of PAIFlow, and how few requests it needs; the service is a function of each request."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import formatdate
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from airflow_provider_mlworkflows.clouds.alibaba.credentials import AccessKey, AlibabaAccount
from airflow_provider_mlworkflows.clouds.alibaba.errors import read_refusal
from airflow_provider_mlworkflows.clouds.client import Client, Patience
from airflow_provider_mlworkflows.clouds.http import WireReply
from airflow_provider_mlworkflows.clouds.issued import Fixed
from airflow_provider_mlworkflows.clouds.replies import Service
from airflow_provider_mlworkflows.exceptions import (
    ApiError,
    AuthenticationError,
    BadRequestError,
    InvalidInputError,
    MLWorkflowsError,
    NotFoundError,
    PermissionDeniedError,
    ServerError,
    ThrottledError,
    TransportError,
    UnexpectedReplyError,
)
from airflow_provider_mlworkflows.hooks.paiflow import PaiFlowHook
from airflow_provider_mlworkflows.hooks.paiflow_batches import MOST_PARTS, PIECES
from airflow_provider_mlworkflows.runs import Run, RunRef, RunState, Step
from airflow_provider_mlworkflows.watching import POLL_ERROR_LIMIT
from tests.clouds.paiflow_support import PIPELINE, RUN, AnsweringNetwork, node
from tests.clouds.support import NOON, FakeClock, json_reply
from tests.harness.task_log import captured

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow_provider_mlworkflows.clouds.http import WireRequest

Answers = dict[str, Any]
REF = RunRef(PIPELINE, RUN)
FINE = {"RequestId": "r"}


def refused(code: str, status: int = 400, text: str = "m") -> WireReply:
    return json_reply({"Code": code, "Message": text, "RequestId": "r"}, status=status)


def page(status: int) -> WireReply:
    """What a gateway says by itself."""
    return WireReply(status, {}, b"<html>nginx</html>")


def shown(status: str, **fields: Any) -> Answers:
    return {"RequestId": "r", "PipelineRunId": RUN, "Status": status, "NodeId": "root", **fields}


class Bench:
    """A hook, and a service that answers each operation with the next of its replies, the last one for ever."""

    def __init__(self, answers: Answers | Callable[[WireRequest], WireReply], **options: Any) -> None:
        self.clock = FakeClock()
        self.wire = AnsweringNetwork(answer=answers if callable(answers) else self._next)
        self._answers = answers if not callable(answers) else {}
        self.hook = PaiFlowHook(clock=self.clock, **options)
        self.hook.__dict__["client"] = Client(
            Service("PAIFlow", "https://paiflow.example.com", read_refusal),
            AlibabaAccount(Fixed(AccessKey("ak", "sk-of-nobody")), "84321"),
            region="cn-hangzhou",
            connectivity=self.wire,
            patience=Patience(attempts=1),
            clock=self.clock,
        )

    def _next(self, request: WireRequest) -> WireReply:
        reply = self._answers[request.headers["x-acs-action"]]
        if isinstance(reply, list):
            reply = reply.pop(0) if len(reply) > 1 else reply[0]
        return json_reply(reply) if isinstance(reply, dict) else reply

    def body(self, number: int = -1) -> Any:
        """The body of a request."""
        return json.loads(self.wire.sent[number].content)


class TestGetRun:
    TREE = node(RUN, "Running", node("read"), node("loop", "Running", node("train", "Running"), kind="Loop"))

    def test_with_nodes_at_any_depth_and_without_the_root(self) -> None:
        bench = Bench({"GetPipelineRun": shown("Running"), "GetPipelineRunNode": self.TREE})

        run = bench.hook.get_run(REF)

        assert (run.ref, run.state) == (REF, RunState.ACTIVE)
        assert [step.name for step in run.steps] == ["read", "loop", "loop/train"]
        assert run.url == (
            f"https://pai.console.aliyun.com/?regionId=cn-hangzhou&workspaceId=84321#/studio/task/detail/{RUN}"
        )
        assert bench.wire.operations() == ["GetPipelineRun", "GetPipelineRunNode"]

    def test_in_an_event_loop(self) -> None:
        bench = Bench({"GetPipelineRun": shown("Running"), "GetPipelineRunNode": self.TREE})
        assert asyncio.run(bench.hook.get_run.aio(REF)).state is RunState.ACTIVE

    def test_before_it_has_a_root(self) -> None:
        run = Bench({"GetPipelineRun": shown("ReadyToSchedule", NodeId="")}).hook.get_run(REF)
        assert (run.state, run.steps) == (RunState.ACTIVE, ())

    def test_whose_root_is_not_to_be_seen_yet(self) -> None:
        bench = Bench({"GetPipelineRun": shown("Running"), "GetPipelineRunNode": refused("200300002", 404)})
        assert bench.hook.get_run(REF).steps == ()

    def test_that_is_over_has_its_outputs(self) -> None:
        model = {"Name": "model", "Type": "Model", "NodeId": "node-read", "Info": {"value": '{"location": "x"}'}}
        bench = Bench(
            {
                "GetPipelineRun": shown("Succeeded"),
                "GetPipelineRunNode": node(RUN, "Succeeded", node("read")),
                "ListPipelineRunNodeOutputs": [{"Outputs": [model]}, {"Outputs": []}],
            }
        )
        assert bench.hook.get_run(REF).outputs == {
            "read": {"model": {"type": "Model", "value": {"location": "x"}, "metadata": {}}}
        }

    @staticmethod
    def over(outputs: Any) -> Bench:
        """A run that has succeeded, and how the service answers when asked what it has put out."""
        return Bench(
            {
                "GetPipelineRun": shown("Succeeded"),
                "GetPipelineRunNode": node(RUN, "Succeeded"),
                "ListPipelineRunNodeOutputs": outputs,
            }
        )

    @pytest.mark.parametrize(
        "answer",
        [
            refused("NoPermission", 403),
            refused("200300002", 404),
            {"Outputs": "none"},
            {"Outputs": [{"Name": ["m"]}]},
            {"Other": 1},
        ],
    )
    def test_is_what_it_is_without_outputs_that_cannot_be_read(self, answer: Any) -> None:
        with captured() as log:
            run = self.over(answer).hook.get_run(REF)
        assert (run.state, run.outputs, run.unread) == (RunState.SUCCEEDED, {}, None)
        assert f"The outputs of run {RUN} cannot be read. " in log.unmasked

    @pytest.mark.parametrize("answer", [refused("InternalError", 500), refused("ServiceUnavailable", 503)])
    def test_tells_of_outputs_that_cannot_be_read_just_now(self, answer: Any) -> None:
        run = self.over(answer).hook.get_run(REF)
        assert (run.state, run.outputs, run.has_steps) == (RunState.SUCCEEDED, {}, True)
        assert isinstance(run.unread, ServerError)

    @pytest.mark.parametrize(
        ("answer", "kind"),
        [
            (refused("200400004", 404), NotFoundError),
            (refused("InternalError", 500), ServerError),
            (refused("InvalidParameter", 400), BadRequestError),
            ({"Spec": 1}, UnexpectedReplyError),
        ],
    )
    def test_is_what_it_is_without_nodes_that_cannot_be_read(self, answer: Any, kind: type[MLWorkflowsError]) -> None:
        answers = {"GetPipelineRun": shown("Succeeded"), "GetPipelineRunNode": answer}
        run = Bench({**answers, "ListPipelineRunNodeOutputs": {"Outputs": []}}).hook.get_run(REF)
        assert (run.state, run.steps, run.has_steps) == (RunState.SUCCEEDED, (), False)
        assert isinstance(run.unread, kind)

    @pytest.mark.parametrize(
        ("answer", "kind"),
        [
            (refused("InvalidAccessKeyId.NotFound", 404), AuthenticationError),
            (refused("Throttling.User", 429), ThrottledError),
        ],
    )
    def test_is_read_again_if_its_outputs_may_yet_be_told(self, answer: Any, kind: type[Exception]) -> None:
        with pytest.raises(kind):
            self.over(answer).hook.get_run(REF)

    def test_is_read_again_if_there_was_no_answer_about_its_outputs(self) -> None:
        def answer(request: WireRequest) -> WireReply:
            if request.headers["x-acs-action"] == "ListPipelineRunNodeOutputs":
                raise TransportError("cut off")
            named = {"GetPipelineRun": shown("Succeeded"), "GetPipelineRunNode": node(RUN, "Succeeded")}
            return json_reply(named[request.headers["x-acs-action"]])

        with pytest.raises(TransportError, match="cut off"):
            Bench(answer).hook.get_run(REF)

    def test_that_does_not_exist(self) -> None:
        with pytest.raises(NotFoundError):
            Bench({"GetPipelineRun": refused("InvalidPipelineRun.NotFound", 404)}).hook.get_run(REF)

    def test_an_unknown_access_key_is_not_taken_for_a_missing_run(self) -> None:
        with pytest.raises(AuthenticationError):
            Bench({"GetPipelineRun": refused("InvalidAccessKeyId.NotFound", 404)}).hook.get_run(REF)


def runs(number: int) -> list[RunRef]:
    return [RunRef("", f"flow-{i}") for i in range(number)]


class Statuses:
    """The batch read of a service that is particular about what it is asked."""

    def __init__(
        self,
        *,
        bad: str = "",
        bad_error: WireReply | None = None,
        known_alone: bool = False,
        limit: int = 10**9,
        size_error: WireReply | None = None,
        missing: tuple[str, ...] = (),
    ) -> None:
        self.bad = bad
        self.bad_error = bad_error or refused("200300003", text=f"{bad} is malformed")
        self.known_alone = known_alone
        self.limit = limit
        self.size_error = size_error or refused("InvalidParameter", text="PipelineRuns exceeds the limit")
        self.missing = missing
        self.sizes: list[int] = []

    def __call__(self, request: WireRequest) -> WireReply:
        if request.headers["x-acs-action"] == "GetPipelineRun":
            run_id = request.url.rpartition("/")[2]
            if run_id == self.bad and not self.known_alone:
                return self.bad_error
            missing = run_id in self.missing[1:]
            return refused("RunNotFound", 404) if missing else json_reply(shown("Running", PipelineRunId=run_id))
        wanted = json.loads(request.content)["PipelineRuns"]
        self.sizes.append(len(wanted))
        if len(wanted) > self.limit:
            return self.size_error
        if self.bad in wanted:
            return self.bad_error
        seen = [{"PipelineRunId": run, "Status": "Running"} for run in wanted if run not in self.missing]
        return json_reply({"RequestId": "r", "PipelineRuns": seen})


class TestGetRuns:
    @pytest.mark.parametrize(("options", "sizes"), [({}, [100] * 10), ({"chunk_size": 300}, [300, 300, 300, 100])])
    def test_a_thousand_in_as_many_requests_as_there_are_chunks(self, options: Answers, sizes: list[int]) -> None:
        service = Statuses()
        bench = Bench(service, **options)

        readings = bench.hook.get_runs(runs(1000))

        assert service.sizes == sizes
        assert len(bench.hook.batches(runs(1000))) == len(sizes)
        assert {type(reading) for reading in readings.values()} == {Run}
        assert list(readings) == runs(1000)

    @pytest.mark.parametrize(
        "error",
        [
            refused("InvalidParameter", text="exceeds the limit"),
            refused("X", 413),
            refused("TooManyRuns"),
            refused("InvalidParameter", text="at most 20"),
            *(page(status) for status in (413, 414, 431)),
        ],
    )
    def test_a_chunk_that_is_too_large_is_halved_for_good(self, error: WireReply) -> None:
        service = Statuses(limit=20, size_error=error)
        bench = Bench(service, chunk_size=50)

        readings = bench.hook.get_runs(runs(100))

        assert all(isinstance(reading, Run) for reading in readings.values())
        assert len(readings) == 100
        assert service.sizes[:3] == [50, 25, 13]
        service.sizes.clear()
        bench.hook.get_runs(runs(100))
        assert service.sizes == [13] * 7 + [9]

    @pytest.mark.parametrize("status", [200, 302, 404, 405])
    def test_a_page_with_another_status_says_nothing_about_the_question(self, status: int) -> None:
        service = Statuses(limit=20, size_error=page(status))
        readings = Bench(service, chunk_size=50).hook.get_runs(runs(50))
        assert {type(reading) for reading in readings.values()} == {UnexpectedReplyError}
        assert service.sizes == [50]

    @pytest.mark.parametrize("bad", ["flow-0", "flow-17", "flow-49"])
    def test_a_bad_id_fails_for_its_owner_only(self, bad: str) -> None:
        service = Statuses(bad=bad)
        bench = Bench(service, chunk_size=50)

        readings = bench.hook.get_runs(runs(50))

        assert [ref.run_id for ref, reading in readings.items() if not isinstance(reading, Run)] == [bad]
        assert len(service.sizes) <= 14
        assert bench.hook.reader.chunk_size == 50

    def test_what_is_no_id_fails_for_its_owner_only(self) -> None:
        service = Statuses()
        refs = [*runs(50), RunRef("", " ")]

        readings = Bench(service, chunk_size=51).hook.get_runs(refs)

        assert isinstance(readings[refs[-1]], InvalidInputError)
        assert sum(isinstance(reading, Run) for reading in readings.values()) == 50

    @pytest.mark.parametrize("size", ["7", None])
    def test_the_size_of_chunks_is_configured(self, size: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
        if size is not None:
            monkeypatch.setenv("AIRFLOW__MLWORKFLOWS__PAIFLOW_CHUNK_SIZE", size)
        assert [len(batch) for batch in PaiFlowHook().batches(runs(14))] == ([7, 7] if size else [14])

    @pytest.mark.parametrize("known_alone", [False, True])
    @pytest.mark.parametrize(
        "error",
        [
            refused("InvalidParameter", text="flow-17 exceeds the limit"),
            refused("InvalidParameter", text="the maximum is 10, flow-17 is too long"),
            refused("TooLong", 413),
            refused("InvalidPipelineRun.NotFound", 404),
        ],
    )
    def test_what_is_refused_by_itself_too_is_not_too_large(self, error: WireReply, known_alone: bool) -> None:
        service = Statuses(bad="flow-17", bad_error=error, known_alone=known_alone)
        bench = Bench(service, chunk_size=50)

        readings = bench.hook.get_runs(runs(100))

        assert isinstance(readings[RunRef("", "flow-17")], Run) is known_alone
        assert sum(isinstance(reading, Run) for reading in readings.values()) == 99 + known_alone
        assert len(service.sizes) <= 14
        assert bench.hook.reader.chunk_size == 50

    def test_what_is_refused_among_others_only_is_read_by_itself_from_then_on(self) -> None:
        service = Statuses(bad="flow-17", known_alone=True)
        bench = Bench(service, chunk_size=50)
        bench.hook.get_runs(runs(50))
        before = len(bench.wire.sent)

        readings = bench.hook.get_runs(runs(50))

        assert all(isinstance(reading, Run) for reading in readings.values())
        assert sorted(readings, key=runs(50).index) == runs(50)
        assert bench.wire.operations()[before:] == ["ListPipelineRunsStatus", "GetPipelineRun"]

    def test_with_refused_credentials_it_is_not_asked_for_as_well(self) -> None:
        service = Statuses(bad="flow-17", known_alone=True)
        bench = Bench(service, chunk_size=50)
        bench.hook.get_runs(runs(50))
        before = len(bench.wire.sent)
        service.bad, service.bad_error = "flow-1", refused("SignatureDoesNotMatch", 403)

        readings = bench.hook.get_runs(runs(50))

        assert {type(reading) for reading in readings.values()} == {AuthenticationError}
        assert len(readings) == 50
        assert bench.wire.operations()[before:] == ["ListPipelineRunsStatus"]

    def test_a_chunk_that_is_too_large_and_holds_a_bad_id_is_still_halved(self) -> None:
        service = Statuses(bad="flow-17", known_alone=True, limit=20)
        bench = Bench(service, chunk_size=50)

        readings = bench.hook.get_runs(runs(50))

        assert all(isinstance(reading, Run) for reading in readings.values())
        assert bench.hook.reader.chunk_size == 13

    @pytest.mark.parametrize(
        "error", [refused("X"), refused("RunNotFound", 404), refused("Odd", 200), refused("100500099", 200)]
    )
    @pytest.mark.parametrize("number", [1, 2, 3, 100])
    def test_a_batch_read_that_is_refused_whatever_it_is_asked_for_costs_little(
        self, error: WireReply, number: int
    ) -> None:
        service = Statuses(limit=0, size_error=error)
        bench = Bench(service)

        with captured() as log:
            first, second = bench.hook.get_runs(runs(number)), bench.hook.get_runs(runs(number))

        for readings in (first, second):
            assert set(readings) == set(runs(number))
            assert {type(reading) for reading in readings.values()} == {Run}
        assert log.unmasked.count("cannot be read together") == 1
        assert len(service.sizes) <= 2 * 15
        assert len(bench.wire.sent) - len(service.sizes) == 2 * number
        service.limit = 100
        service.sizes.clear()
        bench.hook.get_runs(runs(number))
        assert sum(service.sizes) >= number - 4
        assert len(service.sizes) == (number > 4 or sum(service.sizes) > 0)
        assert bench.hook.reader.chunk_size == 100

    @pytest.mark.parametrize(
        "loners", [{0, 50}, {0, 1}, {0, 99}, {50, 99}, {0, 25, 50, 75, 99}, set(range(0, 100, 7)), {*range(5)}]
    )
    def test_runs_that_are_refused_in_company_are_all_found(self, loners: set[int]) -> None:
        alone = {f"flow-{number}" for number in loners}
        sizes: list[int] = []

        def service(request: WireRequest) -> WireReply:
            if request.headers["x-acs-action"] == "GetPipelineRun":
                return json_reply(shown("Running", PipelineRunId=request.url.rpartition("/")[2]))
            wanted = json.loads(request.content)["PipelineRuns"]
            sizes.append(len(wanted))
            if alone & set(wanted):
                return refused("Odd")
            return json_reply({"PipelineRuns": [{"PipelineRunId": run, "Status": "Running"} for run in wanted]})

        bench = Bench(service)
        for _ in range(4):
            sizes.clear()
            readings = bench.hook.get_runs(runs(100))
            assert {type(reading) for reading in readings.values()} == {Run}
        assert sizes == [100 - len(loners)]
        assert bench.hook.reader.chunk_size == 100

    def test_runs_that_are_refused_together_are_not_too_many(self) -> None:
        sizes: list[int] = []

        def service(request: WireRequest) -> WireReply:
            wanted = json.loads(request.content)["PipelineRuns"]
            sizes.append(len(wanted))
            if {"flow-100", "flow-101"} <= set(wanted):
                return refused("Odd")
            return json_reply({"PipelineRuns": [{"PipelineRunId": run, "Status": "Running"} for run in wanted]})

        bench = Bench(service)
        for _ in range(2):
            sizes.clear()
            bench.hook.get_runs(runs(102))
        assert sizes == [100, 2, 1, 1]
        assert bench.hook.reader.chunk_size == 100

    @pytest.mark.parametrize("error", [refused("RequestTimeout", 408), refused("BackendTimeout", 400)])
    def test_too_large_a_chunk_may_take_too_long(self, error: WireReply) -> None:
        service = Statuses(limit=50, size_error=error)
        bench = Bench(service)
        readings = bench.hook.get_runs(runs(100))
        assert {type(reading) for reading in readings.values()} == {Run}
        assert bench.hook.reader.chunk_size == 50

    def test_an_answer_in_which_nothing_is_a_run_is_no_answer(self) -> None:
        odd = {"PipelineRuns": [{"PipelineRunId": f"flow-{i}", "Status": {}} for i in range(3)]}
        readings = Bench({"ListPipelineRunsStatus": odd}).hook.get_runs(runs(3))
        assert {type(reading) for reading in readings.values()} == {UnexpectedReplyError}

    def test_a_chunk_that_was_refused_for_a_moment_is_asked_for_again_as_it_is(self) -> None:
        service = Statuses()
        moments = [refused("X")]
        bench = Bench(lambda request: moments.pop() if moments else service(request), chunk_size=100)

        readings = bench.hook.get_runs(runs(100))

        assert {type(reading) for reading in readings.values()} == {Run}
        assert service.sizes == [50, 50, 100]
        service.sizes.clear()
        bench.hook.get_runs(runs(100))
        assert service.sizes == [100]

    def test_some_bad_ids_at_the_beginning_are_not_taken_for_a_batch_read_that_never_works(self) -> None:
        service = Statuses()

        def answer(request: WireRequest) -> WireReply:
            is_bad = '"flow-0"' in request.content.decode() or '"flow-1"' in request.content.decode()
            return refused("X") if is_bad else service(request)

        bench = Bench(answer)
        bench.hook.get_runs(runs(100))
        before = len(bench.wire.sent)

        readings = bench.hook.get_runs(runs(100))

        assert {type(reading) for reading in readings.values()} == {Run}
        assert bench.wire.operations()[before:] == ["ListPipelineRunsStatus", "GetPipelineRun", "GetPipelineRun"]

    def test_what_fails_for_another_reason_shrinks_nothing(self) -> None:
        broken, odd = refused("InternalError", 500), refused("InvalidParameter", text="odd")
        bench = Bench({"ListPipelineRunsStatus": [odd, broken]}, chunk_size=4)
        readings = bench.hook.get_runs(runs(4))
        assert {type(reading) for reading in readings.values()} == {ServerError}
        assert bench.hook.reader.chunk_size == 4

    def test_what_is_missing_from_the_answer_is_read_by_itself(self) -> None:
        bench = Bench(Statuses(missing=("flow-1", "flow-2")))

        readings = bench.hook.get_runs(runs(4))

        assert isinstance(readings[RunRef("", "flow-1")], Run)
        assert isinstance(readings[RunRef("", "flow-2")], NotFoundError)
        assert bench.wire.operations() == ["ListPipelineRunsStatus", "GetPipelineRun", "GetPipelineRun"]

    @pytest.mark.parametrize(
        "malformed",
        [
            {"PipelineRunId": None, "Status": "Failed"},
            {"PipelineRunId": "flow-1", "Status": ["Failed"]},
            {"PipelineRunId": "flow-1", "Status": "Failed", "IsDeleted": "who knows"},
            {"Status": "Failed"},
            "flow-1",
            None,
            [],
        ],
    )
    def test_what_cannot_be_read_in_the_answer_is_read_by_itself(self, malformed: Any) -> None:
        seen = [{"PipelineRunId": f"flow-{i}", "Status": "Running"} for i in (0, 2)]
        answer = {"PipelineRuns": [seen[0], malformed, seen[1]]}
        single = shown("Running", PipelineRunId="flow-1")
        bench = Bench({"ListPipelineRunsStatus": answer, "GetPipelineRun": single})

        readings = bench.hook.get_runs(runs(3))

        assert {type(reading) for reading in readings.values()} == {Run}
        assert bench.wire.operations() == ["ListPipelineRunsStatus", "GetPipelineRun"]
        assert bench.wire.sent[-1].url.endswith("/flow-1")

    @pytest.mark.parametrize("odd", ["flow-1\n", " flow-1", "\tflow-1 \r\n"])
    def test_blanks_around_an_id_in_the_answer_or_the_question_do_not_matter(self, odd: str) -> None:
        seen = [{"PipelineRunId": each, "Status": "Running\n", "Name": "n\n"} for each in ("flow-0", odd)]
        bench = Bench({"ListPipelineRunsStatus": {"PipelineRuns": seen}})
        for refs in (runs(2), [RunRef("", "flow-0"), RunRef("", odd)]):
            readings = bench.hook.get_runs(refs)
            assert [(run.name, run.status) for run in readings.values() if isinstance(run, Run)] == [
                ("n", "Running")
            ] * 2
        assert bench.wire.operations() == ["ListPipelineRunsStatus"] * 2

    def test_a_deleted_one_is_gone(self) -> None:
        seen = {"PipelineRunId": RUN, "Status": "Succeeded", "IsDeleted": True}
        reading = Bench({"ListPipelineRunsStatus": {"PipelineRuns": [seen]}}).hook.get_runs([REF])[REF]
        assert isinstance(reading, NotFoundError)
        assert "deleted" in str(reading)

    @pytest.mark.parametrize("change", [{"Status": "Terminating"}, {"Name": "other"}, {"IsDeleted": True}])
    def test_one_that_is_shown_unchanged_is_the_same_object(self, change: dict[str, Any]) -> None:
        same = {"PipelineRunId": RUN, "Status": "Running", "Name": "nightly"}
        answers = [{"PipelineRuns": [each]} for each in (same, dict(same), same | change, same | change)]
        bench = Bench({"ListPipelineRunsStatus": answers})
        first, second, third, fourth = (bench.hook.get_runs([REF])[REF] for _ in range(4))
        assert isinstance(first, Run)
        assert first is second
        assert third != first
        assert type(third) is type(fourth)

    @pytest.mark.parametrize("status", ["Succeeded", "Failed", "Initialized"])
    def test_one_that_is_over_or_may_wait_is_judged_anew(self, status: str) -> None:
        glance = {"PipelineRuns": [{"PipelineRunId": RUN, "Status": status}]}
        bench = Bench({"ListPipelineRunsStatus": glance, "GetPipelineRun": shown(status, NodeId="")})
        bench.hook.get_runs([REF])
        second, third = (bench.hook.get_runs([REF])[REF] for _ in range(2))
        assert isinstance(second, Run)
        assert second is not third

    def test_an_id_that_two_refs_have_is_asked_for_once(self) -> None:
        bench = Bench(Statuses())
        refs = [RunRef("", "flow-1"), RunRef("p", "flow-1")]
        assert list(bench.hook.get_runs(refs)) == refs
        assert bench.body()["PipelineRuns"] == ["flow-1"]

    def test_a_run_id_that_was_rendered_to_a_number_is_read_with_the_others(self) -> None:
        ref = RunRef("", 7)  # type: ignore[arg-type]
        bench = Bench({"ListPipelineRunsStatus": {"PipelineRuns": [{"PipelineRunId": "7", "Status": "Running"}]}})
        assert isinstance(bench.hook.get_runs([ref])[ref], Run)
        assert bench.body()["PipelineRuns"] == ["7"]

    def test_without_permission_for_the_batch_each_is_read_by_itself(self) -> None:
        bench = Bench({"ListPipelineRunsStatus": refused("NoPermission", 403), "GetPipelineRun": shown("Running")})
        readings = bench.hook.get_runs(runs(3))
        assert all(isinstance(reading, Run) for reading in readings.values())
        assert len(bench.wire.sent) == 4

    def test_without_permission_for_one_the_others_are_still_read_together(self) -> None:
        service = Statuses(bad="flow-17", bad_error=refused("NoPermission", 403))
        bench = Bench(service, chunk_size=50)
        bench.hook.get_runs(runs(50))
        before = len(bench.wire.sent)

        readings = bench.hook.get_runs(runs(50))

        denied = [ref for ref, reading in readings.items() if isinstance(reading, PermissionDeniedError)]
        assert denied == [RunRef("", "flow-17")]
        assert sum(isinstance(reading, Run) for reading in readings.values()) == 49
        assert bench.wire.operations()[before:] == ["ListPipelineRunsStatus", "GetPipelineRun"]

    @pytest.mark.parametrize("refusal", [refused("InvalidAccessKeyId.Inactive", 403), refused("Throttling", 429)])
    @pytest.mark.parametrize("together", [refused("NoPermission", 403), json_reply({"PipelineRuns": []})])
    def test_what_concerns_all_is_heard_once_by_those_who_are_read_one_by_one(
        self, refusal: WireReply, together: WireReply
    ) -> None:
        bench = Bench({"ListPipelineRunsStatus": together, "GetPipelineRun": refusal})
        readings = bench.hook.get_runs(runs(50))
        assert len(readings) == 50
        assert not [reading for reading in readings.values() if isinstance(reading, Run)]
        assert bench.wire.operations() == ["ListPipelineRunsStatus", "GetPipelineRun"]

    def test_the_trouble_of_a_chunk_is_that_of_its_runs_only(self) -> None:
        broken = refused("InternalError", 500)
        good = {"PipelineRuns": [{"PipelineRunId": f"flow-{i}", "Status": "Running"} for i in (2, 3)]}
        readings = Bench({"ListPipelineRunsStatus": [broken, good]}, chunk_size=2).hook.get_runs(runs(4))
        kinds = [type(reading) for reading in readings.values()]
        assert kinds == [ServerError, ServerError, Run, Run]

    def test_the_start_of_an_initialized_one_is_waited_for_a_minute(self) -> None:
        glance = {"PipelineRuns": [{"PipelineRunId": RUN, "Status": "Initialized"}]}
        created = shown("Initialized", NodeId="", GmtCreateTime="2026-01-15T11:59:30Z")
        bench = Bench({"ListPipelineRunsStatus": glance, "GetPipelineRun": created})
        states = []
        for _ in range(4):
            (reading,) = bench.hook.get_runs([REF]).values()
            assert isinstance(reading, Run)
            states.append(reading.state)
            bench.clock.now += 20
        assert states == [RunState.ACTIVE, RunState.ACTIVE, RunState.WAITING, RunState.WAITING]
        assert bench.wire.operations().count("GetPipelineRun") == 1

    @pytest.mark.parametrize("behind", [-300, 300])
    def test_whose_clock_is_the_services_own(self, behind: int) -> None:
        def answer(request: WireRequest) -> WireReply:
            is_batch = request.headers["x-acs-action"] == "ListPipelineRunsStatus"
            seen = {"PipelineRunId": RUN, "Status": "Initialized"}
            created = shown("Initialized", NodeId="", GmtCreateTime="2026-01-15T11:59:30Z")
            told = bench.clock.now + behind
            return json_reply({"PipelineRuns": [seen]} if is_batch else created, headers={"Date": formatdate(told)})

        bench = Bench(answer)
        bench.clock.now -= behind
        states = []
        for _ in range(3):
            (reading,) = bench.hook.get_runs([REF]).values()
            assert isinstance(reading, Run)
            states.append(reading.state)
            bench.clock.now += 20
        assert states == [RunState.ACTIVE, RunState.ACTIVE, RunState.WAITING]


UNREADABLE = WireReply(200, {}, b'{"PipelineRuns": [{"PipelineRunId": "flow-17", "Name": "\xff\xfe"}]}')


class TestChunksThatFail:
    """The service answers the batch read with an error of its own, or with something unreadable."""

    @pytest.mark.parametrize("bad", ["flow-0", "flow-17", "flow-99"])
    @pytest.mark.parametrize("error", [refused("InternalError", 500), page(502), page(200), UNREADABLE])
    def test_a_run_for_which_the_service_fails_is_asked_for_alone_in_time(self, error: WireReply, bad: str) -> None:
        service = Statuses(bad=bad, bad_error=error)
        bench = Bench(service)
        troubled: Counter[str] = Counter()
        costs = []
        for _ in range(8):
            service.sizes.clear()
            readings = bench.hook.get_runs(runs(100))
            troubled.update(ref.run_id for ref, reading in readings.items() if not isinstance(reading, Run))
            costs.append(len(service.sizes))
        assert troubled.pop(bad) == 8
        assert max(troubled.values()) < POLL_ERROR_LIMIT
        assert costs[0] == 1
        assert max(costs) <= 1 + PIECES
        assert sorted(service.sizes) == [1, 99]
        assert "GetPipelineRun" not in bench.wire.operations()

    @pytest.mark.parametrize("bad", [{16, 17, 18, 19}, {0, 99}, {3, 4, 70}])
    @pytest.mark.parametrize("turned_away", [0, 5, 9])
    def test_some_runs_at_fault_take_few_others_with_them(self, bad: set[int], turned_away: int) -> None:
        at_fault = {f"flow-{number}" for number in bad}

        def service(request: WireRequest) -> WireReply:
            if turned_away and len(bench.wire.sent) % turned_away == 0:
                return refused("Throttling", 429)
            wanted = json.loads(request.content)["PipelineRuns"]
            if at_fault & set(wanted):
                return refused("InternalError", 500)
            return json_reply({"PipelineRuns": [{"PipelineRunId": run, "Status": "Running"} for run in wanted]})

        bench = Bench(service)
        given_up: set[str] = set()
        in_a_row: Counter[str] = Counter()
        for _ in range(20):
            for ref, reading in bench.hook.get_runs(runs(100)).items():
                if isinstance(reading, Run):
                    in_a_row.pop(ref.run_id, None)
                elif isinstance(reading, ServerError):
                    in_a_row[ref.run_id] += 1
                    given_up |= {ref.run_id} if in_a_row[ref.run_id] > POLL_ERROR_LIMIT else set()
        assert given_up <= at_fault
        assert turned_away or given_up == at_fault

    def test_the_size_is_learnt_beside_a_run_at_fault(self) -> None:
        service = Statuses(bad="flow-17", bad_error=refused("InternalError", 500), limit=50)
        bench = Bench(service)
        readings: Mapping[RunRef, object] = {}
        for _ in range(6):
            readings = bench.hook.get_runs(runs(100))
        assert [ref.run_id for ref, reading in readings.items() if not isinstance(reading, Run)] == ["flow-17"]
        assert bench.hook.reader.chunk_size == 50

    def test_a_search_is_gone_on_with_by_the_next_hook(self) -> None:
        service = Statuses(bad="flow-17", bad_error=refused("InternalError", 500))
        hook = Bench(service).hook
        readings: Mapping[RunRef, object] = {}
        for _ in range(5):
            former, hook = hook, Bench(service).hook
            hook.take_over(former)
            readings = hook.get_runs(runs(100))
        assert [ref.run_id for ref, reading in readings.items() if not isinstance(reading, Run)] == ["flow-17"]

    @pytest.mark.parametrize("error", [refused("InternalError", 500), page(503), UNREADABLE])
    def test_an_outage_costs_few_requests_and_leaves_nothing_behind(self, error: WireReply) -> None:
        service = Statuses(limit=0, size_error=error)
        bench = Bench(service)
        costs = []
        for _ in range(5):
            service.sizes.clear()
            readings = bench.hook.get_runs(runs(100))
            assert {type(reading) for reading in readings.values()} <= {ServerError, UnexpectedReplyError}
            costs.append(len(service.sizes))
        assert costs == [1, PIECES, PIECES, PIECES, PIECES]
        service.limit = 100
        for _ in range(2):
            service.sizes.clear()
            assert {type(reading) for reading in bench.hook.get_runs(runs(100)).values()} == {Run}
        assert service.sizes == [100]
        assert "GetPipelineRun" not in bench.wire.operations()

    def test_however_many_fail_the_parts_stay_few(self) -> None:
        bad = {f"flow-{number}" for number in range(0, 100, 7)}
        sizes: list[int] = []

        def service(request: WireRequest) -> WireReply:
            wanted = json.loads(request.content)["PipelineRuns"]
            sizes.append(len(wanted))
            if bad & set(wanted):
                return refused("InternalError", 500)
            return json_reply({"PipelineRuns": [{"PipelineRunId": run, "Status": "Running"} for run in wanted]})

        bench = Bench(service)
        for _ in range(8):
            sizes.clear()
            bench.hook.get_runs(runs(100))
            assert len(sizes) <= MOST_PARTS

    @pytest.mark.parametrize(("code", "status"), [("Throttling", 429), ("InvalidAccessKeyId.NotFound", 404)])
    def test_who_is_turned_away_is_not_asked_for_the_other_parts(self, code: str, status: int) -> None:
        service = Statuses(bad="flow-17", bad_error=refused("X", 413))
        bench = Bench(lambda request: service(request) if len(bench.wire.sent) < 4 else refused(code, status))
        readings = bench.hook.get_runs(runs(100))
        assert len(bench.wire.sent) == 4
        assert {type(reading) for reading in readings.values()} <= {Run, ThrottledError, AuthenticationError}

    def test_the_page_of_a_proxy_is_not_asked_for_by_every_run(self) -> None:
        bench = Bench(lambda request: page(400))
        readings = bench.hook.get_runs(runs(100))
        assert {type(reading) for reading in readings.values()} == {UnexpectedReplyError}
        assert bench.wire.operations() == ["ListPipelineRunsStatus"]


class TestActions:
    def test_start(self) -> None:
        bench = Bench({"CreatePipelineRun": {"PipelineRunId": RUN}})

        run = bench.hook.start_run(pipeline_id=PIPELINE, parameters={"a": 1}, source_id="marker", name="n")

        assert (run.ref, run.state, run.name, run.has_steps) == (REF, RunState.ACTIVE, "n", False)
        assert RUN in run.url
        body = bench.body()
        assert yaml.safe_load(body.pop("Arguments")) == {"arguments": {"parameters": [{"name": "a", "value": 1}]}}
        assert body == {
            "PipelineId": PIPELINE, "Name": "n", "NoConfirmRequired": True, "SourceType": "SDK", "SourceId": "marker",
            "WorkspaceId": "84321",
        }  # fmt: skip

    @pytest.mark.parametrize(("given", "is_sent"), [(True, True), (None, True), (False, False)])
    def test_whether_it_is_to_start_is_always_told(self, given: bool | None, is_sent: bool) -> None:
        bench = Bench({"CreatePipelineRun": {"PipelineRunId": RUN}})
        run = bench.hook.start_run(pipeline_id=PIPELINE, no_confirm_required=given)
        assert bench.body()["NoConfirmRequired"] is is_sent
        assert run.state is (RunState.ACTIVE if is_sent else RunState.WAITING)

    def test_one_created_unstarted_waits_at_once(self) -> None:
        bench = Bench({"CreatePipelineRun": {"PipelineRunId": RUN}, "StartPipelineRun": FINE})

        run = bench.hook.start_run(pipeline_id=PIPELINE, no_confirm_required=False)

        assert run.state is RunState.WAITING
        (gate,) = run.waiting_steps
        bench.hook.continue_step(run, gate, {})
        assert bench.wire.operations() == ["CreatePipelineRun", "StartPipelineRun"]

    def test_no_other_step_can_be_continued(self) -> None:
        bench = Bench({})
        run = Run(REF, RunState.ACTIVE, "Running")
        gate = Step("start", "start", RunState.WAITING, "Initialized", is_gate=True)
        for step, inputs in ((Step("n", "train", RunState.ACTIVE, "Running"), {}), (gate, {"a": 1})):
            with pytest.raises(InvalidInputError):
                bench.hook.continue_step(run, step, inputs)

    @pytest.mark.parametrize(("marker", "found"), [("marker", True), ("mark", False)])
    def test_find_by_the_exact_marker(self, marker: str, found: bool) -> None:
        bench = Bench({"ListPipelineRuns": {"PipelineRuns": [shown("Running", SourceId="marker")]}})

        run = bench.hook.find_run(marker, workflow_id=PIPELINE)

        assert (run is not None) is found
        assert run is None or run.ref == REF
        assert f"SourceId={marker}" in bench.wire.sent[0].url
        assert "WorkspaceId=84321" in bench.wire.sent[0].url

    @pytest.mark.parametrize("behind", [-300, 300])
    @pytest.mark.parametrize(("age", "state"), [(30, RunState.ACTIVE), (90, RunState.WAITING)])
    def test_found_unstarted_it_is_as_old_as_the_services_clock_says(
        self, behind: int, age: int, state: RunState
    ) -> None:
        created = datetime.fromtimestamp(NOON - age, UTC).isoformat()
        page = {"PipelineRuns": [shown("Initialized", SourceId="marker", GmtCreateTime=created)]}
        bench = Bench({"ListPipelineRuns": json_reply(page, headers={"Date": formatdate(NOON)})})
        bench.clock.now -= behind
        run = bench.hook.find_run("marker")
        assert run is not None
        assert run.state is state

    @pytest.mark.parametrize("status", ["Initialized", "Running", "Suspended", "Unknown"])
    def test_stop(self, status: str) -> None:
        bench = Bench({"GetPipelineRun": shown(status), "TerminatePipelineRun": FINE})
        assert bench.hook.stop_run(REF) is True
        assert bench.wire.operations() == ["GetPipelineRun", "TerminatePipelineRun"]

    @pytest.mark.parametrize("status", ["Terminating", "Terminated", "Succeeded", "Failed", "Skipped"])
    def test_stop_of_what_is_over(self, status: str) -> None:
        bench = Bench({"GetPipelineRun": shown(status)})
        assert bench.hook.stop_run(REF) is False
        assert bench.wire.operations() == ["GetPipelineRun"]

    def test_stop_of_what_ends_meanwhile(self) -> None:
        answers = {
            "GetPipelineRun": [shown("Running"), shown("Succeeded")],
            "TerminatePipelineRun": refused("200300004"),
        }
        assert Bench(answers).hook.stop_run(REF) is False

    def test_stop_that_is_refused(self) -> None:
        with pytest.raises(BadRequestError):
            Bench({"GetPipelineRun": shown("Running"), "TerminatePipelineRun": refused("200300004")}).hook.stop_run(REF)

    def test_repair_runs_the_failed_nodes_again(self) -> None:
        bench = Bench({"RerunPipelineRun": FINE})
        bench.hook.repair_run(Run(REF, RunState.FAILED, "Failed"))
        assert [request.headers["x-acs-action"] for request in bench.wire.sent] == ["RerunPipelineRun"]

    def test_arguments_are_checked_against_a_stored_pipeline(self) -> None:
        manifest = {"spec": {"inputs": {"parameters": [{"name": "rounds", "type": "Int"}]}}}
        stored = {"PipelineId": PIPELINE, "Manifest": yaml.safe_dump(manifest)}
        bench = Bench({"GetPipeline": stored})

        text = bench.hook.checked_arguments(pipeline_id=PIPELINE, parameters={"rounds": "3"})

        assert yaml.safe_load(text or "")["arguments"]["parameters"] == [{"name": "rounds", "value": 3}]
        with pytest.raises(InvalidInputError, match="Did you mean 'rounds'"):
            bench.hook.checked_arguments(pipeline_id=PIPELINE, parameters={"round": 3})

    @pytest.mark.parametrize("odd", ["2026-01-01", ".inf", "{1: x}"])
    def test_what_else_a_stored_pipeline_holds_is_the_services_business(self, odd: str) -> None:
        stored = (
            f"spec:\n  inputs:\n    parameters:\n    - {{name: rounds, type: Int}}\n    - {{name: day, value: {odd}}}"
        )
        bench = Bench({"GetPipeline": {"PipelineId": PIPELINE, "Manifest": stored}})
        text = bench.hook.checked_arguments(pipeline_id=PIPELINE, parameters={"rounds": 3})
        assert yaml.safe_load(text or "")["arguments"]["parameters"] == [{"name": "rounds", "value": 3}]

    def test_arguments_of_a_pipeline_in_an_unknown_form_are_left_to_the_service(self) -> None:
        bench = Bench({"GetPipeline": {"PipelineId": PIPELINE, "Manifest": "<odd>: ["}})
        assert bench.hook.checked_arguments(pipeline_id=PIPELINE, parameters={"a": 1})


class Logs:
    """Nodes with a line each, or with a refusal."""

    def __init__(self, **refusals: WireReply) -> None:
        self.refusals = refusals

    def __call__(self, request: WireRequest) -> WireReply:
        node_id = request.url.partition("/nodes/")[2].partition("/")[0]
        is_first = "Offset=0&" in request.url
        return self.refusals.get(node_id) or json_reply({"Logs": [f"line of {node_id}"] if is_first else []})


def three_nodes(state: RunState) -> Run:
    noon = datetime(2026, 1, 15, 12, tzinfo=UTC)
    steps = tuple(Step(name, name, state, state.value, started_at=noon) for name in "abc")
    return Run(REF, state, state.value, steps=steps)


class TestWhatRunsLeaveBehind:
    FAILED = Run(
        REF,
        RunState.FAILED,
        "Failed",
        steps=(
            Step("n1", "sub", RunState.FAILED, "Failed"),
            Step("n2", "sub/train", RunState.FAILED, "Failed"),
            Step("n3", "read", RunState.SUCCEEDED, "Succeeded"),
        ),
    )

    def test_the_last_lines_of_what_failed_by_itself(self) -> None:
        newest = [f"line {i}" for i in range(60, 0, -1)]
        bench = Bench({"ListPipelineRunNodeLogs": {"Logs": newest}})

        log = bench.hook.get_failure_log(self.FAILED).splitlines()

        assert log[0] == "Last log lines of step sub/train:"
        assert (log[1], log[-1], len(log)) == ("line 11", "line 60", 51)
        assert [request.url.partition("?")[2] for request in bench.wire.sent] == ["Offset=0&PageSize=50&Reverse=true"]

    def test_no_log_is_no_error(self) -> None:
        bench = Bench({"ListPipelineRunNodeLogs": refused("NodeNotFound", 404)})
        assert bench.hook.get_failure_log(self.FAILED) == ""

    def test_new_lines_are_told_once_and_a_node_that_is_over_is_left_in_peace(self) -> None:
        noon = datetime(2026, 1, 15, 12, tzinfo=UTC)
        run = Run(
            REF,
            RunState.ACTIVE,
            "Running",
            steps=(
                Step("n1", "sub", RunState.ACTIVE, "Running", started_at=noon),
                Step("n2", "sub/train", RunState.SUCCEEDED, "Succeeded", started_at=noon, updated_at=noon),
                Step("n3", "later", RunState.ACTIVE, "ReadyToSchedule"),
            ),
        )
        bench = Bench({"ListPipelineRunNodeLogs": [{"Logs": ["c", "d"]}, {"Logs": []}]})

        new = bench.hook.get_new_log(run, {"n2": 2})

        assert (new.lines, new.cursor) == ((("sub/train", "c"), ("sub/train", "d")), {"n2": 4})
        assert "/nodes/n2/logs?Offset=2&" in bench.wire.sent[0].url
        assert bench.hook.get_new_log(run, new.cursor).lines == ()
        asked = len(bench.wire.sent)
        assert bench.hook.get_new_log(run, new.cursor).lines == ()
        assert len(bench.wire.sent) == asked

    def test_once_the_run_is_over_every_node_is_asked_for_late_lines(self) -> None:
        noon = datetime(2026, 1, 15, 12, tzinfo=UTC)
        step = Step("n1", "train", RunState.SUCCEEDED, "Succeeded", started_at=noon, updated_at=noon)
        going_on = Run(REF, RunState.ACTIVE, "Running", steps=(step,))
        over = Run(REF, RunState.SUCCEEDED, "Succeeded", steps=(step,))
        none: Answers = {"Logs": []}
        bench = Bench({"ListPipelineRunNodeLogs": [{"Logs": ["a"]}, none, none, {"Logs": ["late"]}, none]})
        told: list[tuple[str, str]] = []
        asked: list[int] = []
        cursor: Mapping[str, int] = {}
        for run in (going_on, going_on, going_on, over, over, over):
            new = bench.hook.get_new_log(run, cursor)
            told += new.lines
            cursor = new.cursor
            asked.append(len(bench.wire.sent))

        assert told == [("train", "a"), ("train", "late")]
        assert asked[1] == asked[2] < asked[3]
        assert asked[4] == asked[5]

    def test_a_node_without_a_log_has_no_new_lines(self) -> None:
        step = Step("n1", "a", RunState.ACTIVE, "Running", started_at=datetime(2026, 1, 15, 12, tzinfo=UTC))
        bench = Bench({"ListPipelineRunNodeLogs": refused("NodeNotFound", 404)})
        assert bench.hook.get_new_log(Run(REF, RunState.ACTIVE, "Running", steps=(step,)), {}).lines == ()

    def test_the_last_lines_of_an_attempt_are_told_though_another_has_begun(self) -> None:
        noon = datetime(2026, 1, 15, 12, tzinfo=UTC)
        logs = {"n1": ["began"], "n2": []}

        def answer(request: WireRequest) -> WireReply:
            node_id, _, query = request.url.partition("/nodes/")[2].partition("/logs?Offset=")
            return json_reply({"Logs": logs[node_id][int(query.partition("&")[0]) :]})

        bench = Bench(answer)
        first = Step("n1", "train", RunState.ACTIVE, "Running", started_at=noon)
        second = Step("n2", "train", RunState.ACTIVE, "Running", attempt=2, started_at=noon, earlier_ids=("n1",))
        told: list[tuple[str, str]] = []
        asked: list[list[str]] = []
        cursor: Mapping[str, int] = {}
        for step, node_id, line in (
            (first, "n1", "out of memory"),
            (second, "n2", "began again"),
            (second, "n1", "late"),
            (second, "n2", "goes on"),
            (replace(second, state=RunState.SUCCEEDED), "n1", "later still"),
        ):
            before = len(bench.wire.sent)
            state = step.state if step.state.is_terminal else RunState.ACTIVE
            new = bench.hook.get_new_log(Run(REF, state, "Running", steps=(step,)), cursor)
            told += new.lines
            cursor = new.cursor
            asked.append([request.url.partition("/nodes/")[2][:2] for request in bench.wire.sent[before:]])
            logs[node_id].append(line)

        assert [line for _, line in told] == ["began", "out of memory", "began again", "late", "goes on"]
        assert {name for name, _ in told} == {"train"}
        assert cursor == {"n1": 3, "n2": 2}
        assert asked == [["n1", "n1"], ["n1", "n1", "n2"], ["n1", "n2", "n2"], ["n2"], ["n1", "n1", "n2", "n2"]]

    def test_an_earlier_attempt_is_left_in_peace_once_nothing_new_comes_from_it(self) -> None:
        noon = datetime(2026, 1, 15, 12, tzinfo=UTC)
        step = Step("n2", "train", RunState.ACTIVE, "Running", started_at=noon, earlier_ids=("n0", "n1"))
        bench = Bench({"ListPipelineRunNodeLogs": {"Logs": []}})
        for state in (RunState.ACTIVE, RunState.ACTIVE, RunState.FAILED, RunState.FAILED):
            bench.hook.get_new_log(Run(REF, state, state.value, steps=(step,)), {})
        asked = [request.url.partition("/nodes/")[2][:2] for request in bench.wire.sent]
        assert asked == ["n0", "n1", "n2", "n2", "n0", "n1", "n2", "n2"]

    @pytest.mark.parametrize(
        "refusal", [refused("NoPermission", 403), refused("InvalidParameter"), refused("InternalError", 500)]
    )
    def test_a_node_whose_log_cannot_be_read_does_not_hide_the_others(self, refusal: WireReply) -> None:
        bench = Bench(Logs(b=refusal))

        new = bench.hook.get_new_log(three_nodes(RunState.ACTIVE), {})

        assert new.lines == (("a", "line of a"), ("c", "line of c"))
        assert new.cursor == {"a": 1, "c": 1}
        assert isinstance(new.missed, ApiError)
        log = bench.hook.get_failure_log(three_nodes(RunState.FAILED))
        assert "line of a" in log
        assert "line of c" in log

    def test_of_a_service_that_throttles_no_more_logs_are_asked_for(self) -> None:
        bench = Bench(Logs(b=refused("Throttling.User", 429)))

        new = bench.hook.get_new_log(three_nodes(RunState.ACTIVE), {})

        assert new.lines == (("a", "line of a"),)
        assert isinstance(new.missed, ThrottledError)
        assert not [request for request in bench.wire.sent if "/nodes/c/" in request.url]

    @pytest.mark.parametrize(
        ("refusal", "others"), [(refused("InternalError", 500), 2), (refused("Throttling", 429), 0)]
    )
    def test_what_was_read_of_a_log_is_told_though_the_rest_cannot_be(self, refusal: WireReply, others: int) -> None:
        pages = [json_reply({"Logs": ["1", "2"]}), refusal]
        log = Logs()
        bench = Bench(lambda request: pages.pop(0) if "/nodes/a/" in request.url and pages else log(request))

        new = bench.hook.get_new_log(three_nodes(RunState.ACTIVE), {})

        assert new.lines[:2] == (("a", "1"), ("a", "2"))
        assert len(new.lines) == 2 + others
        assert new.cursor["a"] == 2
        assert isinstance(new.missed, ApiError)
        pages[:] = [json_reply({"Logs": ["3"]}), json_reply({"Logs": []})]
        later = bench.hook.get_new_log(three_nodes(RunState.ACTIVE), new.cursor)
        assert later.lines[0] == ("a", "3")
        assert (later.cursor["a"], later.missed) == (3, None)
        offsets = [request.url.partition("?")[2] for request in bench.wire.sent if "/nodes/a/" in request.url]
        assert [each.partition("&")[0] for each in offsets] == ["Offset=0", "Offset=2", "Offset=2", "Offset=3"]

    def test_a_log_that_ends_with_a_refusal_is_read_again_though_its_node_is_over(self) -> None:
        pages = [json_reply({"Logs": ["1"]}), refused("InternalError", 500)]
        bench = Bench(lambda request: pages.pop(0) if len(pages) > 1 else pages[0])
        noon = datetime(2026, 1, 15, 12, tzinfo=UTC)
        step = Step("a", "a", RunState.FAILED, "Failed", started_at=noon)
        run = Run(REF, RunState.FAILED, "Failed", steps=(step,))
        cursor: Mapping[str, int] = {}
        for _ in range(3):
            cursor = bench.hook.get_new_log(run, cursor).cursor
        assert cursor == {"a": 1}
        assert len(bench.wire.sent) == 4

    def test_metrics(self) -> None:
        outputs = [
            {"Name": "auc", "Type": "Metrics", "NodeId": "n3", "Info": {"value": "0.9"}},
            {"Name": "report", "Type": "ModelEvaluation", "NodeId": "n3", "Info": {"value": '{"f1": 1}'}},
            {"Name": "model", "Type": "Model", "NodeId": "n3", "Info": {"value": "x"}},
        ]
        answers = {
            "GetPipelineRun": shown("Succeeded"),
            "ListPipelineRunNodeOutputs": [{"Outputs": outputs}, {"Outputs": []}],
        }
        assert Bench(answers).hook.get_metrics(self.FAILED) == {"read": {"auc": 0.9, "report": {"f1": 1}}}
