"""Streams and stores for the tests of sealing: real ones, in memory."""

from __future__ import annotations

import io
from dataclasses import dataclass, field

from vault.crypto.layout import SEGMENT_SIZE
from vault.crypto.streaming import OpeningReader, SealingWriter

KEY = bytes(range(32))
OTHER_KEY = bytes(range(1, 33))
AAD = b"secure-files/v1\0 an owner"
SMALL = 128  # bytes in a segment, so that a short blob has many

# Around every border of the first two segments, of 65480 and 65520 plain bytes.
BORDER_SIZES = (0, 1, 65479, 65480, 65481, 65519, 65520, 65521, 65535, 65536, 65537, 130999, 131000, 131001)
# The same with segments of 128 bytes, which hold 72 and 112.
SMALL_BORDER_SIZES = (0, 1, 71, 72, 73, 111, 112, 113, 127, 128, 129, 183, 184, 185, 300)


def pattern(size: int) -> bytes:
    """Return `size` bytes in which no two segments are alike."""
    numbers = b"".join(number.to_bytes(4, "big") for number in range(size // 4 + 1))
    return numbers[:size]


def sealed(
    plain: bytes,
    *,
    key: bytes = KEY,
    aad: bytes = AAD,
    segment_size: int = SEGMENT_SIZE,
    piece: int | None = None,
    header: bytes | None = None,
) -> bytes:
    """Return the stream over `plain`, written in pieces of `piece` bytes or at once."""
    sink = io.BytesIO()
    writer = SealingWriter(sink, key, aad, segment_size=segment_size, header=header)
    for start in range(0, len(plain), piece or max(1, len(plain))):
        writer.write(memoryview(plain)[start : start + (piece or len(plain))])
    writer.finish()
    return sink.getvalue()


@dataclass
class Store:
    """Sealed bytes that remember which of them were asked for."""

    content: bytes
    calls: list[tuple[int, int]] = field(default_factory=list)

    def read_at(self, offset: int, length: int) -> bytes:
        self.calls.append((offset, length))
        return self.content[offset : offset + length]


def reader(
    stream: bytes, *, key: bytes = KEY, aad: bytes = AAD, segment_size: int = SEGMENT_SIZE, run: int = 4
) -> OpeningReader:
    """Return a reader over a stream in memory."""
    return OpeningReader(Store(stream).read_at, len(stream), key, aad, segment_size=segment_size, run=run)


def opened(stream: bytes, *, key: bytes = KEY, aad: bytes = AAD, segment_size: int = SEGMENT_SIZE) -> bytes:
    """Return the whole plaintext of a stream."""
    return bytes(reader(stream, key=key, aad=aad, segment_size=segment_size).read_all())
