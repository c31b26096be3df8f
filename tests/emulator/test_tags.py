from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_mlworkflows.emulator.modelarts import ready
from tests.emulator.test_workflows import NOBODY, code_of

if TYPE_CHECKING:
    import httpx

    from airflow_provider_mlworkflows.emulator import Emulator
    from tests.emulator.signing import Caller


def tag(caller: Caller, tags: Any, key: str = ready.NOTEBOOK, **params: Any) -> httpx.Response:
    return caller.first("POST", f"/notebooks/{key}/tags/create", {"tags": tags}, params=params)


def untag(caller: Caller, tags: Any, key: str = ready.NOTEBOOK, **params: Any) -> httpx.Response:
    return caller.first("DELETE", f"/notebooks/{key}/tags/delete", {"tags": tags}, params=params)


def in_use(caller: Caller, **params: Any) -> dict[str, list[str]]:
    answer = caller.first("GET", "/notebooks/tags", params=params)
    assert answer.status_code == 200, answer.text
    return {each["key"]: each["values"] for each in answer.json()["tags"]}


def one(**values: str) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in values.items()]


def test_create(emu: Emulator, caller: Caller) -> None:
    answer = tag(caller, one(test="service-gpu", model_version="0.1"))
    assert (answer.status_code, answer.content) == (204, b"")
    assert in_use(caller) == {"team": ["vision"], "test": ["service-gpu"], "model_version": ["0.1"]}
    tag(caller, one(test="other"))
    assert in_use(caller)["test"] == ["other"]
    assert emu.journal.count("CreateNotebookTags", notebook_id=ready.NOTEBOOK, effective=True) == 2


def test_delete(emu: Emulator, caller: Caller) -> None:
    tag(caller, one(a="1", b="2"))
    assert untag(caller, [{"key": "a"}, {"key": "unknown"}]).status_code == 204
    assert untag(caller, one(b="3")).status_code == 204
    assert in_use(caller) == {"team": ["vision"], "b": ["2"]}
    assert emu.journal.count("DeleteNotebookTags", effective=True) == 1
    assert untag(caller, one(b="2")).status_code == 204
    assert in_use(caller) == {"team": ["vision"]}


def test_values_of_several_notebooks(emu: Emulator, caller: Caller) -> None:
    emu.modelarts.notebooks.add("second", tags={"team": "speech"})
    emu.modelarts.notebooks.add("third", workspace_id="7", tags={"team": "vision"})
    assert in_use(caller) == {"team": ["vision", "speech"]}
    assert in_use(caller, workspace_id="7") == {"team": ["vision"]}
    assert in_use(caller, workspace_id="8") == {}


@pytest.mark.parametrize("change", [tag, untag])
def test_unknown_notebook(caller: Caller, change: Any) -> None:
    for key, params in ((NOBODY, {}), (ready.NOTEBOOK, {"workspace_id": "7"})):
        assert code_of(change(caller, one(a="1"), key, **params)) == (404, "ModelArts.6309")


@pytest.mark.parametrize("change", [tag, untag])
@pytest.mark.parametrize(
    "tags",
    [
        None,
        [],
        one(**{f"k{number}": "v" for number in range(11)}),
        one(a="1") * 2,
        [{"value": "1"}],
        one(**{"_sys_a": "1"}),
        one(**{" a": "1"}),
        one(**{"a?": "1"}),
        one(**{"k" * 129: "1"}),
        one(a="v" * 256),
        one(a="?"),
    ],
    ids=lambda tags: str(tags)[:60],
)
def test_refusals(emu: Emulator, caller: Caller, change: Any, tags: Any) -> None:
    assert code_of(change(caller, tags)) == (400, "ModelArts.0104")
    assert emu.modelarts.notebooks.get(ready.NOTEBOOK).tags == {"team": "vision"}


def test_a_new_tag_needs_a_value(caller: Caller) -> None:
    assert code_of(tag(caller, [{"key": "a"}])) == (400, "ModelArts.0104")


def test_steering_from_another_process(emu: Emulator, caller: Caller) -> None:
    url = f"{emu.url}/_emulator"
    key = caller.http.post(f"{url}/notebooks", json={"name": "n", "tags": {"a": "b"}}).json()["id"]
    state = caller.http.get(f"{url}/state").json()["modelarts"]["notebooks"]
    assert [(each["name"], each["tags"]) for each in state][-1] == ("n", {"a": "b"})
    assert caller.http.delete(f"{url}/notebooks/{key}").status_code == 200
    assert caller.http.delete(f"{url}/notebooks/{key}").status_code == 404
