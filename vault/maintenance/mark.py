"""The mark of a backup: while it is held, no process removes what a row named when it was set."""

from __future__ import annotations

import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from vault.catalog import care
from vault.errors import Unavailable
from vault.leases import Lease

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vault.catalog.database import Database

MARK_SECONDS = 120.0
"""A backup that was killed holds it for so long yet; one that is suspended for so long has lost it."""


class Mark:
    """The mark of a backup, renewed while it is made."""

    def __init__(self, lease: Lease) -> None:
        self._lease = lease
        self._lost = False

    def hold_until(self, end: threading.Event) -> None:
        """Remind others of it again and again; for a thread."""
        while not end.wait(MARK_SECONDS / 6):
            with suppress(Unavailable):  # asked again before it ends, and looked at once more at the end of all
                if not self._lease.renew():
                    self._lost = True
                    return

    def check(self) -> None:
        """Raise `Unavailable` unless it was held all the time: something may be missing then."""
        if self._lost or not self._lease.renew():
            raise Unavailable("the mark that keeps objects from being removed was lost meanwhile: begin again")


@contextmanager
def marked(database: Database) -> Iterator[Mark]:
    """Hold the mark while the block runs. Raises `Busy` when another backup holds it."""
    lease, end = Lease(database, care.BACKUP, MARK_SECONDS), threading.Event()
    with lease.held():
        mark = Mark(lease)
        reminding = threading.Thread(target=mark.hold_until, args=(end,), name="backup-mark", daemon=True)
        reminding.start()
        try:
            yield mark
        finally:
            end.set()
            reminding.join()
