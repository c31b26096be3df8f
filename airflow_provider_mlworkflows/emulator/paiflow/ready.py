"""Ready-made pipelines; each takes 20 to 60 seconds until it ends or is suspended."""

from __future__ import annotations

from typing import Any

from airflow_provider_mlworkflows.emulator.paiflow.definitions import (
    NodeAttempt,
    NodeDefinition,
    Output,
    PipelineDefinition,
    fails,
    succeeds,
    suspends,
)

PLAIN_CHAIN = "pipeline-emulatorchain00001"
BRANCH_WITH_SKIP = "pipeline-emulatorbranch0002"
SUB_DAG_AND_LOOP = "pipeline-emulatornested0003"
FAILS_ONCE = "pipeline-emulatorfailing004"
IS_SUSPENDED = "pipeline-emulatorpausing005"

_TABLE = {"location": {"project": "emulator", "table": "clean_events"}}
_MODEL_FILE = {"uri": "oss://emulator-data/models/demo/", "framework": "PyTorch"}
_METRICS = {"accuracy": 0.93, "loss": 0.21}
_EVALUATION = {"auc": 0.97, "confusion": [[480, 20], [35, 465]]}
_RATE: dict[str, Any] = {"name": "learning_rate", "type": "Double", "value": 0.1, "desc": "of the training step"}
_EPOCHS: dict[str, Any] = {"name": "epochs", "type": "Int", "value": 3}
_TABLE_NAME: dict[str, Any] = {"name": "table", "type": "String", "value": "emulator.raw_events"}
_COMMON = (_RATE, _EPOCHS, _TABLE_NAME)
_INPUT: dict[str, Any] = {
    "name": "inputTable",
    "metadata": {"type": {"DataSet": {"locationType": "MaxComputeTable"}}},
}


def ready_made() -> tuple[PipelineDefinition, ...]:
    """Return the ready-made pipelines."""
    read = NodeDefinition("read", attempts=(succeeds(4, Output("table", "DataSet", _TABLE)),))
    train = NodeDefinition("train", ("read",), (succeeds(10, Output("model", "Model", _MODEL_FILE)),))
    return _plain_chain(read, train), _branch(read), _nested(read), _failing(read, train), _suspended(read)


def _evaluating(seconds: float) -> NodeAttempt:
    return succeeds(
        seconds, Output("metrics", "Metrics", _METRICS), Output("evaluation", "ModelEvaluation", _EVALUATION)
    )


def _plain_chain(read: NodeDefinition, train: NodeDefinition) -> PipelineDefinition:
    evaluate = NodeDefinition("evaluate", ("train",), (_evaluating(5),))
    register = NodeDefinition("register", ("evaluate",), (succeeds(4),))
    return PipelineDefinition("plain_chain", (read, train, evaluate, register), _COMMON, (_INPUT,), PLAIN_CHAIN)


def _branch(read: NodeDefinition) -> PipelineDefinition:
    full = "{{inputs.parameters.full_training}}"
    train = NodeDefinition(
        "train", ("read",), (succeeds(12, Output("model", "Model", _MODEL_FILE)),), when=f"{full} == true"
    )
    tune = NodeDefinition(
        "fine_tune", ("read",), (succeeds(12, Output("model", "Model", _MODEL_FILE)),), when=f"{full} != true"
    )
    register = NodeDefinition("register", ("train", "fine_tune"), (succeeds(4),))
    parameters = (*_COMMON, {"name": "full_training", "type": "Bool", "value": True})
    return PipelineDefinition(
        "branch_with_skip", (read, train, tune, register), parameters, (_INPUT,), BRANCH_WITH_SKIP
    )


def _nested(read: NodeDefinition) -> PipelineDefinition:
    table = {"parameters": [{"name": "table", "from": "{{inputs.parameters.table}}"}]}
    extract = NodeDefinition("extract", attempts=(succeeds(3),), arguments=table)
    normalise = NodeDefinition("normalise", ("extract",), (succeeds(3, Output("features", "DataSet", _TABLE)),))
    features = NodeDefinition("features", ("read",), children=(extract, normalise), arguments=table)
    rate = {"parameters": [{"name": "rate", "value": "{{item}}"}]}
    fit = NodeDefinition("fit", attempts=(succeeds(4, Output("trial", "Model", _MODEL_FILE)),))
    score = NodeDefinition("score", ("fit",), (succeeds(2, Output("score", "Metrics", _METRICS)),))
    tune = NodeDefinition(
        "tune", ("features",), children=(fit, score), items=(0.1, 0.01, 0.001), parallelism=2, arguments=rate
    )
    choose = NodeDefinition("choose", ("tune",), (_evaluating(3),))
    return PipelineDefinition("sub_dag_and_loop", (read, features, tune, choose), _COMMON, (_INPUT,), SUB_DAG_AND_LOOP)


def _failing(read: NodeDefinition, train: NodeDefinition) -> PipelineDefinition:
    message = "evaluation failed: metric file not found"
    evaluate = NodeDefinition("evaluate", ("train",), (fails(5, message), _evaluating(4)))
    register = NodeDefinition("register", ("evaluate",), (succeeds(4),))
    return PipelineDefinition("fails_once", (read, train, evaluate, register), _COMMON, (_INPUT,), FAILS_ONCE)


def _suspended(read: NodeDefinition) -> PipelineDefinition:
    message = "suspended: the resource group is out of quota"
    train = NodeDefinition("train", ("read",), (suspends(16, message), succeeds(10)))
    register = NodeDefinition("register", ("train",), (succeeds(4),))
    return PipelineDefinition("is_suspended", (read, train, register), _COMMON, (_INPUT,), IS_SUSPENDED)
