"""Credentials in the environment and in files, and the order in which all kinds are looked for."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_mlworkflows.clouds.http import Connectivity, WireReply, WireRequest
from airflow_provider_mlworkflows.clouds.huawei import surroundings
from airflow_provider_mlworkflows.clouds.huawei.credentials import AccessKey, HuaweiAccount, IamToken
from airflow_provider_mlworkflows.clouds.huawei.machines import PodKeys, ServerKeys
from airflow_provider_mlworkflows.clouds.huawei.surroundings import ChainKeys, EnvironmentKeys, ProfileKeys
from airflow_provider_mlworkflows.clouds.issued import Issued, renewable
from airflow_provider_mlworkflows.exceptions import (
    AuthenticationError,
    ConfigurationError,
    MLWorkflowsError,
    TransportError,
)
from tests.clouds.issuing import (
    ENDS_AT,
    KEY_ID,
    SECRET,
    SESSION,
    UNREACHABLE,
    Office,
    OwnNetwork,
    body,
    iam_refusal,
    key_reply,
    lines,
    network,
    sts_reply,
)
from tests.clouds.support import NOON, FakeClock, json_reply
from tests.support import assert_no_secret

IAM, STS = "https://iam.example.com", "https://sts.example.com"
PROJECT, OTHER_PROJECT = "0123456789abcdef0123456789abcdef", "f" * 32
AK, SK, TOKEN, ID_TOKEN = "AKDISTINCTIVE0001", "sk%Distinctive=0001", "stDistinctive0001", "jwtDistinctive0001"
SECRETS = (AK, SK, TOKEN, ID_TOKEN)
ISSUED_KEY = AccessKey(KEY_ID, SECRET, SESSION)


@pytest.fixture(params=[True, False], ids=["blocking", "async"])
def office(request: pytest.FixtureRequest, clock: FakeClock) -> Office:
    return Office(clock, request.param)


@pytest.fixture(autouse=True)
def nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An environment without any credentials."""
    for name in os.environ:
        if name.startswith(("HUAWEICLOUD_", "HC_CONTAINER_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


def set_keys(monkeypatch: pytest.MonkeyPatch, **more: str) -> None:
    for name, value in {"AK": AK, "SK": SK, **more}.items():
        monkeypatch.setenv(f"HUAWEICLOUD_SDK_{name}", value)


class TestEnvironment:
    def test_a_key_is_good_as_long_as_it_is_there(self, office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
        set_keys(monkeypatch, AK=f" {AK}\n")
        assert office.issue(EnvironmentKeys()) == Issued(AccessKey(AK, SK), NOON, math.inf)
        set_keys(monkeypatch, SECURITY_TOKEN=TOKEN, PROJECT_ID=PROJECT)
        assert office.issue(EnvironmentKeys()).credentials == AccessKey(AK, SK, TOKEN, PROJECT)

    @pytest.mark.parametrize("missing", ["AK", "SK"])
    def test_half_a_key_is_none(self, office: Office, monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
        set_keys(monkeypatch, **{missing: " "})
        with pytest.raises(ConfigurationError, match=f"for HUAWEICLOUD_SDK_{missing} is not set"):
            office.issue(EnvironmentKeys())

    def test_a_project_must_be_an_id(self, office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
        set_keys(monkeypatch, PROJECT_ID="cn-north-4")
        with pytest.raises(ConfigurationError, match=r"HUAWEICLOUD_SDK_PROJECT_ID .*32 hexadecimal"):
            office.issue(EnvironmentKeys())

    def test_its_project_is_not_looked_up(self, office: Office, clock: FakeClock, monkeypatch: Any) -> None:
        set_keys(monkeypatch, PROJECT_ID=PROJECT)
        source = renewable(EnvironmentKeys(), clock)
        account = HuaweiAccount(source, region="cn-north-4", project_id=None, iam_endpoint=IAM, clock=clock)
        assert office.run(account.identity(), network()).path_params == {"project_id": PROJECT}

    def test_unless_the_connection_names_one(self, office: Office, clock: FakeClock, monkeypatch: Any) -> None:
        set_keys(monkeypatch, PROJECT_ID=PROJECT)
        source = renewable(EnvironmentKeys(), clock)
        account = HuaweiAccount(source, region="", project_id=OTHER_PROJECT, iam_endpoint=IAM, clock=clock)
        assert office.run(account.identity(), network()).path_params == {"project_id": OTHER_PROJECT}

    def test_a_key_that_is_refused_is_not_used_again(
        self, office: Office, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        set_keys(monkeypatch)
        source = renewable(EnvironmentKeys(), clock)
        key = office.run(source.current())
        clock.now += 100
        assert office.run(source.another(key)) is None
        set_keys(monkeypatch, SK="changed")
        clock.now += 100
        assert office.run(source.another(key)) == AccessKey(AK, "changed")


def profile(tmp_path: Path, text: str, **fields: Any) -> ProfileKeys:
    file = tmp_path / "credentials"
    file.write_text(text)
    return replace(ProfileKeys(str(file), IAM, "cn-north-4"), **fields)


BASIC = f"[global]\nak = other\n\n[basic]\nak = {AK}\nsk={SK}\n"


class TestProfile:
    def test_a_key(self, office: Office, tmp_path: Path) -> None:
        assert office.issue(profile(tmp_path, BASIC)) == Issued(AccessKey(AK, SK), NOON, NOON + 600)
        text = f"{BASIC}security_token = {TOKEN}\nproject_id = {PROJECT}\niam_endpoint = https://x\n"
        assert office.issue(profile(tmp_path, text)).credentials == AccessKey(AK, SK, TOKEN, PROJECT)

    def test_where_it_is(self, office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        home = tmp_path / "home" / ".huaweicloud"
        home.mkdir(parents=True)
        issuer = ProfileKeys(None, IAM, "")
        (home / "credentials").write_text("[basic]\nak = at-home\nsk = x\n")
        assert office.issue(issuer).credentials.access_key == "at-home"
        (tmp_path / "elsewhere").write_text("[basic]\nak = named\nsk = x\n")
        monkeypatch.setenv("HUAWEICLOUD_SDK_CREDENTIALS_FILE", str(tmp_path / "elsewhere"))
        assert office.issue(issuer).credentials.access_key == "named"
        profile(tmp_path, "[basic]\nak = given\nsk = x\n")
        assert office.issue(replace(issuer, file=str(tmp_path / "credentials"))).credentials.access_key == "given"

    def test_a_change_is_seen_within_ten_minutes(self, office: Office, clock: FakeClock, tmp_path: Path) -> None:
        source = renewable(profile(tmp_path, BASIC), clock)
        assert office.run(source.current()).access_key == AK
        profile(tmp_path, BASIC.replace(AK, "another"))
        clock.now += 600
        assert office.run(source.current()).access_key == "another"

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("", "is empty"),
            (f"ak = {AK}\nsk = {SK}\n", "INI file"),
            ("[basic]\nskDistinctive0001\n", "INI file"),
            (f"[basic\nak = {AK}", "INI file"),
            (f"[basic]\nak = {AK}\nak = {SK}\n", "INI file"),
            (f"[global]\nak = {AK}\nsk = {SK}\n", r"no section \[basic\]"),
            (f"[basic]\nak = {AK}\n", "neither ak and sk nor idp_id"),
            (f"[basic]\nak =\nsk = {SK}\n", "neither ak and sk nor idp_id"),
            (f"[basic]\nidp_id = x\n[other]\nsk = {SK}", "neither ak and sk nor idp_id"),
            (f"{BASIC}project_id = cn-north-4\n", "project_id .*32 hexadecimal"),
        ],
    )
    def test_what_is_wrong_is_said(self, office: Office, tmp_path: Path, text: str, words: str) -> None:
        with pytest.raises(ConfigurationError, match=words) as caught:
            office.issue(profile(tmp_path, text))
        assert str(tmp_path / "credentials") in str(caught.value)
        assert_no_secret(f"{caught.value!r}", SECRETS)
        assert caught.value.__cause__ is None

    def test_the_token_of_an_identity_provider(self, office: Office, tmp_path: Path) -> None:
        (tmp_path / "jwt").write_text(ID_TOKEN)
        told = {"token": {"expires_at": "2026-01-15T13:00:00.123456Z", "project": {"id": PROJECT}}}
        wire = network(*[json_reply(told, status=201, headers={"X-Subject-Token": TOKEN})] * 3)
        text = f"[basic]\nidp_id = my-idp\nid_token_file = {tmp_path / 'jwt'}\n"
        issued = office.issue(profile(tmp_path, text, connectivity=wire))
        assert issued == Issued(IamToken(TOKEN, PROJECT), NOON, ENDS_AT)
        own = f"{text}iam_endpoint = https://own.example.com\nproject_id = {PROJECT}\n"
        office.issue(profile(tmp_path, own, connectivity=wire))
        office.issue(profile(tmp_path, own, connectivity=wire, project_id=OTHER_PROJECT))
        asked = [(lines(sent), body(sent)["auth"]["scope"]["project"]) for sent in wire.sent]
        assert asked == [
            (f"POST {IAM}/v3.0/OS-AUTH/id-token/tokens", {"name": "cn-north-4"}),
            ("POST https://own.example.com/v3.0/OS-AUTH/id-token/tokens", {"id": PROJECT}),
            ("POST https://own.example.com/v3.0/OS-AUTH/id-token/tokens", {"id": OTHER_PROJECT}),
        ]
        with pytest.raises(ConfigurationError, match="needs a project_id"):
            office.issue(profile(tmp_path, text, region=""))


class _Machine:
    """A machine that has what a test gives it.

    Attributes:
        wire: How IAM and STS are reached.
        neighbour: How the metadata service and the pod identity agent are reached.
    """

    def __init__(self, patch: pytest.MonkeyPatch, folder: Path) -> None:
        self.patch = patch
        self.folder = folder
        self.wire = network()
        self.neighbour = network()

    def answer(self, *script: WireReply | TransportError, neighbour: bool = False) -> None:
        (self.neighbour if neighbour else self.wire).script.extend(script)

    def chain(self) -> ChainKeys:
        return ChainKeys(IAM, STS, "cn-north-4", connectivity=self.wire)

    def has_oidc(self) -> None:
        (self.folder / "jwt").write_text(ID_TOKEN)
        self.patch.setenv("HUAWEICLOUD_OIDC_PROVIDER_URN", "iam::1:oidcProvider:x")
        self.patch.setenv("HUAWEICLOUD_OIDC_AGENCY_URN", "iam::1:agency:y")
        self.patch.setenv("HUAWEICLOUD_OIDC_TOKEN_FILE", str(self.folder / "jwt"))
        self.answer(sts_reply())

    def has_keys(self) -> None:
        set_keys(self.patch)

    def has_profile(self) -> None:
        (self.folder / "credentials").write_text("[basic]\nak = of-profile\nsk = x\n")
        self.patch.setenv("HUAWEICLOUD_SDK_CREDENTIALS_FILE", str(self.folder / "credentials"))

    def loses_oidc_token(self) -> None:
        (self.folder / "jwt").unlink()

    def has_a_project_of_another_kind(self) -> None:
        self.patch.setenv("HUAWEICLOUD_SDK_PROJECT_ID", "cn-north-4")

    def has_a_profile_cut_short(self) -> None:
        (self.folder / "credentials").write_text("[bas")

    def has_agency(self) -> None:
        self.answer(WireReply(200, {}, b"session"), key_reply(200, access="of-server"), neighbour=True)

    def has_no_metadata(self) -> None:
        self.answer(UNREACHABLE, neighbour=True)

    def is_pod(self) -> None:
        (self.folder / "pod").write_text("pod token")
        self.patch.setenv("HC_CONTAINER_CREDENTIALS_FULL_URI", "http://agent.example.com/keys")
        self.patch.setenv("HC_CONTAINER_AUTHORIZATION_TOKEN_FILE", str(self.folder / "pod"))
        self.answer(key_reply(200, access="of-pod"), neighbour=True)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> _Machine:
    machine = _Machine(monkeypatch, tmp_path)
    for name, kind in (("ServerKeys", ServerKeys), ("PodKeys", PodKeys)):

        def made(*args: Any, kind: Callable[..., Any] = kind, **fields: Any) -> Any:
            return kind(*args, **fields, connectivity=machine.neighbour)

        monkeypatch.setattr(surroundings, name, made)
    return machine


ORDER: tuple[tuple[Callable[[_Machine], None], str], ...] = (
    (_Machine.has_oidc, KEY_ID),
    (_Machine.has_keys, AK),
    (_Machine.has_profile, "of-profile"),
    (_Machine.has_agency, "of-server"),
    (_Machine.is_pod, "of-pod"),
)


class TestChain:
    @pytest.mark.parametrize("first", range(len(ORDER)))
    def test_the_first_that_is_there_is_taken(self, office: Office, machine: _Machine, first: int) -> None:
        if first > 3:
            machine.has_no_metadata()
        for give, _ in ORDER[first:]:
            give(machine)
        assert office.issue(machine.chain()).credentials.access_key == ORDER[first][1]

    def test_of_none_it_is_said_why(self, office: Office, machine: _Machine) -> None:
        machine.has_no_metadata()
        with pytest.raises(ConfigurationError, match="No credentials were found") as caught:
            office.issue(machine.chain())
        for word in (
            "OIDC: ", "HUAWEICLOUD_OIDC_PROVIDER_URN", "environment keys: ", "HUAWEICLOUD_SDK_AK", "profile: ",
            "~/.huaweicloud/credentials", "metadata: ", "did not answer", "pod identity: ", "HC_CONTAINER_",
        ):  # fmt: skip
            assert word in str(caught.value)

    def test_what_is_there_and_fails_is_not_passed_over(self, office: Office, machine: _Machine) -> None:
        machine.has_oidc()
        machine.wire.script.clear()
        machine.answer(iam_refusal(401))
        machine.has_keys()
        with pytest.raises(AuthenticationError, match="STS refused AssumeAgencyWithOIDC"):
            office.issue(machine.chain())

    @pytest.mark.parametrize("found", [False, True], ids=["at first", "later on"])
    @pytest.mark.parametrize(
        ("kind", "broken"),
        [
            (_Machine.has_oidc, _Machine.loses_oidc_token),
            (_Machine.has_keys, _Machine.has_a_project_of_another_kind),
            (_Machine.has_profile, _Machine.has_a_profile_cut_short),
        ],
    )
    def test_what_is_there_and_broken_is_not_passed_over_either(
        self,
        office: Office,
        machine: _Machine,
        kind: Callable[[_Machine], None],
        broken: Callable[[_Machine], None],
        found: bool,
    ) -> None:
        chain = machine.chain()
        kind(machine)
        if found:
            office.issue(chain)
        broken(machine)
        machine.has_agency()
        with pytest.raises(ConfigurationError, match=r"^The "):
            office.issue(chain)
        assert not machine.neighbour.sent

    def test_a_metadata_service_that_fails_is(self, office: Office, machine: _Machine) -> None:
        machine.answer(WireReply(500, {}, b"no"), neighbour=True)
        machine.is_pod()
        assert office.issue(machine.chain()).credentials.access_key == "of-pod"

    @pytest.mark.parametrize(
        ("answer", "kind"),
        [
            (UNREACHABLE, ConfigurationError),
            (WireReply(404, {}, b"<html>"), ConfigurationError),
            (WireReply(401, {}, b"Please configure Cloud Service Agency first"), ConfigurationError),
            (WireReply(500, {}, b"no"), TransportError),
            (WireReply(429, {}, b"no"), TransportError),
            (TransportError("no answer came", may_have_taken_effect=True), TransportError),
        ],
    )
    def test_only_who_fails_just_now_may_have_some_later(
        self, office: Office, machine: _Machine, answer: WireReply | TransportError, kind: type[MLWorkflowsError]
    ) -> None:
        if isinstance(answer, WireReply) and answer.status < 429:
            machine.answer(WireReply(404, {}, b"no sessions"), neighbour=True)
        machine.answer(answer, neighbour=True)
        with pytest.raises(kind, match=r"^No credentials were found") as caught:
            office.issue(machine.chain())
        assert not getattr(caught.value, "may_have_taken_effect", False)

    def test_it_keeps_to_what_it_has_found(self, office: Office, machine: _Machine) -> None:
        machine.has_no_metadata()
        machine.is_pod()
        machine.answer(key_reply(200, access="of-pod-again"), UNREACHABLE, UNREACHABLE, neighbour=True)
        chain = machine.chain()
        office.issue(chain)
        machine.has_oidc()
        assert office.issue(chain).credentials.access_key == "of-pod-again"
        with pytest.raises(TransportError):
            office.issue(chain)
        assert machine.wire.sent == []

    def test_until_that_is_gone(self, office: Office, machine: _Machine, monkeypatch: pytest.MonkeyPatch) -> None:
        machine.has_keys()
        chain = machine.chain()
        assert office.issue(chain).credentials.access_key == AK
        monkeypatch.delenv("HUAWEICLOUD_SDK_AK")
        machine.has_profile()
        assert office.issue(chain).credentials.access_key == "of-profile"

    def test_equal_ones_are_one(self, machine: _Machine, clock: FakeClock) -> None:
        assert renewable(machine.chain(), clock) is renewable(machine.chain(), clock)
        assert machine.chain() != replace(machine.chain(), region="cn-east-3")

    def test_without_a_region_oidc_is_not_usable(self, office: Office, machine: _Machine) -> None:
        machine.has_oidc()
        machine.has_no_metadata()
        with pytest.raises(ConfigurationError, match=r"OIDC, region or sts_endpoint"):
            office.issue(replace(machine.chain(), sts_endpoint="", region=""))

    def test_no_error_and_no_repr_tells_a_secret(self, office: Office, machine: _Machine) -> None:
        machine.has_no_metadata()
        machine.patch.setenv("HUAWEICLOUD_SDK_SK", SK)
        (machine.folder / "credentials").write_text(f"[basic]\nsk = {SK}\n")
        machine.patch.setenv("HUAWEICLOUD_SDK_CREDENTIALS_FILE", str(machine.folder / "credentials"))
        with pytest.raises(ConfigurationError) as caught:
            office.issue(machine.chain())
        assert_no_secret(f"{caught.value!r} {machine.chain()!r}", SECRETS)


def test_a_metadata_service_is_never_behind_a_proxy(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    used: list[Connectivity] = []

    def transmit(way: Connectivity, request: WireRequest) -> WireReply:
        used.append(way)
        return key_reply(200) if request.method == "GET" else WireReply(200, {}, b"session")

    monkeypatch.setattr(Connectivity, "transmit", transmit)
    chain = ChainKeys(IAM, STS, "r-1", connectivity=Connectivity(proxy="http://proxy.example.com:1"))
    assert Office(clock).issue(chain).credentials.access_key == KEY_ID
    assert [(way.proxy, way.direct, way.timeout) for way in used] == [(None, True, 3.0)] * 2


def test_a_network_of_its_own_is_no_other() -> None:
    assert OwnNetwork() != OwnNetwork()
