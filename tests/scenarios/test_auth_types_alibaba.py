"""Every way to sign in to Alibaba Cloud drives a run from start to end, also beyond the end of its keys."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_mlworkflows.clouds import issued
from airflow_provider_mlworkflows.emulator import FaultRule
from tests.scenarios import rows_endings
from tests.scenarios.auth_alibaba import ALIBABA, ISSUED, SignIn, Surroundings
from tests.scenarios.paiflow import PaiFlowUnderTest
from tests.scenarios.plan import chain, completes
from tests.scenarios.service import Counts
from tests.scenarios.stage import OPERATOR_MODES, Mode, Stage, reset
from tests.scenarios.test_credentials import REFUSED
from tests.support import assert_no_secret

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_mlworkflows.emulator import Emulator, JournalEntry
    from tests.scenarios.clock import ScriptedClock

LIFETIME = 900
"""Seconds that issued keys last; they are renewed when a quarter of it is left."""

OpenStage = Callable[[SignIn, Mode], Stage]


@pytest.fixture
def around(emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Surroundings:
    for name in [name for name in os.environ if name.startswith("ALIBABA_CLOUD_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    return Surroundings(emulator, tmp_path, monkeypatch)


@pytest.fixture
def open_stage(around: Surroundings, clock: ScriptedClock) -> OpenStage:
    def opened(way: SignIn, mode: Mode) -> Stage:
        reset(around.emulator, clock, {"alibaba_key_seconds": LIFETIME})
        # Each run has a process and keys of its own.
        around.emulator.ram.expire()
        issued._renewable.cache_clear()
        stage = Stage(PaiFlowUnderTest(around.emulator), mode, clock)
        (conn_id, usual), *_ = stage.service.connections().items()
        fields = dict(way.fields(around))
        keys = {name: fields.pop(name) for name in ("login", "password")}
        extra: dict[str, Any] = {**usual["extra"], **fields}
        stage.airflow.set_connection(conn_id, {**usual, **keys, "extra": extra})
        return stage

    return opened


def _issued(stage: Stage, way: SignIn) -> list[JournalEntry]:
    return stage.emulator.journal.find(way.issued_by)


def _refused(stage: Stage) -> list[JournalEntry]:
    return [entry for entry in stage.emulator.journal.entries if entry.status != 200]


def _assert_discreet(stage: Stage) -> None:
    """Check that no key and no token that was ever issued shows in a log."""
    keys = [session.key for session in stage.emulator.ram.sessions.values()]
    secrets = [text for key in keys for text in (key.ak, key.sk, key.security_token) if text]
    assert_no_secret(stage.log, [*secrets, *stage.emulator.ram.tokens])


@pytest.mark.parametrize("way", ALIBABA.values(), ids=ALIBABA)
def test_a_run_is_started_watched_and_finished(open_stage: OpenStage, way: SignIn) -> None:
    seen = {}
    for mode in OPERATOR_MODES:
        stage = open_stage(way, mode)
        try:
            rows_endings.success(stage)
            seen[mode] = stage.observed()
            _assert_discreet(stage)
            assert _refused(stage) == []
            if way.issued_by:
                assert len(_issued(stage, way)) in (1, 2), "once, and again where the run outlives the first keys"
        finally:
            stage.forget_workflows()
    one, other = seen.values()
    assert list(one.differences(other)) == []


@pytest.mark.parametrize("mode", OPERATOR_MODES)
@pytest.mark.parametrize("way", ISSUED.values(), ids=ISSUED)
def test_keys_that_end_are_renewed_before(open_stage: OpenStage, way: SignIn, mode: Mode) -> None:
    stage = open_stage(way, mode)
    stage.plan(*chain(("train", completes(2400))))
    try:
        result = stage.attempt(stage.starter())
        assert result.state == "success", stage.log
        assert stage.counts == Counts(starts=1)
        assert _refused(stage) == []
        assert len(_issued(stage, way)) == 4, "2400 s are four times three quarters of 900 s"
        assert REFUSED not in stage.log
        _assert_discreet(stage)
    finally:
        stage.forget_workflows()


@pytest.mark.parametrize("mode", OPERATOR_MODES)
@pytest.mark.parametrize("way", ISSUED.values(), ids=ISSUED)
def test_keys_that_end_too_early_are_replaced_at_once(open_stage: OpenStage, way: SignIn, mode: Mode) -> None:
    stage = open_stage(way, mode)
    stage.plan(*chain(("train", completes(500))))
    stage.at(100, stage.emulator.ram.expire)
    try:
        result = stage.attempt(stage.starter())
        assert result.state == "success", stage.log
        assert stage.counts == Counts(starts=1)
        assert [entry.code for entry in _refused(stage)] == ["InvalidSecurityToken.Expired"]
        assert len(_issued(stage, way)) == 2
        assert REFUSED not in stage.log
        _assert_discreet(stage)
    finally:
        stage.forget_workflows()


@pytest.mark.parametrize("mode", OPERATOR_MODES)
def test_a_role_that_is_refused_for_a_while_is_waited_for(open_stage: OpenStage, mode: Mode) -> None:
    way = ISSUED["ram_role_arn"]
    stage = open_stage(way, mode)
    credentials = stage.emulator.credentials
    stage.plan(*chain(("train", completes(1500))))

    def withdraw() -> None:
        stage.emulator.ram.expire()
        credentials.revoke("sts:AssumeRole")

    stage.at(100, withdraw)
    stage.at(700, lambda: credentials.grant("sts:AssumeRole"))
    try:
        result = stage.attempt(stage.starter())
        assert result.state == "success", stage.log
        assert stage.counts == Counts(starts=1)
        assert stage.log.count(REFUSED) == 1
        assert "lacks the RAM action sts:AssumeRole" in stage.log
        denied = [entry for entry in _issued(stage, way) if entry.status != 200]
        assert 1 <= len(denied) <= 600 / 60, "not asked more than once a minute"
    finally:
        credentials.grant("sts:AssumeRole")
        stage.forget_workflows()


@pytest.mark.parametrize("mode", OPERATOR_MODES)
def test_an_issuer_that_is_away_while_keys_are_good_is_not_missed(open_stage: OpenStage, mode: Mode) -> None:
    way = ISSUED["oidc_role_arn"]
    stage = open_stage(way, mode)
    stage.plan(*chain(("train", completes(1200))))

    def begins() -> None:
        stage.emulator.faults.add(FaultRule(action="status", status=503, operation=way.issued_by, times=None))

    stage.at(600, begins)
    stage.at(800, stage.emulator.faults.clear)
    try:
        result = stage.attempt(stage.starter())
        assert result.state == "success", stage.log
        assert stage.counts == Counts(starts=1)
        assert {entry.operation for entry in _refused(stage)} == {way.issued_by}
        assert "could not be renewed, and are used for" in stage.log
        _assert_discreet(stage)
    finally:
        stage.forget_workflows()
