"""What clusters and pools have in common: a status that follows a script, until somebody sets another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_mlworkflows.emulator.scripted import Track

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_provider_mlworkflows.emulator.clock import Clock
    from airflow_provider_mlworkflows.emulator.scripted import Phase


class Place:
    """A place to run in.

    Args:
        clock: The emulator's clock.
        script: The statuses it has, one after another.
    """

    def __init__(self, clock: Clock, script: Sequence[Phase]) -> None:
        self._clock = clock
        self.created_at = clock.now()
        self._track = Track("", self.created_at, clock.scaled, lambda *_: None)
        self.play(*script)

    @property
    def status(self) -> str:
        """Present status, as the service writes it."""
        now = self._clock.now()
        while self._track.due is not None and self._track.due <= now:
            self._track.proceed(self._track.due)
        return self._track.status

    def play(self, *script: Phase) -> None:
        """Follow another script from now on."""
        self._track.play(script, self._clock.now())

    def force(self, status: str) -> None:
        """Have a status, any literal, until told otherwise."""
        self._track.jump(status, self._clock.now())
