from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from airflow_provider_mlworkflows.emulator import FaultRule
from airflow_provider_mlworkflows.emulator.aom import ready
from airflow_provider_mlworkflows.emulator.credentials import OTHER_PROJECT_ID, PROJECT_ID
from tests.emulator.aom_calls import AomCaller, refused, unauthorized

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.emulator import Emulator

FLOW = ready.PLAIN_CHAIN
RUNS = f"/workflow/{FLOW}/executions"
START = "ExecuteWorkflow"


def listing(emu: Emulator, headers: dict[str, str], project_id: str = PROJECT_ID) -> httpx.Response:
    return httpx.get(f"{emu.url}/v1/{project_id}/cms{RUNS}", headers=headers, trust_env=False)


def test_no_credentials(emu: Emulator) -> None:
    unauthorized(listing(emu, {}), "x-auth-token not found")


def test_signature(emu: Emulator, aom: AomCaller) -> None:
    assert aom.executions(FLOW) == []
    assert emu.journal.entries[-1].principal == aom.ak
    aom.sk = "wrong"
    answer = aom.cms("GET", RUNS)
    unauthorized(answer, "verify aksk signature fail")
    assert "canonicalRequest" not in answer.headers["X-Emulator-Reason"]


def test_token(emu: Emulator) -> None:
    token = emu.credentials.token
    assert listing(emu, {"X-Auth-Token": token.text}).json() == []
    unauthorized(listing(emu, {"X-Auth-Token": "garbage"}), "decrypt token fail")
    emu.credentials.expire(token)
    unauthorized(listing(emu, {"X-Auth-Token": token.text}), "token expires")


def test_temporary_key(emu: Emulator, aom: AomCaller) -> None:
    key = emu.credentials.temporary
    aom.ak, aom.sk = key.ak, key.sk
    unauthorized(aom.cms("GET", RUNS), "needs x-security-token")
    aom.security_token = key.security_token
    assert aom.executions(FLOW) == []
    emu.credentials.expire(key)
    unauthorized(aom.cms("GET", RUNS), "security token expires")


def test_no_token_gets_into_a_reason(emu: Emulator, aom: AomCaller) -> None:
    key = emu.credentials.temporary
    aom.ak, aom.sk, aom.security_token = key.ak, "wrong", key.security_token
    answer = aom.cms("GET", RUNS)
    unauthorized(answer, "verify aksk signature fail")
    assert str(key.security_token)[:40] not in str(answer.headers)


@pytest.mark.parametrize("project_id", [OTHER_PROJECT_ID, "f" * 32])
def test_other_project(emu: Emulator, project_id: str) -> None:
    answer = listing(emu, {"X-Auth-Token": emu.credentials.token.text}, project_id)
    body = answer.json()
    assert (answer.status_code, body["error_code"]) == (403, "APIGW.0302")
    assert body["request_id"] == answer.headers["X-Request-Id"]


@pytest.mark.parametrize("project_id", ["f" * 31, "f" * 33, "default"])
def test_project_id_has_32_characters(emu: Emulator, aom: AomCaller, project_id: str) -> None:
    aom.project_id = project_id
    refused(aom.cms("GET", RUNS))


def test_workflows_belong_to_a_project(aom: AomCaller) -> None:
    aom.project_id = OTHER_PROJECT_ID
    assert aom.cms("POST", RUNS).status_code == 404
    assert aom.workflows() == []


@pytest.mark.parametrize(
    ("permission", "method", "path"),
    [
        ("cms:execution:create", "POST", RUNS),
        ("cms:execution:create", "POST", f"{RUNS}/x/terminate"),
        ("cms:execution:create", "POST", f"{RUNS}/x/operation"),
        ("cms:execution:get", "GET", RUNS),
        ("cms:workflow:list", "POST", "/workflow-list"),
        ("cms:execution:get", "GET", f"{RUNS}/x/status"),
        ("cms:workflow:create", "POST", "/workflow"),
        ("cms:workflow:update", "PUT", f"/workflow/{FLOW}/trigger/action"),
        ("cms:template:get", "GET", "/template/x"),
        ("cms:template:list", "POST", "/template-list/x"),
        ("cms:job:list", "POST", "/job/list"),
        ("cms:script:list", "POST", "/script/list"),
        ("cms:script:list", "POST", "/script-version-list"),
    ],
)
def test_permissions(emu: Emulator, aom: AomCaller, permission: str, method: str, path: str) -> None:
    emu.credentials.revoke(permission)
    answer = aom.cms(method, path)
    assert (answer.status_code, answer.json()["error_code"]) == (403, "APIGW.0302")
    assert permission in answer.json()["error_msg"]
    emu.credentials.grant(permission)
    assert aom.cms(method, path).status_code != 403


