from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

import httpx
import pytest

from airflow_provider_mlworkflows.emulator import FaultRule
from airflow_provider_mlworkflows.emulator.environment import ALIBABA_CONNECTION, connections
from tests.emulator.acs_signing import RUNS, PaiCaller, acs_headers

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.emulator import Emulator


def refused(answer: httpx.Response, status: int, code: str, *words: str) -> dict[str, Any]:
    body: dict[str, Any] = answer.json()
    assert (answer.status_code, body["Code"]) == (status, code), answer.text
    assert body["RequestId"] == answer.headers["x-acs-request-id"]
    assert body["HostId"] == answer.request.headers["host"]
    assert body["Recommend"].startswith(f"https://api.aliyun.com/troubleshoot?q={code}&product=PAIFlow&requestId=")
    for word in words:
        assert word in body["Message"]
    return body


def test_permanent_key(emu: Emulator, pai: PaiCaller) -> None:
    answer = pai.runs(PageSize=1)
    assert answer.status_code == 200
    entry = emu.journal.entries[-1]
    assert (entry.operation, entry.principal, entry.code) == ("ListPipelineRuns", pai.ak, None)
    assert entry.request_id == answer.json()["RequestId"]
    assert pai.sk not in json.dumps([each.to_json() for each in emu.journal.entries])


def test_no_credentials(emu: Emulator) -> None:
    refused(httpx.get(emu.url + RUNS, trust_env=False), 400, "IncompleteSignature")


def test_unknown_key_is_a_404_of_its_own(emu: Emulator, pai: PaiCaller) -> None:
    pai.ak = "NOBODY"
    refused(pai.runs(), 404, "InvalidAccessKeyId.NotFound")
    assert emu.journal.entries[-1].code == "InvalidAccessKeyId.NotFound"


def test_disabled_key(emu: Emulator, pai: PaiCaller) -> None:
    emu.credentials.block(emu.credentials.permanent)
    refused(pai.runs(), 404, "InvalidAccessKeyId.Inactive")


def test_rotated_key(emu: Emulator, pai: PaiCaller) -> None:
    fresh = emu.credentials.rotate(emu.credentials.permanent)
    refused(pai.runs(), 404, "InvalidAccessKeyId.NotFound")
    pai.ak, pai.sk = fresh.ak, fresh.sk
    assert pai.runs().is_success


def test_wrong_secret_is_told_the_string_to_sign(pai: PaiCaller) -> None:
    right, pai.sk = pai.sk, "wrong"
    body = refused(pai.runs(), 400, "SignatureDoesNotMatch", "server string to sign is:ACS3-HMAC-SHA256\n")
    assert right not in json.dumps(body)


@pytest.mark.parametrize("minutes", [-16, 16])
def test_skewed_clock(pai: PaiCaller, minutes: int) -> None:
    refused(pai.runs(at=datetime.now(UTC) + timedelta(minutes=minutes)), 400, "InvalidTimeStamp.Expired", "15 minutes")


def test_skew_within_the_window(emu: Emulator, pai: PaiCaller) -> None:
    assert pai.runs(at=datetime.now(UTC) - timedelta(minutes=14)).is_success
    emu.clock.advance(3600)
    assert pai.runs().is_success


@pytest.mark.parametrize("date", ["", "now", "20260102T030405Z", "2026-13-02T03:04:05Z", "2026-1-2T3:4:5Z"])
def test_date_that_cannot_be_read(pai: PaiCaller, date: str) -> None:
    refused(pai.runs(headers={"x-acs-date": date}), 400, "InvalidTimeStamp.Format")


def test_nonce_is_good_for_one_accepted_request(emu: Emulator, pai: PaiCaller) -> None:
    assert pai.runs(nonce="once").is_success
    refused(pai.runs(nonce="once"), 400, "SignatureNonceUsed")
    right, pai.sk = pai.sk, "wrong"
    refused(pai.runs(nonce="twice"), 400, "SignatureDoesNotMatch")
    pai.sk = right
    assert pai.runs(nonce="twice").is_success
    other = emu.credentials.add_access_key()
    pai.ak, pai.sk = other.ak, other.sk
    assert pai.runs(nonce="once").is_success
    refused(pai.runs(headers={"x-acs-signature-nonce": ""}), 400, "MissingParameter", "x-acs-signature-nonce")


