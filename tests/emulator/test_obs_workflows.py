from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_mlworkflows.emulator.obs import GraphDefinition, Invalid, StateDefinition
from airflow_provider_mlworkflows.emulator.obs.ready import PLAIN_CHAIN, WITH_INPUTS
from tests.emulator.obs_signing import FLOWS, RUNS, TEMPLATES, ObsCaller, refused

if TYPE_CHECKING:
    import httpx

    from airflow_provider_mlworkflows.emulator import Emulator

CREATE = {"x-workflow-create": None}
ACTIONS = "/v2/actiontemplates/"
AUTHORIZATION = "/v2/workflow-authorization"
RESULT = {"match": "MatchAny", "retry_interval": 2, "max_retry": 1, "is_terminal": True}
BODY: dict[str, Any] = {
    "agency": "an-agency",
    "description": "Made for a test.",
    "states": [
        {
            "state_name": "transcode",
            "type": "OPERATION",
            "start": True,
            "action_mode": "SEQUENTIAL",
            "actions": [{"action_name": "transcode", "invocation_mode": "SYNC", "results": [RESULT]}],
            "next_state": "wait",
        },
        {"state_name": "wait", "type": "DELAY", "time_delay": 5, "next_state": "end"},
        {"state_name": "end", "type": "END"},
    ],
    "inputs": [
        {
            "parameter_name": "height",
            "type": "Integer",
            "default": 720,
            "constraints": {"valid_values": [480, 720]},
            "label": "Height",
        },
        {"parameter_name": "mark", "type": "String", "invisible": True, "default": "secret", "description": "A mark"},
    ],
}
TEMPLATE = {name: BODY[name] for name in ("description", "states", "inputs")} | {"tags": ["video"]}


def altered(path: str, value: Any) -> dict[str, Any]:
    """The body of a create call with one value replaced; the path has names and numbers, as in ``states.0.type``."""
    body = copy.deepcopy(BODY | {"tags": ["video"]})
    place: Any = body
    *outer, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    for part in outer:
        place = place[part]
    place[last] = value
    return body


def create(obs: ObsCaller, name: str = "flow", body: Any = None) -> httpx.Response:
    return obs.call("POST", FLOWS + name, BODY if body is None else body, CREATE)


def template(obs: ObsCaller, name: str = "tpl", body: Any = None) -> httpx.Response:
    return obs.call("POST", TEMPLATES + name, TEMPLATE if body is None else body)


def from_template(obs: ObsCaller, name: str = "flow", template_name: str = "tpl", **body: Any) -> httpx.Response:
    query = {"x-workflow-template-name": template_name}
    return obs.call("POST", FLOWS + name, {"agency": "an-agency", **body}, query)


def definition(obs: ObsCaller, name: str = "flow") -> dict[str, Any]:
    answer = obs.call("GET", FLOWS + name)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()["definition"]
    return found


def test_create_without_template(emu: Emulator, obs: ObsCaller) -> None:
    answer = create(obs)
    assert answer.status_code == 201
    body = answer.json()
    assert body["graph_name"] == "flow"
    assert body["graph_urn"] == f"urn:obs:cn-north-4:{emu.credentials.project_id}:graph:flow"
    entry = emu.journal.entries[-1]
    assert (entry.operation, entry.effective, entry.ids) == ("createWorkflow", True, {"graph_name": "flow"})
    shown = obs.call("GET", FLOWS + "flow").json()
    assert (shown["name"], shown["description"], shown["created_at"]) == (
        "flow",
        "Made for a test.",
        body["created_at"],
    )
    assert shown["graph_urn"] == f"urn:fgs:cn-north-4:{emu.credentials.project_id}:graph:flow"
    name = obs.started("flow", {"height": 480})
    emu.clock.advance(10)
    assert obs.state("flow", name) == "SUCCESS"


