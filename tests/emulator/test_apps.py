from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.emulator.test_services import create as deploy
from tests.emulator.test_workflows import NOBODY, code_of

if TYPE_CHECKING:
    import httpx

    from airflow_provider_mlworkflows.emulator import Emulator
    from tests.emulator.signing import Caller

APPS = "/app-auth/apps"


def asked(answer: httpx.Response, status: int = 200) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    body: dict[str, Any] = answer.json()
    return body


def create(caller: Caller, name: str = "app_13e0", **fields: Any) -> dict[str, Any]:
    app: dict[str, Any] = asked(caller.first("POST", APPS, {"app_name": name, **fields}))["app"]
    return app


def show(caller: Caller, key: str) -> dict[str, Any]:
    app: dict[str, Any] = asked(caller.first("GET", f"{APPS}/{key}"))["app"]
    return app


def names(caller: Caller, **params: Any) -> list[str]:
    return [app["app_name"] for app in asked(caller.first("GET", APPS, params=params))["apps"]]


class TestApps:
    def test_create_and_show(self, emu: Emulator, caller: Caller) -> None:
        app = create(caller, app_remark="ds")
        assert (app["app_name"], app["app_remark"], app["app_type"]) == ("app_13e0", "ds", "APIG")
        assert (app["project_id"], app["bounded_api_count"]) == (caller.project_id, 0)
        assert len(app["app_codes"]) == 1
        assert app["created_at"] == app["updated_at"] == int(emu.clock.now().timestamp() * 1000)
        assert show(caller, app["app_id"]) == app
        assert emu.journal.count("CreateApigApp", app_id=app["app_id"], effective=True) == 1

    @pytest.mark.parametrize(
        "body", [{}, {"app_name": ""}, {"app_name": "x", "app_remark": "r" * 201}, {"app_name": 5}], ids=str
    )
    def test_malformed(self, caller: Caller, body: dict[str, Any]) -> None:
        assert code_of(caller.first("POST", APPS, body)) == (400, "ModelArts.0104")

    def test_names_are_unique_in_a_workspace(self, caller: Caller) -> None:
        create(caller)
        assert code_of(caller.first("POST", APPS, {"app_name": "app_13e0"})) == (400, "ModelArts.0103")
        create(caller, workspace_id="7")

    def test_quota(self, emu: Emulator, caller: Caller) -> None:
        emu.switches.app_quota = 2
        create(caller)
        assert code_of(caller.first("POST", APPS, {"app_name": "third"})) == (400, "ModelArts.0116")

    def test_exists(self, caller: Caller) -> None:
        create(caller)

        def exists(name: str, **params: str) -> bool:
            return bool(asked(caller.first("GET", f"{APPS}/{name}/exists", params=params))["exists"])

        assert exists("app_13e0")
        assert not exists("app")
        assert not exists("app_13e0", workspace_id="7")

    def test_delete(self, caller: Caller) -> None:
        key = create(caller)["app_id"]
        assert caller.first("DELETE", f"{APPS}/{key}").status_code == 204
        for method in ("GET", "DELETE"):
            assert code_of(caller.first(method, f"{APPS}/{key}")) == (404, "ModelArts.0102")

    def test_another_workspace(self, caller: Caller) -> None:
        path = f"{APPS}/{create(caller, workspace_id='7')['app_id']}"
        assert code_of(caller.first("GET", path, params={"workspace_id": "0"})) == (404, "ModelArts.0102")
        assert asked(caller.first("GET", path, params={"workspace_id": "7"}))["app"]["app_name"] == "app_13e0"


