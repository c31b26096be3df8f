"""The ``ACS3-HMAC-SHA256`` signature of Alibaba Cloud, over the exact bytes that are sent."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import quote, unquote, urlsplit

ALGORITHM = "ACS3-HMAC-SHA256"


def stamped_headers(url: str, headers: Mapping[str, str], content: bytes, *, nonce: str, now: float) -> dict[str, str]:
    """The headers given, and those that every call carries whoever makes it.

    :param url: as it will go over the wire.
    :param nonce: a text that no other attempt of any call has.
    :param now: seconds since the epoch; the service accepts 15 minutes of difference.
    """
    return {
        **headers,
        "Host": urlsplit(url).netloc,
        "x-acs-date": datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "x-acs-signature-nonce": nonce,
        "x-acs-content-sha256": hashlib.sha256(content).hexdigest(),
    }


def authorization(method: str, url: str, headers: Mapping[str, str], *, access_key: str, secret_key: str) -> str:
    """The ``Authorization`` header that signs all of the headers.

    :param url: as it will go over the wire, percent-encoded.
    :param headers: as made by `stamped_headers`.
    """
    canonical, names = canonical_request(method, url, headers)
    to_sign = f"{ALGORITHM}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    signature = hmac.new(secret_key.encode(), to_sign.encode(), hashlib.sha256).hexdigest()
    return f"{ALGORITHM} Credential={access_key},SignedHeaders={names},Signature={signature}"


def canonical_request(method: str, url: str, headers: Mapping[str, str]) -> tuple[str, str]:
    """The text whose hash is signed, and the names of the headers in it."""
    parts = urlsplit(url)
    values = {name.lower(): value.strip() for name, value in headers.items()}
    names = ";".join(sorted(values))
    lines = (
        method,
        "/".join(_encoded(unquote(segment)) for segment in parts.path.split("/")) or "/",
        _canonical_query(parts.query),
        "".join(f"{name}:{values[name]}\n" for name in sorted(values)),
        names,
        values["x-acs-content-sha256"],
    )
    return "\n".join(lines), names


def _canonical_query(query: str) -> str:
    if not query:
        return ""
    pairs = [tuple(map(unquote, pair.partition("=")[::2])) for pair in query.split("&")]
    return "&".join(f"{_encoded(name)}={_encoded(value)}" for name, value in sorted(pairs))


def _encoded(text: str) -> str:
    return quote(text, safe="~")
