from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from airflow_provider_mlworkflows.clouds.client import Client, Patience
from airflow_provider_mlworkflows.clouds.http import Connectivity, WireReply
from airflow_provider_mlworkflows.clouds.huawei.credentials import AccessKey, HuaweiAccount, IamToken
from airflow_provider_mlworkflows.clouds.huawei.errors import read_refusal
from airflow_provider_mlworkflows.clouds.huawei.modelarts_receipts import CreatedExecution
from airflow_provider_mlworkflows.clouds.huawei.modelarts_secrets import discreet
from airflow_provider_mlworkflows.clouds.issued import Fixed
from airflow_provider_mlworkflows.clouds.operation import Request
from airflow_provider_mlworkflows.clouds.replies import Service
from airflow_provider_mlworkflows.exceptions import (
    ApiError,
    AuthenticationError,
    BadRequestError,
    ConfigurationError,
    InvalidInputError,
    MLWorkflowsError,
    NotFoundError,
    ServerError,
    ThrottledError,
    TransportError,
    UnexpectedReplyError,
)
from tests.clouds.support import FakeClock, RecordingApi, ScriptedNetwork, json_reply, network

PROJECT = "0123456789abcdef0123456789abcdef"
KEY = AccessKey("AKEXAMPLE0001", "sk-do-not-tell", "st-do-not-tell")
READ: Request[dict[str, Any]] = Request("Read", "GET", "/v2/{project_id}/things", dict[str, Any], safe_to_repeat=True)
WRITE: Request[dict[str, Any]] = Request("Write", "POST", "/v2/{project_id}/things", dict[str, Any], body={"a": 1})
NEVER_SENT = TransportError("could not be sent", may_have_taken_effect=False)
LOST = TransportError("no complete answer", may_have_taken_effect=True)
THROTTLED = json_reply({"error_code": "APIG.0308", "error_msg": "limit", "request_id": "r"}, status=429)
BROKEN = json_reply({"error_code": "ModelArts.0010", "error_msg": "internal"}, status=500)
FINE = json_reply({"fine": True})

BOTH = pytest.mark.parametrize("blocking", [True, False], ids=["blocking", "async"])


def _client(
    wire: Connectivity, clock: FakeClock, *, credentials: AccessKey | IamToken = KEY, attempts: int = 4
) -> Client:
    account = HuaweiAccount(
        Fixed(credentials),
        region="cn-north-4",
        project_id=PROJECT,
        iam_endpoint="https://iam.example.com",
        clock=clock,
    )
    return Client(
        Service("ModelArts", "https://modelarts.example.com", read_refusal),
        account,
        connectivity=wire,
        patience=Patience(attempts=attempts, jitter=lambda: 0.5),
        clock=clock,
    )


def _send(client: Client, request: Request[Any], *, blocking: bool) -> Any:
    return client.send(request) if blocking else asyncio.run(client.asend(request))