class TestSecrets:
    def test_another_secret(self, emu: Emulator, caller: Caller) -> None:
        before = create(caller)
        emu.clock.advance(1)
        path = f"{APPS}/{before['app_id']}/app-secret"
        after = asked(caller.first("PUT", path, {"app_name": "app_13e0"}))["app"]
        assert after["app_secret"] != before["app_secret"]
        assert after["updated_at"] == before["updated_at"] + 1000
        assert code_of(caller.first("PUT", path, {"app_remark": "r" * 201})) == (400, "ModelArts.0104")
        assert asked(caller.first("PUT", path))["app"]["app_key"] == before["app_key"]

    def test_codes(self, caller: Caller) -> None:
        app = create(caller)
        codes = f"{APPS}/{app['app_id']}/app-code"
        first, second = asked(caller.first("POST", codes, {}))["app"]["app_codes"]
        assert first == app["app_codes"][0]
        assert len(second) == 64
        changed = asked(caller.first("PUT", f"{codes}/{first}", {}))["app"]["app_codes"]
        assert (changed[0] != first, changed[1]) == (True, second)
        assert asked(caller.first("DELETE", f"{codes}/{second}"))["app"]["app_codes"] == changed[:1]
        for method, body in (("PUT", {}), ("DELETE", None)):
            assert code_of(caller.first(method, f"{codes}/{second}", body)) == (404, "ModelArts.0102")

    def test_apps_without_codes(self, emu: Emulator, caller: Caller) -> None:
        key = emu.modelarts.apps.add("roma", type="APIC").app_id
        assert show(caller, key)["app_codes"] == []
        assert code_of(caller.first("POST", f"{APPS}/{key}/app-code", {})) == (400, "ModelArts.0104")

    def test_lists_hide_secrets_if_asked_to(self, caller: Caller) -> None:
        app = create(caller)

        def secrets(**params: str) -> list[str]:
            return [each["app_secret"] for each in asked(caller.first("GET", APPS, params=params))["apps"]]

        assert app["app_secret"] in secrets()
        assert set(secrets(iphertext_enabled="false")) == {"******"}
        chosen = secrets(iphertext_enabled="true", app_ids=app["app_id"])
        assert sorted(chosen) == sorted(["******", app["app_secret"]])
        bad = caller.first("GET", APPS, params={"iphertext_enabled": "maybe"})
        assert code_of(bad) == (400, "ModelArts.0104")


class TestList:
    @pytest.fixture(autouse=True)
    def three(self, emu: Emulator, caller: Caller) -> None:
        emu.modelarts.apps.remove("my-app")
        for name, workspace in (("beta", "0"), ("alpha", "0"), ("alphabet", "7")):
            create(caller, name, workspace_id=workspace)
            emu.clock.advance(1)

    @pytest.mark.parametrize(
        ("params", "found"),
        [
            ({}, ["alpha", "alphabet", "beta"]),
            ({"order": "desc"}, ["beta", "alphabet", "alpha"]),
            ({"sort_by": "created_at"}, ["beta", "alpha", "alphabet"]),
            ({"sort_by": "updated_at", "order": "desc"}, ["alphabet", "alpha", "beta"]),
            ({"app_name": "alpha"}, ["alpha", "alphabet"]),
            ({"workspace_id": "0"}, ["alpha", "beta"]),
            ({"limit": "2"}, ["alpha", "alphabet"]),
            ({"limit": "2", "offset": "1"}, ["beta"]),
        ],
        ids=str,
    )
    def test_filters_and_pages(self, caller: Caller, params: dict[str, str], found: list[str]) -> None:
        assert names(caller, **params) == found

    def test_counts(self, caller: Caller) -> None:
        body = asked(caller.first("GET", APPS, params={"limit": "2"}))
        assert (body["count"], body["total_count"]) == (2, 3)

    @pytest.mark.parametrize("params", [{"sort_by": "name"}, {"order": "up"}, {"limit": "0"}], ids=str)
    def test_refusals(self, caller: Caller, params: dict[str, str]) -> None:
        assert code_of(caller.first("GET", APPS, params=params)) == (400, "ModelArts.0104")


@pytest.fixture
def service(caller: Caller) -> str:
    return deploy(caller)


@pytest.fixture
def api(caller: Caller, service: str) -> str:
    body = asked(caller.first("POST", f"/app-auth/{service}/apis", {"api_name": "infer_one"}))
    return str(body["api"]["api_id"])


@pytest.fixture
def path(service: str, api: str) -> str:
    return f"/services/{service}/app-auth-apis/{api}"


def apps(*keys: str) -> dict[str, Any]:
    return {"apps": [{"app_id": key} for key in keys]}


