"""The connections that docs/connections.md shows, as its reader would make them, and the emulator they lead to."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args
from urllib.parse import quote

import pytest
from airflow.models.connection import Connection as StoredConnection
from airflow.sdk import Connection
from airflow.utils.session import create_session
from sqlalchemy import select

from airflow_provider_mlworkflows.clock import Clock
from airflow_provider_mlworkflows.emulator import Emulator
from airflow_provider_mlworkflows.emulator import credentials as published
from airflow_provider_mlworkflows.emulator.alibaba import metadata as alibaba_metadata
from airflow_provider_mlworkflows.emulator.alibaba import ram
from airflow_provider_mlworkflows.emulator.huawei import agencies
from airflow_provider_mlworkflows.emulator.huawei import metadata as huawei_metadata
from airflow_provider_mlworkflows.get_provider_info import get_provider_info
from airflow_provider_mlworkflows.hooks import alibaba_sources, huawei_sources
from airflow_provider_mlworkflows.hooks.base import RunHook
from airflow_provider_mlworkflows.hooks.modelarts import ModelArtsHook
from airflow_provider_mlworkflows.hooks.paiflow import PaiFlowHook

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.hooks.connection import ConnectionExtra

PAGE = Path(__file__).resolve().parents[1] / "docs" / "connections.md"
TEXT = PAGE.read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ROW = re.compile(r"^\| (.*?) \|$", re.MULTILINE)
OIDC_FILE = "/var/run/secrets/tokens/oidc-token"
FOUND_AROUND = re.compile("^(HUAWEICLOUD_|HC_|ALIBABA_CLOUD_|AIRFLOW_CONN_|HTTPS?_PROXY$|ALL_PROXY$)", re.IGNORECASE)
"""Variables that would give credentials or a way around the emulator."""


@dataclass(frozen=True)
class Cloud:
    """A cloud as this page, its connection type and the emulator know it."""

    title: str
    conn_type: str
    hook: type[ModelArtsHook | PaiFlowHook]
    extra: type[ConnectionExtra]
    auth_types: tuple[str, ...]
    default_auth_type: str
    look: Callable[[Any], Any]
    looked: str
    endpoints: tuple[str, ...]
    region: str | None = None


HUAWEI = Cloud(
    "Huawei Cloud",
    "huawei_mlworkflows",
    ModelArtsHook,
    huawei_sources.HuaweiExtra,
    get_args(huawei_sources.AuthType),
    "aksk",
    lambda hook: hook.list_workflows(limit=1),
    "ListWorkflows",
    ("endpoint", "iam_endpoint", "sts_endpoint", "metadata_endpoint"),
)
ALIBABA = Cloud(
    "Alibaba Cloud",
    "alibaba_mlworkflows",
    PaiFlowHook,
    alibaba_sources.AlibabaExtra,
    get_args(alibaba_sources.AuthType),
    "ak",
    lambda hook: hook.list_pipeline_runs(page_size=1),
    "ListPipelineRuns",
    ("endpoint", "sts_endpoint", "metadata_endpoint"),
)
CLOUDS = (HUAWEI, ALIBABA)


@dataclass(frozen=True)
class Section:
    """What the page says about one way to sign in."""

    cloud: Cloud
    auth_type: str
    text: str

    def __str__(self) -> str:
        return f"{self.cloud.conn_type}-{self.auth_type}"

    @property
    def blocks(self) -> list[tuple[str, str]]:
        """Language and content of its snippets."""
        return BLOCK.findall(self.text)


def chapter(title: str, level: int = 2) -> str:
    """The text below a heading, up to the next one of its level or above."""
    marks = "#" * level
    found = re.search(rf"^{marks} {re.escape(title)}\n(.*?)(?=^#{{1,{level}}} |\Z)", TEXT, re.MULTILINE | re.DOTALL)
    assert found, title
    return found[1]


def sections() -> list[Section]:
    heading = re.compile(r"^### `(\w+)`: .*\n", re.MULTILINE)
    found = []
    for cloud in CLOUDS:
        _, *parts = heading.split(chapter(cloud.title))
        found += [Section(cloud, name, text) for name, text in zip(parts[::2], parts[1::2], strict=True)]
    return found


SECTIONS = sections()


@dataclass
class Stage:
    """Where the snippets are played: the emulator, and the files and values that stand for the reader's own."""

    emulator: Emulator
    folder: Path
    cloud: Cloud | None = None
    files: dict[str, str] = field(default_factory=dict)

    def put(self, path: str, content: str) -> Path:
        """Write a file in place of the reader's."""
        place = self.folder / path.strip("/").replace("/", "_")
        place.write_text(content, encoding="utf-8")
        self.files[path] = str(place)
        return place

    @property
    def values(self) -> dict[str, str]:
        """What is put in place of what."""
        known = self.emulator.credentials
        if self.cloud is ALIBABA:
            account, provider = published.ACCOUNT_ID, ram.PROVIDER_ARN
        else:
            account, provider = published.DOMAIN_ID, agencies.PROVIDER_URN
        return {
            "YOUR_ACCESS_KEY": published.ACCESS_KEY,
            "YOUR_SECRET_KEY": published.SECRET_KEY,
            "YOUR_TEMPORARY_ACCESS_KEY": published.TEMPORARY_ACCESS_KEY,
            "YOUR_TEMPORARY_SECRET_KEY": published.TEMPORARY_SECRET_KEY,
            "YOUR_SECURITY_TOKEN": published.SECURITY_TOKEN,
            "YOUR_IAM_TOKEN": known.token.text,
            "YOUR_BEARER_TOKEN": known.token.text,
            "YOUR_PROJECT_ID": published.PROJECT_ID,
            "YOUR_WORKSPACE_ID": published.WORKSPACE_ID,
            "YOUR_USER_NAME": published.USER_NAME,
            "YOUR_PASSWORD": published.USER_PASSWORD,
            "YOUR_ACCOUNT_NAME": published.DOMAIN_NAME,
            "YOUR_PARTNER_ACCOUNT": agencies.OTHER_DOMAIN_NAME,
            "iam::YOUR_ACCOUNT_ID:agency:YOUR_AGENCY": self.emulator.agencies.own.urn,
            "YOUR_ACCOUNT_ID": account,
            "YOUR_PROVIDER": re.split("[:/]", provider)[-1],
            "YOUR_AGENCY": agencies.AGENCY_NAME,
            "YOUR_ROLE": ram.ROLE_NAME,
            "http://127.0.0.1:8080/credentials": self.emulator.url + alibaba_metadata.URI_PATH,
            **self.files,
        }

    def filled_in(self, text: str) -> str:
        """A snippet with the emulator's values in place of the reader's."""
        is_uri = "--conn-uri" in text
        for pair in sorted(self.values.items(), key=lambda pair: -len(pair[0])):
            name, value = (quote(each, safe="") if is_uri else each for each in pair)
            text = text.replace(name, value)
        assert "YOUR_" not in text, "what is this to be replaced by?"
        return text

    def furnish(self, section: Section, monkeypatch: pytest.MonkeyPatch) -> None:
        """Set the variables and write the files that a section says are needed, and those a platform would bring."""
        self.cloud = section.cloud
        for language, content in section.blocks:
            if language == "ini":
                path, _, rest = content.removeprefix("; ").partition("\n")
                self.put(path, self.filled_in(rest))
        if OIDC_FILE in section.text:
            self.put(OIDC_FILE, ram.OIDC_TOKEN if section.cloud is ALIBABA else agencies.OIDC_TOKEN)
        if section.auth_type == "pod_identity":
            monkeypatch.setenv("HC_CONTAINER_CREDENTIALS_FULL_URI", self.emulator.url + huawei_metadata.POD_PATH)
            token = self.put("/var/run/secrets/pod-token", agencies.POD_TOKEN)
            monkeypatch.setenv("HC_CONTAINER_AUTHORIZATION_TOKEN_FILE", str(token))
        for name, value in self.exports(section).items():
            if not name.startswith("AIRFLOW_CONN_"):
                monkeypatch.setenv(name, value)

    def exports(self, section: Section) -> dict[str, str]:
        """All variables that a section's snippets export, by the shell's reading."""
        codes = [code for language, code in section.blocks if language == "bash" and code.startswith("export ")]
        return exported(self.filled_in("".join(codes)))

    def connections(self, section: Section) -> list[tuple[str, Connection]]:
        """Every connection of a section, with the form it is written in."""
        found: list[tuple[str, Connection]] = []
        if table := ROW.findall(section.text.partition("```bash\nairflow")[0]):
            found.append(("UI", self.from_form(section.cloud, table)))
        for language, code in section.blocks:
            if language == "bash" and code.startswith("airflow connections add "):
                form = "JSON" if "--conn-json" in code else "URI"
                found.append((form, added(arguments(self.filled_in(code)))))
        for name in self.exports(section):
            if name.startswith("AIRFLOW_CONN_"):
                with pytest.MonkeyPatch.context() as patch:
                    patch.setenv(name, self.exports(section)[name])
                    conn_id = name.removeprefix("AIRFLOW_CONN_").lower()
                    found.append(("environment", RunHook.get_connection(conn_id)))
        return found

    def from_form(self, cloud: Cloud, rows: list[str]) -> Connection:
        """A connection as Airflow's form makes it: a row names a field by its label, and what to fill in."""
        names = labels(cloud)
        filled: dict[str, Any] = {}
        for row in rows[1:]:
            label, value = (cell.strip() for cell in row.split("|"))
            name, schema = names[label]
            filled[name] = typed(self.filled_in(value.strip("`")), schema)
        standard = {name: filled.pop(name) for name in ("login", "password") if name in filled}
        extra = {name: schema.get("default") for name, schema in names.values() if "section" in schema}
        return Connection(
            conn_id=f"{cloud.conn_type}_default",
            conn_type=cloud.conn_type,
            extra=json.dumps({**extra, **filled}),
            **standard,
        )

    def sign_in(self, connection: Connection, cloud: Cloud) -> tuple[tuple[str, ...], str]:
        """Read something by a connection; returns what was asked to sign in, and who has read then."""
        extra = json.loads(connection.extra or "{}") | dict.fromkeys(cloud.endpoints, self.emulator.url)
        changed = Connection(
            conn_id=connection.conn_id,
            conn_type=connection.conn_type,
            login=connection.login,
            password=connection.password,
            extra=json.dumps(extra),
        )
        begin = len(self.emulator.journal.entries)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(cloud.hook, "get_connection", lambda hook, conn_id: changed)
            # Credentials are shared by all that have the same clock.
            cloud.look(cloud.hook(connection.conn_id, region=cloud.region, clock=Clock()))
        *before, look = self.emulator.journal.entries[begin:]
        assert (look.operation, look.status) == (cloud.looked, 200)
        return tuple(str(entry.operation) for entry in before), self.caller(look.principal)

    def caller(self, principal: str | None) -> str:
        """Who a call was made by."""
        if session := self.emulator.ram.sessions.get(principal or ""):
            return f"role {session.role.name}, session {session.name}"
        if key := self.emulator.credentials.find_key(principal or ""):
            return f"{'temporary key' if key.security_token else 'key'} of {key.user}"
        return f"token of {principal}"


