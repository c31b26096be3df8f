from __future__ import annotations

import asyncio
import inspect
from datetime import UTC, datetime
from typing import Any

import pytest

from airflow_provider_mlworkflows.clouds.huawei.modelarts import ModelArtsApi
from airflow_provider_mlworkflows.clouds.operation import Listing, Operation, Request
from airflow_provider_mlworkflows.exceptions import InvalidInputError
from tests.clouds.support import RecordingApi

W = "0b9a6a52-6d1b-4d5c-8a43-9a6b1e5f7c21"
E = "4f6a0f1e-5b0e-4f4e-9c57-0d2a7c1b9e10"
S = "c1f6a3de-2b7a-4d1c-b0a5-6d2f1f0c9e77"
D = "9d0f2c4b-1c35-4f0a-9a53-2b6f0f8f5a11"
U = "6e1d7a90-3f4c-4a8e-8c0d-5b7e2d9f4c33"
J = "5a3e8f10-7c2d-4b6a-9e1f-8d0c4b2a6f55"
WORKFLOWS = "/v2/p/workflows"
JOB = f"/v2/p/training-jobs/{J}"

WORKFLOW = {"workflow_id": W, "name": "w"}
EXECUTION = {"execution_id": E}
SCHEDULE = {"uuid": D}
SUBSCRIPTION = {"subscription_id": U}
PAGE = {"total": 0, "count": 0, "items": []}
CRON = {"cron": "0 0 12 * * ?", "method": "fixed"}
OBS = {"name": "in", "type": "obs", "value": {"obs_url": "/b/d/"}}
RATE = {"name": "lr", "type": "float", "value": 0.1}
INPUTS: dict[str, Any] = {"parameters": {"lr": 0.1}, "data_requirements": {"in": "obs://b/d/"}}
SENT_INPUTS = {"parameters": [RATE], "data_requirements": [OBS]}

