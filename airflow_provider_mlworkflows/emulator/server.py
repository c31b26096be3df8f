"""The emulator: all services on one port, in a thread of this process."""

from __future__ import annotations

import asyncio
import socket
import threading
from typing import TYPE_CHECKING, Self

import uvicorn

from airflow_provider_mlworkflows.emulator.alibaba.access import Access as AlibabaAccess
from airflow_provider_mlworkflows.emulator.alibaba.metadata import MetadataService
from airflow_provider_mlworkflows.emulator.alibaba.ram import Ram
from airflow_provider_mlworkflows.emulator.alibaba.sts import StsService as AlibabaStsService
from airflow_provider_mlworkflows.emulator.aom.control import AomControl
from airflow_provider_mlworkflows.emulator.aom.lookup import Lookup as AomLookup
from airflow_provider_mlworkflows.emulator.aom.ready import library as aom_library
from airflow_provider_mlworkflows.emulator.aom.ready import ready_made as ready_made_automation
from airflow_provider_mlworkflows.emulator.aom.service import AomService
from airflow_provider_mlworkflows.emulator.aom.store import Aom
from airflow_provider_mlworkflows.emulator.clock import Clock, ClockMode
from airflow_provider_mlworkflows.emulator.control import Part, control_application
from airflow_provider_mlworkflows.emulator.credentials import Credentials
from airflow_provider_mlworkflows.emulator.faults import Faults
from airflow_provider_mlworkflows.emulator.gateway import Gateway
from airflow_provider_mlworkflows.emulator.huawei.access import Access
from airflow_provider_mlworkflows.emulator.huawei.agencies import Agencies
from airflow_provider_mlworkflows.emulator.huawei.iam import IamService
from airflow_provider_mlworkflows.emulator.huawei.metadata import MachineService
from airflow_provider_mlworkflows.emulator.huawei.sts import StsService
from airflow_provider_mlworkflows.emulator.journal import Journal
from airflow_provider_mlworkflows.emulator.limits import Limits
from airflow_provider_mlworkflows.emulator.modelarts.control import ModelArtsControl
from airflow_provider_mlworkflows.emulator.modelarts.lookup import Lookup
from airflow_provider_mlworkflows.emulator.modelarts.ready import furnish
from airflow_provider_mlworkflows.emulator.modelarts.service import ModelArtsService
from airflow_provider_mlworkflows.emulator.modelarts.store import ModelArts
from airflow_provider_mlworkflows.emulator.obs.access import ObsAccess
from airflow_provider_mlworkflows.emulator.obs.control import ObsControl
from airflow_provider_mlworkflows.emulator.obs.lookup import Lookup as ObsLookup
from airflow_provider_mlworkflows.emulator.obs.ready import ready_made as ready_made_graphs
from airflow_provider_mlworkflows.emulator.obs.service import ObsService
from airflow_provider_mlworkflows.emulator.obs.store import Obs
from airflow_provider_mlworkflows.emulator.paiflow.control import PaiFlowControl
from airflow_provider_mlworkflows.emulator.paiflow.lookup import PRODUCT as PAIFLOW
from airflow_provider_mlworkflows.emulator.paiflow.lookup import VERSION as PAIFLOW_VERSION
from airflow_provider_mlworkflows.emulator.paiflow.lookup import Lookup as PaiFlowLookup
from airflow_provider_mlworkflows.emulator.paiflow.ready import ready_made as ready_made_pipelines
from airflow_provider_mlworkflows.emulator.paiflow.service import PaiFlowService
from airflow_provider_mlworkflows.emulator.paiflow.store import PaiFlow
from airflow_provider_mlworkflows.emulator.switches import Switches
from airflow_provider_mlworkflows.emulator.wire import TransportInScope

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime
    from types import TracebackType

    from airflow_provider_mlworkflows.emulator.routing import Service

START_TIMEOUT = 10.0
GRACE_SECONDS = 1
HEADER_LIMIT = 256 * 1024


