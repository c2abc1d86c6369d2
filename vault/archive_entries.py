"""The content of one entry of a zip archive, unpacked as it is read: in pieces, and never more than it said it was."""

from __future__ import annotations

import hashlib
import zlib
from typing import TYPE_CHECKING

from vault.archives import DEFLATED, LARGEST_RATIO, STORED
from vault.contents import WHOLE_LIMIT
from vault.errors import BadArchive

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from vault.archives import Archive, Entry, Readable

INFLATED_AT_ONCE = 256 * 1024
DEFLATED_AT_ONCE = 16 * 1024
"""What zlib has not taken yet is copied at each turn: little of it at a time."""
ENCRYPTED = 0x0001 | 0x0040 | 0x2000


def entry_tag(checksum: str, name: bytes) -> str:
    """Return the tag of the entry `name` of the archive with this checksum: both make it what it is."""
    return hashlib.sha256(checksum.encode() + b":" + name).hexdigest()


class EntryContent:
    """The bytes of an entry. Raises `BadArchive` when they cannot be had, here or at the latest before the last piece.

    Nobody gets all of an entry that is damaged: the last piece is held back until length and CRC are known to be right.
    """

    def __init__(self, file: Readable, archive: Archive, entry: Entry, tag: str) -> None:
        _refuse_impossible(entry)
        self._file = file
        self._entry = entry
        self._place = archive.place(entry)
        self.tag = tag

    @property
    def size(self) -> int:
        """Return the unpacked length, as the directory tells it."""
        return self._entry.size

    @property
    def ranges(self) -> bool:
        """Say whether a part can be had: of what is not deflated, or small enough to be unpacked whole."""
        return self._entry.method == STORED or self.size <= WHOLE_LIMIT

    def read(self, start: int, stop: int) -> bytes:
        """Return the bytes from `start` up to `stop`. Raises `BadArchive`."""
        if self._entry.method == STORED and (start, stop) != (0, self.size):
            return b"".join(self._stored(start, stop))
        return b"".join(self._checked())[start:stop]

    def pieces(self, start: int, stop: int) -> Iterator[bytes | bytearray]:
        """Yield the same in pieces; only of what has `ranges` another range than all."""
        if (start, stop) == (0, self.size):
            return self._checked()
        return self._stored(start, stop)

    def _stored(self, start: int, stop: int) -> Iterator[bytearray]:
        return self._file.pieces(self._place[0] + start, self._place[0] + stop)

    def _checked(self) -> Iterator[bytes | bytearray]:
        packed = self._file.pieces(*self._place)
        unpacked = packed if self._entry.method == STORED else _inflated(packed)
        return _verified(unpacked, self._entry)


def _refuse_impossible(entry: Entry) -> None:
    if entry.flags & ENCRYPTED:
        raise BadArchive("the entry is encrypted")
    if entry.method not in (STORED, DEFLATED):
        raise BadArchive(f"the entry is packed by a method that is not known here ({entry.method})")
    most = entry.packed_size * (LARGEST_RATIO if entry.method == DEFLATED else 1)
    if entry.size > most or (entry.method == STORED and entry.size != most):
        raise BadArchive("the entry cannot have the size that the archive says")


def _inflated(packed: Iterable[bytearray]) -> Iterator[bytes]:
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        for piece in packed:
            for at in range(0, len(piece), DEFLATED_AT_ONCE):
                yield from _inflated_piece(inflater, bytes(piece[at : at + DEFLATED_AT_ONCE]))
    except zlib.error as error:
        raise BadArchive("the entry is damaged") from error


def _inflated_piece(inflater: zlib._Decompress, data: bytes) -> Iterator[bytes]:
    """Yield what the inflater makes of the data, some at a time; what it still holds back comes with an empty call."""
    full = True
    while (data or full) and not inflater.eof:
        out = inflater.decompress(data, INFLATED_AT_ONCE)
        data, full = inflater.unconsumed_tail, len(out) == INFLATED_AT_ONCE
        if out:
            yield out


def _verified(pieces: Iterable[bytes | bytearray], entry: Entry) -> Iterator[bytes | bytearray]:
    """Yield the pieces; the last only when all have the length and the CRC of the entry, and never more than that."""
    held: bytes | bytearray = b""
    size = crc = 0
    for piece in pieces:
        size += len(piece)
        if size > entry.size:
            raise BadArchive("the entry is larger than the archive says")
        crc = zlib.crc32(piece, crc)
        if held:
            yield held
        held = piece
    if size != entry.size or crc != entry.crc32:
        raise BadArchive("the entry is damaged")
    if held:
        yield held
