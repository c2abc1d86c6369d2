"""The barrier: what is above sees plaintext, what is below (blob store, catalog) sees ciphertext only.

A write goes in this order: bytes sealed, key wrapped, bytes durable under a fresh random id, then one transaction of
the caller's that inserts the envelope beside the caller's own row. A crash leaves at most an object without a row. A
delete erases the wrapped key in the caller's transaction and notes the object, whose bytes are removed later.
"""

from __future__ import annotations

import hashlib
import logging
import secrets
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Self

from vault import clock
from vault.blob_reading import BlobOpening, BlobReader, SmallBlob, naming
from vault.blobs.fetched import Fetched
from vault.catalog import blobs as sql
from vault.catalog import care
from vault.crypto.envelope import STREAM, BlobIdentity, commitment, require_commitment
from vault.crypto.keyring import new_data_key
from vault.crypto.keysource import WrappedKey
from vault.crypto.layout import sealed_size
from vault.crypto.opening import Opening, SmallStream
from vault.crypto.streaming import OpeningReader, SealingWriter, seal_bytes
from vault.errors import Conflict, NotFound, Tampered, Truncated, Unavailable
from vault.key_uses import KeyUses

if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import TracebackType

    from vault.blobs import BlobStore
    from vault.catalog.database import Database, Transaction
    from vault.crypto.keysource import MasterKeyring
    from vault.models import Blob

log = logging.getLogger("secure_files.storage")

INLINE_LIMIT = 64 * 1024
REMOVALS_AT_ONCE = 200
LEFT_BY_A_CRASH = 500
"""More uploads than were ever under way at one time, and objects that a delete could not remove any more."""


@dataclass(frozen=True, slots=True)
class SealedBlob:
    """A sealed object that is durable but has no row yet."""

    identity: BlobIdentity
    size: int
    sha256: bytes
    key: WrappedKey
    commitment: bytes
    sealed: bytes | None

    @property
    def id(self) -> str:
        """The object's id."""
        return str(self.identity.blob_id)

    @property
    def checksum(self) -> str:
        """SHA-256 of the plaintext in hex."""
        return self.sha256.hex()


@dataclass(frozen=True, slots=True)
class Owner:
    """What the row that an object belongs to says of it; `label` is its name in errors, such as "secure file 12"."""

    label: str
    family: str
    project_id: int
    size: int
    checksum: str

    def claim(self, blob: Blob) -> Blob:
        """Return the envelope as this owner's.

        Raises `Tampered` when it says otherwise. What it says itself it can only be opened with, but a row that was
        changed to point at it would get a stranger's content.
        """
        if (blob.family, blob.project_id, blob.size, blob.sha256) != (
            self.family,
            self.project_id,
            self.size,
            self.checksum,
        ):
            where = f"{self.label}: object {blob.id} (key {blob.kek_id})"
            raise Tampered(f"{where}: it is not the one that was stored", blob_id=blob.id, key_id=blob.kek_id)
        return replace(blob, owner=self.label)