def test_the_definition_is_not_in_the_shape_that_was_sent(obs: ObsCaller) -> None:
    create(obs)
    found = definition(obs)
    assert (found["agency"], found["event_defs"]) == ("an-agency", [])
    assert found["states"] == {state["state_name"]: state for state in BODY["states"]}
    height, mark = found["inputs"]["height"], found["inputs"]["mark"]
    assert json.loads(height["constraints"]) == {"valid_values": [480, 720]}
    assert height["default"] == 720
    assert mark["default"] == "******"
    assert json.loads(mark["constraints"]) == {}


def test_without_the_parameter_it_is_a_start(emu: Emulator, obs: ObsCaller) -> None:
    refused(obs.call("POST", FLOWS + "flow", BODY), 404, "Workflow.0001")
    assert emu.journal.entries[-1].operation == "asyncAPIStartWorkflow"
    assert "flow" not in emu.obs.workflows


def test_name_that_is_taken(emu: Emulator, obs: ObsCaller) -> None:
    create(obs)
    refused(create(obs, body=BODY | {"agency": "another"}), 400, "Workflow.0003", "taken")
    assert emu.obs.workflows["flow"].agency == "an-agency"
    with pytest.raises(Invalid, match="taken"):
        emu.obs.add_workflow(GraphDefinition("flow", (StateDefinition("one"),)))
    template(obs)
    refused(template(obs), 400, "Workflow.0003", "taken")


@pytest.mark.parametrize("name", ["-a", "a b", "a" * 65, "", "a.b"])
def test_name_that_is_none(obs: ObsCaller, name: str) -> None:
    refused(create(obs, name), 400, "Workflow.0003")
    refused(template(obs, name), 400, "Workflow.0003")
    refused(obs.call("GET", TEMPLATES + name), 400, "Workflow.0003")
    template(obs)
    refused(from_template(obs, name), 400, "Workflow.0003")


@pytest.mark.parametrize(
    ("path", "value", "code"),
    [
        ("agency", None, "SYS.0028"),
        ("agency", "", "SYS.0028"),
        ("description", "x" * 257, "Workflow.0005"),
        ("description", "no/slash", "SYS.0010"),
        ("description", 5, "SYS.0010"),
        ("states", None, "SYS.0010"),
        ("states", [], "SYS.0010"),
        ("states", ["one"], "SYS.0010"),
        ("states.0.start", False, "SYS.0010"),
        ("states.1.start", True, "SYS.0010"),
        ("states.0.state_name", "a b", "Workflow.0003"),
        ("states.0.state_name", "x" * 81, "Workflow.0003"),
        ("states.0.state_name", "wait", "SYS.0010"),
        ("states.0.type", "NOOP", "SYS.0010"),
        ("states.0.next_state", "nobody", "SYS.0010"),
        ("states.0.next_state", None, "SYS.0010"),
        ("states.1.next_state", "transcode", "SYS.0010"),
        ("states.1.time_delay", 0, "SYS.0010"),
        ("states.1.time_delay", 86401, "SYS.0010"),
        ("states.1.time_delay", "5", "SYS.0010"),
        ("states.0.actions", [], "SYS.0010"),
        ("states.0.actions", [{}, {}], "SYS.0010"),
        ("states.0.actions.0.results.0.is_terminal", False, "SYS.0010"),
        ("states.0.actions.0.results.0.max_retry", 11, "SYS.0010"),
        ("states.0.actions.0.results.0.retry_interval", 86401, "SYS.0010"),
        ("inputs", {}, ""),
        ("inputs", {"height": 5}, "Workflow.0009"),
        ("inputs", [{"parameter_name": f"p{number}", "type": "String"} for number in range(51)], "Workflow.0008"),
        ("inputs.0.parameter_name", "mark", "Workflow.0009"),
        ("inputs.0.parameter_name", "no way", "Workflow.0009"),
        ("inputs.0.parameter_name", "x" * 61, "Workflow.0005"),
        ("inputs.0.label", "x" * 65, "Workflow.0005"),
        ("inputs.1.description", "x" * 257, "Workflow.0005"),
        ("inputs.0.type", "Number", "Workflow.0004"),
        ("inputs.0.default", "720", "Workflow.0006"),
        ("inputs.0.default", 100, "Workflow.0009"),
        ("inputs.0.constraints", {"minimum": 5}, "Workflow.0007"),
        ("inputs.0.constraints", {"valid_values": 5}, "Workflow.0007"),
        ("inputs.0.constraints", {"regex": "("}, "Workflow.0007"),
        ("tags", [f"t{number}" for number in range(11)], "Workflow.0012"),
        ("tags", "video", "SYS.0010"),
    ],
)
def test_rules_of_definitions(obs: ObsCaller, path: str, value: Any, code: str) -> None:
    answer = create(obs, body=altered(path, value))
    if code:
        refused(answer, 400, code)
        refused(obs.call("GET", FLOWS + "flow"), 404, "Workflow.0001")
    else:
        assert answer.status_code == 201


