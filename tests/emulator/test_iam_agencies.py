"""Keys of agencies: for users, for tokens of an identity provider, for a server and for pods."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from airflow_provider_mlworkflows.emulator import credentials as published
from airflow_provider_mlworkflows.emulator.huawei import agencies
from airflow_provider_mlworkflows.emulator.huawei.metadata import NO_AGENCY, POD_PATH
from tests.emulator.test_iam import by_password, post

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.emulator import Emulator
    from tests.emulator.signing import Caller

KEYS = "/v3.0/OS-CREDENTIAL/securitytokens"
ASSUME = "/v5/agencies/assume-with-oidc"
SESSIONS, SERVER_KEY = "/meta-data/latest/api/token", "/openstack/latest/securitykey"
TTL = {"X-Metadata-Token-Ttl-Seconds": "21600"}


def role(**fields: Any) -> dict[str, Any]:
    assumed = {"agency_name": agencies.AGENCY_NAME, **fields}
    return {"auth": {"identity": {"methods": ["assume_role"], "assume_role": assumed}}}


def by_token(emu: Emulator) -> dict[str, str]:
    return {"X-Auth-Token": emu.credentials.token.text}


def works(emu: Emulator, caller: Caller, credential: dict[str, str]) -> bool:
    """Whether a key that was issued is accepted."""
    caller.ak, caller.sk = credential["access"], credential["secret"]
    caller.security_token = credential["securitytoken"]
    return caller.flow("GET", "/workflows").is_success


def lasts(emu: Emulator, credential: dict[str, str]) -> timedelta:
    return datetime.fromisoformat(credential["expires_at"]) - emu.clock.now()


class TestAssumeRole:
    @pytest.mark.parametrize("domain", [None, published.DOMAIN_NAME, agencies.OTHER_DOMAIN_NAME])
    def test_a_token_speaks_for_an_agency(self, emu: Emulator, caller: Caller, domain: str | None) -> None:
        body = role(duration_seconds=1800, **({"domain_name": domain} if domain else {}))
        answer = post(emu, KEYS, body, **by_token(emu))
        assert answer.status_code == 201
        credential = answer.json()["credential"]
        assert lasts(emu, credential) == timedelta(minutes=30)
        entry = emu.journal.entries[-1]
        assert (entry.operation, entry.effective) == ("CreateTemporaryAccessKeyByAgency", True)
        assert works(emu, caller, credential)
        key = emu.credentials.find_key(credential["access"])
        assert key is not None
        assert key.user == f"{domain or published.DOMAIN_NAME}/{agencies.AGENCY_NAME}"

    def test_a_signature_is_checked(self, emu: Emulator, caller: Caller) -> None:
        assert caller.call("POST", KEYS, role()).status_code == 201
        assert emu.journal.entries[-1].principal == caller.ak
        caller.sk = "another"
        answer = caller.call("POST", KEYS, role())
        assert answer.status_code == 401
        assert "verify aksk signature fail" in answer.json()["error_msg"]

    def test_somebody_must_ask(self, emu: Emulator) -> None:
        assert post(emu, KEYS, role()).status_code == 401
        assert post(emu, KEYS, role(), **{"X-Auth-Token": "no"}).status_code == 401

    def test_and_be_allowed_to(self, emu: Emulator) -> None:
        emu.credentials.revoke("iam:agencies:assume")
        answer = post(emu, KEYS, role(), **by_token(emu))
        assert answer.status_code == 403
        assert "iam:agencies:assume" in answer.json()["error"]["message"]

    @pytest.mark.parametrize("fields", [{"agency_name": "other"}, {"domain_name": "stranger"}, {"agency_name": None}])
    def test_an_agency_that_is_not_there(self, emu: Emulator, fields: dict[str, Any]) -> None:
        assert post(emu, KEYS, role(**fields), **by_token(emu)).status_code == 404

    @pytest.mark.parametrize("seconds", [899, 86401, "900", True])
    def test_duration(self, emu: Emulator, seconds: Any) -> None:
        assert post(emu, KEYS, role(duration_seconds=seconds), **by_token(emu)).status_code == 400

    def test_its_permissions_are_its_own(self, emu: Emulator, caller: Caller) -> None:
        credential = post(emu, KEYS, role(), **by_token(emu)).json()["credential"]
        emu.credentials.revoke("modelarts:workflow:list", user=emu.agencies.own.user)
        assert not works(emu, caller, credential)


class TestLifetime:
    def test_what_is_issued_lasts_as_long_as_switched(self, emu: Emulator, caller: Caller) -> None:
        emu.switches.huawei_credential_lifetime = 60
        credential = post(emu, KEYS, role(duration_seconds=1800), **by_token(emu)).json()["credential"]
        assert lasts(emu, credential) == timedelta(minutes=1)
        token = post(emu, "/v3/auth/tokens", by_password(project={"name": published.REGION}))
        assert lasts(emu, token.json()["token"]) == timedelta(minutes=1)
        assert works(emu, caller, credential)
        emu.clock.advance(60)
        assert not works(emu, caller, credential)


def oidc(emu: Emulator, **fields: Any) -> dict[str, Any]:
    return {
        "provider_urn": agencies.PROVIDER_URN,
        "agency_urn": emu.agencies.own.urn,
        "agency_session_name": "test",
        "id_token": agencies.OIDC_TOKEN,
        **fields,
    }


class TestSts:
    def test_a_key_for_the_token_of_an_identity_provider(self, emu: Emulator, caller: Caller) -> None:
        answer = post(emu, ASSUME, oidc(emu, duration_seconds=43200))
        assert answer.status_code == 200
        given = answer.json()["credentials"]
        credential = {
            "access": given["access_key_id"],
            "secret": given["secret_access_key"],
            "securitytoken": given["security_token"],
            "expires_at": given["expiration"],
        }
        assert works(emu, caller, credential)
        assert lasts(emu, credential) == timedelta(hours=12)
        (entry,) = emu.journal.find("AssumeAgencyWithOIDC")
        assert entry.body["id_token"] == "***"
        assert entry.effective

    @pytest.mark.parametrize(
        ("fields", "status"),
        [
            ({"id_token": "no"}, 401),
            ({"id_token": None}, 401),
            ({"provider_urn": "iam::1:oidcProvider:other"}, 401),
            ({"agency_urn": "iam::1:agency:other"}, 403),
            ({"agency_session_name": ""}, 400),
            ({"duration_seconds": 43201}, 400),
            ({"duration_seconds": "3600"}, 400),
        ],
    )
    def test_refusals(self, emu: Emulator, fields: dict[str, Any], status: int) -> None:
        answer = post(emu, ASSUME, oidc(emu, **fields))
        assert (answer.status_code, answer.json()["error_code"]) == (status, "IAM.0001")

    def test_a_body_that_is_no_object(self, emu: Emulator) -> None:
        assert post(emu, ASSUME, []).status_code == 400

    def test_tokens_are_registered_and_forgotten(self, emu: Emulator) -> None:
        emu.agencies.trust_oidc("fresh")
        assert post(emu, ASSUME, oidc(emu, id_token="fresh")).status_code == 200
        emu.agencies.distrust("fresh")
        assert post(emu, ASSUME, oidc(emu, id_token="fresh")).status_code == 401

    def test_who_calls(self, emu: Emulator, caller: Caller) -> None:
        answer = caller.call("GET", "/v5/caller-identity")
        assert answer.json()["account_id"] == published.DOMAIN_ID
        assert answer.json()["principal_urn"].endswith(f":user:{published.USER_NAME}")
        assert httpx.get(emu.url + "/v5/caller-identity", trust_env=False).status_code == 401


def test_a_token_for_that_of_an_identity_provider(emu: Emulator) -> None:
    scope = {"project": {"id": published.PROJECT_ID}}
    body = {"auth": {"id_token": {"id": agencies.OIDC_TOKEN}, "scope": scope}}
    answer = post(emu, "/v3.0/OS-AUTH/id-token/tokens", body, **{"X-Idp-Id": "emulator"})
    assert answer.status_code == 201
    token = answer.headers["X-Subject-Token"]
    flows = f"{emu.url}/v2/{published.PROJECT_ID}/workflows"
    assert httpx.get(flows, headers={"X-Auth-Token": token}, trust_env=False).is_success
    assert agencies.OIDC_TOKEN not in str([entry.to_json() for entry in emu.journal.entries])
    assert post(emu, "/v3.0/OS-AUTH/id-token/tokens", body, **{"X-Idp-Id": "other"}).status_code == 401


def open_session(emu: Emulator, **headers: str) -> httpx.Response:
    return httpx.put(emu.url + SESSIONS, headers=headers, trust_env=False)


def server_key(emu: Emulator, session: str | None = None) -> httpx.Response:
    headers = {} if session is None else {"X-Metadata-Token": session}
    return httpx.get(emu.url + SERVER_KEY, headers=headers, trust_env=False)


class TestMetadata:
    def test_a_key_in_a_session(self, emu: Emulator, caller: Caller) -> None:
        session = open_session(emu, **TTL)
        assert (session.status_code, session.headers["content-type"]) == (200, "text/plain")
        answer = server_key(emu, session.text)
        assert works(emu, caller, answer.json()["credential"])
        assert session.text not in str([entry.to_json() for entry in emu.journal.entries])
        assert emu.journal.count("ShowSecurityKey", effective=True) == 1

    def test_a_key_without_one(self, emu: Emulator) -> None:
        assert server_key(emu).status_code == 200
        emu.switches.metadata_sessions = "required"
        assert server_key(emu).status_code == 401
        assert server_key(emu, open_session(emu, **TTL).text).status_code == 200

    @pytest.mark.parametrize("status", [400, 404, 405, 503])
    def test_a_service_that_knows_no_sessions(self, emu: Emulator, status: Any) -> None:
        emu.switches.metadata_sessions = status
        assert open_session(emu, **TTL).status_code == status
        assert server_key(emu).status_code == 200

    @pytest.mark.parametrize("seconds", [None, "0", "21601", "long", "-1"])
    def test_the_length_of_a_session(self, emu: Emulator, seconds: str | None) -> None:
        headers = {} if seconds is None else {"X-Metadata-Token-Ttl-Seconds": seconds}
        assert open_session(emu, **headers).status_code == 400

    def test_sessions_end(self, emu: Emulator) -> None:
        session = open_session(emu, **{"X-Metadata-Token-Ttl-Seconds": "60"}).text
        emu.clock.advance(60)
        assert server_key(emu, session).status_code == 401
        session = open_session(emu, **TTL).text
        emu.agencies.close_sessions()
        assert server_key(emu, session).status_code == 401

    def test_a_server_without_an_agency(self, emu: Emulator) -> None:
        emu.agencies.of_server = None
        answer = server_key(emu)
        assert (answer.status_code, answer.text) == (401, NO_AGENCY)


class TestPods:
    def test_a_key_for_the_token_of_a_pod(self, emu: Emulator, caller: Caller) -> None:
        answer = post(emu, POD_PATH, {}, Authorization=agencies.POD_TOKEN)
        assert works(emu, caller, answer.json()["credential"])

    @pytest.mark.parametrize(("body", "token", "status"), [({}, "no", 401), ([], agencies.POD_TOKEN, 400)])
    def test_refusals(self, emu: Emulator, body: Any, token: str, status: int) -> None:
        assert post(emu, POD_PATH, body, Authorization=token).status_code == status

    def test_without_a_token(self, emu: Emulator) -> None:
        assert post(emu, POD_PATH, {}).status_code == 401

    def test_each_has_an_agency(self, emu: Emulator) -> None:
        emu.agencies.trust_pod("of another", emu.agencies.other)
        answer = post(emu, POD_PATH, {}, Authorization="of another")
        key = emu.credentials.find_key(answer.json()["credential"]["access"])
        assert key is not None
        assert key.user == emu.agencies.other.user