class SealedStorage:
    """Puts bytes in sealed and takes them out opened."""

    def __init__(self, keyring: MasterKeyring, blobs: BlobStore, database: Database) -> None:
        self._keyring = keyring
        self._blobs = blobs
        self._db = database
        self.uses = KeyUses(database, keyring)

    @property
    def opens_quickly(self) -> bool:
        """Whether what lies in the catalog can be opened without asking a service for its key."""
        return self._keyring.local

    @property
    def seals_quickly(self) -> bool:
        """Whether sealing what lies in the catalog asks no service for a key, and the catalog for nothing.

        The first one after a key was rotated has it noted all the same, and waits for that commit.
        """
        return self._keyring.local and self.uses.noted(self._keyring.primary)

    @property
    def fetches_quickly(self) -> bool:
        """Whether `fetch` asks no service and no network."""
        return self._keyring.local and self._blobs.nearby

    def over(self, blobs: BlobStore, database: Database) -> SealedStorage:
        """Return another storage with the same keys."""
        return SealedStorage(self._keyring, blobs, database)

    def writer(self, family: str, project_id: int) -> BlobWriter:
        """Return a writer for one new object; use it in a `with` block and call `finish` at the end."""
        return BlobWriter(self.uses, self._blobs, self._keyring.instance, family, project_id)

    def put(self, family: str, project_id: int, data: bytes | bytearray | memoryview) -> SealedBlob:
        """Seal `data` and make it durable. Raises `StorageFull`, `Unavailable`, `BadKeyring`: then nothing is kept."""
        with self.writer(family, project_id) as writer:
            writer.write(data)
            return writer.finish()

    def insert(self, tx: Transaction, blob: SealedBlob) -> None:
        """Add the envelope of a durable object, in the transaction that adds what refers to it.

        Raises `Unavailable` when its master key was retired meanwhile.
        """
        try:
            tx.query(
                sql.ADD_BLOB,
                id=blob.id,
                family=blob.identity.family,
                project=blob.identity.project_id,
                size=blob.size,
                sha256=blob.checksum,
                alg=blob.identity.alg,
                kek_id=blob.key.kek_id,
                wrapped=blob.key.blob,
                commitment=blob.commitment,
                sealed=blob.sealed,
                now=clock.now(),
            )
        except Conflict as error:
            self.uses.forget(blob.key.kek_id)
            raise Unavailable(f'the master key "{blob.key.kek_id}" was retired meanwhile; try again') from error

    @staticmethod
    def discard(tx: Transaction, blob_id: str, *, after: timedelta = timedelta()) -> None:
        """Erase an object's wrapped key and note its bytes for removal; from the commit on nobody can open it.

        Who reads it already can go on until the bytes are removed: at once, or `after` some time.
        """
        tx.frees_room()
        rows = tx.query(sql.DELETE_BLOB, id=blob_id)
        if rows and rows[0]["stored"]:
            tx.query(sql.NOTE_REMOVAL, id=blob_id, now=clock.stamp(datetime.now(UTC) + after))

    def abandon(self, blob: SealedBlob) -> None:
        """Remove a durable object whose transaction did not happen; one that cannot be removed is left to the sweep."""
        if blob.sealed is None:
            with suppress(Unavailable):
                self._blobs.delete(blob.id)

    def envelope(self, blob_id: str) -> Blob:
        """Return the envelope of an object. Raises `NotFound`."""
        rows = self._db.query(sql.BLOB, id=blob_id)
        if not rows:
            raise NotFound
        return sql.blob(rows[0])

    def object_of(self, family: str, row_id: int) -> str:
        """Return the id of the object that a family's row has by now. Raises `NotFound`."""
        rows = self._db.query(sql.OBJECT_OF[family], id=row_id)
        if not rows:
            raise NotFound
        return str(rows[0]["blob_id"])

    def read(self, blob: Blob) -> bytes | bytearray:
        """Return the whole plaintext, every byte of it verified. Raises `Damaged`, `UnknownKey`."""
        if blob.sealed is None and sealed_size(blob.size) > self._blobs.read_size:
            return self.open(blob).read_all()
        return self.small(blob).read()

    def small(self, blob: Blob) -> SmallBlob:
        """Return what opens a small object, all of which is fetched now. Raises `Damaged`, `UnknownKey`."""
        with naming(blob):
            aad, _, key = self._unwrap(blob)
            return SmallBlob(blob, SmallStream(key, aad, self._sealed(blob)))

    def fetch(self, blob: Blob) -> BlobOpening:
        """Return the whole of an object at hand, with what opens it. Raises `Damaged`, `UnknownKey`."""
        with naming(blob):
            aad, _, key = self._unwrap(blob)
            if blob.sealed is not None:
                return BlobOpening(blob, Opening(key, aad, Fetched(blob.sealed)))
            size = sealed_size(blob.size)
            stored = self._blobs.at_hand(blob.id, size)
            if stored.size != size:
                stored.close()
                raise Truncated(f"{stored.size} bytes or more are stored where {size} were")
            return BlobOpening(blob, Opening(key, aad, stored))

    def _sealed(self, blob: Blob) -> bytes:
        """Return the stream itself, asked for with one byte more than there should be: one that is too long shows."""
        if blob.sealed is not None:
            return blob.sealed
        size = sealed_size(blob.size)
        sealed = self._blobs.read_at(blob.id, 0, size + 1)
        if len(sealed) != size:
            raise Truncated(f"{len(sealed)} bytes or more are stored where {size} were")
        return sealed

    def open(self, blob: Blob) -> OpeningReader:
        """Return a seekable reader that opens only the segments asked for.

        Raises `Damaged`, now or when it is read, and `UnknownKey`.
        """
        with naming(blob):
            aad, _, key = self._unwrap(blob)
            reader = BlobReader(self._blobs, blob, key, aad)
            if reader.size != blob.size:
                raise Truncated(f"{reader.size} bytes are stored where {blob.size} were")
        return reader

    def rewrapped(self, blob: Blob) -> WrappedKey:
        """Return an object's data key under the present primary key; its body plays no part.

        Raises `Damaged`, `UnknownKey`: what does not fit its row and its commitment is not wrapped anew.
        """
        with naming(blob):
            _, aad, key = self._unwrap(blob)
        return self.uses.wrap(key, aad)

    def _unwrap(self, blob: Blob) -> tuple[bytes, bytes, bytes]:
        """Return the associated data of the object's stream and of its wrapped key, and the key."""
        if blob.alg != STREAM:
            raise Tampered(f"it is said to be sealed by an unknown algorithm {blob.alg}")
        identity = BlobIdentity(self._keyring.instance, blob.id, blob.family, blob.project_id)
        try:
            stream_aad, aad = identity.aad(), identity.wrap_aad(blob.size, blob.sha256)
        except (ValueError, OverflowError, TypeError, AttributeError) as error:
            raise Tampered("its row was changed to hold what no row can") from error
        key = self._keyring.unwrap(WrappedKey(blob.kek_id, blob.wrapped), aad)
        require_commitment(key, aad, blob.commitment)
        return stream_aad, aad, key

    def remove_noted(self) -> int:
        """Remove the bytes of discarded objects and return how many. Safe beside requests and other processes.

        While a backup is under way they stay: its copy of the catalog may name them. Raises `Unavailable` when the
        store refuses one; the others are removed all the same.
        """
        noted = [row["blob_id"] for row in self._db.query(sql.REMOVALS, now=clock.now(), limit=REMOVALS_AT_ONCE)]
        removed, refusal = self._removed(noted)
        if removed:
            self._db.write(lambda tx: [tx.query(sql.REMOVED, id=blob_id) for blob_id in removed])
        if refusal is not None:
            raise refusal
        return len(removed)

    def _removed(self, blob_ids: Iterable[str]) -> tuple[list[str], Unavailable | None]:
        """Remove the objects from the store; return those that are gone, and why one is not."""
        removed: list[str] = []
        refusal: Unavailable | None = None
        for blob_id in blob_ids:
            try:
                self._blobs.delete(blob_id)
                removed.append(blob_id)
            except Unavailable as error:
                refusal = error
        return removed, refusal

    def sweep(self) -> int:
        """Remove what a crash left and return how many objects that were.

        Only while nothing writes to this store: an object whose transaction is under way has no row yet either. What
        was whole stays where it may still be wanted, and is left to `Orphans`: while a backup is under way, beside a
        catalog that knows of no object, and where there are more than a crash can leave. An older catalog was put
        back then, and the one that names them may follow.
        """
        swept = self._blobs.sweep_unfinished()
        with suppress(Unavailable):  # one that the store does not let go of delays no start
            while self.remove_noted():
                pass
        known = {row["id"] for row in self._db.query(sql.STORED_BLOB_IDS)}
        if not known or self._db.query(care.LEASE, name=care.BACKUP, now=clock.now()):
            return swept
        orphans = [blob_id for blob_id in self._blobs.ids() if blob_id not in known]
        if len(orphans) > LEFT_BY_A_CRASH:
            log.warning("%s objects in the store have no row, more than a crash leaves: they stay", len(orphans))
            return swept
        return swept + len(self._removed(orphans)[0])


