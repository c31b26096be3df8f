"""The calls that `capture_modelarts.py` makes: each operation with as little and as much as it takes.

Plain JSON only, so that the same arguments can be given to any other client.
"""

from __future__ import annotations

from typing import Any, NamedTuple

WORKFLOW = "0b9a6a52-6d1b-4d5c-8a43-9a6b1e5f7c21"
EXECUTION = "4f6a0f1e-5b0e-4f4e-9c57-0d2a7c1b9e10"
STEP_EXECUTION = "c1f6a3de-2b7a-4d1c-b0a5-6d2f1f0c9e77"
SCHEDULE = "9d0f2c4b-1c35-4f0a-9a53-2b6f0f8f5a11"
SUBSCRIPTION = "6e1d7a90-3f4c-4a8e-8c0d-5b7e2d9f4c33"
TRAINING_JOB = "5a3e8f10-7c2d-4b6a-9e1f-8d0c4b2a6f55"
TASK = "worker-0"

AT_WORKFLOW = {"workflow_id": WORKFLOW}
AT_EXECUTION = {"workflow_id": WORKFLOW, "execution_id": EXECUTION}
AT_STEP = {"workflow_id": WORKFLOW, "execution_id": EXECUTION, "step_execution_id": STEP_EXECUTION}
AT_SCHEDULE = {"workflow_id": WORKFLOW, "schedule_id": SCHEDULE}
AT_SUBSCRIPTION = {"workflow_id": WORKFLOW, "subscription_id": SUBSCRIPTION}
AT_JOB = {"training_job_id": TRAINING_JOB}
AT_TASK = {"training_job_id": TRAINING_JOB, "task_id": TASK}


class Case(NamedTuple):
    """One call: the SDK's method, the name of the variant, and the arguments by the SDK's names."""

    sdk_method: str
    variant: str
    arguments: dict[str, Any]


