"""The opening reader is a file over a sealed stream, and reads no more of it than it must."""

from __future__ import annotations

import io
import random
import zipfile

import pytest

from vault.crypto.layout import HEADER_SIZE, Layout, sealed_size
from vault.crypto.streaming import OpeningReader
from vault.errors import Tampered, Truncated

from .support import AAD, BORDER_SIZES, KEY, SMALL, SMALL_BORDER_SIZES, Store, pattern, reader, sealed

PLAIN = pattern(1000)
STREAM = sealed(PLAIN, segment_size=SMALL)


def small_reader(stream: bytes = STREAM) -> OpeningReader:
    return reader(stream, segment_size=SMALL)


def counted(run: int = 4) -> tuple[Store, OpeningReader]:
    store = Store(STREAM)
    return store, OpeningReader(store.read_at, len(STREAM), KEY, AAD, segment_size=SMALL, run=run)


def segment(index: int) -> tuple[int, int]:
    """Return offset and length of a sealed segment."""
    return index * SMALL, SMALL


class TestOpeningReader:
    @pytest.mark.parametrize("size", BORDER_SIZES)
    def test_reads_what_was_sealed(self, size: int) -> None:
        plain = pattern(size)
        opening = reader(sealed(plain))
        assert opening.size == size
        assert opening.read() == plain
        assert opening.read() == b""
        assert opening.read_all() == plain

    @pytest.mark.parametrize("size", SMALL_BORDER_SIZES)
    @pytest.mark.parametrize("step", [1, 7, 72, 112, 113, 1000])
    def test_reads_in_steps_of_any_size(self, size: int, step: int) -> None:
        opening = small_reader(sealed(pattern(size), segment_size=SMALL))
        assert b"".join(iter(lambda: opening.read(step), b"")) == pattern(size)

    def test_behaves_as_a_file_in_memory_does(self) -> None:
        opening, plain, moves = small_reader(), io.BytesIO(PLAIN), random.Random(1)
        for _ in range(3000):
            whence = moves.choice((io.SEEK_SET, io.SEEK_CUR, io.SEEK_END))
            offset = moves.randrange(0, 1100) if whence == io.SEEK_SET else moves.randrange(-120, 40)
            if whence == io.SEEK_CUR and plain.tell() + offset < 0:
                continue
            assert opening.seek(offset, whence) == plain.seek(offset, whence)
            length = moves.choice((-1, 0, 1, 50, 112, 300, 2000))
            assert opening.read(length) == plain.read(length)
            assert opening.tell() == plain.tell()

    def test_fills_a_buffer_of_the_caller(self) -> None:
        opening, buffer = small_reader(), bytearray(300)
        opening.seek(900)
        assert opening.readinto(buffer) == 100
        assert buffer == PLAIN[900:] + bytes(200)

    def test_can_be_read_through_the_buffers_of_io(self) -> None:
        buffered = io.BufferedReader(small_reader(), 256)
        assert buffered.read(10) == PLAIN[:10]
        buffered.seek(-5, io.SEEK_END)
        assert buffered.read() == PLAIN[-5:]

    def test_serves_zipfile(self) -> None:
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as writing:
            writing.writestr("logs/build.log", b"a line\n" * 50_000)
            writing.writestr("app.bin", random.Random(2).randbytes(200_000), zipfile.ZIP_STORED)
        with zipfile.ZipFile(reader(sealed(archive.getvalue()))) as opening:
            assert opening.namelist() == ["logs/build.log", "app.bin"]
            assert opening.read("logs/build.log") == b"a line\n" * 50_000
            assert opening.read("app.bin") == random.Random(2).randbytes(200_000)

    @pytest.mark.parametrize(("offset", "whence"), [(-1, io.SEEK_SET), (-1001, io.SEEK_END), (0, 9)])
    def test_refuses_to_seek_where_no_file_can(self, offset: int, whence: int) -> None:
        with pytest.raises(ValueError, match="cannot seek"):
            small_reader().seek(offset, whence)

    def test_a_closed_reader_opens_nothing(self) -> None:
        opening = small_reader()
        opening.close()
        with pytest.raises(ValueError, match="closed"):
            opening.read(1)

    def test_refuses_a_length_that_no_stream_has_before_it_reads(self) -> None:
        store = Store(STREAM)
        with pytest.raises(Truncated):
            OpeningReader(store.read_at, SMALL + 5, KEY, AAD, segment_size=SMALL)
        assert store.calls == []

    def test_a_store_that_returns_too_little_is_an_error(self) -> None:
        opening = OpeningReader(Store(STREAM[:300]).read_at, len(STREAM), KEY, AAD, segment_size=SMALL)
        with pytest.raises(Truncated, match="the store returned"):
            opening.read_all()