SHAPES: list[Any] = [None, True, 5, -1.5, "x", "", [], [5], [[]], {}, {"a": 1}, [{}], [None]]
PLACES = [
    *("agency", "description", "states", "inputs", "tags", "states.0", "inputs.0", "tags.0"),
    *(f"states.0.{name}" for name in ("state_name", "type", "start", "actions", "next_state")),
    *("states.1.time_delay", "states.2.next_state", "states.0.actions.0", "states.0.actions.0.results"),
    *(f"states.0.actions.0.results.0.{name}" for name in (*RESULT, "next_state")),
    *(f"inputs.0.{name}" for name in ("parameter_name", "type", "default", "constraints", "label", "parameter_value")),
]


@pytest.mark.parametrize("place", PLACES)
def test_values_of_any_shape_are_taken_or_refused(emu: Emulator, obs: ObsCaller, place: str) -> None:
    statuses = set()
    for number, value in enumerate(SHAPES):
        body = altered(place, value)
        answer = create(obs, f"flow-{number}", body)
        statuses.add(answer.status_code)
        if answer.status_code == 201:
            name = obs.started(f"flow-{number}")
            emu.clock.advance(20)
            assert obs.state(f"flow-{number}", name) in ("SUCCESS", "RUNNING"), body
    assert statuses <= {201, 400}


@pytest.mark.parametrize("raw", [b"", b"[]", b"{", b"null", b"\xff"])
def test_body_that_is_no_object(obs: ObsCaller, raw: bytes) -> None:
    template(obs)
    for path, query in (
        (FLOWS + "flow", CREATE),
        (FLOWS + "flow", {"x-workflow-template-name": "tpl"}),
        (TEMPLATES + "other", {}),
    ):
        refused(obs.call("POST", path, raw=raw, query=query), 400, "SYS.0006")
    refused(obs.call("PUT", FLOWS + PLAIN_CHAIN, raw=raw), 400, "SYS.0006")


def test_templates(emu: Emulator, obs: ObsCaller) -> None:
    answer = template(obs)
    assert answer.status_code == 201
    assert answer.json()["template_name"] == "tpl"
    shown = obs.call("GET", TEMPLATES + "tpl").json()
    assert {name: shown[name] for name in TEMPLATE} == TEMPLATE
    assert shown["create_time"] == shown["last_modify_time"] != ""
    gone = obs.call("DELETE", TEMPLATES + "tpl")
    assert (gone.status_code, gone.content) == (204, b"")
    refused(obs.call("GET", TEMPLATES + "tpl"), 404, "Workflow.0001", "tpl")
    refused(obs.call("DELETE", TEMPLATES + "tpl"), 404, "Workflow.0001")
    assert [each.operation for each in emu.journal.entries if each.effective] == [
        "createWorkflowTemplate",
        "deleteWorkflowTemplate",
    ]


