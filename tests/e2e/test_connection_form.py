"""The forms of both connection types in Airflow's own UI, filled in by a browser, and the tests behind its button.

With ``MLWORKFLOWS_FORM_PICTURES=docs/images`` set, pictures of both forms are written into that folder.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_mlworkflows.emulator import credentials as published
from airflow_provider_mlworkflows.get_provider_info import get_provider_info
from tests.e2e.connections_page import PATIENCE, STANDARD, ConnectionForm, ConnectionsPage
from tests.harness.browser import browser, required_binaries

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.emulator import Emulator
    from airflow_provider_mlworkflows.emulator.credentials import AccessKey
    from tests.e2e.secrets_search import Secrets
    from tests.harness.standalone import StandaloneAirflow

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

PICTURES = os.environ.get("MLWORKFLOWS_FORM_PICTURES", "")
WRONG_SECRET = "wrongSecretThatNoPageMayShow000000000001"
MASKED = "***"
ENDED = ("success", "failed")


@dataclass(frozen=True)
class Form:
    """A connection type and how its form is filled in.

    Attributes:
        conn_type: The type.
        choices: What is chosen, by section and label.
        texts: What is typed in, the same way; ``URL`` stands for the emulator's address.
        token: The label of the field for the token of a temporary key.
        service: The service that answers a test.
        place: What the answer says about where.
    """

    conn_type: str
    choices: dict[tuple[str, str], str]
    texts: dict[tuple[str, str], str]
    token: tuple[str, str]
    service: str
    place: str

    @property
    def conn_id(self) -> str:
        """The connection that is made with it."""
        return f"filled_in_{self.conn_type}"

    @property
    def declared(self) -> dict[str, Any]:
        """What the provider says about it."""
        kinds: Any = get_provider_info()["connection-types"]
        (only,) = [kind for kind in kinds if kind["connection-type"] == self.conn_type]
        return dict(only)

    def sections(self) -> dict[str, list[dict[str, Any]]]:
        """The fields that are declared, by section."""
        found: dict[str, list[dict[str, Any]]] = {}
        for field in self.declared["conn-fields"].values():
            found.setdefault(field["schema"]["section"], []).append(field)
        return found


PLACE = "Region and authentication"
FORMS = [
    Form(
        "huawei_mlworkflows",
        {(PLACE, "Authentication"): "aksk: access key ID and secret access key"},
        {
            (PLACE, "Region"): published.REGION,
            (PLACE, "Project ID"): published.PROJECT_ID,
            ("Addresses of services", "Common address"): "URL",
            ("Addresses of services", "IAM address"): "URL",
            ("Network", "Timeout"): "20",
        },
        (PLACE, "Security token"),
        "ModelArts",
        f"in region {published.REGION}, project {published.PROJECT_ID}",
    ),
    Form(
        "alibaba_mlworkflows",
        {(PLACE, "Authentication"): "sts: a temporary AccessKey with its security token"},
        {
            (PLACE, "Region"): published.ALIBABA_REGION,
            (PLACE, "PAI workspace ID"): published.WORKSPACE_ID,
            ("Addresses of services", "PAIFlow address"): "URL",
            ("Network", "Timeout"): "20",
        },
        (PLACE, "Security token"),
        "PAIFlow",
        f"in region {published.ALIBABA_REGION}, workspace {published.WORKSPACE_ID}",
    ),
]


@pytest.fixture(scope="module")
def page(airflow: StandaloneAirflow) -> Iterator[ConnectionsPage]:
    with browser(required_binaries()) as driver:
        yield ConnectionsPage(driver, airflow.api.address)


@pytest.fixture(params=FORMS, ids=lambda form: form.conn_type)
def form(request: pytest.FixtureRequest) -> Form:
    assert isinstance(request.param, Form)
    return request.param


@pytest.fixture
def key(emulator: Emulator, secrets: Secrets) -> AccessKey:
    """A temporary key of one test, so that a wrong secret gets nobody else's blocked."""
    key = emulator.credentials.add_temporary_key(published.USER_NAME, datetime.now(UTC) + timedelta(hours=1))
    secrets.add("secret key", key.sk, WRONG_SECRET)
    assert key.security_token
    secrets.add("token", key.security_token)
    return key


@pytest.fixture
def no_connection(airflow: StandaloneAirflow, form: Form) -> Iterator[None]:
    """The form's connection is removed afterwards."""
    yield
    listed = airflow.api.call("GET", "/connections")["connections"]
    if any(each["connection_id"] == form.conn_id for each in listed):
        airflow.api.call("DELETE", f"/connections/{form.conn_id}")


def test_form_is_as_declared(page: ConnectionsPage, form: Form) -> None:
    page.open()
    drawn = page.add(form.declared["hook-name"])
    assert drawn.sections == [STANDARD, *form.sections(), "Extra Fields JSON"]
    _check_standard_fields(drawn, form)
    for section, declared in form.sections().items():
        drawn.unfold(section)
        above = ["Connection ID", "Connection Type"]
        assert list(drawn.fields()) == [*above, *(field["label"] for field in declared)]
        for field in declared:
            _check_field(drawn, field)
    if PICTURES:
        drawn.unfold(STANDARD)
        drawn.picture(Path(PICTURES, f"connection_{form.conn_type.partition('_')[0]}.png"))
    else:
        drawn.close()