@BOTH
class TestRepetition:
    @pytest.mark.parametrize(
        ("request_", "failure"),
        [
            (READ, LOST),
            (READ, NEVER_SENT),
            (READ, THROTTLED),
            (READ, BROKEN),
            (WRITE, NEVER_SENT),
            (WRITE, THROTTLED),
        ],
    )
    def test_harmless_ones_go_out_again(
        self, clock: FakeClock, blocking: bool, request_: Request[Any], failure: WireReply | TransportError
    ) -> None:
        wire = network(failure, failure, failure, FINE)

        assert _send(_client(wire, clock), request_, blocking=blocking) == {"fine": True}
        assert len(wire.sent) == 4
        assert len(clock.slept) == 3

    @pytest.mark.parametrize(
        ("failure", "kind"),
        [
            (LOST, TransportError),
            (BROKEN, ServerError),
            (json_reply({"error_code": "ModelArts.0104"}, status=400), BadRequestError),
            (json_reply({"error_code": "ModelArts.6101"}, status=201), ServerError),
            (json_reply({"error_code": "ModelArts.0010"}, status=201), ServerError),
            (WireReply(201, {}, b"<html>"), UnexpectedReplyError),
            (WireReply(201, {}, b'{"fine":'), UnexpectedReplyError),
        ],
    )
    def test_a_write_that_may_have_taken_effect_does_not(
        self,
        clock: FakeClock,
        blocking: bool,
        failure: WireReply | TransportError,
        kind: type[MLWorkflowsError],
    ) -> None:
        wire = network(failure)

        with pytest.raises(kind):
            _send(_client(wire, clock), WRITE, blocking=blocking)
        assert len(wire.sent) == 1
        assert clock.slept == []

    def test_there_is_an_end_to_it(self, clock: FakeClock, blocking: bool) -> None:
        wire = network(BROKEN, BROKEN, BROKEN)

        with pytest.raises(ServerError):
            _send(_client(wire, clock, attempts=3), READ, blocking=blocking)
        assert len(wire.sent) == 3

    def test_waits_grow_and_throttling_waits_longer(self, clock: FakeClock, blocking: bool) -> None:
        _send(_client(network(BROKEN, BROKEN, BROKEN, FINE), clock), READ, blocking=blocking)
        assert clock.slept == [0.5, 1.0, 2.0]

        clock.slept.clear()
        _send(_client(network(THROTTLED, THROTTLED, THROTTLED, FINE), clock), READ, blocking=blocking)
        assert clock.slept == [1.0, 2.0, 4.0]

    def test_a_throttled_call_waits_as_long_as_the_service_asks(self, clock: FakeClock, blocking: bool) -> None:
        asked = WireReply(429, {"retry-after": "9"}, THROTTLED.content)

        _send(_client(network(asked, FINE), clock), WRITE, blocking=blocking)
        assert clock.slept == [9.5]

    def test_a_wait_that_is_too_long_for_a_call_is_told_instead(self, clock: FakeClock, blocking: bool) -> None:
        asked = WireReply(429, {"retry-after": "600"}, THROTTLED.content)

        with pytest.raises(ThrottledError) as caught:
            _send(_client(network(asked), clock), READ, blocking=blocking)
        assert caught.value.retry_after == 600.0
        assert clock.slept == []

    def test_each_attempt_is_signed_anew(self, clock: FakeClock, blocking: bool) -> None:
        wire = network(BROKEN, BROKEN, BROKEN, FINE)

        _send(_client(wire, clock), READ, blocking=blocking)

        dates = [request.headers["X-Sdk-Date"] for request in wire.sent]
        assert dates == ["20260115T120000Z", "20260115T120000Z", "20260115T120001Z", "20260115T120003Z"]
        assert wire.sent[2].headers["Authorization"] != wire.sent[3].headers["Authorization"]