def test_nonces_are_forgotten_only_once_their_date_is_refused(emu: Emulator, pai: PaiCaller) -> None:
    begin = datetime(2026, 3, 1, 12, tzinfo=UTC)
    emu.auth_now = begin
    assert pai.runs(nonce="n", at=begin).is_success
    for minutes in (5, 10, 15):
        emu.auth_now = begin + timedelta(minutes=minutes)
        assert pai.runs(at=emu.auth_now + timedelta(minutes=15)).is_success
        refused(pai.runs(nonce="n", at=begin), 400, "SignatureNonceUsed")
    emu.auth_now = begin + timedelta(minutes=60)
    assert pai.runs(at=emu.auth_now).is_success
    refused(pai.runs(nonce="n", at=begin), 400, "InvalidTimeStamp.Expired")
    assert pai.runs(nonce="n", at=emu.auth_now).is_success


def test_sts_token(emu: Emulator, pai: PaiCaller) -> None:
    key = emu.credentials.temporary
    pai.ak, pai.sk = key.ak, key.sk
    refused(pai.runs(), 400, "MissingSecurityToken")
    pai.security_token = "other"
    refused(pai.runs(), 400, "InvalidSecurityToken.MismatchWithAccessKey")
    pai.security_token = key.security_token
    assert pai.runs().is_success
    emu.clock.advance(24 * 3600)
    refused(pai.runs(), 403, "InvalidSecurityToken.Expired")


def test_permanent_key_with_security_token(pai: PaiCaller) -> None:
    pai.security_token = "stray"
    refused(pai.runs(), 400, "InvalidSecurityToken.MismatchWithAccessKey")


def bearer(emu: Emulator, text: str, **headers: str) -> httpx.Response:
    given = {
        "x-acs-bearer-token": text,
        "x-acs-signature-type": "BEARERTOKEN",
        "x-acs-action": "ListPipelineRuns",
        "x-acs-version": "2021-02-02",
        **headers,
    }
    return httpx.get(emu.url + RUNS, headers=given, trust_env=False)


def test_bearer_token(emu: Emulator) -> None:
    token = emu.credentials.add_token()
    assert bearer(emu, token.text).is_success
    assert emu.journal.entries[-1].principal == "airflow"
    refused(bearer(emu, "garbage"), 403, "InvalidBearerToken.NotFound")
    emu.credentials.expire(token)
    refused(bearer(emu, token.text), 403, "InvalidBearerToken.Expired")


def test_every_header_of_the_dialect_must_be_signed(emu: Emulator, pai: PaiCaller) -> None:
    url = httpx.URL(emu.url + RUNS)
    headers = acs_headers("GET", url, b"", "ListPipelineRuns", pai.ak, pai.sk)
    unsigned = headers | {"x-acs-credentials-provider": "static_ak"}
    refused(pai.http.get(url, headers=unsigned), 400, "IncompleteSignature", "x-acs-credentials-provider")
    headers["authorization"] = headers["authorization"].replace("x-acs-date;", "")
    refused(pai.http.get(url, headers=headers), 400, "IncompleteSignature", "x-acs-date")


def test_announced_hash_must_be_that_of_the_body(pai: PaiCaller) -> None:
    answer = pai.runs(headers={"x-acs-content-sha256": "0" * 64})
    refused(answer, 400, "SignatureDoesNotMatch", "x-acs-content-sha256")


def test_headers_must_name_the_operation_of_the_path(pai: PaiCaller) -> None:
    refused(pai.call("GetPipelineRun", "GET", RUNS), 404, "InvalidAction.NotFound", "not ListPipelineRuns")
    refused(pai.runs(headers={"x-acs-version": "2020-03-28"}), 404, "InvalidApi.NotFound", "2020-03-28")


