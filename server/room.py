"""The memory of answers that are held whole: how much of it there is, and who has it.

Clients that read get by with few buffers, one after the other: used again while they are still in the processor's
caches, they cost next to nothing. Those that do not read keep the others from having any for a moment only.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from mmap import MAP_ANONYMOUS, MAP_PRIVATE, mmap

MIB = 1024 * 1024
MOST = 128 * MIB
AT_ONCE = 4
"""Answers that are made and sent at the same time, as long as their clients read."""
TURN_SECONDS = 0.02
"""How long one is counted among them at the most."""
KEPT = AT_ONCE
KEPT_SECONDS = 1.0
"""Buffers that are kept, and for how long when nobody uses them."""


class Room:
    """The bytes that whole answers of one process may have in memory. For the event loop's thread."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self.taken = 0
        self.turns = asyncio.Semaphore(AT_ONCE)
        self._kept: list[mmap] = []
        self._used = False
        self._tidying: asyncio.TimerHandle | None = None

    async def take(self, size: int) -> Share | None:
        """Take so much of it, when it is this one's turn; None where there is less."""
        if self.taken + size > self._most:
            return None
        await self.turns.acquire()
        if self.taken + size > self._most:
            self.turns.release()
            return None
        self.taken += size
        return Share(self, size)

    def lend(self, size: int) -> mmap:
        """Return memory for so many bytes, in which anything may be."""
        self._used = True
        for index in range(len(self._kept) - 1, -1, -1):
            if len(self._kept[index]) >= size:
                return self._kept.pop(index)
        return mmap(-1, -(-size // MIB) * MIB, MAP_PRIVATE | MAP_ANONYMOUS)

    def give_back(self, size: int, memory: mmap | None) -> None:
        """Return what was taken, and what was lent, which is kept for a while."""
        self.taken -= size
        if memory is not None:
            self._kept = [*self._kept[1 - KEPT :], memory]
            if self._tidying is None:
                self._tidying = asyncio.get_running_loop().call_later(KEPT_SECONDS, self._tidy)

    def _tidy(self) -> None:
        self._tidying = None
        if self._used:
            self._used = False
            self._tidying = asyncio.get_running_loop().call_later(KEPT_SECONDS, self._tidy)
        else:
            self._kept.clear()


class Share:
    """What one answer has of the room, until it gives it back."""

    def __init__(self, room: Room, size: int) -> None:
        self._room = room
        self._size = size
        self._memory: mmap | None = None
        self._loop = asyncio.get_running_loop()
        self._turn: asyncio.TimerHandle | None = self._loop.call_later(TURN_SECONDS, self._end_turn)
        self._given_back = False

    def memory(self) -> memoryview:
        """Return the memory itself: anything may be in it, and nothing may look at it once it was given back."""
        if self._memory is None:
            self._memory = self._room.lend(self._size)
        return memoryview(self._memory)[: self._size]

    def give_back(self) -> None:
        """Let go of it, at once on the event loop, soon from any other thread; again does nothing.

        An answer that nobody sent is collected wherever memory is asked for, also when the loop has ended.
        """
        if not _runs_here(self._loop):
            with suppress(RuntimeError):  # the loop is closed
                self._loop.call_soon_threadsafe(self.give_back)
        elif not self._given_back:
            self._given_back = True
            self._end_turn()
            memory, self._memory = self._memory, None
            self._room.give_back(self._size, memory)

    def _end_turn(self) -> None:
        if self._turn is not None:
            self._turn.cancel()
            self._turn = None
            self._room.turns.release()


def _runs_here(loop: asyncio.AbstractEventLoop) -> bool:
    try:
        return asyncio.get_running_loop() is loop
    except RuntimeError:
        return False
