"""Who alone does something for a while, among all processes that share the catalog, on any number of machines.

A lease is a row with an end, so that what a dead process held is free again by itself. Ends go by the machines' clocks:
lease for minutes, as those may differ by seconds.
"""

from __future__ import annotations

import math
import os
import secrets
import socket
import time
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from vault import clock
from vault.catalog import care as sql
from vault.errors import Busy, StorageFull, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from vault.catalog.database import Database


def elected(database: Database, name: str, seconds: float) -> bool:
    """Say whether this process is the one that does `name` now; nobody else is for so many seconds from here on.

    It is the schedule as well: ask as often as you like, and do the chore when the answer is yes. An end is not said,
    so one who dies over it has it done by another after that time.
    """
    lease = Lease(database, name, seconds)
    return not lease.holder() and lease.take()


CARE_SECONDS = 30.0
RENEWED_EVERY = 10.0


class Caretaker:
    """Whether this process does what one of all that serve should do: it keeps the office until it ends or dies.

    After a death another takes over within `CARE_SECONDS`. While clocks or networks part them there may be two at
    once: what a caretaker does has to be safe beside another. One who is `alone` asks nobody.
    """

    def __init__(self, database: Database, *, alone: bool = False) -> None:
        self._lease = Lease(database, "caretaker", CARE_SECONDS)
        self._alone = alone
        self._sure_until = -math.inf

    def is_on_duty(self) -> bool:
        """Say whether it is this process, which takes the office when nobody has it."""
        if self._alone or time.monotonic() < self._sure_until:
            return True
        asked = time.monotonic()
        try:
            held = self._renewed_or_taken()
        except StorageFull:
            return True  # what is to be done may make the room that is lacking
        self._sure_until = asked + RENEWED_EVERY if held else -math.inf
        return held

    def _renewed_or_taken(self) -> bool:
        if math.isfinite(self._sure_until) and self._lease.renew():
            return True
        return not self._lease.holder() and self._lease.take()

    def does(self, chore: Callable[[], object]) -> Callable[[], object]:
        """Return the chore as one that is done only on duty."""
        return lambda: self.is_on_duty() and chore()

    def retire(self) -> None:
        """Leave the office to others at once, where it was ours; a catalog that does not answer frees it in time."""
        if math.isfinite(self._sure_until):
            self._sure_until = -math.inf
            with suppress(Unavailable):
                self._lease.end()


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
