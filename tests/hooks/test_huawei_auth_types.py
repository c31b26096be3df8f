"""How a connection to Huawei Cloud says in which way to sign in, and what the calls made with it are for."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from airflow.sdk import Connection

from airflow_provider_mlworkflows.clock import Bell, Clock, InterruptibleClock
from airflow_provider_mlworkflows.clouds.http import Connectivity
from airflow_provider_mlworkflows.clouds.huawei.agencies import AgencyKeys, OidcKeys
from airflow_provider_mlworkflows.clouds.huawei.credentials import AccessKey, HuaweiAccount, IamToken
from airflow_provider_mlworkflows.clouds.huawei.machines import PodKeys, ServerKeys
from airflow_provider_mlworkflows.clouds.huawei.obs_credentials import ObsAccount
from airflow_provider_mlworkflows.clouds.huawei.surroundings import ChainKeys, EnvironmentKeys, ProfileKeys
from airflow_provider_mlworkflows.clouds.huawei.tokens import PasswordTokens
from airflow_provider_mlworkflows.clouds.issued import Fixed, renewable
from airflow_provider_mlworkflows.exceptions import ConfigurationError, TransportError
from airflow_provider_mlworkflows.hooks.aom import AomWorkflowHook
from airflow_provider_mlworkflows.hooks.base import ConnectionFields
from airflow_provider_mlworkflows.hooks.modelarts import ModelArtsHook
from airflow_provider_mlworkflows.hooks.obs import ObsWorkflowHook
from airflow_provider_mlworkflows.runs import RunRef
from tests.clouds.support import FakeClock, json_reply, network
from tests.support import assert_no_secret

CONN_ID = "cloud_of_team_seven"
REGION, PROJECT = "cn-north-4", "0123456789abcdef0123456789abcdef"
LOGIN, PASSWORD = "loginDistinctive0001", "passwordDistinctive0001"
TOKEN, SECURITY_TOKEN = "iamDistinctiveToken0001", "stDistinctive0001"
SECRETS = (PASSWORD, TOKEN, SECURITY_TOKEN)
IAM, STS = f"https://iam.{REGION}.myhuaweicloud.com", f"https://sts.{REGION}.myhuaweicloud.com"
BRIEF = Connectivity(timeout=10.0)
KEYS: dict[str, Any] = {"login": LOGIN, "password": PASSWORD}
CHAIN = ChainKeys(IAM, STS, REGION, connectivity=BRIEF)
URNS = {"provider_urn": "iam::1:oidcProvider:x", "agency_urn": "iam::1:agency:y"}


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def fields_of(extra: Mapping[str, Any], conn_type: str = "huawei_mlworkflows", **keys: Any) -> ConnectionFields:
    connection = Connection(conn_id=CONN_ID, conn_type=conn_type, extra=json.dumps({"region": REGION, **extra}), **keys)
    return ConnectionFields.of(connection)


def source_of(fields: ConnectionFields, clock: Clock, **options: Any) -> Any:
    """Where the credentials of a connection come from; the same for every service."""
    sources = []
    for hook in (ModelArtsHook, AomWorkflowHook, ObsWorkflowHook):
        account = hook(CONN_ID, clock=clock, **options).client_for(fields).account
        assert isinstance(account, HuaweiAccount | ObsAccount)
        sources.append(account.source)
    assert all(source == sources[0] for source in sources)
    return sources[0]


def refusal(extra: Mapping[str, Any], **keys: str) -> str:
    """What is said of a connection, which names it and tells no secret."""
    with pytest.raises(ConfigurationError) as caught:
        ModelArtsHook(CONN_ID).client_for(fields_of(extra, **keys))
    assert CONN_ID in str(caught.value)
    assert_no_secret(f"{caught.value!r}", SECRETS)
    return str(caught.value)


ISSUERS: tuple[tuple[dict[str, Any], dict[str, str], Any], ...] = (
    (
        {"auth_type": "password", "domain_name": "acme"},
        KEYS,
        PasswordTokens(IAM, "acme", LOGIN, PASSWORD, REGION, None, BRIEF),
    ),
    (
        {"auth_type": "Password", "domain_name": "acme", "project_id": PROJECT, "iam_endpoint": "https://x.example"},
        KEYS,
        PasswordTokens("https://x.example", "acme", LOGIN, PASSWORD, REGION, PROJECT, BRIEF),
    ),
    (
        {"auth_type": "agency", "agency_name": "deployer"},
        KEYS,
        AgencyKeys(IAM, AccessKey(LOGIN, PASSWORD), "deployer", connectivity=BRIEF),
    ),
    (
        {
            "auth_type": "agency",
            "agency_name": "deployer",
            "agency_domain_name": "partner",
            "session_duration": "86400",
            "security_token": SECURITY_TOKEN,
        },
        KEYS,
        AgencyKeys(IAM, AccessKey(LOGIN, PASSWORD, SECURITY_TOKEN), "deployer", "partner", 86400, BRIEF),
    ),
    (
        {"auth_type": "agency", "agency_name": "deployer", "iam_token": TOKEN},
        {},
        AgencyKeys(IAM, IamToken(TOKEN), "deployer", connectivity=BRIEF),
    ),
    ({"auth_type": "agency", "agency_name": "deployer"}, {}, AgencyKeys(IAM, CHAIN, "deployer", connectivity=BRIEF)),
    ({"auth_type": "metadata"}, {}, ServerKeys("http://169.254.169.254")),
    ({"auth_type": "metadata", "metadata_endpoint": "http://127.0.0.1:1/"}, {}, ServerKeys("http://127.0.0.1:1")),
    ({"auth_type": "oidc_sts"}, {}, OidcKeys(STS, connectivity=BRIEF)),
    (
        {
            "auth_type": "oidc_sts",
            **URNS,
            "session_name": "nightly",
            "token_file": "/run/token",
            "session_duration": 900,
            "sts_endpoint": "https://sts.example.com/",
        },
        {},
        OidcKeys(
            "https://sts.example.com", URNS["provider_urn"], URNS["agency_urn"], "nightly", "/run/token", 900, BRIEF
        ),
    ),
    ({"auth_type": "pod_identity"}, {}, PodKeys()),
    ({"auth_type": "env"}, {}, EnvironmentKeys()),
    ({"auth_type": "profile"}, {}, ProfileKeys(None, IAM, REGION, None, BRIEF)),
    (
        {"auth_type": "profile", "profile_file": "~/keys", "project_id": PROJECT},
        {},
        ProfileKeys("~/keys", IAM, REGION, PROJECT, BRIEF),
    ),
    ({"auth_type": "default"}, {}, CHAIN),
    (
        {"auth_type": "default", "profile_file": "/x", "metadata_endpoint": "http://h", "sts_endpoint": "http://s"},
        {},
        ChainKeys(IAM, "http://s", REGION, None, "/x", "http://h", BRIEF),
    ),
)


class TestSources:
    @pytest.mark.parametrize(("extra", "keys", "issuer"), ISSUERS)
    def test_who_issues(self, extra: dict[str, Any], keys: dict[str, str], issuer: Any, clock: FakeClock) -> None:
        assert source_of(fields_of(extra, **keys), clock) is renewable(issuer, clock)

    @pytest.mark.parametrize(("extra", "keys", "issuer"), ISSUERS)
    def test_a_uri_says_the_same(
        self, extra: dict[str, Any], keys: dict[str, str], issuer: Any, clock: FakeClock
    ) -> None:
        user = f"{keys['login']}:{keys['password']}@" if keys else ""
        query = urlencode({name: str(value) for name, value in {"region": REGION, **extra}.items()})
        connection = Connection.from_uri(f"huawei-mlworkflows://{user}/?{query}", CONN_ID)
        assert source_of(ConnectionFields.of(connection), clock) is renewable(issuer, clock)

    def test_nobody(self, clock: FakeClock) -> None:
        assert source_of(fields_of({"auth_type": "AKSK"}, **KEYS), clock) == Fixed(AccessKey(LOGIN, PASSWORD))
        token = {"auth_type": " Token ", "iam_token": TOKEN}
        assert source_of(fields_of(token), clock) == Fixed(IamToken(TOKEN))
        assert source_of(fields_of(token, **KEYS), clock) == Fixed(IamToken(TOKEN)), "a key beside it does no harm"

    def test_another_region_has_other_tokens(self, clock: FakeClock) -> None:
        fields = fields_of({"auth_type": "password", "domain_name": "acme", "project_id": PROJECT}, **KEYS)
        there = "https://iam.cn-east-3.myhuaweicloud.com"
        expected = PasswordTokens(there, "acme", LOGIN, PASSWORD, "cn-east-3", None, BRIEF)
        assert source_of(fields, clock, region="cn-east-3") is renewable(expected, clock)

    @pytest.mark.parametrize(("given", "used"), [(60, 10.0), (10, 10.0), ("2.5", 2.5)])
    def test_iam_is_reached_as_the_service_is_but_not_waited_for_as_long(
        self, clock: FakeClock, given: object, used: float
    ) -> None:
        extra = {"auth_type": "password", "domain_name": "acme", "verify": "no", "proxy": "http://p:1"}
        way = Connectivity(False, "http://p:1", used)
        expected = PasswordTokens(IAM, "acme", LOGIN, PASSWORD, REGION, None, way)
        assert source_of(fields_of({**extra, "timeout": given}, **KEYS), clock) is renewable(expected, clock)

    def test_hooks_with_clocks_before_the_same_time_share_them(self, clock: FakeClock) -> None:
        fields = fields_of({"auth_type": "env"})
        interruptible = InterruptibleClock(InterruptibleClock(clock, Bell()), Bell())
        assert source_of(fields, interruptible) is source_of(fields, clock)


BELONGS = {
    "security_token": {"aksk", "agency"},
    "iam_token": {"token", "agency"},
    "domain_name": {"password"},
    "agency_name": {"agency"},
    "agency_domain_name": {"agency"},
    "session_duration": {"agency", "oidc_sts"},
    "provider_urn": {"oidc_sts"},
    "agency_urn": {"oidc_sts"},
    "session_name": {"oidc_sts"},
    "token_file": {"oidc_sts"},
    "profile_file": {"profile", "default"},
}
MINIMAL: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    "aksk": ({}, KEYS),
    "token": ({"iam_token": TOKEN}, {}),
    "password": ({"domain_name": "acme"}, KEYS),
    "agency": ({"agency_name": "deployer"}, {}),
    "metadata": ({}, {}),
    "oidc_sts": ({}, {}),
    "pod_identity": ({}, {}),
    "env": ({}, {}),
    "profile": ({}, {}),
    "default": ({}, {}),
}


class TestContradictions:
    @pytest.mark.parametrize("auth_type", MINIMAL)
    @pytest.mark.parametrize("name", BELONGS)
    def test_what_is_not_used_is_named(self, auth_type: str, name: str, clock: FakeClock) -> None:
        extra, keys = MINIMAL[auth_type]
        value = 1000 if name == "session_duration" else SECURITY_TOKEN
        given = {"auth_type": auth_type, **extra, name: value}
        if auth_type in BELONGS[name]:
            if auth_type == "agency" and name == "security_token":
                keys = KEYS
            source_of(fields_of(given, **keys), clock)
            return
        message = refusal(given, **keys)
        assert name in message
        assert f"auth_type {auth_type}" in message
        assert any(f"auth_type to {each}" in message or f"or {each}" in message for each in BELONGS[name])

    @pytest.mark.parametrize("auth_type", ["metadata", "oidc_sts", "pod_identity", "env", "profile", "default"])
    @pytest.mark.parametrize("keys", [KEYS, {"login": LOGIN}, {"password": PASSWORD}])
    def test_login_and_password(self, auth_type: str, keys: dict[str, str]) -> None:
        message = refusal({"auth_type": auth_type}, **keys)
        assert "login or password" in message
        assert f"auth_type {auth_type}" in message

    @pytest.mark.parametrize(
        ("extra", "keys", "words"),
        [
            ({"auth_type": "token"}, {}, ["auth_type token", "iam_token"]),
            ({"auth_type": "password"}, KEYS, ["auth_type password", "domain_name"]),
            ({"auth_type": "password", "domain_name": "acme"}, {}, ["auth_type password", "login or password"]),
            ({"auth_type": "password", "domain_name": "acme"}, {"login": "x"}, ["auth_type password", "password"]),
            ({"auth_type": "agency"}, KEYS, ["auth_type agency", "agency_name"]),
            ({"auth_type": "agency", "agency_name": "x"}, {"login": "x"}, ["lacks an access key"]),
            ({"auth_type": "agency", "agency_name": "x", "security_token": "x"}, {}, ["lacks an access key"]),
            ({"auth_type": "agency", "agency_name": "x", "iam_token": TOKEN}, KEYS, ["both", "iam_token"]),
            ({"auth_type": "agency", "agency_name": "x", "session_duration": 899}, KEYS, ["session_duration", "900"]),
            ({"auth_type": "agency", "agency_name": "x", "session_duration": 86401}, KEYS, ["session_duration"]),
            ({"auth_type": "agency", "agency_name": "x", "session_duration": "long"}, KEYS, ["session_duration"]),
            ({"auth_type": "oidc_sts", "session_duration": 43201}, {}, ["session_duration", "43200"]),
            ({"auth_type": "magic"}, KEYS, ["'auth_type'", "'aksk'", "'pod_identity'", "'default'"]),
            ({"auth_type": ["aksk"]}, KEYS, ["'auth_type'"]),
            ({"workspace_id": "a b"}, KEYS, ["'workspace_id'", "must be an id"]),
            ({"enterprise_project_id": "x" * 65}, KEYS, ["'enterprise_project_id'", "must be an id"]),
            ({"metadata_endpoint": "169.254.169.254"}, KEYS, ["'metadata_endpoint'", "https://"]),
        ],
    )
    def test_says_what_to_set(self, extra: dict[str, Any], keys: dict[str, str], words: list[str]) -> None:
        message = refusal(extra, **keys)
        assert [word for word in words if word not in message] == []

    @pytest.mark.parametrize(
        ("extra", "keys", "words"),
        [
            ({"auth_type": "password", "domain_name": "acme"}, KEYS, "region or project_id"),
            ({"auth_type": "oidc_sts"}, {}, "region or sts_endpoint"),
        ],
    )
    def test_without_a_region(self, extra: dict[str, Any], keys: dict[str, str], words: str) -> None:
        fields = fields_of({"region": "", "obs_endpoint": "https://obs.example.com", **extra}, **keys)
        with pytest.raises(ConfigurationError, match=words):
            ObsWorkflowHook(CONN_ID).client_for(fields)


class TestOtherProvidersConnections:
    @pytest.mark.parametrize(
        "extra",
        [
            {},
            {"project_id": PROJECT},
            {"project_id": PROJECT, "obs_bucket": "b", "domain_name": "acme", "agency_name": "x", "enable": 1},
        ],
    )
    def test_work_as_they_are(self, extra: dict[str, Any], clock: FakeClock) -> None:
        fields = fields_of(extra, conn_type="huaweicloud", **KEYS)
        assert source_of(fields, clock) == Fixed(AccessKey(LOGIN, PASSWORD))

    @pytest.mark.parametrize(("conn_type", "good"), [("huaweicloud", True), ("huawei_mlworkflows", False)])
    def test_also_with_a_host_that_nobody_uses(self, conn_type: str, good: bool, monkeypatch: Any) -> None:
        connection = {"conn_type": conn_type, **KEYS, "host": "obs.example.com", "extra": {"region": REGION}}
        monkeypatch.setenv(f"AIRFLOW_CONN_{CONN_ID.upper()}", json.dumps(connection))
        hook = ModelArtsHook(CONN_ID)
        if good:
            assert hook.client.service.endpoint == f"https://modelarts.{REGION}.myhuaweicloud.com"
        else:
            with pytest.raises(ConfigurationError, match="has a host"):
                hook.get_conn()


class TestWithoutAConnection:
    @pytest.mark.parametrize("hook", [ModelArtsHook, AomWorkflowHook, ObsWorkflowHook])
    def test_the_environment_is_looked_at(self, hook: Any, clock: FakeClock) -> None:
        client = hook(None, region=REGION, clock=clock).client
        assert client.account.source is renewable(CHAIN, clock)
        assert client.region == REGION
        assert REGION in client.service.endpoint
        assert asyncio.run(hook(None, region=REGION, clock=clock).aclient()).account.source is client.account.source

    @pytest.mark.parametrize("hook", [ModelArtsHook, AomWorkflowHook, ObsWorkflowHook])
    def test_the_region_must_be_given(self, hook: Any) -> None:
        with pytest.raises(ConfigurationError, match=r"environment, .*no region\. Give region as an argument"):
            hook(None).get_conn()

    def test_what_is_not_found_is_told(self, monkeypatch: pytest.MonkeyPatch, clock: FakeClock) -> None:
        for name in ("HUAWEICLOUD_SDK_AK", "HUAWEICLOUD_OIDC_PROVIDER_URN", "HC_CONTAINER_CREDENTIALS_FULL_URI"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("HUAWEICLOUD_SDK_CREDENTIALS_FILE", "/nowhere/credentials")
        refused = json_reply({"error": {"code": 500, "message": "no"}}, status=500)
        monkeypatch.setattr(Connectivity, "transmit", lambda way, request: refused)
        good, text = ModelArtsHook(None, region=REGION, clock=clock).test_connection()
        assert not good
        for word in ("OIDC", "HUAWEICLOUD_SDK_AK", "/nowhere/credentials", "metadata", "HC_CONTAINER"):
            assert word in text


def asked_with(hook: Any, call: Any, reply: Any, **extra: str) -> tuple[dict[str, str], Any]:
    """Query and body of a request that a call leads to, with defaults in the connection."""
    client = hook.client_for(fields_of({"project_id": PROJECT, **extra}, **KEYS))
    client.connectivity = wire = network(reply)
    hook.__dict__["client"] = client
    call(hook)
    [sent] = wire.sent
    query = dict(parse_qsl(urlsplit(sent.url).query))
    return query, json.loads(sent.content) if sent.content else None


WORKFLOW = "5b1f0c6e-2d7a-4983-b6c5-0e9f14a7d382"
NO_PAGE = json_reply({"total": 0, "count": 0, "items": []})


class TestHaste:
    WAYS: tuple[dict[str, Any], ...] = (
        {"auth_type": "password", "domain_name": "acme"},
        {"auth_type": "agency", "agency_name": "deployer"},
        {},
    )

    def waited(self, extra: dict[str, Any], clock: FakeClock, monkeypatch: pytest.MonkeyPatch, use: Any) -> float:
        """Seconds until a hook gives up, on a network where nobody answers."""

        def silent(way: Connectivity, request: Any) -> Any:
            clock.now += way.timeout
            raise TransportError("silence", may_have_taken_effect=True)

        monkeypatch.setattr(Connectivity, "transmit", silent)
        connection = {"conn_type": "huawei_mlworkflows", **KEYS, "extra": {"region": REGION, **extra}}
        monkeypatch.setenv(f"AIRFLOW_CONN_{CONN_ID.upper()}", json.dumps(connection))
        before = clock.now
        use()
        return clock.now - before

    @pytest.mark.parametrize("extra", WAYS)
    def test_a_test_of_the_connection_gives_up_after_ten_seconds(
        self,
        extra: dict[str, Any],
        clock: FakeClock,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        test = ModelArtsHook(CONN_ID, clock=clock).test_connection
        assert self.waited(extra, clock, monkeypatch, test) == 10
        assert "trying again" not in caplog.text

    @pytest.mark.parametrize("extra", WAYS)
    def test_who_is_about_to_be_killed_gives_up_when_told_to(
        self, extra: dict[str, Any], clock: FakeClock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        hook = ModelArtsHook(CONN_ID, attempts=1, timeout=3, clock=clock)

        def stop() -> None:
            with pytest.raises(TransportError):
                hook.stop_run(RunRef(WORKFLOW, WORKFLOW))

        assert self.waited(extra, clock, monkeypatch, stop) == 3

    def test_others_ask_again(
        self, clock: FakeClock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        hook = ModelArtsHook(CONN_ID, attempts=1, clock=clock)

        def look() -> None:
            with pytest.raises(TransportError):
                hook.list_workflows()

        assert self.waited(self.WAYS[0], clock, monkeypatch, look) > 30
        assert caplog.text.count("IAM failed at KeystoneCreateUserTokenByPassword; trying again in ") == 2


class TestDefaults:
    def test_a_workspace_for_what_is_listed(self) -> None:
        hook = ModelArtsHook(CONN_ID)
        query, _ = asked_with(hook, lambda h: h.list_executions(WORKFLOW), NO_PAGE, workspace_id="w1")
        assert query["workspace_id"] == "w1"
        query, _ = asked_with(hook, lambda h: h.list_executions(WORKFLOW, workspace_id="w2"), NO_PAGE, workspace_id="w")
        assert query["workspace_id"] == "w2"
        query, _ = asked_with(hook, lambda h: h.list_executions(WORKFLOW), NO_PAGE)
        assert "workspace_id" not in query

    def test_a_workspace_for_what_is_created(self) -> None:
        created = json_reply({"workflow_id": WORKFLOW}, status=201)
        hook = ModelArtsHook(CONN_ID)
        query, body = asked_with(hook, lambda h: h.create_workflow("name"), created, workspace_id="w1")
        assert (query, body["workspace_id"]) == ({}, "w1")

    def test_a_workspace_beside_a_body(self) -> None:
        done = json_reply(status=204)
        query, body = asked_with(
            ModelArtsHook(CONN_ID), lambda h: h.create_notebook_tags(WORKFLOW, {"a": "b"}), done, workspace_id="w1"
        )
        assert (query, body) == ({"workspace_id": "w1"}, {"tags": [{"key": "a", "value": "b"}]})

    def test_a_workspace_of_pools(self) -> None:
        pools = json_reply({"items": []})
        query, _ = asked_with(ModelArtsHook(CONN_ID), lambda h: h.list_pools(), pools, workspace_id="w1")
        assert query == {"workspaceId": "w1"}

    def test_an_enterprise_project(self) -> None:
        hook = AomWorkflowHook(CONN_ID)
        query, _ = asked_with(hook, lambda h: h.list_executions("w"), json_reply([]), enterprise_project_id="e1")
        assert query == {"x_enterprise_project_id": "e1"}
        page = json_reply({"total_elements": 0, "elements": []})
        _, body = asked_with(hook, lambda h: h.list_workflows(), page, enterprise_project_id="e1")
        assert body["enterprise_project_id"] == "e1"
        _, body = asked_with(hook, lambda h: h.list_workflows(), page)
        assert "enterprise_project_id" not in body

    def test_calls_that_take_none_get_none(self) -> None:
        shown = json_reply({"execution_id": WORKFLOW, "workflow_id": WORKFLOW})
        query, body = asked_with(
            ModelArtsHook(CONN_ID),
            lambda h: h.show_execution(WORKFLOW, WORKFLOW),
            shown,
            workspace_id="w1",
            enterprise_project_id="e1",
        )
        assert (query, body) == ({}, None)


def test_paths_of_files_are_no_secrets() -> None:
    fields = fields_of({"token_file": "/run/token", "iam_token": TOKEN, "profile_file": "/keys"}, **KEYS)
    assert set(fields.secrets) == {LOGIN, PASSWORD, TOKEN}


def test_nor_is_the_name_of_a_user() -> None:
    assert fields_of({"auth_type": " Password ", "domain_name": "acme"}, **KEYS).secrets == (PASSWORD,)
