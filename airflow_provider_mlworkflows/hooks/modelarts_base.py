"""What the hooks of ModelArts have in common: a connection made into a client, and every operation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from airflow.sdk.log import amask_secret, mask_secret

from airflow_provider_mlworkflows.clouds.huawei.modelarts import ModelArtsApi
from airflow_provider_mlworkflows.clouds.huawei.modelarts_secrets import discreet, secrets_of
from airflow_provider_mlworkflows.hooks import huawei
from airflow_provider_mlworkflows.hooks.base import ConnectionFields, RunHook

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.clouds.client import Client
    from airflow_provider_mlworkflows.clouds.operation import BoundOperation, Request

T = TypeVar("T")

CONSOLE = "https://console.huaweicloud.com/modelarts/"


class ModelArtsRunHook(ModelArtsApi, RunHook):
    """Every operation of ModelArts. A subclass says what its runs are.

    :param huawei_conn_id: Airflow connection of type ``huawei_mlworkflows`` or ``huaweicloud``; None for
        the environment's own credentials.
    :param region: overrides the connection's region, e.g. ``cn-north-4``. If it is another one, the connection's
        project is not used but looked up anew, and the connection may have no endpoint of the service.
    :param project_id: overrides the connection's project.
    :param options: as `RunHook` takes them.
    """

    conn_name_attr = huawei.CONN_NAME_ATTR
    default_conn_name = huawei.DEFAULT_CONN_NAME
    conn_type = huawei.CONN_TYPE
    hook_name = huawei.HOOK_NAME
    foreign_conn_types = huawei.FOREIGN_CONN_TYPES

    def __init__(
        self,
        huawei_conn_id: str | None = huawei.DEFAULT_CONN_NAME,
        *,
        region: str | None = None,
        project_id: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__(huawei_conn_id, **options)
        self.region = region
        self.project_id = project_id

    def client_for(self, fields: ConnectionFields) -> Client:
        """Make the client for ModelArts in the connection's region.

        :raises ConfigurationError: if the connection's fields do not make sense.
        """
        return huawei.huawei_client(
            fields,
            "modelarts",
            "ModelArts",
            region=self.region,
            project_id=self.project_id,
            **self.client_options,
        )

    def send(self, request: Request[T]) -> T:
        """Send a request with this hook's connection; what it holds of an app's secrets shows nowhere."""
        for secret in secrets_of(request):
            mask_secret(secret)
        return discreet(self.client, request).send(request)

    async def asend(self, request: Request[T]) -> T:
        """The same in an event loop."""
        for secret in secrets_of(request):
            await amask_secret(secret)
        return await discreet(await self.aclient(), request).asend(request)

    @property
    def console_url(self) -> str:
        """ModelArts in the cloud console; "" if the region is not known."""
        return f"{CONSOLE}?region={self.client.region}" if self.client.region else ""

    def check_call(self, call: BoundOperation[..., Any], /, *args: Any, **kwargs: Any) -> None:
        """Check the form of an operation's arguments. Sends nothing.

        :raises InvalidInputError: if one cannot be right.
        """
        next(call.steps(*args, **kwargs)).content()
