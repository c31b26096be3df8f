"""Triggers: one that waits for a run or a step, and the hub through which all of them read."""
