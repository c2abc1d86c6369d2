"""Whether every sealed file is whole: its object is there, has the right length, opens, and is what was stored."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from vault.catalog import blobs as blobs_sql
from vault.catalog import care as sql
from vault.crypto.layout import SEGMENT_SIZE
from vault.errors import Damaged, NotFound, Unavailable, UnknownKey
from vault.maintenance.findings import Finding, Looked, Weight
from vault.maintenance.marks import Marks
from vault.maintenance.verifying import looked_twice

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vault.catalog.database import Database
    from vault.crypto.streaming import OpeningReader
    from vault.maintenance.verifying import Pace, Scope
    from vault.models import Blob
    from vault.storage import SealedStorage

ROWS_AT_ONCE = 1000
KIND = "object"


class Files:
    """Opens every sealed file, large and small, and compares its SHA-256."""

    name = "files"

    def __init__(self, database: Database, storage: SealedStorage) -> None:
        self._db = database
        self._storage = storage

    def total(self, scope: Scope) -> int:
        """Return how many will be looked at, about."""
        return round(int(self._db.query(blobs_sql.COUNT_SINCE, since=scope.since)[0]["n"]) * scope.share)

    def look(self, scope: Scope) -> Iterator[Looked]:
        """Open one after the other, by id."""
        marks = Marks(self._db, KIND)
        for blob_id in self._ids(scope):
            looked = looked_twice(lambda blob_id=blob_id: self._look_at(blob_id, scope.pace))  # type: ignore[misc]
            if looked is not None:
                yield Looked(looked.subject, looked.size, marks.settle(blob_id, looked.findings))
        if scope.whole:
            marks.forget_unseen()

    def _ids(self, scope: Scope) -> Iterator[str]:
        after = ""
        while rows := self._db.query(blobs_sql.IDS_SINCE, after=after, since=scope.since, limit=ROWS_AT_ONCE):
            yield from (row["id"] for row in rows if scope.draws())
            after = rows[-1]["id"]

    def _look_at(self, blob_id: str, pace: Pace) -> Looked | None:
        try:
            blob = self._storage.envelope(blob_id)
            return self._opened(blob, pace)
        except NotFound:
            return None
        except (TypeError, ValueError, OverflowError):
            return self._found(blob_id, "", 0, "its row in the catalog holds what no row can")

    def _opened(self, blob: Blob, pace: Pace) -> Looked:
        reader: OpeningReader | None = None
        try:
            reader = self._storage.open(blob)
            problem = "" if self._digest(reader, pace) == blob.sha256 else "its content is not that of its SHA-256"
        except Damaged as error:
            return self._damaged(blob, error, reader)
        except UnknownKey as error:
            problem = str(error)
        except Unavailable as error:
            return self._found(blob.id, blob.kek_id, 0, str(error), weight=Weight.UNCHECKED)
        return self._found(blob.id, blob.kek_id, blob.size, problem) if problem else Looked(blob.id, blob.size)

    @staticmethod
    def _digest(reader: OpeningReader, pace: Pace) -> str:
        digest = hashlib.sha256()
        for piece in reader.pieces():
            digest.update(piece)
            pace.took(len(piece))
        return digest.hexdigest()

    def _damaged(self, blob: Blob, error: Damaged, reader: OpeningReader | None) -> Looked:
        if reader is None:
            return self._found(blob.id, blob.kek_id, 0, str(error))
        try:
            ranges = tuple(reader.damaged())
        except Unavailable:
            ranges = ()
        where = ", ".join(_told(first, end) for first, end in ranges)
        problem = f"of its {reader.sealed_size} stored bytes these do not open: {where}" if ranges else str(error)
        return self._found(blob.id, blob.kek_id, reader.size, problem, ranges=ranges)

    def _found(
        self,
        blob_id: str,
        key: str,
        size: int,
        problem: str,
        *,
        weight: Weight = Weight.DAMAGE,
        ranges: tuple[tuple[int, int], ...] = (),
    ) -> Looked:
        whose = self._owner(blob_id)
        return Looked(whose, size, (Finding(weight, whose, problem, blob_id, key, ranges),))

    def _owner(self, blob_id: str) -> str:
        """Return what people know the object by."""
        rows = self._db.query(sql.OWNER_OF, blob=blob_id)
        return f"{rows[0]['what']} {rows[0]['id']} of project {rows[0]['project_id']}" if rows else f"object {blob_id}"


def _told(first: int, end: int) -> str:
    """Return a range of stored bytes, and which segments those are."""
    segments = first // SEGMENT_SIZE, (end - 1) // SEGMENT_SIZE
    which = f"segment {segments[0]}" if segments[0] == segments[1] else f"segments {segments[0]} to {segments[1]}"
    return f"{first} to {end - 1} ({which})"