class _Server(uvicorn.Server):
    """A server that waits to be asked to stop instead of looking ten times a second."""

    def __init__(self, config: uvicorn.Config, asked: asyncio.Event) -> None:
        super().__init__(config)
        self.settled = threading.Event()
        self.failure: BaseException | None = None
        self._asked = asked
        self._running: asyncio.AbstractEventLoop | None = None

    def serve_until_asked(self, listener: socket.socket) -> None:
        """Serve on a socket; called in the thread of the server."""
        try:
            self.run(sockets=[listener])
        except BaseException as error:
            self.failure = error
            raise
        finally:
            self.settled.set()

    async def main_loop(self) -> None:
        """Wait until asked to stop."""
        self._running = asyncio.get_running_loop()
        self.settled.set()
        await self._asked.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop at once if nothing is being answered, otherwise as soon as it is."""
        if self.server_state.tasks:
            await super().shutdown(sockets)
            return
        for server in self.servers:
            server.close()
        for listener in sockets or ():
            listener.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        await asyncio.sleep(0)  # what is to be closed is closed in the next turn

    def ask_to_stop(self) -> None:
        """Stop soon; called from any thread."""
        if self._running is not None and not self._running.is_closed():
            self._running.call_soon_threadsafe(self._asked.set)


class Emulator:
    """A cloud in a thread.

    Args:
        clock: How time moves: ``manual``, ``real`` or ``per_read``; see :class:`Clock`.
        speed: Scripted durations are divided by this number.
        tick: Seconds that one read adds to a run's clock in mode ``per_read``.
        start: Time at which the clock begins. Default: now.
        switches: Open points of the services. Default: the defaults.
        host: Address to listen on.
        port: Port to listen on; 0 takes a free one.
        more: Further services to serve, each made from the emulator.

    Attributes:
        clock: The emulator's clock.
        switches: The switches in force.
        credentials: Users, keys and tokens.
        agencies: Agencies on Huawei Cloud, and whom they trust.
        faults: Fault rules in force.
        limits: Call quotas.
        journal: Requests so far.
        ram: Roles on Alibaba Cloud, and who may have their keys.
        modelarts: State of the ModelArts service.
        paiflow: State of the PAIFlow service.
        obs: State of the OBS data workflow service.
        aom: State of the AOM automation service.
    """

    def __init__(
        self,
        *,
        clock: ClockMode = "real",
        speed: float = 1.0,
        tick: float = 5.0,
        start: datetime | None = None,
        switches: Switches | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        more: Sequence[Callable[[Emulator], Service]] = (),
    ) -> None:
        self._more = more
        self._lock = threading.RLock()
        self.clock = Clock(clock, speed=speed, tick=tick, start=start, lock=self._lock)
        self.switches = switches or Switches()
        self.credentials = Credentials(self.clock.now, self._lock)
        self.agencies = Agencies(self.credentials, self.switches, self.clock.now, self._lock)
        self.ram = Ram(self.credentials, self.switches, self.clock.now)
        self.faults = Faults(self._lock)
        self.limits = Limits(self.clock.now, self._lock)
        self.journal = Journal(self._lock)
        self.modelarts = ModelArts(self.clock, self.switches, self._lock)
        furnish(self.modelarts)
        self.paiflow = PaiFlow(self.clock, self.switches, self._lock)
        for pipeline in ready_made_pipelines():
            self.paiflow.add_pipeline(pipeline)
        self.obs = Obs(self.clock, self.switches, self._lock)
        for graph in ready_made_graphs():
            self.obs.add_workflow(graph)
        self.aom = Aom(self.clock, self.switches, self._lock)
        self.aom.add_to_library(*aom_library())
        for automation in ready_made_automation():
            self.aom.add_workflow(automation)
        self._host = host
        self._port = port
        self._socket: socket.socket | None = None
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def lock(self) -> threading.RLock:
        """The lock that guards all state; hold it to read several values of one moment."""
        return self._lock

    @property
    def auth_now(self) -> datetime | None:
        """Time against which signature dates are measured; ``None`` for the machine's clock."""
        return self.credentials.auth_now

    @auth_now.setter
    def auth_now(self, time: datetime | None) -> None:
        self.credentials.auth_now = time

    @property
    def port(self) -> int:
        """The port in use.

        Raises:
            RuntimeError: The emulator is not running.
        """
        if self._socket is None:
            raise RuntimeError("the emulator is not running")
        return int(self._socket.getsockname()[1])

    @property
    def url(self) -> str:
        """Base URL of all services.

        Raises:
            RuntimeError: The emulator is not running.
        """
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self.port}"

    def start(self) -> Self:
        """Listen and serve; return once requests are answered.

        Raises:
            OSError: The address cannot be used.
            RuntimeError: The emulator runs already or does not come up.
        """
        if self._thread is not None:
            raise RuntimeError("the emulator is running already")
        self._socket = self._listen()
        asked = asyncio.Event()
        config = uvicorn.Config(
            self._application(asked),
            http=TransportInScope,
            ws="none",
            loop="asyncio",
            lifespan="off",
            log_config=None,
            log_level="warning",
            access_log=False,
            proxy_headers=False,
            server_header=False,
            date_header=False,
            h11_max_incomplete_event_size=HEADER_LIMIT,
            timeout_keep_alive=75,
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
        self._server = _Server(config, asked)
        self._thread = threading.Thread(target=self._run, name="mlworkflows-emulator", daemon=True)
        self._thread.start()
        if not self._server.settled.wait(START_TIMEOUT) or self._server.failure is not None:
            failure = self._server.failure
            self.stop()
            raise RuntimeError("the emulator did not come up") from failure
        return self

    def stop(self) -> None:
        """Stop serving and close all connections; state stays readable, and the emulator may start again."""
        if self._server is not None and self._thread is not None:
            self._server.ask_to_stop()
            self._thread.join(START_TIMEOUT)
        if self._socket is not None:
            self._socket.close()
        self._server = self._thread = self._socket = None

    def __enter__(self) -> Self:
        """Start."""
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop."""
        self.stop()

    def _listen(self) -> socket.socket:
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        # Naming the protocol lets asyncio switch off Nagle's algorithm: no 40 ms per small reply.
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((self._host, self._port))
        except OSError:
            listener.close()
            raise
        return listener

    def _run(self) -> None:
        if self._server is not None and self._socket is not None:
            self._server.serve_until_asked(self._socket)

    def _application(self, closing: asyncio.Event) -> Gateway:
        access = Access(self.credentials, self.switches, self.clock.now)
        lookup = Lookup(self.modelarts, self.clock, self.switches)
        alibaba = AlibabaAccess(
            self.credentials, self.switches, self.clock.now, product=PAIFLOW, version=PAIFLOW_VERSION
        )
        obs = ObsAccess(access, self.credentials, self.switches, self.clock.now)
        services: Sequence[Service] = (
            ModelArtsService(access, lookup),
            IamService(access, self.credentials, self.agencies, self.clock.now),
            StsService(access, self.credentials, self.agencies),
            MachineService(self.agencies, self.switches),
            PaiFlowService(alibaba, PaiFlowLookup(self.paiflow, alibaba, self.switches)),
            AlibabaStsService(self.credentials, self.switches, self.ram, self.clock.now),
            MetadataService(self.ram, self.switches, self.clock.now),
            ObsService(obs, ObsLookup(self.obs, self.switches)),
            AomService(access, AomLookup(self.aom, access, self.switches)),
            *(make(self) for make in self._more),
        )
        parts: dict[str, Part] = {
            "modelarts": ModelArtsControl(self.modelarts, self.switches),
            "paiflow": PaiFlowControl(self.paiflow, self.switches),
            "obs": ObsControl(self.obs, self.switches),
            "aom": AomControl(self.aom, self.switches),
        }
        return Gateway(
            services,
            control_application(self, parts),
            clock=self.clock,
            journal=self.journal,
            faults=self.faults,
            limits=self.limits,
            lock=self._lock,
            closing=closing,
        )
