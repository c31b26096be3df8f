"""What a server or a pod can ask about itself: the metadata service and the pod identity agent."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from airflow_provider_mlworkflows.emulator.huawei.agencies import MACHINE_KEY_SECONDS
from airflow_provider_mlworkflows.emulator.huawei.iam import key_view
from airflow_provider_mlworkflows.emulator.routing import Answer, Call, Operation, Refusal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_mlworkflows.emulator.huawei.agencies import Agencies, Agency
    from airflow_provider_mlworkflows.emulator.limits import Limit
    from airflow_provider_mlworkflows.emulator.switches import Switches

LONGEST_SESSION = 21600
POD_PATH = "/pod-identity/credentials"
NO_AGENCY = "Please configure Cloud Service Agency first"


class TextAnswer(Answer):
    """A reply whose body is plain text."""

    def content(self) -> bytes:
        """Return the body as sent."""
        return str(self.body).encode()


def _text(status: int, text: str) -> TextAnswer:
    return TextAnswer(status, text, {"Content-Type": "text/plain"})


def _refuse(status: int, text: str) -> NoReturn:
    raise Refusal(_text(status, text))


class MachineService:
    """Emulated metadata service and pod identity agent; both take no signature.

    Args:
        agencies: The agencies of server and pods.
        switches: The open points.
    """

    name = "metadata"

    def __init__(self, agencies: Agencies, switches: Switches) -> None:
        self._agencies = agencies
        self._switches = switches

    def operations(self) -> Sequence[Operation]:
        """Return all operations."""
        sessions, keys = "/meta-data/latest/api/token", "/openstack/latest/securitykey"
        return [
            Operation("CreateMetadataToken", "PUT", sessions, self.create_session, open_to_all=True),
            Operation("ShowSecurityKey", "GET", keys, self.show_key, open_to_all=True),
            Operation("CreatePodSecurityKey", "POST", POD_PATH, self.create_pod_key, open_to_all=True),
        ]

    def authenticate(self, call: Call, operation: Operation) -> None:
        """Let everybody in: who calls is told by where from, or by a token that the operation looks at."""

    def failure(self, call: Call, status: int, code: str | None) -> Answer:
        """Return an error as plain text."""
        return _text(status, code or "request failed")

    def throttled(self, call: Call, limit: Limit) -> Answer:
        """Return the answer to a call beyond its quota."""
        return _text(429, "too many requests")

    def back_off(self, seconds: float) -> dict[str, str]:
        """Return no header: none asks a caller to wait here."""
        return {}

    def create_session(self, call: Call) -> Answer:
        """Open a session."""
        sessions = self._switches.metadata_sessions
        if isinstance(sessions, int):
            _refuse(sessions, "no sessions here")
        seconds = call.header("x-metadata-token-ttl-seconds") or ""
        if not seconds.isdecimal() or not 1 <= int(seconds) <= LONGEST_SESSION:
            _refuse(400, "X-Metadata-Token-Ttl-Seconds must be between 1 and 21600")
        call.effective = True
        return _text(200, self._agencies.open_session(int(seconds)))

    def show_key(self, call: Call) -> Answer:
        """Issue a key of the server's agency."""
        session = call.header("x-metadata-token")
        if session is None:
            if self._switches.metadata_sessions == "required":
                _refuse(401, "X-Metadata-Token is missing")
        elif not self._agencies.is_session(session):
            _refuse(401, "X-Metadata-Token is not valid")
        if self._agencies.of_server is None:
            _refuse(401, NO_AGENCY)
        return self._issued(call, self._agencies.of_server)

    def create_pod_key(self, call: Call) -> Answer:
        """Issue a key of a pod's agency."""
        if call.json_object() is None:
            _refuse(400, "the body must be a JSON object")
        agency = self._agencies.of_pod(call.header("authorization") or "")
        if agency is None:
            _refuse(401, "the token of the pod is not valid")
        return self._issued(call, agency)

    def _issued(self, call: Call, agency: Agency) -> Answer:
        call.principal = agency.user
        key, ends = self._agencies.issue(agency.user, MACHINE_KEY_SECONDS)
        call.effective = True
        return Answer(200, {"credential": key_view(key, ends)})
