"""From the threads that commit to the event loop: what they have done is told in one message, not in one each.

A message wakes the loop, and who sends it may lose the interpreter's lock over it.
"""

from __future__ import annotations

from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from vault.errors import Unavailable

if TYPE_CHECKING:
    import asyncio
    from concurrent.futures import Future

T = TypeVar("T")


class Arrivals:
    """Futures of threads as futures of the loop; one whose commit was cancelled raises `Unavailable`."""

    def __init__(self) -> None:
        self._arrived: deque[tuple[Future[Any], asyncio.Future[Any]]] = deque()
        self._told = False

    def awaited(self, begun: Future[T], loop: asyncio.AbstractEventLoop) -> asyncio.Future[T]:
        """Return what is done on the loop soon after `begun` is."""
        waiting: asyncio.Future[T] = loop.create_future()
        begun.add_done_callback(partial(self._arrive, waiting, loop))
        return waiting

    def _arrive(self, waiting: asyncio.Future[Any], loop: asyncio.AbstractEventLoop, begun: Future[Any]) -> None:
        """In any thread."""
        self._arrived.append((begun, waiting))
        if not self._told and not loop.is_closed():
            self._told = True
            loop.call_soon_threadsafe(self._hand_over)

    def _hand_over(self) -> None:
        self._told = False  # first: who comes from now on sends a message of his own
        while self._arrived:
            begun, waiting = self._arrived.popleft()
            if waiting.done():
                continue
            if begun.cancelled():
                waiting.set_exception(Unavailable("the catalog is busy"))
            elif (error := begun.exception()) is not None:
                waiting.set_exception(error)
            else:
                waiting.set_result(begun.result())
