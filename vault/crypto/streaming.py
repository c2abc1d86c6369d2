"""The sealed format: Tink's AES256-GCM-HKDF streaming AEAD with 64 KiB segments, so that `tink` opens what we seal.

https://developers.google.com/tink/streaming-aead/aes_gcm_hkdf_streaming describes it, docs/format.md repeats the bytes.
A plaintext byte leaves this module only after the tag of its segment was verified.
"""

from __future__ import annotations

import io
from contextlib import contextmanager
from typing import TYPE_CHECKING

from vault.crypto.layout import HEADER_SIZE, SEGMENT_SIZE, TAG_SIZE, Layout
from vault.crypto.scratch import scratch
from vault.crypto.segments import Bytes, Segments, new_header
from vault.errors import Damaged, Truncated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from _typeshed import WriteableBuffer

    from vault.blobs import BinaryWriter

# Segments that go to the sink, or come from the store, in one call: fewer calls, and still little memory.
RUN = 4


class SealingWriter:
    """Seals what is written to it, in pieces of any size, and hands the stream to `sink` in runs of segments.

    `key` is 32 bytes and seals this one stream only; `aad` has to be given again to open it. Memory stays at one
    segment of plaintext and one run. `header` is for test vectors; two streams of one key must never share one.
    The sink may use a buffer only until its `write` returns. After an error the stream is broken for good: a half
    written file must not get a proper end.
    """

    def __init__(
        self,
        sink: BinaryWriter,
        key: bytes,
        aad: bytes,
        *,
        segment_size: int = SEGMENT_SIZE,
        header: bytes | None = None,
    ) -> None:
        self._sink = sink
        self._layout = Layout(segment_size)
        self._header = new_header() if header is None else header
        self._segments = Segments(key, aad, self._header, self._layout)
        self._index = 0
        # A full segment waits here until it is known whether it is the last, which its nonce has to say.
        self._held = bytearray()
        self._writable = True

    def write(self, data: Bytes, /) -> int:
        """Take all of `data` and return its length. Raises ValueError after `finish` or an error."""
        with self._unbroken(), memoryview(data).cast("B") as view:
            room = self._layout.capacity(self._index) - len(self._held)
            if len(view) <= room:
                self._held += view
            else:
                self._seal_all_but_last(view, room)
            return len(view)

    def finish(self) -> None:
        """Seal the last segment. The sink stays open. Raises ValueError after `finish` or an error."""
        with self._unbroken(), scratch(self._layout.segment_size) as target:
            self._sink.write(target[: self._seal(self._held, target, last=True)])
            self._held = bytearray()
        self._writable = False

    @contextmanager
    def _unbroken(self) -> Iterator[None]:
        if not self._writable:
            raise ValueError("the sealed stream is finished or broken")
        self._writable = False
        yield
        self._writable = True

    def _seal_all_but_last(self, view: memoryview, room: int) -> None:
        run = RUN * self._layout.segment_size
        with scratch(run) as target:
            filled = 0
            for plain in self._full_segments(view, room):
                filled += self._seal(plain, target[filled:], last=False)
                if filled == run:
                    self._sink.write(target)
                    filled = 0
            if filled:
                self._sink.write(target[:filled])

    def _full_segments(self, view: memoryview, room: int) -> Iterator[Bytes]:
        """Yield each segment that others follow, uncopied where it lies whole in `view`; hold the rest."""
        start = 0
        if self._held:
            self._held += view[:room]
            start = room
            yield self._held
        while len(view) - start > (size := self._layout.capacity(self._index)):
            yield view[start : start + size]
            start += size
        self._held = bytearray(view[start:])

    def _seal(self, plain: Bytes, target: memoryview, *, last: bool) -> int:
        begin = 0
        if not self._index:
            target[:HEADER_SIZE] = self._header
            begin = HEADER_SIZE
        end = begin + len(plain) + TAG_SIZE
        self._segments.seal_into(self._index, plain, target[begin:end], last=last)
        self._index += 1
        return end


