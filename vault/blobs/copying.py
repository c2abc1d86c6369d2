"""An object from one store into another, whatever they are, with the SHA-256 of its bytes on the way."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from vault.errors import Conflict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vault.blobs import BlobStore

PIECE = 4 * 1024 * 1024


def copy(source: BlobStore, target: BlobStore, blob_id: str, expected: str = "") -> str:
    """Copy an object and return its SHA-256; one that `target` has already is left as it is.

    Raises `Unexpected`, and keeps nothing, when it is not the `expected` one; `BlobMissing`, and what the stores do.
    """
    digest = hashlib.sha256()
    try:
        with target.writer(blob_id) as writer:
            for piece in pieces(source, blob_id):
                digest.update(piece)
                writer.write(piece)
            if expected and digest.hexdigest() != expected:
                raise Unexpected
    except Conflict:
        return digest_of(target, blob_id)
    return digest.hexdigest()


class Unexpected(Exception):
    """The bytes of an object are not those that were to be copied."""


def digest_of(store: BlobStore, blob_id: str) -> str:
    """Return the SHA-256 of an object's stored bytes."""
    digest = hashlib.sha256()
    for piece in pieces(store, blob_id):
        digest.update(piece)
    return digest.hexdigest()


def pieces(store: BlobStore, blob_id: str) -> Iterator[bytes]:
    """Yield an object's stored bytes."""
    size, done = store.size(blob_id), 0
    while done < size and (piece := store.read_at(blob_id, done, min(PIECE, size - done))):
        yield piece
        done += len(piece)
