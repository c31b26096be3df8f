from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_mlworkflows.clouds.alibaba.errors import read_refusal
from airflow_provider_mlworkflows.clouds.http import WireReply
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

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.clouds.replies import Refusal


MISSING = ("100400008", "100400027", "100700008")
"""What the workspace, and what belongs to it, is told by if it does not exist."""


def _body(code: str, text: str = "text", **more: Any) -> dict[str, Any]:
    return {"RequestId": "r-1", "HostId": "h", "Code": code, "Message": text, "Recommend": "https://e", **more}


def _refusal(body: Any, status: int, **headers: str) -> Refusal:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    refusal = read_refusal(json_reply(body, status=status, headers=named))
    assert refusal is not None
    return refusal


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (429, "Throttling.User", ThrottledError),
        (400, "Throttling.User", ThrottledError),
        (429, "Throttling.Api", ThrottledError),
        (400, "Throttling", ThrottledError),
        (403, "Throttling", ThrottledError),
        (503, "Rejected.Throttling", ThrottledError),
        (429, "Whatever", ThrottledError),
        (503, "ServiceUnavailable", ServerError),
        (500, "ServiceUnavailable", ServerError),
        (400, "ServiceUnavailable", ServerError),
        (500, "InternalError", ServerError),
        (400, "SignatureNonceUsed", ServerError),
        (400, "InvalidTimeStamp.Expired", AuthenticationError),
        (400, "InvalidTimeStamp.Format", AuthenticationError),
        (400, "SignatureDoesNotMatch", AuthenticationError),
        (403, "SignatureDoesNotMatch", AuthenticationError),
        (400, "IncompleteSignature", AuthenticationError),
        (404, "InvalidAccessKeyId.NotFound", AuthenticationError),
        (400, "InvalidAccessKeyId.NotFound", AuthenticationError),
        (404, "InvalidAccessKeyId.Inactive", AuthenticationError),
        (403, "InvalidSecurityToken.Expired", AuthenticationError),
        (400, "InvalidSecurityToken.Expired", AuthenticationError),
        (400, "InvalidSecurityToken.Malformed", AuthenticationError),
        (400, "MissingSecurityToken", AuthenticationError),
        (403, "NoPermission", PermissionDeniedError),
        (400, "NoPermission", PermissionDeniedError),
        (403, "Forbidden.RAM", PermissionDeniedError),
        (400, "MissingParameter", BadRequestError),
        (400, "MissingWorkspaceId", BadRequestError),
        (400, "InvalidParameter", BadRequestError),
        (404, "InvalidApi.NotFound", BadRequestError),
        (404, "InvalidAction.NotFound", BadRequestError),
        (404, "InvalidProduct.NotFound", BadRequestError),
        (404, "InvalidProtocol.NeedSsl", BadRequestError),
        (404, "PipelineRunNotFound", NotFoundError),
        (400, "WorkspaceNotExist", NotFoundError),
        (404, "", NotFoundError),
        (401, "", AuthenticationError),
        (403, "", PermissionDeniedError),
        (409, "", BadRequestError),
        (502, "", ServerError),
        (302, "", UnexpectedReplyError),
        (200, "Throttling.User", ThrottledError),
        (200, "InternalError", ServerError),
        (200, "InvalidParameter", BadRequestError),
        (200, "RunNotFound", NotFoundError),
        (200, "NoPermission", PermissionDeniedError),
        (200, "InvalidParameter.Timeout", BadRequestError),
        (200, "Something", UnexpectedReplyError),
        (200, "BackendTimeout", ServerError),
        (400, "Timeout", ServerError),
        (400, "Gateway.TimedOut", ServerError),
        (400, "request_time_out", ServerError),
        (400, "InvalidTimeout", BadRequestError),
        (400, "ExceedMaxTimeout", BadRequestError),
        (400, "StartTimeOutOfRange", BadRequestError),
        (404, "RuntimeOutputNotFound", NotFoundError),
        (404, "JobTimeout.NotFound", NotFoundError),
        (408, "", ServerError),
        (408, "Whatever", ServerError),
        (400, "Something", BadRequestError),
        (200, "InvalidAccessKeyId.NotFound", AuthenticationError),
    ],
)
def test_kind(status: int, code: str, kind: type[ApiError]) -> None:
    refusal = _refusal(_body(code), status)

    assert refusal.kind is kind
    assert refusal.advice


