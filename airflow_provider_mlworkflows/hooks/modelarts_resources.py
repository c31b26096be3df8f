"""Services, resource pools, clusters and the todo list of ModelArts, read as runs so that they can be waited for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_mlworkflows.clouds.huawei.modelarts_inputs import checked_range, checked_segment
from airflow_provider_mlworkflows.clouds.huawei.modelarts_readings import (
    cluster_called,
    cluster_resource,
    pool_resource,
)
from airflow_provider_mlworkflows.clouds.huawei.modelarts_resource_runs import (
    SERVICE,
    created_run,
    deletion_run,
    gone_run,
    resource_run,
    service_run,
    todo_run,
    unmet_changes,
)
from airflow_provider_mlworkflows.clouds.operation import Steps, operation
from airflow_provider_mlworkflows.exceptions import (
    BadRequestError,
    MLWorkflowsError,
    NotFoundError,
    PermissionDeniedError,
    StopImpossibleError,
)
from airflow_provider_mlworkflows.hooks.huawei import DEFAULT_CONN_NAME
from airflow_provider_mlworkflows.hooks.modelarts_base import ModelArtsRunHook
from airflow_provider_mlworkflows.runs import Run, RunRef, RunState

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_provider_mlworkflows.clouds.huawei.modelarts_resource_models import Pool

WORTH_A_LIST = 3
"""From so many of them on, reading the list costs less than reading each."""
ANY_WORKFLOW = "todolist"
"""What the todo list is filed under that is not of one workflow only."""
MOST_NODES = 100_000


class ModelArtsServiceHook(ModelArtsRunHook):
    """Services, each as the run that deploys it: it succeeds once the service runs, or has worked off its data.

    A run is known by the service's id; what it is filed under is of no importance.
    """

    @operation
    def get_run(self, ref: RunRef) -> Steps[Run]:
        """Read a service with its models (ShowService).

        :raises NotFoundError: if there is no such service.
        """
        service = yield from self.show_service.steps(ref.run_id)
        return service_run(service, ref, self.console_url)

    @operation
    def stop_run(self, ref: RunRef, *, force: bool = False) -> Steps[bool]:
        """Stop a service that is being deployed (UpdateService, ``stopped``). One that runs already is left alone.

        :param force: send the request even if the service does not look as if it were being deployed.
        :returns: False if nothing was sent.
        """
        if not force:
            run = yield from self.get_run.steps(ref)
            if run.state.is_terminal or run.state is RunState.STOPPING:
                return False
        try:
            yield from self.update_service.steps(ref.run_id, status="stopped")
        except BadRequestError:
            # It may have ended between the two requests.
            run = yield from self.get_run.steps(ref)
            if run.state.is_terminal or run.state is RunState.STOPPING:
                return False
            raise
        return True

    @operation
    def get_runs(self, refs: Sequence[RunRef]) -> Steps[Mapping[RunRef, Run | MLWorkflowsError]]:
        """Read several services: from the list of all, unless they are few (ListServices)."""
        runs: dict[RunRef, Run | MLWorkflowsError] = {}
        if len(refs) >= WORTH_A_LIST:
            try:
                services = yield from self.iter_services.steps()
            except PermissionDeniedError:
                services = []  # who may not list them may read each
            except MLWorkflowsError as error:
                return dict.fromkeys(refs, error)
            known = {service.service_id: service for service in services}
            runs = {
                ref: service_run(known[ref.run_id], ref, self.console_url, is_listed=True)
                for ref in refs
                if ref.run_id in known
            }
        missing = [ref for ref in refs if ref not in runs]
        return {**runs, **(yield from super().get_runs.steps(missing))}

    def batches(self, refs: Sequence[RunRef]) -> list[Sequence[RunRef]]:
        """All of them are in one list."""
        return [refs] if len(refs) >= WORTH_A_LIST else super().batches(refs)

    @operation
    def start_service(self, service_name: str, /, **arguments: Any) -> Steps[Run]:
        """Deploy a service (CreateService); arguments as `create_service` takes them."""
        created = yield from self.create_service.steps(service_name, **arguments)
        return created_run(created.service_id, service_name, self.console_url)

    @operation
    def find_service_runs(
        self, service_name: str, *, workspace_id: str | None = None, with_models: bool = False
    ) -> Steps[list[Run]]:
        """The services of exactly this name as runs, the newest first (ListServices).

        :param with_models: read each by itself, because lists leave out the models (ShowService).
        :raises InvalidInputError: before anything is sent, if no service can have this name.
        """
        runs = []
        for found in (yield from self.find_services_by_name.steps(service_name, workspace_id=workspace_id)):
            ref, service = RunRef(SERVICE, found.service_id), found
            if with_models:
                try:
                    service = yield from self.show_service.steps(found.service_id)
                except NotFoundError:
                    continue
            runs.append(service_run(service, ref, self.console_url, is_listed=not with_models))
        return runs

    @operation
    def compare_service(self, ref: RunRef, changes: Mapping[str, Any]) -> Steps[tuple[Run, frozenset[str]]]:
        """A service, and which fields of an update it does not show, nor is on its way to (ShowService).

        :param changes: the fields as the service names them. Models count as far as they are described.
        :raises NotFoundError: if there is no such service.
        """
        service = yield from self.show_service.steps(ref.run_id)
        return service_run(service, ref, self.console_url), unmet_changes(service, changes)


class ModelArtsReadOnlyHook(ModelArtsRunHook):
    """Base of the hooks for what is read only.

    :param huawei_conn_id: Airflow connection of type ``huawei_mlworkflows`` or ``huaweicloud``; None for
        the environment's own credentials.
    :param min_nodes: how many nodes have to be available, where there are nodes.
    :param options: as `ModelArtsRunHook` takes them.
    """

    def __init__(self, huawei_conn_id: str | None = DEFAULT_CONN_NAME, *, min_nodes: int = 0, **options: Any) -> None:
        super().__init__(huawei_conn_id, **options)
        self.min_nodes = checked_range("min_nodes", min_nodes, 0, MOST_NODES) or 0

    @operation
    def stop_run(self, ref: RunRef, *, force: bool = False) -> Steps[bool]:
        """Nothing of this kind can be stopped.

        :raises StopImpossibleError: always.
        """
        yield from ()
        raise StopImpossibleError(f"{ref} is not stopped from here.")


class ModelArtsDeletionHook(ModelArtsReadOnlyHook):
    """Services that are being deleted, each as the run that does it: it succeeds once the service is gone.

    A run is known by the service's id; what it is filed under is of no importance.
    """

    @operation
    def get_run(self, ref: RunRef) -> Steps[Run]:
        """Read a service (ShowService). One that is not there is success."""
        try:
            service = yield from self.show_service.steps(ref.run_id)
        except NotFoundError:
            return gone_run(ref, self.console_url)
        return deletion_run(service, ref, self.console_url)


class ModelArtsPoolHook(ModelArtsReadOnlyHook):
    """Resource pools, each as a run that succeeds once the pool runs and has enough nodes.

    A run is known by the pool's name.
    """

    @operation
    def get_run(self, ref: RunRef) -> Steps[Run]:
        """Read a pool, and its nodes if it runs (ShowPool, ListPoolNodes).

        :raises NotFoundError: if there is no such pool.
        """
        pool = yield from self.show_pool.steps(ref.run_id)
        return (yield from self._run(pool, ref))

    @operation
    def get_runs(self, refs: Sequence[RunRef]) -> Steps[Mapping[RunRef, Run | MLWorkflowsError]]:
        """Read several pools: from the list of all, unless they are few (ListPools)."""
        runs: dict[RunRef, Run | MLWorkflowsError] = {}
        if len(refs) >= WORTH_A_LIST:
            try:
                pools = {pool.name: pool for pool in (yield from self.list_pools.steps()).items}
            except PermissionDeniedError:
                pools = {}  # who may not list them may read each
            except MLWorkflowsError as error:
                return dict.fromkeys(refs, error)
            for ref in refs:
                if ref.run_id in pools:
                    try:
                        runs[ref] = yield from self._run(pools[ref.run_id], ref)
                    except MLWorkflowsError as error:
                        runs[ref] = error
        missing = [ref for ref in refs if ref not in runs]
        return {**runs, **(yield from super().get_runs.steps(missing))}

    def batches(self, refs: Sequence[RunRef]) -> list[Sequence[RunRef]]:
        """All of them are in one list."""
        return [refs] if len(refs) >= WORTH_A_LIST else super().batches(refs)

    def _run(self, pool: Pool, ref: RunRef) -> Steps[Run]:
        resource = pool_resource(pool, [])
        if resource.state.run_state is RunState.SUCCEEDED:
            nodes = yield from self.iter_pool_nodes.steps(pool.name)
            resource = pool_resource(pool, nodes)
        return resource_run(resource, ref, self.console_url, min_nodes=self.min_nodes)


class ModelArtsClusterHook(ModelArtsReadOnlyHook):
    """Dedicated clusters, each as a run that succeeds once the cluster runs and has enough nodes.

    A run is known by the cluster's id or name. One list tells about all of them (ListClusters).
    """

    @operation
    def get_run(self, ref: RunRef) -> Steps[Run]:
        """Read a cluster (ListClusters).

        :raises NotFoundError: if there is no such cluster.
        """
        return _only(ref, (yield from self.get_runs.steps([ref])))

    @operation
    def get_runs(self, refs: Sequence[RunRef]) -> Steps[Mapping[RunRef, Run | MLWorkflowsError]]:
        """Read several clusters (ListClusters)."""
        try:
            clusters = yield from self.iter_clusters.steps()
        except MLWorkflowsError as error:
            return dict.fromkeys(refs, error)
        runs: dict[RunRef, Run | MLWorkflowsError] = {}
        for ref in refs:
            try:
                called = cluster_called(checked_segment("cluster", ref.run_id), clusters)
            except MLWorkflowsError as error:
                runs[ref] = error
                continue
            if called is None:
                runs[ref] = NotFoundError(
                    f"There is no cluster {ref.run_id!r} among the {len(clusters)} of this project and region.",
                    operation="ListClusters",
                )
            else:
                runs[ref] = resource_run(cluster_resource(called), ref, self.console_url, min_nodes=self.min_nodes)
        return runs

    def batches(self, refs: Sequence[RunRef]) -> list[Sequence[RunRef]]:
        """All of them are in one list."""
        return [refs] if refs else []


class ModelArtsTodoHook(ModelArtsReadOnlyHook):
    """The todo list of a workspace, as a run that succeeds once a step waits for a person.

    A run is known by the workspace's id. It is filed under the workflow whose steps count, or under ``todolist`` if
    those of all do.
    """

    @operation
    def get_run(self, ref: RunRef) -> Steps[Run]:
        """Read the todo list (ShowWorkflowsTodolist)."""
        return _only(ref, (yield from self.get_runs.steps([ref])))

    @operation
    def get_runs(self, refs: Sequence[RunRef]) -> Steps[Mapping[RunRef, Run | MLWorkflowsError]]:
        """Read the todo list of each workspace once (ShowWorkflowsTodolist)."""
        runs: dict[RunRef, Run | MLWorkflowsError] = {}
        for workspace_id in dict.fromkeys(ref.run_id for ref in refs):
            wanted = [ref for ref in refs if ref.run_id == workspace_id]
            try:
                todos = (yield from self.list_todos.steps(workspace_id=workspace_id)).items
            except MLWorkflowsError as error:
                runs |= dict.fromkeys(wanted, error)
                continue
            for ref in wanted:
                counting = [todo for todo in todos if ref.workflow_id in (ANY_WORKFLOW, todo.workflow_id)]
                runs[ref] = todo_run(counting, ref, self.console_url)
        return runs

    def batches(self, refs: Sequence[RunRef]) -> list[Sequence[RunRef]]:
        """All that is asked of one workspace is in one list."""
        workspaces = dict.fromkeys(ref.run_id for ref in refs)
        return [[ref for ref in refs if ref.run_id == workspace] for workspace in workspaces]


def _only(ref: RunRef, runs: Mapping[RunRef, Run | MLWorkflowsError]) -> Run:
    reading = runs[ref]
    if isinstance(reading, MLWorkflowsError):
        raise reading
    return reading
