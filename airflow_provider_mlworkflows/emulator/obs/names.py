"""Names, resource names and times as the service writes them."""

from __future__ import annotations

import ipaddress
import re
import uuid
from datetime import UTC, datetime

from airflow_provider_mlworkflows.emulator.credentials import DOMAIN_ID, PROJECT_ID, REGION

_GRAPH = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_BUCKET = re.compile(r"[a-z0-9](?:[a-z0-9]|-(?!\.)|\.(?![-.]))*")
_URN = re.compile(r"urn:(?:fgs|obs):[^:\s]+:[^:\s]+:graph:(?P<name>[A-Za-z0-9_-]+)")


def is_graph_name(value: object) -> bool:
    """Whether a value may name a workflow or a template."""
    return isinstance(value, str) and _GRAPH.fullmatch(value) is not None


def is_bucket_name(value: object) -> bool:
    """Whether a value may name a bucket."""
    if not isinstance(value, str) or not 3 <= len(value) <= 63:
        return False
    return _BUCKET.fullmatch(value) is not None and value[-1] not in ".-" and not _is_address(value)


def bucket_of_host(host: str | None) -> str | None:
    """Return the bucket that a ``Host`` header begins with, or ``None`` if it names a whole region or an address."""
    name = re.sub(r":\d+$", "", host or "").lower()
    before, region, _ = name.rpartition(".obs.")
    if region:
        return before
    first, dot, _ = name.partition(".")
    return None if not dot or first == "obs" or _is_address(name.strip("[]")) else first


def new_execution_name() -> str:
    """Return a new name; like the service's it says nothing about when the execution began."""
    return str(uuid.uuid4())


def graph_urn(graph_name: str, kind: str = "fgs") -> str:
    """Return a workflow's URN; creating and updating calls write it with ``obs``, all others with ``fgs``."""
    return f"urn:{kind}:{REGION}:{PROJECT_ID}:graph:{graph_name}"


def execution_urn(graph_name: str, execution_name: str) -> str:
    """Return an execution's URN."""
    return f"urn:fgs:{REGION}:{PROJECT_ID}:execution:{graph_name}:{execution_name}:{DOMAIN_ID}"


def graph_of_urn(urn: object) -> str | None:
    """Return the name of the workflow in a URN, or ``None`` if it is none."""
    found = _URN.fullmatch(urn) if isinstance(urn, str) else None
    return found["name"] if found else None


def timestamp(time: datetime | None) -> str:
    """Return a time as the service writes it: UTC, milliseconds, ``Z``; an empty text for none."""
    if time is None:
        return ""
    utc = time.astimezone(UTC)
    return f"{utc:%Y-%m-%dT%H:%M:%S}.{utc.microsecond // 1000:03d}Z"


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
