"""aiohttp's server, with the faults of its own error answers mended.

What its HTTP parser refuses passes no middleware: the default answers text/plain and logs the offending line, a token
header or a `private_token=` in it included. What it refuses before the middlewares (an `Expect` that it does not
know) is text/plain too, and quotes the request.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import TYPE_CHECKING

from aiohttp import web
from aiohttp.web_protocol import RequestHandler
from aiohttp.web_server import Server

from server.errors import json_answer
from server.middlewares import HEADERS, json_refusal
from server.stalled import Watch

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from aiohttp.web_request import BaseRequest

    Handler = Callable[[BaseRequest], Awaitable[web.StreamResponse]]

log = logging.getLogger("secure_files.server")

KEEPALIVE = 60.0
LINGERING = 5.0
# How much of a body may lie in memory before it is asked for, about: a piece as it was received, of 256 KiB at most.
READ_AHEAD = 64 * 1024
LOOK_SECONDS = 0.05
# What is still running after its grace is cancelled and gets so long to notice.
CUT_SECONDS = 0.5


class QuietHandler(RequestHandler):
    """Answers what cannot be parsed with JSON, and logs only what kind of error it was."""

    __slots__ = ()

    @property
    def busy(self) -> bool:
        """Whether a request is under way: its body still coming, being answered, or its answer being sent."""
        return self._request_in_progress

    def handle_error(
        self,
        request: BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 - aiohttp's signature; the text quotes the request
    ) -> web.StreamResponse:
        """Return the answer and close the connection, whose state is unknown."""
        if not isinstance(exc, ConnectionError):  # a client that went away was not refused
            log.warning("refused a request of %s: %s", request.remote, type(exc).__name__)
        if request.writer.output_size > 0:
            raise ConnectionError("an answer has begun already")
        text = "400 Bad Request" if status < 500 else "500 Internal Server Error"
        response = json_answer({"message": text}, status, HEADERS)
        response.force_close()
        return response


class QuietServer(Server):
    """Makes a `QuietHandler` for each connection."""

    def __call__(self) -> RequestHandler:
        """Return the handler of a new connection."""
        return QuietHandler(self, loop=self._loop, **self._kwargs)


class Runner(web.AppRunner):
    """Runs the application on `QuietServer`, with time limits on idle connections and on clients that do not read.

    Its end is ours: aiohttp's stops reading at once, and would cut off every upload whose body is still coming.
    """

    def __init__(self, app: web.Application, *, grace: float = 20.0) -> None:
        super().__init__(
            app,
            access_log=None,
            # Bodies that come compressed are refused, and must not be inflated while the rest of them is read off.
            auto_decompress=False,
            keepalive_timeout=KEEPALIVE,
            read_bufsize=READ_AHEAD,
            lingering_time=LINGERING,
            shutdown_timeout=CUT_SECONDS,
        )
        self._grace = grace
        self._draining = False
        self._watching: asyncio.Task[None] | None = None

    async def _make_server(self) -> Server:
        server = await super()._make_server()
        # aiohttp has no setting for the class of its connections; the instance is made over instead.
        server.__class__ = QuietServer
        server.request_handler = self._answering(server.request_handler)
        self._watching = asyncio.create_task(Watch(server).run())
        return server

    async def cleanup(self) -> None:
        """Take no more connections, let running requests have their grace, and end what the set-up began."""
        await self._drain()
        if self._watching is not None:
            self._watching.cancel()
        await super().cleanup()

    async def _drain(self) -> None:
        self._draining = True
        for site in list(self.sites):
            await site.stop()
        with suppress(TimeoutError):
            async with asyncio.timeout(self._grace):
                while self._busy():  # noqa: ASYNC110 - aiohttp tells nobody when it has sent an answer
                    await asyncio.sleep(LOOK_SECONDS)

    def _busy(self) -> bool:
        connections = self.server.connections if self.server else ()
        return any(connection.busy for connection in connections if isinstance(connection, QuietHandler))

    def _answering(self, handler: Handler) -> Handler:
        async def answer(request: BaseRequest) -> web.StreamResponse:
            try:
                response = await handler(request)
            except web.HTTPException as error:
                response = json_refusal(error)
            if self._draining:
                response.force_close()
            return response

        return answer
