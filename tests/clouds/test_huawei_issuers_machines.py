"""Keys of the agency of a server or a pod: sessions, what goes wrong with them, and where a pod asks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_mlworkflows.clouds.http import WireReply
from airflow_provider_mlworkflows.clouds.huawei.credentials import AccessKey
from airflow_provider_mlworkflows.clouds.huawei.machines import PodKeys, ServerKeys
from airflow_provider_mlworkflows.clouds.issued import NEIGHBOUR, Issued
from airflow_provider_mlworkflows.exceptions import (
    ApiError,
    AuthenticationError,
    ConfigurationError,
    MLWorkflowsError,
    ServerError,
    TransportError,
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
    key_reply,
    lines,
    network,
    own_headers,
    sts_reply,
)
from tests.clouds.support import NOON, FakeClock, ScriptedNetwork, json_reply
from tests.support import assert_no_secret

METADATA = "http://169.254.169.254"
TOKEN, POD_TOKEN = "mdDistinctiveSession0001", "podDistinctiveToken0001"
KEY = AccessKey(KEY_ID, SECRET, SESSION)
OPEN, KEYS = f"PUT {METADATA}/meta-data/latest/api/token", f"GET {METADATA}/openstack/latest/securitykey"
NO_AGENCY = "Please configure Cloud Service Agency first"


@pytest.fixture(params=[True, False], ids=["blocking", "async"])
def office(request: pytest.FixtureRequest, clock: FakeClock) -> Office:
    return Office(clock, request.param)


def session_reply(token: str = TOKEN) -> WireReply:
    return WireReply(200, {}, token.encode())


def text_reply(status: int, text: str = "no") -> WireReply:
    return WireReply(status, {"content-type": "text/html"}, text.encode())


def server(wire: ScriptedNetwork, **fields: Any) -> ServerKeys:
    return ServerKeys(connectivity=wire, **fields)


def sent_lines(wire: ScriptedNetwork) -> list[str]:
    return list(map(lines, wire.sent))


def sessions_sent(wire: ScriptedNetwork) -> list[str | None]:
    return [sent.headers.get("X-Metadata-Token") for sent in wire.sent if sent.method == "GET"]


class TestServer:
    def test_a_key_is_given_out_in_a_session(self, office: Office) -> None:
        wire = network(session_reply(f"{TOKEN}\n"), key_reply(200))
        issued = office.issue(server(wire))
        assert sent_lines(wire) == [OPEN, KEYS]
        assert [own_headers(sent) for sent in wire.sent] == [
            {"X-Metadata-Token-Ttl-Seconds": "21600"},
            {"X-Metadata-Token": TOKEN},
        ]
        assert [sent.content for sent in wire.sent] == [b"", b""]
        assert issued == Issued(KEY, NOON, ENDS_AT)

    def test_the_names_of_sts_are_understood(self, office: Office) -> None:
        assert office.issue(server(network(session_reply(), sts_reply()))).credentials == KEY

    @pytest.mark.parametrize("status", [400, 404, 405, 503])
    @pytest.mark.parametrize("text", ["", "no", '{"error": {"code": 0, "message": "no"}}'])
    def test_a_service_without_sessions_is_asked_without_one(self, office: Office, status: int, text: str) -> None:
        wire = network(text_reply(status, text), key_reply(200))
        assert office.issue(server(wire)).credentials == KEY
        assert sent_lines(wire) == [OPEN, KEYS]
        assert sessions_sent(wire) == [None]

    @pytest.mark.parametrize("status", [401, 403, 500])
    def test_any_other_answer_is_an_error(self, office: Office, status: int) -> None:
        wire = network(text_reply(status))
        with pytest.raises(ApiError, match=f"CreateMetadataToken: HTTP {status}"):
            office.issue(server(wire))
        assert len(wire.sent) == 1

    @pytest.mark.parametrize(
        "refusal", [text_reply(401, "bad token"), json_reply({"error": {"code": 401}}, status=401)]
    )
    def test_a_session_that_has_ended_is_opened_anew_once(self, office: Office, refusal: WireReply) -> None:
        wire = network(session_reply(), refusal, session_reply("second"), key_reply(200))
        assert office.issue(server(wire)).credentials == KEY
        assert sent_lines(wire) == [OPEN, KEYS, OPEN, KEYS]
        assert sessions_sent(wire) == [TOKEN, "second"]
        wire = network(session_reply(), refusal, session_reply(), refusal)
        with pytest.raises(ApiError, match="HTTP 401"):
            office.issue(server(wire))
        assert len(wire.sent) == 4

    @pytest.mark.parametrize(
        "refusal",
        [text_reply(401, NO_AGENCY), json_reply({"error": {"code": 401, "message": NO_AGENCY}}, status=401)],
    )
    def test_a_server_without_an_agency_is_not_asked_again(self, office: Office, refusal: WireReply) -> None:
        wire = network(session_reply(), refusal)
        with pytest.raises(AuthenticationError, match=NO_AGENCY + ".*Give the server"):
            office.issue(server(wire))
        assert len(wire.sent) == 2

    def test_nor_is_one_that_refuses_without_a_session(self, office: Office) -> None:
        wire = network(text_reply(404), text_reply(401))
        with pytest.raises(ApiError):
            office.issue(server(wire))
        assert len(wire.sent) == 2

    @pytest.mark.parametrize("token", ["", " ", "<html>a page of\nsomebody else</html>", "\x00\x01", "caf\xe9"])
    def test_what_gives_no_token_is_no_metadata_service(self, office: Office, token: str) -> None:
        wire = network(WireReply(200, {}, token.encode("latin-1")))
        with pytest.raises(ConfigurationError, match="metadata_endpoint") as caught:
            office.issue(server(wire))
        assert not token.strip() or token not in str(caught.value)

    def test_where_nobody_answers(self, office: Office) -> None:
        wire = network(UNREACHABLE)
        with pytest.raises(TransportError, match="The metadata service did not answer"):
            office.issue(server(wire))
        assert len(wire.sent) == 1

    def test_the_key_is_asked_for_again_where_that_may_help(self, office: Office) -> None:
        wire = network(session_reply(), text_reply(500), key_reply(200))
        assert office.issue(server(wire)).credentials == KEY
        with pytest.raises(ServerError):
            office.issue(server(network(session_reply(), text_reply(500)), attempts=1))

    def test_another_address(self, office: Office) -> None:
        wire = network(session_reply(), key_reply(200))
        office.issue(server(wire, endpoint="http://127.0.0.1:8480"))
        assert {line.split("/")[2] for line in sent_lines(wire)} == {"127.0.0.1:8480"}

    def test_it_is_a_neighbour(self) -> None:
        assert ServerKeys().connectivity is NEIGHBOUR
        assert (NEIGHBOUR.timeout, NEIGHBOUR.direct) == (3.0, True)
        assert PodKeys().connectivity is NEIGHBOUR


@pytest.fixture
def pod(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file with a pod's token; the environment names it."""
    file = tmp_path / "token"
    file.write_text(f"{POD_TOKEN}\n")
    monkeypatch.setenv("HC_CONTAINER_CREDENTIALS_FULL_URI", "http://169.254.170.23/v1/credentials")
    monkeypatch.setenv("HC_CONTAINER_AUTHORIZATION_TOKEN_FILE", str(file))
    return file


