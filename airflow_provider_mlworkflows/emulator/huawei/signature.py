"""Verification of SDK-HMAC-SHA256 from the bytes on the wire."""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

if TYPE_CHECKING:
    from collections.abc import Sequence

ALGORITHM = "SDK-HMAC-SHA256"
_AUTHORIZATION = re.compile(
    r"SDK-HMAC-SHA256\s+Access=(?P<ak>[^,\s]+),\s*SignedHeaders=(?P<names>[^,\s]+),\s*Signature=(?P<mac>[0-9a-f]{64})"
)
_PLAIN = "-_.~"


@dataclass(frozen=True, slots=True)
class Authorization:
    """The parts of an ``Authorization`` header."""

    ak: str
    signed_headers: tuple[str, ...]
    signature: str


def parse_authorization(text: str) -> Authorization | None:
    """Return the parts of an ``Authorization`` header, or ``None`` if it is malformed."""
    found = _AUTHORIZATION.fullmatch(text.strip())
    if found is None:
        return None
    return Authorization(found["ak"], tuple(found["names"].split(";")), found["mac"])


def canonical_request(
    method: str,
    raw_path: bytes,
    raw_query: bytes,
    raw_headers: Sequence[tuple[bytes, bytes]],
    signed_headers: Sequence[str],
    body: bytes,
) -> str:
    """Rebuild the text that the caller must have signed.

    Args:
        method: HTTP method.
        raw_path: Path as on the wire.
        raw_query: Query string as on the wire.
        raw_headers: Header pairs as on the wire.
        signed_headers: Names that the caller lists as signed; a missing header counts as empty.
        body: Body as on the wire.
    """
    values: dict[str, str] = {}
    for name, value in raw_headers:
        key = name.decode("latin-1").lower()
        text = value.decode("utf-8", "surrogateescape").strip()
        values[key] = f"{values[key]},{text}" if key in values else text
    return "\n".join(
        [
            method,
            _canonical_path(raw_path),
            _canonical_query(raw_query),
            *(f"{name}:{values.get(name, '')}" for name in signed_headers),
            "",
            ";".join(signed_headers),
            _payload_hash(values, body),
        ]
    )


def sign(secret_key: str, date: str, canonical: str) -> str:
    """Return the signature of a canonical request in lower-case hexadecimal."""
    digest = hashlib.sha256(canonical.encode("utf-8", "surrogateescape")).hexdigest()
    text = f"{ALGORITHM}\n{date}\n{digest}"
    return hmac.new(secret_key.encode(), text.encode(), hashlib.sha256).hexdigest()


def _canonical_path(raw_path: bytes) -> str:
    decoded = unquote(raw_path.decode("latin-1"))
    path = "/".join(quote(segment, safe=_PLAIN) for segment in decoded.split("/"))
    return path if path.endswith("/") else path + "/"


def _canonical_query(raw_query: bytes) -> str:
    pairs = []
    for part in raw_query.decode("latin-1").split("&"):
        if part:
            name, _, value = part.partition("=")
            pairs.append((unquote(name), unquote(value)))
    return "&".join(f"{quote(name, safe=_PLAIN)}={quote(value, safe=_PLAIN)}" for name, value in sorted(pairs))


def _payload_hash(headers: dict[str, str], body: bytes) -> str:
    """Announced hash if the caller sent one and there is a body, else the true one."""
    announced = headers.get("x-sdk-content-sha256")
    return announced if body and announced else hashlib.sha256(body).hexdigest()
