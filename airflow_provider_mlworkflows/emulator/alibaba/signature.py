"""Verification of ACS3-HMAC-SHA256 from the bytes on the wire."""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote_to_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

ALGORITHM = "ACS3-HMAC-SHA256"
_AUTHORIZATION = re.compile(
    r"ACS3-HMAC-SHA256\s+Credential=(?P<ak>[^,\s]+),\s*SignedHeaders=(?P<names>[^,\s]+),\s*Signature=(?P<mac>[0-9a-f]{64})"
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

    Clients differ in what they escape on the wire, and some send a space as ``+``. What is signed is the strict
    form, so path segments and query are decoded and escaped again.

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
            "/".join(_strict(segment) for segment in raw_path.split(b"/")) or "/",
            _canonical_query(raw_query),
            "".join(f"{name}:{values.get(name, '')}\n" for name in sorted(signed_headers)),
            ";".join(signed_headers),
            hashlib.sha256(body).hexdigest(),
        ]
    )


def string_to_sign(canonical: str) -> str:
    """Return the text that is signed in place of a canonical request."""
    digest = hashlib.sha256(canonical.encode("utf-8", "surrogateescape")).hexdigest()
    return f"{ALGORITHM}\n{digest}"


def sign(secret_key: str, text: str) -> str:
    """Return the signature of a string to sign in lower-case hexadecimal."""
    return hmac.new(secret_key.encode(), text.encode(), hashlib.sha256).hexdigest()


def _strict(part: bytes) -> str:
    return quote(unquote_to_bytes(part), safe=_PLAIN)


def _canonical_query(raw_query: bytes) -> str:
    pairs = []
    for part in raw_query.replace(b"+", b" ").split(b"&"):
        if part:
            name, _, value = part.partition(b"=")
            pairs.append((_strict(name), _strict(value)))
    return "&".join(f"{name}={value}" for name, value in sorted(pairs))
