"""Each connection that docs/connections.md shows is one: Airflow reads it, and it signs in the way its section says."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints
from urllib.parse import quote

import pytest
from airflow.configuration import conf
from airflow.models.connection import Connection as StoredConnection
from airflow.sdk import Connection
from airflow.sdk.exceptions import AirflowException

from airflow_provider_mlworkflows.clock import Clock
from airflow_provider_mlworkflows.emulator import credentials as published
from airflow_provider_mlworkflows.emulator.alibaba import ram
from airflow_provider_mlworkflows.emulator.huawei import agencies
from airflow_provider_mlworkflows.exceptions import MLWorkflowsError
from airflow_provider_mlworkflows.hooks import base
from airflow_provider_mlworkflows.hooks.base import ConnectionFields
from airflow_provider_mlworkflows.hooks.connection import Address
from airflow_provider_mlworkflows.hooks.modelarts import ModelArtsHook
from tests.connection_snippets import (
    ALIBABA,
    BLOCK,
    CLOUDS,
    HUAWEI,
    OIDC_FILE,
    ROW,
    SECTIONS,
    TEXT,
    Cloud,
    Section,
    Stage,
    added,
    arguments,
    chapter,
    emulator,
    exported,
    meaning,
    run_airflow,
    stage,
)

__all__ = ["emulator", "stage"]

OWN_AGENCY, OTHER_AGENCY = f"{published.DOMAIN_NAME}/mlworkflows", f"{agencies.OTHER_DOMAIN_NAME}/mlworkflows"
SERVER = ("CreateMetadataToken", "ShowSecurityKey")
SIGN_INS: Mapping[tuple[Cloud, str], tuple[tuple[tuple[str, ...], str], ...]] = {
    (HUAWEI, "aksk"): (((), "key of airflow"), (("KeystoneListProjects",), "temporary key of airflow")),
    (HUAWEI, "token"): (((), "token of airflow"),),
    (HUAWEI, "password"): ((("KeystoneCreateUserTokenByPassword",), "token of airflow"),),
    (HUAWEI, "agency"): (
        (("CreateTemporaryAccessKeyByAgency", "KeystoneListProjects"), f"temporary key of {OTHER_AGENCY}"),
        ((*SERVER, "CreateTemporaryAccessKeyByAgency", "KeystoneListProjects"), f"temporary key of {OWN_AGENCY}"),
    ),
    (HUAWEI, "metadata"): (((*SERVER, "KeystoneListProjects"), f"temporary key of {OWN_AGENCY}"),),
    (HUAWEI, "oidc_sts"): ((("AssumeAgencyWithOIDC", "KeystoneListProjects"), f"temporary key of {OWN_AGENCY}"),),
    (HUAWEI, "pod_identity"): ((("CreatePodSecurityKey", "KeystoneListProjects"), f"temporary key of {OWN_AGENCY}"),),
    (HUAWEI, "env"): (((), "key of airflow"),),
    (HUAWEI, "profile"): (((), "key of airflow"),),
    (HUAWEI, "default"): (((*SERVER, "KeystoneListProjects"), f"temporary key of {OWN_AGENCY}"),),
    (ALIBABA, "ak"): (((), "key of airflow"),),
    (ALIBABA, "sts"): (((), "temporary key of airflow"),),
    (ALIBABA, "bearer"): (((), "token of airflow"),),
    (ALIBABA, "ram_role_arn"): ((("AssumeRole",), "role mlworkflows, session airflow"),),
    (ALIBABA, "oidc_role_arn"): ((("AssumeRoleWithOIDC",), "role mlworkflows, session airflow-mlworkflows"),),
    (ALIBABA, "ecs_ram_role"): ((("CreateMetadataToken", "GetRoleCredentials"), "role mlworkflows, session ecs"),),
    (ALIBABA, "credentials_uri"): ((("GetCredentialsFromUri",), "role mlworkflows, session uri"),),
    (ALIBABA, "profile"): ((("AssumeRole",), "role mlworkflows, session airflow"),),
    (ALIBABA, "default"): (
        (("CreateMetadataToken", "ListRoleNames", "GetRoleCredentials"), "role mlworkflows, session ecs"),
    ),
}
"""For each connection of a section: what is asked of issuers and of IAM, in order, and who reads then."""


EACH_SECTION = pytest.mark.parametrize("section", SECTIONS, ids=str)


@pytest.mark.parametrize("cloud", CLOUDS, ids=lambda cloud: cloud.conn_type)
def test_every_way_to_sign_in_has_a_section(cloud: Cloud) -> None:
    assert [each.auth_type for each in SECTIONS if each.cloud is cloud] == list(cloud.auth_types)
    choice = TEXT.partition("\n## ")[0]
    assert [name for name in cloud.auth_types if f"`{name}`" not in choice] == []


@EACH_SECTION
def test_section_says_when_and_what_is_needed(section: Section) -> None:
    assert "\n*When:* " in section.text
    assert "\n*Needs:* " in section.text


@EACH_SECTION
def test_connection_signs_in(section: Section, stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    stage.furnish(section, monkeypatch)
    connections = stage.connections(section)
    main, *others = SIGN_INS[section.cloud, section.auth_type]

    first = {form: connection for form, connection in reversed(connections)}
    assert set(first) == {"UI", "JSON", "URI", "environment"}
    meant = meaning(first["JSON"], section.cloud)
    assert {form: meaning(each, section.cloud) for form, each in first.items()} == dict.fromkeys(first, meant)
    assert (meant[-1]["auth_type"] or section.cloud.default_auth_type) == section.auth_type

    assert {form: stage.sign_in(each, section.cloud) for form, each in first.items()} == dict.fromkeys(first, main)
    further = [each for _, each in connections if not any(each is known for known in first.values())]
    assert [stage.sign_in(each, section.cloud) for each in further] == others


def test_connections_of_other_providers_sign_in(stage: Stage) -> None:
    codes = [code for _, code in BLOCK.findall(chapter("Connections of other providers"))]
    connections = [added(arguments(stage.filled_in(code))) for code in codes]
    assert [each.conn_type for each in connections] == [
        kind for cloud in CLOUDS for kind in cloud.hook.foreign_conn_types
    ]
    huawei, alibaba = connections
    here = replace(HUAWEI, endpoints=("modelarts_endpoint",))
    there = replace(ALIBABA, endpoints=("paiflow_endpoint",), region=published.ALIBABA_REGION)
    assert stage.sign_in(huawei, here) == ((), "key of airflow")
    assert stage.sign_in(alibaba, there) == ((), "key of airflow")


@pytest.mark.parametrize("cloud", CLOUDS, ids=lambda cloud: cloud.conn_type)
def test_no_connection_at_all_signs_in(cloud: Cloud, stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    (code,) = [code for language, code in BLOCK.findall(chapter("No connection at all")) if language == "bash"]
    for name, value in exported(stage.filled_in(code)).items():
        monkeypatch.setenv(name, value)
    extra = {"auth_type": "default", **dict.fromkeys(cloud.endpoints, stage.emulator.url)}
    monkeypatch.setattr(base, "_ENVIRONMENT", ConnectionFields("", extra=extra))
    cloud.look(cloud.hook(None, region=published.REGION, clock=Clock()))
    *before, look = stage.emulator.journal.entries
    assert [entry.operation for entry in before] == (["KeystoneListProjects"] if cloud is HUAWEI else [])
    assert stage.caller(look.principal) == "key of airflow"


def test_connections_can_be_tested_as_described(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    setting, command = (code for _, code in BLOCK.findall(chapter("Test a connection")))
    given = arguments(command)
    extra = {"region": published.REGION, **dict.fromkeys(HUAWEI.endpoints, stage.emulator.url)}
    connection = {"conn_type": HUAWEI.conn_type, "login": published.ACCESS_KEY, "password": published.SECRET_KEY}
    monkeypatch.setenv(f"AIRFLOW_CONN_{given[2].upper()}", json.dumps({**connection, "extra": extra}))
    with pytest.raises(SystemExit):
        run_airflow(given)
    for name, value in exported(setting).items():
        monkeypatch.setenv(name, value)
    assert conf.get("core", "test_connection") == "Enabled"
    run_airflow(given)
    assert [entry.operation for entry in stage.emulator.journal.entries] == ["KeystoneListProjects", "ListWorkflows"]


def type_of(annotation: object) -> str:
    """What a table of extras calls a type of Python."""
    if get_origin(annotation) is Literal:
        return "choice"
    names = {str: "text", int: "whole number", float: "number", bool: "truth value"}
    if isinstance(annotation, type):
        return names[annotation]
    parts = [each for each in get_args(annotation) if each is not NoneType]
    if get_origin(annotation) is Annotated:
        return "address" if annotation == Address else type_of(parts[0])
    return " or ".join("address" if each == Address else type_of(each) for each in parts)


@pytest.mark.parametrize("cloud", CLOUDS, ids=lambda cloud: cloud.conn_type)
def test_table_of_extras_is_what_a_connection_may_hold(cloud: Cloud) -> None:
    _, *rows = (
        row.split(" | ") for row in ROW.findall(chapter(f"Extras on {cloud.title}", level=3).replace("| |", "|  |"))
    )
    shown = {name.strip("`"): (kind, default) for name, kind, default, _ in rows}
    hints = get_type_hints(cloud.extra, include_extras=True)
    assert set(shown) == set(cloud.extra.model_fields)
    for name, declared in cloud.extra.model_fields.items():
        kind, default = shown[name]
        assert (name, kind) == (name, type_of(hints[name]))
        literal = json.dumps(declared.default).strip('"')
        if declared.default is None:
            assert default.strip("`") != "null"
        else:
            assert (name, default) == (name, f"`{literal}`")


def test_variables_are_ones_that_are_read() -> None:
    package = Path(base.__file__).parents[1] / "clouds"
    sources = "".join(path.read_text(encoding="utf-8") for path in package.rglob("*.py"))
    named = set(re.findall(r"\b(?:HUAWEICLOUD|HC|ALIBABA_CLOUD)_[A-Z_]+[A-Z]\b", TEXT))
    assert len(named) > 15
    spelled = re.compile(r"HUAWEICLOUD_SDK_|ALIBABA_CLOUD_")  # put before the rest when it is read
    assert {name for name in named if name not in sources and f'"{spelled.sub("", name)}"' not in sources} == set()


HERE = {"region": published.REGION}
KEY = {"login": published.ACCESS_KEY, "password": published.SECRET_KEY}
OIDC = {"provider_urn": agencies.PROVIDER_URN, "agency_urn": f"iam::{published.DOMAIN_NAME}:agency:mlworkflows"}
RRSA = {"role_arn": ram.ROLE_ARN, "oidc_provider_arn": ram.PROVIDER_ARN}
NOWHERE = "http://127.0.0.1:1"
GONE = "/nonexistent/token"
MISTAKES: Mapping[str, tuple[Cloud, dict[str, Any], dict[str, Any]]] = {
    "is of type … needs one of type": (ALIBABA, KEY, HERE),
    "is not a field of this connection type": (HUAWEI, KEY, {"regoin": "cn-north-4"}),
    "which does not use it": (HUAWEI, KEY, {**HERE, "agency_name": "mlworkflows"}),
    "has no use for": (ALIBABA, KEY, {**HERE, "auth_type": "ak", "role_arn": ram.ROLE_ARN}),
    "lacks an access key": (HUAWEI, {}, HERE),
    "has a host, which is not used": (HUAWEI, {**KEY, "host": "example.com"}, HERE),
    "has no region": (HUAWEI, KEY, {}),
    "could not be looked up": (HUAWEI, KEY, {"region": "cn-nowhere-1"}),
    "cannot be read: No such file": (HUAWEI, {}, {**HERE, **OIDC, "auth_type": "oidc_sts", "token_file": GONE}),
    "No credentials were found. Looked for": (
        HUAWEI,
        {},
        {**HERE, "auth_type": "default", "metadata_endpoint": NOWHERE},
    ),
    "There are no Alibaba Cloud credentials in the environment": (
        ALIBABA,
        {},
        {**HERE, "auth_type": "default", "metadata_endpoint": NOWHERE},
    ),
    "the agency trusts the account": (HUAWEI, KEY, {**HERE, "auth_type": "agency", "agency_name": "another"}),
    "that the agency trusts this identity provider": (
        HUAWEI,
        {},
        {**HERE, **OIDC, "auth_type": "oidc_sts", "token_file": "TOKEN_OF_ANOTHER"},
    ),
    "Please configure Cloud Service Agency first": (HUAWEI, {}, {**HERE, "auth_type": "metadata"}),
    "too many wrong passwords lock a user out": (
        HUAWEI,
        {"login": published.USER_NAME, "password": "wrong"},
        {**HERE, "auth_type": "password", "domain_name": published.DOMAIN_NAME},
    ),
    "There is no such role in this account": (
        ALIBABA,
        KEY,
        {**HERE, "auth_type": "ram_role_arn", "role_arn": f"{ram.ROLE_ARN}-2"},
    ),
    "The OIDC token is not accepted": (
        ALIBABA,
        {},
        {**HERE, **RRSA, "auth_type": "oidc_role_arn", "oidc_token_file": "TOKEN_OF_ANOTHER"},
    ),
    "Check that this machine has a RAM role": (ALIBABA, {}, {**HERE, "auth_type": "ecs_ram_role"}),
    "The access key does not exist": (HUAWEI, {**KEY, "login": "MLWFEMULATOR00000002"}, HERE),
    "The secret key does not fit the access key": (ALIBABA, {**KEY, "password": "wrong"}, HERE),
    "The clock of this machine is more than 15 minutes off": (HUAWEI, KEY, HERE),
    "The token of the connection has expired": (HUAWEI, {}, {**HERE, "auth_type": "token", "iam_token": "ENDED"}),
}
"""By the row of the table: a connection whose use is answered with this message."""
BY_NAME = "There is no Airflow connection"


def message_rows() -> list[str]:
    return [
        row.split(" | ")[0].strip("`") for row in ROW.findall(chapter("What goes wrong, and what the messages mean"))
    ][1:]


def test_each_message_of_the_table_is_played() -> None:
    assert set(message_rows()) == {BY_NAME, *MISTAKES}


@pytest.mark.parametrize("words", MISTAKES)
def test_message_comes_when_the_table_says(words: str, stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    cloud, fields, given = MISTAKES[words]
    emulator = stage.emulator
    monkeypatch.setattr(emulator.agencies, "of_server", None)
    monkeypatch.setattr(emulator.ram, "ecs_role", None)
    monkeypatch.setattr(emulator.credentials.users[published.USER_NAME], "denied", {"iam:agencies:assume"})
    if "clock" in words:
        monkeypatch.setattr(emulator, "auth_now", datetime.now(UTC) + timedelta(hours=1))
    stands_for = {
        "TOKEN_OF_ANOTHER": str(stage.put(OIDC_FILE, "a.token.of.another")),
        "ENDED": emulator.credentials.add_token(lifetime=timedelta(0)).text,
    }
    extra = dict.fromkeys(cloud.endpoints if "region" in given else (), emulator.url)
    extra |= {name: stands_for.get(value, value) for name, value in given.items()}
    conn_type = HUAWEI.conn_type if "is of type" in words else cloud.conn_type
    connection = Connection(conn_id="c", conn_type=conn_type, extra=json.dumps(extra), **fields)
    monkeypatch.setattr(cloud.hook, "get_connection", lambda hook, conn_id: connection)
    with pytest.raises(MLWorkflowsError, match=".*".join(map(re.escape, words.split(" … ")))):
        cloud.look(cloud.hook("c", clock=Clock(), attempts=1))


def test_message_about_a_connection_that_is_not_there(airflow_db: None) -> None:
    with pytest.raises(MLWorkflowsError, match=BY_NAME):
        ModelArtsHook("mistyped").get_conn()


def test_what_airflow_makes_of_uris_is_as_described() -> None:
    told = " ".join(chapter("Four ways to write a connection").split())
    assert "refuses a URI with a key whose query has an address" in told
    with pytest.raises(AirflowException, match="Invalid connection string"):
        Connection.from_uri("alibaba-mlworkflows://a:b@/?sts_endpoint=https://sts.example.com", "c")

    assert "`policy`" in told
    policy = quote('{"Version": "1"}', safe="")
    stored = StoredConnection(conn_id="c", uri=f"alibaba-mlworkflows:///?policy={policy}")
    given = json.loads(stored.extra or "")
    assert given == {"policy": {"Version": "1"}}
    assert ALIBABA.extra.model_validate(given).model_dump()["policy"] == '{"Version": "1"}'
