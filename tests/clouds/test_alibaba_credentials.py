from __future__ import annotations

import re
from typing import Any

import pytest

from airflow_provider_mlworkflows.clouds.alibaba.credentials import (
    AccessKey,
    AlibabaAccount,
    AlibabaIdentity,
    BearerToken,
)
from airflow_provider_mlworkflows.clouds.alibaba.errors import REQUEST_ID_HEADER, read_refusal
from airflow_provider_mlworkflows.clouds.client import Client, Patience
from airflow_provider_mlworkflows.clouds.http import WireReply, WireRequest
from airflow_provider_mlworkflows.clouds.issued import Fixed
from airflow_provider_mlworkflows.clouds.operation import Request
from airflow_provider_mlworkflows.clouds.replies import Service
from airflow_provider_mlworkflows.exceptions import (
    ApiError,
    AuthenticationError,
    InvalidInputError,
    ServerError,
    ThrottledError,
    UnexpectedReplyError,
)
from tests.clouds.support import NOON, FakeClock, ScriptedNetwork, json_reply, network
from tests.support import assert_no_secret

KEY, SECRET, TOKEN = "LTAIDISTINCTIVE00000001", "skDistinctive0000000000001", "CAISDistinctiveToken=="
BEARER = "bearerDistinctiveToken0001"
SECRETS = (KEY, SECRET, TOKEN, BEARER)
PERMANENT, TEMPORARY = AccessKey(KEY, SECRET), AccessKey(KEY, SECRET, TOKEN)
REQUEST = WireRequest(
    "GET", "https://paiflow.example.com/api?a=1", {"Accept": "application/json", "User-Agent": "u", "x-acs-action": "A"}
)
READ: Request[dict[str, Any]] = Request("Read", "GET", "/things", dict[str, Any], safe_to_repeat=True)
WRITE: Request[dict[str, Any]] = Request("Write", "POST", "/things", dict[str, Any], body={"a": 1})
FINE = json_reply({"RequestId": "r"})


def client(wire: ScriptedNetwork, clock: FakeClock, credentials: AccessKey | BearerToken = PERMANENT) -> Client:
    return Client(
        Service("PAIFlow", "https://paiflow.example.com", read_refusal, request_id_header=REQUEST_ID_HEADER),
        AlibabaAccount(Fixed(credentials), "84321"),
        connectivity=wire,
        patience=Patience(attempts=4, jitter=lambda: 0.5),
        clock=clock,
    )


def signed_names(request: WireRequest) -> list[str]:
    found = re.search(r"SignedHeaders=([^,]+)", request.headers["Authorization"])
    assert found
    return found[1].split(";")


class TestSigning:
    def test_a_permanent_key(self) -> None:
        sent = AlibabaIdentity(PERMANENT, nonce=lambda: "n1").sign(REQUEST, NOON)

        assert sent.headers["x-acs-date"] == "2026-01-15T12:00:00Z"
        assert sent.headers["x-acs-signature-nonce"] == "n1"
        assert sent.headers["Authorization"].startswith(f"ACS3-HMAC-SHA256 Credential={KEY},SignedHeaders=")
        assert signed_names(sent) == [
            "host", "x-acs-action", "x-acs-content-sha256", "x-acs-date", "x-acs-signature-nonce",
        ]  # fmt: skip
        assert sent.headers["Accept"] == "application/json"

    def test_a_temporary_key_sends_and_signs_its_token(self) -> None:
        sent = AlibabaIdentity(TEMPORARY).sign(REQUEST, NOON)

        assert sent.headers["x-acs-security-token"] == TOKEN
        assert {"x-acs-security-token", "x-acs-accesskey-id"} <= set(signed_names(sent))

    def test_a_bearer_token_signs_nothing(self) -> None:
        sent = AlibabaIdentity(BearerToken(BEARER)).sign(REQUEST, NOON)

        assert sent.headers["x-acs-bearer-token"] == BEARER
        assert sent.headers["x-acs-signature-type"] == "BEARERTOKEN"
        assert "Authorization" not in sent.headers

    def test_content_type_and_body_are_signed(self) -> None:
        request = WireRequest("POST", REQUEST.url, {"Content-Type": "application/json"}, b'{"a":1}')
        other = WireRequest("POST", REQUEST.url, {"Content-Type": "application/json"}, b'{"a":2}')
        identity = AlibabaIdentity(PERMANENT, nonce=lambda: "n")

        sent, changed = identity.sign(request, NOON), identity.sign(other, NOON)

        assert "content-type" in signed_names(sent)
        assert sent.headers["Authorization"] != changed.headers["Authorization"]

    def test_each_attempt_has_its_own_date_and_nonce(self, clock: FakeClock) -> None:
        broken = json_reply({"Code": "InternalError", "Message": "m"}, status=500)
        wire = network(broken, broken, broken, FINE)

        client(wire, clock).send(READ)

        assert len({request.headers["x-acs-signature-nonce"] for request in wire.sent}) == 4
        assert wire.sent[2].headers["x-acs-date"] != wire.sent[3].headers["x-acs-date"]