def test_no_other_paths(emu: Emulator, aom: AomCaller) -> None:
    for method, path in (("GET", "/workflow"), ("DELETE", f"/workflow/{FLOW}"), ("POST", f"{RUNS}/x/pause")):
        answer = aom.cms(method, path)
        assert (answer.status_code, answer.json()["error_code"]) == (404, "APIG.0101")
        assert emu.journal.entries[-1].operation is None


@pytest.mark.parametrize(("when", "started"), [("before", 0), ("after", 1)])
class TestFaults:
    """A start that goes wrong, before and after its effect."""

    def check(self, emu: Emulator, started: int, status: int | None) -> None:
        assert emu.aom.start_count(FLOW) == len(emu.aom.executions) == started
        assert emu.journal.count(START, effective=True, workflow_id=FLOW) == started
        assert emu.journal.entries[-1].status == status

    def test_500(self, emu: Emulator, aom: AomCaller, when: str, started: int) -> None:
        emu.faults.add(FaultRule.from_json({"operation": START, "when": when, "status": 500}))
        refused(aom.cms("POST", RUNS), 500, "AOM.31001405", "internal server error.")
        self.check(emu, started, 500)

    def test_reset(self, emu: Emulator, aom: AomCaller, when: str, started: int) -> None:
        emu.faults.add(FaultRule.from_json({"operation": START, "when": when, "action": "reset"}))
        with pytest.raises(httpx.ReadError):
            aom.cms("POST", RUNS)
        self.check(emu, started, None)

    def test_truncate(self, emu: Emulator, aom: AomCaller, when: str, started: int) -> None:
        emu.faults.add(FaultRule.from_json({"operation": START, "when": when, "action": "truncate"}))
        with pytest.raises(httpx.RemoteProtocolError, match="complete message body"):
            aom.cms("POST", RUNS)
        self.check(emu, started, 200 if started else 503)

    def test_envelope(self, emu: Emulator, aom: AomCaller, when: str, started: int) -> None:
        emu.faults.add(FaultRule.from_json({"operation": START, "when": when, "action": "envelope"}))
        answer = aom.cms("POST", RUNS)
        assert (answer.status_code, answer.json()["error_code"]) == (200, "AOM.31001405")
        self.check(emu, started, 200)

    def test_delay(self, emu: Emulator, aom: AomCaller, when: str, started: int) -> None:
        rule = {"operation": START, "when": when, "action": "delay", "delay": 0.01}
        emu.faults.add(FaultRule.from_json(rule))
        assert aom.cms("POST", RUNS).status_code == 200
        assert emu.journal.entries[-1].fault == "delay"
        assert emu.aom.start_count(FLOW) == 1


def test_the_second_call_only(emu: Emulator, aom: AomCaller) -> None:
    emu.faults.add(FaultRule("ListWorkflowExecutions", nth=2, status=500))
    assert [aom.cms("GET", RUNS).status_code for _ in range(3)] == [200, 500, 200]


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (429, None, "APIG.0308"),
        (502, None, "APIG.0202"),
        (503, None, "APIG.0202"),
        (504, None, "APIG.0203"),
        (403, None, "APIGW.0302"),
        (418, None, "APIG.0202"),
        (401, None, "AOM.31009004"),
        (401, "AOM.31009003", "AOM.31009003"),
        (401, "APIGW.0301", "APIGW.0301"),
        (400, None, "AOM.31001302"),
        (409, "AOM.31001999", "AOM.31001999"),
    ],
)
def test_error_dialects(emu: Emulator, aom: AomCaller, status: int, code: str | None, expected: str) -> None:
    emu.faults.add(FaultRule(status=status, code=code))
    answer = aom.cms("GET", RUNS)
    body = answer.json()
    assert (answer.status_code, body["error_code"]) == (status, expected)
    assert ("request_id" in body) is expected.startswith("APIG")
    assert ("http_code" in body) is expected.startswith("AOM")


def test_throttled_and_asked_to_wait(emu: Emulator, aom: AomCaller) -> None:
    rule = {"operation": START, "status": 429, "retry_after": 7, "times": 2}
    emu.faults.add(FaultRule.from_json(rule))
    answers = [aom.cms("POST", RUNS) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [429, 429, 200]
    assert answers[0].headers["Retry-After"] == "7"
    assert emu.aom.start_count(FLOW) == 1


def test_throttling(emu: Emulator, aom: AomCaller) -> None:
    emu.limits.set(START, per_second=1)
    emu.switches.retry_after = 3
    aom.executed(FLOW)
    answer = aom.cms("POST", RUNS)
    assert (answer.status_code, answer.json()["error_code"]) == (429, "APIG.0308")
    assert answer.headers["Retry-After"] == "3"
    assert emu.aom.start_count() == 1
