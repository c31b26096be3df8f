"""Fixtures of these tests."""

from __future__ import annotations

from tests.support import modelarts

__all__ = ["modelarts"]
