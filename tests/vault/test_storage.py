"""The barrier: what goes in comes out the same, nothing below sees it, and nothing that was changed comes out."""

from __future__ import annotations

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from tests.engines import files
from tests.vault.core import LARGE, Core, opened
from vault.errors import BadKeyring, BlobMissing, Damaged, NotFound, Tampered, Truncated, Unavailable, UnknownKey

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SMALL = LARGE - 1
FIVE_MIB = 5 * 1024 * 1024
SIZES = (0, 1, SMALL, LARGE, 2 * 65520, FIVE_MIB)
EITHER_PLACE = pytest.mark.parametrize("size", [100, LARGE], ids=["in the row", "in a file"])
FAMILY = "secure_files"


@pytest.fixture(params=["files", "memory"])
def stored(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Core]:
    """A vault with each kind of blob store."""
    with opened(tmp_path / "data", "memory:" if request.param == "memory" else "") as core:
        yield core


def blob_file(core: Core, blob_id: str) -> Path:
    return core.folder / "blobs" / blob_id[:2] / blob_id


def files_below(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


class TestPut:
    """What is put comes out again, from the row or from the store."""

    @pytest.mark.parametrize("size", SIZES)
    def test_every_size_comes_out_as_it_went_in(self, stored: Core, size: int) -> None:
        plain = os.urandom(size)
        blob = stored.keep(plain)

        assert (blob.size, blob.checksum) == (size, hashlib.sha256(plain).hexdigest())
        assert stored.content(blob.id) == plain
        assert stored.storage.open(stored.storage.envelope(blob.id)).read() == plain

    def test_up_to_64_kib_it_lies_in_the_row_and_above_in_the_store(self, stored: Core) -> None:
        small, large = stored.keep(bytes(SMALL)), stored.keep(bytes(LARGE))

        assert stored.storage.envelope(small.id).sealed is not None
        assert stored.storage.envelope(large.id).sealed is None
        assert list(stored.blobs.ids()) == [large.id]

    def test_pieces_make_the_same_object_as_the_whole(self, stored: Core) -> None:
        plain, piece = os.urandom(3 * SMALL), bytearray(1000)
        with stored.storage.writer(FAMILY, 1) as writer:
            for start in range(0, len(plain), len(piece)):
                piece[:] = plain[start : start + len(piece)].ljust(len(piece), b"\0")
                # The buffer is used again for the next piece, as a socket's reader does.
                writer.write(memoryview(piece)[: len(plain) - start])
            blob = writer.finish()
        stored.database.write(lambda tx: stored.storage.insert(tx, blob))

        assert blob.checksum == hashlib.sha256(plain).hexdigest()
        assert stored.content(blob.id) == plain

    @files
    @EITHER_PLACE
    def test_no_file_of_the_vault_holds_the_plaintext(self, core: Core, size: int) -> None:
        plain = (b"the private key of the app " * (size // 27 + 1))[:size]
        core.keep(plain)

        searched = files_below(core.folder)
        assert core.catalog_file in searched
        assert not [path for path in searched if b"private key of the app" in path.read_bytes()]

    @EITHER_PLACE
    def test_the_same_content_twice_is_two_objects_that_have_nothing_in_common(self, stored: Core, size: int) -> None:
        one, two = (stored.storage.envelope(stored.keep(bytes(size)).id) for _ in range(2))

        assert one.id != two.id
        assert one.wrapped != two.wrapped
        assert one.commitment != two.commitment
        if one.sealed is not None:
            assert one.sealed != two.sealed
        else:
            assert stored.blobs.read_at(one.id, 0, LARGE) != stored.blobs.read_at(two.id, 0, LARGE)

    def test_an_object_without_its_row_is_not_there(self, stored: Core) -> None:
        blob = stored.storage.put(FAMILY, 1, bytes(LARGE))

        with pytest.raises(NotFound):
            stored.storage.envelope(blob.id)

    def test_many_writers_at_once_do_not_mix_their_objects(self, core: Core) -> None:
        contents = [os.urandom(size) for size in (0, 100, SMALL, LARGE, 300_000) for _ in range(8)]
        with ThreadPoolExecutor(8) as pool:
            blobs = list(pool.map(core.keep, contents))
            found = list(pool.map(core.content, [blob.id for blob in blobs]))

        assert found == contents
        assert len({blob.id for blob in blobs}) == len(contents)


class TestUnfinished:
    """An object that was not finished leaves nothing behind."""

    @EITHER_PLACE
    def test_nothing_is_left_when_the_block_raises(self, core: Core, size: int) -> None:
        def broken_upload() -> None:
            with core.storage.writer(FAMILY, 1) as writer:
                writer.write(bytes(size))
                raise ConnectionResetError

        with pytest.raises(ConnectionResetError):
            broken_upload()
        assert files_below(core.folder / "blobs") == []

    @EITHER_PLACE
    def test_nothing_is_left_when_the_block_ends_without_finish(self, core: Core, size: int) -> None:
        with core.storage.writer(FAMILY, 1) as writer:
            writer.write(bytes(size))

        assert files_below(core.folder / "blobs") == []

    def test_memory_keeps_nothing_of_it_either(self, tmp_path: Path) -> None:
        with opened(tmp_path / "data", "memory:") as core:
            with core.storage.writer(FAMILY, 1) as writer:
                writer.write(bytes(LARGE))

            assert list(core.blobs.ids()) == []

    @EITHER_PLACE
    def test_nothing_is_left_when_the_key_cannot_be_wrapped(self, core: Core, size: int) -> None:
        core.keyring_file.unlink()

        with pytest.raises(BadKeyring, match=r"keyring\.json"):
            core.storage.put(FAMILY, 1, bytes(size))
        assert files_below(core.folder / "blobs") == []

    def test_a_store_that_is_away_is_said_and_leaves_nothing(self, core: Core) -> None:
        blobs = core.folder / "blobs"
        blobs.rename(core.folder / "unmounted")

        with pytest.raises(Unavailable):
            core.storage.put(FAMILY, 1, bytes(LARGE))
        assert files_below(core.folder / "unmounted") == []

    @EITHER_PLACE
    def test_an_object_whose_transaction_did_not_happen_is_abandoned(self, core: Core, size: int) -> None:
        core.storage.abandon(core.storage.put(FAMILY, 1, bytes(size)))

        assert files_below(core.folder / "blobs") == []


CHANGES: dict[str, tuple[str, Any]] = {
    "another project": ("project_id = :value", 2),
    "a project there cannot be": ("project_id = :value", -1),
    "another family": ("family = :value", "uploads"),
    "a byte more": ("size = size + :value", 1),
    "a byte less": ("size = size - :value", 1),
    "a size there cannot be": ("size = :value", -1),
    "another checksum": ("sha256 = :value", "0" * 64),
    "a checksum that is too short": ("sha256 = :value", "00"),
    "a checksum that is no number": ("sha256 = :value", "x" * 64),
    "another algorithm": ("alg = :value", 2),
    "no algorithm": ("alg = :value", 0),
    "another commitment": ("commitment = :value", bytes(32)),
    "a commitment that is too short": ("commitment = :value", b""),
    "another wrapped key": ("wrapped = :value", bytes(60)),
    "a wrapped key that is too short": ("wrapped = :value", bytes(59)),
}


class TestBinding:
    """A row that was changed, by whoever can write to the database, opens nothing; the error says where to look."""

    def refused(self, core: Core, blob_id: str) -> Damaged:
        """Return the error of both ways to read; it names the object and the key."""
        envelope = core.storage.envelope(blob_id)
        with pytest.raises(Damaged) as read:
            core.storage.read(envelope)
        with pytest.raises(Damaged) as opened:
            core.storage.open(envelope).read()
        for error in (read.value, opened.value):
            assert (error.blob_id, error.key_id) == (blob_id, "k1")
            assert blob_id in str(error)
            assert "k1" in str(error)
        return read.value

    @EITHER_PLACE
    @pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
    def test_a_changed_column_refuses(self, core: Core, size: int, change: tuple[str, Any]) -> None:
        blob = core.keep(os.urandom(size))
        assignment, value = change
        core.sql(f"UPDATE blobs SET {assignment} WHERE id = :id", id=blob.id, value=value)

        assert isinstance(self.refused(core, blob.id), Tampered)

    @EITHER_PLACE
    @pytest.mark.parametrize("other", ["f" * 32, "f" * 30, "no id at all"], ids=["any", "too short", "not one"])
    def test_a_row_under_another_id_refuses(self, core: Core, size: int, other: str) -> None:
        blob = core.keep(os.urandom(size))
        core.sql("UPDATE blobs SET id = :other WHERE id = :id", id=blob.id, other=other)

        self.refused(core, other)

    @EITHER_PLACE
    def test_two_objects_that_changed_places_refuse(self, core: Core, size: int) -> None:
        one, two = core.keep(os.urandom(size)), core.keep(os.urandom(size))
        for before, after in ((one.id, "aside"), (two.id, one.id), ("aside", two.id)):
            core.sql("UPDATE blobs SET id = :after WHERE id = :before", before=before, after=after)

        for blob in (one, two):
            assert isinstance(self.refused(core, blob.id), Tampered)

    def test_sealed_bytes_that_changed_places_refuse(self, core: Core) -> None:
        one, two = core.keep(os.urandom(LARGE)), core.keep(os.urandom(LARGE))
        blob_file(core, one.id).replace(blob_file(core, two.id))

        assert isinstance(self.refused(core, two.id), Tampered)

    def test_sealed_bytes_of_another_row_refuse(self, core: Core) -> None:
        one, two = core.keep(os.urandom(100)), core.keep(os.urandom(100))
        stolen = core.storage.envelope(one.id).sealed
        core.sql("UPDATE blobs SET sealed = :sealed WHERE id = :id", id=two.id, sealed=stolen)

        assert isinstance(self.refused(core, two.id), Tampered)

    @EITHER_PLACE
    def test_one_changed_byte_of_the_sealed_bytes_refuses(self, core: Core, size: int) -> None:
        blob = core.keep(os.urandom(size))
        for place in (0, 20, 39, 40, 90, -1):
            sealed = bytearray(self.sealed(core, blob.id))
            sealed[place] ^= 1
            self.put_sealed(core, blob.id, bytes(sealed))

            assert isinstance(self.refused(core, blob.id), Tampered)
            sealed[place] ^= 1
            self.put_sealed(core, blob.id, bytes(sealed))
        core.content(blob.id)

    @EITHER_PLACE
    @pytest.mark.parametrize("left", [0, 1, 55, 56, -1])
    def test_sealed_bytes_that_were_cut_refuse(self, core: Core, size: int, left: int) -> None:
        blob = core.keep(os.urandom(size))
        self.put_sealed(core, blob.id, self.sealed(core, blob.id)[:left])

        self.refused(core, blob.id)

    def test_a_cut_to_another_possible_length_is_seen_before_anything_is_read(self, core: Core) -> None:
        blob = core.keep(os.urandom(LARGE))
        os.truncate(blob_file(core, blob.id), 65536)

        with pytest.raises(Truncated, match=f"{blob.id}.*65480 bytes are stored where {LARGE} were"):
            core.storage.open(core.storage.envelope(blob.id))

    def test_a_key_that_the_keyring_lacks_is_asked_for_by_its_id(self, core: Core) -> None:
        blob = core.keep(b"content")
        core.sql("INSERT INTO master_keys (id, \"check\", created_at) VALUES ('k7', '', '')")
        core.sql("UPDATE blobs SET kek_id = 'k7' WHERE id = :id", id=blob.id)

        with pytest.raises(UnknownKey, match='"k7" is not in the keyring; restore') as raised:
            core.content(blob.id)
        assert raised.value.key_id == "k7"

    @EITHER_PLACE
    def test_the_row_of_another_vault_refuses(self, core: Core, tmp_path: Path, size: int) -> None:
        blob = core.keep(os.urandom(size))
        sealed = self.sealed(core, blob.id)
        with opened(tmp_path / "other") as other:
            other.database.write(lambda tx: other.storage.insert(tx, blob))
            if blob.sealed is None:
                blob_file(other, blob.id).write_bytes(sealed)

            assert isinstance(self.refused(other, blob.id), Tampered)

    def sealed(self, core: Core, blob_id: str) -> bytes:
        inline = core.storage.envelope(blob_id).sealed
        return blob_file(core, blob_id).read_bytes() if inline is None else inline

    def put_sealed(self, core: Core, blob_id: str, sealed: bytes) -> None:
        if core.storage.envelope(blob_id).sealed is None:
            blob_file(core, blob_id).write_bytes(sealed)
        else:
            core.sql("UPDATE blobs SET sealed = :sealed WHERE id = :id", id=blob_id, sealed=sealed)


class TestMissing:
    """A lost object is an error of its own, and costs no other object anything."""

    def test_the_error_names_the_object(self, stored: Core) -> None:
        lost, kept = stored.keep(bytes(LARGE)), stored.keep(os.urandom(LARGE))
        stored.blobs.delete(lost.id)
        envelope = stored.storage.envelope(lost.id)

        for ask in (stored.storage.read, stored.storage.open):
            with pytest.raises(BlobMissing, match=f"object {lost.id} is missing from the store") as raised:
                ask(envelope)
            assert (raised.value.blob_id, raised.value.key_id) == (lost.id, "k1")
        assert stored.content(kept.id)

    def test_an_object_lost_while_it_is_read_is_named_too(self, stored: Core) -> None:
        lost = stored.keep(bytes(LARGE))
        reader = stored.storage.open(stored.storage.envelope(lost.id))
        stored.blobs.delete(lost.id)

        for ask in (reader.read, reader.check_ends, lambda: list(reader.pieces())):
            with pytest.raises(BlobMissing, match=lost.id):
                ask()

    def test_it_reads_again_once_it_is_put_back(self, core: Core) -> None:
        plain = os.urandom(LARGE)
        blob = core.keep(plain)
        sealed = blob_file(core, blob.id).read_bytes()
        blob_file(core, blob.id).unlink()
        with pytest.raises(BlobMissing):
            core.content(blob.id)

        blob_file(core, blob.id).write_bytes(sealed)
        assert core.content(blob.id) == plain


class TestDiscard:
    """From the commit on nobody can open it; its bytes go a little later."""

    @files
    @EITHER_PLACE
    def test_the_wrapped_key_is_erased_at_once(self, core: Core, size: int) -> None:
        blob = core.keep(os.urandom(size))
        key = core.storage.envelope(blob.id).wrapped
        assert any(key in path.read_bytes() for path in files_below(core.folder))
        core.discard(blob.id)

        with pytest.raises(NotFound):
            core.storage.envelope(blob.id)
        core.database.close()  # which moves the log into the file
        assert not [path for path in files_below(core.folder) if key in path.read_bytes()]

    def test_only_what_lies_in_the_store_is_noted(self, core: Core) -> None:
        small, large = core.keep(bytes(10)), core.keep(bytes(LARGE))
        for blob in (small, large):
            core.discard(blob.id)

        assert [row["blob_id"] for row in core.sql("SELECT blob_id FROM removals")] == [large.id]

    def test_a_transaction_that_fails_afterwards_discards_nothing(self, core: Core) -> None:
        blob = core.keep(b"content")

        def work(tx: Any) -> None:
            core.storage.discard(tx, blob.id)
            raise NotFound

        with pytest.raises(NotFound):
            core.database.write(work)
        assert core.content(blob.id) == b"content"

    def test_twice_is_harmless(self, core: Core) -> None:
        blob = core.keep(bytes(LARGE))
        for _ in range(2):
            core.discard(blob.id)

        assert core.storage.remove_noted() == 1


class TestRemoveNoted:
    def discarded(self, core: Core) -> str:
        blob = core.keep(bytes(LARGE))
        core.discard(blob.id)
        return blob.id

    def test_the_bytes_go_and_the_note_with_them(self, stored: Core) -> None:
        gone, kept = self.discarded(stored), stored.keep(bytes(LARGE))

        assert stored.storage.remove_noted() == 1
        assert list(stored.blobs.ids()) == [kept.id]
        assert gone != kept.id
        assert stored.storage.remove_noted() == 0

    def test_two_at_once_do_each_other_no_harm(self, core: Core) -> None:
        for _ in range(20):
            self.discarded(core)
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda _: core.storage.remove_noted(), range(4)))

        assert list(core.blobs.ids()) == []
        assert core.sql("SELECT * FROM removals") == []

    def test_bytes_that_are_gone_already_are_no_fault(self, core: Core) -> None:
        blob_file(core, self.discarded(core)).unlink()

        assert core.storage.remove_noted() == 1
        assert core.storage.remove_noted() == 0

    def test_one_that_the_store_refuses_does_not_keep_the_others(self, core: Core) -> None:
        ids = sorted(self.discarded(core) for _ in range(3))
        stuck = blob_file(core, ids[0])
        stuck.unlink()
        stuck.mkdir()

        with pytest.raises(Unavailable):
            core.storage.remove_noted()
        assert [row["blob_id"] for row in core.sql("SELECT blob_id FROM removals")] == [ids[0]]
        assert list(core.blobs.ids()) == [ids[0]]

        stuck.rmdir()
        assert core.storage.remove_noted() == 1


class TestSweep:
    """What a crash left goes at the next start, and nothing else."""

    def test_objects_without_a_row_and_unfinished_files_go(self, core: Core) -> None:
        kept = core.keep(os.urandom(LARGE))
        orphan = core.storage.put(FAMILY, 1, bytes(LARGE))
        (core.folder / "blobs" / "tmp" / ("f" * 32)).write_bytes(b"half")

        assert core.storage.sweep() == 2
        assert list(core.blobs.ids()) == [kept.id]
        assert orphan.id != kept.id
        assert len(core.content(kept.id)) == LARGE
        assert core.storage.sweep() == 0

    def test_what_was_discarded_before_the_crash_goes_without_being_counted(self, core: Core) -> None:
        kept, gone = core.keep(bytes(LARGE)), core.keep(bytes(LARGE))
        core.discard(gone.id)

        assert core.storage.sweep() == 0
        assert list(core.blobs.ids()) == [kept.id]

    def test_an_object_that_cannot_be_removed_delays_no_start(self, core: Core) -> None:
        kept, noted, orphan, other = (core.storage.put(FAMILY, 1, bytes(LARGE)) for _ in range(4))
        for blob in (kept, noted):
            core.database.write(partial(core.storage.insert, blob=blob))
        core.discard(noted.id)
        for blob in (noted, orphan):
            blob_file(core, blob.id).unlink()
            blob_file(core, blob.id).mkdir()

        assert core.storage.sweep() == 1
        assert sorted(core.blobs.ids()) == sorted((kept.id, noted.id, orphan.id))
        assert other.id not in core.blobs.ids()

    def test_an_empty_catalog_beside_a_full_store_removes_nothing(self, core: Core, tmp_path: Path) -> None:
        """The catalog was lost and is about to be restored: without the objects that would be in vain."""
        blob = core.keep(os.urandom(LARGE))
        with opened(tmp_path / "new", str(core.folder / "blobs")) as without_rows:
            assert without_rows.storage.sweep() == 0

        assert len(core.content(blob.id)) == LARGE


class TestReader:
    """`open` reads what is asked for and no more."""

    @EITHER_PLACE
    def test_any_range_of_it_can_be_read(self, stored: Core, size: int) -> None:
        plain = os.urandom(size)
        reader = stored.storage.open(stored.storage.envelope(stored.keep(plain).id))

        for start, stop in ((0, 1), (size - 1, size), (30, 70), (0, size)):
            reader.seek(start)
            assert reader.read(stop - start) == plain[start:stop]
            assert b"".join(reader.pieces(start, stop)) == plain[start:stop]

    def test_damage_that_shows_later_names_the_object_as_well(self, core: Core) -> None:
        plain = os.urandom(3 * 65520)
        blob = core.keep(plain)
        with blob_file(core, blob.id).open("r+b") as file:
            file.seek(2 * 65536)
            file.write(b"changed")
        reader = core.storage.open(core.storage.envelope(blob.id))

        assert reader.read(1000) == plain[:1000]
        with pytest.raises(Tampered, match=rf"object {blob.id} \(key k1\): bytes 131072 ") as raised:
            reader.read()
        assert (raised.value.blob_id, raised.value.key_id) == (blob.id, "k1")
