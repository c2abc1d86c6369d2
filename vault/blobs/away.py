"""A store that does not answer, asked by one at a time: the others are told at once instead of waiting each.

Else every thread of a server would soon wait for its time-out, and with them whoever asks for something else.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from vault.blobs.refusals import Refusal
from vault.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable

PAUSE_SECONDS = 0.5


class Away:
    """Remembers whether the store answered last time; `look` asks it something small and raises `Refusal`."""

    def __init__(self, look: Callable[[], None]) -> None:
        self._look = look
        self._is_away = False
        self._next = 0.0
        self._looking = threading.Lock()

    def heard(self, refusal: Refusal) -> None:
        """Take note of a refusal that was no answer."""
        if refusal.unheard:
            self._is_away, self._next = True, time.monotonic() + PAUSE_SECONDS

    def refuse(self) -> None:
        """Return when the store answers as far as is known. Raises `Unavailable`.

        Of those who come while it does not, one looks again twice a second.
        """
        if not self._is_away:
            return
        if time.monotonic() < self._next or not self._looking.acquire(blocking=False):
            raise Unavailable("the object store did not answer a moment ago")
        try:
            self.look()
        finally:
            self._looking.release()

    def look(self) -> None:
        """Ask whatever is known. Raises `Refusal`."""
        try:
            self._look()
        except Refusal as refusal:
            self.heard(refusal)
            raise
        self._is_away = False
