"""The server tells by itself: every worker of every server looks, and the catalog lets one of them tell each notice."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING

from server.app_keys import METRICS, OFFLOAD, SERVICES
from server.notify.recipients import read

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from aiohttp import web

    from server.notify.notifier import Told
    from server.wiring import Services

log = logging.getLogger("secure_files.notify")


def telling(recipients: Path, seconds: float) -> Callable[[web.Application], AsyncIterator[None]]:
    """Return what tells the recipients in a file while the application runs.

    Raises `Invalid` now when the file is not good; one that is changed later is read again at the next look.
    """
    read(recipients)

    async def context(app: web.Application) -> AsyncIterator[None]:
        task = asyncio.create_task(_tell(app, recipients, seconds))
        yield
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    return context


async def _tell(app: web.Application, recipients: Path, seconds: float) -> None:
    while True:
        try:
            for told in await app[OFFLOAD].call(tell, app[SERVICES], recipients):
                app[METRICS].told(told.notice.recipient, well=not told.problem)
        except Exception:
            log.exception("the recipients could not be told; it is tried again in %s s", seconds)
        await asyncio.sleep(seconds)


def tell(services: Services, recipients: Path) -> list[Told]:
    """Tell the recipients in a file what is due, and return how each notice ended."""
    # Imported here: a server without recipients needs no mail and no TLS client.
    from server.notify.notifier import Notifier  # noqa: PLC0415

    return Notifier(read(recipients), services.secure_files, services.notices).run()
