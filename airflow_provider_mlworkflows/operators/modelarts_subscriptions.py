"""Having ModelArts tell topics about the events of workflows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_mlworkflows.exceptions import NotFoundError
from airflow_provider_mlworkflows.operators.modelarts_calls import SCOPE_FIELDS, ModelArtsCallOperator

if TYPE_CHECKING:
    from airflow.sdk import Context


class ModelArtsCreateSubscriptionOperator(ModelArtsCallOperator):
    """Have events of a workflow sent to SMN topics (CreateWorkflowSubscriptions).

    Returns the subscription's id. It is asked for once, and again only after the task was cleared: subscriptions
    cannot be listed, so after an attempt that got no answer the next one fails.

    :param workflow_id: UUID of the workflow.
    :param topic_urns: the topics' URNs, at least one.
    :param events: ``<step name or *>:<status>[,<status>...]``, such as ``*:wait_inputs,hold``.
    :param entity: what is subscribed to.
    :param kwargs: as `ModelArtsCallOperator` takes them.
    :raises InvalidInputError: before anything is sent, if an argument cannot be right.
    :raises StartUncertainError: if an earlier attempt got no answer.
    """

    template_fields: Sequence[str] = ("workflow_id", "topic_urns", "events", "entity", *SCOPE_FIELDS)

    def __init__(
        self,
        *,
        workflow_id: str,
        topic_urns: Sequence[str],
        events: Sequence[str] = (),
        entity: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.workflow_id = workflow_id
        self.topic_urns = topic_urns
        self.events = events
        self.entity = entity

    def execute(self, context: Context) -> str:
        """Subscribe."""
        arguments: dict[str, Any] = {"events": self.events, "entity": self.entity}
        self.hook.check_call(self.hook.create_subscription, self.workflow_id, self.topic_urns, **arguments)
        return self.asked_once(
            context,
            f"a subscription to workflow {self.workflow_id}",
            lambda: self.hook.create_subscription(self.workflow_id, self.topic_urns, **arguments).subscription_id,
        )


class ModelArtsUpdateSubscriptionOperator(ModelArtsCallOperator):
    """Replace the topics and events of a subscription (UpdateWorkflowSubscription). Returns its id.

    :param workflow_id: UUID of the workflow.
    :param subscription_id: UUID of the subscription.
    :param topic_urns: the topics' URNs, at least one.
    :param events: as in `ModelArtsCreateSubscriptionOperator`.
    :param entity: what is subscribed to.
    :param kwargs: as `ModelArtsCallOperator` takes them.
    :raises InvalidInputError: before anything is sent, if an argument cannot be right.
    :raises NotFoundError: if there is no such subscription.
    """

    template_fields: Sequence[str] = (
        "workflow_id",
        "subscription_id",
        "topic_urns",
        "events",
        "entity",
        *SCOPE_FIELDS,
    )

    def __init__(
        self,
        *,
        workflow_id: str,
        subscription_id: str,
        topic_urns: Sequence[str],
        events: Sequence[str] = (),
        entity: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.workflow_id = workflow_id
        self.subscription_id = subscription_id
        self.topic_urns = topic_urns
        self.events = events
        self.entity = entity

    def execute(self, context: Context) -> str:
        """Replace it."""
        self.hook.update_subscription(
            self.workflow_id, self.subscription_id, self.topic_urns, events=self.events, entity=self.entity
        )
        return self.subscription_id


class ModelArtsDeleteSubscriptionOperator(ModelArtsCallOperator):
    """Delete a subscription (DeleteWorkflowSubscription). One that is not there is success as well.

    :param workflow_id: UUID of the workflow.
    :param subscription_id: UUID of the subscription.
    :param kwargs: as `ModelArtsCallOperator` takes them.
    :raises InvalidInputError: before anything is sent, if an id is malformed.
    """

    template_fields: Sequence[str] = ("workflow_id", "subscription_id", *SCOPE_FIELDS)

    def __init__(self, *, workflow_id: str, subscription_id: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.workflow_id = workflow_id
        self.subscription_id = subscription_id

    def execute(self, context: Context) -> None:
        """Delete it."""
        try:
            self.hook.delete_subscription(self.workflow_id, self.subscription_id)
        except NotFoundError as missing:
            self.log.info("There is no such subscription; nothing is to be deleted. %s", missing)
