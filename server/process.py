"""One process that serves: from services and a listening socket until it is told to end.

It drains when told to: readiness says 503 at once, new connections are taken for a moment longer (a balancer needs to
notice), running requests get their grace, then the rest is cut off.
"""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING

from aiohttp import web

from server.app import make_app
from server.app_keys import DRAINING
from server.serving import Runner

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from server.settings import Settings
    from server.wiring import Services

NOTICE_SECONDS = 1.0
ENDING = (signal.SIGTERM, signal.SIGINT)


class Signals:
    """SIGTERM and SIGINT, heard from the moment this is made; a second one ends the process at once."""

    def __init__(self) -> None:
        self._ended = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in ENDING:
            loop.add_signal_handler(number, self._end)

    def _end(self) -> None:
        self._ended.set()
        loop = asyncio.get_running_loop()
        for number in ENDING:
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_DFL)

    async def until_told(self) -> None:
        """Wait for a signal."""
        await self._ended.wait()


class Parent:
    """The other end of a worker's pipe: a byte asks it to drain, the end of the pipe means that the parent is gone."""

    def __init__(self, pipe: int) -> None:
        self._pipe = pipe

    async def until_told(self) -> None:
        """Wait for the parent's word; when the parent is gone instead, end this process at once.

        What was acknowledged is durable. To wait for anything would hold the data folder against the next start.
        """
        loop = asyncio.get_running_loop()
        told = asyncio.Event()
        loop.add_reader(self._pipe, self._listen, told)
        await told.wait()

    def _listen(self, told: asyncio.Event) -> None:
        if not os.read(self._pipe, 1):
            os._exit(1)
        told.set()


def serve(
    services: Services,
    settings: Settings,
    listening: socket.socket,
    ready: Callable[[], None] = lambda: None,
    parent: Parent | None = None,
) -> None:
    """Serve on `listening` until a signal comes, or a worker's parent says so; running requests get their grace."""
    asyncio.run(_serve(services, settings, listening, ready, parent))


async def _serve(
    services: Services, settings: Settings, listening: socket.socket, ready: Callable[[], None], parent: Parent | None
) -> None:
    end = parent or Signals()
    app = make_app(services, settings)
    runner = Runner(app, grace=settings.grace)
    await runner.setup()
    try:
        await web.SockSite(runner, listening, backlog=1024).start()
        ready()
        await end.until_told()
        app[DRAINING].set()
        await asyncio.sleep(NOTICE_SECONDS)
    finally:
        await runner.cleanup()