def test_missing_permission_names_the_ram_action(emu: Emulator, pai: PaiCaller) -> None:
    emu.credentials.revoke("paiflow:ListPipelineRuns")
    detail = refused(pai.runs(), 403, "NoPermission", "paiflow:ListPipelineRuns")["AccessDeniedDetail"]
    assert (detail["AuthAction"], detail["NoPermissionType"]) == ("paiflow:ListPipelineRuns", "ImplicitDeny")
    assert pai.batch({"PipelineRuns": []}).is_success
    emu.credentials.grant("paiflow:ListPipelineRuns")
    assert pai.runs().is_success


@pytest.mark.parametrize("status", [429, 400])
def test_throttling(emu: Emulator, pai: PaiCaller, status: Literal[400, 429]) -> None:
    emu.switches.throttled_status = status
    emu.limits.set("ListPipelineRuns", per_second=1)
    assert pai.runs().is_success
    answer = pai.runs()
    refused(answer, status, "Throttling.User")
    assert "x-acs-retry-after" not in answer.headers
    emu.switches.retry_after = 4
    assert pai.runs().headers["x-acs-retry-after"] == "4000"
    emu.clock.advance(1)
    assert pai.runs().is_success


def test_faults_speak_the_dialect(emu: Emulator, pai: PaiCaller) -> None:
    def fault(**rule: Any) -> httpx.Response:
        emu.faults.add(FaultRule(operation="ListPipelineRuns", **rule))
        answer = pai.runs()
        emu.faults.clear()
        return answer

    answer = fault(status=429, retry_after=1.5)
    refused(answer, 429, "Throttling.User")
    assert answer.headers["x-acs-retry-after"] == "1500"
    assert "Retry-After" not in answer.headers
    refused(fault(status=400, code="Throttling.User"), 400, "Throttling.User")
    refused(fault(status=503), 503, "ServiceUnavailable")
    refused(fault(status=500), 500, "InternalError")
    refused(fault(status=418), 418, "ServiceUnavailable")
    refused(fault(action="envelope", code="InternalError"), 200, "InternalError")
    page = fault(action="html", status=502, retry_after=1.5)
    assert (page.status_code, page.headers["Content-Type"], page.headers["Retry-After"]) == (502, "text/html", "2")


def test_paths_that_nobody_serves_are_refused_by_the_nearest_service(emu: Emulator, pai: PaiCaller) -> None:
    refused(pai.call("ListRuns", "GET", "/api/v1/runs"), 404, "InvalidAction.NotFound")
    assert emu.journal.entries[-1].operation is None
    other = httpx.get(f"{emu.url}/v2/x/nothing", trust_env=False)
    assert (other.status_code, other.json()["error_code"]) == (404, "APIG.0101")
    assert httpx.get(f"{emu.url}/", trust_env=False).json()["error_code"] == "APIG.0101"


def test_bodies_are_read_whatever_their_type_is_called(pai: PaiCaller) -> None:
    stray = {"content-type": "application/octet-stream"}
    assert pai.runs(headers=stray).is_success
    assert pai.call("ListPipelineRunsStatus", "PUT", RUNS, {"PipelineRuns": []}, headers=stray).is_success


@pytest.mark.parametrize("raw", [b"{", b"[]", b"\xff", b'"text"'])
def test_bodies_that_are_no_object(pai: PaiCaller, raw: bytes) -> None:
    refused(pai.call("ListPipelineRunsStatus", "PUT", RUNS, raw=raw), 400, "InvalidParameter")


def test_connection_leads_to_a_running_emulator(emu: Emulator) -> None:
    connection = connections(emu.url + "/")[ALIBABA_CONNECTION]
    assert json.loads(json.dumps(connection)) == connection
    assert connection["conn_type"] == "alibaba_mlworkflows"
    extra = connection["extra"]
    assert set(extra) == {"region", "workspace_id", "paiflow_endpoint", "sts_endpoint", "metadata_endpoint"}
    with PaiCaller(extra["paiflow_endpoint"], connection["login"], connection["password"]) as caller:
        assert caller.runs(WorkspaceId=extra["workspace_id"]).is_success
