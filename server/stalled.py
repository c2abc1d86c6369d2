"""Clients that ask and do not read: their answers would stay in memory for ever."""

from __future__ import annotations

import asyncio
import fcntl
import logging
import struct
import termios
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable

log = logging.getLogger("secure_files.server")

STALLED_SECONDS = 60.0
LOOKS = 4


class Connection(Protocol):
    """A client's connection, as aiohttp's server lists them."""

    transport: asyncio.Transport | None


class Connections(Protocol):
    """A server, as far as it is watched."""

    @property
    def connections(self) -> Iterable[Connection]:
        """Return the open connections."""


class Watch:
    """Looks at a server's connections every so often and cuts off those that took nothing for a minute."""

    def __init__(self, server: Connections) -> None:
        self._server = server
        self._stuck: dict[asyncio.Transport, tuple[int, int]] = {}

    async def run(self) -> None:
        """Look for ever."""
        while True:
            await asyncio.sleep(STALLED_SECONDS / LOOKS)
            self.look()

    def look(self) -> None:
        """Cut off each connection that has held the same bytes at so many looks beyond the first."""
        stuck = {}
        for transport in (connection.transport for connection in self._server.connections):
            if transport is None or not (waiting := unsent(transport)):
                continue
            before, looks = self._stuck.get(transport, (0, 0))
            stuck[transport] = waiting, looks + 1 if waiting == before else 0
            if stuck[transport][1] >= LOOKS:
                log.info("cut off a client that read nothing for %s s", STALLED_SECONDS)
                transport.abort()
        self._stuck = stuck


def unsent(transport: asyncio.Transport) -> int:
    """Return how many bytes the client has not taken, those in the kernel included; 0 when only those are left."""
    waiting = transport.get_write_buffer_size()
    socket = transport.get_extra_info("socket")
    if not waiting or socket is None:
        return waiting
    # The kernel asks for more only when a third of its buffer is free, which takes a slow client minutes.
    try:
        (queued,) = struct.unpack("i", fcntl.ioctl(socket.fileno(), termios.TIOCOUTQ, bytes(4)))
    except (OSError, ValueError):  # a system that does not tell, a socket that was closed meanwhile
        return waiting
    return waiting + int(queued)
