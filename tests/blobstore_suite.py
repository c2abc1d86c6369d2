"""What every blob store promises, as one suite: a driver's test file brings a `store` and inherits the rest."""

from __future__ import annotations

import os
import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TYPE_CHECKING

import pytest

from vault.errors import BlobMissing, Conflict

if TYPE_CHECKING:
    from vault.blobs import BlobStore

ABSENT = "0" * 32


def new_id() -> str:
    return secrets.token_hex(16)


def put(store: BlobStore, *pieces: bytes, blob_id: str | None = None) -> str:
    blob_id = blob_id or new_id()
    with store.writer(blob_id) as writer:
        for piece in pieces:
            writer.write(piece)
    return blob_id


def put_half(store: BlobStore, blob_id: str, reason: Exception) -> None:
    with store.writer(blob_id) as writer:
        writer.write(b"half of it")
        raise reason


def content(store: BlobStore, blob_id: str) -> bytes:
    return store.read_at(blob_id, 0, store.size(blob_id))


class BlobStoreSuite:
    """The contract of `vault.blobs.BlobStore`, sentence by sentence."""

    @pytest.fixture
    def store(self) -> BlobStore:
        raise NotImplementedError("the driver's test class brings the store")

    # Writing

    def test_what_was_written_piece_by_piece_is_read_back_whole(self, store):
        blob_id = put(store, b"sealed ", b"", b"bytes")
        assert content(store, blob_id) == b"sealed bytes"
        assert store.size(blob_id) == 12

    def test_an_object_may_be_empty(self, store):
        blob_id = put(store)
        assert store.size(blob_id) == 0
        assert store.read_at(blob_id, 0, 10) == b""
        assert list(store.ids()) == [blob_id]

    def test_a_large_object_is_kept_byte_for_byte(self, store):
        pieces = [os.urandom(1 << 20) for _ in range(11)] + [b"tail"]
        blob_id = put(store, *pieces)
        assert content(store, blob_id) == b"".join(pieces)

    def test_a_buffer_that_is_used_again_and_again_spoils_nothing_written_before(self, store):
        """A store that sends in the background must not look at the caller's buffer again."""
        blob_id, buffer = new_id(), bytearray(1 << 20)
        with store.writer(blob_id) as writer:
            for number in range(20):
                buffer[:] = bytes([number]) * len(buffer)
                writer.write(buffer)
        for number in range(20):
            assert store.read_at(blob_id, number << 20, 1 << 20) == bytes([number]) * (1 << 20)

    def test_an_error_after_many_bytes_leaves_nothing_either(self, store):
        blob_id = new_id()

        def put_most() -> None:
            with store.writer(blob_id) as writer:
                for _ in range(20):
                    writer.write(bytes(1 << 20))
                raise ConnectionResetError

        with pytest.raises(ConnectionResetError):
            put_most()
        assert list(store.ids()) == []
        put(store, b"second", blob_id=blob_id)
        assert content(store, blob_id) == b"second"

    def test_a_taken_id_is_refused_to_a_large_object_as_well(self, store):
        blob_id = put(store, b"the first")
        with pytest.raises(Conflict):
            put(store, *([bytes(1 << 20)] * 14), blob_id=blob_id)
        assert content(store, blob_id) == b"the first"

    def test_an_object_is_not_visible_before_the_block_ends(self, store):
        blob_id = new_id()
        with store.writer(blob_id) as writer:
            writer.write(b"x" * 100_000)
            with pytest.raises(BlobMissing):
                store.read_at(blob_id, 0, 1)
            with pytest.raises(BlobMissing):
                store.size(blob_id)
            assert list(store.ids()) == []
        assert store.size(blob_id) == 100_000

    def test_an_error_inside_the_block_leaves_nothing_and_passes_unchanged(self, store):
        blob_id, reason = new_id(), ConnectionResetError("the client went away")
        with pytest.raises(ConnectionResetError) as raised:
            put_half(store, blob_id, reason)
        assert raised.value is reason
        assert list(store.ids()) == []
        with pytest.raises(BlobMissing):
            store.size(blob_id)

    def test_an_id_whose_writing_failed_may_be_written_again(self, store):
        blob_id = new_id()
        with pytest.raises(KeyError):
            put_half(store, blob_id, KeyError())
        put(store, b"second", blob_id=blob_id)
        assert content(store, blob_id) == b"second"

    def test_the_buffer_may_be_used_again_once_write_has_returned(self, store):
        blob_id, buffer = new_id(), bytearray(b"a" * 70_000)
        with store.writer(blob_id) as writer:
            writer.write(buffer)
            buffer[:] = b"b" * 70_000
            writer.write(memoryview(buffer)[:3])
            buffer.clear()  # would fail if a view of it were kept
        assert content(store, blob_id) == b"a" * 70_000 + b"bbb"

    def test_a_view_of_wider_items_is_written_byte_for_byte(self, store):
        words = memoryview(bytes(range(16))).cast("I")
        blob_id = new_id()
        with store.writer(blob_id) as writer:
            writer.write(words)
        assert content(store, blob_id) == bytes(range(16))

    def test_writing_after_the_block_is_refused(self, store):
        blob_id = new_id()
        with store.writer(blob_id) as writer:
            writer.write(b"whole")
        with pytest.raises(ValueError, match="finished"):
            writer.write(b"more")
        assert content(store, blob_id) == b"whole"

    def test_a_taken_id_is_refused_and_its_object_stays(self, store):
        blob_id = put(store, b"the first")
        with pytest.raises(Conflict):
            put(store, b"the second", blob_id=blob_id)
        assert content(store, blob_id) == b"the first"
        assert list(store.ids()) == [blob_id]

    def test_of_two_writers_of_one_id_exactly_one_wins(self, store):
        blob_id, start = new_id(), Barrier(2)

        def attempt(mark: bytes) -> bytes | None:
            start.wait()
            try:
                put(store, mark * 50_000, mark * 50_000, blob_id=blob_id)
            except Conflict:
                return None
            return mark

        with ThreadPoolExecutor(2) as pool:
            winners = [mark for mark in pool.map(attempt, (b"a", b"b")) if mark]
        assert len(winners) == 1
        assert content(store, blob_id) == winners[0] * 100_000

    # Reading

    @pytest.mark.parametrize(
        ("offset", "length", "expected"),
        [
            (0, 10, b"0123456789"),
            (3, 4, b"3456"),
            (9, 1, b"9"),
            (8, 100, b"89"),
            (4, 0, b""),
            (10, 5, b""),
            (99, 5, b""),
        ],
    )
    def test_a_range_is_short_only_at_the_end(self, store, offset, length, expected):
        assert store.read_at(put(store, b"0123456789"), offset, length) == expected

    def test_a_length_beyond_all_memory_reads_what_is_there(self, store):
        assert store.read_at(put(store, b"short"), 0, 1 << 60) == b"short"

    @pytest.mark.parametrize(("offset", "length"), [(-1, 1), (0, -1)])
    def test_a_negative_range_is_refused(self, store, offset, length):
        with pytest.raises(ValueError, match="negative"):
            store.read_at(put(store, b"0123456789"), offset, length)

    def test_a_missing_object_is_named_by_the_error(self, store):
        for ask in (
            lambda: store.read_at(ABSENT, 0, 1),
            lambda: store.read_at(ABSENT, 0, 0),
            lambda: store.size(ABSENT),
            lambda: store.at_hand(ABSENT, 1),
        ):
            with pytest.raises(BlobMissing) as raised:
                ask()
            assert raised.value.blob_id == ABSENT

    def test_an_object_at_hand_is_read_in_any_pieces(self, store):
        at_hand, piece = store.at_hand(put(store, b"0123456789"), 10), bytearray(b"----")
        assert at_hand.size == 10
        assert (at_hand.read(memoryview(piece), 3), piece) == (4, b"3456")
        assert (at_hand.read(memoryview(piece), 8), piece) == (2, b"8956")
        assert (at_hand.read(memoryview(piece), 10), piece) == (0, b"8956")
        at_hand.close()

    def test_what_takes_no_waiting_is_the_beginning_of_what_there_is(self, store):
        at_hand, piece = store.at_hand(put(store, b"0123456789"), 10), bytearray(4)
        count = at_hand.read_now(memoryview(piece), 3)
        assert piece[:count] == b"3456"[:count]
        at_hand.close()

    def test_an_object_at_hand_stays_there_when_it_is_deleted(self, store):
        whole = os.urandom(300_000)
        blob_id, target = put(store, whole), bytearray(300_000)
        at_hand = store.at_hand(blob_id, len(whole))
        store.delete(blob_id)
        assert (at_hand.read(memoryview(target), 0), target) == (300_000, whole)
        at_hand.close()
        at_hand.close()

    def test_more_than_was_expected_shows(self, store):
        assert store.at_hand(put(store, b"0123456789"), 9).size == 10

    # Deleting and listing

    def test_a_deleted_object_is_gone(self, store):
        kept, deleted = put(store, b"kept"), put(store, b"deleted")
        store.delete(deleted)
        assert list(store.ids()) == [kept]
        with pytest.raises(BlobMissing):
            store.read_at(deleted, 0, 1)
        assert content(store, kept) == b"kept"

    def test_deleting_what_is_not_there_is_silent(self, store):
        blob_id = put(store, b"once")
        store.delete(blob_id)
        store.delete(blob_id)
        store.delete(ABSENT)

    def test_ids_are_those_of_all_objects(self, store):
        written = {put(store, b"x") for _ in range(40)}
        listed = list(store.ids())
        assert set(listed) == written
        assert len(listed) == 40

    def test_ids_may_be_asked_for_of_old_objects_alone(self, store):
        blob_id = put(store, b"x")
        assert list(store.ids(older_than=3600.0)) == []
        time.sleep(1.1)
        assert list(store.ids(older_than=1.0)) == list(store.ids()) == [blob_id]

    def test_objects_may_be_deleted_while_they_are_listed(self, store):
        for _ in range(20):
            put(store, b"x")
        for blob_id in store.ids():
            store.delete(blob_id)
        assert list(store.ids()) == []

    # Ids

    @pytest.mark.parametrize(
        "blob_id",
        ["", "abc", "A" * 32, "g" * 32, "0" * 31, "0" * 33, "0" * 32 + "\n", "../" + "0" * 29, "0" * 31 + "٣"],
    )
    def test_anything_but_32_lower_case_hex_digits_is_refused(self, store, blob_id):
        with pytest.raises(ValueError, match="hex"), store.writer(blob_id):
            pass
        for ask in (lambda: store.read_at(blob_id, 0, 1), lambda: store.size(blob_id), lambda: store.delete(blob_id)):
            with pytest.raises(ValueError, match="hex"):
                ask()
        assert list(store.ids()) == []

    # Being there

    def test_a_store_that_is_there_says_so_with_and_without_objects(self, store):
        store.check()
        put(store, b"x")
        store.check()

    def test_what_is_well_read_at_once_is_some_segments_and_no_more_than_memory_bears(self, store):
        assert 64 * 1024 <= store.read_size <= 8 << 20

    # Threads

    def test_many_threads_write_and_read_their_own_objects(self, store):
        def work(number: int) -> bool:
            whole = bytes([number]) * 150_000
            blob_id = put(store, whole[:70_000], whole[70_000:])
            return content(store, blob_id) == whole

        with ThreadPoolExecutor(8) as pool:
            assert all(pool.map(work, range(32)))
        assert len(list(store.ids())) == 32

    def test_many_threads_read_one_object(self, store):
        whole = os.urandom(1 << 18)
        blob_id = put(store, whole)
        with ThreadPoolExecutor(8) as pool:
            pieces = pool.map(lambda offset: store.read_at(blob_id, offset, 4096), range(0, len(whole), 4096))
            assert b"".join(pieces) == whole
