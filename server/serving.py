"""aiohttp's server, with the faults of its own error answers mended.

What its HTTP parser refuses passes no middleware: the default answers text/plain and logs the offending line, a token
header or a `private_token=` in it included. What it refuses before the middlewares (an `Expect` that it does not
know) is text/plain too, and quotes the request.
"""

from __future__ import annotations

import asyncio
import logging
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


class QuietHandler(RequestHandler):
    """Answers what cannot be parsed with JSON, and logs only what kind of error it was."""

    __slots__ = ()

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
    """Runs the application on `QuietServer`, with time limits on idle connections and on clients that do not read."""

    def __init__(self, app: web.Application, *, grace: float = 20.0) -> None:
        super().__init__(
            app,
            access_log=None,
            # Bodies that come compressed are refused, and must not be inflated while the rest of them is read off.
            auto_decompress=False,
            keepalive_timeout=KEEPALIVE,
            lingering_time=LINGERING,
            shutdown_timeout=grace,
        )
        self._watching: asyncio.Task[None] | None = None

    async def _make_server(self) -> Server:
        server = await super()._make_server()
        # aiohttp has no setting for the class of its connections; the instance is made over instead.
        server.__class__ = QuietServer
        server.request_handler = _in_json(server.request_handler)
        self._watching = asyncio.create_task(Watch(server).run())
        return server

    async def cleanup(self) -> None:
        """End what the set-up began; running requests get their grace."""
        if self._watching is not None:
            self._watching.cancel()
        await super().cleanup()


def _in_json(handler: Handler) -> Handler:
    async def answer(request: BaseRequest) -> web.StreamResponse:
        try:
            return await handler(request)
        except web.HTTPException as error:
            return json_refusal(error)

    return answer
