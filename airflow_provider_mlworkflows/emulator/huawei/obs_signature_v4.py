"""Verification of the newer signature of OBS (AWS4-HMAC-SHA256) from the bytes on the wire.

The scheme covers the method, the path, the whole query, the headers that the caller lists, and the digest of the body
that a header announces. That header may also say that the body is not signed.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

if TYPE_CHECKING:
    from collections.abc import Sequence

ALGORITHM = "AWS4-HMAC-SHA256"
DIGEST_HEADER = "x-amz-content-sha256"
UNSIGNED = "UNSIGNED-PAYLOAD"
DATE_FORMAT = "%Y%m%dT%H%M%SZ"
_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<ak>[!-.0-9;-~]+)/(?P<day>[0-9]{8})/(?P<region>[a-z0-9-]+)/s3/aws4_request, ?"
    r"SignedHeaders=(?P<names>[a-z0-9-]+(?:;[a-z0-9-]+)*), ?Signature=(?P<mac>[0-9a-f]{64})"
)
_PLAIN = "-_.~"


@dataclass(frozen=True, slots=True)
class Authorization:
    """The parts of an ``Authorization`` header.

    Attributes:
        ak: Access key id.
        day: Day for which the derived key is good, eight digits.
        region: Region for which it is good.
        signed_headers: Names that the caller lists as signed.
        signature: Signature in hexadecimal.
    """

    ak: str
    day: str
    region: str
    signed_headers: tuple[str, ...]
    signature: str

    @property
    def prefix(self) -> str:
        """How the names of the scheme's own headers begin."""
        return "x-amz-"


def parse_authorization(text: str) -> Authorization | None:
    """Return the parts of an ``Authorization`` header, or ``None`` if it is of another scheme or malformed."""
    found = _AUTHORIZATION.fullmatch(text.strip())
    if found is None:
        return None
    return Authorization(found["ak"], found["day"], found["region"], tuple(found["names"].split(";")), found["mac"])


def unsigned_headers(given: Authorization, raw_headers: Sequence[tuple[bytes, bytes]]) -> set[str]:
    """Return the names of headers that would have to be signed and are not."""
    sent = {name.decode("latin-1").lower() for name, _ in raw_headers}
    needed = {"host", DIGEST_HEADER} | {name for name in sent if name.startswith(given.prefix)}
    if f"{given.prefix}date" not in sent:
        needed.add("date")
    if "content-type" in sent:
        needed.add("content-type")
    return needed - set(given.signed_headers)


def canonical_request(
    method: str,
    raw_path: bytes,
    raw_query: bytes,
    raw_headers: Sequence[tuple[bytes, bytes]],
    given: Authorization,
) -> str:
    """Rebuild the text whose digest the caller must have signed.

    Args:
        method: HTTP method.
        raw_path: Path as on the wire; unlike in other schemes it is not escaped once more.
        raw_query: Query string as on the wire.
        raw_headers: Header pairs as on the wire.
        given: What the caller sent for ``Authorization``.
    """
    values: dict[str, str] = {}
    for name, value in raw_headers:
        key = name.decode("latin-1").lower()
        text = value.decode("utf-8", "surrogateescape").strip()
        values[key] = f"{values[key]},{text}" if key in values else text
    return "\n".join(
        [
            method,
            raw_path.decode("latin-1"),
            _canonical_query(raw_query),
            *(f"{name}:{values.get(name, '')}" for name in given.signed_headers),
            "",
            ";".join(given.signed_headers),
            values.get(DIGEST_HEADER, ""),
        ]
    )


def sign(secret_key: str, given: Authorization, time: str, canonical: str) -> str:
    """Return the signature of a canonical request, in hexadecimal.

    Args:
        secret_key: Secret access key.
        given: What the caller sent for ``Authorization``; its day and region limit the key.
        time: When the request was signed, in the form of :data:`DATE_FORMAT`.
        canonical: The canonical request.
    """
    digest = hashlib.sha256(canonical.encode("utf-8", "surrogateescape")).hexdigest()
    scope = (given.day, given.region, "s3", "aws4_request")
    key = b"AWS4" + secret_key.encode()
    for part in scope:
        key = hmac.digest(key, part.encode(), "sha256")
    text = "\n".join([ALGORITHM, time, "/".join(scope), digest])
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def _canonical_query(raw_query: bytes) -> str:
    pairs = []
    for part in raw_query.decode("latin-1").split("&"):
        if part:
            name, _, value = part.partition("=")
            pairs.append((unquote(name), unquote(value)))
    return "&".join(f"{quote(name, safe=_PLAIN)}={quote(value, safe=_PLAIN)}" for name, value in sorted(pairs))
