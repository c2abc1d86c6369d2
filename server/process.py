"""One server process: from services to a listening socket, until a signal ends it."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from typing import TYPE_CHECKING

from aiohttp import web

from server.app import make_app
from server.serving import Runner

if TYPE_CHECKING:
    from server.settings import Settings
    from server.wiring import Services


def serve(services: Services, settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; running requests get `settings.grace` seconds."""
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(services, settings))


async def _serve(services: Services, settings: Settings) -> None:
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    runner = Runner(make_app(services, settings), grace=settings.grace)
    await runner.setup()
    try:
        site = web.TCPSite(runner, settings.host, settings.port)
        await site.start()
        host, port = runner.addresses[0][:2]
        sys.stderr.write(f"secure-files: listening on http://{host}:{port}\n")
        sys.stderr.flush()
        await ended.wait()
    finally:
        await runner.cleanup()
