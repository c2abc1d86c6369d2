"""The audit log as events: https://docs.gitlab.com/api/audit_events/."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from server import forms, paging
from server.access import Endpoint, principal, project
from server.api.groups import group_of
from server.api.shapes import AUDIT_EVENT
from server.api.users import require_administrator
from server.app_keys import OFFLOAD, SERVICES
from server.describing import NUMBER, WHEN, Value, gives, lists, one_of
from server.errors import BadRequest, json_answer
from server.params import Check
from server.urls import API
from vault.access import parse_id
from vault.audit.catalog import INSTANCE, Wanted
from vault.errors import NotFound, Unavailable
from vault.models import Role

if TYPE_CHECKING:
    from aiohttp import web

    from vault.audit.catalog import Event

ENTITY_TYPES = ("User", "Group", "Project", INSTANCE[0])
UNKNOWN_AUTHOR = "An unauthenticated user"


def present(event: Event) -> dict[str, Any]:
    """Return an event in GitLab's fields; `details` has more of ours."""
    target = event.target.partition("?")[0].rstrip("/")
    details = {
        "event_name": event.action,
        "custom_message": f"{event.action}: {event.status}",
        "author_name": event.author_name or event.actor or UNKNOWN_AUTHOR,
        "author_email": event.author_email,
        "target_id": target.rpartition("/")[2],
        "target_type": event.action.partition(".")[0],
        "target_details": event.target,
        "ip_address": event.ip,
        "entity_path": event.project_path or event.target,
        "status": event.status,
        "token_id": event.token_id,
        "request_id": event.request_id,
        "times": event.times,
    }
    return {
        "id": event.id,
        "author_id": event.author_id,
        "entity_id": event.entity_id,
        "entity_type": event.entity_type,
        "details": details,
        "created_at": event.created_at,
    }


def _own_until(request: web.Request, role: Role, above: Role) -> int | None:
    """Return whose events a caller with this role may see: his own, or with the role `above` everybody's (None)."""
    return None if role >= above else principal(request).user.id


async def wanted_of_project(request: web.Request) -> Wanted:
    """Return which of a project's events the caller may see: developers their own, maintainers all."""
    found = await project(request, Role.DEVELOPER)
    role = await request.app[OFFLOAD].read(request.app[SERVICES].access.role, principal(request), found)
    author = _own_until(request, role, Role.MAINTAINER)
    # Numbers are never given twice, but somebody may have asked for this one before there was such a project.
    return Wanted(("Project", found.id), author, after=found.created_at)


async def _of_group(request: web.Request) -> Wanted:
    found = await group_of(request, Role.DEVELOPER)
    role = await request.app[OFFLOAD].read(request.app[SERVICES].access.group_role, principal(request), found)
    return Wanted(("Group", found.id), _own_until(request, role, Role.OWNER), after=found.created_at)


async def of_project(request: web.Request) -> web.Response:
    """List a project's events, newest first; developers see their own."""
    return await _list(request, await wanted_of_project(request))


async def of_group(request: web.Request) -> web.Response:
    """List a group's events, newest first; below an owner one sees one's own."""
    return await _list(request, await _of_group(request))


async def everywhere(request: web.Request) -> web.Response:
    """List all events, newest first, for administrators."""
    require_administrator(request)
    check = Check(forms.query(request))
    kind, number = check.choice("entity_type", ENTITY_TYPES), check.integer("entity_id")
    if number is not None and kind is None:
        check.refuse("entity_type", "is missing")
    check.done()
    return await _list(request, Wanted((kind, number or 0) if kind else None))


async def one_of_project(request: web.Request) -> web.Response:
    """Tell of one event of a project."""
    return await _show(request, await wanted_of_project(request))


async def one_of_group(request: web.Request) -> web.Response:
    """Tell of one event of a group."""
    return await _show(request, await _of_group(request))


async def one(request: web.Request) -> web.Response:
    """Tell of any event, for administrators."""
    require_administrator(request)
    return await _show(request, Wanted())


async def _list(request: web.Request, wanted: Wanted) -> web.Response:
    page, check = paging.read_page(request), Check(forms.query(request))
    after, before = check.moment("created_after"), check.moment("created_before")
    check.done()
    wanted = wanted._replace(after=max(after or "", wanted.after or ""), before=before)
    audit = request.app[SERVICES].audit

    def work() -> tuple[list[dict[str, Any]], int]:
        listing = audit.catalog.page(wanted, page)
        return [present(event) for event in listing.rows], listing.total

    await catch_up(request)
    rows, total = await request.app[OFFLOAD].call(work)
    return paging.answer(request, page, total, rows)


async def _show(request: web.Request, wanted: Wanted) -> web.Response:
    number = parse_id(request.match_info["audit_event_id"])
    if number is None:
        if not request.match_info["audit_event_id"].isdigit():
            raise BadRequest("audit_event_id is invalid")
        raise NotFound("Audit Event")
    await catch_up(request)
    event = await request.app[OFFLOAD].read(request.app[SERVICES].audit.catalog.event, number)
    of_others = wanted.author is not None and event.author_id != wanted.author
    elsewhere = wanted.entity is not None and (event.entity_type, event.entity_id) != wanted.entity
    if of_others or elsewhere or event.created_at < (wanted.after or ""):
        raise NotFound("Audit Event")
    return json_answer(present(event))


async def catch_up(request: web.Request) -> None:
    """Tell the catalog of this process's lines of the last second, so that who did something finds it."""
    try:
        await request.app[OFFLOAD].call(request.app[SERVICES].audit.sync)
    except Unavailable:
        return  # what is known is shown; the log's own turn says why


PROJECT = f"{API}/projects/{{id:[^/]+}}/audit_events"
GROUP = f"{API}/groups/{{id:[^/]+}}/audit_events"
ALL = f"{API}/audit_events"
ONE = "{audit_event_id:[^/]+}"
SPAN = (
    Value("created_after", WHEN, "events from then on"),
    Value("created_before", WHEN, "events up to then"),
)
OF_KIND = (Value("entity_type", one_of(*ENTITY_TYPES)), Value("entity_id", NUMBER, "with `entity_type`"))
ENDPOINTS = (
    Endpoint("GET", PROJECT, of_project, action="audit_event.list", about=lists(AUDIT_EVENT, *SPAN)),
    Endpoint("GET", f"{PROJECT}/{ONE}", one_of_project, action="audit_event.show", about=gives(AUDIT_EVENT)),
    Endpoint("GET", GROUP, of_group, action="audit_event.list", about=lists(AUDIT_EVENT, *SPAN)),
    Endpoint("GET", f"{GROUP}/{ONE}", one_of_group, action="audit_event.show", about=gives(AUDIT_EVENT)),
    Endpoint("GET", ALL, everywhere, action="audit_event.list", about=lists(AUDIT_EVENT, *SPAN, *OF_KIND)),
    Endpoint("GET", f"{ALL}/{ONE}", one, action="audit_event.show", about=gives(AUDIT_EVENT)),
)
