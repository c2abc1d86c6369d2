"""Where sealed bytes lie: immutable objects under opaque ids.

A store sees ciphertext only and knows nothing of keys, names or projects. Every driver is held to the contract
below by one suite, `tests/blobstore_suite.py`; which driver is used is decided by URL in `open_blobs`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager


class BinaryWriter(Protocol):
    """Takes the bytes of one object in order."""

    def write(self, data: bytes | bytearray | memoryview, /) -> object:
        """Append `data`; the buffer may be used again when this returns."""


class BlobStore(Protocol):
    """Immutable objects under ids of 32 lower-case hex digits, chosen by the caller and never used twice."""

    def writer(self, blob_id: str) -> AbstractContextManager[BinaryWriter]:
        """Write one object; leaving the block without an error makes it durable and visible, whole, at once.

        Leaving it with an error leaves nothing behind. Raises `StorageFull` when there is no room,
        `Unavailable` when the store does not take the bytes.
        """

    def read_at(self, blob_id: str, offset: int, length: int) -> bytes:
        """Return the bytes from `offset`, fewer than `length` only at the end. Raises `BlobMissing`."""

    def size(self, blob_id: str) -> int:
        """Return the number of stored (sealed) bytes. Raises `BlobMissing`."""

    def delete(self, blob_id: str) -> None:
        """Remove the object; silent when it is not there."""

    def ids(self) -> Iterator[str]:
        """Yield the id of every visible object, in no order."""
