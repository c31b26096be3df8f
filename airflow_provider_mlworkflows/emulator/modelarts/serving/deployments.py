"""What a service is going to do once it is deployed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_mlworkflows.emulator.scripted import Phase, phases


@dataclass(frozen=True, slots=True)
class Deployment:
    """What one deployment of a service does.

    Attributes:
        script: Its phases, the first of them entered at once; statuses as the first version of the API writes them.
        error_msg: What the service says while it is ``failed`` or ``concerning``.
    """

    script: tuple[Phase, ...]
    error_msg: str = ""

    def __post_init__(self) -> None:
        if not self.script:
            raise ValueError("a deployment needs at least one phase")

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Deployment:
        """Build a deployment from ``{"script": [["deploying", 5], ["running", null]], "error_msg": text}``.

        Raises:
            ValueError: The value has another shape.
        """
        try:
            script = tuple(Phase(str(status), seconds) for status, seconds in values["script"])
        except (KeyError, TypeError) as error:
            raise ValueError(f"not a deployment: {error}") from error
        return cls(script, str(values.get("error_msg") or ""))


def deploys(seconds: float = 25.0) -> Deployment:
    """Return a deployment that runs after ``seconds``."""
    return Deployment(phases(("deploying", seconds), "running"))


def works_off(deploying: float = 10.0, running: float = 15.0) -> Deployment:
    """Return the deployment of a batch that is finished after ``running`` seconds of work."""
    return Deployment(phases(("deploying", deploying), ("running", running), "finished"))


def fails_to_deploy(seconds: float = 10.0, message: str = "the image of the model cannot be pulled") -> Deployment:
    """Return a deployment that fails after ``seconds``."""
    return Deployment(phases(("deploying", seconds), "failed"), message)


def degrades(
    seconds: float = 25.0, healthy: float = 10.0, message: str = "1 of 2 instances is not ready"
) -> Deployment:
    """Return a deployment that runs well for ``healthy`` seconds, and only in part from then on."""
    return Deployment(phases(("deploying", seconds), ("running", healthy), "concerning"), message)


def never_deploys() -> Deployment:
    """Return a deployment that goes on until the service is stopped."""
    return Deployment(phases("deploying"))


def usual(infer_type: str) -> Deployment:
    """Return what a service of this kind does when nothing is scripted."""
    return works_off() if infer_type == "batch" else deploys()
