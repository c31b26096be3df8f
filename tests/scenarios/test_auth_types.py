"""Every way to sign in drives a run to its end, also if the credentials end meanwhile."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.scenarios.auth import AuthType, Setting
from tests.scenarios.auth_huawei import BY_AGENCY, HUAWEI
from tests.scenarios.modelarts import ModelArtsUnderTest
from tests.scenarios.plan import chain, completes, endless
from tests.scenarios.service import Counts
from tests.scenarios.stage import OPERATOR_MODES, Mode, Stage, reset
from tests.support import assert_no_secret

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.emulator import Emulator
    from tests.scenarios.clock import ScriptedClock
    from tests.scenarios.service import ServiceUnderTest

AUTH_TYPES = (*HUAWEI,)
LIFETIME = 1800
"""Seconds that short-lived credentials last; they are renewed when a quarter of that is left."""
LONG_RUN = 4500.0
REPLACED = 1000.0
FOREIGN_VARIABLES = ("HUAWEICLOUD_", "HC_CONTAINER_", "ALIBABA_CLOUD_")


def _cases(auth_types: Iterable[AuthType]) -> list[Any]:
    cases = []
    for auth in auth_types:
        for at, service in enumerate(auth.services):
            marks = (pytest.mark.slow,) if at else ()
            cases.append(pytest.param(auth, service, id=f"{auth.name}-{service.name}", marks=marks))
    return cases


@pytest.fixture(params=OPERATOR_MODES)
def mode(request: pytest.FixtureRequest) -> Mode:
    mode: Mode = request.param
    return mode


@pytest.fixture
def setting(
    service: type[ServiceUnderTest],
    mode: Mode,
    emulator: Emulator,
    clock: ScriptedClock,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Setting]:
    for name in os.environ:
        if name.startswith(FOREIGN_VARIABLES):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    reset(emulator, clock, service.profiles["usual"])
    stage = Stage(service(emulator), mode, clock)
    yield Setting(stage, tmp_path, monkeypatch)
    stage.forget_workflows()


def _succeeds(setting: Setting, seconds: float) -> None:
    """Start a run and wait for its end: it succeeds, was started once, and nobody was told a secret."""
    stage = setting.stage
    stage.plan(*chain(("train", completes(seconds))))
    result = stage.attempt(stage.starter())
    assert result.state == "success", stage.log
    assert stage.counts == Counts(starts=1)
    assert_no_secret(f"{stage.log} {stage.airflow.xcoms}", setting.secrets)


def _refused(setting: Setting) -> list[str | None]:
    return [entry.operation for entry in setting.emulator.journal.entries if entry.status in (401, 403)]


@pytest.mark.parametrize(("auth", "service"), list(_cases(AUTH_TYPES)))
def test_run_is_followed_to_its_end(auth: AuthType, setting: Setting) -> None:
    auth.connect(setting)
    _succeeds(setting, 240)
    assert setting.issued(auth) == len(auth.issued_by), "once for start, watch and finish together"
    assert _refused(setting) == []


@pytest.mark.parametrize(("auth", "service"), list(_cases(each for each in AUTH_TYPES if each.short_lived)))
def test_credentials_are_renewed_before_they_end(auth: AuthType, setting: Setting) -> None:
    auth.connect(setting)
    setting.emulator.switches.update(auth.short_lived, setting.emulator.lock)
    _succeeds(setting, LONG_RUN)
    needed = 1 + int(LONG_RUN // (LIFETIME * 3 / 4))
    assert setting.issued(auth) == needed
    assert _refused(setting) == []


@pytest.mark.parametrize(("auth", "service"), list(_cases(each for each in AUTH_TYPES if each.issued_by)))
def test_credentials_that_are_withdrawn_are_replaced_at_once(auth: AuthType, setting: Setting) -> None:
    auth.connect(setting)
    setting.begin()
    setting.stage.at(REPLACED, setting.withdraw)
    _succeeds(setting, LONG_RUN / 2)
    assert setting.issued(auth) == 2
    assert 0 < len(_refused(setting)) <= 2, _refused(setting)


@pytest.mark.parametrize(("auth", "service"), list(_cases(each for each in AUTH_TYPES if each.replace)))
def test_credentials_that_somebody_replaces_are_picked_up(auth: AuthType, setting: Setting) -> None:
    assert auth.replace is not None
    replace = auth.replace
    auth.connect(setting)
    setting.stage.at(REPLACED, lambda: replace(setting))
    _succeeds(setting, LONG_RUN / 2)
    # What has been read within the last minute is not read again at once.
    assert 0 < len(_refused(setting)) <= 2, _refused(setting)


@pytest.mark.parametrize("service", [ModelArtsUnderTest])
def test_a_key_that_an_issuer_refuses_is_not_tried_until_it_is_blocked(setting: Setting) -> None:
    next(auth for auth in HUAWEI if auth.name == "agency").connect(setting)
    stage, store = setting.stage, setting.emulator.credentials
    setting.emulator.switches.huawei_credential_lifetime = LIFETIME
    key = store.find_key(setting.secrets[0])
    assert key is not None
    stage.plan(*chain(("train", endless())))

    def change() -> None:
        key.sk = "another-secret-of-the-same-key"

    stage.at(REPLACED, change)
    result = stage.attempt(stage.starter())
    assert result.state == "failed"
    assert "could not be read any more" in str(result.error)
    refused = setting.emulator.journal.count(BY_AGENCY, status=401)
    print("REFUSED", refused)
    assert 0 < refused < setting.emulator.switches.max_signature_failures, refused
    assert key.blocked_until is None
    assert stage.service.shown(stage.run_id) == "running"
    assert_no_secret(f"{stage.log} {result.error!r}", setting.secrets)
