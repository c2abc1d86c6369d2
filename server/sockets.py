"""The listening socket: bound once, so that a port that is taken is a clear error before anything else happens."""

from __future__ import annotations

import errno
import ipaddress
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING

from vault.errors import Invalid, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

BACKLOG = 1024
REFUSAL = (
    "{} can be reached by others, and they would send tokens and files in clear: give --tls-certificate and --tls-key, "
    "or --trusted-proxy with the address of the proxy that has TLS, or --insecure-http if this network is safe"
)

WAYS_OUT = {
    errno.EADDRINUSE: "; stop what listens there, or choose another --port (0 takes a free one)",
    errno.EACCES: "; choose a --port from 1024 on",
}


def refuse_open_address(host: str) -> None:
    """Raise `Invalid` when others than this machine can reach the address, `Unavailable` when there is no such one."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise Unavailable(f"cannot listen on {host}: {error.strerror}") from error
    if not all(_is_loopback(str(address[0])) for *_, address in found):
        raise Invalid("host", REFUSAL.format(host))


def _is_loopback(address: str) -> bool:
    found = ipaddress.ip_address(address.partition("%")[0])
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return (mapped or found).is_loopback


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
            way_out = WAYS_OUT.get(getattr(error, "errno", 0), "")
            raise Unavailable(f"cannot listen on {host}:{port}: {reason}{way_out}") from error
        listening.setblocking(False)
        yield listening


def address(listening: socket.socket, *, tls: bool = False) -> str:
    """Return the URL of a listening socket."""
    host, port = listening.getsockname()[:2]
    return f"http{'s' if tls else ''}://{f'[{host}]' if ':' in host else host}:{port}"
