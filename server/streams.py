"""Multipart bodies whose file is too large for memory: its bytes are sealed as they come, and none is spooled."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from server import forms
from server.app_keys import OFFLOAD, SHARED
from server.errors import BadRequest
from server.pipes import Pipe
from vault.errors import TooLarge

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Hashable

    from aiohttp import web

    from server.forms import Values
    from vault.storage import BlobWriter

    Begin = Callable[[Values, str], Awaitable[BlobWriter]]

FILE = "file"


@dataclass(frozen=True, slots=True)
class Received:
    """All parameters of a request, and the file part whose bytes went to `writer`."""

    values: Values
    filename: str
    writer: BlobWriter


@asynccontextmanager
async def received(request: web.Request, limit: int, begin: Begin, sender: Hashable) -> AsyncIterator[Received]:
    """Take in a request whose multipart body has a part `file` of up to `limit` bytes.

    `begin(values so far, file name)` returns the writer when the part begins; whoever wants to keep what it was given
    calls its `finish` inside the block. Leaving the block otherwise keeps nothing. Raises `BadRequest`, `TooLarge`, and
    `Refused` when everybody, or the one that `sender` stands for, has too many bodies on the way.
    """
    async with AsyncExitStack() as stack:
        body = _Body(request, limit, begin, partial(stack.enter_async_context, request.app[SHARED].places.of(sender)))
        try:
            yield await body.read()
        finally:
            await body.close()


class _Body:
    """One multipart body being read."""

    def __init__(
        self, request: web.Request, limit: int, begin: Begin, take_place: Callable[[], Awaitable[None]]
    ) -> None:
        self._request = request
        self._limit = limit
        self._begin = begin
        self._take_place = take_place
        self._pairs: list[tuple[str, Any]] = []
        self._size = 0
        self._name = ""
        self._text: bytearray | None = None
        self._pipe: Pipe[BlobWriter] | None = None
        self._filename = ""
        self._into_pipe = False

    async def read(self) -> Received:
        """Read to the closing boundary. Raises `BadRequest` when there is none, or no file."""
        if self._request.content_type != "multipart/form-data":
            self._pairs = list((await forms.read(self._request)).items())
        else:
            await self._read_parts()
        values = self._values()
        if self._pipe is None:
            raise BadRequest(f"{FILE} is {'missing' if values.get(FILE) is None else 'invalid'}")
        await self._pipe.flush()
        return Received(values, self._filename, self._pipe.writer)

    async def close(self) -> None:
        """Let go of the writer, once it is not in use."""
        if self._pipe is not None:
            await self._pipe.close()

    def _values(self) -> Values:
        return {**forms.gathered(self._request.query.items()), **forms.gathered(self._pairs)}

    async def _read_parts(self) -> None:
        with forms.parser_for(self._request) as parser:
            async for data in self._chunks():
                for event in () if parser.closed else forms.events(parser, data):
                    await self._take(event)
            forms.finish(parser)

    async def _chunks(self) -> AsyncIterator[bytes]:
        try:
            async for data in forms.chunks(self._request, self._limit + forms.MULTIPART_SLACK):
                yield data
        except TooLarge as error:
            raise self._too_large() from error

    async def _take(self, event: Any) -> None:
        if event is None:
            self._end_part()
        elif not isinstance(event, (bytes, bytearray)):
            await self._begin_part(event.name, forms.filename_of(event))
        elif self._into_pipe:
            assert self._pipe is not None
            self._size += len(event)
            if self._size > self._limit:
                raise self._too_large()
            await self._pipe.write(event)
        elif self._text is not None:
            self._text += event
            if len(self._text) > forms.TEXT_LIMIT:
                raise BadRequest(f"a form field is longer than {forms.TEXT_LIMIT} bytes")

    async def _begin_part(self, name: str, filename: str | None) -> None:
        if filename is None:
            self._name, self._text = name, bytearray()
        elif name == FILE:
            if self._pipe is not None:
                raise BadRequest(f"{FILE} is given twice")
            writer = await self._begin(self._values(), filename)
            await self._take_place()  # now that it is known who sends: a stranger is to take none from others
            self._pipe = Pipe(self._request.app[OFFLOAD], writer)
            self._filename = filename
            self._into_pipe = True
        # A file part of another name is read past: python-gitlab sends an empty `avatar` along.

    def _end_part(self) -> None:
        if self._text is not None:
            self._pairs.append((self._name, forms.decoded(self._name, self._text)))
        self._into_pipe, self._text = False, None

    def _too_large(self) -> TooLarge:
        told = self._request.content_length
        size = f"the request has {told} bytes" if told else f"more than {self._limit} bytes came"
        return TooLarge(
            self._limit, f"file size has reached maximum size limit: {self._limit} bytes may be sent, and {size}"
        )
