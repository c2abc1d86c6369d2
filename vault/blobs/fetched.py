"""An object that was fetched as a whole."""

from __future__ import annotations


class Fetched:
    """An `AtHand` over bytes in memory."""

    def __init__(self, data: bytes) -> None:
        self._data = memoryview(data)
        self.size = len(data)

    def read(self, target: memoryview, offset: int) -> int:
        """Copy."""
        piece = self._data[offset : offset + len(target)]
        target[: len(piece)] = piece
        return len(piece)

    read_now = read

    def close(self) -> None:
        """Let go of the bytes."""
        self._data = memoryview(b"")
