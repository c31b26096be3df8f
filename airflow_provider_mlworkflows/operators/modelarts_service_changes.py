"""Changing, starting, stopping and deleting ModelArts services."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from airflow_provider_mlworkflows.exceptions import BadRequestError, InvalidInputError, NotFoundError, RunFailedError
from airflow_provider_mlworkflows.operators.base import RunOperator
from airflow_provider_mlworkflows.operators.handling import ECHO_SECONDS, SETTLE_INTERVAL
from airflow_provider_mlworkflows.operators.modelarts_calls import SCOPE_FIELDS, ModelArtsCallOperator
from airflow_provider_mlworkflows.operators.starting import LOOKUP_INTERVAL
from airflow_provider_mlworkflows.runs import RunRef, RunState
from airflow_provider_mlworkflows.services.modelarts import MODELARTS_SERVICES

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_mlworkflows.clock import Bell, Clock
    from airflow_provider_mlworkflows.exceptions import RunError
    from airflow_provider_mlworkflows.hooks.modelarts_base import ModelArtsRunHook
    from airflow_provider_mlworkflows.hooks.modelarts_resources import ModelArtsServiceHook
    from airflow_provider_mlworkflows.runs import Run
    from airflow_provider_mlworkflows.watching import Log

NAMED = ("status", "config", "description", "schedule")
"""Fields of an update that have an argument of their own."""
DEPLOYING = frozenset({"status", "config"})
"""Those that deploy a service anew or stop it."""
DELETE_SECONDS = 120.0
"""How long a service that is being deleted is waited for."""


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
    :param huawei_conn_id: Airflow connection.
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
        huawei_conn_id: str = "huawei_mlworkflows_default",
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
            self.clock.sleep(SETTLE_INTERVAL, self.bell)

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


class ModelArtsDeleteServiceOperator(ModelArtsCallOperator):
    """Delete a service, running or not, and wait until it is gone (DeleteService).

    Returns its id, or None if there was no such service, which is success as well.

    :param service_id: the service. Either this or ``service_name``.
    :param service_name: its whole name, which only one may have.
    :param workspace_id: the workspace that the name is looked for in.
    :param kwargs: as `ModelArtsCallOperator` takes them.
    :raises InvalidInputError: before anything is deleted, if an argument cannot be right or several have the name.
    """

    template_fields: Sequence[str] = ("service_id", "service_name", "workspace_id", *SCOPE_FIELDS)

    def __init__(
        self,
        *,
        service_id: str | None = None,
        service_name: str | None = None,
        workspace_id: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.service_id = service_id
        self.service_name = service_name
        self.workspace_id = workspace_id

    def execute(self, context: Context) -> str | None:
        """Delete it."""
        if (self.service_id is None) == (self.service_name is None):
            raise InvalidInputError("Give either service_id or service_name.")
        service_id = self.service_id if self.service_id is not None else self._id_of_name()
        if service_id is not None and delete_service(self, service_id):
            return service_id
        self.log.info("There is no service %s; nothing is to be deleted.", self.service_id or self.service_name)
        return None

    def _id_of_name(self) -> str | None:
        found = self.hook.find_services_by_name(self.service_name or "", workspace_id=self.workspace_id)
        if len(found) > 1:
            ids = ", ".join(service.service_id for service in found)
            raise InvalidInputError(f"{len(found)} services are called {self.service_name!r}; give one's id: {ids}.")
        return found[0].service_id if found else None


class _Deleter(Protocol):
    """Who deletes a service."""

    @property
    def hook(self) -> ModelArtsRunHook: ...
    @property
    def clock(self) -> Clock: ...
    @property
    def log(self) -> Log: ...


def delete_service(operator: _Deleter, service_id: str, bell: Bell | None = None) -> bool:
    """Delete a service and wait until it is gone, for two minutes at most; False if there is none.

    :param bell: ends the waiting when it rings.
    """
    hook, clock = operator.hook, operator.clock
    try:
        hook.delete_service(service_id)
    except NotFoundError:
        return False
    give_up = clock.time() + DELETE_SECONDS
    while clock.time() < give_up and not (bell and bell.rung):
        try:
            service = hook.show_service(service_id)
        except NotFoundError:
            operator.log.info("Service %s is deleted.", service_id)
            return True
        operator.log.info("Service %s is %s.", service_id, service.status)
        clock.sleep(LOOKUP_INTERVAL, bell)
    operator.log.warning("Service %s was told to go, but is not gone yet.", service_id)
    return True
