"""Fixtures of these tests."""

from __future__ import annotations

from tests.operators.modelarts_stage import staging
from tests.support import modelarts

__all__ = ["modelarts", "staging"]
