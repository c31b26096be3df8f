"""What every hook of this provider has in common: a connection resolved once, and the life of a run."""

from __future__ import annotations

import asyncio
import json
import re
from abc import abstractmethod
from copy import copy
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar
from weakref import WeakKeyDictionary

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowNotFoundException, AirflowRuntimeError
from airflow.sdk.log import amask_secret, mask_secret

from airflow_provider_mlworkflows.clock import SYSTEM_CLOCK, Clock
from airflow_provider_mlworkflows.clouds.client import DEFAULT_ATTEMPTS, Client, Patience
from airflow_provider_mlworkflows.clouds.http import proxy_secrets
from airflow_provider_mlworkflows.clouds.operation import Request, Session, Steps, operation
from airflow_provider_mlworkflows.exceptions import (
    AuthenticationError,
    ConfigurationError,
    InvalidInputError,
    MLWorkflowsError,
    PermissionDeniedError,
    TransportError,
)
from airflow_provider_mlworkflows.runs import NewLog

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from airflow.sdk import Connection

    from airflow_provider_mlworkflows.runs import Run, RunRef, Step

T = TypeVar("T")

ENVIRONMENT_AUTH_TYPE = "default"
"""The ``auth_type`` that takes whatever credentials the environment has."""
BRIEF_TIMEOUT = 10.0
"""Seconds that a person in front of a form waits for an answer."""
_SECRET_NAME = re.compile(
    "(token|secret|password|proxy|access_key)(?!_file)|external_id|credentials_uri", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class ConnectionFields:
    """The fields of an Airflow connection that this provider reads.

    :param conn_id: its id, for messages; "" if the environment stands in for one.
    :param login: access key id, or the name of a user.
    :param password: secret access key, or the user's password.
    :param extra: everything else.
    :param conn_type: its type, "" if it has none.
    :param host: not used by any service; "" if it is not filled in.
    """

    conn_id: str
    login: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    extra: Mapping[str, Any] = field(default_factory=dict, repr=False)
    conn_type: str = ""
    host: str = field(default="", repr=False)

    @classmethod
    def of(cls, connection: Connection) -> ConnectionFields:
        """Read an Airflow connection; touches neither network nor supervisor.

        :raises ConfigurationError: if its extra is not a JSON object.
        """
        try:
            extra = json.loads(connection.extra) if connection.extra else {}
        except ValueError:
            extra = None
        if not isinstance(extra, dict):
            raise ConfigurationError(f"The extra of connection {connection.conn_id!r} is not a JSON object.")
        conn_type = (connection.conn_type or "").replace("-", "_")
        host = (connection.host or "").strip()
        return cls(connection.conn_id, connection.login, connection.password, extra, conn_type, host)

    @property
    def title(self) -> str:
        """What messages call the connection."""
        return f"Connection {self.conn_id!r}" if self.conn_id else "The environment, used for want of a connection,"

    @property
    def secrets(self) -> tuple[str, ...]:
        """Everything that must not show in a log; Airflow masks only some of it by itself."""
        # The name of a user is no secret, and may be a word that logs are full of.
        is_user = str(self.extra.get("auth_type", "")).strip().lower() == "password"
        login = "" if is_user else self.login or ""
        marked = (str(value) for name, value in self.extra.items() if _SECRET_NAME.search(name) and value)
        # Blanks around them are not sent, so a text may hold them without.
        inside = proxy_secrets(str(self.extra.get("proxy") or ""))
        secrets = (login, self.password or "", *marked, *inside)
        return tuple(filter(None, (secret.strip() for secret in secrets)))


_ENVIRONMENT = ConnectionFields("", extra={"auth_type": ENVIRONMENT_AUTH_TYPE})


class RunHook(BaseHook, Session):
    """A hook for a service that has runs.

    A subclass says how a connection becomes a client, and declares the operations of a run's life.
    The connection is resolved at the first call, not before, and only once per hook.

    :param conn_id: Airflow connection; the type's default one if "", the environment's own credentials if None.
    :param attempts: how often a request is sent at most, where repeating it is safe.
    :param timeout: seconds without any data from the service, and for the whole of an answer; None for the
        connection's own. With one attempt it holds for whoever issues credentials, too, who is then asked once as well.
    :param clock: where time comes from.
    """

    conn_name_attr: ClassVar[str]
    default_conn_name: ClassVar[str]
    conn_type: ClassVar[str]
    hook_name: ClassVar[str]
    foreign_conn_types: ClassVar[tuple[str, ...]] = ()
    """Types of connections that other providers' hooks made, and that serve here as well."""
    log_lag: ClassVar[float] = 0.0
    """Seconds for which the last lines of a run that has just ended are waited for, because they show late."""

    def __init__(
        self,
        conn_id: str | None = "",
        *,
        attempts: int = DEFAULT_ATTEMPTS,
        timeout: float | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        super().__init__()
        self.conn_id = self.default_conn_name if conn_id == "" else conn_id
        self.patience = Patience(attempts, hasty=attempts == 1 and timeout is not None)
        self.timeout = timeout
        self.clock = clock
        self._loop_locks: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()

    @abstractmethod
    def client_for(self, fields: ConnectionFields) -> Client:
        """Make a client from a connection's fields. Pure: no network, no Airflow.

        :raises ConfigurationError: if the fields do not make sense.
        """

    @property
    def client_options(self) -> dict[str, Any]:
        """What a client takes over from its hook."""
        return {"timeout": self.timeout, "patience": self.patience, "clock": self.clock}

    @cached_property
    def client(self) -> Client:
        """The client of this hook's connection. Blocks on first use; not for event loops."""
        if self.conn_id is None:
            return self.client_for(_ENVIRONMENT)
        try:
            fields = ConnectionFields.of(self.get_connection(self.conn_id))
        except (AirflowNotFoundException, AirflowRuntimeError) as error:
            raise self._no_connection(error) from error
        for secret in fields.secrets:
            mask_secret(secret)
        return self._checked_client(fields)

    async def aclient(self) -> Client:
        """The same client, for event loops."""
        lock = self._loop_locks.setdefault(asyncio.get_running_loop(), asyncio.Lock())
        async with lock:
            if self.conn_id is not None and "client" not in self.__dict__:
                try:
                    fields = ConnectionFields.of(await self.aget_connection(self.conn_id))
                except (AirflowNotFoundException, AirflowRuntimeError) as error:
                    raise self._no_connection(error) from error
                for secret in fields.secrets:
                    await amask_secret(secret)
                self.__dict__["client"] = self._checked_client(fields)
        return self.client

    def _checked_client(self, fields: ConnectionFields) -> Client:
        """The client, unless the connection is meant for something else."""
        types = (self.conn_type, *self.foreign_conn_types)
        if fields.conn_type and fields.conn_type not in types:
            raise ConfigurationError(
                f"Connection {fields.conn_id!r} is of type {fields.conn_type}, but {type(self).__name__} needs one of "
                f"type {' or '.join(types)}. Name another in {self.conn_name_attr}."
            )
        if fields.host and fields.conn_type not in self.foreign_conn_types:
            raise ConfigurationError(
                f"Connection {fields.conn_id!r} has a host, which is not used. Remove it; to reach the service at an "
                "address of its own, put this with its scheme into the extra as endpoint."
            )
        return self.client_for(fields)

    def brief(self) -> Self:
        """A hook like this one that does not try long: one attempt per request, and ten seconds."""
        brief = copy(self)
        brief.patience = Patience(attempts=1, hasty=True)
        brief.timeout = min(self.timeout or BRIEF_TIMEOUT, BRIEF_TIMEOUT)
        brief.__dict__.pop("client", None)
        return brief

    def tested(self, operation: str, look: Callable[[Self], str], *, needed: str) -> tuple[bool, str]:
        """Whether the connection works, and with which credentials and where, or what to change.

        It is asked once, and given up after ten seconds without an answer.

        :param operation: the API operation that is asked for.
        :param look: asks a hook for it, and says what there is to see.
        :param needed: what somebody lacks to whom the operation is refused.
        """
        try:
            seen = look(hook := self.brief())
            return True, f"{_answered(hook.client)}; {seen}."
        except PermissionDeniedError as error:
            return False, f"{error} {needed}" if error.operation == operation else str(error)
        except MLWorkflowsError as error:
            return False, str(error)

    def _no_connection(self, error: Exception) -> MLWorkflowsError:
        if isinstance(error, AirflowNotFoundException):
            return ConfigurationError(
                f"There is no Airflow connection {self.conn_id!r}. Create one of type {self.conn_type}, or name "
                f"another in {self.conn_name_attr}."
            )
        return TransportError(
            f"Airflow did not hand out the connection {self.conn_id!r}: {error}", may_have_taken_effect=False
        )

    def get_conn(self) -> Client:
        """The client of this hook's connection."""
        return self.client

    def send(self, request: Request[T]) -> T:
        """Send a request with this hook's connection."""
        return self.client.send(request)

    async def asend(self, request: Request[T]) -> T:
        """The same in an event loop."""
        return await (await self.aclient()).asend(request)

    def service_time(self) -> float:
        """Seconds since the epoch by the service's clock, as far as an answer to this hook has told it."""
        return self.client.service_time()

    # The life of a run, in one vocabulary for all services. Each is an operation: callable, awaitable through
    # ``aio``, usable inside another through ``steps``.

    @operation
    @abstractmethod
    def get_run(self, ref: RunRef) -> Steps[Run]:
        """Read a run with its steps.

        :raises NotFoundError: if there is no such run.
        """

    @operation
    @abstractmethod
    def stop_run(self, ref: RunRef, *, force: bool = False) -> Steps[bool]:
        """Ask for a run to be stopped. Stopping is asynchronous: the run shows it some time later.

        :param force: send the request even if the run looks over, because it may not show its last action yet.

        :returns: False if the run was over or stopping already, so that nothing was sent.
        """

    @operation
    def continue_step(self, run: Run, step: Step, inputs: Mapping[str, Any]) -> Steps[None]:
        """Let a waiting step go on.

        :param inputs: what it waits for; empty for a gate.
        :raises InvalidInputError: if the steps of this service never wait, as is assumed here.
        :raises ApiError: if the service refuses.
        """
        yield from ()
        raise InvalidInputError(
            f"Step {step.name} cannot be continued: the service has no steps that wait for anybody."
        )

    @operation
    def get_failure_log(self, run: Run) -> Steps[str]:
        """The last log lines of a run's failed steps; "" if the service keeps none."""
        yield from ()
        return ""

    @operation
    def get_new_log(self, run: Run, cursor: Mapping[str, int]) -> Steps[NewLog]:
        """The log lines of a run's steps after a cursor; none if the service keeps none."""
        yield from ()
        return NewLog((), cursor)

    @operation
    def get_metrics(self, run: Run) -> Steps[Mapping[str, Any]]:
        """What the steps of a run measured, by step name; empty if the service keeps none."""
        yield from ()
        return {}

    @operation
    def get_runs(self, refs: Sequence[RunRef]) -> Steps[Mapping[RunRef, Run | MLWorkflowsError]]:
        """Read several runs, with as few requests as the service allows.

        :returns: for each ref its run, or the error that concerns this run only.
        :raises AuthenticationError: at once: the same credentials would be refused for all other runs, too.
        """
        runs: dict[RunRef, Run | MLWorkflowsError] = {}
        for ref in refs:
            try:
                runs[ref] = yield from self.get_run.steps(ref)
            except AuthenticationError:
                raise
            except MLWorkflowsError as error:
                runs[ref] = error
        return runs

    def take_over(self, former: Self) -> None:
        """Go on with a search that another hook of the same service and scope has begun, if there is any."""

    def batches(self, refs: Sequence[RunRef]) -> list[Sequence[RunRef]]:
        """Divide refs into the groups that `get_runs` should be called with, perhaps at the same time."""
        return [[ref] for ref in refs]


def _answered(client: Client) -> str:
    """Which service has answered whom, and for what place."""
    identity = client.identity()
    place = {"region": client.region, **{name.removesuffix("_id"): id_ for name, id_ in identity.path_params.items()}}
    named = ", ".join(f"{name} {id_}" for name, id_ in place.items() if id_)
    return f"{client.service.name} answers {identity.name} at {client.service.endpoint}{named and f' in {named}'}"
