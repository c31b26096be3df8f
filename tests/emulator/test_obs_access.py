from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import httpx
import pytest

from airflow_provider_mlworkflows.emulator import FaultRule
from airflow_provider_mlworkflows.emulator.environment import HUAWEI_CONNECTION, connections
from airflow_provider_mlworkflows.emulator.obs.ready import PLAIN_CHAIN
from tests.emulator.obs_signing import FLOWS, POLICY, RUNS, ObsCaller, http_date, refused, refused_in_front

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.emulator import Emulator


def test_permanent_key(emu: Emulator, obs: ObsCaller) -> None:
    assert obs.start(PLAIN_CHAIN).status_code == 200
    entry = emu.journal.entries[-1]
    assert (entry.operation, entry.principal, entry.code) == ("asyncAPIStartWorkflow", obs.ak, None)
    assert (entry.ids["graph_name"], entry.effective) == (PLAIN_CHAIN, True)
    assert obs.sk not in json.dumps([each.to_json() for each in emu.journal.entries])


def test_anonymous_request(emu: Emulator) -> None:
    answer = httpx.get(emu.url + FLOWS + PLAIN_CHAIN, trust_env=False)
    refused_in_front(answer, 403, "AccessDenied", "Anonymous")
    assert emu.journal.entries[-1].code == "AccessDenied"


@pytest.mark.parametrize(
    ("text", "status", "code"),
    [
        ("OBS nonsense", 403, "AccessDenied"),
        ("SDK-HMAC-SHA256 Access=A, SignedHeaders=host, Signature=00", 403, "AccessDenied"),
        ("AWS4-HMAC-SHA256 Credential=A/20240619/r/s3/aws4_request,Signature=00", 403, "AccessDenied"),
    ],
)
def test_other_schemes(emu: Emulator, text: str, status: int, code: str) -> None:
    answer = httpx.get(emu.url + FLOWS + PLAIN_CHAIN, headers={"Authorization": text}, trust_env=False)
    refused_in_front(answer, status, code, "OBS AccessKeyId:Signature")


def test_form_with_names_of_amazon(emu: Emulator, obs: ObsCaller) -> None:
    obs.scheme = "AWS"
    assert obs.start(PLAIN_CHAIN).is_success
    assert obs.call("GET", FLOWS + PLAIN_CHAIN, date_header="x-amz-date").is_success
    key = emu.credentials.temporary
    obs.ak, obs.sk, obs.security_token = key.ak, key.sk, key.security_token
    assert obs.start(PLAIN_CHAIN).is_success


def test_unknown_and_disabled_keys(emu: Emulator, obs: ObsCaller) -> None:
    known, obs.ak = obs.ak, "NOBODY"
    refused_in_front(obs.start(PLAIN_CHAIN), 403, "InvalidAccessKeyId", "NOBODY")
    obs.ak = known
    emu.credentials.block(emu.credentials.permanent)
    refused_in_front(obs.start(PLAIN_CHAIN), 403, "InvalidAccessKeyId", "disabled")
    assert emu.obs.starts() == 0


def test_wrong_secret_is_told_the_string_to_sign(obs: ObsCaller) -> None:
    right, obs.sk = obs.sk, "wrong"
    answer = obs.call(
        "GET", RUNS, query={"x-workflow-graph-name": "g"}, headers={"Date": "Wed, 19 Jun 2024 08:00:00 GMT"}
    )
    refused_in_front(answer, 403, "RequestTimeTooSkewed")
    answer = obs.call("GET", RUNS, query={"x-workflow-graph-name": "g"})
    root = refused_in_front(answer, 403, "SignatureDoesNotMatch")
    assert (root.findtext("StringToSign") or "").endswith("GMT\n/v2/workflowexecutions?x-workflow-graph-name=g")
    assert right not in answer.text


@pytest.mark.parametrize("header", ["Date", "x-obs-date"])
@pytest.mark.parametrize(("minutes", "passes"), [(-16, False), (-14, True), (14, True), (16, False)])
def test_time_of_signing(obs: ObsCaller, header: str, minutes: int, passes: bool) -> None:
    at = datetime.now(UTC) + timedelta(minutes=minutes)
    answer = obs.call("GET", FLOWS + PLAIN_CHAIN, at=at, date_header=header)
    if passes:
        assert answer.is_success
    else:
        refused_in_front(answer, 403, "RequestTimeTooSkewed", "15 minutes")


def test_the_date_of_its_own_counts(obs: ObsCaller) -> None:
    old = {"Date": "Wed, 19 Jun 2024 08:00:00 GMT"}
    assert obs.call("GET", FLOWS + PLAIN_CHAIN, date_header="x-obs-date", headers=old).is_success


