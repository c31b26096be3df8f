"""How an Airflow connection becomes a client: seen in what the client then sends, and in what it refuses."""

from __future__ import annotations

import asyncio
import json
import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote, urlsplit

import pytest
from airflow.sdk import Connection
from airflow.sdk._shared.secrets_masker import redact

from airflow_provider_mlworkflows.clouds.http import Connectivity, WireRequest
from airflow_provider_mlworkflows.clouds.huawei.credentials import AccessKey, HuaweiAccount, IamToken
from airflow_provider_mlworkflows.clouds.issued import Fixed
from airflow_provider_mlworkflows.exceptions import ConfigurationError
from airflow_provider_mlworkflows.hooks import base
from airflow_provider_mlworkflows.hooks.base import ConnectionFields
from airflow_provider_mlworkflows.hooks.huawei_sources import HuaweiExtra
from airflow_provider_mlworkflows.hooks.modelarts import ModelArtsHook
from tests.clouds.support import json_reply, network
from tests.support import assert_no_secret

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.clouds.client import Client

CONN_ID = "cloud_of_team_seven"
ACCESS_KEY = "AKIDDISTINCTIVE00001"
SECRET_KEY = "skDistinctive/With+Odd=Characters0000001"
SECURITY_TOKEN = "stDistinctiveSecurityToken0000000001"
IAM_TOKEN = "iamDistinctiveToken000000000000000001"
PROXY_PASSWORD = "proxyDistinctivePassword0001"
SECRETS = (ACCESS_KEY, SECRET_KEY, SECURITY_TOKEN, IAM_TOKEN, PROXY_PASSWORD)
PROJECT = "0123456789abcdef0123456789abcdef"
KEYS: dict[str, Any] = {"login": ACCESS_KEY, "password": SECRET_KEY}
EMPTY_PAGE = {"total": 0, "count": 0, "items": []}


class Sent(NamedTuple):
    """What a client did first."""

    client: Client
    requests: list[WireRequest]

    @property
    def hosts(self) -> list[str]:
        return [f"{urlsplit(request.url).scheme}://{urlsplit(request.url).netloc}" for request in self.requests]

    def header(self, name: str) -> str | None:
        """A header of the last request."""
        return {key.lower(): value for key, value in self.requests[-1].headers.items()}.get(name)


def connection_of(extra: Any = None, **fields: Any) -> Connection:
    text = extra if isinstance(extra, str) or extra is None else json.dumps(extra)
    return Connection(conn_id=CONN_ID, **{"conn_type": "huawei_mlworkflows", **KEYS, "extra": text, **fields})


def client_of(connection: Connection, **options: Any) -> Client:
    return ModelArtsHook(CONN_ID, **options).client_for(ConnectionFields.of(connection))


def send(connection: Connection, **options: Any) -> Sent:
    """List workflows with a connection, on a network that knows the project and an empty list."""
    hook = ModelArtsHook(CONN_ID, **options)
    client = hook.client_for(ConnectionFields.of(connection))
    project = json_reply({"projects": [{"id": PROJECT, "name": "a region"}]})
    page = json_reply(EMPTY_PAGE)
    knows_project = client.account._project.value is not None  # type: ignore[attr-defined]
    wire = network(*([page] if knows_project else [project, page]))
    original, client.connectivity = client.connectivity, wire
    hook.__dict__["client"] = client
    hook.list_workflows(limit=1)
    client.connectivity = original
    return Sent(client, wire.sent)


def test_a_field_of_a_later_form_that_is_left_empty_is_none() -> None:
    assert client_of(connection_of({"region": "cn-north-4", "of_next_year": None})).region == "cn-north-4"


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


def error_of(extra: dict[str, Any]) -> ConfigurationError | None:
    """The error that a connection leads to, if it does."""
    try:
        send(connection_of(extra))
    except ConfigurationError as error:
        return error
    return None


FORMS = ["json extra", "uri", "environment uri", "environment json", "environment json with text extra"]


