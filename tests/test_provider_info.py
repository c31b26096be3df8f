from __future__ import annotations

import ast
import importlib
import inspect
import itertools
import json
import os
import re
import subprocess
import sys
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from packaging.utils import canonicalize_name

import airflow_provider_mlworkflows
from airflow_provider_mlworkflows.get_provider_info import get_provider_info

PACKAGE = "airflow_provider_mlworkflows"
PACKAGE_ROOT = Path(airflow_provider_mlworkflows.__file__).parent
KINDS = ("hooks", "operators", "sensors", "triggers")
NOT_PUBLIC = {
    "aom_batches",
    "modelarts_base",
    "modelarts_calls",
    "obs_batches",
    "paiflow_batches",
    "paiflow_logs",
    "paiflow_references",
}
"""Modules that the services' modules build on; a DAG imports nothing from them."""

CONNECTION_TYPES = {
    "huawei_mlworkflows": "huawei_conn_id",
    "alibaba_mlworkflows": "alibaba_conn_id",
}
"""Each connection type, and the argument that names a connection of it."""
EXTRA_MODELS = {
    "huawei_mlworkflows": "hooks.huawei_sources.HuaweiExtra",
    "alibaba_mlworkflows": "hooks.alibaba_sources.AlibabaExtra",
}
NOT_IN_A_FORM = {"access_key_id", "access_key_secret"}
"""For connections of other providers: in a form, login and password are there for these."""
SECRET_FIELDS = {
    "huawei_mlworkflows": {"security_token", "iam_token"},
    "alibaba_mlworkflows": {"security_token", "bearer_token"},
}
MASKED_FOR_THEIR_NAMES = {"proxy", "token_file", "oidc_token_file"}
"""No secrets as such, though the URL of a proxy may hold one; Airflow shows none of them again."""
LOGIN_LABELS = {
    "huawei_mlworkflows": ("Access key ID / user name", "Secret key / password"),
    "alibaba_mlworkflows": ("AccessKey ID", "AccessKey secret"),
}
DESCRIPTION = [PACKAGE, f"{PACKAGE}.connection_forms", f"{PACKAGE}.get_provider_info"]
"""The modules that are loaded wherever Airflow is."""

IMPORT_AIRFLOW = f"""
import airflow, json, sys
loaded = sorted(name for name in sys.modules if name.split(".")[0] == {PACKAGE!r})
print(json.dumps(loaded))
"""

DRAW_CONNECTION_FORMS = f"""
import json, sys
from airflow.api_fastapi.core_api.services.ui.connections import HookMetaService
forms = [form for form in HookMetaService.hook_meta_data() if form.connection_type == sys.argv[1]]
loaded = sorted(name for name in sys.modules if name.split(".")[0] == {PACKAGE!r})
print(json.dumps({{"forms": [form.model_dump(mode="json") for form in forms], "loaded": loaded}}))
"""

READ_MASKED_NAMES = """
import json, sys
from airflow.sdk._shared.secrets_masker import should_hide_value_for_key
print(json.dumps([name for name in json.loads(sys.argv[1]) if should_hide_value_for_key(name)]))
"""


@pytest.fixture
def info() -> dict[str, Any]:
    return get_provider_info()


@pytest.fixture(params=CONNECTION_TYPES)
def connection_type(info: dict[str, Any], request: pytest.FixtureRequest) -> dict[str, Any]:
    (only,) = [each for each in info["connection-types"] if each["connection-type"] == request.param]
    assert isinstance(only, dict)
    return only


@pytest.fixture(scope="module")
def provider_entry_point() -> EntryPoint:
    group = entry_points(group="apache_airflow_provider")
    (only,) = [found for found in group if found.value.startswith(f"{PACKAGE}.")]
    return only


def airflow_schema(name: str) -> dict[str, Any]:
    """Read a schema that Airflow ships, without importing Airflow."""
    spec = find_spec("airflow")
    assert spec is not None
    for folder in spec.submodule_search_locations or ():
        file = Path(folder, name)
        if file.is_file():
            schema: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
            return schema
    pytest.fail(f"Airflow ships no {name}")


def run_in_new_process(code: str, airflow_home: Path, *arguments: str) -> Any:
    env = {key: value for key, value in os.environ.items() if not key.startswith("AIRFLOW__")}
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        cwd=airflow_home,
        env=env | {"AIRFLOW_HOME": str(airflow_home)},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert PACKAGE not in done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_is_valid_against_the_schema_that_airflow_checks_at_start(info: dict[str, Any]) -> None:
    schema = airflow_schema("provider_info.schema.json")

    jsonschema.validate(info, schema, cls=jsonschema.Draft7Validator)


