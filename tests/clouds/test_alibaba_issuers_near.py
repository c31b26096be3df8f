"""Keys from this machine's surroundings: metadata, a URI, profile files, and whatever there is of them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_mlworkflows.clouds.alibaba.credentials import AccessKey
from airflow_provider_mlworkflows.clouds.alibaba.environment import Environment
from airflow_provider_mlworkflows.clouds.alibaba.issuing import Ways
from airflow_provider_mlworkflows.clouds.alibaba.metadata import CredentialsUri, EcsRole
from airflow_provider_mlworkflows.clouds.alibaba.profiles import Profile
from airflow_provider_mlworkflows.clouds.http import Connectivity, WireReply
from airflow_provider_mlworkflows.clouds.issued import NEIGHBOUR, renewable
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
    METADATA_TOKEN,
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
from tests.clouds.issuing import Office
from tests.clouds.support import FakeClock, json_reply
from tests.support import assert_no_secret

ISSUED = AccessKey(NEW_KEY, NEW_SECRET, NEW_TOKEN)
UNREACHABLE = TransportError("the request could not be sent", may_have_taken_effect=False)
LOST = TransportError("the request was sent, but no complete answer came back")
TOKEN, NAME = text_reply(METADATA_TOKEN + "\n"), text_reply("ml-role")
PRESENT = json_reply({**KEY_FIELDS, "LastUpdated": "2026-01-15T07:00:00Z", "Code": "Success"})
ROLE_FINE = json_reply(ROLE_ANSWER)
NO_SUCH_PAGE = text_reply("<html>404</html>", 404)
TOKEN_PATH, ROLES_PATH = "PUT /latest/api/token", "GET /latest/meta-data/ram/security-credentials/"
ROLE_ARN = "acs:ram::1483920175630284:role/ml"
WAYS = Ways("https://sts.example.com", "http://metadata.example.com", Connectivity(timeout=3.0, verify=False))


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home directory, and an environment that says nothing."""
    for name in [name for name in os.environ if name.startswith("ALIBABA_CLOUD_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


Write = Callable[[str, str], str]


@pytest.fixture
def write(home: Path) -> Write:
    def written(path: str, text: str) -> str:
        file = home / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return str(file)

    return written


Variables = Callable[..., None]


@pytest.fixture
def variables(monkeypatch: pytest.MonkeyPatch) -> Variables:
    def set_them(**values: str) -> None:
        for name, value in values.items():
            monkeypatch.setenv(f"ALIBABA_CLOUD_{name}", value)

    return set_them


class TestEcsRole:
    def test_asks_with_a_token_for_the_role_that_there_is(self) -> None:
        desk = counter(TOKEN, NAME, PRESENT)
        issued = desk.issue(EcsRole())
        assert (issued.credentials, issued.ends_at) == (ISSUED, ENDS_AT)
        assert desk.asked() == [TOKEN_PATH, ROLES_PATH, ROLES_PATH + "ml-role"]
        assert desk.sent[0].url == "http://100.100.100.200/latest/api/token"
        assert desk.sent[0].headers["X-aliyun-ecs-metadata-token-ttl-seconds"] == "300"
        assert [sent.headers.get("X-aliyun-ecs-metadata-token") for sent in desk.sent] == [
            None, METADATA_TOKEN, METADATA_TOKEN,
        ]  # fmt: skip
        assert desk.ways == [NEIGHBOUR] * 3
        assert NEIGHBOUR.direct
        assert NEIGHBOUR.timeout == 3.0

    def test_a_role_that_is_named_is_not_asked_for(self, variables: Variables) -> None:
        desk = counter(TOKEN, PRESENT, TOKEN, PRESENT)
        desk.issue(EcsRole("own", endpoint="http://127.0.0.1:99"))
        assert desk.sent[-1].url == "http://127.0.0.1:99/latest/meta-data/ram/security-credentials/own"
        variables(ECS_METADATA="told")
        desk.issue(EcsRole())
        assert desk.asked()[-1] == ROLES_PATH + "told"

    @pytest.mark.parametrize("refused", [NO_SUCH_PAGE, text_reply("no", 403), text_reply("<html> a page")])
    def test_without_tokens_it_asks_without(self, refused: WireReply) -> None:
        desk = counter(refused, NAME, PRESENT)
        assert desk.issue(EcsRole()).credentials == ISSUED
        assert all("X-aliyun-ecs-metadata-token" not in sent.headers for sent in desk.sent)

    def test_a_token_that_is_lost_on_its_way_is_done_without(self) -> None:
        desk = counter(LOST, LOST, NAME, PRESENT)
        assert desk.issue(EcsRole()).credentials == ISSUED

    @pytest.mark.parametrize("refused", [NO_SUCH_PAGE, text_reply("no", 403), text_reply("<html> a page")])
    @pytest.mark.parametrize("by", ["extra", "environment"])
    def test_unless_that_is_forbidden(self, refused: WireReply, by: str, variables: Variables) -> None:
        desk = counter(refused)
        if by == "environment":
            variables(IMDSV1_DISABLED="true")
        with pytest.raises(MLWorkflowsError, match="CreateMetadataToken"):
            desk.issue(EcsRole(hardened=by == "extra"))
        assert desk.asked() == [TOKEN_PATH]

    def test_where_nobody_is_it_is_not_tried_long(self) -> None:
        desk = counter(UNREACHABLE)
        with pytest.raises(TransportError) as caught:
            desk.issue(EcsRole(attempts=1))
        assert not caught.value.may_have_taken_effect
        assert desk.asked() == [TOKEN_PATH]

    @pytest.mark.parametrize(
        ("script", "kind", "words"),
        [
            ([NO_SUCH_PAGE], ConfigurationError, "refused ListRoleNames: HTTP 404.*Check that this machine has a RAM"),
            ([text_reply("<html>a page</html>")], ConfigurationError, "RAM role cannot be '<html>"),
            ([text_reply("")], ConfigurationError, "RAM role cannot be ''"),
            ([NAME, NO_SUCH_PAGE], ConfigurationError, "refused GetRoleCredentials: HTTP 404"),
            ([NAME, json_reply({"Code": "Failed", "Message": "no role"})], ConfigurationError, "HTTP 200 Failed"),
            ([NAME, text_reply("no", 403)], AuthenticationError, "HTTP 403"),
            ([NAME, json_reply({**KEY_FIELDS, "Expiration": None})], TransportError, "not a point in time"),
            ([NAME, text_reply("x", 500), text_reply("x", 500)], TransportError, "HTTP 500"),
        ],
    )
    def test_says_what_is_wrong(self, script: list[WireReply], kind: type[MLWorkflowsError], words: str) -> None:
        with pytest.raises(MLWorkflowsError, match=words) as caught:
            counter(TOKEN, *script).issue(EcsRole())
        assert type(caught.value) is kind

    @pytest.mark.parametrize(
        "reply",
        [
            json_reply({**KEY_FIELDS, "Code": "Failed", "Message": f"bad token {METADATA_TOKEN}"}),
            json_reply({**KEY_FIELDS, "Code": "Success", "Expiration": "soon"}),
            text_reply(f'{{"AccessKeyId" : "{NEW_KEY}", "SecurityToken" : "{NEW_TOKEN}'),
        ],
    )
    def test_no_error_tells_a_secret(self, reply: WireReply) -> None:
        with pytest.raises(MLWorkflowsError) as caught:
            counter(TOKEN, reply, reply).issue(EcsRole("own"))
        assert_no_secret(f"{caught.value!r} {caught.value.__cause__!r}", SECRETS)


class TestCredentialsUri:
    URI = f"http://127.0.0.1:7002/team/keys?who=airflow&pass={OIDC_TOKEN}"

    def test_asks_there(self) -> None:
        desk = counter(json_reply({"Code": "Success", **KEY_FIELDS}))
        issued = desk.issue(CredentialsUri(self.URI))
        assert (issued.credentials, issued.ends_at) == (ISSUED, ENDS_AT)
        assert desk.sent[0].url == self.URI
        assert desk.sent[0].method == "GET"
        assert desk.ways == [NEIGHBOUR]

    def test_certificates_are_checked_as_the_connection_says(self) -> None:
        desk = counter(PRESENT)
        desk.issue(CredentialsUri("https://keys.example.com/", "/etc/ca.pem"))
        assert desk.ways == [replace(NEIGHBOUR, verify="/etc/ca.pem")]

    def test_falls_back_to_the_environment(self, variables: Variables) -> None:
        with pytest.raises(ConfigurationError, match="Neither credentials_uri nor ALIBABA_CLOUD_CREDENTIALS_URI"):
            counter().issue(CredentialsUri())
        variables(CREDENTIALS_URI="http://localhost:99")
        desk = counter(PRESENT)
        desk.issue(CredentialsUri())
        assert desk.sent[0].url == "http://localhost:99/"

    @pytest.mark.parametrize(
        "uri", ["localhost:99/x", "ftp://x/", f"http://user:{SECRET}@x/", "http://[x", "http://x:0"]
    )
    def test_what_is_no_address_is_not_repeated(self, uri: str) -> None:
        with pytest.raises(ConfigurationError, match="is not an address") as caught:
            counter().issue(CredentialsUri(uri))
        assert_no_secret(f"{caught.value!r} {caught.value.__cause__!r} {CredentialsUri(uri)!r}", SECRETS)

    @pytest.mark.parametrize(
        ("reply", "kind"),
        [
            (json_reply({"Code": "Failed", "Message": f"not for {OIDC_TOKEN}"}), ConfigurationError),
            (text_reply(f"no {OIDC_TOKEN}", 401), AuthenticationError),
            (json_reply({"Code": "Success", "AccessKeyId": NEW_KEY, "AccessKeySecret": NEW_SECRET}), TransportError),
        ],
    )
    def test_says_what_is_wrong_and_no_secret(self, reply: WireReply, kind: type[MLWorkflowsError]) -> None:
        with pytest.raises(kind, match="GetCredentials") as caught:
            counter(reply, reply).issue(CredentialsUri(self.URI))
        assert_no_secret(f"{caught.value!r} {caught.value.__cause__!r}", SECRETS)


INI = f"""
[default]
type = access_key
access_key_id = {KEY}
access_key_secret = {SECRET}

[role]
enable = true
type = ram_role_arn
access_key_id = {KEY}
access_key_secret = {SECRET}
role_arn = {ROLE_ARN}
role_session_name = nightly
policy = {{"Version": "1", "Statement": [{{"Resource": "100%"}}]}}

[pod]
type = oidc_role_arn
role_arn = {ROLE_ARN}
oidc_provider_arn = acs:ram::1:oidc-provider/ack
oidc_token_file_path = ~/token

[machine]
type = ecs_ram_role
role_name = own

[old]
type = rsa_key_pair
public_key_id = x

[off]
enable = FALSE
type = access_key

[half]
type = ram_role_arn
access_key_id = {KEY}
access_key_secret = {SECRET}
"""
PROFILES: list[dict[str, Any]] = [
    {"name": "key", "mode": "AK", "access_key_id": KEY, "access_key_secret": SECRET, "sts_token": ""},
    {
        "name": "temporary", "mode": "StsToken", "access_key_id": KEY, "access_key_secret": SECRET,
        "sts_token": NEW_TOKEN,
    },
    {
        "name": "role", "mode": "RamRoleArn", "access_key_id": KEY, "access_key_secret": SECRET,
        "ram_role_arn": ROLE_ARN, "ram_session_name": "nightly", "expired_seconds": 1800,
    },
    {"name": "machine", "mode": "EcsRamRole", "ram_role_name": "own"},
    {
        "name": "pod", "mode": "OIDC", "ram_role_arn": ROLE_ARN, "oidc_provider_arn": "acs:ram::1:oidc-provider/ack",
        "oidc_token_file": "~/token", "expired_seconds": 0,
    },
    {"name": "person", "mode": "CloudSSO", "access_token": SECRET},
    {"name": "short", "mode": "RamRoleArn", "access_key_id": KEY, "access_key_secret": SECRET,
     "ram_role_arn": ROLE_ARN, "expired_seconds": 60},
    {"name": "half", "mode": "StsToken", "access_key_id": KEY, "access_key_secret": SECRET},
]  # fmt: skip
COMMAND_LINE = json.dumps({"current": "key", "profiles": PROFILES, "meta_path": ""})


class TestProfile:
    @pytest.fixture(params=["ini", "command line"])
    def file(self, request: pytest.FixtureRequest, write: Write) -> str:
        write("token", OIDC_TOKEN)
        return write("own", INI if request.param == "ini" else COMMAND_LINE)

    def test_first_of_all_a_key(self, file: str) -> None:
        assert counter().issue(Profile(file=file)).credentials == AccessKey(KEY, SECRET)

    def test_a_role(self, file: str) -> None:
        desk = counter(ROLE_FINE)
        assert desk.issue(Profile("role", file, WAYS)).credentials == ISSUED
        assert desk.sent[0].url.startswith("https://sts.example.com/?")
        assert desk.query()["RoleSessionName"] == "nightly"
        assert desk.query()["RoleArn"] == ROLE_ARN
        assert (desk.query()["DurationSeconds"], "Policy" in desk.query()) in {("3600", True), ("1800", False)}
        assert f"Credential={KEY}," in desk.sent[0].headers["Authorization"]
        assert desk.ways == [WAYS.connectivity]

    def test_a_pod(self, file: str) -> None:
        desk = counter(ROLE_FINE)
        assert desk.issue(Profile("pod", file, WAYS)).credentials == ISSUED
        assert desk.form()["OIDCToken"] == OIDC_TOKEN
        assert desk.form()["DurationSeconds"] == "3600"

    def test_a_machine(self, file: str) -> None:
        desk = counter(TOKEN, PRESENT)
        assert desk.issue(Profile("machine", file, WAYS)).credentials == ISSUED
        assert desk.sent[1].url == "http://metadata.example.com/latest/meta-data/ram/security-credentials/own"

    def test_a_temporary_key(self, write: Write) -> None:
        key = counter().issue(Profile("temporary", write("own", COMMAND_LINE))).credentials
        assert key == AccessKey(KEY, SECRET, NEW_TOKEN)

    def test_the_environment_names_file_and_profile(self, write: Write, variables: Variables) -> None:
        variables(CREDENTIALS_FILE=write("own", COMMAND_LINE), PROFILE="temporary")
        assert counter().issue(Profile()).credentials.security_token == NEW_TOKEN

    def test_files_of_the_home_directory_are_found(self, write: Write) -> None:
        with pytest.raises(ConfigurationError) as caught:
            counter().issue(Profile())
        assert "~/.alibabacloud/credentials.ini" in str(caught.value)
        assert "~/.aliyun/config.json" in str(caught.value)
        write(".aliyun/config.json", COMMAND_LINE.replace(KEY, "COMMANDLINE"))
        assert counter().issue(Profile()).credentials.access_key == "COMMANDLINE"
        write(".alibabacloud/credentials.ini", INI)
        assert counter().issue(Profile()).credentials.access_key == KEY

    def test_are_read_anew_each_time(self, write: Write) -> None:
        profile = Profile(file=write("own", INI))
        counter().issue(profile)
        write("own", INI.replace(KEY, "ANOTHER"))
        assert counter().issue(profile).credentials.access_key == "ANOTHER"

    @pytest.mark.parametrize(
        ("text", "name", "words"),
        [
            (
                INI,
                "nobody",
                r"has no profile 'nobody'; it has default, role, pod, .* Set profile or ALIBABA_CLOUD_PROFI",
            ),
            (INI, "old", r"profile 'old', is of type 'rsa_key_pair', which is not supported.*ram_role_arn"),
            (INI, "off", r"'off', but it is not enabled"),
            (INI, "half", r"is of type ram_role_arn, but has no role_arn"),
            (f"[default]\naccess_key_id={KEY}", None, r"is of type 'none'"),
            ("[pod]\ntype=oidc_role_arn\nrole_arn=x\noidc_provider_arn=y", "pod", r"has no oidc_token_file_path"),
            (f"{SECRET} = [", None, r"neither INI nor JSON"),
            (COMMAND_LINE, "person", r"is of type 'CloudSSO', which is not supported"),
            (COMMAND_LINE, "half", r"is of type StsToken, but has no sts_token"),
            (COMMAND_LINE, "short", r"expired_seconds must be a number of seconds, 900 at least"),
            (COMMAND_LINE, "nobody", r"has no profile 'nobody'; it has key, temporary"),
            ('{"profiles": {}}', None, r"has no profile 'default'; it has none"),
            (f'{{"profiles": "{SECRET}', None, r"it is not JSON"),
            ("{" + '"a":{' * 50_000, None, r"it is not JSON"),
        ],
    )
    def test_says_what_is_wrong_and_no_secret(self, write: Write, text: str, name: str | None, words: str) -> None:
        file = write("own", text)
        with pytest.raises(ConfigurationError, match=words) as caught:
            counter().issue(Profile(name, file))
        assert file in str(caught.value)
        assert_no_secret(f"{caught.value!r} {caught.value.__cause__!r}", SECRETS)


def test_a_changed_profile_is_seen_within_ten_minutes(clock: FakeClock, write: Write) -> None:
    source, office = renewable(Profile(file=write("own", INI)), clock), Office(clock)
    assert office.run(source.current()).access_key == KEY
    write("own", INI.replace(KEY, "ANOTHER"))
    clock.now += 600
    assert office.run(source.current()).access_key == "ANOTHER"


class TestEnvironment:
    OIDC: dict[str, str] = {"ROLE_ARN": ROLE_ARN, "OIDC_PROVIDER_ARN": "acs:ram::1:oidc-provider/ack"}  # noqa: RUF012

    def everything(self, write: Write, variables: Variables) -> None:
        """Set up all places where credentials are looked for."""
        variables(ACCESS_KEY_ID="OFENVIRONMENT", ACCESS_KEY_SECRET=SECRET)
        variables(**self.OIDC, OIDC_TOKEN_FILE=write("token", OIDC_TOKEN), CREDENTIALS_URI="http://localhost:99/x")
        write(".aliyun/config.json", COMMAND_LINE.replace(KEY, "OFCOMMANDLINE"))
        write(".alibabacloud/credentials.ini", INI.replace(KEY, "OFINI"))

    def test_the_order_is_the_vendors(
        self, write: Write, variables: Variables, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.everything(write, variables)
        assert counter().issue(Environment()).credentials.access_key == "OFENVIRONMENT"
        monkeypatch.delenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET")
        desk = counter(ROLE_FINE)
        assert desk.issue(Environment(WAYS)).credentials == ISSUED
        assert desk.form()["OIDCToken"] == OIDC_TOKEN
        monkeypatch.delenv("ALIBABA_CLOUD_OIDC_TOKEN_FILE")
        assert counter().issue(Environment()).credentials.access_key == "OFCOMMANDLINE"
        variables(CLI_PROFILE_DISABLED="true")
        assert counter().issue(Environment()).credentials.access_key == "OFINI"
        variables(CREDENTIALS_FILE="/nowhere")
        desk = counter(TOKEN, NAME, PRESENT)
        assert desk.issue(Environment(WAYS)).credentials == ISSUED
        assert desk.sent[0].url.startswith("http://metadata.example.com/")
        variables(ECS_METADATA_DISABLED="true")
        desk = counter(PRESENT)
        assert desk.issue(Environment(WAYS)).credentials == ISSUED
        assert desk.sent[0].url == "http://localhost:99/x"

    def test_where_nothing_is_it_says_where_it_looked(self) -> None:
        desk = counter(UNREACHABLE)
        with pytest.raises(ConfigurationError) as caught:
            desk.issue(Environment())
        message = str(caught.value)
        for words in (
            "(1) access key: ALIBABA_CLOUD_ACCESS_KEY_ID and ALIBABA_CLOUD_ACCESS_KEY_SECRET not set",
            "(2) OIDC token: ALIBABA_CLOUD_ROLE_ARN, ALIBABA_CLOUD_OIDC_PROVIDER_ARN",
            "(3) command line's profile: ",
            "~/.aliyun/config.json",
            "(4) profile: ",
            "~/.alibabacloud/credentials.ini",
            "(5) ECS role: ",
            "(6) credentials URI: ",
        ):
            assert words in message
        assert message.count("There are no") == 1
        assert desk.asked() == [TOKEN_PATH], "one short look for a metadata service"

    @pytest.mark.parametrize(
        ("replies", "kind"),
        [
            ([UNREACHABLE], ConfigurationError),
            ([TOKEN, text_reply("no", 404)], ConfigurationError),
            ([TOKEN, text_reply("no", 503)], TransportError),
            ([LOST, LOST], TransportError),
        ],
    )
    def test_only_who_fails_just_now_may_have_some_later(
        self, replies: list[Any], kind: type[MLWorkflowsError]
    ) -> None:
        desk = counter(*replies)
        with pytest.raises(kind, match=r"^There are no Alibaba Cloud credentials in the environment") as caught:
            desk.issue(Environment())
        assert not desk.script
        assert not getattr(caught.value, "may_have_taken_effect", False)

    def test_what_is_switched_off_is_said_and_not_asked(self, variables: Variables) -> None:
        variables(ECS_METADATA_DISABLED="true", CLI_PROFILE_DISABLED="true")
        desk = counter()
        with pytest.raises(ConfigurationError) as caught:
            desk.issue(Environment())
        assert "ALIBABA_CLOUD_ECS_METADATA_DISABLED is true" in str(caught.value)
        assert "ALIBABA_CLOUD_CLI_PROFILE_DISABLED is true" in str(caught.value)

    def test_what_worked_is_asked_alone(self, write: Write, variables: Variables) -> None:
        environment = Environment(WAYS)
        desk = counter(TOKEN, NAME, PRESENT, TOKEN, NAME, PRESENT)
        desk.issue(environment)
        variables(ACCESS_KEY_ID=KEY, ACCESS_KEY_SECRET=SECRET)
        assert desk.issue(environment).credentials == ISSUED
        assert len(desk.sent) == 6

    def test_what_worked_and_is_gone_is_looked_for_elsewhere(
        self, variables: Variables, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        environment = Environment(WAYS)
        variables(ACCESS_KEY_ID=KEY, ACCESS_KEY_SECRET=SECRET)
        assert counter().issue(environment).credentials == AccessKey(KEY, SECRET)
        monkeypatch.delenv("ALIBABA_CLOUD_ACCESS_KEY_ID")
        assert counter(TOKEN, NAME, PRESENT).issue(environment).credentials == ISSUED

    def test_what_worked_and_does_not_answer_is_not_replaced(self, variables: Variables) -> None:
        environment = Environment(WAYS)
        counter(TOKEN, NAME, PRESENT).issue(environment)
        variables(ACCESS_KEY_ID=KEY, ACCESS_KEY_SECRET=SECRET)
        with pytest.raises(TransportError):
            counter(UNREACHABLE).issue(environment)

    @pytest.mark.parametrize(
        ("replies", "kind"),
        [
            ([refusal("AuthenticationFail.OIDCToken.Expired", 400)], AuthenticationError),
            ([refusal("EntityNotExist.Role", 404)], ConfigurationError),
            ([refusal("InvalidParameter.RoleSessionName", 400)], ConfigurationError),
            ([LOST, LOST, LOST], TransportError),
        ],
    )
    def test_nobody_elses_credentials_take_the_place_of_what_is_broken(
        self, write: Write, variables: Variables, replies: list[Any], kind: type[MLWorkflowsError]
    ) -> None:
        variables(**self.OIDC, OIDC_TOKEN_FILE=write("token", OIDC_TOKEN))
        desk = counter(*replies)
        with pytest.raises(kind):
            desk.issue(Environment(WAYS))
        assert {request.partition(" ")[0] for request in desk.asked()} == {"POST"}

    def test_nor_of_what_a_profile_names(self, write: Write) -> None:
        write(".aliyun/config.json", COMMAND_LINE.replace('"current": "key"', '"current": "role"'))
        desk = counter(refusal("EntityNotExist.Role", 404))
        with pytest.raises(ConfigurationError, match="There is no such role"):
            desk.issue(Environment(WAYS))
        assert desk.asked() == ["POST /"]

    def test_nor_of_a_token_that_is_not_mounted(self, variables: Variables) -> None:
        variables(**self.OIDC, OIDC_TOKEN_FILE="/nowhere/token")
        desk = counter(TOKEN, NAME, PRESENT)
        with pytest.raises(ConfigurationError, match=r"^The OIDC token file '/nowhere/token' cannot be read"):
            desk.issue(Environment(WAYS))
        assert not desk.sent

    def test_nor_of_a_role_that_the_machine_had(self) -> None:
        environment = Environment(WAYS)
        counter(TOKEN, NAME, PRESENT).issue(environment)
        desk = counter(TOKEN, text_reply("no", 404))
        with pytest.raises(ConfigurationError, match="Check that this machine has a RAM role"):
            desk.issue(environment)
        assert not desk.script

    def test_the_security_token_belongs_to_the_key(self, variables: Variables) -> None:
        variables(ACCESS_KEY_ID=KEY, ACCESS_KEY_SECRET=SECRET, SECURITY_TOKEN=NEW_TOKEN)
        assert counter().issue(Environment()).credentials == AccessKey(KEY, SECRET, NEW_TOKEN)

    def test_equal_ones_share_what_they_found(self, clock: FakeClock, variables: Variables) -> None:
        variables(ACCESS_KEY_ID=KEY, ACCESS_KEY_SECRET=SECRET)
        one, other = Environment(WAYS), Environment(WAYS)
        counter().issue(one)
        assert renewable(one, clock) is renewable(other, clock)
        assert_no_secret(repr(one), SECRETS)
