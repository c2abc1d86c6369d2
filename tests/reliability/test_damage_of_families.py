"""What is stored of every family, changed or exchanged behind the vault's back: refused by name, never wrong bytes."""

from __future__ import annotations

import random
from base64 import b64encode
from itertools import permutations
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.reliability.stored import edit, rows
from tests.reliability.test_damage import DAMAGE, DAMAGE_OF_SEGMENTS
from tests.server.repository_support import Repository
from tests.zips import STORED, archive

if TYPE_CHECKING:
    from pathlib import Path

    from tests.harness import Answer, RunningVault

SMALL, LARGE = 3_000, 200_000  # in its row, in a file of its own
FAMILIES = ("secure_files", "uploads", "artifacts", "lfs_objects")
EVERY = pytest.mark.parametrize("family", FAMILIES)
OF_SIZES = pytest.mark.parametrize("size", [SMALL, LARGE])


class Object(NamedTuple):
    """What one request stored, and how it is had."""

    vault: RunningVault
    path: str
    content: bytes
    blob: str

    @property
    def file(self) -> Path:
        """Where its sealed bytes lie when they are in a file."""
        return self.vault.settings.data / "blobs" / self.blob[:2] / self.blob

    @property
    def sealed(self) -> bytes:
        [(inline,)] = rows(self.vault.settings.data, "SELECT sealed FROM blobs WHERE id = ?", self.blob)
        return self.file.read_bytes() if inline is None else bytes(inline)

    def overwrite(self, sealed: bytes) -> None:
        """Put other sealed bytes in their place, wherever that is."""
        if self.file.exists():
            self.file.write_bytes(sealed)
        else:
            edit(self.vault.settings.data, "UPDATE blobs SET sealed = ? WHERE id = ?", sealed, self.blob)

    def download(self) -> Answer:
        return self.vault.root.get(self.path)


def put(vault: RunningVault, family: str, size: int) -> Object:
    """Store random bytes as one of a family."""
    before = {row[0] for row in rows(vault.settings.data, "SELECT id FROM blobs")}
    repository = Repository(vault)
    project, content = repository.id, random.randbytes(size)
    own = f"/projects/{project}"
    if family == "secure_files":
        path = f"{own}/secure_files/{vault.root.upload(project, 'file', content).json['id']}/download"
    elif family == "uploads":
        made = vault.root.post(f"{own}/uploads", files={"file": ("file", content)})
        path = f"{own}/uploads/{made.json['id']}"
    elif family == "lfs_objects":
        repository.post(".gitattributes", "file filter=lfs")
        repository.post("file", b64encode(content).decode(), encoding="base64")
        path = repository.at("file", "/raw", lfs="true")
    else:
        content = archive({"file": content}, STORED)
        job, client = vault.job(vault.root, project)
        assert client.post(f"/jobs/{job['id']}/artifacts", files={"file": ("a.zip", content)}).status == 201
        path = f"{own}/jobs/{job['id']}/artifacts"
    (blob,) = {row[0] for row in rows(vault.settings.data, "SELECT id FROM blobs")} - before
    stored = Object(vault, path, content, blob)
    assert stored.download().body == content
    return stored


def assert_refused(stored: Object) -> None:
    answer = stored.download()
    assert answer.status == 500, answer
    assert "secure-files verify" in answer.json["message"]
    assert stored.content[100:116] not in answer.body


@EVERY
@OF_SIZES
def test_every_damage_is_refused_and_what_is_put_back_is_whole(vault: RunningVault, family: str, size: int) -> None:
    stored = put(vault, family, size)
    whole = stored.sealed

    for damage in ({**DAMAGE, **DAMAGE_OF_SEGMENTS} if size == LARGE else DAMAGE).values():
        stored.overwrite(damage(whole))
        assert_refused(stored)

    stored.overwrite(whole)
    assert stored.download().body == stored.content


@EVERY
@pytest.mark.parametrize("other", FAMILIES)
@OF_SIZES
def test_bytes_of_another_object_are_refused(vault: RunningVault, family: str, other: str, size: int) -> None:
    one, two = put(vault, family, size), put(vault, other, size)
    sealed = one.sealed, two.sealed

    one.overwrite(sealed[1])
    two.overwrite(sealed[0])

    assert_refused(one)
    assert_refused(two)


@pytest.mark.parametrize(("family", "other"), list(permutations(FAMILIES, 2)))
def test_a_row_that_points_to_another_object_is_refused(vault: RunningVault, family: str, other: str) -> None:
    one, two = put(vault, family, LARGE), put(vault, other, LARGE)
    data = vault.settings.data
    # A Git LFS object has its checksum for a name: one of another name would not be found.
    which = one.blob if family == "lfs_objects" else two.blob
    [(size, sha256)] = rows(data, "SELECT size, sha256 FROM blobs WHERE id = ?", which)

    edit(
        data,
        f"UPDATE {family} SET blob_id = ?, size = ?, checksum = ? WHERE blob_id = ?",
        *(two.blob, size, sha256, one.blob),
    )

    assert_refused(one)
