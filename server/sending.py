"""Downloads of any size: small ones are opened whole before the status line, large ones leave in pieces, and so do
small ones once many of them wait for their clients.

Damage that shows once an answer has begun breaks the connection off: no half file gets a proper end.
"""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import TYPE_CHECKING, Protocol

from aiohttp import web

from server import auditing
from server.app_keys import OFFLOAD, REQUEST_ID
from server.downloads import OCTETS, Plan, plan
from server.held import Answer, whole
from server.offload import ended
from vault.contents import WHOLE_LIMIT, Content
from vault.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from server.held import Data, Lend
    from server.offload import Offload
    from vault.blob_reading import BlobOpening

    Piece = bytes | bytearray

log = logging.getLogger("secure_files.server")


class Source(Protocol):
    """Bytes that can be sent. `read` and `pieces` block; the rest is known."""

    @property
    def size(self) -> int:
        """Return how many bytes there are."""

    @property
    def tag(self) -> str:
        """Return a name of their state, another wherever a byte is."""

    @property
    def ranges(self) -> bool:
        """Say whether a part can be had without the rest."""

    def read(self, start: int, stop: int) -> Piece:
        """Return the bytes from `start` up to `stop`, verified."""

    def pieces(self, start: int, stop: int) -> Iterator[Piece]:
        """Yield the same in pieces, most damage raised before the first."""


async def send(
    request: web.Request,
    source: Source,
    name: str,
    *,
    content_type: str = OCTETS,
    kind: str = "attachment",
    more: Mapping[str, str] | None = None,
) -> web.StreamResponse:
    """Answer with the bytes: 200, 206 for one range, 416 for a range outside, 304 when the client has them.

    `more` are further headers, or others in the place of the usual ones. HEAD and 304 open nothing. Raises what
    `source` raises as long as nothing has been sent.
    """
    planned = plan(
        request, source.size, source.tag, name=name, content_type=content_type, kind=kind, ranges=source.ranges
    )
    planned.headers.update(more or {})
    if planned.is_empty:
        return web.Response(status=planned.status, headers=planned.headers)
    if request.method == "HEAD":
        return web.Response(headers={**planned.headers, "Content-Length": str(source.size)})
    return await _answer(request, source, planned)


async def _answer(request: web.Request, source: Source, planned: Plan) -> web.StreamResponse:
    offload, (start, stop) = request.app[OFFLOAD], planned.part
    if stop - start <= WHOLE_LIMIT:
        if (held := await whole(request, stop - start, partial(_held, offload, source, planned))) is not None:
            return held
        await offload.call(_check, source, start, stop)
    response = web.StreamResponse(status=planned.status, headers=planned.headers)
    response.content_length = stop - start
    pieces = _Ahead(offload, source.pieces(start, stop))
    try:
        return await _stream(request, response, await pieces.next(), pieces)
    finally:
        await pieces.close()


async def _held(offload: Offload, source: Source, planned: Plan, lend: Lend) -> Answer:
    data: Data
    if isinstance(source, Content) and planned.part == (0, source.size):
        fetch = offload.read if source.fetches_quickly else offload.call
        data = await opened(offload, await fetch(source.fetch), lend)
    else:
        data = await offload.call(source.read, *planned.part)
    return Answer(planned.status, planned.headers, data)


async def opened(offload: Offload, content: BlobOpening, lend: Lend) -> memoryview:
    """Return content, opened here into memory that is lent, two MiB at a time: others have their turns between.

    In a thread each of its segments would be one more wait for the interpreter's lock. A thread waits for the disk.
    """
    try:
        plain = lend()
        if content.size > len(plain):  # replaced meanwhile by something larger
            plain = memoryview(bytearray(content.size))
        plain = plain[: content.size]
        for fetch in content.turns(plain):
            await (asyncio.sleep(0) if fetch is None else offload.to_end(fetch))
    finally:
        content.close()
    return plain


def _check(source: Source, start: int, stop: int) -> None:
    """Open all of it and keep nothing: damage of what could have been held is an error here too, and no half answer."""
    for _ in source.pieces(start, stop):
        pass


async def _stream(
    request: web.Request, response: web.StreamResponse, piece: Piece | None, pieces: _Ahead
) -> web.StreamResponse:
    await response.prepare(request)
    try:
        while piece is not None:
            pieces.prefetch()
            await response.write(piece)
            piece = await pieces.next()
        await response.write_eof()
    except ConnectionError:
        log.info("%s: the client went away", request[REQUEST_ID])
    except Unavailable as error:
        log.error("%s: broken off while sending: %s", request[REQUEST_ID], error)
        _break_off(request)
    except Exception as error:
        log.exception("%s: broken off while sending: %s", request[REQUEST_ID], type(error).__name__)
        _break_off(request)
    return response


def _break_off(request: web.Request) -> None:
    """Reset the connection: a client must not take what it got for the whole."""
    auditing.broken_off(request)
    if request.transport is not None:
        request.transport.abort()


class _Ahead:
    """Takes pieces from a blocking iterator, the next one while the last is being sent."""

    def __init__(self, offload: Offload, pieces: Iterator[Piece]) -> None:
        self._offload = offload
        self._pieces = pieces
        self._job: asyncio.Future[Piece | None] | None = None

    def prefetch(self) -> None:
        """Begin to make the next piece."""
        self._job = self._offload.start(next, self._pieces, None)

    async def next(self) -> Piece | None:
        """Return the next piece, None after the last."""
        job = self._job or self._offload.start(next, self._pieces, None)
        self._job = job
        piece = await asyncio.shield(job)
        self._job = None
        return piece

    async def close(self) -> None:
        """Wait until the iterator is not in use."""
        if self._job is not None:
            await ended(self._job)