LABELS = ["airflow", "夜间 训练", "airflow"]
PARAMETERS = [
    {
        "name": "learning_rate",
        "type": "float",
        "description": "学习率 (步长), per step",
        "example": 0.01,
        "delay": False,
        "default": 1e-05,
        "value": 0.1,
        "enum": [1e-05, 0.01, 0.1, 0.1],
        "used_steps": ["train", "train_again"],
        "format": "",
        "constraint": {"min": 0, "max": 1, "none": None, "unit": {"name": "每步", "tags": []}},
    },
    {"name": "epochs", "type": "int", "value": 0},
    {"name": "use_half", "type": "bool", "value": False},
    {"name": "title", "type": "str", "value": ""},
    {"name": "note", "type": "str", "value": "含 空格 & 'quotes' \"双引号\" / ? # % + \\ \t 😀"},
    {"name": "flavors", "type": "json", "value": [{"code": "x1", "count": 2}, ["嵌套", None, 1.5]]},
    {"name": "cleared", "type": "str", "value": None, "delay": True},
]
DATA_REQUIREMENTS = [
    {
        "name": "train_data",
        "type": "obs",
        "conditions": [{"attribute": "size", "operator": "equal", "value": {"gb": 1.5, "any": [None]}}],
        "value": {"obs_url": "/桶/训练 数据/", "object_type": ["DIRECTORY", "DIRECTORY"]},
        "used_steps": ["train"],
        "delay": False,
    },
    {"name": "labels", "type": "dataset", "value": {"dataset_id": "d 1", "version_id": "v 1"}, "delay": True},
]
STORAGES = [{"name": "out", "type": "obs", "path": "/桶/输出 目录/"}]
STEPS = [
    {
        "name": "train",
        "type": "job",
        "title": "训练",
        "description": "first step",
        "created_at": "2026-01-15T16:30:04.264564372+08:00",
        "inputs": [
            {"name": "in", "type": "obs", "data": "$ref/data_requirements/train_data", "value": None},
            {"name": "inline", "type": "data_selector", "data": {"a": [1, "二"]}, "value": {"b": True}},
        ],
        "outputs": [{"name": "model", "type": "obs", "config": {"path": "/b/", "n": 2, "deep": {"k": [0]}}}],
        "properties": {
            "node_count": 1,
            "spec": {"flavor": "vm.gpu", "env": {"变量": "值", "RATIO": 0.5, "DEBUG": False, "NONE": None}},
            "hooks": [{"on": "start"}, {"on": "end"}],
        },
        "depend_steps": [],
        "policy": {"poll_interval_seconds": "30", "max_execution_minutes": "600"},
    },
    {
        "name": "good_enough",
        "type": "condition",
        "conditions": [
            {"type": ">=", "left": "$ref/parameters/accuracy", "right": 0.9},
            {"type": "in", "left": "甲", "right": ["甲", "乙"]},
        ],
        "depend_steps": ["train"],
        "if_then_steps": ["deploy"],
        "else_then_steps": ["train_again", "notify"],
    },
]
ORDER = {
    "id": "order-1",
    "sku": {"code": "sku 码", "period": "month", "queries_limit": 1000, "price": 19.99},
    "sku_count": "1",
}
PACKAGE = {
    "status": "active",
    "pool_id": "pool-1",
    "service_id": "service-1",
    "workflow_id": WORKFLOW,
    "order": ORDER,
    "consume_limit": 100,
    "current_consume": 0,
    "current_date": "2026-01-15",
    "limit_enable": False,
    "created_at": "2026-01-15T16:30:04+08:00",
    "package_id": "package-1",
}
WORKFLOW_BODY = {
    "name": "夜间 训练-1",
    "description": "每晚一次, once a night",
    "steps": STEPS,
    "user_name": "张三",
    "workspace_id": "0",
    "data_requirements": DATA_REQUIREMENTS,
    "data": [{"name": "d", "type": "image", "value": {"k": {"n": 1}}, "used_steps": ["train", "train"]}],
    "parameters": PARAMETERS,
    "source_workflow_id": WORKFLOW,
    "gallery_subscription": {"content_id": "c", "version_id": "1.0.0", "expired_at": "2027-01-01"},
    "latest_execution": {
        "execution_id": EXECUTION,
        "created_at": "2026-01-15T16:30:04+08:00",
        "status": "running",
        "running_steps": ["train"],
        "current_steps": ["train"],
        "duration": 37,
    },
    "run_count": 0,
    "param_ready": False,
    "source": "ai_gallery",
    "storages": STORAGES,
    "labels": LABELS,
    "assets": [{"name": "a", "type": "model", "content_id": "c", "subscription_id": "s", "expired_at": "2027-01-01"}],
    "sub_graphs": [{"name": "子图", "steps": ["train", "deploy"]}],
    "extend": {"任意": {"nested": [1, None, {"x": "y"}]}, "flag": False},
    "policy": {
        "use_scene": "fast",
        "scene_id": "s1",
        "scenes": [{"id": "s1", "name": "快", "steps": ["train"]}],
    },
    "with_subscription": False,
    "smn_switch": True,
    "subscription_id": SUBSCRIPTION,
    "exeml_template_id": "t1",
    "last_modified_at": "2026-01-15T16:30:04+08:00",
    "package": PACKAGE,
}
EXECUTION_BODY = {
    "created_at": "2026-01-15T16:30:04+08:00",
    "name": "夜间 执行 1",
    "execution_id": EXECUTION,
    "description": "",
    "status": "init",
    "workspace_id": "0",
    "workflow_id": WORKFLOW,
    "workflow_name": "夜间 训练-1",
    "scene_id": "s1",
    "scene_name": "快",
    "steps_execution": [
        {
            "step_name": "train",
            "duration": 0,
            "type": "job",
            "instance_id": '{"job_id":"5a3e8f10-7c2d-4b6a-9e1f-8d0c4b2a6f55"}',
            "status": "failed",
            "inputs": [{"name": "in", "type": "obs", "data": "$ref/storages/out/子", "value": {"v": 1}}],
            "outputs": [{"name": "model", "type": "obs", "config": {"a": {"b": "c"}}}],
            "step_uuid": STEP_EXECUTION,
            "properties": {"outer": {"inner": [1, "二", None, {"deep": True}]}, "number": 1.5},
            "events": ["2026-01-15 16:30:05 change status from init to failed"],
            "error_info": {"error_code": "ModelArts.0010", "error_message": "内部 错误"},
            "policy": {"execution_policy": "retry", "use_cache": False},
            "conditions_execution": {"result": "true", "metric_list": [{"key": "acc", "value": 0.93}]},
            "step_title": "训练",
            "conditions": [{"type": "==", "left": "$ref/parameters/is_true", "right": True}],
        }
    ],
    "sub_graphs": [{"name": "子图", "steps": ["train"]}],
    "duration": "37",
    "events": ["2026-01-15 16:30:05 step train change status from init to creating"],
    "labels": LABELS,
    "data_requirements": DATA_REQUIREMENTS,
    "parameters": PARAMETERS,
    "policies": {"use_cache": False},
}
INPUTS = {"parameters": PARAMETERS, "data_requirements": DATA_REQUIREMENTS}
SUBSCRIPTION_BODY = {
    "created_at": "2026-01-15T16:30:04+08:00",
    "subscription_id": SUBSCRIPTION,
    "topic_urns": ["urn:smn:cn-north-4:0123456789abcdef0123456789abcdef:主题", "urn:smn:cn-north-4:0:t"],
    "entity": "workflow",
    "events": ["*:wait_inputs,hold,completed", "train:completed,failed,create_failed"],
}
CRON = {"cron": "0 0 0 * * Thu,Tue", "method": "fixed"}

