"""Deploying models as ModelArts services."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_mlworkflows.exceptions import (
    BadRequestError,
    InvalidInputError,
    NotFoundError,
    RunTimeoutError,
    StartUncertainError,
)
from airflow_provider_mlworkflows.operators.modelarts_calls import SCOPE_FIELDS
from airflow_provider_mlworkflows.operators.starting import LOOKUP_INTERVAL, StartOperator
from airflow_provider_mlworkflows.operators.unmarked import CLOCK_GRAIN
from airflow_provider_mlworkflows.runs import RunState
from airflow_provider_mlworkflows.services.modelarts import MODELARTS_SERVICES

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.hooks.modelarts_resources import ModelArtsServiceHook
    from airflow_provider_mlworkflows.operators.records import StartRecord
    from airflow_provider_mlworkflows.runs import Run, RunRef

DELETING = "deleting"
DELETE_SECONDS = 120.0
"""How long a service that has to make way is waited for."""


class ModelArtsCreateServiceOperator(StartOperator):
    """Deploy models as a service, and wait until it runs, or until a batch has worked off its data (CreateService).

    Returns the service's id. Pushes ``run_id`` and ``run_url`` as soon as the service exists, and ``run``, ``steps``
    (its models) and ``outputs`` (with the ``address`` at which it is called) once it runs.

    A later attempt finds the service by its name, which nothing else may have. A task that starts over deletes the
    service of this name that it has created before. One that is killed meanwhile stops it, but deletes nothing.

    :param service_name: 1 to 64 Chinese characters, letters, digits, ``_`` and ``-``.
    :param config: the models, each ``{"model_id", "specification", "instance_count"}`` and what it needs further, such
        as ``weight`` among several models; the weights are 100 together.
    :param infer_type: ``real-time``, ``batch`` or ``edge``.
    :param description: up to 100 characters.
    :param schedule: when a real-time service stops, ``[{"type": "stop", "time_unit": "HOURS", "duration": 1}]``.
    :param cluster_id: the dedicated cluster to run in.
    :param pool_name: the resource pool to run in.
    :param vpc_id: the network to run in; then the next two are needed as well.
    :param subnet_network_id: the subnet.
    :param security_group_id: the security group.
    :param workspace_id: the workspace; the service's default is ``0``.
    :param extra: further fields, as the service names them.
    :param huawei_conn_id: Airflow connection; None for the environment's own credentials.
    :param region: overrides the connection's region.
    :param project_id: overrides the connection's project.
    :param kwargs: as `StartOperator` and `RunOperator` take them. A failed deployment is repaired by deploying
        the same service anew, with the task's ``config`` (UpdateService).
    :raises InvalidInputError: before anything is created, if an argument cannot be right or the name is taken.
    :raises StartUncertainError: if there are several services that a lost call can have created.
    :raises RunTimeoutError: if the service of an earlier start does not go within two minutes, or the deployment takes
        longer than ``timeout``.
    :raises RunFailedError: if the deployment fails; the message has the reason.
    """

    service = MODELARTS_SERVICES
    template_fields: Sequence[str] = (
        "service_name",
        "config",
        "infer_type",
        "description",
        "schedule",
        "cluster_id",
        "pool_name",
        "workspace_id",
        "extra",
        *SCOPE_FIELDS,
    )
    template_fields_renderers = {"config": "json", "schedule": "json", "extra": "json"}  # noqa: RUF012

    if TYPE_CHECKING:
        hook: ModelArtsServiceHook

    def __init__(
        self,
        *,
        service_name: str,
        config: Sequence[Mapping[str, Any]],
        infer_type: str = "real-time",
        description: str | None = None,
        schedule: Sequence[Mapping[str, Any]] | None = None,
        cluster_id: str | None = None,
        pool_name: str | None = None,
        vpc_id: str | None = None,
        subnet_network_id: str | None = None,
        security_group_id: str | None = None,
        workspace_id: str | None = None,
        extra: Mapping[str, Any] | None = None,
        huawei_conn_id: str | None = "huawei_mlworkflows_default",
        region: str | None = None,
        project_id: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.service_name = service_name
        self.config = config
        self.infer_type = infer_type
        self.description = description
        self.schedule = schedule
        self.cluster_id = cluster_id
        self.pool_name = pool_name
        self.vpc_id = vpc_id
        self.subnet_network_id = subnet_network_id
        self.security_group_id = security_group_id
        self.workspace_id = workspace_id
        self.extra = extra
        self.huawei_conn_id = huawei_conn_id
        self.region = region
        self.project_id = project_id

    @property
    def started_workflow(self) -> str:
        """The service's name."""
        return self.service_name

    def prepare_start(self) -> None:
        """Check the arguments, see that nobody else has the name, and delete what this task has created before."""
        self.hook.check_call(self.hook.create_service, self.service_name, **self._arguments())
        # Each is read by itself: a list may still show what is deleted.
        self._noted = self.hook.find_service_runs(self.service_name, workspace_id=self.workspace_id, with_models=True)
        for run in self._noted:
            if run.ref != self.current and run.state is not RunState.STOPPING:
                raise InvalidInputError(
                    f"There is a service {self.service_name!r} already, {run.ref.run_id}. It is {run.status}, and this "
                    "task has not created it. Give the new one another name, change that one with "
                    "ModelArtsUpdateServiceOperator, or delete it with ModelArtsDeleteServiceOperator."
                )
        self._make_way()

    def _make_way(self) -> None:
        """Delete the service of an earlier start, if it has the name of the new one."""
        if self.current is None:
            return
        try:
            earlier = self.hook.get_run(self.current)
        except NotFoundError:
            return
        if earlier.name != self.service_name:
            return
        refusal: BadRequestError | None = None
        if earlier.status.lower() != DELETING:
            self.log.info("Deleting service %s, which this task has created before.", self.current.run_id)
            try:
                self.hook.delete_service(self.current.run_id)
            except NotFoundError:
                return
            except BadRequestError as error:
                refusal = error  # it may be going already and not show it yet
        self._wait_until_gone(self.current, refusal)

    def _wait_until_gone(self, ref: RunRef, refusal: BadRequestError | None) -> None:
        """See that a service is gone that was told to go, or until the bell rings."""
        give_up = self.clock.time() + DELETE_SECONDS
        while not self.bell.rung:
            try:
                service = self.hook.get_run(ref)
            except NotFoundError:
                self.log.info("Service %s is deleted.", ref.run_id)
                return
            if self.clock.time() >= give_up:
                raise refusal or RunTimeoutError(
                    f"Service {ref.run_id} was told to go, but is still {service.status} after {DELETE_SECONDS:.0f} s. "
                    f"No other is created beside it. The next attempt waits for it again. See {service.url}",
                    ref=ref,
                    url=service.url,
                )
            self.clock.sleep(LOOKUP_INTERVAL, self.bell)

    def state_before(self) -> dict[str, Any]:
        """The service's time, what of this name is vanishing, and the models, which tell a service from others."""
        return {
            "time": self.hook.service_time(),
            "service_ids": [run.ref.run_id for run in self._noted],
            "models": sorted(version["model_id"] for version in self.config),
        }

    def start_run(self, marker: str) -> Run:
        """Create the service. It carries no mark but its name."""
        return self.hook.start_service(self.service_name, **self._arguments())

    def look_for_started(self, record: StartRecord) -> Run | None:
        """Look for the service once it would surely be visible."""
        # Waited out: what is visible at once may be somebody else's, and ours what is not yet.
        self.clock.sleep(max(0.0, self.visible_at(record) - self.clock.time()), self.bell)
        run = self.find_started(record)
        if run is not None:
            self.log.info("Found service %s of this name: no other can be the one that was created.", run.ref.run_id)
            self.current = run.ref
        return run

    def find_started(self, record: StartRecord) -> Run | None:
        """The service of that name that was created since, from the same models.

        :raises StartUncertainError: if there are several.
        """
        before = record.before
        found = [
            run
            for run in self.hook.find_service_runs(record.workflow_id, workspace_id=self.workspace_id, with_models=True)
            if run.ref.run_id not in before["service_ids"]
            and (run.started_at is None or run.started_at.timestamp() >= before["time"] - CLOCK_GRAIN)
            and sorted(step.id for step in run.steps) == before["models"]
        ]
        if len(found) > 1:
            ids = tuple(run.ref.run_id for run in found)
            raise StartUncertainError(
                f"{len(ids)} services {record.workflow_id!r} were created when this task asked for one, and cannot be "
                f"told apart: {', '.join(ids)}. Delete what is not wanted, and clear the task to create another.",
                candidates=ids,
            )
        return found[0] if found else None

    def repair_run(self, run: Run) -> None:
        """Deploy the same service anew, with the task's models (UpdateService)."""
        self.hook.update_service(run.ref.run_id, config=self.config, infer_type=self.infer_type)

    def _arguments(self) -> dict[str, Any]:
        return {
            "config": self.config,
            "infer_type": self.infer_type,
            "description": self.description,
            "schedule": self.schedule,
            "cluster_id": self.cluster_id,
            "pool_name": self.pool_name,
            "vpc_id": self.vpc_id,
            "subnet_network_id": self.subnet_network_id,
            "security_group_id": self.security_group_id,
            "workspace_id": self.workspace_id,
            "extra": self.extra,
        }
