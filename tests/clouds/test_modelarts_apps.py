"""Apps and their secrets: no text shows them, whatever goes wrong."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from airflow_provider_mlworkflows.clouds.client import Client, Patience
from airflow_provider_mlworkflows.clouds.http import WireReply
from airflow_provider_mlworkflows.clouds.huawei.credentials import AccessKey, HuaweiAccount
from airflow_provider_mlworkflows.clouds.huawei.errors import read_refusal
from airflow_provider_mlworkflows.clouds.huawei.modelarts import ModelArtsApi
from airflow_provider_mlworkflows.clouds.huawei.modelarts_app_models import App
from airflow_provider_mlworkflows.clouds.huawei.modelarts_secrets import (
    ConfidentialRequest,
    discreet,
    secrets_of,
)
from airflow_provider_mlworkflows.clouds.issued import Fixed
from airflow_provider_mlworkflows.clouds.operation import Request
from airflow_provider_mlworkflows.clouds.replies import Service
from airflow_provider_mlworkflows.exceptions import (
    AuthenticationError,
    BadRequestError,
    InvalidInputError,
    MLWorkflowsError,
    UnexpectedReplyError,
)
from tests.clouds.support import FakeClock, RecordingApi, ScriptedNetwork, json_reply, network

KEY, SECRET = "key-0f1e2d3c4b5a6978", "secret-8796a5b4c3d2e1f0"
CODES = ["code-000102030405060708", "code-f0e0d0c0b0a09080"]
APP = {
    "app_id": "i",
    "app_name": "caller",
    "app_key": KEY,
    "app_secret": SECRET,
    "app_codes": CODES,
    "app_type": "APIG",
    "created_at": 1683173880900,
    "bounded_api_count": 29,
}
SECRETS = (KEY, SECRET, *CODES)


def shown(value: Any) -> str:
    """All texts that somebody may make of a value without asking for a secret by its name."""
    texts = [str(value), repr(value), f"{value}", str([value]), str({"app": value})]
    if isinstance(value, App):
        texts += [str(value.model_dump()), str(value.model_dump(mode="json")), value.model_dump_json()]
        texts += [str(dict(value)), str(vars(value))]
    return "\n".join(texts)


def assert_discreet(text: str) -> None:
    assert [secret for secret in SECRETS if secret in text] == []


class TestModels:
    def test_secrets_are_told_to_who_asks_for_them_by_name(self) -> None:
        app = RecordingApi({"app": APP}).show_app("i")

        assert app.app_key is not None
        assert app.app_secret is not None
        assert app.app_key.get_secret_value() == KEY
        assert app.app_secret.get_secret_value() == SECRET
        assert [code.get_secret_value() for code in app.app_codes] == CODES
        assert (app.app_name, app.bounded_api_count) == ("caller", 29)

    @pytest.mark.parametrize(
        ("name", "args", "reply"),
        [
            ("create_app", ("n",), {"app": APP}),
            ("show_app", ("i",), {"app": APP}),
            ("reset_app_secret", ("i",), {"app": APP}),
            ("create_app_code", ("i",), {"app": APP}),
            ("reset_app_code", ("i", CODES[0]), {"app": APP}),
            ("delete_app_code", ("i", CODES[0]), {"app": APP}),
            ("list_apps", (), {"apps": [APP], "count": 1, "total_count": 1}),
            ("list_api_authorizations", ("s", "a"), {"auths": [{"app": APP, "authed": True}]}),
        ],
    )
    def test_no_answer_shows_them(self, name: str, args: tuple[Any, ...], reply: Any) -> None:
        api = RecordingApi(reply)

        answer = getattr(api, name)(*args)

        assert_discreet(shown(answer) + str(answer.model_dump()) + answer.model_dump_json())
        assert_discreet("\n".join(map(repr, api.requests)))

    def test_an_app_may_have_none(self) -> None:
        app = RecordingApi({"app": {"app_id": "i", "app_codes": None, "app_secret": None}}).show_app("i")

        assert (app.app_key, app.app_secret, app.app_codes) == (None, None, [])

    @pytest.mark.parametrize("reply", [{}, {"app": None}, {"app": []}, {"app": {}}, [], "app"])
    def test_an_answer_without_an_app_is_none(self, reply: Any) -> None:
        with pytest.raises(ValidationError):
            RecordingApi(reply).show_app("i")

    def test_existence_is_true_or_false(self) -> None:
        api = RecordingApi({"exists": True}, {"exists": False})

        assert api.app_exists("n") is True
        assert asyncio.run(api.app_exists.aio("n")) is False

    def test_a_code_may_be_given_as_it_came(self) -> None:
        api = RecordingApi({"app": APP}, {"app": APP})

        api.delete_app_code("i", SecretStr(CODES[0]))
        api.reset_app_code("i", SecretStr(CODES[1]))

        assert [request.path_params["app_code"] for request in api.requests] == CODES
        assert [secrets_of(request) for request in api.requests] == [(CODES[0],), (CODES[1],)]

    def test_a_wrong_code_is_not_told(self) -> None:
        with pytest.raises(InvalidInputError) as raised:
            RecordingApi().delete_app_code("i", [CODES[0]])  # type: ignore[arg-type]

        assert_discreet(str(raised.value))


class TestAuthorizations:
    def test_a_success_may_hold_failures(self) -> None:
        results = [
            {"app_id": "i", "success": True},
            {"app_id": "j", "success": False, "reason": "quota"},
            {"app_id": "k"},
        ]
        api = RecordingApi(
            {"auth_result": results}, {"unauth_result": results}, {"api": {"api_id": "a"}, "auth_result": results}
        )

        authorized = api.authorize_api("s", "a", ["i", "j", "k"])
        revoked = api.revoke_api_authorization("s", "a", ["i", "j", "k"])
        made = api.create_authorized_api("s", ["i", "j", "k"])

        assert [result.app_id for result in authorized.failed] == ["j", "k"]
        assert [result.reason for result in revoked.failed] == ["quota", ""]
        assert (made.api.api_id, len(made.results)) == ("a", 3)

    @pytest.mark.parametrize("name", ["authorize_api", "revoke_api_authorization"])
    def test_an_answer_without_results_is_none(self, name: str) -> None:
        with pytest.raises(ValidationError):
            getattr(RecordingApi({}), name)("s", "a", ["i"])


class WiredApi(ModelArtsApi):
    """Sends as the hook does."""

    def __init__(self, wire: ScriptedNetwork) -> None:
        clock = FakeClock()
        account = HuaweiAccount(
            Fixed(AccessKey("AKEXAMPLE0001", "sk-do-not-tell")),
            region="cn-north-4",
            project_id="0123456789abcdef0123456789abcdef",
            iam_endpoint="https://iam.example.com",
            clock=clock,
        )
        service = Service("ModelArts", "https://modelarts.example.com", read_refusal)
        self.client = Client(
            service, account, connectivity=wire, patience=Patience(attempts=3, jitter=lambda: 0.5), clock=clock
        )

    def send(self, request: Request[Any]) -> Any:
        return discreet(self.client, request).send(request)

    async def asend(self, request: Request[Any]) -> Any:
        return await discreet(self.client, request).asend(request)


def error_of(wire: ScriptedNetwork, name: str, *args: Any, blocking: bool = True) -> MLWorkflowsError:
    operation = getattr(WiredApi(wire), name)
    call = operation if blocking else lambda *given: asyncio.run(operation.aio(*given))
    with pytest.raises(MLWorkflowsError) as raised:
        call(*args)
    return raised.value


@pytest.mark.parametrize("blocking", [True, False], ids=["blocking", "async"])
class TestErrors:
    def test_a_code_in_the_address_is_not_told(self, blocking: bool) -> None:
        refused = json_reply({"error_code": "ModelArts.0101", "error_msg": f"no code {CODES[0]} here"}, status=400)
        wire = network(refused)

        error = error_of(wire, "delete_app_code", "i", CODES[0], blocking=blocking)

        assert isinstance(error, BadRequestError)
        assert "/app-auth/apps/i/app-code/***" in str(error)
        assert_discreet(str(error) + repr(error))
        assert wire.sent[0].url.endswith(f"/app-code/{CODES[0]}")

    def test_a_code_in_the_log_of_a_repetition_is_not_told(
        self, blocking: bool, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        broken = json_reply({"error_code": "ModelArts.0010", "error_msg": CODES[0]}, status=500)

        error = error_of(network(broken, broken, broken), "delete_app_code", "i", CODES[0], blocking=blocking)

        assert "trying again" in caplog.text
        assert_discreet(caplog.text + str(error))

    @pytest.mark.parametrize(
        "content",
        [
            json.dumps({"apps": {"0": APP}}),
            json.dumps({"apps": [{**APP, "app_id": None}]}),
            json.dumps({"apps": [APP]}, separators=(",", ":"))[:-2],
            f'{{"apps": [{{"app_secret": "{SECRET}',
            f'{{"apps": [{{"app_codes" : [ "{CODES[0]}", "{CODES[1]}',
        ],
    )
    def test_an_unreadable_answer_is_quoted_without_secrets(self, blocking: bool, content: str) -> None:
        error = error_of(network(WireReply(200, {}, content.encode())), "list_apps", blocking=blocking)

        assert isinstance(error, UnexpectedReplyError)
        assert "it begins" in str(error)
        assert_discreet(str(error))

    def test_what_the_identity_hides_stays_hidden(self, blocking: bool) -> None:
        refused = json_reply({"error_code": "APIG.0301", "error_msg": "for sk-do-not-tell"}, status=401)

        error = error_of(network(refused), "show_app", "i", blocking=blocking)

        assert isinstance(error, AuthenticationError)
        assert "sk-do-not-tell" not in str(error)

    def test_an_answer_comes_through(self, blocking: bool) -> None:
        api = WiredApi(network(json_reply({"app": APP})))

        app = api.show_app("i") if blocking else asyncio.run(api.show_app.aio("i"))

        assert app.app_name == "caller"


def test_other_requests_are_sent_as_ever() -> None:
    client = WiredApi(network()).client
    plain: Request[None] = Request("Plain", "GET", "/", None)
    confidential: ConfidentialRequest[None] = ConfidentialRequest("Secret", "GET", "/", None, secrets=("s",))

    assert discreet(client, plain) is client
    assert discreet(client, confidential) is not client
    assert secrets_of(plain) == ()