WORKFLOW_CASES = [
    Case("create_workflow", "minimal", {"body": {"name": "w"}}),
    Case("create_workflow", "full", {"body": WORKFLOW_BODY}),
    Case("list_workflows", "minimal", {}),
    Case(
        "list_workflows",
        "full",
        {
            "name": "夜间 训练 & co",
            "description": "a+b=100% / ~",
            "status": "running",
            "labels": "airflow,夜间 训练",
            "template_id": "t 1",
            "limit": "100",
            "offset": "0",
            "sort_by": "create_time",
            "search_type": "contain",
        },
    ),
    Case("list_workflows", "repeated", {"labels": ["z", "a b", "z", "甲"], "limit": "10"}),
    Case("show_workflow", "minimal", AT_WORKFLOW),
    Case("show_workflow", "full", {**AT_WORKFLOW, "workspace_id": "工作 区"}),
    Case("update_workflow", "minimal", {**AT_WORKFLOW, "body": {}}),
    Case(
        "update_workflow",
        "full",
        {
            **AT_WORKFLOW,
            "body": {
                "name": "夜间 训练-2",
                "description": "",
                **INPUTS,
                "storages": STORAGES,
                "labels": LABELS,
                "smn_switch": "true",
                "steps": STEPS,
            },
        },
    ),
    Case("delete_workflow", "minimal", AT_WORKFLOW),
    Case("delete_workflow", "odd_id", {"workflow_id": "a b/甲~%"}),
    Case("show_workflow_labels", "minimal", {}),
    Case(
        "show_workflow_labels",
        "full",
        {"limit": 100, "offset": 0, "order": "desc", "sort_by": "create_time", "template_id": "模板 1"},
    ),
    Case("show_workflows_overview", "minimal", {}),
    Case(
        "show_workflows_overview",
        "full",
        {"workspace_id": "0", "search_type": "equal", "name": "夜间 训练", "description": "a&b=c"},
    ),
    Case("show_workflows_todolist", "minimal", {}),
    Case("show_workflows_todolist", "full", {"workspace_id": "工作 区/1"}),
    Case("create_workflow_service_auth", "minimal", {"body": {}}),
    Case(
        "create_workflow_service_auth",
        "full",
        {"body": {"main_service_id": "服务", "content_id": "c", "consume": {"period": "day", "value": 0}}},
    ),
    Case("create_workflow_purchase_pool", "minimal", {**AT_WORKFLOW, "body": {"pool_id": "p", "order": ORDER}}),
    Case("create_workflow_purchase_pool", "full", {**AT_WORKFLOW, "body": PACKAGE}),
]

