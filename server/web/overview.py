"""The first page: what expires across all projects, and the projects."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from server.access import Endpoint, principal
from server.app_keys import OFFLOAD, SERVICES
from server.reports.timeline import WEEKS, timeline
from server.web.rendering import render
from vault import expiry
from vault.models import Page

if TYPE_CHECKING:
    from aiohttp import web

    from server.wiring import Services
    from vault.expiry import Expiry
    from vault.models import Listing, Principal, Project

NEXT = 25
PROJECTS = 50


class Overview(NamedTuple):
    """What the first page shows."""

    rows: list[Expiry]
    projects: Listing[Project]


async def show(request: web.Request) -> web.Response:
    """Show what expires next, the coming year, and the projects."""
    number, part = _number(request.query.get("page", "1")), _number(request.query.get("files", "1"))
    search = request.query.get("search", "").strip()
    found = await request.app[OFFLOAD].call(_gather, request.app[SERVICES], principal(request), number, search)
    now, parts = datetime.now(UTC), max(1, -(-len(found.rows) // NEXT))
    part = min(part, parts)
    return render(
        request,
        "overview.html",
        next=found.rows[(part - 1) * NEXT : part * NEXT],
        expiring=len(found.rows),
        part=part,
        parts=parts,
        counts=Counter(row.status for row in found.rows),
        first=_first(found.rows),
        timeline=timeline(found.rows, now),
        weeks=WEEKS,
        projects=found.projects.rows,
        total=found.projects.total,
        page=number,
        pages=max(1, -(-found.projects.total // PROJECTS)),
        search=search,
    )


def _gather(services: Services, who: Principal, number: int, search: str) -> Overview:
    rows = expiry.report(services.secure_files.readable_expiring(who), datetime.now(UTC))
    projects = services.projects.find(
        who, Page(number, PROJECTS), membership=False, owned=False, search=search or None, visibility=None
    )
    return Overview(rows, projects)


def _first(rows: list[Expiry]) -> dict[int, Expiry]:
    """Return of each project the file that expires first."""
    found: dict[int, Expiry] = {}
    for row in rows:
        found.setdefault(row.project_id, row)
    return found


def _number(text: str) -> int:
    return min(int(text), 1_000_000) if text.isascii() and text.isdigit() and int(text) else 1


ENDPOINTS = (Endpoint("GET", "/", show, action="project.list"),)
