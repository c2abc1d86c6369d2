"""Reading one sealed object, its damage told with the names of what it belongs to."""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from vault.crypto.layout import SEGMENT_SIZE
from vault.crypto.streaming import OpeningReader
from vault.errors import BlobMissing, Damaged, UnknownKey

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vault.blobs import BlobStore
    from vault.crypto.opening import Fetch, Opening, SmallStream
    from vault.models import Blob


class BlobOpening:
    """Opens one object that is at hand, some of it at a time. Close it."""

    def __init__(self, blob: Blob, opening: Opening) -> None:
        self._blob, self._opening = blob, opening
        self.size = opening.size

    def turns(self, plain: memoryview) -> Iterator[Fetch | None]:
        """Open two MiB each time, as `Opening.turns` does. Raises `Damaged`, `Unavailable`."""
        with naming(self._blob):
            for fetch in self._opening.turns(plain):
                yield None if fetch is None else partial(self._named, fetch)

    def _named(self, fetch: Fetch) -> None:
        with naming(self._blob):
            fetch()

    def close(self) -> None:
        """Let go of what is stored."""
        self._opening.close()


class SmallBlob:
    """Opens one object that is all at hand and small, as often as it is asked."""

    def __init__(self, blob: Blob, stream: SmallStream) -> None:
        self._blob, self._stream = blob, stream

    def read(self) -> bytes:
        """Return the whole plaintext, every byte of it verified. Raises `Damaged`."""
        try:
            return self._stream.open()
        except Damaged:
            with naming(self._blob):
                raise


class BlobReader(OpeningReader):
    """Reads one object from where it lies; damage that shows only now is told with the object's id as well."""

    def __init__(self, blobs: BlobStore, blob: Blob, key: bytes, aad: bytes) -> None:
        self._blob = blob
        sealed = blob.sealed
        if sealed is None:
            run = blobs.read_size // SEGMENT_SIZE
            super().__init__(partial(blobs.read_at, blob.id), blobs.size(blob.id), key, aad, run=run)
        else:
            super().__init__(lambda at, length: sealed[at : at + length], len(sealed), key, aad)

    def _fill(self, offset: int, target: memoryview) -> None:
        with naming(self._blob):
            super()._fill(offset, target)

    def check_ends(self) -> None:
        """Open the first and the last segment, so that most damage shows before the first byte is handed on."""
        with naming(self._blob):
            super().check_ends()


@contextmanager
def naming(blob: Blob) -> Iterator[None]:
    """Have damage that is found in the block name owner, object and key, once, so that its text says where to look."""
    whose = f"{blob.owner}: " if blob.owner else ""
    try:
        yield
    except UnknownKey as error:
        raise UnknownKey(f"{whose}{error}", key_id=error.key_id) from error
    except Damaged as error:
        if error.blob_id and error.key_id:
            raise
        raise type(error)(whose + _located(error, blob), blob_id=blob.id, key_id=blob.kek_id) from error


def _located(error: Damaged, blob: Blob) -> str:
    if isinstance(error, BlobMissing):
        return f"object {blob.id} is missing from the store (key {blob.kek_id})"
    return f"object {blob.id} (key {blob.kek_id}): {error}"
