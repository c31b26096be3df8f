"""Changing, starting, stopping and deleting ModelArts services."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_mlworkflows.exceptions import BadRequestError, InvalidInputError, NotFoundError, RunFailedError
from airflow_provider_mlworkflows.operators.asking import ASK_INTERVAL
from airflow_provider_mlworkflows.operators.base import RunOperator
from airflow_provider_mlworkflows.operators.handling import ECHO_SECONDS
from airflow_provider_mlworkflows.operators.modelarts_calls import SCOPE_FIELDS
from airflow_provider_mlworkflows.runs import RunRef, RunState
from airflow_provider_mlworkflows.services.modelarts import MODELARTS_DELETIONS, MODELARTS_SERVICES

if TYPE_CHECKING:
    from datetime import timedelta

    from airflow.sdk import Context

    from airflow_provider_mlworkflows.exceptions import RunError
    from airflow_provider_mlworkflows.hooks.modelarts_resources import ModelArtsDeletionHook, ModelArtsServiceHook
    from airflow_provider_mlworkflows.runs import Run

NAMED = ("status", "config", "description", "schedule")
"""Fields of an update that have an argument of their own."""
DEPLOYING = frozenset({"status", "config"})
"""Those that deploy a service anew or stop it."""
DELETE_TIMEOUT = 1800.0
"""Seconds that a deletion may take."""


class ModelArtsUpdateServiceOperator(RunOperator):
    """Change the models of a service, or start or stop it, and wait until that is done (UpdateService).

    Returns the service's id; pushes what `ModelArtsCreateServiceOperator` pushes. Only what the service does not show
    already, or is not on its way to, is sent, so that a repeated attempt of the task does no harm. If nothing but a
    description, a schedule or a further field is changed, nothing is waited for.

    :param service_id: the service.
    :param status: ``running`` to start it, ``stopped`` to stop it.
    :param config: all its models anew, with weights that are 100 together. Not together with ``status``.
    :param description: up to 100 characters.
    :param schedule: when it stops by itself; empty for never.
    :param extra: further fields, as the service names them.
    :param cancel_on_kill: as in `RunOperator`, but False, because the service is there for others.
    :param cancel_on_timeout: likewise.
    :param huawei_conn_id: Airflow connection; None for the environment's own credentials.
    :param region: overrides the connection's region.
    :param project_id: overrides the connection's project.
    :param kwargs: as `RunOperator` takes them.
    :raises InvalidInputError: before anything is sent, if an argument cannot be right.
    :raises RunError: if the service does not become what it should be; the message has the reason.
    """

    service = MODELARTS_SERVICES
    template_fields: Sequence[str] = (
        "service_id",
        "status",
        "config",
        "description",
        "schedule",
        "extra",
        *SCOPE_FIELDS,
    )
    template_fields_renderers = {"config": "json", "schedule": "json", "extra": "json"}  # noqa: RUF012

    if TYPE_CHECKING:
        hook: ModelArtsServiceHook

    def __init__(
        self,
        *,
        service_id: str,
        status: str | None = None,
        config: Sequence[Mapping[str, Any]] | None = None,
        description: str | None = None,
        schedule: Sequence[Mapping[str, Any]] | None = None,
        extra: Mapping[str, Any] | None = None,
        cancel_on_kill: bool = False,
        cancel_on_timeout: bool = False,
        huawei_conn_id: str | None = "huawei_mlworkflows_default",
        region: str | None = None,
        project_id: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(cancel_on_kill=cancel_on_kill, cancel_on_timeout=cancel_on_timeout, **kwargs)
        self.service_id = service_id
        self.status = status
        self.config = config
        self.description = description
        self.schedule = schedule
        self.extra = extra
        self.huawei_conn_id = huawei_conn_id
        self.region = region
        self.project_id = project_id

    @property
    def changes(self) -> dict[str, Any]:
        """The fields to be changed, as the service names them."""
        named = {name: getattr(self, name) for name in NAMED if getattr(self, name) is not None}
        return {**(self.extra or {}), **named}

    def obtain_run(self, context: Context) -> tuple[Run, float]:
        """Send what the service does not show yet, and wait until it shows that it is deployed or stopped."""
        self._check()
        run, unmet = self.hook.compare_service(RunRef("service", self.service_id), self.changes)
        # When a service stops is counted from the change.
        fields = {name: value for name, value in self.changes.items() if name in unmet or name == "schedule"}
        if fields:
            run = self._change(run, fields)
        else:
            self.log.info("Service %s is %s; there is nothing to change.", self.service_id, run.status)
        return run, self.clock.time() + self.timeout

    def _check(self) -> None:
        named = {name: getattr(self, name) for name in NAMED}
        self.hook.check_call(self.hook.update_service, self.service_id, extra=self.extra, **named)
        if twice := [name for name in NAMED if name in (self.extra or {})]:
            raise InvalidInputError(f"{twice[0]} has an argument of its own; take it out of extra.")

    def _change(self, run: Run, fields: Mapping[str, Any]) -> Run:
        """Send an update; a refusal does not count if the service shows all the same what it was to become."""
        named = {name: fields[name] for name in NAMED if name in fields}
        extra = {name: value for name, value in fields.items() if name not in named} or None
        try:
            self.hook.update_service(
                self.service_id, infer_type=str(run.outputs["infer_type"]) or None, extra=extra, **named
            )
        except BadRequestError as refusal:
            return self._changed_before(run.ref, fields, refusal)
        return self.handler.settled(run) if DEPLOYING & fields.keys() else self.hook.get_run(run.ref)

    def _changed_before(self, ref: RunRef, fields: Mapping[str, Any], refusal: BadRequestError) -> Run:
        """The service as an earlier request has changed it whose answer was lost."""
        give_up = self.clock.time() + ECHO_SECONDS
        while True:
            run, unmet = self.hook.compare_service(ref, fields)
            if not unmet:
                self.log.warning("Service %s has been changed before; it is %s. %s", ref.run_id, run.status, refusal)
                return run
            if self.bell.rung or self.clock.time() >= give_up:
                raise refusal
            self.clock.sleep(ASK_INTERVAL, self.bell)

    def _follow(self, context: Context, run: Run, deadline: float) -> str:
        """Wait for what was changed; nothing comes of a description."""
        if DEPLOYING & self.changes.keys():
            return super()._follow(context, run, deadline)
        return self._finish(context, run)

    def outcome_error(self, run: Run) -> RunError | None:
        """The error for a service that is not what it should be."""
        if not DEPLOYING & self.changes.keys():
            return None
        if self.changes.get("status") != "stopped":
            return super().outcome_error(run)
        if run.state is RunState.STOPPED or run.status.lower() == "finished":
            return None
        return RunFailedError(
            f"Service {self.service_id} was told to stop, but is {run.status}. {run.message} See {run.url}",
            ref=run.ref,
            url=run.url,
        )


class ModelArtsDeleteServiceOperator(RunOperator):
    """Delete a service, running or not, and wait until it is gone (DeleteService).

    Returns its id, or None if there was no such service, which is success as well. One that is being deleted already
    is not asked for again, only waited for. Nothing stops a deletion, so a task that is killed leaves it as it is.

    :param service_id: the service. Either this or ``service_name``.
    :param service_name: its whole name, which only one may have.
    :param workspace_id: the workspace that the name is looked for in.
    :param poll_interval: seconds between two reads of the service.
    :param timeout: seconds until the task fails if the service is still there (half an hour).
    :param huawei_conn_id: Airflow connection.
    :param region: overrides the connection's region.
    :param project_id: overrides the connection's project.
    :param kwargs: as `RunOperator` takes them.
    :raises InvalidInputError: before anything is deleted, if an argument cannot be right or several have the name.
    :raises RunFailedError: if the deletion fails; the message has the reason.
    :raises RunTimeoutError: if the service is still there when the time is up.
    """

    service = MODELARTS_DELETIONS
    template_fields: Sequence[str] = ("service_id", "service_name", "workspace_id", *SCOPE_FIELDS)

    if TYPE_CHECKING:
        hook: ModelArtsDeletionHook

    def __init__(
        self,
        *,
        service_id: str | None = None,
        service_name: str | None = None,
        workspace_id: str | None = None,
        poll_interval: float = 10.0,
        timeout: float | timedelta = DELETE_TIMEOUT,
        huawei_conn_id: str = "huawei_mlworkflows_default",
        region: str | None = None,
        project_id: str | None = None,
        **kwargs: Any,
    ) -> None:
        unstoppable = {"cancel_on_kill": False, "cancel_on_timeout": False}
        super().__init__(poll_interval=poll_interval, timeout=timeout, **{**kwargs, **unstoppable})
        self.service_id = service_id
        self.service_name = service_name
        self.workspace_id = workspace_id
        self.huawei_conn_id = huawei_conn_id
        self.region = region
        self.project_id = project_id

    def execute(self, context: Context) -> str | None:
        """Delete it, if it is there."""
        if (self.service_id is None) == (self.service_name is None):
            raise InvalidInputError("Give either service_id or service_name.")
        service_id = self.service_id if self.service_id is not None else self._id_of_name()
        found = None if service_id is None else self.hook.get_run(RunRef("service", service_id))
        if found is None or found.state is RunState.SUCCEEDED:
            self.log.info("There is no service %s; nothing is to be deleted.", self.service_id or self.service_name)
            return None
        self._found = found
        return super().execute(context)

    def _id_of_name(self) -> str | None:
        called = self.hook.find_services_by_name(self.service_name or "", workspace_id=self.workspace_id)
        if len(called) > 1:
            ids = ", ".join(service.service_id for service in called)
            raise InvalidInputError(f"{len(called)} services are called {self.service_name!r}; give one's id: {ids}.")
        return called[0].service_id if called else None

    def obtain_run(self, context: Context) -> tuple[Run, float]:
        """Ask for the deletion, unless it goes on already, and wait until it shows."""
        run, deadline = self._found, self.clock.time() + self.timeout
        if _is_going(run):
            self.log.info("Service %s is being deleted already.", run.ref.run_id)
            return run, deadline
        try:
            self.hook.delete_service(run.ref.run_id)
        except NotFoundError as missing:
            self.log.info("Service %s is gone already. %s", run.ref.run_id, missing)
        except BadRequestError:
            # Perhaps because it goes on already and does not show it yet.
            run = self.handler.read_until(run, _is_going, ECHO_SECONDS)
            if not _is_going(run):
                raise
        return run if _is_going(run) else self.handler.settled(run), deadline

    def outcome_error(self, run: Run) -> RunError | None:
        """The error for a service that is still there."""
        if run.state is RunState.SUCCEEDED:
            return None
        return RunFailedError(
            f"Service {run.ref.run_id} could not be deleted: it is {run.status}. {run.message} See {run.url}",
            ref=run.ref,
            url=run.url,
        )


def _is_going(run: Run) -> bool:
    """Whether a service is being deleted, or is gone."""
    return run.state is RunState.SUCCEEDED or run.status.lower() == "deleting"
