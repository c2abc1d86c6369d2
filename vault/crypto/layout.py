"""Where the bytes of a sealed stream lie: arithmetic on lengths and offsets, without keys or data.

A stream is a 40-byte header and segments of one size, of which only the last may be shorter. Each segment ends in a
16-byte tag, and the header counts as part of the first segment, so sealed segment i begins at i * segment_size.
"""

from __future__ import annotations

from dataclasses import dataclass

from vault.errors import Truncated

SEGMENT_SIZE = 65536
HEADER_SIZE = 40
TAG_SIZE = 16
MAX_SEGMENTS = 2**32  # the nonce counts them in 32 bits


@dataclass(frozen=True, slots=True)
class Layout:
    """The layout of streams whose sealed segments have `segment_size` bytes."""

    segment_size: int = SEGMENT_SIZE

    def __post_init__(self) -> None:
        if self.segment_size <= HEADER_SIZE + TAG_SIZE:
            raise ValueError(f"a segment needs more than {HEADER_SIZE + TAG_SIZE} bytes")

    def capacity(self, index: int) -> int:
        """Return how many plain bytes segment `index` holds when it is full."""
        full = self.segment_size - TAG_SIZE
        return full if index else full - HEADER_SIZE

    def start(self, index: int) -> int:
        """Return the plain offset at which segment `index` begins."""
        return index * self.capacity(1) - HEADER_SIZE if index else 0

    def index_of(self, offset: int) -> int:
        """Return the segment that holds the plain byte at `offset`."""
        return (offset + HEADER_SIZE) // self.capacity(1)

    def sealed_size(self, plain: int) -> int:
        """Return the length of a stream over `plain` bytes."""
        # The empty file is one empty segment; no other stream ends in an empty one.
        segments = 1 + self.index_of(max(plain, 1) - 1)
        return HEADER_SIZE + plain + TAG_SIZE * segments

    def segments(self, sealed: int) -> int:
        """Return how many segments a stream of `sealed` bytes has."""
        return -(-sealed // self.segment_size)

    def plain_size(self, sealed: int) -> int:
        """Return how many bytes lie in a stream of `sealed` bytes. Raises `Truncated` when no stream is that long."""
        segments = self.segments(sealed)
        plain = sealed - HEADER_SIZE - TAG_SIZE * segments
        if plain < 0 or segments > MAX_SEGMENTS or self.sealed_size(plain) != sealed:
            raise Truncated(f"no sealed stream has a length of {sealed} bytes: it was cut or extended")
        return plain


_STANDARD = Layout()


def sealed_size(plain: int) -> int:
    """Return the stored length of a file of `plain` bytes: 40 and 16 for each segment of 64 KiB more."""
    return _STANDARD.sealed_size(plain)


def plain_size(sealed: int) -> int:
    """Return the length of the file in a stored stream of `sealed` bytes.

    Raises `Truncated` when no file has that stored length.
    """
    return _STANDARD.plain_size(sealed)
