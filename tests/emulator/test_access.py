from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.emulator.signing import Caller, signed_headers
from tests.emulator.test_signature import VECTORS, wire_parts

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.emulator import Emulator

PREFIX = "Incorrect IAM authentication information: "


def refused(answer: httpx.Response, detail: str, status: int = 401) -> None:
    body = answer.json()
    assert answer.status_code == status
    assert body["error_code"] == "APIGW.0301"
    assert body["error_msg"].startswith(PREFIX + detail), body["error_msg"]
    assert body["request_id"] == answer.headers["X-Request-Id"]


def with_token(emu: Emulator, token: str, path: str | None = None) -> httpx.Response:
    path = path or f"/v2/{emu.credentials.project_id}/workflows"
    return httpx.get(emu.url + path, headers={"X-Auth-Token": token}, trust_env=False)


def test_permanent_key(emu: Emulator, caller: Caller) -> None:
    answer = caller.flow("GET", "/workflows")
    assert answer.status_code == 200
    assert emu.journal.entries[-1].principal == caller.ak
    assert emu.credentials.permanent.sk not in json.dumps([each.to_json() for each in emu.journal.entries])


def test_no_credentials(emu: Emulator) -> None:
    path = f"{emu.url}/v2/{emu.credentials.project_id}/workflows"
    refused(httpx.get(path, trust_env=False), "x-auth-token not found")


def test_token(emu: Emulator) -> None:
    token = emu.credentials.token
    assert len(token.text) >= 3072
    assert with_token(emu, token.text).status_code == 200
    assert emu.journal.entries[-1].principal == "airflow"


def test_token_of_64_kilobytes_fits_through(emu: Emulator) -> None:
    long = emu.credentials.add_token(text="MII" + "x" * 65_000)
    assert with_token(emu, long.text).status_code == 200


def test_garbage_token(emu: Emulator) -> None:
    refused(with_token(emu, "garbage"), "decrypt token fail")


def test_expired_token(emu: Emulator) -> None:
    emu.clock.advance(24 * 3600)
    refused(with_token(emu, emu.credentials.token.text), "token expires")


def test_token_of_the_account_has_no_project(emu: Emulator) -> None:
    token = emu.credentials.add_token(project_id=None)
    answer = with_token(emu, token.text)
    assert (answer.status_code, answer.json()["error_code"]) == (403, "ModelArts.0210")


def test_token_of_another_project(emu: Emulator) -> None:
    other = emu.credentials.add_project("cn-south-1")
    answer = with_token(emu, emu.credentials.token.text, f"/v2/{other}/workflows")
    assert (answer.status_code, answer.json()["error_code"]) == (403, "ModelArts.0210")
    assert with_token(emu, emu.credentials.add_token(project_id=other).text, f"/v2/{other}/workflows").is_success


def test_key_outside_its_account(emu: Emulator, caller: Caller) -> None:
    answer = caller.call("GET", f"/v2/{'f' * 32}/workflows")
    assert (answer.status_code, answer.json()["error_code"]) == (403, "ModelArts.0210")


def test_project_header_must_name_the_project_of_the_path(caller: Caller) -> None:
    same = caller.flow("GET", "/workflows", headers={"X-Project-Id": caller.project_id})
    other = caller.flow("GET", "/workflows", headers={"X-Project-Id": "0" * 32})
    assert same.status_code == 200
    assert (other.status_code, other.json()["error_code"]) == (403, "ModelArts.0210")


def test_wrong_secret_is_told_the_canonical_request(caller: Caller) -> None:
    caller.sk = "wrong"
    answer = caller.flow("GET", "/workflows", params={"name": "a b"})
    refused(answer, "verify aksk signature fail, canonicalRequest:GET|")
    shown = answer.json()["error_msg"].split("canonicalRequest:")[1].split("|")
    assert shown[1:3] == [f"/v2/{caller.project_id}/workflows/", "name=a%20b"]


def test_changed_body_is_noticed(emu: Emulator, caller: Caller) -> None:
    url = f"{emu.url}/v2/{caller.project_id}/workflows"
    headers = signed_headers("POST", url, b'{"name":"a"}', caller.ak, caller.sk)
    answer = httpx.post(url, content=b'{"name":"b"}', headers=headers, trust_env=False)
    refused(answer, "verify aksk signature fail")
    assert len(emu.modelarts.workflows) == 5


@pytest.mark.parametrize("minutes", [-16, 16])
def test_skewed_clock(caller: Caller, minutes: int) -> None:
    answer = caller.flow("GET", "/workflows", at=datetime.now(UTC) + timedelta(minutes=minutes))
    refused(answer, "calc aksk signature fail: signature expired, signature time:")
    assert "server time:" in answer.json()["error_msg"]


def test_skew_within_the_window(caller: Caller) -> None:
    assert caller.flow("GET", "/workflows", at=datetime.now(UTC) - timedelta(minutes=14)).is_success


