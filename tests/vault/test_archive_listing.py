"""Listing what lies in an archive."""

from __future__ import annotations

import pytest

from tests.vault.test_archives import File
from tests.zips import Made, archive, built
from vault import archive_listing
from vault.archive_listing import listing
from vault.archives import Archive
from vault.errors import BadArchive, NotFound

FILES = {"b.txt": b"12", "a/x/1": b"1", "a/x/2": b"22", "a/y": b"", "z/": b"", "z/1": b""}


def paths(data: bytes, folder: str = "", *, recursive: bool = False) -> list[str]:
    """Return the paths listed, folders with a slash behind."""
    found = listing(Archive(File(data)), folder, recursive=recursive)
    return [each.path + ("/" if each.is_folder else "") for each in found]


class TestListing:
    @pytest.mark.parametrize(
        ("folder", "listed"),
        [
            ("", ["a/", "z/", "b.txt"]),
            ("/", ["a/", "z/", "b.txt"]),
            ("a", ["a/x/", "a/y"]),
            ("a/", ["a/x/", "a/y"]),
            ("a/x", ["a/x/1", "a/x/2"]),
            ("z", ["z/1"]),
        ],
    )
    def test_tells_what_lies_in_a_folder_folders_first(self, folder: str, listed: list[str]) -> None:
        assert paths(archive(FILES), folder) == listed

    def test_tells_all_entries_below_when_asked(self) -> None:
        assert paths(archive(FILES), recursive=True) == ["z/", "a/x/1", "a/x/2", "a/y", "b.txt", "z/1"]
        assert paths(archive(FILES), "a", recursive=True) == ["a/x/1", "a/x/2", "a/y"]

    @pytest.mark.parametrize("folder", ["nix", "a/x/1", "A", "b.txt", ".."])
    def test_refuses_a_folder_that_is_not_there(self, folder: str) -> None:
        with pytest.raises(NotFound):
            paths(archive(FILES), folder)

    def test_of_an_empty_archive_is_empty(self) -> None:
        assert paths(archive({})) == []

    def test_tells_an_entry_once_and_the_first_of_two(self) -> None:
        data = built([Made(b"a", b"first"), Made(b"a", b"2"), Made(b"f/1"), Made(b"f/", attributes=0o40755 << 16)])

        found = {each.path: each for each in listing(Archive(File(data)), "", recursive=False)}

        assert sorted(found) == ["a", "f"]
        assert found["a"].entry is not None
        assert found["a"].entry.size == 5

    def test_reads_old_names_in_the_code_page_of_their_time(self) -> None:
        assert paths(built([Made(b"\x84.txt"), Made(b"\xc3\xa4.md")])) == ["ä.md", "ä.txt"]

    def test_refuses_more_names_than_should_be_in_memory(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(archive_listing, "NAMES_LIMIT", 1000)
        data = built(Made(b"%04d" % number * 100) for number in range(3))

        with pytest.raises(BadArchive):
            paths(data)