# method name, positional, keyword, reply, HTTP method, path, query, body
CALLS: list[tuple[str, tuple[Any, ...], dict[str, Any], Any, str, str, str, Any]] = [
    ("list_workflows", (), {}, PAGE, "GET", WORKFLOWS, "", None),
    (
        "list_workflows",
        (),
        {"name": "a b", "labels": ["x", "y"], "limit": 10, "offset": 20, "search_type": "equal"},
        PAGE,
        "GET",
        WORKFLOWS,
        "name=a%20b&labels=x%2Cy&limit=10&offset=20&search_type=equal",
        None,
    ),
    ("create_workflow", ("w",), {}, WORKFLOW, "POST", WORKFLOWS, "", {"name": "w"}),
    (
        "create_workflow",
        ("w",),
        {**INPUTS, "source_workflow_id": W, "labels": ["x"], "extra": {"smn_switch": True}},
        WORKFLOW,
        "POST",
        WORKFLOWS,
        "",
        {"name": "w", **SENT_INPUTS, "source_workflow_id": W, "labels": ["x"], "smn_switch": True},
    ),
    ("show_workflow", (W,), {}, WORKFLOW, "GET", f"{WORKFLOWS}/{W}", "", None),
    ("show_workflow", (W,), {"workspace_id": "0"}, WORKFLOW, "GET", f"{WORKFLOWS}/{W}", "workspace_id=0", None),
    ("update_workflow", (W,), {}, WORKFLOW, "PUT", f"{WORKFLOWS}/{W}", "", {}),
    (
        "update_workflow",
        (W,),
        {"name": "n", "labels": [], "parameters": [], "smn_switch": False},
        WORKFLOW,
        "PUT",
        f"{WORKFLOWS}/{W}",
        "",
        {"name": "n", "labels": [], "parameters": [], "smn_switch": False},
    ),
    ("delete_workflow", (W,), {}, None, "DELETE", f"{WORKFLOWS}/{W}", "", None),
    ("list_workflow_labels", (), {}, ["a"], "GET", f"{WORKFLOWS}/labels", "", None),
    (
        "list_workflow_labels",
        (),
        {"limit": 1, "offset": 0, "order": "asc", "sort_by": "create_time", "template_id": "t"},
        None,
        "GET",
        f"{WORKFLOWS}/labels",
        "limit=1&offset=0&order=asc&sort_by=create_time&template_id=t",
        None,
    ),
    (
        "show_workflows_overview",
        (),
        {"workspace_id": "0", "search_type": "equal", "name": "n", "description": "d"},
        {"total": 3, "stat": {"running": 2}},
        "GET",
        f"{WORKFLOWS}/overview",
        "workspace_id=0&search_type=equal&name=n&description=d",
        None,
    ),
    ("list_todos", (), {"workspace_id": "0"}, PAGE, "GET", f"{WORKFLOWS}/todolist", "workspace_id=0", None),
    ("authorize_service", (), {}, {"result": "available"}, "POST", f"{WORKFLOWS}/service/auth", "", {}),
    (
        "authorize_service",
        (),
        {"main_service_id": "s", "content_id": "c", "consume_period": "day", "consume_value": 0},
        {"result": "available"},
        "POST",
        f"{WORKFLOWS}/service/auth",
        "",
        {"main_service_id": "s", "content_id": "c", "consume": {"period": "day", "value": 0}},
    ),
    (
        "purchase_pool_package",
        (W, "pool", {"id": "o"}),
        {"consume_limit": 5, "limit_enable": False},
        {"pool_id": "pool"},
        "POST",
        f"{WORKFLOWS}/{W}/service/packages",
        "",
        {"pool_id": "pool", "order": {"id": "o"}, "consume_limit": 5, "limit_enable": False},
    ),
    ("list_executions", (W,), {}, PAGE, "GET", f"{WORKFLOWS}/{W}/executions", "", None),
    (
        "list_executions",
        (W,),
        {"labels": "a,b", "status": "running", "sort_by": "create_time", "order": "desc", "limit": 5},
        PAGE,
        "GET",
        f"{WORKFLOWS}/{W}/executions",
        "limit=5&sort_by=create_time&order=desc&labels=a%2Cb&status=running",
        None,
    ),
    ("create_execution", (W,), {}, EXECUTION, "POST", f"{WORKFLOWS}/{W}/executions", "", {}),
    (
        "create_execution",
        (W,),
        {
            **INPUTS,
            "name": "n",
            "description": "",
            "labels": ["x"],
            "scene_id": "s",
            "use_cache": False,
            "extra": {"policies": {"more": 1}},
        },
        EXECUTION,
        "POST",
        f"{WORKFLOWS}/{W}/executions",
        "",
        {
            **SENT_INPUTS,
            "name": "n",
            "description": "",
            "labels": ["x"],
            "scene_id": "s",
            "policies": {"use_cache": False, "more": 1},
        },
    ),
    ("show_execution", (W, E), {}, EXECUTION, "GET", f"{WORKFLOWS}/{W}/executions/{E}", "", None),
    (
        "update_execution",
        (W, E),
        {**INPUTS, "labels": []},
        EXECUTION,
        "PUT",
        f"{WORKFLOWS}/{W}/executions/{E}",
        "",
        {**SENT_INPUTS, "labels": []},
    ),
    ("delete_execution", (W, E), {}, None, "DELETE", f"{WORKFLOWS}/{W}/executions/{E}", "", None),
    (
        "act_on_execution",
        (W, E, "stop"),
        {},
        EXECUTION,
        "POST",
        f"{WORKFLOWS}/{W}/executions/{E}/actions",
        "",
        {"action_name": "stop"},
    ),
    (
        "act_on_execution",
        (W, E, "rerun"),
        {**INPUTS, "rerun_steps": ["train"]},
        EXECUTION,
        "POST",
        f"{WORKFLOWS}/{W}/executions/{E}/actions",
        "",
        {"action_name": "rerun", "policies": {"rerun_steps": ["train"]}, **SENT_INPUTS},
    ),
    ("list_execution_labels", (W,), {}, None, "GET", f"{WORKFLOWS}/{W}/executions/labels", "", None),
    (
        "list_step_executions",
        (W,),
        {"limit": 5, "offset": 0, "order": "asc", "sort_by": "create_time"},
        PAGE,
        "GET",
        f"{WORKFLOWS}/{W}/step-executions",
        "limit=5&offset=0&order=asc&sort_by=create_time",
        None,
    ),
    *(
        (
            "act_on_step",
            (W, E, S, action),
            dict(INPUTS),
            {"uuid": S},
            "POST",
            f"{WORKFLOWS}/{W}/executions/{E}/step-executions/{S}/actions",
            "",
            {"action_name": action, **SENT_INPUTS},
        )
        for action in ("retry", "stop", "continue")
    ),
    (
        "show_step_metrics",
        (W, E, S),
        {},
        None,
        "GET",
        f"{WORKFLOWS}/{W}/executions/{E}/step-executions/{S}/metrics",
        "",
        None,
    ),
    (
        "create_schedule",
        (W, "0 0 12 * * ?"),
        {},
        SCHEDULE,
        "POST",
        f"{WORKFLOWS}/{W}/schedules",
        "",
        {"type": "time", "content": CRON, "action": "run"},
    ),
    (
        "create_schedule",
        (W, "0 0 12 * * ?"),
        {"enable": False, "on_failure": "retry", "on_running": "cancel"},
        SCHEDULE,
        "POST",
        f"{WORKFLOWS}/{W}/schedules",
        "",
        {
            "type": "time",
            "content": CRON,
            "action": "run",
            "policies": {"on_failure": "retry", "on_running": "cancel"},
            "enable": False,
        },
    ),
    ("list_schedules", (W,), {}, {"schedules": None}, "GET", f"{WORKFLOWS}/{W}/schedules", "", None),
    ("show_schedule", (W, D), {}, SCHEDULE, "GET", f"{WORKFLOWS}/{W}/schedules/{D}", "", None),
    (
        "update_schedule",
        (W, D),
        {"cron": "0 0 12 * * ?", "enable": True},
        SCHEDULE,
        "PUT",
        f"{WORKFLOWS}/{W}/schedules/{D}",
        "",
        {"content": CRON, "enable": True},
    ),
    ("delete_schedule", (W, D), {}, None, "DELETE", f"{WORKFLOWS}/{W}/schedules/{D}", "", None),
    (
        "create_subscription",
        (W, ["urn:1"]),
        {"events": ["*:hold"], "entity": "workflow"},
        SUBSCRIPTION,
        "POST",
        f"{WORKFLOWS}/{W}/subscriptions",
        "",
        {"topic_urns": ["urn:1"], "events": ["*:hold"], "entity": "workflow"},
    ),
    ("show_subscription", (W, U), {}, SUBSCRIPTION, "GET", f"{WORKFLOWS}/{W}/subscriptions/{U}", "", None),
    (
        "update_subscription",
        (W, U, ["urn:1"]),
        {},
        SUBSCRIPTION,
        "PUT",
        f"{WORKFLOWS}/{W}/subscriptions/{U}",
        "",
        {"topic_urns": ["urn:1"]},
    ),
    ("delete_subscription", (W, U), {}, None, "DELETE", f"{WORKFLOWS}/{W}/subscriptions/{U}", "", None),
    ("show_training_job", (J,), {}, {"metadata": {"id": J}}, "GET", JOB, "", None),
    (
        "show_training_job_log_preview",
        (J, "worker-0"),
        {},
        {"content": "x"},
        "GET",
        f"{JOB}/tasks/worker-0/logs/preview",
        "",
        None,
    ),
    (
        "show_training_job_log",
        (J, "worker-0"),
        {"base_line": "7", "lines": 500, "order": "asc"},
        {"content": "x"},
        "GET",
        f"{JOB}/logs/worker-0",
        "base_line=7&lines=500&order=asc",
        None,
    ),
    (
        "show_training_job_log_url",
        (J, "worker-0"),
        {},
        {"obs_url": "https://o"},
        "GET",
        f"{JOB}/tasks/worker-0/logs/url",
        "",
        None,
    ),
    (
        "list_training_job_events",
        (J,),
        {
            "limit": 100,
            "level": "Error",
            "start_time": datetime(2026, 1, 15, 12, tzinfo=UTC),
            "end_time": "2026-01-16T00:00:00Z",
        },
        {"events": []},
        "GET",
        f"{JOB}/events",
        "limit=100&start_time=2026-01-15T12%3A00%3A00%2B00%3A00&end_time=2026-01-16T00%3A00%3A00Z&level=Error",
        None,
    ),
    ("list_training_job_stages", (J,), {}, {"running_records": []}, "GET", f"{JOB}/stages", "", None),
    ("list_training_job_tasks", (J,), {"schedule_count": 0}, [], "GET", f"{JOB}/tasks", "schedule_count=0", None),
    ("show_training_job_metrics", (J, "worker-0"), {}, {"metrics": []}, "GET", f"{JOB}/metrics/worker-0", "", None),
]
LISTINGS = {"iter_workflows", "iter_executions", "iter_step_executions"}