class TestPod:
    def test_it_asks_with_the_token_in_its_file(self, office: Office, pod: Path) -> None:
        wire = network(key_reply(200), key_reply(200))
        issued = office.issue(PodKeys(connectivity=wire))
        assert lines(wire.sent[0]) == "POST http://169.254.170.23/v1/credentials"
        assert own_headers(wire.sent[0]) == {"Authorization": POD_TOKEN}
        assert body(wire.sent[0]) == {}
        assert issued == Issued(KEY, NOON, ENDS_AT)
        pod.write_text("rotated")
        office.issue(PodKeys(connectivity=wire))
        assert own_headers(wire.sent[1]) == {"Authorization": "rotated"}

    def test_the_key_may_be_the_whole_answer(self, office: Office, pod: Path) -> None:
        plain = {"access": KEY_ID, "secret": SECRET, "securitytoken": SESSION, "expires_at": ENDS}
        assert office.issue(PodKeys(connectivity=network(json_reply(plain)))).credentials == KEY

    @pytest.mark.parametrize(
        "uri", ["http://[::1]:8080/a%20b/{c}?x=1&y=%2F", "https://agent.example.com", "http://127.0.0.1:1/"]
    )
    def test_addresses_of_any_kind(self, office: Office, pod: Path, monkeypatch: pytest.MonkeyPatch, uri: str) -> None:
        monkeypatch.setenv("HC_CONTAINER_CREDENTIALS_FULL_URI", uri)
        wire = network(key_reply(200))
        office.issue(PodKeys(connectivity=wire))
        assert lines(wire.sent[0]) == f"POST {uri}" + ("/" if uri.endswith(".com") else "")

    @pytest.mark.parametrize(
        "uri", ["agent/credentials", "ftp://agent", "http:///x", "http://u:p@agent/", "http://[::1"]
    )
    def test_what_is_no_address(self, office: Office, pod: Path, monkeypatch: pytest.MonkeyPatch, uri: str) -> None:
        monkeypatch.setenv("HC_CONTAINER_CREDENTIALS_FULL_URI", uri)
        with pytest.raises(ConfigurationError, match="HC_CONTAINER_CREDENTIALS_FULL_URI") as caught:
            office.issue(PodKeys())
        assert uri not in str(caught.value)

    @pytest.mark.parametrize("missing", ["HC_CONTAINER_CREDENTIALS_FULL_URI", "HC_CONTAINER_AUTHORIZATION_TOKEN_FILE"])
    def test_without_the_environment_of_one(
        self, office: Office, pod: Path, monkeypatch: pytest.MonkeyPatch, missing: str
    ) -> None:
        monkeypatch.setenv(missing, " ")
        with pytest.raises(ConfigurationError, match=f"no pod with an identity, for {missing} is not in"):
            office.issue(PodKeys())

    def test_a_token_that_is_not_accepted(self, office: Office, pod: Path) -> None:
        refused = json_reply({"error_code": "X.1", "error_msg": "no"}, status=401)
        with pytest.raises(AuthenticationError, match="service account of the pod"):
            office.issue(PodKeys(connectivity=network(refused)))


class TestSecrets:
    @pytest.mark.parametrize(
        "make",
        [
            lambda wire: PodKeys(connectivity=wire),
            lambda wire: server(_after_session(wire)),
        ],
        ids=["pod", "server"],
    )
    def test_no_error_tells_what_was_sent_or_came(
        self, make: Callable[[ScriptedNetwork], Any], office: Office, pod: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        told = list(errors_of(office, make, POD_TOKEN if make(network()).__class__ is PodKeys else TOKEN))
        assert len(told) == 8
        assert_no_secret(f"{told} {caplog.text}", [TOKEN, POD_TOKEN, *ISSUED])

    def test_a_session_that_cannot_be_read_is_not_quoted(self, office: Office) -> None:
        with pytest.raises(MLWorkflowsError) as caught:
            office.issue(server(network(session_reply(f"{TOKEN} {TOKEN}"))))
        assert_no_secret(f"{caught.value!r}", [TOKEN])


def _after_session(wire: ScriptedNetwork) -> ScriptedNetwork:
    """A network that opens a session each time, and then follows the script of another."""
    script = list(wire.script)
    wire.script.clear()
    for each in script:
        wire.script.extend((session_reply(), each))
    return wire
