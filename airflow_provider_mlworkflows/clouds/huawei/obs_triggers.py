"""Operations on the rules by which events in a bucket start workflows; they go to the bucket's own host."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_mlworkflows.clouds.huawei.obs_inputs import checked_bucket
from airflow_provider_mlworkflows.clouds.huawei.obs_models import TriggerPolicy
from airflow_provider_mlworkflows.clouds.huawei.obs_requests import BUCKET, HEADERS, POLICY_FLAG
from airflow_provider_mlworkflows.clouds.huawei.obs_rules import checked_rules
from airflow_provider_mlworkflows.clouds.operation import Request, Session, operation

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.clouds.huawei.obs_rules import Rules


@operation
def put_trigger_policy(_: Session, bucket: str, rules: Rules) -> Request[None]:
    """Replace the rules of a bucket (putTriggerPolicy).

    :param bucket: the bucket whose events start workflows.
    :param rules: 1 to 10 mappings with ``id``, ``graph_urn`` and ``events``, perhaps ``prefix`` and ``suffix``. No
        two may start the same workflow for the same event and object.
    :raises InvalidInputError: before anything is sent, if a rule cannot be right.
    :raises NotFoundError: if the bucket does not exist.
    """
    return Request(
        "putTriggerPolicy",
        "PUT",
        BUCKET,
        None,
        query=(POLICY_FLAG,),
        body={"rules": checked_rules(rules)},
        headers=HEADERS,
        safe_to_repeat=True,
        host_label=checked_bucket(bucket),
    )


@operation
def show_trigger_policy(_: Session, bucket: str) -> Request[TriggerPolicy]:
    """The rules of a bucket (getTriggerPolicy).

    :param bucket: the bucket.
    :raises InvalidInputError: before anything is sent, if no bucket can be called so.
    :raises NotFoundError: if the bucket does not exist.
    """
    return Request(
        "getTriggerPolicy",
        "GET",
        BUCKET,
        TriggerPolicy,
        query=(POLICY_FLAG,),
        headers=HEADERS,
        safe_to_repeat=True,
        host_label=checked_bucket(bucket),
    )


@operation
def delete_trigger_policy(_: Session, bucket: str) -> Request[None]:
    """Remove all rules of a bucket (deleteTriggerPolicy).

    :param bucket: the bucket.
    :raises InvalidInputError: before anything is sent, if no bucket can be called so.
    :raises NotFoundError: if the bucket does not exist.
    """
    return Request(
        "deleteTriggerPolicy",
        "DELETE",
        BUCKET,
        None,
        query=(POLICY_FLAG,),
        headers=HEADERS,
        safe_to_repeat=True,
        host_label=checked_bucket(bucket),
    )
