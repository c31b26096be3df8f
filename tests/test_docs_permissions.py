"""docs/permissions.md says what each operator calls and may do: no less than it needs, and no more."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator
from dataclasses import fields
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import airflow.sdk.bases.sensor as airflow_sensor
import pytest

from airflow_provider_mlworkflows import task_states
from airflow_provider_mlworkflows.emulator import Emulator, Switches
from airflow_provider_mlworkflows.emulator.environment import connections
from airflow_provider_mlworkflows.operators.base import RunOperator
from airflow_provider_mlworkflows.operators.modelarts_calls import ModelArtsCallOperator
from airflow_provider_mlworkflows.sensors.base import RunSensor
from airflow_provider_mlworkflows.triggers.run import RunTrigger
from tests.permissions import report, scenes_modelarts, scenes_runs, scenes_waiting, table
from tests.permissions.scene import SCENES, Scene, called
from tests.scenarios.clock import ScriptedClock
from tests.scenarios.stage import Stage

if TYPE_CHECKING:
    from tests.permissions.table import Need

SCENE_MODULES = (scenes_modelarts, scenes_runs, scenes_waiting)
_DEFAULTS = {each.name: each.default for each in fields(Switches)}
ON_THE_WAY = {table.RETRY: (table.LOG,)}
"""What else happens in some scenes: what is repaired has failed before."""
BESIDE = {table.NO_PROJECT: "ModelArtsTodoSensor"}
"""Who does what is not the work of one operator."""
each_scene = pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.id)


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with Emulator(clock="manual") as emulator:
        yield emulator


@pytest.fixture
def clock(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> ScriptedClock:
    """The emulator's time, for Airflow and for the provider."""
    clock = ScriptedClock(emulator)
    for owner in (RunOperator, ModelArtsCallOperator, RunSensor, RunTrigger):
        monkeypatch.setattr(owner, "clock", clock)
    monkeypatch.setattr(airflow_sensor, "time", SimpleNamespace(monotonic=clock.time, sleep=clock.sleep))
    monkeypatch.setattr(airflow_sensor, "timezone", SimpleNamespace(utcnow=emulator.clock.now))
    monkeypatch.setattr(task_states, "ANSWER_TIMEOUT", 0.2)
    for conn_id, connection in connections(emulator.url).items():
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", json.dumps(connection))
    return clock


def play(emulator: Emulator, clock: ScriptedClock, scene: Scene, *, denied: set[str]) -> set[str]:
    """Play a scene as a user who lacks permissions; the operations that were asked for."""
    _reset(emulator, clock, scene)
    stage = Stage(scene.under_test(emulator), scene.mode, clock)
    emulator.credentials.revoke(*denied)
    try:
        scene.play(stage)
    finally:
        emulator.credentials.grant(*denied)
        stage.forget_workflows()
    return called(emulator)


def _reset(emulator: Emulator, clock: ScriptedClock, scene: Scene) -> None:
    random.seed(1)
    clock.clear()
    emulator.faults.clear()
    emulator.limits.clear()
    emulator.journal.clear()
    for name, value in {**_DEFAULTS, **scene.under_test.profiles["usual"]}.items():
        if getattr(emulator.switches, name) != value:
            setattr(emulator.switches, name, value)


def documented(scene: Scene) -> tuple[Need, set[str]]:
    """The row of a scene, and the operations that it lists for what the scene does."""
    need = table.need(scene.service, scene.name)
    if scene.when and scene.when not in need.more:
        return need, set(need.operations)
    parts = [
        need.more[part] for part in (scene.when, *scene.given, *ON_THE_WAY.get(scene.when, ())) if part in need.more
    ]
    beside = table.need("modelarts", BESIDE[scene.name]).always if scene.name in BESIDE else ()
    return need, {*need.always, *beside, *(operation for part in parts for operation in part)}


def every_permission() -> set[str]:
    return {each for known in table.permissions().values() for each in known.values() if each is not None}


@each_scene
def test_calls_what_is_documented_and_needs_no_more(emulator: Emulator, clock: ScriptedClock, scene: Scene) -> None:
    need, operations = documented(scene)
    allowed = set(table.actions(scene.service, operations))
    asked = play(emulator, clock, scene, denied=every_permission() - allowed)
    assert asked - operations == set(), "is called, and is not in the table"
    expected = {*(need.always if scene.is_plain else ()), *need.more.get(scene.when, ())}
    assert expected - asked == set(), "is in the table, and is not called"
    if not scene.when and scene.name not in BESIDE:
        assert asked == set(need.always)


def _denials() -> Iterator[Any]:
    for scene in SCENES:
        need, _ = documented(scene)
        always = set(table.actions(scene.service, need.always))
        further = set(table.actions(scene.service, need.more.get(scene.when, ())))
        for permission in sorted((always if scene.is_plain else set()) | (further - always)):
            yield pytest.param(scene, permission, id=f"{scene.id}-{permission}")


@pytest.mark.parametrize(("scene", "permission"), list(_denials()))
def test_without_one_of_them_something_is_missing(
    emulator: Emulator, clock: ScriptedClock, scene: Scene, permission: str
) -> None:
    try:
        play(emulator, clock, scene, denied={permission})
    except Exception:
        refused = [entry for entry in emulator.journal.entries if entry.status == 403]
        assert refused != [], f"what went wrong is not that {permission} was denied"
        return
    pytest.fail(f"nothing is missing without {permission}, so it is not needed")


def test_every_part_of_the_table_is_played() -> None:
    played = {(scene.service, scene.name, scene.when) for scene in SCENES}
    for service, needs in table.NEEDS.items():
        for need in needs:
            assert [when for when in need.more if (service, need.name, when) not in played] == [], need.name
            plain = [each for each in SCENES if (each.service, each.name) == (service, need.name) and each.is_plain]
            assert plain != [], need.name


def test_every_operator_and_sensor_is_in_the_table() -> None:
    named = [need.name for needs in table.NEEDS.values() for need in needs]
    assert sorted(each for each in named if each.isidentifier()) == sorted(report.public_classes())


def test_the_page_is_up_to_date() -> None:
    page = report.PAGE.read_text(encoding="utf-8")
    assert report.written(page) == page, "run: python -m tests.permissions.report"


def test_the_policies_can_be_pasted() -> None:
    blocks = re.findall(r"```json\n(.*?)```", report.PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) > 20
    for policy in map(json.loads, blocks):
        (statement,) = policy["Statement"]
        assert statement["Effect"] == "Allow"
        kinds = {action.partition(":")[0] for action in statement["Action"]}
        if kinds == {"paiflow"}:
            assert (policy["Version"], statement["Resource"]) == ("1", "*")
        else:
            assert kinds <= {"modelarts", "cms", "iam", "obs"}
            assert (policy["Version"], set(statement)) == ("1.1", {"Effect", "Action"})