class OpeningReader(io.RawIOBase):
    """The plaintext of one sealed stream as a seekable file that reads the segments it needs and no others.

    `read_at(offset, length)` returns the sealed bytes there, `run` segments at most at a time; `sealed_size` is the
    stored length as the store tells it, never as the catalog remembers it: it decides which segment is the last, and
    that one's nonce says so, hence a cut between two segments fails as well. One segment of plaintext is kept, so small
    reads in a row open each segment once; `io.BufferedReader(reader, n)` reads ahead over a store with slow calls.

    Raises `Truncated` when no stream has that length, here, or when the store returns fewer bytes, on reading;
    `Tampered` on reading what does not open. A range without the last segment proves nothing about the length: compare
    `size` with what is known. One reader serves one use at a time.
    """

    def __init__(
        self,
        read_at: Callable[[int, int], Bytes],
        sealed_size: int,
        key: bytes,
        aad: bytes,
        *,
        segment_size: int = SEGMENT_SIZE,
        run: int = RUN,
    ) -> None:
        super().__init__()
        self._layout = Layout(segment_size)
        self._size = self._layout.plain_size(sealed_size)
        self._sealed_size = sealed_size
        self._last = self._layout.segments(sealed_size) - 1
        self._read_at, self._run = read_at, run
        self._key, self._aad = key, aad
        self._segments: Segments | None = None
        self._position = 0
        self._opened_index = -1
        self._opened = bytearray()

    @property
    def size(self) -> int:
        """The length of the plaintext."""
        return self._size

    @property
    def sealed_size(self) -> int:
        """The length of the stored stream."""
        return self._sealed_size

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the position in the plaintext."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Move to a position, also beyond the end, and return it; reads nothing."""
        bases = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}
        if whence not in bases or bases[whence] + offset < 0:
            raise ValueError(f"cannot seek to {offset} from {whence}")
        self._position = bases[whence] + offset
        return self._position

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """Fill `buffer`, short only at the end, and return the count. A segment that does not open leaves zeros."""
        if self.closed:
            raise ValueError("the reader is closed")
        with memoryview(buffer).cast("B") as view:
            count = max(0, min(len(view), self._size - self._position))
            self._fill(self._position, view[:count])
        self._position += count
        return count

    def read(self, size: int | None = -1, /) -> bytes:
        """Return `size` bytes, fewer only at the end; all that follow when it is negative or None."""
        left = max(0, self._size - self._position)
        buffer = bytearray(left if size is None or size < 0 else min(size, left))
        self.readinto(buffer)
        return bytes(buffer)

    def readall(self) -> bytes:
        """Return all bytes from the position on."""
        return self.read()

    def read_all(self) -> bytearray:
        """Open the whole stream, every segment verified, wherever the position is; nothing is copied on the way."""
        plain = bytearray(self._size)
        self._fill(0, memoryview(plain))
        return plain

    def pieces(self, start: int = 0, stop: int | None = None) -> Iterator[bytearray]:
        """Yield the bytes from `start` up to `stop` in pieces of a run of segments, each a buffer of its own.

        Each segment is fetched and opened once. Raises ValueError for a range that is not inside the file.
        """
        stop = self._size if stop is None else stop
        if not 0 <= start <= stop <= self._size:
            raise ValueError(f"bytes {start} to {stop} are not inside {self._size}")
        return self._pieces(start, stop)

    def check_ends(self) -> None:
        """Open the first and the last segment, so that most damage shows before the first byte is handed on."""
        for index in {0, self._last}:
            for _, sealed in self._fetch(index, index):
                self._open(index, sealed)

    def damaged(self) -> list[tuple[int, int]]:
        """Return which stored bytes do not open, as first and end of whole segments, neighbours as one; reads them all.

        Segments are sealed one by one, so that this tells how much of a file is still good.
        """
        ranges: list[tuple[int, int]] = []
        for index in range(self._last + 1):
            begin = index * self._layout.segment_size
            end = min(begin + self._layout.segment_size, self._sealed_size)
            try:
                for _, sealed in self._fetch(index, index):
                    self._open(index, sealed)
            except Damaged:
                joined = bool(ranges) and ranges[-1][1] == begin
                ranges[-1:] = [(ranges[-1][0], end)] if joined else [*ranges[-1:], (begin, end)]
        return ranges

    def _pieces(self, start: int, stop: int) -> Iterator[bytearray]:
        if not self._size:
            self.check_ends()
        while start < stop:
            end = min(stop, self._layout.start(self._layout.index_of(start) + self._run))
            piece = bytearray(end - start)
            self._fill(start, memoryview(piece))
            yield piece
            start = end

    def _fill(self, offset: int, target: memoryview) -> None:
        """Write the plaintext from `offset` on to the whole of `target`."""
        if not self._size:
            self.check_ends()  # the empty file has a tag as well
        taken = self._take_opened(offset, target)
        if taken == len(target):
            return
        first, last = (self._layout.index_of(at) for at in (offset + taken, offset + len(target) - 1))
        for index, sealed in self._fetch(first, last):
            size = len(sealed) - TAG_SIZE
            rest = target[taken:]
            if size <= len(rest) and self._layout.start(index) == offset + taken:
                self._open_into(index, sealed, rest[:size])
                taken += size
            else:
                self._open(index, sealed)
                taken += self._take_opened(offset + taken, rest)

    def _take_opened(self, offset: int, target: memoryview) -> int:
        """Copy what the kept segment has from `offset` on to the front of `target` and return how much that was."""
        if not target or self._layout.index_of(offset) != self._opened_index:
            return 0
        begin = offset - self._layout.start(self._opened_index)
        count = min(len(target), len(self._opened) - begin)
        target[:count] = memoryview(self._opened)[begin : begin + count]
        return count

    def _open(self, index: int, sealed: memoryview) -> None:
        """Open segment `index` and keep its plaintext for the reads that follow."""
        plain = bytearray(len(sealed) - TAG_SIZE)
        self._open_into(index, sealed, memoryview(plain))
        self._opened_index, self._opened = index, plain

    def _open_into(self, index: int, sealed: memoryview, target: memoryview) -> None:
        if self._segments is None:
            self._segments = Segments(self._key, self._aad, bytes(self._sealed(0, HEADER_SIZE)), self._layout)
        self._segments.open_into(index, sealed, target, last=index == self._last)

    def _fetch(self, first: int, last: int) -> Iterator[tuple[int, memoryview]]:
        """Yield the sealed bytes of each segment from `first` to `last`, read from the store a run at a time."""
        size = self._layout.segment_size
        for start in range(first, last + 1, self._run):
            stop = min(start + self._run, last + 1)
            sealed = self._sealed(start * size, min(stop * size, self._sealed_size))
            if not start and self._segments is None:
                self._segments = Segments(self._key, self._aad, bytes(sealed[:HEADER_SIZE]), self._layout)
            for index in range(start, stop):
                begin = (index - start) * size
                yield index, sealed[begin if index else HEADER_SIZE : begin + size]

    def _sealed(self, begin: int, end: int) -> memoryview:
        sealed = memoryview(self._read_at(begin, end - begin))
        if len(sealed) != end - begin:
            raise Truncated(f"the store returned {len(sealed)} bytes for {begin} to {end} of a sealed stream")
        return sealed


_LAYOUT = Layout()


def seal_bytes(key: bytes, aad: bytes, plain: Bytes) -> bytes:
    """Return the stream over a small `plain` that lies in memory whole."""
    header = new_header()
    segments = Segments(key, aad, header, _LAYOUT)
    sealed = bytearray(_LAYOUT.sealed_size(len(plain)))
    sealed[:HEADER_SIZE] = header
    source, target = memoryview(plain), memoryview(sealed)
    last = _LAYOUT.segments(len(sealed)) - 1
    for index in range(last + 1):
        body = source[_LAYOUT.start(index) : _LAYOUT.start(index + 1)]
        begin = index * SEGMENT_SIZE or HEADER_SIZE
        segments.seal_into(index, body, target[begin : begin + len(body) + TAG_SIZE], last=index == last)
    return bytes(sealed)
