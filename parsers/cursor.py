"""Reading big-endian binary files, as Java writes them, without ever believing a length."""

from __future__ import annotations

import struct

from parsers.interface import Unreadable


class Cursor:
    """Reads big-endian fields one after the other. Raises `Unreadable("truncated")` at the end of the data."""

    def __init__(self, data: bytes, at: int = 0) -> None:
        self.data = data
        self.at = at

    def take(self, size: int) -> bytes:
        """Return the next `size` bytes."""
        self.skip(size)
        return self.data[self.at - size : self.at]

    def skip(self, size: int) -> None:
        """Go past `size` bytes, which must be there."""
        self.at += size
        if self.at > len(self.data):
            raise Unreadable("truncated")

    def u8(self) -> int:
        """Return an unsigned octet."""
        return self.take(1)[0]

    def u16(self) -> int:
        """Return an unsigned number of two octets."""
        return int(struct.unpack(">H", self.take(2))[0])

    def u32(self) -> int:
        """Return an unsigned number of four octets."""
        return int(struct.unpack(">I", self.take(4))[0])

    def u64(self) -> int:
        """Return an unsigned number of eight octets."""
        return int(struct.unpack(">Q", self.take(8))[0])

    def text(self) -> str:
        """Return a string in Java's modified UTF-8, preceded by its length in two octets."""
        encoded = self.take(self.u16()).replace(b"\xc0\x80", b"\0")
        try:
            halves = encoded.decode("utf-8", "surrogatepass")
        except UnicodeDecodeError:
            raise Unreadable("malformed") from None
        return halves.encode("utf-16", "surrogatepass").decode("utf-16", "replace")

    def blob(self) -> bytes:
        """Return bytes preceded by their length in four octets."""
        return self.take(self.u32())