@pytest.mark.parametrize(
    ("status", "code", "text", "kind"),
    [
        (400, "200200004", "odd", NotFoundError),
        (200, "200200004", "odd", NotFoundError),
        (500, "200200004", "odd", NotFoundError),
        *((status, code, "odd", NotFoundError) for status in (200, 400, 500) for code in MISSING),
        (404, "200300001", "odd", NotFoundError),
        (400, "200300001", "The pipeline run flow-x does not exist", NotFoundError),
        (200, "200300001", "Pipeline run not found", NotFoundError),
        (400, "200300001", "The pipeline run flow-x doesn't exist", NotFoundError),
        (200, "200300001", "The node doesn\u2019t exist", NotFoundError),
        (400, "200300001", "PipelineRun flow-x not exists", NotFoundError),
        (200, "200300001", "pipelineId p does not exists", NotFoundError),
        (400, "200300001", "The artifact doesn't exist", BadRequestError),
        (400, "200300001", "The runtime does not exist", BadRequestError),
        (500, "200300001", "The run doesn't exist", ServerError),
        (400, "200300001", "The status is wrong", BadRequestError),
        (400, "100600017", "odd", PermissionDeniedError),
        (404, "100600017", "odd", PermissionDeniedError),
        (403, "200300001", "odd", PermissionDeniedError),
        (500, "200300001", "The run does not exist", ServerError),
        (429, "200300001", "odd", ThrottledError),
        (408, "200300001", "odd", ServerError),
        (200, "200300001", "odd", UnexpectedReplyError),
        (201, "100500099", "odd", UnexpectedReplyError),
    ],
)
def test_numbers_for_codes_go_by_what_is_known_then_by_the_status(
    status: int, code: str, text: str, kind: type[ApiError]
) -> None:
    refusal = _refusal(_body(code, text), status)

    assert (refusal.kind, refusal.code) == (kind, code)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("InvalidTimeStamp.Expired", "clock of this machine"),
        ("InvalidAccessKeyId.NotFound", "does not exist"),
        ("InvalidAccessKeyId.Inactive", "disabled"),
        ("SignatureDoesNotMatch", "secret key does not fit"),
        ("InvalidSecurityToken.Expired", "has expired"),
        ("MissingSecurityToken", "security_token"),
        ("InvalidProtocol.NeedSsl", "https only"),
        ("InvalidApi.NotFound", "region and endpoint"),
        ("Throttling.User", "Ask less often"),
        ("NoPermission", "RAM permissions"),
        *((code, "region, workspace and account") for code in MISSING),
        ("100600017", "role in the workspace"),
    ],
)
def test_advice(code: str, words: str) -> None:
    assert words in _refusal(_body(code), 400).advice


def test_an_error_that_nobody_knows_does_not_pass_for_a_proxys_page() -> None:
    advice = _refusal(_body("Something"), 200).advice

    assert "not known" in advice
    assert "proxy" not in advice


def test_a_denied_action_is_named() -> None:
    body = _body("NoPermission", AccessDeniedDetail={"AuthAction": "paiflow:GetPipelineRun"})

    assert "paiflow:GetPipelineRun" in _refusal(body, 403).advice


@pytest.mark.parametrize(
    ("body", "seen"),
    [
        (_body("A", "m"), ("A", "m", "r-1")),
        ({"code": "A", "message": "m", "requestId": "low"}, ("A", "m", "low")),
        ({"Code": "A", "Description": "d"}, ("A", "d", "of the header")),
        ({"Code": 200200004, "Message": None}, ("200200004", "", "of the header")),
        ({"Code": "A", "Message": "Bad. server string to sign is: GET secret"}, ("A", "Bad", "of the header")),
        ("text", ("", "", "of the header")),
    ],
)
def test_envelopes(body: Any, seen: tuple[str, str, str]) -> None:
    refusal = _refusal(body, 400, x_acs_request_id="of the header")

    assert (refusal.code, refusal.text, refusal.request_id) == seen


def test_xml_of_the_gateway_is_read() -> None:
    page = (
        b"<?xml version='1.0'?><Error><RequestId>r-2</RequestId><Code>NoPermission</Code><Message>m</Message></Error>"
    )

    refusal = read_refusal(WireReply(403, {}, page))

    assert refusal is not None
    assert (refusal.kind, refusal.code, refusal.text, refusal.request_id) == (
        PermissionDeniedError, "NoPermission", "m", "r-2",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (502, ServerError),
        (408, ServerError),
        (429, ThrottledError),
        (404, UnexpectedReplyError),
        (200, UnexpectedReplyError),
    ],
)
def test_pages_that_are_no_json_keep_their_status(status: int, kind: type[ApiError]) -> None:
    refusal = read_refusal(WireReply(status, {"x-acs-request-id": "r-3"}, b"<html>Bad gateway</html>"))

    assert refusal is not None
    assert (refusal.kind, refusal.request_id) == (kind, "r-3")
    assert refusal.unreadable
    assert "proxy" in refusal.advice


@pytest.mark.parametrize(
    "body", [{"RequestId": "r"}, {"RequestId": "r", "Code": "200"}, {"Code": "OK"}, {"code": "a field"}, [], None]
)
def test_answers(body: Any) -> None:
    assert read_refusal(json_reply(body)) is None


@pytest.mark.parametrize(
    ("value", "seconds"), [("1500", 1.5), ("100", 0.1), ("0", None), ("-5", None), ("soon", None), ("", None)]
)
def test_the_wait_is_in_milliseconds(value: str, seconds: float | None) -> None:
    refusal = _refusal(_body("Throttling.User"), 429, x_acs_retry_after=value)

    assert refusal.retry_after == seconds
