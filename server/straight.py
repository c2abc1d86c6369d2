"""Bytes straight from a buffer to a socket.

What a transport cannot send at once it copies, and a buffer of some MiB costs more to copy than to seal. So as much as
the kernel takes is given to it here, and the transport gets a small piece to wait with: it watches the socket, and who
looks for clients that do not read sees that something waits.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aiohttp.abc import AbstractStreamWriter

PIECE = 64 * 1024
"""What goes with the headers, and what the transport gets: with less to begin with a client is woken too early."""
AT_ONCE = 4 * 1024 * 1024
"""The most that goes to the kernel in one turn of the loop."""


async def push(writer: AbstractStreamWriter, data: memoryview) -> None:
    """Send a body whose length was told. Nobody looks at `data` any more once this returns or raises.

    Raises `ConnectionError` when the client has gone.
    """
    descriptor = _descriptor(writer)
    await writer.write(bytes(data[:PIECE]))  # with the headers
    data = data[PIECE:]
    if descriptor is None:
        for start in range(0, len(data), PIECE):
            await writer.write(bytes(data[start : start + PIECE]))
        return
    _wait_for_all(writer, wanted=True)
    try:
        while data:
            data = data[_give(writer, descriptor, data[:AT_ONCE]) :]
            if data:
                await writer.write(bytes(data[:PIECE]))
                data = data[PIECE:]
                await writer.drain()
    finally:
        _wait_for_all(writer, wanted=False)


def _descriptor(writer: AbstractStreamWriter) -> int | None:
    """Return the socket's, None where what is written is not what is sent, as under TLS."""
    transport = writer.transport
    if transport is None or transport.get_extra_info("sslcontext") is not None:
        return None
    socket = transport.get_extra_info("socket")
    return None if socket is None else socket.fileno()


def _wait_for_all(writer: AbstractStreamWriter, *, wanted: bool) -> None:
    """Have `drain` wait until the transport holds nothing, or as usual."""
    if writer.transport is not None:
        writer.transport.set_write_buffer_limits(0 if wanted else None)


def _give(writer: AbstractStreamWriter, descriptor: int, data: memoryview) -> int:
    """Hand the kernel what it takes now, unless something waits before it; return how much that was."""
    transport = writer.transport
    if transport is None or transport.is_closing():
        raise ConnectionResetError("the client went away")
    if transport.get_write_buffer_size():
        return 0
    try:
        sent = os.write(descriptor, data)
    except BlockingIOError:
        return 0
    except OSError:
        transport.abort()
        raise
    writer.output_size += sent
    return sent
