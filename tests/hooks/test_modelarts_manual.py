"""The hook and the manual: each piece of it is in the table, and each method in the table sends what it says."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from airflow_provider_mlworkflows.clouds.client import Client, Patience
from airflow_provider_mlworkflows.clouds.huawei.credentials import AccessKey, HuaweiAccount
from airflow_provider_mlworkflows.clouds.huawei.errors import read_refusal
from airflow_provider_mlworkflows.clouds.huawei.modelarts import ModelArtsApi
from airflow_provider_mlworkflows.clouds.issued import Fixed
from airflow_provider_mlworkflows.clouds.operation import Listing, Operation, Request
from airflow_provider_mlworkflows.clouds.replies import Service
from airflow_provider_mlworkflows.exceptions import BadRequestError
from airflow_provider_mlworkflows.hooks import modelarts_base as hook_module
from airflow_provider_mlworkflows.hooks.modelarts import ModelArtsHook
from tests.clouds.support import FakeClock, ScriptedNetwork, json_reply, network

PAGE = Path(__file__).parents[2] / "docs" / "modelarts.md"
W = "0b9a6a52-6d1b-4d5c-8a43-9a6b1e5f7c21"
D = "9d0f2c4b-1c35-4f0a-9a53-2b6f0f8f5a11"
MODEL = {"model_id": "m", "specification": "f", "instance_count": 1}

# The endpoints that the manual's pieces are about, and how many pieces each has.
PIECES = {
    "GET /v1/{project_id}/clusters": 3,
    "GET /v2/{project_id}/training-jobs/autosearch/yaml-templates": 2,
    "POST /v1/{project_id}/notebooks/{notebook_id}/tags/create": 2,
    "GET /v1/{project_id}/app-auth/apps": 3,
    "GET /v2/{project_id}/pools/{pool_name}/nodes": 3,
    "GET /v1/{project_id}/app-auth/apps/{app_id}/auth-apis": 3,
    "POST /v1/{project_id}/services": 1,
    "POST /v2/{project_id}/workflows/service/auth": 2,
    "GET /v2/{project_id}/workflows/{workflow_id}/schedules/{schedule_id}": 1,
    "PUT /v2/{project_id}/workflows/{workflow_id}/schedules/{schedule_id}": 2,
    "GET /v2/{project_id}/workflows/todolist": 2,
    "GET /v1/{project_id}/services/{service_id}/app-auth-apis/{api_id}/api-auths": 3,
    "GET /v2/{project_id}/workflows": 2,
    "GET /v2/{project_id}/pools/{pool_name}": 1,
}

# What to call the methods of the table with, where they need something.
ARGUMENTS: dict[str, tuple[Any, ...]] = {
    "app_exists": ("n",),
    "authorize_api": ("s", "a", ["i"]),
    "create_api": ("s",),
    "create_app": ("n",),
    "create_app_code": ("i",),
    "create_authorized_api": ("s", ["i"]),
    "create_notebook_tags": ("n", {"k": "v"}),
    "create_schedule": (W, "0 0 12 * * ?"),
    "create_service": ("n", [MODEL]),
    "create_service_v2": ("n", [], {}),
    "create_subscription": (W, ["urn"]),
    "delete_api": ("s", "a"),
    "delete_app": ("i",),
    "delete_app_code": ("i", "c"),
    "delete_notebook_tags": ("n", ["k"]),
    "delete_schedule": (W, D),
    "delete_service": ("s",),
    "delete_subscription": (W, D),
    "find_services_by_name": ("n",),
    "iter_api_authorizations": ("s", "a"),
    "iter_app_apis": ("i",),
    "iter_pool_nodes": ("p",),
    "list_api_authorizations": ("s", "a"),
    "list_app_apis": ("i",),
    "list_pool_nodes": ("p",),
    "list_schedules": (W,),
    "read_cluster": ("c",),
    "read_pool": ("p",),
    "read_service": ("s",),
    "read_service_v2": ("s",),
    "reset_app_code": ("i", "c"),
    "reset_app_secret": ("i",),
    "revoke_api_authorization": ("s", "a", ["i"]),
    "show_app": ("i",),
    "show_pool": ("p",),
    "show_schedule": (W, D),
    "show_service": ("s",),
    "show_service_v2": ("s",),
    "show_subscription": (W, D),
    "show_yaml_template": ("hpo", "TPE"),
    "update_schedule": (W, D),
    "update_service": ("s",),
    "update_subscription": (W, D, ["urn"]),
}
KEYWORDS: dict[str, dict[str, Any]] = {"update_service": {"status": "running"}}


class Row(NamedTuple):
    """A line of one of the tables."""

    number: str
    endpoint: str
    methods: list[str]
    users: str


def rows() -> list[Row]:
    """The lines that name an endpoint; those of the second table have no number."""
    found = []
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        for place, cell in enumerate(cells):
            if endpoint := re.fullmatch(r"(GET|POST|PUT|DELETE) `(/\S+)`", cell):
                number = cells[0] if place else ""
                methods = re.findall(r"`(\w+)`", cells[place + 1])
                found.append(Row(number, f"{endpoint[1]} {endpoint[2]}", methods, cells[place + 2]))
    return found


ROWS = rows()


class EndpointApi(ModelArtsApi):
    """Answers so little that every question is asked, and keeps where."""

    def __init__(self) -> None:
        self.endpoints: list[str] = []

    def send(self, request: Request[Any]) -> Any:
        self.endpoints.append(f"{request.method} {request.path}")
        return request.read(ANSWER)

    async def asend(self, request: Request[Any]) -> Any:
        return self.send(request)


# One object with what each operation of the tables promises.
ANSWER = (
    b'{"clusters":[],"apps":[],"apis":[],"auths":[],"services":[],"items":[],"schedules":[],"tags":[],'
    b'"yaml_templates":[],"search_algo_list":[],"content":null,"metadata":{},"result":"available","exists":true,'
    b'"app":{"app_id":"i"},"api":{"api_id":"a"},"auth_result":[],"unauth_result":[],"service_id":"s","id":"s",'
    b'"uuid":"u","subscription_id":"u"}'
)


class TestTable:
    def test_every_piece_of_the_manual_has_a_line(self) -> None:
        numbered = [row for row in ROWS if row.number]

        assert [row.number for row in numbered] == [str(number + 1) for number in range(sum(PIECES.values()))]
        assert {row.endpoint for row in numbered} == PIECES.keys()
        for endpoint, pieces in PIECES.items():
            assert len([row for row in numbered if row.endpoint == endpoint]) == pieces, endpoint

    def test_no_endpoint_is_in_both_tables(self) -> None:
        others = [row.endpoint for row in ROWS if not row.number]

        assert len(others) == len(set(others))
        assert set(others) & PIECES.keys() == set()

    @pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.number} {row.endpoint}")
    def test_each_method_is_there_and_asks_that_endpoint(self, row: Row) -> None:
        assert row.methods
        for name in row.methods:
            assert isinstance(getattr(ModelArtsHook, name), Operation | Listing), name
            api = EndpointApi()
            answer = getattr(api, name)(*ARGUMENTS.get(name, ()), **KEYWORDS.get(name, {}))
            if name.startswith("iter_"):
                assert list(answer) == []
            assert row.endpoint in api.endpoints, name

    def test_lines_without_users_say_so(self) -> None:
        assert [row.endpoint for row in ROWS if not re.fullmatch(r"-|`\w+`(, `\w+`)*", row.users)] == []

    def test_every_operation_beside_workflows_has_a_line(self) -> None:
        named = {name for row in ROWS for name in row.methods}
        areas = [
            base for base in ModelArtsApi.__mro__[1:] if base.__module__.startswith("airflow_provider_mlworkflows")
        ]
        offered = {
            name for area in areas for name, value in vars(area).items() if isinstance(value, Operation | Listing)
        }

        assert len(offered) > 40
        assert offered - named == set()


CODE = "c0de-0011223344556677"
APP = {"app": {"app_id": "i", "app_codes": [CODE]}}


def hook_on(wire: ScriptedNetwork) -> ModelArtsHook:
    """A hook whose client is there already."""
    clock = FakeClock()
    account = HuaweiAccount(
        Fixed(AccessKey("AKEXAMPLE0001", "sk-do-not-tell")),
        region="cn-north-4",
        project_id="0123456789abcdef0123456789abcdef",
        iam_endpoint="https://iam.example.com",
        clock=clock,
    )
    service = Service("ModelArts", "https://modelarts.example.com", read_refusal)
    hook = ModelArtsHook()
    hook.__dict__["client"] = Client(service, account, connectivity=wire, patience=Patience(attempts=1), clock=clock)
    return hook


@pytest.fixture
def masked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What Airflow is asked to mask."""
    texts: list[str] = []

    async def amask(text: str) -> None:
        texts.append(text)

    monkeypatch.setattr(hook_module, "mask_secret", texts.append)
    monkeypatch.setattr(hook_module, "amask_secret", amask)
    return texts