def in_form(form: str, extra: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Connection:
    """The same connection, written in each of the ways people write one."""
    texts = {name: str(value) for name, value in extra.items()}
    query = "&".join(f"{name}={quote(value, safe='')}" for name, value in texts.items())
    uri = f"huawei-mlworkflows://{quote(ACCESS_KEY, safe='')}:{quote(SECRET_KEY, safe='')}@/?{query}"
    body = {"conn_type": "huawei_mlworkflows", **KEYS}
    match form:
        case "json extra":
            return connection_of(extra)
        case "uri":
            return Connection.from_uri(uri, CONN_ID)
        case "environment uri":
            text = uri
        case "environment json":
            text = json.dumps({**body, "extra": extra})
        case _:
            text = json.dumps({**body, "extra": json.dumps(extra)})
    monkeypatch.setenv(f"AIRFLOW_CONN_{CONN_ID.upper()}", text)
    return ModelArtsHook.get_connection(CONN_ID)


@pytest.mark.parametrize("form", FORMS)
class TestEveryForm:
    def test_keys_region_and_project(self, form: str, monkeypatch: pytest.MonkeyPatch) -> None:
        connection = in_form(form, {"region": "cn-north-4", "project_id": PROJECT}, monkeypatch)
        sent = send(connection)
        assert sent.hosts == ["https://modelarts.cn-north-4.myhuaweicloud.com"]
        assert urlsplit(sent.requests[0].url).path == f"/v2/{PROJECT}/workflows"
        assert sent.header("x-project-id") == PROJECT
        assert f"Access={ACCESS_KEY}," in (sent.header("authorization") or "")
        assert sent.header("x-security-token") is None

    def test_types(self, form: str, monkeypatch: pytest.MonkeyPatch) -> None:
        extra = {"region": "cn-north-4", "project_id": PROJECT, "verify": False, "timeout": 7.5}
        connectivity = client_of(in_form(form, extra, monkeypatch)).connectivity
        assert connectivity == Connectivity(verify=False, proxy=None, timeout=7.5)

    def test_endpoints_with_ports(self, form: str, monkeypatch: pytest.MonkeyPatch) -> None:
        extra = {
            "region": "cn-north-4",
            "modelarts_endpoint": "http://127.0.0.1:8480/",
            "iam_endpoint": "http://127.0.0.1:8481",
        }
        assert send(in_form(form, extra, monkeypatch)).hosts == ["http://127.0.0.1:8481", "http://127.0.0.1:8480"]

    def test_an_unknown_field(self, form: str, monkeypatch: pytest.MonkeyPatch) -> None:
        connection = in_form(form, {"region": "cn-north-4", "secret": SECRET_KEY}, monkeypatch)
        with pytest.raises(ConfigurationError, match=r"'secret' is not a field") as caught:
            client_of(connection)
        assert_no_secret(str(caught.value), SECRETS)


class TestFields:
    def test_a_temporary_key_sends_its_token(self) -> None:
        sent = send(connection_of({"region": "cn-north-4", "security_token": SECURITY_TOKEN}))
        assert len(sent.requests) == 2
        for request in sent.requests:
            assert request.headers["X-Security-Token"] == SECURITY_TOKEN
            assert "x-security-token" in request.headers["Authorization"]

    def test_a_token_needs_no_keys_and_signs_nothing(self) -> None:
        extra = {"region": "cn-north-4", "project_id": PROJECT, "auth_type": "token", "iam_token": IAM_TOKEN}
        sent = send(connection_of(extra, login=None, password=None))
        assert sent.header("x-auth-token") == IAM_TOKEN
        assert sent.header("authorization") is None

    def test_one_endpoint_for_all_services_gives_way_to_a_services_own(self) -> None:
        extra = {"region": "cn-north-4", "project_id": PROJECT, "endpoint": "https://all.example.com"}
        assert send(connection_of(extra)).hosts == ["https://all.example.com"]
        own = {**extra, "modelarts_endpoint": "https://own.example.com"}
        assert send(connection_of(own)).hosts == ["https://own.example.com"]

    def test_a_project_and_an_endpoint_make_up_for_a_region(self) -> None:
        sent = send(connection_of({"project_id": PROJECT, "endpoint": "https://private.example.com"}))
        assert sent.hosts == ["https://private.example.com"]
        assert sent.client.region == ""

    def test_arguments_win_over_the_connection(self) -> None:
        extra = {"region": "cn-north-4", "project_id": PROJECT, "timeout": 5}
        options: dict[str, Any] = {"region": "cn-east-3", "project_id": "f" * 32, "timeout": 2.0}
        sent = send(connection_of(extra), **options)
        assert sent.hosts == ["https://modelarts.cn-east-3.myhuaweicloud.com"]
        assert sent.header("x-project-id") == "f" * 32
        assert sent.client.connectivity.timeout == 2.0

    def test_another_region_has_another_project(self) -> None:
        extra = {"region": "cn-north-4", "project_id": "f" * 32}
        sent = send(connection_of(extra), region="cn-east-3")
        assert sent.hosts == [
            "https://iam.cn-east-3.myhuaweicloud.com",
            "https://modelarts.cn-east-3.myhuaweicloud.com",
        ]
        assert sent.header("x-project-id") == PROJECT

    def test_the_same_region_given_again_changes_nothing(self) -> None:
        extra = {"region": "cn-north-4", "project_id": PROJECT, "endpoint": "https://all.example.com"}
        sent = send(connection_of(extra), region="cn-north-4")
        assert sent.hosts == ["https://all.example.com"]
        assert sent.header("x-project-id") == PROJECT

    def test_the_endpoint_of_another_providers_connection_is_that_of_another_service(self) -> None:
        extra = {"region": "cn-north-4", "project_id": PROJECT, "endpoint": "obs.cn-north-4.myhuaweicloud.com"}
        client = client_of(connection_of(extra, conn_type="huaweicloud"))
        assert client.service.endpoint == "https://modelarts.cn-north-4.myhuaweicloud.com"
        own = connection_of({**extra, "modelarts_endpoint": "https://own.example.com"}, conn_type="huaweicloud")
        assert client_of(own).service.endpoint == "https://own.example.com"

    def test_endpoints_of_other_services_are_accepted(self) -> None:
        extra = {"region": "cn-north-4", "project_id": PROJECT, "sts_endpoint": "https://sts.example.com"}
        assert send(connection_of(extra)).hosts == ["https://modelarts.cn-north-4.myhuaweicloud.com"]

    def test_defaults(self) -> None:
        assert client_of(connection_of({"region": "cn-north-4"})).connectivity == Connectivity(True, None, 30.0)

    def test_a_proxy(self) -> None:
        address = f"http://user:{PROXY_PASSWORD}@proxy.example.com:3128"
        assert client_of(connection_of({"region": "cn-north-4", "proxy": address})).connectivity.proxy == address

    def test_blank_is_unset(self) -> None:
        blank = dict.fromkeys(HuaweiExtra.model_fields, "  ")
        client = client_of(connection_of({**blank, "region": "cn-north-4", "timeout": None, "verify": None}))
        assert client.service.endpoint == "https://modelarts.cn-north-4.myhuaweicloud.com"
        assert client.connectivity == Connectivity(True, None, 30.0)
        assert isinstance(client.account, HuaweiAccount)
        assert client.account.source == Fixed(AccessKey(ACCESS_KEY, SECRET_KEY))

    def test_what_was_copied_with_blanks_around_it_is_taken_without(self) -> None:
        extra = {"region": " cn-north-4\n", "project_id": f" {PROJECT}", "security_token": f"{SECURITY_TOKEN}\n"}
        sent = send(connection_of(extra, login=f" {ACCESS_KEY}", password=f"{SECRET_KEY}\n"))
        plain = send(connection_of({name: value.strip() for name, value in extra.items()}))
        assert sent.hosts == plain.hosts
        assert sent.header("x-security-token") == SECURITY_TOKEN
        assert sent.client.account.source == plain.client.account.source  # type: ignore[attr-defined]

    @pytest.mark.parametrize(
        ("written", "meant"),
        [
            (True, True), (False, False), ("true", True), ("True", True), ("FALSE", False), ("0", False), ("1", True),
            ("no", False), ("yes", True), (" false ", False), ("/etc/ssl/own-ca.pem", "/etc/ssl/own-ca.pem"),
        ],
    )  # fmt: skip
    def test_verify(self, written: object, meant: object) -> None:
        assert client_of(connection_of({"region": "cn-north-4", "verify": written})).connectivity.verify == meant

    @pytest.mark.parametrize(
        ("region", "iam"),
        [
            ("cn-north-4", "https://iam.cn-north-4.myhuaweicloud.com"),
            ("ap-southeast-3", "https://iam.ap-southeast-3.myhuaweicloud.com"),
            ("eu-west-101", "https://iam.eu-west-101.myhuaweicloud.eu"),
            ("af-north-1", "https://iam.myhuaweicloud.com"),
            ("cn-north-11", "https://iam.myhuaweicloud.com"),
            ("cn-southwest-3", "https://iam.myhuaweicloud.com"),
        ],
    )
    def test_the_project_of_a_region_is_asked_where_its_iam_is(self, region: str, iam: str) -> None:
        sent = send(connection_of({"region": region}))
        assert sent.hosts == [iam, f"https://modelarts.{region}.myhuaweicloud.com"]
        assert urlsplit(sent.requests[0].url).query == f"name={region}"


class TestRefusals:
    @pytest.mark.parametrize(
        ("extra", "fields", "words"),
        [
            ({"region": "r-1"}, {"login": None}, ["login", "password", "iam_token"]),
            ({"region": "r-1"}, {"password": " "}, ["login", "password", "iam_token"]),
            ({}, {}, ["region", "cn-north-4", "project_id", "modelarts_endpoint"]),
            (None, {}, ["region"]),
            ({"endpoint": "https://x.example.com"}, {}, ["region", "project_id"]),
            ({"project_id": PROJECT}, {}, ["region", "modelarts_endpoint"]),
            ({"region": "r-1", "auth_type": "token"}, {}, ["auth_type token", "iam_token"]),
            (
                {"region": "r-1", "auth_type": "token", "iam_token": IAM_TOKEN, "security_token": SECURITY_TOKEN},
                {},
                ["security_token", "aksk"],
            ),
            ({"region": "r-1", "iam_token": IAM_TOKEN}, {}, ["iam_token", "Set auth_type to token"]),
            ({"region": "r-1", "auth_type": "magic"}, {}, ["'auth_type'", "'aksk'", "'token'", "'pod_identity'"]),
            ({"region": "r-1", "timeout": 0}, {}, ["'timeout'", "more than 0"]),
            ({"region": "r-1", "timeout": "soon"}, {}, ["'timeout'", "number"]),
            ({"region": "r-1", "timeout": "nan"}, {}, ["'timeout'"]),
            ({"region": "r-1", "timeout": "inf"}, {}, ["'timeout'"]),
            ({"region": "r-1", "project_id": ["p"]}, {}, ["'project_id'", "string"]),
            ({"region": "r-1", "project_id": "cn-north-4"}, {}, ["'project_id'", "32 hexadecimal digits"]),
            ({"region": "r-1", "project_id": "../../x"}, {}, ["'project_id'", "32 hexadecimal digits"]),
            ({"region": "cn-north-4.example.com/"}, {}, ["region", "cn-north-4"]),
            ({"regoin": "cn-north-4"}, {}, ["'regoin' is not a field", "region", "modelarts_endpoint", "iam_token"]),
            ("[1, 2]", {}, ["not a JSON object"]),
            (f'{{"region": "{SECRET_KEY}"', {}, ["not a JSON object"]),
        ],
    )
    def test_says_what_to_set(self, extra: Any, fields: dict[str, Any], words: list[str]) -> None:
        message = refusal(extra, **fields)
        assert [word for word in words if word not in message] == []

    def test_an_argument_is_checked_as_the_connection_is(self) -> None:
        message = refusal({"project_id": PROJECT}, options={"region": "elsewhere.example.com#"})
        assert "region" in message

    def test_a_project_given_as_argument_is_checked_as_the_connection_s_is(self) -> None:
        message = refusal({"region": "cn-north-4"}, options={"project_id": f"{PROJECT}/../.."})
        assert "32 hexadecimal digits" in message

    @pytest.mark.parametrize("name", ["endpoint", "modelarts_endpoint"])
    def test_an_endpoint_is_not_used_for_another_region(self, name: str) -> None:
        extra = {"region": "cn-north-4", "project_id": PROJECT, name: "https://modelarts.example.com"}
        message = refusal(extra, options={"region": "cn-east-3", "project_id": "f" * 32})
        assert [word for word in ("cn-north-4", "cn-east-3", name) if word not in message] == []

    @pytest.mark.parametrize("name", ["endpoint", "modelarts_endpoint", "iam_endpoint", "sts_endpoint"])
    @pytest.mark.parametrize(
        "address",
        [
            "modelarts.cn-north-4.myhuaweicloud.com",
            "ftp://modelarts.example.com",
            "https://",
            "https://modelarts.example.com?x=1",
            "https://modelarts.example.com#x",
            f"https://user:{SECRET_KEY}@modelarts.example.com",
            f"https://modelarts.example.com:{IAM_TOKEN}",
            f"https://[{IAM_TOKEN}",
        ],
    )
    def test_an_endpoint_that_is_no_address(self, name: str, address: str) -> None:
        message = refusal({"region": "cn-north-4", name: address})
        assert repr(name) in message
        assert "https://" in message

    @pytest.mark.parametrize("address", ["proxy.example.com:3128", f"ftp://user:{PROXY_PASSWORD}@proxy", "http://"])
    def test_a_proxy_that_is_no_address(self, address: str) -> None:
        assert "'proxy'" in refusal({"region": "cn-north-4", "proxy": address})

    @pytest.mark.parametrize("name", [*HuaweiExtra.model_fields])
    @pytest.mark.parametrize(
        "wrap", [lambda s: [s], lambda s: {"x": s}, lambda s: f" ://{s}", lambda s: f"https://{s} "]
    )
    def test_no_field_repeats_what_it_was_given(self, name: str, wrap: Any) -> None:
        error = error_of({"region": "cn-north-4", "project_id": PROJECT, name: wrap(SECRET_KEY)})
        if error is None:
            assert name in ("project_id", "security_token", "iam_token", "verify", "proxy") or name.endswith("endpoint")
        else:
            assert_no_secret(f"{error!r}", SECRETS)
            assert error.__cause__ is None

    def test_a_ca_file_that_is_not_there(self, tmp_path: Path) -> None:
        client = client_of(connection_of({"region": "cn-north-4", "verify": str(tmp_path / "none.pem")}))
        with pytest.raises(ConfigurationError, match=r"none\.pem.*does not exist"):
            client.connectivity.transmit(WireRequest("GET", "https://127.0.0.1:9/", {}))

    def test_a_ca_file_without_a_certificate(self, tmp_path: Path) -> None:
        (tmp_path / "notes.pem").write_text("no certificate")
        client = client_of(connection_of({"region": "cn-north-4", "verify": str(tmp_path / "notes.pem")}))
        with pytest.raises(ConfigurationError, match=r"notes\.pem.*PEM") as caught:
            client.connectivity.transmit(WireRequest("GET", "https://127.0.0.1:9/", {}))
        assert isinstance(caught.value.__cause__, ssl.SSLError)


EVERYTHING_SECRET = {
    "region": "cn-north-4",
    "project_id": PROJECT,
    "security_token": f" {SECURITY_TOKEN} ",
    "proxy": f"http://user:{PROXY_PASSWORD}@proxy.example.com:3128",
}


def give_out(monkeypatch: pytest.MonkeyPatch, connection: Connection) -> None:
    """Let hooks find this connection."""

    async def get(hook: ModelArtsHook, conn_id: str) -> Connection:
        return connection

    monkeypatch.setattr(ModelArtsHook, "get_connection", lambda hook, conn_id: connection)
    monkeypatch.setattr(ModelArtsHook, "aget_connection", get)


class TestSecrets:
    def test_no_repr_tells_one(self) -> None:
        hook = ModelArtsHook(CONN_ID)
        fields = ConnectionFields.of(connection_of(EVERYTHING_SECRET))
        client = hook.client_for(fields)
        hook.__dict__["client"] = client
        extra = HuaweiExtra.model_validate({**EVERYTHING_SECRET, "iam_token": IAM_TOKEN})
        account = client.account
        assert isinstance(account, HuaweiAccount)
        seen: list[object] = [
            hook, fields, client, client.connectivity, client.service, account, account.source,
            IamToken(IAM_TOKEN), extra, hook.list_workflows, vars(hook), vars(client), vars(account),
        ]  # fmt: skip
        for each in seen:
            assert_no_secret(f"{each!r} {each!s}", SECRETS)

    def test_all_of_them_are_masked(self, monkeypatch: pytest.MonkeyPatch) -> None:
        masked: list[str] = []
        monkeypatch.setattr(base, "mask_secret", masked.append)
        give_out(monkeypatch, connection_of(EVERYTHING_SECRET))
        ModelArtsHook(CONN_ID).get_conn()
        assert set(masked) >= {ACCESS_KEY, SECRET_KEY, SECURITY_TOKEN, EVERYTHING_SECRET["proxy"]}

    def test_all_of_them_are_masked_in_event_loops(self, monkeypatch: pytest.MonkeyPatch) -> None:
        masked: list[str] = []

        async def remember(secret: str) -> None:
            masked.append(secret)

        extra = {"region": "cn-north-4", "auth_type": "token", "iam_token": IAM_TOKEN}
        give_out(monkeypatch, connection_of(extra, login=None, password=None))
        monkeypatch.setattr(base, "amask_secret", remember)
        asyncio.run(ModelArtsHook(CONN_ID).aclient())
        assert masked == [IAM_TOKEN]

    def test_airflow_hides_them_in_logs_then(self, monkeypatch: pytest.MonkeyPatch) -> None:
        connection = connection_of({**EVERYTHING_SECRET, "security_token": f" {SECURITY_TOKEN}-here "})
        give_out(monkeypatch, connection)
        ModelArtsHook(CONN_ID).get_conn()
        shown = str(redact(f"{ACCESS_KEY} {SECRET_KEY} {SECURITY_TOKEN}-here"))
        assert_no_secret(shown, SECRETS)
