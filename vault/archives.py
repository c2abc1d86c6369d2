"""The directory of a zip archive, read in place: where an entry lies is found without unpacking anything.

https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT. Archives come from jobs and may be hostile: every length
in them is a claim that is checked, nothing is read because an archive says so, and names are compared as bytes and
never become paths.
"""

from __future__ import annotations

import stat
from array import array
from contextlib import suppress
from dataclasses import dataclass
from struct import Struct
from typing import TYPE_CHECKING, Protocol

from vault.errors import BadArchive, NotFound

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ENTRIES_LIMIT = 100_000
DIRECTORY_LIMIT = 64 * 1024 * 1024
STORED, DEFLATED = 0, 8
# As much as zlib can make of a byte: a larger claim is a lie, whatever the bytes are.
LARGEST_RATIO = 1032

END, END_SIGNATURE = Struct("<4sHHHHIIH"), b"PK\5\6"
LOCATOR, LOCATOR_SIGNATURE = Struct("<4sIQI"), b"PK\6\7"
END64, END64_SIGNATURE = Struct("<4sQHHIIQQQQ"), b"PK\6\6"
RECORD, RECORD_SIGNATURE = Struct("<4sBBHHHHHIIIHHHHHII"), b"PK\1\2"
LENGTHS = Struct("<4s24xHHH12x")
HEADER, HEADER_SIGNATURE = Struct("<4s22xHH"), b"PK\3\4"
EXTRA = Struct("<HH")
ZIP64_EXTRA = 1
FULL16, FULL32 = 0xFFFF, 0xFFFFFFFF
MADE_ON_UNIX = frozenset((3, 19))
COMMENT_LIMIT = 0xFFFF


class Readable(Protocol):
    """A file of `size` bytes whose parts can be read alone."""

    @property
    def size(self) -> int:
        """Return its length."""

    def pieces(self, start: int = 0, stop: int | None = None) -> Iterator[bytearray]:
        """Yield the bytes from `start` up to `stop`."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry as the directory tells of it. `offset` is that of its header in the file."""

    name: bytes
    size: int
    packed_size: int
    crc32: int
    method: int
    flags: int
    mode: int
    offset: int

    @property
    def is_folder(self) -> bool:
        """Say whether it stands for a folder."""
        return self.name.endswith(b"/")

    @property
    def is_link(self) -> bool:
        """Say whether it is a symbolic link, which would lead out of the archive."""
        return stat.S_ISLNK(self.mode)


@dataclass(frozen=True, slots=True)
class Directory:
    """What was learned of an archive by reading its directory once: some bytes an entry, so that it can be kept.

    `base` is what offsets in it count from. `hashes` and `places` have one value an entry, of its name and of where its
    record lies.
    """

    start: int
    stop: int
    base: int
    hashes: array[int]
    places: array[int]

    def places_of(self, name: bytes) -> Iterator[int]:
        """Yield where records may lie that bear this name, in order; a few others may be among them."""
        wanted, at = hash(name), -1
        with suppress(ValueError):
            while True:
                at = self.hashes.index(wanted, at + 1)
                yield self.places[at]


class Archive:
    """The zip archive in `file`, whose directory may be known already. Raises `BadArchive` when it is none."""

    def __init__(self, file: Readable, directory: Directory | None = None) -> None:
        self._file = file
        self.directory = read_directory(file) if directory is None else directory

    def find(self, name: bytes) -> Entry:
        """Return the first entry that is called exactly `name` and is a file. Raises `NotFound`, `BadArchive`."""
        entry = next((each for each in map(self._at, self.directory.places_of(name)) if each.name == name), None)
        if entry is None:
            raise NotFound(reason="there is no such entry in the archive")
        if entry.is_folder:
            raise NotFound(reason="the entry is a folder")
        if entry.is_link:
            raise NotFound(reason="the entry is a symbolic link")
        return entry

    def entries(self) -> Iterator[Entry]:
        """Yield all entries in the directory's order."""
        for record in _split(self._file.pieces(self.directory.start, self.directory.stop)):
            yield _entry(record, self.directory.base)

    def place(self, entry: Entry) -> tuple[int, int]:
        """Return the offsets between which an entry's packed bytes lie. Raises `BadArchive` when they cannot."""
        header = _read(self._file, entry.offset, HEADER.size)
        if len(header) == HEADER.size:
            signature, name, extra = HEADER.unpack(header)
            start = entry.offset + HEADER.size + name + extra
            if signature == HEADER_SIGNATURE and start + entry.packed_size <= self._file.size:
                return start, start + entry.packed_size
        raise BadArchive("the entry lies outside of the archive")

    def _at(self, place: int) -> Entry:
        _, name, extra, _ = LENGTHS.unpack(_read(self._file, place, RECORD.size))
        return _entry(_read(self._file, place, RECORD.size + name + extra), self.directory.base)


