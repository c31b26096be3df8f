"""Requests to the emulator, signed by code that shares nothing with it."""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote, unquote

import httpx

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.emulator import Emulator


def signed_headers(
    method: str,
    url: str,
    body: bytes,
    ak: str,
    sk: str,
    *,
    headers: dict[str, str] | None = None,
    at: datetime | None = None,
) -> dict[str, str]:
    """Return ``headers`` with date, host and authorization for one request."""
    parsed = httpx.URL(url)
    date = f"{(at or datetime.now(UTC)):%Y%m%dT%H%M%SZ}"
    host = parsed.netloc.decode()
    every = {"Host": host, "X-Sdk-Date": date, **(headers or {})}
    lower = {name.lower(): value.strip() for name, value in every.items()}
    names = sorted(lower)
    path, _, query = parsed.raw_path.decode().partition("?")
    canonical_path = "/".join(quote(part, safe="~") for part in unquote(path).split("/"))
    pairs = sorted(tuple(map(unquote, pair.partition("=")[::2])) for pair in query.split("&") if pair)
    canonical = "\n".join(
        [
            method,
            canonical_path.rstrip("/") + "/",
            "&".join(f"{quote(key, safe='~')}={quote(value, safe='~')}" for key, value in pairs),
            "".join(f"{name}:{lower[name]}\n" for name in names),
            ";".join(names),
            hashlib.sha256(body).hexdigest(),
        ]
    )
    to_sign = f"SDK-HMAC-SHA256\n{date}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    mac = hmac.new(sk.encode(), to_sign.encode(), hashlib.sha256).hexdigest()
    every["Authorization"] = f"SDK-HMAC-SHA256 Access={ak}, SignedHeaders={';'.join(names)}, Signature={mac}"
    return every


@dataclass
class Caller:
    """A client with an access key."""

    url: str
    project_id: str
    ak: str
    sk: str
    security_token: str | None = None
    http: httpx.Client = field(default_factory=lambda: httpx.Client(trust_env=False, timeout=10))

    @classmethod
    def of(cls, emulator: Emulator) -> Self:
        """Return a client with the emulator's permanent key."""
        key = emulator.credentials.permanent
        return cls(emulator.url, emulator.credentials.project_id, key.ak, key.sk)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.http.close()

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        params: dict[str, Any] | None = None,
        raw: bytes | None = None,
        headers: dict[str, str] | None = None,
        at: datetime | None = None,
    ) -> httpx.Response:
        """Send a signed request; ``path`` begins with a slash."""
        query = "&".join(
            f"{quote(key, safe='~')}={quote(str(value), safe='~')}" for key, value in (params or {}).items()
        )
        url = f"{self.url}{path}" + (f"?{query}" if query else "")
        content = raw if raw is not None else (b"" if body is None else json.dumps(body).encode())
        extra = dict(headers or {})
        if content:
            extra.setdefault("Content-Type", "application/json")
        if self.security_token:
            extra["X-Security-Token"] = self.security_token
        signed = signed_headers(method, url, content, self.ak, self.sk, headers=extra, at=at)
        return self.http.request(method, url, content=content, headers=signed)

    def flow(self, method: str, path: str, body: Any = None, **rest: Any) -> httpx.Response:
        """Send a request below ``/v2/{project_id}``."""
        return self.call(method, f"/v2/{self.project_id}{path}", body, **rest)

    def first(self, method: str, path: str, body: Any = None, **rest: Any) -> httpx.Response:
        """Send a request below ``/v1/{project_id}``."""
        return self.call(method, f"/v1/{self.project_id}{path}", body, **rest)

    def start(self, workflow_id: str, body: Any = None, **rest: Any) -> str:
        """Start an execution and return its id."""
        answer = self.flow("POST", f"/workflows/{workflow_id}/executions", body or {}, **rest)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["execution_id"])

    def show(self, workflow_id: str, execution_id: str) -> dict[str, Any]:
        """Read an execution."""
        answer = self.flow("GET", f"/workflows/{workflow_id}/executions/{execution_id}")
        assert answer.status_code == 200, answer.text
        shown: dict[str, Any] = answer.json()
        return shown

    def steps(self, workflow_id: str, execution_id: str) -> dict[str, str]:
        """Return the statuses of an execution's steps by name."""
        shown = self.show(workflow_id, execution_id)
        return {step["step_name"]: step["status"] for step in shown["steps_execution"]}

    def act(self, workflow_id: str, execution_id: str, body: Any) -> httpx.Response:
        """Send an execution action."""
        return self.flow("POST", f"/workflows/{workflow_id}/executions/{execution_id}/actions", body)

    def act_on_step(self, workflow_id: str, execution_id: str, step_name: str, body: Any) -> httpx.Response:
        """Send a step action to the step of that name."""
        steps = self.show(workflow_id, execution_id)["steps_execution"]
        step_id = next(step["uuid"] for step in steps if step["step_name"] == step_name)
        path = f"/workflows/{workflow_id}/executions/{execution_id}/step-executions/{step_id}/actions"
        return self.flow("POST", path, body)
