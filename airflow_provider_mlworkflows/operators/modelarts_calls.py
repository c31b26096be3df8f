"""What the operators of ModelArts have in common whose work is done when the service answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from airflow.sdk import BaseOperator
from airflow.sdk.execution_time.context import NEVER_EXPIRE

from airflow_provider_mlworkflows.clock import SYSTEM_CLOCK, Clock
from airflow_provider_mlworkflows.exceptions import (
    MLWorkflowsError,
    StartUncertainError,
    is_uncertain,
)
from airflow_provider_mlworkflows.operators.starting import LOOKUP_INTERVAL, LOOKUP_SECONDS
from airflow_provider_mlworkflows.services.modelarts import MODELARTS

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_mlworkflows.hooks.modelarts import ModelArtsHook

T = TypeVar("T")

SCOPE_FIELDS = ("huawei_conn_id", "region", "project_id")
ASKED_KEY = "mlworkflows_asked"


class ModelArtsCallOperator(BaseOperator):
    """Base of the operators of ModelArts that have nothing to wait for once the service has answered.

    :param huawei_conn_id: Airflow connection; None for the environment's own credentials.
    :param region: overrides the connection's region.
    :param project_id: overrides the connection's project.
    :param kwargs: as Airflow's ``BaseOperator`` takes them.
    """

    clock: ClassVar[Clock] = SYSTEM_CLOCK
    template_fields: Sequence[str] = SCOPE_FIELDS
    ui_color = "#e8f0fb"

    def __init__(
        self,
        *,
        huawei_conn_id: str | None = "huawei_mlworkflows_default",
        region: str | None = None,
        project_id: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.huawei_conn_id = huawei_conn_id
        self.region = region
        self.project_id = project_id

    @cached_property
    def hook(self) -> ModelArtsHook:
        """The hook."""
        hook: Any = MODELARTS.hook(MODELARTS.scope_of(self), clock=self.clock)
        return hook  # type: ignore[no-any-return]

    def created_or_found(self, create: Callable[[], T], find: Callable[[], T | None]) -> T:
        """Create something; if the answer is lost, look for it until it would surely be visible."""
        try:
            return create()
        except MLWorkflowsError as error:
            if not is_uncertain(error):
                raise
            self.log.warning("Looking for what the unanswered call may have created. %s", error)
            give_up = self.clock.time() + LOOKUP_SECONDS
            while (found := find()) is None and self.clock.time() < give_up:
                self.clock.sleep(LOOKUP_INTERVAL)
            if found is None:
                raise
            return found

    def asked_once(self, context: Context, what: str, ask: Callable[[], str]) -> str:
        """Ask for what must not be had twice, and whose traces cannot be looked for; returns the answer.

        The intent is written into the task state store before the call, the answer right after it: later attempts of
        the task get that answer, and do not ask.

        :param what: what is asked for, for messages.
        :raises StartUncertainError: if an earlier attempt of the task has asked and got no answer.
        """
        store, max_tries = context["task_state_store"], context["ti"].max_tries
        asked = store.get(ASKED_KEY)
        # Clearing the task changes its number of tries: a person has looked, and wants to ask again.
        if isinstance(asked, dict) and asked["max_tries"] == max_tries:
            if asked["answer"] is None:
                raise StartUncertainError(
                    f"An earlier attempt of this task asked for {what} and got no answer; it may have been granted. "
                    "Look at it in the console, and clear the task to ask again."
                )
            self.log.info("An earlier attempt of this task has asked for %s already.", what)
            return str(asked["answer"])
        store.set(ASKED_KEY, {"max_tries": max_tries, "answer": None}, retention=NEVER_EXPIRE)
        try:
            answer = ask()
        except MLWorkflowsError as error:
            if not is_uncertain(error):
                store.delete(ASKED_KEY)
            raise
        store.set(ASKED_KEY, {"max_tries": max_tries, "answer": answer}, retention=NEVER_EXPIRE)
        return answer
