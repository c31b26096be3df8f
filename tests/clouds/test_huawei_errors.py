from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_mlworkflows.clouds.http import WireReply
from airflow_provider_mlworkflows.clouds.huawei.errors import read_refusal
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


def _service(code: str, text: str = "text") -> dict[str, str]:
    return {"error_code": code, "error_msg": text}


def _gateway(code: str, text: str = "text") -> dict[str, str]:
    return {"error_code": code, "error_msg": text, "request_id": "r-1"}


def _incorrect(tail: str) -> str:
    return f"Incorrect IAM authentication information: {tail}"


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, _service("ModelArts.7512", "Workflow x not found"), NotFoundError),
        (400, _service("ModelArts.7511"), NotFoundError),
        (400, _service("ModelArts.7525"), NotFoundError),
        (400, _service("ModelArts.7519"), NotFoundError),
        (404, _service("ModelArts.2775"), NotFoundError),
        (400, _service("ModelArts.2775"), NotFoundError),
        (404, _service("ModelArts.50015001"), NotFoundError),
        (400, _service("ModelArts.0104"), BadRequestError),
        (400, _service("ModelArts.0101"), BadRequestError),
        (400, _service("ModelArts.0102"), BadRequestError),
        (400, _service("ModelArts.0107"), BadRequestError),
        (409, _service("ModelArts.2796"), BadRequestError),
        (409, _service("ModelArts.5044"), BadRequestError),
        (500, _service("ModelArts.0010"), ServerError),
        (503, _service("ModelArts.4302"), ServerError),
        (503, _service("ModelArts.4700"), ServerError),
        (504, _service("ModelArts.4503"), ServerError),
        (403, _service("ModelArts.0108"), PermissionDeniedError),
        (401, _service("ModelArts.0112"), AuthenticationError),
        (403, _service("ModelArts.0112"), PermissionDeniedError),
        (401, _service("ModelArts.0201"), AuthenticationError),
        (403, _service("ModelArts.0206"), AuthenticationError),
        (403, _service("ModelArts.0210"), PermissionDeniedError),
        (429, _service("ModelArts.2799"), ThrottledError),
        (400, _service("ModelArts.4206"), ThrottledError),
        (429, _service("ModelArts.4395"), ThrottledError),
        (429, _service("ModelArts.6101"), ThrottledError),
        (401, _gateway("APIGW.0301"), AuthenticationError),
        (401, _gateway("APIG.0301"), AuthenticationError),
        (401, _gateway("APIG.0303"), AuthenticationError),
        (404, _gateway("APIG.0101"), BadRequestError),
        (404, _gateway("APIGW.0101"), BadRequestError),
        (400, _gateway("APIG.0201"), BadRequestError),
        (413, _gateway("APIG.0201"), BadRequestError),
        (414, _gateway("APIG.0201"), BadRequestError),
        (494, _gateway("APIG.0201"), BadRequestError),
        (502, _gateway("APIG.0201"), ServerError),
        (504, _gateway("APIG.0201"), ServerError),
        (503, _gateway("APIG.0202"), ServerError),
        (504, _gateway("APIG.0203"), ServerError),
        (429, _gateway("APIG.0308"), ThrottledError),
        (429, _gateway("APIGW.0308"), ThrottledError),
        (429, {}, ThrottledError),
        (408, None, ServerError),
        (408, _gateway("APIG.0201"), ServerError),
        (401, {"error": {"code": 401, "message": "m", "title": "Unauthorized"}}, AuthenticationError),
        (403, {"error": {"code": 403, "message": "m", "title": "Forbidden"}}, PermissionDeniedError),
        (403, {"error_code": "IAM.0001", "error_msg": "m"}, PermissionDeniedError),
        (400, {"errorCode": "ModelArts.7512", "errorMsg": "m"}, NotFoundError),
        (400, {"code": "ModelArts.7512", "message": "m"}, NotFoundError),
        (404, {"kind": "Status", "message": "m", "code": 404}, NotFoundError),
        (500, None, ServerError),
        (404, None, NotFoundError),
        (302, None, UnexpectedReplyError),
        (307, {}, UnexpectedReplyError),
        (418, [], BadRequestError),
    ],
)
def test_kind(status: int, body: Any, kind: type[ApiError]) -> None:
    refusal = read_refusal(json_reply(body, status=status))

    assert refusal is not None
    assert refusal.kind is kind
    assert refusal.advice


@pytest.mark.parametrize(
    ("body", "code", "text", "request_id"),
    [
        ({"error_code": "A.1", "error_msg": "m"}, "A.1", "m", "of the header"),
        ({"error_code": "A.1", "error_msg": "m", "request_id": "of the body"}, "A.1", "m", "of the body"),
        ({"errorCode": "A.1", "errorMsg": "m"}, "A.1", "m", "of the header"),
        ({"code": "A.1", "message": "m"}, "A.1", "m", "of the header"),
        ({"error": {"code": 401, "message": "m"}}, "401", "m", "of the header"),
        ({"error_code": "A.1", "error_msg": None}, "A.1", "", "of the header"),
        ({"other": "form"}, "", "", "of the header"),
        ({"error": "just text"}, "", "just text", "of the header"),
        ({"error_code": "", "error_msg": "only text"}, "", "only text", "of the header"),
        ({"error_msg": "only text"}, "", "only text", "of the header"),
        ({"message": "only text"}, "", "only text", "of the header"),
        ({"error": {"code": None, "message": "m"}}, "", "m", "of the header"),
        ("text", "", "", "of the header"),
    ],
)
def test_envelopes(body: Any, code: str, text: str, request_id: str) -> None:
    refusal = read_refusal(json_reply(body, status=400, headers={"X-Request-Id": "of the header"}))

    assert refusal is not None
    assert (refusal.code, refusal.text, refusal.request_id) == (code, text, request_id)


