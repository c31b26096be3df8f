"""Requests to the emulated OBS data workflow, signed by code that shares nothing with the emulator; its refusals."""

from __future__ import annotations

import base64
import hmac
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote
from xml.etree import ElementTree

import httpx

if TYPE_CHECKING:
    from airflow_provider_mlworkflows.emulator import Emulator

FLOWS = "/v2/workflows/"
TEMPLATES = "/v2/workflowtemplates/"
RUNS = "/v2/workflowexecutions"
POLICY = {"obsworkflowtriggerpolicy": None}
PARTS = ("prefix", "start", "limit", "template-name", "graph-name", "execution-state", "execution-type", "next-marker")
SIGNED = {"obsworkflowtriggerpolicy", *(f"x-workflow-{part}" for part in PARTS)}


def http_date(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")


def authorization(
    method: str, resource: str, query: dict[str, Any], headers: dict[str, str], ak: str, sk: str, scheme: str = "OBS"
) -> str:
    """Return the value of ``Authorization``; ``query`` holds decoded values, ``None`` for a bare name."""
    lower = {name.lower(): value for name, value in headers.items()}
    own = "x-obs-" if scheme == "OBS" else "x-amz-"
    subs = [name if value is None else f"{name}={value}" for name, value in sorted(query.items()) if name in SIGNED]
    lines = [method, lower.get("content-md5", ""), lower.get("content-type", "")]
    lines.append(lower.get("date", "") if own + "date" not in lower else "")
    lines += [f"{name}:{lower[name]}" for name in sorted(lower) if name.startswith(own)]
    lines.append(resource + ("?" + "&".join(subs) if subs else ""))
    digest = hmac.digest(sk.encode(), "\n".join(lines).encode(), "sha1")
    return f"{scheme} {ak}:{base64.b64encode(digest).decode()}"


@dataclass
class ObsCaller:
    """A client with an access key."""

    url: str
    ak: str
    sk: str
    security_token: str | None = None
    scheme: str = "OBS"
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
        method: str,
        path: str,
        body: Any = None,
        query: dict[str, Any] | None = None,
        *,
        raw: bytes | None = None,
        headers: dict[str, str] | None = None,
        at: datetime | None = None,
        date_header: str = "Date",
        bucket: str | None = None,
    ) -> httpx.Response:
        """Send a signed request; ``bucket`` puts a bucket into the host name."""
        asked = query or {}
        text = "&".join(
            name if value is None else f"{name}={quote(str(value), safe='-_.~')}" for name, value in asked.items()
        )
        wire = quote(path, safe="/~-_.")
        content = raw if raw is not None else b"" if body is None else json.dumps(body).encode()
        url = httpx.URL(self.url).copy_with(raw_path=(wire + (f"?{text}" if text else "")).encode())
        sent = {"Content-Type": "application/json", date_header: http_date(at or datetime.now(UTC)), **(headers or {})}
        if bucket is not None:
            sent["Host"] = f"{bucket}.obs.emulator.test:{url.port}"
        if self.security_token is not None:
            sent["x-obs-security-token" if self.scheme == "OBS" else "x-amz-security-token"] = self.security_token
        resource = wire if bucket is None else f"/{bucket}{wire}"
        signed = authorization(method, resource, asked, sent, self.ak, self.sk, self.scheme)
        return self.http.request(method, url, content=content, headers={"Authorization": signed, **sent})

    def start(self, graph: str, inputs: Any = None, **body: Any) -> httpx.Response:
        """Start an execution."""
        return self.call("POST", FLOWS + graph, {"bucket": "data", "object": "in/a.mp4", "inputs": inputs, **body})

    def started(self, graph: str, inputs: Any = None, **body: Any) -> str:
        """Start an execution; returns its name."""
        answer = self.start(graph, inputs, **body)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["execution_name"])

    def get(self, graph: str, name: str) -> httpx.Response:
        """Read an execution."""
        return self.call("GET", f"{RUNS}/{name}", query={"x-workflow-graph-name": graph})

    def info(self, graph: str, name: str) -> dict[str, Any]:
        """Read an execution; returns what the reply holds."""
        answer = self.get(graph, name)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()["execution_info"]
        return found

    def state(self, graph: str, name: str) -> str:
        """Return the state of an execution."""
        return str(self.info(graph, name)["execution_state"])

    def states(self, graph: str, name: str) -> dict[str, str]:
        """Return the statuses of an execution's states by name."""
        return {key: each["status"] for key, each in self.info(graph, name)["state_map"].items()}

    def restore(self, graph: str, name: str) -> httpx.Response:
        """Let a failed execution go on."""
        return self.call("PUT", f"{RUNS}/{name}", query={"x-workflow-graph-name": graph})

    def runs(self, graph: str, **query: Any) -> dict[str, Any]:
        """List executions; ``limit=5`` stands for ``x-workflow-limit=5``."""
        asked = {f"x-workflow-{name.replace('_', '-')}": value for name, value in query.items()}
        answer = self.call("GET", RUNS, query={"x-workflow-graph-name": graph, **asked})
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found


def refused(answer: httpx.Response, status: int, code: str, *words: str) -> dict[str, Any]:
    """Check an error of the workflow service; returns its body."""
    assert answer.headers["content-type"] == "application/json", answer.text
    body: dict[str, Any] = answer.json()
    assert (answer.status_code, body["code"]) == (status, code), answer.text
    assert set(body) == {"code", "message", "request_id"}
    assert body["request_id"] == answer.headers["x-request-id"]
    for word in words:
        assert word in body["message"]
    return body


def refused_in_front(answer: httpx.Response, status: int, code: str, *words: str) -> ElementTree.Element:
    """Check an error of the front; returns its root element."""
    assert answer.headers["content-type"] == "application/xml", answer.text
    root = ElementTree.fromstring(answer.content)
    assert (answer.status_code, root.tag, root.findtext("Code")) == (status, "Error", code), answer.text
    assert root.findtext("RequestId") == answer.headers["x-obs-request-id"]
    assert root.findtext("HostId") == answer.headers["x-obs-id-2"]
    assert root.findtext("Resource") == answer.request.url.raw_path.decode().partition("?")[0]
    for word in words:
        assert word in (root.findtext("Message") or "")
    return root
