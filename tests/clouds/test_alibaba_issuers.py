"""Roles whose keys STS issues: what is sent, what comes of the answers, and what never shows."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_mlworkflows.clouds.alibaba.credentials import AccessKey
from airflow_provider_mlworkflows.clouds.alibaba.issuing import Given, Ways, without_named_secrets
from airflow_provider_mlworkflows.clouds.alibaba.roles import OidcRole, RamRole
from airflow_provider_mlworkflows.clouds.alibaba.signing import authorization
from airflow_provider_mlworkflows.clouds.http import Connectivity
from airflow_provider_mlworkflows.clouds.issued import renewable
from airflow_provider_mlworkflows.exceptions import (
    AuthenticationError,
    ConfigurationError,
    MLWorkflowsError,
    TransportError,
)
from tests.clouds.alibaba_issuers import (
    ENDS_AT,
    KEY,
    KEY_FIELDS,
    NEW_KEY,
    NEW_SECRET,
    NEW_TOKEN,
    OIDC_TOKEN,
    ROLE_ANSWER,
    SECRET,
    SECRETS,
    counter,
    refusal,
    text_reply,
)
from tests.clouds.support import NOON, FakeClock, json_reply
from tests.support import assert_no_secret

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_mlworkflows.clouds.http import WireReply

ROLE = "acs:ram::1483920175630284:role/ml"
PROVIDER = "acs:ram::1483920175630284:oidc-provider/ack"
WAYS = Ways("https://sts.cn-hangzhou.aliyuncs.com", "http://100.100.100.200", Connectivity(timeout=3.0, verify=False))
RAM_ROLE = RamRole(AccessKey(KEY, SECRET), ROLE, ways=WAYS)
ISSUED = AccessKey(NEW_KEY, NEW_SECRET, NEW_TOKEN)
UNREACHABLE = TransportError("the request could not be sent", may_have_taken_effect=False)
LOST = TransportError("the request was sent, but no complete answer came back")
FINE = json_reply(ROLE_ANSWER)


@pytest.fixture
def token_file(tmp_path: Path) -> str:
    file = tmp_path / "token"
    file.write_text(f"{OIDC_TOKEN}\n")
    return str(file)


def oidc_role(token_file: str, **more: Any) -> OidcRole:
    return OidcRole(ROLE, PROVIDER, token_file, **{"ways": WAYS, **more})


class TestRamRole:
    def test_asks_sts_with_a_signature(self) -> None:
        desk = counter(FINE)
        issued = desk.issue(RAM_ROLE)
        assert (issued.credentials, issued.got_at, issued.ends_at) == (ISSUED, NOON, ENDS_AT)
        assert desk.asked() == ["POST /"]
        assert desk.sent[0].url.startswith("https://sts.cn-hangzhou.aliyuncs.com/?")
        assert desk.query() == {
            "RoleArn": ROLE,
            "RoleSessionName": "airflow-mlworkflows",
            "DurationSeconds": "3600",
        }
        assert desk.ways == [WAYS.connectivity]
        headers = desk.sent[0].headers
        assert headers["x-acs-action"] == "AssumeRole"
        assert headers["x-acs-version"] == "2015-04-01"
        assert headers["Accept"] == "application/json"
        assert "x-acs-security-token" not in headers

    def test_signs_what_it_sends(self) -> None:
        desk = counter(FINE)
        desk.issue(RAM_ROLE)
        sent = desk.sent[0]
        signed = {k: v for k, v in sent.headers.items() if k.lower() not in ("accept", "user-agent", "authorization")}
        expected = authorization(sent.method, sent.url, signed, access_key=KEY, secret_key=SECRET)
        assert sent.headers["Authorization"] == expected

    def test_sends_what_else_it_is_told(self) -> None:
        desk = counter(FINE)
        key = AccessKey(KEY, SECRET, NEW_TOKEN)
        desk.issue(RamRole(key, ROLE, "nightly", 900, '{"Version": "1"}', "team 8&co", WAYS))
        assert desk.query() == {
            "RoleArn": ROLE,
            "RoleSessionName": "nightly",
            "DurationSeconds": "900",
            "Policy": '{"Version": "1"}',
            "ExternalId": "team 8&co",
        }
        assert desk.sent[0].headers["x-acs-security-token"] == NEW_TOKEN

    def test_asks_again_where_that_helps(self) -> None:
        desk = counter(LOST, json_reply({"Code": "ServiceUnavailable"}, status=503), FINE)
        assert desk.issue(RAM_ROLE).credentials == ISSUED
        assert len({sent.headers["x-acs-signature-nonce"] for sent in desk.sent}) == 3

    def test_in_an_event_loop(self) -> None:
        assert asyncio.run(counter(FINE).aissue(RAM_ROLE)).credentials == ISSUED


class TestOidcRole:
    def test_asks_sts_without_a_signature(self, token_file: str) -> None:
        desk = counter(FINE)
        issued = desk.issue(oidc_role(token_file))
        assert (issued.credentials, issued.ends_at) == (ISSUED, ENDS_AT)
        assert desk.asked() == ["POST /"]
        assert desk.form() == {
            "RoleArn": ROLE,
            "OIDCProviderArn": PROVIDER,
            "OIDCToken": OIDC_TOKEN,
            "RoleSessionName": "airflow-mlworkflows",
            "DurationSeconds": "3600",
        }
        query = desk.query()
        assert query.pop("SignatureNonce")
        assert query == {
            "Action": "AssumeRoleWithOIDC",
            "Format": "JSON",
            "Version": "2015-04-01",
            "Timestamp": "2026-01-15T12:00:00Z",
        }
        headers = desk.sent[0].headers
        assert headers["Content-Type"] == "application/x-www-form-urlencoded"
        assert "Authorization" not in headers
        assert OIDC_TOKEN not in desk.sent[0].url
        assert desk.ways == [WAYS.connectivity]

    def test_each_attempt_has_its_own_time_and_nonce(self, token_file: str) -> None:
        desk = counter(LOST, LOST, FINE)
        desk.issue(oidc_role(token_file))
        assert len({desk.query(number)["SignatureNonce"] for number in range(3)}) == 3

    def test_reads_the_token_each_time(self, token_file: str, tmp_path: Path) -> None:
        desk = counter(FINE, FINE)
        desk.issue(oidc_role(token_file))
        (tmp_path / "token").write_text("another")
        desk.issue(oidc_role(token_file))
        assert [desk.form(number)["OIDCToken"] for number in (0, 1)] == [OIDC_TOKEN, "another"]

    def test_asks_the_environment_at_that_time(self, token_file: str, monkeypatch: pytest.MonkeyPatch) -> None:
        role = OidcRole()
        with pytest.raises(ConfigurationError, match="neither role_arn nor ALIBABA_CLOUD_ROLE_ARN is set"):
            counter().issue(role)
        monkeypatch.setenv("ALIBABA_CLOUD_ROLE_ARN", ROLE)
        with pytest.raises(ConfigurationError, match="oidc_provider_arn nor ALIBABA_CLOUD_OIDC_PROVIDER_ARN"):
            counter().issue(role)
        monkeypatch.setenv("ALIBABA_CLOUD_OIDC_PROVIDER_ARN", PROVIDER)
        with pytest.raises(ConfigurationError, match="oidc_token_file nor ALIBABA_CLOUD_OIDC_TOKEN_FILE"):
            counter().issue(role)
        monkeypatch.setenv("ALIBABA_CLOUD_OIDC_TOKEN_FILE", token_file)
        monkeypatch.setenv("ALIBABA_CLOUD_ROLE_SESSION_NAME", "pod-7")
        desk = counter(FINE)
        desk.issue(role)
        assert desk.form()["RoleArn"] == ROLE
        assert desk.form()["RoleSessionName"] == "pod-7"
        assert desk.sent[0].url.startswith("https://sts.aliyuncs.com/?")

    def test_names_a_token_file_that_is_not_there(self, tmp_path: Path) -> None:
        desk = counter()
        with pytest.raises(ConfigurationError, match=r"The OIDC token file .*nowhere' cannot be read: No such file"):
            desk.issue(oidc_role(str(tmp_path / "nowhere")))
        assert desk.sent == []


def leaking(*sent: str) -> list[WireReply]:
    """Replies that repeat what was sent, and show what was issued."""
    echo = " and ".join(sent)
    return [
        json_reply({**ROLE_ANSWER, "Credentials": {**KEY_FIELDS, "Expiration": "soon"}}),
        json_reply({"RequestId": "r", "Credentials": {"AccessKeyId": NEW_KEY, "AccessKeySecret": NEW_SECRET}}),
        text_reply(f'{{"Credentials": {{"SecurityToken": "{NEW_TOKEN}", "AccessKeySecret": "{NEW_SECRET}'),
        text_reply(f"<html><AccessKeyId>{NEW_KEY}</AccessKeyId><SecurityToken>{NEW_TOKEN}</SecurityToken>"),
        text_reply(f'"{{\\"AccessKeyId\\": \\"{NEW_KEY}\\", \\"AccessKeySecret\\":\\"{NEW_SECRET}\\"}}"'),
        text_reply(f"you sent {echo}", 502),
        refusal("InvalidParameter", 400, f"odd {echo} AccessKeySecret: {NEW_SECRET}"),
        refusal("SignatureDoesNotMatch", 400, f"server string to sign is:{SECRET} Signature=0123abcd"),
    ]


class TestFailures:
    @pytest.mark.parametrize(
        ("reply", "kind", "words"),
        [
            (refusal("InvalidAccessKeyId.NotFound", 404), AuthenticationError, "access key does not exist"),
            (refusal("SignatureDoesNotMatch", 400), AuthenticationError, "secret key does not fit"),
            (refusal("NoPermission", 403), AuthenticationError, "STS refused AssumeRole: HTTP 403 NoPermission"),
            (
                refusal("NoPermission", 403, AccessDeniedDetail={"AuthAction": "sts:AssumeRole"}),
                AuthenticationError,
                "lacks the RAM action sts:AssumeRole",
            ),
            (refusal("EntityNotExist.Role", 404), ConfigurationError, "correct role_arn"),
            (refusal("InvalidParameter.DurationSeconds", 400), ConfigurationError, "There are no credentials. STS"),
        ],
    )
    def test_of_the_role(self, reply: WireReply, kind: type[MLWorkflowsError], words: str) -> None:
        desk = counter(reply)
        with pytest.raises(MLWorkflowsError, match=words) as caught:
            desk.issue(RAM_ROLE)
        assert type(caught.value) is kind
        assert len(desk.sent) == 1, "a refusal is not asked for twice"

    @pytest.mark.parametrize(
        ("code", "status", "kind", "words"),
        [
            ("AuthenticationFail.OIDCToken.Expired", 400, AuthenticationError, "it may have expired"),
            ("AuthenticationFail.NoPermission", 403, AuthenticationError, "trust policy of the role"),
            ("EntityNotExist.OIDCProvider", 404, ConfigurationError, "correct oidc_provider_arn"),
        ],
    )
    def test_of_the_token(
        self, token_file: str, code: str, status: int, kind: type[MLWorkflowsError], words: str
    ) -> None:
        with pytest.raises(MLWorkflowsError, match=words) as caught:
            counter(refusal(code, status)).issue(oidc_role(token_file))
        assert type(caught.value) is kind

    @pytest.mark.parametrize("outcome", [LOST, UNREACHABLE, refusal("InternalError", 500), text_reply("<html>", 200)])
    def test_of_the_way_leave_the_call_unsent(self, outcome: WireReply | TransportError) -> None:
        """Whoever needed the credentials has not sent anything, so that a start is not in doubt."""
        desk = counter(outcome, outcome, outcome)
        with pytest.raises(TransportError, match="There are no credentials") as caught:
            desk.issue(RAM_ROLE)
        assert not caught.value.may_have_taken_effect

    @pytest.mark.parametrize("case", range(8))
    def test_tell_no_secret(self, token_file: str, case: int) -> None:
        for issuer, sent in ((RAM_ROLE, (KEY, SECRET)), (oidc_role(token_file), (OIDC_TOKEN,))):
            reply = leaking(*sent)[case]
            with pytest.raises(MLWorkflowsError) as caught:
                counter(reply, reply, reply).issue(issuer)
            error: BaseException | None = caught.value
            while error is not None:
                assert_no_secret(f"{error!r} {error}", [*SECRETS, "0123abcd"])
                error = error.__cause__


class TestEquality:
    def test_equal_ones_share_their_keys(self, clock: FakeClock, token_file: str) -> None:
        one, other = RAM_ROLE, RamRole(AccessKey(KEY, SECRET), ROLE, ways=WAYS)
        assert renewable(one, clock) is renewable(other, clock)
        assert renewable(oidc_role(token_file), clock) is renewable(oidc_role(token_file), clock)

    def test_others_do_not(self, clock: FakeClock) -> None:
        for more in (
            {"session_name": "x2"},
            {"seconds": 900},
            {"policy": "{}"},
            {"external_id": "x"},
            {"ways": Ways()},
        ):
            other = RamRole(AccessKey(KEY, SECRET), ROLE, **{"ways": WAYS, **more})  # type: ignore[arg-type]
            assert renewable(RAM_ROLE, clock) is not renewable(other, clock)
        assert renewable(RamRole(AccessKey(KEY, "other"), ROLE, ways=WAYS), clock) is not renewable(RAM_ROLE, clock)

    def test_no_repr_tells_a_secret(self, token_file: str) -> None:
        role = RamRole(AccessKey(KEY, SECRET, NEW_TOKEN), ROLE, external_id=OIDC_TOKEN)
        for each in (role, Given(AccessKey(KEY, SECRET)), counter(FINE).issue(RAM_ROLE)):
            assert_no_secret(f"{each!r} {each!s}", SECRETS)


def test_what_is_given_never_ends() -> None:
    issued = counter().issue(Given(AccessKey(KEY, SECRET)))
    assert issued.credentials == AccessKey(KEY, SECRET)
    assert issued.ends_at == math.inf


@pytest.mark.parametrize(
    "harmless", ["InvalidSecurityToken.Expired", "The SecurityToken is missing", "AccessKeyId was not found"]
)
def test_names_alone_are_left_readable(harmless: str) -> None:
    assert without_named_secrets(harmless) == harmless
