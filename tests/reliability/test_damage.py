"""Stored bytes and rows changed behind the vault's back: always a clear refusal, never wrong bytes."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.reliability.stored import blob_of, edit, file_of, rows

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.harness import Answer, RunningVault

SMALL, LARGE = 3_000, 200_000  # in its row, in a file of its own


class Stored(NamedTuple):
    """A secure file and what was sent."""

    project: int
    id: int
    name: str
    content: bytes

    @property
    def path(self) -> str:
        return f"/projects/{self.project}/secure_files/{self.id}"


class Shelf:
    """Files of a running vault, and what can be done to them from outside."""

    def __init__(self, vault: RunningVault) -> None:
        self.vault = vault
        self.data = vault.settings.data
        self.project = self.new_project()

    def new_project(self) -> int:
        return int(self.vault.project()["id"])

    def put(self, size: int, project: int | None = None) -> Stored:
        """Upload a file of random bytes."""
        content, project = random.randbytes(size), project or self.project
        name = f"file-{content[:4].hex()}"
        made = self.vault.root.upload(project, name, content)
        assert made.status == 201, made
        return Stored(project, made.json["id"], name, content)

    def download(self, file: Stored) -> Answer:
        return self.vault.root.get(f"{file.path}/download")

    def listing(self, project: int) -> list[dict[str, object]]:
        answer = self.vault.root.get(f"/projects/{project}/secure_files?per_page=100")
        assert answer.status == 200, answer
        return list(answer.json)

    def sealed(self, file: Stored) -> bytes:
        """Return the sealed bytes, wherever they lie."""
        [(inline,)] = rows(self.data, "SELECT sealed FROM blobs WHERE id = ?", blob_of(self.data, file.id))
        return file_of(self.data, file.id).read_bytes() if inline is None else bytes(inline)

    def overwrite(self, file: Stored, sealed: bytes) -> None:
        """Put other sealed bytes in their place."""
        if len(file.content) > SMALL:
            file_of(self.data, file.id).write_bytes(sealed)
        else:
            edit(self.data, "UPDATE blobs SET sealed = ? WHERE id = ?", sealed, blob_of(self.data, file.id))

    def reads(self, file: Stored) -> bool:
        """Whether the file comes down as it was sent."""
        answer = self.download(file)
        return answer.status == 200 and answer.body == file.content


@pytest.fixture
def shelf(vault: RunningVault) -> Shelf:
    return Shelf(vault)


def assert_refused(answer: Answer, file: Stored) -> str:
    """Check that a download is a 500 in JSON that says which file it is and what to do; return its text."""
    assert answer.status == 500, answer
    assert answer.headers["Content-Type"].startswith("application/json")
    text = str(answer.json["message"])
    assert f"secure file {file.id}" in text
    assert "secure-files verify" in text
    assert file.content[:16] not in answer.body
    return text


def flip(at: int) -> Callable[[bytes], bytes]:
    def change(sealed: bytes) -> bytes:
        place = at % len(sealed)
        return sealed[:place] + bytes([sealed[place] ^ 1]) + sealed[place + 1 :]

    return change


DAMAGE = {
    **{f"byte {at} flipped": flip(at) for at in (0, 1, 20, 39, 40, 1_000, -17, -1)},
    "byte in the middle flipped": lambda sealed: flip(len(sealed) // 2)(sealed),
    "emptied": lambda sealed: b"",
    "cut inside the header": lambda sealed: sealed[:20],
    "cut after the header": lambda sealed: sealed[:40],
    "cut in half": lambda sealed: sealed[: len(sealed) // 2],
    "cut by a byte": lambda sealed: sealed[:-1],
    "extended by a byte": lambda sealed: sealed + b"\0",
    "extended by a tag": lambda sealed: sealed + bytes(16),
    "twice": lambda sealed: sealed + sealed,
}
DAMAGE_OF_SEGMENTS = {
    "byte at a border flipped": flip(65_536),
    "cut at a border": lambda sealed: sealed[:65_536],
    "segments exchanged": lambda sealed: sealed[:65_536] + sealed[131_072:196_608] + sealed[65_536:131_072],
    "a segment twice": lambda sealed: sealed[:131_072] + sealed[65_536:],
}


class TestADamagedObject:
    @pytest.mark.parametrize(
        ("size", "damage"),
        [(SMALL, how) for how in DAMAGE] + [(LARGE, how) for how in {**DAMAGE, **DAMAGE_OF_SEGMENTS}],
    )
    def test_is_refused_by_name_and_reads_again_once_put_back(self, shelf: Shelf, size: int, damage: str) -> None:
        file = shelf.put(size)
        whole = shelf.sealed(file)

        shelf.overwrite(file, {**DAMAGE, **DAMAGE_OF_SEGMENTS}[damage](whole))

        text = assert_refused(shelf.download(file), file)
        assert blob_of(shelf.data, file.id) in text
        assert "key k1" in text
        shelf.overwrite(file, whole)
        assert shelf.reads(file)

    def test_that_is_missing_is_refused_by_name_and_reads_again_once_put_back(self, shelf: Shelf) -> None:
        file = shelf.put(LARGE)
        where = file_of(shelf.data, file.id)

        aside = where.rename(shelf.data / "aside")

        text = assert_refused(shelf.download(file), file)
        assert "missing" in text
        assert blob_of(shelf.data, file.id) in text
        aside.rename(where)
        assert shelf.reads(file)

    @pytest.mark.parametrize("size", [SMALL, LARGE])
    def test_gives_no_range_of_itself_and_no_metadata(self, shelf: Shelf, size: int) -> None:
        file = shelf.put(size)
        shelf.overwrite(file, flip(-1)(shelf.sealed(file)))
        root = shelf.vault.root

        assert_refused(root.get(f"{file.path}/download", headers={"Range": "bytes=0-9"}), file)
        assert_refused(root.post(f"{file.path}/metadata", json={}), file)

    @pytest.mark.parametrize("size", [SMALL, LARGE])
    def test_costs_the_lists_and_the_other_files_nothing(self, shelf: Shelf, size: int) -> None:
        file, other = shelf.put(size), shelf.put(size)
        before = shelf.listing(file.project)

        shelf.overwrite(file, b"rubbish")

        assert shelf.listing(file.project) == before
        assert shelf.vault.root.get(file.path).status == 200
        assert shelf.reads(other)

    @pytest.mark.parametrize("size", [SMALL, LARGE])
    def test_can_be_replaced_and_deleted(self, shelf: Shelf, size: int) -> None:
        replaced, deleted = shelf.put(size), shelf.put(size)
        for file in (replaced, deleted):
            shelf.overwrite(file, b"rubbish")

        put = shelf.vault.root.put(replaced.path, files={"file": ("new", b"new content")})
        gone = shelf.vault.root.delete(deleted.path)

        assert (put.status, gone.status) == (200, 204)
        assert shelf.download(replaced).body == b"new content"


class TestExchangedObjects:
    @pytest.mark.parametrize("size", [SMALL, LARGE])
    @pytest.mark.parametrize("across", [False, True], ids=["of one project", "of two projects"])
    def test_are_both_refused(self, shelf: Shelf, size: int, across: bool) -> None:
        one = shelf.put(size)
        two = shelf.put(size, shelf.new_project() if across else None)
        sealed = shelf.sealed(one), shelf.sealed(two)

        shelf.overwrite(one, sealed[1])
        shelf.overwrite(two, sealed[0])

        assert_refused(shelf.download(one), one)
        assert_refused(shelf.download(two), two)

    @pytest.mark.parametrize("size", [SMALL, LARGE])
    def test_an_older_version_in_the_place_of_the_present_one_is_refused(self, shelf: Shelf, size: int) -> None:
        file = shelf.put(size)
        older = shelf.sealed(file)
        now = file._replace(content=random.randbytes(size))
        assert shelf.vault.root.put(file.path, files={"file": ("new", now.content)}).status == 200

        shelf.overwrite(now, older)

        assert_refused(shelf.download(now), file)


ENVELOPE_EDITS = {
    "size": "UPDATE blobs SET size = size + 1 WHERE id = ?",
    "size, not a number": "UPDATE blobs SET size = 'many' WHERE id = ?",
    "size, negative": "UPDATE blobs SET size = -1 WHERE id = ?",
    "sha256": "UPDATE blobs SET sha256 = replace(sha256, substr(sha256, 1, 1), 'x') WHERE id = ?",
    "sha256 of something else": f"UPDATE blobs SET sha256 = '{'0' * 64}' WHERE id = ?",
    "wrapped key": "UPDATE blobs SET wrapped = zeroblob(length(wrapped)) WHERE id = ?",
    "wrapped key, emptied": "UPDATE blobs SET wrapped = x'' WHERE id = ?",
    "commitment": "UPDATE blobs SET commitment = zeroblob(32) WHERE id = ?",
    "family": "UPDATE blobs SET family = 'uploads' WHERE id = ?",
    "project": "UPDATE blobs SET project_id = project_id + 1 WHERE id = ?",
    "algorithm": "UPDATE blobs SET alg = 2 WHERE id = ?",
}
ROW_EDITS = {
    "checksum": f"UPDATE secure_files SET checksum = '{'0' * 64}' WHERE id = ?",
    "size": "UPDATE secure_files SET size = size + 1 WHERE id = ?",
    "object that is not there": "UPDATE secure_files SET blob_id = lower(hex(randomblob(16))) WHERE id = ?",
    "no object's id": "UPDATE secure_files SET blob_id = '../../../etc/passwd' || id WHERE id = ?",
}


class TestAChangedRow:
    @pytest.mark.parametrize("size", [SMALL, LARGE])
    @pytest.mark.parametrize("what", ENVELOPE_EDITS)
    def test_of_an_object_is_refused(self, shelf: Shelf, size: int, what: str) -> None:
        file = shelf.put(size)

        edit(shelf.data, ENVELOPE_EDITS[what], blob_of(shelf.data, file.id))

        assert_refused(shelf.download(file), file)
        assert shelf.reads(shelf.put(size)), "the vault goes on"

    @pytest.mark.parametrize("size", [SMALL, LARGE])
    @pytest.mark.parametrize("what", ROW_EDITS)
    def test_of_a_file_is_refused(self, shelf: Shelf, size: int, what: str) -> None:
        file = shelf.put(size)

        edit(shelf.data, ROW_EDITS[what], file.id)

        assert_refused(shelf.download(file), file)

    @pytest.mark.parametrize("size", [SMALL, LARGE])
    @pytest.mark.parametrize("across", [False, True], ids=["of its project", "of another project"])
    def test_that_points_to_another_files_object_is_refused(self, shelf: Shelf, size: int, across: bool) -> None:
        file = shelf.put(size)
        other = shelf.put(size, shelf.new_project() if across else None)
        objects = blob_of(shelf.data, file.id), blob_of(shelf.data, other.id)

        for number, blob_id in ((other.id, f"taken-from-{other.id}"), (file.id, objects[1]), (other.id, objects[0])):
            edit(shelf.data, "UPDATE secure_files SET blob_id = ? WHERE id = ?", blob_id, number)

        assert_refused(shelf.download(file), file)
        assert_refused(shelf.download(other), other)

    @pytest.mark.parametrize("size", [SMALL, LARGE])
    def test_made_to_fit_a_strangers_object_in_every_column_is_refused(self, shelf: Shelf, size: int) -> None:
        secret, mine = shelf.put(size), shelf.put(size, shelf.new_project())
        [told] = rows(shelf.data, "SELECT blob_id, checksum, size FROM secure_files WHERE id = ?", secret.id)
        edit(shelf.data, "DELETE FROM secure_files WHERE id = ?", secret.id)

        edit(shelf.data, "UPDATE secure_files SET blob_id = ?, checksum = ?, size = ? WHERE id = ?", *told, mine.id)

        answer = shelf.download(mine)
        assert_refused(answer, mine)
        assert secret.content[:16] not in answer.body

    @pytest.mark.parametrize("size", [SMALL, LARGE])
    def test_that_moved_to_another_project_is_refused_there(self, shelf: Shelf, size: int) -> None:
        file = shelf.put(size)
        mine = shelf.new_project()

        edit(shelf.data, "UPDATE secure_files SET project_id = ? WHERE id = ?", mine, file.id)

        assert_refused(shelf.download(file._replace(project=mine)), file)

    @pytest.mark.parametrize("size", [SMALL, LARGE])
    def test_with_an_unknown_key_is_refused_naming_file_and_key(self, shelf: Shelf, size: int) -> None:
        file = shelf.put(size)

        edit(shelf.data, "UPDATE blobs SET kek_id = 'k9' WHERE id = ?", blob_of(shelf.data, file.id))

        answer = shelf.download(file)
        assert answer.status == 500
        assert f"secure file {file.id}" in answer.json["message"]
        assert "k9" in answer.json["message"]