@pytest.mark.parametrize("key", ["connection-types", "extra-links", "integrations", *KINDS])
def test_is_valid_against_the_stricter_schema_of_provider_yaml(info: dict[str, Any], key: str) -> None:
    schema = airflow_schema("provider.yaml.schema.json")

    jsonschema.validate(info[key], schema["properties"][key], cls=jsonschema.Draft7Validator)


def test_each_integration_named_is_described(info: dict[str, Any]) -> None:
    described = {integration["integration-name"] for integration in info["integrations"]}

    assert {entry["integration-name"] for kind in KINDS for entry in info[kind]} == described


def test_every_connection_type_is_described(info: dict[str, Any]) -> None:
    assert {each["connection-type"] for each in info["connection-types"]} == CONNECTION_TYPES.keys()


def test_each_call_returns_data_of_its_own(info: dict[str, Any]) -> None:
    info["connection-types"].clear()

    assert get_provider_info()["connection-types"]


@pytest.mark.parametrize(
    ("module", "imports"),
    [("get_provider_info", ["__future__", f"{PACKAGE}.connection_forms"]), ("connection_forms", ["__future__"])],
)
def test_description_imports_nothing_else(module: str, imports: list[str]) -> None:
    tree = ast.parse((PACKAGE_ROOT / f"{module}.py").read_text(encoding="utf-8"))

    imported = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    assert [getattr(node, "module", None) for node in imported] == imports


def test_entry_point_is_that_of_this_distribution(info: dict[str, Any], provider_entry_point: EntryPoint) -> None:
    distribution = provider_entry_point.dist
    assert distribution is not None
    assert canonicalize_name(distribution.metadata["Name"]) == info["package-name"]
    assert distribution.version == airflow_provider_mlworkflows.__version__
    assert provider_entry_point.load()() == info


@pytest.mark.parametrize("kind", KINDS)
def test_lists_exactly_the_public_modules(info: dict[str, Any], kind: str) -> None:
    services = {file.stem for file in (PACKAGE_ROOT / "services").glob("*.py")} - {"__init__"}
    assert all((PACKAGE_ROOT / kind / f"{service}.py").is_file() for service in services)
    files = {file.stem for file in (PACKAGE_ROOT / kind).glob("*.py")}
    of_services = {name for name in files if name.partition("_")[0] in services} - NOT_PUBLIC
    found = {f"{PACKAGE}.{kind}.{name}" for name in of_services}

    assert {module for entry in info[kind] for module in entry["python-modules"]} == found


@pytest.mark.parametrize("kind", KINDS)
def test_each_module_listed_defines_a_public_class(info: dict[str, Any], kind: str) -> None:
    for entry in info[kind]:
        for path in entry["python-modules"]:
            module = importlib.import_module(path)
            classes = inspect.getmembers(module, inspect.isclass)
            assert [name for name, cls in classes if cls.__module__ == path and not name.startswith("_")]


def test_hook_agrees_with_the_declared_connection_type(connection_type: dict[str, Any]) -> None:
    from airflow.sdk import BaseHook

    hook = _resolve(connection_type["hook-class-name"])

    assert issubclass(hook, BaseHook)
    assert hook.conn_type == connection_type["connection-type"]
    assert hook.hook_name == connection_type["hook-name"]
    assert hook.default_conn_name == f"{hook.conn_type}_default"
    assert hook.conn_name_attr == CONNECTION_TYPES[hook.conn_type]
    assert hook.conn_name_attr in inspect.signature(hook).parameters


def test_hook_leaves_the_form_to_the_declaration(connection_type: dict[str, Any]) -> None:
    hook = _resolve(connection_type["hook-class-name"])

    assert "get_connection_form_widgets" not in vars(hook)
    assert "get_ui_field_behaviour" not in vars(hook)


def test_extra_links_are_link_classes(info: dict[str, Any]) -> None:
    from airflow.sdk import BaseOperatorLink

    for path in info["extra-links"]:
        assert issubclass(_resolve(path), BaseOperatorLink)


def _model_of(connection_type: dict[str, Any]) -> Any:
    return _resolve(f"{PACKAGE}.{EXTRA_MODELS[connection_type['connection-type']]}")


def test_every_extra_has_a_field_and_every_field_an_extra(connection_type: dict[str, Any]) -> None:
    fields = _model_of(connection_type).model_fields.keys()
    assert connection_type["conn-fields"].keys() == fields - NOT_IN_A_FORM


