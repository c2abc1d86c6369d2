"""What happens below the server, told to whoever counts it: commits, files that were read, a store's errors.

The vault and the parsers know nothing of it: what they are given is wrapped where it is put together.
"""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

from vault.errors import VaultError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Future

    from vault.blobs import AtHand, BinaryWriter, BlobStore
    from vault.catalog.database import Database, Transaction
    from vault.models import Finding, Inspect, Sift

T = TypeVar("T")


class Observer(Protocol):
    """Who counts. Called from any thread, and never raises."""

    def committed(self, seconds: float) -> None:
        """Count a change of the catalog that took so long, waiting included."""

    def parsed(self, outcome: str) -> None:
        """Count a file that was read: "read", or the code of the reason why not."""

    def store_failed(self, operation: str, error: VaultError) -> None:
        """Count what the store of blobs refused."""


class Measures:
    """Hands on what happens; to nobody, until somebody observes."""

    def __init__(self) -> None:
        self.observer: Observer | None = None
        self.writing = 0
        """How many changes of the catalog are waiting or under way."""
        self._lock = threading.Lock()

    def inspect(self, inspect: Inspect) -> Inspect:
        """Return the function that reads files, its outcomes told."""

        def told(name: str, data: bytes | bytearray, password: str | None = None) -> Finding:
            found = inspect(name, data, password)
            if self.observer is not None:
                self.observer.parsed(found.error or "read")
            return found

        return told

    def sift(self, sift: Sift) -> Sift:
        """Return the function that looks at the first bytes of files, those that nobody knows told as outcomes."""

        def told(name: str, head: bytes) -> Finding | None:
            found = sift(name, head)
            if found is not None and self.observer is not None:
                self.observer.parsed(found.error or "read")
            return found

        return told

    def database(self, database: Database) -> Database:
        """Return the catalog, the time of its changes told."""
        return cast("Database", _Database(database, self))  # the rest of it is handed through

    def blobs(self, blobs: BlobStore) -> BlobStore:
        """Return the store, its errors told."""
        return cast("BlobStore", _Blobs(blobs, self))  # the rest of it is handed through

    @contextmanager
    def change(self) -> Iterator[None]:
        """Tell how long a change took."""
        begun = self.begun()
        try:
            yield
        finally:
            self.ended(begun)

    def begun(self) -> float:
        """Count a change that begins; return when."""
        self._count(1)
        return time.monotonic()

    def ended(self, begun: float) -> None:
        """Tell how long a change took that began then."""
        self._count(-1)
        if self.observer is not None:
            self.observer.committed(time.monotonic() - begun)

    @contextmanager
    def operation(self, name: str) -> Iterator[None]:
        """Tell what the store refused in the block."""
        try:
            yield
        except VaultError as error:
            if self.observer is not None:
                self.observer.store_failed(name, error)
            raise

    def _count(self, more: int) -> None:
        with self._lock:
            self.writing += more


class _Database:
    def __init__(self, database: Database, measures: Measures) -> None:
        self._database, self._measures = database, measures
        self.query, self.known = database.query, database.known  # asked most of all: nothing in between

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)

    def write(self, work: Callable[[Transaction], T]) -> T:
        with self._measures.change():
            return self._database.write(work)

    def submit(self, work: Callable[[Transaction], T]) -> Future[T]:
        return self._begun(self._database.submit, work)

    def begin(self, work: Callable[[Transaction], T]) -> Future[T]:
        return self._begun(self._database.begin, work)

    def _begun(
        self, begin: Callable[[Callable[[Transaction], T]], Future[T]], work: Callable[[Transaction], T]
    ) -> Future[T]:
        begun = self._measures.begun()
        try:
            future = begin(work)
        except BaseException:
            self._measures.ended(begun)
            raise
        future.add_done_callback(lambda _: self._measures.ended(begun))
        return future


class _Blobs:
    def __init__(self, blobs: BlobStore, measures: Measures) -> None:
        self._blobs, self._measures = blobs, measures

    def __getattr__(self, name: str) -> Any:
        return getattr(self._blobs, name)

    @contextmanager
    def writer(self, blob_id: str) -> Iterator[BinaryWriter]:
        with self._measures.operation("write"), self._blobs.writer(blob_id) as writer:
            yield writer

    def read_at(self, blob_id: str, offset: int, length: int) -> bytes:
        with self._measures.operation("read"):
            return self._blobs.read_at(blob_id, offset, length)

    def at_hand(self, blob_id: str, size: int) -> AtHand:
        with self._measures.operation("read"):
            return self._blobs.at_hand(blob_id, size)

    def size(self, blob_id: str) -> int:
        with self._measures.operation("size"):
            return self._blobs.size(blob_id)

    def delete(self, blob_id: str) -> None:
        with self._measures.operation("delete"):
            self._blobs.delete(blob_id)
