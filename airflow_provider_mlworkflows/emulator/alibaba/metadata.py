"""The metadata service of an emulated ECS instance, and an address at which a local service hands out keys."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NoReturn

from airflow_provider_mlworkflows.emulator.alibaba.access import DATE_FORMAT
from airflow_provider_mlworkflows.emulator.alibaba.sts import key_view
from airflow_provider_mlworkflows.emulator.routing import Answer, Operation, Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from airflow_provider_mlworkflows.emulator.alibaba.ram import Ram, Role
    from airflow_provider_mlworkflows.emulator.limits import Limit
    from airflow_provider_mlworkflows.emulator.routing import Call
    from airflow_provider_mlworkflows.emulator.switches import Switches

ROLES = "/latest/meta-data/ram/security-credentials"
URI_PATH = "/alibaba/credentials"
LONGEST_TOKEN = 21600
_PAGE = "<html><head><title>{status}</title></head><body><h1>{status} {words}</h1></body></html>"


@dataclass(slots=True)
class TextAnswer(Answer):
    """A reply that is not JSON: its body is sent as it is."""

    def content(self) -> bytes:
        """Return the body as sent."""
        return str(self.body).encode()


def _text(body: str, status: int = 200, kind: str = "text/plain") -> Answer:
    return TextAnswer(status, body, {"Content-Type": kind})


def _page(status: int, words: str) -> Answer:
    return _text(_PAGE.format(status=status, words=words), status, "text/html")


def _refuse(status: int, words: str) -> NoReturn:
    raise Refusal(_page(status, words))


class MetadataService:
    """Emulated metadata service with and without tokens, and a credentials URI; errors are pages.

    Args:
        ram: The role of the instance.
        switches: The open points.
        now: Returns the emulator's time.
    """

    name = "alibaba-metadata"

    def __init__(self, ram: Ram, switches: Switches, now: Callable[[], datetime]) -> None:
        self._ram = ram
        self._switches = switches
        self._now = now
        self._tokens: dict[str, datetime] = {}

    def operations(self) -> Sequence[Operation]:
        """Return all operations."""
        return [
            Operation("CreateMetadataToken", "PUT", "/latest/api/token", self.create_token),
            Operation("ListRoleNames", "GET", ROLES, self.list_roles),
            Operation("ListRoleNames", "GET", ROLES + "/", self.list_roles),
            Operation("GetRoleCredentials", "GET", ROLES + "/{role}", self.get_credentials),
            Operation("GetCredentialsFromUri", "GET", URI_PATH, self.get_from_uri),
        ]

    def authenticate(self, call: Call, operation: Operation) -> None:
        """Check the token that a call carries, or whether it may come without."""
        if operation.name in ("CreateMetadataToken", "GetCredentialsFromUri"):
            return
        sent = call.header("x-aliyun-ecs-metadata-token")
        if sent is None and self._switches.alibaba_metadata == "v2":
            _refuse(403, "Forbidden")
        if sent is not None and self._tokens.get(sent, datetime.min.replace(tzinfo=UTC)) <= self._now():
            _refuse(401, "Unauthorized")

    def failure(self, call: Call, status: int, code: str | None) -> Answer:
        """Return an error page."""
        return _page(status, code or "Error")

    def throttled(self, call: Call, limit: Limit) -> Answer:
        """Return the answer to a call beyond its limit."""
        return _page(429, "Too Many Requests")

    def back_off(self, seconds: float) -> dict[str, str]:
        """Return no header: the service asks nobody to wait."""
        return {}

    def create_token(self, call: Call) -> Answer:
        """Hand out a token for later calls."""
        if self._switches.alibaba_metadata == "v1":
            _refuse(404, "Not Found")
        text = call.header("x-aliyun-ecs-metadata-token-ttl-seconds") or ""
        if not (text.isascii() and text.isdigit() and 1 <= int(text) <= LONGEST_TOKEN):
            _refuse(400, "Bad Request")
        token = secrets.token_urlsafe(32)
        self._tokens[token] = self._now() + timedelta(seconds=int(text))
        return _text(token)

    def list_roles(self, call: Call) -> Answer:
        """Return the name of the instance's role."""
        return _text(self._role().name)

    def get_credentials(self, call: Call) -> Answer:
        """Return the present key of the instance's role."""
        role = self._role()
        if call.ids["role"] != role.name:
            _refuse(404, "Not Found")
        session = self._ram.lend(role, "ecs")
        updated = self._now().astimezone(UTC).strftime(DATE_FORMAT)
        return Answer(200, {**key_view(session.key), "LastUpdated": updated, "Code": "Success"})

    def get_from_uri(self, call: Call) -> Answer:
        """Return a key of the instance's role, as a local service would."""
        if self._ram.ecs_role is None:
            return Answer(200, {"Code": "Failed", "Message": "There is no role."})
        return Answer(200, {"Code": "Success", **key_view(self._ram.lend(self._ram.ecs_role, "uri").key)})

    def _role(self) -> Role:
        role = self._ram.ecs_role
        if role is None:
            _refuse(404, "Not Found")
        return role
