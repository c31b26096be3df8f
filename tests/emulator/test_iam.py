from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest

from airflow_provider_mlworkflows.emulator import credentials as published

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.emulator import Emulator
    from tests.emulator.signing import Caller


def by_password(**scope: Any) -> dict[str, Any]:
    user = {
        "name": published.USER_NAME,
        "password": published.USER_PASSWORD,
        "domain": {"name": published.DOMAIN_NAME},
    }
    auth: dict[str, Any] = {"identity": {"methods": ["password"], "password": {"user": user}}}
    if scope:
        auth["scope"] = scope
    return {"auth": auth}


def post(emu: Emulator, path: str, body: Any, **headers: str) -> httpx.Response:
    return httpx.post(emu.url + path, json=body, headers=headers, trust_env=False)


def test_project_lookup(emu: Emulator, caller: Caller) -> None:
    answer = caller.call("GET", "/v3/projects", params={"name": emu.credentials.region})
    assert answer.status_code == 200
    assert [project["id"] for project in answer.json()["projects"]] == [emu.credentials.project_id]
    assert set(answer.json()["links"]) == {"self", "next", "previous"}
    assert emu.journal.entries[-1].operation == "KeystoneListProjects"
    assert len(caller.call("GET", "/v3/projects").json()["projects"]) == 2
    assert caller.call("GET", "/v3/projects", params={"name": "nowhere"}).json()["projects"] == []


def test_project_lookup_without_permission(emu: Emulator, caller: Caller) -> None:
    emu.credentials.revoke("iam:projects:listProjects")
    answer = caller.call("GET", "/v3/projects")
    assert answer.status_code == 403
    assert "iam:projects:listProjects" in answer.json()["error"]["message"]


def test_token_by_password(emu: Emulator) -> None:
    answer = post(emu, "/v3/auth/tokens?nocatalog=true", by_password(project={"name": published.REGION}))
    assert answer.status_code == 201
    token = answer.headers["X-Subject-Token"]
    assert len(token) >= 3072
    body = answer.json()["token"]
    assert body["project"]["id"] == published.PROJECT_ID
    assert body["expires_at"].endswith("Z")
    flows = f"{emu.url}/v2/{published.PROJECT_ID}/workflows"
    assert httpx.get(flows, headers={"X-Auth-Token": token}, trust_env=False).is_success
    assert published.USER_PASSWORD not in str([entry.to_json() for entry in emu.journal.entries])


def test_token_without_project_scope(emu: Emulator) -> None:
    body = post(emu, "/v3/auth/tokens", by_password()).json()["token"]
    assert "project" not in body
    assert body["domain"]["id"] == published.DOMAIN_ID


def test_token_by_token(emu: Emulator) -> None:
    identity = {"methods": ["token"], "token": {"id": emu.credentials.add_token(project_id=None).text}}
    scope = {"project": {"id": published.PROJECT_ID}}
    answer = post(emu, "/v3/auth/tokens", {"auth": {"identity": identity, "scope": scope}})
    assert answer.status_code == 201
    assert answer.json()["token"]["project"]["name"] == published.REGION
    assert emu.journal.entries[-1].body["auth"]["identity"]["token"]["id"] == "***"


@pytest.mark.parametrize(("field", "value"), [("name", "nobody"), ("password", "wrong"), ("domain", {"name": "other"})])
def test_wrong_password(emu: Emulator, field: str, value: Any) -> None:
    body = by_password()
    body["auth"]["identity"]["password"]["user"][field] = value
    answer = post(emu, "/v3/auth/tokens", body)
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == 401
    assert answer.json()["error"]["title"] == "Unauthorized"


@pytest.mark.parametrize("body", [[], {}, {"auth": {}}, {"auth": {"identity": {"methods": ["magic"]}}}], ids=str)
def test_malformed_token_request(emu: Emulator, body: Any) -> None:
    answer = post(emu, "/v3/auth/tokens", body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, 400)


def test_unknown_project_scope(emu: Emulator) -> None:
    assert post(emu, "/v3/auth/tokens", by_password(project={"name": "nowhere"})).status_code == 401


def test_token_validation(emu: Emulator) -> None:
    token = emu.credentials.token.text
    url = emu.url + "/v3/auth/tokens"
    headers = {"X-Auth-Token": token, "X-Subject-Token": token}
    answer = httpx.get(url, headers=headers, trust_env=False)
    assert answer.status_code == 200
    assert answer.json()["token"]["user"]["name"] == published.USER_NAME
    missing = httpx.get(url, headers={"X-Auth-Token": token, "X-Subject-Token": "no"}, trust_env=False)
    assert missing.status_code == 404


def test_temporary_key_by_token(emu: Emulator, caller: Caller) -> None:
    identity = {
        "methods": ["token"],
        "token": {"id": emu.credentials.token.text, "duration_seconds": 900},
    }
    answer = post(emu, "/v3.0/OS-CREDENTIAL/securitytokens", {"auth": {"identity": identity}})
    assert answer.status_code == 201
    credential = answer.json()["credential"]
    caller.ak, caller.sk = credential["access"], credential["secret"]
    caller.security_token = credential["securitytoken"]
    assert caller.flow("GET", "/workflows").is_success
    emu.clock.advance(900)
    assert caller.flow("GET", "/workflows").status_code == 401


def test_temporary_key_takes_the_token_from_the_header(emu: Emulator) -> None:
    body = {"auth": {"identity": {"methods": ["token"]}}}
    token = {"X-Auth-Token": emu.credentials.token.text}
    assert post(emu, "/v3.0/OS-CREDENTIAL/securitytokens", body, **token).status_code == 201
    assert post(emu, "/v3.0/OS-CREDENTIAL/securitytokens", body).status_code == 401


@pytest.mark.parametrize("seconds", [899, 86401, "900", True])
def test_temporary_key_duration(emu: Emulator, seconds: Any) -> None:
    token = {"id": emu.credentials.token.text, "duration_seconds": seconds}
    body = {"auth": {"identity": {"methods": ["token"], "token": token}}}
    assert post(emu, "/v3.0/OS-CREDENTIAL/securitytokens", body).status_code == 400
