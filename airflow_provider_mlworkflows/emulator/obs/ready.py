"""Ready-made workflows; each ends or fails within 20 to 60 seconds, but for the long one."""

from __future__ import annotations

from typing import Any

from airflow_provider_mlworkflows.emulator.obs.definitions import (
    GraphDefinition,
    StateDefinition,
    fails,
    succeeds,
)

PLAIN_CHAIN = "emulator-plain-chain"
FAILS_ONCE = "emulator-fails-once"
WITH_INPUTS = "emulator-with-inputs"
TAKES_AN_HOUR = "emulator-takes-an-hour"

_INPUTS: tuple[dict[str, Any], ...] = (
    {
        "parameter_name": "resolution",
        "type": "String",
        "default": "720p",
        "description": "height of the pictures",
        "constraints": {"valid_values": ["480p", "720p", "1080p"]},
    },
    {"parameter_name": "frames", "type": "Integer", "default": 25},
    {"parameter_name": "sharpen", "type": "Boolean", "default": False},
    {"parameter_name": "formats", "type": "List", "default": ["mp4"]},
    {"parameter_name": "labels", "type": "Map", "default": {}},
    {"parameter_name": "started-by", "type": "String", "default": ""},
    {"parameter_name": "secret-mark", "type": "String", "default": "emulated", "invisible": True},
)


def ready_made() -> tuple[GraphDefinition, ...]:
    """Return the ready-made workflows."""
    return _plain_chain(), _failing(), _with_inputs(), _long()


def _operation(name: str, seconds: float) -> StateDefinition:
    return StateDefinition(name, attempts=(succeeds(seconds),))


def _delay(name: str, seconds: int) -> StateDefinition:
    return StateDefinition(name, "DELAY", fields={"time_delay": seconds})


def _plain_chain() -> GraphDefinition:
    states = (_operation("read-metadata", 4), _delay("settle", 3), _operation("transcode", 13))
    return GraphDefinition(PLAIN_CHAIN, states, description="Reads, waits and transcodes.")


def _failing() -> GraphDefinition:
    message = "the source has no video track"
    transcode = StateDefinition("transcode", attempts=(fails(10, "States.ActionFailed", message), succeeds(10)))
    states = (_operation("read-metadata", 10), transcode, _operation("thumbnail", 5))
    return GraphDefinition(FAILS_ONCE, states, description="Fails in its second state unless it is restored.")


def _with_inputs() -> GraphDefinition:
    states = (_operation("read-metadata", 4), _operation("transcode", 16))
    return GraphDefinition(WITH_INPUTS, states, _INPUTS, "Has parameters of all types but Float.")


def _long() -> GraphDefinition:
    states = (_operation("read-metadata", 4), _delay("wait", 3600), _operation("transcode", 16))
    return GraphDefinition(TAKES_AN_HOUR, states, description="Waits for an hour.")
