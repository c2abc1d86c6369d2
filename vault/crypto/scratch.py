"""A buffer for ciphertext that each thread keeps: fresh memory costs more than the cipher does."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_kept = threading.local()


@contextmanager
def scratch(size: int) -> Iterator[memoryview]:
    """Lend this thread's buffer.

    It is taken away while lent, so a sink that seals something itself does not write over it.
    """
    buffer: bytearray | None = _kept.__dict__.pop("buffer", None)
    if buffer is None or len(buffer) < size:
        buffer = bytearray(size)
    yield memoryview(buffer)[:size]
    _kept.buffer = buffer