class BlobWriter:
    """Takes the plaintext of one object in pieces; up to 64 KiB it stays in memory and goes into the catalog row.

    So much of it is neither hashed nor named before `finish`: an event loop may take it.
    """

    def __init__(self, keys: KeyUses, blobs: BlobStore, instance: str, family: str, project_id: int) -> None:
        self._keys = keys
        self._blobs = blobs
        self._instance, self._family, self._project_id = instance, family, project_id
        self._hash = hashlib.sha256()
        self._size = 0
        self._small = bytearray()
        self._sealing: SealingWriter | None = None
        self._stack = ExitStack()

    @cached_property
    def _identity(self) -> BlobIdentity:
        return BlobIdentity(self._instance, secrets.token_hex(16), self._family, self._project_id)

    @cached_property
    def _data_key(self) -> bytes:
        return new_data_key()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._sealing is not None and error is None:
            # A block that ends without `finish` has no object to keep: the store's writer has to drop it.
            kind, error = Abandoned, Abandoned()
        self._stack.__exit__(kind, error, trace)

    def close(self) -> None:
        """Leave the block: what was not finished is dropped."""
        self.__exit__(None, None, None)

    @property
    def is_small(self) -> bool:
        """Whether all of it is in memory, and goes into the catalog's row if no more comes."""
        return self._sealing is None

    def write(self, data: bytes | bytearray | memoryview, /) -> None:
        """Append plaintext; the buffer may be used again when this returns."""
        self._size += len(data)
        if self._sealing is None and len(self._small) + len(data) <= INLINE_LIMIT:
            self._small += data
            return
        sealing = self._sealing_writer()
        self._hash.update(data)
        sealing.write(data)

    def _sealing_writer(self) -> SealingWriter:
        if self._sealing is None:
            sink = self._stack.enter_context(self._blobs.writer(str(self._identity.blob_id)))
            self._sealing = SealingWriter(sink, self._data_key, self._identity.aad())
            self._hash.update(self._small)
            self._sealing.write(self._small)
            self._small = bytearray()
        return self._sealing

    def finish(self) -> SealedBlob:
        """Make the object durable and return it, wrapped; it still needs its row (`SealedStorage.insert`)."""
        if self._sealing is None:
            self._hash.update(self._small)
        digest = self._hash.digest()
        aad = self._identity.wrap_aad(self._size, digest)
        sealed: bytes | None = None
        if self._sealing is None:
            sealed = seal_bytes(self._data_key, self._identity.aad(), self._small)
        else:
            self._sealing.finish()
        # Before the bytes are durable: when the keyring is gone, the store drops what it was given.
        wrapped = self._keys.wrap(self._data_key, aad)
        self._sealing = None
        self._stack.close()
        return SealedBlob(self._identity, self._size, digest, wrapped, commitment(self._data_key, aad), sealed)


class Abandoned(Exception):
    """A writer was left before its object was finished."""