def _public() -> dict[str, object]:
    return {name: value for name, value in vars(ModelArtsApi).items() if not name.startswith("_")}


@pytest.mark.parametrize(
    ("name", "args", "kwargs", "reply", "method", "path", "query", "body"), CALLS, ids=lambda v: str(v)[:40]
)
@pytest.mark.parametrize("blocking", [True, False], ids=["blocking", "async"])
def test_what_is_sent(
    blocking: bool,
    name: str,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    reply: Any,
    method: str,
    path: str,
    query: str,
    body: Any,
) -> None:
    api = RecordingApi(reply)
    call = getattr(api, name)

    if blocking:
        call(*args, **kwargs)
    else:
        asyncio.run(call.aio(*args, **kwargs))

    (request,) = api.requests
    assert (request.method, request.url_path({"project_id": "p"}), request.url_query()) == (method, path, query)
    assert request.body == body
    assert request.safe_to_repeat is (method != "POST" or body == {"action_name": "stop"})


def test_all_operations_are_there_and_tested() -> None:
    operations = {name for name, value in _public().items() if isinstance(value, Operation)}

    assert len(operations) == 29 + 8
    assert operations == {call[0] for call in CALLS}
    assert {name for name, value in _public().items() if isinstance(value, Listing)} == LISTINGS
    assert _public().keys() == operations | LISTINGS


