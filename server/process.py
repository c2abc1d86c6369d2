"""One process that serves: from services and a listening socket until it is told to end.

It drains when told to: readiness says 503 at once, new connections are taken for a moment longer (a balancer needs to
notice), running requests get their grace, then the rest is cut off.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from aiohttp import web

from server import memory
from server.app import make_app
from server.app_keys import DRAINING
from server.serving import Runner
from server.version import VERSION
from vault.errors import Invalid, Unavailable

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from server.settings import Settings
    from server.shared import Shared
    from server.tls import Certificate
    from server.wiring import Services

log = logging.getLogger("secure_files.server")

NOTICE_SECONDS = 1.0
# What a parent says to its workers.
DRAIN, RELOAD = b"d", b"h"
ENDING = (signal.SIGTERM, signal.SIGINT)


def read_again(certificate: Certificate | None) -> None:
    """Do what SIGHUP asks for: read the certificate again, and keep the old one when the new cannot be used."""
    if certificate is None:
        log.info("SIGHUP: there is no certificate to read again")
        return
    try:
        certificate.read_again()
    except Invalid as error:
        log.error("SIGHUP: the certificate stays as it was: %s", error)
    else:
        log.info("SIGHUP: new connections get the certificate that was read now")


class Signals:
    """SIGTERM and SIGINT, heard from the moment this is made; a second one ends the process at once. SIGHUP reloads.

    Not by the loop's own `add_signal_handler`: it tells the loop by a byte in the pipe that threads wake it by as well,
    and under load that is full. The byte is dropped, and the signal with it.
    """

    def __init__(self, reload: Callable[[], None]) -> None:
        self._ended = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        for number in ENDING:
            self._hear(number, self._end)
        self._hear(signal.SIGHUP, reload)

    def _hear(self, number: int, act: Callable[[], None]) -> None:
        signal.signal(number, lambda *_: self._loop.call_soon_threadsafe(act))

    def _end(self) -> None:
        self._ended.set()
        for number in ENDING:
            signal.signal(number, signal.SIG_DFL)

    async def until_told(self) -> None:
        """Wait for a signal."""
        await self._ended.wait()


class Parent:
    """The other end of a worker's pipe: bytes ask it to drain or to read its certificate again.

    The end of the pipe means that the parent is gone.
    """

    def __init__(self, pipe: int) -> None:
        self._pipe = pipe
        self._reload: Callable[[], None] = lambda: None

    def heeded(self, reload: Callable[[], None]) -> Parent:
        """Return this parent, whose word to read again is heard by `reload`."""
        self._reload = reload
        return self

    async def until_told(self) -> None:
        """Wait for the parent's word; when the parent is gone instead, end this process at once.

        What was acknowledged is durable. To wait for anything would hold the data folder against the next start.
        """
        loop = asyncio.get_running_loop()
        told = asyncio.Event()
        loop.add_reader(self._pipe, self._listen, told)
        await told.wait()

    def _listen(self, told: asyncio.Event) -> None:
        word = os.read(self._pipe, 1)
        if not word:
            os._exit(1)
        if word == RELOAD:
            self._reload()
        else:
            told.set()


def serve(
    services: Services,
    settings: Settings,
    listening: socket.socket,
    ready: Callable[[], None] = lambda: None,
    parent: Parent | None = None,
    certificate: Certificate | None = None,
    shared: Shared | None = None,
) -> None:
    """Serve on `listening` until a signal comes, or a worker's parent says so; running requests get their grace.

    With a `certificate` it speaks TLS, and reads that again at SIGHUP. `shared` is what workers count together.
    """
    memory.keep_freed()
    app = partial(make_app, services, settings, shared)
    _note(services, "server.start")
    asyncio.run(_serve(app, settings.grace, listening, ready, parent, certificate))
    _note(services, "server.stop")


def _note(services: Services, action: str) -> None:
    """Write a line about this process; where it cannot be written, readiness says so."""
    with suppress(Unavailable):
        services.audit.note(action, f"version {VERSION}, process {os.getpid()}")


async def _serve(
    make: Callable[[], web.Application],
    grace: float,
    listening: socket.socket,
    ready: Callable[[], None],
    parent: Parent | None,
    certificate: Certificate | None,
) -> None:
    reload = partial(read_again, certificate)
    end = parent.heeded(reload) if parent else Signals(reload)
    app = make()
    runner = Runner(app, grace=grace)
    await runner.setup()
    try:
        context = certificate.context if certificate else None
        await web.SockSite(runner, listening, backlog=1024, ssl_context=context).start()
        memory.settle()
        ready()
        await end.until_told()
        app[DRAINING].set()
        await asyncio.sleep(NOTICE_SECONDS)
    finally:
        await runner.cleanup()
