"""The listening socket: bound once, so that a port that is taken is a clear error before anything else happens."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from vault.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

from contextlib import contextmanager

BACKLOG = 1024


@contextmanager
def listen(host: str, port: int) -> Iterator[socket.socket]:
    """Give a listening socket, closed after the block. Raises `Unavailable` when the address cannot be had."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][0]
        listening = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        raise Unavailable(f"cannot listen on {host}: {error.strerror}") from error
    with listening:
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind((host, port))
            listening.listen(BACKLOG)
        except (OSError, OverflowError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise Unavailable(f"cannot listen on {host}:{port}: {reason}") from error
        listening.setblocking(False)
        yield listening


def address(listening: socket.socket) -> str:
    """Return the URL of a listening socket."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
