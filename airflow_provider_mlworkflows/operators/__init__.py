"""Operators: they start runs, act on them and follow them to their end."""