class TestSecrets:
    @pytest.mark.parametrize("credentials", [PERMANENT, TEMPORARY, BearerToken(BEARER)])
    def test_no_repr_tells_one(self, credentials: AccessKey | BearerToken) -> None:
        for each in (credentials, AlibabaIdentity(credentials), AlibabaAccount(Fixed(credentials), "84321")):
            assert_no_secret(f"{each!r} {each!s}", SECRETS)

    @pytest.mark.parametrize(
        "reply",
        [
            json_reply(
                {
                    "Code": "SignatureDoesNotMatch",
                    "Message": "Specified signature does not match our calculation. server CanonicalRequest is [GET\n"
                    f"x-acs-security-token:{TOKEN}]",
                },
                status=400,
            ),
            json_reply({"Code": "X", "Message": f"odd {SECRET} {KEY} {TOKEN} Signature=0123abcdef"}, status=400),
            WireReply(502, {}, f"<html>{TOKEN}</html>".encode()),
            WireReply(200, {}, f'["{SECRET}"]'.encode()),
        ],
    )
    def test_no_error_tells_one(self, clock: FakeClock, reply: WireReply) -> None:
        with pytest.raises(ApiError) as caught:
            client(network(reply), clock, TEMPORARY).send(WRITE)

        assert_no_secret(str(caught.value), SECRETS)
        assert "0123abcdef" not in str(caught.value)


class TestRefusedCredentials:
    def test_an_expired_token_is_not_tried_again(self, clock: FakeClock) -> None:
        wire = network(json_reply({"Code": "InvalidSecurityToken.Expired", "Message": "expired"}, status=403))

        with pytest.raises(AuthenticationError, match="put a new key with it there"):
            client(wire, clock, TEMPORARY).send(READ)
        assert len(wire.sent) == 1


class TestPatience:
    def test_milliseconds_are_waited_for(self, clock: FakeClock) -> None:
        throttled = json_reply({"Code": "Throttling.User"}, status=429, headers={"x-acs-retry-after": "1500"})

        client(network(throttled, FINE), clock).send(WRITE)

        assert clock.slept == [2.0]

    def test_seconds_are_waited_for(self, clock: FakeClock) -> None:
        throttled = json_reply({"Code": "Throttling.User"}, status=400, headers={"Retry-After": "3"})

        client(network(throttled, FINE), clock).send(READ)

        assert clock.slept == [3.5]

    def test_a_wait_that_is_too_long_for_a_call_is_told_instead(self, clock: FakeClock) -> None:
        throttled = json_reply({"Code": "Throttling.User"}, status=429, headers={"x-acs-retry-after": "600000"})

        with pytest.raises(ThrottledError) as caught:
            client(network(throttled), clock).send(READ)
        assert caught.value.retry_after == 600.0

    def test_a_used_nonce_is_replaced_for_reads_and_told_for_writes(self, clock: FakeClock) -> None:
        used = json_reply({"Code": "SignatureNonceUsed"}, status=400)

        client(network(used, FINE), clock).send(READ)

        with pytest.raises(ServerError):
            client(network(used), clock).send(WRITE)


class TestAccountFields:
    IN_WORKSPACE: Request[dict[str, Any]] = Request(
        "List", "GET", "/things", dict[str, Any], account_fields={"WorkspaceId": "workspace_id"}
    )

    def test_a_workspace_is_taken_from_the_account(self, clock: FakeClock) -> None:
        wire = network(FINE)
        client(wire, clock).send(self.IN_WORKSPACE)
        assert wire.sent[0].url.endswith("/things?WorkspaceId=84321")

    def test_one_that_is_required_is_asked_for_before_anything_is_sent(self, clock: FakeClock) -> None:
        wire = network()
        without = client(wire, clock)
        without.account = AlibabaAccount(Fixed(PERMANENT))
        request: Request[Any] = Request(
            "Create", "POST", "/", dict[str, Any], body={}, account_fields={"W": "workspace_id"}, required=("W",)
        )

        with pytest.raises(InvalidInputError, match="Create needs W: give it in the call or in the connection"):
            without.send(request)
        assert wire.sent == []


def test_a_reply_that_cannot_be_read_names_the_request_by_the_services_header(clock: FakeClock) -> None:
    reply = WireReply(200, {"x-acs-request-id": "r-9"}, b"[1]")

    with pytest.raises(UnexpectedReplyError) as caught:
        client(network(reply), clock).send(WRITE)
    assert caught.value.request_id == "r-9"