def test_create_from_a_template(emu: Emulator, obs: ObsCaller) -> None:
    template(obs)
    refused(from_template(obs, template_name="nobody"), 404, "Workflow.0001", "nobody")
    refused(from_template(obs, parameters={"nobody": 1}), 400, "Workflow.0009")
    refused(from_template(obs, parameters={"height": "480"}), 400, "Workflow.0006")
    refused(from_template(obs, agency=None), 400, "SYS.0028")
    answer = from_template(obs, parameters={"height": 480, "mark": "mine"}, description="Own words")
    assert answer.status_code == 201
    assert set(answer.json()) >= {"graph_name", "graph_urn", "created_at"}
    found = definition(obs)
    assert found["inputs"]["height"]["parameter_value"] == 480
    assert found["inputs"]["mark"]["parameter_value"] == "******"
    assert emu.obs.workflows["flow"].inputs[1]["parameter_value"] == "mine"
    assert obs.call("GET", FLOWS + "flow").json()["description"] == "Own words"
    # What is made from a template is a thing of its own.
    assert "parameter_value" not in emu.obs.templates["tpl"].body["inputs"][0]
    obs.call("DELETE", TEMPLATES + "tpl")
    assert obs.start("flow").is_success
    assert from_template(obs, "flow").status_code == 404


def test_update(emu: Emulator, obs: ObsCaller) -> None:
    create(obs)
    emu.clock.advance(60)
    answer = obs.call("PUT", FLOWS + "flow", {"parameters": {"height": 480}, "description": "New words"})
    assert answer.status_code == 200
    body = answer.json()
    assert body["graph_urn"].startswith("urn:obs:")
    shown = obs.call("GET", FLOWS + "flow").json()
    assert body["last_modified"] > shown["created_at"]
    assert shown["description"] == "New words"
    assert shown["definition"]["inputs"]["height"]["parameter_value"] == 480
    assert obs.call("PUT", FLOWS + "flow", {"parameters": None, "description": None}).is_success
    assert obs.call("GET", FLOWS + "flow").json()["description"] == "New words"
    refused(obs.call("PUT", FLOWS + "flow", {"parameters": {"height": 5}}), 400, "Workflow.0009")
    refused(obs.call("PUT", FLOWS + "flow", {"description": "a/b"}), 400, "SYS.0010")
    refused(obs.call("PUT", FLOWS + "nobody", {}), 404, "Workflow.0001")
    assert emu.journal.count("updateWorkflow", effective=True) == 2


def test_delete(emu: Emulator, obs: ObsCaller) -> None:
    create(obs)
    name = obs.started("flow")
    gone = obs.call("DELETE", FLOWS + "flow")
    assert (gone.status_code, gone.content) == (204, b"")
    assert "content-type" not in gone.headers
    refused(obs.call("GET", FLOWS + "flow"), 404, "Workflow.0001")
    refused(obs.call("DELETE", FLOWS + "flow"), 404, "Workflow.0001")
    refused(obs.start("flow"), 404, "Workflow.0001")
    refused(obs.get("flow", name), 404, "Workflow.0001")
    refused(obs.call("GET", RUNS, query={"x-workflow-graph-name": "flow"}), 404, "Workflow.0001")
    assert name not in emu.obs.executions
    assert emu.obs.starts("flow") == 1
    assert create(obs).status_code == 201
    assert obs.runs("flow")["count"] == 0


def listed(obs: ObsCaller, path: str, **query: Any) -> dict[str, Any]:
    asked = {"x-workflow-prefix": None, **{f"x-workflow-{name}": value for name, value in query.items()}}
    answer = obs.call("GET", path, query=asked)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


