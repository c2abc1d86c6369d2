"""From the event loop into a writer that blocks, while more is received."""

from __future__ import annotations

import asyncio
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from server.offload import ended

if TYPE_CHECKING:
    from server.offload import Offload

KIB = 1024
PIECE = 256 * KIB
"""What is worth a thread."""
BEHIND = 1024 * KIB
"""How much more may have come than was written, and how much less of it is waited for."""
AT_ONCE = 4096 * KIB
"""After so much a thread lets others in."""
SMALL = 64 * KIB


class Writer(Protocol):
    """What takes bytes and blocks; closed, it drops what was not finished."""

    def write(self, data: bytes | bytearray, /) -> None:
        """Append a piece."""

    def close(self) -> None:
        """Let go of everything."""


W = TypeVar("W", bound=Writer)


class Pipe(Generic[W]):
    """Hands bytes to a writer in a thread while the next are received: one thread, as long as they keep coming."""

    def __init__(self, offload: Offload, writer: W) -> None:
        self.writer = writer
        self._offload = offload
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[bytes | bytearray] = deque()
        self._taken = 0
        self._written = 0  # by the thread alone
        self._job: asyncio.Future[None] | None = None
        self._turn: asyncio.Future[None] | None = None

    async def write(self, data: bytes | bytearray) -> None:
        """Take `data`, which nobody changes any more; waits while the writer is too far behind."""
        self._waiting.append(data)
        self._taken += len(data)
        if self._behind() >= PIECE:
            self._start()
        while self._behind() >= BEHIND:
            await self._half()
            self._start()

    async def flush(self) -> None:
        """Have everything written."""
        if self._job is None and self._taken <= SMALL:
            self._write_waiting()  # a writer keeps so little in memory: not worth a thread
            return
        await self._settled()
        while self._waiting:
            self._start()
            await self._settled()

    async def close(self) -> None:
        """Close the writer when nobody writes any more."""
        if self._job is None:
            self.writer.close()  # all of it is in memory, or stored: nothing to wait for
            return
        await ended(self._job)
        await self._offload.to_end(self.writer.close)

    def _behind(self) -> int:
        return self._taken - self._written

    def _start(self) -> None:
        if self._job is not None and self._job.done():
            self._job.result()
            self._job = None
        if self._job is None:
            self._job = self._offload.start(self._write_waiting)

    def _write_waiting(self) -> None:
        """In a thread: write what is there and what comes meanwhile."""
        end = self._written + AT_ONCE
        while self._waiting and self._written < end:
            data = self._waiting.popleft()
            self.writer.write(data)
            self._written += len(data)
            if self._turn is not None and self._behind() <= BEHIND // 2:
                turn, self._turn = self._turn, None
                self._loop.call_soon_threadsafe(_end, turn)

    async def _half(self) -> None:
        """Wait until half of it is written, or the thread has ended, with an error perhaps."""
        assert self._job is not None
        self._turn = turn = self._loop.create_future()
        self._job.add_done_callback(partial(_end, turn))
        await turn

    async def _settled(self) -> None:
        if self._job is not None:
            await asyncio.shield(self._job)


def _end(turn: asyncio.Future[None], _: object = None) -> None:
    if not turn.done():
        turn.set_result(None)