@pytest.mark.parametrize("name", sorted({call[0] for call in CALLS} | LISTINGS))
def test_help_is_complete(name: str) -> None:
    documentation = inspect.getdoc(_public()[name]) or ""
    declaration = inspect.unwrap(_public()[name])  # type: ignore[arg-type]

    assert documentation.splitlines()[0].endswith(".") or ")." in documentation
    first, *rest = inspect.signature(declaration).parameters.values()
    assert first.name == "_"
    for parameter in rest:
        assert parameter.annotation != inspect.Parameter.empty
        assert (
            f":param {parameter.name}:" in documentation
            or "arameters as in" in documentation
            or ("other parameters are those of" in documentation)
        )


def test_replies_come_as_promised() -> None:
    api = RecordingApi(WORKFLOW, None, EXECUTION, [{"key": "acc"}])

    assert api.show_workflow(W).workflow_id == W
    assert api.list_execution_labels(W) == []
    assert api.show_execution(W, E).execution_id == E
    assert api.show_step_metrics(W, E, S)[0].key == "acc"


@pytest.mark.parametrize(("download", "kind"), [(False, "text/plain"), (True, "application/octet-stream")])
def test_the_content_type_chooses_the_kind_of_log_url(download: bool, kind: str) -> None:
    api = RecordingApi({"obs_url": "https://o"})

    api.show_training_job_log_url(J, "worker-0", download=download)

    assert api.requests[0].headers == {"Content-Type": kind}