def test_what_the_hook_understands_can_be_chosen_and_nothing_else(connection_type: dict[str, Any]) -> None:
    model = _model_of(connection_type)
    for name in {"auth_type", "network"} & model.model_fields.keys():
        schema = model.model_json_schema()["properties"][name]
        (choices,) = [each["enum"] for each in schema.get("anyOf", [schema]) if "enum" in each]
        assert set(choices) == set(connection_type["conn-fields"][name]["schema"]["enum"]) - {None}


def test_each_choice_explains_itself(connection_type: dict[str, Any]) -> None:
    for field in connection_type["conn-fields"].values():
        choices = field["schema"].get("enum", [])
        assert field["schema"].get("values_display", {}).keys() == {choice or "null" for choice in choices}


def test_each_way_of_authentication_that_needs_fields_is_named_by_them(connection_type: dict[str, Any]) -> None:
    fields = connection_type["conn-fields"]
    helps = " ".join(field["description"] for field in fields.values())
    by_login = {"aksk", "ak"}
    of_the_surroundings = {"env", "default", "pod_identity"}
    ways = {way for way in fields["auth_type"]["schema"]["enum"] if way} - by_login - of_the_surroundings
    assert {way for way in ways if not re.search(rf"\b{way}\b", helps)} == set()


def test_sections_follow_one_another(connection_type: dict[str, Any]) -> None:
    """A section whose fields are scattered would not be read in the order of the declaration."""
    sections = [field["schema"]["section"] for field in connection_type["conn-fields"].values()]
    assert [title for title, _ in itertools.groupby(sections)] == list(dict.fromkeys(sections))


def test_fields_can_be_left_empty(connection_type: dict[str, Any]) -> None:
    """A field that Airflow takes for required keeps the form from being saved."""
    for name, field in connection_type["conn-fields"].items():
        assert "null" in field["schema"]["type"] or field["schema"]["default"] in field["schema"]["enum"], name


def test_each_field_explains_itself(connection_type: dict[str, Any]) -> None:
    for field in connection_type["conn-fields"].values():
        assert field["label"]
        assert field["description"].endswith(".")


def test_defaults_fit_the_fields_they_are_for(connection_type: dict[str, Any]) -> None:
    for field in connection_type["conn-fields"].values():
        default = field["schema"].get("default")
        if default is not None or "null" in field["schema"]["type"]:
            jsonschema.validate(default, field["schema"])


def test_secrets_are_password_fields_that_airflow_masks(connection_type: dict[str, Any], tmp_path: Path) -> None:
    fields = connection_type["conn-fields"]
    password_fields = {name for name, field in fields.items() if field["schema"].get("format") == "password"}

    masked = run_in_new_process(READ_MASKED_NAMES, tmp_path, json.dumps(sorted(fields)))

    secrets = SECRET_FIELDS[connection_type["connection-type"]]
    assert password_fields == secrets
    assert set(masked) == secrets | (MASKED_FOR_THEIR_NAMES & fields.keys())


def test_importing_airflow_loads_the_description_only(provider_entry_point: EntryPoint, tmp_path: Path) -> None:
    assert provider_entry_point.dist is not None

    loaded = run_in_new_process(IMPORT_AIRFLOW, tmp_path)

    assert loaded == DESCRIPTION


def test_connection_form_is_drawn_without_importing_the_hook(connection_type: dict[str, Any], tmp_path: Path) -> None:
    drawn = run_in_new_process(DRAW_CONNECTION_FORMS, tmp_path, connection_type["connection-type"])

    assert drawn["loaded"] == DESCRIPTION
    (form,) = drawn["forms"]
    assert form["hook_name"] == connection_type["hook-name"]
    assert form["hook_class_name"] == connection_type["hook-class-name"]
    standard = form["standard_fields"]
    labels = LOGIN_LABELS[connection_type["connection-type"]]
    assert (standard["login"]["title"], standard["password"]["title"]) == labels
    assert [name for name, field in standard.items() if field and field["hidden"]] == ["url_schema", "host"]
    assert "0" in standard["port"]["title"]
    assert "0" in standard["port"]["placeholder"]
    assert _labels_and_formats(form["extra_fields"]) == {
        name: (field["label"], field["schema"].get("format")) for name, field in connection_type["conn-fields"].items()
    }


def _labels_and_formats(extra_fields: dict[str, Any]) -> dict[str, tuple[str, str | None]]:
    return {name: (field["schema"]["title"], field["schema"].get("format")) for name, field in extra_fields.items()}


def _resolve(path: str) -> Any:
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(module), name)
