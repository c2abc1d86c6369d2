"""From the event loop into a writer that blocks, while more is received."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from server.offload import ended

if TYPE_CHECKING:
    from server.offload import Offload

KIB = 1024
PIECE = 256 * KIB
SMALL = 64 * KIB


class Writer(Protocol):
    """What takes bytes and blocks; closed, it drops what was not finished."""

    def write(self, data: bytearray, /) -> None:
        """Append a piece."""

    def close(self) -> None:
        """Let go of everything."""


W = TypeVar("W", bound=Writer)


class Pipe(Generic[W]):
    """Hands bytes to a writer in a thread, some at a time, while the next are received."""

    def __init__(self, offload: Offload, writer: W) -> None:
        self.writer = writer
        self._offload = offload
        self._held = bytearray()
        self._job: asyncio.Future[None] | None = None

    async def write(self, data: bytes | bytearray) -> None:
        """Take `data`; waits while the writer is a piece behind."""
        self._held += data
        if len(self._held) >= PIECE:
            await self._hand_on()

    async def flush(self) -> None:
        """Have everything written."""
        if self._job is None and len(self._held) <= SMALL:
            # A writer keeps so little in memory: not worth a thread.
            self.writer.write(self._held)
            return
        await self._hand_on()
        await self._settled()

    async def close(self) -> None:
        """Close the writer when nobody writes any more."""
        if self._job is None:
            self.writer.close()  # all of it is in memory, or stored: nothing to wait for
            return
        await ended(self._job)
        await self._offload.to_end(self.writer.close)

    async def _hand_on(self) -> None:
        await self._settled()
        self._job = self._offload.start(self.writer.write, self._held)
        self._held = bytearray()

    async def _settled(self) -> None:
        if self._job is not None:
            await asyncio.shield(self._job)