@BOTH
class TestErrors:
    def test_an_error_says_what_was_asked_what_came_and_what_to_do(self, clock: FakeClock, blocking: bool) -> None:
        wire = network(
            json_reply(
                {"error_code": "ModelArts.7512", "error_msg": "Workflow x not found."},
                status=400,
                headers={"X-Request-Id": "r-7"},
            )
        )

        with pytest.raises(NotFoundError) as caught:
            _send(_client(wire, clock), READ, blocking=blocking)

        error = caught.value
        assert (error.operation, error.status, error.code, error.request_id) == (
            "Read",
            400,
            "ModelArts.7512",
            "r-7",
        )
        text = str(error)
        for part in (
            "ModelArts refused Read: HTTP 400 ModelArts.7512, Workflow x not found",
            "(request id r-7)",
            f"GET /v2/{PROJECT}/things at https://modelarts.example.com",
            "Check the id",
        ):
            assert part in text

    @pytest.mark.parametrize(
        "reply",
        [
            json_reply(
                {
                    "error_code": "APIGW.0301",
                    "error_msg": "Incorrect IAM authentication information: verify aksk signature fail, "
                    "canonicalRequest:GET|/|x-security-token:st-do-not-tell|",
                },
                status=401,
            ),
            json_reply(
                {"error_code": "APIGW.0301", "error_msg": "odd sk-do-not-tell Signature=0123abcdef"}, status=401
            ),
            WireReply(200, {}, b"<html>st-do-not-tell sk-do-not-tell</html>"),
            WireReply(200, {}, b'["st-do-not-tell"]'),
        ],
    )
    def test_no_secret_in_any_error(self, clock: FakeClock, blocking: bool, reply: WireReply) -> None:
        with pytest.raises(ApiError) as caught:
            _send(_client(network(reply), clock), READ, blocking=blocking)

        assert "do-not-tell" not in str(caught.value)
        assert "0123abcdef" not in str(caught.value)

    def test_no_secret_in_a_wire_error(self, clock: FakeClock, blocking: bool) -> None:
        lost = TransportError("lost x-security-token: st-do-not-tell", may_have_taken_effect=True)

        with pytest.raises(TransportError) as caught:
            _send(_client(network(lost), clock), WRITE, blocking=blocking)

        assert "do-not-tell" not in str(caught.value)
        assert "It may have taken effect." in str(caught.value)
        assert "ModelArts did not answer Write" in str(caught.value)
        assert caught.value.may_have_taken_effect is True

    @pytest.mark.parametrize("token", ["tok-do-not-tell\n", "tok-do-not-tell\N{SNOWMAN}"])
    def test_a_token_that_cannot_be_sent_is_not_told(self, clock: FakeClock, blocking: bool, token: str) -> None:
        client = _client(Connectivity(), clock, credentials=IamToken(token), attempts=1)
        client.service = Service("ModelArts", "http://127.0.0.1:1", read_refusal)

        with pytest.raises((ConfigurationError, TransportError)) as caught:
            _send(client, WRITE, blocking=blocking)

        error: BaseException | None = caught.value
        while error is not None:
            assert "do-not-tell" not in repr(error)
            error = error.__cause__

    def test_a_refused_token_is_not_used_again(self, clock: FakeClock, blocking: bool) -> None:
        wire = network(json_reply({"error_code": "APIGW.0301", "error_msg": "token expires"}, status=401))

        with pytest.raises(AuthenticationError, match="has expired"):
            _send(_client(wire, clock, credentials=IamToken("tok")), READ, blocking=blocking)
        assert len(wire.sent) == 1

    @pytest.mark.parametrize(
        "content",
        [
            b"<html>" + b"x" * 285 + b"sk-do-not-tell",
            b"<html>" + b"x" * 289 + b"sk-do-not-tell",
            b"<html>" + b"x" * 250 + b" sk-do-not-tell" * 10,
            b"<html> st-do-no",
            b'{"fine": "sk%2Ddo%2Dnot%2Dtell',
        ],
    )
    def test_no_part_of_a_secret_in_an_excerpt(self, clock: FakeClock, blocking: bool, content: bytes) -> None:
        with pytest.raises(UnexpectedReplyError) as caught:
            _send(_client(network(WireReply(200, {}, content)), clock), READ, blocking=blocking)

        assert "k-do" not in str(caught.value)
        assert "t-do" not in str(caught.value)
        assert "sk%2D" not in str(caught.value)
        assert len(str(caught.value)) < 700

    @pytest.mark.parametrize("variable", ["DB_PASSWORD", "api_key", "HF_TOKEN", "OBS_SK", "ClientSecret"])
    @pytest.mark.parametrize("is_page", [True, False], ids=["page", "refusal"])
    def test_no_secret_of_an_environment_in_an_error(
        self, clock: FakeClock, blocking: bool, variable: str, is_page: bool
    ) -> None:
        value = "value-not-to-tell"
        version = {"model_id": "m", "specification": "f", "instance_count": 1, "envs": {variable: value, "EPOCHS": "3"}}
        text = f"envs {{'{variable}': '{value}', 'EPOCHS': '3'}} are not allowed"
        reply = (
            WireReply(400, {}, f"<html>{text}</html>".encode())
            if is_page
            else json_reply({"error_code": "ModelArts.3501", "error_msg": text}, status=400)
        )
        hook = RecordingApi()
        for call in (
            hook.create_service.steps("n", [version]),
            hook.update_service.steps("s", config=[version]),
        ):
            request = next(call)
            client = discreet(_client(network(reply), clock), request)
            with pytest.raises(ApiError) as caught:
                _send(client, request, blocking=blocking)
            assert value not in str(caught.value)
            assert value not in repr(request)
            assert "'EPOCHS': '3'" in str(caught.value)

    def test_no_secret_in_a_field_of_an_error(self, clock: FakeClock, blocking: bool) -> None:
        reply = json_reply({"error_code": "sk-do-not-tell", "request_id": "st-do-not-tell"}, status=400)

        with pytest.raises(BadRequestError) as caught:
            _send(_client(network(reply), clock), READ, blocking=blocking)

        assert "do-not-tell" not in repr(vars(caught.value))

    def test_an_unreadable_answer_says_what_is_wrong_and_where(self, clock: FakeClock, blocking: bool) -> None:
        request = Request("Count", "GET", "/count", dict[str, dict[str, int]])
        reply = json_reply({"a": {"b": "many"}})

        with pytest.raises(UnexpectedReplyError) as caught:
            _send(_client(network(reply), clock), request, blocking=blocking)

        text = str(caught.value)
        assert text.startswith("ModelArts gave no readable answer to Count: HTTP 200, it is not the promised ")
        assert "a.b: Input should be a valid integer" in text
        assert 'it begins \'{"a": {"b": "many"}}\'' in text
        assert "refused" not in text

    def test_a_promise_of_a_start_is_named(self, clock: FakeClock, blocking: bool) -> None:
        request = Request("Start", "POST", "/start", CreatedExecution)

        with pytest.raises(UnexpectedReplyError, match=r"the promised Execution: execution_id 'x' is not an id"):
            _send(_client(network(json_reply({"execution_id": "x"})), clock), request, blocking=blocking)

    def test_a_deeply_nested_answer_is_unreadable(self, clock: FakeClock, blocking: bool) -> None:
        with pytest.raises(UnexpectedReplyError):
            _send(_client(network(WireReply(200, {}, b"[" * 200_000)), clock), READ, blocking=blocking)


