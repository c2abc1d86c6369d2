"""Blobs in a dictionary: for tests and demonstrations; durable only as long as the process."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from vault.blobs import checked_id, checked_range
from vault.blobs.fetched import Fetched
from vault.errors import BlobMissing, Conflict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vault.blobs import AtHand, BinaryWriter


class MemoryBlobs:
    """A `BlobStore` that keeps its objects in memory."""

    read_size = 256 * 1024
    nearby = True

    def __init__(self) -> None:
        self._objects: dict[str, bytes] = {}
        self._since: dict[str, float] = {}
        self._lock = threading.Lock()

    @contextmanager
    def writer(self, blob_id: str) -> Iterator[BinaryWriter]:
        """Collect the bytes aside and publish them, whole, at the end of the block."""
        collected = _Collected(checked_id(blob_id))
        yield collected
        with self._lock:
            if blob_id in self._objects:
                raise Conflict(f"blob {blob_id} exists already")
            self._since[blob_id] = time.monotonic()
            self._objects[blob_id] = collected.finish()

    def read_at(self, blob_id: str, offset: int, length: int) -> bytes:
        """Slice the object."""
        checked_range(offset, length)
        return self._object(blob_id)[offset : offset + length]

    def at_hand(self, blob_id: str, size: int) -> AtHand:  # noqa: ARG002 - the contract's signature
        """Return the object."""
        return Fetched(self._object(blob_id))

    def size(self, blob_id: str) -> int:
        """Return the length of the object."""
        return len(self._object(blob_id))

    def delete(self, blob_id: str) -> None:
        """Forget the object."""
        self._objects.pop(checked_id(blob_id), None)

    def ids(self, older_than: float = 0.0) -> Iterator[str]:
        """Yield the ids there were when the first one was asked for."""
        latest = time.monotonic() - older_than
        yield from [blob_id for blob_id in list(self._objects) if self._since[blob_id] <= latest]

    def sweep_unfinished(self) -> int:
        """Return 0: what a writer collected went with it."""
        return 0

    def check(self) -> None:
        """Return: it is there as long as the process."""

    def _object(self, blob_id: str) -> bytes:
        try:
            return self._objects[checked_id(blob_id)]
        except KeyError:
            raise BlobMissing(f"blob {blob_id} is not in the store", blob_id=blob_id) from None


class _Collected:
    """The bytes of one object so far."""

    def __init__(self, blob_id: str) -> None:
        self._blob_id = blob_id
        self._bytes: bytearray | None = bytearray()

    def write(self, data: bytes | bytearray | memoryview, /) -> None:
        if self._bytes is None:
            raise ValueError(f"blob {self._blob_id} is finished")
        self._bytes += data

    def finish(self) -> bytes:
        whole = bytes(self._bytes or b"")
        self._bytes = None
        return whole
