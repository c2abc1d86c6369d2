"""Zip archives for tests: good ones by the standard library, and ones that lie, written field by field."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

STORED, DEFLATED = zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED


def archive(files: Mapping[str, bytes], method: int = DEFLATED, comment: bytes = b"") -> bytes:
    """Return a zip archive of the files."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", method) as target:
        target.comment = comment
        for name, content in files.items():
            target.writestr(name, content)
    return made.getvalue()


@dataclass
class Made:
    """One entry as it is to be written; what is None is told truly."""

    name: bytes
    content: bytes = b""
    method: int = DEFLATED
    flags: int = 0
    size: int | None = None
    packed_size: int | None = None
    crc32: int | None = None
    offset: int | None = None
    attributes: int = 0o100644 << 16
    system: int = 3
    packed: bytes | None = None
    extra: bytes = b""
    local_signature: bytes = b"PK\3\4"


def built(entries: Iterable[Made], records: int | None = None, comment: bytes = b"") -> bytes:
    """Return an archive with these entries; `records` are told in its end."""
    body, directory, count = bytearray(), bytearray(), 0
    for entry in entries:
        packed = entry.packed if entry.packed is not None else _packed(entry)
        sizes = (
            entry.crc32 if entry.crc32 is not None else zlib.crc32(entry.content),
            entry.packed_size if entry.packed_size is not None else len(packed),
            entry.size if entry.size is not None else len(entry.content),
        )
        offset = entry.offset if entry.offset is not None else len(body)
        common = struct.pack("<HHHHIII", entry.flags, entry.method, 0, 33, *sizes)
        body += entry.local_signature + struct.pack("<H", 20) + common + struct.pack("<HH", len(entry.name), 0)
        body += entry.name + packed
        directory += b"PK\1\2" + bytes((20, entry.system)) + struct.pack("<H", 20) + common
        directory += struct.pack("<HHHHHII", len(entry.name), len(entry.extra), 0, 0, 0, entry.attributes, offset)
        directory += entry.name + entry.extra
        count += 1
    told = count if records is None else records
    end = struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, told, told, len(directory), len(body), len(comment))
    return bytes(body + directory + end + comment)


def _packed(entry: Made) -> bytes:
    if entry.method == STORED:
        return entry.content
    deflater = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return deflater.compress(entry.content) + deflater.flush()


def zip64(entries: Mapping[str, bytes]) -> bytes:
    """Return an archive all of whose sizes and offsets stand in zip64 fields, as of one beyond 4 GiB."""
    body, directory = bytearray(), bytearray()
    for text, content in entries.items():
        name = text.encode()
        header = struct.pack("<HHHHIII", 0, STORED, 0, 33, zlib.crc32(content), 0xFFFFFFFF, 0xFFFFFFFF)
        wide = struct.pack("<HHQQQ", 1, 24, len(content), len(content), len(body))
        body += b"PK\3\4" + struct.pack("<H", 45) + header + struct.pack("<HH", len(name), 20)
        body += name + struct.pack("<HHQQ", 1, 16, len(content), len(content)) + content
        directory += b"PK\1\2" + struct.pack("<HH", 45 | 3 << 8, 45) + header
        directory += struct.pack("<HHHHHII", len(name), len(wide), 0, 0, 0, 0, 0xFFFFFFFF) + name + wide
    sizes = (len(entries), len(entries), len(directory), len(body))
    end64 = struct.pack("<4sQHHIIQQQQ", b"PK\6\6", 44, 45, 45, 0, 0, *sizes)
    locator = struct.pack("<4sIQI", b"PK\6\7", 0, len(body) + len(directory), 1)
    end = struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    return bytes(body + directory + end64 + locator + end)
