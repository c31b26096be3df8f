"""The ``OBS`` header signature of Huawei Cloud object storage, over the exact address that is asked for."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from email.utils import formatdate
from urllib.parse import unquote, urlsplit

DATE_HEADER = "Date"
SERVICE_DATE_HEADER = "x-obs-date"
TEMPORARY_KEY_HEADER = "x-obs-security-token"
_OWN_PREFIX = "x-obs-"

SIGNED_QUERY_NAMES = frozenset(
    {
        "obsworkflowtriggerpolicy",
        "x-workflow-create",
        "x-workflow-execution-state",
        "x-workflow-execution-type",
        "x-workflow-graph-name",
        "x-workflow-limit",
        "x-workflow-next-marker",
        "x-workflow-prefix",
        "x-workflow-start",
        "x-workflow-template-name",
    }
)
"""Parts of a query that say what is asked for, and so are signed; the service leaves any other part unsigned."""


def signed_headers(
    method: str,
    url: str,
    headers: Mapping[str, str],
    *,
    bucket: str = "",
    access_key: str,
    secret_key: str,
    now: float,
) -> dict[str, str]:
    """The headers to send: those given, the date and the signature. The body is not part of what is signed.

    :param url: as it will go over the wire, percent-encoded.
    :param bucket: the bucket that the host names, "" if it names none.
    :param now: seconds since the epoch; the service accepts 15 minutes of difference.
    """
    signed = {**headers, DATE_HEADER: formatdate(now, usegmt=True)}
    to_sign = string_to_sign(method, url, signed, bucket=bucket)
    digest = hmac.new(secret_key.encode(), to_sign.encode(), hashlib.sha1).digest()
    signed["Authorization"] = f"OBS {access_key}:{base64.b64encode(digest).decode()}"
    return signed


def string_to_sign(method: str, url: str, headers: Mapping[str, str], *, bucket: str = "") -> str:
    """The text that is signed. A date in the service's own header stands among its like, not in the date's place."""
    values = {name.lower(): value.strip() for name, value in headers.items()}
    own = {name: value for name, value in values.items() if name.startswith(_OWN_PREFIX)}
    lines = (
        method,
        values.get("content-md5", ""),
        values.get("content-type", ""),
        "" if SERVICE_DATE_HEADER in own else values.get(DATE_HEADER.lower(), ""),
        "".join(f"{name}:{own[name]}\n" for name in sorted(own)) + _resource(url, bucket),
    )
    return "\n".join(lines)


def _resource(url: str, bucket: str) -> str:
    """What is asked for: bucket, encoded path, and the telling parts of the query with their values not encoded."""
    parts = urlsplit(url)
    pairs = (pair.partition("=") for pair in parts.query.split("&"))
    telling = sorted(
        (unquote(name), equals, unquote(value)) for name, equals, value in pairs if name.lower() in SIGNED_QUERY_NAMES
    )
    path = (f"/{bucket}" if bucket else "") + (parts.path or "/")
    return "?".join(filter(None, (path, "&".join(map("".join, telling)))))
