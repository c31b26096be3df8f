"""Fixtures of these tests."""

from __future__ import annotations

from tests.hooks.both_forms import ask
from tests.support import modelarts

__all__ = ["ask", "modelarts"]