def test_the_language_of_events_is_a_header() -> None:
    api = RecordingApi({}, {})

    api.list_training_job_events(J, language="en-us")
    api.list_training_job_events(J)

    assert [request.headers for request in api.requests] == [{"X-Language": "en-us"}, {}]


@pytest.mark.parametrize(
    ("name", "args", "kwargs", "complaint"),
    [
        ("show_workflow", ("w",), {}, "workflow_id 'w'"),
        ("show_execution", (W, "e"), {}, "execution_id 'e'"),
        ("show_execution", (W.upper(), E), {}, "workflow_id"),
        ("act_on_step", (W, E, "train", "retry"), {}, "step_execution_id 'train'"),
        ("show_schedule", (W, ""), {}, "schedule_id ''"),
        ("show_subscription", (W, "../x"), {}, "subscription_id"),
        ("create_workflow", ("1",), {}, "workflow name"),
        ("create_workflow", ("w",), {"source_workflow_id": "x"}, "source_workflow_id"),
        ("create_workflow", ("w",), {"extra": {"name": "other"}}, "extra sets 'name'"),
        ("update_workflow", (W,), {"name": ""}, "workflow name"),
        ("create_execution", (W,), {"name": "a.b"}, "execution name"),
        ("create_execution", (W,), {"labels": "abc"}, "list of texts"),
        ("create_execution", (W,), {"labels": [""]}, "not empty"),
        ("create_execution", (W,), {"labels": ["a,b"]}, "comma"),
        ("create_execution", (W,), {"parameters": {"1": 1}}, "parameter"),
        ("create_execution", (W,), {"use_cache": True, "extra": {"policies": {"use_cache": False}}}, "use_cache"),
        ("update_execution", (W, E), {"name": "-"}, "execution name"),
        ("act_on_execution", (W, E, "retry"), {}, "stop, rerun"),
        ("act_on_execution", (W, E, "stop"), {"rerun_steps": ["a"]}, "rerun_steps"),
        ("act_on_step", (W, E, S, "rerun"), {}, "retry, stop, continue"),
        ("list_workflows", (), {"search_type": "like"}, "search_type"),
        ("show_workflows_overview", (), {"search_type": "like"}, "search_type"),
        ("list_executions", (W,), {"order": "asc"}, "sort_by"),
        ("list_executions", (W,), {"order": "up", "sort_by": "create_time"}, "asc, desc"),
        ("list_step_executions", (W,), {"order": "up"}, "asc, desc"),
        ("create_schedule", (W, " "), {}, "cron"),
        ("update_schedule", (W, D), {"cron": ""}, "cron"),
        ("create_subscription", (W, []), {}, "topic_urns is empty"),
        ("create_subscription", (W, ["", "urn"]), {}, "topic_urns"),
        ("create_subscription", (W, "urn"), {}, "topic_urns"),
        ("update_subscription", (W, U, ["urn"]), {"events": [""]}, "events"),
        ("purchase_pool_package", (W, "", {}), {}, "pool_id"),
        ("show_training_job", ("",), {}, "training_job_id"),
        ("show_training_job", ("..",), {}, "training_job_id"),
        ("show_training_job_log", (J, "."), {}, "task_id"),
        ("show_training_job_log", (J, "w"), {"lines": 501}, "between 1 and 500"),
        ("show_training_job_log", (J, "w"), {"lines": 0}, "between 1 and 500"),
        ("list_training_job_events", (J,), {"limit": 101}, "between 1 and 100"),
        ("list_training_job_events", (J,), {"level": "Fatal"}, "level"),
        ("list_training_job_events", (J,), {"start_time": "2026-01-15T00:00:00Z"}, "only together"),
        ("list_training_job_events", (J,), {"pattern": "x" * 257}, "256"),
    ],
)
def test_what_cannot_be_right_is_refused_before_anything_is_sent(
    name: str, args: tuple[Any, ...], kwargs: dict[str, Any], complaint: str
) -> None:
    api = RecordingApi()

    with pytest.raises(InvalidInputError, match=complaint):
        getattr(api, name)(*args, **kwargs)
    with pytest.raises(InvalidInputError, match=complaint):
        asyncio.run(getattr(api, name).aio(*args, **kwargs))
    assert api.requests == []


