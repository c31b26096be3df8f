"""What a task tells of what went wrong, what it left behind, and what it kept to itself."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_mlworkflows.emulator import FaultRule
from airflow_provider_mlworkflows.emulator.modelarts.ready import PLAIN_CHAIN
from airflow_provider_mlworkflows.exceptions import (
    ApiError,
    AuthenticationError,
    BadRequestError,
    ConfigurationError,
    InvalidInputError,
    MLWorkflowsError,
    NotFoundError,
    PermissionDeniedError,
    RunNotFoundError,
    ServerError,
    TransportError,
    UnexpectedReplyError,
)
from airflow_provider_mlworkflows.operators.modelarts import ModelArtsStartWorkflowOperator
from airflow_provider_mlworkflows.sensors.modelarts import ModelArtsExecutionSensor
from tests.support import START, Bench, assert_no_secret

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator

    from tests.harness.results import TaskResult

NOBODY = "5a1f7c02-3d64-4b8e-9f10-6c2e8d4b7aff"
WRONG_SECRET = "wrongSecretKeyOfNobody"
WRONG_TOKEN = "tokenThatIamNeverIssued000000000001"
REQUEST_ID = re.compile(r"request id [0-9a-f]{32}")
MARKER = re.compile(r"airflow-[0-9a-f]{16}")


@dataclass(frozen=True)
class Case:
    """One thing that is wrong.

    Attributes:
        kind: the error that the task ends with.
        words: what its text has to hold.
        arguments: of the operator.
        connection: fields of the connection.
        faults: of the emulator.
        denied: permissions that are missing.
        starts: executions that have come into being.
        answered: whether a refusal of the service is behind the error.
    """

    kind: type[MLWorkflowsError]
    words: tuple[str, ...]
    arguments: Mapping[str, Any] | None = None
    connection: Mapping[str, Any] | None = None
    faults: tuple[FaultRule, ...] = ()
    denied: tuple[str, ...] = ()
    starts: int = 0
    answered: bool = False


def refused_start(**rule: Any) -> tuple[FaultRule, ...]:
    return (FaultRule(operation=START, **rule),)


CASES = {
    "no such connection": Case(
        ConfigurationError, ("'nowhere'", "huawei_mlworkflows", "huawei_conn_id"), {"huawei_conn_id": "nowhere"}
    ),
    "unknown field in the connection": Case(
        ConfigurationError, ("'secret_kye' is not a field", "project_id"), connection={"secret_kye": WRONG_SECRET}
    ),
    "wrong access key": Case(
        AuthenticationError,
        ("401", "APIGW.0301", "does not exist"),
        connection={"login": "NOSUCHKEY0001"},
        answered=True,
    ),
    "wrong secret key": Case(
        AuthenticationError,
        ("401", "does not fit the access key"),
        connection={"password": WRONG_SECRET},
        answered=True,
    ),
    "wrong token": Case(
        AuthenticationError,
        ("401", "token"),
        connection={"auth_type": "token", "iam_token": WRONG_TOKEN},
        answered=True,
    ),
    "wrong region": Case(
        ConfigurationError,
        ("'cn-south-1'", "mistyped", "project_id"),
        {},
        connection={"project_id": None, "region": "cn-south-1"},
    ),
    "region of another endpoint": Case(
        ConfigurationError, ("modelarts_endpoint", "cn-north-4", "ap-southeast-3"), {"region": "ap-southeast-3"}
    ),
    "malformed region": Case(ConfigurationError, ("region", "cn-north-4"), {"region": "north of China"}),
    "wrong project": Case(PermissionDeniedError, ("403", "project_id"), {"project_id": "f" * 32}, answered=True),
    "missing permission": Case(
        PermissionDeniedError, ("403", "permission"), denied=("modelarts:workflow:execute",), answered=True
    ),
    "unknown workflow": Case(
        NotFoundError, ("ModelArts.7512", NOBODY, "region and project"), {"workflow_id": NOBODY}, answered=True
    ),
    "malformed id": Case(InvalidInputError, ("'plain-chain'", "8-4-4-4-12"), {"workflow_id": "plain-chain"}),
    "parameter that is not there": Case(
        InvalidInputError, ("'epoch'", "Did you mean 'epochs'?"), {"parameters": {"epoch": 3}}
    ),
    "value of another type": Case(
        InvalidInputError, ("'epochs'", "'three'", "int"), {"parameters": {"epochs": "three"}}
    ),
    "value that is not allowed": Case(
        InvalidInputError, ("'flavor'", "modelarts.vm.gpu.v100"), {"parameters": {"flavor": "tpu"}}
    ),
    "data that is no address": Case(
        InvalidInputError, ("'training_data'", "obs://"), {"data_requirements": {"training_data": "bucket"}}
    ),
    "labels as one text": Case(InvalidInputError, ("labels", "list", "'nightly'"), {"labels": "nightly"}),
    "labels that are none": Case(InvalidInputError, ("labels", "list", "5"), {"labels": 5}),
    "use_cache in other words": Case(InvalidInputError, ("use_cache", "'no thanks'"), {"use_cache": "no thanks"}),
    "label with a comma": Case(InvalidInputError, ("'a,b'", "comma"), {"labels": ["a,b"]}),
    "malformed name": Case(InvalidInputError, ("'1st'", "letter"), {"execution_name": "1st"}),
    "refused start": Case(
        BadRequestError,
        ("400", "ModelArts.0104", START),
        faults=refused_start(action="status", status=400, code="ModelArts.0104"),
        answered=True,
    ),
    "refusal inside a success": Case(
        BadRequestError,
        ("200", "ModelArts.0104"),
        faults=refused_start(action="envelope", code="ModelArts.0104"),
        answered=True,
    ),
    "page of a proxy": Case(
        UnexpectedReplyError, ("200", "<html>", "proxy"), faults=refused_start(action="html", status=200), answered=True
    ),
    "cut JSON": Case(
        ServerError,
        ("503", "not JSON"),
        faults=refused_start(action="truncate", cut_json=True, status=503),
        answered=True,
    ),
    "failing service": Case(
        ServerError, ("503", "try again later"), faults=refused_start(action="status", status=503), answered=True
    ),
    "throttling inside a success": Case(
        ServerError,
        ("200", "ModelArts.6101"),
        faults=refused_start(action="envelope", code="ModelArts.6101"),
        answered=True,
    ),
    "lost request": Case(TransportError, ("may have taken effect", "network"), faults=refused_start(action="reset")),
}
# The start takes effect and its answer is lost: the task finds the execution by its marker and goes on.
FOUND = {
    "page of a proxy": refused_start(action="html", status=200, when="after"),
    "cut JSON": refused_start(action="truncate", cut_json=True, when="after"),
    "cut connection": refused_start(action="truncate", when="after"),
    "reset": refused_start(action="reset", when="after"),
    "close": refused_start(action="close", when="after"),
    "failing service": refused_start(action="status", status=503, when="after"),
    "failure inside a success": refused_start(action="envelope", code="ModelArts.0010", when="after"),
}


def start_operator(**arguments: Any) -> ModelArtsStartWorkflowOperator:
    settings: dict[str, Any] = {"task_id": "train", "workflow_id": PLAIN_CHAIN, "poll_interval": 10.0, **arguments}
    return ModelArtsStartWorkflowOperator(**settings)


def prepare(modelarts: Bench, case: Case) -> None:
    modelarts.use_connection(**(case.connection or {}))
    modelarts.emulator.credentials.revoke(*case.denied)
    for rule in case.faults:
        modelarts.emulator.faults.add(rule)


def secrets_of(modelarts: Bench) -> list[str]:
    """All that no text may hold: what the connection has, and what a case put there."""
    known = modelarts.emulator.credentials
    return [known.permanent.ak, known.permanent.sk, WRONG_SECRET, WRONG_TOKEN, "NOSUCHKEY0001", "Signature="]


def everything_told(modelarts: Bench, result: TaskResult) -> str:
    """Every text that a task leaves behind; the log as it was before Airflow masked it."""
    error = result.error
    told: list[object] = []
    while error is not None:
        told += [repr(error), str(error)]
        error = error.__cause__
    told += [result.unmasked_log, result.xcoms, modelarts.airflow.state_store, result.rendered_fields]
    told += [result.deferral and result.deferral.stored_kwargs, modelarts.airflow.ti.next_kwargs]
    return "\n".join(each if isinstance(each, str) else json.dumps(each, default=str) for each in told)


@pytest.mark.parametrize("deferrable", [False, True], ids=["waiting", "deferrable"])
class TestStarting:
    @pytest.mark.parametrize("name", CASES)
    def test_fails_in_a_way_that_helps(self, modelarts: Bench, name: str, deferrable: bool) -> None:
        case = CASES[name]
        prepare(modelarts, case)
        result = modelarts.airflow.run_to_end(start_operator(deferrable=deferrable, **(case.arguments or {})))
        assert result.state == "failed"
        assert isinstance(result.error, case.kind), repr(result.error)
        text = str(result.error)
        assert [word for word in case.words if word not in text] == []
        assert modelarts.starts == case.starts
        if case.answered:
            check_answer(result.error, text)
        assert_no_secret(everything_told(modelarts, result), secrets_of(modelarts))

    @pytest.mark.parametrize("name", FOUND)
    def test_a_start_whose_answer_was_lost_is_found_by_its_marker(
        self, modelarts: Bench, name: str, deferrable: bool
    ) -> None:
        for rule in FOUND[name]:
            modelarts.emulator.faults.add(rule)
        result = modelarts.airflow.run_to_end(start_operator(deferrable=deferrable))
        assert result.state == "success", result.log
        assert modelarts.starts == 1
        (execution,) = modelarts.emulator.modelarts.executions.values()
        assert result.xcoms["run_id"] == execution.execution_id
        assert [label for label in execution.fields["labels"] if MARKER.fullmatch(label)]
        assert_no_secret(everything_told(modelarts, result), secrets_of(modelarts))

    def test_nothing_is_asked_of_a_service_if_the_argument_alone_is_wrong(
        self, modelarts: Bench, deferrable: bool
    ) -> None:
        result = modelarts.airflow.run_to_end(start_operator(deferrable=deferrable, workflow_id="../../v1/other"))
        assert isinstance(result.error, InvalidInputError)
        assert modelarts.requests == []


def check_answer(error: BaseException, text: str) -> None:
    """The text tells status, request id and operation, and so does the error itself."""
    assert isinstance(error, ApiError)
    assert REQUEST_ID.search(text), text
    assert error.request_id
    assert error.request_id in text
    assert f"HTTP {error.status}" in text
    assert error.operation in text
    assert error.code in text
    assert "Asked: " in text


CHOICES = {
    "on_waiting": "ask a friend",
    "on_retry": "fail",
    "on_unrepairable": "repair",
    "on_stopped": "continue",
    "on_clear": "fail",
}


class TestArguments:
    @pytest.mark.parametrize("argument", CHOICES)
    def test_a_word_that_is_no_choice_is_refused_when_the_dag_is_read(self, argument: str) -> None:
        with pytest.raises(InvalidInputError) as refused:
            start_operator(**{argument: CHOICES[argument]})
        assert argument in str(refused.value)
        assert repr(CHOICES[argument]) in str(refused.value)

    def test_an_argument_that_nobody_knows_is_refused(self) -> None:
        with pytest.raises(TypeError, match="workflow"):
            start_operator(workflow="x")


SENSOR_CASES: dict[str, tuple[type[MLWorkflowsError], tuple[str, ...], dict[str, Any], dict[str, Any]]] = {
    "unknown execution": (RunNotFoundError, (NOBODY, "ModelArts.7511"), {}, {}),
    "malformed id": (InvalidInputError, ("'latest'",), {"execution_id": "latest"}, {}),
    "wrong secret key": (AuthenticationError, ("401", "does not fit"), {}, {"password": WRONG_SECRET}),
    "no such connection": (ConfigurationError, ("'nowhere'",), {"huawei_conn_id": "nowhere"}, {}),
}


class TestSensor:
    @pytest.mark.parametrize("mode", ["poke", "reschedule", "deferrable"])
    @pytest.mark.parametrize("name", SENSOR_CASES)
    def test_fails_in_the_same_way_in_every_mode(self, modelarts: Bench, name: str, mode: str) -> None:
        kind, words, arguments, connection = SENSOR_CASES[name]
        modelarts.use_connection(**connection)
        result = modelarts.airflow.run_to_end(sensor(mode, **arguments))
        assert result.state == "failed"
        assert isinstance(result.error, kind), repr(result.error)
        assert [word for word in words if word not in str(result.error)] == []
        assert_no_secret(everything_told(modelarts, result), secrets_of(modelarts))


def sensor(mode: str, **arguments: Any) -> BaseOperator:
    how: dict[str, Any] = {"deferrable": True} if mode == "deferrable" else {"mode": mode, "deferrable": False}
    settings: dict[str, Any] = {"workflow_id": PLAIN_CHAIN, "execution_id": NOBODY, "poke_interval": 10.0, **arguments}
    return ModelArtsExecutionSensor(task_id="wait", **settings, **how)


Breaker = Callable[[Bench], None]


def with_wrong_secret(modelarts: Bench) -> None:
    modelarts.use_connection(password=WRONG_SECRET)


def with_deleted_run(modelarts: Bench) -> None:
    for execution_id in modelarts.emulator.modelarts.executions:
        modelarts.emulator.modelarts.delete_execution(execution_id)


@pytest.mark.parametrize(
    ("break_it", "words"), [(with_wrong_secret, ("401", "secret key")), (with_deleted_run, ("ModelArts.7511",))]
)
def test_trouble_while_deferred_is_told_by_the_worker(
    modelarts: Bench, break_it: Breaker, words: tuple[str, ...]
) -> None:
    operator = start_operator(deferrable=True)
    assert modelarts.airflow.run(operator).state == "deferred"
    break_it(modelarts)
    outcome = modelarts.airflow.run_trigger()
    assert_no_secret(outcome.unmasked_log + json.dumps(outcome.payload), secrets_of(modelarts))
    result = modelarts.airflow.resume(operator, outcome.payload)
    assert result.state == "failed"
    assert isinstance(result.error, MLWorkflowsError)
    assert [word for word in words if word not in str(result.error)] == []
    assert modelarts.starts == 1
    assert modelarts.stops == 0
    assert_no_secret(everything_told(modelarts, result), secrets_of(modelarts))
