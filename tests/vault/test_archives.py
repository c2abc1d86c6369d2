"""Finding entries in zip archives, good ones and hostile ones."""

from __future__ import annotations

import os
import random
import struct
from typing import TYPE_CHECKING

import pytest

from tests.zips import DEFLATED, STORED, Made, archive, built, zip64
from vault.archive_entries import EntryContent
from vault.archives import ENTRIES_LIMIT, Archive
from vault.errors import BadArchive, NotFound

if TYPE_CHECKING:
    from collections.abc import Iterator

FILES = {"a.txt": b"alpha " * 100, "some/release/file.pdf": b"%PDF-1.7", "empty": b"", "ü/鍵": b"key"}


class File:
    """Bytes that are read in pieces, as a sealed object is; counts what was asked for."""

    def __init__(self, data: bytes, piece: int = 65_536) -> None:
        self._data = data
        self._piece = piece
        self.asked = 0

    @property
    def size(self) -> int:
        return len(self._data)

    def pieces(self, start: int = 0, stop: int | None = None) -> Iterator[bytearray]:
        stop = self.size if stop is None else stop
        assert 0 <= start <= stop <= self.size
        while start < stop:
            end = min(stop, start + self._piece)
            self.asked += end - start
            yield bytearray(self._data[start:end])
            start = end


def content(data: bytes, name: str | bytes, piece: int = 65_536) -> bytes:
    """Return the content of an entry."""
    file = File(data, piece)
    found = Archive(file)
    entry = EntryContent(file, found, found.find(name.encode() if isinstance(name, str) else name), "tag")
    whole = bytes(entry.read(0, entry.size))
    assert b"".join(entry.pieces(0, entry.size)) == whole
    return whole


class TestGoodArchives:
    @pytest.mark.parametrize("method", [STORED, DEFLATED])
    @pytest.mark.parametrize("piece", [1, 7, 65_536])
    def test_give_every_entry(self, method: int, piece: int) -> None:
        data = archive(FILES, method)

        assert {name: content(data, name, piece) for name in FILES} == FILES

    def test_may_be_empty(self) -> None:
        with pytest.raises(NotFound):
            content(archive({}), "a.txt")

    @pytest.mark.parametrize("comment", [b"x", b"PK\5\6" * 20, b"x" * 65_535])
    def test_may_end_in_a_comment(self, comment: bytes) -> None:
        assert content(archive(FILES, comment=comment), "a.txt") == FILES["a.txt"]

    @pytest.mark.parametrize("data", [archive(FILES), zip64(FILES)], ids=["zip", "zip64"])
    def test_may_stand_behind_a_program_that_unpacks_them(self, data: bytes) -> None:
        assert content(b"#!/bin/sh\nexit\n" * 100 + data, "a.txt") == FILES["a.txt"]

    def test_may_have_bytes_between_directory_and_end(self) -> None:
        data = archive(FILES)
        end = data.rindex(b"PK\5\6")

        assert content(data[:end] + b"signature" * 50 + data[end:], "a.txt") == FILES["a.txt"]

    def test_may_use_zip64_throughout(self) -> None:
        assert {name: content(zip64(FILES), name) for name in FILES} == FILES

    def test_may_have_more_entries_than_16_bits_count(self) -> None:
        many = {f"folder/{number}": b"" for number in range(70_000)}
        without_zip64 = built((Made(name.encode()) for name in many), records=70_000 & 0xFFFF)

        for data in (archive(many, STORED), without_zip64):
            assert content(data, "folder/69999") == b""
            with pytest.raises(NotFound):
                content(data, "folder/70000")

    def test_give_the_first_of_two_entries_with_one_name(self) -> None:
        assert content(built([Made(b"a", b"first"), Made(b"a", b"second")]), "a") == b"first"

    def test_may_have_names_that_are_no_text(self) -> None:
        assert content(built([Made(b"\xff\xfe", b"1")]), b"\xff\xfe") == b"1"

    def test_are_found_by_exactly_their_name(self) -> None:
        for name in (
            "A.TXT",
            "/a.txt",
            "./a.txt",
            "a.tx",
            "a.txt/",
            "some",
            "some/release/",
            "some//release/file.pdf",
            "",
        ):
            with pytest.raises(NotFound):
                content(archive(FILES), name)

    def test_have_names_that_lead_nowhere_else(self) -> None:
        assert content(built([Made(b"../../etc/passwd", b"harmless")]), "../../etc/passwd") == b"harmless"

    def test_are_read_at_few_places(self) -> None:
        files = {f"folder/{number}": os.urandom(5000) for number in range(2000)}
        data = archive(files, STORED)
        file = File(data)
        found = Archive(file)
        entry = EntryContent(file, found, found.find(b"folder/1000"), "tag")

        assert entry.read(0, entry.size) == files["folder/1000"]
        assert file.asked < len(data) * 0.02

    def test_are_found_without_reading_a_known_directory_again(self) -> None:
        data = archive({f"folder/{number}": b"" for number in range(2000)}, STORED)
        known, file = Archive(File(data)).directory, File(data)

        Archive(file, known).find(b"folder/1999")

        assert file.asked < 500


class TestEntriesThatAreNotServed:
    @pytest.mark.parametrize(
        ("entry", "reason"),
        [
            (Made(b"a/"), "the entry is a folder"),
            (Made(b"a", b"/etc/passwd", attributes=0o120777 << 16), "the entry is a symbolic link"),
            (Made(b"b"), "there is no such entry in the archive"),
        ],
    )
    def test_are_not_there(self, entry: Made, reason: str) -> None:
        with pytest.raises(NotFound) as caught:
            content(built([entry]), entry.name if entry.name != b"b" else "a")

        assert caught.value.reason == reason

    def test_are_files_where_the_mode_is_not_of_unix(self) -> None:
        assert content(built([Made(b"a", b"1", attributes=0o120777 << 16, system=0)]), "a") == b"1"


