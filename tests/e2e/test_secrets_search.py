"""The search for secrets finds them wherever they are."""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from cryptography.fernet import Fernet

from airflow_provider_mlworkflows.emulator import Emulator
from tests.e2e.secrets_search import Search, Secrets, overheard

if TYPE_CHECKING:
    from pathlib import Path

FERNET_KEY = Fernet.generate_key()
SECRET = "a/secret+key=of-forty-characters-0123456"
SIGNATURE = "0123456789abcdef" * 4
SHORT_SIGNATURE = "q8/Zr+1Bv0Jx3nEoYw5TgKd2LcM="

SPELLINGS: dict[str, Callable[[str], str | bytes]] = {
    "plain": str,
    "JSON": json.dumps,
    "URL": lambda text: quote(text, safe=""),
    "encrypted": lambda text: Fernet(FERNET_KEY).encrypt(text.encode()),
    "encrypted text": lambda text: Fernet(FERNET_KEY).encrypt(text.encode()).decode(),
    "compressed": lambda text: zlib.compress(text.encode()),
}


@pytest.fixture
def secrets() -> Secrets:
    secrets = Secrets()
    secrets.add("secret key", SECRET)
    secrets.signatures.update((SIGNATURE, SHORT_SIGNATURE))
    return secrets


def _database(path: Path, value: str | bytes, table: str = "xcom") -> str:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(f"CREATE TABLE {table} (id INTEGER, value)")
        connection.execute(f"INSERT INTO {table} VALUES (1, ?)", (value,))
    return f"sqlite:///{path}"


@pytest.mark.parametrize("spelling", SPELLINGS.values(), ids=SPELLINGS)
@pytest.mark.parametrize(
    ("secret", "kind"),
    [
        (SECRET, "secret key"),
        (f"Signature={SIGNATURE}", "signature"),
        (f"OBS key:{SHORT_SIGNATURE}", "signature"),
    ],
)
def test_value_in_a_table_is_found(
    tmp_path: Path, secrets: Secrets, spelling: Callable[[str], str | bytes], secret: str, kind: str
) -> None:
    search = Search(secrets, FERNET_KEY)
    search.database(_database(tmp_path / "airflow.db", spelling(f"before {secret} after")))
    assert search.hits == [("xcom.value", kind)]
    assert search.searched["xcom"] >= 2


@pytest.mark.parametrize("part", [SECRET, SECRET[:20] + "...", "..." + SECRET[-20:]])
def test_line_in_a_file_is_found(tmp_path: Path, secrets: Secrets, part: str) -> None:
    log = tmp_path / "logs" / "dag_id=one" / "attempt=1.log"
    log.parent.mkdir(parents=True)
    log.write_text(f'{{"event": "signed with {part}"}}\n')
    search = Search(secrets, FERNET_KEY)
    search.files(tmp_path)
    assert search.hits == [("logs/dag_id=one/attempt=1.log", "secret key")]
    assert search.searched == {"task logs": 1}


def test_connections_may_hold_them(tmp_path: Path, secrets: Secrets) -> None:
    search = Search(secrets, FERNET_KEY)
    search.database(_database(tmp_path / "airflow.db", SECRET, table="connection"))
    assert search.hits == []


def test_other_values_are_no_secrets(tmp_path: Path, secrets: Secrets) -> None:
    search = Search(secrets, FERNET_KEY)
    search.database(_database(tmp_path / "airflow.db", f"{SIGNATURE[:-1]}0 and {SECRET[:10]}"))
    assert search.hits == []


@pytest.mark.parametrize(
    ("header", "key"),
    [
        (f"SDK-HMAC-SHA256 Access=THEKEY, SignedHeaders=host;x-sdk-date, Signature={SIGNATURE}", "THEKEY"),
        (f"ACS3-HMAC-SHA256 Credential=THEKEY,SignedHeaders=host;x-acs-date,Signature={SIGNATURE}", "THEKEY"),
        (f"OBS THEKEY:{SIGNATURE}", "THEKEY"),
    ],
)
def test_headers_tell_keys_and_signatures(header: str, key: str) -> None:
    secrets = Secrets()
    secrets.overhear([(b"Authorization", header.encode()), (b"X-Security-Token", b"the-token"), (b"Host", b"here")])
    assert secrets.signatures == {SIGNATURE}
    assert secrets.fixed == {"access key": {key}, "token": {"the-token"}}


def test_keys_that_an_emulator_issues_are_heard_of() -> None:
    secrets = Secrets()
    with overheard(secrets):
        emulator = Emulator()
        key = emulator.credentials.add_temporary_key("airflow", emulator.clock.now())
    assert secrets.found_in(f"secret: {key.sk}") == {"secret key"}