def _check_standard_fields(drawn: ConnectionForm, form: Form) -> None:
    behaviour = form.declared["ui-field-behaviour"]
    labels, placeholders = behaviour["relabeling"], behaviour["placeholders"]
    shown = list(drawn.fields())
    assert shown == ["Connection ID", "Connection Type", "Description", *labels.values()]
    for name, label in labels.items():
        assert drawn.input(label).get_attribute("placeholder") == placeholders[name]
    assert drawn.input(labels["password"]).get_attribute("type") == "password"


def _check_field(drawn: ConnectionForm, field: dict[str, Any]) -> None:
    label, schema = field["label"], field["schema"]
    assert drawn.help(label) == field["description"]
    if "enum" in schema:
        assert drawn.choices(label) == [schema["values_display"][str(each or "null")] for each in schema["enum"]]
    elif schema.get("format") == "password":
        assert drawn.input(label).get_attribute("type") == "password"
    elif "boolean" not in schema["type"]:
        assert drawn.input(label).get_property("value") == str(schema.get("default", ""))


@pytest.mark.usefixtures("no_connection")
def test_connection_is_made_tested_and_never_shown(
    page: ConnectionsPage, airflow: StandaloneAirflow, emulator: Emulator, form: Form, key: AccessKey
) -> None:
    labels = form.declared["ui-field-behaviour"]["relabeling"]
    assert key.security_token
    hidden = (key.sk, key.security_token, WRONG_SECRET)
    page.open()
    filled = page.add(form.declared["hook-name"])
    filled.fill("Connection ID", form.conn_id)
    for name, value in {"login": key.ak, "password": key.sk, "port": "0"}.items():
        filled.fill(labels[name], value)
    for (section, label), choice in form.choices.items():
        filled.unfold(section)
        filled.choose(label, choice)
    for (section, label), text in {**form.texts, form.token: key.security_token}.items():
        filled.unfold(section)
        filled.fill(label, emulator.url if text == "URL" else text)
    filled.save()

    page.open()
    title, text = page.test(form.conn_id)
    assert (title, text.partition(";")[0]) == (
        "Test Connection Successful",
        f"{form.service} answers temporary access key {key.ak[:4]}… at {emulator.url} {form.place}",
    )
    _check_hidden(page, hidden)

    reopened = page.edit(form.conn_id)
    assert reopened.input(labels["password"]).get_property("value") == MASKED
    reopened.unfold(form.token[0])
    assert reopened.input(form.token[1]).get_property("value") == MASKED
    reopened.unfold("Network")
    assert reopened.input("Timeout").get_property("value") == "20"
    _check_hidden(page, hidden)
    reopened.unfold(STANDARD)
    reopened.fill(labels["password"], WRONG_SECRET)
    reopened.save()

    page.open()
    title, text = page.test(form.conn_id)
    assert title == "Test Connection Failed"
    assert "secret" in text
    _check_hidden(page, (*hidden, key.ak[:16]), within=text)
    _check_hidden(page, hidden)
    stored = airflow.api.call("GET", f"/connections/{form.conn_id}")
    assert (stored["port"], json.loads(stored["extra"])["security_token"]) == (0, MASKED)


def _check_hidden(page: ConnectionsPage, secrets: tuple[str, ...], within: str | None = None) -> None:
    text = page.contents() if within is None else within
    assert [number for number, secret in enumerate(secrets) if secret[:16] in text] == []


@pytest.mark.parametrize("right", [True, False], ids=["right_secret", "wrong_secret"])
def test_worker_tests_a_connection(
    airflow: StandaloneAirflow, emulator: Emulator, form: Form, key: AccessKey, right: bool
) -> None:
    """The other way of testing: on a worker, as the REST API offers it."""
    extras = {field["label"]: name for name, field in form.declared["conn-fields"].items()}
    extra = {extras[label]: emulator.url if text == "URL" else text for (_, label), text in form.texts.items()}
    body = {
        "connection_id": f"{form.conn_id}_{right}",
        "conn_type": form.conn_type,
        "login": key.ak,
        "password": key.sk if right else WRONG_SECRET,
        "extra": json.dumps({**extra, "timeout": 20, "security_token": key.security_token}),
    }
    token = airflow.api.call("POST", "/connections/enqueue-test", json=body)["token"]

    def look() -> dict[str, Any] | None:
        headers = {"Airflow-Connection-Test-Token": token}
        found: dict[str, Any] = airflow.api.call("GET", "/connections/enqueue-test", headers=headers)
        return found if found["state"] in ENDED else None

    ended = airflow.api.wait_for("end of the test", look, PATIENCE)
    message = ended["result_message"]
    assert (ended["state"], f"{form.service} answers" in message) == (("success", True) if right else ("failed", False))
    assert ("secret" in message) is not right
    assert [secret for secret in (key.sk, WRONG_SECRET, key.security_token) if secret and secret[:16] in message] == []