class TestApis:
    def test_create(self, caller: Caller, service: str) -> None:
        given = {"api_name": "one", "api_remark": "r", "auth_type": "IAM", "support_app_code": False}
        api = asked(caller.first("POST", f"/app-auth/{service}/apis", given))["api"]
        assert {name: api[name] for name in given} == given
        assert (api["api_method"], api["service_id"], api["service_name"]) == ("ANY", service, "mnist")
        assert api["predict_url"].startswith("https://")
        assert code_of(caller.first("POST", f"/app-auth/{service}/apis", given)) == (400, "ModelArts.0103")

    @pytest.mark.parametrize(
        "body",
        [{"api_name": "1a"}, {"api_name": "ab"}, {"api_method": "GOT"}, {"api_remark": "r" * 256}, {"auth_type": "X"}],
        ids=lambda body: str(body)[:40],
    )
    def test_malformed(self, emu: Emulator, caller: Caller, service: str, body: dict[str, Any]) -> None:
        assert code_of(caller.first("POST", f"/app-auth/{service}/apis", body)) == (400, "ModelArts.0104")
        assert emu.modelarts.apps.apis == {}

    def test_go_with_their_service(self, emu: Emulator, caller: Caller, service: str, path: str) -> None:
        key = create(caller)["app_id"]
        caller.first("POST", f"{path}/app-auth-api", apps(key))
        assert show(caller, key)["bounded_api_count"] == 1
        caller.first("DELETE", f"/services/{service}")
        emu.clock.advance(10)
        assert show(caller, key)["bounded_api_count"] == 0
        assert code_of(caller.first("DELETE", path)) == (404, "ModelArts.3502")

    def test_delete(self, caller: Caller, path: str) -> None:
        assert caller.first("DELETE", path).status_code == 204
        assert code_of(caller.first("DELETE", path)) == (404, "ModelArts.0102")

    def test_unknown_service(self, caller: Caller) -> None:
        assert code_of(caller.first("POST", f"/app-auth/{NOBODY}/apis", {})) == (404, "ModelArts.3502")
        answer = caller.first("POST", f"/services/{NOBODY}/app-auth-api", apps("x"))
        assert code_of(answer) == (404, "ModelArts.3502")

    def test_of_an_app(self, emu: Emulator, caller: Caller) -> None:
        key = create(caller)["app_id"]
        for name in ("mnist", "fashion", "mnist-2"):
            service = deploy(caller, service_name=name)
            asked(caller.first("POST", f"/services/{service}/app-auth-api", apps(key)))

        def found(**params: str) -> list[str]:
            answer = caller.first("GET", f"{APPS}/{key}/auth-apis", params=params)
            return sorted(api["service_name"] for api in asked(answer)["apis"])

        assert found() == ["fashion", "mnist", "mnist-2"]
        assert found(service_name="mnist") == ["mnist", "mnist-2"]
        body = asked(caller.first("GET", f"{APPS}/{key}/auth-apis", params={"limit": "2", "offset": "1"}))
        assert (body["count"], body["total_count"], len(body["apis"])) == (1, 3, 1)
        assert code_of(caller.first("GET", f"{APPS}/{NOBODY}/auth-apis")) == (404, "ModelArts.0102")
        bad = caller.first("GET", f"{APPS}/{key}/auth-apis", params={"sort_by": "x"})
        assert code_of(bad) == (400, "ModelArts.0104")