def test_iam_names_requests_by_another_header() -> None:
    reply = json_reply({"error": {"code": 401, "message": "m"}}, status=401, headers={"X-IAM-Trace-Id": "t"})

    refusal = read_refusal(reply)

    assert refusal is not None
    assert refusal.request_id == "t"


@pytest.mark.parametrize(
    ("tail", "advice"),
    [
        ("x-auth-token not found", "Check the connection's access key"),
        ("decrypt token fail", "not one this region's IAM issued"),
        ("token expires", "has expired"),
        ("verify aksk signature fail", "secret key does not fit"),
        (
            "calc aksk signature fail: signature expired, signature time:1, server time:2",
            "15 minutes off",
        ),
        ("ak HWEXAMPLEAK000000001 not exist", "does not exist"),
        ("AK access failed to reach the limit, forbidden", "blocked for a while"),
    ],
)
def test_advice_on_credentials(tail: str, advice: str) -> None:
    refusal = read_refusal(json_reply(_gateway("APIGW.0301", _incorrect(tail)), status=401))

    assert refusal is not None
    assert refusal.kind is AuthenticationError
    assert advice in refusal.advice


def test_advice_on_a_foreign_project_and_a_wrong_endpoint() -> None:
    foreign = read_refusal(json_reply(_service("ModelArts.0210"), status=403))
    wrong = read_refusal(json_reply(_gateway("APIG.0101"), status=404))

    assert foreign is not None
    assert "project_id" in foreign.advice
    assert wrong is not None
    assert "endpoint" in wrong.advice


@pytest.mark.parametrize("name", ["canonicalRequest", "canonical_request", "CanonicalRequest"])
def test_the_echoed_request_is_cut_off(name: str) -> None:
    echo = f"verify aksk signature fail, {name}:GET|/v2/|x-security-token:SECRET-TOKEN||abc"

    refusal = read_refusal(json_reply(_gateway("APIGW.0301", _incorrect(echo)), status=401))

    assert refusal is not None
    assert "SECRET-TOKEN" not in refusal.text
    assert "verify aksk signature fail" in refusal.text


@pytest.mark.parametrize("status", [200, 201, 202, 204])
@pytest.mark.parametrize("body", [None, {}, [], {"execution_id": "x"}, {"error_code": ""}, {"code": "c"}])
def test_answers_are_no_refusals(status: int, body: Any) -> None:
    assert read_refusal(json_reply(body, status=status)) is None


def test_an_envelope_in_a_success_is_a_refusal() -> None:
    refusal = read_refusal(json_reply(_service("ModelArts.7511", "gone"), status=201))

    assert refusal is not None
    assert refusal.kind is NotFoundError
    assert refusal.text == "gone"


@pytest.mark.parametrize(
    ("status", "content", "kind"),
    [
        (200, b"<html><title>Sign in</title></html>", UnexpectedReplyError),
        (200, b'{"items": [{"workflow_id": "0b9a', UnexpectedReplyError),
        (404, b"<html>nginx</html>", UnexpectedReplyError),
        (302, b"<html>moved</html>", UnexpectedReplyError),
        (502, b"<html>bad gateway</html>", ServerError),
        (408, b"<html>too slow</html>", ServerError),
        (429, b"slow down", ThrottledError),
        (200, b"\xff\xfe\x00", UnexpectedReplyError),
    ],
)
def test_what_is_not_json(status: int, content: bytes, kind: type[ApiError]) -> None:
    refusal = read_refusal(WireReply(status, {"x-request-id": "r"}, content))

    assert refusal is not None
    assert refusal.kind is kind
    assert refusal.request_id == "r"
    assert "proxy" in refusal.advice


@pytest.mark.parametrize("content", [b"<html>", b"[" * 200_000])
def test_a_page_that_is_no_json_is_left_to_be_quoted(content: bytes) -> None:
    refusal = read_refusal(WireReply(200, {}, content))

    assert refusal is not None
    assert (refusal.kind, refusal.text, refusal.unreadable) == (UnexpectedReplyError, "", "it is not JSON")


@pytest.mark.parametrize("status", [200, 201])
@pytest.mark.parametrize(
    ("body", "kind", "text"),
    [
        ({"error": {"message": "no"}}, UnexpectedReplyError, "no"),
        ({"error": "just text"}, UnexpectedReplyError, "just text"),
        (_service("ModelArts.9999"), UnexpectedReplyError, "text"),
        (_service("Odd"), UnexpectedReplyError, "text"),
        (_service("ModelArts.0104"), BadRequestError, "text"),
        (_service("ModelArts.7512"), NotFoundError, "text"),
        (_service("ModelArts.0210"), PermissionDeniedError, "text"),
        (_service("ModelArts.0206"), AuthenticationError, "text"),
        (_gateway("APIG.0101"), BadRequestError, "text"),
        (_gateway("APIG.0201"), UnexpectedReplyError, "text"),
        (_service("ModelArts.0010"), ServerError, "text"),
        (_service("ModelArts.4302"), ServerError, "text"),
        (_service("ModelArts.4503"), ServerError, "text"),
        (_service("ModelArts.4700"), ServerError, "text"),
        (_service("ModelArts.6101"), ServerError, "text"),
    ],
)
def test_errors_inside_a_success(status: int, body: Any, kind: type[ApiError], text: str) -> None:
    refusal = read_refusal(json_reply(body, status=status))

    assert refusal is not None
    assert (refusal.kind, refusal.text) == (kind, text)
