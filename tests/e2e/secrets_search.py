"""A search for secrets in everything that an Airflow leaves behind: files, and every value in its database."""

from __future__ import annotations

import re
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

import pytest
from cryptography.fernet import Fernet, InvalidToken
from sqlalchemy import create_engine, inspect, text
from sqlalchemy.pool import NullPool

from airflow_provider_mlworkflows.emulator.credentials import AccessKey, Credentials
from airflow_provider_mlworkflows.emulator.gateway import Gateway

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Connection

    from tests.harness.standalone import StandaloneAirflow

PIECE = 16
"""Characters of a secret that are enough to give it away, so that one that was cut short is found as well."""
CONNECTIONS = "connection"
"""The table that is meant to hold secrets."""
CONNECTION_TESTS = "connection_test_request"
CONNECTION_COLUMNS = frozenset({"login", "password", "extra"})
"""What this table keeps of the connection that a worker is to test."""
_SIGNATURE = re.compile(r"(?:Signature=|:)([0-9A-Za-z+/=]{20,})$")
_LIKE_SIGNATURES = re.compile(r"(?=([0-9a-f]{64}|[0-9A-Za-z+/]{27}=))")
"""Whatever looks like one, wherever in a word it begins."""
_TOKEN_HEADERS = frozenset(
    {"x-auth-token", "x-security-token", "x-obs-security-token", "x-acs-security-token", "x-acs-bearer-token"}
)
_KEY = re.compile(r"(?:Access|Credential)=([^,/]+)|^(?:OBS|AWS) ([^:]+):")


@dataclass
class Secrets:
    """What must not show anywhere.

    Attributes:
        fixed: Access key ids, secret keys and tokens, by what they are.
        signatures: Signatures of single requests.
    """

    fixed: dict[str, set[str]] = field(default_factory=dict)
    signatures: set[str] = field(default_factory=set)

    def add(self, kind: str, *values: str) -> None:
        """Add secrets that are known before they are used."""
        self.fixed.setdefault(kind, set()).update(values)

    def overhear(self, headers: Iterable[tuple[bytes, bytes]]) -> None:
        """Add what the headers of one request tell."""
        for raw_name, raw_value in headers:
            name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
            if name in _TOKEN_HEADERS:
                self.add("token", value)
            elif name == "authorization":
                if (signature := _SIGNATURE.search(value)) is not None:
                    self.signatures.add(signature[1])
                if (key := _KEY.search(value)) is not None:
                    self.add("access key", key[1] or key[2])

    def found_in(self, text: str) -> set[str]:
        """What kinds of secrets a text holds."""
        found = {kind for kind, values in self.fixed.items() if any(_shows(value, text) for value in values)}
        if any(self.signatures.intersection(_LIKE_SIGNATURES.findall(each)) for each in {text, unquote(text)}):
            found.add("signature")
        return found


def _shows(secret: str, text: str) -> bool:
    """Whether a text holds a secret, also one that is spelled for a URL, or cut off at either end."""
    pieces = {secret[:PIECE], secret[-PIECE:], quote(secret, safe="")[:PIECE]}
    return any(piece in text for piece in pieces)


@contextmanager
def overheard(secrets: Secrets) -> Iterator[None]:
    """Let an emulator that starts in the block tell the secrets of all requests to it, and of all keys it issues."""
    serve, issue = Gateway.__call__, Credentials.add_access_key

    async def listen(gateway: Gateway, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            secrets.overhear(scope["headers"])
        await serve(gateway, scope, receive, send)

    def note(credentials: Credentials, *args: Any, **kwargs: Any) -> AccessKey:
        key = issue(credentials, *args, **kwargs)
        secrets.add("secret key", key.sk)
        return key

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Gateway, "__call__", listen)
        patch.setattr(Credentials, "add_access_key", note)
        yield


@dataclass
class Search:
    """Looks for secrets in an Airflow's files and tables.

    Attributes:
        secrets: What to look for.
        fernet_key: What the Airflow encrypts with.
        searched: How many texts there were in each place.
        hits: Where a secret is, and of what kind.
    """

    secrets: Secrets
    fernet_key: bytes
    searched: Counter[str] = field(default_factory=Counter)
    hits: list[tuple[str, str]] = field(default_factory=list)

    def airflow(self, airflow: StandaloneAirflow) -> None:
        """Search all that an Airflow leaves behind."""
        self.files(airflow.home)
        self.database(airflow.database)

    def files(self, home: Path) -> None:
        """Search all files of an Airflow's home but its database."""
        for path in sorted(home.rglob("*")):
            if path.is_file() and not path.name.startswith("airflow.db"):
                kind = "task logs" if "logs" in path.parts and "dag_id=" in str(path) else "component logs"
                self._look(kind, str(path.relative_to(home)), path.read_text(errors="replace"))

    def database(self, url: str) -> None:
        """Search all tables of a database, which is named as SQLAlchemy wants it."""
        with create_engine(url, poolclass=NullPool).connect() as connection:
            self.tables(connection)

    def tables(self, connection: Connection) -> None:
        """Search every value of every table that a connection shows, except where Airflow's connections are kept."""
        for table in inspect(connection).get_table_names():
            if table != CONNECTIONS:
                for row in connection.execute(text(f'SELECT * FROM "{table}"')).mappings():
                    self._row(table, row)

    def _row(self, table: str, row: Mapping[Any, Any]) -> None:
        if table == "log" and "connection" in str(row["event"]):
            return  # what a person did to a connection, in Airflow's words
        if table == CONNECTION_TESTS:
            row = {column: value for column, value in row.items() if column not in CONNECTION_COLUMNS}
        for column, value in row.items():
            for reading in self._readings(value):
                self._look(table, f"{table}.{column}", reading)

    def _readings(self, value: object) -> Iterator[str]:
        """A value as text: as it is, decrypted, unpacked."""
        raw = bytes(value) if isinstance(value, bytes | memoryview) else str(value).encode()
        yield raw.decode("utf-8", "replace")
        if raw.startswith(b"gAAAA"):
            try:
                yield Fernet(self.fernet_key).decrypt(raw).decode("utf-8", "replace")
            except InvalidToken:
                return
        if raw[:1] == b"\x78":
            try:
                yield zlib.decompress(raw).decode("utf-8", "replace")
            except zlib.error:
                return

    def _look(self, place: str, where: str, text: str) -> None:
        self.searched[place] += 1
        self.hits.extend((where, kind) for kind in sorted(self.secrets.found_in(text)))
