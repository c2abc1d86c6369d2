"""Places for those who upload at one time: so many in all, fewer for one of them, and a while of waiting for one."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from server.errors import Refused

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Hashable

IN_ALL, FOR_ONE = 64, 16
PATIENCE = 10.0


class Places:
    """Lets `in_all` in at one time, `for_one` of them with one key; who comes then waits up to `patience` seconds."""

    def __init__(self, in_all: int = IN_ALL, for_one: int = FOR_ONE, patience: float = PATIENCE) -> None:
        self._in_all = asyncio.Semaphore(in_all)
        self._for_one = for_one
        self._patience = patience
        self._of: WeakValueDictionary[Hashable, asyncio.Semaphore] = WeakValueDictionary()

    @asynccontextmanager
    async def of(self, key: Hashable) -> AsyncIterator[None]:
        """Have a place until the block ends. Raises `Refused` (429) when none became free."""
        own = self._of.get(key)
        if own is None:
            own = self._of[key] = asyncio.Semaphore(self._for_one)
        deadline = asyncio.get_running_loop().time() + self._patience
        # His own first: who has many at work must not wait in the places of others.
        async with _had(own, deadline), _had(self._in_all, deadline):
            yield


@asynccontextmanager
async def _had(places: asyncio.Semaphore, deadline: float) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout_at(deadline):
            await places.acquire()
    except TimeoutError as error:
        raise Refused(429, {"message": "429 Too Many Requests"}, {"Retry-After": "10"}) from error
    try:
        yield
    finally:
        places.release()