def test_emulator_time_does_not_move_the_window(emu: Emulator, caller: Caller) -> None:
    emu.clock.advance(3600)
    assert caller.flow("GET", "/workflows").is_success


def test_date_must_be_signed(emu: Emulator, caller: Caller) -> None:
    url = f"{emu.url}/v2/{caller.project_id}/workflows"
    headers = signed_headers("GET", url, b"", caller.ak, caller.sk)
    headers["Authorization"] = headers["Authorization"].replace("host;x-sdk-date", "host")
    refused(httpx.get(url, headers=headers, trust_env=False), "calc aksk signature fail")


def test_unknown_key(caller: Caller) -> None:
    caller.ak = "NOBODY"
    refused(caller.flow("GET", "/workflows"), "ak NOBODY not exist")


def test_key_is_blocked_after_five_wrong_signatures(emu: Emulator, caller: Caller) -> None:
    right = caller.sk
    caller.sk = "wrong"
    for _ in range(5):
        refused(caller.flow("GET", "/workflows"), "verify aksk signature fail")
    caller.sk = right
    refused(caller.flow("GET", "/workflows"), "AK access failed to reach the limit, forbidden")
    emu.clock.advance(301)
    assert caller.flow("GET", "/workflows").is_success


def test_a_right_signature_forgives_wrong_ones(caller: Caller) -> None:
    right = caller.sk
    for _ in range(3):
        caller.sk = "wrong"
        for _ in range(4):
            refused(caller.flow("GET", "/workflows"), "verify aksk signature fail")
        caller.sk = right
        assert caller.flow("GET", "/workflows").is_success


def test_blocking_and_unblocking_by_hand(emu: Emulator, caller: Caller) -> None:
    emu.credentials.block(emu.credentials.permanent)
    refused(caller.flow("GET", "/workflows"), "AK access failed")
    emu.credentials.unblock(emu.credentials.permanent)
    assert caller.flow("GET", "/workflows").is_success


def test_temporary_key(emu: Emulator, caller: Caller) -> None:
    key = emu.credentials.temporary
    caller.ak, caller.sk = key.ak, key.sk
    refused(caller.flow("GET", "/workflows"), "temporary ak needs x-security-token")
    caller.security_token = "other"
    refused(caller.flow("GET", "/workflows"), "decrypt security token fail")
    caller.security_token = key.security_token
    assert caller.flow("GET", "/workflows").is_success
    emu.credentials.expire(key)
    refused(caller.flow("GET", "/workflows"), "security token expires")


def test_permanent_key_with_security_token(caller: Caller) -> None:
    caller.security_token = "stray"
    refused(caller.flow("GET", "/workflows"), "x-security-token does not belong to this ak")


def test_rotated_key(emu: Emulator, caller: Caller) -> None:
    fresh = emu.credentials.rotate(emu.credentials.permanent)
    refused(caller.flow("GET", "/workflows"), f"ak {caller.ak} not exist")
    caller.ak, caller.sk = fresh.ak, fresh.sk
    assert caller.flow("GET", "/workflows").is_success


def test_missing_permission_names_the_action(emu: Emulator, caller: Caller) -> None:
    emu.credentials.revoke("modelarts:workflow:list")
    answer = caller.flow("GET", "/workflows")
    assert answer.status_code == 403
    assert answer.json()["error_code"] == "ModelArts.0112"
    assert "modelarts:workflow:list" in answer.json()["error_msg"]
    emu.credentials.grant("modelarts:workflow:list")
    assert caller.flow("GET", "/workflows").is_success


def test_signature_comes_before_token(emu: Emulator, caller: Caller) -> None:
    assert caller.flow("GET", "/workflows", headers={"X-Auth-Token": "garbage"}).is_success


def test_the_ways_of_the_vendor_sdk(emu: Emulator, caller: Caller) -> None:
    get = caller.flow("GET", "/workflows", headers={"Content-Type": "application/json"})
    assert get.status_code == 200
    text = json.dumps({"name": "每日训练"}, ensure_ascii=True).encode()
    headers = {"Content-Type": "application/json;charset=utf-8"}
    post = caller.flow("POST", "/workflows", raw=text, headers=headers)
    assert post.json()["name"] == "每日训练"


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_vendor_vector_over_the_wire(emu: Emulator, vector: dict[str, Any]) -> None:
    given = vector["credentials"]
    emu.credentials.add_project("vectors", given["project_id"])
    emu.credentials.add_access_key(given["ak"], given["sk"], security_token=given["security_token"])
    emu.auth_now = datetime(2026, 1, 15, 8, 40, tzinfo=UTC)
    method, path, query, headers, body = wire_parts(vector)
    url = httpx.URL(emu.url).copy_with(raw_path=path + (b"?" + query if query else b""))
    answer = httpx.request(method, url, headers=headers, content=body, trust_env=False)
    assert answer.status_code not in (401, 403), answer.text
