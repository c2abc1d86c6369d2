"""How slowly a body may come: who sends next to nothing holds memory and a connection that others need."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from server.errors import Refused

if TYPE_CHECKING:
    from aiohttp import StreamReader

LEAST_BYTES_PER_SECOND = 240
WINDOW_SECONDS = 20.0
LONGEST_SECONDS = 3600.0


class Pace:
    """Reads a body that has to come at a least rate, averaged over a window, once the first window has passed."""

    def __init__(self, content: StreamReader) -> None:
        self._content = content
        self._received = 0
        self._first = True
        self._now = asyncio.get_running_loop().time
        self._begin = self._now()
        self._end = self._begin + WINDOW_SECONDS

    async def next(self) -> bytes:
        """Return what has come, b"" at the end of the body. Raises `Refused` (408) when too little comes."""
        if data := self._content.read_nowait():
            self._received += len(data)  # no need to mind the clock
            return data
        while not self._content.at_eof():
            try:
                async with asyncio.timeout_at(self._end):
                    data = await self._content.readany()
            except TimeoutError:
                self._next_window()
                continue
            self._received += len(data)
            return data
        return b""

    def _next_window(self) -> None:
        too_few = not self._first and self._received < LEAST_BYTES_PER_SECOND * WINDOW_SECONDS
        if too_few or self._now() - self._begin > LONGEST_SECONDS:
            raise Refused(408, {"message": "408 Request Timeout"}, {"Connection": "close"})
        self._first, self._received = False, 0
        self._end = self._now() + WINDOW_SECONDS