def _executions(start: int, length: int, **more: Any) -> dict[str, Any]:
    return {"items": [{"execution_id": str(n)} for n in range(start, start + length)], **more}


def _asked(api: RecordingApi) -> list[str]:
    return [request.url_query() for request in api.requests]


class TestPaging:
    @pytest.mark.parametrize(
        ("pages", "found"),
        [
            ([_executions(0, 0)], 0),
            ([_executions(0, 3, total=3, count=3)], 3),
            ([_executions(0, 100, total=100, count=100), _executions(0, 0, total=100, count=0)], 100),
            ([_executions(0, 100, total=0, count=0), _executions(100, 5, total=0, count=0)], 105),
            ([_executions(0, 100, count=100), _executions(100, 100, count=100), _executions(200, 1)], 201),
            ([_executions(0, 10, total=25), _executions(10, 10, total=25), _executions(20, 5, total=25)], 25),
            ([_executions(0, 3, total=900), _executions(0, 0, total=900)], 3),
        ],
    )
    def test_until_a_short_page(self, pages: list[dict[str, Any]], found: int) -> None:
        api = RecordingApi(*pages)

        assert [execution.execution_id for execution in api.iter_executions(W)] == [str(n) for n in range(found)]
        assert len(api.requests) == len(pages)
        assert _asked(api)[0] == "limit=100&offset=0"

    def test_offsets_count_items(self) -> None:
        api = RecordingApi(_executions(0, 100), _executions(100, 100), _executions(200, 1))

        list(api.iter_executions(W, labels=["a"], sort_by="create_time", order="desc"))

        assert _asked(api) == [
            f"limit=100&offset={offset}&sort_by=create_time&order=desc&labels=a" for offset in (0, 100, 200)
        ]

    def test_an_item_that_moved_to_the_next_page_is_not_repeated(self) -> None:
        api = RecordingApi(_executions(0, 100), _executions(99, 5))

        assert len(list(api.iter_executions(W))) == 104

    def test_in_an_event_loop(self) -> None:
        api = RecordingApi(_executions(0, 100), _executions(100, 2))

        async def collect() -> int:
            return len([execution async for execution in api.iter_executions.aio(W)])

        assert asyncio.run(collect()) == 102

    def test_workflows_and_steps_too(self) -> None:
        steps = RecordingApi({"items": [{"step_name": "a"}, {"step_name": "b"}]})
        workflows = RecordingApi({"items": [WORKFLOW]})

        assert [step.step_name for step in steps.iter_step_executions(W)] == ["a", "b"]
        assert [workflow.workflow_id for workflow in workflows.iter_workflows(name="w")] == [W]
        assert _asked(steps) == ["limit=100&offset=0"]
        assert _asked(workflows) == ["name=w&limit=100&offset=0"]

    def test_a_malformed_id_is_refused_on_the_first_step(self) -> None:
        with pytest.raises(InvalidInputError):
            next(RecordingApi().iter_executions("w"))


def test_request_is_the_contract() -> None:
    assert isinstance(next(RecordingApi().show_workflow.steps(W)), Request)
