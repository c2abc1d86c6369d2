"""Moves a vault to another catalog and another blob store.

Sealed objects never change, so they are copied while the vault serves, as often as one likes: what is there already is
passed over. The rows follow while nothing serves, in one transaction. Then every object is opened where it lies now.
Nothing of the source is changed or removed.
"""

from __future__ import annotations

import hashlib
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

from vault import keys
from vault.catalog import blobs as sql
from vault.catalog.tables import copy_rows
from vault.crypto.layout import sealed_size
from vault.errors import Conflict, Damaged, Truncated, UnknownKey

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from vault.blobs import BlobStore
    from vault.catalog.database import Database, Row, Transaction
    from vault.storage import SealedStorage

    Step = Callable[[], object]

AT_ONCE = 200
THREADS = 4
"""Objects on their way at a time; each is a few parts of memory at most."""
_STRANGERS = 1000


@dataclass(frozen=True)
class Place:
    """Where a vault lies: its rows and its sealed objects."""

    database: Database
    blobs: BlobStore


@dataclass
class Tally:
    """What became of objects: so many `done`, of so many `bytes`, or `there` already, and the ids of the `damaged`."""

    done: int = 0
    bytes: int = 0
    there: int = 0
    damaged: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def count(self, size: int) -> None:
        """Count one that is done."""
        with self._lock:
            self.done += 1
            self.bytes += size

    def pass_over(self) -> None:
        """Count one that is there."""
        with self._lock:
            self.there += 1


class Move:
    """One move; each of its steps may be broken off and begun again. `storage` is the source's.

    `step` is called after each object.
    """

    def __init__(self, source: Place, target: Place, storage: SealedStorage) -> None:
        self._source = source
        self._target = target
        self._opening = storage.over(target.blobs, target.database)

    def begin(self) -> None:
        """Make the tables at the target. Raises `Conflict` when it is in use, by this vault or another."""
        self._target.database.migrate()
        here, there = (keys.instance_of(place.database) for place in (self._source, self._target))
        if there is not None and there != here:
            raise Conflict("the database that the vault should move to holds another vault")
        if there is not None and not self.has_rows():
            raise Conflict("the database that the vault should move to is in use already: a server was started on it")
        strangers = list(islice(self._target.blobs.ids(), _STRANGERS))
        if strangers and not any(self._source.database.query(sql.BLOB, id=blob_id) for blob_id in strangers):
            raise Conflict("the blob store that the vault should move to holds objects of another vault")

    def has_rows(self) -> bool:
        """Say whether the rows are at the target: all of them, as they go in one transaction."""
        return keys.moved_at(self._target.database) is not None

    def objects(self) -> int:
        """Return how many objects there are to copy, those that are there already included."""
        return int(self._source.database.query(sql.BLOB_COUNTS)[0]["stored"])

    def copy_objects(self, step: Step = lambda: None) -> Tally:
        """Copy every object that is not at the target. Safe while the vault serves."""
        tally, there = Tally(), set(self._target.blobs.ids())
        with ThreadPoolExecutor(THREADS) as pool:
            for page in _pages(self._source.database, sql.STORED_BLOBS_AFTER):
                missing = [row for row in page if row["id"] not in there]
                for _ in range(len(page) - len(missing)):
                    tally.pass_over()
                    step()
                for _ in pool.map(lambda row: self._copy(row, tally), missing):
                    step()
        return tally

    def _copy(self, row: Row, tally: Tally) -> None:
        blob_id, size = row["id"], sealed_size(row["size"])
        try:
            self._copy_bytes(blob_id, size)
            tally.count(size)
        except Conflict:  # another move is under way, or a try whose answer was lost
            tally.pass_over()
        except Damaged:
            if self._source.database.query(sql.BLOB, id=blob_id):  # else it was deleted meanwhile
                tally.damaged.append(blob_id)

    def _copy_bytes(self, blob_id: str, size: int) -> None:
        source, at_once = self._source.blobs, self._target.blobs.read_size
        if (stored := source.size(blob_id)) != size:
            raise Truncated(f"{stored} bytes are stored where {size} were", blob_id=blob_id)
        with self._target.blobs.writer(blob_id) as writer:
            for offset in range(0, size, at_once):
                wanted = min(at_once, size - offset)
                piece = source.read_at(blob_id, offset, wanted)
                if len(piece) != wanted:
                    raise Truncated(f"{len(piece)} of {wanted} bytes were read", blob_id=blob_id)
                writer.write(piece)

    def copy_rows(self) -> dict[str, int]:
        """Copy all rows, in one transaction, and return how many there are in each table.

        Only while nothing serves: what is written to the source meanwhile waits, and is not at the target. Raises
        `Conflict` when there are rows already.
        """

        def copied(reading: Transaction) -> dict[str, int]:
            return self._target.database.write(lambda writing: _copied(reading, writing))

        return self._source.database.write(copied)

    def rows(self) -> int:
        """Return how many sealed objects the rows at the target name, those in the rows themselves included."""
        return int(self._target.database.query(sql.BLOB_COUNTS)[0]["blobs"])

    def verify(self, step: Step = lambda: None) -> Tally:
        """Open every object at the target, by its row there, and compare its SHA-256."""
        tally = Tally()
        with ThreadPoolExecutor(THREADS) as pool:
            for page in _pages(self._target.database, sql.BLOBS_AFTER):
                for _ in pool.map(lambda row: self._verify(row, tally), page):
                    step()
        return tally

    def _verify(self, row: Row, tally: Tally) -> None:
        blob = sql.blob(row)
        digest = hashlib.sha256()
        try:
            for piece in self._opening.open(blob).pieces():
                digest.update(piece)
            if digest.hexdigest() != blob.sha256:
                raise Truncated("its SHA-256 is another", blob_id=blob.id)
            tally.count(blob.size)
        except (Damaged, UnknownKey):
            # One that the server deleted since then is not damaged.
            if self._target.database.query(sql.BLOB, id=blob.id):
                tally.damaged.append(blob.id)


def _copied(reading: Transaction, writing: Transaction) -> dict[str, int]:
    copied = copy_rows(reading, writing)
    keys.remember_move(writing)
    return copied


def _pages(database: Database, statement: str) -> Iterator[list[Row]]:
    after = ""
    while rows := database.query(statement, after=after, most=AT_ONCE):
        yield rows
        after = rows[-1]["id"]
