"""Members of projects and groups: https://docs.gitlab.com/api/members/."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from aiohttp import web

from server import forms, paging
from server.access import Endpoint, principal, project
from server.api.groups import group_of
from server.api.shapes import LEVEL, MEMBER
from server.api.users import present as present_user
from server.app_keys import OFFLOAD, PRINCIPAL, SERVICES
from server.describing import NUMBER, WHEN, Value, gives, lists, maybe, removes
from server.errors import json_answer
from server.params import Check
from server.urls import API
from vault.access import parse_id
from vault.errors import Conflict, Forbidden, NotFound
from vault.models import Role

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from vault.models import Member

LEVELS = frozenset(int(role) for role in Role if role > Role.NONE)


class Source(NamedTuple):
    """What somebody is a member of, and the caller's own role there."""

    kind: str
    id: int
    role: Role


async def project_source(request: web.Request, needed: Role) -> Source:
    """Return the project the path names as a source of members."""
    found = await project(request, needed)
    role = await request.app[OFFLOAD].read(request.app[SERVICES].access.role, request[PRINCIPAL], found)
    return Source("project", found.id, role)


async def group_source(request: web.Request, needed: Role) -> Source:
    """Return the group the path names as a source of members."""
    group = await group_of(request, needed)
    role = await request.app[OFFLOAD].read(request.app[SERVICES].access.group_role, principal(request), group)
    return Source("group", group.id, role)


def present(request: web.Request, member: Member) -> dict[str, Any]:
    """Return a member in GitLab's fields."""
    more = {"access_level": int(member.access_level), "created_at": member.created_at}
    return {**present_user(request, member.user), **more, "expires_at": member.expires_at, "membership_state": "active"}


async def _members(request: web.Request, source: Source, *, inherited: bool) -> list[Member]:
    services = request.app[SERVICES]
    if inherited and source.kind == "project":
        found = await request.app[OFFLOAD].read(services.projects.get, source.id)
        return await request.app[OFFLOAD].read(services.access.all_members, found)
    return await request.app[OFFLOAD].read(services.access.members, source.kind, source.id)


async def _direct_level(request: web.Request, source: Source, user_id: int) -> Role | None:
    direct = await _members(request, source, inherited=False)
    return next((member.access_level for member in direct if member.user.id == user_id), None)


async def index(request: web.Request, *, resolve: Callable[..., Awaitable[Source]], inherited: bool) -> web.Response:
    """List members."""
    source = await resolve(request, Role.GUEST)
    found = await _members(request, source, inherited=inherited)
    return paging.cut(request, found, partial(present, request))


async def show(request: web.Request, *, resolve: Callable[..., Awaitable[Source]], inherited: bool) -> web.Response:
    """Tell of one member."""
    source = await resolve(request, Role.GUEST)
    wanted = parse_id(request.match_info["user_id"])
    for member in await _members(request, source, inherited=inherited):
        if member.user.id == wanted:
            return json_answer(present(request, member))
    raise NotFound


async def put(request: web.Request, *, resolve: Callable[..., Awaitable[Source]], new: bool) -> web.Response:
    """Add a member, or change one's level."""
    source = await resolve(request, Role.MAINTAINER)
    check = Check(await forms.read(request))
    user_id = check.integer("user_id", required=True) if new else parse_id(request.match_info["user_id"])
    level = check.integer("access_level", required=True) or 0
    expires_at = check.date("expires_at")
    if check.has("access_level") and level not in LEVELS:
        check.refuse("access_level", "does not have a valid value")
    check.done()
    if level > source.role:
        raise Forbidden
    services, offload = request.app[SERVICES], request.app[OFFLOAD]
    user = await offload.read(services.people.get, user_id or 0)
    known = await _direct_level(request, source, user.id)
    if new and known is not None:
        raise Conflict("Member already exists")
    if not new and known is None:
        raise NotFound
    if known is not None and known > source.role:
        raise Forbidden
    until = expires_at.isoformat() if expires_at else None
    await offload.call(services.access.put_member, source.kind, source.id, user, Role(level), until)
    members = await _members(request, source, inherited=False)
    made = next(member for member in members if member.user.id == user.id)
    return json_answer(present(request, made), 201 if new else 200)


async def remove(request: web.Request, *, resolve: Callable[..., Awaitable[Source]]) -> web.Response:
    """Take a direct membership away; one may always leave."""
    wanted = parse_id(request.match_info["user_id"]) or 0
    leaving = wanted == principal(request).user.id
    source = await resolve(request, Role.GUEST if leaving else Role.MAINTAINER)
    if (await _direct_level(request, source, wanted) or Role.NONE) > source.role:
        raise Forbidden
    await request.app[OFFLOAD].call(request.app[SERVICES].access.remove_member, source.kind, source.id, wanted)
    return web.Response(status=204)


USER_ID = Value("user_id", NUMBER, required=True)
LEVELLED = (
    Value("access_level", LEVEL, "10 guest .. 50 owner", required=True),
    Value("expires_at", maybe(WHEN), "the day on which the membership has ended"),
)
TAKEN = {409: "the user is a member already"}


def _endpoints(base: str, resolve: Callable[..., Awaitable[Source]]) -> tuple[Endpoint, ...]:
    one = f"{base}/{{user_id:[^/]+}}"
    return (
        Endpoint(
            "GET", base, partial(index, resolve=resolve, inherited=False), action="member.list", about=lists(MEMBER)
        ),
        Endpoint(
            "POST",
            base,
            partial(put, resolve=resolve, new=True),
            action="member.add",
            about=gives(MEMBER, status=201).taking(USER_ID, *LEVELLED).refusing(TAKEN),
        ),
        Endpoint(
            "GET",
            f"{base}/all",
            partial(index, resolve=resolve, inherited=True),
            action="member.list",
            about=lists(MEMBER),
        ),
        Endpoint(
            "GET",
            f"{base}/all/{{user_id:[^/]+}}",
            partial(show, resolve=resolve, inherited=True),
            action="member.show",
            about=gives(MEMBER),
        ),
        Endpoint(
            "GET", one, partial(show, resolve=resolve, inherited=False), action="member.show", about=gives(MEMBER)
        ),
        Endpoint(
            "PUT",
            one,
            partial(put, resolve=resolve, new=False),
            action="member.change",
            about=gives(MEMBER).taking(*LEVELLED),
        ),
        Endpoint("DELETE", one, partial(remove, resolve=resolve), action="member.remove", about=removes()),
    )


ENDPOINTS = (
    *_endpoints(f"{API}/projects/{{id:[^/]+}}/members", project_source),
    *_endpoints(f"{API}/groups/{{id:[^/]+}}/members", group_source),
)
