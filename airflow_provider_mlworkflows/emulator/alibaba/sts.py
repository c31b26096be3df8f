"""Emulated STS (2015-04-01): keys of roles, and who somebody is."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import parse_qsl

from airflow_provider_mlworkflows.emulator.alibaba import errors
from airflow_provider_mlworkflows.emulator.alibaba.access import CLOCK_SKEW, DATE_FORMAT, Access, user_id
from airflow_provider_mlworkflows.emulator.credentials import ACCOUNT_ID
from airflow_provider_mlworkflows.emulator.routing import Operation

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from airflow_provider_mlworkflows.emulator.alibaba.ram import Ram, Role, Session
    from airflow_provider_mlworkflows.emulator.credentials import AccessKey, Credentials
    from airflow_provider_mlworkflows.emulator.limits import Limit
    from airflow_provider_mlworkflows.emulator.routing import Answer, Call, Handler
    from airflow_provider_mlworkflows.emulator.switches import Switches

PRODUCT = "Sts"
VERSION = "2015-04-01"
SHORTEST = 900
_SESSION_NAME = re.compile(r"[A-Za-z0-9.@_-]{2,64}")


class StsService:
    """Emulated STS. Parameters may come in the query or as a form; a token of another kind only as a form.

    Args:
        credentials: Known users and keys.
        switches: The open points.
        ram: Roles and OIDC tokens.
        now: Returns the emulator's time.
    """

    name = "alibaba-sts"

    def __init__(self, credentials: Credentials, switches: Switches, ram: Ram, now: Callable[[], datetime]) -> None:
        self._credentials = credentials
        self._access = Access(credentials, switches, now, product=PRODUCT, version=VERSION)
        self._ram = ram
        self._now = now

    def operations(self) -> Sequence[Operation]:
        """Return all operations; all have the same path and are told apart by the action they name."""
        return [
            *self._both("AssumeRole", self.assume_role, permission="sts:AssumeRole"),
            *self._both("AssumeRoleWithOIDC", self.assume_role_with_oidc, open_to_all=True),
            *self._both("GetCallerIdentity", self.get_caller_identity),
        ]

    def _both(self, name: str, handler: Handler, **more: Any) -> list[Operation]:
        def is_meant(call: Call) -> bool:
            return _action(call) == name

        return [Operation(name, method, "/", handler, when=is_meant, **more) for method in ("GET", "POST")]

    def authenticate(self, call: Call, operation: Operation) -> None:
        """Check signature and permission, except where a token takes their place."""
        if operation.open_to_all:
            call.request_id = errors.request_id(call)
            return
        self._access.identify(call)
        self._access.check_operation(call, operation)

    def failure(self, call: Call, status: int, code: str | None) -> Answer:
        """Return an error in the gateway's words."""
        return errors.failure(call, PRODUCT, status, code)

    def throttled(self, call: Call, limit: Limit) -> Answer:
        """Return the gateway's answer to a call beyond its quota."""
        return self._access.throttled(call, limit)

    def back_off(self, seconds: float) -> dict[str, str]:
        """Return the header that asks a caller to wait."""
        return errors.back_off(seconds)

    def assume_role(self, call: Call) -> Answer:
        """Issue a key of a role to the holder of a key."""
        given = _parameters(call)
        role = self._role(call, given)
        if role.external_id is not None and given.get("ExternalId") != role.external_id:
            message = f"{errors.MESSAGES['NoPermission']} The trust policy of the role wants another ExternalId."
            self._refuse(call, 403, "NoPermission", message)
        return self._issued(call, role, given)

    def assume_role_with_oidc(self, call: Call) -> Answer:
        """Issue a key of a role to the holder of an OIDC token."""
        self._check_stamp(call)
        given = {**_parameters(call), "OIDCToken": _form(call).get("OIDCToken", "")}
        token = self._ram.tokens.get(given["OIDCToken"])
        provider = given.get("OIDCProviderArn")
        if not provider:
            self._refuse(call, 400, "MissingOIDCProviderArn", "The parameter OIDCProviderArn is required.")
        if provider not in {each.provider_arn for each in self._ram.tokens.values()}:
            self._refuse(call, 404, "EntityNotExist.OIDCProvider", "The OIDC provider does not exist.")
        if token is None or token.provider_arn != provider:
            self._refuse(call, 400, "AuthenticationFail.OIDCToken.Invalid", "The OIDC token is not valid.")
        if token.expires_at <= self._now():
            self._refuse(call, 400, "AuthenticationFail.OIDCToken.Expired", "This OIDC Token is expired.")
        return self._issued(call, self._role(call, given), given)

    def get_caller_identity(self, call: Call) -> Answer:
        """Tell who calls."""
        session = self._ram.sessions.get(call.principal or "")
        if session is not None:
            body = {
                "IdentityType": "AssumedRoleUser",
                "AccountId": ACCOUNT_ID,
                "PrincipalId": f"{user_id(session.role.name)}:{session.name}",
                "RoleId": user_id(session.role.name),
                "Arn": session.arn,
            }
            return errors.answer(call, 200, body)
        number, name = self._access.user_id(call), self._access.user_of(call)
        body = {
            "IdentityType": "RAMUser",
            "AccountId": ACCOUNT_ID,
            "PrincipalId": number,
            "UserId": number,
            "Arn": f"acs:ram::{ACCOUNT_ID}:user/{name}",
        }
        return errors.answer(call, 200, body)

    def _role(self, call: Call, given: dict[str, str]) -> Role:
        arn = given.get("RoleArn")
        if not arn:
            self._refuse(call, 400, "MissingRoleArn", "The parameter RoleArn is required.")
        role = self._ram.roles.get(arn)
        if role is None:
            self._refuse(call, 404, "EntityNotExist.Role", f"The role not exists: {arn}.")
        return role

    def _issued(self, call: Call, role: Role, given: dict[str, str]) -> Answer:
        name = given.get("RoleSessionName", "")
        if not _SESSION_NAME.fullmatch(name):
            self._refuse(call, 400, "InvalidParameter.RoleSessionName", "The parameter RoleSessionName is wrong.")
        seconds = given.get("DurationSeconds", str(SHORTEST * 4))
        if not (seconds.isascii() and seconds.isdigit() and SHORTEST <= int(seconds) <= role.longest):
            message = f"DurationSeconds must be between {SHORTEST} and {role.longest}, the longest session of the role."
            self._refuse(call, 400, "InvalidParameter.DurationSeconds", message)
        self._check_policy(call, given.get("Policy"))
        session = self._ram.issue(role, name, int(seconds))
        call.effective = True
        return errors.answer(call, 200, self._view(session))

    def _view(self, session: Session) -> dict[str, Any]:
        role_id = user_id(session.role.name)
        user = {"Arn": session.arn, "AssumedRoleId": f"{role_id}:{session.name}"}
        return {"AssumedRoleUser": user, "Credentials": key_view(session.key)}

    def _check_policy(self, call: Call, text: str | None) -> None:
        try:
            is_policy = text is None or "Statement" in json.loads(text)
        except (TypeError, ValueError):
            is_policy = False
        if not is_policy:
            self._refuse(
                call, 400, "InvalidParameter.PolicyGrammar", "The parameter Policy has not passed grammar check."
            )

    def _check_stamp(self, call: Call) -> None:
        """Check what an unsigned call carries instead of signed headers."""
        given = _parameters(call)
        if given.get("Version", call.header("x-acs-version")) != VERSION:
            self._refuse(call, 404, "InvalidVersion", f"There is no such version; use {VERSION}.")
        text = given.get("Timestamp") or call.header("x-acs-date") or ""
        try:
            stamped_at = datetime.strptime(text, DATE_FORMAT).replace(tzinfo=UTC)
        except ValueError:
            self._refuse(
                call, 400, "InvalidTimeStamp.Format", f"The parameter Timestamp is missing or wrong: {text!r}."
            )
        present = (self._credentials.auth_now or datetime.now(UTC)).astimezone(UTC)
        if abs(present - stamped_at) > CLOCK_SKEW:
            message = f"The request is of {text}, more than 15 minutes from the server's time."
            self._refuse(call, 400, "InvalidTimeStamp.Expired", message)

    def _refuse(self, call: Call, status: int, code: str, message: str) -> NoReturn:
        errors.refuse(call, PRODUCT, status, code, message)


def key_view(key: AccessKey) -> dict[str, str]:
    """Return a temporary access key as it is handed out."""
    ends = key.expires_at or datetime.max.replace(tzinfo=UTC)
    return {
        "AccessKeyId": key.ak,
        "AccessKeySecret": key.sk,
        "SecurityToken": key.security_token or "",
        "Expiration": ends.astimezone(UTC).strftime(DATE_FORMAT),
    }


def _action(call: Call) -> str | None:
    return call.header("x-acs-action") or call.param("Action") or _form(call).get("Action")


def _parameters(call: Call) -> dict[str, str]:
    """Return what the call says, except a token in its query: queries are journaled."""
    return {**{name: value for name, value in call.query if name != "OIDCToken"}, **_form(call)}


def _form(call: Call) -> dict[str, str]:
    kind = call.header("content-type") or ""
    if not kind.startswith("application/x-www-form-urlencoded"):
        return {}
    return dict(parse_qsl(call.body.decode("utf-8", "replace"), keep_blank_values=True))
