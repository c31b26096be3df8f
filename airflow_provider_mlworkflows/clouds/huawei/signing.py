"""The ``SDK-HMAC-SHA256`` signature of Huawei Cloud, over the exact bytes that are sent."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from urllib.parse import quote, unquote, urlsplit

ALGORITHM = "SDK-HMAC-SHA256"
DATE_HEADER = "X-Sdk-Date"
CONTENT_HASH_HEADER = "X-Sdk-Content-Sha256"
UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"
_HASHED_CONTENT_TYPES = ("application/json", "application/bson")


def signed_headers(
    method: str,
    url: str,
    headers: Mapping[str, str],
    content: bytes,
    *,
    access_key: str,
    secret_key: str,
    now: float,
) -> dict[str, str]:
    """The headers to send: those given, all of them signed, and the signature.

    :param url: as it will go over the wire, percent-encoded.
    :param headers: names containing ``_`` are sent unsigned, since gateways drop them.
    :param now: seconds since the epoch; the service accepts 15 minutes of difference.
    """
    date = datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%SZ")
    signed = {**headers, DATE_HEADER: date, "Host": urlsplit(url).netloc}
    content_type = next((v for k, v in headers.items() if k.lower() == "content-type"), None)
    if content_type is not None and not content_type.startswith(_HASHED_CONTENT_TYPES):
        signed[CONTENT_HASH_HEADER] = UNSIGNED_PAYLOAD
    canonical, names = canonical_request(method, url, signed, content)
    to_sign = f"{ALGORITHM}\n{date}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    signature = hmac.new(secret_key.encode(), to_sign.encode(), hashlib.sha256).hexdigest()
    signed["Authorization"] = f"{ALGORITHM} Access={access_key}, SignedHeaders={names}, Signature={signature}"
    return signed


def canonical_request(method: str, url: str, headers: Mapping[str, str], content: bytes) -> tuple[str, str]:
    """The text whose hash is signed, and the names of the headers in it."""
    parts = urlsplit(url)
    values = {name.lower(): value.strip() for name, value in headers.items() if "_" not in name}
    names = ";".join(sorted(values))
    lines = (
        method,
        _canonical_path(parts.path),
        _canonical_query(parts.query),
        "".join(f"{name}:{values[name]}\n" for name in sorted(values)),
        names,
        _content_hash(values, content),
    )
    return "\n".join(lines), names


def _canonical_path(path: str) -> str:
    encoded = "/".join(quote(segment, safe="~") for segment in unquote(path).split("/"))
    return encoded if encoded.endswith("/") else encoded + "/"


# The pages of a list are asked for again and again. Paths are not kept: some hold a secret.
@lru_cache
def _canonical_query(query: str) -> str:
    if not query:
        return ""
    pairs = [tuple(map(unquote, pair.partition("=")[::2])) for pair in query.split("&")]
    # Ordered before encoding: the service sorts the raw names and values.
    return "&".join(f"{quote(name, safe='~')}={quote(value, safe='~')}" for name, value in sorted(pairs))


def _content_hash(values: Mapping[str, str], content: bytes) -> str:
    declared = values.get(CONTENT_HASH_HEADER.lower())
    if content and declared:
        return declared
    return hashlib.sha256(content).hexdigest()
