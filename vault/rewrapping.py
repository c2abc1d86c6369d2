"""Moves stored files to the present primary key while they are served: their wrapped keys alone, or their bodies too.

Both go through the rows by id and may be stopped anywhere: what was moved stays moved, the next run goes on with the
rest. Two runs at once divide the work by who is quicker. Every file can be read at every moment.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from vault import keys
from vault.catalog import blobs as blobs_sql
from vault.catalog import master_keys as sql
from vault.crypto.keysource import WrappedKey
from vault.errors import Damaged, NotFound, StorageFull, Tampered, UnknownKey

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from vault.catalog.database import Database, Row, Transaction
    from vault.crypto.keysource import MasterKeyring
    from vault.models import Blob
    from vault.storage import SealedBlob, SealedStorage

AT_ONCE = 500
ASKED_AT_ONCE = 8
KEPT_FOR_READERS = timedelta(minutes=10)
"""So long the old bytes of a file that was sealed anew stay, for downloads that began before."""


@dataclass
class Outcome:
    """What a run did: files moved to the primary key, and those that cannot be, by object id, with the reason."""

    key: str
    moved: int = 0
    failed: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Watch:
    """Who looks on: `begin` is told how many files there are, `step` how many more were dealt with."""

    begin: Callable[[int], object] = lambda _: None
    step: Callable[[int], object] = lambda _: None
    at_once: int = AT_ONCE


class Rewrapping:
    """Both ways to a new master key, over all families."""

    def __init__(self, database: Database, storage: SealedStorage, keyring: MasterKeyring) -> None:
        self._db = database
        self._storage = storage
        self._keyring = keyring

    def rewrap(self, watch: Watch | None = None) -> Outcome:
        """Wrap every file's data key under the primary key; bodies are not touched.

        A file whose row is damaged, or whose key is missing, is left and told of. Raises `Unavailable`, `StorageFull`,
        `BadKeyring`: then what was done so far is kept.
        """
        return self._all(sql.TO_REWRAP, sql.NEXT_TO_REWRAP, self._rewrap_some, watch or Watch())

    def reencrypt(self, watch: Watch | None = None) -> Outcome:
        """Seal every file anew that was ever under another master key: new data key, new body, new object.

        For a key that leaked: who had it may have unwrapped data keys with it, and keeps those. Raises as `rewrap`.
        """
        return self._all(sql.TO_REENCRYPT, sql.NEXT_TO_REENCRYPT, self._reencrypt_some, watch or Watch())

    def _all(
        self, count: str, page: str, move: Callable[[Sequence[Row], Outcome, Watch], None], watch: Watch
    ) -> Outcome:
        keys.rewrap_pepper(self._db, self._keyring)
        outcome = Outcome(self._keyring.primary)
        watch.begin(self._db.query(count, primary=outcome.key)[0]["n"])
        before = -1
        while outcome.moved > before:  # once more, for what was being stored under the old key meanwhile
            before, after = outcome.moved, ""
            outcome.key = self._keyring.primary  # another one, if somebody rotates just now
            while rows := self._db.query(page, primary=outcome.key, after=after, limit=watch.at_once):
                after = rows[-1]["id"]
                move([row for row in rows if row["id"] not in outcome.failed], outcome, watch)
        self._storage.uses.write_down()
        return outcome

    def _rewrap_some(self, rows: Sequence[Row], outcome: Outcome, watch: Watch) -> None:
        wrapped = []
        for blob, key in self._rewrapped([blobs_sql.blob(row) for row in rows]):
            if isinstance(key, WrappedKey):
                wrapped.append((blob, key))
            else:
                outcome.failed[blob.id] = str(key)
        outcome.moved += self._db.write(lambda tx: sum(_exchanged(tx, blob, key) for blob, key in wrapped))
        watch.step(len(rows))

    def _rewrapped(self, blobs: Sequence[Blob]) -> list[tuple[Blob, WrappedKey | Damaged | UnknownKey]]:
        """Return each blob with its key wrapped anew, or with what is wrong; a service is asked for several at once."""
        if self._keyring.local:
            return [(blob, self._rewrapped_or_why(blob)) for blob in blobs]
        with ThreadPoolExecutor(ASKED_AT_ONCE) as threads:
            return list(zip(blobs, threads.map(self._rewrapped_or_why, blobs), strict=True))

    def _rewrapped_or_why(self, blob: Blob) -> WrappedKey | Damaged | UnknownKey:
        try:
            return self._storage.rewrapped(blob)
        except (Damaged, UnknownKey) as error:
            return error

    def _reencrypt_some(self, rows: Sequence[Row], outcome: Outcome, watch: Watch) -> None:
        for row in rows:
            try:
                outcome.moved += self._reencrypt(self._storage.envelope(row["id"]))
            except NotFound:
                pass  # deleted or replaced since the look
            except (Damaged, UnknownKey) as error:
                outcome.failed[row["id"]] = str(error)
            watch.step(1)

    def _reencrypt(self, old: Blob) -> bool:
        """Give the file a new object in the place of `old`."""
        new = self._copy(old)
        try:
            self._db.write(lambda tx: self._exchange(tx, old, new))
        except (NotFound, Damaged, StorageFull):
            self._storage.abandon(new)
            raise
        return True

    def _copy(self, old: Blob) -> SealedBlob:
        """Seal the content of an object anew, in pieces. Raises `Damaged` unless it is what the row says."""
        reader = self._storage.open(old)
        with self._storage.writer(old.family, old.project_id) as writer:
            for piece in reader.pieces():
                writer.write(piece)
            new = writer.finish()
        if (new.size, new.checksum) != (old.size, old.sha256):
            self._storage.abandon(new)
            raise Tampered(f"object {old.id} (key {old.kek_id}): its content has another checksum than its row")
        return new

    def _exchange(self, tx: Transaction, old: Blob, new: SealedBlob) -> None:
        """Point the file at the new object and discard the old one. Raises `NotFound` when somebody was quicker."""
        self._storage.insert(tx, new)
        if old.family not in sql.REPOINT or not tx.query(sql.REPOINT[old.family], new=new.id, old=old.id):
            if tx.query(blobs_sql.BLOB, id=old.id):
                raise Tampered(f"object {old.id} (key {old.kek_id}): no file has it")
            raise NotFound
        self._storage.discard(tx, old.id, after=KEPT_FOR_READERS)


def _exchanged(tx: Transaction, blob: Blob, key: WrappedKey) -> int:
    """Put the new wrapped key into the row, unless it is another row by now; return how many rows that were."""
    return len(tx.query(sql.REWRAP, id=blob.id, kek_id=key.kek_id, new=key.blob, old=blob.wrapped))
