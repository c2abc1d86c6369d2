"""Objects that no row names, removed while everybody serves: what a crash or a lost answer left in a shared store.

Nothing tells an orphan from an upload whose row is not committed yet, but time: it has to lie there for a day by the
store's own clock, and to be without a row in two passes that are an hour apart. Then it is noted for removal, which is
what happens to the object of a deleted file as well, and so waits for a backup that is under way.
"""

from __future__ import annotations

import logging
import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from vault import clock
from vault.catalog import blobs as blobs_sql
from vault.catalog import care as sql
from vault.errors import VaultError
from vault.leases import elected

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from vault.blobs import BlobStore
    from vault.catalog.database import Database, Transaction

log = logging.getLogger("secure_files.maintenance")

OLD_SECONDS = 24 * 3600.0
PASS_SECONDS = 3600.0
AT_ONCE = 500


class Orphans:
    """Finds and removes the orphans of one store; of all processes that share it one at a time."""

    def __init__(self, database: Database, blobs: BlobStore) -> None:
        self._db = database
        self._blobs = blobs
        self._running: threading.Thread | None = None

    def chore(self) -> None:
        """Begin a pass if one is due and falls to this process: quick, never waits."""
        if (self._running is None or not self._running.is_alive()) and elected(self._db, "orphans", PASS_SECONDS):
            # A daemon, as nobody has to wait for it: what it does not come to is done in the next one.
            self._running = threading.Thread(target=self._pass, name="orphans", daemon=True)
            self._running.start()

    def _pass(self) -> None:
        try:
            self.collect()
        except VaultError as error:
            log.warning("orphans could not be looked for: %s", error)

    def collect(self, old_seconds: float = OLD_SECONDS, apart_seconds: float = PASS_SECONDS / 2) -> int:
        """Note what is an orphan now, and for removal what was one before; return how many those are.

        Nothing while a backup is under way, nor beside a catalog that knows of no object: it may stand in for one that
        is to be restored.
        """
        if self._db.query(sql.LEASE, name=sql.BACKUP, now=clock.now()) or not self._db.query(sql.ANY_STORED_BLOB):
            return 0
        orphans = set(orphans_of(self._db, self._blobs, old_seconds))
        before = {row["blob_id"]: row["found_at"] for row in self._db.query(sql.ORPHANS)}
        latest = clock.stamp(datetime.now(UTC) - timedelta(seconds=apart_seconds))
        self._each(before.keys() - orphans, _forget)
        self._each(orphans - before.keys(), _note)
        given_up = [blob_id for blob_id, found_at in before.items() if blob_id in orphans and found_at <= latest]
        self._each(given_up, _give_up)
        if given_up:
            log.info("%s objects of the store had no row for more than a day; they are removed", len(given_up))
        return len(given_up)

    def _each(self, blob_ids: Iterable[str], work: Callable[[Transaction, str], object]) -> None:
        """Do the work for every object, some in one transaction."""
        some = sorted(blob_ids)
        for start in range(0, len(some), AT_ONCE):
            part = some[start : start + AT_ONCE]
            self._db.write(lambda tx, part=part: [work(tx, blob_id) for blob_id in part])  # type: ignore[misc]


def orphans_of(database: Database, blobs: BlobStore, seconds: float) -> list[str]:
    """Return the objects that have been in the store for so long and that no row names, nor a note of its removal.

    Listed before the rows are read: an object is there before its row is.
    """
    listed = list(blobs.ids(older_than=seconds))
    known = {row["id"] for row in database.query(blobs_sql.STORED_BLOB_IDS)}
    known |= {row["blob_id"] for row in database.query(blobs_sql.ANY_REMOVAL_IDS)}
    return [blob_id for blob_id in listed if blob_id not in known]


def _note(tx: Transaction, blob_id: str) -> None:
    tx.query(sql.NOTE_ORPHAN, id=blob_id, now=clock.now())


def _forget(tx: Transaction, blob_id: str) -> None:
    tx.query(sql.FORGET_ORPHAN, id=blob_id)


def _give_up(tx: Transaction, blob_id: str) -> None:
    """Note for removal, unless there is a row by now."""
    tx.query(sql.REMOVE_ORPHAN, id=blob_id, now=clock.now())
    tx.query(sql.FORGET_ORPHAN, id=blob_id)
