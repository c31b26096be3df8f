"""Ids as the service makes them."""

from __future__ import annotations

import re
import secrets
import string

_LETTERS = string.ascii_lowercase + string.digits
_SIZE = 18
_RUN_ID = re.compile(r"(flow|run)-[a-z0-9]+")
_NODE_ID = re.compile(r"node-[a-z0-9]+")


def new_id(kind: str) -> str:
    """Return a new id such as ``flow-...``."""
    return f"{kind}-{''.join(secrets.choice(_LETTERS) for _ in range(_SIZE))}"


def is_run_id(value: object) -> bool:
    """Whether a value has the form of a run id."""
    return isinstance(value, str) and _RUN_ID.fullmatch(value) is not None


def is_node_id(value: object) -> bool:
    """Whether a value has the form of a node id."""
    return isinstance(value, str) and _NODE_ID.fullmatch(value) is not None
