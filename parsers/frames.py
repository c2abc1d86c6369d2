"""How parent and child talk: a JSON header and raw bytes, each preceded by its length. Never pickle."""

from __future__ import annotations

import json
import os
import select
import struct
import time
from typing import Any, TypeAlias

Bytes: TypeAlias = bytes | bytearray

_LENGTHS = struct.Struct(">II")
_CHUNK = 1024 * 1024
_SMALL = 64 * 1024
MAX_HEADER = 4 * 1024 * 1024
MAX_BODY = 64 * 1024 * 1024


class Closed(Exception):
    """The other side ended, or talks nonsense."""


class Late(Exception):
    """Nothing came, or nothing was taken, by the deadline."""


def send(fd: int, header: dict[str, Any], body: Bytes = b"", *, until: float | None = None) -> None:
    """Write one frame; `until` is a time.monotonic() moment and needs a non-blocking `fd`. Raises Closed, Late."""
    text = json.dumps(header).encode("ascii")
    begin = _LENGTHS.pack(len(text), len(body)) + text
    if len(body) <= _SMALL:
        _send(fd, begin + body, until)
    else:
        _send(fd, begin, until)
        _send(fd, body, until)


def _send(fd: int, data: Bytes, until: float | None) -> None:
    view = memoryview(data)
    while view:
        _wait(fd, select.POLLOUT, until)
        try:
            view = view[os.write(fd, view[:_CHUNK]) :]
        except BlockingIOError:
            continue
        except OSError:
            raise Closed from None


def receive(fd: int, *, until: float | None = None) -> tuple[dict[str, Any], bytes]:
    """Read one frame. Raises Closed, also for what is no frame, and Late."""
    header_size, body_size = _LENGTHS.unpack(_exactly(fd, _LENGTHS.size, until))
    if header_size > MAX_HEADER or body_size > MAX_BODY:
        raise Closed
    try:
        header = json.loads(_exactly(fd, header_size, until))
    except (ValueError, RecursionError):
        raise Closed from None
    if not isinstance(header, dict):
        raise Closed
    return header, _exactly(fd, body_size, until)


def _exactly(fd: int, size: int, until: float | None) -> bytes:
    pieces = []
    while size:
        _wait(fd, select.POLLIN, until)
        try:
            piece = os.read(fd, min(size, _CHUNK))
        except BlockingIOError:
            continue
        except OSError:
            raise Closed from None
        if not piece:
            raise Closed
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)


def _wait(fd: int, event: int, until: float | None) -> None:
    if until is None:
        return
    left = until - time.monotonic()
    poll = select.poll()
    poll.register(fd, event)
    if left <= 0 or not poll.poll(left * 1000):
        raise Late
