"""Who is told what, and when: each notice once for each recipient, whoever asks and however often.

A notice is a file, the moment it expires, and the number of days ahead at which that is told. Of several that are due
only the nearest is: a file that comes with five days left is told of once, not four times. Who is about to tell
a notice claims it in the catalog; if he dies before he says how it ended, another may after `CLAIM_SECONDS`. So a
notice can reach a recipient twice only if the process that told it died before it could say so; its `id` is the same.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from vault import clock, expiry
from vault.catalog import notices as sql

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from vault.catalog.database import Database, Row, Transaction
    from vault.expiry import Expiry

CLAIM_SECONDS = 600
FIRST_PAUSE, LONGEST_PAUSE = timedelta(minutes=1), timedelta(hours=6)
ERROR_LIMIT = 300


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing to tell one recipient: the file and how many days ahead this is told."""

    recipient: str
    file: Expiry
    days: int

    @property
    def id(self) -> str:
        """The same for the same notice wherever it is made: a receiver can tell by it that he has had it."""
        told = f"{self.recipient}\0{self.file.project_id}\0{self.file.id}\0{self.file.expires_at}\0{self.days}"
        return hashlib.sha256(told.encode()).hexdigest()[:32]

    @property
    def key(self) -> dict[str, Any]:
        """What the catalog knows it by."""
        return {
            "recipient": self.recipient,
            "file": self.file.id,
            "expires_at": self.file.expires_at,
            "days": self.days,
        }


class Notices:
    """What was told, and what is to be."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def due(self, recipient: str, files: Iterable[Expiry], days: Sequence[int], now: datetime) -> list[Notice]:
        """Return the notices of `files` whose time has come and that are neither told nor being told."""
        rows = self._db.query(sql.CLOSED, recipient=recipient, now=clock.stamp(now))
        closed = {(row["file_id"], row["expires_at"], row["days"]) for row in rows}
        reached = ((file, _reached(file, days, now)) for file in files)
        return [
            Notice(recipient, file, ahead)
            for file, ahead in reached
            if ahead is not None and (file.id, file.expires_at, ahead) not in closed
        ]

    def claim(self, notices: Sequence[Notice]) -> list[Notice]:
        """Return those that the caller is now alone to tell; he says of each how it ended, with `told` or `failed`."""
        moment = datetime.now(UTC)
        times = {"now": clock.stamp(moment), "stale": clock.stamp(moment + timedelta(seconds=CLAIM_SECONDS))}

        def work(tx: Transaction) -> list[Notice]:
            return [each for each in notices if _claimed(tx, each, times)]

        return self._db.write(work) if notices else []

    def reference(self, notice: Notice) -> str | None:
        """Return what an earlier notice of the same file left at this recipient, such as an issue's number."""
        key = {name: value for name, value in notice.key.items() if name != "days"}
        rows = self._db.query(sql.REFERENCE, **key)
        return rows[0]["reference"] if rows else None

    def told(self, notices: Iterable[Notice], reference: str | None = None) -> None:
        """Note that these have reached their recipient: they are never told again."""
        now = clock.now()
        self._each(notices, lambda tx, each: tx.query(sql.TOLD, **each.key, now=now, reference=reference))

    def failed(self, notices: Iterable[Notice], error: str) -> None:
        """Note why these have not; they are due again after a pause that doubles each time, to six hours."""
        now = datetime.now(UTC)

        def note(tx: Transaction, notice: Notice) -> object:
            pause = min(FIRST_PAUSE * 2 ** min(_attempts(tx, notice) - 1, 20), LONGEST_PAUSE)
            return tx.query(
                sql.FAILED,
                **notice.key,
                now=clock.stamp(now),
                try_at=clock.stamp(now + pause),
                error=error[:ERROR_LIMIT],
            )

        self._each(notices, note)

    def _each(self, notices: Iterable[Notice], note: Any) -> None:
        found = list(notices)
        self._db.write(lambda tx: [note(tx, each) for each in found])

    def pending(self) -> list[Row]:
        """Return what could not be told yet, with the reason and when it is tried again."""
        return self._db.query(sql.PENDING)

    def failing(self) -> list[tuple[str, int, datetime]]:
        """Return who is not reached: the recipient, by how many notices, and since when by the first of them."""
        return [(row["recipient"], row["n"], expiry.moment(row["since"])) for row in self._db.query(sql.FAILING)]


def _reached(file: Expiry, days: Sequence[int], now: datetime) -> int | None:
    """Return the nearest of `days` that is reached, None as long as none is."""
    left = expiry.moment(file.expires_at) - now
    return min((ahead for ahead in days if left <= timedelta(days=ahead)), default=None)


def _claimed(tx: Transaction, notice: Notice, times: dict[str, str]) -> bool:
    return bool(tx.query(sql.CLAIM, **notice.key, **times) or tx.query(sql.CLAIM_AGAIN, **notice.key, **times))


def _attempts(tx: Transaction, notice: Notice) -> int:
    rows = tx.query(sql.ATTEMPTS, **notice.key)
    return rows[0]["attempts"] if rows else 1
