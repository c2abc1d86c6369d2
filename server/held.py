"""How much memory whole answers may hold: each waits for its client, who may be slow, or never read at all.

Beyond it an answer goes out in pieces, verified twice instead of held once. A body that was sent is let go of:
aiohttp keeps the last answer of a connection until the next, or for a minute.
"""

from __future__ import annotations

from traceback import clear_frames
from typing import TYPE_CHECKING, NamedTuple

from aiohttp import web
from aiohttp.payload import Payload

from server.app_keys import ROOM
from server.straight import push

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from aiohttp.abc import AbstractStreamWriter

    from server.room import Share

    Data = bytes | bytearray | memoryview
    Lend = Callable[[], memoryview]

SMALL = 64 * 1024
"""An answer up to this size needs no room."""


class Answer(NamedTuple):
    """What is answered from memory, before aiohttp has it."""

    status: int
    headers: dict[str, str]
    data: Data

    def response(self) -> web.Response:
        """Return it for aiohttp to send, and to keep."""
        return web.Response(status=self.status, headers=self.headers, body=bytes(self.data) or None)


async def whole(request: web.Request, size: int, answer: Callable[[Lend], Awaitable[Answer]]) -> web.Response | None:
    """Return the answer of up to `size` bytes; None, and nothing was done, where there is no room for it.

    `answer` may ask for so much memory and leave its bytes there.
    """
    if size <= SMALL:
        return (await answer(lambda: memoryview(bytearray(size)))).response()
    share = await request.app[ROOM].take(size)
    if share is None:
        return None
    try:
        status, headers, data = await answer(share.memory)
    except BaseException:
        share.give_back()  # the error may be kept for longer
        raise
    if not data:
        share.give_back()
        return web.Response(status=status, headers=headers)
    headers["Content-Length"] = str(len(data))  # told to whoever counts, before it is sent
    return web.Response(status=status, headers=headers, body=Held(share, data))


class Held(Payload):
    """A body that gives its room back when it was sent, or when nobody has it any more."""

    def __init__(self, share: Share, data: Data) -> None:
        super().__init__(data)
        self._share, self._size = share, len(data)

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        """Return the body as text."""
        return bytes(self._value).decode(encoding, errors)

    async def write(self, writer: AbstractStreamWriter) -> None:
        """Send it, as quickly as it is taken."""
        try:
            await push(writer, memoryview(self._value))
        except BaseException as error:
            clear_frames(error.__traceback__)  # the connection keeps the error, and with it what its frames have
            raise
        finally:
            self.let_go()

    def let_go(self) -> None:
        """Give the room back, and the bytes."""
        self._value = b""
        self._share.give_back()

    def __del__(self) -> None:
        self.let_go()