def test_empty_date_of_its_own_counts_too(obs: ObsCaller) -> None:
    """It takes the signed place of the usual one, which may then not be trusted."""
    now = {"Date": http_date(datetime.now(UTC)), "x-obs-date": ""}
    refused_in_front(obs.call("GET", FLOWS + PLAIN_CHAIN, headers=now), 403, "AccessDenied", "x-obs-date")


def test_headers_that_are_no_text(emu: Emulator, obs: ObsCaller) -> None:
    odd = b"application/\xff\xfejson"
    headers = {"Authorization": f"OBS {obs.ak}:{'A' * 27}=", "Date": http_date(datetime.now(UTC))}
    sent = [(name.encode(), value.encode()) for name, value in headers.items()]
    answer = httpx.get(emu.url + FLOWS + PLAIN_CHAIN, headers=[*sent, (b"Content-Type", odd)], trust_env=False)
    root = refused_in_front(answer, 403, "SignatureDoesNotMatch")
    assert "application/??json" in (root.findtext("StringToSign") or "")


def newer(emu: Emulator, digest: str, headers: dict[str, str], at: datetime) -> dict[str, str]:
    """Return the headers of a start signed in the newer way."""
    key = emu.credentials.temporary
    sent = {
        "host": emu.url.removeprefix("http://"),
        "x-amz-content-sha256": digest,
        "x-amz-security-token": key.security_token or "",
        **headers,
    }
    names = ";".join(sorted(sent))
    lines = ["POST", FLOWS + PLAIN_CHAIN, "", *(f"{name}:{sent[name]}" for name in sorted(sent)), "", names, digest]
    scope = f"{at:%Y%m%d}/cn-north-4/s3/aws4_request"
    hashed = hashlib.sha256("\n".join(lines).encode()).hexdigest()
    secret = f"AWS4{key.sk}".encode()
    for part in scope.split("/"):
        secret = hmac.digest(secret, part.encode(), "sha256")
    text = f"AWS4-HMAC-SHA256\n{at:%Y%m%dT%H%M%SZ}\n{scope}\n{hashed}"
    mac = hmac.digest(secret, text.encode(), "sha256").hex()
    return sent | {
        "Authorization": f"AWS4-HMAC-SHA256 Credential={key.ak}/{scope}, SignedHeaders={names}, Signature={mac}"
    }


@pytest.mark.parametrize("compact", [True, False])
def test_newer_signature(emu: Emulator, compact: bool) -> None:
    url, body, now = emu.url + FLOWS + PLAIN_CHAIN, b'{"bucket": "data", "object": "o"}', datetime.now(UTC)
    digest = hashlib.sha256(body).hexdigest()
    date = {"x-amz-date": f"{now:%Y%m%dT%H%M%SZ}"} if compact else {"date": http_date(now)}
    for announced in (digest, "UNSIGNED-PAYLOAD"):
        answer = httpx.post(url, content=body, headers=newer(emu, announced, date, now), trust_env=False)
        assert answer.status_code == 200, answer.text
    signed = newer(emu, digest, date, now)
    answer = httpx.post(url, content=body + b" ", headers=signed, trust_env=False)
    refused_in_front(answer, 400, "XAmzContentSHA256Mismatch")
    answer = httpx.post(url, content=body, headers=signed | {"x-amz-security-token": "x"}, trust_env=False)
    root = refused_in_front(answer, 403, "SignatureDoesNotMatch")
    assert (root.findtext("CanonicalRequest") or "").startswith(f"POST\n{FLOWS}{PLAIN_CHAIN}\n\n")
    emu.credentials.expire(emu.credentials.temporary)
    answer = httpx.post(url, content=body, headers=signed, trust_env=False)
    refused_in_front(answer, 403, "InvalidAccessKeyId", "expired")
    assert emu.obs.starts() == 2


def test_newer_signature_that_is_old(emu: Emulator) -> None:
    at = datetime.now(UTC) - timedelta(minutes=16)
    signed = newer(emu, "UNSIGNED-PAYLOAD", {"x-amz-date": f"{at:%Y%m%dT%H%M%SZ}"}, at)
    answer = httpx.post(emu.url + FLOWS + PLAIN_CHAIN, headers=signed, trust_env=False)
    refused_in_front(answer, 403, "RequestTimeTooSkewed")


@pytest.mark.parametrize(
    "date", ["", "now", "20240619T080000Z", "2024-06-19T08:00:00Z", "Wed, 40 Jun 2024 08:00:00 GMT"]
)
def test_date_that_cannot_be_read(obs: ObsCaller, date: str) -> None:
    refused_in_front(obs.call("GET", FLOWS + PLAIN_CHAIN, headers={"Date": date}), 403, "AccessDenied", "Date")


