"""Ways to sign in, as rows of a table: what a connection of each holds, and what the cloud is asked for then."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pytest

    from airflow_provider_mlworkflows.emulator import AccessKey, Emulator, Token
    from tests.scenarios.service import ServiceUnderTest
    from tests.scenarios.stage import Stage


@dataclass
class Setting:
    """A stage, and the machine its task runs on.

    Attributes:
        stage: The task and its cloud.
        folder: Where files may be put.
        patch: Changes the environment of the task.
        secrets: What must show nowhere.
        known: Ids of the keys and tokens that are not withdrawn.
    """

    stage: Stage
    folder: Path
    patch: pytest.MonkeyPatch
    secrets: list[str] = field(default_factory=list)
    known: set[int] = field(default_factory=set)

    @property
    def emulator(self) -> Emulator:
        return self.stage.emulator

    def file(self, name: str, text: str) -> str:
        """Write a file; returns its path."""
        path = self.folder / name
        path.write_text(text)
        return str(path)

    def environment(self, **values: str) -> None:
        """Set variables of the environment."""
        for name, value in values.items():
            self.patch.setenv(name, value)

    def connect(self, *, login: str | None = None, password: str | None = None, **extra: Any) -> None:
        """Put the usual connection in place, with other credentials."""
        conn_id, usual = next(iter(self.stage.service.connections().items()))
        fields = {**usual, "login": login, "password": password, "extra": {**usual["extra"], **extra}}
        self.stage.airflow.set_connection(conn_id, fields)

    def withdraw(self) -> None:
        """Withdraw every key and token that was issued since the task began, as if it had never been."""
        store = self.emulator.credentials
        holders: tuple[AccessKey | Token, ...] = (*store._keys.values(), *store._tokens.values())
        for holder in holders:
            if id(holder) not in self.known:
                store.remove(holder)

    def begin(self) -> None:
        """Keep all keys and tokens that are there by now from being withdrawn."""
        store = self.emulator.credentials
        self.known = {id(holder) for holder in (*store._keys.values(), *store._tokens.values())}

    def issued(self, auth: AuthType) -> int:
        """How often credentials were issued."""
        journal = self.emulator.journal
        return sum(journal.count(operation, effective=True) for operation in auth.issued_by)


@dataclass(frozen=True)
class AuthType:
    """One way to sign in.

    Attributes:
        name: As it shows in test ids.
        services: What it is played with.
        connect: Puts the connection in place, and what belongs to it into the environment.
        issued_by: Operations by which credentials are issued; none if nobody issues any.
        short_lived: The emulator's switches with which issued credentials last half an hour.
        replace: Puts other credentials in place of those that nobody issues, and withdraws the old ones.
    """

    name: str
    services: tuple[type[ServiceUnderTest], ...]
    connect: Callable[[Setting], None]
    issued_by: tuple[str, ...] = ()
    short_lived: Mapping[str, Any] = field(default_factory=dict)
    replace: Callable[[Setting], None] | None = None
