"""A sealed stream that lies in memory, opened whole: at once, or some segments at a time beside other work."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vault.crypto.layout import HEADER_SIZE, SEGMENT_SIZE, Layout
from vault.crypto.segments import Segments

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vault.crypto.segments import Bytes

TURN = 16
"""Segments that are opened in one turn: a MiB, which takes a fraction of a millisecond."""
_LAYOUT = Layout()


class Opening:
    """Opens the stream `sealed`. Raises `Truncated`, `Tampered`.

    `plain` is whole and verified once `turns` has ended, and of no use before.
    """

    def __init__(self, key: bytes, aad: bytes, sealed: Bytes) -> None:
        self.plain = bytearray(_LAYOUT.plain_size(len(sealed)))
        self._sealed = memoryview(sealed)
        self._segments = Segments(key, aad, bytes(sealed[:HEADER_SIZE]), _LAYOUT)
        self._count = _LAYOUT.segments(len(sealed))

    def turns(self) -> Iterator[None]:
        """Open a MiB each time; what is left to open follows."""
        for first in range(0, self._count, TURN):
            for index in range(first, min(first + TURN, self._count)):
                self._open(index)
            yield

    def _open(self, index: int) -> None:
        sealed = self._sealed[index * SEGMENT_SIZE or HEADER_SIZE : (index + 1) * SEGMENT_SIZE]
        target = memoryview(self.plain)[_LAYOUT.start(index) : _LAYOUT.start(index + 1)]
        self._segments.open_into(index, sealed, target, last=index == self._count - 1)


def open_bytes(key: bytes, aad: bytes, sealed: Bytes) -> bytes:
    """Return what a small stream that lies in memory whole was sealed from. Raises `Truncated`, `Tampered`."""
    opening = Opening(key, aad, sealed)
    for _ in opening.turns():
        pass
    return bytes(opening.plain)
