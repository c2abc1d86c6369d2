"""Places for those who upload at one time: so many in all, fewer for one of them, and a while of waiting for one."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack, asynccontextmanager
from hashlib import blake2b
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from server.errors import Refused

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Hashable

    from server.counts import Slots

IN_ALL, FOR_ONE = 64, 16
PATIENCE = 10.0
LOOK_SECONDS = 0.05
STRIDE = 4096  # numbers between the slots of one key and those of the next; more than anybody has


class Places:
    """Lets `in_all` in at one time, `for_one` of them with one key; who comes then waits up to `patience` seconds.

    With `slots` that holds for all processes that share them.
    """

    def __init__(
        self, in_all: int = IN_ALL, for_one: int = FOR_ONE, patience: float = PATIENCE, slots: Slots | None = None
    ) -> None:
        self._in_all, self._for_one, self._patience = in_all, for_one, patience
        self._all = asyncio.Semaphore(in_all)
        self._of: WeakValueDictionary[Hashable, asyncio.Semaphore] = WeakValueDictionary()
        self._slots = slots
        self.taken = 0
        """How many are in, of this process."""

    @asynccontextmanager
    async def of(self, key: Hashable) -> AsyncIterator[None]:
        """Have a place until the block ends. Raises `Refused` (429) when none became free."""
        own = self._of.get(key)
        if own is None:
            own = self._of[key] = asyncio.Semaphore(self._for_one)
        deadline = asyncio.get_running_loop().time() + self._patience
        # His own first: who has many at work must not wait in the places of others.
        async with _had(own, deadline), _had(self._all, deadline):
            with ExitStack() as stack:
                if self._slots is not None:
                    await self._have(self._slots, _first_of(key), self._for_one, deadline, stack)
                    await self._have(self._slots, 0, self._in_all, deadline, stack)
                self.taken += 1
                try:
                    yield
                finally:
                    self.taken -= 1

    def close(self) -> None:
        """Let go of what is shared."""
        if self._slots is not None:
            self._slots.close()

    async def _have(self, slots: Slots, first: int, count: int, deadline: float, stack: ExitStack) -> None:
        """Take a slot among all processes; nobody tells when one of theirs becomes free, so look again and again."""
        now = asyncio.get_running_loop().time
        while (number := slots.take(first, count)) is None:
            if now() >= deadline:
                raise _no_place()
            await asyncio.sleep(LOOK_SECONDS)
        stack.callback(slots.give_back, number)


def _first_of(key: Hashable) -> int:
    """Return the first slot of a key: behind those of all, and nowhere near any other's."""
    digest = blake2b(repr(key).encode(), digest_size=5).digest()
    return (int.from_bytes(digest) + 1) * STRIDE


@asynccontextmanager
async def _had(places: asyncio.Semaphore, deadline: float) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout_at(deadline):
            await places.acquire()
    except TimeoutError as error:
        raise _no_place() from error
    try:
        yield
    finally:
        places.release()


def _no_place() -> Refused:
    return Refused(429, {"message": "429 Too Many Requests"}, {"Retry-After": "10"})
