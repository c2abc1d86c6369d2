"""Entries of archives that lie sealed: what is read, and what is remembered."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.vault.ci import Ci, ci_of
from tests.zips import STORED, archive
from vault.artifact_entries import _Directories
from vault.errors import BadArchive, BlobMissing, NotFound, Tampered

if TYPE_CHECKING:
    from pathlib import Path

    from tests.vault.core import Core
    from vault.models import Artifact


@pytest.fixture
def ci(core: Core) -> Ci:
    return ci_of(core)


def leave(ci: Ci, data: bytes) -> Artifact:
    return ci.artifacts.of_type(ci.job(ci.pipeline(), left=data))


def read(ci: Ci, artifact: Artifact, path: str) -> bytes:
    entry = ci.artifacts.archives.entry(artifact, path)
    return bytes(entry.read(0, entry.size))


class TestEntry:
    @pytest.mark.parametrize("size", [10, 500_000])
    def test_comes_out_of_a_small_and_a_large_object(self, ci: Ci, size: int) -> None:
        content = os.urandom(size)
        artifact = leave(ci, archive({"a": b"1", "b/c": content}, STORED))

        assert read(ci, artifact, "b/c") == content
        assert read(ci, artifact, "a") == b"1"

    def test_is_read_at_few_places_of_the_store(self, ci: Ci, monkeypatch: pytest.MonkeyPatch) -> None:
        files = {f"{number:04}": os.urandom(5000) for number in range(2000)}
        artifact = leave(ci, archive(files, STORED))
        asked: list[int] = []
        read_at = ci.core.blobs.read_at

        def counted(blob_id: str, offset: int, length: int) -> bytes:
            asked.append(length)
            return read_at(blob_id, offset, length)

        monkeypatch.setattr(ci.core.blobs, "read_at", counted)

        assert read(ci, artifact, "1000") == files["1000"]
        assert sum(asked) < artifact.size * 0.06  # the directory, and a segment or two
        asked.clear()
        assert read(ci, artifact, "1500") == files["1500"]
        assert sum(asked) < artifact.size * 0.03  # the directory is known

    def test_is_gone_with_its_archive_though_the_directory_is_known(self, ci: Ci) -> None:
        job = ci.job(ci.pipeline(), left=archive({"a": b"1"}))
        artifact = ci.artifacts.of_type(job)
        assert read(ci, artifact, "a") == b"1"

        ci.artifacts.remove(job)

        with pytest.raises(NotFound):
            read(ci, artifact, "a")

    def test_of_what_is_no_archive_is_refused_each_time(self, ci: Ci) -> None:
        artifact = leave(ci, b"no zip")

        for _ in range(2):
            with pytest.raises(BadArchive):
                read(ci, artifact, "a")

    def test_of_a_damaged_object_is_an_error_of_the_store(self, ci: Ci) -> None:
        artifact = leave(ci, archive({"a": os.urandom(200_000)}, STORED))
        blob = blob_file(ci, artifact)
        sealed = bytearray(blob.read_bytes())
        sealed[100_000] ^= 1
        blob.write_bytes(sealed)

        with pytest.raises(Tampered):
            read(ci, artifact, "a")
        blob.unlink()
        with pytest.raises(BlobMissing):
            read(ci, artifact, "a")


def blob_file(ci: Ci, artifact: Artifact) -> Path:
    return ci.core.folder / "blobs" / artifact.blob_id[:2] / artifact.blob_id


class TestMemoryOfDirectories:
    def test_forgets_what_was_used_longest_ago(self, ci: Ci) -> None:
        known = _Directories(entries=3 * 30)
        archives = ci.artifacts.archives
        artifacts = [leave(ci, archive({f"{number}": b"1"})) for number in range(4)]
        directories = [
            archives._open(artifact, ci.artifacts.content(artifact).open()).directory for artifact in artifacts
        ]

        for number in (0, 1, 2):
            known.remember(str(number), directories[number])
        known.get("0")
        known.remember("3", directories[3])

        assert [known.get(str(number)) is not None for number in range(4)] == [True, False, True, True]

    def test_forgets_small_ones_too_when_they_are_many(self, ci: Ci) -> None:
        known = _Directories(archives=100)
        artifact = leave(ci, archive({"a": b"1"}))
        directory = ci.artifacts.archives._open(artifact, ci.artifacts.content(artifact).open()).directory

        for number in range(1000):
            known.remember(str(number), directory)

        assert [number for number in range(1000) if known.get(str(number))] == list(range(900, 1000))
