"""Emulated IAM: project lookup, tokens, temporary access keys, also those of agencies."""

from __future__ import annotations

import hmac
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NoReturn

from airflow_provider_mlworkflows.emulator.huawei.access import GATEWAY_ERRORS, Access, back_off, gateway_error
from airflow_provider_mlworkflows.emulator.routing import Answer, Call, Operation, Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from airflow_provider_mlworkflows.emulator.credentials import AccessKey, Credentials, Token
    from airflow_provider_mlworkflows.emulator.huawei.agencies import Agencies
    from airflow_provider_mlworkflows.emulator.limits import Limit

_TITLES = {400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 503: "Unavailable"}
TOKEN_SECONDS = 24 * 3600
SHORTEST_KEY = 900
LONGEST_KEY = 86400


def keystone_error(status: int, message: str) -> Answer:
    """Return an error as IAM's v3 interface words it."""
    title = _TITLES.get(status, "Error")
    return Answer(status, {"error": {"code": status, "message": message, "title": title}})


def _refuse(status: int, message: str) -> NoReturn:
    raise Refusal(keystone_error(status, message))


def iam_time(time: datetime) -> str:
    """Return a time as IAM writes it: UTC, microseconds, ``Z``."""
    return f"{time.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}Z"


def key_view(key: AccessKey, ends: datetime) -> dict[str, str | None]:
    """Return a temporary key by IAM's names, which the metadata services use as well."""
    return {
        "access": key.ak,
        "secret": key.sk,
        "securitytoken": key.security_token,
        "expires_at": iam_time(ends),
    }


def is_lifetime(seconds: object, shortest: int, longest: int) -> bool:
    """Return whether a key may be asked for that lasts so long."""
    return isinstance(seconds, int) and not isinstance(seconds, bool) and shortest <= seconds <= longest


