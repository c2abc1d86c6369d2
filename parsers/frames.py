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
        try:
            view = view[os.write(fd, view[:_CHUNK]) :]
        except BlockingIOError:
            _wait(fd, select.POLLOUT, until)
        except OSError:
            raise Closed from None


def receive(fd: int, *, until: float | None = None) -> tuple[dict[str, Any], bytes]:
    """Read one frame, followed by nothing. Raises Closed, also for what is no frame, and Late."""
    begun = _some(fd, _SMALL, until)
    while len(begun) < _LENGTHS.size:
        begun += _some(fd, _SMALL, until)
    header_size, body_size = _LENGTHS.unpack_from(begun)
    if header_size > MAX_HEADER or body_size > MAX_BODY:
        raise Closed
    pieces, missing = [begun], _LENGTHS.size + header_size + body_size - len(begun)
    while missing > 0:
        pieces.append(_some(fd, min(missing, _CHUNK), until))
        missing -= len(pieces[-1])
    frame = b"".join(pieces) if len(pieces) > 1 else begun
    begin = _LENGTHS.size + header_size
    try:
        header = json.loads(frame[_LENGTHS.size : begin])
    except (ValueError, RecursionError):
        raise Closed from None
    if missing or not isinstance(header, dict):
        raise Closed
    return header, frame[begin:]


def _some(fd: int, most: int, until: float | None) -> bytes:
    """Read what is there, at least a byte and `most` at most."""
    while True:
        _wait(fd, select.POLLIN, until)
        try:
            piece = os.read(fd, most)
        except BlockingIOError:
            continue
        except OSError:
            raise Closed from None
        if not piece:
            raise Closed
        return piece


def _wait(fd: int, event: int, until: float | None) -> None:
    if until is None:
        return
    left = until - time.monotonic()
    poll = select.poll()
    poll.register(fd, event)
    if left <= 0 or not poll.poll(left * 1000):
        raise Late
