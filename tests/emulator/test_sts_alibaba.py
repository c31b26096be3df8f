"""Emulated STS of Alibaba Cloud, the metadata service of an instance, and a credentials URI."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import httpx
import pytest

from airflow_provider_mlworkflows.emulator import FaultRule
from airflow_provider_mlworkflows.emulator.alibaba.ram import OIDC_TOKEN, PROVIDER_ARN, ROLE_ARN, ROLE_NAME
from airflow_provider_mlworkflows.emulator.credentials import ACCOUNT_ID
from tests.emulator.acs_signing import PaiCaller, acs_headers

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.emulator import Emulator

STS_VERSION = {"x-acs-version": "2015-04-01"}
ROLES = "/latest/meta-data/ram/security-credentials/"
TTL, TOKEN = "X-aliyun-ecs-metadata-token-ttl-seconds", "X-aliyun-ecs-metadata-token"
ASKED = {"RoleArn": ROLE_ARN, "RoleSessionName": "airflow"}


def sts(pai: PaiCaller, action: str, method: str = "POST", **params: Any) -> httpx.Response:
    return pai.call(action, method, "/", headers=STS_VERSION, **params)


def oidc(emu: Emulator, *, query: dict[str, str] | None = None, **form: str) -> httpx.Response:
    at = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    asked = {"Action": "AssumeRoleWithOIDC", "Format": "JSON", "Version": "2015-04-01", "Timestamp": at}
    given = {**ASKED, "OIDCProviderArn": PROVIDER_ARN, "OIDCToken": OIDC_TOKEN, **form}
    return httpx.post(emu.url + "/", params={**asked, **(query or {})}, data=given, trust_env=False)


def refused(answer: httpx.Response, status: int, code: str) -> None:
    body = answer.json()
    assert (answer.status_code, body["Code"]) == (status, code), answer.text
    assert "product=Sts" in body["Recommend"]
    assert body["RequestId"] == answer.headers["x-acs-request-id"]


def holder(emu: Emulator, key: dict[str, str]) -> PaiCaller:
    """A caller with an issued key."""
    return PaiCaller(emu.url, key["AccessKeyId"], key["AccessKeySecret"], security_token=key["SecurityToken"])


def get(emu: Emulator, path: str, **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.get(emu.url + path, headers=named, trust_env=False)


class TestAssumeRole:
    @pytest.mark.parametrize("method", ["GET", "POST"])
    def test_issues_a_key_that_works_until_it_ends(self, emu: Emulator, pai: PaiCaller, method: str) -> None:
        answer = sts(pai, "AssumeRole", method, **ASKED, DurationSeconds=900, Policy='{"Statement": []}')
        assert answer.status_code == 200, answer.text
        body = answer.json()
        assert body["AssumedRoleUser"]["Arn"] == f"acs:ram::{ACCOUNT_ID}:assumed-role/{ROLE_NAME}/airflow"
        ends = emu.clock.now() + timedelta(seconds=900)
        assert body["Credentials"]["Expiration"] == f"{ends.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
        entry = emu.journal.entries[-1]
        assert (entry.operation, entry.principal, entry.effective) == ("AssumeRole", pai.ak, True)
        with holder(emu, body["Credentials"]) as issued:
            assert issued.runs().is_success
            emu.clock.advance(901)
            assert issued.runs().json()["Code"] == "InvalidSecurityToken.Expired"

    def test_the_signature_is_checked(self, emu: Emulator, pai: PaiCaller) -> None:
        pai.sk = "wrong"
        refused(sts(pai, "AssumeRole", **ASKED), 400, "SignatureDoesNotMatch")
        unsigned = httpx.post(emu.url + "/", headers={"x-acs-action": "AssumeRole"}, params=ASKED, trust_env=False)
        refused(unsigned, 400, "IncompleteSignature")

    def test_a_parameter_that_was_changed_on_the_way_is_noticed(self, emu: Emulator, pai: PaiCaller) -> None:
        url = httpx.URL(f"{emu.url}/?RoleArn={quote(ROLE_ARN, safe='')}&RoleSessionName=airflow")
        headers = acs_headers("POST", url, b"", "AssumeRole", pai.ak, pai.sk, extra=STS_VERSION)
        changed = httpx.post(str(url).replace("=airflow", "=another"), headers=headers, trust_env=False)
        refused(changed, 400, "SignatureDoesNotMatch")

    @pytest.mark.parametrize(
        ("changed", "status", "code"),
        [
            ({"RoleArn": ROLE_ARN + "x"}, 404, "EntityNotExist.Role"),
            ({"RoleArn": ""}, 400, "MissingRoleArn"),
            ({"RoleSessionName": "a b"}, 400, "InvalidParameter.RoleSessionName"),
            ({"DurationSeconds": "899"}, 400, "InvalidParameter.DurationSeconds"),
            ({"DurationSeconds": "3601"}, 400, "InvalidParameter.DurationSeconds"),
            ({"DurationSeconds": "long"}, 400, "InvalidParameter.DurationSeconds"),
            ({"Policy": "allow"}, 400, "InvalidParameter.PolicyGrammar"),
            ({"Policy": "7"}, 400, "InvalidParameter.PolicyGrammar"),
        ],
    )
    def test_refusals(self, pai: PaiCaller, changed: dict[str, str], status: int, code: str) -> None:
        refused(sts(pai, "AssumeRole", **{**ASKED, **changed}), status, code)

    def test_an_external_id_has_to_be_told(self, emu: Emulator, pai: PaiCaller) -> None:
        asked = {**ASKED, "RoleArn": emu.ram.add_role("guarded", external_id="team-8").arn}
        refused(sts(pai, "AssumeRole", **asked), 403, "NoPermission")
        assert sts(pai, "AssumeRole", **asked, ExternalId="team-8").is_success

    def test_the_permission_is_checked(self, emu: Emulator, pai: PaiCaller) -> None:
        emu.credentials.revoke("sts:AssumeRole")
        answer = sts(pai, "AssumeRole", **ASKED)
        refused(answer, 403, "NoPermission")
        assert answer.json()["AccessDeniedDetail"]["AuthAction"] == "sts:AssumeRole"

    def test_another_version_is_not_there(self, pai: PaiCaller) -> None:
        asked: dict[str, Any] = {**ASKED}
        refused(pai.call("AssumeRole", "POST", "/", **asked), 404, "InvalidApi.NotFound")

    def test_keys_can_be_short_lived(self, emu: Emulator, pai: PaiCaller) -> None:
        emu.switches.alibaba_key_seconds = 60
        key = sts(pai, "AssumeRole", **ASKED, DurationSeconds=900).json()["Credentials"]
        with holder(emu, key) as issued:
            emu.clock.advance(61)
            assert issued.runs().json()["Code"] == "InvalidSecurityToken.Expired"

    def test_keys_can_be_ended(self, emu: Emulator, pai: PaiCaller) -> None:
        with holder(emu, sts(pai, "AssumeRole", **ASKED).json()["Credentials"]) as issued:
            assert issued.runs().is_success
            emu.ram.expire()
            assert issued.runs().json()["Code"] == "InvalidSecurityToken.Expired"


class TestAssumeRoleWithOidc:
    def test_issues_a_key_for_a_token(self, emu: Emulator) -> None:
        answer = oidc(emu)
        assert answer.status_code == 200, answer.text
        with holder(emu, answer.json()["Credentials"]) as issued:
            assert issued.runs().is_success
        journal = json.dumps([entry.to_json() for entry in emu.journal.entries])
        for secret in (
            OIDC_TOKEN,
            *(answer.json()["Credentials"][name] for name in ("AccessKeySecret", "SecurityToken")),
        ):
            assert secret not in journal
        assert emu.journal.entries[0].operation == "AssumeRoleWithOIDC"

    @pytest.mark.parametrize(
        ("form", "status", "code"),
        [
            ({"OIDCToken": "another"}, 400, "AuthenticationFail.OIDCToken.Invalid"),
            ({"OIDCProviderArn": PROVIDER_ARN + "x"}, 404, "EntityNotExist.OIDCProvider"),
            ({"OIDCProviderArn": ""}, 400, "MissingOIDCProviderArn"),
            ({"RoleArn": ROLE_ARN + "x"}, 404, "EntityNotExist.Role"),
            ({"DurationSeconds": "1"}, 400, "InvalidParameter.DurationSeconds"),
        ],
    )
    def test_refusals(self, emu: Emulator, form: dict[str, Any], status: int, code: str) -> None:
        refused(oidc(emu, **form), status, code)

    @pytest.mark.parametrize(
        ("query", "status", "code"),
        [
            ({"Version": "2014-01-01"}, 404, "InvalidVersion"),
            ({"Timestamp": "now"}, 400, "InvalidTimeStamp.Format"),
            ({"Timestamp": "2020-01-01T00:00:00Z"}, 400, "InvalidTimeStamp.Expired"),
        ],
    )
    def test_the_stamp_is_checked(self, emu: Emulator, query: dict[str, str], status: int, code: str) -> None:
        refused(oidc(emu, query=query), status, code)

    def test_a_token_in_the_query_does_not_count(self, emu: Emulator) -> None:
        refused(oidc(emu, query={"OIDCToken": OIDC_TOKEN}, OIDCToken=""), 400, "AuthenticationFail.OIDCToken.Invalid")

    def test_tokens_end(self, emu: Emulator) -> None:
        token = emu.ram.add_token(lifetime=timedelta(minutes=10))
        assert oidc(emu, OIDCToken=token.text).is_success
        emu.clock.advance(601)
        refused(oidc(emu, OIDCToken=token.text), 400, "AuthenticationFail.OIDCToken.Expired")


class TestGetCallerIdentity:
    def test_of_a_user_and_of_a_role(self, emu: Emulator, pai: PaiCaller) -> None:
        own = sts(pai, "GetCallerIdentity").json()
        assert (own["IdentityType"], own["AccountId"]) == ("RAMUser", ACCOUNT_ID)
        assert own["Arn"] == f"acs:ram::{ACCOUNT_ID}:user/airflow"
        with holder(emu, sts(pai, "AssumeRole", **ASKED).json()["Credentials"]) as issued:
            role = sts(issued, "GetCallerIdentity").json()
        assert role["IdentityType"] == "AssumedRoleUser"
        assert role["Arn"] == f"acs:ram::{ACCOUNT_ID}:assumed-role/{ROLE_NAME}/airflow"


class TestMetadata:
    def token(self, emu: Emulator, seconds: str = "60") -> httpx.Response:
        return httpx.put(emu.url + "/latest/api/token", headers={TTL: seconds}, trust_env=False)

    def test_with_a_token(self, emu: Emulator) -> None:
        emu.switches.alibaba_metadata = "v2"
        assert get(emu, ROLES).status_code == 403
        token = {TOKEN: self.token(emu).text}
        assert get(emu, ROLES, **token).text == ROLE_NAME
        key = get(emu, ROLES + ROLE_NAME, **token).json()
        assert key["Code"] == "Success"
        with holder(emu, key) as issued:
            assert issued.runs().is_success
        emu.clock.advance(61)
        assert get(emu, ROLES, **token).status_code == 401
        operations = [entry.operation for entry in emu.journal.entries]
        assert operations[:4] == ["ListRoleNames", "CreateMetadataToken", "ListRoleNames", "GetRoleCredentials"]

    def test_without_a_token(self, emu: Emulator) -> None:
        emu.switches.alibaba_metadata = "v1"
        assert self.token(emu).status_code == 404
        assert get(emu, ROLES).text == ROLE_NAME
        assert get(emu, ROLES + ROLE_NAME).json()["Code"] == "Success"

    @pytest.mark.parametrize("seconds", ["", "0", "21601", "long"])
    def test_a_token_needs_a_lifetime(self, emu: Emulator, seconds: str) -> None:
        assert self.token(emu, seconds).status_code == 400

    def test_all_get_the_same_key_until_it_soon_ends(self, emu: Emulator) -> None:
        first = get(emu, ROLES + ROLE_NAME).json()["AccessKeyId"]
        emu.clock.advance(2699)
        assert get(emu, ROLES + ROLE_NAME).json()["AccessKeyId"] == first
        emu.clock.advance(2)
        assert get(emu, ROLES + ROLE_NAME).json()["AccessKeyId"] != first

    def test_no_role(self, emu: Emulator) -> None:
        assert get(emu, ROLES + "another").status_code == 404
        emu.ram.ecs_role = None
        answer = get(emu, ROLES)
        assert (answer.status_code, answer.headers["content-type"]) == (404, "text/html")
        assert get(emu, "/alibaba/credentials").json() == {"Code": "Failed", "Message": "There is no role."}

    def test_faults_are_pages(self, emu: Emulator) -> None:
        emu.faults.add(FaultRule(action="status", status=503, operation="ListRoleNames"))
        answer = get(emu, ROLES)
        assert (answer.status_code, answer.headers["content-type"]) == (503, "text/html")
        emu.limits.set("ListRoleNames", per_second=0.001, burst=1)
        assert [get(emu, ROLES).status_code for _ in range(2)] == [200, 429]


def test_a_credentials_uri_hands_out_keys(emu: Emulator) -> None:
    answer = get(emu, "/alibaba/credentials").json()
    assert answer["Code"] == "Success"
    with holder(emu, answer) as issued:
        assert issued.runs().is_success
    assert emu.journal.count("GetCredentialsFromUri") == 1
