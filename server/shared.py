"""What the processes of one server count together. It is made before they are forked."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from server.counts import Slots
from server.guessing import Guesses
from server.metrics import folder_for_workers, forget_process
from server.places import Places
from server.rates import Rates

if TYPE_CHECKING:
    from pathlib import Path

    from server.settings import Settings


@dataclass(frozen=True)
class Shared:
    """The limits that hold for a server as a whole, however many processes it has. Close it when done."""

    guesses: Guesses
    rates: Rates
    places: Places
    metrics: Path | None = None
    """Where processes keep the numbers that they add up; None of a single one."""

    @classmethod
    def make(cls, settings: Settings, *, processes: int = 1) -> Shared:
        """Return the limits of a server of so many processes; nothing is counted yet."""
        return cls(
            guesses=Guesses(),
            rates=Rates(settings.requests_per_minute, settings.anonymous_requests_per_minute),
            places=Places(slots=Slots() if processes > 1 else None),
            metrics=folder_for_workers(settings.data) if processes > 1 else None,
        )

    def forget(self, pid: int) -> None:
        """Drop what waited in a process that died; what it had counted stays."""
        if self.metrics is not None:
            forget_process(self.metrics, pid)

    def remove(self) -> None:
        """Remove what is shared by name, once no process needs it."""
        if self.metrics is not None:
            shutil.rmtree(self.metrics, ignore_errors=True)

    def close(self) -> None:
        """Let go of the memory."""
        self.guesses.close()
        self.rates.close()
        self.places.close()
