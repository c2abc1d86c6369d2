"""The application, from services to routes, readable from top to bottom."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from pathlib import Path
from typing import TYPE_CHECKING

from aiohttp import web

from server import auditing, memory, middlewares
from server.access import guarded
from server.api import FAMILIES, metrics
from server.app_keys import (
    DRAINING,
    ENDPOINTS,
    GIT_SLOTS,
    LOGINS,
    METRICS,
    OFFLOAD,
    READINESS,
    RECEIVING,
    ROOM,
    SERVICES,
    SETTINGS,
    SHARED,
    TRUSTED,
    TURNS,
)
from server.metrics import Metrics
from server.notify.schedule import telling
from server.offload import Offload
from server.readiness import Readiness
from server.receiving import Receiving
from server.room import Room
from server.routing import Router
from server.shared import Shared
from server.turns import Turns
from server.web.guard import paged
from server.web.pages import PAGES
from vault.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from server.settings import Settings
    from server.wiring import Services

log = logging.getLogger("secure_files.server")

HOUSEKEEPING_SECONDS = 2.0
GIVE_BACK_SECONDS = 60.0


def make_app(services: Services, settings: Settings, shared: Shared | None = None) -> web.Application:
    """Return the application that serves these services, which it does not close.

    `shared` is what it counts together with other processes; it is let go of at the end.
    """
    app = web.Application(
        middlewares=[middlewares.request_id, middlewares.access_log, auditing.audit, middlewares.errors],
        client_max_size=0,
    )
    Router.instead_of(app.router)
    app[SERVICES] = services
    app[SETTINGS] = settings
    app[OFFLOAD] = Offload(settings.threads, services.quick_catalog)
    app[SHARED] = shared or Shared.make(settings)
    app[METRICS] = services.measures.observer = Metrics(
        services.secure_files.expiry_windows, app[SHARED].metrics, services.notices.failing
    )
    app[LOGINS] = auditing.Logins()
    app[ROOM] = Room()
    app[RECEIVING] = Receiving()
    app[TURNS] = Turns()
    app[GIT_SLOTS] = asyncio.Semaphore(settings.git_programs)
    app[TRUSTED] = settings.trusted_proxies()
    app[READINESS] = Readiness(app[OFFLOAD], services.checks())
    app[DRAINING] = asyncio.Event()
    app.on_response_prepare.append(middlewares.begin_answer)
    app.cleanup_ctx.append(_offload)
    app.cleanup_ctx.append(_housekeeping)
    if settings.recipients:
        app.cleanup_ctx.append(telling(Path(settings.recipients), settings.notify_seconds))
    app[ENDPOINTS] = tuple(endpoint for family in FAMILIES for endpoint in family.ENDPOINTS)
    for endpoint in app[ENDPOINTS]:
        for method in ("GET", "HEAD") if endpoint.method == "GET" else (endpoint.method,):
            app.router.add_route(method, endpoint.path, guarded(endpoint))
    for endpoint in PAGES:
        app.router.add_route(endpoint.method, endpoint.path, paged(endpoint))
    return app


async def _offload(app: web.Application) -> AsyncIterator[None]:
    yield
    app[OFFLOAD].close()
    app[SHARED].close()


async def _housekeeping(app: web.Application) -> AsyncIterator[None]:
    task = asyncio.create_task(_keep_house(app))
    yield
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def _keep_house(app: web.Application) -> None:
    """Do the vault's chores while serving; one that fails is tried again at the next turn."""
    gave_back = time.monotonic()
    while True:
        await asyncio.sleep(HOUSEKEEPING_SECONDS)
        metrics.note_queues(app)
        for chore in app[SERVICES].chores():
            try:
                await app[OFFLOAD].call(chore)
            except Unavailable as error:
                log.warning("a chore is tried again in %s s: %s", HOUSEKEEPING_SECONDS, error)
            except Exception:
                log.exception("a chore failed; it is tried again in %s s", HOUSEKEEPING_SECONDS)
        if time.monotonic() - gave_back > GIVE_BACK_SECONDS:
            await app[OFFLOAD].call(memory.give_back)
            gave_back = time.monotonic()
