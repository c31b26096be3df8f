"""Requests to emulated Alibaba Cloud services, signed by code that shares nothing with the emulator."""

from __future__ import annotations

import hashlib
import hmac
import json
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote

import httpx

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.emulator import Emulator

RUNS = "/api/v1/pipelineruns"
PIPELINES = "/api/v1/pipelines"


def acs_headers(
    method: str,
    url: httpx.URL,
    body: bytes,
    action: str,
    ak: str,
    sk: str,
    *,
    extra: dict[str, str] | None = None,
    at: datetime | None = None,
    nonce: str | None = None,
) -> dict[str, str]:
    """Return all headers of a signed request."""
    digest = hashlib.sha256(body).hexdigest()
    headers = {
        "host": url.netloc.decode(),
        "x-acs-action": action,
        "x-acs-version": "2021-02-02",
        "x-acs-date": f"{(at or datetime.now(UTC)).astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "x-acs-signature-nonce": nonce or uuid.uuid4().hex,
        "x-acs-content-sha256": digest,
        **({"content-type": "application/json; charset=utf-8"} if body else {}),
        **(extra or {}),
    }
    path, _, query = url.raw_path.decode().partition("?")
    names = ";".join(sorted(headers))
    lines = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
    canonical = "\n".join([method, path, "&".join(sorted(query.split("&"))), lines, names, digest])
    text = "ACS3-HMAC-SHA256\n" + hashlib.sha256(canonical.encode()).hexdigest()
    mac = hmac.new(sk.encode(), text.encode(), hashlib.sha256).hexdigest()
    headers["authorization"] = f"ACS3-HMAC-SHA256 Credential={ak},SignedHeaders={names},Signature={mac}"
    return headers


@dataclass
class PaiCaller:
    """A client with an access key."""

    url: str
    ak: str
    sk: str
    workspace: str = "48213"
    security_token: str | None = None
    http: httpx.Client = field(default_factory=lambda: httpx.Client(trust_env=False, timeout=10))

    @classmethod
    def of(cls, emulator: Emulator) -> Self:
        """Return a client with the emulator's permanent key."""
        return cls(emulator.url, emulator.credentials.permanent.ak, emulator.credentials.permanent.sk)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.http.close()

    def call(
        self,
        action: str,
        method: str,
        path: str,
        body: Any = None,
        *,
        raw: bytes | None = None,
        headers: dict[str, str] | None = None,
        at: datetime | None = None,
        nonce: str | None = None,
        **params: Any,
    ) -> httpx.Response:
        """Send a signed request."""
        query = "&".join(f"{name}={quote(str(value), safe='-_.~')}" for name, value in params.items())
        url = httpx.URL(self.url).copy_with(raw_path=(path + (f"?{query}" if query else "")).encode())
        content = raw if raw is not None else b"" if body is None else json.dumps(body).encode()
        extra = dict(headers or {})
        if self.security_token:
            extra["x-acs-security-token"] = self.security_token
        signed = acs_headers(method, url, content, action, self.ak, self.sk, extra=extra, at=at, nonce=nonce)
        return self.http.request(method, url, content=content, headers=signed)

    def runs(self, **params: Any) -> httpx.Response:
        """List runs."""
        return self.call("ListPipelineRuns", "GET", RUNS, **params)

    def create(self, **body: Any) -> httpx.Response:
        """Create a run, started at once unless the body says otherwise."""
        given = {"WorkspaceId": self.workspace, "NoConfirmRequired": True, **body}
        return self.call("CreatePipelineRun", "POST", RUNS, given)

    def start(self, pipeline_id: str, **body: Any) -> str:
        """Create a run of a stored pipeline; returns its id."""
        answer = self.create(PipelineId=pipeline_id, **body)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["PipelineRunId"])

    def get(self, run: str, **params: Any) -> dict[str, Any]:
        """Read a run."""
        return _body(self.call("GetPipelineRun", "GET", f"{RUNS}/{run}", **params))

    def status(self, run: str) -> str:
        """Return a run's status."""
        return str(self.get(run)["Status"])

    def act(self, run: str, action: str) -> httpx.Response:
        """Start, rerun or terminate a run."""
        names = {"start": "Start", "rerun": "Rerun", "termination": "Terminate"}
        return self.call(f"{names[action]}PipelineRun", "PUT", f"{RUNS}/{run}/{action}")

    def batch(self, body: Any) -> httpx.Response:
        """Read several runs or nodes."""
        return self.call("ListPipelineRunsStatus", "PUT", RUNS, body)

    def node(self, run: str, node: str, **params: Any) -> dict[str, Any]:
        """Read a node with those below it."""
        return _body(self.call("GetPipelineRunNode", "GET", f"{RUNS}/{run}/nodes/{node}", **params))

    def node_list(self, run: str, node: str, what: str, **params: Any) -> httpx.Response:
        """Read the ``status``, ``logs`` or ``outputs`` of a node."""
        action = f"ListPipelineRunNode{what.title()}"
        return self.call(action, "GET", f"{RUNS}/{run}/nodes/{node}/{what}", **params)

    def tree(self, run: str) -> dict[str, str]:
        """Return the statuses of all nodes below the root by name."""
        root = self.get(run)["NodeId"]
        listed = _body(self.node_list(run, root, "status", Depth=99))["Status"]
        return {each["NodeName"]: each["Status"] for each in listed[1:]}

    def node_id(self, run: str, name: str) -> str:
        """Return the id of the node of a name."""
        root = self.get(run)["NodeId"]
        listed = _body(self.node_list(run, root, "status", Depth=99))["Status"]
        return str(next(each["NodeId"] for each in listed if each["NodeName"] == name))


def _body(answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    decoded: dict[str, Any] = answer.json()
    return decoded