def arguments(code: str) -> list[str]:
    """The arguments that a shell gives to ``airflow``."""
    return sh("airflow() { printf '%s\\0' \"$@\"; }\n" + code)


def exported(code: str) -> dict[str, str]:
    """The variables that a shell exports."""
    variables = dict(each.split("=", 1) for each in sh(f"{code}\nenv -0"))
    return {name: value for name, value in variables.items() if name in code}


def sh(script: str) -> list[str]:
    done = subprocess.run(
        ["sh", "-c", script], capture_output=True, text=True, check=True, env={"PATH": os.environ["PATH"]}
    )
    return done.stdout.split("\0")[:-1]


def added(given: list[str]) -> Connection:
    """The connection that Airflow's command line has put into its database."""
    run_airflow(given)
    with create_session() as session:
        stored = session.scalars(select(StoredConnection).where(StoredConnection.conn_id == given[2])).one()
        connection = Connection.from_json(stored.as_json(), conn_id=given[2])
        session.delete(stored)
    return connection


def run_airflow(given: list[str]) -> None:
    from airflow.cli import cli_parser  # takes a while, and most tests do without

    parsed = cli_parser.get_parser().parse_args(given)
    with pytest.MonkeyPatch.context() as alone:
        # A test before may have left a supervisor in this process; then Airflow would take the command for a task.
        alone.delattr("airflow.sdk.execution_time.task_runner.SUPERVISOR_COMMS", raising=False)
        parsed.func(parsed)


