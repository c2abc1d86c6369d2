"""What expires, as a calendar to subscribe to (ours; GitLab has none)."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from aiohttp import web

from server.access import Endpoint, principal, project
from server.api.secure_files import COLLECTION
from server.app_keys import OFFLOAD, SERVICES
from server.describing import TEXT, About, Answer
from server.downloads import disposition
from server.urls import API, base_url
from vault import expiry
from vault.models import Role

if TYPE_CHECKING:
    from collections.abc import Callable

    from vault.catalog.database import Row


async def everywhere(request: web.Request) -> web.Response:
    """Send the calendar of all projects the caller may read."""
    return await _answer(request, partial(request.app[SERVICES].secure_files.readable_expiring, principal(request)))


async def of_project(request: web.Request) -> web.Response:
    """Send the calendar of one project."""
    found = await project(request, Role.DEVELOPER)
    return await _answer(request, partial(request.app[SERVICES].secure_files.expiring, project_id=found.id))


async def _answer(request: web.Request, rows: Callable[[], list[Row]]) -> web.Response:
    text = await request.app[OFFLOAD].call(_calendar, rows, base_url(request))
    return web.Response(
        text=text + "\r\n",
        content_type="text/calendar",
        charset="utf-8",
        headers={"Content-Disposition": disposition("expiry.ics", "inline"), "Cache-Control": "private, no-store"},
    )


def _calendar(rows: Callable[[], list[Row]], origin: str) -> str:
    # Imported here: most servers are never asked for a calendar.
    from server.reports.calendar import calendar  # noqa: PLC0415

    now = datetime.now(UTC)
    return calendar(expiry.report(rows(), now), origin, now)


CALENDAR = About((Answer(200, "iCalendar", TEXT, "text/calendar"),))
ENDPOINTS = (
    Endpoint("GET", f"{API}/secure_files/expiry.ics", everywhere, action="secure_file.list", about=CALENDAR),
    Endpoint("GET", f"{COLLECTION}/expiry.ics", of_project, action="secure_file.list", job_token=True, about=CALENDAR),
)
