"""Bodies that are taken in a few at a time: the others wait in the kernel, and hold no memory of ours meanwhile.

Two cores get no more done for 16 uploads at once than for 4, who need a quarter of the memory and get in each other's
way less. Clients that send slowly keep nobody waiting: a turn is over when nothing comes.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Coroutine

AT_ONCE = 4
TURN_SECONDS = 0.05
"""After so long somebody else has his turn, if somebody waits."""
IDLE_SECONDS = 0.005


class Receiving:
    """The turns of one process. For the event loop's thread."""

    def __init__(self, at_once: int = AT_ONCE) -> None:
        self._free = asyncio.Semaphore(at_once)

    def turn(self) -> Turn:
        """Return a turn that has not begun."""
        return Turn(self._free)


class Turn:
    """The turns of one body, one after the other. End it when the body ends."""

    def __init__(self, free: asyncio.Semaphore) -> None:
        self._free = free
        self._loop = asyncio.get_running_loop()
        self._limit: asyncio.TimerHandle | None = None

    async def begin(self) -> None:
        """Wait for a turn, unless this is one."""
        if self._limit is None:
            await self._free.acquire()
            self._limit = self._loop.call_later(TURN_SECONDS, self.end)

    def end(self) -> None:
        """Let others have theirs; again does nothing."""
        if self._limit is not None:
            self._limit.cancel()
            self._limit = None
            self._free.release()

    async def waiting(self, coming: Coroutine[None, None, bytes]) -> bytes:
        """Return what comes; when it does not come soon the turn is over."""
        if self._limit is None:
            return await coming
        idle = self._loop.call_later(IDLE_SECONDS, self.end)
        try:
            return await coming
        finally:
            idle.cancel()