@pytest.mark.parametrize(
    ("path", "key", "name"), [(FLOWS, "graphs", "name"), (TEMPLATES, "templates", "template_name")]
)
def test_lists(obs: ObsCaller, path: str, key: str, name: str) -> None:
    make = create if path == FLOWS else template
    for number in reversed(range(12)):
        assert make(obs, f"list-{number:02}").status_code == 201
    body = listed(obs, path + "list-")
    assert (body["count"], body["is_truncated"], body["next_start"]) == (10, True, 11)
    found: list[str] = []
    start = 1
    while True:
        body = listed(obs, path + "list-", start=start, limit=5)
        found += [each[name] for each in body[key]]
        if not body["is_truncated"]:
            break
        assert body["next_start"] == start + 5
        start = body["next_start"]
    assert found == [f"list-{number:02}" for number in range(12)]
    assert "next_start" not in body
    assert listed(obs, path + "list-1")["count"] == 2
    empty = listed(obs, path + "nobody")
    assert (empty["count"], empty[key], empty["is_truncated"]) == (0, [], False)
    assert listed(obs, path, limit=1000)["count"] >= 12
    assert listed(obs, path + "list-", start=13)["count"] == 0


@pytest.mark.parametrize("path", [FLOWS, TEMPLATES])
@pytest.mark.parametrize("query", [{"start": 0}, {"start": 1001}, {"start": "x"}, {"limit": 0}, {"limit": 1001}])
def test_lists_refuse(obs: ObsCaller, path: str, query: dict[str, Any]) -> None:
    asked = {"x-workflow-prefix": None, **{f"x-workflow-{name}": value for name, value in query.items()}}
    refused(obs.call("GET", path, query=asked), 400, "SYS.0010")


def test_the_bare_parameter_tells_a_list_from_a_workflow(emu: Emulator, obs: ObsCaller) -> None:
    assert "graphs" in listed(obs, FLOWS + PLAIN_CHAIN)
    assert emu.journal.entries[-1].operation == "listWorkflow"
    assert obs.call("GET", FLOWS + PLAIN_CHAIN, query={"x-workflow-limit": 5}).json()["name"] == PLAIN_CHAIN
    assert emu.journal.entries[-1].operation == "getWorkflow"


def test_items_of_the_list_of_workflows(emu: Emulator, obs: ObsCaller) -> None:
    (item,) = listed(obs, FLOWS + WITH_INPUTS)["graphs"]
    assert item == {
        "name": WITH_INPUTS,
        "created_at": item["created_at"],
        "graph_urn": f"urn:fgs:cn-north-4:{emu.credentials.project_id}:graph:{WITH_INPUTS}",
    }


def test_built_in_actions(obs: ObsCaller) -> None:
    found = listed(obs, ACTIONS)
    assert [each["action_template_name"] for each in found["actions"]] == [
        "MediaMetadata",
        "MediaRemux",
        "MediaThumbnail",
        "MediaTranscode",
    ]
    assert listed(obs, ACTIONS + "MediaT", category="MediaProcess")["count"] == 2
    assert listed(obs, ACTIONS, category="Other")["count"] == 0
    one = obs.call("GET", ACTIONS + "MediaRemux").json()
    assert (one["action_template_category"], one["action_template_provider_name"]) == ("MediaProcess", "op_svc_obs")
    refused(obs.call("GET", ACTIONS + "Nothing"), 404, "Workflow.0001")


def test_authorization(emu: Emulator, obs: ObsCaller) -> None:
    assert obs.call("GET", AUTHORIZATION).json()["agencies"] == []
    assert obs.call("POST", AUTHORIZATION).status_code == 200
    (first,) = obs.call("GET", AUTHORIZATION).json()["agencies"]
    emu.clock.advance(60)
    assert obs.call("POST", AUTHORIZATION).status_code == 200
    assert obs.call("GET", AUTHORIZATION).json()["agencies"] == [first]
    assert emu.journal.count("openWorkflowAuthorization") == 2
    assert emu.journal.count("openWorkflowAuthorization", effective=True) == 1
