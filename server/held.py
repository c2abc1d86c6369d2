"""How much memory whole answers may hold: each waits for its client, who may be slow, or never read at all.

Beyond it an answer goes out in pieces, verified twice instead of held once. A body that was sent is let go of:
aiohttp keeps the last answer of a connection until the next, or for a minute.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp.payload import Payload

from server.app_keys import ROOM

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from aiohttp import web
    from aiohttp.abc import AbstractStreamWriter

MOST = 128 * 1024 * 1024
SMALL = 64 * 1024
"""An answer up to this size needs no room."""
PIECE = 256 * 1024


class Room:
    """The bytes that whole answers of one process may have in memory. For the event loop's thread."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self.taken = 0

    def take(self, size: int) -> bool:
        """Take so much of it, unless there is less."""
        if self.taken + size > self._most:
            return False
        self.taken += size
        return True

    def give_back(self, size: int) -> None:
        """Return what was taken."""
        self.taken -= size


async def whole(request: web.Request, size: int, answer: Callable[[], Awaitable[web.Response]]) -> web.Response | None:
    """Return the answer with up to `size` bytes in memory; None, and nothing was done, where there is no room."""
    if size <= SMALL:
        return await answer()
    room = request.app[ROOM]
    if not room.take(size):
        return None
    held = Held(room, size)
    try:
        response = await answer()
    except BaseException:
        held.let_go()  # the error may be kept for longer
        raise
    if isinstance(response.body, bytes | bytearray):
        response.headers["Content-Length"] = str(len(response.body))  # told to whoever counts, before it is sent
        response.body = held.with_data(response.body)
    return response


class Held(Payload):
    """A body that gives its room back when it was sent, or when nobody has it any more."""

    def __init__(self, room: Room, size: int) -> None:
        super().__init__(b"")
        self._room, self._held = room, size

    def with_data(self, data: bytes | bytearray) -> Held:
        """Return this, with the bytes to send."""
        self._value, self._size = data, len(data)
        return self

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        """Return the body as text."""
        return bytes(self._value).decode(encoding, errors)

    async def write(self, writer: AbstractStreamWriter) -> None:
        """Send it, as quickly as it is taken."""
        view = memoryview(self._value)
        try:
            for start in range(0, len(view), PIECE):
                await writer.write(view[start : start + PIECE])
        finally:
            self.let_go()

    def let_go(self) -> None:
        """Give the room back, and the bytes."""
        self._value = b""
        self._room.give_back(self._held)
        self._held = 0

    def __del__(self) -> None:
        self.let_go()
