"""How refusals of AOM automation, and of the gateway before it, are read."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_mlworkflows.clouds.http import WireReply
from airflow_provider_mlworkflows.clouds.huawei.aom_errors import read_refusal
from airflow_provider_mlworkflows.exceptions import (
    ApiError,
    AuthenticationError,
    BadRequestError,
    NotFoundError,
    PermissionDeniedError,
    ServerError,
    ThrottledError,
    UnexpectedReplyError,
)
from tests.clouds.support import json_reply

AUTH = {"error_code": "AOM.31009004", "error_msg": "auth failed."}
PARAM = {"error_code": "AOM.31001302", "error_msg": "Invalid param"}
INTERNAL = {"error_code": "AOM.31001405", "error_msg": "internal server error."}


def read(body: Any, status: int = 400, **headers: str) -> Any:
    """The refusal in a reply, which must be one."""
    refusal = read_refusal(json_reply(body, status=status, headers=headers))
    assert refusal is not None
    return refusal


class TestEnvelopes:
    @pytest.mark.parametrize("http_code", [400, "400", None, "", 0, "nonsense", [1]])
    def test_the_code_of_http_may_be_anything(self, http_code: Any) -> None:
        refusal = read({**PARAM, "http_code": http_code})
        assert (refusal.kind, refusal.code, refusal.text) == (BadRequestError, "AOM.31001302", "Invalid param")

    @pytest.mark.parametrize(
        "body",
        [
            {"error_code": "AOM.1", "error_msg": "bad"},
            {"error_code": "AOM.1", "error_message": "bad"},
            {"errorCode": "AOM.1", "errorMsg": "bad"},
            {"errorCode": "AOM.1", "errorMessage": "bad"},
            {"code": "AOM.1", "message": "bad"},
            {"error": {"code": "AOM.1", "message": "bad"}},
            {"result": {"error": {"error_code": "AOM.1", "error_msg": "bad"}}},
        ],
    )
    def test_its_names_may_be_any(self, body: Any) -> None:
        refusal = read(body, 409)
        assert (refusal.kind, refusal.code, refusal.text) == (BadRequestError, "AOM.1", "bad")

    def test_a_code_that_is_a_number(self) -> None:
        assert read({"error_code": 31001302, "error_msg": "bad"}).code == "31001302"

    def test_an_error_that_is_a_text(self) -> None:
        assert read({"error": "no such route"}, 405).text == "no such route"

    @pytest.mark.parametrize("body", [None, {}, [], "x", {"unrelated": 1}])
    def test_none_at_all(self, body: Any) -> None:
        assert read(body, 500).kind is ServerError
        assert read(body, 404).kind is NotFoundError

    def test_the_request_is_named(self) -> None:
        assert read({**AUTH, "request_id": "inside"}, 401).request_id == "inside"
        assert read(AUTH, 401, **{"X-Request-Id": "outside"}).request_id == "outside"


class TestKinds:
    @pytest.mark.parametrize(
        ("body", "status", "kind"),
        [
            (PARAM, 400, BadRequestError),
            (AUTH, 401, AuthenticationError),
            ({"error_code": "AOM.31009003", "error_msg": "auth failed."}, 401, AuthenticationError),
            (INTERNAL, 500, ServerError),
            (INTERNAL, 404, NotFoundError),
            ({"error_code": "APIGW.0301", "error_msg": "Incorrect IAM authentication information"}, 403,
             AuthenticationError),
            ({"error_code": "APIGW.0302", "error_msg": "not authorized"}, 403, PermissionDeniedError),
            ({"error_code": "APIGW.0308", "error_msg": "Request throttled"}, 429, ThrottledError),
            ({"error_code": "APIG.0101", "error_msg": "The API does not exist"}, 404, BadRequestError),
            ({"error_code": "APIG.0202", "error_msg": "Backend unavailable"}, 503, ServerError),
        ],
    )  # fmt: skip
    def test_by_status_and_code(self, body: Any, status: int, kind: type[ApiError]) -> None:
        assert read(body, status).kind is kind

    @pytest.mark.parametrize(
        "reply",
        [
            WireReply(404, {}, b"<html>nope</html>"),
            WireReply(302, {}, b"<html>login</html>"),
            WireReply(400, {}, b'{"error_code": '),
        ],
    )
    def test_what_cannot_be_read_is_said_to_be_so(self, reply: WireReply) -> None:
        refusal = read_refusal(reply)
        assert refusal is not None
        assert (refusal.kind, bool(refusal.unreadable)) == (UnexpectedReplyError, True)
        assert "cn-north-4" in refusal.advice


class TestInsideOfASuccess:
    @pytest.mark.parametrize(
        ("body", "kind"),
        [
            ({**AUTH, "http_code": "401"}, AuthenticationError),
            (AUTH, AuthenticationError),
            ({**PARAM, "http_code": 400}, BadRequestError),
            ({**INTERNAL, "http_code": "500"}, ServerError),
            (INTERNAL, ServerError),
            ({**INTERNAL, "http_code": 404}, NotFoundError),
            ({"error_code": "AOM.7", "error_message": "no"}, UnexpectedReplyError),
            ({"error_code": "AOM.7", "error_message": "no", "http_code": 400}, BadRequestError),
            ({"error_code": "AOM.7", "error_message": "no", "http_code": 408}, ServerError),
            ({"error_message": "no"}, UnexpectedReplyError),
            ({"error": "no"}, UnexpectedReplyError),
            ({"error": {"code": "AOM.7", "message": "no"}}, UnexpectedReplyError),
            (PARAM, BadRequestError),
            ({**PARAM, "http_code": 200}, BadRequestError),
        ],
    )
    def test_a_refusal(self, body: Any, kind: type[ApiError]) -> None:
        assert read(body, 200).kind is kind

    def test_throttling_there_may_have_taken_effect(self) -> None:
        assert read({"error_code": "APIGW.0308", "error_msg": "slow down", "http_code": 429}, 200).kind is ServerError

    @pytest.mark.parametrize(
        "body",
        [
            {"result": "success"},
            {"execution_id": "x", "code": "7", "message": "fields like any other"},
            {"execution_result_list": [{"output": {"error_code": "7", "error_msg": "of a node"}}]},
            {"errorCode": "SVCSTG_AMS_2000000", "errorMessage": "success", "execution_id": "x"},
            {"error_code": None, "error_msg": "", "execution_id": "x"},
            {"error": None, "id": "x"},
            [{"error_code": "7", "error_msg": "of an item"}],
            [],
            None,
        ],
    )
    def test_an_answer(self, body: Any) -> None:
        assert read_refusal(json_reply(body)) is None

    @pytest.mark.parametrize("text", ['{"success"}', "success", "<html>"])
    def test_what_is_no_json_is_left_to_the_operation(self, text: str) -> None:
        assert read_refusal(WireReply(200, {}, text.encode())) is None


class TestAdvice:
    @pytest.mark.parametrize(
        ("body", "status", "words"),
        [
            (PARAM, 400, "An action on a node must fit its state"),
            (INTERNAL, 404, "Check the ids of workflow and execution"),
            ({}, 404, "is being retired"),
            ({"error_code": "APIGW.0302", "error_msg": "no"}, 403, "open only in cn-north-4"),
            ({"error_code": "APIG.0101", "error_msg": "no"}, 404, "open only in cn-north-4"),
            ({"error_code": "APIG.0101", "error_msg": "no"}, 404, "does not offer this operation"),
            (AUTH, 401, "Check the connection's access key"),
        ],
    )
    def test_fits(self, body: Any, status: int, words: str) -> None:
        assert words in read(body, status).advice

    def test_the_signed_request_is_not_quoted(self) -> None:
        echoed = {"error_code": "APIGW.0301", "error_msg": "verify fail, canonicalRequest: x-security-token:TOKEN"}
        assert "TOKEN" not in json.dumps(read(echoed, 401).text)
