"""Ready-made workflows, each of which takes 20 to 60 seconds when nobody has to wait for anybody, and resources."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_mlworkflows.emulator.modelarts.definitions import (
    StepDefinition,
    WorkflowDefinition,
    fails,
    holds,
    succeeds,
)

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.emulator.modelarts.store import ModelArts

PLAIN_CHAIN = "5a1f7c02-3d64-4b8e-9f10-6c2e8d4b7a01"
BRANCH_WITH_SKIP = "5a1f7c02-3d64-4b8e-9f10-6c2e8d4b7a02"
WAITS_FOR_INPUTS = "5a1f7c02-3d64-4b8e-9f10-6c2e8d4b7a03"
FAILS_AT_STEP_3 = "5a1f7c02-3d64-4b8e-9f10-6c2e8d4b7a04"
HOLDS_FOR_LABELLING = "5a1f7c02-3d64-4b8e-9f10-6c2e8d4b7a05"
CPU_CLUSTER = "ff808081673fbb3d01673fbb824d0000"
GPU_CLUSTER = "8abf68a969c3cb3a0169c4acb24b0000"
POOL = "auto-pool-os-86c13962597848eeb29c5861153a391f"
NOTEBOOK = "a55eba18-1ebf-4e9a-8229-d2d3b593a3dc"
SMALL_POOL = "small-pool-os-0f4b7d1c93a8456e8b2d6a5c7e9f1032"

_LEARNING_RATE = {
    "name": "learning_rate",
    "type": "float",
    "default": 0.1,
    "description": "learning rate of the training step",
    "used_steps": ["train"],
}
_EPOCHS = {"name": "epochs", "type": "int", "default": 3, "used_steps": ["train"]}
_FLAVOR = {
    "name": "flavor",
    "type": "str",
    "format": "flavor",
    "default": "modelarts.vm.cpu.8u",
    "enum": ["modelarts.vm.cpu.8u", "modelarts.vm.gpu.v100"],
    "used_steps": ["train"],
}
_TRAINING_DATA = {
    "name": "training_data",
    "type": "obs",
    "value": {"obs_url": "/emulator-data/input/", "object_type": ["DIRECTORY"]},
    "used_steps": ["prepare"],
}
_COMMON: tuple[dict[str, Any], ...] = (_LEARNING_RATE, _EPOCHS, _FLAVOR)


def _model(after: str) -> StepDefinition:
    properties = {"model_name": "demo", "model_type": "PyTorch"}
    return StepDefinition("register", "model", (after,), (succeeds(4),), "register model", {"properties": properties})


def ready_made() -> tuple[WorkflowDefinition, ...]:
    """Return the ready-made workflows."""
    prepare = StepDefinition("prepare", "dataset_import", (), (succeeds(4),), "import data")
    train = StepDefinition("train", "job", ("prepare",), (succeeds(10),), "train model")
    return (
        _plain_chain(prepare, train),
        _branch(prepare),
        _waiting(prepare),
        _failing(prepare, train),
        _held(),
    )


def furnish(store: ModelArts) -> None:
    """Put the ready-made workflows and resources into an emulated service."""
    for definition in ready_made():
        store.add_workflow(definition)
    store.clusters.add("my-cluster", cluster_id=CPU_CLUSTER, nodes=2)
    store.clusters.add(
        "gpu-cluster",
        cluster_id=GPU_CLUSTER,
        nodes=4,
        available_nodes=3,
        specification="modelarts.vm.gpu.v100",
        period_num=1,
        period_type="year",
        product_id="00301-232010-0--0",
        order_id="CS2011261845KJFTX",
    )
    store.pools.add(POOL, display_name="auto-pool-os", nodes=12, available=11)
    store.pools.add(SMALL_POOL, display_name="small-pool-os", nodes=1)
    store.notebooks.add("my-notebook", notebook_id=NOTEBOOK, tags={"team": "vision"})
    store.apps.add("my-app", remark="calls the demonstration's services")


def _plain_chain(prepare: StepDefinition, train: StepDefinition) -> WorkflowDefinition:
    evaluate = StepDefinition("evaluate", "job", ("train",), (succeeds(5),), "evaluate model")
    return WorkflowDefinition(
        "plain-chain",
        (prepare, train, evaluate, _model("evaluate")),
        _COMMON,
        (_TRAINING_DATA,),
        PLAIN_CHAIN,
        fields={"labels": ["ready-made"]},
    )


def _branch(prepare: StepDefinition) -> WorkflowDefinition:
    condition = {"type": "==", "left": "$ref/parameters/full_training", "right": True}
    choose = StepDefinition(
        "choose",
        "condition",
        ("prepare",),
        fields={"conditions": [condition], "if_then_steps": ["train"], "else_then_steps": ["fine_tune"]},
    )
    train = StepDefinition("train", "job", ("choose",), (succeeds(12),), "train from scratch")
    tune = StepDefinition("fine_tune", "job", ("choose",), (succeeds(6),), "fine-tune")
    register = StepDefinition("register", "model", ("train", "fine_tune"), (succeeds(4),), "register model")
    return WorkflowDefinition(
        "branch-with-skip",
        (prepare, choose, train, tune, register),
        (
            *_COMMON,
            {"name": "full_training", "type": "bool", "default": True, "used_steps": ["choose"]},
        ),
        (_TRAINING_DATA,),
        BRANCH_WITH_SKIP,
        fields={"labels": ["ready-made"]},
    )


def _waiting(prepare: StepDefinition) -> WorkflowDefinition:
    train = StepDefinition("train", "job", ("prepare",), (succeeds(8),), "train model")
    deploy = StepDefinition("deploy", "service", ("train",), (succeeds(5),), "deploy service")
    return WorkflowDefinition(
        "waits-for-inputs",
        (prepare, train, deploy),
        (
            *_COMMON,
            {"name": "instances", "type": "int", "delay": True, "example": 1, "used_steps": ["deploy"]},
        ),
        (_TRAINING_DATA, {"name": "test_data", "type": "obs", "delay": True, "used_steps": ["deploy"]}),
        WAITS_FOR_INPUTS,
        fields={"labels": ["ready-made"]},
    )


def _failing(prepare: StepDefinition, train: StepDefinition) -> WorkflowDefinition:
    message = "evaluation failed: metric file not found"
    evaluate = StepDefinition(
        "evaluate", "job", ("train",), (fails(4, "ModelArts.0010", message), succeeds(4)), "evaluate model"
    )
    deploy = StepDefinition("deploy", "service", ("register",), (succeeds(4),), "deploy service")
    return WorkflowDefinition(
        "fails-at-step-3",
        (prepare, train, evaluate, _model("evaluate"), deploy),
        _COMMON,
        (_TRAINING_DATA,),
        FAILS_AT_STEP_3,
        fields={"labels": ["ready-made"]},
    )


def _held() -> WorkflowDefinition:
    prepare = StepDefinition("prepare", "create_dataset", (), (succeeds(4),), "create dataset")
    label = StepDefinition("label", "labeling", ("prepare",), (holds(3, 2),), "label data")
    train = StepDefinition("train", "job", ("label",), (succeeds(8),), "train model")
    return WorkflowDefinition(
        "holds-for-labelling",
        (prepare, label, train),
        _COMMON,
        (_TRAINING_DATA,),
        HOLDS_FOR_LABELLING,
        fields={"labels": ["ready-made"]},
    )
