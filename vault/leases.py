"""Who alone does something for a while, among all processes that share the catalog, on any number of machines.

A lease is a row with an end, so that what a dead process held is free again by itself. Ends go by the machines' clocks:
lease for minutes, as those may differ by seconds.
"""

from __future__ import annotations

import os
import secrets
import socket
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from vault import clock
from vault.catalog import care as sql
from vault.errors import Busy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vault.catalog.database import Database


def elected(database: Database, name: str, seconds: float) -> bool:
    """Say whether this process is the one that does `name` now; nobody else is for so many seconds from here on.

    It is the schedule as well: ask as often as you like, and do the chore when the answer is yes. An end is not said,
    so one who dies over it has it done by another after that time.
    """
    lease = Lease(database, name, seconds)
    return not lease.holder() and lease.take()


class Lease:
    """One process's claim to `name`, of which it has to remind others more often than each `seconds`."""

    def __init__(self, database: Database, name: str, seconds: float) -> None:
        self._db = database
        self._name = name
        self._seconds = seconds
        self._own = f"{socket.gethostname()}, process {os.getpid()}, {secrets.token_hex(4)}"

    def take(self) -> bool:
        """Take it, unless somebody has it; say whether it is ours."""
        return self._asked(sql.TAKE_LEASE)

    def renew(self) -> bool:
        """Have it for `seconds` from now; False when it has ended, and what it kept away may have happened."""
        return self._asked(sql.RENEW_LEASE)

    def _asked(self, statement: str) -> bool:
        now = datetime.now(UTC)
        params = {
            "name": self._name,
            "holder": self._own,
            "now": clock.stamp(now),
            "until": clock.stamp(now + timedelta(seconds=self._seconds)),
        }
        return bool(self._db.write(lambda tx: tx.query(statement, **params)))

    def end(self) -> None:
        """Give it back, if it is still ours."""
        self._db.write(lambda tx: tx.query(sql.END_LEASE, name=self._name, holder=self._own))

    def holder(self) -> str:
        """Return who has it, us included; empty when nobody does."""
        rows = self._db.query(sql.LEASE, name=self._name, now=clock.now())
        return str(rows[0]["holder"]) if rows else ""

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold it while the block runs. Raises `Busy`, naming who has it."""
        if not self.take():
            minutes = f"{self._seconds / 60:.0f} minutes"
            raise Busy(f"another {self._name} is under way ({self.holder()}); a dead one counts for {minutes}")
        try:
            yield
        finally:
            self.end()
