"""What to do where a program that a test needs is not there."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest


def do_without(reason: str, required: str) -> NoReturn:
    """Skip the test, or fail it.

    Args:
        reason: What is missing.
        required: Environment variable that makes that a failure.
    """
    if os.environ.get(required):
        pytest.fail(reason)
    pytest.skip(reason)