def read_directory(file: Readable) -> Directory:
    """Read an archive's directory once. Raises `BadArchive`."""
    start, stop, records, base = _find_directory(file)
    hashes, places, place = array("q"), array("Q"), start
    for record in _split(file.pieces(start, stop)):
        hashes.append(hash(record[RECORD.size : RECORD.size + LENGTHS.unpack_from(record)[1]]))
        places.append(place)
        if len(places) > ENTRIES_LIMIT:
            raise BadArchive(f"the archive has more than {ENTRIES_LIMIT} entries")
        place += len(record)
    # Counts of 16 bits run over; the entries are there all the same.
    if (len(places) ^ records) & FULL16:
        raise BadArchive("the archive's directory is broken")
    return Directory(start, stop, base, hashes, places)


def _split(pieces: Iterable[bytearray]) -> Iterator[bytes]:
    """Yield the records that the pieces hold, up to the first byte that belongs to none."""
    held, at = bytearray(), 0
    for piece in pieces:
        held, at = held[at:] + piece, 0
        while len(held) - at >= RECORD.size:
            signature, name, extra, comment = LENGTHS.unpack_from(held, at)
            if signature != RECORD_SIGNATURE:
                return
            end = at + RECORD.size + name + extra + comment
            if end > len(held):
                break
            yield bytes(held[at:end])
            at = end


def _read(file: Readable, offset: int, length: int) -> bytes:
    """Return the bytes from `offset` on, fewer where the file ends, none outside of it."""
    if not 0 <= offset <= file.size:
        return b""
    return b"".join(file.pieces(offset, min(offset + length, file.size)))


def _find_directory(file: Readable) -> tuple[int, int, int, int]:
    """Return where the directory begins and ends, how many records it has, and what offsets in it count from."""
    end_at, fields = _find_end(file)
    _, _, _, _, records, size, offset, _ = fields
    stop = end_at
    if records == FULL16 or FULL32 in (size, offset):
        found = _find_end64(file, end_at)
        if found is not None:
            stop, records, size, offset = found
    start = stop - size
    if start < 0:
        raise BadArchive("the archive's directory is broken")
    if size > DIRECTORY_LIMIT:
        raise BadArchive(f"the archive's directory is larger than {DIRECTORY_LIMIT} bytes")
    base = start - offset
    if base and _read(file, offset, 4) == RECORD_SIGNATURE:
        # What lies between directory and end belongs to neither; nothing stands in front of the archive.
        return offset, stop, records, 0
    return start, stop, records, base


def _find_end(file: Readable) -> tuple[int, tuple[int, ...]]:
    """Return the offset of the record that ends every archive, and its fields; a comment may follow it."""
    for length in (1024, COMMENT_LIMIT + END.size):
        start = max(0, file.size - length)
        tail = _read(file, start, length)
        at = tail.rfind(END_SIGNATURE, 0, max(0, len(tail) - END.size + len(END_SIGNATURE)))
        while at >= 0:
            fields = END.unpack_from(tail, at)
            if at + END.size + fields[-1] <= len(tail):
                return start + at, fields
            at = tail.rfind(END_SIGNATURE, 0, at + len(END_SIGNATURE) - 1)
    raise BadArchive("the artifact is no zip archive")


def _find_end64(file: Readable, end_at: int) -> tuple[int, int, int, int] | None:
    """Return offset, entries, size and offset of the directory as zip64 has them; None where it is not used."""
    locator = _read(file, end_at - LOCATOR.size, LOCATOR.size)
    if len(locator) < LOCATOR.size or not locator.startswith(LOCATOR_SIGNATURE):
        return None
    told = LOCATOR.unpack(locator)[2]
    for at in (told, end_at - LOCATOR.size - END64.size):
        record = _read(file, at, END64.size)
        if len(record) == END64.size and record.startswith(END64_SIGNATURE):
            *_, records, size, offset = END64.unpack(record)
            return at, records, size, offset
    raise BadArchive("the archive's directory is broken")


def _entry(record: bytes, base: int) -> Entry:
    """Return what a whole record of the directory tells."""
    fields = RECORD.unpack_from(record)
    _, _, system, _, flags, method, _, _, crc32, packed, size, name, extra, _, _, _, attributes, offset = fields
    tail = record[RECORD.size : RECORD.size + name + extra]
    if FULL32 in (packed, size, offset):
        size, packed, offset = _wide(tail[name:], (size, packed, offset))
    return Entry(
        name=tail[:name],
        size=size,
        packed_size=packed,
        crc32=crc32,
        method=method,
        flags=flags,
        mode=attributes >> 16 if system in MADE_ON_UNIX else 0,
        offset=base + offset,
    )


def _wide(extra: bytes, narrow: tuple[int, ...]) -> Iterator[int]:
    """Yield the values, those that did not fit into 32 bits from the zip64 field, which holds only these, in order."""
    field = _zip64_field(extra)
    at = 0
    for value in narrow:
        if value != FULL32:
            yield value
            continue
        if len(field) < at + 8:
            raise BadArchive("the entry's sizes are not told")
        yield int.from_bytes(field[at : at + 8], "little")
        at += 8


def _zip64_field(extra: bytes) -> bytes:
    at = 0
    while at + EXTRA.size <= len(extra):
        kind, length = EXTRA.unpack_from(extra, at)
        at += EXTRA.size
        if kind == ZIP64_EXTRA:
            return extra[at : at + length]
        at += length
    return b""
