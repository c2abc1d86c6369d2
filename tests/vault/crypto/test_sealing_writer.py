"""The sealing writer makes one stream of pieces of any size."""

from __future__ import annotations

import io
import threading
import tracemalloc

import pytest

from vault.crypto.opening import SmallStream
from vault.crypto.streaming import SealingWriter, seal_bytes
from vault.errors import Tampered, Truncated

from .support import AAD, BORDER_SIZES, KEY, OTHER_KEY, SMALL, SMALL_BORDER_SIZES, opened, pattern, sealed

HEADER = bytes((40,)) + bytes(range(39))


class FailingSink:
    """Takes so many bytes and then no more, as a full disk does."""

    def __init__(self, room: int) -> None:
        self.room = room

    def write(self, data: bytes | bytearray | memoryview, /) -> int:
        if len(data) > self.room:
            raise OSError(28, "No space left on device")
        self.room -= len(data)
        return len(data)


class TestSealingWriter:
    @pytest.mark.parametrize("size", SMALL_BORDER_SIZES)
    def test_the_stream_does_not_depend_on_how_the_data_was_cut(self, size: int) -> None:
        plain = pattern(size)
        whole = sealed(plain, segment_size=SMALL, header=HEADER)
        assert opened(whole, segment_size=SMALL) == plain
        for piece in (1, 2, 71, 72, 73, 112, 113, 200, 299):
            assert sealed(plain, segment_size=SMALL, header=HEADER, piece=piece) == whole

    @pytest.mark.parametrize("size", BORDER_SIZES)
    def test_the_stream_of_full_size_segments_does_not_depend_on_it_either(self, size: int) -> None:
        plain = pattern(size)
        whole = sealed(plain, header=HEADER)
        assert opened(whole) == plain
        for piece in (1000, 65480, 65536):
            assert sealed(plain, header=HEADER, piece=piece) == whole

    def test_empty_pieces_add_nothing(self) -> None:
        sink = io.BytesIO()
        writer = SealingWriter(sink, KEY, AAD, segment_size=SMALL)
        for piece in (b"", pattern(72), b"", b""):
            assert writer.write(piece) == len(piece)
        writer.finish()
        assert opened(sink.getvalue(), segment_size=SMALL) == pattern(72)
        assert len(sink.getvalue()) == SMALL

    @pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
    def test_takes_every_kind_of_buffer(self, kind: type) -> None:
        sink = io.BytesIO()
        writer = SealingWriter(sink, KEY, AAD)
        writer.write(kind(b"a certificate"))
        writer.finish()
        assert opened(sink.getvalue()) == b"a certificate"

    def test_the_data_may_be_changed_once_it_was_written(self) -> None:
        sink, data = io.BytesIO(), bytearray(pattern(500))
        writer = SealingWriter(sink, KEY, AAD, segment_size=SMALL)
        writer.write(data)
        data[:] = bytes(500)
        writer.finish()
        assert opened(sink.getvalue(), segment_size=SMALL) == pattern(500)

    def test_two_streams_of_the_same_data_are_different(self) -> None:
        assert sealed(b"the same") != sealed(b"the same")

    def test_a_finished_stream_takes_no_more(self) -> None:
        writer = SealingWriter(io.BytesIO(), KEY, AAD)
        writer.finish()
        with pytest.raises(ValueError, match="finished"):
            writer.write(b"more")
        with pytest.raises(ValueError, match="finished"):
            writer.finish()

    def test_a_stream_whose_sink_failed_gets_no_proper_end(self) -> None:
        writer = SealingWriter(FailingSink(room=600), KEY, AAD, segment_size=SMALL)
        with pytest.raises(OSError, match="No space"):
            writer.write(pattern(2000))
        with pytest.raises(ValueError, match="broken"):
            writer.write(b"more")
        with pytest.raises(ValueError, match="broken"):
            writer.finish()

    def test_refuses_a_key_of_another_length(self) -> None:
        with pytest.raises(ValueError, match="32 bytes"):
            SealingWriter(io.BytesIO(), bytes(16), AAD)

    def test_writers_that_take_turns_on_one_thread_do_not_disturb_each_other(self) -> None:
        sinks = [io.BytesIO(), io.BytesIO()]
        writers = [SealingWriter(sink, KEY, AAD, segment_size=SMALL) for sink in sinks]
        plains = [pattern(3000), pattern(3000)[::-1]]
        for start in range(0, 3000, 250):
            for writer, plain in zip(writers, plains, strict=True):
                writer.write(plain[start : start + 250])
        for writer in writers:
            writer.finish()
        assert [opened(sink.getvalue(), segment_size=SMALL) for sink in sinks] == plains

    def test_a_sink_may_itself_seal(self) -> None:
        outermost = io.BytesIO()
        inner = SealingWriter(outermost, OTHER_KEY, AAD, segment_size=SMALL)
        outer = SealingWriter(inner, KEY, AAD, segment_size=SMALL)
        outer.write(pattern(3000))
        outer.finish()
        inner.finish()
        once = opened(outermost.getvalue(), key=OTHER_KEY, segment_size=SMALL)
        assert opened(once, segment_size=SMALL) == pattern(3000)

    def test_threads_seal_beside_each_other(self) -> None:
        plains = [bytes((number,)) * 700_000 for number in range(4)]
        streams: dict[int, bytes] = {}

        def seal(number: int) -> None:
            streams[number] = sealed(plains[number], piece=100_000)

        threads = [threading.Thread(target=seal, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [opened(streams[number]) for number in range(4)] == plains

    def test_memory_does_not_grow_with_the_file(self) -> None:
        class Nowhere:
            def write(self, data: bytes | bytearray | memoryview, /) -> int:
                return len(data)

        writer, piece = SealingWriter(Nowhere(), KEY, AAD), bytes(50_000)
        writer.write(piece * 10)
        tracemalloc.start()
        try:
            for _ in range(400):
                writer.write(piece)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak < 1_000_000


class TestSealBytes:
    @pytest.mark.parametrize("size", BORDER_SIZES)
    def test_is_the_same_format(self, size: int) -> None:
        plain = pattern(size)
        assert opened(seal_bytes(KEY, AAD, plain)) == plain
        assert SmallStream(KEY, AAD, sealed(plain)).open() == plain


class TestOpenBytes:
    @pytest.mark.parametrize("size", [0, 500, 65536])
    def test_opens_nothing_that_was_changed(self, size: int) -> None:
        stream = seal_bytes(KEY, AAD, pattern(size))
        for place in {0, 1, 39, 40, len(stream) // 2, len(stream) - 1}:
            forged = bytearray(stream)
            forged[place] ^= 1
            with pytest.raises(Tampered):
                SmallStream(KEY, AAD, forged).open()
        with pytest.raises((Tampered, Truncated)):
            SmallStream(KEY, AAD, stream[:-1]).open()
        with pytest.raises(Truncated):
            SmallStream(KEY, AAD, b"").open()
        with pytest.raises(Tampered):
            SmallStream(OTHER_KEY, AAD, stream).open()
        with pytest.raises(Tampered):
            SmallStream(KEY, AAD + b"!", stream).open()