class TestReadsOnlyWhatItNeeds:
    def test_nothing_is_read_before_the_first_byte_is_wanted(self) -> None:
        store, opening = counted()
        opening.seek(500)
        assert opening.read(0) == b""
        assert store.calls == []

    def test_a_byte_costs_the_header_and_its_segment(self) -> None:
        store, opening = counted()
        opening.seek(500)
        assert opening.read(1) == PLAIN[500:501]
        assert sorted(store.calls) == [(0, HEADER_SIZE), segment(4)]

    def test_the_first_segment_brings_the_header_with_it(self) -> None:
        store, opening = counted()
        opening.read(10)
        assert store.calls == [segment(0)]

    def test_small_reads_in_a_row_read_each_segment_once(self) -> None:
        store, opening = counted()
        for _ in range(18):
            opening.read(10)
        assert store.calls == [segment(0), segment(1)]

    def test_a_range_reads_each_segment_it_touches_once(self) -> None:
        store, opening = counted()
        opening.read(1)
        assert b"".join(opening.pieces(100, 700)) == PLAIN[100:700]
        assert store.calls == [segment(0), (1 * SMALL, 4 * SMALL), (5 * SMALL, 2 * SMALL)]

    def test_the_whole_is_read_in_runs_of_segments(self) -> None:
        store, opening = counted(run=3)
        assert opening.read_all() == PLAIN
        assert store.calls == [(0, 384), (384, 384), (768, 384), (1152, len(STREAM) - 1152)]


class TestPieces:
    def test_every_range_has_its_bytes(self) -> None:
        opening, choice = small_reader(), random.Random(3)
        borders = [0, 71, 72, 73, 183, 184, 185, 999, 1000]
        ranges = [(start, stop) for start in borders for stop in borders if start <= stop]
        ranges += [tuple(sorted(choice.choices(range(1001), k=2))) for _ in range(500)]
        for start, stop in ranges:
            assert b"".join(opening.pieces(start, stop)) == PLAIN[start:stop]

    def test_without_a_range_it_is_the_whole(self) -> None:
        assert b"".join(small_reader().pieces()) == PLAIN

    def test_pieces_stay_as_they_are_while_the_next_are_made(self) -> None:
        pieces = list(small_reader().pieces())
        assert len(pieces) > 1
        assert b"".join(pieces) == PLAIN

    @pytest.mark.parametrize("length", [1, 400_000])
    def test_no_piece_is_larger_than_a_run(self, length: int) -> None:
        sizes = [len(piece) for piece in reader(sealed(pattern(length))).pieces()]
        assert sum(sizes) == length
        assert 0 < max(sizes) <= 4 * 65520

    @pytest.mark.parametrize(("start", "stop"), [(-1, 5), (5, 4), (0, 1001), (1001, 1001)])
    def test_refuses_a_range_outside_the_file_at_once(self, start: int, stop: int) -> None:
        with pytest.raises(ValueError, match="not inside 1000"):
            small_reader().pieces(start, stop)

    def test_does_not_move_the_position(self) -> None:
        opening = small_reader()
        opening.seek(30)
        list(opening.pieces(500, 600))
        assert opening.tell() == 30
        assert opening.read(5) == PLAIN[30:35]


class TestDamage:
    def forged(self, index: int) -> bytes:
        """Return the stream with one byte of one segment changed."""
        stream = bytearray(STREAM)
        stream[index * SMALL + 50] ^= 0x80
        return bytes(stream)

    def test_the_error_names_the_bytes_that_do_not_open(self) -> None:
        with pytest.raises(Tampered, match="bytes 256 to 384 "):
            small_reader(self.forged(2)).read_all()
        with pytest.raises(Tampered, match="bytes 40 to 128 "):
            small_reader(self.forged(0)).read_all()

    def test_forged_plaintext_is_not_left_in_the_callers_buffer(self) -> None:
        opening, buffer = small_reader(self.forged(2)), bytearray(b"\xaa" * 1000)
        with pytest.raises(Tampered):
            opening.readinto(buffer)
        assert buffer[:184] == PLAIN[:184]
        assert buffer[184:296] == bytes(112)

    def test_forged_plaintext_is_not_kept_for_the_next_read(self) -> None:
        opening = small_reader(self.forged(2))
        for _ in range(2):
            opening.seek(200)
            with pytest.raises(Tampered):
                opening.read(5)

    def test_pieces_before_the_damage_come_and_none_after_it(self) -> None:
        pieces = small_reader(self.forged(5)).pieces()
        assert next(pieces) == PLAIN[: Layout(SMALL).start(4)]
        with pytest.raises(Tampered):
            next(pieces)
        assert list(pieces) == []

    def test_other_segments_still_open(self) -> None:
        opening = small_reader(self.forged(5))
        assert opening.read(400) == PLAIN[:400]

    def test_the_ends_can_be_checked_before_anything_is_handed_on(self) -> None:
        last = Layout(SMALL).segments(len(STREAM)) - 1
        small_reader().check_ends()
        small_reader(self.forged(4)).check_ends()
        for stream in (self.forged(0), STREAM[:-1] + bytes((STREAM[-1] ^ 1,)), STREAM[: last * SMALL]):
            with pytest.raises(Tampered):
                small_reader(stream).check_ends()

    def test_checking_the_ends_of_one_segment_reads_it_once(self) -> None:
        store = Store(sealed(b"short"))
        OpeningReader(store.read_at, sealed_size(5), KEY, AAD).check_ends()
        assert len(store.calls) == 1

    @pytest.mark.parametrize("way", ["read", "read_all", "pieces", "check_ends"])
    def test_the_empty_file_is_authenticated_too(self, way: str) -> None:
        stream = bytearray(sealed(b""))
        stream[-1] ^= 1
        opening = reader(bytes(stream))
        with pytest.raises(Tampered):
            list(getattr(opening, way)() or ())