class TestAuthorizations:
    def test_some_fail(self, emu: Emulator, caller: Caller, path: str) -> None:
        good = create(caller, "good")["app_id"]
        bad = create(caller, "bad")["app_id"]
        foreign = emu.modelarts.apps.add("foreign", user_id="somebody").app_id
        emu.modelarts.apps.get("bad").refusal = "the gateway is busy"
        answer = caller.first("POST", f"{path}/app-auth-api", apps(good, bad, foreign, NOBODY))
        results = {each["app_id"]: each for each in asked(answer)["auth_result"]}
        assert [results[key]["success"] for key in (good, bad, foreign, NOBODY)] == [True, False, False, False]
        assert (results[bad]["reason"], results[bad]["auth_id"]) == ("the gateway is busy", "")
        assert results[good]["auth_id"]
        assert results[good]["reason"] == ""
        again = asked(caller.first("POST", f"{path}/app-auth-api", apps(good)))["auth_result"]
        assert again[0]["reason"] == "the app is authorized already"
        assert emu.journal.count("AuthorizeApiToApigApps", effective=True) == 1

    def test_at_once_with_an_api(self, caller: Caller, service: str) -> None:
        key = create(caller)["app_id"]
        body = asked(caller.first("POST", f"/services/{service}/app-auth-api", apps(key, NOBODY)))
        assert [each["success"] for each in body["auth_result"]] == [True, False]
        assert body["api"]["api_name"] == f"infer_{service.replace('-', '')}"
        assert body["api"]["auth_type"] == "APP"
        answer = caller.first("POST", f"/services/{service}/app-auth-api", apps(key))
        assert code_of(answer) == (400, "ModelArts.0103")

    def test_list(self, caller: Caller, path: str) -> None:
        key = create(caller, "app-two")["app_id"]
        caller.first("POST", f"{path}/app-auth-api", apps(key))

        def found(**params: str) -> dict[str, bool]:
            body = asked(caller.first("GET", f"{path}/api-auths", params=params))
            return {each["app"]["app_name"]: each["authed"] for each in body["auths"]}

        assert found() == {"app-two": True, "my-app": False}
        assert list(found(order="desc")) == ["my-app", "app-two"]
        assert found(show_only="AUTH") == {"app-two": True}
        assert found(show_only="UNAUTH") == {"my-app": False}
        assert found(app_name="two") == {"app-two": True}
        assert found(limit="1", offset="1") == {"my-app": False}
        assert found(workspace_id="7") == {}
        bad = caller.first("GET", f"{path}/api-auths", params={"show_only": "BOTH"})
        assert code_of(bad) == (400, "ModelArts.0104")

    def test_revoke(self, emu: Emulator, caller: Caller, path: str) -> None:
        key = create(caller)["app_id"]
        caller.first("POST", f"{path}/app-auth-api", apps(key))
        results = asked(caller.first("DELETE", f"{path}/app-auth-api", apps(key, NOBODY)))["unauth_result"]
        assert [each["success"] for each in results] == [True, False]
        assert show(caller, key)["bounded_api_count"] == 0
        asked(caller.first("DELETE", f"{path}/app-auth-api", apps(key)))
        assert emu.journal.count("DeleteApiAppAuth", effective=True) == 1

    def test_deleted_apps_are_not_authorized(self, emu: Emulator, caller: Caller, path: str, api: str) -> None:
        key = create(caller)["app_id"]
        caller.first("POST", f"{path}/app-auth-api", apps(key))
        caller.first("DELETE", f"{APPS}/{key}")
        assert emu.modelarts.apps.apis[api].auths == {}

    @pytest.mark.parametrize("body", [{}, {"apps": []}, {"apps": [{}]}, {"apps": ["x"]}], ids=str)
    @pytest.mark.parametrize("method", ["POST", "DELETE"])
    def test_malformed(self, caller: Caller, path: str, method: str, body: dict[str, Any]) -> None:
        assert code_of(caller.first(method, f"{path}/app-auth-api", body)) == (400, "ModelArts.0104")

    def test_apis_of_another_kind(self, caller: Caller, service: str) -> None:
        given = {"api_name": "open", "auth_type": "NONE"}
        api = asked(caller.first("POST", f"/app-auth/{service}/apis", given))["api"]["api_id"]
        answer = caller.first("POST", f"/services/{service}/app-auth-apis/{api}/app-auth-api", apps("x"))
        assert code_of(answer) == (400, "ModelArts.0104")

    def test_unknown(self, caller: Caller, service: str) -> None:
        nowhere = f"/services/{service}/app-auth-apis/{NOBODY}"
        assert code_of(caller.first("POST", f"{nowhere}/app-auth-api", apps("x"))) == (404, "ModelArts.0102")
        assert code_of(caller.first("GET", f"{nowhere}/api-auths")) == (400, "ModelArts.0102")
        other = f"/services/{NOBODY}/app-auth-apis/{NOBODY}"
        assert code_of(caller.first("GET", f"{other}/api-auths")) == (400, "ModelArts.3502")


def test_steering_from_another_process(emu: Emulator, caller: Caller) -> None:
    url = f"{emu.url}/_emulator"
    added = caller.http.post(f"{url}/apps", json={"name": "other"})
    key = added.json()["app_id"]
    secret = emu.modelarts.apps.get("other").secret
    assert caller.http.put(f"{url}/apps/other", json={"refusal": "no"}).json()["refusal"] == "no"
    assert emu.modelarts.apps.get(key).refusal == "no"
    state = caller.http.get(f"{url}/state")
    assert [each["app_name"] for each in state.json()["modelarts"]["apps"]] == ["my-app", "other"]
    assert secret not in added.text + state.text
    assert caller.http.delete(f"{url}/apps/{key}").status_code == 200
    assert caller.http.put(f"{url}/apps/other", json={"refusal": ""}).status_code == 404
