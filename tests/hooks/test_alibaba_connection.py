"""How an Airflow connection becomes a client: seen in what the client then sends, and in what it refuses."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

import pytest
from airflow.sdk import Connection

from airflow_provider_mlworkflows.clouds.alibaba.credentials import AccessKey, AlibabaAccount, BearerToken
from airflow_provider_mlworkflows.clouds.alibaba.environment import Environment
from airflow_provider_mlworkflows.clouds.alibaba.issuing import Ways
from airflow_provider_mlworkflows.clouds.alibaba.metadata import CredentialsUri, EcsRole
from airflow_provider_mlworkflows.clouds.alibaba.profiles import Profile
from airflow_provider_mlworkflows.clouds.alibaba.roles import OidcRole, RamRole
from airflow_provider_mlworkflows.clouds.http import Connectivity, proxy_secrets
from airflow_provider_mlworkflows.clouds.issued import Fixed
from airflow_provider_mlworkflows.exceptions import ConfigurationError
from airflow_provider_mlworkflows.hooks import alibaba_sources, base
from airflow_provider_mlworkflows.hooks.base import ConnectionFields
from airflow_provider_mlworkflows.hooks.paiflow import PaiFlowHook
from tests.clouds.support import json_reply, network
from tests.support import assert_no_secret

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.clouds.client import Client
    from airflow_provider_mlworkflows.clouds.http import WireReply, WireRequest

CONN_ID = "cloud_of_team_eight"
ACCESS_KEY = "LTAIDISTINCTIVE00000001"
SECRET_KEY = "skDistinctive/With+Odd=Characters0000001"
SECURITY_TOKEN = "stDistinctiveSecurityToken0000000001"
BEARER_TOKEN = "bearerDistinctiveToken00000000000001"
PROXY_PASSWORD = "proxyDistinctivePassword0001"
SECRETS = (ACCESS_KEY, SECRET_KEY, SECURITY_TOKEN, BEARER_TOKEN, PROXY_PASSWORD)
KEYS: dict[str, Any] = {"login": ACCESS_KEY, "password": SECRET_KEY}
IN_EXTRA = {"access_key_id": ACCESS_KEY, "access_key_secret": SECRET_KEY}
HERE = {"region": "cn-hangzhou"}


def connection_of(extra: Any = None, **fields: Any) -> Connection:
    text = extra if isinstance(extra, str) or extra is None else json.dumps(extra)
    return Connection(conn_id=CONN_ID, **{"conn_type": "alibaba_mlworkflows", **KEYS, "extra": text, **fields})


def client_of(connection: Connection, **options: Any) -> Client:
    return PaiFlowHook(CONN_ID, **options).client_for(ConnectionFields.of(connection))


def sent(connection: Connection, *, reply: WireReply | None = None, **options: Any) -> WireRequest:
    """What goes out when runs are listed."""
    hook = PaiFlowHook(CONN_ID, **options)
    client = hook.client_for(ConnectionFields.of(connection))
    wire = network(reply or json_reply({"PipelineRuns": [], "TotalCount": 3}))
    client.connectivity = wire
    hook.__dict__["client"] = client
    hook.list_pipeline_runs()
    return wire.sent[0]


def error_of(extra: dict[str, Any]) -> ConfigurationError | None:
    """The error that a connection leads to, if it does."""
    try:
        client_of(connection_of(extra))
    except ConfigurationError as error:
        return error
    return None


def refusal(extra: Any = None, *, options: dict[str, Any] | None = None, **fields: Any) -> str:
    """The message of the ConfigurationError that a connection leads to, which names it and tells no secret."""
    with pytest.raises(ConfigurationError) as caught:
        client_of(connection_of(extra, **fields), **(options or {}))
    message = str(caught.value)
    assert CONN_ID in message
    assert_no_secret(f"{message} {caught.value!r}", SECRETS)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None or caught.value.__suppress_context__
    return message


def host(request: WireRequest) -> str:
    return f"{urlsplit(request.url).scheme}://{urlsplit(request.url).netloc}"


FORMS = ["json extra", "uri", "environment json"]


def in_form(form: str, extra: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Connection:
    """The same connection, written in each of the ways people write one."""
    if form == "json extra":
        return connection_of(extra)
    if form == "uri":
        query = "&".join(f"{name}={quote(str(value), safe='')}" for name, value in extra.items())
        keys = f"{quote(ACCESS_KEY, safe='')}:{quote(SECRET_KEY, safe='')}"
        return Connection.from_uri(f"alibaba-mlworkflows://{keys}@/?{query}", CONN_ID)
    text = json.dumps({"conn_type": "alibaba_mlworkflows", **KEYS, "extra": extra})
    monkeypatch.setenv(f"AIRFLOW_CONN_{CONN_ID.upper()}", text)
    return PaiFlowHook.get_connection(CONN_ID)


@pytest.mark.parametrize("form", FORMS)
class TestEveryForm:
    def test_keys_region_and_workspace(self, form: str, monkeypatch: pytest.MonkeyPatch) -> None:
        request = sent(in_form(form, {**HERE, "workspace_id": 84321}, monkeypatch))
        assert request.url == "https://paiflow.cn-hangzhou.aliyuncs.com/api/v1/pipelineruns?WorkspaceId=84321"
        assert f"Credential={ACCESS_KEY}," in request.headers["Authorization"]
        assert "x-acs-security-token" not in request.headers

    def test_types(self, form: str, monkeypatch: pytest.MonkeyPatch) -> None:
        connection = in_form(form, {**HERE, "verify": False, "timeout": 7.5}, monkeypatch)
        assert client_of(connection).connectivity == Connectivity(verify=False, proxy=None, timeout=7.5)

    def test_an_unknown_field(self, form: str, monkeypatch: pytest.MonkeyPatch) -> None:
        connection = in_form(form, {**HERE, "secret": SECRET_KEY}, monkeypatch)
        with pytest.raises(ConfigurationError, match=r"'secret' is not a field") as caught:
            client_of(connection)
        assert_no_secret(str(caught.value), SECRETS)


class TestCredentials:
    @pytest.mark.parametrize("auth_type", [{}, {"auth_type": "sts"}, {"auth_type": "STS"}])
    def test_a_temporary_key_sends_its_token(self, auth_type: dict[str, str]) -> None:
        request = sent(connection_of({**HERE, **auth_type, "security_token": SECURITY_TOKEN}))
        assert request.headers["x-acs-security-token"] == SECURITY_TOKEN
        assert "x-acs-security-token" in request.headers["Authorization"]

    @pytest.mark.parametrize("auth_type", [{}, {"auth_type": "bearer"}])
    def test_a_bearer_token_needs_no_keys(self, auth_type: dict[str, str]) -> None:
        extra = {**HERE, **auth_type, "bearer_token": BEARER_TOKEN}
        request = sent(connection_of(extra, login=None, password=None))
        assert request.headers["x-acs-bearer-token"] == BEARER_TOKEN
        assert "Authorization" not in request.headers

    @pytest.mark.parametrize("auth_type", [{}, {"auth_type": "AK"}])
    def test_a_connection_of_airflows_own_provider_works_with_a_region_given(self, auth_type: dict[str, str]) -> None:
        connection = connection_of({**IN_EXTRA, **auth_type}, conn_type="alibaba_cloud", login=None, password=None)
        request = sent(connection, region="cn-shanghai", workspace_id="9")
        assert request.url == "https://paiflow.cn-shanghai.aliyuncs.com/api/v1/pipelineruns?WorkspaceId=9"
        assert f"Credential={ACCESS_KEY}," in request.headers["Authorization"]

    def test_what_such_a_connection_has_for_others_is_left_alone(self) -> None:
        extra = {**IN_EXTRA, "bucket": "for-others"}
        assert host(sent(connection_of(extra, conn_type="alibaba_cloud"), region="cn-shanghai"))

    @pytest.mark.parametrize("endpoint", ["https://oss-cn-shanghai.aliyuncs.com", "oss-cn-shanghai.aliyuncs.com", 5])
    def test_the_endpoint_of_such_a_connection_is_that_of_another_service(self, endpoint: object) -> None:
        extra = {**IN_EXTRA, "endpoint": endpoint}
        foreign = connection_of(extra, conn_type="alibaba_cloud")
        assert host(sent(foreign, region="cn-shanghai")) == "https://paiflow.cn-shanghai.aliyuncs.com"
        with pytest.raises(ConfigurationError, match=r"has no region.* paiflow_endpoint"):
            client_of(foreign)
        own = connection_of({**extra, "paiflow_endpoint": "https://own.example.com"}, conn_type="alibaba_cloud")
        assert host(sent(own)) == "https://own.example.com"

    def test_the_same_key_in_both_places_is_one(self) -> None:
        assert f"Credential={ACCESS_KEY}," in sent(connection_of({**HERE, **IN_EXTRA})).headers["Authorization"]

    def test_what_was_copied_with_blanks_around_it_is_taken_without(self) -> None:
        request = sent(connection_of({"region": " cn-hangzhou\n"}, login=f" {ACCESS_KEY}", password=f"{SECRET_KEY}\n"))
        assert f"Credential={ACCESS_KEY}," in request.headers["Authorization"]


ROLE_ARN = "acs:ram::1483920175630284:role/ml"
PROVIDER_ARN = "acs:ram::1483920175630284:oidc-provider/ack"
NO_KEY: dict[str, Any] = {"login": None, "password": None}
ROLE = {"role_arn": ROLE_ARN, "role_session_name": "nightly", "role_session_expiration": "900", "policy": "{}"}
ROLE_MADE: dict[str, Any] = {"role_arn": ROLE_ARN, "session_name": "nightly", "seconds": 900, "policy": "{}"}
STS = "https://sts.cn-hangzhou.aliyuncs.com"
NEAR = Connectivity(timeout=3.0)


def issuer_of(extra: dict[str, Any], **fields: Any) -> Any:
    """Whoever issues the keys of a connection: the same object that shares them with all equal ones."""
    made: list[Any] = []

    def remember(issuer: Any, clock: Any) -> Fixed[AccessKey]:
        made.append(issuer)
        return Fixed(AccessKey("", ""))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(alibaba_sources, "renewable", remember)
        client_of(connection_of({**HERE, **extra}, **fields))
    (issuer,) = made
    return issuer


class TestIssued:
    WAYS = Ways(STS, "http://100.100.100.200", NEAR)

    @pytest.mark.parametrize("auth_type", ["ram_role_arn", "RAM_ROLE_ARN", "RamRoleArn", " ram-role-arn "])
    def test_a_role(self, auth_type: str) -> None:
        made = issuer_of({"auth_type": auth_type, **ROLE, "external_id": "x", "security_token": SECURITY_TOKEN})
        key = AccessKey(ACCESS_KEY, SECRET_KEY, SECURITY_TOKEN)
        assert made == RamRole(key, **ROLE_MADE, external_id="x", ways=self.WAYS)

    def test_a_role_with_usual_settings(self) -> None:
        made = issuer_of({"auth_type": "ram_role_arn", "role_arn": ROLE_ARN, **IN_EXTRA}, **NO_KEY)
        assert made == RamRole(AccessKey(ACCESS_KEY, SECRET_KEY), ROLE_ARN, ways=self.WAYS)
        assert (made.session_name, made.seconds) == ("airflow-mlworkflows", 3600)

    @pytest.mark.parametrize("auth_type", ["oidc_role_arn", "OIDC_ROLE_ARN", "OIDC"])
    def test_a_role_by_oidc(self, auth_type: str) -> None:
        told = {"oidc_provider_arn": PROVIDER_ARN, "oidc_token_file": "/var/run/token"}
        made = issuer_of({"auth_type": auth_type, **ROLE, **told}, **NO_KEY)
        assert made == OidcRole(provider_arn=PROVIDER_ARN, token_file="/var/run/token", **ROLE_MADE, ways=self.WAYS)

    def test_a_role_by_oidc_that_the_environment_tells(self) -> None:
        assert issuer_of({"auth_type": "oidc_role_arn"}, **NO_KEY) == OidcRole(ways=self.WAYS)

    @pytest.mark.parametrize("disabled", [True, "true", "1"])
    def test_the_role_of_a_machine(self, disabled: object) -> None:
        assert issuer_of({"auth_type": "ECS_RAM_ROLE"}, **NO_KEY) == EcsRole()
        extra = {"role_name": "own", "disable_imds_v1": disabled, "metadata_endpoint": "http://127.0.0.1:80/"}
        made = issuer_of({"auth_type": "ecs_ram_role", **extra}, **NO_KEY)
        assert made == EcsRole("own", hardened=True, endpoint="http://127.0.0.1:80")

    def test_a_uri(self) -> None:
        assert issuer_of({"auth_type": "CREDENTIALS_URI"}, **NO_KEY) == CredentialsUri()
        made = issuer_of({"auth_type": "credentials_uri", "credentials_uri": "http://x/", "verify": False}, **NO_KEY)
        assert made == CredentialsUri("http://x/", verify=False)

    def test_a_profile(self) -> None:
        assert issuer_of({"auth_type": "profile"}, **NO_KEY) == Profile(ways=self.WAYS)
        made = issuer_of({"auth_type": "Profile", "profile": "team", "profile_file": "/x.ini"}, **NO_KEY)
        assert made == Profile("team", "/x.ini", self.WAYS)

    def test_the_environment(self) -> None:
        assert issuer_of({"auth_type": "default"}, **NO_KEY) == Environment(self.WAYS)

    @pytest.mark.parametrize(
        ("extra", "sts"),
        [
            ({}, STS),
            ({"network": "vpc"}, "https://sts-vpc.cn-hangzhou.aliyuncs.com"),
            ({"region": "", "endpoint": "http://x"}, "https://sts.aliyuncs.com"),
            ({"network": "vpc", "sts_endpoint": "http://127.0.0.1:8480"}, "http://127.0.0.1:8480"),
        ],
    )
    def test_sts_is_asked_in_the_region(self, extra: dict[str, str], sts: str) -> None:
        assert issuer_of({"auth_type": "default", **extra}, **NO_KEY).ways.sts == sts

    def test_sts_is_asked_in_the_region_of_the_argument(self) -> None:
        with pytest.MonkeyPatch.context() as patch:
            made: list[Any] = []
            patch.setattr(alibaba_sources, "renewable", lambda issuer, clock: made.append(issuer))
            client_of(connection_of({**HERE, "auth_type": "default"}, **NO_KEY), region="cn-beijing")
        assert made[0].ways.sts == "https://sts.cn-beijing.aliyuncs.com"

    def test_sts_is_reached_as_the_service_is(self) -> None:
        how = {"verify": "false", "proxy": "http://proxy.example.com:3128", "timeout": 60}
        made = issuer_of({"auth_type": "default", **how}, **NO_KEY)
        assert made.ways.connectivity == Connectivity(False, "http://proxy.example.com:3128", 3.0)

    def test_equal_connections_share_their_keys(self) -> None:
        extra = {**HERE, "auth_type": "ecs_ram_role"}
        sources = [client_of(connection_of(extra, **NO_KEY)).account for _ in range(2)]
        one, other = (account.source for account in sources if isinstance(account, AlibabaAccount))
        assert one is other

    def test_without_a_connection_it_is_the_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", ACCESS_KEY)
        monkeypatch.setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", SECRET_KEY)
        hook = PaiFlowHook(None, region="cn-shanghai", workspace_id="7")
        wire = network(json_reply({"PipelineRuns": [], "TotalCount": 3}))
        hook.client.connectivity = wire
        hook.list_pipeline_runs()
        assert wire.sent[0].url == "https://paiflow.cn-shanghai.aliyuncs.com/api/v1/pipelineruns?WorkspaceId=7"
        assert f"Credential={ACCESS_KEY}," in wire.sent[0].headers["Authorization"]

    def test_without_a_connection_the_region_has_to_be_told(self) -> None:
        with pytest.raises(ConfigurationError, match="The environment, used for want of a connection, has no region"):
            _ = PaiFlowHook(None).client

    def test_a_connection_of_airflows_own_provider_can_have_them_too(self) -> None:
        extra = {**IN_EXTRA, "auth_type": "RAM_ROLE_ARN", "role_arn": ROLE_ARN, "bucket": "for-others"}
        made = issuer_of(extra, conn_type="alibaba_cloud", **NO_KEY)
        assert made == RamRole(AccessKey(ACCESS_KEY, SECRET_KEY), ROLE_ARN, ways=self.WAYS)


class TestAddresses:
    @pytest.mark.parametrize(
        ("extra", "address"),
        [
            (HERE, "https://paiflow.cn-hangzhou.aliyuncs.com"),
            ({**HERE, "network": "public"}, "https://paiflow.cn-hangzhou.aliyuncs.com"),
            ({**HERE, "network": "VPC"}, "https://paiflow-vpc.cn-hangzhou.aliyuncs.com"),
            ({"region": "xx-nowhere-7"}, "https://paiflow.xx-nowhere-7.aliyuncs.com"),
            ({**HERE, "endpoint": "http://127.0.0.1:8480/"}, "http://127.0.0.1:8480"),
            ({"endpoint": "https://all.example.com"}, "https://all.example.com"),
            (
                {"endpoint": "https://all.example.com", "paiflow_endpoint": "https://own.example.com"},
                "https://own.example.com",
            ),
        ],
    )
    def test_are_public_private_or_given(self, extra: dict[str, Any], address: str) -> None:
        assert host(sent(connection_of(extra))) == address

    def test_arguments_win_over_the_connection(self) -> None:
        extra = {**HERE, "workspace_id": "1", "timeout": 5}
        request = sent(connection_of(extra), region="eu-central-1", workspace_id="2", timeout=2.0)
        assert request.url == "https://paiflow.eu-central-1.aliyuncs.com/api/v1/pipelineruns?WorkspaceId=2"
        assert client_of(connection_of(extra), timeout=2.0).connectivity.timeout == 2.0

    def test_blank_is_unset(self) -> None:
        blank = dict.fromkeys(alibaba_sources.AlibabaExtra.model_fields, "  ")
        client = client_of(connection_of({**blank, **HERE, "timeout": None}))
        assert client.service.endpoint == "https://paiflow.cn-hangzhou.aliyuncs.com"
        assert client.connectivity == Connectivity(True, None, 30.0)


class TestRefusals:
    @pytest.mark.parametrize(
        ("extra", "fields", "words"),
        [
            (HERE, {"login": None}, ["login", "access_key_id", "bearer_token"]),
            (HERE, {"password": " "}, ["password", "access_key_secret"]),
            ({}, {}, ["region", "cn-hangzhou", "paiflow_endpoint"]),
            (None, {}, ["region"]),
            ({**HERE, "auth_type": "sts"}, {}, ["auth_type sts", "security_token"]),
            ({**HERE, "auth_type": "bearer"}, {}, ["auth_type bearer", "bearer_token"]),
            ({**HERE, "auth_type": "ak", "security_token": SECURITY_TOKEN}, {}, ["Set auth_type to sts"]),
            ({**HERE, "auth_type": "ak", "bearer_token": BEARER_TOKEN}, {}, ["Set auth_type to bearer"]),
            ({**HERE, "bearer_token": BEARER_TOKEN, "security_token": SECURITY_TOKEN}, {}, ["security_token", "sts"]),
            ({**HERE, "auth_type": "rsa_key_pair"}, {}, ["'auth_type'", "'ak'", "'ram_role_arn'", "'default'"]),
            ({**HERE, "auth_type": "ram_role_arn"}, {}, ["auth_type ram_role_arn but no role_arn"]),
            ({**HERE, "auth_type": "ram_role_arn", "role_arn": ROLE_ARN}, NO_KEY, ["lacks an access key", "login"]),
            ({**HERE, "role_arn": ROLE_ARN}, {}, ["role_arn", "auth_type ak", "ram_role_arn or oidc_role_arn"]),
            ({**HERE, "role_name": "x"}, {}, ["role_name", "auth_type ak", "Set auth_type to ecs_ram_role"]),
            ({**HERE, "auth_type": "default", "profile": "x"}, NO_KEY, ["profile", "auth_type default", "to profile"]),
            ({**HERE, "auth_type": "profile", "external_id": "x"}, NO_KEY, ["external_id", "auth_type profile"]),
            (
                {**HERE, "auth_type": "ecs_ram_role", "role_arn": ROLE_ARN, "credentials_uri": "http://x"},
                NO_KEY,
                ["role_arn and credentials_uri", "auth_type ecs_ram_role", "Remove them"],
            ),
            ({**HERE, "auth_type": "oidc_role_arn"}, {}, ["an access key", "auth_type oidc_role_arn", "login"]),
            ({**HERE, "auth_type": "ecs_ram_role", **IN_EXTRA}, NO_KEY, ["an access key", "access_key_id"]),
            ({**HERE, "role_arn": "ml"}, {}, ["'role_arn'", "acs:ram::"]),
            ({**HERE, "role_session_name": "a b"}, {}, ["'role_session_name'", "letters"]),
            ({**HERE, "role_session_expiration": 899}, {}, ["'role_session_expiration'", "900"]),
            ({**HERE, "role_session_expiration": "an hour"}, {}, ["'role_session_expiration'", "integer"]),
            ({**HERE, "network": "internal"}, {}, ["'network'", "'vpc'"]),
            ({**HERE, **IN_EXTRA}, {"login": "another"}, ["one access key in login"]),
            ({**HERE, **IN_EXTRA}, {"password": "another"}, ["one secret in password"]),
            ({**HERE, "timeout": 0}, {}, ["'timeout'", "more than 0"]),
            ({"region": "cn-hangzhou.example.com/"}, {}, ["region", "cn-hangzhou"]),
            ({"regoin": "cn-hangzhou"}, {}, ["'regoin' is not a field", "workspace_id", "paiflow_endpoint"]),
            ("[1, 2]", {}, ["not a JSON object"]),
            (f'{{"region": "{SECRET_KEY}"', {}, ["not a JSON object"]),
        ],
    )
    def test_says_what_to_set(self, extra: Any, fields: dict[str, Any], words: list[str]) -> None:
        message = refusal(extra, **fields)
        assert [word for word in words if word not in message] == []

    @pytest.mark.parametrize("name", ["endpoint", "paiflow_endpoint", "sts_endpoint", "metadata_endpoint"])
    @pytest.mark.parametrize("address", ["paiflow.example.com", "ftp://x", f"https://user:{SECRET_KEY}@x.example.com"])
    def test_an_endpoint_that_is_no_address(self, name: str, address: str) -> None:
        assert repr(name) in refusal({**HERE, name: address})

    def test_an_argument_is_checked_as_the_connection_is(self) -> None:
        assert "region" in refusal({}, options={"region": "elsewhere.example.com#"})

    @pytest.mark.parametrize("name", [*alibaba_sources.AlibabaExtra.model_fields])
    @pytest.mark.parametrize("wrap", [lambda s: [s], lambda s: {"x": s}, lambda s: f" ://{s}"])
    def test_no_field_repeats_what_it_was_given(self, name: str, wrap: Any) -> None:
        error = error_of({**HERE, name: wrap(SECRET_KEY)})
        if error is None:
            assert name in ("workspace_id", "security_token", "bearer_token", "verify")
        else:
            assert_no_secret(f"{error!r}", SECRETS)
            assert error.__cause__ is None


EVERYTHING_SECRET = {
    **HERE,
    "security_token": f" {SECURITY_TOKEN} ",
    "proxy": f"http://user:{PROXY_PASSWORD}@proxy.example.com:3128",
}


def give_out(monkeypatch: pytest.MonkeyPatch, connection: Connection) -> None:
    """Let hooks find this connection."""

    async def get(hook: PaiFlowHook, conn_id: str) -> Connection:
        return connection

    monkeypatch.setattr(PaiFlowHook, "get_connection", lambda hook, conn_id: connection)
    monkeypatch.setattr(PaiFlowHook, "aget_connection", get)


class TestSecrets:
    def test_no_repr_tells_one(self) -> None:
        hook = PaiFlowHook(CONN_ID)
        fields = ConnectionFields.of(connection_of({**EVERYTHING_SECRET, **IN_EXTRA}))
        client = hook.client_for(fields)
        hook.__dict__["client"] = client
        extra = alibaba_sources.AlibabaExtra.model_validate(
            {**EVERYTHING_SECRET, **IN_EXTRA, "bearer_token": BEARER_TOKEN}
        )
        account = client.account
        assert isinstance(account, AlibabaAccount)
        seen: list[object] = [
            hook, fields, client, client.connectivity, client.service, account, account.source,
            BearerToken(BEARER_TOKEN), extra, hook.list_pipeline_runs, vars(hook), vars(client),
        ]  # fmt: skip
        for each in seen:
            assert_no_secret(f"{each!r} {each!s}", SECRETS)

    @pytest.mark.parametrize("fields", [KEYS, {"login": None, "password": None}])
    def test_all_of_them_are_masked_wherever_they_are(
        self, monkeypatch: pytest.MonkeyPatch, fields: dict[str, Any]
    ) -> None:
        masked: list[str] = []
        monkeypatch.setattr(base, "mask_secret", masked.append)
        give_out(monkeypatch, connection_of({**EVERYTHING_SECRET, **IN_EXTRA}, **fields))
        PaiFlowHook(CONN_ID).get_conn()
        inside = proxy_secrets(EVERYTHING_SECRET["proxy"])
        assert inside[0] in EVERYTHING_SECRET["proxy"]
        assert set(masked) == {ACCESS_KEY, SECRET_KEY, SECURITY_TOKEN, EVERYTHING_SECRET["proxy"], *inside}

    def test_paths_are_none_but_what_may_hold_one_is(self) -> None:
        extra = {"oidc_token_file": "/var/run/token", "credentials_uri": "http://x/?k=1", "external_id": "for us"}
        fields = ConnectionFields.of(connection_of(extra, **NO_KEY))
        assert set(fields.secrets) == {"http://x/?k=1", "for us"}

    def test_all_of_them_are_masked_in_event_loops(self, monkeypatch: pytest.MonkeyPatch) -> None:
        masked: list[str] = []

        async def remember(secret: str) -> None:
            masked.append(secret)

        give_out(monkeypatch, connection_of({**HERE, "bearer_token": BEARER_TOKEN}, login=None, password=None))
        monkeypatch.setattr(base, "amask_secret", remember)
        asyncio.run(PaiFlowHook(CONN_ID).aclient())
        assert masked == [BEARER_TOKEN]


class TestTestConnection:
    def outcome(
        self, reply: WireReply, monkeypatch: pytest.MonkeyPatch, connection: Connection | None = None
    ) -> tuple[bool, str]:
        """With a network that has one answer only."""
        wire = network(reply)
        give_out(monkeypatch, connection or connection_of({**HERE, "workspace_id": "48213"}))
        monkeypatch.setattr(Connectivity, "transmit", lambda connectivity, request: wire.transmit(request))
        return PaiFlowHook(CONN_ID).test_connection()

    def test_good(self, monkeypatch: pytest.MonkeyPatch) -> None:
        good, message = self.outcome(json_reply({"PipelineRuns": [], "TotalCount": 3}), monkeypatch)
        assert good
        assert message == (
            f"PAIFlow answers access key {ACCESS_KEY[:4]}… at https://paiflow.cn-hangzhou.aliyuncs.com "
            "in region cn-hangzhou, workspace 48213; 3 runs are visible."
        )

    def test_good_with_a_token(self, monkeypatch: pytest.MonkeyPatch) -> None:
        extra = {"region": "cn-hangzhou", "bearer_token": BEARER_TOKEN}
        reply = json_reply({"PipelineRuns": []})
        good, message = self.outcome(reply, monkeypatch, connection_of(extra, login=None, password=None))
        assert good
        assert "answers a bearer token at" in message
        assert message.endswith("in region cn-hangzhou; 0 runs are visible.")

    def test_asks_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        good, message = self.outcome(json_reply({"Code": "ServiceUnavailable"}, status=503), monkeypatch)
        assert not good
        assert "503" in message

    @pytest.mark.parametrize(
        ("status", "code", "words"),
        [
            (403, "NoPermission", "paiflow:ListPipelineRuns"),
            (404, "InvalidAccessKeyId.NotFound", "access key does not exist"),
            (400, "InvalidTimeStamp.Expired", "clock"),
        ],
    )
    def test_bad(self, status: int, code: str, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
        good, message = self.outcome(json_reply({"Code": code, "Message": "m"}, status=status), monkeypatch)
        assert not good
        assert words in message