@cache
def labels(cloud: Cloud) -> dict[str, tuple[str, dict[str, Any]]]:
    """The fields of a connection form by their labels: name and schema."""
    types: Any = get_provider_info()["connection-types"]
    (form,) = [each for each in types if each["connection-type"] == cloud.conn_type]
    standard = {label: (name, {"type": "string"}) for name, label in form["ui-field-behaviour"]["relabeling"].items()}
    return standard | {each["label"]: (name, each["schema"]) for name, each in form["conn-fields"].items()}


def typed(text: str, schema: Mapping[str, Any]) -> object:
    """What the form stores for what is filled in, or chosen or switched."""
    kind = schema["type"]
    if {"integer", "number", "boolean"} & ({kind} if isinstance(kind, str) else set(kind)):
        return json.loads(text)
    assert text in schema.get("enum", [text])
    return text


def meaning(connection: Connection, cloud: Cloud) -> tuple[str | None, str | None, str, str, dict[str, Any]]:
    """What a connection comes to."""
    extra = cloud.extra.model_validate(json.loads(connection.extra or "{}")).model_dump()
    return connection.conn_id, connection.conn_type, connection.login or "", connection.password or "", extra


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with Emulator() as emulator:
        yield emulator


@pytest.fixture
def stage(emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, airflow_db: None) -> Iterator[Stage]:
    """A stage without any credentials around it."""
    for name in os.environ:
        if FOUND_AROUND.search(name):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    yield Stage(emulator, tmp_path)
    emulator.journal.clear()
