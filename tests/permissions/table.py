"""Which operations each operator and sensor calls: the table that docs/permissions.md is written from.

Kept true by tests/test_docs_permissions.py, which plays each row and takes what was called from the emulator's journal.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache

from airflow_provider_mlworkflows.emulator import Emulator

LOST = "the answer to the start is lost"
RETRY = "a retry repairs the run"
KILL = "the run is stopped (kill, clear, time-out)"
LOG = "a step fails (its last log lines)"
WAITING = '`on_waiting="continue"`'
METRICS = "`fetch_metrics=True`"
STREAM = "`stream_logs=True`"
DEFER = "`deferrable=True`"
MANY = "several wait in the triggerer"
RESTART = 'it replaces what it created before (clear, `on_retry="restart"`)'
STATUS = "`status` is given"
CHANGE = "`config` or another field is given"
EXISTING = '`on_existing="update"`'
NO_ID = "no `schedule_id` is given"
BY_NAME = "`service_name` is given"
RUN_OVER = "the run is over with its node"
RERUN = '`action="rerun"`'
STORED = "`pipeline_id` is given"
UNMARKED = "no `marker_input` is given"
TEMPLATE, NO_TEMPLATE = "`template_id` is given", "no `template_id` is given"
RETRIED_STOP = "`cancel_on_kill=True`, `cancel_on_timeout=True`"
TEST = "Test button of the connection"
NO_PROJECT = "any operator with a connection without `project_id`"

STATUS_CHANGE = "UpdateService (status)"
"""An operation whose permission depends on what it is asked to change."""


@dataclass(frozen=True)
class Need:
    """What one operator or sensor calls.

    Attributes:
        name: Its class, or in words what else calls something.
        always: Operations of a run that goes well, without any option.
        more: Further operations, by what makes it call them.
    """

    name: str
    always: tuple[str, ...]
    more: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def operations(self) -> list[str]:
        """All of them, each once."""
        return list(dict.fromkeys([*self.always, *(each for more in self.more.values() for each in more)]))


@dataclass(frozen=True)
class Role:
    """What somebody may do.

    Attributes:
        title: In words.
        names: The operators and sensors that it is for.
        without: What they are not used for.
    """

    title: str
    names: tuple[str, ...]
    without: tuple[str, ...] = ()


_SHOW, _LIST, _ACT = "ShowWorkflowExecution", "ListWorkflowExecutions", "CreateWorkflowExecutionsActions"
_ACT_ON_STEP = "CreateWorkflowStepExecutionsActions"
_JOB_LOG = ("ShowTrainingJobDetails", "ShowTrainingJobLogsFromAom")
_MEASURED = ("ShowWorkflowStepExecutionMetrics",)
_MANY = {MANY: (_LIST, "ShowWorkflowsTodolist")}

MODELARTS = (
    Need(
        "ModelArtsStartWorkflowOperator",
        ("ShowWorkflow", "CreateWorkflowExecution", _SHOW),
        {
            LOST: (_LIST,),
            RETRY: (_ACT_ON_STEP,),
            KILL: (_ACT,),
            WAITING: (_ACT_ON_STEP,),
            LOG: _JOB_LOG,
            METRICS: _MEASURED,
            **_MANY,
        },
    ),
    Need(
        "ModelArtsExecutionActionOperator",
        (_SHOW, _ACT),
        {
            RERUN: ("ShowWorkflow",),
            RETRY: (_ACT_ON_STEP,),
            WAITING: (_ACT_ON_STEP,),
            LOG: _JOB_LOG,
            METRICS: _MEASURED,
            **_MANY,
        },
    ),
    Need("ModelArtsStepActionOperator", (_SHOW, "ShowWorkflow", _ACT_ON_STEP), {RETRIED_STOP: (_ACT,), **_MANY}),
    Need("ModelArtsExecutionSensor", (_SHOW,), _MANY),
    Need("ModelArtsStepSensor", (_SHOW,)),
    Need("ModelArtsTodoSensor", ("ShowWorkflowsTodolist",)),
    Need(
        "ModelArtsCreateScheduleOperator",
        ("ShowWorkflowScheduleList", "CreateWorkflowSchedule"),
        {EXISTING: ("UpdateWorkflowSchedule",)},
    ),
    Need("ModelArtsUpdateScheduleOperator", ("UpdateWorkflowSchedule",), {NO_ID: ("ShowWorkflowScheduleList",)}),
    Need("ModelArtsDeleteScheduleOperator", ("DeleteWorkflowScheduleId",), {NO_ID: ("ShowWorkflowScheduleList",)}),
    Need("ModelArtsCreateSubscriptionOperator", ("CreateWorkflowSubscriptions",)),
    Need("ModelArtsUpdateSubscriptionOperator", ("UpdateWorkflowSubscription",)),
    Need("ModelArtsDeleteSubscriptionOperator", ("DeleteWorkflowSubscription",)),
    Need(
        "ModelArtsCreateServiceOperator",
        ("ListServices", "CreateService", "ShowService"),
        {KILL: (STATUS_CHANGE,), RETRY: ("UpdateService",), RESTART: ("DeleteService",)},
    ),
    Need(
        "ModelArtsUpdateServiceOperator",
        ("ShowService",),
        {CHANGE: ("UpdateService",), STATUS: (STATUS_CHANGE,), MANY: ("ListServices",)},
    ),
    Need("ModelArtsDeleteServiceOperator", ("DeleteService", "ShowService"), {BY_NAME: ("ListServices",)}),
    Need("ModelArtsServiceSensor", ("ShowService",), {MANY: ("ListServices",)}),
    Need("ModelArtsPoolSensor", ("ShowPool", "ListPoolNodes"), {MANY: ("ListPools",)}),
    Need("ModelArtsClusterSensor", ("ListClusters",)),
    Need("ModelArtsTagNotebookOperator", ("CreateNotebookTags",)),
    Need("ModelArtsUntagNotebookOperator", ("DeleteNotebookTags",)),
    Need("ModelArtsAuthorizeServiceOperator", ("CreateWorkflowServiceAuth",)),
    Need(TEST, ("ListWorkflows",)),
    Need(NO_PROJECT, ("KeystoneListProjects",)),
)

_READ = ("GetPipelineRun", "GetPipelineRunNode", "ListPipelineRunNodeOutputs")
_LOGS = ("ListPipelineRunNodeLogs",)
_STATUSES = {DEFER: ("ListPipelineRunsStatus",)}
_PIPELINE_RUN = {KILL: ("TerminatePipelineRun",), LOG: _LOGS, STREAM: _LOGS, **_STATUSES}

PAIFLOW = (
    Need(
        "PaiFlowStartPipelineOperator",
        ("CreatePipelineRun", *_READ),
        {
            STORED: ("GetPipeline",),
            LOST: ("ListPipelineRuns",),
            RETRY: ("RerunPipelineRun",),
            WAITING: ("StartPipelineRun",),
            **_PIPELINE_RUN,
        },
    ),
    Need("PaiFlowRerunOperator", ("RerunPipelineRun", *_READ), _PIPELINE_RUN),
    Need("PaiFlowTerminateOperator", ("TerminatePipelineRun", *_READ), {STREAM: _LOGS, **_STATUSES}),
    Need("PaiFlowRunSensor", _READ, _STATUSES),
    Need(
        "PaiFlowNodeSensor",
        ("GetPipelineRun", "GetPipelineRunNode"),
        {RUN_OVER: ("ListPipelineRunNodeOutputs",), **_STATUSES},
    ),
    Need(TEST, ("ListPipelineRuns",)),
)

_SHOW_EXECUTION, _LIST_EXECUTIONS = "getWorkflowExecution", "listWorkflowExecution"
_RESTORE = "restoreFailedWorkflowExecution"
_LISTED = {MANY: (_LIST_EXECUTIONS,)}

OBS = (
    Need(
        "ObsStartWorkflowOperator",
        ("getWorkflow", "asyncAPIStartWorkflow", _SHOW_EXECUTION),
        {
            UNMARKED: (_LIST_EXECUTIONS,),
            LOST: (_LIST_EXECUTIONS,),
            RETRY: (_RESTORE,),
            **_LISTED,
        },
    ),
    Need("ObsRestoreExecutionOperator", (_RESTORE, _SHOW_EXECUTION), _LISTED),
    Need("ObsExecutionSensor", (_SHOW_EXECUTION,), _LISTED),
    Need("ObsStateSensor", (_SHOW_EXECUTION,)),
    Need(TEST, ("listWorkflow",)),
)

_DETAIL = ("SearchWorkflowExecutionDetail", "ListWorkflow")
_OPERATE, _STOP = "StartPausingWorkflowExecutions", "StopExecution"
_HISTORY = {MANY: ("ListWorkflowExecutions",)}

AOM = (
    Need(
        "AomStartWorkflowOperator",
        ("ExecuteWorkflow", *_DETAIL),
        {
            NO_TEMPLATE: ("ListWorkflowExecutions",),
            TEMPLATE: ("SearchTemplateById", "CreateWorkflow"),
            LOST: ("ListWorkflowExecutions",),
            RETRY: (_OPERATE,),
            KILL: (_STOP,),
            WAITING: (_OPERATE,),
            **_HISTORY,
        },
    ),
    Need("AomNodeOperationOperator", (_OPERATE, *_DETAIL), {RETRIED_STOP: (_STOP,), **_HISTORY}),
    Need("AomTerminateOperator", (_STOP, *_DETAIL), _HISTORY),
    Need("AomExecutionSensor", _DETAIL, _HISTORY),
    Need("AomNodeSensor", _DETAIL),
    Need(TEST, ("ListWorkflow",)),
)

NEEDS: Mapping[str, Sequence[Need]] = {"modelarts": MODELARTS, "paiflow": PAIFLOW, "obs": OBS, "aom": AOM}

_WORKFLOW_SENSORS = ("ModelArtsExecutionSensor", "ModelArtsStepSensor", "ModelArtsTodoSensor")
ROLES: Mapping[str, Sequence[Role]] = {
    "modelarts": (
        Role("Follow executions only", _WORKFLOW_SENSORS),
        Role(
            "Start, follow, continue, repair and stop executions",
            (
                "ModelArtsStartWorkflowOperator",
                "ModelArtsExecutionActionOperator",
                "ModelArtsStepActionOperator",
                *_WORKFLOW_SENSORS,
            ),
        ),
        Role(
            "Deploy, change, follow and delete services",
            (
                "ModelArtsCreateServiceOperator",
                "ModelArtsUpdateServiceOperator",
                "ModelArtsDeleteServiceOperator",
                "ModelArtsServiceSensor",
            ),
        ),
    ),
    "paiflow": (
        Role("Follow runs only", ("PaiFlowRunSensor", "PaiFlowNodeSensor")),
        Role(
            "Start, follow, repair and stop runs",
            tuple(need.name for need in PAIFLOW if need.name.startswith("PaiFlow")),
        ),
    ),
    "obs": (),
    "aom": (
        Role("Follow executions only", ("AomExecutionSensor", "AomNodeSensor")),
        Role(
            "Start existing workflows, follow, continue, repair and stop executions",
            tuple(need.name for need in AOM if need.name.startswith("Aom")),
            without=(TEMPLATE,),
        ),
    ),
}


@cache
def permissions() -> Mapping[str, Mapping[str, str | None]]:
    """By service and operation, the permission that the emulator asks for; None for none."""
    found: dict[str, dict[str, str | None]] = {}
    for _, service, operation in Emulator(clock="manual")._application(asyncio.Event())._routes._table:
        known = found.setdefault(service.name, {})
        name = STATUS_CHANGE if operation.name == "UpdateService" and operation.when else operation.name
        assert known.get(name, operation.permission) == operation.permission, f"{service.name}: {name} is ambiguous"
        known[name] = operation.permission
    return {service: known | found["iam"] for service, known in found.items()}


def actions(service: str, operations: Iterable[str]) -> list[str]:
    """The permissions that operations need, each once, sorted."""
    return sorted({permission for each in operations if (permission := permissions()[service][each]) is not None})


def need(service: str, name: str) -> Need:
    """The row of an operator or sensor."""
    return next(each for each in NEEDS[service] if each.name == name)