LIES = {
    "encrypted": Made(b"a", b"1", flags=1),
    "strongly encrypted": Made(b"a", b"1", flags=0x41),
    "bzip2": Made(b"a", b"1", method=12, packed=b"1"),
    "zstd": Made(b"a", b"1", method=93, packed=b"1"),
    "unknown method": Made(b"a", b"1", method=0xFFFF, packed=b"1"),
    "wrong crc": Made(b"a", b"1", crc32=0),
    "wrong crc, stored": Made(b"a", b"1", method=STORED, crc32=0),
    "larger than it says": Made(b"a", b"1" * 1000, size=999),
    "smaller than it says": Made(b"a", b"1" * 1000, size=1001),
    "says it has nothing": Made(b"a", b"1" * 1000, size=0),
    "more than can be packed so small": Made(b"a", b"1", size=0xFFFFFFFE),
    "stored in other bytes": Made(b"a", b"12", method=STORED, size=1),
    "packed bytes beyond the end": Made(b"a", b"1" * 1000, packed_size=100_000, size=1000),
    "header beyond the end": Made(b"a", b"1", offset=0xFFFFFFF0),
    "header elsewhere": Made(b"a", b"1", offset=1),
    "header in the end record": Made(b"a", b"1", offset=60),
    "no local header": Made(b"a", b"1", local_signature=b"PK\3\5"),
    "cut short": Made(b"a", b"1" * 100_000, packed_size=50),
    "rubbish": Made(b"a", b"1" * 100, packed=b"\xff" * 50),
    "sizes that are not told": Made(b"a", b"1", size=0xFFFFFFFF),
    "zip64 sizes cut short": Made(b"a", b"1", size=0xFFFFFFFF, extra=struct.pack("<HHI", 1, 4, 1)),
    "zip64 sizes beyond reason": Made(b"a", b"1", size=0xFFFFFFFF, extra=struct.pack("<HHQ", 1, 8, 2**63)),
}


class TestHostileEntries:
    @pytest.mark.parametrize("entry", LIES.values(), ids=LIES)
    def test_are_refused_with_a_reason(self, entry: Made) -> None:
        with pytest.raises(BadArchive, match="the entry"):
            content(built([entry]), entry.name)

    @pytest.mark.parametrize("method", [STORED, DEFLATED])
    def test_that_are_damaged_never_come_whole(self, method: int) -> None:
        sent = os.urandom(700_000)
        file = File(built([Made(b"a", sent, method=method, crc32=1)]))
        found = Archive(file)
        pieces = EntryContent(file, found, found.find(b"a"), "tag").pieces(0, len(sent))

        got: list[bytes | bytearray] = []
        with pytest.raises(BadArchive):
            got.extend(pieces)

        assert 0 < sum(map(len, got)) < len(sent)

    def test_that_are_bombs_come_in_small_pieces(self) -> None:
        file = File(archive({"zeros": bytes(300 * 1024 * 1024)}))
        found = Archive(file)
        entry = EntryContent(file, found, found.find(b"zeros"), "tag")

        sizes = [len(piece) for piece in entry.pieces(0, entry.size)]

        assert sum(sizes) == 300 * 1024 * 1024
        assert max(sizes) <= 256 * 1024


class TestHostileDirectories:
    @pytest.mark.parametrize(
        "data",
        [
            b"",
            b"PK",
            b"not an archive" * 10_000,
            b"PK\5\6" * 30_000,
            archive(FILES)[:-1],
            archive(FILES)[:-30],
            built([Made(b"a")], records=2),
            built([Made(b"a")], records=0),
            zip64(FILES).replace(b"PK\6\6", b"PK\6\0"),
            struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, 1, 1, 0x7FFFFFFF, 0, 0),
        ],
    )
    def test_are_refused(self, data: bytes) -> None:
        with pytest.raises(BadArchive):
            content(data, "a")

    def test_of_an_archive_without_its_beginning_are_refused_where_it_matters(self) -> None:
        with pytest.raises(BadArchive, match="outside of the archive"):
            content(archive(FILES)[10:], "a.txt")

    def test_with_too_many_entries_are_refused(self) -> None:
        count = ENTRIES_LIMIT + 1
        with pytest.raises(BadArchive, match="more than 100000 entries"):
            Archive(File(built((Made(b"x") for _ in range(count)), records=count & 0xFFFF)))

    def test_that_are_too_large_are_refused_unread(self) -> None:
        size = 65 * 1024 * 1024
        end = struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, 1, 1, size, 0, 0)
        file = File(bytes(size) + end)

        with pytest.raises(BadArchive, match="directory is larger"):
            Archive(file)
        assert file.asked < 200_000

    def test_that_hide_records_in_comments_and_names_gain_nothing(self) -> None:
        """A name that is itself a record is a name, whatever stands in it."""
        inner = built([Made(b"b", b"hidden")])
        data = built([Made(inner, b"1"), Made(b"b", b"true")])

        assert content(data, "b") == b"true"

    def test_changed_at_any_place_do_no_harm(self) -> None:
        """Whatever is wrong is told as what it is: no other error, and never more than a moment."""
        good = {"zip": archive(FILES), "zip64": zip64(FILES), "stored": archive(FILES, STORED, comment=b"comment")}
        rng = random.Random(5)
        for data in good.values():
            for _ in range(1500):
                changed = bytearray(data)
                for _ in range(rng.randint(1, 4)):
                    changed[rng.randrange(len(data))] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))
                for name in FILES:
                    try:
                        content(bytes(changed), name)
                    except (BadArchive, NotFound):
                        continue
