"""Who may import whom, what a DAG file costs to parse, and what every public name owes its reader."""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import os
import pkgutil
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import airflow_provider_mlworkflows

PACKAGE = "airflow_provider_mlworkflows"
ROOT = Path(airflow_provider_mlworkflows.__file__).parent
MODULES = {
    ".".join((PACKAGE, *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__"): path
    for path in sorted(ROOT.rglob("*.py"))
    if "example_dags" not in path.parts
}
LONGEST_MODULE = 400

# Each layer may import those before it and itself. What names no layer here is a base: see BASES.
LAYERS = ("clouds", "hooks", "triggers", "operators", "sensors")
BASES = ("exceptions", "runs", "clock", "watching", "choices")
# A module of one service or cloud says so in its name or its folder's; each other one is to serve all of them.
OF_ONE = re.compile(r"(^|/)(modelarts|paiflow|obs|aom|huawei|alibaba)(?![a-z])")
STAND_APART = ("emulator", "demo")
NAME_ALL = {
    "connection_forms.py": "the forms of both clouds' connections",
    "get_provider_info.py": "what Airflow is told of each service",
}
NEUTRAL = sorted(
    name
    for path in MODULES.values()
    if (name := path.relative_to(ROOT).as_posix()).split("/")[0] not in STAND_APART
    and not OF_ONE.search(name)
    and name not in NAME_ALL
)
SERVICE_NAMES = re.compile(
    r"(?i:modelarts|paiflow|huawei|alibaba|aliyun)|(?<![A-Za-z])(?:OBS|Obs|obs|AOM|Aom|aom)(?![a-z])"
)
FIFTH_SERVICE = Path(__file__).parent / "fifth_service"
LONGEST_SERVICE = 150


def imports_of(path: Path, *, running: bool = True) -> set[str]:
    """Full names of the modules that a module imports anywhere.

    Args:
        path: the module.
        running: leave out what is imported for type checkers only.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found: set[str] = set()
    for node in _nodes(tree, running=running):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            module = node.module or ""
            found |= {full if (full := f"{module}.{name.name}") in MODULES else module for name in node.names}
    return found


def _nodes(tree: ast.AST, *, running: bool) -> Iterator[ast.AST]:
    for node in ast.iter_child_nodes(tree):
        if running and isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        yield node
        yield from _nodes(node, running=running)


def part_of(module: str) -> str:
    """First name below the package: a layer, or a module at the top."""
    return module.removeprefix(f"{PACKAGE}.").split(".")[0]


def own(imports: set[str]) -> set[str]:
    return {part_of(name) for name in imports if name.startswith(f"{PACKAGE}.")}


def modules_in(*parts: str) -> dict[str, Path]:
    return {name: path for name, path in MODULES.items() if part_of(name) in parts}


class TestImports:
    @pytest.mark.parametrize("layer", LAYERS)
    def test_point_one_way(self, layer: str) -> None:
        later = {*LAYERS[LAYERS.index(layer) + 1 :], "emulator", "cli", "demo", "policies"}
        modules = modules_in(layer)
        assert modules
        assert {
            name: own(imports_of(path)) & later for name, path in modules.items() if own(imports_of(path)) & later
        } == {}

    def test_operators_and_sensors_know_nothing_of_each_other(self) -> None:
        for layer, other in (("operators", "sensors"), ("sensors", "operators")):
            for name, path in modules_in(layer).items():
                assert other not in own(imports_of(path, running=False)), name

    @pytest.mark.parametrize("base", BASES)
    def test_bases_know_no_layer(self, base: str) -> None:
        for name, path in modules_in(base).items():
            assert own(imports_of(path)) <= set(BASES), name

    @pytest.mark.parametrize("part", ["outcomes", "links", "task_states", "services"])
    def test_helpers_of_the_upper_layers_know_none(self, part: str) -> None:
        for name, path in modules_in(part).items():
            assert not own(imports_of(path)) & {*LAYERS, "emulator"}, name

    def test_services_are_what_clouds_and_hooks_serve_not_what_they_use(self) -> None:
        for name, path in modules_in("clouds", "hooks").items():
            assert not own(imports_of(path, running=False)) & {"services", "outcomes", "links", "task_states"}, name

    def test_the_emulator_stands_apart(self) -> None:
        for name, path in modules_in("emulator").items():
            assert own(imports_of(path, running=False)) <= {"emulator"}, name
            assert not any(found.split(".")[0] in ("airflow", "httpx") for found in imports_of(path)), name

    def test_only_command_and_demo_use_the_emulator(self) -> None:
        users = {part_of(name) for name, path in MODULES.items() if "emulator" in own(imports_of(path, running=False))}
        assert users <= {"emulator", "cli", "demo"}

    def test_clouds_know_nothing_of_airflow(self) -> None:
        for name, path in modules_in("clouds").items():
            assert not any(found.split(".")[0] == "airflow" for found in imports_of(path, running=False)), name

    def test_one_module_knows_the_http_library(self) -> None:
        users = {name for name, path in MODULES.items() if "httpx" in roots(path)}
        assert users == {f"{PACKAGE}.clouds.http"}

    def test_no_other_http_library(self) -> None:
        others = {"requests", "aiohttp", "urllib3", "http.client", "urllib.request", "huaweicloudsdkcore"}
        for name, path in MODULES.items():
            if part_of(name) in (*LAYERS, *BASES, "services", "links", "outcomes", "task_states"):
                assert not (roots(path) | imports_of(path)) & others, name

    def test_the_package_itself_imports_nothing(self) -> None:
        assert imports_of(ROOT / "__init__.py") <= {"__future__"}
        assert imports_of(ROOT / "connection_forms.py") <= {"__future__"}
        assert imports_of(ROOT / "get_provider_info.py") <= {"__future__", f"{PACKAGE}.connection_forms"}


def roots(path: Path) -> set[str]:
    return {name.split(".")[0] for name in imports_of(path, running=False)}


class TestBases:
    @pytest.mark.parametrize("module", NEUTRAL)
    def test_name_no_service(self, module: str) -> None:
        lines = (ROOT / module).read_text(encoding="utf-8").splitlines()
        named = [f"{number}: {line.strip()}" for number, line in enumerate(lines, 1) if SERVICE_NAMES.search(line)]
        assert named == []

    def test_are_all_that_is_not_of_one_service(self) -> None:
        assert set(NEUTRAL) >= {"policies.py", "operators/unmarked.py", "triggers/hub.py", "clouds/secrecy.py"}
        assert not set(NEUTRAL) & {"hooks/obs_batches.py", "clouds/huawei/errors.py", "services/paiflow.py"}

    @pytest.mark.parametrize("module", NAME_ALL)
    def test_name_services_only_where_they_have_to(self, module: str) -> None:
        assert SERVICE_NAMES.search((ROOT / module).read_text(encoding="utf-8"))

    @pytest.mark.parametrize("text", ["OBS", "obs_batches", "ObsHook", "services.aom", "PaiFlow", "HUAWEI"])
    def test_name_a_service_in_any_spelling(self, text: str) -> None:
        assert SERVICE_NAMES.search(text)

    @pytest.mark.parametrize("text", ["jobs", "observed", "obsolete", "Observation", "paid"])
    def test_may_use_words_that_only_look_like_one(self, text: str) -> None:
        assert not SERVICE_NAMES.search(text)

    def test_leave_little_to_a_service_of_its_own(self) -> None:
        modules = list(FIFTH_SERVICE.rglob("*.py"))
        assert modules
        lines = sum(len(path.read_text(encoding="utf-8").splitlines()) for path in modules)
        assert lines <= LONGEST_SERVICE

    @pytest.mark.parametrize("module", sorted(MODULES))
    def test_can_be_read_in_one_sitting(self, module: str) -> None:
        assert len(MODULES[module].read_text(encoding="utf-8").splitlines()) <= LONGEST_MODULE


PARSED = sorted(
    name for name in MODULES if part_of(name) in ("operators", "sensors", "triggers", "services", "links", "policies")
)
COUNT_WHAT_IS_LOADED = """
import importlib, json, socket, sys
from pydantic._internal._model_construction import ModelMetaclass
import airflow, airflow.sdk, airflow.sdk.bases.sensor, airflow.sdk.exceptions, airflow.triggers.base
import airflow.sdk.execution_time.xcom, airflow.sdk.execution_time.task_runner, airflow.sdk.execution_time.context
import airflow.sdk.execution_time.comms

before = set(sys.modules)
classes, looked_up = [], []
original = ModelMetaclass.__new__

def counted(kind, name, *args, **kwargs):
    classes.append(name)
    return original(kind, name, *args, **kwargs)

def refused(*args, **kwargs):
    looked_up.append(repr(args))
    raise OSError("no network at parse time")

ModelMetaclass.__new__ = counted
socket.socket.connect = socket.getaddrinfo = refused
for module in sys.argv[1:]:
    importlib.import_module(module)
loaded = sorted(set(sys.modules) - before)
print(json.dumps({"loaded": loaded, "classes": classes, "looked_up": looked_up}))
"""


def cost_of(*modules: str) -> dict[str, list[str]]:
    """What importing modules adds to a process that has Airflow."""
    command = [sys.executable, "-c", COUNT_WHAT_IS_LOADED, *modules]
    environment = {**os.environ, "PYTHONPATH": str(ROOT.parent)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, list[str]] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.fixture(scope="module")
def cost() -> dict[str, list[str]]:
    """The cost of all that a DAG file may import."""
    return cost_of(*PARSED)


class TestParsing:
    def test_loads_what_was_asked_for(self, cost: dict[str, list[str]]) -> None:
        assert set(PARSED) <= set(cost["loaded"])

    def test_loads_neither_clouds_nor_hooks_nor_the_emulator(self, cost: dict[str, list[str]]) -> None:
        heavy = [name for name in cost["loaded"] if name.startswith(f"{PACKAGE}.")]
        assert [name for name in heavy if part_of(name) in ("clouds", "hooks", "emulator", "cli", "demo")] == []
        assert not {"httpx", "pydantic"} & set(cost["loaded"])

    def test_builds_no_model(self, cost: dict[str, list[str]]) -> None:
        assert cost["classes"] == []

    def test_asks_the_network_nothing(self, cost: dict[str, list[str]]) -> None:
        assert cost["looked_up"] == []

    def test_the_count_counts(self) -> None:
        found = cost_of(f"{PACKAGE}.hooks.huawei")
        assert "HuaweiExtra" in found["classes"]
        assert f"{PACKAGE}.clouds.client" in found["loaded"]


def public_classes(*layers: str) -> list[type]:
    found = []
    for layer in layers:
        package = importlib.import_module(f"{PACKAGE}.{layer}")
        for info in pkgutil.iter_modules(package.__path__):
            module = importlib.import_module(f"{package.__name__}.{info.name}")
            found += [
                each
                for name, each in inspect.getmembers(module, inspect.isclass)
                if each.__module__ == module.__name__ and not name.startswith("_")
            ]
    return found


def own_methods(kind: type) -> dict[str, Any]:
    """What a class itself declares for its users, unwrapped."""
    found = {}
    for name, value in vars(kind).items():
        value = getattr(value, "func", None) or getattr(value, "fget", None) or value
        if not name.startswith("_") and (
            inspect.isfunction(value) or hasattr(value, "aio") or hasattr(value, "__wrapped__")
        ):
            found[name] = value
    return found


def documented(doc: str) -> set[str]:
    return set(re.findall(r":param (\w+):", doc))


def promised(kind: type) -> set[str]:
    """Arguments documented by a class or one of the bases it passes its keyword arguments to."""
    return set().union(
        *(documented(base.__doc__ or "") for base in kind.__mro__ if base.__module__.startswith(PACKAGE))
    )


def own_arguments(kind: type) -> set[str]:
    if "__init__" not in vars(kind):
        return set()
    parameters = inspect.signature(kind.__init__).parameters.values()  # type: ignore[misc]
    named = (each.name for each in parameters if each.kind is not each.VAR_KEYWORD and each.name != "self")
    return {name for name in named if not name.startswith("_")}


CLASSES = public_classes("hooks", "triggers", "operators", "sensors")
TASKS = [kind for kind in CLASSES if hasattr(kind, "template_fields")]


class TestDocumentation:
    @pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
    def test_everything_public_says_what_it_is(self, kind: type) -> None:
        assert (kind.__doc__ or "").strip()
        assert [name for name, method in own_methods(kind).items() if not (method.__doc__ or "").strip()] == []

    @pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
    def test_each_argument_of_a_constructor_is_explained(self, kind: type) -> None:
        if "__init__" in vars(kind) and not issubclass(kind, BaseException):
            assert own_arguments(kind) - documented(kind.__doc__ or "") == set()

    @pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
    def test_nothing_is_explained_that_is_not_there(self, kind: type) -> None:
        arguments = own_arguments(kind) | {"kwargs", "options", "watch"} | set(getattr(kind, "__annotations__", {}))
        assert documented(kind.__doc__ or "") - arguments == set()

    @pytest.mark.parametrize("kind", TASKS, ids=lambda kind: kind.__name__)
    def test_each_template_field_is_an_explained_argument(self, kind: Any) -> None:
        assert set(kind.template_fields) - promised(kind) == set()

    def test_there_is_something_to_check(self) -> None:
        names = {kind.__name__ for kind in CLASSES}
        assert names >= {"ModelArtsHook", "ModelArtsExecutionTrigger", "ModelArtsStartWorkflowOperator"}
        assert names >= {"ModelArtsExecutionSensor", "RunOperator", "StartOperator", "RunSensor", "RunTrigger"}
        assert {kind.__name__ for kind in TASKS} >= {"ModelArtsStartWorkflowOperator", "ModelArtsExecutionSensor"}
