"""Giving a sealed object its rows: both, or neither."""

from __future__ import annotations

from concurrent.futures import Future
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from vault.errors import Conflict, Invalid, LimitExceeded, NotFound, StorageFull

if TYPE_CHECKING:
    from collections.abc import Callable

    from vault.catalog.database import Database, Transaction
    from vault.storage import SealedBlob, SealedStorage

T = TypeVar("T")

# A rule refuses the rows, or they have no room. Any other failure may be one of the commit's answer alone: then the
# next start looks whether the rows are there.
REFUSED = (Invalid, LimitExceeded, NotFound, Conflict, StorageFull)


class Kept(Future[T]):
    """What becomes of an object and its rows together. Like the commit it is cancelled while that has not begun."""

    def __init__(self, begun: Future[T], refused: Callable[[], None]) -> None:
        super().__init__()
        self._begun, self._refused = begun, refused
        begun.add_done_callback(self._settle)

    def cancel(self) -> bool:
        """Take the commit back, if it has not begun."""
        return self._begun.cancel()

    def _settle(self, begun: Future[T]) -> None:
        error = None if begun.cancelled() else begun.exception()
        if begun.cancelled() or isinstance(error, REFUSED):
            self._refused()
        if begun.cancelled():
            super().cancel()
        elif error is not None:
            self.set_exception(error)
        else:
            self.set_result(begun.result())


def keeping(
    database: Database,
    storage: SealedStorage,
    sealed: SealedBlob,
    work: Callable[[Transaction], T],
    *,
    queued: bool = False,
) -> Future[T]:
    """Begin to commit the rows of a sealed object; when they are refused the object goes too.

    Both are kept, or gone, when the future is done, whose result is that of `work`. With `queued` the commit is never
    this thread's.
    """
    begin = database.submit if queued else database.begin
    return Kept(begin(work), partial(storage.abandon, sealed))
