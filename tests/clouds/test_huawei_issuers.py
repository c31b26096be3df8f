"""Tokens of IAM, and keys of agencies: what is asked, and what is made of the answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_mlworkflows.clouds.http import WireReply
from airflow_provider_mlworkflows.clouds.huawei.agencies import AgencyKeys, OidcKeys
from airflow_provider_mlworkflows.clouds.huawei.credentials import AccessKey, IamToken
from airflow_provider_mlworkflows.clouds.huawei.tokens import FederatedTokens, PasswordTokens
from airflow_provider_mlworkflows.clouds.issued import Issued, renewable
from airflow_provider_mlworkflows.exceptions import (
    AuthenticationError,
    BadRequestError,
    ConfigurationError,
    MLWorkflowsError,
    NotFoundError,
    ServerError,
    TransportError,
    UnexpectedReplyError,
)
from tests.clouds.issuing import (
    ENDS,
    ENDS_AT,
    ISSUED,
    KEY_ID,
    SECRET,
    SESSION,
    UNREACHABLE,
    Office,
    body,
    errors_of,
    iam_refusal,
    key_reply,
    lines,
    network,
    own_headers,
    sts_reply,
)
from tests.clouds.support import NOON, FakeClock, ScriptedNetwork, json_reply
from tests.emulator.signing import signed_headers
from tests.support import assert_no_secret

IAM, STS = "https://iam.example.com", "https://sts.example.com"
PROJECT = "0123456789abcdef0123456789abcdef"
PASSWORD, TOKEN, ID_TOKEN = "pwDistinctive0001", "iamDistinctiveToken000001", "jwtDistinctive000000001"
BASE_KEY = AccessKey("AKBASE00000000000001", "skBaseDistinctive0001", "stBaseDistinctive0001")
BASE_TOKEN = IamToken("iamBaseDistinctive0001")
SECRETS = (PASSWORD, TOKEN, ID_TOKEN, *ISSUED, *BASE_KEY.secrets, *BASE_TOKEN.secrets)
KEY = AccessKey(KEY_ID, SECRET, SESSION)
LATE = "2026-01-16T12:00:00.000000Z"


@pytest.fixture(params=[True, False], ids=["blocking", "async"])
def office(request: pytest.FixtureRequest, clock: FakeClock) -> Office:
    return Office(clock, request.param)


def token_reply(**token: Any) -> WireReply:
    about = {"expires_at": ENDS, "project": {"id": PROJECT, "name": "cn-north-4"}, **token}
    return json_reply({"token": about}, status=201, headers={"X-Subject-Token": TOKEN})


def by_password(wire: ScriptedNetwork, **fields: Any) -> PasswordTokens:
    usual = PasswordTokens(IAM, "acme", "robot", PASSWORD, "cn-north-4", connectivity=wire)
    return replace(usual, **fields)


class TestPassword:
    def test_a_token_for_the_project_of_a_region(self, office: Office) -> None:
        wire = network(token_reply())
        issued = office.issue(by_password(wire))
        [sent] = wire.sent
        assert lines(sent) == f"POST {IAM}/v3/auth/tokens?nocatalog=true"
        assert own_headers(sent) == {}
        assert body(sent) == {
            "auth": {
                "identity": {
                    "methods": ["password"],
                    "password": {"user": {"name": "robot", "password": PASSWORD, "domain": {"name": "acme"}}},
                },
                "scope": {"project": {"name": "cn-north-4"}},
            }
        }
        assert issued == Issued(IamToken(TOKEN, PROJECT), NOON, ENDS_AT)

    def test_a_project_is_named_by_its_id_if_that_is_known(self, office: Office) -> None:
        wire = network(token_reply())
        office.issue(by_password(wire, project_id=PROJECT))
        assert body(wire.sent[0])["auth"]["scope"] == {"project": {"id": PROJECT}}

    def test_a_token_without_a_project_has_none(self, office: Office) -> None:
        assert office.issue(by_password(network(token_reply(project=None)))).credentials == IamToken(TOKEN)

    def test_a_wrong_password_is_said_once(self, office: Office, clock: FakeClock) -> None:
        wire = network(iam_refusal(401, "The username or password is wrong."), token_reply())
        source = renewable(by_password(wire), clock)
        for _ in range(20):
            with pytest.raises(AuthenticationError, match=r"HTTP 401.* Check the connection's login, password and dom"):
                office.run(source.current())
            clock.now += 2
        assert len(wire.sent) == 1
        clock.now += 61
        assert office.run(source.current()) == IamToken(TOKEN, PROJECT)

    @pytest.mark.parametrize(
        ("reply", "words"),
        [
            (json_reply({"token": {"expires_at": ENDS}}, status=201), "X-Subject-Token"),
            (json_reply({"token": {"expires_at": ENDS}}, status=201, headers={"X-Subject-Token": " "}), "X-Subject"),
            (json_reply({"token": {}}, status=201, headers={"X-Subject-Token": TOKEN}), "expires_at"),
            (json_reply({"token": {"expires_at": "soon"}}, status=201, headers={"X-Subject-Token": TOKEN}), "no time"),
            (json_reply({}, status=201, headers={"X-Subject-Token": TOKEN}), "token"),
            (WireReply(201, {"x-subject-token": TOKEN}, b""), "JSON"),
        ],
    )
    def test_a_token_must_be_whole(self, office: Office, reply: WireReply, words: str) -> None:
        with pytest.raises(UnexpectedReplyError, match=words) as caught:
            office.issue(by_password(network(reply)))
        assert_no_secret(f"{caught.value!r}", SECRETS)

    def test_iam_is_asked_again_where_that_may_help(self, office: Office, clock: FakeClock) -> None:
        wire = network(UNREACHABLE, iam_refusal(503), token_reply())
        assert office.issue(by_password(wire)).credentials.token == TOKEN
        assert len(clock.slept) == 2

    def test_and_given_up_in_the_end(self, office: Office) -> None:
        wire = network(*[iam_refusal(503)] * 3)
        with pytest.raises(ServerError):
            office.issue(by_password(wire))
        assert len(wire.sent) == 3


class TestFederation:
    def test_the_token_is_read_anew_each_time(self, office: Office, tmp_path: Path) -> None:
        file = tmp_path / "token"
        wire = network(token_reply(), token_reply())
        issuer = FederatedTokens(IAM, "my-idp", str(file), "cn-north-4", connectivity=wire)
        for text in (ID_TOKEN, "another"):
            file.write_text(f"{text}\n")
            assert office.issue(issuer) == Issued(IamToken(TOKEN, PROJECT), NOON, ENDS_AT)
        assert lines(wire.sent[0]) == f"POST {IAM}/v3.0/OS-AUTH/id-token/tokens"
        assert own_headers(wire.sent[0]) == {"X-Idp-Id": "my-idp"}
        assert [body(sent) for sent in wire.sent] == [
            {"auth": {"id_token": {"id": text}, "scope": {"project": {"name": "cn-north-4"}}}}
            for text in (ID_TOKEN, "another")
        ]


def agency(wire: ScriptedNetwork, base: Any = BASE_KEY, **fields: Any) -> AgencyKeys:
    return replace(AgencyKeys(IAM, base, "deployer", connectivity=wire), **fields)


class TestAgency:
    def test_a_key_signs_for_it(self, office: Office) -> None:
        wire = network(key_reply())
        issued = office.issue(agency(wire))
        [sent] = wire.sent
        assert lines(sent) == f"POST {IAM}/v3.0/OS-CREDENTIAL/securitytokens"
        role = {"agency_name": "deployer", "duration_seconds": 3600}
        assert body(sent) == {"auth": {"identity": {"methods": ["assume_role"], "assume_role": role}}}
        expected = signed_headers(
            "POST",
            sent.url,
            sent.content,
            BASE_KEY.access_key,
            BASE_KEY.secret_key,
            headers={"Content-Type": "application/json", "X-Security-Token": str(BASE_KEY.security_token)},
            at=datetime.fromtimestamp(NOON, UTC),
        )
        assert {name: sent.headers[name] for name in expected} == expected
        assert "X-Project-Id" not in sent.headers
        assert issued == Issued(KEY, NOON, ENDS_AT)

    def test_a_token_speaks_for_it_in_another_account(self, office: Office) -> None:
        wire = network(key_reply())
        office.issue(agency(wire, BASE_TOKEN, agency_domain_name="partner", duration=900))
        [sent] = wire.sent
        assert own_headers(sent) == {"X-Auth-Token": BASE_TOKEN.token}
        role = {"agency_name": "deployer", "duration_seconds": 900, "domain_name": "partner"}
        assert body(sent)["auth"]["identity"]["assume_role"] == role

    def test_what_signs_for_it_may_be_issued_itself(self, office: Office, clock: FakeClock) -> None:
        wire = network(token_reply(expires_at=LATE), key_reply(), key_reply())
        source = renewable(agency(wire, by_password(wire)), clock)
        assert office.run(source.current()) == KEY
        clock.now += 2701
        assert office.run(source.current()) == KEY
        assert [sent.headers.get("X-Auth-Token") for sent in wire.sent] == [None, TOKEN, TOKEN]

    def test_and_is_issued_anew_if_it_is_refused(self, office: Office, clock: FakeClock) -> None:
        second = replace(token_reply(), headers={"x-subject-token": "another"})
        wire = network(token_reply(expires_at=LATE), key_reply(), iam_refusal(401), second, key_reply())
        source = renewable(agency(wire, by_password(wire)), clock)
        office.run(source.current())
        clock.now += 2701
        assert office.run(source.current()) == KEY
        assert [sent.headers.get("X-Auth-Token") for sent in wire.sent] == [None, TOKEN, TOKEN, None, "another"]

    @pytest.mark.parametrize(("status", "kind"), [(401, AuthenticationError), (403, AuthenticationError)])
    def test_a_refusal_is_remembered(
        self, office: Office, clock: FakeClock, status: int, kind: type[MLWorkflowsError]
    ) -> None:
        wire = network(iam_refusal(status))
        source = renewable(agency(wire), clock)
        for _ in range(3):
            with pytest.raises(kind, match="agency_domain_name"):
                office.run(source.current())
            clock.now += 15
        assert len(wire.sent) == 1

    def test_an_agency_that_is_not_there(self, office: Office) -> None:
        with pytest.raises(NotFoundError, match=r"Check the connection's agency_name, that agency_domain_name"):
            office.issue(agency(network(iam_refusal(404, "Could not find the agency."))))


OIDC: dict[str, Any] = {
    "provider_urn": "iam::1:oidcProvider:x",
    "agency_urn": "iam::1:agency:y",
    "session_name": "nightly",
}


class TestOidc:
    @pytest.fixture
    def file(self, tmp_path: Path) -> str:
        path = tmp_path / "token"
        path.write_text(f"{ID_TOKEN}\n")
        return str(path)

    def test_nothing_is_signed(self, office: Office, file: str) -> None:
        wire = network(sts_reply())
        issued = office.issue(OidcKeys(STS, token_file=file, connectivity=wire, duration=43200, **OIDC))
        [sent] = wire.sent
        assert lines(sent) == f"POST {STS}/v5/agencies/assume-with-oidc"
        assert own_headers(sent) == {}
        assert body(sent) == {
            "provider_urn": OIDC["provider_urn"],
            "agency_urn": OIDC["agency_urn"],
            "agency_session_name": "nightly",
            "id_token": ID_TOKEN,
            "duration_seconds": 43200,
        }
        assert issued == Issued(KEY, NOON, ENDS_AT)

    def test_the_environment_tells_what_is_not_given(
        self, office: Office, file: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        wire = network(sts_reply(), sts_reply())
        issuer = OidcKeys(STS, agency_urn="iam::1:agency:given", connectivity=wire)
        monkeypatch.setenv("HUAWEICLOUD_OIDC_PROVIDER_URN", "iam::1:oidcProvider:env")
        monkeypatch.setenv("HUAWEICLOUD_OIDC_AGENCY_URN", "iam::1:agency:env")
        monkeypatch.setenv("HUAWEICLOUD_OIDC_TOKEN_FILE", file)
        office.issue(issuer)
        monkeypatch.setenv("HUAWEICLOUD_OIDC_SESSION_NAME", "from-env")
        Path(file).write_text("rotated")
        office.issue(issuer)
        told = [
            (each["provider_urn"], each["agency_urn"], each["agency_session_name"], each["id_token"])
            for each in map(body, wire.sent)
        ]
        urns = ("iam::1:oidcProvider:env", "iam::1:agency:given")
        assert told == [(*urns, "airflow", ID_TOKEN), (*urns, "from-env", "rotated")]

    def test_what_is_nowhere_is_named(self, office: Office) -> None:
        with pytest.raises(ConfigurationError) as caught:
            office.issue(OidcKeys(STS, provider_urn="x"))
        for name in ("agency_urn", "token_file", "HUAWEICLOUD_OIDC_AGENCY_URN", "HUAWEICLOUD_OIDC_TOKEN_FILE"):
            assert name in str(caught.value)
        assert "provider_urn" not in str(caught.value)

    def test_a_file_that_is_not_there(self, office: Office, tmp_path: Path) -> None:
        with pytest.raises(ConfigurationError, match=r"token file .*gone"):
            office.issue(OidcKeys(STS, token_file=str(tmp_path / "gone"), **OIDC))

    def test_without_an_address_of_sts(self, office: Office, file: str) -> None:
        with pytest.raises(ConfigurationError, match="region or sts_endpoint"):
            office.issue(OidcKeys("", token_file=file, **OIDC))

    def test_a_token_that_is_not_accepted(self, office: Office, file: str) -> None:
        refused = json_reply({"error_code": "IAM.0001", "error_msg": "expired"}, status=400)
        with pytest.raises(BadRequestError, match=r"IAM\.0001, expired.*the token file is current"):
            office.issue(OidcKeys(STS, token_file=file, connectivity=network(refused), **OIDC))


def _issuers(file: Path) -> dict[str, tuple[Callable[[ScriptedNetwork], Any], tuple[str, ...]]]:
    """Makers of issuers, and what these send that is secret."""
    file.write_text(ID_TOKEN)
    return {
        "password": (by_password, (PASSWORD,)),
        "federation": (
            lambda wire: FederatedTokens(IAM, "idp", str(file), "r-1", connectivity=wire),
            (ID_TOKEN,),
        ),
        "agency by key": (agency, BASE_KEY.secrets),
        "agency by token": (lambda wire: agency(wire, BASE_TOKEN), BASE_TOKEN.secrets),
        "oidc": (lambda wire: OidcKeys(STS, token_file=str(file), connectivity=wire, **OIDC), (ID_TOKEN,)),
    }


NAMES = ("password", "federation", "agency by key", "agency by token", "oidc")


class TestSecrets:
    @pytest.mark.parametrize("name", NAMES)
    def test_no_error_tells_what_was_sent_or_came(
        self, name: str, office: Office, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        make, sent = _issuers(tmp_path / "token")[name]
        told = list(errors_of(office, make, *sent))
        assert len(told) == 8
        assert_no_secret(f"{told} {caplog.text}", SECRETS)

    @pytest.mark.parametrize("name", NAMES)
    def test_no_repr_tells_one(self, name: str, tmp_path: Path) -> None:
        issuer = _issuers(tmp_path / "token")[name][0](network())
        assert_no_secret(f"{issuer!r}", SECRETS)

    def test_nor_does_that_of_what_is_issued(self, office: Office) -> None:
        for issued in (office.issue(agency(network(key_reply()))), office.issue(by_password(network(token_reply())))):
            assert_no_secret(f"{issued!r}", SECRETS)


def test_equal_ones_share_what_they_issue(clock: FakeClock) -> None:
    first = PasswordTokens(IAM, "acme", "robot", PASSWORD, "cn-north-4")
    assert renewable(first, clock) is renewable(replace(first), clock)
    changes: tuple[dict[str, Any], ...] = (
        {"password": "other"},
        {"region": "cn-east-3"},
        {"project_id": PROJECT},
        {"iam_endpoint": STS},
    )
    for change in changes:
        assert renewable(first, clock) is not renewable(replace(first, **change), clock)


def test_without_a_way_of_its_own_it_takes_the_clients(clock: FakeClock) -> None:
    wire = network(token_reply())
    issuer = PasswordTokens(IAM, "acme", "robot", PASSWORD, "cn-north-4")
    assert Office(clock).run(issuer.issue(clock), wire).credentials.token == TOKEN


def test_an_unreachable_issuer_is_told_as_that(clock: FakeClock) -> None:
    with pytest.raises(TransportError, match="IAM did not answer KeystoneCreateUserTokenByPassword"):
        Office(clock).issue(by_password(network(*[UNREACHABLE] * 3)))
