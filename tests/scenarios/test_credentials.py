"""Credentials that end while a run is watched: the run is followed to its right end, and no key gets blocked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_mlworkflows.exceptions import AuthenticationError
from airflow_provider_mlworkflows.watching import REFUSED_GRACE
from tests.scenarios.aom import AomUnderTest
from tests.scenarios.modelarts import ModelArtsUnderTest
from tests.scenarios.obs import ObsUnderTest
from tests.scenarios.paiflow import PaiFlowUnderTest
from tests.scenarios.plan import chain, completes, endless
from tests.scenarios.service import Counts
from tests.scenarios.stage import OPERATOR_MODES, SENSOR_MODES, Mode, Stage, reset

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.emulator import Emulator
    from tests.scenarios.clock import ScriptedClock
    from tests.scenarios.service import ServiceUnderTest

SERVICES: tuple[type[ServiceUnderTest], ...] = (ModelArtsUnderTest, PaiFlowUnderTest, ObsUnderTest, AomUnderTest)
REFUSED = "The connection does not work any more"
ENDS, REPLACED, LATE = 100.0, 150.0, 800.0
"""Seconds: when credentials end, and when others are in the connection; in time or almost too late."""


@dataclass
class Keyring:
    """Credentials of a stage's connection, and where they come from."""

    stage: Stage

    @property
    def conn_id(self) -> str:
        return next(iter(self.stage.service.connections()))

    @property
    def store(self) -> Any:
        return self.stage.emulator.credentials

    def use(self, *, login: str | None = None, password: str | None = None, **extra: str) -> None:
        """Put credentials into the connection in place of others."""
        usual = self.stage.service.connections()[self.conn_id]
        fields = {**usual, "login": login, "password": password, "extra": {**usual["extra"], **extra}}
        self.stage.airflow.set_connection(self.conn_id, fields)

    def use_key(self, key: Any) -> None:
        """Put an access key into the connection, with its token if it is temporary."""
        token = {} if key.security_token is None else {"security_token": key.security_token}
        self.use(login=key.ak, password=key.sk, **token)

    def use_token(self, token: Any) -> None:
        """Put a token into the connection."""
        if isinstance(self.stage.service, PaiFlowUnderTest):
            self.use(auth_type="bearer", bearer_token=token.text)
        else:
            self.use(auth_type="token", iam_token=token.text)

    def temporary_key(self) -> Any:
        """A temporary key that lasts longer than the scene."""
        return self.store.add_temporary_key("airflow", self.stage.emulator.clock.now() + timedelta(hours=12))


@pytest.fixture(params=OPERATOR_MODES)
def mode(request: pytest.FixtureRequest) -> Mode:
    mode: Mode = request.param
    return mode


@pytest.fixture(
    params=[
        pytest.param(each, id=each.name, marks=() if not at else pytest.mark.slow) for at, each in enumerate(SERVICES)
    ]
)
def stage(
    request: pytest.FixtureRequest,
    mode: Mode,
    emulator: Emulator,
    clock: ScriptedClock,
) -> Iterator[Stage]:
    reset(emulator, clock, request.param.profiles["usual"])
    stage = Stage(request.param(emulator), mode, clock)
    yield stage
    stage.forget_workflows()


@pytest.fixture
def keyring(stage: Stage) -> Keyring:
    return Keyring(stage)


def _expires(keyring: Keyring) -> Callable[[float], None]:
    old, new = keyring.temporary_key(), keyring.temporary_key()
    keyring.use_key(old)
    keyring.stage.at(ENDS, lambda: keyring.store.expire(old))
    return lambda at: keyring.stage.at(at, lambda: keyring.use_key(new))


def _is_rotated(keyring: Keyring) -> Callable[[float], None]:
    old, new = keyring.store.add_access_key(), keyring.store.add_access_key()
    keyring.use_key(old)
    keyring.stage.at(ENDS, lambda: keyring.store.remove(old))
    return lambda at: keyring.stage.at(at, lambda: keyring.use_key(new))


def _gets_another_secret(keyring: Keyring) -> Callable[[float], None]:
    key = keyring.store.add_access_key()
    keyring.use_key(key)

    def change() -> None:
        key.sk = "another-secret-of-the-same-key"

    keyring.stage.at(ENDS, change)
    return lambda at: keyring.stage.at(at, lambda: keyring.use_key(key))


ENDINGS: Mapping[str, Callable[[Keyring], Callable[[float], None]]] = {
    "temporary key expires": _expires,
    "key is rotated": _is_rotated,
    "key gets another secret": _gets_another_secret,
}


