"""Tags of ModelArts notebooks, and the authorization of paid services."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_mlworkflows.choices import checked_count
from airflow_provider_mlworkflows.exceptions import MLWorkflowsError
from airflow_provider_mlworkflows.operators.modelarts_calls import SCOPE_FIELDS, ModelArtsCallOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

Tags = Mapping[str, str] | Sequence[Mapping[str, Any]]
AVAILABLE = "available"


class ModelArtsTagNotebookOperator(ModelArtsCallOperator):
    """Tag a notebook (CreateNotebookTags). A key that it has already gets the new value.

    :param notebook_id: the notebook.
    :param notebook_tags: 1 to 10 of them, ``{key: value}``.
    :param workspace_id: the workspace it is in, if not the default one.
    :param kwargs: as `ModelArtsCallOperator` takes them.
    :raises InvalidInputError: before anything is sent, if an argument cannot be right; the message tells the rule.
    :raises NotFoundError: if there is no such notebook.
    """

    template_fields: Sequence[str] = ("notebook_id", "notebook_tags", "workspace_id", *SCOPE_FIELDS)
    template_fields_renderers = {"notebook_tags": "json"}  # noqa: RUF012

    def __init__(
        self, *, notebook_id: str, notebook_tags: Tags, workspace_id: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.notebook_id = notebook_id
        self.notebook_tags = notebook_tags
        self.workspace_id = workspace_id

    def execute(self, context: Context) -> None:
        """Tag it."""
        self.hook.create_notebook_tags(self.notebook_id, self.notebook_tags, workspace_id=self.workspace_id)


class ModelArtsUntagNotebookOperator(ModelArtsCallOperator):
    """Take tags off a notebook (DeleteNotebookTags).

    :param notebook_id: the notebook.
    :param notebook_tags: 1 to 10 of them: keys, or ``{key: value}`` with the values that they must have.
    :param workspace_id: the workspace it is in, if not the default one.
    :param kwargs: as `ModelArtsCallOperator` takes them.
    :raises InvalidInputError: before anything is sent, if an argument cannot be right; the message tells the rule.
    :raises NotFoundError: if there is no such notebook.
    """

    template_fields: Sequence[str] = ("notebook_id", "notebook_tags", "workspace_id", *SCOPE_FIELDS)
    template_fields_renderers = {"notebook_tags": "json"}  # noqa: RUF012

    def __init__(
        self,
        *,
        notebook_id: str,
        notebook_tags: Tags | Sequence[str],
        workspace_id: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.notebook_id = notebook_id
        self.notebook_tags = notebook_tags
        self.workspace_id = workspace_id

    def execute(self, context: Context) -> None:
        """Take them off."""
        self.hook.delete_notebook_tags(self.notebook_id, self.notebook_tags, workspace_id=self.workspace_id)


class ModelArtsAuthorizeServiceOperator(ModelArtsCallOperator):
    """Ask whether a paid service may be used, and account for the use (CreateWorkflowServiceAuth).

    Returns the answer, which is ``available``. It is asked once, and again only after the task was cleared, since
    each time may be accounted for: a later attempt goes by the same answer, and fails if there was none.

    :param main_service_id: id of the online service.
    :param content_id: id of the asset in AI Gallery.
    :param consume_period: unit of billing, such as ``day``.
    :param consume_value: how many of them.
    :param kwargs: as `ModelArtsCallOperator` takes them.
    :raises InvalidInputError: before anything is sent, if an argument cannot be right.
    :raises StartUncertainError: if an earlier attempt got no answer.
    :raises MLWorkflowsError: if the service may not be used.
    """

    template_fields: Sequence[str] = (
        "main_service_id",
        "content_id",
        "consume_period",
        "consume_value",
        *SCOPE_FIELDS,
    )

    def __init__(
        self,
        *,
        main_service_id: str | None = None,
        content_id: str | None = None,
        consume_period: str | None = None,
        consume_value: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.main_service_id = main_service_id
        self.content_id = content_id
        self.consume_period = consume_period
        self.consume_value = consume_value

    def execute(self, context: Context) -> str:
        """Ask."""
        arguments: dict[str, Any] = {
            "main_service_id": self.main_service_id,
            "content_id": self.content_id,
            "consume_period": self.consume_period,
            "consume_value": None if self.consume_value is None else checked_count("consume_value", self.consume_value),
        }
        self.hook.check_call(self.hook.authorize_service, **arguments)
        answer = self.asked_once(
            context, "the authorization of a paid service", lambda: self.hook.authorize_service(**arguments).result
        )
        if answer != AVAILABLE:
            raise MLWorkflowsError(
                f"The paid service cannot be used: the answer is {answer!r}, not {AVAILABLE!r}. Look at the "
                "subscription in AI Gallery, and clear the task to ask again."
            )
        return answer