class IamService:
    """Emulated IAM.

    Args:
        access: Checks of credentials.
        credentials: Users, keys, tokens, projects.
        agencies: The agencies, and whom they trust.
        now: Returns the emulator's time.
    """

    name = "iam"

    def __init__(
        self, access: Access, credentials: Credentials, agencies: Agencies, now: Callable[[], datetime]
    ) -> None:
        self._access = access
        self._credentials = credentials
        self._agencies = agencies
        self._now = now

    def operations(self) -> Sequence[Operation]:
        """Return all operations."""
        tokens = "/v3/auth/tokens"
        federation = "/v3.0/OS-AUTH/id-token/tokens"
        keys = "/v3.0/OS-CREDENTIAL/securitytokens"
        listing, assuming = "iam:projects:listProjects", "iam:agencies:assume"
        return [
            Operation("KeystoneListProjects", "GET", "/v3/projects", self.list_projects, listing),
            Operation("KeystoneCreateUserTokenByPassword", "POST", tokens, self.create_token, open_to_all=True),
            Operation("KeystoneValidateToken", "GET", tokens, self.validate_token),
            Operation("CreateTokenWithIdToken", "POST", federation, self.create_federated_token, open_to_all=True),
            Operation(
                "CreateTemporaryAccessKeyByAgency", "POST", keys, self.create_agency_key, assuming, when=_is_assumed
            ),
            Operation("CreateTemporaryAccessKeyByToken", "POST", keys, self.create_key, open_to_all=True),
        ]

    def authenticate(self, call: Call, operation: Operation) -> None:
        """Check credentials and permission, except where the body carries the credentials."""
        if operation.open_to_all:
            return
        self._access.identify(call)
        if not self._access.may(call, operation.permission):
            _refuse(403, f"You are not authorized to perform the requested action: {operation.permission}")

    def failure(self, call: Call, status: int, code: str | None) -> Answer:
        """Return an error in IAM's or the gateway's words."""
        if code is not None and not code.startswith("APIG"):
            return Answer(status, {"error_code": code, "error_msg": "request failed"})
        if code is not None or status == 429:
            usual, message = GATEWAY_ERRORS.get(status, ("APIG.0202", "Backend unavailable"))
            return gateway_error(call, status, code or usual, message)
        return keystone_error(status, "request failed")

    def throttled(self, call: Call, limit: Limit) -> Answer:
        """Return the gateway's answer to a call beyond its quota."""
        return self._access.throttled(call, limit)

    def back_off(self, seconds: float) -> dict[str, str]:
        """Return the header that asks a caller to wait."""
        return back_off(seconds)

    def list_projects(self, call: Call) -> Answer:
        """Return the account's projects, or the one of a name."""
        wanted = call.param("name")
        projects = [
            {
                "id": project_id,
                "name": name,
                "domain_id": self._credentials.domain_id,
                "parent_id": self._credentials.domain_id,
                "is_domain": False,
                "enabled": True,
                "description": "",
                "links": {"self": f"https://iam.myhuaweicloud.com/v3/projects/{project_id}"},
            }
            for name, project_id in self._credentials.projects.items()
            if wanted in (None, name)
        ]
        links = {"self": "https://iam.myhuaweicloud.com/v3/projects", "next": None, "previous": None}
        return Answer(200, {"links": links, "projects": projects})

    def create_token(self, call: Call) -> Answer:
        """Issue a token for a password or for another token."""
        auth = _part(_body(call), "auth")
        identity = _part(auth, "identity")
        methods = identity.get("methods")
        if methods == ["password"]:
            user = self._by_password(_part(_part(identity, "password"), "user"))
        elif methods == ["token"]:
            user = self._valid_token(_part(identity, "token").get("id"), 401).user
        else:
            _refuse(400, "identity.methods must be one of [password], [token]")
        call.principal = user
        return self._issued_token(call, user, auth, tuple(methods))

    def create_federated_token(self, call: Call) -> Answer:
        """Issue a token for that of an identity provider."""
        auth = _part(_body(call), "auth")
        provider = self._agencies.provider_of(_part(auth, "id_token").get("id"))
        if provider is None or provider.rpartition(":")[2] != call.header("x-idp-id"):
            _refuse(401, "The id token is not one of this identity provider.")
        call.principal = self._agencies.own.user
        return self._issued_token(call, self._agencies.own.user, auth, ("mapped",))

    def _issued_token(self, call: Call, user: str, auth: dict[str, Any], methods: tuple[str, ...]) -> Answer:
        scope = auth.get("scope")
        project_id = self._project_of(scope if isinstance(scope, dict) else {})
        lifetime = self._agencies.lifetime(TOKEN_SECONDS)
        token = self._credentials.add_token(user=user, project_id=project_id, lifetime=lifetime, methods=methods)
        call.effective = True
        return Answer(201, {"token": self._token_view(token)}, {"X-Subject-Token": token.text})

    def validate_token(self, call: Call) -> Answer:
        """Describe a token."""
        token = self._valid_token(call.header("x-subject-token"), 404)
        return Answer(200, {"token": self._token_view(token)}, {"X-Subject-Token": token.text})

    def create_key(self, call: Call) -> Answer:
        """Issue a temporary access key for a token."""
        identity = _part(_part(_body(call), "auth"), "identity")
        if identity.get("methods") != ["token"]:
            _refuse(400, "identity.methods must be [token]")
        named = identity.get("token")
        details: dict[str, Any] = named if isinstance(named, dict) else {}
        user = self._valid_token(details.get("id") or call.header("x-auth-token"), 401).user
        call.principal = user
        return self._issued_key(call, user, details)

    def create_agency_key(self, call: Call) -> Answer:
        """Issue a temporary access key of an agency to whoever it trusts."""
        role = _part(_part(_part(_body(call), "auth"), "identity"), "assume_role")
        agency = self._agencies.find(role.get("agency_name"), role.get("domain_name"))
        if agency is None:
            _refuse(404, "Could not find the agency, or it does not trust your account.")
        return self._issued_key(call, agency.user, role)

    def _issued_key(self, call: Call, user: str, details: dict[str, Any]) -> Answer:
        seconds = details.get("duration_seconds", SHORTEST_KEY)
        if not is_lifetime(seconds, SHORTEST_KEY, LONGEST_KEY):
            _refuse(400, f"duration_seconds must be between {SHORTEST_KEY} and {LONGEST_KEY}")
        key, ends = self._agencies.issue(user, seconds)
        call.effective = True
        return Answer(201, {"credential": key_view(key, ends)})

    def _by_password(self, given: dict[str, Any]) -> str:
        user = self._credentials.users.get(str(given.get("name")))
        domain = _part(given, "domain")
        known = domain.get("name") == self._credentials.domain_name or domain.get("id") == self._credentials.domain_id
        right = user is not None and hmac.compare_digest(user.password.encode(), str(given.get("password")).encode())
        if user is None or not (right and known):
            _refuse(401, "The username or password is wrong.")
        return user.name

    def _valid_token(self, text: object, status: int) -> Token:
        token = self._credentials.find_token(text) if isinstance(text, str) else None
        if token is None or token.expires_at <= self._now():
            _refuse(status, "The token must be updated." if status == 401 else "Could not find token.")
        return token

    def _project_of(self, scope: dict[str, Any]) -> str | None:
        project = scope.get("project")
        if not isinstance(project, dict):
            return None
        projects = self._credentials.projects
        if project.get("id") in projects.values():
            return str(project["id"])
        if project.get("name") in projects:
            return projects[str(project["name"])]
        _refuse(401, "The request you have made requires authentication: unknown project.")

    def _token_view(self, token: Token) -> dict[str, Any]:
        domain = {"id": self._credentials.domain_id, "name": self._credentials.domain_name}
        user = self._credentials.users[token.user]
        view: dict[str, Any] = {
            "issued_at": iam_time(token.issued_at),
            "expires_at": iam_time(token.expires_at),
            "methods": list(token.methods),
            "user": {"id": user.user_id, "name": user.name, "domain": domain, "password_expires_at": ""},
            "roles": [{"id": "0", "name": "te_admin"}],
            "catalog": [],
        }
        if token.project_id is None:
            view["domain"] = domain
        else:
            names = {project_id: name for name, project_id in self._credentials.projects.items()}
            view["project"] = {"id": token.project_id, "name": names[token.project_id], "domain": domain}
        return view


def _is_assumed(call: Call) -> bool:
    """Whether a call asks for a key of an agency."""
    try:
        return bool(_part(_part(_body(call), "auth"), "identity").get("methods") == ["assume_role"])
    except Refusal:
        return False


def _body(call: Call) -> dict[str, Any]:
    body = call.json_object()
    if body is None:
        _refuse(400, "The request body must be a JSON object.")
    return body


def _part(holder: dict[str, Any], name: str) -> dict[str, Any]:
    part = holder.get(name)
    if not isinstance(part, dict):
        _refuse(400, f"The request body lacks the object {name}.")
    return part