@pytest.mark.parametrize("ends", ENDINGS.values(), ids=[name.replace(" ", "_") for name in ENDINGS])
@pytest.mark.parametrize("replaced_at", [REPLACED, LATE], ids=["soon", "late"])
def test_run_is_followed_with_the_new_key(
    keyring: Keyring, ends: Callable[[Keyring], Callable[[float], None]], replaced_at: float
) -> None:
    stage = keyring.stage
    stage.plan(*chain(("train", completes(2400))))
    ends(keyring)(replaced_at)
    result = stage.attempt(stage.starter())
    assert result.state == "success", stage.log
    assert stage.log.count(REFUSED) == 1
    assert stage.counts == Counts(starts=1)


def test_token_that_expires_is_replaced(keyring: Keyring) -> None:
    stage = keyring.stage
    old, new = keyring.store.add_token(), keyring.store.add_token()
    keyring.use_token(old)
    stage.plan(*chain(("train", completes(2400))))
    stage.at(ENDS, lambda: keyring.store.expire(old))
    stage.at(REPLACED, lambda: keyring.use_token(new))
    result = stage.attempt(stage.starter())
    assert result.state == "success", stage.log
    assert stage.counts == Counts(starts=1)


def test_key_that_changes_while_nobody_asks_is_not_missed(keyring: Keyring) -> None:
    """A secrets backend hands out the new key before the old one ends: whoever asks late has it at once."""
    stage = keyring.stage
    old, new = keyring.temporary_key(), keyring.temporary_key()
    keyring.use_key(old)
    stage.plan(*chain(("train", completes(2400))))
    stage.at(ENDS - 1, lambda: keyring.use_key(new))
    stage.at(ENDS, lambda: keyring.store.expire(old))
    assert stage.attempt(stage.starter()).state == "success"
    assert stage.log.count(REFUSED) <= 1
    assert stage.counts == Counts(starts=1)


def test_wrong_secret_does_not_block_the_key(keyring: Keyring) -> None:
    stage = keyring.stage
    key = keyring.store.add_access_key()
    keyring.use_key(key)
    stage.plan(*chain(("train", endless())))
    changed: list[int] = []

    def change() -> None:
        key.sk = "another-secret-of-the-same-key"
        changed.append(stage.emulator.journal.entries[-1].sequence)

    stage.at(ENDS, change)
    began = stage.clock.time()
    result = stage.attempt(stage.starter())
    assert result.state == "failed"
    assert isinstance(result.error, AuthenticationError)
    assert "could not be read any more" in str(result.error)
    refused = [entry for entry in stage.emulator.journal.find(since=changed[0]) if entry.status != 200]
    assert 0 < len(refused) < stage.emulator.switches.max_signature_failures
    assert key.blocked_until is None
    assert stage.clock.time() - began >= REFUSED_GRACE
    assert stage.service.shown(stage.run_id) == "running"
    for secret in (key.ak, key.sk):
        assert secret not in stage.log + str(result.error) + repr(result.error)


@pytest.mark.parametrize("mode", SENSOR_MODES)
def test_sensor_does_not_block_the_key_either(keyring: Keyring) -> None:
    stage = keyring.stage
    key = keyring.store.add_access_key()
    keyring.use_key(key)
    stage.plan(*chain(("train", endless())))
    run_id = stage.service.start_elsewhere(stage.workflow)
    changed: list[float] = []

    def change() -> None:
        key.sk = "another-secret-of-the-same-key"
        changed.append(stage.clock.time())

    stage.at(ENDS, change)
    result = stage.attempt(stage.sensor(run_id))
    assert isinstance(result.error, AuthenticationError)
    refused = [entry for entry in stage.emulator.journal.entries if entry.status != 200]
    assert 0 < len(refused) < stage.emulator.switches.max_signature_failures
    assert key.blocked_until is None
    assert stage.clock.time() - changed[0] >= REFUSED_GRACE


@pytest.mark.parametrize("mode", SENSOR_MODES)
def test_sensor_goes_on_with_another_key(keyring: Keyring) -> None:
    stage = keyring.stage
    replace = _expires(keyring)
    replace(REPLACED)
    stage.plan(*chain(("train", completes(1200))))
    run_id = stage.service.start_elsewhere(stage.workflow)
    assert stage.attempt(stage.sensor(run_id)).state == "success"
    assert stage.log.count(REFUSED) == 1
