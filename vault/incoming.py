"""One signing file on its way in: sealed as it comes, and kept in clear only while somebody may want to read it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vault.storage import INLINE_LIMIT

if TYPE_CHECKING:
    from collections.abc import Callable

    from vault.models import Finding, Inspect
    from vault.storage import BlobWriter, SealedBlob

HEAD = 4096
"""First bytes of a file, by which parsers say whether they know it."""


class Incoming:
    """Takes a file in pieces. Leave it like the writer it is made with: what is not finished is dropped.

    `sift(head)` says of a file that no parser knows what is told of it, and None where its content is to be read.
    """

    def __init__(self, writer: BlobWriter, sift: Callable[[bytes], Finding | None] | None) -> None:
        self._writer = writer
        self._sift = sift
        self._size = 0
        self._plain = bytearray()
        self._unknown: Finding | None = None

    def __len__(self) -> int:
        return self._size

    def write(self, data: bytes | bytearray, /) -> None:
        """Append a piece; the buffer may be used again when this returns. Raises `StorageFull`, `Unavailable`."""
        self._writer.write(data)
        self._size += len(data)
        if self._unknown is not None:
            return
        if self._sift is not None and self._size > INLINE_LIMIT:
            self._unknown, self._sift = self._sift(bytes(self._plain[:HEAD] + data[:HEAD])[:HEAD]), None
            if self._unknown is not None:
                self._plain = bytearray()
                return
        self._plain += data

    def is_told(self, sift: Callable[[bytes], Finding | None]) -> bool:
        """Whether `finding` has nobody read the file: it is small, and `sift` tells all by its first bytes."""
        if self._size > INLINE_LIMIT:
            return False
        if self._unknown is None:
            self._unknown = sift(bytes(self._plain[:HEAD]))
        return self._unknown is not None

    def finding(self, inspect: Inspect, name: str, password: str | None) -> Finding:
        """Return what the file holds, as far as a parser knows it."""
        return self._unknown or inspect(name, self._plain, password)

    def finish(self) -> SealedBlob:
        """Make the object durable, as `BlobWriter.finish` does."""
        self._plain = bytearray()
        return self._writer.finish()

    def close(self) -> None:
        """Drop what was not finished."""
        self._writer.close()
