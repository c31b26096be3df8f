from __future__ import annotations

import json

import pytest

from airflow_provider_mlworkflows.clouds.http import WireReply
from airflow_provider_mlworkflows.clouds.huawei.obs_errors import read_refusal
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

WHERE = {"x-obs-id-2": "host-7", "x-reserved-indicator": "ind-3", "x-obs-request-id": "r-header"}


def xml(code: str, message: str = "said so", **more: str) -> bytes:
    fields = "".join(f"<{name}>{value}</{name}>" for name, value in more.items())
    return f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{message}</Message>{fields}</Error>".encode()


def told(code: str, message: str = "said so", **more: str) -> bytes:
    return json.dumps({"code": code, "message": message, **more}).encode()


@pytest.mark.parametrize(
    "content",
    [
        told("Workflow.0003", "name is invalid", request_id="r-body"),
        xml("Workflow.0003", "name is invalid", RequestId="r-body", HostId="host-9", Resource="/v2/workflows/g"),
    ],
    ids=["json", "xml"],
)
@pytest.mark.parametrize(
    "claimed", ["application/json", "application/json;charset=UTF-8", "application/xml", "text/plain"]
)
def test_form_is_seen_whatever_type_is_claimed(content: bytes, claimed: str) -> None:
    refusal = read_refusal(WireReply(400, {**WHERE, "content-type": claimed}, content))
    assert refusal is not None
    assert (refusal.kind, refusal.code, refusal.request_id) == (BadRequestError, "Workflow.0003", "r-body")
    assert refusal.text.startswith("name is invalid [")
    assert "indicator ind-3" in refusal.text


def test_host_and_resource_are_kept() -> None:
    content = xml("AccessDenied", RequestId="r", HostId="host-9", Resource="/v2/workflows/g")
    refusal = read_refusal(WireReply(403, {}, content))
    assert refusal is not None
    assert "resource /v2/workflows/g" in refusal.text
    assert "host id host-9" in refusal.text


def test_plain_text_of_the_service_is_its_message() -> None:
    refusal = read_refusal(WireReply(500, WHERE, b"internal trouble"))
    assert refusal is not None
    assert refusal.kind is ServerError
    assert refusal.text == "internal trouble [host id host-7; indicator ind-3]"
    assert refusal.request_id == "r-header"


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "SYS.0010", BadRequestError),
        (401, "SYS.0004", AuthenticationError),
        (403, "InvalidAccessKeyId", AuthenticationError),
        (403, "SignatureDoesNotMatch", AuthenticationError),
        (403, "RequestTimeTooSkewed", AuthenticationError),
        (403, "AccessDenied", PermissionDeniedError),
        (404, "NoSuchBucket", NotFoundError),
        (404, "Workflow.0001", NotFoundError),
        (404, "SYS.0003", BadRequestError),
        (405, "MethodNotAllowed", BadRequestError),
        (429, "SYS.0011", ThrottledError),
        (503, "SlowDown", ThrottledError),
        (503, "ServiceUnavailable", ServerError),
        (500, "SYS.0008", AuthenticationError),
        (500, "SYS.0001", ServerError),
        (307, "TemporaryRedirect", BadRequestError),
        (400, "RequestTimeout", ServerError),
        (408, "Whatever", ServerError),
        (200, "SlowDown", ServerError),
        (200, "Workflow.0009", BadRequestError),
        (200, "SYS.0014", NotFoundError),
        (200, "Odd.0001", ServerError),
    ],
)
@pytest.mark.parametrize("form", [told, xml], ids=["json", "xml"])
def test_kind(status: int, code: str, kind: type[ApiError], form: object) -> None:
    assert callable(form)
    refusal = read_refusal(WireReply(status, {}, form(code)))
    assert refusal is not None
    assert refusal.kind is kind
    assert refusal.advice


@pytest.mark.parametrize(
    ("status", "content", "kind"),
    [
        (200, b"<html>portal</html>", UnexpectedReplyError),
        (200, b'{"execution_name": "a', UnexpectedReplyError),
        (502, b"<html>bad gateway</html>", ServerError),
        (408, b"<html>too slow</html>", ServerError),
        (404, b"nothing here", UnexpectedReplyError),
        (400, b"<!DOCTYPE x [<!ENTITY a 'b'>]><Error><Code>&a;</Code></Error>", UnexpectedReplyError),
    ],
)
def test_what_is_not_the_services(status: int, content: bytes, kind: type[ApiError]) -> None:
    refusal = read_refusal(WireReply(status, {}, content))
    assert refusal is not None
    assert refusal.kind is kind
    assert refusal.unreadable


@pytest.mark.parametrize("content", [b"", b"  ", b'{"execution_name": "a", "code": ""}', b'{"rules": []}'])
def test_answers_are_no_refusals(content: bytes) -> None:
    assert read_refusal(WireReply(200, {}, content)) is None
