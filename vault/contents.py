"""A stored file on its way out: what is told of it before anything is opened, and the two ways to its bytes."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vault.errors import BlobMissing, NotFound

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vault.blob_reading import BlobOpening
    from vault.crypto.streaming import OpeningReader
    from vault.models import Blob
    from vault.storage import Owner, SealedStorage

WHOLE_LIMIT = 16 * 1024 * 1024
"""Up to this many bytes are opened before the first is handed on, so that damage is an error and no half answer."""


@dataclass(frozen=True)
class Content:
    """The bytes of the object `blob_id`, which the row `row_id` of `owner` has.

    Making one opens nothing. Any range can be had.
    """

    storage: SealedStorage
    blob_id: str
    owner: Owner
    row_id: int
    ranges = True

    @property
    def size(self) -> int:
        """How many bytes there are."""
        return self.owner.size

    @property
    def tag(self) -> str:
        """A text that is another wherever a byte is."""
        return self.owner.checksum

    def read(self, start: int, stop: int) -> bytes | bytearray:
        """Return the bytes from `start` up to `stop`, verified. Raises `Damaged`, `UnknownKey`, `NotFound`."""
        with self._unless_deleted():
            if (start, stop) == (0, self.size):
                return self.storage.read(self._envelope())
            return b"".join(self._reader().pieces(start, stop))

    @property
    def fetches_quickly(self) -> bool:
        """Whether `fetch` is a short read of the catalog and no more."""
        return self.storage.fetches_quickly

    def fetch(self) -> BlobOpening:
        """Return all of the object with what opens it. Raises `Damaged`, `UnknownKey`, `NotFound`."""
        with self._unless_deleted():
            return self.storage.fetch(self._envelope())

    def pieces(self, start: int, stop: int) -> Iterator[bytes | bytearray]:
        """Yield the same in pieces; most damage is raised before the first of them."""
        reader = self.open()
        with self._unless_deleted():
            reader.check_ends()
            yield from reader.pieces(start, stop)

    def open(self) -> OpeningReader:
        """Return a seekable reader of the object. Raises `Damaged`, `UnknownKey`, `NotFound` once it is deleted."""
        with self._unless_deleted():
            return self._reader()

    def _reader(self) -> OpeningReader:
        return self.storage.open(self._envelope())

    def _envelope(self) -> Blob:
        """Return the envelope of the object, or of the one that its content was sealed anew in since the look."""
        try:
            blob = self.storage.envelope(self.blob_id)
        except NotFound:
            present = self.storage.object_of(self.owner.family, self.row_id)
            if present == self.blob_id:
                raise
            blob = self.storage.envelope(present)
        return self.owner.claim(blob)

    @contextmanager
    def _unless_deleted(self) -> Iterator[None]:
        """Have an object that was deleted between two looks be missing, not damaged."""
        try:
            yield
        except BlobMissing:
            self._envelope()
            raise
