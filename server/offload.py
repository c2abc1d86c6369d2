"""The one way from the event loop into the blocking core: a bounded executor."""

from __future__ import annotations

import asyncio
import contextlib
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from server.arrivals import Arrivals

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from vault.catalog.database import Database

P = ParamSpec("P")
T = TypeVar("T")

PATIENCE = 20.0
"""Seconds that a change of the catalog may wait for its turn, as with the catalog's own `write`."""


class Offload:
    """Runs the vault's calls beside the loop; short reads of an embedded catalog run on it.

    A hop to a thread costs 40 to 100 us and an indexed SQLite read 5.
    """

    def __init__(self, threads: int, quick: Database | None = None) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="vault")
        self._quick = quick
        self._held = False
        self._arrivals = Arrivals()
        self.pending = 0
        """How many calls wait for a thread or are in one."""

    async def call(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `work` in a thread: anything that writes, seals, opens or parses."""
        return await self.start(work, *args, **kwargs)

    def start(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> asyncio.Future[T]:
        """Begin `work` in a thread and return at once; cancelling the future does not end what has begun."""
        job = asyncio.get_running_loop().run_in_executor(self._pool, partial(work, *args, **kwargs))
        self.pending += 1
        job.add_done_callback(self._done)
        return job

    def _done(self, _: object) -> None:
        self.pending -= 1

    async def to_end(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `work` in a thread; who is cancelled meanwhile leaves when it has ended, so nobody cleans up early."""
        job = self.start(work, *args, **kwargs)
        try:
            return await asyncio.shield(job)
        finally:
            await ended(job)

    async def committed(self, work: Callable[[], Future[T]], *, here: bool = False) -> T:
        """Run `work` in a thread, which has others to serve while its commit is waited for; or here, if it is quick.

        Whoever is cancelled meanwhile leaves when it has ended, as with `to_end`. Raises `Unavailable` when its turn
        does not come.
        """
        if here and self._quick is not None and not self._held:
            self._hold(self._quick)
        begun = work() if here else await self.to_end(work)
        if begun.done():
            return begun.result()
        loop = asyncio.get_running_loop()
        job = self._arrivals.awaited(begun, loop)
        patience = loop.call_later(PATIENCE, begun.cancel)
        try:
            return await job
        except asyncio.CancelledError:
            await ended(self._arrivals.awaited(begun, loop))
            raise
        finally:
            patience.cancel()

    async def read(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `work` that only reads a few rows of the catalog: here when reads are quick, else in a thread."""
        if self._quick is None:
            return await self.call(work, *args, **kwargs)
        if not self._held:
            self._hold(self._quick)
        return work(*args, **kwargs)

    def _hold(self, catalog: Database) -> None:
        """Have the catalog asked once in this turn of the loop.

        The release stands in the loop's queue before whatever comes in from now on: each request is judged by the
        catalog as it was after its last byte had come, or later.
        """
        catalog.hold()
        self._held = True
        asyncio.get_running_loop().call_soon(self._release, catalog)

    def _release(self, catalog: Database) -> None:
        self._held = False
        catalog.release()

    def close(self) -> None:
        """Wait for running work and take no more."""
        self._pool.shutdown(wait=True, cancel_futures=True)


async def ended(job: asyncio.Future[T]) -> None:
    """Wait for a job's end, however it ends, and however often the waiting is cancelled."""
    while not job.done():
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait([job])
    if not job.cancelled():
        job.exception()  # looked at, so that asyncio does not complain of an error that nobody saw