class TestUnsendable:
    @pytest.mark.parametrize(
        "value", [object(), {1, 2}, datetime.now(UTC), float("nan"), [float("inf")], b"x", "\ud800", {(1, 2): 3}]
    )
    def test_what_is_no_json_is_refused_before_anything_is_sent(self, clock: FakeClock, value: object) -> None:
        wire = network()
        request: Request[dict[str, Any]] = Request("Write", "POST", "/things", dict[str, Any], body={"a": value})

        with pytest.raises(InvalidInputError, match="Write"):
            _client(wire, clock).send(request)
        assert wire.sent == []

    @pytest.mark.parametrize("value", ["\ud800", 5])
    def test_what_is_no_text_is_refused_in_a_query_and_a_path(self, clock: FakeClock, value: Any) -> None:
        for request in (
            Request("Read", "GET", "/things", dict[str, Any], query=(("name", value),)),
            Request("Read", "GET", "/{name}", dict[str, Any], {"name": value}),
        ):
            with pytest.raises(InvalidInputError, match="Read cannot be asked with name"):
                _client(network(), clock).send(request)


class TestAddressing:
    def _sent(self, clock: FakeClock, request: Request[Any]) -> ScriptedNetwork:
        wire = network(FINE)
        _client(wire, clock).send(request)
        return wire

    def test_a_body_is_declared_as_json(self, clock: FakeClock) -> None:
        sent = self._sent(clock, WRITE).sent[0]

        assert (sent.method, sent.content) == ("POST", b'{"a":1}')
        assert sent.headers["Content-Type"] == "application/json"

    def test_a_read_has_neither_body_nor_content_type(self, clock: FakeClock) -> None:
        sent = self._sent(clock, READ).sent[0]

        assert sent.content == b""
        assert "Content-Type" not in sent.headers

    def test_headers_of_an_operation_are_sent_and_signed(self, clock: FakeClock) -> None:
        request = Request("Log", "GET", "/log", dict[str, Any], headers={"Content-Type": "text/plain"})

        sent = self._sent(clock, request).sent[0]

        assert sent.headers["Content-Type"] == "text/plain"
        assert "content-type;" in sent.headers["Authorization"]

    def test_the_signed_url_is_the_one_sent(self, clock: FakeClock) -> None:
        request = Request(
            "Read", "GET", "/v2/{project_id}/{id}", dict[str, Any], {"id": "a b/甲"}, (("q", "1 2"), ("e", ""))
        )

        assert self._sent(clock, request).sent[0].url == (
            f"https://modelarts.example.com/v2/{PROJECT}/a%20b%2F%E7%94%B2?q=1%202&e="
        )

    def test_the_provider_names_itself(self, clock: FakeClock) -> None:
        assert self._sent(clock, READ).sent[0].headers["User-Agent"].startswith("airflow-provider-mlworkflows/")


@BOTH
class TestServiceTime:
    def test_is_told_by_answers(self, blocking: bool) -> None:
        clock = FakeClock(1_000_000.0)
        client = _client(network(json_reply({}, headers={"Date": "Thu, 01 Jan 1970 00:16:40 GMT"})), clock)
        assert client.service_time() == 1_000_000.0
        _send(client, READ, blocking=blocking)
        clock.sleep(5)
        assert client.service_time() == 1005.0

    @pytest.mark.parametrize("date", [{}, {"Date": "yesterday"}])
    def test_is_this_machines_where_they_do_not_tell(self, blocking: bool, date: dict[str, str]) -> None:
        clock = FakeClock(1_000_000.0)
        client = _client(network(json_reply({}, headers=date)), clock)
        _send(client, READ, blocking=blocking)
        assert client.service_time() == 1_000_000.0