EXECUTION_CASES = [
    Case("list_workflow_executions", "minimal", AT_WORKFLOW),
    Case(
        "list_workflow_executions",
        "full",
        {
            **AT_WORKFLOW,
            "workspace_id": "0",
            "limit": "100",
            "sort_by": "create_time",
            "offset": "200",
            "labels": "airflow,夜间 训练",
            "status": "running",
            "scene_id": "场景 1",
            "order": "desc",
        },
    ),
    Case("list_workflow_executions", "repeated", {**AT_WORKFLOW, "labels": ["z", "a b", "z", "甲"]}),
    Case("create_workflow_execution", "minimal", {**AT_WORKFLOW, "body": {}}),
    Case("create_workflow_execution", "full", {**AT_WORKFLOW, "body": EXECUTION_BODY}),
    Case("show_workflow_execution", "minimal", AT_EXECUTION),
    Case("show_workflow_execution", "odd_id", {"workflow_id": WORKFLOW, "execution_id": "a b+甲~%"}),
    Case("update_workflow_execution", "minimal", {**AT_EXECUTION, "body": {}}),
    Case("update_workflow_execution", "full", {**AT_EXECUTION, "body": EXECUTION_BODY}),
    Case("delete_workflow_execution", "minimal", AT_EXECUTION),
    Case("delete_workflow_execution", "odd_id", {"workflow_id": WORKFLOW, "execution_id": "a b+甲~%"}),
    Case("create_workflow_executions_actions", "minimal", {**AT_EXECUTION, "body": {"action_name": "stop"}}),
    Case(
        "create_workflow_executions_actions",
        "full",
        {
            **AT_EXECUTION,
            "body": {"action_name": "rerun", "policies": {"rerun_steps": ["train", "部署"]}, **INPUTS},
        },
    ),
    Case("list_execution_labels", "minimal", AT_WORKFLOW),
    Case("list_execution_labels", "odd_id", {"workflow_id": "a b+甲~%"}),
    Case("list_workflow_step_execution", "minimal", AT_WORKFLOW),
    Case(
        "list_workflow_step_execution",
        "full",
        {**AT_WORKFLOW, "limit": 100, "offset": 0, "order": "asc", "sort_by": "create_time"},
    ),
    Case("create_workflow_step_executions_actions", "minimal", {**AT_STEP, "body": {"action_name": "stop"}}),
    Case(
        "create_workflow_step_executions_actions",
        "full",
        {**AT_STEP, "body": {"action_name": "continue", **INPUTS}},
    ),
    Case("show_workflow_step_execution_metrics", "minimal", AT_STEP),
    Case("show_workflow_step_execution_metrics", "odd_id", {**AT_EXECUTION, "step_execution_id": "a b+甲~%"}),
]

