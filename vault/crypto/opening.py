"""A sealed stream that is at hand, opened whole: at once, or some segments at a time beside other work."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from vault.crypto.layout import HEADER_SIZE, SEGMENT_SIZE, TAG_SIZE, Layout
from vault.crypto.scratch import scratch
from vault.crypto.segments import Segments
from vault.errors import Truncated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from vault.blobs import AtHand
    from vault.crypto.segments import Bytes

    Fetch = Callable[[], None]

RUN = 4
"""Segments that are read in one call: they lie in the processor's nearest caches when they are opened."""
TURN = 8
"""Runs that are read and opened in one turn: two MiB, which take a fraction of a millisecond."""
_LAYOUT = Layout()


class Opening:
    """Opens `stored`, which `turns` closes, into the front of `plain`: that is of no use before `turns` has ended.

    Raises `Truncated`, `Tampered`.
    """

    def __init__(self, key: bytes, aad: bytes, stored: AtHand) -> None:
        self.size = _LAYOUT.plain_size(stored.size)
        self._key, self._aad, self._stored = key, aad, stored
        self._count = _LAYOUT.segments(stored.size)
        self._segments: Segments | None = None

    def turns(self, plain: memoryview) -> Iterator[Fetch | None]:
        """Open two MiB each time; what is left to open follows.

        Where the disk has to be waited for, a function is handed out that does the waiting: call it, in any thread.
        """
        plain, first = plain[: self.size], 0
        while first < self._count:
            end = min(first + RUN * TURN, self._count)
            with scratch(RUN * SEGMENT_SIZE) as buffer:
                first = self._open_at_hand(first, end, buffer, plain)
            if first < end:
                sealed = memoryview(bytearray(self._bytes_of(first)))
                yield partial(self._fetch, sealed, first * SEGMENT_SIZE)
                self._open(first, sealed, plain)
                first += RUN
            elif end < self._count:
                yield None

    def _open_at_hand(self, first: int, end: int, buffer: memoryview, plain: memoryview) -> int:
        """Open runs up to segment `end`, as far as they are in memory; return the first segment that is not opened."""
        while first < end:
            sealed = buffer[: self._bytes_of(first)]
            if self._stored.read_now(sealed, first * SEGMENT_SIZE) < len(sealed):
                return first
            self._open(first, sealed, plain)
            first += RUN
        return end

    def _bytes_of(self, first: int) -> int:
        """Return how many bytes the run has that begins with segment `first`."""
        return min(RUN * SEGMENT_SIZE, self._stored.size - first * SEGMENT_SIZE)

    def close(self) -> None:
        """Let go of what is stored."""
        self._stored.close()

    def _fetch(self, target: memoryview, offset: int) -> None:
        if self._stored.read(target, offset) != len(target):
            raise Truncated(f"{self._stored.size} bytes were stored, and are no more")

    def _open(self, first: int, sealed: memoryview, plain: memoryview) -> None:
        """Open the run that begins with segment `first`."""
        if self._segments is None:
            self._segments = Segments(self._key, self._aad, bytes(sealed[:HEADER_SIZE]), _LAYOUT)
        begin, start = HEADER_SIZE if first == 0 else 0, _LAYOUT.start(first)
        for index in range(first, min(first + RUN, self._count)):
            end = (index - first + 1) * SEGMENT_SIZE
            segment = sealed[begin:end]
            stop = start + len(segment) - TAG_SIZE
            self._segments.open_into(index, segment, plain[start:stop], last=index == self._count - 1)
            begin, start = end, stop


class SmallStream:
    """Opens a stream that lies in memory whole as often as asked; its key is derived once. Raises as `Opening`."""

    def __init__(self, key: bytes, aad: bytes, sealed: Bytes) -> None:
        _LAYOUT.plain_size(len(sealed))
        self._sealed = memoryview(sealed)
        self._segments = Segments(key, aad, bytes(sealed[:HEADER_SIZE]), _LAYOUT)
        self._last = _LAYOUT.segments(len(sealed)) - 1

    def open(self) -> bytes:
        """Return what was sealed, every byte of it verified."""
        first = self._segments.opened(0, self._sealed[HEADER_SIZE:SEGMENT_SIZE], last=self._last == 0)
        return first if self._last == 0 else b"".join((first, *map(self._segment, range(1, self._last + 1))))

    def _segment(self, index: int) -> bytes:
        sealed = self._sealed[index * SEGMENT_SIZE : (index + 1) * SEGMENT_SIZE]
        return self._segments.opened(index, sealed, last=index == self._last)