@pytest.mark.parametrize("blocking", [True, False], ids=["blocking", "async"])
class TestSecrets:
    def test_a_code_in_an_address_is_masked_in_all_logs(self, blocking: bool, masked: list[str]) -> None:
        hook = hook_on(network(json_reply(APP)))

        call = hook.delete_app_code
        app = call("i", CODE) if blocking else asyncio.run(call.aio("i", CODE))

        assert masked == [CODE]
        assert app.app_codes[0].get_secret_value() == CODE
        assert CODE not in repr(app)

    def test_an_error_does_not_tell_it(self, blocking: bool, masked: list[str]) -> None:
        hook = hook_on(network(json_reply({"error_code": "ModelArts.0101", "error_msg": CODE}, status=400)))
        call = hook.delete_app_code if blocking else lambda *args: asyncio.run(hook.delete_app_code.aio(*args))

        with pytest.raises(BadRequestError) as raised:
            call("i", CODE)

        assert CODE not in str(raised.value)
        assert masked == [CODE]

    def test_other_requests_mask_nothing(self, blocking: bool, masked: list[str]) -> None:
        hook = hook_on(network(json_reply({"service_id": "s", "status": "running"})))

        reading = hook.read_service("s") if blocking else asyncio.run(hook.read_service.aio("s"))

        assert (reading.state, masked) == ("running", [])