SCHEDULE_CASES = [
    Case(
        "create_workflow_schedule",
        "minimal",
        {**AT_WORKFLOW, "body": {"type": "time", "content": CRON, "action": "run"}},
    ),
    Case(
        "create_workflow_schedule",
        "full",
        {
            **AT_WORKFLOW,
            "body": {
                "type": "time",
                "content": {**CRON, "extra": {"时区": ["+08:00", None]}},
                "action": "run",
                "workflow_id": WORKFLOW,
                "user_id": "u",
                "enable": False,
                "uuid": SCHEDULE,
                "policies": {"on_failure": "retry", "on_running": "cancel"},
                "created_at": "2026-01-15T16:30:04+08:00",
            },
        },
    ),
    Case("show_workflow_schedule_list", "minimal", AT_WORKFLOW),
    Case("show_workflow_schedule_list", "odd_id", {"workflow_id": "a b+甲~%"}),
    Case("show_workflow_schedule", "minimal", AT_SCHEDULE),
    Case("show_workflow_schedule", "odd_id", {"workflow_id": WORKFLOW, "schedule_id": "a b+甲~%"}),
    Case("update_workflow_schedule", "minimal", {**AT_SCHEDULE, "body": {"enable": False}}),
    Case("update_workflow_schedule", "full", {**AT_SCHEDULE, "body": {"content": CRON, "enable": True}}),
    Case("delete_workflow_schedule_id", "minimal", AT_SCHEDULE),
    Case("delete_workflow_schedule_id", "odd_id", {"workflow_id": WORKFLOW, "schedule_id": "a b+甲~%"}),
    Case(
        "create_workflow_subscriptions",
        "minimal",
        {**AT_WORKFLOW, "body": {"topic_urns": ["urn:smn:cn-north-4:0:t"]}},
    ),
    Case("create_workflow_subscriptions", "full", {**AT_WORKFLOW, "body": SUBSCRIPTION_BODY}),
    Case("show_workflow_subscription", "minimal", AT_SUBSCRIPTION),
    Case("show_workflow_subscription", "odd_id", {"workflow_id": WORKFLOW, "subscription_id": "a b+甲~%"}),
    Case(
        "update_workflow_subscription",
        "minimal",
        {**AT_SUBSCRIPTION, "body": {"topic_urns": ["urn:smn:cn-north-4:0:t"]}},
    ),
    Case("update_workflow_subscription", "full", {**AT_SUBSCRIPTION, "body": SUBSCRIPTION_BODY}),
    Case("delete_workflow_subscription", "minimal", AT_SUBSCRIPTION),
    Case("delete_workflow_subscription", "odd_id", {"workflow_id": WORKFLOW, "subscription_id": "a b+甲~%"}),
]

TRAINING_JOB_CASES = [
    Case("show_training_job_details", "minimal", AT_JOB),
    Case("show_training_job_details", "odd_id", {"training_job_id": "a b+甲~%"}),
    Case("show_training_job_logs_preview", "minimal", AT_TASK),
    Case("show_training_job_logs_preview", "odd_id", {**AT_JOB, "task_id": "worker 0+甲~%"}),
    Case("show_training_job_logs_from_aom", "minimal", AT_TASK),
    Case(
        "show_training_job_logs_from_aom",
        "full",
        {**AT_TASK, "base_line": "1700000000000 行", "lines": 500, "order": "asc"},
    ),
    Case("list_training_job_events", "minimal", AT_JOB),
    Case(
        "list_training_job_events",
        "full",
        {
            **AT_JOB,
            "offset": 0,
            "limit": 100,
            "order": "asc",
            "start_time": "2026-01-15T16:30:04+08:00",
            "end_time": "2026-01-15T17:30:04+08:00",
            "x_language": "zh-cn",
            "level": "Warning",
            "pattern": "内存 不足 & more",
        },
    ),
    Case("list_training_job_stages", "minimal", AT_JOB),
    Case("list_training_job_stages", "odd_id", {"training_job_id": "a b+甲~%"}),
    Case("list_training_job_tasks", "minimal", AT_JOB),
    Case("list_training_job_tasks", "full", {**AT_JOB, "schedule_count": 0}),
    Case("show_training_job_metrics", "minimal", AT_TASK),
    Case("show_training_job_metrics", "odd_id", {**AT_JOB, "task_id": "worker 0+甲~%"}),
    Case("stop_training_job", "minimal", {**AT_JOB, "body": {"action_type": "terminate"}}),
    Case(
        "stop_training_job",
        "odd_id",
        {"training_job_id": "a b+甲~%", "body": {"action_type": "terminate"}},
    ),
]

CASES = [*WORKFLOW_CASES, *EXECUTION_CASES, *SCHEDULE_CASES, *TRAINING_JOB_CASES]
