"""Verification of OBS' header signature (HMAC-SHA1) from the bytes on the wire.

The scheme covers the method, three headers, the headers of OBS' own, the path and the query parameters of a fixed
list. Body, Host and all other parameters may change without notice.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote

if TYPE_CHECKING:
    from collections.abc import Sequence

# Query parameters of the workflow calls that are signed; the names of plain object storage play no part in them.
SIGNED_PARAMETERS = frozenset(
    {
        "obsworkflowtriggerpolicy",
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
# Signed by some of the vendor's SDKs and unknown to others.
CREATE_PARAMETER = "x-workflow-create"
_PREFIXES = {"OBS": "x-obs-", "AWS": "x-amz-"}
_AUTHORIZATION = re.compile(r"(?P<scheme>OBS|AWS) (?P<ak>[!-9;-~]+):(?P<mac>[A-Za-z0-9+/]{27}=)")


@dataclass(frozen=True, slots=True)
class Authorization:
    """The parts of an ``Authorization`` header.

    Attributes:
        scheme: ``OBS``, or ``AWS`` for the form with headers of Amazon's names.
        ak: Access key id.
        signature: Signature in base64.
    """

    scheme: str
    ak: str
    signature: str

    @property
    def prefix(self) -> str:
        """How the names of the scheme's own headers begin."""
        return _PREFIXES[self.scheme]


def parse_authorization(text: str) -> Authorization | None:
    """Return the parts of an ``Authorization`` header, or ``None`` if it is of another scheme or malformed."""
    found = _AUTHORIZATION.fullmatch(text.strip())
    return Authorization(found["scheme"], found["ak"], found["mac"]) if found else None


def canonical_resource(path: str, raw_query: bytes, *, with_create: bool) -> str:
    """Return the line of the signed text that names the resource.

    Args:
        path: Path as on the wire, behind the bucket if that is in the host name.
        raw_query: Query string as on the wire.
        with_create: Whether the parameter that tells a create from a start is part of it.
    """
    signed = SIGNED_PARAMETERS | {CREATE_PARAMETER} if with_create else SIGNED_PARAMETERS
    found = []
    for part in raw_query.decode("latin-1").split("&"):
        name, mark, value = part.partition("=")
        if unquote(name).lower() in signed:
            found.append((unquote(name), f"{unquote(name)}{mark}{unquote(value)}"))
    parameters = "&".join(text for _, text in sorted(found))
    return f"{path}?{parameters}" if parameters else path


def string_to_sign(method: str, raw_headers: Sequence[tuple[bytes, bytes]], resource: str, prefix: str) -> str:
    """Rebuild the text that the caller must have signed.

    Args:
        method: HTTP method.
        raw_headers: Header pairs as on the wire.
        resource: The canonical resource.
        prefix: How the names of the scheme's own headers begin.
    """
    values: dict[str, str] = {}
    for name, value in raw_headers:
        key = name.decode("latin-1").lower()
        text = value.decode("utf-8", "surrogateescape").strip()
        values[key] = f"{values[key]},{text}" if key in values else text
    # A date among the scheme's own headers takes the place of the usual one.
    date = "" if f"{prefix}date" in values else values.get("date", "")
    own = "".join(f"{name}:{values[name]}\n" for name in sorted(values) if name.startswith(prefix))
    usual = [method, values.get("content-md5", ""), values.get("content-type", ""), date]
    return "\n".join([*usual, own + resource])


def sign(secret_key: str, text: str) -> str:
    """Return the signature of a text in base64."""
    digest = hmac.new(secret_key.encode(), text.encode("utf-8", "surrogateescape"), hashlib.sha1).digest()
    return base64.b64encode(digest).decode()
