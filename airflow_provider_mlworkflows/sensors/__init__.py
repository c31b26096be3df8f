"""Sensors: they wait for runs and steps that somebody else started."""