def test_temporary_key_needs_its_token(emu: Emulator, obs: ObsCaller) -> None:
    key = emu.credentials.temporary
    obs.ak, obs.sk = key.ak, key.sk
    refused_in_front(obs.start(PLAIN_CHAIN), 403, "InvalidAccessKeyId", "x-obs-security-token")
    obs.security_token = "other"
    refused_in_front(obs.start(PLAIN_CHAIN), 403, "InvalidAccessKeyId")
    obs.security_token = key.security_token
    assert obs.start(PLAIN_CHAIN).is_success
    obs.ak, obs.sk = emu.credentials.permanent.ak, emu.credentials.permanent.sk
    refused_in_front(obs.start(PLAIN_CHAIN), 403, "InvalidAccessKeyId")


def test_expired_key(emu: Emulator, obs: ObsCaller) -> None:
    key = emu.credentials.temporary
    obs.ak, obs.sk, obs.security_token = key.ak, key.sk, key.security_token
    emu.credentials.expire(key)
    refused_in_front(obs.start(PLAIN_CHAIN), 403, "InvalidAccessKeyId", "expired")
    emu.switches.obs_expired_key = "json"
    refused(obs.start(PLAIN_CHAIN), 500, "SYS.0008")


def test_key_that_iam_issues_for_a_token(emu: Emulator, obs: ObsCaller) -> None:
    url = emu.url + "/v3.0/OS-CREDENTIAL/securitytokens"
    body = {"auth": {"identity": {"methods": ["token"], "token": {"duration_seconds": 1200}}}}
    headers = {"X-Auth-Token": emu.credentials.token.text}
    answer = httpx.post(url, json=body, headers=headers, trust_env=False)
    assert answer.status_code == 201
    issued = answer.json()["credential"]
    ends = datetime.fromisoformat(issued["expires_at"])
    assert ends == emu.clock.now() + timedelta(seconds=1200)
    obs.ak, obs.sk, obs.security_token = issued["access"], issued["secret"], issued["securitytoken"]
    assert obs.start(PLAIN_CHAIN).is_success
    emu.clock.advance(1199)
    assert obs.start(PLAIN_CHAIN).is_success
    emu.clock.advance(1)
    refused_in_front(obs.start(PLAIN_CHAIN), 403, "InvalidAccessKeyId", "expired")
    assert httpx.post(url, json=body, headers={"X-Auth-Token": "no"}, trust_env=False).status_code == 401


def test_a_token_alone_does_not_do(emu: Emulator) -> None:
    headers = {"X-Auth-Token": emu.credentials.token.text}
    answer = httpx.get(emu.url + FLOWS + PLAIN_CHAIN, headers=headers, trust_env=False)
    refused_in_front(answer, 403, "AccessDenied")


def test_permission(emu: Emulator, obs: ObsCaller) -> None:
    emu.credentials.revoke("obs:workflow:asyncAPIStartWorkflow")
    refused_in_front(obs.start(PLAIN_CHAIN), 403, "AccessDenied", "obs:workflow:asyncAPIStartWorkflow")
    assert obs.call("GET", FLOWS + PLAIN_CHAIN).is_success
    emu.credentials.grant("obs:workflow:asyncAPIStartWorkflow")
    assert obs.start(PLAIN_CHAIN).is_success


def test_digest_of_the_body(obs: ObsCaller) -> None:
    body = b'{"bucket": "data", "object": "o"}'
    right = base64.b64encode(hashlib.md5(body).digest()).decode()
    assert obs.call("POST", FLOWS + PLAIN_CHAIN, raw=body, headers={"Content-MD5": right}).is_success
    answer = obs.call("POST", FLOWS + PLAIN_CHAIN, raw=body + b" ", headers={"Content-MD5": right})
    refused_in_front(answer, 400, "BadDigest")


@pytest.mark.parametrize(
    ("status", "code", "dialect"),
    [
        (400, "SYS.0010", "json"),
        (401, "SYS.0004", "json"),
        (403, "AccessDenied", "xml"),
        (404, "SYS.0003", "json"),
        (405, "MethodNotAllowed", "xml"),
        (409, "OperationAborted", "xml"),
        (429, "SYS.0011", "json"),
        (431, "SYS.0009", "json"),
        (500, "SYS.0001", "json"),
        (502, "ServiceUnavailable", "xml"),
        (503, "ServiceUnavailable", "xml"),
        (504, "SYS.0042", "json"),
    ],
)
def test_faults_speak_the_dialect_of_their_code(
    emu: Emulator, obs: ObsCaller, status: int, code: str, dialect: str
) -> None:
    emu.faults.add(FaultRule(status=status, retry_after=2.5))
    answer = obs.start(PLAIN_CHAIN)
    check = refused_in_front if dialect == "xml" else refused
    check(answer, status, code)
    assert answer.headers["retry-after"] == "3"
    assert emu.obs.starts() == 0
    assert emu.journal.entries[-1].code == code


@pytest.mark.parametrize(("code", "dialect"), [("Workflow.0009", "json"), ("OEFTrigger.1003", "json"), ("Odd", "xml")])
def test_faults_with_a_code(emu: Emulator, obs: ObsCaller, code: str, dialect: str) -> None:
    emu.faults.add(FaultRule(status=500, code=code))
    (refused_in_front if dialect == "xml" else refused)(obs.start(PLAIN_CHAIN), 500, code)


def test_start_that_takes_effect_and_is_lost(emu: Emulator, obs: ObsCaller) -> None:
    emu.faults.add(FaultRule("asyncAPIStartWorkflow", when="after", action="reset"))
    emu.faults.add(FaultRule("asyncAPIStartWorkflow", nth=2, when="after", status=503))
    emu.faults.add(FaultRule("asyncAPIStartWorkflow", nth=3, when="after", action="truncate"))
    with pytest.raises(httpx.RemoteProtocolError):
        raise_as_protocol_error(obs)
    refused_in_front(obs.start(PLAIN_CHAIN), 503, "ServiceUnavailable")
    with pytest.raises(httpx.RemoteProtocolError):
        obs.start(PLAIN_CHAIN)
    assert emu.obs.starts(PLAIN_CHAIN, "APICALL") == obs.runs(PLAIN_CHAIN)["count"] == 3
    assert emu.journal.count("asyncAPIStartWorkflow", effective=True) == 3


def raise_as_protocol_error(obs: ObsCaller) -> None:
    """A reset is seen while reading or as a closed connection, as the machine's network has it."""
    try:
        obs.start(PLAIN_CHAIN)
    except httpx.ReadError as error:
        raise httpx.RemoteProtocolError(str(error)) from error


def test_error_inside_a_success(emu: Emulator, obs: ObsCaller) -> None:
    emu.faults.add(FaultRule("asyncAPIStartWorkflow", action="envelope", code="SYS.0001"))
    answer = obs.start(PLAIN_CHAIN)
    assert (answer.status_code, answer.json()["code"]) == (200, "SYS.0001")


def test_throttling(emu: Emulator, obs: ObsCaller) -> None:
    emu.limits.set("asyncAPIStartWorkflow", per_second=1)
    emu.switches.retry_after = 7
    assert obs.start(PLAIN_CHAIN).is_success
    answer = obs.start(PLAIN_CHAIN)
    refused(answer, 429, "SYS.0011")
    assert answer.headers["retry-after"] == "7"
    emu.switches.update({"obs_throttled_status": 503, "retry_after": None}, emu.lock)
    answer = obs.start(PLAIN_CHAIN)
    refused_in_front(answer, 503, "SlowDown")
    assert "retry-after" not in answer.headers
    emu.clock.advance(1)
    assert obs.start(PLAIN_CHAIN).is_success


def test_too_large_a_body(obs: ObsCaller) -> None:
    refused(obs.call("POST", FLOWS + PLAIN_CHAIN, raw=b" " * (12 * 1024 * 1024 + 1)), 400, "SYS.0012")


def test_paths_of_nobody(emu: Emulator, obs: ObsCaller) -> None:
    refused(obs.call("POST", RUNS + "/x"), 404, "SYS.0003")
    refused(obs.call("PATCH", FLOWS + "x"), 404, "SYS.0003")
    refused(obs.call("GET", "/v2/workflow-authorization/x"), 404, "SYS.0003")
    project = emu.credentials.project_id
    assert obs.call("GET", f"/v2/{project}/nothing").json()["error_code"] == "APIG.0101"
    assert obs.call("GET", "/", query=POLICY).status_code == 405


def test_project_paths_are_not_of_this_service(emu: Emulator, obs: ObsCaller) -> None:
    for path in ("workflows", f"workflows/{PLAIN_CHAIN}", "workflows/labels"):
        assert obs.call("GET", f"/v2/{emu.credentials.project_id}/{path}").json()["error_code"] == "APIGW.0301"
    assert obs.call("GET", FLOWS + "workflows").json()["code"] == "Workflow.0001"
    assert emu.journal.entries[-1].operation == "getWorkflow"


def test_connection(emu: Emulator) -> None:
    assert connections(emu.url)[HUAWEI_CONNECTION]["extra"]["endpoint"] == emu.url
